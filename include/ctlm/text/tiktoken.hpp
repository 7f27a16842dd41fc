// SPDX-License-Identifier: MIT
// ctlm: tokenizers of tiktoken: a file with the bytes and the rank of each token; the pattern that cuts a text, and the
// special tokens, go by a name that is not in the file.
#pragma once

#include "hf_tokenizer.hpp"
#include "model/ranks.hpp"

#include <charconv>
#include <utility>

namespace ctlm { inline namespace CTLM_ABI {

/// A special token of tiktoken: how it is spelt, and its number.
using tiktoken_special = std::pair<std::string, token>;

namespace tiktoken_detail {

enum class words : std::uint8_t { gpt2, cl100k, o200k };

// What a name stands for.
struct encoding {
  const char* name;
  words cut;
  std::size_t ranks;  // tokens in its file
  std::size_t specials;
  struct {
    const char* spelt;
    token number;
  } special[5];
};
inline constexpr encoding encodings[] = {
    {"gpt2", words::gpt2, 50256, 1, {{"<|endoftext|>", 50256}}},
    {"r50k_base", words::gpt2, 50256, 1, {{"<|endoftext|>", 50256}}},
    {"p50k_base", words::gpt2, 50280, 1, {{"<|endoftext|>", 50256}}},
    {"p50k_edit",
     words::gpt2,
     50280,
     4,
     {{"<|endoftext|>", 50256}, {"<|fim_prefix|>", 50281}, {"<|fim_middle|>", 50282}, {"<|fim_suffix|>", 50283}}},
    {"cl100k_base",
     words::cl100k,
     100256,
     5,
     {{"<|endoftext|>", 100257},
      {"<|fim_prefix|>", 100258},
      {"<|fim_middle|>", 100259},
      {"<|fim_suffix|>", 100260},
      {"<|endofprompt|>", 100276}}},
    {"o200k_base", words::o200k, 199998, 2, {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}}},
};

inline result<const encoding*> find_encoding(std::string_view name) {
  for (const encoding& e : encodings)
    if (name == e.name) return &e;
  return failure{
      errc::unsupported,
      "ctlm: the encoding '{name}' of tiktoken is not known; known are gpt2, r50k_base, p50k_base, p50k_edit, "
      "cl100k_base and o200k_base",
      0,
      0,
      0,
      remember(span<const char>(name.data(), name.size()))};
}

// The bytes that four letters stand for, and so on; false where they are no base64.
inline bool from_base64(std::string_view letters, std::string& bytes) {
  bytes.clear();
  if (letters.size() % 4 != 0) return false;
  for (std::size_t i = 0; i < letters.size(); i += 4) {
    std::uint32_t four = 0;
    std::size_t padding = 0;
    for (const char c : letters.substr(i, 4)) {
      const int six = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
      padding += c == '=' ? 1 : 0;
      if ((six < 0 && c != '=') || (six >= 0 && padding > 0)) return false;
      four = four << 6 | static_cast<std::uint32_t>(six < 0 ? 0 : six);
    }
    if (padding > 2 || (padding > 0 && i + 4 < letters.size())) return false;
    for (std::size_t b = 0; b < 3 - padding; ++b)
      bytes += static_cast<char>(static_cast<unsigned char>(four >> (16 - 8 * b) & 255));
  }
  return true;
}

inline failure wrong_line(const char* what, std::size_t line) { return {errc::corrupt, what, line}; }

// A file's tokens, as letters that stand for bytes; their ranks are their numbers.
class reader {
 public:
  explicit reader(std::size_t size) : ranked_{model_detail::vocabulary(true, size / 7 + 1), {}} {}

  result<void> read(std::string_view text) {
    most_ = 2 * (text.size() / 7 + 1) + 65536;
    for (std::size_t line = 1; !text.empty(); ++line) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view row = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (row.ends_with('\r')) row.remove_suffix(1);
      if (row.empty()) continue;
      if (const auto r = read_row(row, line); !r) return r;
    }
    for (std::size_t b = 0; b < 256; ++b) {
      const char byte = static_cast<char>(static_cast<unsigned char>(b));
      if (ranked_.words.find(std::string_view(&byte, 1)) < 0)
        return failure{errc::corrupt, "ctlm: this file of tiktoken has no token for byte {where}: is it cut off?", b};
    }
    return {};
  }
  model_detail::bpe_model::ranked& ranked() { return ranked_; }

