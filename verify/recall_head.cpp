// SPDX-License-Identifier: MIT

#include <cmath>

#include <fmt/format.h>

#include "mneme/memory/attention.h"
#include "mneme/memory/continuous_sdm.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/memory/pattern_sdm.h"
#include "verify/published_precision.h"
#include "verify/recall_cases.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr double kTolerance = 2e-5;         // the file is single precision
constexpr double kCapTableTolerance = 2e-4; // one cell of the published cap table
constexpr double kBetaTolerance = 1e-6;

/// The uniform draws of the file, [step][pattern][query], as the draw function of FiniteLocations.
FiniteLocations locations_of(const GoldenValue& algorithm, double hard_locations) {
  const GoldenValue draws = algorithm.at("uniform_draws_per_step");
  return {.hard_locations = hard_locations, .draw = [draws](int64_t step, int64_t query, int64_t stored) {
            return draws.at(static_cast<size_t>(step))
                .at(static_cast<size_t>(stored))
                .at(static_cast<size_t>(query))
                .number();
          }};
}

struct Case {
  Checker& checker;
  BitPatterns stored_bits, bit_cues;
  RealPatterns stored, cues;

  void bits(const GoldenValue& algorithm, const AssociateOptions<BitPatterns>& options) const {
    const AssociativeMemory<BitPatterns> memory(stored_bits, options);
    const BitPatterns readout = memory.recall(bit_cues, published_update(1, true, EmptyRead::zeros)).readout;
    expect_columns(checker, algorithm.at("one_step"), to_zeros_and_ones(readout), 0);
    // Long runs fluctuate around a fixed point and depend on rounding; short ones must end in the same state
    // after the same number of steps.
    constexpr int64_t kShortRun = 10;
    if (const int64_t steps = algorithm.at("steps").integer(); steps <= kShortRun) {
      const Recall<BitPatterns> run = memory.recall(bit_cues, published_update(100, true, EmptyRead::zeros));
      expect_columns(checker, algorithm.at("final"), to_zeros_and_ones(run.readout), 0);
      checker.equal(algorithm.at("steps"), run.steps.front());
    }
  }

  /// Compares the first readout, before normalisation.
  void reals(const GoldenValue& algorithm, AssociateOptions<RealPatterns> options, EmptyRead empty_read,
             double allowed) const {
    options.projection = Average{};
    options.precision =
        Precision::float32; // as published, so that cosines round to the same Hamming distances
    const AssociativeMemory<RealPatterns> memory(stored, options);
    expect_columns(checker, algorithm.at("one_step"),
                   memory.recall(cues, published_update(1, true, empty_read)).readout, allowed);
  }
};

void check_neurons(const Case& golden, const GoldenValue& algorithm) {
  const BitPatterns addresses = to_bits(pattern_columns(algorithm.at("neuron_addresses")), 0.5);
  NeuronSdm memory(
      {.bits = golden.stored_bits.bits(),
       .hard_locations = algorithm.at("r").integer_between(1, kGoldenBitsMax),
       .hamming_radius = algorithm.at("hamm_radius").integer_between(0, golden.stored_bits.bits())},
      addresses);
  memory.write(golden.stored_bits);
  // Counters hold ones minus zeros: twice the published sum of ones, minus the number of writes.
  const GoldenValue writes = algorithm.list("patterns_per_neuron", static_cast<size_t>(addresses.count()));
  for (int64_t k = 0; k < addresses.count(); ++k) {
    golden.checker.equal(writes.at(static_cast<size_t>(k)), memory.writes(k));
    const std::vector<int16_t> counters = memory.counters(k);
    for (size_t b = 0; b < counters.size(); ++b) {
      golden.checker.equal(algorithm.at("value_vectors").at(b).at(static_cast<size_t>(k)),
                           (counters[b] + memory.writes(k)) / 2);
    }
  }
  const BitPatterns readout =
      memory.recall(golden.bit_cues, published_update(1, true, EmptyRead::zeros)).readout;
  expect_columns(golden.checker, algorithm.at("one_step"), to_zeros_and_ones(readout), 0);
}

} // namespace

