// SPDX-License-Identifier: MIT
// ctlm: checkpoints: named sections of bytes in one file, replaced atomically and verified before anything is read.
//
//   offset  bytes
//   0       8       "CTLMCKPT"
//   8       8       version of this layout
//   16      8       weights_fingerprint of the model; in version 1, tensor_table::layout_hash
//   24      8       number of sections
//   32      48 each name (40 bytes, zero padded), bytes (8)
//   ...             the sections' bytes, one after the other
//   end-8   8       checksum of everything before
// Numbers are little-endian, as are the sections of the machines that ctlm trains on.
#pragma once

#include "../core/hash.hpp"
#include "../core/span.hpp"
#include "../model/fingerprint.hpp"
#include "file.hpp"

#include <bit>
#include <cstring>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

static_assert(std::endian::native == std::endian::little, "ctlm: checkpoints are written on little-endian machines");

struct checkpoint_section {
  const char* name;  // at most 39 characters
  void* data;
  std::size_t bytes;
};

namespace checkpoint_detail {

inline constexpr char magic[] = {'C', 'T', 'L', 'M', 'C', 'K', 'P', 'T'};
inline constexpr std::uint64_t first_version = 1, version = 2;
inline constexpr std::size_t max_sections = 64;

struct file_header {
  char magic[8];
  std::uint64_t version;
  std::uint64_t layout;
  std::uint64_t sections;
};
struct section_header {
  char name[40];
  std::uint64_t bytes;
};

inline section_header header_of(const checkpoint_section& s) {
  section_header h{};
  std::strncpy(h.name, s.name, sizeof h.name - 1);
  h.bytes = s.bytes;
  return h;
}

/// Checks what the file says of itself against what is asked for.
inline result<void> check_headers(const file_header& h, const std::vector<section_header>& found, std::uint64_t layout,
                                  span<const checkpoint_section> wanted) {
  if (h.layout != layout)
    return failure{errc::wrong_model,
                   "ctlm: this checkpoint belongs to another model (its shape, activation or weight format differs)"};
  if (h.sections != wanted.size())
    return failure{errc::wrong_model, "ctlm: this checkpoint belongs to another recipe (it has other sections)"};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const section_header w = header_of(wanted[i]);
    if (std::memcmp(&found[i], &w, sizeof w) != 0)
      return failure{errc::wrong_model, "ctlm: this checkpoint belongs to another recipe (a section differs)", i};
  }
  return {};
}

/// Reads the file once and compares its checksum.
inline result<void> compare_checksum(int descriptor, std::size_t size) {
  std::vector<char> buffer(1 << 20);
  checksum sum;
  std::size_t left = size - 8, offset = 0;
  while (left > 0) {
    const std::size_t n = left < buffer.size() ? left : buffer.size();
    if (const auto r = read_exactly(descriptor, buffer.data(), n, offset); !r) return r;
    sum.add(buffer.data(), n);
    left -= n;
    offset += n;
  }
  std::uint64_t stored = 0;
  if (const auto r = read_exactly(descriptor, &stored, 8, offset); !r) return r;
  if (stored != sum.value())
    return failure{errc::corrupt, "ctlm: this checkpoint is damaged: its checksum does not match"};
  return {};
}

}  // namespace checkpoint_detail

/// Replaces the file; an existing one stays as it is unless everything could be written.
inline result<void> write_checkpoint(const char* path, std::uint64_t layout, span<const checkpoint_section> sections) {
  using namespace checkpoint_detail;
  return replace_file(path, [&](int descriptor) -> result<void> {
    checksum sum;
    // Checksums cover whole blocks of the file, so that reading can go block by block.
    std::vector<char> pending;
    constexpr std::size_t block = 1 << 20;
    auto flush = [&]() -> result<void> {
      sum.add(pending.data(), pending.size());
      const auto r = write_exactly(descriptor, pending.data(), pending.size());
      pending.clear();
      return r;
    };
    auto put = [&](const void* data, std::size_t n) -> result<void> {
      const auto* p = static_cast<const char*>(data);
      while (n > 0) {
        const std::size_t part = n < block - pending.size() ? n : block - pending.size();
        pending.insert(pending.end(), p, p + part);
        p += part;
        n -= part;
        if (pending.size() == block)
          if (const auto r = flush(); !r) return r;
      }
      return {};
    };
    pending.reserve(block);
    file_header h{{}, version, layout, sections.size()};
    std::memcpy(h.magic, magic, sizeof magic);
    if (const auto r = put(&h, sizeof h); !r) return r;
    for (const auto& s : sections) {
      const section_header sh = header_of(s);
      if (const auto r = put(&sh, sizeof sh); !r) return r;
    }
    for (const auto& s : sections)
      if (const auto r = put(s.data, s.bytes); !r) return r;
    if (const auto r = flush(); !r) return r;
    const std::uint64_t value = sum.value();
    return write_exactly(descriptor, &value, sizeof value);
  });
}

