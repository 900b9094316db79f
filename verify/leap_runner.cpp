// SPDX-License-Identifier: MIT

#include <algorithm>

#include <fmt/format.h>

#include "verify/device.h"
#include "verify/expect_tensor.h"
#include "verify/leap_case.h"
#include "verify/on_device.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

// Relative to the largest element of a tensor, for gradients of the case. Both sides have rounding errors;
// the published code loses some more digits by differences of prefix sums.
constexpr double kTolerance = 2e-5, kToleranceDouble = 1e-10;

// The published fastformer has weights from exp(-10) to exp(10) in one sum: where a window has only small
// ones, the difference of its float32 prefix sums has two correct digits. Its float64 loss, which depends on
// all unmasked tokens, agrees to 1e-10, and tests/nn compares the layer with its formula. These are errors of
// the file, and so the same on every device.
constexpr double kToleranceOfPrefixSums = 2e-2, kGradientToleranceOfPrefixSums = 1e-4;

struct Tolerances {
  double outputs, gradients;
};

Tolerances tolerances_of(const GoldenValue& file, Checker& checker) {
  if (file.at("class").text() != "FastformerForCausalLM") {
    const double allowed = kTolerance * float32_tolerance_factor(checker.device());
    return {allowed, allowed};
  }
  checker.note(fmt::format(
      "float32 outputs compared to {} and gradients to {} of the largest: the published differences of "
      "prefix sums lose digits",
      kToleranceOfPrefixSums, kGradientToleranceOfPrefixSums));
  return {kToleranceOfPrefixSums, kGradientToleranceOfPrefixSums};
}

void expect_tensors(Checker& checker, const nn::NamedTensors& expected, const nn::NamedTensors& computed,
                    const std::string& prefix, double tolerance, bool of_all) {
  double largest = 0;
  for (const auto& [name, tensor] : with_prefix(expected, prefix)) {
    largest = std::max(largest, max_abs(tensor));
  }
  for (const auto& [name, tensor] : with_prefix(expected, prefix)) {
    if (const auto found = computed.find(prefix + name); found == computed.end()) {
      checker.fail(prefix + name, "the file has this tensor, but this build does not compute it");
    } else {
      expect_tensor(checker, prefix + name, tensor, found->second,
                    tolerance * (of_all ? largest : max_abs(tensor)));
    }
  }
}

/// Compares outputs and gradients in float32 and, where the file has them, in float64.
void check_leap_case(const GoldenValue& file, Checker& checker) {
  const LeapCase golden(file, checker.file(), checker.device());
  const nn::NamedTensors& expected = golden.tensors();
  const auto has = [&](const std::string& prefix) { return !with_prefix(expected, prefix).empty(); };
  const Tolerances tolerances = tolerances_of(file, checker);
  checker.one_case(file, [&](const GoldenValue&) {
    run_on_device(checker, [&] {
      const nn::NamedTensors computed = golden.run(has("grad."));
      expect_tensors(checker, expected, computed, "output.", tolerances.outputs, false);
      expect_tensors(checker, expected, computed, "grad.", tolerances.gradients, true);
    });
    if (has("output64.") || has("grad64.")) {
      run_on_device(checker, [&] {
        const nn::NamedTensors in_double = golden.run_in_double(has("grad64."));
        expect_tensors(checker, expected, in_double, "output64.", kToleranceDouble, false);
        expect_tensors(checker, expected, in_double, "grad64.", kToleranceDouble, true);
      });
    }
  });
}

[[maybe_unused]] const bool implemented = run_leap_case.implement(check_leap_case);

} // namespace
} // namespace mneme::verify
