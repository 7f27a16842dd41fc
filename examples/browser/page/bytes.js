// Bytes as the page needs them: unpacked, decoded, counted, saved.
"use strict";

/// Bytes of a base64 text that gzip has packed.
async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/// What is no UTF-8, such as a character that is cut off, becomes U+FFFD.
const decoded = (bytes) => new TextDecoder().decode(bytes);
const encoded = (text) => new TextEncoder().encode(text);

const grouped = (n) => Math.round(n).toLocaleString("en");
function size(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

/// Hands a file to whoever sits here.
function download(name, pieces) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(pieces));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/// A file's text, or an error in words if it holds none.
function textOf(bytes) {
  const most = 32e6;
  if (bytes.length > most) throw new Error(`This text has ${grouped(bytes.length)} bytes; ${grouped(most)} are the most.`);
  if (bytes.includes(0)) throw new Error("This is not a text: it holds zero bytes. Your text stays as it was.");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("This is not a text in UTF-8. Your text stays as it was.");
  }
}
