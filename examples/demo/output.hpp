// What a run leaves in its output folder.
#pragma once

#include <ctlm/ctlm.hpp>

#include <cstdio>
#include <string>

namespace demo {

/// Refuses an output folder that cannot be used or made, before any work is done. It makes nothing.
void check_output_folder(const std::string& path);

/// metrics.jsonl: a line for each step.
class metrics_file {
 public:
  /// A new file; or, to go on after `steps` steps, the old one, cut to the lines of those steps: a run that was killed
  /// may have left half a line, or lines of steps that its checkpoint does not know.
  metrics_file(const std::string& path, bool resume, std::size_t steps);
  ~metrics_file();
  metrics_file(const metrics_file&) = delete;
  metrics_file& operator=(const metrics_file&) = delete;

  void add(const ctlm::step_result& r);
  /// So that no line of a step that a checkpoint knows is missing.
  void flush();

 private:
  std::string path_;
  std::FILE* file_;
};

}  // namespace demo
