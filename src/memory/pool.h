// SPDX-License-Identifier: MIT

/// Objects that the blocks of a parallel loop use one after another, such as buffers: at most one per thread
/// is created.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mneme {

template <class T> class Pool {
public:
  /// Calls use(object) with an object that no other thread uses meanwhile; create() makes a new one.
  template <class Create, class Use> void with(const Create& create, const Use& use) {
    std::unique_ptr<T> object = take();
    if (!object) {
      object = std::make_unique<T>(create());
    }
    use(*object);
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(object));
  }

  /// All objects, after the loop.
  const std::vector<std::unique_ptr<T>>& objects() const { return free_; }

private:
  std::unique_ptr<T> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      return nullptr;
    }
    std::unique_ptr<T> object = std::move(free_.back());
    free_.pop_back();
    return object;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
};

} // namespace mneme
