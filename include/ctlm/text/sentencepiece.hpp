// SPDX-License-Identifier: MIT
// ctlm: tokenizers of SentencePiece: a `.model`, which is a message of Protocol Buffers.
#pragma once

#include "hf_tokenizer.hpp"
#include "model/ranks.hpp"
#include "protobuf.hpp"

#include <cmath>

namespace ctlm { inline namespace CTLM_ABI {

/// What becomes of a control symbol, `<s>` say, that a text spells.
enum class control_symbols : std::uint8_t {
  ignored,  ///< it is text, as for `sentencepiece`
  found,    ///< it is the symbol's token, as for `transformers`: for templates of conversations
};

namespace sentencepiece_detail {

using protobuf_detail::field;
using protobuf_detail::reader;

enum kind : std::uint64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
enum : std::uint64_t { is_unigram = 1, is_bpe = 2 };

struct piece {
  std::string_view text;
  float score = 0;
  std::uint64_t kind = normal;
};

// What a file says.
struct file {
  std::vector<piece> pieces;
  std::uint64_t model = is_unigram;
  std::string_view unknown_text = " \xE2\x81\x87 ", characters;
  bool byte_fallback = false, space_is_last = false;
  bool adds_space = true, removes_spaces = true, marks_spaces = true;
  bool changes_back = false;  // decoding has a table of characters, too
};

// f(field) for all fields of a message.
template <class F>
result<void> each_field(reader r, F f) {
  while (!r.at_end()) {
    const auto next = r.next();
    if (!next) return next.error();
    if (const result<void> done = f(*next, r.before(*next)); !done) return done;
  }
  return {};
}

inline result<piece> read_piece(std::string_view message, std::size_t where) {
  piece p;
  const auto done = each_field(reader(message, where), [&](const field& f, std::size_t) -> result<void> {
    if (f.number == 1) p.text = f.bytes;
    if (f.number == 2) p.score = protobuf_detail::as_float(f);
    if (f.number == 3) p.kind = f.value;
    return {};
  });
  if (!done) return done.error();
  for (std::size_t i = 0; i < p.text.size();) {
    const unicode_detail::character c = unicode_detail::character_at(p.text, i);
    if (c.code == unicode_detail::no_character)
      return failure{errc::corrupt, "ctlm: the piece at byte {where} of this SentencePiece model is no UTF-8", where};
    i += c.length;
  }
  if (p.text.empty() || std::isnan(p.score))
    return failure{errc::corrupt,
                   "ctlm: the piece at byte {where} of this SentencePiece model has no text, or no score", where};
  if (p.text.size() > model_detail::longest_ranked)
    return failure{errc::unsupported,
                   "ctlm: the piece at byte {where} of this SentencePiece model has {had} bytes; at most {needed} are "
                   "supported",
                   where, model_detail::longest_ranked, p.text.size()};
  if (p.kind < normal || p.kind > byte)
    return failure{errc::unsupported,
                   "ctlm: the piece at byte {where} of this SentencePiece model has the type {had}, which "
                   "is not known",
                   where, 0, static_cast<std::size_t>(p.kind)};
  return p;
}
inline result<void> read_training(std::string_view message, std::size_t where, file& to) {
  return each_field(reader(message, where), [&](const field& f, std::size_t) -> result<void> {
    if (f.number == 3) to.model = f.value;
    if (f.number == 24) to.space_is_last = f.value != 0;
    if (f.number == 35) to.byte_fallback = f.value != 0;
    if (f.number == 44 && f.has_bytes) to.unknown_text = f.bytes;
    return {};
  });
}
inline result<void> read_normalizer(std::string_view message, std::size_t where, file& to) {
  return each_field(reader(message, where), [&](const field& f, std::size_t) -> result<void> {
    if (f.number == 2) to.characters = f.bytes;
    if (f.number == 3) to.adds_space = f.value != 0;
    if (f.number == 4) to.removes_spaces = f.value != 0;
    if (f.number == 5) to.marks_spaces = f.value != 0;
    return {};
  });
}
inline result<file> read(std::string_view bytes) {
  file to;
  const auto done = each_field(reader(bytes), [&](const field& f, std::size_t where) -> result<void> {
    if (!f.has_bytes) return {};
    if (f.number == 2) return read_training(f.bytes, where, to);
    if (f.number == 3) return read_normalizer(f.bytes, where, to);
    if (f.number == 5)
      return each_field(reader(f.bytes, where), [&](const field& g, std::size_t) -> result<void> {
        if (g.number == 2) to.changes_back = !g.bytes.empty();
        return {};
      });
    if (f.number != 1) return {};
    const auto p = read_piece(f.bytes, where);
    if (!p) return p.error();
    to.pieces.push_back(*p);
    return {};
  });
  if (!done) return done.error();
  return result<file>(static_cast<file&&>(to));
}

// What is not supported, or contradicts itself.
inline result<token> check_file(const file& f) {
  if (f.pieces.empty()) return failure{errc::corrupt, "ctlm: this is no SentencePiece model: it has no pieces"};
  if (f.model != is_unigram && f.model != is_bpe)
    return failure{errc::unsupported,
                   "ctlm: this SentencePiece model is of the type {name}; supported are BPE and unigram",
                   0,
                   0,
                   0,
                   f.model == 3   ? "word"
                   : f.model == 4 ? "char"
                                  : "that is not known"};
  if (f.changes_back)
    return failure{errc::unsupported,
                   "ctlm: this SentencePiece model has a table of characters for decoding, which is not supported"};
  token unknown_token = -1;
  std::size_t unknowns = 0, bytes = 0;
  for (std::size_t i = 0; i < f.pieces.size(); ++i) {
    const piece& p = f.pieces[i];
    if (p.kind == unknown) unknown_token = static_cast<token>(i), ++unknowns;
    if (f.model == is_unigram && std::isinf(p.score))
      return failure{errc::corrupt, "ctlm: token {token} of this SentencePiece model has a score that is no number", 0,
                     0, i};
    if (p.kind == byte) bytes += model_detail::byte_of_code(p.text) >= 0 ? 1 : 0;
    if (p.kind == unused && f.model == is_bpe)
      return failure{errc::unsupported,
                     "ctlm: token {token} of this SentencePiece model is not used, which is supported of unigram alone",
                     0, 0, i};
  }
  if (unknowns != 1)
    return failure{errc::corrupt, "ctlm: this SentencePiece model has {had} unknown tokens; it needs one", 0, 1,
                   unknowns};
  if (f.byte_fallback && bytes != 256)
    return failure{errc::corrupt,
                   "ctlm: this SentencePiece model falls back to bytes, of which it has {had}; it needs {needed}", 0,
                   256, bytes};
  return unknown_token;
}

inline result<model_detail::vocabulary> words_of(const file& f) {
  model_detail::vocabulary words(false, f.pieces.size());
  for (std::size_t i = 0; i < f.pieces.size(); ++i) {
    if (words.find(f.pieces[i].text) >= 0)
      return failure{errc::corrupt,
                     "ctlm: token {token} of this SentencePiece model is '{name}', as one before it",
                     0,
                     0,
                     i,
                     remember(span<const char>(f.pieces[i].text.data(), f.pieces[i].text.size()))};
    if (const auto r = words.add(static_cast<token>(i), f.pieces[i].text); !r) return r.error();
  }
  return result<model_detail::vocabulary>(static_cast<model_detail::vocabulary&&>(words));
}

inline model_detail::model bpe_of(const file& f, model_detail::vocabulary words, token unknown_token) {
  std::vector<float> scores;
  std::vector<bool> made;
  for (const piece& p : f.pieces) {
    scores.push_back(p.score);
    made.push_back(p.kind == normal || p.kind == user_defined);
  }
  return model_detail::model::of(
      model_detail::bpe_model::of({static_cast<model_detail::vocabulary&&>(words), model_detail::ranks_of(scores, made),
                                   unknown_token, f.byte_fallback, false}));
}
inline model_detail::model unigram_of(const file& f, model_detail::vocabulary words, token unknown_token) {
  model_detail::unigram::scored s;
  using role = model_detail::unigram::role;
  for (const piece& p : f.pieces) {
    s.scores.push_back(p.score);
    s.roles.push_back(p.kind == normal ? role::learnt : p.kind == user_defined ? role::chosen : role::none);
  }
  s.words = static_cast<model_detail::vocabulary&&>(words);
  s.unknown = unknown_token;
  s.byte_fallback = f.byte_fallback;
  return model_detail::model::of(model_detail::unigram::of(static_cast<model_detail::unigram::scored&&>(s)));
}

inline result<hf_tokenizer> made(std::string_view bytes, control_symbols controls) {
  const auto f = read(bytes);
  if (!f) return f.error();
  const auto unknown_token = check_file(*f);
  if (!unknown_token) return unknown_token.error();
  auto words = words_of(*f);
  if (!words) return words.error();
  tokenizer_detail::parts p;
  normalizer_detail::sentence_piece normalizer;
  if (!normalizer.characters.read(f->characters))
    return failure{errc::corrupt, "ctlm: the table of characters of this SentencePiece model is damaged"};
  for (std::size_t i = 0; i < f->pieces.size(); ++i) {
    const piece& one = f->pieces[i];
    const auto id = static_cast<token>(i);
    if (one.kind == user_defined) normalizer.kept.add(one.text, static_cast<std::uint32_t>(i));
    if (one.kind == user_defined && f->model == is_bpe)
      p.added.put({.content = std::string(one.text), .id = id, .normalized = true}, true);
    if (one.kind == control)
      p.added.put({.content = std::string(one.text), .id = id, .special = true}, controls == control_symbols::found);
  }
  normalizer.adds_space = f->adds_space;
  normalizer.removes_spaces = f->removes_spaces;
  normalizer.marks_spaces = f->marks_spaces;
  normalizer.space_is_last = f->space_is_last;
  p.normalizer = normalizer_detail::normalizer::of(static_cast<normalizer_detail::sentence_piece&&>(normalizer));
  p.model = f->model == is_bpe ? bpe_of(*f, static_cast<model_detail::vocabulary&&>(*words), *unknown_token)
                               : unigram_of(*f, static_cast<model_detail::vocabulary&&>(*words), *unknown_token);
  p.decoder = decoder_detail::decoder::of(decoder_detail::sentence_piece{
      std::string(f->pieces[static_cast<std::size_t>(*unknown_token)].text), std::string(f->unknown_text),
      f->adds_space || f->removes_spaces, f->removes_spaces});
  return hf_tokenizer(static_cast<tokenizer_detail::parts&&>(p));
}

}  // namespace sentencepiece_detail

/// A tokenizer of SentencePiece (BPE or unigram), of the bytes of its `.model`, with the tokens and texts of
/// `sentencepiece`. No tokens are put around a text: `find("<s>")` is what may be.
///
/// Errors: errc::truncated and corrupt, with the byte; unsupported, for models of words or characters, a table of
/// characters for decoding, and pieces of BPE that are not used; out_of_memory.
inline result<hf_tokenizer> parse_sentencepiece(std::string_view bytes,
                                                control_symbols controls = control_symbols::ignored) {
  return or_failure(tokenizer_detail::no_memory, [&] { return sentencepiece_detail::made(bytes, controls); });
}
/// The same, of a file such as `tokenizer.model`. Errors: those of read_file, too.
inline result<hf_tokenizer> load_sentencepiece(const char* path, control_symbols controls = control_symbols::ignored) {
  return or_failure(tokenizer_detail::no_memory, [&]() -> result<hf_tokenizer> {
    const auto bytes = read_file(path);
    if (!bytes) return bytes.error();
    return parse_sentencepiece(*bytes, controls);
  });
}

}}  // namespace ctlm
