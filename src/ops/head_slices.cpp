// SPDX-License-Identifier: MIT

#include "ops/head_slices.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/Functions.h>
#include <c10/util/irange.h>

#include "mneme/ops/constants.h"

namespace mneme::ops {
namespace {

constexpr int64_t kNumbersPerSlice =
    1 << 22; // of rows; about ten times as many are computed from them at a time

template <class T> T of_head(const std::vector<T>& values, int64_t head) {
  return values.size() == 1 ? values[0] : values[static_cast<size_t>(head)];
}

template <class T>
void check_count(const Checks& checks, const char* name, const std::vector<T>& values, int64_t heads) {
  if (values.size() != 1 && static_cast<int64_t>(values.size()) != heads) {
    checks.refuse(c10::str("there are ", values.size(), " ", name, " but ", heads, " heads."),
                  "Give one for all heads, or one per head.");
  }
}

} // namespace

at::Tensor HeadSlice::take(const at::Tensor& from) const {
  if (!from.defined()) {
    return from;
  }
  at::Tensor part = from.narrow(0, first_batch, batches);
  if (static_cast<int64_t>(heads.size()) != from.size(2)) {
    std::vector<at::Tensor> parts; // an index of heads would be copied from the host
    for (const int64_t head : heads) {
      parts.push_back(part.narrow(2, head, 1));
    }
    part = at::cat(parts, 2);
  }
  return part.transpose(1, 2).flatten(0, 1).contiguous();
}

at::Tensor HeadSlice::take_batches(const at::Tensor& from) const {
  return from.defined()
             ? from.narrow(0, first_batch, batches).repeat_interleave(static_cast<int64_t>(heads.size()), 0)
             : from;
}

void HeadSlice::put(const at::Tensor& into, const at::Tensor& part) const {
  const auto count = static_cast<int64_t>(heads.size());
  const at::Tensor from = part.unflatten(0, {batches, count}).transpose(1, 2);
  for (const int64_t i : c10::irange(count)) {
    into.narrow(0, first_batch, batches).select(2, heads[static_cast<size_t>(i)]).copy_(from.select(2, i));
  }
}

void check_windows(const Checks& checks, const Windows& windows, int64_t heads) {
  check_count(checks, "windows", windows.tokens, heads);
  check_count(checks, "decays", windows.decay, heads);
  for (const int64_t tokens : windows.tokens) {
    if (tokens < 0) {
      checks.refuse(c10::str("a window is ", tokens, " tokens, but must be at least 1, or 0 for all tokens."),
                    "A window counts the tokens that are seen, the reader included.");
    }
  }
  for (const double decay : windows.decay) {
    if (!std::isfinite(decay) || decay < 0) {
      checks.refuse(c10::str("a decay is ", decay, ", but must be finite and >= 0."),
                    "0 is no decay; a token n tokens away weighs exp(-decay * n) times as much.");
    }
  }
}

void for_each_slice(const at::Tensor& like, int64_t tokens, int64_t row, const Windows& windows,
                    const std::function<void(const HeadSlice&)>& body) {
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
  const int64_t lines_at_once = std::max<int64_t>(1, kNumbersPerSlice / std::max<int64_t>(1, tokens * row));
  for (const auto& [window, same_window] : heads_by_window) {
    const int64_t heads_at_once = std::min<int64_t>(static_cast<int64_t>(same_window.size()), lines_at_once);
    const int64_t batches_at_once = std::max<int64_t>(1, lines_at_once / heads_at_once);
    for (int64_t batch = 0; batch < batches; batch += batches_at_once) {
      for (size_t first = 0; first < same_window.size(); first += static_cast<size_t>(heads_at_once)) {
        HeadSlice slice{.window = window == 0 ? tokens : std::min(window, tokens),
                        .sees_all = window == 0,
                        .first_batch = batch,
                        .batches = std::min(batches_at_once, batches - batch)};
        const size_t last = std::min(same_window.size(), first + static_cast<size_t>(heads_at_once));
        slice.heads.assign(same_window.begin() + static_cast<std::ptrdiff_t>(first),
                           same_window.begin() + static_cast<std::ptrdiff_t>(last));
        if (decays) {
          std::vector<double> decay;
          for (const int64_t head : slice.heads) {
            decay.push_back(of_head(windows.decay, head));
          }
          slice.decay = constants(decay, like.options()).repeat({slice.batches});
        }
        body(slice);
      }
    }
  }
}

} // namespace mneme::ops
