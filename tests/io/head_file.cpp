// Heads as files: what was learned is read again, to the bit, and what does not fit is refused in words and numbers.
#include "catch.hpp"

#include "model/models.hpp"
#include "safetensors_files.hpp"

#include <ctlm/io/head_file.hpp>
#include <ctlm/model/predict.hpp>
#include <ctlm/train/heads.hpp>

#include <cstring>

using namespace models;
using namespace safetensors_files;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 8};
};
using lm = causal_lm<tiny_llama>;
using three = classification<3, last_row>;
using trained = trainer<lm, recipe, head<three>>;
constexpr std::size_t d = lm::shape.d_model;

template <class H, class M = lm>
struct own_head {
  heap_arena memory{head_weights<M, H>::bytes_needed()};
  head_weights<M, H> weights{memory};
};
template <class Head>
std::vector<std::byte> bytes_of(const Head& h) {
  return {h.bytes().begin(), h.bytes().end()};
}

/// A file with these numbers, from 1 on: W [rows][cols] and b [bias].
std::string file_of(std::size_t rows, std::size_t cols, std::size_t bias, const std::string& notes = "",
                    const std::string& more = "") {
  std::vector<float> numbers(rows * cols + bias);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i + 1);
  const auto text = [](std::size_t n) { return std::to_string(n); };
  const std::size_t end = 4 * rows * cols;
  return with_length(
      "{" + (notes.empty() ? "" : "\"__metadata__\":{" + notes + "},") +
          entry("score.weight", "F32", "[" + text(rows) + "," + text(cols) + "]", "[0," + text(end) + "]") + "," +
          entry("score.bias", "F32", "[" + text(bias) + "]", "[" + text(end) + "," + text(end + 4 * bias) + "]") +
          more + "}",
      {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)});
}

/// What is said of a file, which leaves the head as it was.
template <class H = three>
std::string words_of(const std::string& file, errc code = errc::wrong_model) {
  const opened o;
  put_contents(o.path, file);
  own_head<H> h;
  h.weights.begin(5);
  const auto before = bytes_of(h.weights);
  const auto r = load_head(o.path.c_str(), h.weights);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == code);
  CHECK(bytes_of(h.weights) == before);
  return explain(r.error()).text;
}

}  // namespace

TEST_CASE("a head that was trained is read again to the bit, by a session and by a trainer", "[io]") {
  heap_arena memory(trained::train_bytes), other(trained::train_bytes);
  trained t(memory, {.seed = 3}), u(other, {.seed = 4});
  const auto tokens = random_tokens(trained::step_tokens, lm::shape.vocab, 1);
  const std::vector<token> classes{0, 2};
  for (int i = 0; i < 3; ++i) t.step(tokens, classes);
  const opened o;
  REQUIRE(save_head(o.path.c_str(), t.head()));
  CHECK(description(safetensors_file::open(o.path.c_str()).value()) ==
        "score.weight F32 3 " + std::to_string(d) + "\nscore.bias F32 3\n");
  own_head<three> h;
  REQUIRE(load_head(o.path.c_str(), h.weights));
  CHECK(bytes_of(h.weights) == bytes_of(t.head()));
  CHECK(bytes_of(u.head()) != bytes_of(t.head()));
  REQUIRE(load_head(o.path.c_str(), u.head()));
  CHECK(bytes_of(u.head()) == bytes_of(t.head()));
  const std::string first = contents_of(o.path);
  REQUIRE(save_head(o.path.c_str(), h.weights));
  CHECK(contents_of(o.path) == first);

  heap_arena session_memory(lm::session_bytes);
  lm::session session(t.weights(), session_memory);
  float mine[3], trainers[6];
  predict(session, h.weights, span<const token>(tokens).first(8), span<float>(mine));
  t.predict(tokens, span<float>(trainers));
  for (int i = 0; i < 3; ++i) CHECK(mine[i] == Approx(trainers[i]).margin(1e-5));
}

