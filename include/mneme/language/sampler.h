// SPDX-License-Identifier: MIT

/// Selection of the next token from the logits of a language model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mneme::language {

/// The steps are applied in this order: repetition penalty, top_k, top_p, min_p, temperature. With `hf_order`
/// the temperature comes before top_k, as in transformers.
struct SamplerOptions {
  double temperature = 0.8; ///< >= 0; 0 = always the most probable token (greedy)
  int64_t top_k = 0;        ///< keep the k most probable tokens; 0 = all
  /// Keep the fewest most probable tokens whose probabilities add up to at least this, in (0, 1]; 1 = all.
  double top_p = 1;
  /// Keep tokens with at least this fraction of the probability of the most probable one, in [0, 1]; 0 = all.
  double min_p = 0.05;
  /// Divides positive logits of tokens that occur in the recent text, and multiplies negative ones; 0.001
  /// to 1000; 1 = none. Source  Keskar et al. 2019, "CTRL"
  double repeat_penalty = 1;
  /// Number of recent tokens that the penalty applies to, those of the prompt included; 0 = the whole text.
  int64_t repeat_last = 64;
  bool hf_order = false;
};

/// Errors  UsageError for an option that is out of its range
void check(const SamplerOptions& options);

struct Candidate {
  int32_t id = 0;
  double probability = 0; ///< those of all candidates add up to 1
};

/// The tokens that can be drawn, with their probabilities, in descending order; of equally probable ones, the
/// smaller id is first. With temperature 0, a single one.
///
/// logits: one per token of the vocabulary; those that are -infinity are never drawn. text: the tokens so
/// far.
///
/// Errors  UsageError as check, and for logits that are NaN, +infinity, or all -infinity
std::vector<Candidate> candidates(std::span<const float> logits, std::span<const int32_t> text,
                                  const SamplerOptions& options);

/// The candidate that a uniform random number in [0, 1) selects.
const Candidate& draw(std::span<const Candidate> candidates, double uniform);

} // namespace mneme::language
