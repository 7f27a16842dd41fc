// SPDX-License-Identifier: MIT
// ctlm: many texts looked for at once, in a tree of their bytes.
#pragma once

#include "model/piece_table.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace finder_detail {

// Some texts, of which the longest is found at every place.
class finder {
 public:
  void add(std::string_view text, std::uint32_t which) {
    if (text.empty()) return;
    begins_[static_cast<unsigned char>(text[0])] = true;
    token node = 0;
    for (const char c : text) {
      const auto byte = static_cast<token>(static_cast<unsigned char>(c));
      token next = children_.find(node, byte).made;
      if (next < 0) {
        next = static_cast<token>(ends_.size());
        ends_.push_back(none);
        children_.set(node, byte, 0, next);
      }
      node = next;
    }
    ends_[static_cast<std::size_t>(node)] = which;
  }
  bool empty() const { return ends_.size() == 1; }

  static constexpr std::uint32_t none = ~std::uint32_t{0};

  struct match {
    std::size_t begin, end;
    std::uint32_t which;
  };
  // The first match from `from` on, the longest of those that begin there; begins at the end if there is none.
  match next(std::string_view text, std::size_t from) const {
    for (std::size_t i = from; i < text.size(); ++i) {
      if (!begins_[static_cast<unsigned char>(text[i])]) continue;
      if (const match m = at(text, i); m.which != none) return m;
    }
    return {text.size(), text.size(), none};
  }
  // The longest that begins at i; which is `none` if there is none.
  match at(std::string_view text, std::size_t i) const {
    match m{i, i, none};
    token node = 0;
    for (std::size_t end = i; end < text.size();) {
      node = children_.find(node, static_cast<token>(static_cast<unsigned char>(text[end]))).made;
      if (node < 0) break;
      ++end;
      if (ends_[static_cast<std::size_t>(node)] != none) m = {i, end, ends_[static_cast<std::size_t>(node)]};
    }
    return m;
  }

 private:
  bool begins_[256]{};
  model_detail::pair_table children_;
  std::vector<std::uint32_t> ends_{none};
};

}}}  // namespace ctlm::finder_detail
