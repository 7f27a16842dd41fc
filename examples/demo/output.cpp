#include "output.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "options.hpp"

namespace demo {
namespace {

using namespace ctlm;

std::string folder_of(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

/// The whole lines of the steps before `steps`, each once and in order.
std::string lines_before(const std::string& text, std::size_t steps) {
  static constexpr std::string_view start = "{\"step\": ";
  std::string kept;
  std::size_t next = 0;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = text.substr(at, end + 1 - at);
    if (!line.starts_with(start) || line[line.size() - 2] != '}') continue;
    const std::size_t step = std::strtoull(line.c_str() + start.size(), nullptr, 10);
    if (step < next || step >= steps) continue;
    kept += line;
    next = step + 1;
  }
  return kept;
}

}  // namespace

void check_output_folder(const std::string& path) {
  const auto refuse = [&](const char* why) { fail("--out " + path + ": " + why); };
  const auto system_refusal = [&] { refuse(explain(system_failure("ctlm: the folder cannot be used"))); };
  struct stat s {};
  const bool exists = ::stat(path.c_str(), &s) == 0;
  if (exists && !S_ISDIR(s.st_mode)) refuse("this is a file, not a folder");
  if (!exists && errno != ENOENT) system_refusal();
  if (::access((exists ? path : folder_of(path)).c_str(), W_OK | X_OK) != 0) system_refusal();
}

metrics_file::metrics_file(const std::string& path, bool resume, std::size_t steps) : path_(path), file_(nullptr) {
  if (resume) {
    const auto old = read_file(path.c_str());
    if (!old && old.error().code != errc::not_found) fail(path + ": " + explain(old.error()).text);
    if (const auto r = replace_file(path.c_str(), old ? lines_before(*old, steps) : ""); !r)
      fail(path + ": " + explain(r.error()).text);
  }
  file_ = std::fopen(path.c_str(), resume ? "a" : "w");
  if (file_ == nullptr) fail(path + ": " + explain(system_failure("ctlm: the file could not be created")).text);
}
metrics_file::~metrics_file() {
  if (file_ != nullptr) std::fclose(file_);  // every line has been flushed
}
void metrics_file::add(const step_result& r) {
  if (std::fputs(to_json(r).c_str(), file_) < 0) fail(path_ + ": the disk is full");
}
void metrics_file::flush() {
  if (std::fflush(file_) != 0) fail(path_ + ": the disk is full");
}

}  // namespace demo
