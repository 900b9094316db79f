// SPDX-License-Identifier: MIT

#include <cmath>
#include <functional>
#include <map>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "experiments/findings.h"
#include "experiments/leap/language_study.h"
#include "experiments/leap/language_trials.h"
#include "experiments/leap/mixing.h"
#include "experiments/published.h"
#include "experiments/registry.h"
#include "experiments/transformer/study_texts.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/nn/multihead_leap.h"

namespace mneme::experiments {
namespace {

using mneme::testing::expect_contains;
using mneme::testing::TemporaryFolder;

StudyData small_data() {
  const TemporaryFolder empty;
  return study_data({.quick = true, .data = empty.path()}, {.quick = 1024, .full = 1024});
}

training::LanguageSchedule small_schedule(int64_t steps) {
  training::LanguageSchedule schedule = study_schedule(steps, 3);
  schedule.length = 32;
  schedule.rows_per_step = schedule.rows_per_batch = 4;
  return schedule;
}

GivenParameter number(const std::string& name, std::vector<int64_t> values) {
  return {.name = name, .text = "given", .values = std::move(values)};
}

Outcome run(const std::string& id, std::vector<GivenParameter> parameters) {
  const TemporaryFolder empty;
  const Experiment& experiment = *experiments_named(std::vector<std::string>{id}).front();
  Progress silent;
  const Outcome outcome =
      experiment.run({.quick = true, .data = empty.path(), .parameters = std::move(parameters)}, silent);
  const Finished finished{.experiment = &experiment, .outcome = outcome};
  EXPECT_NO_THROW(report::to_html(page_of(std::span(&finished, 1), {})));
  EXPECT_FALSE(outcome.tables.empty());
  EXPECT_FALSE(outcome.figures.empty());
  EXPECT_FALSE(outcome.notes.empty());
  return outcome;
}

/// Fills all parameters with random numbers.
void fill(torch::nn::Module& module) {
  const at::NoGradGuard no_gradient;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
  for (at::Tensor& parameter : module.parameters()) {
    parameter.normal_(0, 0.5, generator);
  }
}

at::Tensor random_rows(at::IntArrayRef shape) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(6), at::kFloat);
}

