// SPDX-License-Identifier: MIT
// ctlm: the vocabulary of a tokenizer.json: how tokens are spelt, and which token a text is.
#pragma once

#include "../../core/result.hpp"
#include "../byte_letters.hpp"
#include "../tokenizer_json.hpp"
#include "../unicode.hpp"
#include "piece_table.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace model_detail {

using namespace unicode_detail;

// The bytes that letters stand for; false where one stands for none.
inline bool bytes_of_letters(std::string_view letters, std::string& bytes) {
  static constexpr auto table = [] {
    struct {
      std::int16_t byte[0x144];
    } t{};
    for (std::int16_t& b : t.byte) b = -1;
    for (int b = 0; b < 256; ++b) t.byte[letter_of_byte(static_cast<unsigned char>(b))] = static_cast<std::int16_t>(b);
    return t;
  }();
  bytes.clear();
  for (std::size_t i = 0; i < letters.size();) {
    const character c = character_at(letters, i);
    if (c.code >= 0x144 || table.byte[c.code] < 0) return false;
    bytes += static_cast<char>(static_cast<unsigned char>(table.byte[c.code]));
    i += c.length;
  }
  return true;
}
// The byte that <0x0A> stands for, or -1.
inline int byte_of_code(std::string_view s) {
  if (s.size() != 6 || !s.starts_with("<0x") || s[5] != '>') return -1;
  int byte = 0;
  for (const char c : s.substr(3, 2)) {
    if (c == '+' && byte == 0 && s[3] == '+' && s[4] != '+') continue;  // as Rust reads numbers
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c - 'a' + 10;
    if (digit < 0 || digit > 15 || (c > 'F' && c < 'a')) return -1;
    byte = 16 * byte + digit;
  }
  return byte;
}
inline std::string code_of_byte(unsigned char byte) {
  constexpr const char* digits = "0123456789ABCDEF";
  return std::string("<0x").append(1, digits[byte / 16]).append(1, digits[byte % 16]).append(">");
}

class vocabulary {
 public:
  // `as_bytes`: texts are looked up as the bytes that their letters stand for. `entries`: how many there will be;
  // numbers of tokens may leave gaps as large as that.
  vocabulary() = default;
  vocabulary(bool as_bytes, std::size_t entries) : as_bytes_(as_bytes), most_(2 * entries + 65536) {}

  result<void> add(const json::value& number, std::string_view spelt) {
    const auto id = number.as_integer<token>();
    if (!id) return id.error();
    return add(*id, spelt);
  }
  result<void> add(token id, std::string_view spelt) {
    if (id < 0 || static_cast<std::size_t>(id) >= most_)
      return failure{errc::unsupported,
                     "ctlm: tokenizer.json: a token has the number {token}; with so few others it is at most {needed}",
                     0, most_ - 1, static_cast<std::size_t>(id)};
    if (spellings_.size() <= static_cast<std::size_t>(id)) spellings_.resize(static_cast<std::size_t>(id) + 1);
    place& p = spellings_[static_cast<std::size_t>(id)];
    p = {letters_.size(), spelt.size(), true};
    letters_.append(spelt);
    std::string bytes;
    const bool is_bytes = as_bytes_ && bytes_of_letters(spelt, bytes);
    (as_bytes_ && !is_bytes ? others_ : pieces_).set(is_bytes ? std::string_view(bytes) : spelt, id);
    return {};
  }

  bool as_bytes() const { return as_bytes_; }
  // Numbers of tokens are below.
  std::size_t size() const { return spellings_.size(); }
  // How many texts there are.
  std::size_t entries() const { return pieces_.size() + others_.size(); }
  bool has(token t) const {
    return t >= 0 && static_cast<std::size_t>(t) < size() && spellings_[static_cast<std::size_t>(t)].is_there;
  }
  std::string_view spelling(token t) const {
    if (!has(t)) return {};
    const place& p = spellings_[static_cast<std::size_t>(t)];
    return std::string_view(letters_).substr(p.at, p.length);
  }
  // The token of a text as the model sees it, or -1.
  token find(std::string_view text) const { return pieces_.find(text); }
  // The token that is spelt like this, or -1.
  token find_spelt(std::string_view spelt) const {
    if (!as_bytes_) return pieces_.find(spelt);
    std::string bytes;
    return bytes_of_letters(spelt, bytes) ? pieces_.find(bytes) : others_.find(spelt);
  }
  std::size_t longest() const { return pieces_.longest(); }
  // f(text as the model sees it, token) for each.
  template <class F>
  void for_each_piece(F f) const {
    pieces_.for_each(f);
  }

 private:
  struct place {
    std::size_t at = 0, length = 0;
    bool is_there = false;
  };
  bool as_bytes_ = false;
  std::size_t most_ = 65536;
  std::string letters_;
  std::vector<place> spellings_;
  piece_table pieces_, others_;
};

// Reads {"text": number}.
inline result<vocabulary> read_vocabulary(const json::value& v, bool as_bytes) {
  if (v.kind() != json::kind::object)
    return tokenizer_json_detail::damaged("ctlm: tokenizer.json: the model at byte {where} has no vocab", v);
  vocabulary words(as_bytes, v.members().size());
  std::string spelt;
  for (const json::member m : v.members()) {
    spelt.clear();
    m.key.decode([&](char c) { spelt += c; });
    if (const auto r = words.add(m.value, spelt); !r) return r.error();
  }
  return result<vocabulary>(static_cast<vocabulary&&>(words));
}

}}}  // namespace ctlm::model_detail
