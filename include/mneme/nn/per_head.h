// SPDX-License-Identifier: MIT

/// One value for all heads of a layer, or one value per head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mneme/core/error.h"

namespace mneme::nn {

template <class T> class PerHead {
public:
  /// The same value for all heads.
  PerHead(T for_all) : values_{for_all} {}
  /// One value per head. Layers throw a UsageError if the number of values is neither 1 nor the number of
  /// heads.
  ///
  /// Errors  UsageError if there are no values
  PerHead(std::vector<T> one_each) : values_(std::move(one_each)) {
    if (values_.empty()) {
      throw UsageError("mneme::nn::PerHead: no values were given.\n  Give one value, or one value per head.");
    }
  }

  /// Value of a head.
  T of(int64_t head) const { return values_[values_.size() == 1 ? 0 : static_cast<size_t>(head)]; }
  const std::vector<T>& values() const { return values_; }

private:
  std::vector<T> values_;
};

} // namespace mneme::nn
