// SPDX-License-Identifier: MIT
// ctlm: messages of Protocol Buffers, read where they lie: fields with a number, and a number or bytes as a value.
#pragma once

#include "../core/result.hpp"

#include <bit>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI { namespace protobuf_detail {

// A field: its number and its value.
struct field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;  // of a varint, of 4 or of 8 bytes
  std::string_view bytes;   // of a text or a message
  bool has_bytes = false;
};

// Reads one field after the other; `begin`: where the message lies in the file, for failures.
class reader {
 public:
  explicit reader(std::string_view message, std::size_t begin = 0) : message_(message), begin_(begin) {}

  bool at_end() const { return at_ == message_.size(); }
  std::size_t where() const { return begin_ + at_; }

  // The next field. Errors: errc::truncated and corrupt, with the byte.
  result<field> next() {
    std::uint64_t key = 0, size = 0;
    if (!varint(key)) return broken();
    field f{key >> 3, 0, {}, false};
    switch (key & 7) {
      case 0:
        return varint(f.value) ? result<field>(f) : broken();
      case 1:
        return fixed(8, f.value) ? result<field>(f) : broken();
      case 5:
        return fixed(4, f.value) ? result<field>(f) : broken();
      case 2:
        if (!varint(size)) return broken();
        if (size > message_.size() - at_)
          return failure{
              errc::truncated,
              "ctlm: at byte {where} this file should go on for {needed} bytes, and has {had}: it is cut off, "
              "or no message of Protocol Buffers",
              where(), static_cast<std::size_t>(size), message_.size() - at_};
        f.bytes = message_.substr(at_, static_cast<std::size_t>(size));
        f.has_bytes = true;
        at_ += f.bytes.size();
        return f;
      default:
        return broken();
    }
  }
  // Where the bytes of the last field lie.
  std::size_t before(const field& f) const { return where() - f.bytes.size(); }

 private:
  failure broken() const {
    return {at_ == message_.size() ? errc::truncated : errc::corrupt,
            "ctlm: byte {where} of this file is no field of a message of Protocol Buffers: it is cut off, or another "
            "kind of file",
            where()};
  }
  bool varint(std::uint64_t& n) {
    n = 0;
    for (unsigned shift = 0; shift < 64 && at_ < message_.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(message_[at_++]);
      n |= std::uint64_t{byte & 127u} << shift;
      if (byte < 128) return true;
    }
    return false;
  }
  bool fixed(std::size_t bytes, std::uint64_t& n) {
    if (message_.size() - at_ < bytes) return false;
    for (std::size_t i = bytes; i-- > 0;) n = n << 8 | static_cast<unsigned char>(message_[at_ + i]);
    at_ += bytes;
    return true;
  }

  std::string_view message_;
  std::size_t begin_, at_ = 0;
};

inline float as_float(const field& f) { return std::bit_cast<float>(static_cast<std::uint32_t>(f.value)); }

}}}  // namespace ctlm::protobuf_detail
