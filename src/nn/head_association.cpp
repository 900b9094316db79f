// SPDX-License-Identifier: MIT

#include "nn/head_association.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include "mneme/core/interrupt.h"
#include "mneme/ops/associate_heads.h"
#include "mneme/ops/association_change.h"
#include "mneme/ops/association_dropout.h"
#include "mneme/ops/backend.h"
#include "mneme/ops/constants.h"
#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

/// Limit of "until convergence": rounding can keep a state from converging.
constexpr int64_t kUpdatesMax = 10'000;

using Heads = std::vector<int64_t>;

[[noreturn]] void refuse_unconverged(const HeadAssociationArgs& args, int64_t head, double change) {
  refuse(args.layer,
         c10::str("head ", head, " has not converged after ", kUpdatesMax,
                  " updates: its association still changes by at least ", change, ", update_steps_eps is ",
                  args.update_steps_eps.of(head), "."),
         "Increase update_steps_eps, or set update_steps_max.");
}

/// Keeps track of the updates and changes of each head, and decides which heads are updated next.
class UpdateSchedule {
public:
  explicit UpdateSchedule(const HeadAssociationArgs& args)
      : args_(args), updates_(static_cast<size_t>(args.query.size(1)), 0),
        converged_(updates_.size(), false) {}

  /// Heads that are to be updated once more.
  Heads active() const {
    Heads heads;
    for (int64_t h = 0; h < count(); ++h) {
      if (!converged_[static_cast<size_t>(h)] && has_steps_left(h)) {
        heads.push_back(h);
      }
    }
    return heads;
  }

  bool all(const Heads& heads) const { return static_cast<int64_t>(heads.size()) == count(); }

  void count_update(const Heads& heads) {
    throw_if_interrupted();
    for (const int64_t h : heads) {
      if (++updates_[static_cast<size_t>(h)] == kUpdatesMax && args_.update_steps_max.of(h) < 0) {
        refuse_unconverged(args_, h, changes_.back()[static_cast<size_t>(h)]);
      }
    }
  }

  /// Stores the changes of the associations of `heads`. A NaN counts as converged.
  void record_changes(const Heads& heads, const std::vector<double>& changes) {
    std::vector<double>& row = changes_.emplace_back(updates_.size(), 0.0);
    for (size_t i = 0; i < heads.size(); ++i) {
      row[static_cast<size_t>(heads[i])] = changes[i];
      converged_[static_cast<size_t>(heads[i])] = !(changes[i] > args_.update_steps_eps.of(heads[i]));
    }
  }

  const std::vector<int64_t>& updates() const { return updates_; }
  const std::vector<std::vector<double>>& changes() const { return changes_; }

private:
  int64_t count() const { return static_cast<int64_t>(updates_.size()); }
  bool has_steps_left(int64_t h) const {
    const int64_t max = args_.update_steps_max.of(h);
    return max < 0 || updates_[static_cast<size_t>(h)] < max;
  }

  const HeadAssociationArgs& args_;
  std::vector<int64_t> updates_;
  std::vector<bool> converged_;
  std::vector<std::vector<double>> changes_;
};

at::Tensor index_of(const Heads& heads, const at::Tensor& like) {
  return at::tensor(heads, at::kLong).to(like.device());
}

/// Copies a tensor of any device to the host; synchronises with the device.
template <class T> std::vector<T> host_numbers(const at::Tensor& tensor) {
  const at::Tensor on_host = tensor.to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
  return {on_host.template const_data_ptr<T>(), on_host.template const_data_ptr<T>() + on_host.numel()};
}

/// The given heads of a tensor [N, H, ., .]; a tensor that is common to all heads, or undefined, is returned
/// unchanged.
at::Tensor select_heads(const at::Tensor& tensor, const Heads& heads, bool all) {
  if (all || !tensor.defined() || tensor.size(1) == 1) {
    return tensor;
  }
  return tensor.index_select(1, index_of(heads, tensor));
}

/// A state [1, ., ., .] for all batch entries, if some of its heads are to be replaced by different ones.
at::Tensor expanded_to(const at::Tensor& state, int64_t batch, bool all) {
  return all ? state : state.expand({batch, -1, -1, -1});
}

bool needs_gradient(const at::Tensor& tensor) {
  return tensor.defined() && tensor.requires_grad() && at::GradMode::is_enabled();
}

