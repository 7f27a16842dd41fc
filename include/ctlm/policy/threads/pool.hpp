// SPDX-License-Identifier: MIT
// ctlm: an executor with up to N threads. A waiting thread first looks again and again, then lets others have the
// processor in between, then sleeps. Never allocates after it is made; results are the same whatever the number of
// threads.
//
// What threads may share: a pool. Sessions and trainers of several threads may use one pool, each thread its own
// session or trainer (of which only one thread at a time may use one). Their runs take turns, in the order in which
// they came. A task of one pool may run another pool, but always in the same order: as with mutexes, two threads wait
// for ever if each is in a task of one pool and wants the other's.
#pragma once

#include "../../core/executor.hpp"
#include "turns.hpp"

#include <atomic>
#include <thread>

#if CTLM_EXCEPTIONS
#include <exception>
#endif

namespace ctlm { inline namespace CTLM_ABI {

/// An executor whose tasks are shared among at most N workers: the thread that calls run(), and N - 1 threads that the
/// pool starts and, when it is destroyed, joins. A pool must be idle then, and must not be destroyed by one of its
/// tasks.
/// Thread is what it starts: std::thread, or something like it.
template <std::size_t N, class Thread = std::thread>
class pool {
  static_assert(N > 0, "ctlm: pool<N> counts the thread that calls run(), so N is at least 1");

 public:
  /// The most workers there can be: the scratch of sessions and trainers has room for so many.
  static constexpr std::size_t max_workers = N;

  /// At most N workers, the calling thread among them; by default as many as the machine has cores. If the system does
  /// not start a thread there are fewer: workers() tells.
  explicit pool(std::size_t workers = std::thread::hardware_concurrency()) {
    for (; workers_ < clamp(workers); ++workers_)
      if (!start(workers_)) break;
  }
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  ~pool() {
    job_.stopping = true;
    publish();
    for (std::size_t w = 1; w < workers_; ++w) threads_[w].join();
  }

  /// Workers that there are, the thread that calls run() among them.
  std::size_t workers() const { return workers_; }

  /// Runs f(task, worker) for every task in [0, tasks) and returns when all are done. Any thread may call it, a task
  /// too: a run within a task of this pool is done by the thread that asks for it, under the number of the worker that
  /// the task has. So among the tasks of one run, and of those nested in it, no two have the same worker at one time.
  /// If tasks throw, those not begun may be skipped, and the first exception reaches the caller when all workers have
  /// stopped; the pool stays usable.
  template <class F>
  void run(std::size_t tasks, F&& f) {
    if (place* mine = place::in(this)) return run_nested(tasks, f, *mine);
    if (workers_ == 1 || tasks <= 1) {
      for (std::size_t t = 0; t < tasks; ++t) f(t, std::size_t{0});
      return;
    }
    const turns::holder turn(turns_);
    place caller(this, 0, place::here);
    job_.outer = place::here;
    job_.call = [](void* context, std::size_t task, std::size_t worker) {
      (*static_cast<std::remove_reference_t<F>*>(context))(task, worker);
    };
    job_.context = const_cast<void*>(static_cast<const void*>(&f));
    job_.tasks = tasks;
    publish();
    {
      const place::visit visit(caller);
      work(0);
    }
    wait_for_all();
    rethrow();
  }

 private:
  using place = threads_detail::place;
  using turns = threads_detail::turns;

  static std::size_t clamp(std::size_t n) { return n < 1 ? 1 : n > N ? N : n; }

  bool start(std::size_t worker) {
#if CTLM_EXCEPTIONS
    try {
      threads_[worker] = Thread([this, worker] { serve(worker); });
    } catch (...) {  // too many threads, or no memory for one
      return false;
    }
#else
    threads_[worker] = Thread([this, worker] { serve(worker); });
#endif
    return true;
  }

  void publish() {
    job_.generation.fetch_add(1);
    job_.generation.notify_all();
  }
  void serve(std::size_t worker) {
    place mine(this, worker);
    const place::visit visit(mine);
    for (unsigned seen = 0;;) {
      seen = wait_for_work(seen);
      if (job_.stopping) return;
      mine.outer = job_.outer;
      work(worker);
      shares_[worker].done.exchange(seen);
      shares_[worker].done.notify_one();
    }
  }
  unsigned wait_for_work(unsigned seen) {
    auto changed = [&] { return job_.generation.load(std::memory_order_acquire) != seen; };
    if (!threads_detail::watch(changed)) job_.generation.wait(seen, std::memory_order_acquire);
    return job_.generation.load(std::memory_order_acquire);
  }
  /// Each worker says in a line of its own that it has done its part: one that all of them counted down would go from
  /// core to core.
  void wait_for_all() {
    const unsigned now = generation();
    for (std::size_t w = 1; w < workers_; ++w) {
      std::atomic<unsigned>& done = shares_[w].done;
      if (threads_detail::watch([&] { return done.load(std::memory_order_acquire) == now; })) continue;
      for (unsigned last = done.load(std::memory_order_acquire); last != now;
           last = done.load(std::memory_order_acquire))
        done.wait(last, std::memory_order_acquire);
    }
  }

