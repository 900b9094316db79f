// SPDX-License-Identifier: MIT

#include "mneme/core/parallel.h"

#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/text_checks.h"
#include "core/thread_team.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme {
namespace {

using testing::contains;

/// Restores the number of threads at the end of its scope.
class ThreadsRestorer {
public:
  ThreadsRestorer() : former_(threads()) {}
  ThreadsRestorer(const ThreadsRestorer&) = delete;
  ThreadsRestorer& operator=(const ThreadsRestorer&) = delete;
  ~ThreadsRestorer() { set_threads(former_); }

private:
  int former_;
};

class ParallelFor : public ::testing::Test {
protected:
  void TearDown() override { clear_interrupt(); }
  ThreadsRestorer restorer_;
};

RC_GTEST_PROP(ParallelForProperty, CoversEveryIndexOnceInBlocksThatStartAtMultiples, ()) {
  const ThreadsRestorer restorer;
  set_threads(*rc::gen::inRange(1, 9));
  const auto count = *rc::gen::inRange<int64_t>(0, 500);
  const auto block = *rc::gen::inRange<int64_t>(1, 600);
  std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
  std::atomic<int> wrong_blocks{0};
  parallel_for(count, block, [&](int64_t begin, int64_t end) {
    wrong_blocks += begin % block != 0 || end <= begin || end - begin > block;
    for (int64_t i = begin; i < end; ++i) {
      ++visits[static_cast<size_t>(i)];
    }
  });
  RC_ASSERT(wrong_blocks == 0);
  for (const std::atomic<int>& visit : visits) {
    RC_ASSERT(visit == 1);
  }
}

TEST_F(ParallelFor, DoesNotWaitForThreadsThatHaveNotBegun) {
  std::atomic<bool> is_over{false};
  std::atomic<int> begun{0};
  const auto block = [&] {
    ++begun;
    is_over.wait(false);
  };
  constexpr int kAll = 32; // more helpers than other tests have started
  std::thread other([&] { run_on_team(kAll, block); });
  while (begun < kAll + 1) {
    std::this_thread::yield();
  }
  std::atomic<int> calls{0};
  run_on_team(1, [&] { ++calls; });
  EXPECT_EQ(calls, 1);
  is_over = true;
  is_over.notify_all();
  other.join();
}

TEST_F(ParallelFor, RunsLoopsOfSeveralThreadsAtTheSameTime) {
  set_threads(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int loop = 0; loop < 300; ++loop) {
        parallel_for(20, 1, [&](int64_t begin, int64_t) { sum += begin; });
        if (loop % 50 == 0) { // helpers fall asleep
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  EXPECT_EQ(sum, 4 * 300 * 190);
}

TEST_F(ParallelFor, RunsOnThreadsOfOpenMp) {
  set_threads(2);
  std::atomic<int64_t> sum{0};
  parallel_for(
      1000, 7, [&](int64_t begin, int64_t end) { sum += end - begin; }, LoopThreads::openmp);
  EXPECT_EQ(sum, 1000);
}

TEST_F(ParallelFor, DoesNothingWithoutIndices) {
  for (const int64_t count : {int64_t{0}, int64_t{-5}}) {
    parallel_for(count, 4, [](int64_t, int64_t) { FAIL() << "called without an index"; });
  }
}

TEST_F(ParallelFor, AcceptsBlocksAtTheEndOfTheRangeOfIntegers) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  set_threads(2);
  std::atomic<int64_t> covered{0};
  std::atomic<int> blocks{0};
  parallel_for(kMax, kMax / 2 + 1, [&](int64_t begin, int64_t end) {
    covered += end - begin;
    ++blocks;
  });
  EXPECT_EQ(covered, kMax);
  EXPECT_EQ(blocks, 2);
}

TEST_F(ParallelFor, TreatsABlockBelowOneAsOne) {
  std::atomic<int> calls{0};
  parallel_for(7, 0, [&](int64_t begin, int64_t end) { calls += static_cast<int>(end - begin); });
  EXPECT_EQ(calls, 7);
}

TEST_F(ParallelFor, RethrowsTheExceptionOfABody) {
  for (const int count : {1, 4}) {
    set_threads(count);
    try {
      parallel_for(100, 1, [](int64_t begin, int64_t) {
        if (begin == 37) {
          throw std::runtime_error("block 37");
        }
      });
      FAIL() << "no exception on " << count << " threads";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "block 37");
    }
  }
}

TEST_F(ParallelFor, RethrowsTheExceptionOfTheFirstBlockThatThrows) {
  for (const int count : {1, 2, 4}) {
    set_threads(count);
    for (int repetition = 0; repetition < 20; ++repetition) {
      std::atomic<bool> later_block_throws{false};
      try {
        parallel_for(100, 1, [&](int64_t begin, int64_t) {
          // Waits for another thread to throw before.
          for (int i = 0; count > 1 && begin == 37 && i < 1000 && !later_block_throws; ++i) {
            std::this_thread::yield();
          }
          if (begin >= 37) {
            later_block_throws = begin > 37;
            throw std::runtime_error("block " + std::to_string(begin));
          }
        });
        FAIL() << "no exception on " << count << " threads";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "block 37");
      }
    }
  }
}

