// SPDX-License-Identifier: MIT
// ctlm: a tokenizer.json of Hugging Face, with the tokens of `tokenizers`.
//
// The file is a line of parts, and each has a folder here: added tokens are found, a normalizer changes the text
// between them, a pre_tokenizer cuts it into words, a model makes tokens of each, and a post_processor puts tokens
// around all; a decoder makes text of tokens.
#pragma once

#include "../io/file.hpp"
#include "../io/heap_keys.hpp"
#include "../memory/out_of_memory.hpp"
#include "added_tokens.hpp"
#include "decoder/byte_texts.hpp"
#include "decoder/decoder.hpp"
#include "model/model.hpp"
#include "normalizer/normalizer.hpp"
#include "post_processor.hpp"
#include "pre_tokenizer/pre_tokenizer.hpp"
#include "tokenizer.hpp"

#include <sys/stat.h>

namespace ctlm { inline namespace CTLM_ABI {

/// Tokens that are no part of a text: those that begin and end it, and the roles of a conversation.
enum class special_tokens : std::uint8_t {
  with,     ///< encode() puts them around a text; decode() writes them
  without,  ///< encode() puts none around a text, though those that the text spells are found; decode() leaves them out
};

namespace tokenizer_detail {

// What a tokenizer is made of.
struct parts {
  normalizer_detail::normalizer normalizer;
  pre_tokenizer_detail::pre_tokenizer pre_tokenizer;
  model_detail::model model;
  decoder_detail::decoder decoder;
  post_processor_detail::surroundings around;
  added_tokens_detail::added_tokens added;
};
inline constexpr const char* no_memory = "ctlm: there is not enough memory for this tokenizer";

}  // namespace tokenizer_detail

/// The tokenizer of a tokenizer.json. A tokenizer (text/tokenizer.hpp); several threads may use one at once.
class hf_tokenizer {
 public:
  /// One without tokens.
  hf_tokenizer() = default;
  /// One of these parts, which fit together: for readers of other files.
  explicit hf_tokenizer(tokenizer_detail::parts p) : parts_(static_cast<tokenizer_detail::parts&&>(p)) { prepare(); }

  /// Reads a tokenizer.json, or the one of a folder. A stored `truncation` or `padding` is not applied.
  ///
  /// Errors: those of read_file and json::parse; errc::unsupported, for a part that is not known, with its name and
  /// those of the known ones; corrupt, where the file contradicts itself, with the byte or the token; out_of_memory.
  static result<hf_tokenizer> load(const char* path) {
    return or_failure(no_memory, [&]() -> result<hf_tokenizer> {
      struct stat s {};
      std::string file = path;
      if (::stat(path, &s) == 0 && S_ISDIR(s.st_mode)) file += "/tokenizer.json";
      const auto text = read_file(file.c_str());
      if (!text) return text.error();
      return parse(*text);
    });
  }
  /// The same, of the text of such a file.
  static result<hf_tokenizer> parse(std::string_view text) {
    return or_failure(no_memory, [&]() -> result<hf_tokenizer> {
      const auto root = json::parse(span<const char>(text.data(), text.size()), {}, heap_keys());
      if (!root) return root.error();
      return read(*root);
    });
  }

  /// Number of tokens: all are below.
  std::size_t vocab() const { return larger(parts_.model.words().size(), parts_.added.size()); }

  /// The tokens of a text. Bytes that are no UTF-8 are bytes for a model of bytes, and unknown to others.
  ///
  /// Raises errc::unsupported, where the text needs a normal form of Unicode and the program has no utf8proc, or where
  /// PCRE2 gives up on it; corrupt, where it needs an unk_token and the file has none. Throws std::bad_alloc.
  std::vector<token> encode(std::string_view text, special_tokens around = special_tokens::with) const {
    std::vector<token> out;
    out.reserve(text.size() / 3 + 8);
    if (around == special_tokens::with) out = parts_.around.before;
    std::string buffers[2];
    parts_.added.cut(text, false, [&](std::size_t begin, std::size_t end, token t) {
      if (t >= 0) return out.push_back(t);
      encode_between(text.substr(begin, end - begin), begin == 0, buffers, out);
    });
    if (around == special_tokens::with) out.insert(out.end(), parts_.around.after.begin(), parts_.around.after.end());
    return out;
  }

  /// The text of tokens, in UTF-8. Tokens that do not exist add nothing.
  std::string decode(span<const token> tokens, special_tokens which = special_tokens::without) const {
    std::string text;
    if (!texts_.empty()) return decode_bytes(tokens, which, text), text;
    decoding d(*this, which);
    for (const token t : tokens) d.push(t, text);
    d.finish(text);
    return text;
  }

  /// Decodes token by token. What the pieces add up to is what decode() returns.
  class decoding {
   public:
    /// The tokenizer must outlive this.
    explicit decoding(const hf_tokenizer& t, special_tokens which = special_tokens::without)
        : tokenizer_(&t), memory_(t.parts_.decoder.begin()), which_(which) {}

    /// Appends what is certain of the text now: whole characters.
    void push(token t, std::string& out) {
      if (which_ == special_tokens::without && tokenizer_->is_special(t)) return;
      if (tokenizer_->has(t)) tokenizer_->parts_.decoder.push(memory_, tokenizer_->spelling(t), out);
    }
    /// Appends what was not certain before the end. Another text may begin then.
    void finish(std::string& out) {
      tokenizer_->parts_.decoder.finish(memory_, out);
      memory_ = tokenizer_->parts_.decoder.begin();
    }

