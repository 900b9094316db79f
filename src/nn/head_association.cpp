// SPDX-License-Identifier: MIT

#include "nn/head_association.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "mneme/core/interrupt.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/association_change.h"
#include "mneme/ops/association_dropout.h"
#include "mneme/ops/backend.h"
#include "mneme/ops/constants.h"
#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

/// Where rounding keeps a state moving, "until convergence" is forever.
constexpr int64_t kUpdatesMax = 10'000;

using Heads = std::vector<int64_t>;

[[noreturn]] void refuse_endless(const HeadAssociationArgs& args, int64_t head, double moved_by) {
  refuse(args.layer,
         c10::str("head ", head, " has not converged after ", kUpdatesMax,
                  " updates: it still moves by at least ", moved_by, ", update_steps_eps is ",
                  args.update_steps_eps.of(head), "."),
         "Give a larger update_steps_eps, or an update_steps_max.");
}

/// Which heads are to be updated, and how far each has moved.
class Schedule {
public:
  explicit Schedule(const HeadAssociationArgs& args)
      : args_(args), updates_(static_cast<size_t>(args.query.size(1)), 0), moving_(updates_.size(), true) {}

  /// Heads that take one more update.
  Heads due() const {
    Heads heads;
    for (int64_t h = 0; h < count(); ++h) {
      if (moving_[static_cast<size_t>(h)] && steps_left(h)) {
        heads.push_back(h);
      }
    }
    return heads;
  }

  bool all(const Heads& heads) const { return static_cast<int64_t>(heads.size()) == count(); }

  void updated(const Heads& heads) {
    throw_if_interrupted();
    for (const int64_t h : heads) {
      if (++updates_[static_cast<size_t>(h)] == kUpdatesMax && args_.update_steps_max.of(h) < 0) {
        refuse_endless(args_, h, changes_.back()[static_cast<size_t>(h)]);
      }
    }
  }

  /// A NaN counts as converged.
  void moved(const Heads& heads, const std::vector<double>& by) {
    std::vector<double>& row = changes_.emplace_back(updates_.size(), 0.0);
    for (size_t i = 0; i < heads.size(); ++i) {
      row[static_cast<size_t>(heads[i])] = by[i];
      moving_[static_cast<size_t>(heads[i])] = by[i] > args_.update_steps_eps.of(heads[i]);
    }
  }

  const std::vector<int64_t>& updates() const { return updates_; }
  const std::vector<std::vector<double>>& changes() const { return changes_; }

private:
  int64_t count() const { return static_cast<int64_t>(updates_.size()); }
  bool steps_left(int64_t h) const {
    const int64_t most = args_.update_steps_max.of(h);
    return most < 0 || updates_[static_cast<size_t>(h)] < most;
  }

  const HeadAssociationArgs& args_;
  std::vector<int64_t> updates_;
  std::vector<bool> moving_;
  std::vector<std::vector<double>> changes_;
};

at::Tensor index_of(const Heads& heads, const at::Tensor& like) {
  return at::tensor(heads, at::kLong).to(like.device());
}

/// The numbers of a tensor of any device. Waits for the device.
template <class T> std::vector<T> host_numbers(const at::Tensor& tensor) {
  const at::Tensor here = tensor.to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
  return {here.template const_data_ptr<T>(), here.template const_data_ptr<T>() + here.numel()};
}

/// Some heads of [N, H, ., .]; what is one for all heads, or undefined, stays as it is.
at::Tensor pick(const at::Tensor& tensor, const Heads& heads, bool all) {
  if (all || !tensor.defined() || tensor.size(1) == 1) {
    return tensor;
  }
  return tensor.index_select(1, index_of(heads, tensor));
}

at::Tensor put(const at::Tensor& tensor, const Heads& heads, bool all, const at::Tensor& some) {
  return all ? some : tensor.index_copy(1, index_of(heads, tensor), some);
}

