// SPDX-License-Identifier: MIT

#include "mneme/training/projection.h"

#include <fmt/format.h>

#include "verify/published_precision.h"
#include "verify/recall_cases.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr double kTolerance = 1e-9; // double precision on both sides

at::Tensor tensor_of_rows(const RealPatterns& rows) {
  at::Tensor tensor = at::empty({rows.count(), rows.size()}, at::kDouble);
  std::copy(rows.data(), rows.data() + tensor.numel(), tensor.mutable_data_ptr<double>());
  return tensor;
}

training::ProjectionOptions options_of(const GoldenValue& golden, int64_t size, int64_t batches) {
  const GoldenValue draws = golden.list("uniform_draws", static_cast<size_t>(2 * batches));
  return {.dimension = golden.at("n").integer_between(1, kGoldenBitsMax),
          .beta = golden.at("beta_initial").number(),
          .learn_beta = golden.at("learn_beta").boolean(),
          .update_steps = golden.at("train_multiple_steps").boolean()
                              ? golden.at("max_conv_steps").integer_between(1, 1000)
                              : 1,
          .batch_size = golden.at("batch_sizes").at(size_t{0}).integer_between(1, kGoldenBitsMax),
          .epochs = golden.at("epochs").integer_between(1, kGoldenBitsMax),
          .learning_rate = golden.at("lr").number(),
          .noise_min = golden.at("min_train_perturb").number(),
          .noise_max = golden.at("max_train_perturb").number(),
          .shuffle = false,
          .type = at::kDouble,
          .start = tensor_of_rows(pattern_rows(golden.at("W_initial"))),
          // Per batch: noise magnitudes [row], then noise directions [number][row].
          .draw = [draws, size](int64_t step, int64_t row, int64_t number) {
            const auto of = [&](size_t which) { return draws.at(2 * static_cast<size_t>(step) + which); };
            return number == 0
                       ? of(0).at(static_cast<size_t>(row)).number()
                       : of(1).at(static_cast<size_t>(number - 1)).at(static_cast<size_t>(row)).number();
          }};
}

void check_case(const GoldenValue& golden, Checker& checker) {
  const RealPatterns patterns = pattern_columns(golden.at("keys"));
  const GoldenValue losses = golden.at("losses");
  const auto batches = static_cast<int64_t>(losses.size());
  training::ProjectionTrainer trainer(tensor_of_rows(patterns), options_of(golden, patterns.size(), batches));
  if (batches != trainer.steps_total()) {
    losses.fail(fmt::format("a list of {} losses, one per batch and epoch", trainer.steps_total()));
  }
  const GoldenValue updates = golden.list("updates", static_cast<size_t>(batches));
  for (size_t step = 0; step < static_cast<size_t>(batches); ++step) {
    checker.near(losses.at(step), trainer.step(), kTolerance);
    const GoldenValue update = updates.at(step);
    expect_rows(checker, update.at("grad_W"), training::patterns_of(trainer.matrix().grad()), kTolerance);
    expect_rows(checker, update.at("W_after"), training::patterns_of(trainer.matrix()), kTolerance);
    if (trainer.options().learn_beta) {
      checker.near(update.list("grad_beta", 1).at(size_t{0}), trainer.beta().grad().item<double>(),
                   kTolerance);
      checker.near(update.list("beta_after", 1).at(size_t{0}), trainer.beta().item<double>(), kTolerance);
    }
  }
}

/// Losses, gradients and weights of every training step of a projection, in double precision.
void check_projection_training(const GoldenValue& file, Checker& checker) {
  checker.note(
      fmt::format("all losses, gradients and weights after each step, compared to {:g}", kTolerance));
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
}

[[maybe_unused]] const bool implemented = run_projection_training.implement(check_projection_training);

} // namespace
} // namespace mneme::verify
