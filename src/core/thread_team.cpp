// SPDX-License-Identifier: MIT

#include "core/thread_team.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace mneme {
namespace {

/// A call of run_on_team.
struct Work {
  const std::function<void()>* worker;
  int places;                  ///< of helpers that may still begin; guarded by the mutex of the team
  std::atomic<int> running{0}; ///< helpers that have begun and not ended
};

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// Waits actively until a condition holds, at most as long as a thread takes to wake up. Returns whether it
/// holds.
template <class Condition> bool spin_until(const Condition& condition) {
  constexpr std::chrono::microseconds kMax{30};
  constexpr int kChecks = 64; // of the condition, between two readings of the clock
  const auto end = std::chrono::steady_clock::now() + kMax;
  do {
    for (int i = 0; i < kChecks; ++i) {
      if (condition()) {
        return true;
      }
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return condition();
}

class Team {
public:
  void run(int helpers, const std::function<void()>& worker) {
    Work work{.worker = &worker, .places = helpers};
    int sleepers = 0; // to wake up
    {
      const std::lock_guard lock(mutex_);
      grow_to(helpers);
      works_.push_back(&work);
      ++generation_;
      sleepers = std::min(helpers, sleeping_);
    }
    for (; sleepers > 0; --sleepers) {
      begin_.notify_one();
    }
    worker();
    {
      const std::lock_guard lock(mutex_); // no helper begins from now on
      std::erase(works_, &work);
    }
    if (!spin_until([&] { return work.running == 0; })) {
      std::unique_lock lock(mutex_);
      end_.wait(lock, [&] { return work.running == 0; });
    }
    const std::lock_guard lock(mutex_); // the last helper has released it, and uses `work` no more
  }

private:
  /// Without more threads, those that exist, or the calling one alone, do the work.
  void grow_to(int helpers) {
    try {
      while (num_threads_ < helpers) {
        std::thread([this] { serve(); }).detach();
        ++num_threads_;
      }
    } catch (const std::system_error&) {
    }
  }

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      const auto found = std::ranges::find_if(works_, [](const Work* work) { return work->places > 0; });
      if (found != works_.end()) {
        Work& work = **found;
        --work.places;
        ++work.running;
        lock.unlock();
        (*work.worker)();
        lock.lock();
        --work.running;
        end_.notify_all();
        continue;
      }
      const uint64_t seen = generation_;
      const auto has_work = [&] { return generation_ != seen; };
      lock.unlock();
      const bool is_soon = spin_until(has_work);
      lock.lock();
      if (!is_soon) {
        ++sleeping_;
        begin_.wait(lock, has_work);
        --sleeping_;
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable begin_, end_;
  std::atomic<uint64_t> generation_{0}; ///< number of works so far
  std::vector<Work*> works_;
  int num_threads_ = 0, sleeping_ = 0;
};

} // namespace

void run_on_team(int helpers, const std::function<void()>& worker) {
  static auto* team = new Team; // never destroyed: its threads live as long as the process
  team->run(helpers, worker);
}

} // namespace mneme