/// All that is not seen as numbers that are added to the scores, [1 or N, 1 or H, 1 or L, S]; undefined: nothing.
at::Tensor added_mask(const HeadAssociationArgs& args) {
  const auto numbers = [&](const at::Tensor& mask) {
    return mask.scalar_type() != at::kBool
               ? mask
               : at::zeros(mask.sizes(), args.query.options().requires_grad(false))
                     .masked_fill(mask, -std::numeric_limits<double>::infinity());
  };
  if (!args.missing.defined()) {
    return args.mask.defined() ? numbers(args.mask) : at::Tensor();
  }
  const at::Tensor missing = numbers(args.missing).unsqueeze(1).unsqueeze(1);
  return args.mask.defined() ? missing + numbers(args.mask) : missing;
}

/// separation(query . stored^T + mask), or for heads with infinite beta the best match alone. A row where all is
/// masked is 0, and gradients do not pass it.
at::Tensor weights(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& mask,
                   const at::Tensor& only_best, ops::Separation separation) {
  at::Tensor scores = at::matmul(query, stored.transpose(-1, -2));
  at::Tensor nothing_left;
  if (mask.defined()) {
    nothing_left = (mask == -std::numeric_limits<double>::infinity()).all(-1, true);
    scores = (scores + mask).masked_fill(nothing_left, 0);
  }
  at::Tensor association = scores.size(-1) > 0 ? ops::separate(scores, separation) : scores;
  if (only_best.defined() && scores.size(-1) > 0) {
    const at::Tensor best = (scores == scores.amax(-1, true)).to(scores.scalar_type());
    association = at::where(only_best, (best / best.sum(-1, true)).detach(), association);
  }
  return mask.defined() ? association.masked_fill(nothing_left, 0) : association;
}

at::Tensor dropped_of(const at::Tensor& association, const HeadAssociationArgs& args) {
  return args.dropout == 0
             ? association
             : association * ops::association_dropout(association, args.dropout, drawn_seed(args.generator));
}

/// How far associations moved: Frobenius norm per head, the largest of the batch.
std::vector<double> largest_of_batch(const at::Tensor& norms) {
  return host_numbers<double>(norms.size(0) == 0 ? norms.sum(0) : norms.amax(0));
}

/// [N, H]: Frobenius norms of what each head holds.
at::Tensor norms_of(const at::Tensor& heads) {
  return at::linalg_vector_norm(heads, 2, at::IntArrayRef{2, 3}, false, at::kDouble);
}

/// Every association is kept: any masks, weights on request.
HeadAssociation associate_plain(const HeadAssociationArgs& given) {
  HeadAssociationArgs args = given;
  args.mask = added_mask(given);
  Schedule schedule(args);
  at::Tensor association = weights(args.query, args.stored, args.mask, args.only_best, args.separation);
  for (Heads heads = schedule.due(); !heads.empty(); heads = schedule.due()) {
    const bool all = schedule.all(heads);
    const at::Tensor before = pick(association, heads, all), stored = pick(args.stored, heads, all);
    const at::Tensor state = at::matmul(before, stored) * pick(args.update_scale, heads, all);
    const at::Tensor after = weights(state, stored, pick(args.mask, heads, all),
                                     pick(args.only_best, heads, all), args.separation);
    schedule.moved(heads, largest_of_batch(norms_of(after.detach() - before.detach())));
    schedule.updated(heads);
    association = put(association, heads, all, after);
  }
  HeadAssociation result{.association = association,
                         .dropped = dropped_of(association, args),
                         .updates = schedule.updates(),
                         .changes = schedule.changes()};
  result.readout = at::matmul(result.dropped, args.value);
  return result;
}

