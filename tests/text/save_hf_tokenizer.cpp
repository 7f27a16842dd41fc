// A tokenizer that was trained here, as Hugging Face's programs read it (make_hf_tokenizer.py): the same tokens.
#include "io/scratch.hpp"
#include "paths.hpp"

#include <ctlm/ctlm.hpp>

using namespace ctlm;

namespace {

bpe trained() {
  std::string s;
  for (int i = 0; i < 300; ++i)
    s +=
        "the cat number " + std::to_string(i * 37 % 100) + " sat on the mat;\n\n  and \"thought\\said\": caf\xC3\xA9? ";
  return bpe::train(s, 320);
}

std::string words_of(const result<void>& r) { return r ? "" : explain(r.error()).text; }

}  // namespace

TEST_CASE("a tokenizer that was trained here makes the same tokens with `tokenizers`", "[text]") {
  const scratch_folder scratch;
  const char* const keep = std::getenv("CTLM_TOKENIZER_FILES");
  const bpe b = trained();
  REQUIRE(words_of(save_hf_tokenizer(keep == nullptr ? scratch.path.c_str() : keep, b, {.eos = 10})) == "");
  if (keep != nullptr) return;
  const std::string golden = std::string(paths::source) + "/tests/text/hf_tokenizer/";
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
    CHECK(contents_of(scratch / name) == contents_of(golden + name));
  const std::string text = contents_of(golden + "encoded.json");
  const auto rows = json::parse(text, {}, heap_keys());
  REQUIRE(rows);
  REQUIRE(rows->elements().size() > 10);
  for (const json::value row : rows->elements()) {
    std::string s;
    std::vector<token> ids;
    row.find("text").decode([&](char c) { s += c; });
    for (const json::value id : row.find("ids").elements()) ids.push_back(id.as_integer<token>().value());
    INFO(s);
    CHECK(b.encode(s) == ids);
  }
}

TEST_CASE("a tokenizer that is written for Hugging Face is read again for a GGUF file, as to_gguf has it", "[text]") {
  const scratch_folder folder;
  REQUIRE(save_hf_tokenizer(folder.path.c_str(), trained(), {.eos = 10}));
  const auto again = read_hf_tokenizer(folder.path.c_str());
  REQUIRE(words_of(again ? result<void>() : result<void>(again.error())) == "");
  const gguf_tokenizer t = to_gguf(trained());
  CHECK(again->model == t.model);
  CHECK(again->pre == t.pre);
  CHECK(again->tokens == t.tokens);
  CHECK(again->merges == t.merges);
  CHECK(again->eos == 10);
}

TEST_CASE("a part of a tokenizer that is no token is refused, and a folder that cannot be made says so", "[text]") {
  const scratch_folder folder;
  CHECK(words_of(save_hf_tokenizer(folder.path.c_str(), byte_tokenizer(), {.eos = 256})) ==
        "ctlm: this tokenizer has no token 256; it has 256 tokens");
  CHECK(folder.names().empty());
  CHECK(words_of(save_hf_tokenizer(folder.path.c_str(), byte_tokenizer())) == "");
  CHECK(folder.names() ==
        std::vector<std::string>{"generation_config.json", "tokenizer.json", "tokenizer_config.json"});
  CHECK_FALSE(save_hf_tokenizer((folder / "no/folder").c_str(), byte_tokenizer()));
  const bpe::merge twice[] = {{'a', 'b'}, {256, 'c'}, {'b', 'c'}, {'a', 258}};
  CHECK(words_of(save_hf_tokenizer(folder.path.c_str(), bpe::from_merges(twice).value())) ==
        "ctlm: token 259 of this tokenizer has the bytes of token 257: tokenizer.json cannot say so");
}
