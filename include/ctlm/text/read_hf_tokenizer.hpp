// SPDX-License-Identifier: MIT
// ctlm: the tokenizer of a Hugging Face folder (tokenizer.json, tokenizer_config.json), for a GGUF file.
#pragma once

#include "../core/json.hpp"
#include "../io/gguf_tokenizer.hpp"
#include "../io/heap_keys.hpp"
#include "../memory/out_of_memory.hpp"
#include "pattern/own_words.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace hf_tokenizer_detail {

inline std::string text_of(const json::value& v) {
  std::string s;
  v.decode([&](char c) { s += c; });
  return s;
}
inline failure refused(const char* what, const json::value& v) {
  return {errc::unsupported, what, 0, 0, 0, remember(v.kind() == json::kind::string ? text_of(v) : "none")};
}

/// f(step) for each step that an object of this kind is made of: those of its list, or itself.
template <class F>
void for_each_step(const json::value& object, const char* list, F f) {
  if (object.kind() != json::kind::object) return;
  if (!object.find("type").equals("Sequence")) return f(object);
  for (const json::value step : object.find(list).elements()) for_each_step(step, list, f);
}
inline bool is_true(const json::value& v) {
  const auto b = v.as_bool();
  return b && *b;
}

/// A regular expression that cuts text into words, and what llama.cpp calls it.
struct known_cut {
  const char* expression;
  const char* pre;
};
inline constexpr known_cut known_cuts[] = {
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
     "\\s+(?!\\S)|\\s+",
     "smaug-bpe"},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
     "\\s+(?!\\S)|\\s+",
     "qwen2"},
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt-2"},
    {pattern_detail::own_words::written, "poro-chat"},  // the nearest one, as in to_gguf
};

/// How a tokenizer of pairs of bytes cuts text, by llama.cpp's name.
inline result<std::string> cut_of(const json::value& pre_tokenizer, bool ignores_merges) {
  std::string pre;
  failure problem{};
  bool digits = false, bytes = false;
  for_each_step(pre_tokenizer, "pretokenizers", [&](const json::value& step) {
    const json::value type = step.find("type");
    if (type.equals("Digits") && is_true(step.find("individual_digits"))) {
      digits = true;
    } else if (type.equals("ByteLevel") && !is_true(step.find("add_prefix_space"))) {
      bytes = true;
      const json::value cuts = step.find("use_regex");
      if (!cuts || is_true(cuts)) pre = "gpt-2";
    } else if (type.equals("Split")) {
      for (const known_cut& k : known_cuts)
        if (step.find("pattern").find("Regex").equals(k.expression)) pre = k.pre;
      if (pre.empty())
        problem = refused("ctlm: llama.cpp's name for a tokenizer that cuts text by {name} is not known",
                          step.find("pattern").find("Regex"));
    } else {
      problem = refused("ctlm: tokenizer.json has a pre_tokenizer that is not supported: {name}", type);
    }
  });
  if (problem.code != errc::ok) return problem;
  if (!bytes)
    return failure{errc::unsupported, "ctlm: tokenizer.json has neither tokens made of bytes nor bytes as a fallback"};
  if (digits && pre != "gpt-2")
    return failure{errc::unsupported, "ctlm: tokenizer.json cuts digits in a way that llama.cpp has no name for"};
  if (ignores_merges && pre != "smaug-bpe")
    return failure{errc::unsupported, "ctlm: tokenizer.json has ignore_merges where llama.cpp does not do so"};
  if (ignores_merges) return std::string("llama-bpe");
  return digits ? std::string("smollm") : pre;
}

/// Reads tokenizer.json.
class reader {
 public:
  explicit reader(gguf_tokenizer& to) : t(to) {}

  result<void> read(const json::value& root) {
    const json::value model = root.find("model");
    if (!model.find("type").equals("BPE"))
      return refused("ctlm: tokenizer.json is of another kind than BPE: {name}", model.find("type"));
    most_ = 2 * (model.find("vocab").members().size() + root.find("added_tokens").elements().size());
    if (const auto r = read_vocabulary(model.find("vocab")); !r) return r;
    const bool pieces = is_true(model.find("byte_fallback"));
    if (const auto r = pieces ? read_pieces(root) : read_bytes(root, is_true(model.find("ignore_merges"))); !r)
      return r;
    if (const auto r = read_merges(model.find("merges"), pieces); !r) return r;
    if (const auto r = read_added(root.find("added_tokens")); !r) return r;
    unknown = text_of(model.find("unk_token"));
    read_template(root.find("post_processor"));
    return {};
  }

  gguf_tokenizer& t;
  std::string unknown, first, last;  // spelt; `first` and `last` surround a text

 private:
  std::size_t most_ = 0;  // numbers are below: gaps may be no longer than what is there

