// SPDX-License-Identifier: MIT

/// Tables and curves of models that learn a sparse AND, over many seeds.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "mneme/training/sparse_and.h"
#include "mneme/trials/confidence.h"
#include "report/chart.h"
#include "report/estimates.h"
#include "report/table.h"

namespace mneme::learning {

struct LearningGroup {
  std::string name = {}; ///< such as "self-attention, sparse"
  training::SparseAndOptions options = {};
  std::vector<training::SparseAndTrial> trials = {};
};

/// Published settings: self-attention 2000 epochs with learning rate 0.01, MLP 500 epochs with 0.001.
training::Schedule published_schedule(training::BinaryModel::Kind kind);
/// "self-attention" or "MLP".
std::string name_of(training::BinaryModel::Kind kind);

/// A measure of a trial.
using TrialMeasure = std::function<double(const training::SparseAndTrial&)>;
/// The measure of each trial.
std::vector<double> each(const std::vector<training::SparseAndTrial>& trials, const TrialMeasure& number);

/// Measures of a trial, in the order of the columns of learning_table.
double training_accuracy(const training::SparseAndTrial& trial);
double training_loss(const training::SparseAndTrial& trial);
double validation_accuracy(const training::SparseAndTrial& trial);
double validation_loss(const training::SparseAndTrial& trial);

/// Mean of a measure over the trials, with its 95 % confidence interval.
trials::MeanInterval mean_of(const std::vector<training::SparseAndTrial>& trials, const TrialMeasure& number);

/// Quantile with linear interpolation; `numbers` must not be empty.
double quantile(std::vector<double> numbers, double probability);

/// Columns for a measure over seeds: mean with its 95 % confidence interval, minimum, median, maximum. With a
/// single seed, only its value, with the same key "mean".
std::vector<report::Column> seed_columns(bool single_seed);
/// Cells of these columns for one row; the interval is clipped to `limits`.
std::vector<report::Cell> seed_cells(const std::vector<double>& numbers, bool single_seed,
                                     const report::Limits& limits = {0, INFINITY});

/// Number of parameters and samples, and the four measures as mean with 95 % confidence interval; one row per
/// group.
report::Table learning_table(const std::vector<LearningGroup>& groups);

/// Loss and accuracy over epochs: median over the seeds, with a band from the 5 % to the 95 % quantile;
/// validation as a point at the end.
report::Chart learning_curves(const std::string& title, const std::vector<LearningGroup>& groups);

} // namespace mneme::learning