/// `tensor` with the given heads replaced by `replacement`.
at::Tensor replace_heads(const at::Tensor& tensor, const Heads& heads, bool all,
                         const at::Tensor& replacement) {
  return all ? replacement : tensor.index_copy(1, index_of(heads, tensor), replacement);
}

/// Both masks as one additive mask [1 or N, 1 or H, 1 or L, S]; undefined if there is none.
at::Tensor additive_mask(const HeadAssociationArgs& args) {
  const auto numbers = [&](const at::Tensor& mask) {
    return mask.scalar_type() != at::kBool
               ? mask
               : at::zeros(mask.sizes(), args.query.options().requires_grad(false))
                     .masked_fill(mask, -std::numeric_limits<double>::infinity());
  };
  if (!args.key_padding_mask.defined()) {
    return args.attention_mask.defined() ? numbers(args.attention_mask) : at::Tensor();
  }
  const at::Tensor padding = numbers(args.key_padding_mask).unsqueeze(1).unsqueeze(1);
  return args.attention_mask.defined() ? padding + numbers(args.attention_mask) : padding;
}

/// separation(query . stored^T + mask); in heads with infinite beta, only the best match gets weight. A row
/// in which everything is masked is 0 and has no gradient.
at::Tensor weights(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& mask,
                   const at::Tensor& hardmax_heads, ops::Separation separation) {
  at::Tensor scores = at::matmul(query, stored.transpose(-1, -2));
  at::Tensor is_fully_masked;
  if (mask.defined()) {
    is_fully_masked = (mask == -std::numeric_limits<double>::infinity()).all(-1, true);
    scores = (scores + mask).masked_fill(is_fully_masked, 0);
  }
  at::Tensor association = scores.size(-1) > 0 ? ops::separate(scores, separation) : scores;
  if (hardmax_heads.defined() && scores.size(-1) > 0) {
    const at::Tensor best = (scores == scores.amax(-1, true)).to(scores.scalar_type());
    association = at::where(hardmax_heads, (best / best.sum(-1, true)).detach(), association);
  }
  return mask.defined() ? association.masked_fill(is_fully_masked, 0) : association;
}

at::Tensor apply_dropout(const at::Tensor& association, const HeadAssociationArgs& args) {
  return args.dropout == 0
             ? association
             : association * ops::association_dropout(association, args.dropout, draw_seed(args.generator));
}

/// Maximum over the batch of norms [N, H], copied to the host.
std::vector<double> max_over_batch(const at::Tensor& norms) {
  return host_numbers<double>(norms.size(0) == 0 ? norms.sum(0) : norms.amax(0));
}

/// Frobenius norms [N, H] of the matrix of each head.
at::Tensor norms_of(const at::Tensor& heads) {
  return at::linalg_vector_norm(heads, 2, at::IntArrayRef{2, 3}, false, at::kDouble);
}

/// `args` for plain LibTorch operations: with beta as a factor of the states, one additive mask, and all
/// inputs expanded to the batch.
HeadAssociationArgs expanded(const HeadAssociationArgs& args) {
  HeadAssociationArgs result = args;
  const auto to_batch = [&](const at::Tensor& heads) { return heads.expand({args.batch, -1, -1, -1}); };
  result.query = to_batch(args.beta == 1 ? args.query : args.query * args.beta);
  result.stored = to_batch(args.stored);
  result.value = to_batch(args.value);
  result.attention_mask = additive_mask(args);
  if (!args.update_scale.defined()) {
    result.update_scale = at::full({1, 1, 1, 1}, args.beta, args.query.options().requires_grad(false));
  } else if (args.beta != 1) {
    result.update_scale = args.update_scale * args.beta;
  }
  return result;
}

