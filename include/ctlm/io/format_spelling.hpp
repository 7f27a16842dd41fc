// SPDX-License-Identifier: MIT
// ctlm: formats of weights as C++ spells them, for headers that are written.
#pragma once

#include "../model/selectors.hpp"

#include <initializer_list>
#include <string>

namespace ctlm { inline namespace CTLM_ABI {

namespace spelling_detail {

inline std::string list_of(std::initializer_list<std::string> items) {
  std::string text;
  for (const std::string& item : items) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

/// A selector of keep<>.
template <class Where>
struct selector_spelling {
  static std::string spelt() {
    static_assert(
        requires { Where::name; },
        "ctlm: a selector of keep<> needs `static constexpr const char* name` to be written to a header");
    return Where::name;
  }
};
template <std::size_t... Layers>
struct selector_spelling<tensors::layers<Layers...>> {
  static std::string spelt() { return "ctlm::tensors::layers<" + list_of({std::to_string(Layers)...}) + ">"; }
};
template <class... Where>
struct selector_spelling<tensors::both<Where...>> {
  static std::string spelt() { return "ctlm::tensors::both<" + list_of({selector_spelling<Where>::spelt()...}) + ">"; }
};
template <tensor_id... Ids>
struct selector_spelling<tensors::of<Ids...>> {
  static std::string spelt() {
    return "ctlm::tensors::of<" + list_of({"ctlm::tensor_id(" + std::to_string(static_cast<unsigned>(Ids)) + ")" ...}) +
           ">";
  }
};

}  // namespace spelling_detail

/// What stands in weights<...> for the format F: `ctlm::int4<32>`, or a format and what is kept in others.
template <class F>
struct format_spelling {
  /// The words.
  static std::string spelt() {
    std::string text = std::string("ctlm::") + F::name;
    if constexpr (quantised_format<F>) {
      text += '<';
      text += F::group == per_channel ? "ctlm::per_channel" : std::to_string(F::group);
      text += F::compact ? ", ctlm::compact>" : F::has_min ? ", ctlm::asymmetric>" : ">";
    }
    return text;
  }
};
template <class F, class... Where>
struct format_spelling<keep<F, Where...>> {
  static std::string spelt() {
    using namespace spelling_detail;
    return "ctlm::keep<" + list_of({format_spelling<F>::spelt(), selector_spelling<Where>::spelt()...}) + ">";
  }
};
template <class F, class... Keeps>
struct format_spelling<mixed_formats<F, Keeps...>> {
  static std::string spelt() {
    return spelling_detail::list_of({format_spelling<F>::spelt(), format_spelling<Keeps>::spelt()...});
  }
};

}}  // namespace ctlm
