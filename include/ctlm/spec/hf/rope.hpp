// SPDX-License-Identifier: MIT
// ctlm: rotary positions as a config.json says them: rope_theta and rope_scaling, or rope_parameters, which holds both
// (transformers 5). Where a file says a thing twice, what counts is what counts in transformers 5.24:
//
//   rope_scaling, unless it is null or {}                 over rope_parameters, all of it, its rope_theta too
//   rope_theta, partial_rotary_factor in that object      over the same keys of the file
//   original_max_position_embeddings of the file          over the same key in that object
#pragma once

#include "reader.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace hf {

namespace rope_detail {

/// YaRN's factor of cosines and sines, where a file gives it by DeepSeek's two numbers.
constexpr double scale_of(double factor, double m) { return factor <= 1 ? 1 : 0.1 * m * math::log(factor) + 1; }

constexpr double attention_factor(reader& r, double factor) {
  const double m = r.number("mscale", 0), all = r.number("mscale_all_dim", 0);
  if (!r.at("attention_factor") && m > 0 && all > 0) return scale_of(factor, m) / scale_of(factor, all);
  return r.number("attention_factor", 0);
}

/// Earlier files call it `type`.
constexpr json::value type_of(const json::value& object) {
  const reader r{object};
  return r.at("rope_type") ? r.at("rope_type") : r.at("type");
}

/// An object rope_scaling or rope_parameters; `positions` is max_position_embeddings, `original` that of the file's
/// original_max_position_embeddings which counts here, or 0.
constexpr rope_scaling read_object(reader& r, std::size_t positions, std::size_t original) {
  const json::value type = type_of(r.root);
  rope_scaling s;
  if (!type || type.equals("default")) return s;
  s.context = original > 0 ? original : r.integer("original_max_position_embeddings", positions);
  const bool derived = type.equals("yarn") && s.context > 0;
  s.factor = r.number("factor", derived ? static_cast<double>(positions) / static_cast<double>(s.context) : 1);
  if (!r.at("factor") && !derived) r.refuse("factor", "missing", problem::missing);
  if (type.equals("linear")) {
    s.kind = rope_kind::linear;
  } else if (type.equals("dynamic")) {
    s.kind = rope_kind::dynamic;
    s.context = positions;
  } else if (type.equals("llama3")) {
    s.kind = rope_kind::llama3;
    s.low = r.number("low_freq_factor", 1);
    s.high = r.number("high_freq_factor", 4);
  } else if (type.equals("yarn")) {
    s.kind = rope_kind::yarn;
    s.fast = r.number("beta_fast", 32);
    s.slow = r.number("beta_slow", 1);
    s.attention = attention_factor(r, s.factor);
    r.only("truncate", true, true);
  } else {
    r.refuse("rope_type", type);
  }
  return s;
}

/// Reads the angles that an object says; `theta` is the base where it says none.
constexpr void read_into(reader& outer, const json::value& object, std::size_t original, decoder_shape& s,
                         double theta) {
  reader r{object};
  s.position = position_kind::rope;
  s.rope_theta = r.number("rope_theta", theta);
  s = read_object(r, s.context, original).applied_to(s);
  outer.inherit(r);
}

constexpr bool is_for_layers(const json::value& parameters) {
  return parameters.find("full_attention") || parameters.find("sliding_attention");
}

/// The object that counts, of models whose layers all have the same angles.
constexpr json::value parameters(reader& r) {
  if (const json::value scaling = r.object("rope_scaling")) return scaling;
  const json::value all = r.object("rope_parameters");
  if (is_for_layers(all)) r.refuse("rope_parameters", all);
  return all;
}

}  // namespace rope_detail

/// Fills the rotary fields of a shape, whose context is known. `theta` is the family's default.
constexpr void read_rope(reader& r, decoder_shape& s, double theta) {
  rope_detail::read_into(r, rope_detail::parameters(r), r.integer("original_max_position_embeddings", 0), s,
                         r.number("rope_theta", theta));
}

/// The same of Gemma 3, whose rope_parameters has an object for each kind of layer. rope_scaling is added to that of
/// layers without a window; `theta` and `local` are the defaults of these and of the others.
constexpr void read_rope_of_layers(reader& r, decoder_shape& s, double theta, double local) {
  const json::value scaling = r.object("rope_scaling"), parameters = r.object("rope_parameters");
  if (parameters && !rope_detail::is_for_layers(parameters)) r.refuse("rope_parameters", parameters);
  reader layers{parameters};
  reader full{layers.object("full_attention")}, windowed{layers.object("sliding_attention")};
  const double base = full.number("rope_theta", r.number("rope_theta", theta));
  s.local_theta = windowed.number("rope_theta", r.number("rope_local_base_freq", local));
  r.inherit(layers);
  r.inherit(full);
  r.inherit(windowed);
  const auto scales = [](const reader& object) {
    return object.at("rope_type") && !object.at("rope_type").equals("default");
  };
  if (scales(windowed)) r.refuse("sliding_attention", windowed.root);
  // What transformers would mix, or pass over, is no model's.
  if (scaling && (scales(full) || !scaling.find("rope_type"))) r.refuse("rope_scaling", scaling);
  rope_detail::read_into(r, scaling ? scaling : full.root, 0, s, base);
}

/// The kind of scaling, as the file spells it.
constexpr json::value rope_type(reader& r) { return rope_detail::type_of(rope_detail::parameters(r)); }

/// The share of a head that rotates.
constexpr void read_partial_rotation(reader& r, decoder_shape& s) {
  reader inner{rope_detail::parameters(r)};
  const double share = inner.number("partial_rotary_factor", r.number("partial_rotary_factor", 1));
  r.inherit(inner);
  if (!(share > 0 && share <= 1)) return r.refuse("partial_rotary_factor", "must be above 0 and at most 1");
  constexpr std::size_t most = std::size_t{1} << 20;  // the product is a whole number that double can hold
  if (s.head_dim > most) return r.refuse("head_dim", "too large");
  s.rotary_dim = share == 1 ? 0 : static_cast<std::size_t>(share * static_cast<double>(s.head_dim));
}

}}}  // namespace ctlm::hf
