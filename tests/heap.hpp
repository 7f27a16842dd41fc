// The heap that tests count and can make fail: tests/train/allocations.cpp replaces operator new and delete.
// Not in builds with sanitizers, which bring an allocator of their own.
#pragma once

#include <cstddef>

namespace heap {

/// Calls of operator new until now; and how many of their blocks have not been deleted.
std::size_t allocations();
std::size_t blocks();
/// Bytes that all those calls asked for.
std::size_t bytes();

/// The allocation after `n` more throws std::bad_alloc, once.
void fail_after(std::size_t n);
/// Ends that; true if an allocation has failed.
bool stop_failing();

}  // namespace heap
