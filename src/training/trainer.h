// SPDX-License-Identifier: MIT

/// Common code of the trainers that use LibTorch: option checks, the identity of a run, and Adam's state in
/// checkpoints.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/optim/optimizer.h>

#include "mneme/training/checkpoint.h"
#include "mneme/training/one_thread.h"

namespace mneme::training {

/// Argument checks whose messages begin with the name of a trainer, such as "mneme::training::BagTrainer".
class TrainerChecks {
public:
  explicit TrainerChecks(const char* trainer) : trainer_(trainer) {}

  /// Throws a UsageError.
  [[noreturn]] void refuse(const std::string& problem, const std::string& how_to_fix) const;
  /// Errors  UsageError if a number is out of the range that the function names, or not finite
  void at_least(const char* name, int64_t value, int64_t min) const;
  void positive(const char* name, double value) const;
  void not_negative(const char* name, double value) const;

  /// Throws the UsageError of a training that diverged. `problem`: a clause without full stop.
  [[noreturn]] void diverged(const std::string& problem) const;
  /// Errors  UsageError if the loss of a step is not finite
  void finite_loss(int64_t step, double loss) const;

  /// Checks that a checkpoint is of the run with this identity. `kind` describes the expected run for error
  /// messages, such as "a projection".
  ///
  /// Errors  DataError for a checkpoint of another format, UsageError for one of another run
  void same_run(const Checkpoint& checkpoint, const std::map<std::string, std::string>& identity,
                const char* kind) const;

private:
  const char* trainer_;
};

/// FNV-1a hash of the data of a run, stored in checkpoints to detect that a resumed run has different data.
class Fingerprint {
public:
  void add(uint64_t number) { value_ = (value_ ^ number) * 0x100000001B3U; }
  uint64_t value() const { return value_; }

private:
  uint64_t value_ = 0xCBF29CE484222325U;
};

/// NaN or an infinity in words.
const char* not_finite(double x);

/// A number as text from which the same number can be read.
std::string exact(double x);

/// The tensor of a name in a checkpoint.
///
/// Errors  DataError unless it has the shape and type of `like`
const at::Tensor& fitting(const Checkpoint& checkpoint, const std::string& name, const at::Tensor& like);

using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;
/// Name of the moment "mean" or "square" of a parameter in a checkpoint.
using MomentName = std::function<std::string(const std::string& parameter, const char* moment)>;

/// Adds Adam's moments to a checkpoint. State is torch::optim::AdamParamState or AdamWParamState. Parameters
/// without gradient have no moments, and before the first step no parameter has.
template <class State>
void save_moments(const torch::optim::Optimizer& optimizer, const NamedParameters& parameters,
                  const MomentName& name_of, Checkpoint& checkpoint) {
  for (const auto& [name, parameter] : parameters) {
    const auto found = optimizer.state().find(parameter.unsafeGetTensorImpl());
    if (found != optimizer.state().end()) {
      const auto& state = static_cast<const State&>(*found->second);
      checkpoint.tensors.emplace(name_of(name, "mean"), state.exp_avg());
      checkpoint.tensors.emplace(name_of(name, "square"), state.exp_avg_sq());
    }
  }
}

using Moments = std::map<c10::TensorImpl*, std::unique_ptr<torch::optim::OptimizerParamState>>;

/// Reads Adam's moments after `steps` steps from a checkpoint; put_moments moves them into the optimiser.
///
/// Errors  DataError for a tensor that is missing or has the wrong shape or type
template <class State>
Moments read_moments(const Checkpoint& checkpoint, const NamedParameters& parameters,
                     const MomentName& name_of, int64_t steps) {
  Moments moments;
  for (const auto& [name, parameter] : parameters) {
    if (steps > 0 && parameter.requires_grad()) {
      auto state = std::make_unique<State>();
      state->step(steps);
      state->exp_avg(fitting(checkpoint, name_of(name, "mean"), parameter));
      state->exp_avg_sq(fitting(checkpoint, name_of(name, "square"), parameter));
      moments[parameter.unsafeGetTensorImpl()] = std::move(state);
    }
  }
  return moments;
}

void put_moments(Moments moments, torch::optim::Optimizer& optimizer);

} // namespace mneme::training
