// SPDX-License-Identifier: MIT

#include "experiments/sdm/learn_projection.h"

#include "mneme/training/projection.h"

namespace mneme::experiments {

namespace {

LearnedProjection learn(const RealPatterns& images, const ProjectionTask& task, Progress& progress) {
  const at::Tensor patterns = training::tensor_of(images);
  const training::ProjectionOptions options{.hamming_radius = task.hamming_radius,
                                            .learn_beta = task.learn_beta,
                                            .epochs = task.epochs,
                                            .seed = task.seed};
  const training::ProjectionTrainer untrained(patterns, options);
  const training::TrainedProjection trained =
      training::train_projection(patterns, options, {.checkpoint = task.checkpoint, .progress = &progress});
  return {.start = training::patterns_of(untrained.matrix()),
          .matrix = training::patterns_of(trained.matrix),
          .beta_start = untrained.beta().item<double>(),
          .beta = trained.beta,
          .losses = trained.losses};
}

[[maybe_unused]] const bool implemented = learn_projection.implement(learn);

} // namespace

} // namespace mneme::experiments