/// First readouts of the released version, in single precision, with the whole batch at once.
void run_recall_head(const GoldenValue& file, Checker& checker) {
  checker.note(fmt::format("bits compared exactly; real patterns to {:g} (single precision), Cont_SDM to "
                           "{:g} (a cell of its table)",
                           kTolerance, kCapTableTolerance));
  checker.note("the first readout is compared, for bits also runs of up to 10 steps: longer "
               "ones depend on rounding");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t n = golden.at("n").integer_between(1, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, n);
    const double hard_locations =
        std::exp(golden.at("r").log_count().value_or(static_cast<double>(n) * std::log(2.0)));
    const Case at{checker, to_bits(pattern_columns(golden.at("binary_patterns")), 0.5),
                  to_bits(pattern_columns(golden.at("binary_queries")), 0.5),
                  pattern_columns(golden.at("continuous_patterns")),
                  pattern_columns(golden.at("continuous_queries"))};
    const GoldenValue algorithms = golden.at("algorithms");
    const auto with = [&](const char* name, auto check) {
      if (algorithms.has(name)) {
        check(algorithms.at(name));
      }
    };
    const auto continuous = [&](std::optional<FiniteLocations> locations) {
      AssociateOptions<RealPatterns> options = continuous_sdm(n, radius, std::move(locations));
      std::get<CapIntersection>(options.separation).original_table = true;
      return options;
    };
    const AssociateOptions<BitPatterns> by_binary_fit = binary_sdm_attention(n, radius);
    const AssociateOptions<RealPatterns> by_cap_fit =
        sdm_attention(n, radius, BetaFitTarget::cap_intersection);
    checker.near_relative(golden.at("beta_binary_fit"), std::get<Softmax>(by_binary_fit.separation).beta,
                          kBetaTolerance);
    checker.near_relative(golden.at("beta_cap_fit"), std::get<Softmax>(by_cap_fit.separation).beta,
                          kBetaTolerance);

    with("Binary_SDM", [&](const GoldenValue& algorithm) { at.bits(algorithm, pattern_sdm(n, radius)); });
    with("Binary_SDM_NeuronLimit", [&](const GoldenValue& algorithm) {
      at.bits(algorithm, pattern_sdm(n, radius, locations_of(algorithm, hard_locations)));
    });
    with("Binary_SDM_BFit_Attention",
         [&](const GoldenValue& algorithm) { at.bits(algorithm, by_binary_fit); });
    with("Binary_Neuron_SDM", [&](const GoldenValue& algorithm) { check_neurons(at, algorithm); });
    with("Cont_SDM", [&](const GoldenValue& algorithm) {
      at.reals(algorithm, continuous(std::nullopt), EmptyRead::keep_query, kCapTableTolerance);
    });
    with("Cont_SDM_NeuronLimit", [&](const GoldenValue& algorithm) {
      at.reals(algorithm, continuous(locations_of(algorithm, hard_locations)), EmptyRead::mean_of_values,
               kCapTableTolerance);
    });
    with("Cont_Binary_SDM", [&](const GoldenValue& algorithm) {
      at.reals(algorithm, continuous_binary_sdm(n, radius), EmptyRead::keep_query, kTolerance);
    });
    with("Cont_Binary_SDM_NeuronLimit", [&](const GoldenValue& algorithm) {
      at.reals(algorithm, continuous_binary_sdm(n, radius, locations_of(algorithm, hard_locations)),
               EmptyRead::keep_query, kTolerance);
    });
    with("Cont_SDM_BFit_Attention", [&](const GoldenValue& algorithm) {
      at.reals(algorithm, sdm_attention(n, radius), EmptyRead::keep_query, kTolerance);
    });
    with("Cont_SDM_CFit_Attention", [&](const GoldenValue& algorithm) {
      at.reals(algorithm, by_cap_fit, EmptyRead::keep_query, kTolerance);
    });
  });
}

} // namespace mneme::verify