   private:
    const hf_tokenizer* tokenizer_;
    decoder_detail::decoder::memory memory_;
    special_tokens which_;
  };

  /// The token that the file spells like this, `"<|im_end|>"` say, or -1.
  token find(std::string_view spelling) const {
    const auto* const added = parts_.added.find(spelling);
    return added != nullptr ? added->id : parts_.model.words().find_spelt(spelling);
  }
  /// How a token is spelt: as in the file, or normalised where an added token is; empty where there is none.
  std::string_view spelling(token t) const {
    const auto* const added = parts_.added.find(t);
    return added != nullptr ? std::string_view(added->spelling) : parts_.model.words().spelling(t);
  }
  /// Whether there is such a token: numbers below vocab() may have gaps.
  bool has(token t) const { return parts_.added.find(t) != nullptr || parts_.model.words().has(t); }
  /// Whether a token is no part of a text.
  bool is_special(token t) const {
    const auto i = static_cast<std::size_t>(t);
    return t >= 0 && i < is_special_.size() && is_special_[i];
  }
  /// The tokens that encode() puts before a text.
  const std::vector<token>& tokens_before() const { return parts_.around.before; }
  /// The tokens that encode() puts behind a text.
  const std::vector<token>& tokens_after() const { return parts_.around.after; }

 private:
  static constexpr const char* no_memory = tokenizer_detail::no_memory;

  static result<hf_tokenizer> read(const json::value& root) {
    hf_tokenizer t;
    const json::value model = root.find("model");
    if (model.kind() != json::kind::object)
      return failure{errc::corrupt, "ctlm: this is no tokenizer.json: it has no model"};
    auto normalizer = normalizer_detail::normalizer::read(root.find("normalizer"));
    if (!normalizer) return normalizer.error();
    t.parts_.normalizer = static_cast<normalizer_detail::normalizer&&>(*normalizer);
    auto pre_tokenizer = pre_tokenizer_detail::pre_tokenizer::read(root.find("pre_tokenizer"));
    if (!pre_tokenizer) return pre_tokenizer.error();
    t.parts_.pre_tokenizer = static_cast<pre_tokenizer_detail::pre_tokenizer&&>(*pre_tokenizer);
    auto read_model = model_detail::model::read(model, t.parts_.pre_tokenizer.gives_bytes());
    if (!read_model) return read_model.error();
    t.parts_.model = static_cast<model_detail::model&&>(*read_model);
    auto decoder = decoder_detail::decoder::read(root.find("decoder"));
    if (!decoder) return decoder.error();
    t.parts_.decoder = static_cast<decoder_detail::decoder&&>(*decoder);
    auto around = post_processor_detail::read(root.find("post_processor"));
    if (!around) return around.error();
    t.parts_.around = static_cast<post_processor_detail::surroundings&&>(*around);
    auto added =
        added_tokens_detail::added_tokens::read(root.find("added_tokens"), t.parts_.model.words(), t.parts_.normalizer);
    if (!added) return added.error();
    t.parts_.added = static_cast<added_tokens_detail::added_tokens&&>(*added);
    return t.checked();
  }
  result<hf_tokenizer> checked() {
    for (const auto* list : {&parts_.around.before, &parts_.around.after})
      for (const token t : *list)
        if (!has(t))
          return failure{errc::corrupt,
                         "ctlm: tokenizer.json: the post_processor has token {token}, which does not exist", 0, 0,
                         static_cast<std::size_t>(t)};
    prepare();
    return result<hf_tokenizer>(static_cast<hf_tokenizer&&>(*this));
  }

  // What decode() asks of each token.
  void prepare() {
    is_special_.resize(vocab());
    for (std::size_t t = 0; t < is_special_.size(); ++t) {
      const std::string_view spelt = spelling(static_cast<token>(t));
      const auto* const added = parts_.added.find(spelt);
      is_special_[t] = added != nullptr && added->special;
      if (parts_.decoder.joins_bytes()) texts_.add(spelt);
    }
  }
  void decode_bytes(span<const token> tokens, special_tokens which, std::string& text) const {
    std::string bytes;
    bytes.reserve(4 * tokens.size());
    for (const token t : tokens)
      if (which == special_tokens::with || !is_special(t)) bytes.append(texts_[t]);
    utf8_repair repair;
    repair.push(bytes, text);
    repair.finish(text);
  }

  // A part of a text without added tokens of the raw text; `first`: the text begins with it.
  void encode_between(std::string_view part, bool first, std::string (&buffers)[2], std::vector<token>& out) const {
    const std::string_view text = parts_.normalizer(part, buffers, first);
    parts_.added.cut(text, true, [&](std::size_t begin, std::size_t end, token t) {
      if (t >= 0) return out.push_back(t);
      const pre_tokenizer_detail::piece p{text.substr(begin, end - begin), first && begin == 0};
      parts_.model.visit(
          [&](const auto& model) { parts_.pre_tokenizer(p, [&](std::string_view word) { model.encode(word, out); }); });
    });
  }

  tokenizer_detail::parts parts_;
  std::vector<bool> is_special_;      // of each token
  decoder_detail::byte_texts texts_;  // where the decoder joins bytes, of each token
};

}}  // namespace ctlm
