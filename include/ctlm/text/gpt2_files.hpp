// SPDX-License-Identifier: MIT
// ctlm: a tokenizer in two files, GPT-2's way: encoder.json (or vocab.json) and vocab.bpe (or merges.txt).
#pragma once

#include "hf_tokenizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace gpt2_files_detail {

// The lines of merges as a JSON list: without the comment that may stand first.
inline std::string list_of(std::string_view lines) {
  std::string list = "[";
  for (bool first = true; !lines.empty(); first = false) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (first && line.starts_with("#version"))) continue;
    list.append(list.size() > 1 ? ",\"" : "\"");
    for (const char c : line) {
      if (c == '"' || c == '\\') list += '\\';
      list += c;
    }
    list += '"';
  }
  return list += "]";
}

inline result<hf_tokenizer> load(const char* vocab, const char* merges) {
  const auto words = read_file(vocab);
  if (!words) return words.error();
  const auto lines = read_file(merges);
  if (!lines) return lines.error();
  const auto root = json::parse(span<const char>(words->data(), words->size()), {}, heap_keys());
  if (!root) return root.error();
  constexpr const char* end_of_text = "<|endoftext|>";
  const json::value end = root->find(end_of_text);
  std::string text =
      R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},)";
  if (end.kind() == json::kind::number)
    text.append(R"("added_tokens": [{"content": ")")
        .append(end_of_text)
        .append(R"(", "special": true, "id": )")
        .append(end.written().data(), end.written().size())
        .append("}],");
  text.append(R"("model": {"type": "BPE", "vocab": )").append(*words);
  text.append(R"(, "merges": )").append(list_of(*lines)).append("}}");
  return hf_tokenizer::parse(text);
}

}  // namespace gpt2_files_detail

/// The tokenizer that GPT-2 was published with: `vocab` is the JSON file with the number of each token, `merges` the
/// text file with a pair in each line, the first merge first. `<|endoftext|>`, if there is one, is a special token.
///
/// Errors: those of read_file and hf_tokenizer::parse.
inline result<hf_tokenizer> load_gpt2_tokenizer(const char* vocab, const char* merges) {
  return or_out_of_memory("ctlm: there is not enough memory for this tokenizer",
                          [&] { return gpt2_files_detail::load(vocab, merges); });
}

}}  // namespace ctlm
