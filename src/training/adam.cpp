// SPDX-License-Identifier: MIT

#include "training/adam.h"

#include <cmath>

namespace mneme::training {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

} // namespace

Adam::Adam(size_t num_parameters, double learning_rate, double weight_decay)
    : learning_rate_(learning_rate), weight_decay_(weight_decay), mean_(num_parameters),
      square_(num_parameters) {}

void Adam::step(std::vector<double>& parameters, const std::vector<double>& gradient) {
  ++steps_;
  const double decay = 1 - learning_rate_ * weight_decay_;
  const double rate = learning_rate_ / (1 - std::pow(kBeta1, static_cast<double>(steps_)));
  const double correction = 1 / std::sqrt(1 - std::pow(kBeta2, static_cast<double>(steps_)));
  for (size_t i = 0; i < parameters.size(); ++i) {
    mean_[i] = kBeta1 * mean_[i] + (1 - kBeta1) * gradient[i];
    square_[i] = kBeta2 * square_[i] + (1 - kBeta2) * gradient[i] * gradient[i];
    parameters[i] = decay * parameters[i] - rate * mean_[i] / (std::sqrt(square_[i]) * correction + kEpsilon);
  }
}

} // namespace mneme::training
