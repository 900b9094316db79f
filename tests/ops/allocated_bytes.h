// SPDX-License-Identifier: MIT

/// Measurement of the memory that LibTorch allocates.
#pragma once

#include <algorithm>
#include <memory>

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace mneme::ops {

/// Memory that LibTorch allocates on the calling thread during the lifetime of this object.
class AllocatedBytes {
public:
  AllocatedBytes()
      : report_(std::make_shared<Report>()), guard_(c10::DebugInfoKind::PROFILER_STATE, report_) {}

  /// Peak in bytes, relative to the start.
  int64_t peak() const { return report_->peak; }

private:
  struct Report : c10::MemoryReportingInfoBase {
    int64_t current = 0, peak = 0;
    void reportMemoryUsage(void* /*at*/, int64_t bytes, size_t /*all*/, size_t /*reserved*/,
                           c10::Device /*device*/) override {
      current += bytes;
      peak = std::max(peak, current);
    }
    bool memoryProfilingEnabled() const override { return true; }
  };
  std::shared_ptr<Report> report_;
  c10::DebugInfoGuard guard_;
};

} // namespace mneme::ops
