// SPDX-License-Identifier: MIT

/// Learns a projection of patterns for associative recall.
///
/// One matrix projects both stored patterns and noisy queries; the projections are normalised to length 1 and
/// compared. The values are the stored patterns themselves. Every step uses all stored patterns.
///
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
  /// Radius, in bits of `dimension`, of the SDM to whose circle intersection beta is fitted.
  int64_t hamming_radius = 11;
  /// Inverse temperature, > 0. Default: fitted to hamming_radius (theory/beta_fit.h), or three times that
  /// value as the initial value of a learned beta.
  std::optional<double> beta = {};
  bool learn_beta = false;
  int64_t update_steps = 1; ///< updates per query, >= 1; all of them are differentiated
  int64_t batch_size = 128;
  int64_t epochs = 10;
  std::optional<double> learning_rate = {}; ///< of Adam; default: 0.005, or 0.01 if beta is learned
  /// A query is its target pattern of n numbers, rotated so that their cosine is 1 - 2 k / n, with k uniform
  /// in [noise_min, noise_max].
  double noise_min = 10, noise_max = 100;
  bool shuffle = true; ///< false: batches in the order of the patterns
  uint64_t seed = 1;
  at::ScalarType type = at::kFloat; ///< of the arithmetic: float32 or float64
  at::Tensor start = {}; ///< initial matrix [dimension, n]; default: standard normal numbers from the seed
  /// Uniform random numbers in [0, 1) for (step, row of the batch, number): number 0 determines the noise
  /// level, the others its direction. Empty: a counter-based RNG with the seed.
  std::function<double(int64_t step, int64_t row, int64_t number)> draw = {};
};

/// Training, one step at a time.
class ProjectionTrainer {
public:
  /// Shapes  patterns [S, n]: floating point, or uint8 for pixels with the value byte / 255
  /// Errors  UsageError if an option is out of its range, or a pattern is all zeros or not finite
  ProjectionTrainer(const at::Tensor& patterns, const ProjectionOptions& options);
  ProjectionTrainer(ProjectionTrainer&&) noexcept;
  ~ProjectionTrainer();

  /// One Adam step on the next batch. Returns the loss before the step: squared error of the readouts, summed
  /// over pixels, averaged over the batch. Steps beyond steps_total are allowed.
  ///
  /// Cost    O(S (batch (dimension + n) + dimension n)) time; memory for 2 `dimension` numbers per pattern.
  ///         The result does not depend on the number of threads
  /// Errors  UsageError if the loss is not finite; Interrupted. The trainer is then unchanged
  double step();

  int64_t steps_done() const;
  int64_t steps_per_epoch() const;
  int64_t steps_total() const;               ///< of all epochs
  const std::vector<double>& losses() const; ///< one per step done
  at::Tensor matrix() const;                 ///< [dimension, n]; grad() is the gradient of the last step
  at::Tensor beta() const;                   ///< [1]
  const ProjectionOptions& options() const;

  /// Writes a checkpoint with everything that later steps depend on. A run resumed from it has the same
  /// results, bit for bit, as an uninterrupted one.
  ///
  /// Errors  OutputError
  void save(const std::filesystem::path& path) const;
  /// Reads a checkpoint.
  ///
  /// Errors  DataError if the file is not a checkpoint of a projection; UsageError if it was made with
  ///         different options or patterns (only `epochs` may differ; `draw` is not compared)
  void restore(const std::filesystem::path& path);

private:
  struct State;
  std::unique_ptr<State> state_;
};

struct TrainingRun {
  /// Checkpoint file, written after every epoch, at the end and when interrupted; if it exists, training
  /// resumes from it. Empty: no checkpoint.
  std::filesystem::path checkpoint = {};
  int64_t steps_max = 0;        ///< maximum number of steps; 0: all epochs
  Progress* progress = nullptr; ///< nullptr: no progress is shown
};

struct TrainedProjection {
  at::Tensor matrix; ///< [dimension, n]
  double beta = 0;
  std::vector<double> losses; ///< one per step
};

/// Trains all steps.
///
/// Errors  as ProjectionTrainer; Interrupted after the checkpoint has been written
TrainedProjection train_projection(const at::Tensor& patterns, const ProjectionOptions& options,
                                   const TrainingRun& run = {});

/// Patterns as a tensor: uint8 if every number is byte / 255 (images), else float64.
at::Tensor tensor_of(const RealPatterns& patterns);

/// Inverse of tensor_of: rows of a tensor as float64 patterns.
RealPatterns patterns_of(const at::Tensor& rows);

} // namespace mneme::training
