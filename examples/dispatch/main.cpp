// One program for all processors: `dispatch 104 101` goes on with these tokens. The environment's CTLM_TARGET forces a
// variant.
#include "story.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) try {
  std::vector<std::int32_t> prompt;
  for (int i = 1; i < argc; ++i) prompt.push_back(static_cast<std::int32_t>(std::strtol(argv[i], nullptr, 10)));
  if (prompt.empty()) prompt = {'h', 'e', 'l', 'l', 'o'};
  std::printf("variant %s, kernels %s\ntokens", story_target(), story().backend());
  for (const std::int32_t token : story().tell(prompt, 24)) std::printf(" %d", token);
  std::printf("\n");
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
