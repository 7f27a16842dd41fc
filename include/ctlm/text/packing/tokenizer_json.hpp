// SPDX-License-Identifier: MIT
// ctlm: the tables of a tokenizer.json for flash. What they cannot say is refused by its name.
#pragma once

#include "../hf_tokenizer.hpp"
#include "tables.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace packing_detail {

using tokenizer_json_detail::flag;
using tokenizer_json_detail::refused;
using tokenizer_json_detail::text_of;

inline bool is_nothing(const json::value& v) { return !v || v.is_null(); }

class json_packer {
 public:
  json_packer(const json::value& root, const hf_tokenizer& t) : root_(root), from_(t) {}

  result<tables> pack() {
    for (const auto r : {check_parts(), read_steps(root_.find("pre_tokenizer")), read_tokens(), read_letters(),
                         read_merges(), read_added()})
      if (!r) return r.error();
    if (!ends_with_bytes_)
      return failure{errc::unsupported,
                     "ctlm: a tokenizer.json goes into flash if its pre_tokenizer ends with ByteLevel"};
    to_.before = from_.tokens_before();
    to_.behind = from_.tokens_after();
    return result<tables>(static_cast<tables&&>(to_));
  }

 private:
  result<void> check_parts() const {
    const json::value normalizer = root_.find("normalizer"), decoder = root_.find("decoder"),
                      model = root_.find("model");
    if (!is_nothing(normalizer))
      return refused("ctlm: a tokenizer in flash has no normalizer, and this one has {name}",
                     text_of(normalizer.find("type")));
    if (!decoder.find("type").equals("ByteLevel"))
      return refused("ctlm: a tokenizer.json goes into flash if its decoder is ByteLevel, and this one has '{name}'",
                     text_of(decoder.find("type")));
    if (!is_nothing(model.find("type")) && !model.find("type").equals("BPE"))
      return refused("ctlm: a tokenizer.json goes into flash if its model is BPE, and this one is {name}",
                     text_of(model.find("type")));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (!text_of(model.find(key)).empty())
        return failure{errc::unsupported, "ctlm: a tokenizer in flash has no {name}", 0, 0, 0, key};
    return {};
  }

  result<void> read_steps(const json::value& v) {
    if (is_nothing(v)) return {};
    const json::value type = v.find("type");
    if (type.equals("Sequence")) {
      for (const json::value step : v.find("pretokenizers").elements())
        if (const auto r = read_steps(step); !r) return r;
      return {};
    }
    if (type.equals("ByteLevel")) {
      ends_with_bytes_ = true;
      if (flag(v, "add_prefix_space", true))
        return failure{errc::unsupported, "ctlm: a tokenizer in flash puts no space before words (add_prefix_space)"};
      return flag(v, "use_regex", true) ? add(flash_step::gpt2) : result<void>();
    }
    if (type.equals("Digits"))
      return add(flag(v, "individual_digits", false) ? flash_step::numbers : flash_step::number_runs);
    if (!type.equals("Split"))
      return refused("ctlm: a tokenizer in flash has no pre_tokenizer {name}; it has Split, Digits and ByteLevel",
                     text_of(type));
    const json::value how = v.find("behavior");
    const bool inverted = flag(v, "invert", false);
    const flash_step step = step_of(v.find("pattern").find("Regex"));
    const bool is_all = step != flash_step::single_digits && step != flash_step::three_digits;
    if (step == flash_step::none)
      return refused("ctlm: a tokenizer in flash has no scanner for the pattern {name}", written(v.find("pattern")));
    if (!how.equals("Isolated") && !(how.equals("Removed") && inverted && is_all))
      return refused("ctlm: a tokenizer in flash cuts by patterns that are Isolated, and this one is {name}",
                     text_of(how));
    return add(step);
  }
  result<void> add(flash_step step) {
    to_.steps.push_back(step);
    if (to_.steps.size() <= flash_detail::most_steps) return {};
    return failure{errc::unsupported, "ctlm: a tokenizer in flash cuts words in at most {needed} steps", 0,
                   flash_detail::most_steps, to_.steps.size()};
  }
  static std::string written(const json::value& v) { return {v.written().data(), v.written().size()}; }
  static flash_step step_of(const json::value& regex) {
    using namespace pattern_detail;
    if (regex.equals(gpt2::written)) return flash_step::gpt2;
    if (regex.equals(llama3::written)) return flash_step::llama3;
    if (regex.equals(qwen2::written)) return flash_step::qwen2;
    if (regex.equals(o200k::written)) return flash_step::o200k;
    if (regex.equals(single_digits::written)) return flash_step::single_digits;
    if (regex.equals(three_digits::written)) return flash_step::three_digits;
    return regex.equals(own_words::written) ? flash_step::own_words : flash_step::none;
  }

