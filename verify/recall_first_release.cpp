// SPDX-License-Identifier: MIT

#include <cmath>

#include <fmt/format.h>

#include "mneme/memory/attention.h"
#include "mneme/memory/continuous_sdm.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/memory/pattern_sdm.h"
#include "verify/published_precision.h"
#include "verify/recall_cases.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr double kTolerance = 1e-9;
constexpr double kCapTableTolerance = 2e-5; // the published cap table is computed by a coarse quadrature

/// Checks one step and the final state. The published loop stops each query separately. After an empty read,
/// real patterns keep the query and bits become zeros.
template <class Recall> void both_runs(const GoldenValue& golden, EmptyRead empty_read, Recall recall_with) {
  recall_with(golden.at("one_step"), published_update(1, false, empty_read));
  recall_with(golden.at("final"), published_update(100, false, empty_read));
}

void check_bits(Checker& checker, const GoldenValue& golden, const BitPatterns& stored,
                const BitPatterns& cues, const AssociateOptions<BitPatterns>& options, bool bipolar = false) {
  const AssociativeMemory<BitPatterns> memory(stored, options);
  both_runs(golden, EmptyRead::zeros, [&](const GoldenValue& expected, const UpdateOptions& update) {
    const BitPatterns readout = memory.recall(cues, update).readout;
    expect_rows(checker, expected, bipolar ? to_bipolar(readout) : to_zeros_and_ones(readout), 0);
  });
}

void check_reals(Checker& checker, const GoldenValue& golden, const RealPatterns& stored,
                 const RealPatterns& cues, const AssociateOptions<RealPatterns>& options, double allowed) {
  const AssociativeMemory<RealPatterns> memory(stored, options);
  both_runs(golden, EmptyRead::keep_query, [&](const GoldenValue& expected, const UpdateOptions& update) {
    expect_rows(checker, expected, memory.recall(cues, update).readout, allowed);
  });
}

void check_neurons(Checker& checker, const GoldenValue& golden, const BitPatterns& stored,
                   const BitPatterns& cues) {
  const BitPatterns addresses = to_bits(pattern_columns(golden.at("neuron_addresses")), 0.5);
  NeuronSdm memory({.bits = stored.bits(),
                    .hard_locations = golden.at("r").integer_between(1, kGoldenBitsMax),
                    .hamming_radius = golden.at("hamm_radius").integer_between(0, stored.bits())},
                   addresses);
  memory.write(stored);
  both_runs(golden, EmptyRead::zeros, [&](const GoldenValue& expected, const UpdateOptions& update) {
    expect_rows(checker, expected, to_zeros_and_ones(memory.recall(cues, update).readout), 0);
  });
}

} // namespace

/// Recall by the first published version, in double precision; each algorithm has its own kind of query.
void run_recall_first_release(const GoldenValue& file, Checker& checker) {
  checker.note(fmt::format(
      "real patterns compared to {:g}, bits exactly; Continuous_SDM to {:g}, since its cap table is coarse",
      kTolerance, kCapTableTolerance));
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
    const RealPatterns stored = pattern_columns(golden.at("patterns"));
    const BitPatterns stored_bits = to_bits(stored, 0);
    const GoldenValue algorithms = golden.at("algorithms");
    const auto with = [&](const char* name, auto check) {
      if (algorithms.has(name)) {
        const GoldenValue algorithm = algorithms.at(name);
        check(algorithm, pattern_rows(golden.at(algorithm.at("query").text().c_str())));
      }
    };
    with("Pattern_SDM", [&](const GoldenValue& algorithm, const RealPatterns& cues) {
      check_bits(checker, algorithm, stored_bits, to_bits(cues, 0), pattern_sdm(bits, radius));
    });
    with("Binary_SDM_Attention", [&](const GoldenValue& algorithm, const RealPatterns& cues) {
      const AssociateOptions<BitPatterns> options = binary_sdm_attention(bits, radius);
      checker.near_relative(algorithm.at("beta"), std::get<Softmax>(options.separation).beta, kTolerance);
      check_bits(checker, algorithm, stored_bits, to_bits(cues, 0), options);
    });
    with("Hopfield", [&](const GoldenValue& algorithm, const RealPatterns& cues) {
      check_bits(checker, algorithm, stored_bits, to_bits(cues, 0), classical_hopfield(), true);
    });
    with("Neuron_SDM", [&](const GoldenValue& algorithm, const RealPatterns& cues) {
      check_neurons(checker, algorithm, stored_bits, to_bits(cues, 0));
    });
    with("SDM_Attention", [&](const GoldenValue& algorithm, const RealPatterns& cues) {
      const AssociateOptions<RealPatterns> options = sdm_attention(bits, radius);
      checker.near_relative(algorithm.at("beta"), std::get<Softmax>(options.separation).beta, kTolerance);
      check_reals(checker, algorithm, stored, cues, options, kTolerance);
    });
    with("Transformer_Attention", [&](const GoldenValue& algorithm, const RealPatterns& cues) {
      check_reals(checker, algorithm, stored, cues, transformer_attention(bits), kTolerance);
    });
    with("Continuous_SDM", [&](const GoldenValue& algorithm, const RealPatterns& cues) {
      AssociateOptions<RealPatterns> options = continuous_sdm(bits, radius);
      std::get<CapIntersection>(options.separation).original_table = true;
      check_reals(checker, algorithm, stored, cues, options, kCapTableTolerance);
    });
  });
}

} // namespace mneme::verify
