// SPDX-License-Identifier: MIT

#include <fmt/format.h>

#include "mneme/memory/attention.h"
#include "mneme/memory/continuous_sdm.h"
#include "verify/published_precision.h"
#include "verify/recall_cases.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr double kTolerance = 2e-5;         // the file is single precision
constexpr double kCapTableTolerance = 2e-4; // one cell of the published cap table
constexpr double kBetaTolerance = 1e-6;

struct Case {
  Checker& checker;
  RealPatterns stored, cues, matrix;
  double steps_eps;
  int64_t steps_max;

  void check(const GoldenValue& algorithm, AssociateOptions<RealPatterns> options, double allowed) const {
    if (const auto* softmax = std::get_if<Softmax>(&options.separation)) {
      checker.near_relative(algorithm.at("beta"), softmax->beta, kBetaTolerance);
    }
    options.encode = matrix;
    options.projection = Average{}; // readouts are not normalised
    options.precision = Precision::float32;
    const AssociativeMemory<RealPatterns> memory(stored, options);
    const auto recall = [&](int64_t max_steps) {
      UpdateOptions update = published_update(max_steps, true, EmptyRead::keep_query);
      update.update_steps_eps = steps_eps;
      return memory.recall(cues, update);
    };
    expect_columns(checker, algorithm.at("one_step"), recall(1).readout, allowed);
    const Recall<RealPatterns> run = recall(steps_max);
    expect_columns(checker, algorithm.at("final"), run.readout, allowed);
    checker.equal(algorithm.at("steps"), run.steps.front());
    const GoldenValue cosines = algorithm.list("cosine_to_key", static_cast<size_t>(cues.count()));
    for (int64_t q = 0; q < cues.count(); ++q) {
      checker.near(cosines.at(static_cast<size_t>(q)), cosine(run.readout, q, stored, q), allowed);
    }
  }
};

} // namespace

/// Recall that compares projections of patterns and returns the patterns themselves.
void run_projection_recall(const GoldenValue& file, Checker& checker) {
  checker.note(fmt::format("compared to {:g} (single precision), Cont_SDM to {:g} (a cell of its table)",
                           kTolerance, kCapTableTolerance));
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t n = golden.at("n").integer_between(3, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, n);
    const Case at{checker,
                  pattern_columns(golden.at("keys")),
                  pattern_columns(golden.at("queries")),
                  pattern_rows(golden.at("W")),
                  golden.at("epsilon").number(),
                  golden.at("max_conv_steps").integer_between(1, 1000)};
    const GoldenValue algorithms = golden.at("algorithms");
    AssociateOptions<RealPatterns> caps = continuous_sdm(n, radius);
    std::get<CapIntersection>(caps.separation).original_table = true;
    at.check(algorithms.at("Cont_SDM"), caps, kCapTableTolerance);
    at.check(algorithms.at("Cont_Binary_SDM"), continuous_binary_sdm(n, radius), kTolerance);
    at.check(algorithms.at("Cont_SDM_BFit_Attention"), sdm_attention(n, radius), kTolerance);
    at.check(algorithms.at("Cont_SDM_CFit_Attention"),
             sdm_attention(n, radius, BetaFitTarget::cap_intersection), kTolerance);
  });
}

} // namespace mneme::verify
