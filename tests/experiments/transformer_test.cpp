// SPDX-License-Identifier: MIT

#include <cmath>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "experiments/findings.h"
#include "experiments/published.h"
#include "experiments/registry.h"
#include "experiments/transformer/effective_betas.h"
#include "experiments/transformer/head_study.h"
#include "experiments/transformer/study_texts.h"
#include "mneme/core/error.h"
#include "mneme/nn/gpt2_folder.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::experiments {
namespace {

using mneme::testing::expect_contains;
using mneme::testing::TemporaryFolder;
using mneme::testing::write_text;

HeadStudy small_study(int64_t steps) {
  HeadStudy study{.steps = steps, .held_out_tokens = 1024};
  study.training = grammar_text(30'000, 1);
  study.held_out = grammar_text(5'000, 2);
  return study;
}

Outcome run(const std::string& id, std::vector<GivenParameter> parameters) {
  const TemporaryFolder empty;
  const Experiment& experiment = *experiments_named(std::vector<std::string>{id}).front();
  Progress silent;
  RunSettings settings{.quick = true, .data = empty.path()};
  settings.parameters = std::move(parameters);
  const Outcome outcome = experiment.run(settings, silent);
  const Finished finished{.experiment = &experiment, .outcome = outcome};
  EXPECT_NO_THROW(report::to_html(page_of(std::span(&finished, 1), {})));
  return outcome;
}

std::string error_of(const std::string& id, const std::vector<GivenParameter>& parameters) {
  try {
    run(id, parameters);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

GivenParameter steps(int64_t count) {
  return {.name = "steps", .text = std::to_string(count), .values = {count}};
}

GivenParameter path(const std::string& name, const std::filesystem::path& file) {
  return {.name = name, .text = file.string()};
}

/// A GPT-2 with one token per byte and 2 layers of 2 heads.
void write_model(const std::filesystem::path& folder) {
  nn::write_gpt2_model(folder, nn::Gpt2ForCausalLM(nn::Gpt2Config()
                                                       .vocab_size(256)
                                                       .hidden_size(16)
                                                       .num_heads(2)
                                                       .num_layers(2)
                                                       .max_positions(64)
                                                       .initial_std(0.4)));
  tokens::write_tokenizer(folder, tokens::Tokenizer::bytes());
}

TEST(HeadStudy, HeadsAverageBeforeTraining) {
  Progress silent;
  const TrainingStudy study = study_training(small_study(12), silent);
  ASSERT_EQ(study.steps.size(), 3U);
  EXPECT_EQ(study.steps[0].step, 0);
  EXPECT_EQ(study.steps[1].step, 10);
  EXPECT_EQ(study.steps[2].step, 12);
  ASSERT_EQ(study.steps[0].heads.size(), 32U);
  for (const learning::HeadSummary& head : study.steps[0].heads) {
    EXPECT_EQ(head.kind, theory::FixedPoint::global);
  }
  EXPECT_NEAR(study.steps[0].loss, std::log(256.0), 0.2); // random logits are small
  EXPECT_LT(study.steps[2].loss, study.steps[0].loss - 0.3);
  EXPECT_NEAR(learning::statistics_of(study.steps[0].heads).entropy, study.model.averaging_entropy, 0.01);
  EXPECT_EQ(study.last_texts.size(), 8U);
}

TEST(HeadStudy, AveragingHeadsOfAnUntrainedModelCanBeReplaced) {
  Progress silent;
  const ReplacementStudy study = study_replacement(small_study(1), 2, silent);
  ASSERT_EQ(study.counts, (std::vector<int64_t>{1, 2, 4, 8, 16, 32}));
  ASSERT_EQ(study.at_random.size(), 2U);
  for (const std::vector<double>& losses :
       {study.by_keys, study.by_divergence, study.uniform, study.at_random[0], study.at_random[1]}) {
    ASSERT_EQ(losses.size(), study.counts.size());
    for (const double loss : losses) {
      EXPECT_NEAR(loss, study.loss, 1e-3); // each head averages
      EXPECT_NE(loss, study.loss);         // but is replaced
    }
  }
  EXPECT_EQ(study.by_keys.back(), study.by_divergence.back()); // all heads in any order
  EXPECT_EQ(study.by_keys.back(), study.at_random[1].back());
  for (const FittedHead& fitted : study.fitted) {
    EXPECT_LT(fitted.divergence, 0.01);
  }
}

TEST(HeadStudy, ReplacesHeadsOfDoubledNumbers) {
  EXPECT_EQ(replacement_counts(1, 0), std::vector<int64_t>{1});
  EXPECT_EQ(replacement_counts(12, 5), (std::vector<int64_t>{1, 2, 4, 5, 8, 12}));
  EXPECT_EQ(replacement_counts(16, 16), (std::vector<int64_t>{1, 2, 4, 8, 16}));
}

TEST(TransformerExperiments, TrainASmallModelByDefault) {
  const Outcome training = run("transformer/training", {steps(10)});
  ASSERT_EQ(training.tables.size(), 2U);
  EXPECT_EQ(training.tables[0].table.rows.size(), 2U); // steps 0 and 10
  EXPECT_EQ(training.tables[1].table.rows.size(), 8U); // 4 layers, twice
  EXPECT_EQ(training.figures.size(), 3U);
  expect_contains(training.comparisons.at(0).not_compared, {"10 training steps"});

  const Outcome betas = run("transformer/effective-betas", {steps(1)});
  EXPECT_TRUE(betas.comparisons.empty());
  EXPECT_EQ(betas.tables.at(0).table.rows.size(), 4U);
  EXPECT_EQ(betas.figures.size(), 4U);

  const Outcome averaging = run("transformer/averaging-heads", {steps(1)});
  EXPECT_EQ(averaging.tables.at(0).table.rows.size(), 6U);
  EXPECT_EQ(averaging.tables.at(1).table.rows.size(), 32U);
  EXPECT_EQ(averaging.figures.size(), 2U);
}

TEST(TransformerExperiments, ReadAGivenModel) {
  const TemporaryFolder folder;
  write_model(folder / "model");
  write_text(folder / "texts", "the sea and the see\nthe house by the sea\r\n");
  const Outcome texts =
      run("transformer/effective-betas", {path("model", folder / "model"), path("texts", folder / "texts")});
  EXPECT_EQ(texts.parameters.at(2).second, "19, 20");
  const Outcome excerpts = run("transformer/effective-betas", {path("model", folder / "model")});
  EXPECT_EQ(excerpts.parameters.at(2).second, "64, 64, 64, 64, 64, 64, 64, 64, 64");
  write_text(folder / "text", grammar_text(25'000, 5));
  const Outcome averaging =
      run("transformer/averaging-heads", {path("model", folder / "model"), path("text", folder / "text")});
  EXPECT_FALSE(averaging.figures.empty());
}

TEST(TransformerExperiments, CompareTwoModels) {
  const TemporaryFolder folder;
  write_model(folder / "before");
  write_model(folder / "after");
  write_text(folder / "ids", "1 2 3 4 5 6 7\n7, 6, 5\n");
  const Outcome skipped = run("transformer/fine-tuning", {path("model", folder / "before")});
  expect_contains(skipped.skipped, {"--fine-tuned"});
  const Outcome same =
      run("transformer/fine-tuning", {path("model", folder / "before"), path("fine-tuned", folder / "after"),
                                      path("tokens", folder / "ids")});
  ASSERT_EQ(same.tables.size(), 2U);
  expect_contains(same.figures.at(0).caption,
                  {"the mean change is 0, and the mean absolute change is 0."}); // the models are equal
  const report::Table& kinds = same.tables[1].table;
  int64_t total = 0;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t column = 0; column < 3; ++column) {
      const auto count = std::get<int64_t>(kinds.rows[row][column + 1]);
      total += count;
      EXPECT_TRUE(row == column || count == 0);
    }
  }
  EXPECT_EQ(total, 4);
  write_text(folder / "letters", "1 2 x\n");
  expect_contains(error_of("transformer/fine-tuning",
                           {path("model", folder / "before"), path("fine-tuned", folder / "after"),
                            path("tokens", folder / "letters")}),
                  {"line 1: byte 4"});
  write_text(folder / "numbers", "1 2 3\n");
  const auto bert = std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "bert" / "bert";
  expect_contains(
      error_of("transformer/fine-tuning", {path("model", folder / "before"), path("fine-tuned", bert),
                                           path("tokens", folder / "numbers")}),
      {"the model is bert", "is gpt2"});
}

TEST(TransformerExperiments, RefuseWhatTheyCannotUse) {
  const TemporaryFolder folder;
  write_model(folder / "model");
  const GivenParameter model = path("model", folder / "model");
  expect_contains(error_of("transformer/training", {model}), {"no checkpoints", "mneme train lm"});
  expect_contains(error_of("transformer/training", {model, steps(3)}), {"--steps has no effect"});
  expect_contains(error_of("transformer/effective-betas", {path("model", folder.path())}),
                  {"config.json", "GPT-2, BERT or ALBERT"});
  write_text(folder / "short", "too short");
  const GivenParameter text = path("text", folder / "short");
  expect_contains(error_of("transformer/training", {text}), {"short: has 9 bytes", "20000"});
  write_text(folder / "gap", "one\n\nthree\n");
  expect_contains(error_of("transformer/effective-betas", {model, path("texts", folder / "gap")}),
                  {"line 2 is empty"});
  expect_contains(error_of("transformer/effective-betas", {path("texts", folder / "gap")}),
                  {"--texts has no effect without --model"});
  expect_contains(error_of("transformer/effective-betas", {model, path("texts", folder / "gap"), text}),
                  {"both given"});
}

/// Heads of the size of gpt2-small whose betas are the published largest ones of their layers.
learning::HeadsInspection published_heads() {
  const nlohmann::json& file = published("transformer_betas");
  learning::HeadsInspection inspection{
      .type = "gpt2", .layers = 12, .heads_per_layer = 12, .head_size = 64, .vocab_size = 50257};
  for (const int64_t tokens : file.at("text_lengths_in_tokens")) {
    learning::TextHeads& text = inspection.texts.emplace_back();
    text.tokens = tokens;
    for (int64_t i = 0; i < 144; ++i) {
      const double beta =
          file.at("models").at("gpt2-small").at("max_by_layer").at(static_cast<size_t>(i / 12));
      text.heads.push_back(
          {.layer = i / 12, .head = i % 12, .last = {.beta = beta}, .keys = 10, .keys_90 = 1});
    }
  }
  return inspection;
}

TEST(EffectiveBetas, AreComparedWithTheFiguresOfTheSameModelAndTexts) {
  learning::HeadsInspection inspection = published_heads();
  std::vector<ComparisonTable> tables = compare_with_published(inspection);
  ASSERT_EQ(tables.size(), 4U);
  EXPECT_EQ(tables[0].rows.size(), 12U);
  EXPECT_EQ(tally(tables[0]).met, 12);
  EXPECT_EQ(tables[2].rows.size(), 24U);
  EXPECT_GT(tally(tables[1]).missed, 0); // means are not maxima
  EXPECT_EQ(tables[3].rows.at(2).what, "heads above 10.1");
  EXPECT_EQ(tables[3].rows.at(2).published, 37); // 30 to 44
  EXPECT_EQ(tables[3].rows.at(2).tolerance, 7);
  EXPECT_EQ(tables[3].rows.at(4).published, 4); // above 35.5, no bin straddles it

  inspection.texts.pop_back();
  tables = compare_with_published(inspection);
  EXPECT_EQ(tally(tables.at(0)).not_compared, 12);
  expect_contains(tables.at(0).not_compared, {"195, 855", "`mneme data get sdm`", "--texts sdm"});
  inspection.vocab_size = 256;
  EXPECT_TRUE(compare_with_published(inspection).empty());
}

TEST(GivenTexts, AreThePublishedOnesForAModelWithPublishedBetas) {
  const TemporaryFolder folder;
  const std::string sizes =
      R"({"model_type": "gpt2", "n_layer": 12, "n_head": 12, "n_embd": 768, "vocab_size": )";
  for (const auto& [name, vocab_size] : {std::pair("gpt2-small", "50257}"), {"other", "50000}"}}) {
    std::filesystem::create_directory(folder / name);
    write_text(folder / name / "config.json", sizes + vocab_size);
  }
  RunSettings settings{.data = folder.path(), .parameters = {path("model", folder / "gpt2-small")}};
  const std::string inputs = study_inputs(settings);
  EXPECT_TRUE(given_texts(settings).are_excerpts); // the texts are not in the data folder

  write_text(folder / "text_inputs.txt", "one\ntwo");
  EXPECT_NE(study_inputs(settings), inputs);
  const GivenTexts texts = given_texts(settings);
  ASSERT_EQ(texts.texts.size(), 2U);
  EXPECT_EQ(texts.texts[1].name, "sdm: line 2");
  EXPECT_EQ(texts.texts[1].text, "two");
  EXPECT_TRUE(texts.cut_to_positions);
  write_text(folder / "text", grammar_text(25'000, 5));
  settings.parameters.push_back(path("text", folder / "text"));
  EXPECT_TRUE(given_texts(settings).are_excerpts);

  settings.parameters = {path("model", folder / "other")};
  EXPECT_TRUE(given_texts(settings).are_excerpts);
  settings.parameters.push_back(path("texts", "sdm"));
  EXPECT_EQ(given_texts(settings).texts.size(), 2U);
  EXPECT_FALSE(given_texts(settings).cut_to_positions);
  settings.data = folder / "empty";
  EXPECT_THROW(given_texts(settings), DataError);
}

TEST(GrammarText, DependsOnTheSeedAlone) {
  EXPECT_EQ(grammar_text(1000, 3), grammar_text(1000, 3));
  EXPECT_NE(grammar_text(1000, 3), grammar_text(1000, 4));
  EXPECT_GE(grammar_text(1000, 3).size(), 1000U);
}

} // namespace
} // namespace mneme::experiments
