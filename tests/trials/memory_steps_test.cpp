// SPDX-License-Identifier: MIT

#include "mneme/trials/memory_steps.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/core/random.h"
#include "mneme/core/simplex_separation.h"
#include "mneme/data/corruption.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/continuous_sdm.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/memory/pattern_sdm.h"
#include "mneme/trials/recall_sweep.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

std::vector<MemorySteps> every_choice() {
  std::vector<MemorySteps> choices;
  for (const SimilarityStep& similarity : similarities()) {
    for (const SeparationStep& separation : separations()) {
      for (const ProjectionStep& projection : projections()) {
        choices.push_back({similarity.name, separation.name, projection.name});
      }
    }
  }
  return choices;
}

/// Error message for a choice; nothing if it is valid.
std::optional<std::string> refusal_of(const MemorySteps& steps) {
  try {
    composed_memory(steps);
    return std::nullopt;
  } catch (const UsageError& error) {
    return error.what();
  }
}

class EveryChoiceOfSteps : public ::testing::TestWithParam<MemorySteps> {};

TEST_P(EveryChoiceOfSteps, RecallsTheLettersFromThemselvesOrIsRefused) {
  const MemorySteps& steps = GetParam();
  if (const std::optional<std::string> refusal = refusal_of(steps)) {
    testing::expect_contains(*refusal, {"the separation " + steps.separation + " does not fit",
                                        "\n  Use the ", ", or one of the separations "});
    EXPECT_TRUE(testing::contains(*refusal, "similarity " + steps.similarity + ":") ||
                testing::contains(*refusal, "projection " + steps.projection + ":"))
        << *refusal;
    return;
  }
  Progress silent;
  const SweepResult result = sweep_recall(data::builtin_glyphs(),
                                          {.memories = {composed_memory(steps)}, .noise = {0.05}, .seeds = 1},
                                          silent, [](const auto&, const auto&, const auto&) {});
  const MemoryReport& memory = result.memories[0];
  EXPECT_EQ(memory.kind.on_bits, steps.projection == "majority");
  if (steps.separation == "identity") { // 36 letters are too many for a network of 256 units
    EXPECT_TRUE(memory.beyond_capacity);
  } else if (steps.separation ==
             "radius") { // two letters are nearer to each other than noisy cues are to their pattern
    EXPECT_GT(memory.self_recall, 0.9);
    EXPECT_GT(result.rows[0].exact.mean, 0.9);
  } else {
    EXPECT_EQ(memory.self_recall, 1);
    EXPECT_EQ(result.rows[0].exact.mean, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(MemorySteps, EveryChoiceOfSteps, ::testing::ValuesIn(every_choice()),
                         [](const auto& tested) {
                           const MemorySteps& steps = tested.param;
                           std::string name =
                               steps.similarity + "_" + steps.separation + "_" + steps.projection;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(MemorySteps, RejectIncompatibleSteps) {
  const auto expect_rejected = [](const MemorySteps& steps, std::initializer_list<std::string> parts) {
    expect_usage_error([&] { composed_memory(steps); }, parts);
  };
  expect_rejected(
      {"hamming", "cap-intersection", "normalise"},
      {"cap-intersection", "similarity hamming", "unit sphere", "Use the similarity cosine,",
       "softmax, entmax15, sparsemax, normmax, entmax, circle-intersection, radius, best-match."});
  expect_rejected({"dot", "circle-intersection", "majority"},
                  {"circle-intersection", "similarity dot", "hard locations", "hamming or cosine"});
  expect_rejected({"manhattan", "radius", "majority"}, {"radius", "similarity manhattan", "number of bits"});
  expect_rejected({"euclidean", "polynomial", "average"},
                  {"polynomial", "similarity euclidean", "cosine or dot"});
  expect_rejected({"dot", "identity", "average"},
                  {"identity", "projection average", "sum is not 1", "majority or normalise"});
  expect_rejected({"dot", "softmx", "average"}, {"\"softmx\"", "softmax, entmax15", "best-match"});
}

/// The tables contain every type of the memory library.
TEST(MemorySteps, ContainEveryChoiceOfTheLibraryOnce) {
  std::set<size_t> kinds;
  for (const SimilarityStep& step : similarities()) {
    kinds.insert(step.similarity.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Similarity>);
  EXPECT_EQ(similarities().size(), kinds.size());
  kinds.clear();
  for (const ProjectionStep& step : projections()) {
    kinds.insert(step.projection.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Projection>);
  for (size_t i = 0; i < kSimplexSeparations.size(); ++i) {
    EXPECT_EQ(separations()[i].name, kSimplexSeparations[i].name);
  }
  kinds.clear();
  for (const SeparationStep& step : separations()) {
    kinds.insert(step.make(64, {.hamming_radius = 20, .beta = 2, .alpha = 1.5, .degree = 2}, {}).index());
  }
  // SimplexWeights includes Sparsemax and Entmax15.
  EXPECT_EQ(kinds.size(), std::variant_size_v<Separation> - 2);
}

TEST(MemorySteps, HaveDefaults) {
  const auto text = [](const MemorySteps& steps) { return composed_memory(with_defaults(steps)).steps; };
  EXPECT_EQ(text({}), "cosine -> softmax -> normalise");
  EXPECT_EQ(text({.similarity = "hamming"}), "hamming -> softmax -> majority");
  EXPECT_EQ(text({.similarity = "dot", .separation = "sparsemax", .projection = "average"}),
            "dot -> sparsemax -> average");
}

template <class Patterns>
void expect_same(const MemorySteps& steps, const Patterns& stored, const Patterns& cues,
                 AssociateOptions<Patterns> options, const MemoryParameters& parameters) {
  const MemoryKind kind = composed_memory(steps);
  const bool is_exact = is_classical_hopfield(kind) || std::holds_alternative<Hamming>(kind.similarity);
  options.precision = is_exact ? Precision::float64 : Precision::float32;
  options.update.update_steps_max = parameters.update_steps_max;
  const Recall<Patterns> library = associate(cues, stored, options);
  const auto composed = [&] {
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      return build(kind, stored, parameters, 1)(cues);
    } else {
      return build(kind, stored, parameters)(cues);
    }
  }();
  EXPECT_EQ(composed.readout, library.readout) << kind.name;
  EXPECT_EQ(composed.steps, library.steps) << kind.name;
  EXPECT_FALSE(composed.readout == cues) << kind.name << " recalls nothing here";
}

TEST(ComposedMemory, IsTheMemoryOfTheLibraryWithTheseSteps) {
  const BitPatterns bits = data::random_bits(12, 100, Random(3)),
                    bit_cues = data::flip_bits(bits, 15, Random(4));
  const RealPatterns reals = normalised(to_bipolar(bits)), real_cues = normalised(to_bipolar(bit_cues));
  const MemoryParameters parameters{.hamming_radius = 30, .beta = 9, .degree = 3, .update_steps_max = 4};
  expect_same({"hamming", "circle-intersection", "majority"}, bits, bit_cues, pattern_sdm(100, 30),
              parameters);
  expect_same({"cosine", "softmax", "majority"}, bits, bit_cues, binary_attention(9), parameters);
  expect_same({"dot", "identity", "majority"}, bits, bit_cues, classical_hopfield(), parameters);
  expect_same({"cosine", "cap-intersection", "normalise"}, reals, real_cues, continuous_sdm(100, 30),
              parameters);
  expect_same({"hamming", "circle-intersection", "normalise"}, reals, real_cues,
              continuous_binary_sdm(100, 30), parameters);
  expect_same({"cosine", "softmax", "normalise"}, reals, real_cues, cosine_attention(9), parameters);
  expect_same({"dot", "softmax", "average"}, reals, real_cues, modern_hopfield(9), parameters);
  expect_same({"dot", "polynomial", "average"}, reals, real_cues, dense_associative_memory(3), parameters);
}

/// All similarities of bits are linear in the Hamming distance, so with the chosen betas their weights are
/// equal.
TEST(ComposedMemory, ChoosesBetaForTheScaleOfItsScores) {
  const data::PatternSet letters = data::builtin_glyphs();
  const BitPatterns bits = to_bits(letters.patterns, 0.5), cues = data::flip_bits(bits, 90, Random(5));
  const RealPatterns reals = normalised(to_bipolar(bits)), real_cues = normalised(to_bipolar(cues));
  ParameterChooser chooser(bits, reals, {}, 1);
  const auto kind_of = [](const std::string& similarity, const char* projection) {
    return composed_memory({similarity, "softmax", projection});
  };
  const auto read = [&](const MemoryKind& kind) {
    return build(kind, bits, chooser.parameters_for(kind), 1)(cues).readout;
  };
  const BitPatterns expected = read(kind_of("cosine", "majority"));
  for (const SimilarityStep& step : similarities()) {
    EXPECT_EQ(read(kind_of(step.name, "majority")), expected) << step.name;
  }
  const double beta = chooser.parameters_for(kind_of("cosine", "normalise")).beta;
  EXPECT_EQ(chooser.parameters_for(kind_of("dot", "normalise")).beta, beta);
  EXPECT_EQ(chooser.parameters_for(kind_of("euclidean", "normalise")).beta, beta / 2);
  const MemorySetting manhattan = chooser.parameters_for(kind_of("manhattan", "normalise")).settings.at(0);
  // Components of the difference of two of these patterns are 0 or 2 / 16: 16 (1 - cosine) summed up.
  EXPECT_NEAR(manhattan.value, beta / 16, 1e-9);
  EXPECT_TRUE(testing::contains(manhattan.origin, "divided by 16, the score per cosine")) << manhattan.origin;
}

TEST(ComposedMemory, ChoosesADegreeAsSharpAsSoftmax) {
  const RealPatterns reals = data::random_sphere(60, 48, Random(6));
  const BitPatterns bits = to_bits(reals, 0);
  const MemoryKind polynomial = composed_memory({"cosine", "polynomial", "normalise"}),
                   softmax = composed_memory({"cosine", "softmax", "normalise"});
  ParameterChooser chosen(bits, reals, {}, 1);
  EXPECT_EQ(chosen.parameters_for(polynomial).degree, std::ceil(chosen.parameters_for(softmax).beta));
  ParameterChooser given(bits, reals, {.alpha = 1.5, .degree = 4.5}, 1);
  EXPECT_EQ(given.parameters_for(polynomial).degree, 4.5);
  EXPECT_EQ(given.parameters_for(polynomial).hamming_radius, 0) << "nothing is fitted";
  EXPECT_EQ(given.parameters_for(memory_kinds_named({"dense"})[0]).degree, 4.5);
  const MemoryKind entmax = composed_memory({"cosine", "entmax", "normalise"}),
                   entmax15 = composed_memory({"cosine", "entmax15", "normalise"});
  EXPECT_EQ(given.parameters_for(entmax).alpha, 1.5);
  EXPECT_EQ(chosen.parameters_for(entmax).alpha, 1.25);
  const RealPatterns cues = data::cosine_noise(reals, 0.5, Random(7));
  const RealPatterns one = build(entmax, reals, given.parameters_for(entmax))(cues).readout,
                     other = build(entmax15, reals, given.parameters_for(entmax15))(cues).readout;
  for (int64_t i = 0; i < cues.count(); ++i) {
    EXPECT_NEAR(cosine(one, i, other, i), 1, 1e-5);
  }
}

/// Within the radius chosen for equal weights, hardly any pattern has another one.
TEST(ChooseRadius, ExcludesOtherPatternsForEqualWeights) {
  const BitPatterns stored = data::random_bits(50, 128, Random(8));
  const RadiusChoice choice = choose_radius(stored, 1, RadiusWeights::equal);
  int64_t nearest = 128;
  for (int64_t i = 0; i < 50; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      nearest = std::min(nearest, hamming_distance(stored, i, stored, j));
    }
  }
  EXPECT_GE(choice.hamming_radius, nearest - 8);
  EXPECT_LE(choice.hamming_radius, nearest + 4);
  EXPECT_LE(choice.noise, static_cast<double>(choice.hamming_radius) / 128);
  EXPECT_GT(choice.noise, 0.25);
}

TEST(RequireValid, RejectsAlphaAndDegreeOutOfRange) {
  expect_usage_error([] { require_valid(ParameterChoices{.alpha = 1}, 256); }, {"alpha = 1", "(1, 2]"});
  expect_usage_error([] { require_valid(ParameterChoices{.alpha = 2.5}, 256); }, {"alpha = 2.5", "(1, 2]"});
  expect_usage_error([] { require_valid(ParameterChoices{.degree = 0}, 256); }, {"degree is 0", "above 0"});
}

} // namespace
} // namespace mneme::trials
