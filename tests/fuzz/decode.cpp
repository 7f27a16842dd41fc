// session: any tokens in any order of calls give logits or a ctlm::error, after which the session goes on. The same for
// one whose layers have a window, and keep a ring of positions.
#include "fuzz.hpp"

#include <cmath>

using namespace ctlm;

namespace {

struct windowed {
  static constexpr mistral_config config{
      .vocab = 11, .d_model = 8, .layers = 2, .heads = 2, .kv_heads = 1, .d_ff = 12, .context = 6, .window = 2};
};

template <class Tag, std::size_t Chunk>
void run(const std::uint8_t* data, std::size_t size) {
  using lm = causal_lm<Tag, weights<int4<32>>, kv_cache<int8<>>, prompt_chunk<Chunk>>;
  static heap_arena memory(lm::weight_bytes);
  static const typename lm::weights weights = [] {
    typename lm::weights w(memory);
    fuzz::randomise<lm>(w);
    return w;
  }();
  static const typename lm::const_weights views = weights;
  heap_arena room(lm::session_bytes);
  typename lm::session session(views, room);
  auto check_logits = [](span<float> logits) {
    fuzz::require(logits.size() == lm::shape.vocab, "there is a logit for every token");
    for (float x : logits) fuzz::require(std::isfinite(x), "logits are numbers");
  };
  fuzz::input in(data, size);
  for (int calls = 0; in.left() > 0 && calls < 100; ++calls) {
    const auto what = in.number<std::uint8_t>();
    std::vector<token> tokens;
    for (std::size_t n = what / 8 % 10; n > 0; --n) tokens.push_back(in.number<std::int8_t>() % 14);
    const std::size_t before = session.position();
    fuzz::succeeds([&] {
      if (what % 8 == 0) session.reset();
      if (what % 8 == 1) {
        const std::size_t to = in.below(8);
        const bool can = session.can_rewind(to);
        fuzz::require(fuzz::succeeds([&] { session.rewind(to); }) == can, "a session can be rewound where it says so");
      }
      if (what % 8 == 2) check_logits(session.decode(in.number<token>()));
      if (what % 8 == 3) session.score(tokens, [&](std::size_t, span<float> logits) { check_logits(logits); });
      if (what % 8 > 3) {
        check_logits(session.prefill(tokens));
        fuzz::require(session.position() == before + tokens.size(), "every token is taken");
      }
    });
    fuzz::require(session.position() <= lm::shape.context, "no session is longer than its context");
  }
  session.reset();
  check_logits(session.decode(1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  run<fuzz::tiny, 4>(data, size);
  run<windowed, 2>(data, size);
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep(std::string("\x02\x01\x00\x00\x00\x2C\x01\x02\x03\x04\x05", 11));
  keep(std::string("\x1C\x01\x02\x03\x01\x01\x00\x1B\x04\x05\x06\x00", 12));
  keep(std::string("\x0C\x7F\x14\x01\xFF", 5));
}
