// SPDX-License-Identifier: MIT
// ctlm: what a pool is made of: waiting, taking turns, and how a thread knows in whose task it is.
#pragma once

#include "../../core/types.hpp"

#include <atomic>
#include <thread>

namespace ctlm { inline namespace CTLM_ABI { namespace threads_detail {

inline constexpr int spins = 2000, looks = 3000;

/// Looks again and again, at first without pause and then letting others have the processor in between; false if
/// done() never held.
template <class Done>
bool watch(Done done) {
  for (int i = 0; i < looks; ++i) {
    if (done()) return true;
    if (i >= spins) std::this_thread::yield();
  }
  return false;
}

/// A lock that is given in the order in which it was asked for, so that a thread that runs one region after the other
/// cannot keep the others out.
class turns {
 public:
  void take() {
    const unsigned ticket = tickets_.fetch_add(1);
    auto mine = [&] { return served_.load(std::memory_order_acquire) == ticket; };
    if (watch(mine)) return;
    for (unsigned now = served_.load(std::memory_order_acquire); now != ticket;
         now = served_.load(std::memory_order_acquire))
      served_.wait(now, std::memory_order_acquire);
  }
  void give() {
    served_.fetch_add(1);
    served_.notify_all();
  }

  class holder {
   public:
    explicit holder(turns& t) : turns_(t) { turns_.take(); }
    holder(const holder&) = delete;
    holder& operator=(const holder&) = delete;
    ~holder() { turns_.give(); }

   private:
    turns& turns_;
  };

 private:
  std::atomic<unsigned> tickets_{0}, served_{0};
};

/// Where a thread is: in a task of this pool, as this worker. `outer` is where the caller of the run was, perhaps in a
/// task of another pool.
struct place {
  explicit place(const void* of_pool, std::size_t as_worker, place* within = nullptr)
      : pool(of_pool), worker(as_worker), outer(within) {}

  const void* pool;
  std::size_t worker;
  place* outer;
  turns nested;  // of runs of this pool that come from tasks of other pools

  /// The innermost one of this thread; nullptr outside all tasks.
  static thread_local constinit inline place* here = nullptr;
  /// The innermost one in a task of this pool.
  static place* in(const void* pool) {
    place* p = here;
    while (p != nullptr && p->pool != pool) p = p->outer;
    return p;
  }

  /// The thread is there for as long as this lives.
  class visit {
   public:
    explicit visit(place& p) : before_(here) { here = &p; }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit() { here = before_; }

   private:
    place* before_;
  };
};

/// The first task of a worker's share when `tasks` are cut into `workers` shares, of sizes that differ by one at most;
/// worker may be `workers`.
constexpr std::size_t first_of_share(std::size_t worker, std::size_t tasks, std::size_t workers) {
  return tasks / workers * worker + smaller(worker, tasks % workers);
}

}  // namespace threads_detail
}}  // namespace ctlm
