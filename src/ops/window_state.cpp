// SPDX-License-Identifier: MIT

#include "ops/window_state.h"

#include <algorithm>

#include <ATen/Functions.h>

namespace mneme::ops {

JoinedSums join_sums(const at::Tensor& earlier_reference, const at::Tensor& reference,
                     const at::Tensor& decay, int64_t tokens) {
  at::Tensor earlier = earlier_reference.unsqueeze(1).expand({-1, tokens});
  if (decay.defined()) {
    earlier = earlier - decay.to(at::kDouble).unsqueeze(1) * at::arange(1, tokens + 1, earlier.options());
  }
  if (!reference.defined()) {
    return {earlier.exp(), at::ones_like(earlier), at::zeros_like(earlier)};
  }
  const at::Tensor added = reference.to(at::kDouble), max = at::maximum(earlier, added);
  return {(earlier - max).exp(), (added - max).exp(), max};
}

at::Tensor with_earlier(const HeadGroup& group, const at::Tensor& stored, const at::Tensor& added,
                        int64_t earlier) {
  if (earlier == 0) {
    return group.gather(added);
  }
  return at::cat({group.gather(stored.slice(1, stored.size(1) - earlier)), group.gather(added)}, 1);
}

at::Tensor last_tokens(const at::Tensor& earlier, const at::Tensor& added, int64_t count) {
  const at::Tensor all = earlier.defined() ? at::cat({earlier, added}, 1) : added;
  return all.slice(1, std::max<int64_t>(0, all.size(1) - count)).clone();
}

} // namespace mneme::ops
