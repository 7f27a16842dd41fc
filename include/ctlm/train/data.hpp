// SPDX-License-Identifier: MIT
// ctlm: text from files and folders, and batches from a stream of tokens.
#pragma once

#include "../core/result.hpp"
#include "../core/rng.hpp"
#include "../core/span.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace ctlm::inline CTLM_ABI {

/// No NUL byte among the first few thousand: what text files have in common.
inline bool looks_like_text(std::string_view s) { return s.substr(0, 8192).find('\0') == std::string_view::npos; }

/// A file, or every text file of a folder and its subfolders in the order of their names; hidden files and folders are
/// passed over. With `extensions` (such as ".cpp"), only those files of a folder count. A path that does not exist,
/// cannot be read, or holds no text is an error.
inline result<std::string> read_text(const std::string& path, span<const std::string_view> extensions = {}) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return failure{errc::not_found, "no such file or folder"};
  auto read = [](const fs::path& p, std::string& to) {
    std::ifstream in(p, std::ios::binary);
    to.assign(std::istreambuf_iterator<char>(in), {});
    return static_cast<bool>(in);
  };
  std::string text;
  if (!fs::is_directory(path, ignored)) {
    if (!read(path, text)) return failure{errc::io_error, "the file cannot be read"};
    if (text.empty()) return failure{errc::invalid_argument, "the file is empty"};
    if (!looks_like_text(text)) return failure{errc::invalid_argument, "the file is not text"};
    return text;
  }
  std::vector<fs::path> files;
  for (auto i = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, ignored);
       i != fs::recursive_directory_iterator(); i.increment(ignored)) {
    if (i->path().filename().string().starts_with('.')) {
      if (i->is_directory(ignored)) i.disable_recursion_pending();
    } else if (i->is_regular_file(ignored) && (extensions.empty() || std::find(extensions.begin(), extensions.end(),
                                                                               i->path().extension()) != extensions.end())) {
      files.push_back(i->path());
    }
  }
  std::sort(files.begin(), files.end());
  std::string one;
  for (const auto& f : files)
    if (read(f, one) && looks_like_text(one)) text += one;
  if (text.empty()) return failure{errc::invalid_argument, "the folder holds no text"};
  return text;
}

/// Random windows of a token stream. Its whole state is a counter: batch n is the same for everyone who asks.
class batch_sampler {
 public:
  /// The stream must hold at least sequence + 1 tokens.
  batch_sampler(span<const token> tokens, std::size_t sequence, std::uint64_t seed)
      : tokens_(tokens), sequence_(sequence), seed_(seed) {
    check(tokens.size() > sequence, errc::invalid_argument, "ctlm: the text is shorter than one sequence", tokens.size());
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

}  // namespace ctlm::inline CTLM_ABI
