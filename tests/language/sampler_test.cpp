// SPDX-License-Identifier: MIT

#include "mneme/language/sampler.h"

#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"

namespace mneme::language {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Options that keep every token.
SamplerOptions plain() {
  return {.temperature = 1, .min_p = 0};
}

std::vector<int32_t> ids_of(const std::vector<Candidate>& candidates) {
  std::vector<int32_t> ids;
  for (const Candidate& candidate : candidates) {
    ids.push_back(candidate.id);
  }
  return ids;
}

TEST(Sampler, EqualsTheLogitsProcessorsOfTransformers) {
  const auto file = nlohmann::json::parse(
      testing::read_text(std::filesystem::path(MNEME_SOURCE_DIR) / "tests/golden/language/sampler.json"));
  for (const nlohmann::json& golden : file.at("cases")) {
    const nlohmann::json& options = golden.at("options");
    const SamplerOptions sampler{.temperature = options.value("temperature", 1.0),
                                 .top_k = options.value("top_k", int64_t{0}),
                                 .top_p = options.value("top_p", 1.0),
                                 .min_p = options.value("min_p", 0.0),
                                 .repeat_penalty = options.value("repeat_penalty", 1.0),
                                 .repeat_last = 0,
                                 .hf_order = true};
    const auto logits = golden.at("logits").get<std::vector<float>>();
    const auto text = golden.at("text").get<std::vector<int32_t>>();
    const auto expected = golden.at("probabilities").get<std::vector<double>>();
    std::vector<double> computed(expected.size(), 0);
    for (const Candidate& candidate : candidates(logits, text, sampler)) {
      computed[static_cast<size_t>(candidate.id)] = candidate.probability;
    }
    for (size_t id = 0; id < expected.size(); ++id) {
      EXPECT_NEAR(computed[id], expected[id], 1e-6) << options << ", token " << id;
    }
  }
}

TEST(Sampler, AppliesTheTemperatureLastUnlessAskedOtherwise) {
  // The probabilities are 0.5, 0.3, 0.2: at a temperature of 4 they are almost equal, so that top_p 0.6 then
  // keeps all three tokens.
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  SamplerOptions options{.temperature = 4, .top_p = 0.75, .min_p = 0};
  EXPECT_EQ(ids_of(candidates(logits, {}, options)), (std::vector<int32_t>{0, 1}));
  options.hf_order = true;
  EXPECT_EQ(ids_of(candidates(logits, {}, options)), (std::vector<int32_t>{0, 1, 2}));
}

TEST(Sampler, PenalisesRecentTokensOnceWithTheSignOfTheirLogits) {
  SamplerOptions options = plain();
  options.repeat_penalty = 2;
  options.repeat_last = 3;
  const std::vector<float> logits = {2, -2, 2, 0};
  const std::vector<int32_t> text = {2, 0, 1, 0}; // 2 is not recent any more; 0 counts once
  std::map<int32_t, double> probability;
  for (const Candidate& candidate : candidates(logits, text, options)) {
    probability[candidate.id] = candidate.probability;
  }
  const double sum = std::exp(1) + std::exp(-4) + std::exp(2) + 1;
  EXPECT_NEAR(probability[0], std::exp(1) / sum, 1e-12);
  EXPECT_NEAR(probability[1], std::exp(-4) / sum, 1e-12);
  EXPECT_NEAR(probability[2], std::exp(2) / sum, 1e-12);
}

TEST(Sampler, TemperatureZeroIsTheMostProbableToken) {
  SamplerOptions options = plain();
  options.temperature = 0;
  const auto choice = candidates(std::vector<float>{1, 3, 3, 2}, {}, options);
  ASSERT_EQ(choice.size(), 1U);
  EXPECT_EQ(choice[0].id, 1);
  EXPECT_EQ(choice[0].probability, 1);
  options.temperature = 1e-300; // does not overflow
  EXPECT_EQ(candidates(std::vector<float>{1, 3, 2}, {}, options)[0].probability, 1);
}

TEST(Sampler, EqualLogitsAreInTheOrderOfTheirIdsAndTopKKeepsExactlyK) {
  SamplerOptions options = plain();
  options.top_k = 2;
  EXPECT_EQ(ids_of(candidates(std::vector<float>{1, 1, 1, 1}, {}, options)), (std::vector<int32_t>{0, 1}));
  options.top_k = 100;
  EXPECT_EQ(candidates(std::vector<float>{1, 2, 3}, {}, options).size(), 3U);
}

TEST(Sampler, NeverDrawsExcludedTokens) {
  const auto all = candidates(std::vector<float>{-kInfinity, 1, -kInfinity}, {}, plain());
  EXPECT_EQ(ids_of(all), (std::vector<int32_t>{1}));
  EXPECT_THROW(candidates(std::vector<float>{-kInfinity}, {}, plain()), UsageError);
  EXPECT_THROW(candidates(std::vector<float>{1, std::nanf("")}, {}, plain()), UsageError);
  EXPECT_THROW(candidates(std::vector<float>{1, kInfinity}, {}, plain()), UsageError);
}

TEST(Sampler, DrawsByTheCumulativeProbability) {
  const std::vector<Candidate> all = {{7, 0.5}, {3, 0.25}, {4, 0.25}};
  EXPECT_EQ(draw(all, 0).id, 7);
  EXPECT_EQ(draw(all, 0.4999).id, 7);
  EXPECT_EQ(draw(all, 0.5).id, 3);
  EXPECT_EQ(draw(all, 0.75).id, 4);
  EXPECT_EQ(draw(all, std::nextafter(1.0, 0.0)).id, 4);
}

TEST(Sampler, NamesOptionsOutOfTheirRange) {
  const auto message = [](const SamplerOptions& options) {
    try {
      check(options);
      return std::string();
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(message({}), "");
  EXPECT_NE(message({.temperature = -1}).find("temperature is -1"), std::string::npos);
  EXPECT_NE(message({.top_k = -1}).find("top_k"), std::string::npos);
  EXPECT_NE(message({.top_p = 0}).find("top_p"), std::string::npos);
  EXPECT_NE(message({.min_p = 1.5}).find("min_p"), std::string::npos);
  EXPECT_NE(message({.repeat_penalty = 0}).find("repeat_penalty"), std::string::npos);
  EXPECT_NE(message({.repeat_last = -1}).find("repeat_last"), std::string::npos);
}

} // namespace
} // namespace mneme::language
