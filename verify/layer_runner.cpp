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

// Both sides round: float32 loses up to a few 1e-6 in a layer of this size.
constexpr double kOutputTolerance = 2e-5, kOutputToleranceDouble = 1e-9;
// Of the largest gradient of the case: some gradients are 0 in exact arithmetic, and rounding is all they hold.
constexpr double kGradientTolerance = 1e-5, kGradientToleranceDouble = 1e-8;

/// Every tensor of the file under `prefix` must have been computed, and no other.
void expect_tensors(Checker& checker, const LayerCase& golden, const nn::NamedTensors& computed,
                    const std::string& prefix, const std::string& mode, bool corrected, double allowed) {
  for (const auto& [name, stored] : golden.tensors()) {
    if (!name.starts_with(prefix)) {
      continue;
    }
    const auto found = computed.find(name);
    if (found == computed.end()) {
      checker.fails(mode + name, "the file has it, but this build computes none");
      continue;
    }
    const auto right = golden.tensors().find("corrected." + name.substr(name.find('.') + 1));
    const bool take_right = corrected && right != golden.tensors().end();
    expect_tensor(checker, mode + (take_right ? right->first : name), take_right ? right->second : stored,
                  found->second, allowed);
  }
  for (const auto& [name, tensor] : computed) {
    if (name.starts_with(prefix) && !golden.tensors().contains(name)) {
      checker.fails(mode + name, "this build computes it, but the file has none");
    }
  }
}

void expect_updates(Checker& checker, const GoldenValue& file, const LayerOutput& output, double allowed) {
  if (output.updates.empty()) {
    return; // a block: its layers count for themselves
  }
  const GoldenValue updates = file.list("updates_run_per_head", 1).at(size_t{0}),
                    changes = file.list("association_change_per_update", 1).at(size_t{0});
  for (size_t h = 0; h < updates.size(); ++h) {
    checker.equal(updates.at(h), h < output.updates.size() ? output.updates[h] : -1);
  }
  for (size_t t = 0; t < changes.size(); ++t) {
    for (size_t h = 0; h < changes.at(t).size(); ++h) {
      const bool is_there = t < output.changes.size() && h < output.changes[t].size();
      checker.near(changes.at(t).at(h), is_there ? output.changes[t][h] : NAN, allowed);
    }
  }
}

/// Outputs, gradients and updates of one layer, twice: as it should be, and as hflayers computes it (compat).
void check_layer_case(const GoldenValue& file, Checker& checker) {
  const LayerCase golden(file, checker.file(), checker.device());
  const bool quirk = file.has("quirk"), precise = golden.is_double();
  const double factor = float32_tolerance_factor(checker.device());
  const double allowed = precise ? kOutputToleranceDouble : factor * kOutputTolerance;
  double largest = 0;
  for (const auto& [name, tensor] : golden.tensors()) {
    if (name.starts_with("grad.")) {
      largest = std::max(largest, largest_of(tensor));
    }
  }
  const double gradient_allowed =
      (precise ? kGradientToleranceDouble : factor * kGradientTolerance) * largest;
  if (quirk) {
    checker.note("by default the corrected values; hflayers' own values and gradients with compat");
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
