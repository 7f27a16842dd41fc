// SPDX-License-Identifier: MIT
// ctlm: the layout of checkpoints (checkpoint_bytes.hpp in memory, io/checkpoint.hpp in files), and what is refused, at
// writing and at reading, before any byte of a section is touched.
//
//   offset  bytes
//   0       8       "CTLMCKPT"
//   8       8       version of this layout
//   16      8       weights_fingerprint of the model; in version 1, tensor_table::layout_hash
//   24      8       number of sections, at most 64
//   32      48 each name (40 bytes, zero padded: at most 39 characters), bytes (8)
//   ...             the sections' bytes, one after the other
//   end-8   8       checksum of everything before
// Numbers are little-endian, as are the sections of the machines that ctlm trains on.
#pragma once

#include "../core/result.hpp"
#include "../core/span.hpp"

#include <bit>
#include <limits>

namespace ctlm { inline namespace CTLM_ABI {

static_assert(std::endian::native == std::endian::little, "ctlm: checkpoints are written on little-endian machines");

/// Bytes that a checkpoint keeps under a name: read when it is written, filled when it is read.
struct checkpoint_section {
  const char* name;   ///< 1 to 39 characters, of no other section; must outlive failures, which name it
  void* data;         ///< the bytes, which belong to the caller
  std::size_t bytes;  ///< how many: a file that holds another number is refused
};

namespace checkpoint_detail {

inline constexpr char magic[] = {'C', 'T', 'L', 'M', 'C', 'K', 'P', 'T'};
inline constexpr std::uint64_t first_version = 1, version = 2;
inline constexpr std::size_t max_sections = 64, name_bytes = 40;

/// How the name of the section begins that says what of a model learned; the rest are 16 hexadecimal digits.
inline constexpr char learns[] = "learns ";

struct file_header {
  char magic[8];
  std::uint64_t version;
  std::uint64_t layout;
  std::uint64_t sections;
};
struct section_header {
  char name[name_bytes];
  std::uint64_t bytes;
};
/// The beginning of a file: its header, and the names and sizes of its sections.
struct file_head {
  file_header header;
  section_header sections[max_sections];

