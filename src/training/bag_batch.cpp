// SPDX-License-Identifier: MIT

#include "training/bag_batch.h"

#include <algorithm>
#include <set>

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

/// Converts bytes to floats; returns the end of the output.
float* convert(const data::LabelledBags& bags, std::span<const uint8_t> bytes, float* to) {
  const auto scale = static_cast<float>(bags.scale), shift = static_cast<float>(bags.shift);
  return std::transform(bytes.begin(), bytes.end(), to,
                        [=](uint8_t byte) { return static_cast<float>(byte) * scale + shift; });
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
    const auto first = static_cast<size_t>(bags.offsets[static_cast<size_t>(bag)] * size);
    to = convert(bags, std::span(bags.bytes).subspan(first, static_cast<size_t>(length * size)), to);
    *target++ = bags.targets[static_cast<size_t>(bag)];
  }
  return batch;
}

at::Tensor unique_instances(const data::LabelledBags& bags) {
  const auto size = static_cast<size_t>(bags.instance_size());
  std::set<std::string> unique; // ordered by bytes as unsigned integers
  for (size_t first = 0; first < bags.bytes.size(); first += size) {
    unique.emplace(reinterpret_cast<const char*>(bags.bytes.data() + first), size);
  }
  at::Tensor instances = empty_instances(bags, {static_cast<int64_t>(unique.size())});
  float* to = instances.mutable_data_ptr<float>();
  for (const std::string& instance : unique) {
    to = convert(bags, {reinterpret_cast<const uint8_t*>(instance.data()), size}, to);
  }
  return instances;
}

std::string fingerprint(const data::LabelledBags& bags) {
  Fingerprint hash;
  const auto add = [&](uint64_t number) { hash.add(number); };
  std::ranges::for_each(bags.bytes, add);
  std::ranges::for_each(bags.targets, add);
  std::ranges::for_each(bags.offsets, add);
  return c10::str(bags.count(), " bags of [", bags.instance_shape, "], ", hash.value());
}

} // namespace mneme::training
