// A tokenizer in flash has the tokens and texts of the tokenizer that was packed, while compiling too; images that are
// damaged or hostile are refused.
#include "flash/tiny.hpp"
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"
#include "words.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/pack_tokenizer.hpp>
#include <ctlm/text/train_tokenizer.hpp>

#include <cstring>

using namespace ctlm;

namespace {

span<const std::byte> bytes_of(const std::string& image) {
  return {reinterpret_cast<const std::byte*>(image.data()), image.size()};
}

std::vector<token> encoded(const flash_tokenizer& t, std::string_view text, bool around = true) {
  std::vector<token> out(text.size() + 16);
  std::vector<flash_symbol> work(t.symbols_for(text.size()));
  const auto n = t.encode(span<const char>(text.data(), text.size()), out, work, around);
  REQUIRE(words_of(n) == "");
  out.resize(*n);
  return out;
}
/// Whole characters, as decode() has them.
std::string text_from(const flash_tokenizer& t, const std::vector<token>& tokens, bool repaired = true) {
  std::string raw, text;
  token previous = -1;
  for (const token next : tokens) {
    const auto piece = t.text_of(previous, next);
    raw.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    previous = next;
  }
  utf8_repair repair;
  repair.push(raw, text);
  repair.finish(text);
  return repaired ? text : raw;
}

/// Texts on which tokenizers differ: characters of all blocks, runs, signs, added tokens, and bytes that are no UTF-8.
std::vector<std::string> nasty_texts(std::size_t n, std::uint64_t seed, const std::vector<std::string>& words) {
  rng r{seed};
  std::vector<std::string> texts{
      "", " ", "  ", "a", "'", "\xFF", "\xE4\xBD", std::string(300, ' '), "\r\n\r\n", "'s 'S 'LL 've"};
  while (texts.size() < n) {
    std::string s;
    for (std::size_t pieces = r.below(12); pieces > 0; --pieces) switch (r.below(8)) {
        case 0:
          s += words[r.below(words.size())];
          break;
        case 1:
          s += std::string(1 + r.below(6), " \n\t\r1aZ.'\xC3"[r.below(10)]);
          break;
        case 2:
          s += static_cast<char>(r.below(256));
          break;
        case 3: {
          const auto c = static_cast<std::uint32_t>(r.below(0x110000));
          const utf8_character u = utf8_of(c >= 0xD800 && c < 0xE000 ? 0xE9 : c);
          s.append(u.bytes, u.length);
          break;
        }
        case 4: {
          const std::uint32_t begin[] = {0xA0,   0x300,  0x370,  0x600,  0x900,   0x1E00,
                                         0x2000, 0x3000, 0x4E00, 0xAC00, 0x1F600, 0x11DA0};
          for (std::size_t i = 1 + r.below(5); i > 0; --i) {
            const utf8_character u = utf8_of(begin[r.below(12)] + static_cast<std::uint32_t>(r.below(96)));
            s.append(u.bytes, u.length);
          }
          break;
        }
        default:
          for (std::size_t i = 1 + r.below(9); i > 0; --i)
            s += static_cast<char>("etaoin shrdluETA0123,.!-"[r.below(24)]);
      }
    texts.push_back(s);
  }
  return texts;
}

const std::vector<std::string> some_words{
    "the", " the", "hello", "<|im_end|>", "<|im_start|>", "don't", "\xE4\xBD\xA0\xE5\xA5\xBD", " 12345", "once upon"};

void require_same(const std::string& image, const hf_tokenizer& t, const std::vector<std::string>& texts) {
  const auto f = flash_tokenizer::bind(bytes_of(image));
  REQUIRE(words_of(f) == "");
  REQUIRE(f->vocab() == t.vocab());
  for (const std::string& s : texts) {
    INFO(s);
    const auto tokens = t.encode(s);
    REQUIRE(encoded(*f, s) == tokens);
    REQUIRE(encoded(*f, s, false) == t.encode(s, special_tokens::without));
    REQUIRE(text_from(*f, tokens) == t.decode(tokens));
  }
}

bpe trained() {
  std::string s;
  for (int i = 0; i < 40; ++i) s += "the cat and the hat " + std::to_string(i * 7) + "; then they sat.\n";
  return bpe::train(s, 276);
}

}  // namespace