/// Fills the sections from the file. Nothing is written to them unless the whole file is sound and fits. A file of
/// version 1 must hold `first_layout` in place of `layout`.
inline result<void> read_checkpoint(const char* path, std::uint64_t layout, span<const checkpoint_section> sections,
                                    std::uint64_t first_layout) {
  using namespace checkpoint_detail;
  auto f = open_to_read(path);
  if (!f) return f.error();
  const auto size = file_size(f->get());
  if (!size) return size.error();
  file_header h{};
  if (*size < sizeof h.magic) return failure{errc::corrupt, "ctlm: this file is not a ctlm checkpoint"};
  if (const auto r = read_exactly(f->get(), &h, *size < sizeof h ? *size : sizeof h, 0); !r) return r;
  if (std::memcmp(h.magic, magic, sizeof magic) != 0)
    return failure{errc::corrupt, "ctlm: this file is not a ctlm checkpoint"};
  if (*size < sizeof h + 8) return failure{errc::truncated, "ctlm: this checkpoint is cut off", *size};
  if (h.version != version && h.version != first_version)
    return failure{errc::unsupported, "ctlm: this checkpoint was written by another version of ctlm", h.version};
  if (h.sections > max_sections) return failure{errc::corrupt, "ctlm: this checkpoint is damaged: too many sections"};
  std::vector<section_header> found(h.sections);
  std::size_t expected = sizeof h + found.size() * sizeof(section_header) + 8;
  if (*size < expected) return failure{errc::truncated, "ctlm: this checkpoint is cut off", *size};
  if (const auto r = read_exactly(f->get(), found.data(), found.size() * sizeof(section_header), sizeof h); !r)
    return r;
  for (const section_header& s : found) {
    if (s.bytes > *size) return failure{errc::truncated, "ctlm: this checkpoint is cut off", *size};
    expected += s.bytes;
  }
  if (*size < expected) return failure{errc::truncated, "ctlm: this checkpoint is cut off", *size};
  if (*size > expected) return failure{errc::corrupt, "ctlm: this checkpoint is damaged: it is longer than it says"};
  if (::lseek(f->get(), 0, SEEK_SET) != 0) return system_failure("ctlm: the file could not be read");
  if (const auto r = compare_checksum(f->get(), *size); !r) return r;
  if (const auto r = check_headers(h, found, h.version == version ? layout : first_layout, sections); !r) return r;
  const auto start = static_cast<off_t>(sizeof h + found.size() * sizeof(section_header));
  if (::lseek(f->get(), start, SEEK_SET) != start) return system_failure("ctlm: the file could not be read");
  for (const auto& s : sections)
    if (const auto r = read_exactly(f->get(), s.data, s.bytes, 0); !r) return r;
  return {};
}

inline result<void> read_checkpoint(const char* path, std::uint64_t layout, span<const checkpoint_section> sections) {
  return read_checkpoint(path, layout, sections, layout);
}

/// A trainer's whole state, and whatever else a run wants to find again (data position, tokenizer...).
template <class Trainer>
std::vector<checkpoint_section> sections_of(Trainer& t, span<const checkpoint_section> extra) {
  std::vector<checkpoint_section> all;
  t.for_each_state([&](const char* name, void* data, std::size_t bytes) { all.push_back({name, data, bytes}); });
  all.insert(all.end(), extra.begin(), extra.end());
  return all;
}
template <class Trainer>
result<void> save_checkpoint(const char* path, Trainer& t, span<const checkpoint_section> extra = {}) {
  return write_checkpoint(path, weights_fingerprint<typename Trainer::model>(), sections_of(t, extra));
}
template <class Trainer>
result<void> load_checkpoint(const char* path, Trainer& t, span<const checkpoint_section> extra = {}) {
  return read_checkpoint(path, weights_fingerprint<typename Trainer::model>(), sections_of(t, extra),
                         Trainer::model::tensors.layout_hash());
}

}}  // namespace ctlm
