// Another file of the same variants.
#include "shared.hpp"

int count_a_call() { return ++calls(); }