// ---- while compiling

constexpr bool encodes_at_compile_time() {
  constexpr auto t = flash_tokenizer::bind(tiny_tokenizer);
  constexpr char text[] = {'t', 'h', 'e', ' ', 'c', 'a', 't', '\n'};
  constexpr token wanted[] = {257, 268, 10};
  flash_workspace<16> work;
  token out[8]{};
  const auto n = t->encode(text, out, work);
  if (!n || *n != 3) return false;
  for (std::size_t i = 0; i < 3; ++i)
    if (out[i] != wanted[i]) return false;
  const auto piece = t->text_of(-1, 257);
  return piece.size() == 3 && piece[0] == std::byte{'t'} && piece[2] == std::byte{'e'};
}
static_assert(encodes_at_compile_time());
static_assert(flash_workspace<16>::bytes == 256 && sizeof(flash_workspace<16>) == 256);

TEST_CASE("the tokenizer of the static_assert is one that is packed here", "[text]") {
  const auto image = pack_tokenizer(trained());
  REQUIRE(words_of(image) == "");
  const scratch_folder scratch;
  const char* const keep = std::getenv("CTLM_TOKENIZER_FILES");
  const std::string path = keep == nullptr ? scratch / "tiny.hpp" : std::string(keep);
  REQUIRE(words_of(write_tokenizer_array(path.c_str(), "tiny_tokenizer", *image)) == "");
  CHECK(contents_of(path) == contents_of(std::string(paths::source) + "/tests/text/flash/tiny.hpp"));
  CHECK(trained().encode("the cat\n") == std::vector<token>{257, 268, 10});
}

// ---- the same tokens

TEST_CASE("a bpe in flash has the same tokens", "[text]") {
  const bpe b = trained();
  const auto image = pack_tokenizer(b);
  REQUIRE(image);
  const auto f = flash_tokenizer::bind(bytes_of(*image));
  REQUIRE(words_of(f) == "");
  CHECK(f->vocab() == b.vocab());
  CHECK(f->kind() == flash_kind::bytes);
  for (const std::string& s : nasty_texts(4000, 1, some_words)) {
    INFO(s);
    const auto tokens = encoded(*f, s);
    REQUIRE(tokens == b.encode(s));
    REQUIRE(text_from(*f, tokens, false) == s);
  }
}

