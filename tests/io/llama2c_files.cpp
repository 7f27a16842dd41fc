// Small made-up files in the format of llama2.c: what is refused, in which words, and that no file whatsoever does
// harm.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

struct small {
  static constexpr llama_config config{.vocab = 11,
                                       .d_model = 8,
                                       .layers = 2,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .d_ff = 12,
                                       .context = 4,
                                       .tie_embeddings = true};
};
struct untied {
  static constexpr llama_config config{
      .vocab = 11, .d_model = 8, .layers = 2, .heads = 2, .kv_heads = 1, .d_ff = 12, .context = 4};
};
struct huge {
  static constexpr llama_config config{
      .vocab = 1 << 20, .d_model = 1 << 13, .layers = 80, .heads = 64, .d_ff = 1 << 15, .context = 4};
};
using lm = causal_lm<small>;
using untied_lm = causal_lm<untied>;

// The size of a file is computed in 64 bits, whatever a size_t is.
static_assert(std::is_same_v<decltype(llama2c_detail::file_bytes<lm>(1)), std::uint64_t>);
static_assert(llama2c_detail::file_bytes<lm>(llama2c_detail::most) >
              std::uint64_t{std::numeric_limits<std::uint32_t>::max()});
static_assert(llama2c_detail::file_bytes<causal_lm<huge>>(1) > std::uint64_t{1} << 38);

struct scratch_file {
  std::string path = "llama2c_files_test.bin";
  void write(const std::string& bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
  ~scratch_file() { std::remove(path.c_str()); }
};

template <class T>
std::string number(T n) {
  return {reinterpret_cast<const char*>(&n), sizeof n};
}

template <class M>
std::string model_file(std::int32_t context = 6) {
  std::string bytes;
  for (const std::int32_t n : {8, 12, 2, 2, 1, M::shape.tie_embeddings ? 11 : -11, context}) bytes += number(n);
  rng r{3};
  while (bytes.size() < llama2c_detail::file_bytes<M>(static_cast<std::uint64_t>(context)))
    bytes += number(static_cast<float>(r.normal()));
  return bytes;
}

template <class M>
struct target {
  heap_arena memory{M::weight_bytes};
  typename M::weights weights{memory};
  scratch_file file;

  result<void> load(const std::string& bytes) {
    file.write(bytes);
    return load_llama2c<M>(file.path.c_str(), weights);
  }
  std::string refusal(const std::string& bytes, errc code) {
    const auto r = load(bytes);
    CHECK(r.error().code == code);
    return std::string(explain(r.error()));
  }
  void blank() const { std::memset(weights.bytes().data(), 0, weights.bytes().size()); }
  bool is_blank() const {
    for (std::byte b : weights.bytes())
      if (b != std::byte{0}) return false;
    return true;
  }
};

std::string with_field(std::size_t field, std::int32_t value) {
  return model_file<lm>().replace(4 * field, 4, number(value));
}

/// Three control tokens, the bytes, and the pieces given.
std::string tokenizer_file(const std::vector<std::pair<std::string, float>>& pieces, bool with_bytes = true) {
  std::string file = number(std::int32_t{6});
  auto add = [&](const std::string& piece, float score) {
    file += number(score) + number(static_cast<std::int32_t>(piece.size())) + piece;
  };
  for (const char* control : {"<unk>", "\n<s>\n", "\n</s>\n"}) add(control, 0);
  for (int i = 0; i < 256; ++i) {
    char text[8];
    std::snprintf(text, sizeof text, with_bytes ? "<0x%02X>" : "word%d", i);
    add(text, 0);
  }
  for (const auto& [piece, score] : pieces) add(piece, score);
  return file;
}

result<llama2c_tokenizer> tokenizer_of(const std::string& bytes, std::size_t vocab) {
  const scratch_file file;
  file.write(bytes);
  return llama2c_tokenizer::load(file.path.c_str(), vocab);
}
std::string refusal(const std::string& bytes, std::size_t vocab, errc code) {
  const auto r = tokenizer_of(bytes, vocab);
  CHECK(r.error().code == code);
  return std::string(explain(r.error()));
}

bool all_in_range(const std::vector<token>& tokens, std::size_t vocab) {
  for (token t : tokens)
    if (t < 0 || static_cast<std::size_t>(t) >= vocab) return false;
  return true;
}

}  // namespace

TEST_CASE("a llama2.c file's numbers land where they belong, in weights of 32 and 64 bits", "[io]") {
  target<lm> single;
  target<causal_lm<small, weights<f64>>> twice;
  const std::string bytes = model_file<lm>();
  REQUIRE(single.load(bytes));
  REQUIRE(twice.load(bytes));
  float first = 0;
  std::memcpy(&first, bytes.data() + 28 + 11 * 8 * 4, 4);  // behind the embedding
  CHECK(single.weights.vector_of(tensor_id::norm1_weight)[0] == first);
  CHECK(twice.weights.vector_of(tensor_id::norm1_weight)[0] == static_cast<double>(first));
  CHECK(single.load(model_file<lm>(1000)));  // the context is free
  target<untied_lm> other;
  CHECK(other.load(model_file<untied_lm>()));
}

