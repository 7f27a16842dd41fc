// SPDX-License-Identifier: MIT
// ctlm: the chat template of a model's files.
#pragma once

#include "../io/read_gguf_tokenizer.hpp"
#include "../text/chat/chat_template.hpp"
#include "stop_tokens.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace chat_detail {

/// What a model's files say of conversations: the template in Jinja, and what it asks of the tokenizer.
struct description {
  std::string jinja;
  chat_tokens tokens;
};

inline std::string text_of(const json::value& v) {
  std::string s;
  v.decode([&](char c) { s += c; });
  return s;
}
/// "<s>", or {"content": "<s>"}.
inline std::string spelling_in(const json::value& config, const char* key) {
  const json::value v = config.find(key), content = v.find("content");
  return text_of(content ? content : v);
}

inline result<description> describe_folder(const std::string& folder) {
  description d;
  stop_detail::json_file config(folder, "tokenizer_config.json"), map(folder, "special_tokens_map.json");
  for (stop_detail::json_file* file : {&config, &map}) {
    if (const auto r = file->read(); !r) return r.error();
    if (d.tokens.bos.empty()) d.tokens.bos = spelling_in(file->root(), "bos_token");
    if (d.tokens.eos.empty()) d.tokens.eos = spelling_in(file->root(), "eos_token");
  }
  const json::value conversation = config.root().find("chat_template");
  d.jinja = text_of(conversation);
  for (const json::value v : conversation.elements())  // several, each with a name
    if (v.find("name").equals("default")) d.jinja = text_of(v.find("template"));
  auto jinja = read_file((folder + "chat_template.jinja").c_str());
  if (!jinja && jinja.error().code != errc::not_found) return jinja.error();
  if (jinja) d.jinja = static_cast<std::string&&>(*jinja);
  return result<description>(static_cast<description&&>(d));
}
inline result<description> describe_gguf(const char* path) {
  const auto file = gguf_file::open(path);
  if (!file) return file.error();
  const auto t = read_gguf_tokenizer(file->metadata());
  if (!t) return t.error();
  const auto spelt = [&](token id) { return id < 0 ? std::string() : t->tokens[static_cast<std::size_t>(id)]; };
  return description{t->chat_template, {spelt(t->bos), spelt(t->eos)}};
}

}  // namespace chat_detail

/// The chat template of a model's folder (chat_template.jinja, or chat_template of tokenizer_config.json), of the
/// folder of a file in it, or of a GGUF file.
///
/// Errors: those of chat_template::of, gguf_file::open and read_gguf_tokenizer; of files that are no JSON, with the
/// name; out_of_memory.
inline result<chat_template> load_chat_template(const char* path) {
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<chat_template> {
    if (const auto r = file_detail::check_path(path); !r) return r.error();
    const auto d = std::string_view(path).ends_with(".gguf")
                       ? chat_detail::describe_gguf(path)
                       : chat_detail::describe_folder(stop_detail::folder_of(path));
    if (!d) return d.error();
    return chat_template::of(d->jinja, d->tokens);
  });
}

}}  // namespace ctlm
