// One run, kept by the browser. Whoever refuses, the promise is rejected and nothing is lost.
"use strict";

function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("ctlm", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
    opening.onblocked = () => reject(new Error("another tab holds it"));
  });
}
async function inStore(mode, act) {
  const db = await database();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = db.transaction("kept", mode), request = act(transaction.objectStore("kept"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    db.close();
  }
}
const keepRun = (run) => inStore("readwrite", (store) => store.put(run, "run"));
const keptRun = () => inStore("readonly", (store) => store.get("run"));
