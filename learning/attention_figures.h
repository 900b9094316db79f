// SPDX-License-Identifier: MIT

/// Figures of the attention of a self-attention model that was trained on a sparse AND.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mneme/training/sparse_and.h"
#include "report/chart.h"
#include "report/table.h"

namespace mneme::learning {

/// Attention weights [validation sample][key position] of the last query position. With a rule, that is the
/// rule token, and the positions are those before it; without one, all positions.
std::vector<std::vector<double>> last_query_weights(const training::SparseAndTrial& trial,
                                                    const training::SelfAttentionModel& model);

/// Roles of the bits, in the order of legends: "irrelevant" and "relevant", or with a rule "relevant under
/// rule 0" and "relevant under rule 1".
std::vector<std::string> roles(const data::SparseAnd& function);
std::string role_of(const data::SparseAnd& function, int64_t position);

/// The weights of single samples: one point per sample and bit.
report::Chart weights_chart(const training::SparseAndTrial& trial, const training::SelfAttentionModel& model,
                            int64_t samples_shown);

/// Mean and standard deviation of the weight of each bit over the validation samples.
struct WeightStatistics {
  report::Chart chart = {};
  report::Table table = {};
};
WeightStatistics weight_statistics(const training::SparseAndTrial& trial,
                                   const training::SelfAttentionModel& model);

/// Connection strength of each position to the output, averaged over the samples of a rule whose label is
/// true.
struct Connections {
  std::vector<double> contributions = {}; ///< of each key position to the logit; they sum to it
  std::vector<double> published = {};     ///< by the published formula, one per query position
};

/// The terms sum_i readout_i score_ij value_j of the logit for each key position j, and the published
/// sum_j score_ij readout_j for each query position i. `rule` is ignored if the function has none.
Connections connections_of(const training::SparseAndTrial& trial, const training::SelfAttentionModel& model,
                           const data::LabelledBits& samples, bool rule);

/// Graphs with an edge from each bit to the output, coloured by its strength; one panel per element of
/// `strengths`, which is one per rule, or a single one. All panels have one colour scale.
report::Chart connection_graphs(const std::string& title, const std::string& description,
                                const data::SparseAnd& function,
                                const std::vector<std::vector<double>>& strengths);

} // namespace mneme::learning
