// SPDX-License-Identifier: MIT
// ctlm: the model of a tokenizer.json: what makes tokens of words.
#pragma once

#include "bpe_model.hpp"
#include "unigram.hpp"
#include "word_piece.hpp"

#include <variant>

namespace ctlm { inline namespace CTLM_ABI { namespace model_detail {

class model {
 public:
  static result<model> read(const json::value& v, bool as_bytes) {
    const std::string type = type_of(v);
    if (as_bytes && type != bpe_model::type)
      return tokenizer_json_detail::refused("ctlm: tokenizer.json: model '{name}' behind ByteLevel is not supported",
                                            type);
    model m;
    result<void> done = tokenizer_json_detail::refused(
        "ctlm: tokenizer.json: model '{name}' is not known; known are BPE, Unigram, WordPiece and WordLevel", type);
    m.choose<bpe_model, unigram, word_piece, word_level>(type, v, as_bytes, done);
    if (!done) return done.error();
    return result<model>(static_cast<model&&>(m));
  }
  template <class M>
  static model of(M m) {
    model any;
    any.any_ = static_cast<M&&>(m);
    return any;
  }

  const vocabulary& words() const {
    return std::visit([](const auto& any) -> const vocabulary& { return any.words(); }, any_);
  }
  // f(model) of whichever it is.
  template <class F>
  void visit(F f) const {
    std::visit(f, any_);
  }

 private:
  // Older files do not say.
  static std::string type_of(const json::value& v) {
    if (v.find("type")) return tokenizer_json_detail::string_or(v, "type");
    if (v.find("merges")) return bpe_model::type;
    if (v.find("vocab").kind() == json::kind::array) return unigram::type;
    return v.find("continuing_subword_prefix") ? word_piece::type : word_level::type;
  }
  template <class... Models>
  void choose(std::string_view type, const json::value& v, bool as_bytes, result<void>& done) {
    const auto try_one = [&]<class M>(const M*) {
      if (type != M::type) return;
      auto m = M::read(v, as_bytes);
      done = m ? result<void>() : result<void>(m.error());
      if (m) any_ = static_cast<M&&>(*m);
    };
    (try_one(static_cast<const Models*>(nullptr)), ...);
  }

  std::variant<bpe_model, unigram, word_piece, word_level> any_;
};

}}}  // namespace ctlm::model_detail
