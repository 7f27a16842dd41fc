// fail-flags: -std=c++17
// expect-first: ctlm needs C\+\+20: compile with -std=c\+\+20
#include <ctlm/ctlm.hpp>

static_assert(ctlm::memory_alignment == 64);
