// SPDX-License-Identifier: MIT
// ctlm: the tokens at which a model from Hugging Face ends a text.
#pragma once

#include "../io/file.hpp"
#include "../io/gguf.hpp"
#include "../io/heap_keys.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

namespace stop_detail {

/// The text of config.json in the folder, or beside the file, `path`; empty if there is none.
inline result<std::string> config_near(const std::string& path) {
  constexpr std::size_t most = std::size_t{16} << 20;
  const std::size_t slash = path.rfind('/');
  const std::string beside = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  for (const std::string& folder : {path, beside}) {
    auto text = read_file((folder + "/config.json").c_str(), most);
    if (text || text.error().code != errc::not_found) return text;
  }
  return std::string();
}

inline result<void> add_token(const json::value& id, std::vector<token>& to) {
  const auto n = id.as_integer<token>();
  if (!n) return n.error();
  to.push_back(*n);
  return {};
}

/// What the metadata of a GGUF file say.
inline result<std::vector<token>> of_gguf(const char* path) {
  const auto file = gguf_file::open(path);
  if (!file) return file.error();
  std::vector<token> tokens;
  const gguf_value* const v = file->metadata().find("tokenizer.ggml.eos_token_id");
  if (v == nullptr) return tokens;
  const auto n = v->as_integer();
  if (!n) return n.error();
  tokens.push_back(static_cast<token>(*n));
  return tokens;
}

}  // namespace stop_detail

/// eos_token_id of the config.json in a folder, or of the one beside a file: a number, or a list of them; of a GGUF
/// file, that of its tokenizer. None, if there is no config.json, or no such key.
///
/// Errors: those of read_file, json::parse and gguf_file::open; errc::corrupt or unsupported, with the byte in
/// config.json, for an id that is no token.
inline result<std::vector<token>> stop_tokens(const char* path) {
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<std::vector<token>> {
    if (const auto r = file_detail::check_path(path); !r) return r.error();
    if (std::string_view(path).ends_with(".gguf")) return stop_detail::of_gguf(path);
    const auto text = stop_detail::config_near(path);
    if (!text) return text.error();
    std::vector<token> tokens;
    if (text->empty()) return tokens;
    const auto config = json::parse(span<const char>(text->data(), text->size()), {}, heap_keys());
    if (!config) return config.error();
    const json::value ids = config->find("eos_token_id");
    if (!ids || ids.is_null()) return tokens;
    if (ids.kind() != json::kind::array) {
      const auto r = stop_detail::add_token(ids, tokens);
      return r ? result<std::vector<token>>(tokens) : r.error();
    }
    for (const json::value id : ids.elements())
      if (const auto r = stop_detail::add_token(id, tokens); !r) return r.error();
    return tokens;
  });
}

}}  // namespace ctlm
