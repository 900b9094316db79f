// SPDX-License-Identifier: MIT

/// AdamW with the default betas and eps of PyTorch, for one flat vector of parameters.
///
/// Source  Kingma & Ba 2015; decoupled weight decay: Loshchilov & Hutter 2019
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mneme::training {

class Adam {
public:
  Adam(size_t num_parameters, double learning_rate, double weight_decay);

  void step(std::vector<double>& parameters, const std::vector<double>& gradient);

private:
  double learning_rate_, weight_decay_;
  int64_t steps_ = 0;
  std::vector<double> mean_, square_;
};

} // namespace mneme::training
