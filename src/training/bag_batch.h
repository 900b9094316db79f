// SPDX-License-Identifier: MIT

/// Conversion of bags to tensors.
#pragma once

#include <span>
#include <string>

#include <ATen/core/Tensor.h>

#include "mneme/data/labelled_bags.h"
#include "training/bag_models.h"

namespace mneme::training {

struct BagBatch {
  at::Tensor bags;    ///< [B, L, instance...], float32
  at::Tensor targets; ///< [B]
};

/// The bags with these indices, which must all have the same size.
BagBatch batch_of(const data::LabelledBags& bags, std::span<const int64_t> indices);

/// The distinct instances of all bags in ascending order, [count, instance...].
at::Tensor unique_instances(const data::LabelledBags& bags);

/// Sizes of the bags, with their distinct instances for lookup models.
BagModelSizes sizes_of(const data::LabelledBags& bags, const std::string& model);

/// FNV-1a hash of all bags with their sizes, as text, for checkpoints.
std::string fingerprint(const data::LabelledBags& bags);

} // namespace mneme::training
