// SPDX-License-Identifier: MIT

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/data/bit_bags.h"
#include "mneme/data/latch_sequences.h"
#include "verify/case_tensors.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

/// An integer argument of the constructor; `otherwise`, the default of hflayers, if absent.
int64_t argument(const GoldenValue& constructor, const char* name, int64_t otherwise) {
  return constructor.has(name) ? constructor.at(name).integer() : otherwise;
}

uint32_t seed(const GoldenValue& constructor, const char* name, uint32_t otherwise) {
  return constructor.has(name) ? static_cast<uint32_t>(constructor.at(name).integer_between(
                                     0, std::numeric_limits<uint32_t>::max()))
                               : otherwise;
}

/// All numbers must be equal; reports the first one that is not.
void expect_equal(Checker& checker, const std::string& name, const std::vector<double>& expected,
                  const std::vector<double>& drawn) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] != drawn[i]) {
      checker.near(fmt::format("{} at {}", name, i), expected[i], drawn[i], 0);
      return;
    }
  }
  checker.near(name, 0, 0, 0);
}

std::vector<double> numbers_of(const BitPatterns& patterns) {
  const RealPatterns reals = to_zeros_and_ones(patterns);
  return {reals.data(), reals.data() + reals.count() * reals.size()};
}

template <class Number> std::vector<double> numbers_of(const std::vector<Number>& numbers) {
  return {numbers.begin(), numbers.end()};
}

} // namespace

/// BitPatternSet: compares all numbers of bags, targets and signals.
void run_bit_bags(const GoldenValue& file, Checker& checker) {
  checker.one_case(file, [&](const GoldenValue&) {
    const GoldenValue given = file.at("constructor");
    data::BitBagOptions options{.num_bags = given.at("num_bags").integer(),
                                .num_instances = given.at("num_instances").integer(),
                                .num_signals = given.at("num_signals").integer()};
    options.num_signals_per_bag = argument(given, "num_signals_per_bag", 1);
    options.num_bits = argument(given, "num_bits", 8);
    options.seed_signals = seed(given, "seed_signals", 43);
    options.seed_data = seed(given, "seed_data", 44);
    options.fraction_targets = given.has("fraction_targets") ? given.at("fraction_targets").number() : 0.5;
    const CaseTensors tensors(checker.file());
    const std::vector<double> data =
        tensors.numbers("output.data", {options.num_bags, options.num_instances, options.num_bits});
    const std::vector<double> targets = tensors.numbers("output.targets", {options.num_bags}),
                              signals =
                                  tensors.numbers("output.signals", {options.num_signals, options.num_bits});
    const data::BitBags bags =
        data::draw_bit_bags(options); // not larger than the file, since the sizes agree
    expect_equal(checker, "output.data", data, numbers_of(bags.instances));
    expect_equal(checker, "output.targets", targets, numbers_of(bags.targets));
    expect_equal(checker, "output.signals", signals, numbers_of(bags.signals));
  });
}

/// LatchSequenceSet: compares all numbers of characters and targets.
void run_latch_sequences(const GoldenValue& file, Checker& checker) {
  checker.one_case(file, [&](const GoldenValue&) {
    const GoldenValue given = file.at("constructor");
    data::LatchOptions options{.num_samples = given.at("num_samples").integer()};
    options.num_instances = argument(given, "num_instances", 20);
    options.num_characters = argument(given, "num_characters", 6);
    options.seed = seed(given, "seed", 43);
    const CaseTensors tensors(checker.file());
    const std::vector<double> characters =
        tensors.numbers("output.characters", {options.num_samples, options.num_instances});
    const data::LatchSequences sequences = data::draw_latch_sequences(options);
    expect_equal(checker, "output.characters", characters, numbers_of(sequences.characters));
    expect_equal(checker, "output.targets", tensors.numbers("output.targets", {options.num_samples}),
                 numbers_of(sequences.targets));
  });
}

} // namespace mneme::verify
