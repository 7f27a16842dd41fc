// SPDX-License-Identifier: MIT
// ctlm: trains a byte pair encoding whose letters are bytes, with the merges of Hugging Face's BpeTrainer.
#pragma once

#include "../core/executor.hpp"
#include "hf_tokenizer.hpp"
#include "training/merge_learner.hpp"
#include "training/trained_json.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How a text is cut into words before pairs are counted: values of `pre_tokenizer` in a tokenizer.json, for
/// tokenizer_options. Any other that ends with ByteLevel will do, too.
namespace pre_tokenizers {
/// GPT-2: letters, digits or signs with a space before them.
inline constexpr const char* gpt2 = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";
/// Llama 3: groups of at most three digits; a sign may begin a word; line ends stay with signs.
inline constexpr const char* llama3 = training_detail::split_at_llama3;
/// Qwen 2 and 3: the same with single digits.
inline constexpr const char* qwen2 = training_detail::split_at_qwen2;
/// GPT-2's words with single digits, as SmolLM has them.
inline constexpr const char* gpt2_digits =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, )"
    R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]})";
}  // namespace pre_tokenizers

/// What a tokenizer is trained with. A text without end means no limit.
struct tokenizer_options {
  std::size_t vocab = 32000;                           ///< number of tokens, special ones and letters included
  std::size_t min_frequency = 2;                       ///< a pair that occurs less often is not merged
  std::vector<std::string> special_tokens = {};        ///< the first tokens; texts that encode() finds before all else
  const char* pre_tokenizer = pre_tokenizers::llama3;  ///< JSON, as in a tokenizer.json
  const char* normalizer = "null";                     ///< JSON, as in a tokenizer.json
  bool all_bytes = true;                               ///< every byte is a token; false: those that the texts have
  std::size_t most_letters = 256;                      ///< of bytes, those that occur most often
  std::size_t longest_token = ~std::size_t{0};         ///< tokens that merges make have fewer bytes; pairs may have two
};

/// How far training is.
struct tokenizer_progress {
  bool merging;       ///< whether words are counted already
  std::size_t done;   ///< bytes of text that were read, or tokens that there are
  std::size_t total;  ///< bytes of all texts, or tokens that were asked for
};

/// What was learned: tokens, and merges in their order. Two merges of different pairs may make the same token.
class trained_tokenizer {
 public:
  /// How the tokens are spelt in a tokenizer.json, by their numbers: bytes as letters.
  const std::vector<std::string>& tokens() const { return spelt_; }
  /// The merges, in the order in which they were learned.
  const std::vector<bpe::merge>& merges() const { return merges_; }
  /// The tokenizer.json.
  std::string json() const {
    return training_detail::json_of({spelt_, merges_, special_tokens_, pre_tokenizer_, normalizer_});
  }
  /// The tokenizer. Errors: those of hf_tokenizer::parse.
  result<hf_tokenizer> tokenizer() const { return hf_tokenizer::parse(json()); }
  /// The token that is spelt like this, `"<|im_end|>"` say, or -1.
  token find(std::string_view spelling) const {
    for (std::size_t i = 0; i < spelt_.size(); ++i)
      if (spelt_[i] == spelling) return static_cast<token>(i);
    return -1;
  }

 private:
  friend class tokenizer_trainer;
  std::vector<std::string> spelt_, special_tokens_;
  std::vector<bpe::merge> merges_;
  std::string pre_tokenizer_, normalizer_;
};

/// Learns a tokenizer in two steps: count() takes texts, as many and as often as there are; learn() makes tokens of
/// the words that they have. train_tokenizer does both.
class tokenizer_trainer {
 public:
  /// Nothing happens before count().
  explicit tokenizer_trainer(tokenizer_options options) : options_(static_cast<tokenizer_options&&>(options)) {}

