// SPDX-License-Identifier: MIT

/// Sparse AND functions of bits, and labelled samples of them: the label depends on a few bits out of many.
///
/// Source  Edelman et al. 2022, "Inductive Biases and Variable Creation in Self-Attention Mechanisms"; the form
///         with a rule token is that of the Neuromatch tutorial on attention
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::data {

/// True where all relevant bits are 1. With a rule token, the last bit says which of two groups is relevant.
struct SparseAnd {
  int64_t context_length = 0;         ///< bits of an input, the rule token included; T in the paper
  std::vector<int64_t> relevant = {}; ///< places of the relevant bits, ascending; under rule 0
  std::vector<int64_t> relevant_under_rule = {}; ///< the same under rule 1; empty: there is no rule token

  bool has_rule() const { return !relevant_under_rule.empty(); }
  int64_t sparsity() const { return static_cast<int64_t>(relevant.size()); } ///< s in the paper
  bool operator()(const BitPatterns& inputs, int64_t sample) const;          ///< the label
};

/// Draws which bits are relevant; with a rule, the groups have no bit in common and leave out the last bit.
///
/// Errors  UsageError if sparsity < 1, sparsity > context_length, or with a rule 2 sparsity > context_length - 1
SparseAnd pick_sparse_and(int64_t context_length, int64_t sparsity, bool with_rule, Random random);

struct SparseAndSampling {
  /// Probability that a bit is 1. Default: the published one, (1/2)^(1/3) without rule and (1/2)^(1/2) with it,
  /// whatever the sparsity; (1/2)^(1/sparsity) makes both labels equally likely.
  std::optional<double> probability_of_one = {};
  /// What the published generator does when no try passes: it takes the last one.
  bool accept_last_try = false;
};

struct LabelledBits {
  BitPatterns inputs = {};
  std::vector<uint8_t> labels = {}; ///< 0 or 1, one per input
  int64_t tries = 0;                ///< batches drawn
  bool passed = true;               ///< false: the last try was taken although it did not pass

  double share_true() const;
};

/// Draws whole batches, at most 100, until one passes: the share of true labels lies in 0.4 .. 0.6 (with a rule:
/// 0.45 .. 0.55), and, without a rule, no irrelevant bit equals a relevant one in every sample, which would be
/// a second hypothesis that explains the labels as well.
///
/// Errors  UsageError if samples < 1, the probability is not in 0 .. 1, or no try passes
LabelledBits draw_samples(const SparseAnd& function, int64_t samples, Random random,
                          const SparseAndSampling& sampling = {});

} // namespace mneme::data
