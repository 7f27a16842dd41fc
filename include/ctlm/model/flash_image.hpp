// SPDX-License-Identifier: MIT
// ctlm: flash images: the weights of a model as one piece of bytes that a session reads where it lies, in a
// microcontroller's flash or in a mapped file. io/pack.hpp writes them.
//
//   offset  bytes
//   0       8       "CTLMIMG" and a zero
//   8       8       version of this layout
//   16      8       weights_fingerprint<M> (fingerprint.hpp)
//   24      8       bytes of weights (M::weight_bytes)
//   32      8       checksum of the weights
//   40      24      zeros (anything else is refused, so that no bit of a header can change unnoticed)
//   64      ...     the weights, as weight_views lays them out
// Numbers are little-endian.
#pragma once

#include "../core/hash.hpp"
#include "causal_lm.hpp"
#include "fingerprint.hpp"

#include <bit>

namespace ctlm { inline namespace CTLM_ABI {

static_assert(std::endian::native == std::endian::little, "ctlm: flash images are for little-endian machines");

/// The first bytes of a flash image, as they lie in the file (the offsets are above).
struct image_header {
  static constexpr char signature[8] = {'C', 'T', 'L', 'M', 'I', 'M', 'G', '\0'};  ///< what the first 8 bytes are
  static constexpr std::uint64_t first_version = 1;    ///< its `model` is first_image_fingerprint; still read
  static constexpr std::uint64_t current_version = 2;  ///< the version that is written

  char magic[8] = {'C', 'T', 'L', 'M', 'I', 'M', 'G', '\0'};  ///< the signature
  std::uint64_t version = current_version;                    ///< of the layout
  std::uint64_t model = 0;                                    ///< weights_fingerprint of the model
  std::uint64_t weight_bytes = 0;                             ///< bytes behind the header
  std::uint64_t checksum = 0;                                 ///< of these bytes
  std::uint64_t reserved[3] = {};                             ///< zeros
};
static_assert(sizeof(image_header) == memory_alignment);

/// The header of the image of these weights: an image is this and then weights.bytes().
template <class M>
image_header image_header_of(const typename M::const_weights& weights) {
  const auto bytes = weights.bytes();
  checksum sum;
  sum.add(bytes.data(), bytes.size());
  constexpr std::uint64_t model = weights_fingerprint<M>();
  image_header h;
  h.model = model;
  h.weight_bytes = bytes.size();
  h.checksum = sum.value();
  return h;
}

/// Whether an image with this header holds the weights of M. Errors: errc::corrupt (no image, or a damaged header),
/// unsupported (a layout of another version), wrong_model.
template <class M>
constexpr result<void> check_image_header(const image_header& h) {
  for (std::size_t i = 0; i < sizeof h.magic; ++i)
    if (h.magic[i] != image_header::signature[i])
      return failure{errc::corrupt, "ctlm: this is not a flash image (its first bytes differ)"};
  if (h.version != image_header::current_version && h.version != image_header::first_version)
    return failure{errc::unsupported,
                   "ctlm: this flash image was packed by another version of ctlm (layout {had}, this is {needed})",
                   static_cast<std::size_t>(h.version), image_header::current_version,
                   static_cast<std::size_t>(h.version)};
  constexpr std::uint64_t first = first_image_fingerprint<M>(), current = weights_fingerprint<M>();
  const std::uint64_t model = h.version == image_header::first_version ? first : current;
  if (h.model != model || h.weight_bytes != M::weight_bytes)
    return failure{errc::wrong_model, "ctlm: this flash image holds another model, or other formats of its weights"};
  for (std::size_t i = 0; i < 3; ++i)
    if (h.reserved[i] != 0)
      return failure{errc::corrupt,
                     "ctlm: this flash image is damaged: byte {where} of its header begins a number that "
                     "must be {needed} and is {had}",
                     40 + 8 * i, 0, static_cast<std::size_t>(h.reserved[i])};
  return {};
}

/// How bind_image looks at an image before it is used.
enum class verify : std::uint8_t {
  checksum,  ///< all bytes are read once and their checksum compared: damage is noticed
  header     ///< only the header: starts at once, damaged weights are not noticed
};

/// Whether an image holds the weights of M, undamaged: those are then its M::weight_bytes behind the header. Errors:
/// those of check_image_header; errc::truncated (fewer bytes than the header says), corrupt (another checksum).
template <class M>
result<void> check_image(span<const std::byte> image, verify how = verify::checksum) {
  if (image.size() < sizeof(image_header))
    return failure{errc::truncated, "ctlm: this flash image is cut off: not even its header is whole", image.size()};
  image_header h;
  __builtin_memcpy(&h, image.data(), sizeof h);
  if (const auto r = check_image_header<M>(h); !r) return r.error();
  const auto weights = image.subspan(sizeof h);
  if (weights.size() < M::weight_bytes)
    return failure{errc::truncated, "ctlm: this flash image is cut off: weights are missing", image.size()};
  if (how == verify::checksum) {
    checksum sum;
    sum.add(weights.data(), M::weight_bytes);
    if (sum.value() != h.checksum)
      return failure{errc::corrupt, "ctlm: this flash image is damaged: its checksum does not match"};
  }
  return {};
}

/// The weights in a flash image, which must stay where it is for as long as they are used: nothing is copied. An image
/// of another model is refused before any weight is read, a damaged one by its checksum. Errors: those of check_image;
/// errc::invalid_argument (not aligned to memory_alignment). A function of its own, so that what it has on the stack
/// leaves a small one before the model runs.
template <class M>
CTLM_NOINLINE result<typename M::const_weights> bind_image(span<const std::byte> image, verify how = verify::checksum) {
  if (image.size() >= sizeof(image_header) && reinterpret_cast<std::uintptr_t>(image.data()) % memory_alignment != 0)
    return failure{errc::invalid_argument, "ctlm: a flash image must be aligned to ctlm::memory_alignment"};
  if (const auto r = check_image<M>(image, how); !r) return r.error();
  return M::const_weights::bind(image.subspan(sizeof(image_header), M::weight_bytes));
}

}}  // namespace ctlm
