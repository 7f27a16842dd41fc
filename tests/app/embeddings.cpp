// A model of embeddings, trained from nothing on pairs made of one text: of each passage the tokens at even places and
// those at odd places belong together, so that nothing is found by equal tokens at equal places.
#include "catch.hpp"

#include "../io/data.hpp"

#include <ctlm/ctlm.hpp>

#include <string>
#include <vector>

using namespace ctlm;

namespace {

struct tag {
  static constexpr llama_config config{
      .vocab = 2048, .d_model = 64, .layers = 1, .heads = 4, .d_ff = 128, .context = 32, .tie_embeddings = true};
};
struct recipe {
  static constexpr train_config config{.batch = 64};
};
using lm = causal_lm<tag>;
using embedder = trainer<lm, recipe>;
constexpr std::size_t pairs = embedder::batch / 2, passage = 2 * embedder::sequence;

/// Sequences 2i and 2i + 1 from the passage that begins at place(i).
template <class Place>
std::vector<token> batch_of(const std::vector<token>& text, Place place) {
  std::vector<token> x(embedder::batch_tokens);
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::size_t first = place(i);
    for (std::size_t k = 0; k < passage; ++k) x[i * passage + k % 2 * embedder::sequence + k / 2] = text[first + k];
  }
  return x;
}

}  // namespace

TEST_CASE("a model of embeddings finds the other half of a passage it has not seen", "[fine_tuning]") {
  if (!data::present("wikitext2_valid.txt")) return;
  const std::string text = data::read(data::path("wikitext2_valid.txt"));
  const std::vector<token> ids = bpe::train(text, lm::shape.vocab).encode(text);
  const std::size_t seen = ids.size() / 10 * 9;            // the rest is for the test alone
  const std::vector<token> whole(embedder::batch_tokens);  // all rows count: targets that are not ignore_token
  heap_arena memory(embedder::train_bytes);
  embedder t(memory, {.optimizer = {.lr = 1e-3f}});

  /// The share of first halves whose nearest of 32 second halves is their own, over 8 batches.
  const auto recall = [&] {
    const std::size_t apart = (ids.size() - seen) / (8 * pairs);
    double sum = 0;
    for (std::size_t b = 0; b < 8; ++b)
      sum += t.match(batch_of(ids, [&](std::size_t i) { return seen + (i * 8 + b) * apart; }), whole).accuracy;
    return sum / 8;
  };
  const double before = recall();
  rng random{1};
  for (std::size_t step = 0; step < 150; ++step)
    t.contrast(batch_of(ids, [&](std::size_t) { return random.below(seen - passage); }), whole);
  const double after = recall();
  INFO("recall@1 among 32: " << before << " before, " << after << " after; a guess: " << 1.0 / pairs);
  CHECK(before < 0.15);
  CHECK(after > 0.45);
}