/// Plain LibTorch operations, which store every association. Supports all masks and need_weights.
HeadAssociation associate_plain(const HeadAssociationArgs& given) {
  const HeadAssociationArgs args = expanded(given);
  UpdateSchedule schedule(args);
  at::Tensor association =
      weights(args.query, args.stored, args.attention_mask, args.hardmax_heads, args.separation);
  for (Heads heads = schedule.active(); !heads.empty(); heads = schedule.active()) {
    const bool all = schedule.all(heads);
    const at::Tensor before = select_heads(association, heads, all),
                     stored = select_heads(args.stored, heads, all);
    const at::Tensor state = at::matmul(before, stored) * select_heads(args.update_scale, heads, all);
    const at::Tensor after = weights(state, stored, select_heads(args.attention_mask, heads, all),
                                     select_heads(args.hardmax_heads, heads, all), args.separation);
    schedule.record_changes(heads, max_over_batch(norms_of(after.detach() - before.detach())));
    schedule.count_update(heads);
    association = replace_heads(association, heads, all, after);
  }
  HeadAssociation result{.association = association,
                         .after_dropout = apply_dropout(association, args),
                         .updates = schedule.updates(),
                         .changes = schedule.changes()};
  result.readout = at::matmul(result.after_dropout, args.value);
  return result;
}

/// `associate_plain` for devices other than the CPU, on which reading a number synchronises host and device:
/// all heads compute every update, and a head that has stopped keeps its association. Only after every eight
/// updates the host checks whether all heads have stopped.
HeadAssociation associate_on_device(const HeadAssociationArgs& given) {
  constexpr int64_t kUpdatesPerCheck = 8;
  const HeadAssociationArgs args = expanded(given);
  const int64_t heads = args.query.size(1);
  const at::TensorOptions base_options = args.query.options().requires_grad(false);
  const auto per_head = [&](const auto& value_of, at::ScalarType type) { // [H]
    std::vector<double> values;
    for (int64_t h = 0; h < heads; ++h) {
      values.push_back(static_cast<double>(value_of(h)));
    }
    return ops::constants(values, base_options.dtype(type));
  };
  const auto has_steps_left = [&](int64_t head, int64_t update) {
    const int64_t max = args.update_steps_max.of(head);
    return max < 0 || update < max;
  };
  int64_t max_updates = 0; // of all heads
  bool until_convergence = false;
  for (int64_t h = 0; h < heads; ++h) {
    const int64_t max = args.update_steps_max.of(h);
    max_updates = std::max(max_updates, max < 0 ? kUpdatesMax : max);
    until_convergence = until_convergence || max < 0;
  }
  const at::Tensor eps = per_head([&](int64_t h) { return args.update_steps_eps.of(h); }, at::kDouble);
  at::Tensor unconverged = at::ones({heads}, base_options.dtype(at::kBool)),
             updates = at::zeros({heads}, base_options.dtype(at::kLong));
  std::vector<at::Tensor> changes;
  at::Tensor association =
      weights(args.query, args.stored, args.attention_mask, args.hardmax_heads, args.separation);
  for (int64_t update = 0; update < max_updates; ++update) {
    throw_if_interrupted();
    const at::Tensor active =
        unconverged.logical_and(per_head([&](int64_t h) { return has_steps_left(h, update); }, at::kBool));
    if (update > 0 && update % kUpdatesPerCheck == 0 && !active.any().item<bool>()) {
      break;
    }
    const at::Tensor state = at::matmul(association, args.stored) * args.update_scale;
    const at::Tensor after =
        weights(state, args.stored, args.attention_mask, args.hardmax_heads, args.separation);
    const at::Tensor norms = norms_of(after.detach() - association.detach()),
                     change = norms.size(0) == 0 ? norms.sum(0) : norms.amax(0);
    changes.push_back(change.masked_fill(active.logical_not(), 0));
    unconverged = at::where(active, change > eps, unconverged);
    updates = updates + active;
    association = at::where(active.view({1, -1, 1, 1}), after, association);
  }
  HeadAssociation result{.association = association, .after_dropout = apply_dropout(association, args)};
  result.readout = at::matmul(result.after_dropout, args.value);
  if (until_convergence || args.need_weights) {
    result.updates = host_numbers<int64_t>(updates);
    const int64_t made = result.updates.empty() ? 0 : std::ranges::max(result.updates);
    for (int64_t update = 0; update < made; ++update) {
      result.changes.push_back(host_numbers<double>(changes[static_cast<size_t>(update)]));
    }
    for (int64_t h = 0; h < heads; ++h) {
      if (result.updates[static_cast<size_t>(h)] == kUpdatesMax && args.update_steps_max.of(h) < 0) {
        refuse_unconverged(args, h, result.changes.back()[static_cast<size_t>(h)]);
      }
    }
  }
  return result;
}