  result<void> read_tokens() {
    std::string bytes;
    for (std::size_t i = 0; i < from_.vocab(); ++i) {
      const auto t = static_cast<token>(i);
      const std::string_view spelt = from_.spelling(t);
      to_.texts.push_back(model_detail::bytes_of_letters(spelt, bytes) ? bytes : std::string(spelt));
      to_.marks.push_back(from_.is_special(t) ? flash_detail::is_special : 0);
    }
    if (!flag(root_.find("model"), "ignore_merges", false)) return {};
    for (const json::member m : root_.find("model").find("vocab").members()) {
      std::string spelt;
      m.key.decode([&](char c) { spelt += c; });
      if (const auto id = m.value.as_integer<token>(); id && model_detail::bytes_of_letters(spelt, bytes))
        to_.words[bytes] = *id;
    }
    return {};
  }
  // A byte without a token is the unk_token or, if there is none, nothing.
  result<void> read_letters() {
    const json::value model = root_.find("model");
    const token unknown = from_.find(text_of(model.find("unk_token")));
    for (std::size_t b = 0; b < 256; ++b) {
      const char c = static_cast<char>(static_cast<unsigned char>(b));
      const token t = from_.find(letters_of_bytes(std::string_view(&c, 1)));
      to_.letters.push_back(t < 0 ? unknown : t);
      if (t >= 0) continue;
      for (const char* key : {"byte_fallback", "fuse_unk"})
        if (flag(model, key, false) && (unknown >= 0 || key[0] == 'b'))
          return failure{errc::unsupported,
                         "ctlm: a tokenizer in flash that has no token for byte {where} has no {name}",
                         b,
                         0,
                         0,
                         key};
    }
    return {};
  }
  result<void> read_merges() {
    std::uint32_t rank = 0;
    for (const json::value m : root_.find("model").find("merges").elements()) {
      std::string parts[2];
      std::size_t n = 0;
      for (const json::value part : m.elements())
        if (n < 2) parts[n++] = text_of(part);
      if (m.kind() == json::kind::string) {
        const std::string both = text_of(m);
        const std::size_t space = std::min(both.find(' '), both.size());
        parts[0] = both.substr(0, space);
        parts[1] = both.substr(std::min(space + 1, both.size()));
      }
      const token made = from_.find(parts[0] + parts[1]);
      to_.merges[{from_.find(parts[0]), from_.find(parts[1])}] = {rank++, static_cast<std::uint32_t>(made)};
    }
    return {};
  }
  result<void> read_added() {
    bool in_raw = false, in_normalised = false;
    for (const json::value a : root_.find("added_tokens").elements()) {
      for (const char* key : {"single_word", "lstrip", "rstrip"})
        if (flag(a, key, false))
          return failure{errc::unsupported, "ctlm: a tokenizer in flash has no added tokens with {name}", 0, 0, 0, key};
      const std::string content = text_of(a.find("content"));
      if (content.empty()) continue;
      (flag(a, "normalized", false) ? in_normalised : in_raw) = true;
      to_.added.emplace_back(content, from_.find(content));
    }
    if (in_raw && in_normalised)
      return failure{errc::unsupported,
                     "ctlm: a tokenizer in flash has added tokens that are all normalized, or none of them"};
    return {};
  }

  const json::value root_;
  const hf_tokenizer& from_;
  bool ends_with_bytes_ = false;
  tables to_;
};

}}}  // namespace ctlm::packing_detail
