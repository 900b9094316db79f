// SPDX-License-Identifier: MIT

/// Tables and curves of models that learn a sparse AND, over many seeds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mneme/training/sparse_and.h"
#include "mneme/trials/confidence.h"
#include "report/chart.h"
#include "report/table.h"

namespace mneme::learning {

struct LearningGroup {
  std::string name = {}; ///< such as "self-attention, sparse"
  training::SparseAndOptions options = {};
  std::vector<training::SparseAndTrial> trials = {};
};

/// The published settings: self-attention 2000 epochs at 0.01, the perceptron 500 epochs at 0.001.
training::Schedule published_schedule(training::BinaryModel::Kind kind);
std::string name_of(training::BinaryModel::Kind kind);

using TrialNumber = std::function<double(const training::SparseAndTrial&)>;
std::vector<double> each(const std::vector<training::SparseAndTrial>& trials, const TrialNumber& number);

/// Numbers of a trial, in the order of the table's columns.
double training_accuracy(const training::SparseAndTrial& trial);
double training_loss(const training::SparseAndTrial& trial);
double validation_accuracy(const training::SparseAndTrial& trial);
double validation_loss(const training::SparseAndTrial& trial);

/// Mean over the trials.
trials::MeanInterval mean_of(const std::vector<training::SparseAndTrial>& trials, const TrialNumber& number);

/// The value below which `share` of the numbers lie, between two of them by their distance. Not empty.
double quantile(std::vector<double> numbers, double share);

/// Columns for numbers over seeds: mean with its 95 % interval, least, median, greatest. Where every row has a single
/// seed there is only its value, still under the key "mean".
std::vector<report::Column> seed_columns(bool single_seed);
/// The cells of these columns for one row.
std::vector<report::Cell> seed_cells(const std::vector<double>& numbers, bool single_seed);

/// Parameters, samples, and the four numbers: mean and 95 % interval, one row per group.
report::Table learning_table(const std::vector<LearningGroup>& groups);

/// Loss and accuracy over epochs: medians of the seeds, with the middle nine tenths of them as a band; validation as
/// a point at the end.
report::Chart learning_curves(const std::string& title, const std::vector<LearningGroup>& groups);

} // namespace mneme::learning
