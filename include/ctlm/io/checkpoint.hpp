// SPDX-License-Identifier: MIT
// ctlm: checkpoints: named sections of bytes in one file (checkpoint_layout.hpp), replaced atomically and verified
// before anything is read.
#pragma once

#include "../core/hash.hpp"
#include "../model/fingerprint.hpp"
#include "checkpoint_layout.hpp"
#include "replace.hpp"

#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

namespace checkpoint_detail {

/// Reads the whole file from its beginning, hands each chunk to visit(offset, data, n), and compares the checksum.
template <class Visit>
result<void> read_chunks(int descriptor, std::size_t size, char* buffer, Visit&& visit) {
  if (uninterrupted([&] { return system_calls::seek(descriptor, 0); }) != 0)
    return system_failure("ctlm: the file could not be read again from its beginning (system error {where})");
  checksum sum;
  std::size_t offset = 0;
  for (const std::size_t end = size - 8; offset < end;) {
    const std::size_t n = smaller(end - offset, chunk_bytes);
    if (const auto r = read_exactly(descriptor, buffer, n, offset); !r) return r;
    sum.add(buffer, n);
    visit(offset, buffer, n);
    offset += n;
  }
  std::uint64_t stored = 0;
  if (const auto r = read_exactly(descriptor, &stored, sizeof stored, offset); !r) return r;
  if (stored != sum.value())
    return failure{errc::corrupt, "ctlm: this checkpoint is damaged: the checksum of its {needed} bytes does not match",
                   0, size};
  return {};
}

/// Copies those bytes of the sections that a chunk of the file holds to where they belong.
inline void copy_chunk(span<const checkpoint_section> sections, std::size_t begin, std::size_t offset, const char* data,
                       std::size_t n) {
  for (const checkpoint_section& s : sections) {
    const std::size_t first = larger(begin, offset), last = smaller(begin + s.bytes, offset + n);
    if (first < last) std::memcpy(static_cast<char*>(s.data) + (first - begin), data + (first - offset), last - first);
    begin += s.bytes;
  }
}

/// Memory for one chunk; get() is nullptr if there is none. Throws nothing.
class chunk_buffer {
 public:
  chunk_buffer() : data_(new (std::nothrow) char[chunk_bytes]) {}
  chunk_buffer(const chunk_buffer&) = delete;
  chunk_buffer& operator=(const chunk_buffer&) = delete;
  ~chunk_buffer() { delete[] data_; }
  char* get() const { return data_; }

 private:
  char* data_;
};
inline failure no_buffer() {
  return failure{errc::out_of_memory, "ctlm: there are no {needed} bytes of memory to read or write a checkpoint with",
                 0, chunk_bytes};
}

/// Collects what is written into whole chunks and then writes them: the checksum is computed over the same chunks as
/// when the file is read.
class chunk_writer {
 public:
  chunk_writer(int descriptor, char* buffer) : descriptor_(descriptor), buffer_(buffer) {}

  result<void> put(const void* data, std::size_t n) {
    const auto* p = static_cast<const char*>(data);
    while (n > 0) {
      const std::size_t part = smaller(n, chunk_bytes - pending_);
      std::memcpy(buffer_ + pending_, p, part);
      pending_ += part;
      p += part;
      n -= part;
      if (pending_ == chunk_bytes)
        if (const auto r = flush(); !r) return r;
    }
    return {};
  }
  result<void> finish() {
    if (const auto r = flush(); !r) return r;
    const std::uint64_t value = sum_.value();
    return write_exactly(descriptor_, &value, sizeof value);
  }

 private:
  result<void> flush() {
    sum_.add(buffer_, pending_);
    const auto r = write_exactly(descriptor_, buffer_, pending_);
    pending_ = 0;
    return r;
  }

  int descriptor_;
  char* buffer_;
  std::size_t pending_ = 0;
  checksum sum_;
};

}  // namespace checkpoint_detail