/// Readout of one association step of the given heads by the streaming op. `weights`: see
/// ops::AssociateHeadsOptions.
at::Tensor streamed(const HeadAssociationArgs& args, const Heads& heads, bool all, const at::Tensor& state,
                    const at::Tensor& value, double dropout = 0, at::Tensor* weights = nullptr) {
  const auto picked = [&](const at::Tensor& tensor) { return select_heads(tensor, heads, all); };
  const at::Tensor stored = picked(args.stored);
  return ops::associate_heads(picked(state), stored, value.is_same(args.stored) ? stored : picked(value),
                              {.beta = args.beta,
                               .key_padding_mask = args.key_padding_mask,
                               .attention_mask = picked(args.attention_mask),
                               .dropout = dropout,
                               .dropout_seed = dropout == 0 ? 0 : draw_seed(args.generator),
                               .weights = weights});
}

/// Frobenius norm of the difference of two contiguous matrices of `count` elements.
template <class T> double distance(const T* a, const T* b, int64_t count) {
  // Several sums, so that the compiler vectorises them. The scale keeps the square of a small change from
  // becoming a denormal, which is slow, or zero.
  constexpr int64_t kSums = 16;
  constexpr T kScale = static_cast<T>(int64_t{1} << 30);
  std::array<T, kSums> sums{};
  const int64_t whole = count / kSums * kSums;
  for (int64_t i = 0; i < whole; i += kSums) {
    for (int64_t lane = 0; lane < kSums; ++lane) {
      const T change = kScale * (a[i + lane] - b[i + lane]);
      sums[static_cast<size_t>(lane)] += change * change;
    }
  }
  double total = 0;
  for (int64_t i = whole; i < count; ++i) {
    const double change =
        static_cast<double>(kScale) * (static_cast<double>(a[i]) - static_cast<double>(b[i]));
    total += change * change;
  }
  total = std::accumulate(sums.begin(), sums.end(), total);
  return std::sqrt(total) / static_cast<double>(kScale);
}

/// Norms of the difference of two associations [N, heads, L, S], the maximum over the batch for each head.
/// The matrix of each head is contiguous.
std::vector<double> change_of_weights(const at::Tensor& before, const at::Tensor& after) {
  std::vector<double> changes(static_cast<size_t>(after.size(1)), 0.0);
  AT_DISPATCH_FLOATING_TYPES(after.scalar_type(), "mneme::associate_heads", [&] {
    for (int64_t n = 0; n < after.size(0); ++n) {
      for (int64_t h = 0; h < after.size(1); ++h) {
        const auto matrix = [&](const at::Tensor& weights) {
          return weights.const_data_ptr<scalar_t>() + n * weights.stride(0) + h * weights.stride(1);
        };
        double& change = changes[static_cast<size_t>(h)];
        const double of_entry = distance(matrix(before), matrix(after), after.size(2) * after.size(3));
        change = of_entry > change || std::isnan(of_entry) ? of_entry : change;
      }
    }
  });
  return changes;
}

/// Numbers of the given heads, from those of all.
std::vector<double> of_heads(const std::vector<double>& numbers, const Heads& heads) {
  std::vector<double> result;
  for (const int64_t head : heads) {
    result.push_back(numbers[static_cast<size_t>(head)]);
  }
  return result;
}

/// Change of the association in an update, without storing associations. Let P and P' be two successive
/// associations and x = P K and x' = P' K the states they lead to. The rows of P' - P sum to 0, so the change
/// is bounded from below by ||x' - x|| / ||K - mean of K||. If the bound exceeds the threshold, the head
/// continues updating; only otherwise the exact change is computed, by recomputing both associations.
class AssociationChange {
public:
  explicit AssociationChange(const HeadAssociationArgs& args) : args_(args) {}

  /// Change from the association of state `before` to that of state `after`; `next` is the state that the
  /// latter leads to. For each of `heads`, the maximum over the batch, or a lower bound of it that exceeds
  /// the head's eps.
  std::vector<double> of(const Heads& heads, const at::Tensor& before, const at::Tensor& after,
                         const at::Tensor& next) {
    const at::NoGradGuard no_gradient;
    std::vector<double> change = lower_bound(after, next);
    Heads undecided;
    for (const int64_t h : heads) {
      if (!(change[static_cast<size_t>(h)] > args_.update_steps_eps.of(h))) {
        undecided.push_back(h);
      }
    }
    if (!undecided.empty()) {
      const std::vector<double> exact = exact_change(before, after, undecided);
      for (size_t i = 0; i < undecided.size(); ++i) {
        change[static_cast<size_t>(undecided[i])] = exact[i];
      }
    }
    return of_heads(change, heads);
  }

private:
  /// Bound of the rounding error of a state, in multiples of epsilon times its norm; sums of some thousand
  /// numbers stay below it.
  static constexpr double kRounding = 32;

