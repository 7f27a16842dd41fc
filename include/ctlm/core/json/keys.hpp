// SPDX-License-Identifier: MIT
// ctlm: whether an object of JSON has a key twice. Its keys are sorted, so that no choice of keys takes a time that
// grows with the square of their number; sorting takes memory, which the caller lends.
#pragma once

#include "string.hpp"
#include "walk.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace json {

/// What is sorted of a key: 32 bits of a hash, and above which byte of the text its opening quote is.
using key_record = std::uint64_t;

/// Memory for the keys of one object after the other, `N` at most. Objects with more keys than that are refused; hosted
/// code has heap_keys (io/heap_keys.hpp) for them.
template <std::size_t N = 256>
class fixed_keys {
 public:
  /// Room for n records, or for as many as there are.
  constexpr span<key_record> operator()(std::size_t n) { return {records_, smaller(n, N)}; }

 private:
  key_record records_[N]{};
};

}  // namespace json

namespace json_detail {

using json::key_record;

constexpr std::size_t offset_of(key_record r) { return static_cast<std::size_t>(r & 0xFFFFFFFFu); }
constexpr bytes_of_string key_at(span<const char> text, key_record r) {
  const std::size_t quote = offset_of(r), end = behind_string(text, quote);
  return bytes_of_string(text.subspan(quote + 1, larger(end, quote + 2) - quote - 2));
}
constexpr key_record record_of(span<const char> text, std::size_t quote) {
  std::uint32_t hash = 0x811C9DC5u;  // FNV-1a
  bytes_of_string key = key_at(text, quote);
  for (int byte = key.next(); byte >= 0; byte = key.next()) hash = (hash ^ static_cast<unsigned>(byte)) * 0x01000193u;
  return key_record{hash} << 32 | quote;
}
/// Order by hash, and by the keys themselves where hashes agree: 0 for the same key.
constexpr int compare(span<const char> text, key_record a, key_record b) {
  if (a >> 32 != b >> 32) return a < b ? -1 : 1;
  return compare(key_at(text, a), key_at(text, b));
}

/// Lets records[root] sink to its place in the heap of the first n.
constexpr void sink(span<const char> text, span<key_record> records, std::size_t root, std::size_t n) {
  for (std::size_t child = 2 * root + 1; child < n; root = child, child = 2 * root + 1) {
    if (child + 1 < n && compare(text, records[child], records[child + 1]) < 0) ++child;
    if (compare(text, records[root], records[child]) >= 0) return;
    const key_record r = records[root];
    records[root] = records[child];
    records[child] = r;
  }
}
constexpr void sort(span<const char> text, span<key_record> records) {
  for (std::size_t i = records.size() / 2; i-- > 0;) sink(text, records, i, records.size());
  for (std::size_t n = records.size(); n-- > 1;) {
    const key_record largest = records[0];
    records[0] = records[n];
    records[n] = largest;
    sink(text, records, 0, n);
  }
}

/// Where the object at `at`, with as many keys as there are records, has a key for the second time; or 0.
constexpr std::size_t repeated_key(span<const char> text, std::size_t at, span<key_record> records) {
  at = behind_space(text, at + 1);
  for (key_record& r : records) {
    r = record_of(text, at);
    at = next_value(text, behind_value(text, value_of_key(text, behind_string(text, at))));
  }
  sort(text, records);
  for (std::size_t i = 1; i < records.size(); ++i)
    if (compare(text, records[i - 1], records[i]) == 0) return larger(offset_of(records[i - 1]), offset_of(records[i]));
  return 0;
}

}  // namespace json_detail

}}  // namespace ctlm
