#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the tokens of conversations with those of transformers' apply_chat_template, for models that are here.

  compare_chat.py COMPILER FOLDER [GGUF] ...     a folder from Hugging Face, and GGUF files that were made of it

The tokenizer is that of tokenizer.json. AutoTokenizer of transformers 5 makes another one of some folders: by the name that
tokenizer_config.json has for the class, without the file's own steps; the first conversation is compared with it, too.
Needs transformers 5.24.0; not one of the tests, because it needs that and a model.
"""
import pathlib
import random
import subprocess
import sys
import tempfile

from transformers import AutoTokenizer, PreTrainedTokenizerFast

import nasty_texts

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = r"""
#include <ctlm/app/conversation.hpp>
#include <ctlm/ctlm.hpp>
#include <cstdio>
int main(int, char** arguments) {
  const auto words = ctlm::load_tokenizer(arguments[1], ctlm::control_symbols::found);
  const auto how = ctlm::load_chat_template(arguments[1]);
  if (!words) return std::puts(ctlm::explain(words.error()).text), 1;
  if (!how) return std::puts(ctlm::explain(how.error()).text), 1;
  std::vector<ctlm::chat_message> said;
  const auto text = [] {
    std::string s;
    for (int c = 0; (c = std::getchar()) > 0;) s += static_cast<char>(c);
    return s;
  };
  for (int c = 0; (c = std::getchar()) != EOF;) {  // r: a role and a content, each with a zero behind it; e: the end
    if (c == 'r') {
      std::string role = text(), content = text();
      said.push_back({role, content});
      continue;
    }
    for (const ctlm::token t : words->encode((*how)(said).value(), ctlm::special_tokens::without)) std::printf("%d ", t);
    std::puts("");
    said.clear();
  }
}
"""


def conversations(n):
    r = random.Random(4)
    yield [("user", "What is the capital of France?")]
    for _ in range(n):
        turns = ["user", "assistant"] * r.randrange(3) + ["user"]
        said = [(role, nasty_texts.line(r).replace("\0", "")) for role in turns]
        yield [("system", nasty_texts.line(r).replace("\0", "")), *said] if r.random() < 0.3 else said


def main():
    compiler, folder, *files = sys.argv[1:]
    theirs = PreTrainedTokenizerFast.from_pretrained(folder)
    said = list(conversations(2000))
    expected = [theirs.apply_chat_template([{"role": r, "content": c} for r, c in s], add_generation_prompt=True, return_dict=False) for s in said]
    first = [{"role": r, "content": c} for r, c in said[0]]
    assert AutoTokenizer.from_pretrained(folder).apply_chat_template(first, add_generation_prompt=True, return_dict=False) == expected[0]
    data = "".join("".join(f"r{r}\0{c}\0" for r, c in s) + "e" for s in said).encode()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        source, program = pathlib.Path(temporary) / "chat.cpp", pathlib.Path(temporary) / "chat"
        source.write_text(PROGRAM)
        subprocess.run([compiler, "-std=c++20", "-O1", f"-I{ROOT / 'include'}", str(source), "-o", str(program), "-pthread"], check=True)
        for path in [folder, *files]:
            done = subprocess.run([str(program), path], input=data, capture_output=True)
            found = [[int(i) for i in line.split()] for line in done.stdout.decode().splitlines()]
            differ = [i for i in range(len(said)) if i >= len(found) or found[i] != expected[i]]
            for i in differ[:3]:
                print(f"{path}: {said[i]!r}\n  {found[i] if i < len(found) else done.stderr}\n  not {expected[i]}")
            print(f"{path}: {len(said)} conversations, {len(differ)} differ")
            wrong += len(differ)
    sys.exit(1 if wrong else 0)


main()