/// The same on another device than the CPU, where looking at a number makes the host wait: all heads take every update, and one
/// that has stopped keeps its association. Only after every eight updates the host looks whether all have stopped.
HeadAssociation associate_on_device(const HeadAssociationArgs& given) {
  constexpr int64_t kUpdatesPerLook = 8;
  HeadAssociationArgs args = given;
  args.mask = added_mask(given);
  const int64_t heads = args.query.size(1);
  const at::TensorOptions whole = args.query.options().requires_grad(false);
  const auto per_head = [&](const auto& value_of, at::ScalarType type) { // [H]
    std::vector<double> values;
    for (int64_t h = 0; h < heads; ++h) {
      values.push_back(static_cast<double>(value_of(h)));
    }
    return ops::constants(values, whole.dtype(type));
  };
  const auto has_left = [&](int64_t head, int64_t update) {
    const int64_t most = args.update_steps_max.of(head);
    return most < 0 || update < most;
  };
  int64_t updates_most = 0; // of any head
  bool until_convergence = false;
  for (int64_t h = 0; h < heads; ++h) {
    const int64_t most = args.update_steps_max.of(h);
    updates_most = std::max(updates_most, most < 0 ? kUpdatesMax : most);
    until_convergence = until_convergence || most < 0;
  }
  const at::Tensor eps = per_head([&](int64_t h) { return args.update_steps_eps.of(h); }, at::kDouble);
  at::Tensor moving = at::ones({heads}, whole.dtype(at::kBool)),
             updates = at::zeros({heads}, whole.dtype(at::kLong));
  std::vector<at::Tensor> changes;
  at::Tensor association = weights(args.query, args.stored, args.mask, args.only_best, args.separation);
  for (int64_t update = 0; update < updates_most; ++update) {
    throw_if_interrupted();
    const at::Tensor due =
        moving.logical_and(per_head([&](int64_t h) { return has_left(h, update); }, at::kBool));
    if (update > 0 && update % kUpdatesPerLook == 0 && !due.any().item<bool>()) {
      break;
    }
    const at::Tensor state = at::matmul(association, args.stored) * args.update_scale;
    const at::Tensor after = weights(state, args.stored, args.mask, args.only_best, args.separation);
    const at::Tensor norms = norms_of(after.detach() - association.detach()),
                     change = norms.size(0) == 0 ? norms.sum(0) : norms.amax(0);
    changes.push_back(change.masked_fill(due.logical_not(), 0));
    moving = at::where(due, change > eps, moving);
    updates = updates + due;
    association = at::where(due.view({1, -1, 1, 1}), after, association);
  }
  HeadAssociation result{.association = association, .dropped = dropped_of(association, args)};
  result.readout = at::matmul(result.dropped, args.value);
  if (until_convergence || args.need_weights) {
    result.updates = host_numbers<int64_t>(updates);
    const int64_t made = result.updates.empty() ? 0 : std::ranges::max(result.updates);
    for (int64_t update = 0; update < made; ++update) {
      result.changes.push_back(host_numbers<double>(changes[static_cast<size_t>(update)]));
    }
    for (int64_t h = 0; h < heads; ++h) {
      if (result.updates[static_cast<size_t>(h)] == kUpdatesMax && args.update_steps_max.of(h) < 0) {
        refuse_endless(args, h, result.changes.back()[static_cast<size_t>(h)]);
      }
    }
  }
  return result;
}

/// [N, H, ., .] -> [N * H, ., .]
at::Tensor by_problem(const at::Tensor& heads) {
  return heads.defined() ? heads.flatten(0, 1) : heads;
}

/// One association of the given heads, or of all of them.
at::Tensor streamed(const HeadAssociationArgs& args, const Heads& heads, bool all, const at::Tensor& state,
                    const at::Tensor& value, double dropout = 0) {
  const auto picked = [&](const at::Tensor& tensor) { return by_problem(pick(tensor, heads, all)); };
  const at::Tensor query = pick(state, heads, all);
  return ops::associate(by_problem(query), picked(args.stored), picked(value),
                        {.beta = 1.0,
                         .missing = args.missing,
                         .mask = picked(args.mask),
                         .dropout = dropout,
                         .dropout_seed = dropout == 0 ? 0 : drawn_seed(args.generator)})
      .view({query.size(0), query.size(1), query.size(2), value.size(3)});
}

/// How far associations moved, told without them. Rows of the change P' - P sum to 0, and x' - x = (P' - P) K for the states
/// that these lead to: so the change is at least ||x' - x|| / ||K - mean of K||, which is enough to know that a head
/// goes on. Only where it is not, the associations are computed anew.
class Change {
public:
  explicit Change(const HeadAssociationArgs& args) : args_(args) {}