  std::size_t count() const { return static_cast<std::size_t>(header.sections); }
  std::size_t bytes() const { return sizeof header + count() * sizeof(section_header); }
};
static_assert(sizeof(file_head) == sizeof(file_header) + max_sections * sizeof(section_header));

constexpr std::size_t length_of(const char* name) {
  std::size_t n = 0;
  while (name[n] != '\0') ++n;
  return n;
}
constexpr bool same_text(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}

/// The header of a section, whose name check_sections has accepted.
inline section_header header_of(const checkpoint_section& s) {
  section_header h{};
  __builtin_memcpy(h.name, s.name, length_of(s.name));
  h.bytes = s.bytes;
  return h;
}
inline bool same_name(const section_header& h, const checkpoint_section& s) {
  const section_header wanted = header_of(s);
  for (std::size_t i = 0; i < name_bytes; ++i)
    if (h.name[i] != wanted.name[i]) return false;
  return true;
}

/// Whether a file can hold these sections.
inline result<void> check_sections(span<const checkpoint_section> sections) {
  if (sections.size() > max_sections)
    return failure{errc::invalid_argument, "ctlm: a checkpoint has at most {needed} sections, and {had} were given", 0,
                   max_sections, sections.size()};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const checkpoint_section& s = sections[i];
    if (s.name == nullptr || *s.name == '\0')
      return failure{errc::invalid_argument, "ctlm: section number {where} of a checkpoint has no name", i};
    const std::size_t length = length_of(s.name);
    if (length >= name_bytes)
      return failure{errc::invalid_argument,
                     "ctlm: the name of a checkpoint's section has {had} characters, at most {needed} fit: {name}",
                     i,
                     name_bytes - 1,
                     length,
                     s.name};
    for (std::size_t j = 0; j < i; ++j)
      if (same_text(s.name, sections[j].name))
        return failure{errc::invalid_argument,
                       "ctlm: sections number {had} and {needed} of a checkpoint have the same name: {name}",
                       i,
                       i,
                       j,
                       s.name};
    if (s.data == nullptr && s.bytes > 0)
      return failure{errc::invalid_argument,
                     "ctlm: section {name} of a checkpoint has {needed} bytes, but no memory",
                     i,
                     s.bytes,
                     0,
                     s.name};
    if (s.bytes > std::numeric_limits<std::size_t>::max() / 2 - static_cast<std::size_t>(total))
      return failure{errc::invalid_argument,
                     "ctlm: the sections of a checkpoint are larger than memory can be: {name} has {needed} bytes",
                     i,
                     s.bytes,
                     0,
                     s.name};
    total += s.bytes;
  }
  return {};
}

inline failure cut_off(std::size_t needed, std::size_t had) {
  return failure{errc::truncated, "ctlm: this checkpoint is cut off: it needs {needed} bytes and has {had}", had,
                 needed, had};
}

/// Whether a file of `size` bytes with this header is a checkpoint of this version.
inline result<void> check_header(const file_header& h, std::size_t size) {
  const failure foreign{errc::corrupt, "ctlm: this file is not a ctlm checkpoint"};
  if (size < sizeof h.magic) return foreign;
  for (std::size_t i = 0; i < sizeof magic; ++i)
    if (h.magic[i] != magic[i]) return foreign;
  if (size < sizeof h + 8) return cut_off(sizeof h + 8, size);
  if (h.version != version && h.version != first_version)
    return failure{errc::unsupported,
                   "ctlm: this checkpoint was written by another version of ctlm (layout {had}, this is {needed})",
                   static_cast<std::size_t>(h.version), version, static_cast<std::size_t>(h.version)};
  if (h.sections > max_sections)
    return failure{errc::corrupt,
                   "ctlm: this checkpoint is damaged: it says that it has {had} sections, {needed} at "
                   "most are possible",
                   0, max_sections, static_cast<std::size_t>(h.sections)};
  return {};
}

/// Whether a file of `size` bytes can have this head at all.
inline result<void> check_head_size(const file_header& h, std::size_t size) {
  const std::size_t needed = sizeof h + static_cast<std::size_t>(h.sections) * sizeof(section_header) + 8;
  if (size < needed) return cut_off(needed, size);
  return {};
}
/// Whether the sizes that the head names add up to the file's.
inline result<void> check_sizes(const file_head& head, std::size_t size) {
  std::size_t expected = head.bytes() + 8;
  for (std::size_t i = 0; i < head.count(); ++i) {
    const std::uint64_t bytes = head.sections[i].bytes;
    if (bytes > size - expected)
      return failure{
          errc::truncated,
          "ctlm: this checkpoint is cut off in its section number {where}, which needs {needed} bytes: {had} "
          "are there",
          i, static_cast<std::size_t>(bytes), size - expected};
    expected += static_cast<std::size_t>(bytes);
  }
  if (size > expected)
    return failure{errc::corrupt, "ctlm: this checkpoint is damaged: it has {had} bytes and says that it has {needed}",
                   expected, expected, size};
  return {};
}

/// Whether this is the name of the section that says what learned.
constexpr bool says_what_learned(const char* name) {
  for (std::size_t i = 0; learns[i] != '\0'; ++i)
    if (name[i] != learns[i]) return false;
  return true;
}
/// What to say of a file without section number i of those that are asked for.
inline failure missing_section(const file_head& head, span<const checkpoint_section> wanted, std::size_t i) {
  if (says_what_learned(wanted[i].name)) {
    for (std::size_t j = 0; j < head.count(); ++j)
      if (says_what_learned(head.sections[j].name))
        return {errc::wrong_model,
                "ctlm: in this checkpoint something else has learned than in this trainer: other tensors, layers or "
                "projections, or an adapter of another rank, alpha or kind",
                i};
    return {
        errc::wrong_model,
        "ctlm: this checkpoint does not say what of the model has learned: it is of a trainer without train_only<>, "
        "or was written before checkpoints said so",
        i};
  }
  return {errc::wrong_model,
          "ctlm: this checkpoint belongs to another recipe: among its {had} sections there is no {name} (of "
          "{needed} that are asked for)",
          i,
          wanted.size(),
          head.count(),
          wanted[i].name};
}

/// Compares the beginning of a file with what is asked for.
inline result<void> check_head(const file_head& head, std::uint64_t layout, span<const checkpoint_section> wanted) {
  const file_header& h = head.header;
  if (h.layout != layout)
    return failure{errc::wrong_model,
                   "ctlm: this checkpoint belongs to another model: its shape, activation or weight format differs "
                   "(fingerprint {had}, this model's is {needed})",
                   0, static_cast<std::size_t>(layout), static_cast<std::size_t>(h.layout)};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    bool present = false;
    for (std::size_t j = 0; j < head.count(); ++j) present = present || same_name(head.sections[j], wanted[i]);
    if (!present) return missing_section(head, wanted, i);
  }
  if (head.count() != wanted.size())
    return failure{errc::wrong_model,
                   "ctlm: this checkpoint belongs to another recipe: it has {had} sections, {needed} are asked for", 0,
                   wanted.size(), head.count()};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!same_name(head.sections[i], wanted[i]))
      return failure{errc::wrong_model,
                     "ctlm: this checkpoint belongs to another recipe: section {name} is in another place than number "
                     "{where}",
                     i,
                     0,
                     0,
                     wanted[i].name};
    if (head.sections[i].bytes != wanted[i].bytes)
      return failure{errc::wrong_model,
                     "ctlm: this checkpoint belongs to another recipe: section {name} has {had} bytes, {needed} are "
                     "asked for",
                     i,
                     wanted[i].bytes,
                     static_cast<std::size_t>(head.sections[i].bytes),
                     wanted[i].name};
  }
  return {};
}

}  // namespace checkpoint_detail

}}  // namespace ctlm