/// Replaces the file (replace_file: at once, or not at all). At most 64 sections, each with a name of its own of 1
/// to 39 characters; anything else is refused before the file is touched.
inline result<void> write_checkpoint(const char* path, std::uint64_t layout, span<const checkpoint_section> sections) {
  using namespace checkpoint_detail;
  if (const auto r = check_sections(sections); !r) return r;
  const chunk_buffer buffer;
  if (buffer.get() == nullptr) return no_buffer();
  return replace_file(path, [&](int descriptor) -> result<void> {
    chunk_writer out(descriptor, buffer.get());
    file_header h{{}, version, layout, sections.size()};
    std::memcpy(h.magic, magic, sizeof magic);
    if (const auto r = out.put(&h, sizeof h); !r) return r;
    for (const auto& s : sections) {
      const section_header sh = header_of(s);
      if (const auto r = out.put(&sh, sizeof sh); !r) return r;
    }
    for (const auto& s : sections)
      if (const auto r = out.put(s.data, s.bytes); !r) return r;
    return out.finish();
  });
}

/// Fills the sections from the file. A file of version 1 must hold `first_layout` in place of `layout`.
///
/// The file is read twice. The first time everything is verified, and nothing is written to the sections: a file that
/// is cut off, damaged, or of another model or recipe leaves them as they were. The second time they are filled, and
/// the checksum is compared once more. Only where the disk fails, or somebody changes the file in place, between the
/// two is there a failure that leaves the sections a mixture of old and new: then *half_read is true and the words say
/// so. (Files replaced by write_checkpoint do not change in place: a reader goes on reading the one it opened.)
inline result<void> read_checkpoint(const char* path, std::uint64_t layout, span<const checkpoint_section> sections,
                                    std::uint64_t first_layout, bool* half_read = nullptr) {
  using namespace checkpoint_detail;
  if (half_read != nullptr) *half_read = false;
  if (const auto r = check_sections(sections); !r) return r;
  auto f = open_to_read(path);
  if (!f) return f.error();
  const auto size = file_size(f->get());
  if (!size) return size.error();
  file_head head{};
  if (const auto r = read_head(f->get(), *size, head); !r) return r;
  const chunk_buffer buffer;
  if (buffer.get() == nullptr) return no_buffer();
  bool changed = false;
  auto compare_head = [&](std::size_t offset, const char* data, std::size_t n) {
    if (offset == 0) changed = std::memcmp(data, &head, smaller(n, head.bytes())) != 0;
  };
  if (const auto r = read_chunks(f->get(), *size, buffer.get(), compare_head); !r) return r;
  if (changed) return failure{errc::corrupt, "ctlm: this checkpoint changed while it was read"};
  if (const auto r = check_head(head, head.header.version == version ? layout : first_layout, sections); !r) return r;

  bool touched = false;
  auto fill = [&](std::size_t offset, const char* data, std::size_t n) {
    touched = true;
    copy_chunk(sections, head.bytes(), offset, data, n);
  };
  result<void> r = read_chunks(f->get(), *size, buffer.get(), fill);
  if (r || !touched) return r;
  if (half_read != nullptr) *half_read = true;
  return failure{r.error().code,
                 "ctlm: this checkpoint was sound, and then its {needed} bytes could not be read again or had changed: "
                 "what it was read into is a mixture of old and new, not to be used",
                 r.error().where, *size};
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

/// Saves a trainer and `extra`; refuses one that a failed load_checkpoint has left half loaded.
template <class Trainer>
result<void> save_checkpoint(const char* path, Trainer& t, span<const checkpoint_section> extra = {}) {
  if (!t.usable())
    return failure{errc::invalid_argument, "ctlm: a trainer that is half loaded from a checkpoint is not saved"};
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<void> {
    return write_checkpoint(path, weights_fingerprint<typename Trainer::model>(), sections_of(t, extra));
  });
}

/// Loads a trainer and `extra` (read_checkpoint). After a failure they are as they were; where they are a mixture of
/// old and new instead, the trainer is not usable(): it refuses to step and to be saved until a checkpoint has been
/// loaded.
template <class Trainer>
result<void> load_checkpoint(const char* path, Trainer& t, span<const checkpoint_section> extra = {}) {
  return or_out_of_memory(file_detail::no_memory, [&]() -> result<void> {
    bool half_read = false;
    const auto r = read_checkpoint(path, weights_fingerprint<typename Trainer::model>(), sections_of(t, extra),
                                   Trainer::model::tensors.layout_hash(), &half_read);
    if (r || half_read) t.set_usable(!half_read);
    return r;
  });
}

}}  // namespace ctlm
