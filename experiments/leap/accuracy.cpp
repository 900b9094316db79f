// SPDX-License-Identifier: MIT

#include "experiments/leap/accuracy.h"

#include <array>
#include <cmath>

#include <torch/torch.h>

#include "mneme/ops/leap.h"
#include "mneme/ops/original_leap.h"

namespace mneme::experiments {

namespace {

LeapErrors errors_of(const LeapProblem& problem) {
  const at::NoGradGuard no_gradient;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(problem.seed);
  constexpr int64_t kHeads = 2, kFeatures = 64;
  std::array<at::Tensor, 4> rows; // query, focus, key, value
  for (at::Tensor& tensor : rows) {
    tensor = at::randn({1, problem.tokens, kHeads, kFeatures}, generator, at::kFloat);
  }
  if (problem.logits > 0) { // focus parallel to the key, scaled so that their logit is the target
    const at::Tensor target = at::empty({1, problem.tokens, kHeads, 1}, at::kFloat)
                                  .uniform_(-problem.logits, problem.logits, generator);
    const double scale = 1 / std::sqrt(static_cast<double>(kFeatures));
    rows[1] = rows[2] * (target / (rows[2].square().sum(-1, true) * scale));
  }
  const ops::FocusWeight weight = problem.exponential ? ops::FocusWeight::exponential : ops::FocusWeight::elu;
  const auto leap = [&](at::ScalarType type) {
    return ops::leap(rows[0].to(type), rows[1].to(type), rows[2].to(type), rows[3].to(type),
                     {.weight = weight, .windows = {{problem.window}}});
  };
  const at::Tensor exact = leap(at::kDouble);
  const auto errors = [&](const at::Tensor& readout) {
    const at::Tensor error = ((readout.to(at::kDouble) - exact).norm(2, -1) / exact.norm(2, -1)).amax(-1);
    return std::vector<double>(error.const_data_ptr<double>(),
                               error.const_data_ptr<double>() + problem.tokens);
  };
  return {errors(leap(at::kFloat)),
          errors(ops::original_leap(rows[0], rows[1], rows[2], rows[3], problem.window, weight))};
}

[[maybe_unused]] const bool implemented = leap_errors.implement(errors_of);

} // namespace
} // namespace mneme::experiments
