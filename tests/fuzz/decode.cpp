// session: any tokens in any order of calls give logits or a ctlm::error, after which the session goes on.
#include "fuzz.hpp"

#include <cmath>

using namespace ctlm;
using lm = causal_lm<fuzz::tiny, weights<int4<32>>, kv_cache<int8<>>, prompt_chunk<4>>;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static heap_arena memory(lm::weight_bytes);
  static const lm::weights weights = [] {
    lm::weights w(memory);
    fuzz::randomise<lm>(w);
    return w;
  }();
  static const lm::const_weights views = weights;
  heap_arena room(lm::session_bytes);
  lm::session session(views, room);
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
      if (what % 8 == 1) session.rewind(in.below(8));
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
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep(std::string("\x02\x01\x00\x00\x00\x2C\x01\x02\x03\x04\x05", 11));
  keep(std::string("\x1C\x01\x02\x03\x01\x01\x00\x1B\x04\x05\x06\x00", 12));
  keep(std::string("\x0C\x7F\x14\x01\xFF", 5));
}