TEST_F(ParallelFor, SkipsRemainingBlocksAfterAnException) {
  set_threads(4);
  constexpr int kBlocks = 10000;
  std::atomic<int> calls{0};
  EXPECT_THROW(parallel_for(kBlocks, 1,
                            [&](int64_t begin, int64_t) {
                              ++calls;
                              if (begin == 0) {
                                throw std::runtime_error("stop");
                              }
                              std::this_thread::sleep_for(std::chrono::microseconds(200));
                            }),
               std::runtime_error);
  EXPECT_LT(calls, kBlocks);
}

TEST_F(ParallelFor, WorksAgainAfterAnException) {
  set_threads(4);
  EXPECT_THROW(parallel_for(8, 1, [](int64_t, int64_t) { throw std::runtime_error("stop"); }),
               std::runtime_error);
  std::atomic<int> calls{0};
  parallel_for(8, 1, [&](int64_t, int64_t) { ++calls; });
  EXPECT_EQ(calls, 8);
}

TEST_F(ParallelFor, RunsNestedLoopsOnTheCallingThread) {
  set_threads(4);
  std::atomic<int> visits{0}, on_other_threads{0};
  parallel_for(6, 1, [&](int64_t, int64_t) {
    const std::thread::id outer = std::this_thread::get_id();
    parallel_for(5, 2, [&](int64_t begin, int64_t end) {
      visits += static_cast<int>(end - begin);
      on_other_threads += std::this_thread::get_id() != outer;
    });
  });
  EXPECT_EQ(visits, 30);
  EXPECT_EQ(on_other_threads, 0);
}

TEST_F(ParallelFor, KnowsWhetherTheCallerIsInALoop) {
  for (const int count : {1, 3}) {
    set_threads(count);
    EXPECT_FALSE(in_parallel_loop());
    std::atomic<int> inside{0};
    parallel_for(8, 1, [&](int64_t, int64_t) { inside += in_parallel_loop() ? 1 : 0; });
    EXPECT_EQ(inside, count == 1 ? 0 : 8); // a single thread runs the loop as if it were not one
    EXPECT_FALSE(in_parallel_loop());
  }
}

TEST_F(ParallelFor, RethrowsTheExceptionOfANestedLoop) {
  set_threads(4);
  EXPECT_THROW(parallel_for(6, 1,
                            [](int64_t, int64_t) {
                              parallel_for(5, 1, [](int64_t, int64_t) { throw DataError("inner"); });
                            }),
               DataError);
}

TEST_F(ParallelFor, StopsWithInterruptedOnceTheFlagIsSet) {
  for (const int count : {1, 4}) {
    clear_interrupt();
    set_threads(count);
    std::atomic<int> calls{0};
    EXPECT_THROW(parallel_for(10000, 1,
                              [&](int64_t, int64_t) {
                                ++calls;
                                request_interrupt();
                              }),
                 Interrupted);
    EXPECT_LE(calls, count);
  }
}

TEST_F(ParallelFor, FinishesAnUpdateDespiteAnInterrupt) {
  for (const int count : {1, 4}) {
    clear_interrupt();
    set_threads(count);
    std::atomic<int> calls{0};
    parallel_update(100, 1, [&](int64_t, int64_t) {
      ++calls;
      request_interrupt();
    });
    EXPECT_EQ(calls, 100);
  }
}

TEST_F(ParallelFor, RejectsFewerThanOneThread) {
  for (const int count : {0, -3}) {
    try {
      set_threads(count);
      FAIL() << "no UsageError for " << count;
    } catch (const UsageError& error) {
      EXPECT_TRUE(contains(error.what(), std::to_string(count)));
      EXPECT_TRUE(contains(error.what(), "at least 1"));
    }
  }
  EXPECT_GE(threads(), 1);
}

} // namespace
} // namespace mneme
