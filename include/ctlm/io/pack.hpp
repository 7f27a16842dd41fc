// SPDX-License-Identifier: MIT
// ctlm: packs a model for firmware: its flash image, and a header with its type and the place where it is linked.
#pragma once

#include "../model/flash_image.hpp"
#include "replace.hpp"

#include <limits>
#include <sstream>
#include <type_traits>

namespace ctlm { inline namespace CTLM_ABI {

/// Writes the flash image of a model's weights; an existing file is replaced in one step, or stays.
template <class M>
result<void> write_image(const char* path, const typename M::const_weights& weights) {
  const auto bytes = weights.bytes();
  image_header h;
  h.model = weights_fingerprint<M>();
  h.weight_bytes = bytes.size();
  checksum sum;
  sum.add(bytes.data(), bytes.size());
  h.checksum = sum.value();
  return replace_file(path, [&](int descriptor) -> result<void> {
    if (const auto r = write_exactly(descriptor, &h, sizeof h); !r) return r;
    return write_exactly(descriptor, bytes.data(), bytes.size());
  });
}

namespace pack_detail {

template <class F>
std::string spelling_of() {
  std::string text = std::string("ctlm::") + F::name;
  if constexpr (quantised_format<F>) {
    text += '<';
    text += F::group == per_channel ? "ctlm::per_channel" : std::to_string(F::group);
    text += F::has_min ? ", ctlm::asymmetric>" : ">";
  }
  return text;
}

template <class T>
std::string literal(T value) {
  if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
  std::ostringstream text;
  text.precision(std::numeric_limits<T>::max_digits10);
  text << value;
  if constexpr (std::is_floating_point_v<T>) {
    if (text.str().find_first_of(".e") == std::string::npos) text << ".0";
    if (std::is_same_v<T, float>) text << 'f';
  }
  return text.str();
}

template <class Config>
std::string fields_of(const Config& config) {
  std::string text;
  config.for_each_field([&](const char* name, auto value) {
    const std::string spelt = literal(value);
    for (const char* part : {"\n      .", name, " = ", spelt.c_str(), ","}) text += part;
  });
  return text;
}

inline bool is_identifier(const std::string& name) {
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9'))) return false;
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9');
}

}  // namespace pack_detail

/// Writes a header that a firmware includes: namespace `name` with the model's tag, `lm<slots...>` (the causal_lm with
/// the image's weight format) and `image()`, the bytes that ctlm_embed_model (cmake/embed_model.cmake) links.
template <class M>
result<void> write_model_header(const char* path, const std::string& name) {
  using namespace pack_detail;
  using config_type = std::remove_cvref_t<decltype(M::tag::config)>;
  static_assert(std::same_as<typename M::activation_policy, typename config_type::default_activation>,
                "ctlm: write_model_header knows the activation of the spec only");
  if (!is_identifier(name))
    return failure{errc::invalid_argument, "ctlm: a packed model's name must be a C++ identifier"};
  const std::string symbol = "ctlm_image_" + name;
  std::ostringstream text;
  text << "// Written by ctlm: the model in " << name << ".ctlm.\n#pragma once\n\n"
       << "#if __has_include(<ctlm/ctlm.hpp>)\n#include <ctlm/ctlm.hpp>\n#else\n#include <ctlm.hpp>\n#endif\n\n"
       << "extern \"C\" const std::byte " << symbol << "[];\nextern \"C\" const std::byte " << symbol << "_end[];\n\n"
       << "namespace " << name << " {\n\nstruct tag {\n  static constexpr ctlm::" << config_type::name << " config{"
       << fields_of(M::tag::config)
       << "\n  };\n};\n\n/// Further slots may be added: kv_cache<>, arch<>, threads<>...\n"
       << "template <class... Slots>\nusing lm = ctlm::causal_lm<tag, ctlm::weights<"
       << spelling_of<typename M::weight_format>() << ">, Slots...>;\n\n"
       << "/// The flash image; ctlm::bind_image<lm<...>>(image()) makes weights of it.\n"
       << "inline ctlm::span<const std::byte> image() {\n  return {" << symbol << ", static_cast<std::size_t>("
       << symbol << "_end - " << symbol << ")};\n}\n\n}  // namespace " << name << "\n";
  return replace_file(path, text.str());
}

}}  // namespace ctlm
