// SPDX-License-Identifier: MIT
// ctlm: text from files and folders, and batches from a stream of tokens.
#pragma once

#include "../core/result.hpp"
#include "../core/rng.hpp"
#include "../core/span.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ctlm { inline namespace CTLM_ABI {

/// No NUL byte among the first few thousand: what text files have in common.
inline bool looks_like_text(std::string_view s) { return s.substr(0, 8192).find('\0') == std::string_view::npos; }

namespace text_detail {

inline bool read_file(const std::string& path, std::string& to) {
  std::FILE* f = std::fopen(path.c_str(), "rb");
  if (f == nullptr) return false;
  to.clear();
  char buffer[1 << 14];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, f)) > 0;) to.append(buffer, n);
  const bool whole = std::ferror(f) == 0;
  std::fclose(f);
  return whole;
}

inline bool is_folder(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}
/// Pipes count; devices, which may never end, do not.
inline bool is_file(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 && (S_ISREG(s.st_mode) || S_ISFIFO(s.st_mode));
}

/// Paths of the files below a folder, hidden ones left out; links to folders are not followed.
inline void list_files(const std::string& folder, std::vector<std::string>& files) {
  DIR* d = ::opendir(folder.c_str());
  if (d == nullptr) return;
  while (const dirent* entry = ::readdir(d)) {
    if (entry->d_name[0] == '.') continue;
    const std::string path = folder + "/" + entry->d_name;
    struct stat s {};
    if (::lstat(path.c_str(), &s) != 0) continue;
    if (S_ISDIR(s.st_mode)) list_files(path, files);
    if (S_ISREG(s.st_mode)) files.push_back(path);
  }
  ::closedir(d);
}

inline bool has_extension(std::string_view path, span<const std::string_view> extensions) {
  for (std::string_view e : extensions)
    if (path.ends_with(e)) return true;
  return extensions.empty();
}

}  // namespace text_detail

/// A file, or every text file of a folder and its subfolders in the order of their names; hidden files and folders are
/// passed over. With `extensions` (such as ".cpp"), only those files of a folder count. A path that does not exist,
/// cannot be read, or holds no text is an error.
inline result<std::string> read_text(const std::string& path, span<const std::string_view> extensions = {}) {
  using namespace text_detail;
  if (::access(path.c_str(), F_OK) != 0) return failure{errc::not_found, "no such file or folder"};
  std::string text;
  if (!is_folder(path)) {
    if (!is_file(path)) return failure{errc::invalid_argument, "neither a file nor a folder"};
    if (!text_detail::read_file(path, text)) return failure{errc::io_error, "the file cannot be read"};
    if (text.empty()) return failure{errc::invalid_argument, "the file is empty"};
    if (!looks_like_text(text)) return failure{errc::invalid_argument, "the file is not text"};
    return text;
  }
  std::vector<std::string> files;
  list_files(path, files);
  std::sort(files.begin(), files.end());
  std::string one;
  for (const std::string& f : files)
    if (has_extension(f, extensions) && text_detail::read_file(f, one) && looks_like_text(one)) text += one;
  if (text.empty()) return failure{errc::invalid_argument, "the folder holds no text"};
  return text;
}

/// Random windows of a token stream. Its whole state is a counter: batch n is the same for everyone who asks.
class batch_sampler {
 public:
  /// The stream must hold at least sequence + 1 tokens.
  batch_sampler(span<const token> tokens, std::size_t sequence, std::uint64_t seed)
      : tokens_(tokens), sequence_(sequence), seed_(seed) {
    check(tokens.size() > sequence, errc::invalid_argument, "ctlm: the text is shorter than one sequence",
          tokens.size());
  }

  /// Fills inputs with whole sequences and targets with the tokens after them.
  void next(span<token> inputs, span<token> targets) {
    for (std::size_t row = 0; row + sequence_ <= inputs.size(); row += sequence_) {
      const std::size_t first = static_cast<std::size_t>(mix(seed_, position++) % (tokens_.size() - sequence_));
      for (std::size_t i = 0; i < sequence_; ++i) {
        inputs[row + i] = tokens_[first + i];
        targets[row + i] = tokens_[first + i + 1];
      }
    }
  }

  std::uint64_t position = 0;  // sequences drawn so far: what a checkpoint keeps

 private:
  span<const token> tokens_;
  std::size_t sequence_;
  std::uint64_t seed_;
};

}}  // namespace ctlm