TEST(Mixing, VariantsHaveThePublishedNumbersOfParameters) {
  const std::map<std::string, int64_t> others = {
      {"no q/k", 45'760}, {"separate key", 53'952},
      {"M1", 41'664},     {"M2", 41'664},
      {"M3", 45'760},     {"M4", 45'760},
      {"M5", 41'664},     {"M6", 45'824},
      {"M8", 53'952},     {"M11", 45'760},
      {"M12", 45'760},    {"M21", 45'760},
      {"M22", 51'904},    {"M24", 49'984},
      {"M25", 49'984},    {"identity", 49'856 - 4 * 64 * 64}}; // the published one has unused projections
  int64_t compared = 0;
  for (const nlohmann::json& variant : published("leap_language").at("ablation").at("variants")) {
    const auto name = variant.at("name").get<std::string>();
    if (name != "M20") {
      const auto found = others.find(name);
      EXPECT_EQ(parameters_of({.type = "mixing", .width = 64, .mixing = name}),
                found == others.end() ? 49'856 : found->second)
          << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 34);
  EXPECT_EQ(parameters_of({.type = "leap", .width = 64}), 49'856);
  EXPECT_EQ(parameters_of({.type = "gpt2", .width = 64}), 50'112);
  EXPECT_EQ(parameters_of({.type = "lstm", .width = 64}), 33'408);
}

TEST(Mixing, EluAndOrigAreTheLayerOfLeap) {
  for (const bool rescaled : {false, true}) {
    const std::shared_ptr<Mixing> mixing =
        make_mixing(rescaled ? "orig" : "elu", {.width = 16, .heads = 2, .window = 3});
    fill(*mixing);
    nn::MultiheadLeapOptions options(16, 2);
    options.windows({3}).dropout(0);
    if (rescaled) {
      options.weight(ops::FocusWeight::exponential).rescale(10);
    }
    nn::MultiheadLeap layer(options);
    const at::NoGradGuard no_gradient;
    layer->projections->weight.copy_(mixing->parameters().at(0));
    const at::Tensor x = random_rows({2, 9, 16});
    EXPECT_TRUE(at::allclose(mixing->forward(x, {}), layer->forward(x), 1e-4, 1e-5));
  }
}

TEST(Mixing, NoTokenDependsOnLaterOnes) {
  const at::NoGradGuard no_gradient;
  const at::Tensor x = random_rows({1, 12, 8});
  at::Tensor changed = x.clone();
  changed.slice(1, 7).add_(1);
  for (const std::string& name : mixing_names()) {
    const std::shared_ptr<Mixing> mixing = make_mixing(name, {.width = 8, .heads = 2, .window = 4});
    fill(*mixing);
    const at::Tensor before = mixing->forward(x, {}), after = mixing->forward(changed, {});
    EXPECT_TRUE(at::allclose(before.slice(1, 0, 7), after.slice(1, 0, 7), 1e-5, 1e-6)) << name;
    EXPECT_FALSE(at::allclose(before.slice(1, 7), after.slice(1, 7), 1e-2, 1e-2)) << name;
  }
}

TEST(Mixing, SumsAreThoseOfTheWindow) {
  const at::NoGradGuard no_gradient;
  const at::Tensor x = random_rows({1, 10, 6});
  for (const auto& [name, window] : {std::pair("M1", int64_t{3}), {"M2", 10}, {"M1", 0}}) {
    const std::shared_ptr<Mixing> mixing =
        make_mixing(name, {.width = 6, .window = window == 10 ? 3 : window});
    fill(*mixing);
    const auto parameters = mixing->named_parameters();
    const at::Tensor query = at::linear(x, parameters["query"]), value = at::linear(x, parameters["value"]);
    for (int64_t i = 0; i < 10; ++i) {
      const int64_t first = window == 0 ? 0 : std::max<int64_t>(0, i - window + 1);
      const at::Tensor sum = value[0].slice(0, first, i + 1).sum(0);
      const at::Tensor expected = query[0][i] * (sum - sum.mean()) / (sum.std() + 1e-5);
      EXPECT_TRUE(at::allclose(mixing->forward(x, {})[0][i], expected, 1e-3, 1e-4)) << name << " " << i;
    }
  }
}

TEST(Mixing, ObserversReceiveTheLogits) {
  const at::NoGradGuard no_gradient;
  const at::Tensor x = random_rows({2, 5, 8});
  for (const auto& [name, count] : {std::pair("exp", 2 * 5 * 2), {"attention", 2 * 2 * 15}}) {
    const std::shared_ptr<Mixing> mixing = make_mixing(name, {.width = 8, .heads = 2});
    fill(*mixing);
    int64_t received = 0;
    mixing->forward(x, [&](const at::Tensor& logits) { received += logits.numel(); });
    EXPECT_EQ(received, count) << name;
  }
  try {
    make_mixing("M20", {});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    expect_contains(error.what(), {"\"M20\"", "orig", "M25"});
  }
  EXPECT_THROW(make_mixing("elu", {.width = 8, .heads = 3}), UsageError);
}

TEST(LanguageTrials, ResultsDependOnTheTrialAlone) {
  const StudyData text = small_data();
  std::vector<LanguageTrial> trials;
  for (const char* type : {"leap", "gpt2", "lstm", "fastformer"}) {
    trials.push_back({.model = {.type = type, .width = 8}, .schedule = small_schedule(3)});
  }
  trials.push_back({.model = {.type = "mixing", .width = 8, .mixing = "M10"}, .schedule = small_schedule(3)});
  Progress silent;
  const int before = threads();
  set_threads(2);
  const std::vector<TrialResult> together = train_trials(text.data, trials, {}, silent);
  set_threads(1);
  for (size_t i = 0; i < trials.size(); ++i) {
    const TrialResult alone = train_trials(text.data, std::span(&trials[i], 1), {}, silent).at(0);
    EXPECT_EQ(alone.loss, together[i].loss) << trials[i].model.type;
    EXPECT_EQ(alone.training_loss, together[i].training_loss);
    EXPECT_FALSE(alone.diverged);
    EXPECT_NEAR(alone.loss, std::log(256.0), 1.5) << trials[i].model.type; // hardly trained
  }
  set_threads(before);
}

TEST(LanguageTrials, ThatAreKeptAreNotTrainedAgain) {
  const TemporaryFolder folder;
  const Parts parts(folder.path(), "key");
  const StudyData text = small_data();
  std::vector<LanguageTrial> trials(2);
  trials[0].model = {.type = "gpt2", .as_trained_by_program = true, .width = 8};
  trials[0].records_losses = true;
  trials[0].sample_tokens = 12;
  trials[1].model = {.type = "mixing", .width = 8, .mixing = "elu"};
  trials[1].records_logits = true;
  for (LanguageTrial& trial : trials) {
    trial.schedule = small_schedule(1);
  }
  Progress silent;
  const std::vector<TrialResult> trained = train_trials(text.data, trials, parts, silent);
  EXPECT_FALSE(trained[0].losses.empty());
  EXPECT_FALSE(trained[0].sample.empty());
  EXPECT_FALSE(trained[1].logits.empty());
  trials[1].schedule.seed = 77; // the key has changed in a real run; here it shows which trial was trained
  const std::vector<TrialResult> kept = train_trials(text.data, trials, parts, silent);
  for (size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(kept[i].loss, trained[i].loss);
    EXPECT_EQ(kept[i].training_loss, trained[i].training_loss);
    EXPECT_EQ(kept[i].parameters, trained[i].parameters);
    EXPECT_EQ(kept[i].sample, trained[i].sample);
    ASSERT_EQ(kept[i].losses.size(), trained[i].losses.size());
    ASSERT_EQ(kept[i].logits.size(), trained[i].logits.size());
  }
  EXPECT_EQ(kept[0].losses.back().loss, trained[0].losses.back().loss);
  EXPECT_EQ(kept[1].logits.back().deviation, trained[1].logits.back().deviation);
  std::filesystem::remove(folder / "model-2.json");
  EXPECT_NE(train_trials(text.data, trials, parts, silent)[1].loss, trained[1].loss);
}

TEST(LanguageTrials, RefuseWhatTheyCannotUse) {
  const StudyData text = small_data();
  Progress silent;
  const auto error_of = [&](const LanguageTrial& trial) -> std::string {
    try {
      train_trials(text.data, std::span(&trial, 1), {}, silent);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  expect_contains(error_of({.model = {.type = "rnn"}, .schedule = small_schedule(1)}),
                  {"\"rnn\"", "\"lstm\""});
  expect_contains(error_of({.model = {.type = "gpt2", .windows = {4}}, .schedule = small_schedule(1)}),
                  {"\"gpt2\"", "1 windows"});
  expect_contains(
      error_of({.model = {.type = "leap", .layers = 2, .windows = {4}}, .schedule = small_schedule(1)}),
      {"2 layers", "1 windows"});
  expect_contains(error_of({.model = {}, .schedule = small_schedule(1), .records_logits = true}),
                  {"\"mixing\""});
}

TEST(LanguageStudy, JudgesSignsOnlyIfTheIntervalExcludesZero) {
  EXPECT_TRUE(judge_side("x", Relation::below, 0, {-0.2, 0.1}).is_met());
  EXPECT_FALSE(judge_side("x", Relation::above, 0, {-0.2, 0.1}).is_met());
  EXPECT_FALSE(judge_side("x", Relation::above, 0, {-0.2, 0.1}).cannot_fail);
  EXPECT_TRUE(judge_side("x", Relation::below, 0, {-0.2, 0.3}).cannot_fail);
  EXPECT_TRUE(judge_side("x", Relation::below, 0, {-0.2, {}}).cannot_fail);
  EXPECT_TRUE(judge_side("x", Relation::below, 0, {NAN, {}}).cannot_fail);
  const Comparison row = compare_sign("a minus b", 0.5, {-0.25, 0.125});
  EXPECT_FALSE(row.is_met());
  expect_contains(row.what, {"a minus b (published +0.500)"});
}

TEST(LanguageStudy, DivergedTrialsAreLeftOutAndNamed) {
  StudiedResult a, b;
  a.trials = {{.loss = 2}, {.loss = NAN, .diverged = true}, {.loss = 4}};
  b.trials = {{.loss = 1}, {.loss = 2}, {.loss = 2}};
  EXPECT_DOUBLE_EQ(a.loss().mean, 3);
  EXPECT_DOUBLE_EQ(loss_difference(a, b).mean, 1.5);
  EXPECT_EQ(diverged_note({{"a", a}, {"b", b}}), "Diverged, and left out of the means: a (1 of 3 seeds).");
  EXPECT_EQ(diverged_note({{"b", b}}), "");
}

TEST(LanguageExperiments, ScalingFitsEachKindOfModel) {
  const Outcome outcome = run(
      "leap/scaling", {number("width", {24, 16}), number("tokens-per-parameter", {1}), number("seeds", {2})});
  const report::Table& fits = outcome.tables.at(0).table;
  ASSERT_EQ(fits.rows.size(), 7U); // LEAP, GPT-2, LSTM; published: LEAP and GPT-2, on two texts
  EXPECT_TRUE(std::holds_alternative<report::Estimate>(fits.rows[2][2]));
  EXPECT_EQ(std::get<double>(fits.rows[3][3]), 0.234);
  EXPECT_NEAR(std::get<report::Estimate>(fits.rows[3][2]).value, 0.216, 1e-3);
  EXPECT_EQ(outcome.tables.at(2).table.rows.size(), 6U);
  EXPECT_EQ(outcome.tables.at(3).table.rows.size(), 18U);
  ASSERT_EQ(outcome.comparisons.size(), 1U);
  EXPECT_EQ(outcome.comparisons[0].rows.size(), 1U); // the exponent; models of one layer are not compared
}

TEST(LanguageExperiments, ScalingRefusesWidthsWithoutEqualParameters) {
  try {
    run("leap/scaling", {number("width", {4})});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    expect_contains(error.what(), {"may differ by 5 %", "--width"});
  }
}

TEST(LanguageExperiments, AblationComparesVariants) {
  const Outcome outcome =
      run("leap/ablation", {number("width", {8}), number("steps", {2}), number("seeds", {2})});
  EXPECT_EQ(outcome.tables.at(0).table.rows.size(), 8U);
  EXPECT_EQ(tally(outcome).not_compared, 4);
  expect_contains(outcome.comparisons.at(0).not_compared, {"2 training steps"});
}

TEST(LanguageExperiments, WindowSizesCompareLists) {
  const Outcome outcome =
      run("leap/window-sizes", {number("width", {8}), number("steps", {1}), number("seeds", {1})});
  EXPECT_EQ(outcome.tables.at(0).table.rows.size(), 5U);
  EXPECT_EQ(outcome.comparisons.at(0).rows.size(), 2U);
}

TEST(LanguageExperiments, RescalingBoundsLogits) {
  const Outcome outcome = run("leap/rescaled-dot-product",
                              {number("width", {16, 8}), number("steps", {5}), number("seeds", {2})});
  ASSERT_EQ(outcome.comparisons.size(), 2U);
  EXPECT_EQ(tally(outcome.comparisons[0]).met, 4); // two kinds of models, two widths
  EXPECT_EQ(outcome.comparisons[1].rows.size(), 6U);
  EXPECT_EQ(outcome.tables.at(0).table.rows.size(), 8U);
  EXPECT_EQ(outcome.figures.size(), 3U);
}

TEST(LanguageExperiments, ShakespeareComparesTheRecipeOfNanoGpt) {
  const Outcome outcome =
      run("leap/shakespeare", {number("width", {8}), number("steps", {10}), number("seeds", {2})});
  ASSERT_EQ(outcome.tables.size(), 2U);
  EXPECT_EQ(outcome.tables[0].table.rows.size(), 4U);
  ASSERT_EQ(outcome.tables[1].table.rows.size(), 4U); // two models, two seeds
  for (const std::vector<report::Cell>& row : outcome.tables[1].table.rows) {
    EXPECT_NE(std::get<std::string>(row[2]), "");
  }
  EXPECT_EQ(outcome.comparisons.at(0).rows.at(0).published, 1.88);
  expect_contains(outcome.comparisons[0].not_compared, {"50 training steps"});
}

TEST(LanguageExperiments, AdditiveAttentionIsComparedWithGpt2) {
  const Outcome outcome =
      run("leap/additive-attention", {number("width", {8}), number("steps", {2}), number("seeds", {2})});
  const report::Table& losses = outcome.tables.at(0).table;
  ASSERT_EQ(losses.rows.size(), 4U);
  EXPECT_NEAR(std::get<double>(losses.rows[0][5]), std::log(76.68 / 64.62), 1e-12);
  EXPECT_TRUE(std::holds_alternative<report::Missing>(losses.rows[3][5]));
  EXPECT_EQ(outcome.comparisons.at(0).rows.size(), 2U);
}

} // namespace
} // namespace mneme::experiments
