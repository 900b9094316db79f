// SPDX-License-Identifier: MIT

#include "experiments/findings.h"

#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "experiments/sample_outcome.h"

namespace mneme::experiments {
namespace {

using mneme::testing::contains;

const Experiment kExperiment{
    .id = "work/sample", .title = "Sample", .claim = "It holds.", .source = "a paper"};

std::vector<Finished> sample_findings() {
  return {{.experiment = &kExperiment, .outcome = sample_outcome()}};
}

TEST(Comparison, HoldsWithinItsToleranceOnly) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE((Comparison{.published = 1, .measured = exact_mean(1.5), .tolerance = 0.5}.is_met()));
  EXPECT_FALSE((Comparison{.published = 1, .measured = exact_mean(1.51), .tolerance = 0.5}.is_met()));
  EXPECT_FALSE((Comparison{.published = 1, .measured = exact_mean(nan), .tolerance = 0.5}.is_met()));
  EXPECT_FALSE((Comparison{.published = nan, .measured = exact_mean(nan), .tolerance = 0.5}.is_met()));
  const auto [met, missed, not_compared] = tally(sample_outcome());
  EXPECT_EQ(met, 2);
  EXPECT_EQ(missed, 1);
  EXPECT_EQ(not_compared, 0);
}

TEST(Findings, ShowValuesThatAreNotComparedButDoNotCountThem) {
  Outcome outcome = sample_outcome();
  outcome.comparisons.push_back(
      {.title = "Recall",
       .rows = {{.what = "far off", .published = 1, .measured = exact_mean(9), .explanation = "Known."},
                {.what = "equal", .published = 3, .measured = exact_mean(3)}},
       .not_compared = "quick run with 3 epochs"});
  const auto [met, missed, not_compared] = tally(outcome);
  EXPECT_EQ(met, 2);
  EXPECT_EQ(missed, 1);
  EXPECT_EQ(not_compared, 2);
  EXPECT_EQ(summary_of(outcome), "2 values met, 1 missed, 2 not compared (quick run with 3 epochs)");
  const std::vector<Finished> findings = {{.experiment = &kExperiment, .outcome = outcome}};
  const std::string text = markdown_of(findings, {.quick = true}, "a command");
  EXPECT_TRUE(contains(text, "| Sample | 2 | 1 | work/sample | 2 values not compared |"));
  EXPECT_TRUE(contains(text, "Recall (): 2 values not compared."));
  EXPECT_TRUE(contains(text, "| far off | 1 | 9 | 0 | not compared |"));
  EXPECT_TRUE(contains(text, "\nNot compared: quick run with 3 epochs.\n"));
  EXPECT_FALSE(contains(text, "Missed: far off"));
  const std::string html = report::to_html(page_of(findings, {.quick = true}));
  EXPECT_TRUE(contains(html, "Not compared: quick run with 3 epochs."));
  EXPECT_FALSE(contains(html, "<tr class=\"marked\"><th scope=\"row\" class=\"name\">far off</th>"));
  EXPECT_EQ(to_json(findings).at(0).at("not_compared"), 2);
}

TEST(Findings, ShowOneSidedClaimsAsRelations) {
  const ComparisonTable table{
      .title = "Claims",
      .rows = {{.what = "bound", .published = 10, .measured = exact_mean(9), .relation = Relation::at_most},
               judge_side("gain", Relation::above, 0, {0.2, 0.1}),
               judge_side("unclear", Relation::above, 0, {0.2, 0.3}),
               judge_side("one seed", Relation::below, 0, {-0.2, {}}),
               judge_side("wrong", Relation::below, 0, {0.2, 0.1})}};
  const auto [met, missed, not_compared] = tally(table);
  EXPECT_EQ(met, 2);
  EXPECT_EQ(missed, 1);
  EXPECT_EQ(not_compared, 2);
  const std::string text = report::to_text(comparison_table(table), {});
  for (const char* part : {"≤ 10", "> 0", "< 0", "cannot tell"}) {
    EXPECT_TRUE(contains(text, part)) << text;
  }
  for (const Comparison& row : table.rows) {
    EXPECT_EQ(relation_named(name_of(row.relation)), row.relation);
  }
  const Experiment experiment{.id = "a/b", .title = "A title"};
  const std::vector<Finished> findings = {{.experiment = &experiment, .outcome = {.comparisons = {table}}}};
  const auto rows = to_json(findings).at(0).at("comparisons").at(0).at("rows");
  EXPECT_EQ(rows.at(0).at("published"), 10);
  EXPECT_EQ(rows.at(0).at("relation"), "≤");
}

TEST(Findings, PageExplainsBandsIfThereAreSome) {
  const Experiment experiment{.id = "a/b", .title = "A title"};
  std::vector<Finished> findings = {{.experiment = &experiment, .outcome = sample_outcome()}};
  EXPECT_TRUE(contains(report::to_html(page_of(findings, {})), "Bands and whiskers"));
  findings[0].outcome.figures.clear();
  EXPECT_FALSE(contains(report::to_html(page_of(findings, {})), "Bands and whiskers"));
}

TEST(Findings, ShowIntervalsOnlyIfPresent) {
  const report::Table table = comparison_table({.rows = {{.what = "five seeds", .measured = {1.25, 0.25}},
                                                         {.what = "five equal seeds", .measured = {3, 0}},
                                                         {.what = "one seed", .measured = exact_mean(2)}}});
  EXPECT_EQ(std::get<report::Estimate>(table.rows[0][2]).low, 1);
  EXPECT_EQ(std::get<report::Estimate>(table.rows[1][2]).low, 3);
  EXPECT_EQ(std::get<double>(table.rows[2][2]), 2);
}

TEST(Findings, PageHighlightsMissedValuesWithTheirExplanation) {
  const std::string html = report::to_html(page_of(sample_findings(), {.quick = true, .seed = 7}));
  EXPECT_TRUE(contains(html, "It holds."));
  EXPECT_TRUE(contains(html, "Missed: second (published 2, measured 3). Known."));
  EXPECT_TRUE(contains(html, "<tr class=\"marked\"><th scope=\"row\" class=\"name\">second</th>"));
  EXPECT_TRUE(contains(html, "href=\"work/sample/a-figure.csv\""));
  EXPECT_TRUE(contains(html, "The original is off by one."));
  EXPECT_TRUE(contains(html, "id=\"work-sample\""));
}

TEST(Findings, PageMentionsPublishedValuesOnlyIfThereAreSome) {
  Outcome outcome = sample_outcome();
  EXPECT_TRUE(
      contains(report::to_html(page_of(sample_findings(), {})), "<h1>Published results, reproduced</h1>"));
  outcome.comparisons.clear();
  const std::vector<Finished> findings = {{.experiment = &kExperiment, .outcome = outcome}};
  const std::string html = report::to_html(page_of(findings, {}));
  EXPECT_TRUE(contains(html, "There are no published values to compare with."));
  EXPECT_FALSE(contains(html, "Every published value"));
}

TEST(Findings, ListTheLargestDeviationsOfManyMissedValues) {
  Outcome outcome = sample_outcome();
  std::vector<Comparison>& rows = outcome.comparisons.front().rows;
  for (int i = 1; i <= 9; ++i) {
    rows.push_back({.what = fmt::format("value {}", i),
                    .published = 0,
                    .measured = exact_mean(i),
                    .tolerance = 0.5,
                    .explanation = "Other images."});
  }
  const std::vector<Finished> findings = {{.experiment = &kExperiment, .outcome = outcome}};
  const std::string text = markdown_of(findings, {}, "a command");
  EXPECT_TRUE(contains(text, "Missed: second (published 2, measured 3). Known."));
  EXPECT_TRUE(
      contains(text, "Missed: 9 values; largest deviations: value 9 (published 0, measured 9); value 8"));
  EXPECT_TRUE(contains(text, "value 6 (published 0, measured 6). Other images."));
  EXPECT_FALSE(contains(text, "value 5 (published"));
  EXPECT_TRUE(contains(text, "| value 5 | 0 |"));
}

TEST(Findings, PageExplainsWhyAnExperimentWasNotRun) {
  const std::vector<Finished> findings = {
      {.experiment = &kExperiment, .outcome = {.skipped = "there is no MNIST."}}};
  EXPECT_TRUE(contains(report::to_html(page_of(findings, {})), "Not run: there is no MNIST."));
  EXPECT_TRUE(contains(markdown_of(findings, {}, "a command"), "Not run: there is no MNIST."));
}

TEST(Findings, MarkdownContainsEveryValueAndTheCommand) {
  const std::string text = markdown_of(sample_findings(), {.quick = true, .seed = 7}, "mneme reproduce x");
  EXPECT_TRUE(contains(text, "Generated by `mneme reproduce x` (quick parameters, seed 7)"));
  EXPECT_TRUE(contains(text, "`work/sample`. Claim: It holds."));
  EXPECT_TRUE(contains(text, "| first | 1 |"));
  EXPECT_TRUE(contains(text, "Missed: second (published 2, measured 3). Known."));
  EXPECT_TRUE(contains(text, "- The original is off by one."));
}

TEST(Findings, ContainTablesWithoutPublishedValues) {
  report::Table table{.columns = {{.name = "d"}, {.name = "capacity"}}, .rows = {{int64_t{4}, 0.25}}};
  Outcome outcome{.tables = {{"Growth", table}}};
  for (int64_t d = 5; d < 30; ++d) {
    table.rows.push_back({d, 1.0});
  }
  outcome.tables.push_back({"Growth, d < 30", table});
  const std::vector<Finished> findings = {{.experiment = &kExperiment, .outcome = outcome}};
  const std::string text = markdown_of(findings, {}, "a command");
  EXPECT_TRUE(contains(text, "| no published values to compare |"));
  EXPECT_TRUE(contains(text, "\nGrowth.\n\n| d | capacity |\n| ---: | ---: |\n| 4 | 0.25 |\n"));
  EXPECT_TRUE(contains(text, "<details><summary>Growth, d &lt; 30</summary>"));
  const nlohmann::ordered_json json = to_json(findings);
  EXPECT_EQ(json.at(0).at("tables").at(0).at("rows").at(0).at("capacity"), 0.25);
}

TEST(Findings, JsonCountsMissedValues) {
  const nlohmann::ordered_json json = to_json(sample_findings());
  EXPECT_EQ(json.at(0).at("met"), 2);
  EXPECT_EQ(json.at(0).at("missed"), 1);
  EXPECT_EQ(json.at(0).at("comparisons").at(0).at("rows").at(1).at("verdict"), "missed");
}

} // namespace
} // namespace mneme::experiments
