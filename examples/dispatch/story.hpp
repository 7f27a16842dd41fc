// What the program and the model's file share: a table of functions, without any type of ctlm.
#pragma once

#include <ctlm/app/dispatch.hpp>

#include <cstdint>
#include <vector>

struct story_table {
  /// The tokens that follow a prompt.
  std::vector<std::int32_t> (*tell)(const std::vector<std::int32_t>& prompt, std::size_t tokens);
  /// What the library's kernels are compiled for.
  const char* (*backend)();
};
CTLM_DISPATCHED(story_table, story)