TEST_CASE("a llama2.c file that does not fit names the field and both numbers", "[io]") {
  target<lm> t;
  CHECK(t.refusal(with_field(1, 13), errc::wrong_model) ==
        "ctlm: this llama2.c file holds a model of another shape: its d_ff is 13, the config's is 12");
  CHECK(t.refusal(with_field(4, 2), errc::wrong_model) ==
        "ctlm: this llama2.c file holds a model of another shape: its kv_heads is 2, the config's is 1");
  CHECK(t.refusal(with_field(5, -12), errc::wrong_model) ==
        "ctlm: this llama2.c file holds a model of another shape: its vocab is 12, the config's is 11");
  CHECK(t.refusal(model_file<untied_lm>(), errc::wrong_model) ==
        "ctlm: this llama2.c file and the config disagree about tie_embeddings: it is 0 in the file and 1 in the "
        "config");
  CHECK(t.refusal(with_field(0, -8), errc::corrupt) ==
        "ctlm: this is not a llama2.c model file: its d_model would be -8");
  CHECK(t.refusal(with_field(6, 0), errc::corrupt) ==
        "ctlm: this is not a llama2.c model file: its context would be 0");
  CHECK(t.refusal(with_field(5, std::numeric_limits<std::int32_t>::min()), errc::corrupt) ==
        "ctlm: this is not a llama2.c model file: its vocab would be -2147483648");
  CHECK(t.refusal(number(std::int32_t{0x616B3432}) + number(std::int32_t{2}) + std::string(248, '\0'),
                  errc::unsupported) == "ctlm: this llama2.c file has version 2 of the format; only version 0 is read");
  const std::string good = model_file<lm>();
  const std::string size = std::to_string(good.size());
  CHECK(t.refusal(good + "x", errc::corrupt) == "ctlm: this llama2.c file is longer than its header says: " +
                                                    std::to_string(good.size() + 1) + " bytes, not " + size);
  CHECK(t.refusal(good.substr(0, 100), errc::truncated) ==
        "ctlm: this llama2.c file is cut off: its header says " + size + " bytes, it has 100");
  CHECK(t.refusal("abc", errc::truncated) == "ctlm: this llama2.c file is cut off: its header has 28 bytes, it has 3");
  CHECK(t.refusal(tokenizer_file({}), errc::corrupt) == "ctlm: this is not a llama2.c model file: its d_ff would be 0");
  const std::uint64_t claimed = good.size() + ((std::uint64_t{1} << 28) - 6) * 16;
  CHECK(t.refusal(with_field(6, 1 << 28), errc::truncated) ==
        "ctlm: this llama2.c file is cut off: its header says " + std::to_string(claimed) + " bytes, it has " + size);
}

TEST_CASE("a llama2.c model cut off or changed anywhere is refused or read, and refusing writes nothing", "[io]") {
  target<lm> t;
  const std::string good = model_file<lm>();
  for (std::size_t n = 0; n < good.size(); n += n < 40 ? 1 : 37) {
    t.blank();
    REQUIRE_FALSE(t.load(good.substr(0, n)));
    REQUIRE(t.is_blank());
  }
  for (std::size_t i = 0; i < good.size(); i += i < 40 ? 1 : 29)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      t.blank();
      const bool is_read = static_cast<bool>(t.load(bad));
      REQUIRE(is_read == (i >= 28));
      REQUIRE(t.is_blank() == !is_read);
    }
}

TEST_CASE("a file that ends before its size was reached is a failure, at its byte", "[io]") {
  const scratch_file file;
  file.write(std::string(100, 'x'));
  char to[64];
  const auto f = open_to_read(file.path.c_str());
  REQUIRE(f);
  buffered_reader shrunk(f->get(), 200);  // as it was when its size was asked for
  const auto r = shrunk.read(to, sizeof to);
  CHECK(r.error().code == errc::truncated);
  const auto again = open_to_read(file.path.c_str());
  buffered_reader whole(again->get(), 100);
  REQUIRE(whole.read(to, 60));
  CHECK(whole.left() == 40);
  CHECK(whole.offset() == 60);
  const auto more = whole.read(to, 41);
  CHECK(std::string(explain(more.error())) == "ctlm: the file is cut off: 41 bytes are missing at byte 60, it has 40");
  CHECK(whole.skip(39));
  CHECK(whole.left() == 1);
}

