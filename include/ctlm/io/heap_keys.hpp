// SPDX-License-Identifier: MIT
// ctlm: memory for json::parse, however many keys an object has.
#pragma once

#include "../core/json.hpp"

#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// Eight bytes for each key of the largest object, which is about what the object's text takes, or less. Throws
/// std::bad_alloc. `json::parse(text, {}, ctlm::heap_keys())`
class heap_keys {
 public:
  /// Room for n records, valid until the next call; what earlier calls gave is reused where it is large enough.
  span<json::key_record> operator()(std::size_t n) {
    if (records_.size() < n) {
      std::vector<json::key_record>().swap(records_);  // what was there is not needed any more: give it back first
      records_.resize(n);
    }
    return records_;
  }

 private:
  std::vector<json::key_record> records_;
};

}}  // namespace ctlm
