// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "verify/device.h"
#include "verify/expect_tensor.h"
#include "verify/module_case.h"
#include "verify/on_device.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

/// Rounding errors of both sides: allowed absolute error of a tensor of the file.
using Tolerance = std::function<double(const at::Tensor& expected)>;

Tolerance absolute(double allowed) {
  return [=](const at::Tensor&) { return allowed; };
}
Tolerance relative(double allowed) {
  return [=](const at::Tensor& expected) { return allowed * max_abs(expected); };
}
/// Relative to the largest element of all tensors under a prefix: some gradients are 0 in exact arithmetic
/// and consist only of rounding errors.
Tolerance relative_to_largest(const nn::NamedTensors& tensors, const std::string& prefix, double allowed) {
  double largest = 0;
  for (const auto& [name, tensor] : with_prefix(tensors, prefix)) {
    largest = std::max(largest, max_abs(tensor));
  }
  return absolute(allowed * largest);
}

/// Names of tensors in messages, and the tensors that replace those of the same name.
struct Corrections {
  std::string mode;
  nn::NamedTensors tensors;
};

/// Compares the tensors of the file under `prefix` with those that this build computes.
void expect_tensors(Checker& checker, const nn::NamedTensors& expected, const nn::NamedTensors& computed,
                    const std::string& prefix, const Tolerance& tolerance, const Corrections& with = {}) {
  for (const auto& [name, stored] : with_prefix(expected, prefix)) {
    const auto found = computed.find(prefix + name);
    if (found == computed.end()) {
      checker.fail(with.mode + prefix + name, "the file has this tensor, but this build does not compute it");
      continue;
    }
    const auto correction = with.tensors.find(name);
    const bool corrected = correction != with.tensors.end();
    const at::Tensor& reference = corrected ? correction->second : stored;
    expect_tensor(checker, with.mode + (corrected ? "corrected." : prefix) + name, reference, found->second,
                  tolerance(reference));
  }
}

/// Fails for tensors that this build computes and the file does not have.
void expect_no_other(Checker& checker, const nn::NamedTensors& expected, const nn::NamedTensors& computed,
                     const std::string& prefix, const std::string& mode) {
  for (const auto& [name, tensor] : with_prefix(computed, prefix)) {
    if (!expected.contains(prefix + name)) {
      checker.fail(mode + prefix + name, "this build computes this tensor, but the file does not have it");
    }
  }
}

void expect_updates(Checker& checker, const GoldenValue& file, const ModuleResult& output, double allowed) {
  if (output.updates.empty()) {
    return; // a block of several layers
  }
  const GoldenValue updates = file.list("updates_run_per_head", 1).at(size_t{0}),
                    changes = file.list("association_change_per_update", 1).at(size_t{0});
  for (size_t h = 0; h < updates.size(); ++h) {
    checker.equal(updates.at(h), h < output.updates.size() ? output.updates[h] : -1);
  }
  for (size_t t = 0; t < changes.size(); ++t) {
    for (size_t h = 0; h < changes.at(t).size(); ++h) {
      const bool is_computed = t < output.changes.size() && h < output.changes[t].size();
      checker.near(changes.at(t).at(h), is_computed ? output.changes[t][h] : NAN, allowed);
    }
  }
}

/// hflayers: outputs, gradients and updates of one layer, without compat (corrected) and with it.
void check_layer_case(const GoldenValue& file, Checker& checker) {
  const ModuleCase golden(file, checker.file(), checker.device());
  const nn::NamedTensors& expected = golden.tensors();
  const bool quirk = file.has("quirk"), precise = file.at("dtype").text() == "float64";
  const double factor = float32_tolerance_factor(checker.device());
  // float32 outputs differ by up to a few 1e-6 for a layer of this size.
  const double allowed = precise ? 1e-9 : factor * 2e-5;
  const Tolerance of_gradients = relative_to_largest(expected, "grad.", precise ? 1e-8 : factor * 1e-5);
  if (quirk) {
    checker.note("compared with the corrected values by default, and with hflayers' own values and gradients "
                 "with compat");
  }
  checker.one_case(file, [&](const GoldenValue&) {
    for (const bool compat : {false, true}) {
      run_on_device(checker, [&] {
        const bool corrected = quirk && !compat;
        const Corrections with{.mode = compat ? "compat: " : "",
                               .tensors =
                                   corrected ? with_prefix(expected, "corrected.") : nn::NamedTensors()};
        const ModuleResult output = golden.run({.compat = compat, .gradients = !corrected});
        expect_tensors(checker, expected, output.tensors, "output.", absolute(allowed), with);
        expect_no_other(checker, expected, output.tensors, "output.", with.mode);
        if (!corrected) {
          expect_tensors(checker, expected, output.tensors, "grad.", of_gradients, with);
          expect_no_other(checker, expected, output.tensors, "grad.", with.mode);
          expect_updates(checker, file, output, allowed);
        }
      });
    }
  });
}