TEST_CASE("a tokenizer file says how many tokens it has, and which is wrong", "[io]") {
  const std::string good = tokenizer_file({{" a", -1.0f}, {"bc", -2.0f}});
  CHECK(tokenizer_of(good, 261));
  CHECK(refusal(good, 300, errc::wrong_model) ==
        "ctlm: this tokenizer file has 261 tokens; the model's vocabulary is 300");
  CHECK(refusal(good, 260, errc::wrong_model) ==
        "ctlm: this tokenizer file has 261 tokens; the model's vocabulary is 260");
  CHECK(refusal(good + "xy", 261, errc::wrong_model) ==
        "ctlm: this tokenizer file has 2 bytes behind the 261 tokens of the model's vocabulary");
  CHECK(refusal(good, 258, errc::invalid_argument) ==
        "ctlm: a tokenizer of llama2.c has at least 259 tokens; the model's vocabulary is 258");
  CHECK(refusal(good.substr(0, good.size() - 1), 261, errc::truncated) ==
        "ctlm: this tokenizer file is cut off: its token 260 needs 2 bytes, it has 1");
  CHECK(refusal(good.substr(0, good.size() - 3), 261, errc::truncated) ==
        "ctlm: this tokenizer file is cut off: its token 260 needs 8 bytes, it has 7");
  CHECK(refusal("abc", 261, errc::truncated) == "ctlm: this tokenizer file is cut off: it has 3 bytes");
  CHECK(refusal(tokenizer_file({{"x", std::numeric_limits<float>::quiet_NaN()}}), 260, errc::corrupt) ==
        "ctlm: this is not a tokenizer of llama2.c: the score of its token 259 is not a number");
  std::string negative = good;
  negative.replace(8, 4, number(std::int32_t{-5}));
  CHECK(refusal(negative, 261, errc::corrupt) ==
        "ctlm: this is not a tokenizer of llama2.c: its token 0 would be -5 bytes long, and 65536 are the most");
  CHECK(refusal(model_file<lm>(), 261, errc::corrupt).find("this is not a tokenizer of llama2.c") != std::string::npos);
}

TEST_CASE("odd scores and pieces, and hostile text, give tokens of the vocabulary", "[io]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<std::string, float>> pieces{
      {"", 0.0f},        {"ab", 1.0f}, {"ab", 9.0f}, {"bc", 1.0f}, {"abc", infinity},
      {"aa", -infinity}, {"a", 0.0f},  {"b", 0.0f},  {"c", 0.0f},  {std::string("\0x", 2), 3.0f}};
  const std::size_t vocab = 259 + pieces.size();
  rng r{7};
  for (const bool with_bytes : {true, false}) {
    const auto t = tokenizer_of(tokenizer_file(pieces, with_bytes), vocab).value();
    CHECK(t.piece(-1, 259).empty());
    CHECK(t.encode("abcab").back() == 260);  // of duplicates, the first
    for (int i = 0; i < 50; ++i) {
      std::string text(r.below(200), '\0');
      for (char& c : text) c = static_cast<char>(i % 2 == 0 ? r.below(256) : 'a' + r.below(4));
      const auto tokens = t.encode(text);
      REQUIRE(all_in_range(tokens, vocab));
      if (with_bytes) REQUIRE(t.decode(tokens) == " " + text);
    }
    for (const token odd :
         {std::numeric_limits<token>::min(), -1, static_cast<token>(vocab), std::numeric_limits<token>::max()})
      CHECK(t.piece(odd, odd).empty());
  }
  const auto wordy = tokenizer_of(tokenizer_file({}, false), 259).value();
  CHECK(wordy.encode("?") == std::vector<token>{1, 0, 0});  // <unk>: there is neither a space nor a byte
  CHECK(llama2c_tokenizer().encode("hello").empty());       // what a failed load holds
  CHECK(llama2c_tokenizer().decode(std::vector<token>{1, 5}).empty());
}

TEST_CASE("a tokenizer file cut off or changed anywhere is refused or works", "[io]") {
  const std::vector<std::pair<std::string, float>> pieces{{" a", -1.0f}, {"ab", -2.0f}, {"abc", -3.0f}};
  const std::string good = tokenizer_file(pieces), text = " abcab <0x0A>\xC3\xA9 \xFF";
  const std::size_t vocab = 259 + pieces.size();
  for (std::size_t n = 0; n < good.size(); n += n + 100 < good.size() ? 13 : 1)
    REQUIRE_FALSE(tokenizer_of(good.substr(0, n), vocab));
  for (std::size_t i = 0; i < good.size(); i += i < 60 || i + 60 > good.size() ? 1 : 17)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const auto t = tokenizer_of(bad, vocab);
      if (!t) continue;
      REQUIRE(t->vocab() == vocab);
      const auto tokens = t->encode(text);
      REQUIRE(all_in_range(tokens, vocab));
      (void)t->decode(tokens);
    }
}
