// SPDX-License-Identifier: MIT

#include "verify/expect_tensor.h"

#include <cmath>

#include <ATen/Functions.h>
#include <fmt/format.h>

namespace mneme::verify {

nn::NamedTensors with_prefix(const nn::NamedTensors& tensors, const std::string& prefix) {
  nn::NamedTensors found;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix); ++at) {
    found.emplace(at->first.substr(prefix.size()), at->second);
  }
  return found;
}

void expect_tensor(Checker& checker, const std::string& name, const at::Tensor& expected,
                   const at::Tensor& actual, double allowed) {
  if (expected.sizes() != actual.sizes()) {
    checker.fail(name,
                 c10::str("this build computes shape ", actual.sizes(), ", the file has ", expected.sizes()));
    return;
  }
  const at::Tensor expected_values = expected.to(at::kDouble).contiguous(),
                   actual_values = actual.to(at::kDouble).contiguous();
  int64_t worst = 0;
  double worst_error = -1;
  for (int64_t i = 0; i < expected_values.numel(); ++i) {
    const double error =
        std::abs(expected_values.const_data_ptr<double>()[i] - actual_values.const_data_ptr<double>()[i]);
    if (std::isnan(error) || error > worst_error) {
      worst = i;
      worst_error = std::isnan(error) ? HUGE_VAL : error;
    }
  }
  if (expected_values.numel() > 0) {
    checker.near(fmt::format("{} at {}", name, worst), expected_values.const_data_ptr<double>()[worst],
                 actual_values.const_data_ptr<double>()[worst], allowed);
  }
}

double max_abs(const at::Tensor& tensor) {
  return tensor.numel() == 0 ? 0 : tensor.abs().max().item<double>();
}

} // namespace mneme::verify
