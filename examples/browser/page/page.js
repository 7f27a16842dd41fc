// What both tabs share: elements, words for whoever sits here, dropped files, workers, and the tabs themselves.
"use strict";

const $ = (id) => document.getElementById(id);
const number = (id) => Number($(id).value);

/// A sentence at the top of the page; none takes it away.
function notice(words = "") {
  $("notice").textContent = words;
  $("notice").hidden = words === "";
  if (words !== "") $("notice").scrollIntoView({ block: "nearest" });
}

/// Does it, and says what it throws, or rejects with, instead of losing it.
async function said(act) {
  try {
    notice();
    await act();
  } catch (e) {
    notice(e.message || String(e));
  }
}

/// Files that are dropped onto an element, or chosen by an input, as [{name, bytes}].
function takeFiles(target, input, take) {
  const read = (files) => said(async () => {
    const all = [];
    for (const f of files) all.push({ name: f.name, bytes: new Uint8Array(await f.arrayBuffer()) });
    if (all.length > 0) await take(all);
  });
  input.addEventListener("change", async () => {
    await read([...input.files]);
    input.value = "";
  });
  target.addEventListener("dragover", (e) => {
    e.preventDefault();
    target.classList.add("dropping");
  });
  target.addEventListener("dragleave", () => target.classList.remove("dropping"));
  target.addEventListener("drop", (e) => {
    e.preventDefault();
    e.stopPropagation();
    target.classList.remove("dropping");
    read([...e.dataTransfer.files]);
  });
}

const compiled = unpacked($("module").textContent).then((bytes) => WebAssembly.compile(bytes));
const workerUrl = URL.createObjectURL(
  new Blob([$("module-js").textContent, "\n", $("worker").textContent], { type: "text/javascript" }));

/// A worker with a module of its own. `on` has a function for each kind of its messages.
class Helper {
  constructor(on) {
    this.worker = new Worker(workerUrl);
    this.worker.onmessage = ({ data }) => on[data.type]?.(data, this);
    this.worker.onerror = (e) => notice(`The worker has failed: ${e.message}`);
    compiled.then((module) => this.ask("load", { compiled: module }));
  }
  ask(type, more = {}) { this.worker.postMessage({ type, ...more }); }
  end() { this.worker.terminate(); }
}
/// The same, once it is ready.
function readyHelper(on) {
  return new Promise((resolve) => new Helper({ ...on, loaded: (_, helper) => resolve(helper) }));
}

const tabs = ["train", "story"];
function showTab(name, focus = false) {
  for (const tab of tabs) {
    const chosen = tab === name;
    $(`tab-${tab}`).setAttribute("aria-selected", chosen);
    $(`tab-${tab}`).tabIndex = chosen ? 0 : -1;
    $(tab).hidden = !chosen;
  }
  notice();
  if (focus) $(`tab-${name}`).focus();
}
for (const tab of tabs) {
  $(`tab-${tab}`).addEventListener("click", () => showTab(tab));
  $(`tab-${tab}`).addEventListener("keydown", (e) => {
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(e.key))
      showTab(tabs[e.key === "Home" ? 0 : e.key === "End" ? 1 : 1 - tabs.indexOf(tab)], true);
  });
}
// A file that misses its place would replace the page.
addEventListener("dragover", (e) => e.preventDefault());
addEventListener("drop", (e) => e.preventDefault());
