// SPDX-License-Identifier: MIT
// ctlm: any pattern, through PCRE2 where the program has it (CTLM_PCRE2=1, and -lpcre2-8); refused in words elsewhere.
#pragma once

#include "../../core/result.hpp"
#include "../../io/remember.hpp"

#include <memory>
#include <string>
#include <string_view>

#if CTLM_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#endif

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

// A pattern whose \s and \S are Unicode's white space: PCRE2's own has U+180E, too.
inline std::string with_white_space(std::string_view written) {
  constexpr const char* white =
      "\\t-\\r\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
  std::string s;
  bool in_class = false;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const char c = written[i], next = i + 1 < written.size() ? written[i + 1] : '\0';
    if (c == '\\' && (next == 's' || (next == 'S' && !in_class))) {
      s.append(in_class ? "" : next == 's' ? "[" : "[^").append(white).append(in_class ? "" : "]");
      ++i;
    } else if (c == '\\') {
      s.append(written, i, 2);
      ++i;
    } else {
      if (c == '[' || c == ']') in_class = c == '[';
      s += c;
    }
  }
  return s;
}

class regular_expression {
 public:
#if CTLM_PCRE2
  static result<regular_expression> make(const std::string& pattern) {
    const std::string written = with_white_space(pattern);
    int error = 0;
    PCRE2_SIZE where = 0;
    pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(written.data()), written.size(),
                                           PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                                           &error, &where, nullptr);
    if (code == nullptr)
      return failure{errc::unsupported,
                     "ctlm: PCRE2 does not understand the pattern {name} from its byte {where} on",
                     where,
                     0,
                     0,
                     remember(span<const char>(pattern.data(), pattern.size()))};
    regular_expression r;
    r.code_.reset(code, [](pcre2_code* c) { pcre2_code_free(c); });
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it matching is slower, and the same
    return result<regular_expression>(static_cast<regular_expression&&>(r));
  }

  // Raises errc::unsupported where the library gives up: a pattern that asks for too much on this text.
  template <class F>
  void for_each_match(std::string_view text, F f) const {
    const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
        pcre2_match_data_create_from_pattern(code_.get(), nullptr),
        [](pcre2_match_data* m) { pcre2_match_data_free(m); });
    check(match != nullptr, errc::out_of_memory, "ctlm: there is no memory for a regular expression");
    const PCRE2_SIZE* const found = pcre2_get_ovector_pointer(match.get());
    std::size_t behind = 0;
    for (std::size_t from = 0; from <= text.size();) {
      const int n = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, 0,
                                match.get(), nullptr);
      if (n == PCRE2_ERROR_NOMATCH) break;
      check(n > 0, errc::unsupported, "ctlm: PCRE2 gave up on a pattern: it asks for too much on this text");
      if (found[0] > behind) f(behind, static_cast<std::size_t>(found[0]), false);
      if (found[1] > found[0]) f(static_cast<std::size_t>(found[0]), static_cast<std::size_t>(found[1]), true);
      behind = found[1];
      from = found[1] > found[0] ? found[1] : next_character(text, found[1]);
    }
    if (behind < text.size()) f(behind, text.size(), false);
  }

 private:
  static std::size_t next_character(std::string_view text, std::size_t at) {
    for (++at; at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u;) ++at;
    return at;
  }
  std::shared_ptr<pcre2_code> code_;
#else
  static result<regular_expression> make(const std::string& written) {
    return failure{errc::unsupported,
                   "ctlm: the pattern {name} needs PCRE2, which this program was compiled without (CTLM_PCRE2=1)",
                   0,
                   0,
                   0,
                   remember(span<const char>(written.data(), written.size()))};
  }
  template <class F>
  void for_each_match(std::string_view, F) const {}
#endif
};

}}}  // namespace ctlm::pattern_detail
