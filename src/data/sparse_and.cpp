// SPDX-License-Identifier: MIT

#include "mneme/data/sparse_and.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::data {
namespace {

constexpr int64_t kTriesMax = 100;
constexpr uint64_t kRuleStream = 0, kBitStream = 1; // a stream of its own for each purpose

struct Balance {
  double min, max; ///< accepted fraction of true labels
};
constexpr Balance kBalance{0.4, 0.6}, kBalanceWithRule{0.45, 0.55};

/// True if an irrelevant bit equals a relevant one in every sample.
bool has_second_hypothesis(const SparseAnd& function, const BitPatterns& inputs) {
  const auto equal_everywhere = [&](int64_t a, int64_t b) {
    for (int64_t sample = 0; sample < inputs.count(); ++sample) {
      if (inputs.get(sample, a) != inputs.get(sample, b)) {
        return false;
      }
    }
    return true;
  };
  for (int64_t other = 0; other < function.context_length; ++other) {
    if (std::ranges::find(function.relevant, other) == function.relevant.end() &&
        std::ranges::any_of(function.relevant, [&](int64_t bit) { return equal_everywhere(bit, other); })) {
      return true;
    }
  }
  return false;
}

} // namespace

bool SparseAnd::operator()(const BitPatterns& inputs, int64_t sample) const {
  const bool rule = has_rule() && inputs.get(sample, context_length - 1);
  return std::ranges::all_of(rule ? relevant_under_rule : relevant,
                             [&](int64_t bit) { return inputs.get(sample, bit); });
}

double LabelledBits::fraction_true() const {
  return std::accumulate(labels.begin(), labels.end(), 0.0) / static_cast<double>(labels.size());
}

SparseAnd pick_sparse_and(int64_t context_length, int64_t sparsity, bool with_rule, Random random) {
  if (sparsity < 1) {
    throw UsageError(fmt::format(
        "mneme::data::pick_sparse_and: the sparsity is {}, but at least 1 bit must be relevant.", sparsity));
  }
  if (!with_rule && sparsity > context_length) {
    throw UsageError(
        fmt::format("mneme::data::pick_sparse_and: the sparsity s = {} is greater than the context "
                    "length T = {}.\n  At most T bits can be relevant: decrease s to {} or increase T.",
                    sparsity, context_length, context_length));
  }
  if (with_rule && (context_length == 1 || context_length == 2)) { // no s is small enough
    throw UsageError(fmt::format(
        "mneme::data::pick_sparse_and: the context length is T = {}, but at least 3 is needed: a rule token, "
        "and one bit of each of the two rules.\n  Increase T to {} for s = {}.",
        context_length, 2 * sparsity + 1, sparsity));
  }
  if (with_rule && 2 * sparsity > context_length - 1) {
    throw UsageError(fmt::format(
        "mneme::data::pick_sparse_and: with a rule token, 2 s = {} bits are relevant, but without the token "
        "there are only T - 1 = {}.\n"
        "  Each rule has s = {} bits of its own: decrease s to {} or increase T to {}.",
        2 * sparsity, context_length - 1, sparsity, std::max<int64_t>(0, (context_length - 1) / 2),
        2 * sparsity + 1));
  }
  SparseAnd function{.context_length = context_length};
  std::vector<int64_t> places =
      random.distinct(with_rule ? 2 * sparsity : sparsity, with_rule ? context_length - 1 : context_length);
  function.relevant.assign(places.begin(), places.begin() + sparsity);
  function.relevant_under_rule.assign(places.begin() + sparsity, places.end());
  std::ranges::sort(function.relevant);
  std::ranges::sort(function.relevant_under_rule);
  return function;
}

LabelledBits draw_samples(const SparseAnd& function, int64_t samples, Random random,
                          const SparseAndSampling& sampling) {
  if (samples < 1) {
    throw UsageError(fmt::format(
        "mneme::data::draw_samples: {} samples were requested, at least 1 is required.", samples));
  }
  const bool with_rule = function.has_rule();
  const double probability =
      sampling.probability_of_one.value_or(with_rule ? std::sqrt(0.5) : std::cbrt(0.5));
  if (!(probability >= 0 && probability <= 1)) {
    throw UsageError(fmt::format(
        "mneme::data::draw_samples: the probability of a 1 is {}, but it must be from 0 to 1.", probability));
  }
  const Balance balance = with_rule ? kBalanceWithRule : kBalance;
  const int64_t drawn_bits = function.context_length - (with_rule ? 1 : 0);

  LabelledBits batch{.inputs = BitPatterns(samples, function.context_length),
                     .labels = std::vector<uint8_t>(static_cast<size_t>(samples))};
  if (with_rule) {
    Random rules = random.stream(kRuleStream);
    for (int64_t sample = 0; sample < samples; ++sample) {
      batch.inputs.set(sample, drawn_bits, rules.below(2) == 1);
    }
  }
  Random bits = random.stream(kBitStream);
  double min_fraction = 1, max_fraction = 0;
  while (batch.tries < kTriesMax) {
    ++batch.tries;
    for (int64_t sample = 0; sample < samples; ++sample) {
      for (int64_t bit = 0; bit < drawn_bits; ++bit) {
        batch.inputs.set(sample, bit, bits.uniform() < probability);
      }
      batch.labels[static_cast<size_t>(sample)] = function(batch.inputs, sample) ? 1 : 0;
    }
    const double fraction = batch.fraction_true();
    min_fraction = std::min(min_fraction, fraction);
    max_fraction = std::max(max_fraction, fraction);
    if (fraction >= balance.min && fraction <= balance.max &&
        (with_rule || !has_second_hypothesis(function, batch.inputs))) {
      return batch;
    }
  }
  if (sampling.accept_last_try) {
    batch.passed = false;
    return batch;
  }
  const double balancing = std::pow(0.5, 1.0 / static_cast<double>(function.sparsity()));
  const std::string advice =
      std::abs(probability - balancing) < 1e-12
          ? "More samples"
          : fmt::format("A probability of {:.4g} balances the labels, more samples", balancing);
  throw UnbalancedSamples(fmt::format(
      "mneme::data::draw_samples: none of {} batches of {} samples was accepted: the fraction of true "
      "labels was {} to {}, but {} to {} is required{}.\n  Bits are 1 with probability {:.4g}, so with "
      "s = {} a fraction of about {:.3g} of the labels is true. {} make extremes rarer, and the last batch "
      "can be accepted as it is.",
      batch.tries, samples, min_fraction, max_fraction, balance.min, balance.max,
      with_rule ? "" : ", and no other bit may equal a relevant one in every sample", probability,
      function.sparsity(), std::pow(probability, static_cast<double>(function.sparsity())), advice));
}

} // namespace mneme::data
