// A real model on a microcontroller: weights stay in flash, the session is a block of .bss, and the compiler knows the
// size of both. MODEL is the namespace of a packed model, MODEL_HEADER its header (pack_stories.cpp).
#include MODEL_HEADER

#include "board/board.hpp"

using lm = MODEL::lm<ctlm::kv_cache<ctlm::int8<>>, ctlm::backend<ctlm::portable>, ctlm::prompt_chunk<1>>;
static_assert(lm::session_bytes <= 60 * 1024, "session must leave 4 KB for the stack in 64 KB");

static constinit ctlm::static_arena<lm::session_bytes> sram;

void firmware() {
  const auto weights = ctlm::bind_image<lm>(MODEL::image());
  if (!weights) {
    board::print(weights.error().what);
    board::stop(1);
  }
  lm::session session(*weights, sram);
  ctlm::token token = 1;  // the beginning of a story
  board::print("tokens");
  for (int i = 0; i < 64; ++i) {
    board::print(" ");
    board::print(static_cast<std::uint64_t>(token));
    token = ctlm::sampler::greedy(session.decode(token));
  }
  board::print("\n");
  board::line("weight_bytes", lm::weight_bytes);
  board::line("session_bytes", lm::session_bytes);
  board::line("stack_used", board::stack_used());
  board::line("stack_size", board::stack_size());
}