  std::vector<double> lower_bound(const at::Tensor& after, const at::Tensor& next) {
    if (!spread_.defined()) {
      const at::Tensor centred = args_.stored - args_.stored.mean(2, true);
      spread_ = norms_of(args_.update_scale.defined() ? centred * args_.update_scale : centred);
    }
    const double epsilon = args_.query.scalar_type() == at::kFloat ? std::numeric_limits<float>::epsilon()
                                                                   : std::numeric_limits<double>::epsilon();
    const at::Tensor rounding = kRounding * epsilon * (norms_of(after) + norms_of(next));
    return max_over_batch((norms_of(next - after) - rounding) / spread_);
  }

  std::vector<double> exact_change(const at::Tensor& before, const at::Tensor& after,
                                   const Heads& heads) const {
    const bool all = heads.size() == static_cast<size_t>(args_.query.size(1));
    const auto picked = [&](const at::Tensor& of_heads) {
      const at::Tensor some = select_heads(of_heads, heads, all);
      return some.expand({args_.batch, -1, -1, -1}).flatten(0, 1);
    };
    const at::Tensor mask = select_heads(args_.attention_mask, heads, all);
    return max_over_batch(ops::association_change(picked(before) * args_.beta, picked(after) * args_.beta,
                                                  picked(args_.stored), args_.key_padding_mask,
                                                  mask.defined() ? mask.flatten(0, 1) : mask)
                              .view({args_.batch, static_cast<int64_t>(heads.size())}));
  }

  const HeadAssociationArgs& args_;
  at::Tensor spread_; ///< beta ||K - mean of K||, [N, H]
};

/// The given heads of `weights`, which has those of `of` only.
at::Tensor select_of(const at::Tensor& weights, const Heads& of, const Heads& heads) {
  if (!weights.defined() || of.size() == heads.size()) {
    return weights;
  }
  Heads positions;
  for (const int64_t head : heads) {
    positions.push_back(std::ranges::find(of, head) - of.begin());
  }
  return weights.index_select(1, index_of(positions, weights)).contiguous();
}

/// bool [1, H, 1, 1], true for the given heads of a state.
at::Tensor mask_of(const Heads& heads, const at::Tensor& state) {
  at::Tensor mask =
      at::zeros({1, state.size(1), 1, 1}, state.options().dtype(at::kBool).requires_grad(false));
  for (const int64_t head : heads) {
    mask.mutable_data_ptr<bool>()[head] = true;
  }
  return mask;
}

/// The state that one association step of `state` leads to, for the given heads. `weights`: see streamed.
at::Tensor updated(const HeadAssociationArgs& args, const Heads& heads, bool all, const at::Tensor& state,
                   at::Tensor* weights) {
  const at::Tensor readout = streamed(args, heads, all, state, args.stored, 0, weights);
  return args.update_scale.defined() ? readout * select_heads(args.update_scale, heads, all) : readout;
}

/// State after all updates, for small problems: all heads compute every update, and those that have stopped
/// keep their state, because to select heads takes longer.
at::Tensor update_all_heads(const HeadAssociationArgs& args, UpdateSchedule& schedule) {
  at::Tensor before, weights, state = args.query; // `before`: the weights of the previous state
  for (Heads heads = schedule.active(); !heads.empty(); heads = schedule.active()) {
    const at::Tensor next = updated(args, heads, true, state, &weights);
    if (before.defined()) {
      schedule.record_changes(heads, of_heads(change_of_weights(before, weights), heads));
      heads = schedule.active();
      if (heads.empty()) {
        break;
      }
    }
    state = schedule.all(heads) ? next : at::where(mask_of(heads, state), next, state);
    schedule.count_update(heads);
    before = std::exchange(weights, at::Tensor());
  }
  return state;
}

