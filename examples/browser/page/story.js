// The tab that tells stories: the module makes tokens, and the vocabulary here makes text of them.
"use strict";

/// The tokenizer of llama2.c: pieces with scores. Of two neighbours, those are merged first whose piece scores best.
class Vocabulary {
  constructor(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.pieces = [];
    this.scores = [];
    for (let at = 4; at < bytes.length;) {
      const length = at + 8 <= bytes.length ? view.getInt32(at + 4, true) : -1;
      if (length < 0 || at + 8 + length > bytes.length) throw new Error("This is no tokenizer of llama2.c, or it is cut off.");
      this.scores.push(view.getFloat32(at, true));
      this.pieces.push(decoded(bytes.subarray(at + 8, at + 8 + length)));
      at += 8 + length;
    }
    if (this.pieces.length !== 512) throw new Error(`This tokenizer has ${this.pieces.length} tokens; stories260K has 512.`);
    this.index = new Map(this.pieces.map((piece, token) => [piece, token]));
  }

  /// Tokens of a text that begins a story.
  encode(text) {
    const letters = text === "" ? [] : [...` ${text}`];
    let tokens = letters.flatMap((c) => this.index.has(c) ? [this.index.get(c)] : [...encoded(c)].map((byte) => byte + 3));
    for (;;) {
      let best = -1, merged = 0;
      for (let i = 0; i + 1 < tokens.length; ++i) {
        const both = this.index.get(this.pieces[tokens[i]] + this.pieces[tokens[i + 1]]);
        if (both !== undefined && (best < 0 || this.scores[both] > this.scores[merged])) [best, merged] = [i, both];
      }
      if (best < 0) return [1, ...tokens];
      tokens = [...tokens.slice(0, best), merged, ...tokens.slice(best + 2)];
    }
  }
  /// The bytes that a token adds to what is behind another.
  bytesOf(token, before) {
    const piece = this.pieces[token], byte = /^<0x([0-9A-F]{2})>$/.exec(piece);
    if (byte) return new Uint8Array([parseInt(byte[1], 16)]);
    return encoded(before === 1 && piece.startsWith(" ") ? piece.slice(1) : piece);
  }
}

const story = { helper: null, vocabulary: null, image: false, decoder: null, before: 1, tokens: [] };

const storyHeard = {
  token({ token }) {
    const bytes = story.vocabulary.bytesOf(token, story.before);
    story.before = token;
    story.tokens.push(token);
    $("told").textContent += story.decoder.decode(bytes, { stream: true });  // whole characters
  },
  told({ tokens, milliseconds }) {
    $("story-speed").textContent = `${tokens} tokens, ${grouped(1000 * tokens / milliseconds)} a second`;
    $("tell").disabled = false;
  },
};

function showStory() {
  const missing = [story.image ? [] : "the image of stories260K in int8", story.vocabulary ? [] : "its tokenizer tok512.bin"].flat();
  $("story-state").textContent = missing.length === 0 ? "The model is ready: 260,000 parameters in 8 bits." :
    `Drop ${missing.join(" and ")} here, or open ${missing.length > 1 ? "them" : "it"}.`;
  $("tell").disabled = missing.length > 0;
}

/// Another image, in a worker of its own; the old one goes when the new one is good.
async function openStory(bytes) {
  let finish;
  const answer = new Promise((resolve, reject) => { finish = { resolve, reject }; });
  const helper = await readyHelper({
    ...storyHeard, story: () => finish.resolve(),
    refused: ({ words }) => {
      finish.reject(new Error(words));
      if (story.helper) notice(words);
      showStory();
    },
  });
  helper.ask("story", { file: bytes });
  try {
    await answer;
  } catch (e) {
    helper.end();
    throw e;
  }
  story.helper?.end();
  story.helper = helper;
  story.image = true;
}
async function openStoryFiles(files) {
  for (const { bytes } of files) {
    if (decoded(bytes.slice(0, 7)) === "CTLMIMG" || bytes.length > 50_000) await openStory(bytes);
    else story.vocabulary = new Vocabulary(bytes);
    showStory();
  }
}

on("tell", () => {
  const beginning = $("beginning").value, room = 400;
  const tokens = story.vocabulary.encode(beginning);
  if (tokens.length > room) throw new Error(`This beginning has ${tokens.length} tokens; at most ${room} leave room for a story.`);
  Object.assign(story, { decoder: new TextDecoder(), before: tokens.at(-1), tokens: [] });
  $("told").textContent = beginning;
  $("tell").disabled = true;
  story.helper.ask("tell", { tokens, how: {
    temperature: number("story-temperature"), topK: number("story-top-k"), topP: number("story-top-p"),
    seed: number("story-seed"), count: Math.min(500, Math.max(1, number("story-count"))),
  } });
});
takeFiles($("story"), $("story-files"), openStoryFiles);

// Built in where the data was present.
const builtIn = $("story-data").textContent.trim();
if (builtIn !== "") {
  said(async () => {
    for (const part of builtIn.split("\n")) await openStoryFiles([{ bytes: await unpacked(part) }]);
  });
}