  /// A run that a task of this pool asks for. If tasks of other pools lie between (this pool's task runs another pool,
  /// whose tasks run this one), several threads may ask at once under the same worker's number: they take turns.
  template <class F>
  static void run_nested(std::size_t tasks, F& f, place& mine) {
    if (&mine == place::here) {
      for (std::size_t t = 0; t < tasks; ++t) f(t, mine.worker);
      return;
    }
    const turns::holder turn(mine.nested);
    place inner(mine.pool, mine.worker, place::here);
    const place::visit visit(inner);
    for (std::size_t t = 0; t < tasks; ++t) f(t, mine.worker);
  }

  /// Of which run is this? Workers read it while a run goes on.
  unsigned generation() const { return job_.generation.load(std::memory_order_relaxed); }

  /// The first task of a worker's share.
  std::size_t first_of(std::size_t worker) const {
    return threads_detail::first_of_share(worker, job_.tasks, workers_);
  }

  /// How many tasks of its share were taken, below the last bits of the number of the run. Every worker takes from its
  /// own share in every run: what a share holds is of this run or of the one before, and nobody has to set all to zero.
  static constexpr int count_bits = 48;
  std::uint64_t none_taken() const { return std::uint64_t{generation()} << count_bits; }
  std::uint64_t taken_in_this_run(std::uint64_t taken) const {
    const std::uint64_t none = none_taken();
    return taken >> count_bits == none >> count_bits ? taken - none : 0;
  }

  /// Takes one task more of a worker's share and returns how many were taken before.
  std::size_t take_one(std::size_t worker) {
    std::atomic<std::uint64_t>& taken = shares_[worker].taken;
    for (std::uint64_t now = taken.load(std::memory_order_relaxed);;) {
      const std::uint64_t before = taken_in_this_run(now);
      if (taken.compare_exchange_weak(now, none_taken() + before + 1, std::memory_order_relaxed))
        return static_cast<std::size_t>(before);
    }
  }
  bool has_left(std::size_t worker, std::size_t tasks) const {
    return taken_in_this_run(shares_[worker].taken.load(std::memory_order_relaxed)) < tasks;
  }

  /// Takes the tasks of the worker's own share, then those that others have left of theirs. Shares are cut in the same
  /// way in every call: the rows that a worker wrote in one call are mostly those that it reads in the next, and still
  /// in its cache. Where nobody has a second task only the caller looks for one that was not begun: it waits anyway.
  void take_tasks(std::size_t worker) {
    const std::size_t shares = job_.tasks > workers_ || worker == 0 ? workers_ : 1;
    for (std::size_t i = 0; i < shares; ++i) {
      const std::size_t w = (worker + i) % workers_, first = first_of(w), tasks = first_of(w + 1) - first;
      if (i > 0 && !has_left(w, tasks)) continue;
      for (std::size_t t = take_one(w); t < tasks; t = take_one(w)) job_.call(job_.context, first + t, worker);
    }
  }

#if CTLM_EXCEPTIONS
  void work(std::size_t worker) {
    try {
      take_tasks(worker);
    } catch (...) {
      if (!failed_.exchange(1, std::memory_order_relaxed)) exception_ = std::current_exception();
      for (std::size_t w = 0; w < workers_; ++w)
        shares_[w].taken.store(none_taken() + first_of(w + 1) - first_of(w), std::memory_order_relaxed);
    }
  }
  void rethrow() {
    if (!failed_.load(std::memory_order_relaxed)) return;
    failed_.store(0, std::memory_order_relaxed);
    std::rethrow_exception(static_cast<std::exception_ptr&&>(exception_));
  }

  std::atomic<unsigned> failed_{0};  // a word: RISC-V exchanges no single byte without a library
  std::exception_ptr exception_;
#else
  void work(std::size_t worker) { take_tasks(worker); }
  void rethrow() {}
#endif

  std::size_t workers_ = 1;
  turns turns_;

  /// What workers are to do, in one line of the cache: who sees that there is a new run has all of it.
  struct alignas(64) job {
    std::atomic<unsigned> generation{0};
    bool stopping = false;
    void (*call)(void*, std::size_t, std::size_t) = nullptr;
    void* context = nullptr;
    std::size_t tasks = 0;
    place* outer = nullptr;  // where the caller of the run is
  };
  job job_;
  struct alignas(64) share {
    std::atomic<std::uint64_t> taken{0};  // of which run, and how many of the worker's tasks were taken in it
    std::atomic<unsigned> done{0};        // the last run that the worker has done
  };
  share shares_[N];
  Thread threads_[N];
};

}}  // namespace ctlm
