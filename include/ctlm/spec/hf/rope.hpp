// SPDX-License-Identifier: MIT
// ctlm: rotary positions as a config.json says them: rope_theta and rope_scaling, or rope_parameters, which holds both
// (transformers 5).
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

/// An object rope_scaling or rope_parameters; `positions` is max_position_embeddings.
constexpr rope_scaling read_object(reader& r, std::size_t positions) {
  const json::value type = r.at("rope_type") ? r.at("rope_type") : r.at("type");
  rope_scaling s;
  if (!type || type.equals("default")) return s;
  s.context = r.integer("original_max_position_embeddings", positions);
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

constexpr void read_into(reader& outer, const json::value& object, decoder_shape& s, double theta) {
  reader r{object};
  s.rope_theta = r.number("rope_theta", outer.number("rope_theta", theta));
  s = read_object(r, s.context).applied_to(s);
  if (r.found.what != problem::none && outer.found.what == problem::none) outer.found = r.found;
}

}  // namespace rope_detail

/// Fills the rotary fields of a shape, whose context is known. `theta` is the family's default.
constexpr void read_rope(reader& r, decoder_shape& s, double theta) {
  s.position = position_kind::rope;
  const json::value parameters = r.at("rope_parameters");
  const json::value full = parameters.find("full_attention");
  rope_detail::read_into(r, full ? full : parameters ? parameters : r.at("rope_scaling"), s, theta);
}

/// The share of a head that rotates.
constexpr void read_partial_rotation(reader& r, decoder_shape& s) {
  const json::value parameters = r.at("rope_parameters");
  reader inner{parameters};
  const double share = inner.number("partial_rotary_factor", r.number("partial_rotary_factor", 1));
  if (!(share > 0 && share <= 1)) return r.refuse("partial_rotary_factor", "must be above 0 and at most 1");
  s.rotary_dim = share == 1 ? 0 : static_cast<std::size_t>(share * static_cast<double>(s.head_dim));
}

}}}  // namespace ctlm::hf
