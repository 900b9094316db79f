// SPDX-License-Identifier: MIT

#include "ops/window_state.h"

#include <algorithm>

#include <ATen/Functions.h>

namespace mneme::ops {

JoinedSums join_sums(const at::Tensor& earlier_reference, const at::Tensor& reference,
                     const at::Tensor& decay, int64_t tokens) {
  at::Tensor here =
      earlier_reference.unsqueeze(1).expand({-1, tokens}); // of the earlier sums, at every reader
  if (decay.defined()) {
    here = here - decay.to(at::kDouble).unsqueeze(1) * at::arange(1, tokens + 1, here.options());
  }
  if (!reference.defined()) {
    return {here.exp(), at::ones_like(here), at::zeros_like(here)};
  }
  const at::Tensor own = reference.to(at::kDouble), largest = at::maximum(here, own);
  return {(here - largest).exp(), (own - largest).exp(), largest};
}

at::Tensor with_earlier(const HeadSlice& slice, const at::Tensor& remembered, const at::Tensor& piece,
                        int64_t earlier) {
  return earlier == 0
             ? slice.take(piece)
             : at::cat({slice.take(remembered.slice(1, remembered.size(1) - earlier)), slice.take(piece)}, 1);
}

at::Tensor last_tokens(const at::Tensor& earlier, const at::Tensor& piece, int64_t count) {
  const at::Tensor all = earlier.defined() ? at::cat({earlier, piece}, 1) : piece;
  return all.slice(1, std::max<int64_t>(0, all.size(1) - count)).clone();
}

} // namespace mneme::ops
