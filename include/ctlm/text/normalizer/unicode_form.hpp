// SPDX-License-Identifier: MIT
// ctlm: the normal forms of Unicode, through utf8proc where the program has it (CTLM_UTF8PROC=1, and -lutf8proc). Texts
// that are in the form already need no library: ASCII in all of them; of NFC all that has no character which might
// change, and that is almost every text.
#pragma once

#include "../../core/result.hpp"
#include "step.hpp"

#if CTLM_UTF8PROC
#include <utf8proc.h>

#include <cstdlib>
#endif

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

enum class form : std::uint8_t { nfc, nfd, nfkc, nfkd };

// A text in UTF-8 in a form. Raises errc::unsupported without the library.
inline void append_in_form(std::string_view text, [[maybe_unused]] form f, [[maybe_unused]] std::string& to) {
  if (text.empty()) return;
#if CTLM_UTF8PROC
  const bool compatible = f == form::nfkc || f == form::nfkd, composed = f == form::nfc || f == form::nfkc;
  const int options =
      UTF8PROC_STABLE | (compatible ? UTF8PROC_COMPAT : 0) | (composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
  utf8proc_uint8_t* made = nullptr;
  const utf8proc_ssize_t n =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &made, static_cast<utf8proc_option_t>(options));
  check(n >= 0, errc::out_of_memory, "ctlm: utf8proc has no memory for a text");
  to.append(reinterpret_cast<const char*>(made), static_cast<std::size_t>(n));
  std::free(made);
#else
  raise({errc::unsupported,
         "ctlm: this text needs a normal form of Unicode, and so utf8proc, which this program was compiled without "
         "(CTLM_UTF8PROC=1)"});
#endif
}

// The same with any bytes: those that are no characters stay as they are, and nothing passes over them.
inline void append_any_in_form(std::string_view text, form f, std::string& to) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const character c = character_at(text, i);
    if (c.code == no_character) {
      append_in_form(text.substr(begin, i - begin), f, to);
      to += text[i];
      begin = i + 1;
    }
    i += c.length;
  }
  append_in_form(text.substr(begin), f, to);
}

// NFC: characters that cannot change and begin something new stay; only what lies between two of them is looked at.
inline std::string_view composed(std::string_view text, std::string& buffer) {
  constexpr std::size_t none = ~std::size_t{0};
  std::size_t kept = 0, sure = 0, changing = none;  // of `changing`: where what must be looked at begins
  buffer.clear();
  bool changed = false;
  for (std::size_t i = 0; i < text.size();) {
    const character c = character_at(text, i);
    if (c.code >= 0x300 && is_in(not_surely_composed, c.code)) {
      if (changing == none) changing = sure;
    } else {
      if (changing != none) {
        buffer.append(text, kept, changing - kept);
        append_any_in_form(text.substr(changing, i - changing), form::nfc, buffer);
        kept = i;
        changing = none;
        changed = true;
      }
      sure = i;
    }
    i += c.length;
  }
  if (changing != none) {
    buffer.append(text, kept, changing - kept);
    append_any_in_form(text.substr(changing), form::nfc, buffer);
    return buffer;
  }
  if (!changed) return text;
  return buffer.append(text, kept);
}

inline std::string_view in_form(std::string_view text, form f, std::string& buffer) {
  if (f == form::nfc) return composed(text, buffer);
  if (is_ascii(text)) return text;
  buffer.clear();
  append_any_in_form(text, f, buffer);
  return buffer;
}

template <form F>
struct unicode_form {
  static constexpr const char* type = F == form::nfc    ? "NFC"
                                      : F == form::nfd  ? "NFD"
                                      : F == form::nfkc ? "NFKC"
                                                        : "NFKD";

  static result<unicode_form> read(const json::value&) { return unicode_form{}; }
  std::string_view apply(std::string_view text, std::string& buffer) const { return in_form(text, F, buffer); }
};

}}}  // namespace ctlm::normalizer_detail
