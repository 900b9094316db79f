// SPDX-License-Identifier: MIT

#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/atomic_file.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;

std::vector<std::string> theory(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "theory");
  return arguments;
}

/// The rows of `mneme theory ARGUMENTS --json`.
nlohmann::json results(std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const ProgramResult result = run_mneme(theory(std::move(arguments)));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return testing::results_of(result.out);
}

void expect_refusal(const std::vector<std::string>& arguments, const std::vector<std::string>& words) {
  const ProgramResult result = run_mneme(theory(arguments));
  EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
  EXPECT_EQ(result.out, "");
  for (const std::string& word : words) {
    EXPECT_TRUE(contains(result.err, word)) << word;
  }
}

TEST(TheoryVerb, ListsAllQuantitiesWithoutArguments) {
  const ProgramResult text = run_mneme({"theory"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  const nlohmann::json listed = testing::results_of(run_mneme({"theory", "--json"}).out).at("quantities");
  EXPECT_EQ(listed.size(), 16U);
  for (const nlohmann::json& quantity : listed) {
    const std::string name = quantity.at("name");
    EXPECT_TRUE(contains(text.out, "\n  " + name + " "));
    EXPECT_TRUE(contains(text.out, quantity.at("summary")));
    const ProgramResult alone = run_mneme({"theory", name, "--json", "--quiet"});
    EXPECT_EQ(alone.exit_code, 0) << name << alone.err;
    EXPECT_EQ(testing::parameters_of(alone.out).at("quantity"), name);
  }
}

TEST(TheoryVerb, AcceptsValuesListsAndRanges) {
  const nlohmann::json rows =
      results({"critical-distance", "--hamming-radius", "449..451", "--items", "1000,10000"});
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].at("items"), 1000);
  EXPECT_EQ(rows[0].at("hamming_radius"), 449);
  EXPECT_EQ(rows[5].at("items"), 10000);
  EXPECT_EQ(rows[5].at("hamming_radius"), 451);
  EXPECT_EQ(rows[5].at("critical_distance"), 234);
  EXPECT_EQ(rows[5].at("published_new"), 164);
  EXPECT_EQ(rows[5].at("published_old"), 212);

  const nlohmann::json locations = results({"critical-distance", "--bits", "64", "--hamming-radius", "15",
                                            "--items", "1024", "--locations", "1e4..1e20..x1e4,2^64"});
  ASSERT_EQ(locations.size(), 6U);
  EXPECT_EQ(locations[4].at("locations"), 1e20);
  EXPECT_EQ(locations[5].at("published_new"), 31);
}

TEST(TheoryVerb, ListsTheSettingsInTheParameters) {
  const ProgramResult result = run_mneme(
      {"theory", "critical-distance", "--hamming-radius", "450", "--items", "1000,10000", "--json"});
  const nlohmann::json parameters = testing::parameters_of(result.out);
  EXPECT_EQ(parameters.at("bits"), 1000);
  EXPECT_EQ(parameters.at("hamming_radius"), 450);
  EXPECT_EQ(parameters.at("items"), nlohmann::json({1000, 10000}));
  EXPECT_EQ(parameters.at("choices").at("storage"), "auto");
}

TEST(TheoryVerb, ComputesTheCriticalDistanceOfBothErrors) {
  const nlohmann::json critical = results({"critical-distance"})[0];
  for (const auto& [key, error] :
       {std::pair("critical_distance", "g"), std::pair("critical_distance_corrected", "bits_wrong")}) {
    const int64_t distance = critical.at(key);
    const nlohmann::json reads =
        results({"one-read-error", "--distance", fmt::format("{},{}", distance, distance + 1)});
    EXPECT_LT(reads[0].at(error), distance) << key;
    EXPECT_GE(reads[1].at(error), distance + 1) << key;
  }
  EXPECT_EQ(critical.at("first"), 1);
}

