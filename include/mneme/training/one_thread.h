// SPDX-License-Identifier: MIT

/// LibTorch on one thread.
#pragma once

#include <ATen/Parallel.h>

namespace mneme::training {

/// Limits LibTorch to one thread for its lifetime, because its sums depend on the number of threads. The
/// number is that of the calling thread: each worker of a parallel loop has its own.
class OneThread {
public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

private:
  int before_;
};

} // namespace mneme::training
