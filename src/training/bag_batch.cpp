// SPDX-License-Identifier: MIT

#include "training/bag_batch.h"

#include <algorithm>
#include <bit>
#include <vector>

#include <ATen/ops/empty.h>

#include "mneme/core/assert.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

/// New tensor of shape [leading..., instance_shape...].
at::Tensor empty_instances(const data::LabelledBags& bags, std::vector<int64_t> leading) {
  leading.insert(leading.end(), bags.instance_shape.begin(), bags.instance_shape.end());
  return at::empty(leading, at::kFloat);
}

} // namespace

BagBatch batch_of(const data::LabelledBags& bags, std::span<const int64_t> indices) {
  MNEME_ASSERT(!indices.empty());
  const int64_t length = bags.bag_size(indices.front()), size = bags.instance_size();
  const auto count = static_cast<int64_t>(indices.size());
  BagBatch batch{empty_instances(bags, {count, length}), at::empty({count}, at::kFloat)};
  float* to = batch.bags.mutable_data_ptr<float>();
  float* target = batch.targets.mutable_data_ptr<float>();
  for (const int64_t bag : indices) {
    MNEME_ASSERT(bags.bag_size(bag) == length);
    to = std::copy_n(bags.numbers.begin() + bags.offsets[static_cast<size_t>(bag)] * size, length * size, to);
    *target++ = bags.targets[static_cast<size_t>(bag)];
  }
  return batch;
}

at::Tensor unique_instances(const data::LabelledBags& bags) {
  const auto size = static_cast<size_t>(bags.instance_size());
  std::vector<std::span<const float>> unique;
  for (size_t first = 0; first < bags.numbers.size(); first += size) {
    unique.push_back(std::span(bags.numbers).subspan(first, size));
  }
  std::ranges::sort(unique, [](std::span<const float> a, std::span<const float> b) {
    return std::ranges::lexicographical_compare(a, b);
  });
  const auto is_equal = [](std::span<const float> a, std::span<const float> b) {
    return std::ranges::equal(a, b);
  };
  unique.erase(std::unique(unique.begin(), unique.end(), is_equal), unique.end());
  at::Tensor instances = empty_instances(bags, {std::ssize(unique)});
  float* to = instances.mutable_data_ptr<float>();
  for (const std::span<const float> instance : unique) {
    to = std::ranges::copy(instance, to).out;
  }
  return instances;
}

BagModelSizes sizes_of(const data::LabelledBags& bags, const std::string& model) {
  BagModelSizes sizes{.instance_shape = bags.instance_shape, .bag_size = bags.bag_size(0)};
  for (int64_t bag = 0; bag < bags.count(); ++bag) {
    if (bags.bag_size(bag) != sizes.bag_size) {
      sizes.bag_size = 0;
      break;
    }
  }
  if (is_lookup_model(model)) {
    sizes.stored_patterns = unique_instances(bags);
  }
  return sizes;
}

std::string fingerprint(const data::LabelledBags& bags) {
  Fingerprint hash;
  const auto add = [&](uint64_t number) { hash.add(number); };
  std::ranges::for_each(bags.numbers, [&](float number) { add(std::bit_cast<uint32_t>(number)); });
  std::ranges::for_each(bags.targets, add);
  std::ranges::for_each(bags.offsets, add);
  return c10::str(bags.count(), " bags of [", bags.instance_shape, "], ", hash.value());
}

} // namespace mneme::training
