// The worker of the page: owns one module, does what the page says, and posts what comes of it. Training goes on a few
// steps at a time, so that the page is heard in between.
"use strict";

let ctlm = null;    // a Ctlm
let going = false;  // does training go on by itself?
let last = 0;       // the step at which it ends
let every = 50;     // steps from one validation to the next
let turns = 0;      // counted, so that a stale timer does nothing
let chosen = 0;     // the number of the model

const SLICE = 60;  // milliseconds of training until the page is heard
const say = (type, more = {}) => postMessage({ type, ...more });

function train(turn) {
  if (!going || turn !== turns) return;
  const start = performance.now(), done = [];
  let noted = false;
  while (ctlm.steps < last && performance.now() - start < SLICE && !noted) {
    done.push(ctlm.step());
    noted = ctlm.steps % every === 0 || ctlm.steps === last;
  }
  say("steps", { done, milliseconds: performance.now() - start, steps: ctlm.steps });
  if (noted) say("validation", { step: ctlm.steps, loss: ctlm.wasm.validate() });
  if (ctlm.steps >= last) {
    going = false;
    return say("stopped", { finished: true });
  }
  setTimeout(train, 0, turn);
}

/// The text after a prompt, as bytes. What does not fit the context begins another one, with the end of what there is.
function completion(format, prompt, how) {
  const all = [...prompt], most = ctlm.figures(chosen).context / 2;
  for (let part = 0, left = how.count; left > 0; ++part, left -= most) {
    const piece = { ...how, seed: how.seed + part, count: Math.min(left, most) };
    ctlm.complete(format, new Uint8Array(all), piece, (t) => all.push(t));
  }
  return new Uint8Array(all.slice(prompt.length));
}

function opened(model) {
  last = ctlm.state().steps;
  chosen = model;
  say("opened", { model, steps: ctlm.steps, state: ctlm.state() });
}

const actions = {
  load({ compiled }) {
    ctlm = Ctlm.now(compiled);
    say("loaded");
  },
  begin({ model, text, settings }) {
    ctlm.begin(model, text);
    ctlm.start(settings);
    opened(model);
  },
  /// A model's image or a checkpoint; `model` is what the page has chosen, for files of none.
  open({ model, text, file, settings }) {
    const found = ctlm.modelOf(file), size = found < 0 ? model : found;
    ctlm.begin(size, text);
    if (new TextDecoder().decode(file.slice(0, 7)) === "CTLMIMG") {
      ctlm.start(settings);
      ctlm.openImage(file);
    } else {
      ctlm.openCheckpoint(file);
    }
    opened(size);
  },
  go({ validateEvery }) {
    going = true;
    every = validateEvery;
    train(++turns);
  },
  stop() {
    going = false;
    ++turns;
    say("stopped", { finished: ctlm.steps >= last });
  },
  complete({ prompt, how, step }) { say("completion", { text: completion(0, prompt, how), prompt, step }); },
  compare({ prompt, how }) {
    FORMATS.forEach((name, format) => {
      const { context } = ctlm.figures(chosen);
      say("format", { name, format, loss: ctlm.wasm.loss(format), milliseconds: ctlm.wasm.pace(format),
                      text: completion(format, prompt, how), context });
    });
    say("compared");
  },
  image({ format }) { say("file", { name: `model-${FORMATS[format]}.ctlm`, pieces: ctlm.saveImage(format) }); },
  checkpoint({ keep }) { say("file", { name: "checkpoint.ctlm", keep, pieces: ctlm.saveCheckpoint() }); },
  story({ file }) {
    ctlm.openStory(file);
    say("story");
  },
  tell({ tokens, how }) {
    const start = performance.now();
    let told = 0;
    ctlm.tell(tokens, how, (token) => {
      ++told;
      say("token", { token });
    });
    say("told", { tokens: told, milliseconds: performance.now() - start });
  },
};

onmessage = ({ data }) => {
  try {
    actions[data.type](data);
  } catch (e) {
    going = false;
    const words = e instanceof Refusal || e instanceof RangeError ? e.message : String(e);
    say("refused", { words, doing: data.type });
  }
};
