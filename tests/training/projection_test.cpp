// SPDX-License-Identifier: MIT

#include "mneme/training/projection.h"

#include <cmath>
#include <limits>

#include "core/temporary_folder.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/training/checkpoint.h"
#include "ops/tensors.h"

namespace mneme::training {
namespace {

using mneme::testing::TemporaryFolder;
using ops::expect_contains;
using ops::max_abs_difference;
using ops::random_tensor;
using ops::usage_error_of;

/// Images in groups of similar ones, like digits, so that a projection can improve recall.
at::Tensor images(int64_t count = 300, int64_t size = 40) {
  const at::Tensor groups = random_tensor({5, size}, 1).abs();
  const at::Tensor each = random_tensor({count, size}, 2).abs() * 0.7;
  return ((groups.index_select(0, at::arange(count) % 5) + each).clamp_max(3) * 85).to(at::kByte);
}

ProjectionOptions options() {
  return {
      .dimension = 12, .hamming_radius = 3, .batch_size = 32, .epochs = 3, .noise_min = 1, .noise_max = 6};
}

double mean(const std::vector<double>& numbers, size_t first, size_t last) {
  double sum = 0;
  for (size_t i = first; i < last; ++i) {
    sum += numbers[i] / static_cast<double>(last - first);
  }
  return sum;
}

TEST(ProjectionTrainer, ReducesTheLoss) {
  for (const bool learn_beta : {false, true}) {
    ProjectionOptions chosen = options();
    chosen.learn_beta = learn_beta;
    chosen.epochs = 10;
    const TrainedProjection trained = train_projection(images(), chosen);
    ASSERT_EQ(trained.losses.size(), 100U);
    EXPECT_LT(mean(trained.losses, 80, 100), 0.8 * mean(trained.losses, 0, 20));
    const double start = ProjectionTrainer(images(), chosen).beta().item<double>();
    EXPECT_EQ(trained.beta != start, learn_beta);
  }
}

TEST(ProjectionTrainer, GradientMatchesThePublishedLoss) {
  ProjectionOptions chosen = options();
  chosen.type = at::kDouble;
  chosen.update_steps = 2;
  chosen.shuffle = false;
  chosen.draw = [](int64_t step, int64_t row, int64_t number) {
    return std::fmod(static_cast<double>(1 + step + row * 7 + number * 13) * 0.618, 1.0);
  };
  const at::Tensor bytes = images(40, 10), stored = bytes.to(at::kDouble) / 255;
  chosen.noise_max = 3;
  ProjectionTrainer trainer(bytes, chosen);
  at::Tensor matrix = trainer.matrix().detach().clone().requires_grad_();
  const double loss = trainer.step();

  const at::Tensor targets = stored.slice(0, 0, 32);
  const at::Tensor query = at::empty_like(targets);
  for (int64_t row = 0; row < 32; ++row) {
    const at::Tensor u = targets[row] / targets[row].norm();
    const at::Tensor v = at::empty({10}, at::kDouble);
    for (int64_t i = 0; i < 10; ++i) {
      v[i] = 2 * chosen.draw(0, row, 1 + i) - 1;
    }
    const at::Tensor w = v - (v * u).sum() * u;
    const double c = 1 - 2 * (1 + 2 * chosen.draw(0, row, 0)) / 10;
    query[row].copy_((c * u + std::sqrt(1 - c * c) * w / w.norm()) * targets[row].norm());
  }
  const auto unit = [](const at::Tensor& rows) { return rows / rows.norm(2, {1}, true); };
  at::Tensor state = query;
  for (int step = 0; step < 2; ++step) {
    state =
        at::softmax(
            trainer.beta() * unit(state.matmul(matrix.t())).matmul(unit(stored.matmul(matrix.t())).t()), 1)
            .matmul(stored);
  }
  const at::Tensor expected = (state - targets).square().sum() / 32;
  expected.backward();
  EXPECT_NEAR(loss, expected.item<double>(), 1e-12);
  EXPECT_LT(max_abs_difference(trainer.matrix().grad(), matrix.grad()), 1e-12);
}

TEST(ProjectionTrainer, DoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  std::vector<TrainedProjection> runs;
  for (const int count : {1, 5}) {
    set_threads(count);
    ProjectionOptions chosen = options();
    chosen.learn_beta = true;
    chosen.epochs = 1;
    runs.push_back(train_projection(images(3000), chosen, {.steps_max = 5}));
  }
  set_threads(before);
  EXPECT_TRUE(runs[0].matrix.equal(runs[1].matrix));
  EXPECT_EQ(runs[0].beta, runs[1].beta);
  EXPECT_EQ(runs[0].losses, runs[1].losses);
}

TEST(ProjectionTrainer, ResumesFromACheckpointBitForBit) {
  for (const bool learn_beta : {false, true}) {
    const TemporaryFolder folder;
    ProjectionOptions chosen = options();
    chosen.learn_beta = learn_beta;
    const TrainedProjection uninterrupted = train_projection(images(), chosen);
    for (const int64_t stop :
         {0, 7, 10, 25}) { // before the first step, within an epoch, and at the end of one
      const std::filesystem::path path = folder.path() / std::to_string(stop);
      {
        ProjectionTrainer trainer(images(), chosen);
        while (trainer.steps_done() < stop) {
          trainer.step();
        }
        trainer.save(path);
      }
      const TrainedProjection resumed = train_projection(images(), chosen, {.checkpoint = path});
      EXPECT_TRUE(resumed.matrix.equal(uninterrupted.matrix)) << stop;
      EXPECT_EQ(resumed.beta, uninterrupted.beta);
      EXPECT_EQ(resumed.losses, uninterrupted.losses);
    }
  }
}

TEST(ProjectionTrainer, SavesACheckpointWhenInterrupted) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  class InterruptAfterFour : public Progress {
  public:
    void advance(int64_t) override {
      if (++steps_ == 4) {
        request_interrupt();
      }
    }

  private:
    int steps_ = 0;
  } progress;
  EXPECT_THROW(train_projection(images(), options(), {.checkpoint = path, .progress = &progress}),
               Interrupted);
  clear_interrupt();
  EXPECT_EQ(load_checkpoint(path).tensor("losses").numel(), 4);
  EXPECT_TRUE(train_projection(images(), options(), {.checkpoint = path})
                  .matrix.equal(train_projection(images(), options()).matrix));
}

TEST(ProjectionTrainer, RejectsACheckpointOfAnotherRun) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run.safetensors";
  train_projection(images(), options(), {.checkpoint = path, .steps_max = 2});
  const auto error = [&](const at::Tensor& patterns, const ProjectionOptions& chosen) {
    return usage_error_of([&] { ProjectionTrainer(patterns, chosen).restore(path); });
  };
  ProjectionOptions other = options();
  other.seed = 9;
  expect_contains(error(images(), other), {path.string(), "seed 1", "9 is requested"});
  other = options();
  other.noise_max = 7;
  expect_contains(error(images(), other), {"noise 1 to 6", "1 to 7"});
  expect_contains(error(images(301), options()), {"patterns [300, 40] Byte", "[301, 40] Byte"});
  ProjectionOptions longer = options();
  longer.epochs = 99;
  EXPECT_NO_THROW(ProjectionTrainer(images(), longer).restore(path));

