// SPDX-License-Identifier: MIT

#include "ops/head_groups.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/Functions.h>
#include <c10/util/irange.h>

#include "mneme/ops/constants.h"

namespace mneme::ops {
namespace {

// Elements of rows per group; the intermediates computed from them are about ten times as large.
constexpr int64_t kElementsPerGroup = 1 << 22;

template <class T> T of_head(const std::vector<T>& values, int64_t head) {
  return values.size() == 1 ? values[0] : values[static_cast<size_t>(head)];
}

template <class T>
void check_count(const Checks& checks, const char* name, const std::vector<T>& values, int64_t heads) {
  if (values.size() != 1 && static_cast<int64_t>(values.size()) != heads) {
    checks.fail(c10::str("there are ", values.size(), " ", name, " but ", heads, " heads."),
                "Pass one for all heads, or one per head.");
  }
}

} // namespace

at::Tensor HeadGroup::gather(const at::Tensor& from) const {
  if (!from.defined()) {
    return from;
  }
  at::Tensor group = from.narrow(0, first_batch, batches);
  if (static_cast<int64_t>(heads.size()) != from.size(2)) {
    std::vector<at::Tensor> of_heads; // not index_select, which would copy the indices from the host
    for (const int64_t head : heads) {
      of_heads.push_back(group.narrow(2, head, 1));
    }
    group = at::cat(of_heads, 2);
  }
  return group.transpose(1, 2).flatten(0, 1).contiguous();
}

at::Tensor HeadGroup::expand_batches(const at::Tensor& from) const {
  return from.defined()
             ? from.narrow(0, first_batch, batches).repeat_interleave(static_cast<int64_t>(heads.size()), 0)
             : from;
}

void HeadGroup::scatter(const at::Tensor& into, const at::Tensor& group) const {
  const auto count = static_cast<int64_t>(heads.size());
  const at::Tensor from = group.unflatten(0, {batches, count}).transpose(1, 2);
  for (const int64_t i : c10::irange(count)) {
    into.narrow(0, first_batch, batches).select(2, heads[static_cast<size_t>(i)]).copy_(from.select(2, i));
  }
}

void check_windows(const Checks& checks, const Windows& windows, int64_t heads) {
  check_count(checks, "windows", windows.tokens, heads);
  check_count(checks, "decays", windows.decay, heads);
  for (const int64_t tokens : windows.tokens) {
    if (tokens < 0) {
      checks.fail(c10::str("a window is ", tokens, " tokens, but must be at least 1, or 0 for all tokens."),
                  "A window counts the tokens that are attended, including the query position.");
    }
  }
  for (const double decay : windows.decay) {
    if (!std::isfinite(decay) || decay < 0) {
      checks.fail(c10::str("a decay is ", decay, ", but must be finite and >= 0."),
                  "0 is no decay; the weight of a token n positions away is multiplied by exp(-decay * n).");
    }
  }
}

void for_each_head_group(const at::Tensor& like, int64_t tokens, int64_t row, const Windows& windows,
                         const std::function<void(const HeadGroup&)>& body) {
  const int64_t batches = like.size(0), heads = like.size(2);
  if (like.numel() == 0) {
    return;
  }
  std::map<int64_t, std::vector<int64_t>> heads_by_window;
  bool decays = false;
  for (const int64_t head : c10::irange(heads)) {
    heads_by_window[of_head(windows.tokens, head)].push_back(head);
    decays = decays || of_head(windows.decay, head) != 0;
  }
  const int64_t sequences_per_group =
      std::max<int64_t>(1, kElementsPerGroup / std::max<int64_t>(1, tokens * row));
  for (const auto& [window, same_window] : heads_by_window) {
    const int64_t heads_per_group =
        std::min<int64_t>(static_cast<int64_t>(same_window.size()), sequences_per_group);
    const int64_t batches_per_group = std::max<int64_t>(1, sequences_per_group / heads_per_group);
    for (int64_t batch = 0; batch < batches; batch += batches_per_group) {
      for (size_t first = 0; first < same_window.size(); first += static_cast<size_t>(heads_per_group)) {
        HeadGroup group{.window = window == 0 ? tokens : std::min(window, tokens),
                        .is_unlimited = window == 0,
                        .first_batch = batch,
                        .batches = std::min(batches_per_group, batches - batch)};
        const size_t last = std::min(same_window.size(), first + static_cast<size_t>(heads_per_group));
        group.heads.assign(same_window.begin() + static_cast<std::ptrdiff_t>(first),
                           same_window.begin() + static_cast<std::ptrdiff_t>(last));
        if (decays) {
          std::vector<double> decay;
          for (const int64_t head : group.heads) {
            decay.push_back(of_head(windows.decay, head));
          }
          group.decay = constants(decay, like.options()).repeat({group.batches});
        }
        body(group);
      }
    }
  }
}

} // namespace mneme::ops
