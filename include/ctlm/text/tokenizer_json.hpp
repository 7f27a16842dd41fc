// SPDX-License-Identifier: MIT
// ctlm: what the parts of a tokenizer.json have in common: how they are read, and how one that is not known is refused.
#pragma once

#include "../core/json.hpp"
#include "../io/remember.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI { namespace tokenizer_json_detail {

inline std::string text_of(const json::value& v) {
  std::string s;
  v.decode([&](char c) { s += c; });
  return s;
}
inline span<const char> bytes(std::string_view s) { return {s.data(), s.size()}; }

inline failure refused(const char* what, std::string_view name) {
  return {errc::unsupported, what, 0, 0, 0, remember(bytes(name))};
}
inline failure damaged(const char* what, const json::value& where) { return {errc::corrupt, what, where.where()}; }

// A flag; `otherwise` where the key is missing or null.
inline bool flag(const json::value& object, const char* key, bool otherwise) {
  const auto b = object.find(key).as_bool();
  return b ? *b : otherwise;
}
// A text; `otherwise` where there is none.
inline std::string string_or(const json::value& object, const char* key, const char* otherwise = "") {
  const json::value v = object.find(key);
  return v.kind() == json::kind::string ? text_of(v) : std::string(otherwise);
}

// Which part of the file is read, in the words of its refusals.
struct part {
  const char* list;     // the key of a Sequence's steps
  const char* name;     // of the part
  const char* missing;  // what is at byte {where} has no type
};

// The name by which a file asks for a step; none, of one that is part of other files alone.
template <class Step>
constexpr const char* name_of() {
  if constexpr (requires { Step::type; })
    return Step::type;
  else
    return nullptr;
}

// "ctlm: tokenizer.json: pre_tokenizer '{name}' is not known; known are A, B, Sequence", for as long as the program
// runs.
template <class... Steps>
const char* words_of_unknown(const part& p) {
  static const std::string words = [&] {
    std::string s = "ctlm: tokenizer.json: ";
    s.append(p.name).append(" '{name}' is not known; known are ");
    for (const char* name : {name_of<Steps>()...})
      if (name != nullptr) s.append(name).append(", ");
    return s.append("Sequence");
  }();
  return words.c_str();
}

template <class Step, class... Steps>
result<void> read_one(const json::value& v, std::string_view type, std::vector<std::variant<Steps...>>& steps) {
  if constexpr (name_of<Step>() != nullptr) {
    if (type != Step::type) return {};
    auto step = Step::read(v);
    if (!step) return step.error();
    steps.emplace_back(static_cast<Step&&>(*step));
  }
  return {};
}

// The steps that `v` is made of: none of null, those of a Sequence's list, or one. Steps::type are the known ones, and
// Steps::read(v) -> result<Step> reads one.
template <class... Steps>
result<void> read_steps(const json::value& v, const part& p, std::vector<std::variant<Steps...>>& steps) {
  if (!v || v.is_null()) return {};
  if (v.find("type").kind() != json::kind::string) return damaged(p.missing, v);
  const std::string type = text_of(v.find("type"));
  if (type == "Sequence") {
    for (const json::value step : v.find(p.list).elements())
      if (const auto r = read_steps(step, p, steps); !r) return r;
    return {};
  }
  result<void> done;
  const std::size_t before = steps.size();
  ((done && steps.size() == before ? void(done = read_one<Steps>(v, type, steps)) : void()), ...);
  if (done && steps.size() == before) return refused(words_of_unknown<Steps...>(p), type);
  return done;
}

}}}  // namespace ctlm::tokenizer_json_detail
