// A checkpoint whose every word is one number: whoever reads it sees at once whether it is one writer's whole work.
#pragma once

#include <ctlm/ctlm.hpp>

#include <cstdlib>
#include <vector>

struct number_file {
  static constexpr std::uint64_t layout = 7;
  std::vector<std::uint64_t> words;
  std::uint64_t last = 0;

  explicit number_file(std::uint64_t number = 0, std::size_t size = 8192) : words(size) { set(number); }
  void set(std::uint64_t number) {
    for (auto& w : words) w = number;
    last = number;
  }
  bool whole() const {
    for (auto w : words)
      if (w != last) return false;
    return true;
  }
  std::vector<ctlm::checkpoint_section> sections() {
    return {{"words", words.data(), words.size() * sizeof words[0]}, {"last", &last, sizeof last}};
  }
  ctlm::result<void> save(const char* path) { return ctlm::write_checkpoint(path, layout, sections()); }
  ctlm::result<void> load(const char* path) { return ctlm::read_checkpoint(path, layout, sections()); }
};

/// A number from the environment: how long a campaign is.
inline double setting(const char* name, double otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::atof(text);
}
