// SPDX-License-Identifier: MIT
// ctlm: packs a model for firmware: its flash image, and a header with its type and the place where it is linked.
#pragma once

#include "../memory/out_of_memory.hpp"
#include "../model/flash_image.hpp"
#include "format_spelling.hpp"
#include "replace.hpp"

#include <charconv>
#include <limits>
#include <string_view>
#include <type_traits>

namespace ctlm { inline namespace CTLM_ABI {

/// Writes the flash image of a model's weights; an existing file is replaced at once, or stays.
template <class M>
result<void> write_image(const char* path, const typename M::const_weights& weights) {
  const auto bytes = weights.bytes();
  const image_header h = image_header_of<M>(weights);
  return replace_file(path, [&](int descriptor) -> result<void> {
    if (const auto r = write_exactly(descriptor, &h, sizeof h); !r) return r;
    return write_exactly(descriptor, bytes.data(), bytes.size());
  });
}

namespace pack_detail {

template <class T>
concept has_fields = requires(const T& t) {
  t.for_each_field([](const char*, auto) {});
};

/// A value as C++ spells it: read back, it is the same to the bit. It must be finite.
template <class T>
std::string literal(T value) {
  char digits[32];
  char* const end = digits + sizeof digits;
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    constexpr int precision = std::numeric_limits<T>::max_digits10;
    std::string spelt(digits, std::to_chars(digits, end, value, std::chars_format::general, precision).ptr);
    if (spelt.find_first_of(".e") == std::string::npos) spelt += ".0";
    return std::is_same_v<T, float> ? spelt + 'f' : spelt;
  } else {
    return std::string(digits, std::to_chars(digits, end, value).ptr);
  }
}

template <class Config>
std::string fields_of(const Config& config) {
  std::string text;
  config.for_each_field([&](const char* name, auto value) {
    std::string spelt;
    if constexpr (has_fields<decltype(value)>)
      spelt.append("{").append(fields_of(value)).append("}");
    else if constexpr (std::is_same_v<decltype(value), rope_kind>)
      spelt.append("ctlm::rope_kind(").append(std::to_string(static_cast<int>(value))).append(")");
    else
      spelt = literal(value);
    for (const char* part : {"\n      .", name, " = ", spelt.c_str(), ","}) text += part;
  });
  return text;
}

/// Infinity and NaN have no literals.
template <class Config>
result<void> check_fields(const Config& config) {
  failure f;
  config.for_each_field([&](const char* name, auto value) {
    if constexpr (has_fields<decltype(value)>)
      if (const auto inner = check_fields(value); !inner) f = inner.error();
    if constexpr (std::is_floating_point_v<decltype(value)>)
      if (!(value - value == 0))
        f = {errc::invalid_argument, "ctlm: config.{name} is not a finite number and cannot be written", 0, 0, 0, name};
  });
  return f;
}

/// Words that are no names in C++20 (or are macros of some compilers), and names that are taken.
inline constexpr const char* reserved_words[] = {"alignas",   "alignof",      "and",           "and_eq",
                                                 "asm",       "auto",         "bitand",        "bitor",
                                                 "bool",      "break",        "case",          "catch",
                                                 "char",      "char16_t",     "char32_t",      "char8_t",
                                                 "class",     "co_await",     "co_return",     "co_yield",
                                                 "compl",     "concept",      "const",         "const_cast",
                                                 "consteval", "constexpr",    "constinit",     "continue",
                                                 "ctlm",      "decltype",     "default",       "delete",
                                                 "do",        "double",       "dynamic_cast",  "else",
                                                 "enum",      "explicit",     "export",        "extern",
                                                 "false",     "float",        "for",           "friend",
                                                 "goto",      "if",           "import",        "inline",
                                                 "int",       "linux",        "long",          "main",
                                                 "module",    "mutable",      "namespace",     "new",
                                                 "noexcept",  "not",          "not_eq",        "nullptr",
                                                 "operator",  "or",           "or_eq",         "private",
                                                 "protected", "public",       "register",      "reinterpret_cast",
                                                 "requires",  "return",       "short",         "signed",
                                                 "sizeof",    "static",       "static_assert", "static_cast",
                                                 "std",       "struct",       "switch",        "template",
                                                 "this",      "thread_local", "throw",         "true",
                                                 "try",       "typedef",      "typeid",        "typename",
                                                 "union",     "unix",         "unsigned",      "using",
                                                 "virtual",   "void",         "volatile",      "wchar_t",
                                                 "while",     "xor",          "xor_eq"};

/// Can a namespace be called so?
inline result<void> check_name(std::string_view name) {
  if (name.empty()) return failure{errc::invalid_argument, "ctlm: a packed model needs a name"};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool digit = c >= '0' && c <= '9';
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (digit && i > 0)))
      return failure{errc::invalid_argument,
                     "ctlm: a packed model's name must be a C++ identifier: its character {where} must not be there",
                     i};
  }
  for (const char* word : reserved_words)
    if (name == word)
      return failure{errc::invalid_argument,
                     "ctlm: a packed model cannot be called {name}: C++ or ctlm uses that name",
                     0,
                     0,
                     0,
                     word};
  if (name[0] == '_' || name.find("__") != std::string_view::npos)
    return failure{errc::invalid_argument,
                   "ctlm: a packed model's name must not begin with _ or hold two in a row: C++ reserves such names",
                   name[0] == '_' ? 0 : name.find("__")};
  if (name.starts_with("std") && name.find_first_not_of("0123456789", 3) == std::string_view::npos)
    return failure{errc::invalid_argument, "ctlm: a packed model's name must not be std and a number: C++ reserves it"};
  return {};
}

}  // namespace pack_detail

