// Which tokenizer a path has: content says so, and what was looked for is said where there is none.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/load_tokenizer.hpp>

using namespace ctlm;

namespace {

template <class T>
std::string words_of(const result<T>& r) {
  return r ? "" : explain(r.error()).text;
}
using ids = std::vector<token>;
const char* const small = R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";
std::string here(const char* name) { return std::string(paths::source) + "/tests/text/" + name; }

}  // namespace

TEST_CASE("a tokenizer is known by its content, whatever it is called", "[text]") {
  const scratch_folder folder;
  const auto load = [&](const char* name) { return load_tokenizer((folder / name).c_str()); };
  const auto copy = [&](const std::string& from) { put_contents(folder / "x", contents_of(from)); };
  put_contents(folder / "x", std::string("\n  ") + small);
  CHECK(load("x").value().encode("ab") == ids{2});
  copy(here("sentencepiece/bpe.model"));
  CHECK(load("x").value().encode("a fox") ==
        load_sentencepiece(here("sentencepiece/bpe.model").c_str()).value().encode("a fox"));
  CHECK(load("x").value().encode("<turn>").size() > 1);
  const auto found = load_tokenizer((folder / "x").c_str(), control_symbols::found).value();
  CHECK(found.encode("<turn>") == ids{found.find("<turn>")});
  gguf_tokenizer g;
  g.model = "gpt2";
  g.pre = "gpt-2";
  for (const char* s : {"b", "a", "ab"}) g.add(s);
  g.merges = {"a b"};
  gguf_writer out;
  gguf_detail::put_tokenizer(out, g, 3);
  REQUIRE(words_of(out.write((folder / "x").c_str(), [](std::size_t, std::size_t, float*) {})) == "");
  CHECK(load("x").value().encode("aba") == ids{2, 1});
  if (!data::present("tok512.bin")) return;
  copy(data::path("tok512.bin"));
  const auto stories = load("x");
  REQUIRE(words_of(stories) == "");
  CHECK(stories->vocab() == 512);
  CHECK(stories->encode("Once upon") ==
        llama2c_tokenizer::load(data::path("tok512.bin").c_str(), 512)->encode("Once upon"));
}

TEST_CASE("files of tiktoken go by their names, or by how many tokens they have", "[text]") {
  const scratch_folder folder;
  const std::string ranks = contents_of(here("tiktoken/small.tiktoken"));
  put_contents(folder / "mine", ranks);
  CHECK(words_of(load_tokenizer((folder / "mine").c_str())) ==
        "ctlm: mine is a file of tiktoken, and neither its name nor the number of its tokens says which encoding: "
        "load_tiktoken(path, \"cl100k_base\") does");
  put_contents(folder / "cl100k_base.tiktoken", ranks);  // known by name, and its special tokens are far beyond it
  CHECK(words_of(load_tokenizer((folder / "cl100k_base.tiktoken").c_str())) ==
        "ctlm: the special token '<|endoftext|>' cannot have the number 100257: it is taken, or far beyond the others");
  const char* const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string many;
  for (unsigned b = 0; b < 256; ++b)
    many.append(1, letters[b >> 2])
        .append(1, letters[(b & 3) << 4])
        .append("== ")
        .append(std::to_string(b))
        .append("\n");
  for (unsigned i = 256; i < 50256; ++i)
    many.append(1, 'x')
        .append(1, letters[i >> 12])
        .append(1, letters[i >> 6 & 63])
        .append(1, letters[i & 63])
        .append(" ")
        .append(std::to_string(i))
        .append("\n");
  put_contents(folder / "many", many);
  const auto gpt2 = load_tokenizer((folder / "many").c_str());
  REQUIRE(words_of(gpt2) == "");
  CHECK(gpt2->find("<|endoftext|>") == 50256);
}

TEST_CASE("the tokenizer of a folder, and of the weights in it", "[text]") {
  const scratch_folder folder;
  const auto words = [&](const char* name) {
    return words_of(load_tokenizer(name == std::string("") ? folder.path.c_str() : (folder / name).c_str()));
  };
  CHECK(words("").starts_with("ctlm: the folder "));
  CHECK(words("").ends_with(
      "has no tokenizer: neither a tokenizer.json, a tokenizer.model, a vocab.json with a merges.txt, nor "
      "an encoder.json with a vocab.bpe"));
  put_contents(folder / "vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  CHECK(words("").ends_with("an encoder.json with a vocab.bpe"));
  CHECK(words("vocab.json") ==
        "ctlm: vocab.json is JSON and no tokenizer: it has no model, and is no vocab.json with a merges.txt, nor an "
        "encoder.json with a vocab.bpe, beside it");
  put_contents(folder / "merges.txt", "#version: 0.2\na b\n");
  for (const char* name : {"vocab.json", "merges.txt", "."})
    CHECK(load_tokenizer((folder / name).c_str()).value().encode("aab") == ids{0, 2});
  put_contents(folder / "tokenizer.model", contents_of(here("sentencepiece/unigram.model")));
  CHECK(load_tokenizer(folder.path.c_str()).value().find("<turn>") > 0);
  put_contents(folder / "tokenizer.json", small);
  put_contents(folder / "model.safetensors", "weights");
  for (const char* name : {".", "model.safetensors", "tokenizer.json"})
    CHECK(load_tokenizer((folder / name).c_str()).value().vocab() == 3);
  put_contents(folder / "note", "a text");
  CHECK(words("note") ==
        "ctlm: note is no tokenizer that is known: neither a tokenizer.json, a GGUF file, a model of SentencePiece, a "
        "file of "
        "tiktoken or of llama2.c, nor one of GPT-2's two files");
  put_contents(folder / "empty", "");
  CHECK(words("empty") != "");
  CHECK(words("absent") == "ctlm: no such file or folder");
}