struct Tolerances {
  double outputs, gradients;
};

/// The published code loses some digits by differences of prefix sums. The published fastformer has weights
/// from exp(-10) to exp(10) in one sum: where a window has only small ones, the difference of its float32
/// prefix sums has two correct digits. Its float64 loss, which depends on all unmasked tokens, agrees to
/// 1e-10, and tests/nn compares the layer with its formula. These are errors of the file, and so the same on
/// every device.
Tolerances leap_tolerances(const GoldenValue& file, Checker& checker) {
  if (file.at("class").text() != "FastformerForCausalLM") {
    const double allowed = 2e-5 * float32_tolerance_factor(checker.device());
    return {allowed, allowed};
  }
  const Tolerances prefix_sums{.outputs = 2e-2, .gradients = 1e-4};
  checker.note(fmt::format(
      "float32 outputs compared to {} and gradients to {} of the largest: the published differences of "
      "prefix sums lose digits",
      prefix_sums.outputs, prefix_sums.gradients));
  return prefix_sums;
}

/// The name of the same values in float64: "output64.loss" for "output.loss".
std::string double_name(const std::string& name) {
  const size_t dot = name.find('.');
  return name.substr(0, dot) + "64" + name.substr(dot);
}

/// Replaces values that the published code computed in float32 by its values in float64, where the file has
/// both: its float32 differences of prefix sums can be wrong in every digit, as where a window has only small
/// weights.
nn::NamedTensors most_exact(nn::NamedTensors expected) {
  for (auto& [name, tensor] : expected) {
    if (const auto exact = expected.find(double_name(name)); exact != expected.end()) {
      tensor = exact->second.to(tensor.scalar_type());
    }
  }
  return expected;
}

nn::NamedTensors named_as_double(const nn::NamedTensors& tensors) {
  nn::NamedTensors renamed;
  for (const auto& [name, tensor] : tensors) {
    renamed.emplace(double_name(name), tensor);
  }
  return renamed;
}

/// LEAP: outputs and gradients in float32 and, where the file has them, in float64.
void check_leap_case(const GoldenValue& file, Checker& checker) {
  const ModuleCase golden(file, checker.file(), checker.device());
  const nn::NamedTensors expected = most_exact(golden.tensors());
  const auto has = [&](const std::string& prefix) { return !with_prefix(expected, prefix).empty(); };
  const auto check = [&](bool in_double, Tolerances allowed) {
    const std::string output = in_double ? "output64." : "output.", grad = in_double ? "grad64." : "grad.";
    run_on_device(checker, [&] {
      const ModuleResult result = golden.run({.gradients = has(grad), .in_double = in_double});
      const nn::NamedTensors computed = in_double ? named_as_double(result.tensors) : result.tensors;
      expect_tensors(checker, expected, computed, output, relative(allowed.outputs));
      expect_tensors(checker, expected, computed, grad,
                     relative_to_largest(expected, grad, allowed.gradients));
    });
  };
  const Tolerances tolerances = leap_tolerances(file, checker);
  checker.one_case(file, [&](const GoldenValue&) {
    check(false, tolerances);
    if (has("output64.") || has("grad64.")) {
      check(true, {.outputs = 1e-10, .gradients = 1e-10});
    }
  });
}

[[maybe_unused]] const bool layers_implemented = run_layer_case.implement(check_layer_case),
                            leap_implemented = run_leap_case.implement(check_leap_case);

} // namespace
} // namespace mneme::verify