  /// From the association of `before` to that of `after`; `next` is the state that the latter leads to. For each of
  /// `heads`, the largest of the batch, or less if that is more than its eps.
  std::vector<double> of(const Heads& heads, const at::Tensor& before, const at::Tensor& after,
                         const at::Tensor& next) {
    const at::NoGradGuard no_gradient;
    std::vector<double> moved = at_least(after, next);
    Heads open;
    for (const int64_t h : heads) {
      if (!(moved[static_cast<size_t>(h)] > args_.update_steps_eps.of(h))) {
        open.push_back(h);
      }
    }
    if (!open.empty()) {
      const std::vector<double> exact = between(before, after, open);
      for (size_t i = 0; i < open.size(); ++i) {
        moved[static_cast<size_t>(open[i])] = exact[i];
      }
    }
    std::vector<double> of_heads;
    std::transform(heads.begin(), heads.end(), std::back_inserter(of_heads),
                   [&](int64_t h) { return moved[static_cast<size_t>(h)]; });
    return of_heads;
  }

private:
  /// Rounding of a state, in units of the last place of its norm: sums of some thousand numbers stay below.
  static constexpr double kRounding = 32;

  std::vector<double> at_least(const at::Tensor& after, const at::Tensor& next) {
    if (!spread_.defined()) {
      spread_ = norms_of((args_.stored - args_.stored.mean(2, true)) * args_.update_scale);
    }
    const double unit = args_.query.scalar_type() == at::kFloat ? std::numeric_limits<float>::epsilon()
                                                                : std::numeric_limits<double>::epsilon();
    const at::Tensor lost = kRounding * unit * (norms_of(after) + norms_of(next));
    return largest_of_batch((norms_of(next - after) - lost) / spread_);
  }

  std::vector<double> between(const at::Tensor& before, const at::Tensor& after, const Heads& heads) const {
    const bool all = heads.size() == static_cast<size_t>(args_.query.size(1));
    const auto picked = [&](const at::Tensor& of_heads) { return by_problem(pick(of_heads, heads, all)); };
    return largest_of_batch(ops::association_change(picked(before), picked(after), picked(args_.stored),
                                                    args_.missing, picked(args_.mask))
                                .view({args_.query.size(0), static_cast<int64_t>(heads.size())}));
  }

  const HeadAssociationArgs& args_;
  at::Tensor spread_; ///< ||K - mean of K||, times beta
};

/// No association is kept; forward and backward are ops::associate.
HeadAssociation associate_streaming(const HeadAssociationArgs& given) {
  HeadAssociationArgs args = given;
  args.stored = given.stored.contiguous(); // once, and not at every update
  Schedule schedule(args);
  Change change(args);
  at::Tensor before, state = args.query;
  for (Heads heads = schedule.due(); !heads.empty();) {
    const bool all = schedule.all(heads);
    at::Tensor next =
        put(state, heads, all,
            streamed(args, heads, all, state, args.stored) * pick(args.update_scale, heads, all));
    if (before.defined()) { // whether the last update was enough is easier to tell once the next one is known
      schedule.moved(heads, change.of(heads, before, state, next));
      heads = schedule.due();
      if (heads.empty()) {
        break;
      }
      const bool still = schedule.all(heads);
      next = put(state, heads, still, pick(next, heads, still));
    }
    schedule.updated(heads);
    before = state;
    state = next;
    heads = schedule.due();
  }
  return {.readout = streamed(args, {}, true, state, args.value, args.dropout),
          .updates = schedule.updates(),
          .changes = schedule.changes()};
}

bool can_stream(const HeadAssociationArgs& args) {
  const std::vector<int64_t>& most = args.update_steps_max.values();
  const bool has_updates = std::ranges::any_of(most, [](int64_t updates) { return updates != 0; });
  // On another device nothing but an association knows how far it moved.
  const bool is_known = args.query.device().is_cpu() ? ops::has_kernel(args.query) : !has_updates;
  return args.streaming && args.separation == ops::Separation::softmax && !args.need_weights &&
         !args.only_best.defined() && is_known && args.query.numel() > 0 && args.stored.numel() > 0 &&
         args.value.numel() > 0;
}

} // namespace

HeadAssociation associate_heads(const HeadAssociationArgs& args) {
  return can_stream(args)               ? associate_streaming(args)
         : args.query.device().is_cpu() ? associate_plain(args)
                                        : associate_on_device(args);
}

} // namespace mneme::nn