TEST(TheoryVerb, LeavesOutValuesThatDoNotExist) {
  const nlohmann::json read = results({"one-read-error", "--hamming-radius", "0", "--distance", "0,10"});
  EXPECT_EQ(read[0].at("bits_wrong"), 0);
  EXPECT_EQ(read[1].at("bits_wrong"), 10);
  for (const std::vector<std::string>& settings :
       {std::vector<std::string>{"--bits", "1"}, {"--hamming-radius", "0"}}) {
    std::vector<std::string> arguments = {"critical-distance"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    EXPECT_TRUE(results(arguments)[0].at("published_new").is_null());
  }
  const nlohmann::json tiny =
      results({"circle-intersection", "--bits", "10000", "--hamming-radius", "0", "--distance", "0,1"});
  EXPECT_TRUE(tiny[0].at("share").is_null());
  EXPECT_NEAR(tiny[0].at("log_share"), -6931.471806, 1e-6);
  EXPECT_EQ(tiny[1].at("share"), 0);
  const nlohmann::json betas = results({"beta", "--bits", "64", "--hamming-radius", "1,2"});
  EXPECT_TRUE(betas[0].at("beta").is_null());
  EXPECT_TRUE(betas[1].at("beta").is_number());
  EXPECT_TRUE(results({"softmax", "--hamming-radius", "0"}).at("fits").at(0).at("beta").is_null());
  const nlohmann::json near =
      results({"softmax", "--bits", "64", "--hamming-radius", "1", "--locations", "2^64"});
  EXPECT_TRUE(near.at("fits").at(0).at("beta").is_null());
  EXPECT_NEAR(near.at("rows").at(0).at("intersection"), 65.0 / (65 + 2 + 2), 1e-12);
  EXPECT_NEAR(near.at("rows").at(0).at("locations_shared"), 65, 1e-9);
  EXPECT_TRUE(near.at("rows").at(0).at("softmax").is_null());
  EXPECT_TRUE(results({"capacity", "--bits", "1"})[0].at("capacity").is_null());
  EXPECT_TRUE(results({"optimal-radius", "--bits", "1"})[0].at("capacity").is_null());
}

TEST(TheoryVerb, PrintsThePublishedAndTheCorrectedCapacity) {
  const nlohmann::json row =
      results({"capacity", "--bits", "256", "--locations", "1e5", "--hamming-radius", "103"})[0];
  EXPECT_EQ(row.at("capacity"), 10762);
  EXPECT_NEAR(row.at("corrected_capacity").get<double>(), 28'302, 100);
}

TEST(TheoryVerb, ComputesMemoriesWithMoreLocationsThanTheCorrectedErrorAccepts) {
  const std::vector<std::string> memory = {"--bits", "64", "--items", "1024", "--hamming-radius", "4"};
  for (const auto& [locations, is_computed] : {std::pair("2^64", true), std::pair("1e31", false)}) {
    for (const std::string quantity : {"one-read-error", "critical-distance"}) {
      std::vector<std::string> arguments = {quantity, "--locations", locations};
      arguments.insert(arguments.end(), memory.begin(), memory.end());
      const nlohmann::json row = results(arguments)[0];
      const bool is_error = quantity == "one-read-error";
      EXPECT_TRUE(row.at(is_error ? "g" : "critical_distance").is_number()) << quantity << locations;
      EXPECT_EQ(row.at(is_error ? "bits_wrong" : "critical_distance_corrected").is_number(), is_computed)
          << quantity << locations;
    }
  }
}

TEST(TheoryVerb, AcceptsTheBestRadiusByName) {
  EXPECT_EQ(results({"capacity", "--hamming-radius", "best"}), results({"capacity"}));
}

TEST(TheoryVerb, ConvertsNoiseToDistance) {
  const nlohmann::json by_noise = results({"one-read-error", "--bits", "200", "--noise", "0.1,0.2"});
  const nlohmann::json by_distance = results({"one-read-error", "--bits", "200", "--distance", "20,40"});
  EXPECT_EQ(by_noise, by_distance);
}

TEST(TheoryVerb, ReproducesPublishedNumbers) {
  const nlohmann::json circles =
      results({"circle-intersection", "--hamming-radius", "451", "--distance", "0,100"});
  EXPECT_NEAR(circles[1].at("locations_shared"), 285.830559, 1e-6);
  const nlohmann::json book =
      results({"circle-intersection", "--form", "book", "--hamming-radius", "451", "--distance", "100"});
  EXPECT_NEAR(book[0].at("locations_shared"), 254.636411, 1e-6);
  EXPECT_NEAR(results({"beta", "--bits", "64", "--hamming-radius", "11"})[0].at("beta"), 15.852765236405924,
              1e-9);
  const nlohmann::json optimal =
      results({"optimal-radius", "--bits", "64", "--items", "1024", "--locations", "2^64"})[0];
  EXPECT_EQ(optimal.at("snr_radius"), 11);
  EXPECT_EQ(optimal.at("capacity_radius"), 5);
  const nlohmann::json by_search = results({"optimal-radius"})[0];
  EXPECT_EQ(by_search.at("snr_radius"), 447);
  EXPECT_EQ(by_search.at("best_snr_radius"), 446);
  EXPECT_EQ(by_search.at("best_capacity_radius"), 443);
  EXPECT_EQ(results({"address-count", "--bits", "64", "--hamming-radius", "11", "--distance", "1"})[0].at(
                "addresses"),
            "311949983890");
  EXPECT_NEAR(results({"nearest-location"})[0].at("published_radius"), 424.84176249454015, 1e-9);
}

TEST(TheoryVerb, FormsOfTheIntersectionDiffer) {
  std::vector<double> shares;
  for (const char* form : {"exact", "linear", "exponential", "book"}) {
    const nlohmann::json row = results({"circle-intersection", "--bits", "64", "--hamming-radius", "19",
                                        "--distance", "8", "--form", form})[0];
    for (const double share : shares) {
      EXPECT_GT(std::abs(share / row.at("share").get<double>() - 1), 1e-4) << form;
    }
    shares.push_back(row.at("share"));
  }
  const nlohmann::json lune = results({"circle-intersection", "--bits", "64", "--hamming-radius", "19",
                                       "--distance", "8", "--form", "lune"})[0];
  EXPECT_NEAR(lune.at("share").get<double>() / shares[0], 1, 1e-9);
}

TEST(TheoryVerb, HasTheSameResultsInTextCsvAndFiles) {
  const TemporaryFolder folder;
  const std::vector<std::string> arguments = {"one-read-error", "--bits",     "256",      "--items",
                                              "100,1000",       "--distance", "0..64..16"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), arguments.begin(), arguments.end());
    return run_mneme(theory(more));
  };
  const ProgramResult csv = with({"--csv"});
  EXPECT_EQ(csv.exit_code, 0) << csv.err;
  EXPECT_TRUE(contains(csv.out, "bits,locations,hamming_radius,items,distance,bits_wrong,"));
  const ProgramResult text = with({"--out", folder.path().string()});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "bits 256, locations 1000000"));
  EXPECT_EQ(read_text(folder / "results.csv"), csv.out);
  const nlohmann::json chart = nlohmann::json::parse(read_text(folder / "one-read-error.vl.json"));
  EXPECT_TRUE(contains(chart.dump(), "items 1000"));
  EXPECT_TRUE(contains(read_text(folder / "index.html"), "one-read-error"));
}

