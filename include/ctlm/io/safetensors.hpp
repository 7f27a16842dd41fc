// SPDX-License-Identifier: MIT
// ctlm: models in safetensors files: one file, or several with an index, mapped into memory.
#pragma once

#include "safetensors_header.hpp"

#include <unordered_map>

namespace ctlm { inline namespace CTLM_ABI {

/// An open model in the format of safetensors: names, shapes and where the numbers are. It models tensor_source.
///
/// Nothing is copied: numbers are in the mapped files (mapped_file says what that asks of them). Memory is taken for
/// the table of tensors, and while a header is read for its keys: no more than the headers' size and 1 MB.
///
/// `const auto file = ctlm::safetensors_file::open("model").value();`
/// `const ctlm::stored_tensor* t = file.find("lm_head.weight");`
class safetensors_file {
 public:
  /// `path`: a file of tensors; an index, which ends in ".json"; or a folder with model.safetensors or, if that is not
  /// there, model.safetensors.index.json.
  ///
  /// Every rule of the format is checked, so that all tensors can be read. Errors: errc::not_found, io_error,
  /// truncated, corrupt, unsupported (a type of numbers, more than 8 dimensions), out_of_memory; failure::name is the
  /// tensor's, or the file's that an index names.
  static result<safetensors_file> open(const char* path) {
    return or_out_of_memory(file_detail::no_memory, [&]() -> result<safetensors_file> {
      if (const auto r = file_detail::check_path(path); !r) return r.error();
      const auto folder = is_folder(path);
      if (!folder) return folder.error();
      safetensors_file f;
      const std::string name(path);
      const bool index = name.size() >= 5 && name.compare(name.size() - 5, 5, ".json") == 0;
      const auto r = *folder ? f.open_folder(name) : index ? f.open_index(name) : f.open_alone(name);
      if (!r) return r.error();
      return result<safetensors_file>(static_cast<safetensors_file&&>(f));
    });
  }

  /// The same for one file whose bytes are in memory, of any alignment; they must stay there.
  static result<safetensors_file> bind(span<const std::byte> bytes) {
    return or_out_of_memory(file_detail::no_memory, [&]() -> result<safetensors_file> {
      safetensors_file f;
      auto alone = safetensors_detail::read_header(bytes);
      if (!alone) return alone.error();
      f.files_.push_back(static_cast<open_file&&>(*alone));
      if (const auto r = f.read_all(); !r) return r.error();
      return result<safetensors_file>(static_cast<safetensors_file&&>(f));
    });
  }

  /// All tensors: file after file, each in the order of its bytes.
  span<const stored_tensor> tensors() const { return tensors_; }

  /// The one of this name, or nullptr.
  const stored_tensor* find(span<const char> name) const {
    using safetensors_detail::view_of;
    const auto place =
        std::lower_bound(by_name_.begin(), by_name_.end(), view_of(name),
                         [&](std::uint32_t i, std::string_view wanted) { return view_of(tensors_[i].name) < wanted; });
    const bool found = place != by_name_.end() && view_of(tensors_[*place].name) == view_of(name);
    return found ? &tensors_[*place] : nullptr;
  }
  const stored_tensor* find(const char* name) const {
    return find(span<const char>(name, std::string_view(name).size()));
  }

  /// Says that a tensor has been read: its pages need not stay in this process's memory.
  void release(const stored_tensor& t) const {
    for (const open_file& f : files_) f.map.release(t.bytes);
  }

  /// The object `__metadata__` of the first file, whose values are strings; a missing value if it has none.
  json::value metadata() const {
    return files_.empty() ? json::value() : files_[0].header.find(safetensors_detail::metadata_key);
  }

 private:
  using open_file = safetensors_detail::open_file;

  static result<bool> is_folder(const char* path) {
    const auto f = open_to_read(path);
    if (!f) return f.error();
    struct stat s {};
    if (uninterrupted([&] { return system_calls::status(f->get(), &s); }) != 0)
      return system_failure("ctlm: the file could not be examined (system error {where})");
    return S_ISDIR(s.st_mode) ? true : false;
  }

  result<void> open_folder(const std::string& folder) {
    const auto alone = open_alone(folder + "/model.safetensors");
    if (alone || alone.error().code != errc::not_found) return alone;
    const auto index = open_index(folder + "/model.safetensors.index.json");
    if (index || index.error().code != errc::not_found || index.error().name != nullptr) return index;
    return failure{errc::not_found, "ctlm: this folder has neither model.safetensors nor model.safetensors.index.json"};
  }
  result<void> open_alone(const std::string& path) {
    auto f = safetensors_detail::open_header(path.c_str());
    if (!f) return f.error();
    files_.push_back(static_cast<open_file&&>(*f));
    return read_all();
  }