  Checkpoint broken = load_checkpoint(path);
  broken.tensors["matrix"] = at::zeros({12, 39});
  save_checkpoint(path, broken);
  EXPECT_THROW(ProjectionTrainer(images(), options()).restore(path), DataError);
  broken.texts["format"] = "something else";
  save_checkpoint(path, broken);
  EXPECT_THROW(ProjectionTrainer(images(), options()).restore(path), DataError);
}

TEST(ProjectionTrainer, BytesAndFloatingPointGiveTheSameResult) {
  ProjectionOptions chosen = options();
  chosen.type = at::kDouble;
  const TrainingRun run{.steps_max = 3};
  EXPECT_LT(max_abs_difference(train_projection(images(), chosen, run).matrix,
                               train_projection(images().to(at::kDouble) / 255, chosen, run).matrix),
            1e-12);
}

TEST(ProjectionTrainer, StopsWhenTheLossIsNotFinite) {
  ProjectionOptions chosen = options();
  chosen.learning_rate = 3e37; // after the first step, the matrix is so large that the loss overflows
  ProjectionTrainer trainer(images(), chosen);
  std::string message;
  for (int step = 0; step < 5 && message.empty(); ++step) {
    try {
      trainer.step();
    } catch (const UsageError& error) {
      message = error.what();
    }
  }
  expect_contains(message, {"loss of step", "finite", "learning rate"});
}