  result<void> place(const json::value& number, std::string spelt, gguf_token kind) {
    const auto id = number.as_integer<std::size_t>();
    if (!id) return id.error();
    if (*id >= most_)
      return failure{
          errc::unsupported,
          "ctlm: tokenizer.json has a token of the number {had}, and so few others that {needed} would be too many", 0,
          most_, *id};
    while (t.tokens.size() <= *id) t.add({}, gguf_token::unused);
    t.tokens[*id] = static_cast<std::string&&>(spelt);
    t.kinds[*id] = kind;
    return {};
  }
  result<void> read_vocabulary(const json::value& vocabulary) {
    if (vocabulary.kind() != json::kind::object)
      return failure{errc::corrupt, "ctlm: tokenizer.json has no vocabulary (model.vocab)"};
    for (const json::member m : vocabulary.members())
      if (const auto r = place(m.value, text_of(m.key), gguf_token::normal); !r) return r;
    return {};
  }
  result<void> read_bytes(const json::value& root, bool ignores_merges) {
    failure problem{};
    for_each_step(root.find("normalizer"), "normalizers", [&](const json::value& step) {
      if (!step.find("type").equals("NFC"))  // which llama.cpp leaves out
        problem = refused("ctlm: tokenizer.json has a normalizer that llama.cpp has not: {name}", step.find("type"));
    });
    if (problem.code != errc::ok) return problem;
    const auto pre = cut_of(root.find("pre_tokenizer"), ignores_merges);
    if (!pre) return pre.error();
    t.model = "gpt2";
    t.pre = *pre;
    return {};
  }
  /// SentencePiece's way: spaces are letters, and what the vocabulary lacks is bytes.
  result<void> read_pieces(const json::value& root) {
    failure problem{};
    for_each_step(root.find("normalizer"), "normalizers", [&](const json::value& step) {
      const json::value type = step.find("type");
      if (type.equals("Prepend"))
        t.add_space_prefix = true;
      else if (!type.equals("Replace"))
        problem = refused("ctlm: tokenizer.json has a normalizer that llama.cpp has not: {name}", type);
    });
    for_each_step(root.find("pre_tokenizer"), "pretokenizers", [&](const json::value& step) {
      const json::value type = step.find("type");
      if (type.equals("Metaspace"))
        t.add_space_prefix = !step.find("prepend_scheme").equals("never");
      else if (!type.equals("Split"))
        problem = refused("ctlm: tokenizer.json has a pre_tokenizer that is not supported: {name}", type);
    });
    t.model = "llama";
    for (std::size_t i = 0; i < t.tokens.size(); ++i) {
      const std::string& s = t.tokens[i];
      if (s.size() == 6 && s.starts_with("<0x") && s.back() == '>') t.kinds[i] = gguf_token::byte;
    }
    return problem.code != errc::ok ? result<void>(problem) : result<void>();
  }
  /// A merge is "left right", or ["left", "right"].
  result<void> read_merges(const json::value& merges, bool pieces) {
    if (merges.kind() != json::kind::array)
      return failure{errc::corrupt, "ctlm: tokenizer.json has no merges (model.merges)"};
    for (const json::value m : merges.elements()) {
      std::string both = text_of(m);
      for (const json::value part : m.elements()) both.append(both.empty() ? "" : " ").append(text_of(part));
      t.merges.push_back(static_cast<std::string&&>(both));
    }
    if (pieces) score_pieces();
    return {};
  }
  /// The first merges become the highest scores; what no merge makes is never made.
  void score_pieces() {
    const auto name = [&](std::size_t i) { return std::string_view(t.tokens[i]); };
    gguf_detail::name_index index;
    index.build(t.tokens.size(), name);
    t.scores.assign(t.tokens.size(), -1e9f);
    for (std::size_t rank = t.merges.size(); rank > 0; --rank) {
      std::string& m = t.merges[rank - 1];
      m.erase(m.find(' ', 1) == std::string::npos ? m.size() : m.find(' ', 1), 1);
      const std::size_t made = index.find(m, name);
      if (made < t.tokens.size()) t.scores[made] = -static_cast<float>(rank);
    }
    t.merges.clear();
  }
  result<void> read_added(const json::value& added) {
    for (const json::value a : added.elements()) {
      const std::string spelt = text_of(a.find("content"));
      const bool special = is_true(a.find("special"));
      if (const auto r = place(a.find("id"), spelt, special ? gguf_token::control : gguf_token::user_defined); !r)
        return r;
    }
    t.scores.resize(t.model == "llama" ? t.tokens.size() : 0, -1e9f);
    for (std::size_t i = 0; i < t.tokens.size(); ++i)  // holes
      if (t.tokens[i].empty()) t.tokens[i].append("[PAD").append(std::to_string(i)).append("]");
    return {};
  }
  void read_template(const json::value& post_processor) {
    for_each_step(post_processor, "processors", [&](const json::value& step) {
      bool before = true;
      for (const json::value part : step.find("single").elements()) {
        const json::value special = part.find("SpecialToken").find("id");
        if (!special)
          before = false;
        else
          (before ? first : last) = text_of(special);
      }
    });
  }
};

