// The tab that trains. A run belongs to one worker; another run, or a file that is opened, gets another worker, and the
// old one goes when the new one has succeeded: so nothing is lost by what is refused.
"use strict";

const run = {
  helper: null, model: 0, total: 0, steps: 0, going: false, paused: false, unsaved: false,
  training: [], validation: [], speed: 0, text: null,
};
let figures = [];

const settings = () => ({ steps: number("steps"), rate: number("rate"), dropout: number("dropout"), seed: number("seed") });
const sampling = () => ({
  temperature: number("temperature"), topK: number("top-k"), topP: number("top-p"), seed: number("seed"),
  count: Math.min(1000, Math.max(1, number("count"))),
});
const chosenModel = () => Number(document.querySelector("[name=model]:checked").value);

// ---- what is shown --------------------------------------------------------------------------------------------------

function showModels(names) {
  $("models").append(...names.map((name, i) => {
    const f = figures[i], label = document.createElement("label");
    label.className = "model";
    label.innerHTML = `<input type="radio" name="model" value="${i}" ${i === 0 ? "checked" : ""}><span><b>${name}</b>: ` +
      `${grouped(f.parameters)} parameters, ${f.layers} layers of ${f.width}, context ${f.context}<br>` +
      `${grouped(f.trainBytes)} bytes to train, ${grouped(f.imageBytes[0])} for the model, ` +
      `${grouped(f.imageBytes[2])} in 4 bits</span>`;
    return label;
  }));
}

function showTextSize() {
  const bytes = encoded($("text").value).length;
  $("text-size").textContent = `${grouped(bytes)} bytes`;
}

function showButtons() {
  const ready = run.helper !== null, resting = ready && !run.going;
  $("stop").disabled = !run.going;
  $("go-on").disabled = !resting || run.steps >= run.total;
  for (const id of ["complete", "save-image", "save-checkpoint", "keep"]) $(id).disabled = !ready;
  $("compare").disabled = !resting;
}

function showNumbers(last) {
  $("step").textContent = `${run.steps} of ${run.total}`;
  $("progress").value = run.total === 0 ? 0 : run.steps / run.total;
  if (last) {
    $("loss").textContent = last.loss.toFixed(3);
    $("lr").textContent = last.rate.toPrecision(3);
    $("norm").textContent = last.norm.toFixed(3);
  }
  $("speed").textContent = run.speed > 0 ? grouped(run.speed) : "–";
  const checked = run.validation.at(-1);
  $("validation").textContent = checked ? checked[1].toFixed(3) : "–";
  drawCurve($("curve"), run.training, run.validation, run.total);
  showButtons();
}

function textLine(prompt, text) {
  const line = document.createElement("div");
  line.className = "text";
  const begun = document.createElement("b");
  begun.textContent = decoded(prompt);
  line.append(begun, decoded(text));
  return line;
}

// ---- what the worker says -------------------------------------------------------------------------------------------

const heard = {
  steps({ done, milliseconds, steps }) {
    run.steps = steps;
    run.unsaved = run.unsaved || done.length > 0;
    for (const r of done) run.training.push([r.step, r.loss]);
    const f = figures[run.model], rate = done.length * f.batch * f.context / (milliseconds / 1000);
    run.speed = run.speed === 0 ? rate : 0.9 * run.speed + 0.1 * rate;
    if (done.some((r) => r.skipped)) notice("A step was skipped: its numbers were not finite. Lower the learning rate.");
    showNumbers(done.at(-1));
  },
  validation({ step, loss }) {
    run.validation.push([step, loss]);
    showNumbers();
    askForText(step);
  },
  stopped({ finished }) {
    run.going = false;
    if (finished) $("go-on").textContent = "Go on";
    showButtons();
  },
  completion({ prompt, text, step }) {
    const item = document.createElement("li"), when = document.createElement("small");
    when.textContent = `after ${step} steps`;
    item.append(when, textLine(prompt, text));
    $("completions").prepend(item);
    while ($("completions").children.length > 40) $("completions").lastChild.remove();
  },
  format({ name, format, loss, milliseconds, context, text }) {
    const cells = [name, grouped(figures[run.model].imageBytes[format]), loss.toFixed(4), grouped(1000 * context / milliseconds)];
    const row = $("comparison").tBodies[0].insertRow();
    for (const c of cells) row.insertCell().textContent = c;
    row.insertCell().append(textLine(new Uint8Array(), text));
    $("comparison").hidden = false;
  },
  compared() { showButtons(); },
  file({ name, pieces, keep }) {
    if (keep) return said(() => keepIt(pieces));
    if (name.startsWith("checkpoint")) run.unsaved = false;
    download(name, pieces);
  },
  refused({ words }) {
    run.going = false;
    notice(words);
    showButtons();
  },
};

