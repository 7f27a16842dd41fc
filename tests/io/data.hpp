// Real models and texts, which tests use where the folder is present. Without it they say so and check nothing.
#pragma once

#include "catch.hpp"
#include "paths.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace data {

inline std::string path(const char* name) { return std::string(paths::test_data) + "/" + name; }

/// False, with a loud warning, where a file is absent.
inline bool present(const char* name) {
  if (std::ifstream(path(name))) return true;
  WARN("SKIPPED: " << path(name) << " is absent; set -DCTLM_TEST_DATA to the folder of real models and texts");
  return false;
}

inline std::string read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace data
