// SPDX-License-Identifier: MIT

#include "mneme/data/associative_recall.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "data/published_generator.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"

namespace mneme::data {
namespace {

constexpr const char* kWhere = "mneme::data::draw_associative_recall";
constexpr int64_t kBlock = 64; // examples per parallel block

void check(const AssociativeRecallOptions& options) {
  check_at_least(kWhere, "num_examples", options.num_examples, 1);
  check_at_least(kWhere, "length", options.length, 1);
  check_at_least(kWhere, "num_pairs", options.num_pairs, 1);
  check_at_least(kWhere, "num_passes", options.num_passes, 1);
  if (options.vocab_size > std::numeric_limits<int32_t>::max()) {
    throw UsageError(fmt::format("{}: vocab_size is {}, but tokens are 32-bit numbers.\n  Choose at most {}.",
                                 kWhere, options.vocab_size, std::numeric_limits<int32_t>::max()));
  }
  if (options.length % 2 != 0) {
    throw UsageError(fmt::format("{}: length is {}, but it must be even.\n  Choose {} or {}.", kWhere,
                                 options.length, options.length - 1, options.length + 1));
  }
  if (options.length >= options.vocab_size) {
    throw UsageError(
        fmt::format("{}: length is {}, but vocab_size is {}; it must be greater than the length.\n  Choose "
                    "a shorter sequence or a larger vocabulary.",
                    kWhere, options.length, options.vocab_size));
  }
  const int64_t pairs_max = options.length / 2 / (options.num_passes + 1);
  if (options.num_pairs > pairs_max) {
    throw UsageError(fmt::format(
        "{}: num_pairs is {} and num_passes is {}, but the pairs and their queries must fit in length = {} "
        "tokens.\n  Choose at most {} pairs, or a longer sequence.",
        kWhere, options.num_pairs, options.num_passes, options.length, pairs_max));
  }
  if (!(options.power > 0 && options.power <= 1)) {
    throw UsageError(fmt::format("{}: power is {}, but it must be in (0, 1].\n  Leave it out for the "
                                 "published 0.01.",
                                 kWhere, options.power));
  }
  checked_rows(kWhere, options.num_examples, options.length);
}

int64_t num_slots(const AssociativeRecallOptions& options) {
  return options.length / 2 - options.num_pairs * options.num_passes;
}

/// The `count` slots that are drawn without replacement, in the order of the draws: the first arrivals of
/// independent Poisson processes whose rates are the probabilities.
std::vector<int64_t> draw_slots(const std::vector<double>& probabilities, int64_t count, Random& random) {
  std::vector<std::pair<double, int64_t>> arrivals(probabilities.size());
  for (size_t slot = 0; slot < arrivals.size(); ++slot) {
    arrivals[slot] = {-std::log1p(-random.uniform()) / probabilities[slot], static_cast<int64_t>(slot)};
  }
  std::ranges::partial_sort(arrivals, arrivals.begin() + count);
  std::vector<int64_t> slots(static_cast<size_t>(count));
  std::ranges::transform(arrivals.begin(), arrivals.begin() + count, slots.begin(),
                         [](const auto& arrival) { return arrival.second; });
  return slots;
}

void draw_example(const AssociativeRecallOptions& options, const std::vector<double>& probabilities,
                  Random random, int32_t* tokens, int32_t* labels) {
  const int64_t first_value = options.vocab_size / 2;
  const std::vector<int64_t> keys = random.distinct(options.num_pairs, first_value - 1), // less 1
      values = random.distinct(options.num_pairs, options.vocab_size - first_value),
                             slots = draw_slots(probabilities, options.num_pairs, random);
  std::fill_n(labels, options.length, kNoLabel);
  if (options.random_fill) {
    std::generate_n(tokens, options.length, [&] {
      return static_cast<int32_t>(random.below(static_cast<uint64_t>(options.vocab_size)));
    });
  } else {
    std::fill_n(tokens, options.length, 0);
  }
  const int64_t context = 2 * options.num_pairs * options.num_passes;
  for (size_t pair = 0; pair < keys.size(); ++pair) {
    const auto key = static_cast<int32_t>(keys[pair] + 1),
               value = static_cast<int32_t>(values[pair] + first_value);
    for (auto at = static_cast<int64_t>(2 * pair); at < context; at += 2 * options.num_pairs) {
      tokens[at] = key;
      tokens[at + 1] = value;
    }
    const int64_t query = context + 2 * slots[pair];
    tokens[query] = key;
    labels[query] = value;
  }
}

} // namespace

std::vector<double> query_slot_probabilities(const AssociativeRecallOptions& options) {
  check(options);
  std::vector<double> probabilities(static_cast<size_t>(num_slots(options)));
  for (size_t slot = 0; slot < probabilities.size(); ++slot) {
    probabilities[slot] = options.power * std::pow(static_cast<double>(slot + 1), options.power - 1);
  }
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (double& probability : probabilities) {
    probability /= sum;
  }
  return probabilities;
}

AssociativeRecall draw_associative_recall(const AssociativeRecallOptions& options) {
  const std::vector<double> probabilities = query_slot_probabilities(options); // checks the options
  const auto count = static_cast<size_t>(options.num_examples * options.length);
  AssociativeRecall recall{.tokens = std::vector<int32_t>(count),
                           .labels = std::vector<int32_t>(count),
                           .length = options.length,
                           .num_pairs = options.num_pairs,
                           .vocab_size = options.vocab_size};
  const Random random(options.seed);
  parallel_for(options.num_examples, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      draw_example(options, probabilities, random.stream(static_cast<uint64_t>(i)),
                   recall.tokens.data() + i * options.length, recall.labels.data() + i * options.length);
    }
  });
  return recall;
}

} // namespace mneme::data