function askForText(step) {
  run.helper.ask("complete", { prompt: encoded($("prompt").value), how: sampling(), step });
}

// ---- runs -----------------------------------------------------------------------------------------------------------

/// Asks a new worker to begin or to open; its run becomes the page's, or its refusal is thrown.
async function another(type, request) {
  let finish;
  const answer = new Promise((resolve, reject) => { finish = { resolve, reject }; });
  const events = { opened: (data) => finish.resolve(data), refused: ({ words }) => finish.reject(new Error(words)) };
  const forward = Object.fromEntries(Object.keys(heard).map((k) => [k, (data) => (events[k] ?? heard[k])(data)]));
  const helper = await readyHelper({ ...forward, opened: (data) => events.opened(data) });
  helper.ask(type, request);
  let data;
  try {
    data = await answer;
  } catch (e) {
    helper.end();
    throw e;
  }
  delete events.refused;
  run.helper?.end();
  Object.assign(run, {
    helper, model: data.model, total: data.state.steps, steps: data.steps, going: false, unsaved: false, speed: 0,
    text: request.text, training: data.state.training, validation: data.state.validation,
  });
  document.querySelector(`[name=model][value="${run.model}"]`).checked = true;
  $("completions").replaceChildren();
  $("comparison").hidden = true;
  $("comparison").tBodies[0].replaceChildren();
  for (const id of ["loss", "lr", "norm"]) $(id).textContent = "–";
  showNumbers();
}

function go() {
  if (!run.helper || run.steps >= run.total) return;
  run.going = true;
  run.helper.ask("go", { validateEvery: Math.max(1, number("every")) });
  showButtons();
}

async function start() {
  if ($("text").value.trim() === "") throw new Error("There is no text yet: paste one, or open a file.");
  if (run.unsaved && !confirm("Begin again, without what was learned so far?")) return;
  await another("begin", { model: chosenModel(), text: encoded($("text").value), settings: settings() });
  go();
}

const open = (bytes) =>
  another("open", { model: chosenModel(), text: encoded($("text").value), file: bytes, settings: settings() });

async function keepIt(pieces) {
  const checkpoint = new Uint8Array(await new Blob(pieces).arrayBuffer());
  try {
    await keepRun({ checkpoint, text: decoded(run.text) });
  } catch (e) {
    throw new Error(`This browser refuses to keep it (${e.message}). Save a checkpoint as a file instead.`);
  }
  run.unsaved = false;
  $("kept").textContent = "It is kept.";
}
async function takeUp() {
  let kept;
  try {
    kept = await keptRun();
  } catch (e) {
    throw new Error(`This browser refuses its storage (${e.message}).`);
  }
  if (!kept) throw new Error("This browser keeps no run yet.");
  await another("open", { model: 0, text: encoded(kept.text), file: kept.checkpoint, settings: settings() });
  $("text").value = kept.text;
  showTextSize();
}

function compare() {
  $("comparison").tBodies[0].replaceChildren();
  $("compare").disabled = true;
  run.helper.ask("compare", { prompt: encoded($("prompt").value), how: sampling() });
}

// ---- the tab --------------------------------------------------------------------------------------------------------

const on = (id, act) => $(id).addEventListener("click", () => said(act));
on("start", start);
on("stop", () => run.helper.ask("stop"));
on("go-on", go);
on("complete", () => askForText(run.steps));
on("compare", compare);
on("save-image", () => run.helper.ask("image", { format: number("image-format") }));
on("save-checkpoint", () => run.helper.ask("checkpoint"));
on("keep", () => {
  $("kept").textContent = "";
  run.helper.ask("checkpoint", { keep: true });
});
on("take", takeUp);

$("text").value = $("default-text").textContent.trim();
$("text").addEventListener("input", showTextSize);
showTextSize();
takeFiles($("text"), $("text-file"), ([file]) => {
  $("text").value = textOf(file.bytes);
  showTextSize();
});
takeFiles($("train"), $("run-file"), ([file]) => open(file.bytes));

document.addEventListener("visibilitychange", () => {
  if (!$("pause-hidden").checked || !run.helper) return;
  if (document.hidden && run.going) {
    run.paused = true;
    run.helper.ask("stop");
  } else if (!document.hidden && run.paused) {
    run.paused = false;
    go();
  }
});
addEventListener("beforeunload", (e) => {
  if (run.unsaved) e.preventDefault();
});

compiled.then(async (module) => {
  const constants = await Ctlm.later(module);
  figures = MODELS.map((_, i) => constants.figures(i));
  showModels(MODELS);
  document.documentElement.dataset.ready = performance.now();
}).catch((e) => notice(`This browser does not take the module: ${e.message}. It needs WebAssembly with SIMD.`));
