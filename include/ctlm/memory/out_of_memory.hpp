// SPDX-License-Identifier: MIT
// ctlm: hosted functions that return a result say so when the heap is exhausted, instead of throwing.
#pragma once

#include "../core/result.hpp"

#include <new>
#include <stdexcept>

namespace ctlm { inline namespace CTLM_ABI {

/// What f() returns, a result; or, if an allocation in it fails, errc::out_of_memory with the words `what`.
/// Without exceptions the standard library ends the program itself.
template <class F>
auto or_out_of_memory([[maybe_unused]] const char* what, F&& f) -> decltype(f()) {
#if CTLM_EXCEPTIONS
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return failure{errc::out_of_memory, what};
  } catch (const std::length_error&) {  // more elements than a container can count
    return failure{errc::out_of_memory, what};
  }
#else
  return f();
#endif
}

/// The same; and an error that f() raises, of an arena say, becomes its reason.
template <class F>
auto or_failure(const char* what, F&& f) -> decltype(f()) {
  return or_out_of_memory(what, [&]() -> decltype(f()) {
#if CTLM_EXCEPTIONS
    try {
      return f();
    } catch (const error& e) {
      return e.reason();
    }
#else
    return f();
#endif
  });
}

}}  // namespace ctlm
