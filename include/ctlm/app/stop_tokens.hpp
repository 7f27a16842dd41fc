// SPDX-License-Identifier: MIT
// ctlm: the tokens at which a model from Hugging Face ends a text.
#pragma once

#include "../io/file.hpp"
#include "../io/gguf.hpp"
#include "../io/heap_keys.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

namespace ctlm { inline namespace CTLM_ABI {

namespace stop_detail {

/// The folder in which the files of the model lie: `path`, or that of the file `path`. It ends in a slash.
inline std::string folder_of(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode)) return path + "/";
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

/// A JSON file of a folder.
class json_file {
 public:
  /// `name` must outlive failures. A file that is not there has no keys.
  json_file(const std::string& folder, const char* name) : path_(folder + name), name_(name) {}

  /// Errors: those of read_file and json::parse, with the file's name.
  result<void> read() {
    constexpr std::size_t most = std::size_t{16} << 20;
    auto text = read_file(path_.c_str(), most);
    if (!text) return text.error().code == errc::not_found ? result<void>() : text.error();
    text_ = static_cast<std::string&&>(*text);
    const auto parsed = json::parse(span<const char>(text_.data(), text_.size()), {}, heap_keys());
    if (!parsed) {
      const failure& f = parsed.error();
      return failure{f.code, "ctlm: {name} is no JSON, or none that is read, from byte {where} on", f.where, 0, 0,
                     name_};
    }
    root_ = *parsed;
    return {};
  }
  const json::value& root() const { return root_; }
  failure wrong(errc code, const char* what, const json::value& where) const {
    return {code, what, where.where(), 0, 0, name_};
  }

 private:
  std::string path_, text_;
  const char* name_;
  json::value root_;
};

inline void add(std::vector<token>& tokens, token t) {
  if (std::find(tokens.begin(), tokens.end(), t) == tokens.end()) tokens.push_back(t);
}
inline result<void> add_id(const json_file& file, const json::value& id, std::vector<token>& to) {
  const auto n = id.as_integer<token>();
  if (!n)
    return file.wrong(n.error().code,
                      "ctlm: eos_token_id of {name} is neither a token nor a list of tokens (byte {where})", id);
  add(to, *n);
  return {};
}

/// Its eos_token_id: a number, a list of them, or null.
inline result<void> add_ids(json_file& file, std::vector<token>& to) {
  if (const auto r = file.read(); !r) return r;
  const json::value ids = file.root().find("eos_token_id");
  if (!ids || ids.is_null()) return {};
  if (ids.kind() != json::kind::array) return add_id(file, ids, to);
  for (const json::value id : ids.elements())
    if (const auto r = add_id(file, id, to); !r) return r;
  return {};
}

/// The number of a tokenizer's eos_token, where the file has a table of such tokens.
inline result<void> add_id_of_text(json_file& file, std::vector<token>& to) {
  if (const auto r = file.read(); !r) return r;
  const json::value eos = file.root().find("eos_token"), written = eos.find("content");
  std::string wanted;
  (written ? written : eos).decode([&](char c) { wanted += c; });
  for (const auto [key, added] : file.root().find("added_tokens_decoder").members()) {
    if (wanted.empty() || !added.find("content").equals(span<const char>(wanted))) continue;
    std::string digits;
    key.decode([&](char c) { digits += c; });
    token id = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (end.ec != std::errc() || end.ptr != digits.data() + digits.size())
      return file.wrong(errc::corrupt, "ctlm: added_tokens_decoder of {name} has a key that is no token (byte {where})",
                        key);
    add(to, id);
  }
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

/// The tokens at which the model in a folder, or of the file `path`, ends a text: `eos_token_id` of config.json and of
/// generation_config.json, each a number or a list; and `eos_token` of tokenizer_config.json, if that file has a number
/// for it (added_tokens_decoder). Each once, in this order; a file or a key that is not there adds none. Of a GGUF
/// file, that of its tokenizer.
///
/// Errors: those of read_file, json::parse and gguf_file::open; errc::corrupt or unsupported for an id that is no
/// token. failure::name is the file's, `where` the byte in it.
inline result<std::vector<token>> stop_tokens(const char* path) {
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<std::vector<token>> {
    using namespace stop_detail;
    if (const auto r = file_detail::check_path(path); !r) return r.error();
    if (std::string_view(path).ends_with(".gguf")) return of_gguf(path);
    const std::string folder = folder_of(path);
    json_file model(folder, "config.json"), generation(folder, "generation_config.json");
    json_file tokenizer(folder, "tokenizer_config.json");
    std::vector<token> tokens;
    if (const auto r = add_ids(model, tokens); !r) return r.error();
    if (const auto r = add_ids(generation, tokens); !r) return r.error();
    if (const auto r = add_id_of_text(tokenizer, tokens); !r) return r.error();
    return tokens;
  });
}

}}  // namespace ctlm