TEST_CASE("tokenizers of Hugging Face in flash have the same tokens and texts", "[text]") {
  const std::string golden = contents_of(std::string(paths::source) + "/tests/text/tokenizers/cases.json");
  const auto root = json::parse(golden, {}, heap_keys());
  REQUIRE(root);
  std::vector<std::string> texts = nasty_texts(1500, 2, some_words), refused;
  for (const json::value t : root->find("texts").elements()) texts.push_back(text_of(t));
  std::size_t packed = 0;
  for (const json::member m : root->find("cases").members()) {
    const json::value test = m.value;
    std::string model = written(root->find("models").find(span<const char>(text_of(test.find("model")))));
    const std::string flags = written(test.find("flags"));
    if (!flags.empty()) model = flags.substr(0, flags.size() - 1) + "," + model.substr(1);
    std::string file = "{\"model\": " + model;
    for (const char* part : {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"})
      if (const json::value v = test.find(part)) file += ",\n\"" + std::string(part) + "\": " + written(v);
    file += "}";
    const auto t = hf_tokenizer::parse(file);
    if (!t) continue;  // without PCRE2
    const auto image = pack_tokenizer(std::string_view(file));
    INFO(text_of(m.key));
    if (!image) {
      CHECK(image.error().code == errc::unsupported);
      refused.push_back(explain(image.error()).text);
      continue;
    }
    require_same(*image, *t, texts);
    ++packed;
  }
  CHECK(packed >= 6);
  CHECK(refused.size() >= 10);
  for (const std::string& words : refused) CHECK(words.find("ctlm: a tokenizer") == 0);
}

TEST_CASE("every pattern that is scanned in flash cuts as it does on a computer", "[text]") {
  std::string source;
  for (const std::string& s : nasty_texts(400, 3, some_words))
    if (utf8_repair r; true) {
      r.push(s, source);
      r.finish(source);
    }
  serial alone;
  const std::vector<std::string_view> lines = lines_of(source);
  const auto split = [](const char* regex, const char* behavior = "\"Isolated\"") {
    return std::string(R"({"type": "Split", "pattern": {"Regex": )") + training_detail::json_string(regex) +
           "}, \"behavior\": " + behavior + "}";
  };
  const std::string bytes = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})",
                    gpt2 = R"({"type": "ByteLevel", "add_prefix_space": false})";
  const auto sequence = [](const std::string& a, const std::string& b) {
    return R"({"type": "Sequence", "pretokenizers": [)" + a + ", " + b + "]}";
  };
  namespace p = pattern_detail;
  for (const std::string& pre :
       {gpt2, bytes, sequence(split(p::llama3::written), bytes), sequence(split(p::qwen2::written), bytes),
        sequence(split(p::o200k::written), bytes), sequence(split(p::own_words::written), bytes),
        sequence(split(p::single_digits::written), gpt2), sequence(split(p::three_digits::written), gpt2),
        sequence(R"({"type": "Digits", "individual_digits": true})", gpt2),
        sequence(R"({"type": "Digits", "individual_digits": false})", gpt2),
        sequence(split(p::three_digits::written), sequence(split(p::llama3::written), gpt2))}) {
    INFO(pre);
    const auto t = train_tokenizer(
        lines, {.vocab = 500, .special_tokens = {"<|im_end|>", "<|im"}, .pre_tokenizer = pre.c_str()}, alone);
    REQUIRE(words_of(t) == "");
    std::string json = t->json();
    for (const bool whole : {false, true}) {
      if (whole) json.replace(json.find("\"ignore_merges\": false"), 22, "\"ignore_merges\": true");
      const auto image = pack_tokenizer(std::string_view(json));
      REQUIRE(words_of(image) == "");
      require_same(*image, hf_tokenizer::parse(json).value(), nasty_texts(600, 4, some_words));
    }
  }
}

TEST_CASE("files of real tokenizers go into flash", "[text]") {
  for (const char* name : {"minimind_tokenizer.json"})
    if (data::present(name)) {
      const std::string json = data::read(data::path(name));
      const auto image = pack_tokenizer(std::string_view(json));
      REQUIRE(words_of(image) == "");
      require_same(*image, hf_tokenizer::parse(json).value(), nasty_texts(2000, 5, some_words));
    }
}

// ---- llama2.c

namespace {

template <class N>
std::string number(N n) {
  return std::string(reinterpret_cast<const char*>(&n), sizeof n);
}
std::string llama2c_file(const std::vector<std::string>& pieces, std::uint64_t seed, bool has_bytes) {
  rng r{seed};
  std::string file(4, '\0');
  const auto add = [&](const std::string& s) {
    const float score = -static_cast<float>(r.below(20));  // many are equal
    file += number(score) + number(static_cast<std::int32_t>(s.size())) + s;
  };
  for (const char* s : {"<unk>", "<s>", "</s>"}) add(s);
  for (int b = 0; b < 256; ++b) {
    char code[8];
    std::snprintf(code, sizeof code, has_bytes || b > 3 ? "<0x%02X>" : "<%02X>", b);
    add(code);
  }
  for (const std::string& s : pieces) add(s);
  return file;
}
void require_same(const llama2c_tokenizer& t, const std::vector<std::string>& texts) {
  const auto image = pack_tokenizer(t);
  REQUIRE(words_of(image) == "");
  const auto f = flash_tokenizer::bind(bytes_of(*image));
  REQUIRE(words_of(f) == "");
  REQUIRE(f->vocab() == t.vocab());
  REQUIRE(f->kind() == flash_kind::pieces);
  for (const std::string& s : texts) {
    INFO(s);
    auto tokens = t.encode(s);
    REQUIRE(encoded(*f, s) == tokens);
    REQUIRE(text_from(*f, tokens, false) == t.decode(tokens));
    tokens.insert(tokens.begin() + 1, 2);
    REQUIRE(text_from(*f, tokens, false) == t.decode(tokens));
  }
}

}  // namespace

