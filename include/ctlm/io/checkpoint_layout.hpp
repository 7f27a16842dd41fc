// SPDX-License-Identifier: MIT
// ctlm: the beginning of a checkpoint in a file; train/checkpoint_head.hpp says what lies there.
#pragma once

#include "../train/checkpoint_head.hpp"
#include "file.hpp"

#include <cstring>

namespace ctlm { inline namespace CTLM_ABI { namespace checkpoint_detail {

inline constexpr std::size_t chunk_bytes = 1 << 20;  // bytes that are read, written and checked at once

/// Reads the beginning of a file, and compares the sizes that it names with the file's.
inline result<void> read_head(int descriptor, std::size_t size, file_head& head) {
  file_header& h = head.header;
  if (const auto r = read_exactly(descriptor, &h, smaller(size, sizeof h), 0); !r) return r;
  if (const auto r = check_header(h, size); !r) return r;
  if (const auto r = check_head_size(h, size); !r) return r;
  if (const auto r = read_exactly(descriptor, head.sections, head.bytes() - sizeof h, sizeof h); !r) return r;
  return check_sizes(head, size);
}

}}}  // namespace ctlm::checkpoint_detail