  /// Counts the words of texts with the threads of an executor; the counts do not depend on how many there are.
  /// progress(tokenizer_progress) -> bool is asked after some megabytes; false ends counting, and the words up to then
  /// count.
  ///
  /// Errors: errc::unsupported, for a pre-tokenizer or normalizer that is not known, or that does not give bytes;
  /// those of json::parse for them; out_of_memory.
  template <executor E, class Progress>
  result<void> count(span<const std::string_view> texts, E& exec, Progress progress) {
    return or_failure(no_memory, [&]() -> result<void> {
      auto cut = cutter::make(options_);
      if (!cut) return cut.error();
      std::size_t total = 0, done = 0;
      for (const std::string_view t : texts) total += t.size();
      std::vector<training_detail::word_counts> of_worker(exec.workers());
      for (std::size_t begin = 0; begin < texts.size();) {
        std::size_t end = begin, bytes = 0;
        for (; end < texts.size() && bytes < round_bytes; ++end) bytes += texts[end].size();
        parallel_for(exec, end - begin, ceil_div(end - begin, tasks), [&](std::size_t i, std::size_t n, std::size_t w) {
          for (; n > 0; --n, ++i) cut->count(texts[begin + i], of_worker[w]);
        });
        begin = end;
        if (!progress(tokenizer_progress{false, done += bytes, total})) break;
      }
      for (auto& counts : of_worker) {
        words_.size() == 0 ? std::swap(words_, counts) : words_.add(counts);
        counts.clear();
      }
      return {};
    });
  }

  /// The tokens, from the words that were counted. progress(tokenizer_progress) -> bool is asked after some merges;
  /// false ends learning, and what is there then is what a smaller `vocab` would have given.
  ///
  /// Errors: errc::invalid_argument, for special tokens that are empty or no UTF-8, and where `vocab` has no room for
  /// special tokens and letters; out_of_memory.
  template <class Progress>
  result<trained_tokenizer> learn(Progress progress) const {
    return or_failure(no_memory, [&]() -> result<trained_tokenizer> {
      trained_tokenizer t;
      t.special_tokens_ = options_.special_tokens;
      t.pre_tokenizer_ = options_.pre_tokenizer;
      t.normalizer_ = options_.normalizer;
      std::array<token, 256> letters{};
      if (const auto r = begin(t.spelt_, letters); !r) return r.error();
      training_detail::merge_learner learner(words_, letters, t.spelt_,
                                             {options_.vocab, options_.min_frequency, options_.longest_token});
      for (bpe::merge m{}; learner.learn(m);) {
        t.merges_.push_back(m);
        if (t.merges_.size() % 64 == 0 && !progress(tokenizer_progress{true, t.spelt_.size(), options_.vocab})) break;
      }
      keep_last_of_each(t.merges_);
      return result<trained_tokenizer>(static_cast<trained_tokenizer&&>(t));
    });
  }

 private:
  static constexpr const char* no_memory = "ctlm: there is not enough memory to train this tokenizer";
  static constexpr std::size_t round_bytes = std::size_t{8} << 20, tasks = 64;

