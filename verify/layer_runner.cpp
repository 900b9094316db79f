// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "verify/device.h"
#include "verify/expect_tensor.h"
#include "verify/layer_case.h"
#include "verify/on_device.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

// Both sides have rounding errors: up to a few 1e-6 in float32 for a layer of this size.
constexpr double kOutputTolerance = 2e-5, kOutputToleranceDouble = 1e-9;
// Relative to the largest gradient of the case, since some gradients are 0 in exact arithmetic and consist
// only of rounding errors.
constexpr double kGradientTolerance = 1e-5, kGradientToleranceDouble = 1e-8;

/// Compares the tensors under `prefix`. The file and this build must have the same ones.
void expect_tensors(Checker& checker, const LayerCase& golden, const nn::NamedTensors& computed,
                    const std::string& prefix, const std::string& mode, bool corrected, double allowed) {
  for (const auto& [name, stored] : golden.tensors()) {
    if (!name.starts_with(prefix)) {
      continue;
    }
    const auto found = computed.find(name);
    if (found == computed.end()) {
      checker.fail(mode + name, "the file has this tensor, but this build does not compute it");
      continue;
    }
    const auto correction = golden.tensors().find("corrected." + name.substr(name.find('.') + 1));
    const bool use_corrected = corrected && correction != golden.tensors().end();
    expect_tensor(checker, mode + (use_corrected ? correction->first : name),
                  use_corrected ? correction->second : stored, found->second, allowed);
  }
  for (const auto& [name, tensor] : computed) {
    if (name.starts_with(prefix) && !golden.tensors().contains(name)) {
      checker.fail(mode + name, "this build computes this tensor, but the file does not have it");
    }
  }
}

void expect_updates(Checker& checker, const GoldenValue& file, const LayerOutput& output, double allowed) {
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

/// Compares outputs, gradients and updates of one layer, without compat (corrected) and with it (as in
/// hflayers).
void check_layer_case(const GoldenValue& file, Checker& checker) {
  const LayerCase golden(file, checker.file(), checker.device());
  const bool quirk = file.has("quirk"), precise = golden.is_double();
  const double factor = float32_tolerance_factor(checker.device());
  const double allowed = precise ? kOutputToleranceDouble : factor * kOutputTolerance;
  double largest = 0;
  for (const auto& [name, tensor] : golden.tensors()) {
    if (name.starts_with("grad.")) {
      largest = std::max(largest, max_abs(tensor));
    }
  }
  const double gradient_allowed =
      (precise ? kGradientToleranceDouble : factor * kGradientTolerance) * largest;
  if (quirk) {
    checker.note("compared with the corrected values by default, and with hflayers' own values and gradients "
                 "with compat");
  }
  checker.one_case(file, [&](const GoldenValue&) {
    for (const bool compat : {false, true}) {
      run_on_device(checker, [&] {
        const std::string mode = compat ? "compat: " : "";
        const bool corrected = quirk && !compat;
        const LayerOutput output = golden.run(compat, !corrected);
        expect_tensors(checker, golden, output.tensors, "output.", mode, corrected, allowed);
        if (!corrected) {
          expect_tensors(checker, golden, output.tensors, "grad.", mode, false, gradient_allowed);
          expect_updates(checker, file, output, allowed);
        }
      });
    }
  });
}

[[maybe_unused]] const bool implemented = run_layer_case.implement(check_layer_case);

} // namespace
} // namespace mneme::verify