TEST(TheoryVerb, RejectsInvalidSettings) {
  expect_refusal({"critical-distance", "--bits", "64", "--hamming-radius", "65"},
                 {"--hamming-radius 65", "64 bits"});
  expect_refusal({"one-read-error", "--bits", "64", "--distance", "0..65"}, {"--distance 65", "64 bits"});
  expect_refusal({"beta", "--bits", "0"}, {"--bits", "\"0\""});
  expect_refusal({"beta", "--bits", "-64"}, {"--bits", "-64"});
  expect_refusal({"beta", "--bits", "6.5"}, {"--bits", "6.5", "integer"});
  expect_refusal({"beta", "--bits", "1e12"}, {"--bits", "1e12"});
  expect_refusal({"capacity", "--probability", "1"}, {"--probability", "less than 1"});
  expect_refusal({"critical-distance", "--locations", "0"}, {"--locations", "\"0\""});
  expect_refusal({"critical-distance", "--locations", "2.5"}, {"--locations", "2.5", "integer"});
  expect_refusal({"critical-distance", "--locations", "1e300"}, {"--locations", "1e300"});
  expect_refusal({"critical-distance", "--locations", "10^200"}, {"--locations", "10^200"});
  expect_refusal({"critical-distance", "--locations", "9..3"}, {"9..3", "end before its start"});
  expect_refusal({"critical-distance", "--locations", "1..1e9"}, {"1..1e9", "x10"});
  expect_refusal({"critical-distance", "--items", "nan"}, {"--items", "nan"});
  expect_refusal({"critical-distance", "--bits", "1..1e6", "--hamming-radius", "1..100"}, {"1000000 rows"});
  expect_refusal({"one-read-error", "--noise", "0.1", "--distance", "3"}, {"--noise", "--distance"});
  expect_refusal({"one-read-error", "--noise", "1.1"}, {"--noise", "1.1"});
  expect_refusal({"one-read-error", "--storage", "both"}, {"both", "hetero"});
  expect_refusal({"circle-intersection", "--form", "lune", "--bits", "2000"}, {"2000", "1023"});
  expect_refusal({"circle-intersection", "--json", "--csv"}, {"--json", "--csv"});
  expect_refusal({"critcal-distance"}, {"critcal-distance", "critical-distance"});
  expect_refusal({"foo"}, {"\"foo\"", "Give one of ", "beta, ", "plan"});
  expect_refusal({"plan", "--trials", "4"}, {"--trials", "--simulate"});
  expect_refusal({"plan", "--seed", "4"}, {"--seed", "--simulate"});
  expect_refusal({"plan", "--cues", "100"}, {"--cues", "--simulate"});
  expect_refusal({"plan", "--target", "0.5"}, {"--target", "0.5"});
  expect_refusal({"plan", "--hamming-radius", "1001"}, {"1001", "1000"});
  expect_refusal({"plan", "--memory-limit", "10B"}, {"10 B", "2.14 kB"});
}

