// SPDX-License-Identifier: MIT
// ctlm: the bytes of all tokens, one behind the other: where bytes are all that a decoder joins, text is copied from
// here.
#pragma once

#include "../model/vocabulary.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

class byte_texts {
 public:
  // The next token's spelling: letters of bytes, or a text.
  void add(std::string_view spelling) {
    std::string bytes;
    bytes_.append(model_detail::bytes_of_letters(spelling, bytes) ? std::string_view(bytes) : spelling);
    ends_.push_back(bytes_.size());
  }
  bool empty() const { return ends_.empty(); }
  // Of a token that does not exist, none.
  std::string_view operator[](token t) const {
    const auto i = static_cast<std::size_t>(t);
    if (t < 0 || i >= ends_.size()) return {};
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {bytes_.data() + begin, ends_[i] - begin};
  }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

}}}  // namespace ctlm::decoder_detail
