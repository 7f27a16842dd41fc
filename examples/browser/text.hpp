// A text as training data: batches from its beginning, validation from its last tenth.
#pragma once

#include "run.hpp"

namespace browser {

/// Bytes are tokens.
inline ctlm::token token_of(char c) { return static_cast<unsigned char>(c); }

class text {
 public:
  explicit text(ctlm::span<const char> bytes)
      : training_(bytes.first(bytes.size() - bytes.size() / 10)), validation_(bytes.subspan(training_.size())) {
    ctlm::checksum sum;
    sum.add(bytes.data(), bytes.size());
    checksum_ = sum.value();
  }
  std::uint64_t checksum() const { return checksum_; }
  std::size_t size() const { return training_.size() + validation_.size(); }

  /// Random windows of the text, as ctlm::batch_sampler draws them: number `drawn` depends on the seed and on it alone.
  template <std::size_t sequence>
  void draw(std::uint64_t seed, std::uint64_t& drawn, ctlm::span<ctlm::token> inputs,
            ctlm::span<ctlm::token> targets) const {
    for (std::size_t row = 0; row < inputs.size(); row += sequence) {
      const auto first = static_cast<std::size_t>(ctlm::mix(seed, drawn++) % (training_.size() - sequence));
      copy(training_, first, inputs.subspan(row, sequence), targets.subspan(row, sequence));
    }
  }
  /// Window i of n, spread over the validation text.
  void validation_window(std::size_t i, std::size_t n, ctlm::span<ctlm::token> inputs,
                         ctlm::span<ctlm::token> targets) const {
    copy(validation_, (validation_.size() - inputs.size() - 1) * i / n, inputs, targets);
  }

 private:
  static void copy(ctlm::span<const char> from, std::size_t first, ctlm::span<ctlm::token> inputs,
                   ctlm::span<ctlm::token> targets) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      inputs[i] = token_of(from[first + i]);
      targets[i] = token_of(from[first + i + 1]);
    }
  }

  ctlm::span<const char> training_, validation_;
  std::uint64_t checksum_ = 0;
};

}  // namespace browser