TEST_CASE("a head in double precision, and one in 16 bits, are read", "[io]") {
  using wide = causal_lm<tiny_llama, weights<f64>>;
  own_head<regression<2>, wide> h, again;
  h.weights.begin(1);
  const opened o;
  REQUIRE(save_head(o.path.c_str(), h.weights));
  REQUIRE(load_head(o.path.c_str(), again.weights));
  CHECK(bytes_of(h.weights) == bytes_of(again.weights));

  const std::string numbers(2 * (d + 1) * 2, '\x3f');  // 0x3f3f: 0.74609375 in bf16
  const std::string sides = "[2," + std::to_string(d) + "]", end = std::to_string(4 * d);
  put_contents(
      o.path,
      with_length("{" + entry("score.weight", "BF16", sides, "[0," + end + "]") + "," +
                      entry("score.bias", "BF16", "[2]", "[" + end + "," + std::to_string(4 * d + 4) + "]") + "}",
                  numbers));
  REQUIRE(load_head(o.path.c_str(), again.weights));
  for (std::size_t i = 0; i < 2; ++i)
    for (const double x : again.weights[i]) CHECK(x == 0.74609375);
}

TEST_CASE("heads that do not fit are refused in words", "[io]") {
  const std::string other = std::to_string(d + 1), own = std::to_string(d);
  {
    const opened o;
    put_contents(o.path, file_of(3, d, 3));  // of another program, which says nothing of the head
    own_head<three> h;
    REQUIRE(load_head(o.path.c_str(), h.weights));
    CHECK(h.weights[0][1] == 2);
    CHECK(h.weights[1][2] == static_cast<float>(3 * d + 3));
  }
  CHECK(words_of(file_of(4, d, 4)) == "ctlm: score.weight of this file is for 4 outputs, the head has 3");
  CHECK(words_of(file_of(3, d + 1, 3)) ==
        "ctlm: score.weight of this file has rows of " + other + " numbers, the head's have " + own);
  CHECK(words_of(file_of(3, d, 4)) == "ctlm: score.bias of this file has rows of 4 numbers, the head's have 3");
  CHECK(words_of(with_length("{" + entry("score.weight", "F32", "[3]", "[0,12]") + "}", std::string(12, '\0'))) ==
        "ctlm: score.weight of this file has 1 dimensions, the head's has 2");
  CHECK(words_of(with_length("{}")) == "ctlm: there is no score.weight in this file, which the head needs");
  CHECK(words_of(file_of(3, d, 3, "", "," + entry("more", "F32", "[0]", "[0,0]"))) ==
        "ctlm: this head has no place for more of this file");
  CHECK(words_of(file_of(3, d, 3, "\"head\":\"classification\",\"pooling\":\"mean\"")) ==
        "ctlm: the head of this file makes a vector of a sequence in another way than this one, whose is last");
  CHECK(words_of<regression<3, last_row>>(file_of(3, d, 3, "\"head\":\"classification\",\"pooling\":\"last\"")) ==
        "ctlm: the head of this file is of another kind than regression");
  own_head<three> h;
  const auto r = load_head("no such file", h.weights);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == errc::not_found);
}

TEST_CASE("with any bit of its file turned over, or cut off anywhere, a head is read or refused in words", "[io]") {
  const opened o;
  own_head<three> h;
  h.weights.begin(2);
  REQUIRE(save_head(o.path.c_str(), h.weights));
  const std::string whole = contents_of(o.path);
  const std::size_t header = whole.size() - 4 * 3 * (d + 1);
  const auto before = bytes_of(h.weights);
  const auto try_bytes = [&](const std::string& bytes) {
    const auto file = safetensors_file::bind({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
    const result<void> r = file ? read_head(*file, h.weights) : result<void>(file.error());
    if (r) return true;
    CHECK(std::string(explain(r.error()).text).find("ctlm: ") == 0);
    CHECK(bytes_of(h.weights) == before);
    return false;
  };
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 8 * header; ++i) {
    std::string bytes = whole;
    bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << i % 8));
    h.weights.begin(2);
    refused += !try_bytes(bytes);
  }
  CHECK(refused > 7 * header);  // the others are in spaces, and in notes that the head does not ask for
  h.weights.begin(2);
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(try_bytes(whole.substr(0, n)));
}
