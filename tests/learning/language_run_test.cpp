// SPDX-License-Identifier: MIT

#include "learning/language_run.h"

#include <cmath>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/tokens/train_bpe.h"

namespace mneme::learning {
namespace {

LanguageRun run_of_minutes(double minutes) {
  LanguageRun run{.minutes = minutes};
  run.schedule.rows_per_step = 8;
  run.schedule.length = 512;
  return run;
}

TEST(LanguagePlan, FillsTheTimeAndSpendsAtMostATenthOnValidation) {
  for (const int64_t validation_tokens : {0, 100, 100'000, 1'000'000}) {
    const LanguagePlan plan = plan_of(run_of_minutes(10), 0.5, validation_tokens);
    const double validation = 0.5 / 3 * static_cast<double>(validation_tokens) / 4096;
    const int64_t validations = plan.steps / plan.eval_every;
    EXPECT_NEAR(static_cast<double>(plan.steps) * 0.5 + static_cast<double>(validations) * validation, 600,
                validation + 1)
        << validation_tokens;
    EXPECT_TRUE(validations == 1 || static_cast<double>(validations) * validation < 61) << validation_tokens;
    EXPECT_GE(validations, 1);
    EXPECT_LE(validations, 10);
    EXPECT_EQ(plan.warmup_steps, std::llround(0.05 * static_cast<double>(plan.steps)));
    EXPECT_EQ(plan.sample_every, plan.eval_every);
  }
}

TEST(LanguagePlan, KeepsTheNumbersOfTheUser) {
  LanguageRun run = run_of_minutes(10);
  run.steps = 200;
  run.warmup_steps = 7;
  run.eval_every = 30;
  run.sample_every = 0;
  run.save_every = 11;
  const LanguagePlan plan = plan_of(run, 0.5, 1000);
  EXPECT_EQ(plan.steps, 200);
  EXPECT_EQ(plan.warmup_steps, 7);
  EXPECT_EQ(plan.eval_every, 30);
  EXPECT_EQ(plan.sample_every, 0);
  EXPECT_EQ(plan.save_every, 11);
  EXPECT_NEAR(plan.seconds, 100, 1);
}

TEST(LanguagePlan, CountsValidationsOfAGivenInterval) {
  LanguageRun run = run_of_minutes(1);
  run.eval_every = 10;
  const int64_t tokens = 4096 * 30; // one validation takes as long as 10 steps
  EXPECT_EQ(plan_of(run, 0.1, tokens).steps, 300);
  run.eval_every = 0;
  EXPECT_EQ(plan_of(run, 0.1, tokens).steps, 600);
}

TEST(LanguagePlan, HasAtLeastOneStep) {
  EXPECT_EQ(plan_of(run_of_minutes(0.001), 100, 1'000'000).steps, 1);
}

TEST(LanguageRecords, RoundTrip) {
  const std::vector<LanguageRecord> records = {
      {.kind = LanguageRecord::Kind::step,
       .step = 1,
       .loss = 2.5,
       .bits_per_byte = 3.6067376022224087,
       .gradient_norm = 0.1,
       .learning_rate = 1e-3},
      {.kind = LanguageRecord::Kind::step,
       .step = 2,
       .loss = std::nan(""),
       .bits_per_byte = std::nan(""),
       .gradient_norm = HUGE_VAL,
       .learning_rate = 1e-3},
      {.kind = LanguageRecord::Kind::validation, .step = 2, .loss = 2.25, .bits_per_byte = 3.25},
      {.kind = LanguageRecord::Kind::sample, .step = 2, .text = "To be\n\"or\" not \xff"}};
  std::string text;
  for (const LanguageRecord& record : records) {
    text += line_of(record);
  }
  const std::vector<LanguageRecord> parsed = parse_records(text, "metrics.jsonl");
  ASSERT_EQ(parsed.size(), 4U);
  EXPECT_EQ(parsed[0].loss, 2.5);
  EXPECT_EQ(parsed[0].bits_per_byte, 3.6067376022224087);
  EXPECT_EQ(parsed[0].learning_rate, 1e-3);
  EXPECT_TRUE(std::isnan(parsed[1].loss));
  EXPECT_EQ(parsed[2].kind, LanguageRecord::Kind::validation);
  EXPECT_EQ(parsed[2].loss, 2.25);
  EXPECT_EQ(parsed[3].text, "To be\n\"or\" not \xEF\xBF\xBD");
  EXPECT_EQ(parsed[3].step, 2);
}

TEST(LossText, NamesUnitsOrWhatIsNotFinite) {
  EXPECT_EQ(loss_text(1.5, 2), "1.5000 nats per token, 2.000 bits per byte");
  EXPECT_EQ(loss_text(1.5, HUGE_VAL), "1.5000 nats per token, infinite bits per byte");
  EXPECT_EQ(loss_text(-std::nan(""), -std::nan("")), "not a number");
}

TEST(LanguageRecords, NameTheLineThatIsDamaged) {
  for (const char* damaged :
       {"{\"step\": 1}\n{\"ste", "{\"step\": 1}\n[]\n", "{\"step\": 1}\n{\"step\": \"2\"}"}) {
    try {
      parse_records(damaged, "metrics.jsonl");
      ADD_FAILURE() << damaged;
    } catch (const DataError& error) {
      testing::expect_contains(error.what(), {"metrics.jsonl", "line 2"});
    }
  }
}

TEST(LanguageRecords, BecomeCurvesOfAtMostAboutAThousandPoints) {
  std::vector<LanguageRecord> records;
  for (int64_t step = 1; step <= 25'000; ++step) {
    records.push_back(
        {.step = step, .loss = 3, .bits_per_byte = 4, .gradient_norm = 1, .learning_rate = 1e-3});
  }
  records.push_back(
      {.kind = LanguageRecord::Kind::validation, .step = 25'000, .loss = 3, .bits_per_byte = 4});
  const report::Chart chart = loss_curves("learning", records);
  EXPECT_LE(chart.numbers.rows.size(), 2U * 1001U);
  EXPECT_GE(chart.numbers.rows.size(), 2U * 900U);
  EXPECT_FALSE(step_curves(records).numbers.rows.empty());
  EXPECT_NO_THROW(loss_curves("nothing", {}));
}

TEST(LanguageRecords, OfOneStepAreDrawnAsPoints) {
  const std::vector<LanguageRecord> records = {
      {.step = 1, .loss = 3, .bits_per_byte = 4, .gradient_norm = 1, .learning_rate = 1e-3}};
  for (const report::Chart& chart : {loss_curves("losses", records), step_curves(records)}) {
    const nlohmann::json& panels = chart.spec.at("concat");
    EXPECT_EQ(panels.size(), 2U);
    for (const nlohmann::json& panel : panels) {
      EXPECT_TRUE(testing::contains(panel.dump(), R"("type":"point")")) << panel.dump();
    }
  }
}

TEST(StartToken, IsOneThatTheTrainingTextHasOften) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += "one two\n";
  }
  Progress silent;
  const std::vector<std::string_view> texts = {text};
  const tokens::Tokenizer tokenizer = tokens::train_bpe(texts, {.vocab_size = 262}, silent);
  const auto line_feed = tokenizer.encode("\n");
  std::vector<int32_t> ids = tokenizer.encode(text);
  EXPECT_EQ(start_token_of(tokenizer, ids), line_feed.at(0));
  ids.insert(ids.end(), 9, *tokenizer.end_of_text());
  EXPECT_EQ(start_token_of(tokenizer, ids), line_feed.at(0)) << "nine do not train it";
  ids.push_back(*tokenizer.end_of_text());
  EXPECT_EQ(start_token_of(tokenizer, ids), tokenizer.end_of_text());
  const tokens::Tokenizer bytes = tokens::Tokenizer::bytes();
  EXPECT_EQ(start_token_of(bytes, bytes.encode("ACGT")), 'A');
  EXPECT_EQ(start_token_of(bytes, bytes.encode(text)), '\n');
}

} // namespace
} // namespace mneme::learning
