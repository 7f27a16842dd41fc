// Tokenizers in GGUF files: of ctlm's own, of a Hugging Face folder, and those of another file.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "model/models.hpp"

using namespace ctlm;
using namespace models;

namespace {

struct stories {
  static constexpr llama_config config{.vocab = 512,
                                       .d_model = 64,
                                       .layers = 5,
                                       .heads = 8,
                                       .kv_heads = 4,
                                       .d_ff = 172,
                                       .context = 512,
                                       .tie_embeddings = true};
};
struct small {
  static constexpr llama_config config{.vocab = 262, .d_model = 8, .layers = 1, .heads = 2, .d_ff = 8, .context = 8};
};
using lm = causal_lm<small>;

std::string words_of(const result<void>& r) { return r ? "" : explain(r.error()).text; }

std::string text_of(const gguf_metadata& m, const char* key) {
  const gguf_value* const v = m.find(key);
  REQUIRE(v != nullptr);
  const auto s = v->as_string().value();
  return {s.data(), s.size()};
}
std::vector<std::string> texts_of(const gguf_metadata& m, const char* key) {
  const gguf_value* const v = m.find(key);
  REQUIRE(v != nullptr);
  std::vector<std::string> all;
  for (const gguf_value& e : v->as_array().value()) all.emplace_back(e.as_string()->data(), e.as_string()->size());
  return all;
}
std::vector<int> numbers_of_key(const gguf_metadata& m, const char* key) {
  const gguf_value* const v = m.find(key);
  REQUIRE(v != nullptr);
  std::vector<int> all;
  for (const gguf_value& e : v->as_array().value()) all.push_back(static_cast<int>(e.as_number().value()));
  return all;
}

/// A folder with a tokenizer.json.
std::string words_of_folder(const scratch_folder& folder, const std::string& json) {
  put_contents(folder / "tokenizer.json", json);
  const auto t = read_hf_tokenizer(folder.path.c_str());
  return t ? "" : explain(t.error()).text;
}

const char* const bytes_json = R"({
  "added_tokens": [{"id": 4, "content": "<|end|>", "special": true}, {"id": 5, "content": "<think>", "special": false}],
  "normalizer": {"type": "NFC"},
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]},
  "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<|end|>"}}, {"Sequence": {"id": "A"}}]}]},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "\u0120a": 2}, "merges": [["\u0120", "a"]]}})";

