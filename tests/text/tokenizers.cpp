// What every tokenizer offers, and the merging that two of them share.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <fstream>

using namespace ctlm;

static_assert(tokenizer<byte_tokenizer> && tokenizer<bpe> && tokenizer<llama2c_tokenizer>);

TEST_CASE("bytes are tokens", "[text]") {
  std::string all(256, '\0');
  for (std::size_t i = 0; i < 256; ++i) all[i] = static_cast<char>(i);
  const auto tokens = byte_tokenizer::encode(all);
  CHECK(tokens[200] == 200);
  CHECK(byte_tokenizer::decode(tokens) == all);
  CHECK(byte_tokenizer::decode(std::vector<token>{'a', -1, 256, 'b'}) == "ab");
  CHECK(bpe().encode(all) == tokens);
}

TEST_CASE("pairs merge by priority, the leftmost first among equals", "[text]") {
  // 1 1 -> 2 (low), 2 1 -> 3 (high), 4 5 -> 6 (high)
  auto find = [](token left, token right) -> pair_merge {
    if (left == 1 && right == 1) return {2, 1};
    if (left == 2 && right == 1) return {3, 5};
    if (left == 4 && right == 5) return {6, 5};
    return {};
  };
  auto merged = [&](std::vector<token> t) {
    merge_pairs(t, find);
    return t;
  };
  using v = std::vector<token>;
  CHECK(merged({}) == v{});
  CHECK(merged({1}) == v{1});
  CHECK(merged({1, 1, 1}) == v{3});
  CHECK(merged({1, 1, 1, 1}) == v{3, 1});
  CHECK(merged({7, 4, 5, 1, 1}) == v{7, 6, 2});
}

TEST_CASE("a tokenizer of llama2.c that is cut off, too long or too small is refused", "[text]") {
  const std::string path = "tokenizer_test.bin";
  std::string good(4, '\0');
  auto number = [](auto n) { return std::string(reinterpret_cast<const char*>(&n), sizeof n); };
  for (std::int32_t i = 0; i < 300; ++i)
    good += number(static_cast<float>(i)) + number(std::int32_t{1}) + static_cast<char>(i);
  auto code_of = [&](const std::string& bytes, std::size_t vocab) {
    std::ofstream(path, std::ios::binary) << bytes;
    return llama2c_tokenizer::load(path.c_str(), vocab).error().code;
  };
  CHECK(code_of(good, 300) == errc::ok);
  CHECK(code_of(good, 299) == errc::wrong_model);
  CHECK(code_of(good, 100) == errc::invalid_argument);
  CHECK(code_of(good + "x", 300) == errc::wrong_model);
  for (std::size_t n = 0; n < good.size(); n += 7)  // between two tokens, a file that is cut off has fewer of them
    REQUIRE(code_of(good.substr(0, n), 300) == (n >= 4 && (n - 4) % 9 == 0 ? errc::wrong_model : errc::truncated));
  std::string huge = good;
  huge.replace(8, 4, number(std::int32_t{2'000'000'000}));
  CHECK(code_of(huge, 300) == errc::corrupt);
  huge.replace(8, 4, number(std::int32_t{-1}));
  CHECK(code_of(huge, 300) == errc::corrupt);
  std::remove(path.c_str());
}
