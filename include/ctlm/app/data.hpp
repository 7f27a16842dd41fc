// SPDX-License-Identifier: MIT
// ctlm: text from files and folders, and batches from a stream of tokens.
#pragma once

#include "../core/result.hpp"
#include "../core/rng.hpp"
#include "../core/span.hpp"
#include "../memory/out_of_memory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <sys/stat.h>

namespace ctlm { inline namespace CTLM_ABI {

/// No NUL byte among the first few thousand: what text files have in common.
inline bool looks_like_text(std::string_view s) { return s.substr(0, 8192).find('\0') == std::string_view::npos; }

/// What read_text reads at most: more than a small model can learn from, and less than the memory of a machine.
inline constexpr std::size_t most_text = std::size_t{1} << 30;

namespace text_detail {

struct open_file {
  std::FILE* f;
  ~open_file() {
    if (f != nullptr) std::fclose(f);
  }
};
struct open_folder {
  DIR* d;
  ~open_folder() {
    if (d != nullptr) ::closedir(d);
  }
};

inline failure too_long(std::size_t most) {
  return {errc::invalid_argument, "ctlm: this text is longer than the {needed} bytes that are read at most", 0, most};
}

/// Why a path cannot be used.
inline failure path_failure() {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return {errc::not_found, "ctlm: no such file or folder"};
    case ELOOP:
      return {errc::invalid_argument, "ctlm: the links of this path lead in a circle"};
    case ENAMETOOLONG:
      return {errc::invalid_argument, "ctlm: this path is too long"};
    case EACCES:
    case EPERM:
      return {errc::io_error, "ctlm: permission denied"};
    default:
      return {errc::io_error, "ctlm: the path cannot be read"};
  }
}

/// Appends a whole file, if it has at most `most` bytes. A pipe is read until its writers close it or have sent more.
inline result<void> append_file(const std::string& path, std::string& to, std::size_t most) {
  const open_file file{std::fopen(path.c_str(), "rb")};
  if (file.f == nullptr) return path_failure();
  char buffer[1 << 14];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file.f)) > 0;) {
    if (n > most) return too_long(0);
    most -= n;
    to.append(buffer, n);
  }
  if (std::ferror(file.f) != 0) return failure{errc::io_error, "ctlm: the file cannot be read"};
  return {};
}

/// The files and folders in a folder, hidden ones and links left out.
inline result<void> list_folder(const std::string& folder, std::vector<std::string>& files,
                                std::vector<std::string>& folders) {
  const open_folder open{::opendir(folder.c_str())};
  if (open.d == nullptr) return path_failure();
  while (const dirent* entry = ::readdir(open.d)) {
    if (entry->d_name[0] == '.') continue;
    const std::string path = folder + "/" + entry->d_name;
    struct stat s {};
    if (::lstat(path.c_str(), &s) != 0) {
      if (errno == ENOENT) continue;  // it has just been removed
      return path_failure();
    }
    if (S_ISDIR(s.st_mode)) folders.push_back(path);
    if (S_ISREG(s.st_mode)) files.push_back(path);
  }
  return {};
}

/// Paths of the files below a folder, in order. One folder is open at a time, however deep they lie.
inline result<std::vector<std::string>> list_files(const std::string& folder) {
  std::vector<std::string> files, pending{folder};
  while (!pending.empty()) {
    const std::string next = static_cast<std::string&&>(pending.back());
    pending.pop_back();
    if (const auto r = list_folder(next, files, pending); !r) return r.error();
  }
  std::sort(files.begin(), files.end());
  return result<std::vector<std::string>>(static_cast<std::vector<std::string>&&>(files));
}

inline bool has_extension(std::string_view path, span<const std::string_view> extensions) {
  for (std::string_view e : extensions)
    if (path.ends_with(e)) return true;
  return extensions.empty();
}

inline result<std::string> read_one(const std::string& path, std::size_t most) {
  std::string text;
  if (const auto r = append_file(path, text, most); !r)
    return r.error().code == errc::invalid_argument ? too_long(most) : r.error();
  if (text.empty()) return failure{errc::invalid_argument, "ctlm: the file is empty"};
  if (!looks_like_text(text)) return failure{errc::invalid_argument, "ctlm: the file is not text"};
  return result<std::string>(static_cast<std::string&&>(text));
}

