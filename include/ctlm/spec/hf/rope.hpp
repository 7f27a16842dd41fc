// SPDX-License-Identifier: MIT
// ctlm: rotary positions as a config.json says them: rope_theta and rope_scaling, or rope_parameters, which holds both
// (transformers 5). Where a file says a thing twice, what counts is what counts in transformers 5.24:
//
//   rope_scaling, unless it is null or {}                 over rope_parameters, all of it, its rope_theta too
//   rope_theta, partial_rotary_factor in that object      over the same keys of the file
//   original_max_position_embeddings of the file          over the same key in that object
#pragma once

#include "../rope_divisors.hpp"
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

/// Whose names of scalings: Phi-3 has LongRoPE alone, which its earlier files call su or yarn.
enum class names : bool { usual, of_phi3 };

constexpr rope_kind kind_of(reader& r, names whose) {
  const json::value type = type_of(r.root);
  if (!type || type.equals("default")) return rope_kind::plain;
  if (type.equals("longrope")) return rope_kind::longrope;
  if (whose == names::of_phi3 && (type.equals("su") || type.equals("yarn"))) return rope_kind::longrope;
  if (whose == names::usual) {
    if (type.equals("linear")) return rope_kind::linear;
    if (type.equals("dynamic")) return rope_kind::dynamic;
    if (type.equals("llama3")) return rope_kind::llama3;
    if (type.equals("yarn")) return rope_kind::yarn;
  }
  r.refuse("rope_type", type);
  return rope_kind::plain;
}

/// An object rope_scaling or rope_parameters; `positions` is max_position_embeddings, `original` that of the file's
/// original_max_position_embeddings which counts here, or 0.
constexpr rope_scaling read_object(reader& r, std::size_t positions, std::size_t original, names whose) {
  rope_scaling s;
  s.kind = kind_of(r, whose);
  if (s.kind == rope_kind::plain) return s;
  s.context = original > 0 ? original : r.integer("original_max_position_embeddings", positions);
  const bool derived = (s.kind == rope_kind::yarn || s.kind == rope_kind::longrope) && s.context > 0;
  s.factor = r.number("factor", derived ? static_cast<double>(positions) / static_cast<double>(s.context) : 1);
  if (!r.at("factor") && !derived) r.refuse("factor", "missing", problem::missing);
  if (s.kind == rope_kind::dynamic) s.context = positions;
  if (s.kind == rope_kind::llama3) {
    s.low = r.number("low_freq_factor", 1);
    s.high = r.number("high_freq_factor", 4);
  }
  if (s.kind == rope_kind::yarn) {
    s.fast = r.number("beta_fast", 32);
    s.slow = r.number("beta_slow", 1);
    s.attention = attention_factor(r, s.factor);
    r.only("truncate", true, true);
  }
  if (s.kind == rope_kind::longrope) {
    if (s.factor < 1) s.factor = 1;  // scores then stay as they are
    s.attention = r.number("attention_factor", 0);
    r.absent("short_mscale");
    r.absent("long_mscale");
  }
  return s;
}

/// Reads the angles that an object says; `theta` is the base where it says none.
constexpr void read_into(reader& outer, const json::value& object, std::size_t original, decoder_shape& s, double theta,
                         names whose) {
  reader r{object};
  s.position = position_kind::rope;
  s.rope_theta = r.number("rope_theta", theta);
  s = read_object(r, s.context, original, whose).applied_to(s);
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
                         r.number("rope_theta", theta), rope_detail::names::usual);
}

/// The same of Phi-3, whose original context is 4096 where the file does not say it; what its object says of that does
/// not count.
constexpr void read_phi3_rope(reader& r, decoder_shape& s) {
  rope_detail::read_into(r, rope_detail::parameters(r), r.integer("original_max_position_embeddings", 4096), s,
                         r.number("rope_theta", 10000), rope_detail::names::of_phi3);
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
  rope_detail::read_into(r, scaling ? scaling : full.root, 0, s, base, rope_detail::names::usual);
}

/// LongRoPE's divisors, of models that have it: one list for texts up to the original context, one for longer ones. The
/// shape's context, which is the longest text, decides; transformers decides anew for each length of a text.
constexpr void read_divisors(reader& r, decoder_shape& s, rope_divisors& divisors) {
  if (s.rope_scaling != rope_kind::longrope) return;
  reader inner{rope_detail::parameters(r)};
  const auto check = [&](const char* each) {
    const json::value list = inner.at(each);
    if (!list) inner.refuse(each, "missing", problem::missing);
    if (list.elements().size() != s.rotated() / 2 || s.rotated() / 2 > rope_divisors::most)
      inner.refuse(each, "must be half as many numbers as rotate");
  };
  check("short_factor");
  check("long_factor");
  divisors = {};
  const char* const key = s.context > s.rope_context ? "long_factor" : "short_factor";
  for (const json::value v : inner.at(key).elements()) {
    const auto n = v.as_number<float>();
    if (!n || !(*n > 0)) inner.refuse(key, v);
    if (divisors.count < rope_divisors::most) divisors.values[divisors.count++] = n ? *n : 1;
  }
  s.rope_divisors = divisors.hash();
  r.inherit(inner);
}

/// The share of a head that rotates.
constexpr void read_partial_rotation(reader& r, decoder_shape& s) {
  reader inner{rope_detail::parameters(r)};
  const double share = inner.number("partial_rotary_factor", r.number("partial_rotary_factor", 1));
  r.inherit(inner);
  if (!(share > 0 && share <= 1)) return r.refuse("partial_rotary_factor", "must be above 0 and at most 1");
  constexpr std::size_t most = std::size_t{1} << 20;  // the product is a whole number that double can hold
  if (s.head_dim > most) return r.refuse("head_dim", "too large");
  s.rotary_dim = static_cast<std::size_t>(share * static_cast<double>(s.head_dim));
}

}}}  // namespace ctlm::hf
