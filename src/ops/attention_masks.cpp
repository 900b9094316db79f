// SPDX-License-Identifier: MIT

#include "ops/attention_masks.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/softmax.h>

namespace mneme::ops {
namespace {

bool is_bool_or_byte(const at::Tensor& mask) {
  return mask.scalar_type() == at::kBool || mask.scalar_type() == at::kByte;
}

void check_batches(const Checks& checks, const Checks::Named& mask, int64_t batches) {
  const int64_t rows = mask.tensor.size(0);
  if (rows == 0 ? batches != 0 : batches % rows != 0) {
    checks.fail(c10::str(mask.name, " has ", Checks::size_text(mask, 0, "batches"), ", but the call has ",
                         batches, "."),
                "Pass one mask for all batches, or a number of masks that divides the number of batches.");
  }
}

/// The mask with contiguous rows, and bytes converted to bool; not copied if it already has this layout.
at::Tensor kernel_layout(const at::Tensor& mask) {
  const at::Tensor numbers = is_bool_or_byte(mask) ? mask.to(at::kBool) : mask;
  return numbers.size(-1) <= 1 || numbers.stride(-1) == 1 ? numbers : numbers.contiguous();
}

/// Index of the mask, of mask.size(0), that applies to a batch.
int64_t mask_index(const at::Tensor& mask, int64_t batch, int64_t batches) {
  return batch / std::max<int64_t>(1, batches / std::max<int64_t>(1, mask.size(0)));
}

} // namespace

AttentionMasks::AttentionMasks(const Checks& checks, const at::Tensor& key_padding_mask,
                               const at::Tensor& attention_mask, const Checks::Named& query,
                               const Checks::Named& stored, int64_t batches) {
  if (key_padding_mask.defined()) {
    const Checks::Named given{"key_padding_mask", key_padding_mask};
    checks.dimensions(given, 2, "batch, patterns",
                      "Use unsqueeze(0) on a single row, to apply it to all batches.");
    checks.same_device(query, given);
    if (!is_bool_or_byte(key_padding_mask)) {
      checks.fail(c10::str("key_padding_mask is of type ", key_padding_mask.scalar_type(),
                           ", but must be bool or uint8."),
                  "Convert it: true means that the pattern is ignored.");
    }
    checks.same_size(stored, 1, given, 1, "patterns", "Pass one element per stored pattern.");
    check_batches(checks, given, batches);
    key_padding_mask_ = kernel_layout(key_padding_mask);
  }
  if (attention_mask.defined()) {
    const at::Tensor with_batch = attention_mask.dim() == 2 ? attention_mask.unsqueeze(0) : attention_mask;
    const Checks::Named given{"attention_mask", with_batch};
    checks.dimensions(given, 3, "batch, queries, patterns",
                      "A mask that applies to all batches may omit the first dimension.");
    checks.same_device(query, given);
    if (!is_bool_or_byte(attention_mask)) {
      checks.same_type(query, given);
    }
    checks.same_size(query, 1, given, 1, "queries", "Pass one row per query.");
    checks.same_size(stored, 1, given, 2, "patterns", "Pass one element per stored pattern.");
    check_batches(checks, given, batches);
    attention_mask_ = kernel_layout(with_batch);
  }
}

template <class T> kernels::ScoreMask<T> AttentionMasks::of_batch(int64_t batch, int64_t batches) const {
  const auto bytes = [](const at::Tensor& mask) {
    return reinterpret_cast<const uint8_t*>(mask.const_data_ptr<bool>());
  };
  kernels::ScoreMask<T> result;
  if (key_padding_mask_.defined()) {
    result.key_padding_mask = bytes(key_padding_mask_) +
                              mask_index(key_padding_mask_, batch, batches) * key_padding_mask_.stride(0);
  }
  if (attention_mask_.defined()) {
    const int64_t first = mask_index(attention_mask_, batch, batches) * attention_mask_.stride(0);
    result.stride = attention_mask_.stride(1);
    if (attention_mask_.scalar_type() == at::kBool) {
      result.attention_mask = bytes(attention_mask_) + first;
    } else {
      result.attention_bias = attention_mask_.const_data_ptr<T>() + first;
    }
  }
  return result;
}
template kernels::ScoreMask<float> AttentionMasks::of_batch<float>(int64_t, int64_t) const;
template kernels::ScoreMask<double> AttentionMasks::of_batch<double>(int64_t, int64_t) const;

namespace {

/// Number of stored patterns of a row up to the last one that is not `masked`.
template <class T> int64_t end_of_attended(const T* row, int64_t size, T masked) {
  while (size > 0 && row[size - 1] == masked) {
    --size;
  }
  return size;
}

} // namespace

double AttentionMasks::attended() const {
  constexpr int64_t kRows = 16; // sampled evenly
  if (!attention_mask_.defined() || attention_mask_.numel() == 0) {
    return 1;
  }
  const int64_t queries = attention_mask_.size(1), rows = attention_mask_.size(0) * queries,
                stored = attention_mask_.size(2), sampled = std::min(kRows, rows);
  int64_t sum = 0;
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBool, attention_mask_.scalar_type(), "mneme::attended", [&] {
    scalar_t masked = true; // of a bool mask
    if constexpr (!std::is_same_v<scalar_t, bool>) {
      masked = -std::numeric_limits<scalar_t>::infinity();
    }
    const auto* data = attention_mask_.const_data_ptr<scalar_t>();
    for (int64_t i = 0; i < sampled; ++i) {
      const int64_t row = (2 * i + 1) * rows / (2 * sampled);
      sum += end_of_attended(data + row / queries * attention_mask_.stride(0) +
                                 row % queries * attention_mask_.stride(1),
                             stored, masked);
    }
  });
  return static_cast<double>(sum) / static_cast<double>(sampled * stored);
}

at::Tensor AttentionMasks::softmax(const at::Tensor& scores) const {
  if (empty()) {
    return at::softmax(scores, -1);
  }
  constexpr double kMaskedScore = -std::numeric_limits<double>::infinity();
  at::Tensor masked = scores;
  // Splits the batches [B] into [M, B / M], so that each mask broadcasts over its B / M batches.
  const auto split = [&](const at::Tensor& mask) {
    return masked.unflatten(0, {mask.size(0), mask.size(0) == 0 ? 0 : scores.size(0) / mask.size(0)});
  };
  if (attention_mask_.defined()) {
    const at::Tensor mask = attention_mask_.unsqueeze(1);
    masked = (mask.scalar_type() == at::kBool ? split(attention_mask_).masked_fill(mask, kMaskedScore)
                                              : split(attention_mask_) + mask)
                 .flatten(0, 1);
  }
  if (key_padding_mask_.defined()) {
    const at::Tensor mask = key_padding_mask_.unsqueeze(1).unsqueeze(1);
    masked = split(key_padding_mask_).masked_fill(mask, kMaskedScore).flatten(0, 1);
  }
  const at::Tensor all_masked = (masked == kMaskedScore).all(-1, true);
  return at::softmax(masked.masked_fill(all_masked, 0), -1).masked_fill(all_masked, 0);
}

} // namespace mneme::ops