std::string changed(std::string s, const std::string& from, const std::string& to) {
  REQUIRE(s.find(from) != std::string::npos);
  return s.replace(s.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("bytes are spelt as GPT-2's files spell them", "[text]") {
  CHECK(letters_of_bytes("a b\n\xFF") ==
        "a\xC4\xA0"
        "b\xC4\x8A\xC3\xBF");
  CHECK(letter_of_byte(0) == 0x100);
  CHECK(letter_of_byte(0x7F) == 0x121);
  CHECK(letter_of_byte(0xAD) == 0x143);
}

TEST_CASE("pairs of bytes that were trained here are in a GGUF file", "[text]") {
  const bpe::merge merges[] = {{' ', 'a'}, {256, 'b'}, {'"', '\n'}};
  auto words = to_gguf(bpe::from_merges(merges).value());
  words.eos = 0;
  words.chat_template = "{{ messages }}";
  const scratch_folder folder;
  running<lm> r;
  REQUIRE(words_of(save_gguf<lm>((folder / "m.gguf").c_str(), r.weights, {.name = "mine", .tokenizer = &words})) == "");
  const auto file = gguf_file::open((folder / "m.gguf").c_str());
  REQUIRE(file);
  const auto& m = file->metadata();
  CHECK(text_of(m, "general.architecture") == "llama");
  CHECK(text_of(m, "general.name") == "mine");
  CHECK(text_of(m, "tokenizer.ggml.model") == "gpt2");
  CHECK(text_of(m, "tokenizer.ggml.pre") == "poro-chat");
  CHECK(text_of(m, "tokenizer.chat_template") == "{{ messages }}");
  CHECK(m.find("tokenizer.ggml.eos_token_id")->as_integer().value() == 0);
  CHECK(m.find("tokenizer.ggml.bos_token_id") == nullptr);
  CHECK_FALSE(m.find("tokenizer.ggml.add_bos_token")->as_bool().value());
  const auto tokens = texts_of(m, "tokenizer.ggml.tokens");
  REQUIRE(tokens.size() == 262);  // filled up to the model's vocabulary
  CHECK(tokens['a'] == "a");
  CHECK(tokens[257] ==
        "\xC4\xA0"
        "ab");
  CHECK(tokens[261] == "[PAD261]");
  CHECK(numbers_of_key(m, "tokenizer.ggml.token_type")[257] == 1);
  CHECK(numbers_of_key(m, "tokenizer.ggml.token_type")[261] == 5);
  CHECK(texts_of(m, "tokenizer.ggml.merges") == std::vector<std::string>{"\xC4\xA0 a",
                                                                         "\xC4\xA0"
                                                                         "a b",
                                                                         "\" \xC4\x8A"});

  // A file's tokenizer is carried over as it is.
  REQUIRE(words_of(save_gguf<lm>((folder / "n.gguf").c_str(), r.weights, {.name = "mine", .like = &m})) == "");
  CHECK(contents_of(folder / "n.gguf") == contents_of(folder / "m.gguf"));
}

TEST_CASE("a GGUF file without a tokenizer says so", "[text]") {
  const scratch_folder folder;
  running<lm> r;
  REQUIRE(save_gguf<lm>((folder / "m.gguf").c_str(), r.weights));
  const auto file = gguf_file::open((folder / "m.gguf").c_str());
  CHECK(text_of(file->metadata(), "tokenizer.ggml.model") == "none");
  CHECK(file->metadata().find("llama.vocab_size")->as_integer().value() == 262);
}

TEST_CASE("tokenizers that do not fit a model are refused when its GGUF file is written", "[text]") {
  const scratch_folder folder;
  running<lm> r;
  const std::string path = folder / "m.gguf";
  auto words = to_gguf(byte_tokenizer());
  const auto refusal = [&] { return words_of(save_gguf<lm>(path.c_str(), r.weights, {.tokenizer = &words})); };
  words.eos = 300;
  CHECK(refusal() == "ctlm: token 300 is to have a part in this tokenizer; the model's vocabulary is 262");
  words.eos = 10;
  CHECK(refusal() == "");
  words.add("a");
  CHECK(refusal() == "ctlm: token 256 of this tokenizer is spelt a, as one before it: llama.cpp reads no such file");
  words.tokens[256] = "x1";
  words.kinds.pop_back();
  CHECK(refusal().find("needs a kind and") != std::string::npos);
  words.kinds.push_back(gguf_token::normal);
  for (int i = 2; i < 8; ++i) words.add("x" + std::to_string(i));
  CHECK(refusal() == "ctlm: this tokenizer has 263 tokens, and the model's vocabulary is 262");

  gguf_writer bare;
  REQUIRE(bare.write((folder / "bare.gguf").c_str(), [](std::size_t, std::size_t, float*) {}));
  const auto file = gguf_file::open((folder / "bare.gguf").c_str());
  CHECK(words_of(save_gguf<lm>(path.c_str(), r.weights, {.like = &file->metadata()})) ==
        "ctlm: the other GGUF file has no tokenizer (tokenizer.ggml.model)");
}

TEST_CASE("llama2.c's tokenizer and that of the same model's folder are the same pieces in a GGUF file", "[text]") {
  if (!data::present("tok512.bin") || !data::present("stories260K-hf/tokenizer.json")) return;
  const auto pieces = llama2c_tokenizer::load(data::path("tok512.bin").c_str(), 512);
  REQUIRE(pieces);
  const auto a = to_gguf(*pieces);
  const auto b = read_hf_tokenizer(data::path("stories260K-hf").c_str());
  REQUIRE(b);
  CHECK(a.model == "llama");
  CHECK(b->model == "llama");
  CHECK(a.tokens == b->tokens);
  CHECK(a.kinds == b->kinds);
  CHECK(a.kinds[13] == gguf_token::byte);
  CHECK(a.tokens[13] == "<0x0A>");
  for (const gguf_tokenizer& t : {a, *b}) {
    CHECK(t.bos == 1);
    CHECK(t.eos == 2);
    CHECK(t.unknown == 0);
    CHECK(t.add_bos);
    CHECK(t.add_space_prefix);
  }
  // What is merged first is so in both.
  for (std::size_t i = 259; i < 512; ++i)
    for (std::size_t k = i + 1; k < 512; ++k)
      if (b->scores[i] > -1e8f && b->scores[k] > -1e8f)
        CHECK((a.scores[i] < a.scores[k]) == (b->scores[i] < b->scores[k]));
}

TEST_CASE("the tokenizer of a Hugging Face folder is read for a GGUF file", "[text]") {
  const scratch_folder folder;
  put_contents(folder / "tokenizer.json", bytes_json);
  put_contents(folder / "tokenizer_config.json",
               R"({"eos_token": {"content": "<|end|>"}, "bos_token": "<|end|>", "pad_token": null, "chat_template":
                   [{"name": "tools", "template": "no"}, {"name": "default", "template": "{{ yes }}"}]})");
  const auto t = read_hf_tokenizer(folder.path.c_str());
  INFO(words_of(t ? result<void>() : result<void>(t.error())));
  REQUIRE(t);
  CHECK(t->model == "gpt2");
  CHECK(t->pre == "smollm");
  CHECK(t->tokens == std::vector<std::string>{"a", "b",
                                              "\xC4\xA0"
                                              "a",
                                              "[PAD3]", "<|end|>", "<think>"});
  CHECK(t->kinds == std::vector<gguf_token>{gguf_token::normal, gguf_token::normal, gguf_token::normal,
                                            gguf_token::unused, gguf_token::control, gguf_token::user_defined});
  CHECK(t->merges == std::vector<std::string>{"\xC4\xA0 a"});
  CHECK(t->eos == 4);
  CHECK(t->bos == 4);
  CHECK(t->padding == -1);
  CHECK(t->add_bos);
  CHECK_FALSE(t->add_eos);
  CHECK(t->chat_template == "{{ yes }}");

  put_contents(folder / "tokenizer_config.json", R"({"add_eos_token": true})");
  put_contents(folder / "generation_config.json", R"({"eos_token_id": [5, 4]})");
  put_contents(folder / "chat_template.jinja", "{{ file }}");
  const auto u = read_hf_tokenizer(folder.path.c_str());
  REQUIRE(u);
  CHECK(u->eos == 5);
  CHECK(u->bos == 4);  // what texts begin with
  CHECK(u->add_eos);
  CHECK(u->chat_template == "{{ file }}");
}

TEST_CASE("kinds of tokenizers that llama.cpp does not have are refused with what they say", "[text]") {
  const scratch_folder folder;
  const auto refusal = [&](const std::string& from, const std::string& to) {
    return words_of_folder(folder, changed(bytes_json, from, to));
  };
  CHECK(refusal("\"BPE\"", "\"Unigram\"") == "ctlm: tokenizer.json is of another kind than BPE: Unigram");
  CHECK(refusal("\"NFC\"", "\"Lowercase\"") ==
        "ctlm: tokenizer.json has a normalizer that llama.cpp has not: Lowercase");
  CHECK(refusal("\"Digits\"", "\"Punctuation\"") ==
        "ctlm: tokenizer.json has a pre_tokenizer that is not supported: Punctuation");
  CHECK(refusal("{\"type\": \"Digits\", \"individual_digits\": true}",
                R"({"type": "Split", "pattern": {"Regex": "[a-z]+"}})") ==
        "ctlm: llama.cpp's name for a tokenizer that cuts text by [a-z]+ is not known");
  CHECK(refusal("\"merges\": [[\"\\u0120\", \"a\"]]", "\"none\": 0") ==
        "ctlm: tokenizer.json has no merges (model.merges)");
  CHECK(refusal("\"vocab\": {\"a\": 0, \"b\": 1, \"\\u0120a\": 2}", "\"vocab\": 0") ==
        "ctlm: tokenizer.json has no vocabulary (model.vocab)");
  CHECK(refusal("\"b\": 1", "\"b\": 4000000000") ==
        "ctlm: tokenizer.json has a token of the number 4000000000, and so few others that 10 would be too many");
  CHECK(refusal("\"model\"", "model").find("of this JSON text") != std::string::npos);
  CHECK(words_of_folder(folder, bytes_json) == "");
  std::filesystem::remove(folder / "tokenizer.json");
  const auto none = read_hf_tokenizer(folder.path.c_str());
  REQUIRE_FALSE(none);
  CHECK(none.error().code == errc::not_found);
}
