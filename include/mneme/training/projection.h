// SPDX-License-Identifier: MIT

/// Learns the matrix that projects patterns to where associative recall works best.
///
/// One matrix projects stored patterns and noisy queries; both are scaled to length 1 and compared; what is
/// returned are the stored patterns themselves. All stored patterns take part in every step.
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory", learned projections
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mneme/core/patterns.h"
#include "mneme/core/progress.h"

namespace mneme::training {

struct ProjectionOptions {
  int64_t dimension = 64; ///< rows of the matrix, >= 1
  int64_t hamming_radius =
      11; ///< of the SDM whose circle intersection beta is fitted to, in bits of `dimension`
  /// Inverse temperature, > 0. Default: fitted to the radius (theory/beta_fit.h); three times that where beta
  /// is learnt.
  std::optional<double> beta = {};
  bool learn_beta = false;
  int64_t update_steps = 1; ///< per query, >= 1; the gradient goes through all of them
  int64_t batch_size = 128;
  int64_t epochs = 10;
  std::optional<double> learning_rate = {}; ///< of Adam; default 0.005, or 0.01 where beta is learnt
  /// Every query is its target turned to the cosine 1 - 2 k / n, k uniform between these.
  double noise_min = 10, noise_max = 100;
  bool shuffle = true; ///< false: batches in the order of the patterns
  uint64_t seed = 1;
  at::ScalarType type = at::kFloat; ///< of the arithmetic: float32 or float64
  at::Tensor start = {};            ///< [dimension, n] to start from; default: normal numbers from the seed
  /// Uniform draws in [0, 1) for (step, row of the batch, number): number 0 is the size of the noise, those
  /// after it its direction. Empty: counter-based, from the seed.
  std::function<double(int64_t step, int64_t row, int64_t number)> draw = {};
};

/// Training, one step at a time.
class ProjectionTrainer {
public:
  /// Shapes  patterns [S, n]: float, or uint8 for pixels, which count as byte / 255
  /// Errors  UsageError if an option is out of its range, or a pattern is all zeros or not finite (its index)
  ProjectionTrainer(const at::Tensor& patterns, const ProjectionOptions& options);
  ProjectionTrainer(ProjectionTrainer&&) noexcept;
  ~ProjectionTrainer();

  /// One step of Adam on the next batch. Returns the loss before it: squared error of the readouts, summed over
  /// pixels, averaged over the batch. Steps may go on beyond steps_total.
  ///
  /// Cost    O(S (batch (dimension + n) + dimension n)) time; memory for what is kept per pattern: 2 `dimension`
  ///         numbers. The result does not depend on the number of threads
  /// Errors  UsageError if the loss is no longer a finite number; Interrupted. The trainer then is as before
  double step();

  int64_t steps_done() const;
  int64_t steps_per_epoch() const;
  int64_t steps_total() const;               ///< of all epochs
  const std::vector<double>& losses() const; ///< one per step done
  at::Tensor matrix() const;                 ///< [dimension, n]; its grad() is that of the last step
  at::Tensor beta() const;                   ///< [1]
  const ProjectionOptions& options() const;

  /// Everything that later steps depend on. A run that goes on from there ends with the same numbers, bit for
  /// bit, as one that was never interrupted.
  ///
  /// Errors  OutputError
  void save(const std::filesystem::path& path) const;
  /// Errors  DataError if it is no checkpoint of a projection; UsageError if options or patterns are not those
  ///         it was made with (only `epochs` may differ; `draw` is not compared)
  void restore(const std::filesystem::path& path);

private:
  struct State;
  std::unique_ptr<State> state_;
};

struct TrainingRun {
  /// Written after every epoch, at the end and when interrupted; where it exists, training goes on from it.
  /// Empty: none.
  std::filesystem::path checkpoint = {};
  int64_t steps_max = 0;        ///< stop there; 0: after all epochs
  Progress* progress = nullptr; ///< shown if given
};

struct TrainedProjection {
  at::Tensor matrix; ///< [dimension, n]
  double beta = 0;
  std::vector<double> losses; ///< one per step
};

/// All steps. Errors  as ProjectionTrainer; Interrupted after the checkpoint was written
TrainedProjection train_projection(const at::Tensor& patterns, const ProjectionOptions& options,
                                   const TrainingRun& run = {});

/// Patterns as a tensor: bytes if every number is a byte / 255 (images), else float64.
at::Tensor tensor_of(const RealPatterns& patterns);

/// The way back, for the memory room: float64.
RealPatterns patterns_of(const at::Tensor& rows);

} // namespace mneme::training
