// Runs model.wasm twice: the losses of the first time, and the words that the second one fails with.
"use strict";
const fs = require("node:fs");

const losses = [];
const env = {
  take_loss: (loss) => losses.push(loss),
  fatal: (at) => {
    const all = new Uint8Array(learn.memory.buffer, at);
    throw new Error(Buffer.from(all.slice(0, all.indexOf(0))).toString());
  },
};
const learn = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(process.argv[2])), { env }).exports;
learn.learn(30);
let words = "";
try {
  learn.learn(1);
} catch (e) {
  words = e.message;
}
console.log(JSON.stringify({ losses, words }));
