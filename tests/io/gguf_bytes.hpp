// GGUF files as tests make them, byte by byte, so that any rule can be broken.
#pragma once

#include <ctlm/ctlm.hpp>

#include <string>

struct gguf_bytes {
  std::string bytes;

  template <class T>
  gguf_bytes& number(T value) {
    char raw[sizeof value];
    ctlm::store_little_endian(value, raw);
    bytes.append(raw, sizeof value);
    return *this;
  }
  gguf_bytes& u32(std::uint32_t n) { return number(n); }
  gguf_bytes& u64(std::uint64_t n) { return number(n); }
  gguf_bytes& text(const std::string& s) {
    u64(s.size());
    bytes += s;
    return *this;
  }
  gguf_bytes& zeros(std::size_t n) {
    bytes.append(n, '\0');
    return *this;
  }
  gguf_bytes& align(std::size_t to = 32) { return zeros((to - bytes.size() % to) % to); }

  static gguf_bytes head(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
    gguf_bytes b;
    b.bytes = "GGUF";
    return b.u32(version).u64(tensors).u64(values);
  }
  /// Dimensions as the file has them, the innermost first.
  gguf_bytes& tensor(const std::string& name, std::initializer_list<std::uint64_t> dimensions, std::uint32_t type,
                     std::uint64_t offset) {
    text(name).u32(static_cast<std::uint32_t>(dimensions.size()));
    for (const std::uint64_t d : dimensions) u64(d);
    return u32(type).u64(offset);
  }
  gguf_bytes& key(const std::string& key, ctlm::gguf_type type) {
    return text(key).u32(static_cast<std::uint32_t>(type));
  }

  ctlm::span<const std::byte> view() const { return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}; }
};