TEST_CASE("a tokenizer of llama2.c in flash has the same tokens and texts", "[text]") {
  const scratch_folder folder;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    std::vector<std::string> pieces{" ",
                                    "a",
                                    "b",
                                    "e",
                                    "\xC3\xA9",
                                    "\xE4\xBD\xA0",
                                    "a\x80",
                                    "\x80\x81",
                                    "<0x41>",
                                    "\xF0\x9F\x98\x80",
                                    "<0x20><0x20>",
                                    "",
                                    "a"};
    rng r{seed};
    for (int i = 0; i < 120; ++i) {
      std::string s;
      for (std::size_t n = 1 + r.below(5); n > 0; --n) s += "abe  t"[r.below(6)];
      pieces.push_back(r.below(6) == 0 ? s + "\xC3\xA9" : s);
    }
    const std::string path = folder / "tokenizer.bin", file = llama2c_file(pieces, seed, seed % 3 != 0);
    std::fclose(std::fopen(path.c_str(), "wb"));
    REQUIRE(replace_file(path.c_str(), file));
    const auto t = llama2c_tokenizer::load(path.c_str(), 259 + pieces.size());
    REQUIRE(words_of(t) == "");
    std::vector<std::string> texts = nasty_texts(300, seed, some_words);
    for (int i = 0; i < 200; ++i) {
      std::string s;
      for (std::size_t n = r.below(40); n > 0; --n) s += "abe  t\x80\xC3\xA9"[r.below(9)];
      texts.push_back(s);
    }
    require_same(*t, texts);
  }
  if (data::present("tok512.bin"))
    require_same(llama2c_tokenizer::load(data::path("tok512.bin").c_str(), 512).value(),
                 nasty_texts(5000, 6, some_words));
}

// ---- limits and damage

TEST_CASE("a workspace or an output that is too small is told with both numbers", "[text]") {
  const auto t = flash_tokenizer::bind(tiny_tokenizer);
  REQUIRE(t);
  flash_workspace<4> work;
  std::vector<token> out(2);
  const auto encode = [&](std::string_view s) { return t->encode(span<const char>(s.data(), s.size()), out, work); };
  CHECK(*encode("the 1") == 2);
  CHECK(words_of(encode("the 1abcdefg")) ==
        "ctlm: a word of this text needs a workspace of 7 symbols, and there are 4 (at most 65535)");
  CHECK(encode("the 1abcdefg").error().code == errc::out_of_memory);
  CHECK(words_of(encode("the the 1")) == "ctlm: a text has 3 tokens, or more, and there is room for 2");
  CHECK(*flash_tokenizer().encode(span<const char>("x", 1), out, work) == 0);
  CHECK(flash_tokenizer().vocab() == 0);
  CHECK(t->text_of(-1, -1).empty());
  CHECK(t->text_of(-1, 276).empty());
  CHECK(t->text_of(-1, 275).size() > 1);
}

TEST_CASE("a tokenizer with a long word takes n log n", "[text]") {
  const auto t = flash_tokenizer::bind(tiny_tokenizer);
  const std::string s(65535, 'a');
  std::vector<token> out(65535);
  std::vector<flash_symbol> work(65535);
  CHECK(*t->encode(span<const char>(s.data(), s.size()), out, work) == trained().encode(s).size());
}

