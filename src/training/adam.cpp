// SPDX-License-Identifier: MIT

#include "training/adam.h"

#include <cmath>

namespace mneme::training {
namespace {

constexpr double kMeanDecay = 0.9, kSquareDecay = 0.999, kEpsilon = 1e-8;

} // namespace

Adam::Adam(size_t num_parameters, double learning_rate, double weight_decay)
    : learning_rate_(learning_rate), weight_decay_(weight_decay), mean_(num_parameters),
      square_(num_parameters) {}

void Adam::step(std::vector<double>& parameters, const std::vector<double>& gradient) {
  ++steps_;
  const double kept = 1 - learning_rate_ * weight_decay_;
  const double rate = learning_rate_ / (1 - std::pow(kMeanDecay, static_cast<double>(steps_)));
  const double correction = 1 / std::sqrt(1 - std::pow(kSquareDecay, static_cast<double>(steps_)));
  for (size_t i = 0; i < parameters.size(); ++i) {
    mean_[i] = kMeanDecay * mean_[i] + (1 - kMeanDecay) * gradient[i];
    square_[i] = kSquareDecay * square_[i] + (1 - kSquareDecay) * gradient[i] * gradient[i];
    parameters[i] = kept * parameters[i] - rate * mean_[i] / (std::sqrt(square_[i]) * correction + kEpsilon);
  }
}

} // namespace mneme::training
