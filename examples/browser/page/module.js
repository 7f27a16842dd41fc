// The module of module.cpp as an object. Nothing here knows of a page: the worker uses it, and the tests in Node do.
"use strict";

const FORMATS = ["f32", "int8", "int4"];
const MODELS = ["small", "medium", "large"];

/// What the module refuses, in its words.
class Refusal extends Error {}

class Ctlm {
  constructor() {
    this.pieces = [];
    this.onToken = () => {};
    this.env = {
      fatal: (text) => { throw new Refusal(this.text(text)); },
      take_bytes: (at, n) => this.pieces.push(this.bytes(at, n).slice()),
      take_token: (token) => this.onToken(token),
      now: () => performance.now(),
    };
  }
  /// Of a WebAssembly.Module: at once, which a page's own thread may not, or later.
  static now(compiled) {
    const made = new Ctlm();
    made.wasm = new WebAssembly.Instance(compiled, { env: made.env }).exports;
    return made;
  }
  static async later(compiled) {
    const made = new Ctlm();
    made.wasm = (await WebAssembly.instantiate(compiled, { env: made.env })).exports;
    return made;
  }

  /// Views of the module's memory, which hold until it grows.
  bytes(at, n) { return new Uint8Array(this.wasm.memory.buffer, at, n); }
  words(at, n) { return new Uint32Array(this.wasm.memory.buffer, at, n); }
  text(at) {
    const all = new Uint8Array(this.wasm.memory.buffer, at);
    return new TextDecoder().decode(all.slice(0, all.indexOf(0)));
  }
  must(done) { if (!done) throw new Refusal(this.text(this.wasm.words())); }

  /// The constants of a model's types.
  figures(model) {
    const w = [...this.words(this.wasm.figures_of(model), 15)];
    return {
      parameters: w[0], layers: w[1], width: w[2], heads: w[3], context: w[4], batch: w[5],
      imageBytes: w.slice(6, 9), sessionBytes: w.slice(9, 12), trainBytes: w[12], runBytes: w[13],
      checkpointBytes: w[14],
    };
  }

  /// Puts bytes where the module wants them.
  put(place, bytes) {
    if (place === 0) throw new Refusal("This browser has no memory for it.");
    this.bytes(place, bytes.length).set(bytes);
  }
  putFile(bytes) { this.put(this.wasm.file_place(bytes.length), bytes); }
  /// The number of the model that a file is of, or -1.
  modelOf(bytes) {
    this.putFile(bytes);
    const model = this.wasm.model_of_file(bytes.length);
    return model < MODELS.length ? model : -1;
  }

  begin(model, text) {
    const least = this.wasm.shortest_text();
    if (text.length < least)
      throw new Refusal(`The text has ${text.length} bytes, and at least ${least} are needed.`);
    this.put(this.wasm.begin(model, text.length), text);
  }
  start(o) { this.must(this.wasm.start(o.seed, o.steps, o.rate, o.dropout)); }
  openImage(bytes) {
    this.putFile(bytes);
    this.must(this.wasm.open_image());
  }
  openCheckpoint(bytes) {
    this.putFile(bytes);
    this.must(this.wasm.open_checkpoint());
  }

  step() {
    const [loss, norm, rate, step, skipped] = new Float64Array(this.wasm.memory.buffer, this.wasm.step(), 5);
    return { loss, norm, rate, step, skipped: skipped !== 0 };
  }
  get steps() { return this.wasm.steps(); }
  /// What a checkpoint keeps: the settings, and both curves as pairs of step and loss.
  state() {
    const at = this.wasm.state(), most = 1024, view = new DataView(this.wasm.memory.buffer);
    const number = (offset) => Number(view.getBigUint64(at + offset, true));
    const curve = (offset, n) => Array.from({ length: n }, (_, i) => [
      view.getUint32(at + offset + 8 * i, true), view.getFloat32(at + offset + 8 * i + 4, true)]);
    return {
      seed: number(0), steps: number(8), rate: view.getFloat32(at + 32, true), dropout: view.getFloat32(at + 36, true),
      training: curve(64, number(48)), validation: curve(64 + 8 * most, number(56)),
    };
  }

  setPrompt(bytes) {
    const kept = bytes.slice(-this.wasm.most_prompt_bytes());
    this.bytes(this.wasm.prompt_place(), kept.length).set(kept);
    return kept.length;
  }
  /// Bytes after a prompt, which `take` gets as they come.
  complete(format, prompt, how, take) {
    this.onToken = take;
    this.wasm.complete(format, this.setPrompt(prompt), how.temperature, how.topK, how.topP, how.seed, how.count);
  }

  /// Files, as their pieces.
  taken(write) {
    this.pieces = [];
    write();
    return this.pieces;
  }
  saveImage(format) { return this.taken(() => this.wasm.save_image(format)); }
  saveCheckpoint() { return this.taken(() => this.must(this.wasm.save_checkpoint())); }

  openStory(bytes) {
    this.putFile(bytes);
    this.must(this.wasm.open_story());
  }
  /// Tokens after a prompt's tokens, of which there is one at least.
  tell(tokens, how, take) {
    this.onToken = take;
    new Int32Array(this.wasm.memory.buffer, this.wasm.prompt_tokens_place(), tokens.length).set(tokens);
    this.must(this.wasm.tell(tokens.length, how.temperature, how.topK, how.topP, how.seed, how.count));
  }
}

if (typeof module !== "undefined") module.exports = { Ctlm, Refusal, FORMATS, MODELS };
