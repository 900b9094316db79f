// SPDX-License-Identifier: MIT

#include "ops/seen.h"

#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/softmax.h>

namespace mneme::ops {
namespace {

bool is_yes_or_no(const at::Tensor& mask) {
  return mask.scalar_type() == at::kBool || mask.scalar_type() == at::kByte;
}

void check_batches(const Checks& checks, const Checks::Named& mask, int64_t batches) {
  const int64_t rows = mask.tensor.size(0);
  if (rows == 0 ? batches != 0 : batches % rows != 0) {
    checks.refuse(
        c10::str(mask.name, " has ", Checks::sized(mask, 0, "batches"), ", but the call has ", batches, "."),
        "Give one for all, one for every batch, or one for every so many batches that follow.");
  }
}

/// Numbers of a row side by side, yes and no as 0 and 1; nothing is copied where that is so.
at::Tensor readable(const at::Tensor& mask) {
  const at::Tensor numbers = is_yes_or_no(mask) ? mask.to(at::kBool) : mask;
  return numbers.size(-1) <= 1 || numbers.stride(-1) == 1 ? numbers : numbers.contiguous();
}

int64_t row_of(const at::Tensor& mask, int64_t batch, int64_t batches) {
  return batch / std::max<int64_t>(1, batches / std::max<int64_t>(1, mask.size(0)));
}

} // namespace

Seen::Seen(const Checks& checks, const at::Tensor& missing, const at::Tensor& mask,
           const Checks::Named& query, const Checks::Named& stored, int64_t batches) {
  if (missing.defined()) {
    const Checks::Named given{"missing", missing};
    checks.dimensions(given, 2, "batch, patterns", "One row for all batches is unsqueeze(0).");
    checks.same_device(query, given);
    if (!is_yes_or_no(missing)) {
      checks.refuse(c10::str("missing is of type ", missing.scalar_type(), ", but must be bool or uint8."),
                    "Convert it: true stands for a pattern that is not there.");
    }
    checks.equal(stored, 1, given, 1, "patterns", "Give one mark for each stored pattern.");
    check_batches(checks, given, batches);
    missing_ = readable(missing);
  }
  if (mask.defined()) {
    const at::Tensor with_batch = mask.dim() == 2 ? mask.unsqueeze(0) : mask;
    const Checks::Named given{"mask", with_batch};
    checks.dimensions(given, 3, "batch, queries, patterns", "One for all batches may go without the first.");
    checks.same_device(query, given);
    if (!is_yes_or_no(mask)) {
      checks.same_type(query, given);
    }
    checks.equal(query, 1, given, 1, "queries", "Give one row for each query.");
    checks.equal(stored, 1, given, 2, "patterns", "Give one number for each stored pattern.");
    check_batches(checks, given, batches);
    mask_ = readable(with_batch);
  }
}

template <class T> kernels::ScoreMask<T> Seen::of(int64_t batch, int64_t batches) const {
  const auto bytes = [](const at::Tensor& mask) {
    return reinterpret_cast<const uint8_t*>(mask.const_data_ptr<bool>());
  };
  kernels::ScoreMask<T> result;
  if (missing_.defined()) {
    result.missing = bytes(missing_) + row_of(missing_, batch, batches) * missing_.stride(0);
  }
  if (mask_.defined()) {
    const int64_t first = row_of(mask_, batch, batches) * mask_.stride(0);
    result.stride = mask_.stride(1);
    if (mask_.scalar_type() == at::kBool) {
      result.hidden = bytes(mask_) + first;
    } else {
      result.added = mask_.const_data_ptr<T>() + first;
    }
  }
  return result;
}
template kernels::ScoreMask<float> Seen::of<float>(int64_t, int64_t) const;
template kernels::ScoreMask<double> Seen::of<double>(int64_t, int64_t) const;

at::Tensor Seen::softmax(const at::Tensor& scores) const {
  if (everything()) {
    return at::softmax(scores, -1);
  }
  constexpr double kNotSeen = -std::numeric_limits<double>::infinity();
  at::Tensor masked = scores;
  // What a row of a mask stands for becomes a dimension of its own, which it is expanded over.
  const auto apart = [&](const at::Tensor& mask) {
    return masked.unflatten(0, {mask.size(0), mask.size(0) == 0 ? 0 : scores.size(0) / mask.size(0)});
  };
  if (mask_.defined()) {
    const at::Tensor of_rows = mask_.unsqueeze(1);
    masked = (mask_.scalar_type() == at::kBool ? apart(mask_).masked_fill(of_rows, kNotSeen)
                                               : apart(mask_) + of_rows)
                 .flatten(0, 1);
  }
  if (missing_.defined()) {
    masked = apart(missing_).masked_fill(missing_.unsqueeze(1).unsqueeze(1), kNotSeen).flatten(0, 1);
  }
  const at::Tensor nothing = (masked == kNotSeen).all(-1, true);
  return at::softmax(masked.masked_fill(nothing, 0), -1).masked_fill(nothing, 0);
}

} // namespace mneme::ops
