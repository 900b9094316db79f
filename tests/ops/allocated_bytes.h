// SPDX-License-Identifier: MIT

/// What LibTorch allocates on the calling thread while this lives.
#pragma once

#include <algorithm>
#include <memory>

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace mneme::ops {

class AllocatedBytes {
public:
  AllocatedBytes()
      : report_(std::make_shared<Report>()), guard_(c10::DebugInfoKind::PROFILER_STATE, report_) {}

  int64_t most_at_once() const { return report_->most; } ///< above what there was at the start

private:
  struct Report : c10::MemoryReportingInfoBase {
    int64_t now = 0, most = 0;
    void reportMemoryUsage(void* /*at*/, int64_t bytes, size_t /*all*/, size_t /*reserved*/,
                           c10::Device /*device*/) override {
      now += bytes;
      most = std::max(most, now);
    }
    bool memoryProfilingEnabled() const override { return true; }
  };
  std::shared_ptr<Report> report_;
  c10::DebugInfoGuard guard_;
};

} // namespace mneme::ops