/// State after all updates, which compute only the heads that have not stopped. Their change is computed from
/// the weights if `keeps_weights`, otherwise by AssociationChange.
at::Tensor update_active_heads(const HeadAssociationArgs& args, UpdateSchedule& schedule,
                               bool keeps_weights) {
  AssociationChange change(args);
  at::Tensor before, before_weights, weights, state = args.query;
  // The state with the heads `some` of `updated_heads`.
  const auto state_with = [&](const at::Tensor& updated_heads, const Heads& some) {
    const bool all = schedule.all(some);
    return replace_heads(expanded_to(state, updated_heads.size(0), all), some, all, updated_heads);
  };
  for (Heads heads = schedule.active(); !heads.empty();) {
    at::Tensor next = state_with(
        updated(args, heads, schedule.all(heads), state, keeps_weights ? &weights : nullptr), heads);
    if (before.defined()) { // the next state gives the lower bound of the last update's change
      schedule.record_changes(heads, keeps_weights ? change_of_weights(before_weights, weights)
                                                   : change.of(heads, before, state, next));
      const Heads computed = std::exchange(heads, schedule.active());
      if (heads.empty()) {
        break;
      }
      weights = select_of(weights, computed, heads);
      next = state_with(select_heads(next, heads, schedule.all(heads)), heads);
    }
    schedule.count_update(heads);
    before = std::exchange(state, next);
    const Heads computed = std::exchange(heads, schedule.active());
    before_weights = select_of(std::exchange(weights, at::Tensor()), computed, heads);
  }
  return state;
}

/// Forward and backward by ops::associate_heads. No association is kept for backward. Of a problem of
/// moderate size, the associations of two successive states are kept, because their difference is then
/// computed fastest.
HeadAssociation associate_streaming(const HeadAssociationArgs& given) {
  constexpr int64_t kMaxWeights = 1 << 20, kMaxWeightsOfAllHeads = 1 << 14, kManyStates = 16;
  HeadAssociationArgs args = given;
  UpdateSchedule schedule(args);
  const Heads heads = schedule.active();
  const bool changes_nothing = args.stored.size(2) == 1; // every association is 1, or 0 if masked
  if (changes_nothing && !heads.empty()) {
    schedule.record_changes(heads, std::vector<double>(heads.size(), 0.0));
    schedule.count_update(heads);
  }
  const bool has_updates = !changes_nothing && !heads.empty();
  if (has_updates && args.batch * args.query.size(2) >= kManyStates) {
    args.stored = given.stored.contiguous(); // once, instead of at every update
  }
  const bool has_mask = args.key_padding_mask.defined() || args.attention_mask.defined();
  if (has_mask && args.stored.size(0) != args.batch) { // masks have the batch of the call
    args.stored = args.stored.expand({args.batch, -1, -1, -1});
  }
  if (given.value.is_same(given.stored)) {
    args.value = args.stored;
  }
  at::Tensor state = args.query;
  if (has_updates) {
    const int64_t num_weights = args.batch * state.size(1) * state.size(2) * args.stored.size(2);
    const bool keeps_weights =
        ops::has_kernel(state) && !needs_gradient(args.attention_mask) && num_weights <= kMaxWeights;
    state = keeps_weights && num_weights <= kMaxWeightsOfAllHeads
                ? update_all_heads(args, schedule)
                : update_active_heads(args, schedule, keeps_weights);
  }
  return {.readout = streamed(args, {}, true, state, args.value, args.dropout),
          .updates = schedule.updates(),
          .changes = schedule.changes()};
}

bool can_stream(const HeadAssociationArgs& args) {
  const std::vector<int64_t>& steps = args.update_steps_max.values();
  const bool has_updates = std::ranges::any_of(steps, [](int64_t max) { return max != 0; });
  // On devices other than the CPU, the change of an update can only be computed from stored associations.
  const bool is_supported = args.query.device().is_cpu() ? ops::has_kernel(args.query) : !has_updates;
  return args.streaming && args.separation == ops::Separation::softmax && !args.need_weights &&
         !args.hardmax_heads.defined() && is_supported && args.query.numel() > 0 && args.stored.numel() > 0 &&
         args.value.numel() > 0;
}

} // namespace

HeadAssociation associate_heads(const HeadAssociationArgs& args) {
  if (can_stream(args)) {
    return associate_streaming(args);
  }
  return args.query.device().is_cpu() ? associate_plain(args) : associate_on_device(args);
}

} // namespace mneme::nn