/// The number of a token, or -1.
inline token number_of(const gguf_tokenizer& t, const std::string& spelt) {
  for (std::size_t i = 0; !spelt.empty() && i < t.tokens.size(); ++i)
    if (t.tokens[i] == spelt) return static_cast<token>(i);
  return -1;
}

/// A text of an open folder's file, or nothing where the file is not there.
inline result<std::string> optional_text(const std::string& path) {
  auto text = read_file(path.c_str());
  if (!text && text.error().code == errc::not_found) return std::string();
  return text;
}
inline result<json::value> parse(const std::string& text) {
  return json::parse(span<const char>(text), json::limits{}, heap_keys());
}

/// What tokenizer_config.json says.
inline void read_config(const json::value& config, gguf_tokenizer& t) {
  const auto special = [&](const char* key, token& number) {
    const json::value v = config.find(key);
    const token found = number_of(t, text_of(v.kind() == json::kind::object ? v.find("content") : v));
    if (found >= 0) number = found;
  };
  special("bos_token", t.bos);
  special("eos_token", t.eos);
  special("unk_token", t.unknown);
  special("pad_token", t.padding);
  const json::value conversation = config.find("chat_template");
  t.chat_template = text_of(conversation);
  for (const json::value v : conversation.elements())  // several, each with a name
    if (v.find("name").equals("default")) t.chat_template = text_of(v.find("template"));
}
/// The number under a key of config.json; the first, of a list.
inline void read_number(const json::value& config, const char* key, std::size_t tokens, token& number) {
  json::value v = config.find(key);
  if (v.kind() == json::kind::array)
    for (const json::value first : v.elements()) {
      v = first;
      break;
    }
  const auto n = v.as_integer<token>();
  if (number < 0 && n && *n >= 0 && static_cast<std::size_t>(*n) < tokens) number = *n;
}

inline result<gguf_tokenizer> read_folder(const std::string& folder) {
  gguf_tokenizer t;
  const auto text = read_file((folder + "/tokenizer.json").c_str());
  if (!text) return text.error();
  const auto root = parse(*text);
  if (!root) return root.error();
  reader r(t);
  if (const auto done = r.read(*root); !done) return done.error();
  for (const char* name : {"/tokenizer_config.json", "/generation_config.json", "/config.json"}) {
    const auto more = optional_text(folder + name);
    if (!more) return more.error();
    if (more->empty()) continue;
    const auto config = parse(*more);
    if (!config) return config.error();
    read_number(*config, "bos_token_id", t.tokens.size(), t.bos);
    read_number(*config, "eos_token_id", t.tokens.size(), t.eos);
    if (std::string_view(name) != "/tokenizer_config.json") continue;
    read_config(*config, t);
    for (const auto& [key, flag] : {std::pair("add_bos_token", &t.add_bos), std::pair("add_eos_token", &t.add_eos)})
      if (const auto b = config->find(key).as_bool()) *flag = *b;
  }
  if (t.bos < 0) t.bos = number_of(t, r.first);
  if (t.unknown < 0) t.unknown = number_of(t, r.unknown);
  if (t.unknown >= 0 && t.model == "llama") t.kinds[static_cast<std::size_t>(t.unknown)] = gguf_token::unknown;
  if (!r.first.empty() && number_of(t, r.first) == t.bos) t.add_bos = true;
  if (!r.last.empty() && number_of(t, r.last) == t.eos) t.add_eos = true;
  auto conversation = optional_text(folder + "/chat_template.jinja");
  if (!conversation) return conversation.error();
  if (!conversation->empty()) t.chat_template = static_cast<std::string&&>(*conversation);
  return result<gguf_tokenizer>(static_cast<gguf_tokenizer&&>(t));
}

}  // namespace hf_tokenizer_detail

/// The tokenizer of a Hugging Face folder, for save_gguf: pairs of bytes (GPT-2's way) or pieces with bytes as a
/// fallback (SentencePiece's), with the tokens that begin and end a text, and the chat template.
///
/// Errors: those of read_file and json::parse; errc::unsupported, for another kind of tokenizer or one that cuts text
/// in a way that llama.cpp has no name for, with what it says; corrupt, without vocabulary or merges; out_of_memory.
inline result<gguf_tokenizer> read_hf_tokenizer(const char* folder) {
  return or_out_of_memory("ctlm: there is not enough memory for this tokenizer",
                          [&] { return hf_tokenizer_detail::read_folder(folder); });
}

}}  // namespace ctlm