  // A pair that was merged twice has the later rank.
  static void keep_last_of_each(std::vector<bpe::merge>& merges) {
    model_detail::pair_table last;
    for (std::size_t i = 0; i < merges.size(); ++i)
      last.set(merges[i].left, merges[i].right, static_cast<std::uint32_t>(i), 0);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < merges.size(); ++i)
      if (last.find(merges[i].left, merges[i].right).rank == i) merges[kept++] = merges[i];
    merges.resize(kept);
  }

  // What words of a text are.
  struct cutter {
    normalizer_detail::normalizer normalise;
    pre_tokenizer_detail::pre_tokenizer cut;

    static result<cutter> make(const tokenizer_options& o) {
      const auto normalizer = json::parse(span<const char>(std::string_view(o.normalizer)), {}, heap_keys());
      if (!normalizer) return normalizer.error();
      const auto pre_tokenizer = json::parse(span<const char>(std::string_view(o.pre_tokenizer)), {}, heap_keys());
      if (!pre_tokenizer) return pre_tokenizer.error();
      auto first = normalizer_detail::normalizer::read(*normalizer);
      if (!first) return first.error();
      auto second = pre_tokenizer_detail::pre_tokenizer::read(*pre_tokenizer);
      if (!second) return second.error();
      if (!second->gives_bytes())
        return failure{errc::unsupported,
                       "ctlm: a tokenizer whose letters are bytes is trained with a pre_tokenizer that ends with "
                       "ByteLevel"};
      return result<cutter>(cutter{static_cast<normalizer_detail::normalizer&&>(*first),
                                   static_cast<pre_tokenizer_detail::pre_tokenizer&&>(*second)});
    }
    void count(std::string_view text, training_detail::word_counts& words) const {
      std::string buffers[2];
      bool first = true;
      const std::string_view t = normalise(text, buffers, first);
      cut({t, true}, [&](std::string_view word) { words.add(word); });
    }
  };

  // Special tokens and letters. `letters`: the token of each byte, or -1.
  result<void> begin(std::vector<std::string>& spelt, std::array<token, 256>& letters) const {
    for (std::size_t i = 0; i < options_.special_tokens.size(); ++i) {
      const std::string& s = options_.special_tokens[i];
      if (s.empty() || !is_utf8(s))
        return failure{errc::invalid_argument, "ctlm: special token {where} of a tokenizer is empty, or is no UTF-8",
                       i};
      if (std::find(spelt.begin(), spelt.end(), s) == spelt.end()) spelt.push_back(s);
    }
    for (const unsigned char byte : kept_bytes()) {
      const char c = static_cast<char>(byte);
      const std::string letter = letters_of_bytes(std::string_view(&c, 1));
      const auto found = std::find(spelt.begin(), spelt.end(), letter);
      letters[byte] = static_cast<token>(found - spelt.begin());
      if (found == spelt.end()) spelt.push_back(letter);
    }
    if (spelt.size() > options_.vocab)
      return failure{errc::invalid_argument,
                     "ctlm: a tokenizer of {had} tokens has no room for its special tokens and letters, which are "
                     "{needed}",
                     0, spelt.size(), options_.vocab};
    std::vector<bool> kept(256);
    for (const unsigned char byte : kept_bytes()) kept[byte] = true;
    for (std::size_t b = 0; b < 256; ++b)
      if (!kept[b]) letters[b] = -1;
    return {};
  }
  static bool is_utf8(std::string_view s) {
    for (std::size_t i = 0; i < s.size();) {
      const std::size_t n = utf8_length(span<const char>(s.data(), s.size()), i);
      if (n == 0) return false;
      i += n;
    }
    return true;
  }
  // The bytes that are tokens, in the order of their letters. Of bytes that occur equally often, those whose letters
  // come later go first.
  std::vector<unsigned char> kept_bytes() const {
    std::array<std::uint64_t, 256> counts{};
    words_.for_each([&](std::string_view word, std::uint64_t n) {
      for (const char c : word) counts[static_cast<unsigned char>(c)] += n;
    });
    std::vector<unsigned char> bytes;
    for (std::size_t b = 0; b < 256; ++b)
      if (options_.all_bytes || counts[b] > 0) bytes.push_back(static_cast<unsigned char>(b));
    const auto by_letter = [](unsigned char a, unsigned char b) { return letter_of_byte(a) < letter_of_byte(b); };
    std::sort(bytes.begin(), bytes.end(), by_letter);
    if (bytes.size() > options_.most_letters) {
      if (!options_.all_bytes)
        std::stable_sort(bytes.begin(), bytes.end(),
                         [&](unsigned char a, unsigned char b) { return counts[a] > counts[b]; });
      bytes.resize(options_.most_letters);
      std::sort(bytes.begin(), bytes.end(), by_letter);
    }
    return bytes;
  }

  tokenizer_options options_;
  training_detail::word_counts words_;
};

/// A tokenizer with the tokens and merges that Hugging Face's BpeTrainer learns from the same texts: at every step the
/// pair that occurs most often becomes a token, of equals the one with the smaller numbers. The result does not depend
/// on the number of threads. Words never cross from one text to the next: lines_of() makes texts of a file's lines, as
/// `tokenizers` reads files.
///
/// Errors: those of tokenizer_trainer::count and learn.
template <executor E>
result<trained_tokenizer> train_tokenizer(span<const std::string_view> texts, const tokenizer_options& options,
                                          E& exec) {
  const auto on = [](const tokenizer_progress&) { return true; };
  tokenizer_trainer trainer(options);
  if (const auto r = trainer.count(texts, exec, on); !r) return r.error();
  return trainer.learn(on);
}

/// The lines of a text, each with its line end.
inline std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

/// Writes `folder`/tokenizer.json, tokenizer_config.json and generation_config.json beside what save_hf writes: with
/// `tokenizers` and `transformers`, every text becomes the tokens of trained.tokenizer(). Errors: those of
/// save_hf_tokenizer.
inline result<void> save_hf_tokenizer(const char* folder, const trained_tokenizer& trained,
                                      const tokenizer_parts& parts = {}) {
  return or_out_of_memory("ctlm: there is no memory for a tokenizer.json", [&] {
    return save_tokenizer_detail::save_files(folder, trained.json(), trained.tokens().size(), parts, [&](token t) {
      return training_detail::json_string(trained.tokens()[static_cast<std::size_t>(t)]);
    });
  });
}

}}  // namespace ctlm
