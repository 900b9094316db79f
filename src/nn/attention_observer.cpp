// SPDX-License-Identifier: MIT

#include "mneme/nn/attention_observer.h"

#include <limits>

#include <ATen/Functions.h>

#include "mneme/core/error.h"
#include "nn/refuse.h"

namespace mneme::nn {

at::Tensor AttentionView::scores(int64_t first, int64_t end) const {
  if (first < 0 || first > end || end > query.size(2)) {
    refuse("AttentionView",
           c10::str("the queries [", first, ", ", end, ") are requested of ", query.size(2), "."),
           "Give a range of queries that exist.");
  }
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  at::Tensor result = at::matmul(query.slice(2, first, end), key.transpose(-2, -1)).mul_(scale);
  if (causal) {
    const int64_t earlier = key.size(2) - query.size(2);
    result.masked_fill_(
        at::ones({end - first, key.size(2)}, result.options().dtype(at::kBool)).triu(earlier + first + 1),
        kNever);
  }
  if (key_padding_mask.defined()) {
    result.masked_fill_(key_padding_mask.unsqueeze(1).unsqueeze(1), kNever);
  }
  return result;
}

} // namespace mneme::nn
