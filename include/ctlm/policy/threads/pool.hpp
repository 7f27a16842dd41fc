// SPDX-License-Identifier: MIT
// ctlm: an executor with up to N threads. Waiting threads spin for a moment, then yield, then sleep. Never allocates
// after it is made; results are the same whatever the number of threads.
#pragma once

#include "../../core/executor.hpp"

#include <atomic>
#include <thread>

namespace ctlm { inline namespace CTLM_ABI {

template <std::size_t N>
class pool {
 public:
  static constexpr std::size_t max_workers = N;

  /// At most N workers, the calling thread among them; by default as many as the machine has cores.
  explicit pool(std::size_t workers = std::thread::hardware_concurrency()) : workers_(clamp(workers)) {
    for (std::size_t w = 1; w < workers_; ++w) threads_[w] = std::thread([this, w] { serve(w); });
  }
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  ~pool() {
    stopping_.store(true, std::memory_order_relaxed);
    publish();
    for (std::size_t w = 1; w < workers_; ++w) threads_[w].join();
  }

  std::size_t workers() const { return workers_; }

  template <class F>
  void run(std::size_t tasks, F&& f) {
    if (workers_ == 1 || tasks <= 1) {
      for (std::size_t t = 0; t < tasks; ++t) f(t, std::size_t{0});
      return;
    }
    call_ = [](void* context, std::size_t task, std::size_t worker) {
      (*static_cast<std::remove_reference_t<F>*>(context))(task, worker);
    };
    context_ = const_cast<void*>(static_cast<const void*>(&f));
    tasks_ = tasks;
    for (std::size_t w = 0; w < workers_; ++w) next_[w].at.store(w * tasks / workers_, std::memory_order_relaxed);
    busy_.store(workers_ - 1, std::memory_order_relaxed);
    publish();
    take_tasks(0);
    wait_until_idle();
  }

 private:
  static constexpr int spins = 2000, looks = 3000;

  static std::size_t clamp(std::size_t n) { return n < 1 ? 1 : n > N ? N : n; }

  void publish() {
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
  }
  void serve(std::size_t worker) {
    for (unsigned seen = 0;;) {
      seen = wait_for_work(seen);
      if (stopping_.load(std::memory_order_relaxed)) return;
      take_tasks(worker);
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
    }
  }
  /// Looks again and again, at first without pause and then letting others have the processor in between; false if
  /// done() never held.
  template <class Done>
  static bool watch(Done done) {
    for (int i = 0; i < looks; ++i) {
      if (done()) return true;
      if (i >= spins) std::this_thread::yield();
    }
    return false;
  }
  unsigned wait_for_work(unsigned seen) {
    auto changed = [&] { return generation_.load(std::memory_order_acquire) != seen; };
    if (!watch(changed)) generation_.wait(seen, std::memory_order_acquire);
    return generation_.load(std::memory_order_acquire);
  }
  void wait_until_idle() {
    if (watch([&] { return busy_.load(std::memory_order_acquire) == 0; })) return;
    for (std::size_t left = busy_.load(std::memory_order_acquire); left != 0;
         left = busy_.load(std::memory_order_acquire))
      busy_.wait(left, std::memory_order_acquire);
  }
  /// First the worker's own share, then what others have left of theirs. Rows that a worker made in one call are mostly
  /// its own in the next, too, and still in its cache.
  void take_tasks(std::size_t worker) {
    for (std::size_t i = 0; i < workers_; ++i) {
      const std::size_t w = (worker + i) % workers_, end = (w + 1) * tasks_ / workers_;
      if (next_[w].at.load(std::memory_order_relaxed) >= end) continue;
      for (std::size_t t = next_[w].at.fetch_add(1, std::memory_order_relaxed); t < end;
           t = next_[w].at.fetch_add(1, std::memory_order_relaxed))
        call_(context_, t, worker);
    }
  }

  std::size_t workers_;
  void (*call_)(void*, std::size_t, std::size_t) = nullptr;
  void* context_ = nullptr;
  std::size_t tasks_ = 0;
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<unsigned> generation_{0};
  struct alignas(64) counter {
    std::atomic<std::size_t> at{0};
  };
  counter next_[N];  // each worker's share of the tasks, from its front
  alignas(64) std::atomic<std::size_t> busy_{0};
  std::thread threads_[N];
};

}}  // namespace ctlm
