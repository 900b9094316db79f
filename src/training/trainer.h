// SPDX-License-Identifier: MIT

/// What trainers on LibTorch share: checks of options, the identity of a run, and the state of Adam in checkpoints.
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

namespace mneme::training {

/// Refuses arguments in the name of a trainer, such as "mneme::training::BagTrainer".
class TrainerChecks {
public:
  explicit TrainerChecks(const char* trainer) : trainer_(trainer) {}

  [[noreturn]] void refuse(const std::string& what, const std::string& how_to_fix) const;
  void at_least(const char* name, int64_t value, int64_t least) const;
  void positive(const char* name, double value) const;
  void not_negative(const char* name, double value) const; ///< and finite

  /// Errors  UsageError if the loss of a step is not finite
  void finite_loss(int64_t step, double loss) const;

  /// Errors  DataError for a checkpoint of another format, whose right kind is `kind`; UsageError for one of another run
  void same_run(const Checkpoint& checkpoint, const std::map<std::string, std::string>& identity,
                const char* kind) const;

private:
  const char* trainer_;
};

/// FNV-1a hash of the data of a run, by which a resumed run recognises them.
class Fingerprint {
public:
  void add(uint64_t number) { value_ = (value_ ^ number) * 0x100000001B3U; }
  uint64_t value() const { return value_; }

private:
  uint64_t value_ = 0xCBF29CE484222325U;
};

/// A number as text that reads back as the same number.
std::string exact(double x);

/// The tensor of that name. Errors  DataError unless it has the shape and type of `like`
const at::Tensor& fitting(const Checkpoint& checkpoint, const std::string& name, const at::Tensor& like);

using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;
/// Name of the moment "mean" or "square" of a parameter in a checkpoint.
using MomentName = std::function<std::string(const std::string& parameter, const char* moment)>;

/// State: torch::optim::AdamParamState or AdamWParamState. A parameter without gradient, or before the first step, has none.
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

/// The state after so many steps, to be moved into the optimizer once nothing can fail any more.
///
/// Errors  DataError for a tensor that is missing, or of another shape or type
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
