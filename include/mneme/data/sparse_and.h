// SPDX-License-Identifier: MIT

/// Sparse AND functions of bit strings, and labelled samples of them: the label depends on a few of many
/// bits.
///
/// Source  Edelman et al. 2022, "Inductive Biases and Variable Creation in Self-Attention Mechanisms"; the
///         form with a rule token is from the Neuromatch tutorial on attention
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "mneme/core/error.h"
#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::data {

/// Boolean function that is true if all relevant bits are 1. With a rule token, which is the last bit, there
/// are two sets of relevant bits, and the token selects one of them.
struct SparseAnd {
  int64_t context_length = 0;                    ///< bits per input, including the rule token; T in the paper
  std::vector<int64_t> relevant = {};            ///< positions of the relevant bits (for rule 0), ascending
  std::vector<int64_t> relevant_under_rule = {}; ///< their positions for rule 1; empty: no rule token

  bool has_rule() const { return !relevant_under_rule.empty(); }
  int64_t sparsity() const { return static_cast<int64_t>(relevant.size()); } ///< s in the paper
  /// Label of one input. Its bits are not checked: inputs must have at least context_length bits.
  bool operator()(const BitPatterns& inputs, int64_t sample) const;
};

/// Draws the relevant bits at random. With a rule, the two sets are disjoint and do not contain the last bit.
///
/// Errors  UsageError if sparsity < 1, if sparsity > context_length, or with a rule if
///         2 sparsity > context_length - 1
SparseAnd pick_sparse_and(int64_t context_length, int64_t sparsity, bool with_rule, Random random);

struct SparseAndSampling {
  /// Probability that a bit is 1. The default is the published value for any sparsity: (1/2)^(1/3) without a
  /// rule and (1/2)^(1/2) with one. (1/2)^(1/sparsity) makes both labels equally likely.
  std::optional<double> probability_of_one = {};
  /// If no batch passes the checks, return the last one instead of throwing, as the published generator does.
  bool accept_last_try = false;
};

struct LabelledBits {
  BitPatterns inputs = {};
  std::vector<uint8_t> labels = {}; ///< 0 or 1, one per input
  int64_t tries = 0;                ///< number of batches drawn
  bool passed = true;               ///< false: this is the last try, which did not pass the checks

  double fraction_true() const; ///< fraction of labels that are 1
};

/// No batch of samples passed the checks of `draw_samples`.
class UnbalancedSamples : public UsageError {
public:
  using UsageError::UsageError;
};

/// Draws batches of samples, at most 100, until one passes these checks: the fraction of true labels is in
/// [0.4, 0.6] (with a rule: [0.45, 0.55]), and, without a rule, no irrelevant bit equals a relevant one in
/// every sample, because that would be a second hypothesis that explains the labels equally well.
///
/// Errors  UsageError if samples < 1, or if the probability is not in [0, 1]; UnbalancedSamples if no batch
///         passes
LabelledBits draw_samples(const SparseAnd& function, int64_t samples, Random random,
                          const SparseAndSampling& sampling = {});

} // namespace mneme::data
