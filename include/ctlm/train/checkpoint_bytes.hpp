// SPDX-License-Identifier: MIT
// ctlm: checkpoints without files: the bytes that io/checkpoint.hpp reads and writes, handed out piece by piece and
// taken from memory. For devices and browsers, which have a place for them of their own.
#pragma once

#include "../core/hash.hpp"
#include "../model/fingerprint.hpp"
#include "checkpoint_head.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace checkpoint_detail {

/// The checksum of bytes that come in pieces: that of the same bytes in one piece.
class piecewise_checksum {
 public:
  void add(const void* data, std::size_t n) {
    const auto* p = static_cast<const unsigned char*>(data);
    for (; n > 0 && held_ > 0; --n, ++p) hold(*p);
    const std::size_t whole = n / sizeof word_ * sizeof word_;
    sum_.add(p, whole);
    for (p += whole, n -= whole; n > 0; --n, ++p) hold(*p);
  }
  /// The checksum; nothing may be added after it.
  std::uint64_t value() {
    sum_.add(word_, held_);
    return sum_.value();
  }

 private:
  void hold(unsigned char byte) {
    word_[held_++] = byte;
    if (held_ < sizeof word_) return;
    sum_.add(word_, sizeof word_);
    held_ = 0;
  }

  checksum sum_;
  unsigned char word_[8] = {};
  std::size_t held_ = 0;
};

/// The sections of a trainer and of its caller: at most as many as a checkpoint has.
class section_list {
 public:
  template <class Trainer>
  section_list(Trainer& t, span<const checkpoint_section> extra) {
    t.for_each_state([&](const char* name, void* data, std::size_t bytes) { add({name, data, bytes}); });
    for (const checkpoint_section& s : extra) add(s);
  }
  span<const checkpoint_section> all() const { return {sections_, count_}; }

 private:
  void add(const checkpoint_section& s) {
    check(count_ < max_sections,
          failure{errc::invalid_argument, "ctlm: a checkpoint has at most {needed} sections", 0, max_sections});
    sections_[count_++] = s;
  }

  checkpoint_section sections_[max_sections] = {};
  std::size_t count_ = 0;
};

}  // namespace checkpoint_detail

/// Hands a checkpoint out, from its beginning to its end: put(data, bytes) is called for each piece, and the pieces one
/// after the other are what save_checkpoint would write to a file. Errors: errc::invalid_argument (sections that a
/// checkpoint cannot have: nothing is handed out then).
template <class Put>
result<void> put_checkpoint(std::uint64_t layout, span<const checkpoint_section> sections, Put&& put) {
  using namespace checkpoint_detail;
  if (const auto r = check_sections(sections); !r) return r;
  piecewise_checksum sum;
  auto hand_out = [&](const void* data, std::size_t bytes) {
    sum.add(data, bytes);
    put(data, bytes);
  };
  file_header h{{}, version, layout, sections.size()};
  __builtin_memcpy(h.magic, magic, sizeof magic);
  hand_out(&h, sizeof h);
  for (const auto& s : sections) {
    const section_header named = header_of(s);
    hand_out(&named, sizeof named);
  }
  for (const auto& s : sections) hand_out(s.data, s.bytes);
  const std::uint64_t total = sum.value();
  put(static_cast<const void*>(&total), sizeof total);
  return {};
}

/// Fills the sections from the bytes of a checkpoint, whoever wrote it. Everything is verified before a section is
/// touched: after a failure they are as they were. Errors: those of load_checkpoint that are not the disk's.
inline result<void> take_checkpoint(span<const std::byte> bytes, std::uint64_t layout,
                                    span<const checkpoint_section> sections) {
  using namespace checkpoint_detail;
  if (const auto r = check_sections(sections); !r) return r;
  file_head head{};
  __builtin_memcpy(&head.header, bytes.data(), smaller(bytes.size(), sizeof head.header));
  if (const auto r = check_header(head.header, bytes.size()); !r) return r;
  if (const auto r = check_head_size(head.header, bytes.size()); !r) return r;
  __builtin_memcpy(head.sections, bytes.data() + sizeof head.header, head.bytes() - sizeof head.header);
  if (const auto r = check_sizes(head, bytes.size()); !r) return r;
  checksum sum;
  sum.add(bytes.data(), bytes.size() - 8);
  std::uint64_t stored = 0;
  __builtin_memcpy(&stored, bytes.data() + bytes.size() - 8, sizeof stored);
  if (stored != sum.value())
    return failure{errc::corrupt, "ctlm: this checkpoint is damaged: the checksum of its {needed} bytes does not match",
                   0, bytes.size()};
  if (const auto r = check_head(head, layout, sections); !r) return r;
  const std::byte* from = bytes.data() + head.bytes();
  for (const auto& s : sections) {
    __builtin_memcpy(s.data, from, s.bytes);
    from += s.bytes;
  }
  return {};
}

/// The same of a trainer, and whatever else a run wants to find again.
template <class Trainer, class Put>
requires requires { typename Trainer::model; }
result<void> put_checkpoint(Trainer& t, span<const checkpoint_section> extra, Put&& put) {
  if (!t.usable())
    return failure{errc::invalid_argument, "ctlm: a trainer that is half loaded from a checkpoint is not saved"};
  constexpr std::uint64_t layout = weights_fingerprint<typename Trainer::model>();
  return put_checkpoint(layout, checkpoint_detail::section_list(t, extra).all(), put);
}
template <class Trainer>
requires requires { typename Trainer::model; }
result<void> take_checkpoint(span<const std::byte> bytes, Trainer& t, span<const checkpoint_section> extra) {
  constexpr std::uint64_t layout = weights_fingerprint<typename Trainer::model>();
  const auto r = take_checkpoint(bytes, layout, checkpoint_detail::section_list(t, extra).all());
  if (r) t.set_usable(true);
  return r;
}

}}  // namespace ctlm