 private:
  result<void> read_row(std::string_view row, std::size_t line) {
    const std::size_t space = row.find(' ');
    token rank = -1;
    const char* const last = row.data() + row.size();
    if (space == 0 || space == std::string_view::npos || !from_base64(row.substr(0, space), bytes_))
      return wrong_line("ctlm: line {where} of this file of tiktoken is no token in base64, a space, and its rank",
                        line);
    const auto number = std::from_chars(row.data() + space + 1, last, rank);
    if (number.ec != std::errc() || number.ptr != last || rank < 0)
      return wrong_line("ctlm: line {where} of this file of tiktoken is no token in base64, a space, and its rank",
                        line);
    if (static_cast<std::size_t>(rank) >= most_)
      return failure{errc::unsupported,
                     "ctlm: line {where} of this file of tiktoken has rank {had}; with so few others it is at most "
                     "{needed}",
                     line, most_ - 1, static_cast<std::size_t>(rank)};
    if (bytes_.size() > model_detail::longest_ranked)
      return failure{errc::unsupported,
                     "ctlm: line {where} of this file of tiktoken has a token of {had} bytes; at most {needed} are "
                     "supported",
                     line, model_detail::longest_ranked, bytes_.size()};
    if (ranked_.words.find(bytes_) >= 0 || ranked_.words.has(rank))
      return wrong_line("ctlm: line {where} of this file of tiktoken has a token or a rank that was there before",
                        line);
    if (const auto r = ranked_.words.add(rank, letters_of_bytes(bytes_)); !r) return r;
    const auto n = static_cast<std::size_t>(rank);
    if (ranked_.ranks.size() <= n) ranked_.ranks.resize(n + 1, model_detail::bpe_model::unmade);
    if (bytes_.size() > 1) ranked_.ranks[n] = static_cast<std::uint32_t>(rank);
    return {};
  }

  model_detail::bpe_model::ranked ranked_;
  std::string bytes_;
  std::size_t most_ = 0;
};

inline pre_tokenizer_detail::pre_tokenizer cutting(words w) {
  using namespace pre_tokenizer_detail;
  if (w == words::gpt2) return pre_tokenizer::of(byte_level{false, true});
  using pattern_detail::pattern;
  return pre_tokenizer::of(
      split{w == words::cl100k ? pattern::of<pattern_detail::cl100k>() : pattern::of<pattern_detail::o200k>(),
            behaviour::isolated, false},
      byte_level{false, false});
}

inline result<hf_tokenizer> made(std::string_view text, words cut, const std::vector<tiktoken_special>& specials) {
  reader r(text.size());
  if (const auto done = r.read(text); !done) return done.error();
  tokenizer_detail::parts p;
  for (const tiktoken_special& s : specials) {
    if (s.first.empty() || s.second < 0 || static_cast<std::size_t>(s.second) > r.ranked().ranks.size() + 1024 ||
        r.ranked().words.has(s.second))
      return failure{errc::invalid_argument,
                     "ctlm: the special token '{name}' cannot have the number {token}: it is taken, or far beyond the "
                     "others",
                     0,
                     0,
                     static_cast<std::size_t>(s.second),
                     remember(span<const char>(s.first.data(), s.first.size()))};
    p.added.put({.content = s.first, .id = s.second, .special = true}, true);
  }
  r.ranked().ignore_merges = true;
  p.pre_tokenizer = cutting(cut);
  p.model =
      model_detail::model::of(model_detail::bpe_model::of(static_cast<model_detail::bpe_model::ranked&&>(r.ranked())));
  p.decoder = decoder_detail::decoder::of(decoder_detail::byte_level{});
  return hf_tokenizer(static_cast<tokenizer_detail::parts&&>(p));
}

}  // namespace tiktoken_detail

/// A tokenizer of tiktoken, of the text of its file: each line is a token in base64, a space, and its rank. `name` says
/// how text is cut, and which tokens are special: gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base or o200k_base.
/// `specials`, if there are any, stand in the place of those of the name.
///
/// Tokens are those of `encode(text, allowed_special="all")`. Errors: errc::corrupt, with the line; unsupported, for
/// another name, or ranks far apart; invalid_argument, for a special token whose number is taken; out_of_memory.
inline result<hf_tokenizer> parse_tiktoken(std::string_view text, std::string_view name,
                                           const std::vector<tiktoken_special>& specials = {}) {
  return or_failure(tokenizer_detail::no_memory, [&]() -> result<hf_tokenizer> {
    const auto found = tiktoken_detail::find_encoding(name);
    if (!found) return found.error();
    std::vector<tiktoken_special> all = specials;
    if (all.empty())
      for (std::size_t i = 0; i < (*found)->specials; ++i)
        all.emplace_back((*found)->special[i].spelt, (*found)->special[i].number);
    return tiktoken_detail::made(text, (*found)->cut, all);
  });
}
/// The same, of a file such as `cl100k_base.tiktoken`. Errors: those of read_file, too.
inline result<hf_tokenizer> load_tiktoken(const char* path, std::string_view name,
                                          const std::vector<tiktoken_special>& specials = {}) {
  return or_failure(tokenizer_detail::no_memory, [&]() -> result<hf_tokenizer> {
    const auto text = read_file(path);
    if (!text) return text.error();
    return parse_tiktoken(*text, name, specials);
  });
}

}}  // namespace ctlm
