// Would run before main, on every processor.
#include "shared.hpp"

CTLM_DISPATCHED(int, early)
static const std::vector<int> table(3);
CTLM_VARIANT(early) = 1;
int size_of_table() { return static_cast<int>(table.size()); }
