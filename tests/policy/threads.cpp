// The pool: callers that take turns, runs within tasks, exceptions, threads that do not start, and its end.
#include "catch.hpp"
#include "model/models.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace ctlm;

namespace {

/// Counts how often each task ran, and whether two tasks had one worker at a time.
template <std::size_t workers>
struct census {
  explicit census(std::size_t tasks) : ran(tasks) {}

  void enter(std::size_t worker) {
    if (worker >= workers || inside[worker].fetch_add(1) != 0) wrong = true;
  }
  void leave(std::size_t worker) { inside[worker].fetch_sub(1); }
  bool each_ran_once() const {
    return std::all_of(ran.begin(), ran.end(), [](const auto& n) { return n.load() == 1; });
  }

  std::vector<std::atomic<int>> ran;
  std::atomic<int> inside[workers] = {};
  std::atomic<bool> wrong{false};
};

/// Calls f in n threads at once.
template <class F>
void in_threads(std::size_t n, F f) {
  std::vector<std::thread> threads;
  std::atomic<std::size_t> ready{0};
  for (std::size_t i = 0; i < n; ++i)
    threads.emplace_back([&, i] {
      ++ready;
      while (ready.load() < n) std::this_thread::yield();
      f(i);
    });
  for (auto& t : threads) t.join();
}

struct wide {  // large enough that its kernels are shared among threads
  static constexpr gpt2_config config{.vocab = 64, .d_model = 128, .layers = 2, .heads = 4, .context = 48};
};

}  // namespace

TEST_CASE("two threads with sessions on one pool get the logits of running alone", "[policy][threads]") {
  using M = causal_lm<wide, weights<int8<32>>, threads<pool<3>>>;
  pool<3> workers(3);
  heap_arena weight_memory(M::weight_bytes);
  M::weights weights(weight_memory);
  models::randomise<M>(weights);
  const auto prompt = models::random_tokens(24, 64);
  auto logits = [&] {
    heap_arena memory(M::session_bytes);
    M::session session(weights, memory, workers);
    std::vector<float> all;
    auto keep = [&](span<float> l) { all.insert(all.end(), l.begin(), l.end()); };
    keep(session.prefill(prompt));
    for (token t = 0; t < 16; ++t) keep(session.decode(t));
    return all;
  };
  const auto alone = logits();
  std::vector<float> both[2];
  in_threads(2, [&](std::size_t i) { both[i] = logits(); });
  CHECK(both[0] == alone);
  CHECK(both[1] == alone);
}

TEST_CASE("callers take turns: every task runs once", "[policy][threads]") {
  const std::size_t callers = GENERATE(std::size_t(2), std::size_t(8));
  constexpr std::size_t rounds = 300, tasks = 7;
  pool<3> workers(3);
  std::atomic<std::size_t> ran{0}, wrong{0};
  in_threads(callers, [&](std::size_t) {
    int own[tasks] = {};
    for (std::size_t round = 1; round <= rounds; ++round) {
      workers.run(tasks, [&](std::size_t task, std::size_t worker) {
        if (worker >= 3) ++wrong;
        ++own[task];
        ran.fetch_add(1, std::memory_order_relaxed);
      });
      for (int n : own) wrong += n != static_cast<int>(round);
    }
  });
  CHECK(ran == callers * rounds * tasks);
  CHECK(wrong == 0);
}

TEST_CASE("a run within a task is done by the task's own worker", "[policy][threads]") {
  pool<4> workers(4);
  census<4> seen(64);
  for (int repeat = 0; repeat < 50; ++repeat) {
    for (auto& n : seen.ran) n = 0;
    workers.run(8, [&](std::size_t outer, std::size_t worker) {
      seen.enter(worker);
      workers.run(8, [&](std::size_t inner, std::size_t same) {
        if (same != worker) seen.wrong = true;
        ++seen.ran[outer * 8 + inner];
      });
      workers.run(1, [&](std::size_t, std::size_t same) {
        if (same != worker) seen.wrong = true;
      });
      parallel_for(workers, 3, 64, [&](std::size_t, std::size_t, std::size_t same) {
        if (same != worker) seen.wrong = true;
      });
      seen.leave(worker);
    });
    REQUIRE(seen.each_ran_once());
  }
  CHECK_FALSE(seen.wrong);
}

TEST_CASE("a pool within a pool within the first: nobody waits for ever, no worker is two", "[policy][threads]") {
  pool<3> first(3);
  pool<4> second(4);
  census<3> seen(6 * 5 * 4);
  for (int repeat = 0; repeat < 50; ++repeat) {
    for (auto& n : seen.ran) n = 0;
    first.run(6, [&](std::size_t a, std::size_t) {
      second.run(5, [&](std::size_t b, std::size_t worker_b) {
        first.run(4, [&](std::size_t c, std::size_t worker_a) {
          seen.enter(worker_a);
          ++seen.ran[(a * 5 + b) * 4 + c];
          second.run(2, [&](std::size_t, std::size_t w) {
            if (w != worker_b) seen.wrong = true;
          });
          seen.leave(worker_a);
        });
      });
    });
    REQUIRE(seen.each_ran_once());
  }
  CHECK_FALSE(seen.wrong);
}

TEST_CASE("several callers, some of whose tasks run the pool again", "[policy][threads]") {
  pool<3> workers(3), others(2);
  std::atomic<std::size_t> ran{0};
  in_threads(4, [&](std::size_t caller) {
    for (int round = 0; round < 200; ++round)
      workers.run(5, [&](std::size_t, std::size_t) {
        if (caller % 2 == 0) workers.run(3, [&](std::size_t, std::size_t) { ++ran; });
        if (caller == 3) others.run(4, [&](std::size_t, std::size_t) { ++ran; });
        ++ran;
      });
  });
  CHECK(ran == 200 * 5 * (2 * 3 + 4 + 4));
}