TEST_CASE("every image that is cut off or has one other bit is refused", "[text]") {
  const std::string good(reinterpret_cast<const char*>(tiny_tokenizer.data()), tiny_tokenizer.size());
  REQUIRE(flash_tokenizer::bind(bytes_of(good)));
  for (std::size_t n = 0; n < good.size(); ++n) REQUIRE_FALSE(flash_tokenizer::bind(bytes_of(good).first(n)));
  CHECK(flash_tokenizer::bind(bytes_of(good).first(100)).error().code == errc::truncated);
  CHECK(flash_tokenizer::bind(bytes_of(good).first(good.size() - 1)).error().code == errc::truncated);
  CHECK(flash_tokenizer::bind(bytes_of(good + '\0')).error().code == errc::corrupt);
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    INFO(bit);
    const auto r = flash_tokenizer::bind(bytes_of(bad));
    REQUIRE_FALSE(r);
    REQUIRE(std::string(explain(r.error())).find("ctlm: ") == 0);
  }
  std::string other = good;
  other[8] = 2;
  CHECK(words_of(flash_tokenizer::bind(bytes_of(other))) ==
        "ctlm: the image of a tokenizer was packed by another version of ctlm (layout 2, this is 1)");
}

TEST_CASE("an image whose checksum was made right is refused, or its numbers stay in their tables", "[text]") {
  const std::string good(reinterpret_cast<const char*>(tiny_tokenizer.data()), tiny_tokenizer.size());
  rng r{9};
  std::size_t refused = 0, kept = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(r.below(256));
    const std::uint64_t sum = flash_detail::checksum_of<checksum>(flash_detail::reader(bytes_of(bad)));
    std::memcpy(bad.data() + 80, &sum, 8);
    const auto t = flash_tokenizer::bind(bytes_of(bad));
    ++(t ? kept : refused);
    if (!t) continue;
    std::vector<token> out(64);
    flash_workspace<64> work;
    const std::string s = "the cat and\n the hat 12\xFF\xC3\xA9";
    const auto n = t->encode(span<const char>(s.data(), s.size()), out, work);
    REQUIRE(n);
    for (std::size_t k = 0; k < *n; ++k) {
      REQUIRE(static_cast<std::size_t>(out[k]) < t->vocab());
      (void)t->text_of(-1, out[k]);
    }
  }
  CHECK(refused > 500);
  CHECK(kept > 50);
}

TEST_CASE("what a tokenizer in flash lacks is refused by its name", "[text]") {
  serial alone;
  const std::vector<std::string_view> texts{"the cat the hat"};
  const std::string json =
      train_tokenizer(texts, {.vocab = 270, .special_tokens = {"<s>"}, .pre_tokenizer = pre_tokenizers::gpt2}, alone)
          ->json();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string s = json;
    REQUIRE(s.find(from) != std::string::npos);
    s.replace(s.find(from), from.size(), to);
    return words_of(pack_tokenizer(std::string_view(s)));
  };
  const std::string pre = pre_tokenizers::gpt2;
  CHECK(with("\"normalizer\": null", "\"normalizer\": {\"type\": \"Lowercase\"}") ==
        "ctlm: a tokenizer in flash has no normalizer, and this one has Lowercase");
  CHECK(with("\"lstrip\": false", "\"lstrip\": true") == "ctlm: a tokenizer in flash has no added tokens with lstrip");
  CHECK(with("\"add_prefix_space\": false", "\"add_prefix_space\": true") ==
        "ctlm: a tokenizer in flash puts no space before words (add_prefix_space)");
  CHECK(with(pre, R"({"type": "Whitespace"})") ==
        "ctlm: a tokenizer in flash has no pre_tokenizer Whitespace; it has Split, Digits and ByteLevel");
  CHECK(with(pre, R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{N}"},
                      "behavior": "Removed"}, )" +
                      pre + "]}") ==
        "ctlm: a tokenizer in flash cuts by patterns that are Isolated, and this one is Removed");
  CHECK(with("\"decoder\": {\"type\": \"ByteLevel\"", "\"decoder\": {\"type\": \"Fuse\"") ==
        "ctlm: a tokenizer.json goes into flash if its decoder is ByteLevel, and this one has 'Fuse'");
  CHECK(words_of(write_tokenizer_header("x.hpp", "while")) ==
        "ctlm: a packed model cannot be called while: C++ or ctlm uses that name");
}
