// SPDX-License-Identifier: MIT
// ctlm: whatever tokenizer there is under a path: which kind it is, its content says.
#pragma once

#include "../io/mapped_file.hpp"
#include "from_gguf.hpp"
#include "gpt2_files.hpp"
#include "llama2c_tokenizer.hpp"
#include "sentencepiece.hpp"
#include "tiktoken.hpp"
#include "to_gguf.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace load_tokenizer_detail {

inline bool is_folder(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}
inline bool is_file(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode);
}
// "folder/" of "folder/file".
inline std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}
inline const char* last_name(const std::string& path) {
  const std::string name = path.substr(folder_of(path).size());
  return remember(span<const char>(name.data(), name.size()));
}

// The two files of GPT-2, where both are in a folder.
inline bool find_gpt2_files(const std::string& folder, std::string& vocab, std::string& merges) {
  for (const auto& [words, pairs] : {std::pair("vocab.json", "merges.txt"), std::pair("encoder.json", "vocab.bpe")}) {
    vocab = folder + words;
    merges = folder + pairs;
    if (is_file(vocab) && is_file(merges)) return true;
  }
  return false;
}

// How many tokens a file of llama2.c has: the longest token's length, then a score, a length and bytes for each; 0
// where it is none.
inline std::size_t count_llama2c(std::string_view bytes) {
  const auto number = [&](std::size_t at) {
    std::uint32_t n = 0;
    for (std::size_t i = 4; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
    return n;
  };
  if (bytes.size() < 4) return 0;
  const std::uint32_t longest = number(0);
  std::size_t n = 0;
  for (std::size_t at = 4; at < bytes.size(); ++n) {
    if (bytes.size() - at < 8) return 0;
    const std::uint32_t length = number(at + 4);
    if (length > longest || length > bytes.size() - at - 8) return 0;
    at += 8 + std::size_t{length};
  }
  return n;
}

// The encoding of tiktoken that a file has, by its name or by how many tokens it has; empty where neither says so.
inline std::string_view encoding_of(const std::string& path, std::string_view text) {
  const std::string name = path.substr(folder_of(path).size());
  for (const tiktoken_detail::encoding& e : tiktoken_detail::encodings)
    if (name == std::string(e.name).append(".tiktoken")) return e.name;
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
                     (text.ends_with('\n') || text.empty() ? 0u : 1u);
  for (const tiktoken_detail::encoding& e : tiktoken_detail::encodings)
    if (lines == e.ranks) return e.name;
  return {};
}
// Whether the first line is a token of tiktoken.
inline bool is_tiktoken(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::size_t space = line.find(' ');
  std::string bytes;
  return space != 0 && space < line.size() && line.size() < 4096 &&
         tiktoken_detail::from_base64(line.substr(0, space), bytes) && line.substr(space + 1, 1) >= "0" &&
         line.substr(space + 1, 1) <= "9";
}

inline result<hf_tokenizer> load_json(const std::string& path, std::string_view text) {
  const auto root = json::parse(span<const char>(text.data(), text.size()), {}, heap_keys());
  if (!root) return root.error();
  if (root->find("model").kind() == json::kind::object) return hf_tokenizer::parse(text);
  std::string vocab, merges;
  if (find_gpt2_files(folder_of(path), vocab, merges) && vocab == path)
    return load_gpt2_tokenizer(vocab.c_str(), merges.c_str());
  return failure{
      errc::unsupported,
      "ctlm: {name} is JSON and no tokenizer: it has no model, and is no vocab.json with a merges.txt, nor an "
      "encoder.json with a vocab.bpe, beside it",
      0,
      0,
      0,
      last_name(path)};
}

inline result<hf_tokenizer> load_llama2c(const std::string& path, std::size_t n) {
  const auto t = llama2c_tokenizer::load(path.c_str(), n);
  if (!t) return t.error();
  return from_gguf(to_gguf(*t));
}

inline result<hf_tokenizer> load_file(const std::string& path, control_symbols controls) {
  const auto file = mapped_file::open(path.c_str());
  if (!file) return file.error();
  const std::string_view bytes(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  if (bytes.starts_with("GGUF")) return load_gguf_tokenizer(path.c_str());
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '{') return load_json(path, bytes);
  if (is_tiktoken(bytes)) {
    const std::string_view name = encoding_of(path, bytes);
    if (!name.empty()) return parse_tiktoken(bytes, name);
    return failure{errc::unsupported,
                   "ctlm: {name} is a file of tiktoken, and neither its name nor the number of its tokens says which "
                   "encoding: load_tiktoken(path, \"cl100k_base\") does",
                   0,
                   0,
                   0,
                   last_name(path)};
  }
  std::string vocab, merges;
  if (find_gpt2_files(folder_of(path), vocab, merges) && merges == path)
    return load_gpt2_tokenizer(vocab.c_str(), merges.c_str());
  if (const std::size_t n = count_llama2c(bytes); n > 0) return load_llama2c(path, n);
  if (bytes.starts_with('\n')) return parse_sentencepiece(bytes, controls);  // a message that begins with a piece
  return failure{errc::unsupported,
                 "ctlm: {name} is no tokenizer that is known: neither a tokenizer.json, a GGUF file, a model of "
                 "SentencePiece, a file of tiktoken or of llama2.c, nor one of GPT-2's two files",
                 0,
                 0,
                 0,
                 last_name(path)};
}

inline result<hf_tokenizer> load_folder(const std::string& folder, control_symbols controls) {
  for (const char* name : {"tokenizer.json", "tokenizer.model"})
    if (is_file(folder + name)) return load_file(folder + name, controls);
  std::string vocab, merges;
  if (find_gpt2_files(folder, vocab, merges)) return load_gpt2_tokenizer(vocab.c_str(), merges.c_str());
  return failure{
      errc::not_found,
      "ctlm: the folder {name} has no tokenizer: neither a tokenizer.json, a tokenizer.model, a vocab.json with "
      "a merges.txt, nor an encoder.json with a vocab.bpe",
      0,
      0,
      0,
      remember(span<const char>(folder.data(), folder.size()))};
}

}  // namespace load_tokenizer_detail

/// The tokenizer under a path: a folder from Hugging Face, or a file: tokenizer.json; GGUF; a `.model` of
/// SentencePiece;
/// `.tiktoken` with a known name, or as many tokens as a known encoding; one of GPT-2's two files, with the other
/// beside it; llama2.c's `.bin`. Of the weights of a folder (`.safetensors` or its index) it is the folder's. Content
/// decides, not the name. `controls` is for SentencePiece.
///
/// Errors: those of the kind's own loader; errc::unsupported and not_found, with the name and what was looked for.
inline result<hf_tokenizer> load_tokenizer(const char* path, control_symbols controls = control_symbols::ignored) {
  return or_failure(tokenizer_detail::no_memory, [&]() -> result<hf_tokenizer> {
    using namespace load_tokenizer_detail;
    const std::string p = path;
    if (is_folder(p)) return load_folder(p.ends_with('/') ? p : p + "/", controls);
    const bool is_weights = p.ends_with(".safetensors") || p.ends_with(".safetensors.index.json");
    if (is_weights && is_file(p)) return load_folder(folder_of(p).empty() ? "./" : folder_of(p), controls);
    return load_file(p, controls);
  });
}

}}  // namespace ctlm
