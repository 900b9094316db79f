// SPDX-License-Identifier: MIT

/// Synthetic data set of multi-query associative recall (MQAR): a sequence begins with pairs of a key and a
/// value, and repeats each key once later; there the value of the key is to be predicted.
///
/// Source  Arora, Eyuboglu et al. 2023, "Zoology: Measuring and Improving Recall in Efficient Language
///         Models" (arXiv 2312.04927), and its repository HazyResearch/zoology
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::data {

/// Options of `draw_associative_recall`. N, K, V, P: the symbols of the formulas below.
struct AssociativeRecallOptions {
  int64_t num_examples = 1000;
  int64_t length = 64;       ///< N: tokens of a sequence; even, and less than vocab_size
  int64_t num_pairs = 4;     ///< K: pairs of a key and a value, 1 .. N / (2 (P + 1))
  int64_t vocab_size = 8192; ///< V: the keys are 1 .. V/2 - 1, the values V/2 .. V - 1
  int64_t num_passes = 1;    ///< P: number of times that the pairs are written at the beginning
  /// a, in (0, 1]: the smaller, the nearer the queries are to the pairs. 1: all positions are equally likely.
  double power = 0.01;
  /// Tokens that are neither pairs nor queries are uniform random tokens of the vocabulary, which may equal a
  /// key or a value; false: they are 0, which is no key.
  bool random_fill = true;
  uint64_t seed = 1;
};

/// Label of positions at which nothing is predicted, as in PyTorch's cross-entropy.
constexpr int32_t kNoLabel = -100;

struct AssociativeRecall {
  std::vector<int32_t> tokens = {}; ///< [num_examples, length]
  /// [num_examples, length]: at a query, the value of its key, which is to be predicted there; elsewhere
  /// kNoLabel.
  std::vector<int32_t> labels = {};
  int64_t length = 0, num_pairs = 0, vocab_size = 0;

  int64_t num_examples() const { return length == 0 ? 0 : static_cast<int64_t>(tokens.size()) / length; }
};

/// Draws examples at random. Example i uses stream i of the random generator, so it does not depend on the
/// number of examples.
///
/// Formula  tokens: key_1 value_1 ... key_K value_K, P times; then (N - 2 K P) / 2 slots of two tokens. The
///          query of key_k is the first token of slot g_k; g_1, ..., g_K are drawn in this order without
///          replacement, with probabilities proportional to a (g + 1)^(a - 1), g = 0, 1, ...
/// Errors   UsageError if an option is out of its range, or num_examples * length exceeds 2^48
AssociativeRecall draw_associative_recall(const AssociativeRecallOptions& options = {});

/// The probability of each slot for the first query, [(N - 2 K P) / 2].
///
/// Errors  as draw_associative_recall
std::vector<double> query_slot_probabilities(const AssociativeRecallOptions& options);

} // namespace mneme::data