TEST_CASE("shares of any number of tasks cover all of them", "[policy][threads]") {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  for (std::size_t tasks : {std::size_t(0), std::size_t(5), std::size_t(1000), most}) {
    CHECK(threads_detail::first_of_share(0, tasks, 7) == 0);
    for (std::size_t w = 0; w < 7; ++w) {
      const std::size_t first = threads_detail::first_of_share(w, tasks, 7);
      const std::size_t end = threads_detail::first_of_share(w + 1, tasks, 7);
      CHECK(first <= end);
      CHECK((end - first == tasks / 7 || end - first == tasks / 7 + 1));
    }
    CHECK(threads_detail::first_of_share(7, tasks, 7) == tasks);
  }
}

TEST_CASE("run after run, of fewer tasks than workers and of more: each is done once", "[policy][threads]") {
  pool<3> workers(3);
  std::vector<std::atomic<int>> done(20);
  std::vector<int> wanted(20);
  for (std::size_t run = 0; run < 2'000; ++run) {
    const std::size_t tasks = run % 17 == 0 ? 20 : 2 + run % 5;
    workers.run(tasks, [&](std::size_t task, std::size_t) { done[task].fetch_add(1, std::memory_order_relaxed); });
    for (std::size_t t = 0; t < tasks; ++t) REQUIRE(done[t].load() == ++wanted[t]);
  }
  CHECK(std::equal(done.begin(), done.end(), wanted.begin()));
}

TEST_CASE("pools are made and destroyed, with work and without", "[policy][threads]") {
  std::atomic<std::size_t> ran{0};
  for (std::size_t i = 0; i < 500; ++i) {
    const auto workers = std::make_unique<pool<4>>(i % 4 + 1);
    if (i % 2 == 0) workers->run(3, [&](std::size_t, std::size_t) { ++ran; });
  }
  CHECK(ran == 250 * 3);
  CHECK(pool<4>(0).workers() == 1);
  CHECK(pool<4>(9).workers() == 4);
}

#if CTLM_EXCEPTIONS
TEST_CASE("an exception of any task reaches the caller, and the pool goes on", "[policy][threads]") {
  pool<4> workers(4);
  for (std::size_t bad = 0; bad < 40; ++bad) {
    std::atomic<int> inside{0};
    auto run = [&] {
      workers.run(40, [&](std::size_t task, std::size_t) {
        ++inside;
        if (task == bad) {
          --inside;
          throw std::string("task ") + std::to_string(task);
        }
        std::this_thread::yield();
        --inside;
      });
    };
    REQUIRE_THROWS_AS(run(), std::string);
    REQUIRE(inside == 0);  // all workers have stopped
    std::atomic<int> ran{0};
    workers.run(40, [&](std::size_t, std::size_t) { ++ran; });
    REQUIRE(ran == 40);
  }
}

TEST_CASE("exceptions of worker and caller, of all tasks and of nested runs", "[policy][threads]") {
  pool<2> workers(2);
  std::atomic<int> arrived{0};
  auto only = [&](std::size_t thrower) {  // each of the two workers waits for the other in a task of its own
    arrived = 0;
    workers.run(2, [&](std::size_t, std::size_t worker) {
      ++arrived;
      while (arrived.load() < 2) std::this_thread::yield();
      if (worker == thrower) throw worker;
    });
  };
  for (std::size_t thrower : {std::size_t(0), std::size_t(1)}) {
    std::size_t caught = 9;
    try {
      only(thrower);
    } catch (std::size_t worker) {
      caught = worker;
    }
    CHECK(caught == thrower);
  }
  auto all = [&] { workers.run(64, [](std::size_t task, std::size_t) { throw task; }); };
  auto nested = [&] { workers.run(4, [&](std::size_t, std::size_t) { all(); }); };
  CHECK_THROWS_AS(all(), std::size_t);
  CHECK_THROWS_AS(nested(), std::size_t);
  in_threads(4, [&](std::size_t caller) {  // each gets its own
    for (int round = 0; round < 100; ++round) {
      try {
        workers.run(8, [&](std::size_t, std::size_t) { throw caller; });
        arrived = -1000;
      } catch (std::size_t from) {
        if (from != caller) arrived = -1000;
      }
    }
  });
  CHECK(arrived == 2);
}

namespace {
/// A thread of a system that has only three to give.
struct scarce_thread : std::thread {
  scarce_thread() = default;
  template <class F>
  explicit scarce_thread(F&& f)
      : std::thread(left-- > 0
                        ? std::thread(static_cast<F&&>(f))
                        : throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again))) {}
  static inline int left = 3;
};
}  // namespace

TEST_CASE("threads that do not start are fewer workers", "[policy][threads]") {
  for (int threads : {3, 1, 0}) {
    scarce_thread::left = threads;
    pool<8, scarce_thread> workers(8);
    CHECK(workers.workers() == static_cast<std::size_t>(threads) + 1);
    std::atomic<int> ran{0};
    workers.run(100, [&](std::size_t, std::size_t worker) { ran += worker < workers.workers(); });
    CHECK(ran == 100);
  }
}

TEST_CASE("pieces of no items are refused", "[policy][threads]") {
  serial alone;
  auto nothing = [](std::size_t, std::size_t, std::size_t) {};
  CHECK_THROWS_WITH(parallel_for(alone, 5, 0, nothing), Catch::Contains("pieces of 0 items: grain must be at least 1"));
  std::size_t covered = 0;
  parallel_for(alone, std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2,
               [&](std::size_t, std::size_t n, std::size_t) { covered += n; });
  CHECK(covered == std::numeric_limits<std::size_t>::max());
}
#endif
