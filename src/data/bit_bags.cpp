// SPDX-License-Identifier: MIT

#include "mneme/data/bit_bags.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "data/published_generator.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::data {
namespace {

using Bits = std::vector<bool>; ///< compares lexicographically: the first bit is the most significant

void check(const BitBagOptions& options) {
  const char* where = "mneme::data::draw_bit_bags";
  check_at_least(where, "num_bags", options.num_bags, 1);
  check_at_least(where, "num_instances", options.num_instances, 1);
  check_at_least(where, "num_bits", options.num_bits, 1);
  check_at_least(where, "num_signals", options.num_signals, 1);
  check_at_least(where, "num_signals_per_bag", options.num_signals_per_bag, 1);
  if (options.num_signals_per_bag > options.num_instances) {
    throw UsageError(fmt::format("{}: num_signals_per_bag is {}, but a bag has only num_instances = {}.\n  "
                                 "Decrease num_signals_per_bag or increase num_instances.",
                                 where, options.num_signals_per_bag, options.num_instances));
  }
  if (!(options.fraction_targets > 0 && options.fraction_targets < 1)) {
    throw UsageError(fmt::format("{}: fraction_targets is {}, but must be greater than 0 and less than 1.\n  "
                                 "It is the fraction of bags that contain a signal.",
                                 where, options.fraction_targets));
  }
  constexpr int64_t kMaxShift = 62; // with more bits there are more patterns than int64 can count
  if (options.num_bits <= kMaxShift && options.num_signals >= (int64_t{1} << options.num_bits) - 1) {
    throw UsageError(fmt::format(
        "{}: num_signals is {}, but with {} bits there are only {} patterns other than all zeros, and "
        "at least one of them must not be a signal.\n  Use fewer signals or more bits.",
        where, options.num_signals, options.num_bits, (int64_t{1} << options.num_bits) - 1));
  }
}

Bits draw_bits(PublishedGenerator& generator, int64_t count) {
  Bits bits(static_cast<size_t>(count));
  for (size_t bit = 0; bit < bits.size(); ++bit) {
    bits[bit] = generator.below(2) == 1;
  }
  return bits;
}

bool any_one(const Bits& bits) {
  return std::find(bits.begin(), bits.end(), true) != bits.end();
}

/// Draws distinct signals. As in the published code, each round draws as many patterns as are still missing.
std::set<Bits> draw_signals(const BitBagOptions& options) {
  PublishedGenerator generator(options.seed_signals);
  std::set<Bits> signals;
  while (std::ssize(signals) < options.num_signals) {
    throw_if_interrupted();
    for (int64_t missing = options.num_signals - std::ssize(signals); missing > 0; --missing) {
      Bits bits = draw_bits(generator, options.num_bits);
      if (any_one(bits)) {
        signals.insert(std::move(bits));
      }
    }
  }
  return signals;
}

void set_row(BitPatterns& patterns, int64_t row, const Bits& bits) {
  for (size_t bit = 0; bit < bits.size(); ++bit) {
    patterns.set(row, static_cast<int64_t>(bit), bits[bit]);
  }
}

/// Draws instances that are not signals. As in the published code, each round redraws, in order, all
/// instances that are signals or all zeros.
BitPatterns draw_noise(const BitBagOptions& options, const std::set<Bits>& signals,
                       PublishedGenerator& generator) {
  BitPatterns instances(checked_rows("mneme::data::draw_bit_bags", options.num_bags, options.num_instances),
                        options.num_bits);
  std::vector<int64_t> rows(static_cast<size_t>(instances.count()));
  std::iota(rows.begin(), rows.end(), 0);
  while (!rows.empty()) {
    throw_if_interrupted();
    std::vector<int64_t> again;
    for (const int64_t row : rows) {
      const Bits bits = draw_bits(generator, options.num_bits);
      set_row(instances, row, bits);
      if (!any_one(bits) || signals.contains(bits)) {
        again.push_back(row);
      }
    }
    rows = std::move(again);
  }
  return instances;
}

} // namespace

BitBags draw_bit_bags(const BitBagOptions& options) {
  check(options);
  const std::set<Bits> found = draw_signals(options);
  const std::vector<Bits> signals(found.begin(), found.end());
  PublishedGenerator generator(options.seed_data);
  BitBags bags{.signals = BitPatterns(options.num_signals, options.num_bits),
               .instances = draw_noise(options, found, generator),
               .targets = std::vector<uint8_t>(static_cast<size_t>(options.num_bags)),
               .num_instances = options.num_instances};
  bags.is_signal.resize(static_cast<size_t>(bags.instances.count()));
  for (int64_t signal = 0; signal < options.num_signals; ++signal) {
    set_row(bags.signals, signal, signals[static_cast<size_t>(signal)]);
  }
  const auto positive =
      static_cast<int64_t>(std::ceil(static_cast<double>(options.num_bags) * options.fraction_targets));
  for (int64_t bag = 0; bag < positive; ++bag) {
    bags.targets[static_cast<size_t>(bag)] = 1;
    for (int64_t placed = 0; placed < options.num_signals_per_bag;) {
      const int64_t row = bag * options.num_instances + generator.below(options.num_instances);
      if (bags.is_signal[static_cast<size_t>(row)] != 0) {
        continue;
      }
      bags.is_signal[static_cast<size_t>(row)] = 1;
      set_row(bags.instances, row, signals[static_cast<size_t>(generator.below(options.num_signals))]);
      ++placed;
    }
  }
  return bags;
}

} // namespace mneme::data
