// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ProgramResult;
using testing::run_mneme;
using testing::TemporaryFolder;

ProgramResult train(const TemporaryFolder& folder, std::vector<std::string> more,
                    const std::string& samples = "60") {
  std::vector<std::string> arguments{
      "train",    "sparse-and", "--context-length", "9", "--samples", samples,
      "--epochs", "40",         "--seeds",          "3", "--out",     folder.path().string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_mneme(arguments);
}

TEST(Train, WritesARunFolderThatDoesNotDependOnThreads) {
  const TemporaryFolder one, two;
  ASSERT_EQ(train(one, {"--threads", "1"}).exit_code, 0);
  const ProgramResult result = train(two, {"--threads", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "self-attention with 41 parameters"));
  EXPECT_TRUE(contains(result.out, "validation accuracy"));
  for (const char* name :
       {"config.json", "metrics.jsonl", "trials.csv", "learning.csv", "learning.vl.json", "index.html"}) {
    EXPECT_EQ(testing::read_text(one / name), testing::read_text(two / name)) << name;
  }
}

TEST(Train, PrintsOneJsonDocument) {
  const TemporaryFolder folder;
  const ProgramResult result = train(folder, {"--model", "mlp", "--hidden-size", "8", "--json"});
  const nlohmann::json document = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_TRUE(document.is_object()) << result.out << result.err;
  EXPECT_EQ(document.at("config").at("parameters"), 9 * 8 + 8 + 8 + 1);
  EXPECT_EQ(document.at("trials").size(), 3U);
  EXPECT_EQ(document.at("summary").size(), 4U);
}

TEST(Train, TakesThePrecisionAskedFor) {
  const TemporaryFolder folder;
  const auto loss = [&](const std::string& precision) {
    const std::vector<std::string> more = {"--model", "mlp",         "--hidden-size", "8",
                                           "--json",  "--precision", precision};
    const nlohmann::json document = nlohmann::json::parse(train(folder, more).out);
    EXPECT_EQ(document.at("config").at("precision"), precision);
    return document.at("trials")[0].at("training_loss").get<double>();
  };
  const double fast = loss("float32"), exact = loss("float64");
  EXPECT_NE(fast, exact);
  EXPECT_NEAR(fast, exact, 1e-3); // rounding, which training spreads
}

TEST(Train, RefusesWhatCannotBe) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& more, const std::string& part) {
    const ProgramResult result = train(folder, more);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_TRUE(contains(result.err, part));
  };
  refused({"--precision", "float16"}, "float32, float64");
  refused({"--sparsity", "5"}, "T - 1 = 8");
  refused({"--no-rule", "--sparsity", "10"}, "T = 9");
  EXPECT_TRUE(contains(train(folder, {}, "0").err, "0 samples"));
  refused({"--sparsity", "4"}, "none of 100 batches");
  refused({"--learning-rate", "0"}, "--learning-rate");
  refused({"--balanced", "--probability", "0.5"}, "--probability");
  refused({"--products"}, "--products");
  EXPECT_EQ(run_mneme({"train"}).exit_code, 2);
}

} // namespace
} // namespace mneme