  result<void> open_index(const std::string& path) {
    const auto map = mapped_file::open(path.c_str());
    if (!map) return map.error();
    const span<const char> text(reinterpret_cast<const char*>(map->bytes().data()), map->bytes().size());
    const auto index = json::parse(text, {.depth = 16}, heap_keys());
    if (!index) return index.error();
    const json::value names = index->find("weight_map");
    if (names.kind() != json::kind::object)
      return failure{errc::corrupt, "ctlm: this index of safetensors files has no weight_map of names and files"};
    std::unordered_map<std::string, std::size_t> numbers;  // of the files, by name
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    for (const auto [name, file] : names.members())
      if (const auto r = open_part(folder, file, numbers); !r) return r;
    if (const auto r = read_all(); !r) return r;
    for (const auto [name, file] : names.members())
      if (const auto r = check_place(name, file, numbers); !r) return r;
    return {};
  }
  /// Opens a file that an index names, if it is not open yet.
  result<void> open_part(const std::string& folder, const json::value& file,
                         std::unordered_map<std::string, std::size_t>& numbers) {
    std::string name;
    file.decode([&](char c) { name += c; });
    const bool plain = name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
    if (name.empty() || name == "." || name == ".." || !plain)
      return failure{errc::corrupt,
                     "ctlm: at byte {where} this index does not name a file of its own folder: {name}",
                     file.where(),
                     0,
                     0,
                     remember(name)};
    if (!numbers.emplace(name, files_.size()).second) return {};
    auto f = safetensors_detail::open_header((folder + name).c_str());
    if (!f && f.error().code == errc::not_found)
      return failure{errc::not_found, "ctlm: a file that this index names is not there: {name}", 0, 0, 0,
                     remember(name)};
    if (!f) return f.error();
    files_.push_back(static_cast<open_file&&>(*f));
    return {};
  }
  /// Whether a tensor of an index is in the file that the index says.
  result<void> check_place(const json::value& name, const json::value& file,
                           const std::unordered_map<std::string, std::size_t>& numbers) const {
    std::string text, file_name;
    name.decode([&](char c) { text += c; });
    file.decode([&](char c) { file_name += c; });
    const stored_tensor* const t = find(span<const char>(text));
    const auto number = numbers.find(file_name);
    if (t != nullptr && number != numbers.end()) {
      const auto bytes = files_[number->second].data();
      if (t->bytes.begin() >= bytes.begin() && t->bytes.end() <= bytes.end()) return {};
    }
    return failure{errc::corrupt, "ctlm: {name} is not in the file in which it is by the index", name.where(), 0, 0,
                   remember(text)};
  }

  /// The tensors of all files. No memory is taken that the headers' size does not justify.
  result<void> read_all() {
    constexpr std::size_t allowance = std::size_t{1} << 20;
    std::size_t headers = 0, tensors = 0, names = 0;
    for (const open_file& f : files_) {
      headers += f.header_bytes;
      tensors += f.tensors;
      names += f.escaped_name_bytes;
    }
    const std::size_t needed = tensors * (sizeof(stored_tensor) + sizeof(std::uint32_t)) + names;
    if (needed > headers + allowance)
      return failure{
          errc::unsupported,
          "ctlm: this safetensors file has too many tensors with too short names: a table of {needed} bytes, "
          "for headers of {had}",
          0, needed, headers};
    tensors_.reserve(tensors);
    names_.reserve(names);
    for (const open_file& f : files_)
      if (const auto r = read_one(f); !r) return r;
    return sort_by_name();
  }
  result<void> read_one(const open_file& f) {
    const std::size_t first = tensors_.size();
    for (const json::member entry : f.header.members()) {
      if (entry.key.equals(safetensors_detail::metadata_key)) continue;
      const auto name = keep_name(entry.key);
      if (!name) return name.error();
      const auto t = safetensors_detail::entry_reader(f, entry, *name).read();
      if (!t) return t.error();
      if (tensors_.size() == tensors_.capacity()) return changed();
      tensors_.push_back(*t);
    }
    return safetensors_detail::check_bytes(span<stored_tensor>(tensors_).subspan(first), f.data());
  }
  /// A name is in the header as it is, unless it has escapes.
  result<span<const char>> keep_name(const json::value& key) {
    const auto quoted = key.written();
    if (!safetensors_detail::has_escape(key)) return quoted.subspan(1, larger(quoted.size(), 2) - 2);
    const std::size_t first = names_.size();
    if (key.decode([](char) {}) > names_.capacity() - first) return changed();
    key.decode([&](char c) {
      if (names_.size() < names_.capacity()) names_.push_back(c);
    });
    return span<const char>(names_).subspan(first);
  }
  static failure changed() { return {errc::corrupt, "ctlm: this safetensors file changed while it was read"}; }

  result<void> sort_by_name() {
    using safetensors_detail::view_of;
    by_name_.resize(tensors_.size());
    for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = static_cast<std::uint32_t>(i);
    std::sort(by_name_.begin(), by_name_.end(),
              [&](std::uint32_t a, std::uint32_t b) { return view_of(tensors_[a].name) < view_of(tensors_[b].name); });
    for (std::size_t i = 1; i < by_name_.size(); ++i) {
      const stored_tensor& t = tensors_[by_name_[i]];
      if (view_of(t.name) == view_of(tensors_[by_name_[i - 1]].name))
        return failure{errc::corrupt,   "ctlm: {name} is in more than one of this model's safetensors files", 0, 0, 0,
                       remember(t.name)};
    }
    return {};
  }

  std::vector<open_file> files_;
  std::vector<stored_tensor> tensors_;
  std::vector<std::uint32_t> by_name_;
  std::vector<char> names_;  // those that have escapes in the headers
};

static_assert(tensor_source<safetensors_file>);

}}  // namespace ctlm
