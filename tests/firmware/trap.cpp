// Asks for what no machine has: without exceptions, a hosted program says what went wrong before it traps.
#include <ctlm/ctlm.hpp>

static_assert(!CTLM_EXCEPTIONS && !CTLM_FREESTANDING);

int main() {
  ctlm::heap_arena arena(~std::size_t{0});
  return arena.allocate<float>(1) != nullptr;
}
