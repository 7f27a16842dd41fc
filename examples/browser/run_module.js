// The module in Node, for test_module.py: does what the JSON on standard input lists, and answers with JSON.
//   node run_module.js MODULE.wasm < [["train", ...], ...]
"use strict";

const fs = require("node:fs");
const { Ctlm, Refusal } = require("./page/module.js");

const compiled = new WebAssembly.Module(fs.readFileSync(process.argv[2]));
const bytes = (file) => new Uint8Array(fs.readFileSync(file));
const bits = (x) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, x);
  return view.getUint32(0).toString(16).padStart(8, "0");
};
const write = (file, pieces) => fs.writeFileSync(file, Buffer.concat(pieces));
const greedy = (count) => ({ temperature: 0, topK: 0, topP: 1, seed: 1, count });

const actions = {
  /// Trains up to a step, from the beginning or from a checkpoint; saves what it is asked to.
  train({ model, text, last, total, open, save, images, prompt, count }) {
    const c = Ctlm.now(compiled);
    c.begin(model, bytes(text));
    if (open) c.openCheckpoint(bytes(open));
    else c.start({ seed: 1337, steps: total, rate: 2e-3, dropout: 0 });
    const steps = [], first = c.steps, start = performance.now();
    while (c.steps < last) {
      const r = c.step();
      steps.push(`${bits(r.loss)} ${bits(r.norm)}`);
    }
    const milliseconds = (performance.now() - start) / Math.max(1, last - first);
    const memory = c.wasm.memory.buffer.byteLength;
    if (save) write(save, c.saveCheckpoint());
    const told = (images ?? []).map((image, format) => {
      write(image, c.saveImage(format));
      const text = [];
      c.complete(format, Buffer.from(prompt), greedy(count), (t) => text.push(t));
      return text;
    });
    return { steps, milliseconds, memory, told, figures: c.figures(model), losses: images && [
      c.wasm.validate(), c.wasm.loss(0), c.wasm.loss(1), c.wasm.loss(2)] };
  },
  /// Begins with an image's weights; two completions of the same prompt, before and after.
  image({ model, text, open, prompt, count }) {
    const c = Ctlm.now(compiled);
    c.begin(model, bytes(text));
    c.start({ seed: 1, steps: 10, rate: 1e-3, dropout: 0 });
    c.openImage(bytes(open));
    const told = [];
    c.complete(0, Buffer.from(prompt), greedy(count), (t) => told.push(t));
    return { told };
  },
  modelOf({ open }) { return Ctlm.now(compiled).modelOf(bytes(open)); },
  tell({ open, count }) {
    const c = Ctlm.now(compiled), tokens = [1];
    c.openStory(bytes(open));
    c.tell([1], greedy(count), (t) => tokens.push(t));
    return tokens;
  },
};

const answers = JSON.parse(fs.readFileSync(0, "utf8")).map(([name, options]) => {
  try {
    return actions[name](options);
  } catch (e) {
    if (e instanceof Refusal) return { refused: e.message };
    throw e;
  }
});
console.log(JSON.stringify(answers));