/// Writes a header that a firmware includes: namespace `name` with the model's tag, `lm<slots...>` (the causal_lm with
/// the image's weight format) and `image()`, the bytes that ctlm_embed_model (cmake/embed_model.cmake) links.
/// A name that a namespace cannot have, and a config with a number that is not finite, are errc::invalid_argument.
template <class M>
result<void> write_model_header(const char* path, const std::string& name) {
  using namespace pack_detail;
  using config_type = std::remove_cvref_t<decltype(M::tag::config)>;
  static_assert(std::same_as<typename M::activation_policy, typename config_type::default_activation>,
                "ctlm: write_model_header knows the activation of the spec only");
  static_assert(std::same_as<typename M::norm, typename M::default_norm>,
                "ctlm: write_model_header knows the norm of the spec only");
  if (const auto r = check_name(name); !r) return r;
  if (const auto r = check_fields(M::tag::config); !r) return r;
  return or_out_of_memory("ctlm: there is not enough memory to write this header", [&] {
    const std::string symbol = "ctlm_image_" + name;
    std::string text;
    for (const std::string& part :
         {"// Written by ctlm: the model in " + name + ".ctlm.\n#pragma once\n\n",
          std::string("#if __has_include(<ctlm/ctlm.hpp>)\n#include <ctlm/ctlm.hpp>\n#else\n#include <ctlm.hpp>\n"
                      "#endif\n\n"),
          "extern \"C\" const std::byte " + symbol + "[];\nextern \"C\" const std::byte " + symbol + "_end[];\n\n",
          "namespace " + name + " {\n\nstruct tag {\n  static constexpr ctlm::" + config_type::name + " config{",
          fields_of(M::tag::config) +
              "\n  };\n};\n\n/// Further slots may be added: kv_cache<>, backend<>, threads<>...\n",
          "template <class... Slots>\nusing lm = ctlm::causal_lm<tag, ctlm::weights<" +
              format_spelling<typename M::weight_format>::spelt() + ">, Slots...>;\n\n",
          std::string("/// The flash image; ctlm::bind_image<lm<...>>(image()) makes weights of it.\n"),
          "inline ctlm::span<const std::byte> image() {\n  return {" + symbol + ", static_cast<std::size_t>(" + symbol +
              "_end - " + symbol + ")};\n}\n\n}  // namespace " + name + "\n"})
      text += part;
    return replace_file(path, text);
  });
}

}}  // namespace ctlm
