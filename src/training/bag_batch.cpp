// SPDX-License-Identifier: MIT

#include "training/bag_batch.h"

#include <algorithm>
#include <set>

#include <ATen/ops/empty.h>

#include "mneme/core/assert.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

/// A tensor of that many instances, the leading sizes before their shape.
at::Tensor empty_instances(const data::LabelledBags& bags, std::vector<int64_t> leading) {
  leading.insert(leading.end(), bags.instance_shape.begin(), bags.instance_shape.end());
  return at::empty(leading, at::kFloat);
}

float* put(const data::LabelledBags& bags, std::span<const uint8_t> bytes, float* to) {
  const auto scale = static_cast<float>(bags.scale), shift = static_cast<float>(bags.shift);
  return std::transform(bytes.begin(), bytes.end(), to,
                        [=](uint8_t byte) { return static_cast<float>(byte) * scale + shift; });
}

} // namespace

BagBatch batch_of(const data::LabelledBags& bags, std::span<const int64_t> numbers) {
  MNEME_ASSERT(!numbers.empty());
  const int64_t length = bags.bag_size(numbers.front()), size = bags.instance_size();
  const auto count = static_cast<int64_t>(numbers.size());
  BagBatch batch{empty_instances(bags, {count, length}), at::empty({count}, at::kFloat)};
  float* to = batch.bags.mutable_data_ptr<float>();
  float* target = batch.targets.mutable_data_ptr<float>();
  for (const int64_t bag : numbers) {
    MNEME_ASSERT(bags.bag_size(bag) == length);
    const auto first = static_cast<size_t>(bags.begins[static_cast<size_t>(bag)] * size);
    to = put(bags, std::span(bags.bytes).subspan(first, static_cast<size_t>(length * size)), to);
    *target++ = bags.targets[static_cast<size_t>(bag)];
  }
  return batch;
}

at::Tensor unique_instances(const data::LabelledBags& bags) {
  const auto size = static_cast<size_t>(bags.instance_size());
  std::set<std::string> different; // compares bytes as unsigned numbers
  for (size_t first = 0; first < bags.bytes.size(); first += size) {
    different.emplace(reinterpret_cast<const char*>(bags.bytes.data() + first), size);
  }
  at::Tensor instances = empty_instances(bags, {static_cast<int64_t>(different.size())});
  float* to = instances.mutable_data_ptr<float>();
  for (const std::string& instance : different) {
    to = put(bags, {reinterpret_cast<const uint8_t*>(instance.data()), size}, to);
  }
  return instances;
}

std::string fingerprint(const data::LabelledBags& bags) {
  Fingerprint hash;
  const auto add = [&](uint64_t number) { hash.add(number); };
  std::ranges::for_each(bags.bytes, add);
  std::ranges::for_each(bags.targets, add);
  std::ranges::for_each(bags.begins, add);
  return c10::str(bags.count(), " bags of [", bags.instance_shape, "], ", hash.value());
}

} // namespace mneme::training