inline result<std::string> read_folder(const std::string& path, span<const std::string_view> extensions,
                                       std::size_t most) {
  const auto files = list_files(path);
  if (!files) return files.error();
  std::string text, one;
  for (const std::string& f : *files) {
    if (!has_extension(f, extensions)) continue;
    one.clear();
    if (const auto r = append_file(f, one, most - text.size()); !r) {
      if (r.error().code == errc::not_found) continue;  // it has just been removed
      if (r.error().code == errc::invalid_argument) return too_long(most);
      return failure{errc::io_error, "ctlm: a file of this folder cannot be read"};
    }
    if (looks_like_text(one)) text += one;
  }
  if (text.empty()) return failure{errc::invalid_argument, "ctlm: the folder holds no text"};
  return result<std::string>(static_cast<std::string&&>(text));
}

}  // namespace text_detail

/// A file or a pipe, or every text file of a folder and its subfolders in the order of their names; hidden files and
/// folders are passed over, and so are links inside a folder. With `extensions` (such as ".cpp"), only those files of a
/// folder count. A path that does not exist, cannot be read in full, holds no text or more than `most` bytes is an
/// error; so is a device, which may never end.
inline result<std::string> read_text(const std::string& path, span<const std::string_view> extensions = {},
                                     std::size_t most = most_text) {
  using namespace text_detail;
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return path_failure();
  if (!S_ISDIR(s.st_mode) && !S_ISREG(s.st_mode) && !S_ISFIFO(s.st_mode))
    return failure{errc::invalid_argument, "ctlm: neither a file nor a folder"};
  if (S_ISREG(s.st_mode) && static_cast<std::uint64_t>(s.st_size) > most) return too_long(most);
  return or_out_of_memory("ctlm: there is not enough memory for this text", [&] {
    return S_ISDIR(s.st_mode) ? read_folder(path, extensions, most) : read_one(path, most);
  });
}

/// Draws batches for training: random windows of a stream of tokens. Its whole state is `position`: batch n depends on
/// the seed and on n alone.
class batch_sampler {
 public:
  /// The stream must hold at least sequence + 1 tokens, and a sequence at least one: otherwise this raises
  /// errc::invalid_argument. The tokens must outlive the sampler. Equal seeds draw equal batches.
  batch_sampler(span<const token> tokens, std::size_t sequence, std::uint64_t seed)
      : tokens_(tokens), sequence_(sequence), seed_(seed) {
    check(sequence > 0,
          failure{errc::invalid_argument, "ctlm: a sequence has at least {needed} token, not {had}", 0, 1});
    check(tokens.size() > sequence,
          failure{errc::invalid_argument,
                  "ctlm: the text is shorter than one sequence and the token after it: it has {had} tokens, and more "
                  "than {needed} are needed",
                  0, sequence, tokens.size()});
  }

  /// Fills `inputs` with whole sequences from random places of the stream, and `targets` with as many tokens: target i
  /// is the token after input i. Raises errc::invalid_argument for sizes that do not fit.
  void next(span<token> inputs, span<token> targets) {
    check(
        inputs.size() % sequence_ == 0,
        failure{errc::invalid_argument, "ctlm: a batch is made of sequences of {needed} tokens; {had} are no multiple",
                0, sequence_, inputs.size()});
    check(targets.size() >= inputs.size(),
          failure{errc::invalid_argument, "ctlm: a batch of {needed} tokens has as many targets, not {had}", 0,
                  inputs.size(), targets.size()});
    for (std::size_t row = 0; row < inputs.size(); row += sequence_) {
      const std::size_t first = static_cast<std::size_t>(mix(seed_, position++) % (tokens_.size() - sequence_));
      for (std::size_t i = 0; i < sequence_; ++i) {
        inputs[row + i] = tokens_[first + i];
        targets[row + i] = tokens_[first + i + 1];
      }
    }
  }

  std::uint64_t position = 0;  ///< sequences drawn so far: what a checkpoint keeps to go on with the same batches

 private:
  span<const token> tokens_;
  std::size_t sequence_;
  std::uint64_t seed_;
};

}}  // namespace ctlm
