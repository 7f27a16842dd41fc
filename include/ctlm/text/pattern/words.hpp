// SPDX-License-Identifier: MIT
// ctlm: the reader of patterns on a computer, whose kinds are those of all characters of Unicode.
#pragma once

#include "../unicode.hpp"
#include "basic_reader.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

struct unicode_kinds {
  const unfolded* table = &categories();
  category_set operator()(std::uint32_t c) const { return kind_of(*table, c); }
  category_set of_ascii(char c) const { return table->ascii()[static_cast<unsigned char>(c)]; }
};
class reader : public basic_reader<unicode_kinds> {
 public:
  explicit reader(std::string_view text)
      : basic_reader<unicode_kinds>(span<const char>(text.data(), text.size()), unicode_kinds()) {}
};

}}}  // namespace ctlm::pattern_detail
