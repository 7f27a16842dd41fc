// SPDX-License-Identifier: MIT
// ctlm: the bytes that letters stand for, as a text: what is no UTF-8 becomes U+FFFD.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct byte_level {
  static constexpr const char* type = "ByteLevel";
  static constexpr bool fuses = true;

  static result<byte_level> read(const json::value&) { return byte_level{}; }
  template <class F>
  void push(state& s, std::string_view token, F f) const {
    std::string bytes, text;
    if (!model_detail::bytes_of_letters(token, bytes)) bytes.assign(token);
    s.repair.push(bytes, text);
    if (!text.empty()) f(text);
  }
  template <class F>
  void finish(state& s, F f) const {
    std::string text;
    s.repair.finish(text);
    if (!text.empty()) f(text);
  }
};

}}}  // namespace ctlm::decoder_detail