TEST(TheoryVerb, DrawsOneLineIfASettingIsChosenFromTheOneThatVaries) {
  const TemporaryFolder folder;
  // The best radius varies with the number of bits.
  const ProgramResult result =
      run_mneme({"theory", "capacity", "--bits", "100..300..100", "--out", (folder / "run").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(read_text(folder / "run" / "capacity.csv")
                  .starts_with("series,bits_per_pattern,capacity_patterns\npublished formula,100,"))
      << read_text(folder / "run" / "capacity.csv");
}

TEST(TheoryVerb, DrawsSettingsThatChangeADrawnValueOnly) {
  const TemporaryFolder folder;
  const ProgramResult result = run_mneme({"theory", "softmax", "--bits", "64,128", "--hamming-radius", "8,11",
                                          "--locations", "1e6,1e8", "--out", (folder / "run").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string csv = read_text(folder / "run" / "softmax.csv");
  EXPECT_TRUE(contains(csv, "softmax, bits 128, radius 11"));
  EXPECT_FALSE(contains(csv, "locations"));
  EXPECT_FALSE(contains(result.out, "shows only"));
}

TEST(TheoryVerb, ReportsColumnsThatTheChartLeavesOut) {
  const TemporaryFolder folder;
  const ProgramResult result =
      run_mneme({"theory", "one-read-error", "--bits", "256", "--hamming-radius", "100..104", "--distance",
                 "0..64..8", "--out", (folder / "run").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(
      contains(result.out, "shows only \"with all corrections\", since all columns would be 10 lines"))
      << result.out;
  EXPECT_TRUE(contains(read_text(folder / "run" / "index.html"), "shows only"));
}

TEST(TheoryVerb, NamesQuantitiesAndUnitsOnTheAxes) {
  const TemporaryFolder folder;
  run_mneme({"theory", "one-read-error", "--out", (folder / "run").string()});
  const nlohmann::json chart = nlohmann::json::parse(read_text(folder / "run" / "one-read-error.vl.json"));
  EXPECT_TRUE(contains(chart.dump(), "wrong bits after one read"));
  EXPECT_TRUE(contains(chart.dump(), "Hamming distance (bits)"));
  EXPECT_TRUE(contains(chart.dump(), "g, the closed formula"));
}

TEST(TheoryVerb, WritesNothingIfThereIsNoFigureToDraw) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "python", "#!/bin/sh\nexit 0\n");
  std::filesystem::permissions(folder / "python", std::filesystem::perms::owner_all);
  const auto refused = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--figures", "png", "--out", (folder / "run").string()});
    const ProgramResult result =
        run_mneme(theory(arguments), {.environment = {{"MNEME_PYTHON", (folder / "python").string()}}});
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_FALSE(std::filesystem::exists(folder / "run"));
    return result.err;
  };
  EXPECT_TRUE(contains(refused({"address-count"}), "not drawn"));
  EXPECT_TRUE(contains(refused({"capacity"}), "no setting varies"));
  EXPECT_TRUE(
      contains(refused({"signal-to-noise", "--bits", "1000..1030", "--distance", "0..100..1"}), "31 lines"));
}

TEST(TheoryVerb, ComparesSoftmaxWithTheIntersection) {
  const nlohmann::json softmax =
      results({"softmax", "--bits", "64", "--hamming-radius", "11", "--locations", "2^64"});
  const nlohmann::json& fit = softmax.at("fits").at(0);
  EXPECT_NEAR(fit.at("beta"), 15.852765236405924, 1e-9); // published
  EXPECT_GT(fit.at("r_squared"), 0.9);
  EXPECT_GT(fit.at("total_variation"), fit.at("max_difference").get<double>() / 2);
  EXPECT_EQ(softmax.at("rows").size(), 23U); // distances at which circles intersect
  double sum = 0;
  for (const nlohmann::json& row : softmax.at("rows")) {
    sum += row.at("intersection").get<double>();
  }
  EXPECT_NEAR(sum, 1, 1e-12);
  const nlohmann::json best =
      results({"softmax", "--bits", "64", "--hamming-radius", "11", "--beta", "weights"});
  EXPECT_LT(best.at("fits").at(0).at("total_variation"), fit.at("total_variation"));
}

TEST(TheoryPlan, SaysWhenNotToRead) {
  const ProgramResult correct = run_mneme({"theory", "plan", "--noise", "0.05", "--target", "0.9"});
  EXPECT_EQ(correct.exit_code, 0) << correct.err;
  EXPECT_TRUE(contains(correct.out, "Not reading is the best answer")) << correct.out;
  const ProgramResult opposite = run_mneme({"theory", "plan", "--noise", "0.6"});
  EXPECT_EQ(opposite.exit_code, 1);
  EXPECT_TRUE(contains(opposite.out, "nearer to the opposite of its pattern")) << opposite.out;
  EXPECT_TRUE(contains(opposite.out, "plan with --noise 0.4")) << opposite.out;
}

TEST(TheoryPlan, ComputesTheRequiredSize) {
  const ProgramResult text = run_mneme({"theory", "plan", "--bits", "256", "--items", "500"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  const ProgramResult json = run_mneme({"theory", "plan", "--bits", "256", "--items", "500", "--json"});
  const nlohmann::json plan = testing::results_of(json.out);
  EXPECT_EQ(plan.at("reaches_target"), true);
  EXPECT_GE(plan.at("right_share"), 0.99);
  EXPECT_TRUE(contains(text.out, std::to_string(plan.at("locations").get<int64_t>())));
  EXPECT_TRUE(contains(text.out, std::to_string(plan.at("hamming_radius").get<int64_t>()) + " bits"));
  EXPECT_GT(plan.at("beta"), 1);
  EXPECT_EQ(plan.at("memory_bytes"), plan.at("locations").get<int64_t>() * (4 * 8 + 2 * 256 + 8));
}

TEST(TheoryPlan, ExitsWithOneIfTheLimitIsTooLow) {
  const std::vector<std::string> arguments = {"theory", "plan", "--noise", "0.2", "--memory-limit", "1GB"};
  const ProgramResult text = run_mneme(arguments);
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_TRUE(contains(text.out, "cannot be reached"));
  std::vector<std::string> as_json = arguments;
  as_json.push_back("--json");
  const ProgramResult json = run_mneme(as_json);
  EXPECT_EQ(json.exit_code, 1);
  const nlohmann::json plan = testing::results_of(json.out);
  EXPECT_EQ(plan.at("reaches_target"), false);
  EXPECT_LE(plan.at("memory_bytes"), 1e9);
  EXPECT_LT(plan.at("right_share"), 0.99);
  EXPECT_GT(plan.at("needed").at("memory_bytes"), 1e9);
}

TEST(TheoryPlan, SimulatesThePlannedMemory) {
  const std::vector<std::string> arguments = {"theory", "plan",       "--bits",   "128", "--items", "100",
                                              "--json", "--simulate", "--trials", "20",  "--quiet"};
  const ProgramResult first = run_mneme(arguments);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  const nlohmann::json plan = testing::results_of(first.out);
  EXPECT_NEAR(plan.at("simulated_over_predicted"), 1, 0.15); // 20 small memories
  EXPECT_GT(plan.at("end_exact"), plan.at("exact_after_one_read"));
  EXPECT_EQ(testing::results_of(run_mneme(arguments).out), plan) << "same seed, same results";
  std::vector<std::string> other = arguments;
  other.insert(other.end(), {"--seed", "2", "--threads", "1"});
  EXPECT_NE(testing::results_of(run_mneme(other).out), plan);
}

TEST(TheoryPlan, ShowsNoIntervalOfASingleTrial) {
  const std::vector<std::string> command = {"theory", "plan",       "--bits",   "128", "--items",
                                            "100",    "--simulate", "--trials", "1",   "--quiet"};
  const ProgramResult text = run_mneme(command);
  EXPECT_TRUE(contains(text.out, "simulated")) << text.err;
  EXPECT_FALSE(contains(text.out, "±"));
  EXPECT_FALSE(contains(text.out, "interval"));
  std::vector<std::string> as_json = command;
  as_json.push_back("--json");
  const nlohmann::json plan = testing::results_of(run_mneme(as_json).out);
  EXPECT_TRUE(plan.at("end_exact").is_number());
  EXPECT_FALSE(plan.contains("end_exact_low"));
}

TEST(TheoryPlan, RejectsASimulationThatDoesNotFitInMemory) {
  const ProgramResult result =
      run_mneme({"theory", "plan", "--items", "1e7", "--noise", "0.3", "--simulate"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "--simulate needs"));
}

} // namespace
} // namespace mneme
