// SPDX-License-Identifier: MIT

#include "training/trainer.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "mneme/core/error.h"

namespace mneme::training {

void TrainerChecks::refuse(const std::string& problem, const std::string& how_to_fix) const {
  throw UsageError(c10::str(trainer_, ": ", problem, "\n  ", how_to_fix));
}

void TrainerChecks::at_least(const char* name, int64_t value, int64_t min) const {
  if (value < min) {
    refuse(c10::str(name, " is ", value, ", but must be at least ", min, "."), "Use a larger number.");
  }
}

void TrainerChecks::positive(const char* name, double value) const {
  if (!(value > 0 && std::isfinite(value))) {
    refuse(c10::str(name, " is ", value, ", but must be > 0 and finite."), "Leave it out for the default.");
  }
}

void TrainerChecks::not_negative(const char* name, double value) const {
  if (!(value >= 0 && std::isfinite(value))) {
    refuse(c10::str(name, " is ", value, ", but must be >= 0 and finite."), "Leave it out for the default.");
  }
}

void TrainerChecks::finite_loss(int64_t step, double loss) const {
  if (!std::isfinite(loss)) {
    diverged(c10::str("the loss of step ", step, " is ", not_finite(loss), ", but must be finite"));
  }
}

const char* not_finite(double x) {
  return std::isnan(x) ? "not a number" : "infinite";
}

void TrainerChecks::diverged(const std::string& problem) const {
  refuse("training diverged: " + problem + ".",
         "Start again with a smaller learning rate (--learning-rate), in another folder.");
}

void TrainerChecks::same_run(const Checkpoint& checkpoint, const std::map<std::string, std::string>& identity,
                             const char* kind) const {
  if (const std::string& format = identity.at("format"); checkpoint.text("format") != format) {
    throw DataError(c10::str(checkpoint.source, ": its format is \"", checkpoint.text("format"), "\", but \"",
                             format, "\" is expected.\n  Use a checkpoint of ", kind, "."));
  }
  for (const auto& [name, ours] : identity) {
    if (const std::string& theirs = checkpoint.text(name); theirs != ours) {
      refuse(c10::str("the checkpoint ", checkpoint.source, " was made with ", name, " ", theirs, ", but ",
                      ours, " is requested."),
             "Use the same value, or another path for the checkpoint.");
    }
  }
}

std::string exact(double x) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.17g", x);
  return text.data();
}

const at::Tensor& fitting(const Checkpoint& checkpoint, const std::string& name, const at::Tensor& like) {
  const at::Tensor& tensor = checkpoint.tensor(name);
  if (tensor.sizes() != like.sizes() || tensor.scalar_type() != like.scalar_type()) {
    throw DataError(c10::str(checkpoint.source, ": tensor \"", name, "\" is ", tensor.scalar_type(),
                             " of shape ", tensor.sizes(), ", but must be ", like.scalar_type(), " of shape ",
                             like.sizes(), ".\n  Use an unmodified checkpoint."));
  }
  return tensor;
}

void put_moments(Moments moments, torch::optim::Optimizer& optimizer) {
  for (auto& [parameter, state] : moments) {
    optimizer.state()[parameter] = std::move(state);
  }
}

} // namespace mneme::training