TEST(ProjectionTrainer, RejectsOptionsOutOfRange) {
  const auto with = [](const std::function<void(ProjectionOptions&)>& change) {
    ProjectionOptions chosen = options();
    change(chosen);
    return usage_error_of([&] { const ProjectionTrainer trainer(images(), chosen); });
  };
  expect_contains(with([](auto& o) { o.dimension = 0; }), {"dimension is 0", "at least 1"});
  expect_contains(with([](auto& o) { o.batch_size = 0; }), {"batch_size is 0"});
  expect_contains(with([](auto& o) { o.epochs = 0; }), {"epochs is 0"});
  expect_contains(with([](auto& o) { o.update_steps = 0; }), {"update_steps is 0"});
  expect_contains(with([](auto& o) { o.beta = -1; }), {"beta is -1", "> 0"});
  expect_contains(with([](auto& o) { o.learning_rate = std::nan(""); }), {"learning_rate is nan"});
  expect_contains(with([](auto& o) { o.noise_max = 41; }),
                  {"noise_max is 41", "<= 40, the size of a pattern"});
  expect_contains(with([](auto& o) { o.hamming_radius = 13; }), {"13"});
  expect_contains(with([](auto& o) { o.type = at::kHalf; }), {"type is Half"});
  expect_contains(with([](auto& o) { o.start = at::zeros({3, 3}); }), {"shape [3, 3]", "must have [12, 40]"});
}

TEST(ProjectionTrainer, RejectsInvalidPatterns) {
  const auto with = [](const at::Tensor& patterns) {
    return usage_error_of([&] { const ProjectionTrainer trainer(patterns, options()); });
  };
  at::Tensor bad = images().to(at::kFloat);
  bad[17][3] = std::numeric_limits<float>::infinity();
  expect_contains(with(bad), {"pattern 17 contains inf"});
  bad[17].zero_();
  expect_contains(with(bad), {"pattern 17 is all zeros"});
  expect_contains(with(at::zeros({3})), {"[3]", "[patterns, numbers]"});
  expect_contains(with(at::zeros({0, 4})), {"[0, 4]"});
  expect_contains(with(at::zeros({3, 4}, at::kLong)), {"type Long"});
  expect_contains(with(at::Tensor()), {"undefined"});
}

TEST(TensorOfPatterns, KeepsPixelsAsBytesAndOtherNumbersAsDoubles) {
  const RealPatterns pixels(2, 2, {0, 1, 51 / 255.0, 128 / 255.0});
  EXPECT_EQ(tensor_of(pixels).scalar_type(), at::kByte);
  EXPECT_EQ(patterns_of(tensor_of(pixels)), pixels);
  const RealPatterns others(1, 2, {0.5, -3});
  EXPECT_EQ(tensor_of(others).scalar_type(), at::kDouble);
  EXPECT_EQ(patterns_of(tensor_of(others)), others);
  expect_contains(usage_error_of([] { patterns_of(at::zeros({2})); }), {"[2]", "[patterns, numbers]"});
}

} // namespace
} // namespace mneme::training
