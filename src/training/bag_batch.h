// SPDX-License-Identifier: MIT

/// Bags as tensors.
#pragma once

#include <span>
#include <string>

#include <ATen/core/Tensor.h>

#include "mneme/data/labelled_bags.h"

namespace mneme::training {

struct BagBatch {
  at::Tensor bags;    ///< [B, L, instance...], float32
  at::Tensor targets; ///< [B]
};

/// The bags of these numbers, all of one size.
BagBatch batch_of(const data::LabelledBags& bags, std::span<const int64_t> numbers);

/// Different instances in ascending order, [count, instance...].
at::Tensor unique_instances(const data::LabelledBags& bags);

/// Tells sets apart (FNV-1a).
std::string fingerprint(const data::LabelledBags& bags);

} // namespace mneme::training
