// SPDX-License-Identifier: MIT

/// A number for all heads of a layer, or one for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mneme::nn {

template <class T> class PerHead {
public:
  PerHead(T for_all) : values_{for_all} {}
  /// Layers refuse a list that has neither one number nor one for each of their heads.
  PerHead(std::vector<T> one_each) : values_(std::move(one_each)) {}

  T of(int64_t head) const { return values_[values_.size() == 1 ? 0 : static_cast<size_t>(head)]; }
  const std::vector<T>& values() const { return values_; }

private:
  std::vector<T> values_;
};

} // namespace mneme::nn
