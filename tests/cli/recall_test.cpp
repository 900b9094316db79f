// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/csv.h"
#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/npy.h"
#include "mneme/data/png.h"
#include "mneme/data/random_patterns.h"
#include "mneme/trials/memory_kinds.h"

namespace mneme {
namespace {

using testing::contains;
using testing::CsvRow;
using testing::parse_csv;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::starts_with;
using testing::TemporaryFolder;
using testing::write_text;
using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

/// Runs `mneme recall` with few hard locations and trials, if these options have an effect.
ProgramResult recall(Arguments more) {
  Arguments arguments{"recall"};
  const auto has = [&](const char* option) { return std::ranges::find(more, option) != more.end(); };
  const auto memory = std::ranges::find(more, "--memory");
  const bool has_steps = has("--similarity") || has("--separation") || has("--projection");
  if (memory == more.end() ? !has_steps
                           : *std::next(memory) == "all" || *std::next(memory) == "sdm" ||
                                 starts_with(*std::next(memory), "sdm,")) {
    arguments.insert(arguments.end(), {"--hard-locations", "2000"});
  }
  if (!has("--cues") && !has("--seeds")) {
    arguments.insert(arguments.end(), {"--seeds", "2"});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_mneme(arguments);
}

/// The JSON document on stdout of a successful run.
Json recall_json(Arguments more) {
  more.push_back("--json");
  const ProgramResult result = recall(more);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return testing::framed(result.out);
}

Arguments names_in(const std::filesystem::path& folder) {
  Arguments names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

TEST(RecallVerb, ComparesTheMemoriesOfThePaperOnTheBuiltInPatterns) {
  const ProgramResult result = recall({});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_FALSE(contains(result.out, "\033")) << "colour is for terminals";
  EXPECT_TRUE(contains(result.out, "Recalled exactly, in % of the cues"));
  for (const trials::MemoryKind& kind : trials::memory_kinds()) {
    EXPECT_EQ(contains(result.out, "\n" + kind.name + " "), kind.in_paper) << kind.name;
  }
  for (const char* level : {"10 % noise", "20 % noise", "30 % noise"}) {
    EXPECT_TRUE(contains(result.out, level)) << level;
  }
}

TEST(RecallVerb, AdvisesALargerRadiusIfCuesReadNothing) {
  const auto out_of = [](const Arguments& arguments) {
    std::string out = recall(arguments).out;
    std::ranges::replace(out, '\n', ' '); // lines are broken anywhere
    return out;
  };
  const std::string radius = out_of({"--patterns", "random:20x256", "--similarity", "hamming", "--separation",
                                     "radius", "--hamming-radius", "12", "--noise", "0.2"});
  EXPECT_TRUE(contains(radius, "for 100 % of the cues (20 % noise) no stored pattern is within its Hamming "
                               "radius of 12 of 256 bits. Increase --hamming-radius"))
      << radius;
  const std::string circles = out_of(
      {"--patterns", "random:20x256", "--memory", "pattern-sdm", "--hamming-radius", "20", "--noise", "0.3"});
  EXPECT_TRUE(contains(circles, "no stored pattern is within twice its Hamming radius, 40 of 256 bits"))
      << circles;
}

TEST(RecallVerb, StatesThatCuesAreComparedWithAllPatterns) {
  const ProgramResult result =
      recall({"--patterns", "random:20x256", "--cues", "random:5x256", "--memory", "attention"});
  EXPECT_TRUE(contains(result.out, "Readouts that are any stored pattern, right or wrong, in % of the cues"))
      << result.out;
  EXPECT_FALSE(contains(result.out, "ecalled exactly")) << "the right patterns are not known\n" << result.out;
  EXPECT_TRUE(contains(result.out, "cosine of cue and pattern")) << result.out;
  EXPECT_FALSE(contains(result.out, "all zeros")) << result.out;
  const TemporaryFolder folder;
  data::write_npy(folder / "zeros.npy", RealPatterns(3, 256));
  const std::string zeros = (folder / "zeros.npy").string();
  EXPECT_TRUE(contains(recall({"--patterns", "random:20x256", "--cues", zeros, "--memory", "attention"}).out,
                       "3 of 3 cues are all zeros"));
  const ProgramResult masked =
      recall({"--patterns", "random:20x256", "--corrupt", "mask", "--memory", "attention"});
  EXPECT_TRUE(contains(masked.out, "the last fraction of the components is set to 0")) << masked.out;
}

/// Width of the longest line.
size_t width_of(const std::string& text) {
  size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, static_cast<size_t>(std::ranges::count_if(
                                  line, [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; })));
  }
  return widest;
}

TEST(RecallVerb, PrintsANarrowTableWithoutDetails) {
  const Arguments few{"--memory", "pattern-sdm,attention"};
  Arguments details = few, many = few;
  details.emplace_back("--details");
  many.insert(many.end(), {"--noise", "0,0.1,0.2,0.3,0.4"});
  EXPECT_LE(width_of(recall({}).out), 105U);
  for (const Arguments& arguments : {details, many}) {
    const std::string out = recall(arguments).out;
    for (const char* column : {"wrong bits (%)", "cosine", "steps", "converged (%)", "time (s)"}) {
      EXPECT_TRUE(contains(out, column)) << out;
    }
  }
  const std::string given = recall({"--memory", "pattern-sdm", "--cues", "random:3x256"}).out;
  EXPECT_TRUE(contains(given, "given cues")) << given;
}

/// With the defaults, every memory of the paper recalls the built-in letters and random patterns.
TEST(RecallVerb, FitsTheOutputToANarrowTerminal) {
  const ProgramResult narrow =
      run_mneme({"recall", "--limit", "5", "--memory", "attention,hopfield,binary-attention"},
                {.environment = {{"COLUMNS", "40"}}});
  ASSERT_EQ(narrow.exit_code, 0) << narrow.err;
  const size_t table = narrow.out.find("memory");
  ASSERT_NE(table, std::string::npos);
  EXPECT_NE(narrow.out.find("memory", table + 1), std::string::npos) << "the table is not split";
  std::istringstream lines(narrow.out);
  for (std::string line; std::getline(lines, line);) {
    const auto characters =
        std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    EXPECT_LE(characters, 40) << line;
  }
}

TEST(RecallVerb, RecallsAtTenPercentNoiseByDefault) {
  for (const Arguments& patterns :
       {Arguments{}, Arguments{"--patterns", "random:60x200"}, Arguments{"--patterns", "random:1x64"},
        Arguments{"--patterns", "sphere:30x64"}}) {
    Arguments arguments{"recall", "--noise", "0.1", "--seeds", "2", "--json", "--quiet"};
    arguments.insert(arguments.end(), patterns.begin(), patterns.end());
    const Json document = Json::parse(run_mneme(arguments).out);
    ASSERT_EQ(document.at("results").size(), 7U);
    for (const Json& row : document.at("results")) {
      EXPECT_GE(row.at("exact"), 0.9) << row;
    }
    for (const Json& memory : document.at("parameters").at("memories")) {
      EXPECT_EQ(memory.at("beyond_capacity"), false) << memory;
    }
  }
}

TEST(RecallVerb, ExplainsWhyCuesCannotBeRecalled) {
  const auto out_of = [](const Arguments& arguments) {
    std::string out = recall(arguments).out;
    std::ranges::replace(out, '\n', ' '); // lines are broken anywhere
    return out;
  };
  const std::string near =
      out_of({"--patterns", "random:500x16", "--memory", "pattern-sdm", "--noise", "0.2"});
  EXPECT_TRUE(contains(near, "nearer to another stored pattern")) << near;
  EXPECT_TRUE(contains(near, "% at 20 % noise as bits")) << near;
  const std::string few = out_of({"--memory", "sdm", "--noise", "0.1"});
  EXPECT_TRUE(contains(few, "2000 hard locations are too few")) << few;
}

TEST(RecallVerb, PrintsOneJsonDocument) {
  const Json document =
      recall_json({"--memory", "all", "--noise", "0.05,0.2", "--seed", "9", "--threads", "1"});
  EXPECT_EQ(document.at("parameters").at("complete"), true);
  EXPECT_EQ(document.at("seed"), 9);
  EXPECT_EQ(document.at("parameters").at("seeds"), 2);
  EXPECT_EQ(document.at("parameters").at("memories").at(0).at("parameters").at("hard_locations"), 2000);
  EXPECT_TRUE(document.at("parameters")
                  .at("memories")
                  .at(1)
                  .at("parameter_origins")
                  .at("hamming_radius")
                  .is_string());
  EXPECT_EQ(document.at("parameters").at("patterns").at("count"), 36);
  EXPECT_EQ(document.at("parameters").at("patterns").at("size"), 256);
  EXPECT_EQ(document.at("environment").at("threads"), 1);
  EXPECT_TRUE(document.at("environment").at("cpu_target").is_string());
  const size_t kinds = trials::memory_kinds().size();
  EXPECT_EQ(document.at("parameters").at("memories").size(), kinds);
  ASSERT_EQ(document.at("results").size(), 2 * kinds);
  ASSERT_EQ(document.at("timing").at("recall").size(), 2 * kinds);
  for (size_t i = 0; i < 2 * kinds; ++i) {
    const trials::MemoryKind& kind = trials::memory_kinds()[i / 2];
    const Json& row = document.at("results").at(i);
    EXPECT_EQ(row.at("memory"), kind.name);
    EXPECT_EQ(row.at("noise"), i % 2 == 0 ? 0.05 : 0.2);
    EXPECT_EQ(row.at("bit_error").is_number(), kind.on_bits) << kind.name;
    const double exact = row.at("exact");
    EXPECT_LE(row.at("exact_low"), exact) << kind.name;
    EXPECT_GE(row.at("exact_high"), exact) << kind.name;
    EXPECT_TRUE(row.at("cosine").is_number()) << kind.name;
    const Json& timing = document.at("timing").at("recall").at(i);
    EXPECT_EQ(timing.at("memory"), kind.name);
    EXPECT_GT(timing.at("seconds"), 0.0) << kind.name;
  }
}

TEST(RecallVerb, WritesARunFolderThatCanBeReadBack) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "run/nested";
  const ProgramResult result = recall({"--memory", "all", "--noise", "0.1,0.25", "--out", out.string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, out.string()));

  const size_t kinds = trials::memory_kinds().size();
  const std::vector<CsvRow> rows = parse_csv(read_text(out / "results.csv"));
  ASSERT_EQ(rows.size(), 2 * kinds);
  EXPECT_EQ(parse_csv(read_text(out / "timing.csv")).size(), 2 * kinds);
  const RealPatterns glyphs = data::builtin_glyphs().patterns;
  for (size_t i = 0; i < rows.size(); ++i) {
    const trials::MemoryKind& kind = trials::memory_kinds()[i / 2];
    EXPECT_EQ(rows[i].at("memory"), kind.name);
    EXPECT_EQ(rows[i].at("noise"), i % 2 == 0 ? "0.1" : "0.25");
    const std::string name = "recalled-" + kind.name + "-noise-" + rows[i].at("noise") + ".npy";
    const data::PatternSet recalled = data::read_npy(out / name);
    ASSERT_EQ(recalled.patterns.count(), 36) << name;
    ASSERT_EQ(recalled.patterns.size(), 256) << name;
    if (!kind.on_bits) {
      EXPECT_TRUE(contains(read_text(out / name).substr(0, 128), "(36, 16, 16")) << name;
    } else if (std::stod(rows[i].at("exact")) == 1) {
      EXPECT_EQ(recalled.patterns, glyphs) << name;
    }
  }

  EXPECT_TRUE(starts_with(read_text(out / "sheet.png"), "\x89PNG\r\n\x1a\n"));
  EXPECT_GT(data::read_png(out / "sheet.png").height, 200);
  const std::string page = read_text(out / "index.html");
  EXPECT_TRUE(starts_with(page, "<!DOCTYPE html>"));
  EXPECT_FALSE(contains(page, "src=\"http")) << "the page works offline";
  EXPECT_TRUE(contains(page, "data:image/png;base64,"));

  const Json config = Json::parse(read_text(out / "config.json"));
  EXPECT_EQ(config.at("complete"), true);
  EXPECT_EQ(config.at("memories").size(), kinds);
  EXPECT_FALSE(config.contains("timing"));
  EXPECT_GE(Json::parse(read_text(out / "env.json")).at("threads"), 1);
  for (const char* chart : {"exact.vl.json", "cosine.vl.json"}) {
    EXPECT_TRUE(Json::parse(read_text(out / chart)).is_object()) << chart;
  }
  EXPECT_EQ(
      std::ranges::count_if(names_in(out), [](const std::string& name) { return contains(name, ".part-"); }),
      0);
}

TEST(RecallVerb, WritesTheSameBytesOnAnyNumberOfThreads) {
  const TemporaryFolder folder;
  for (const char* threads : {"1", "2"}) {
    const ProgramResult result = recall(
        {"--memory", "all", "--threads", threads, "--seed", "5", "--out", (folder / threads).string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  ASSERT_EQ(names_in(folder / "1"), names_in(folder / "2"));
  const std::set<std::string> may_differ{"env.json", "timing.csv"};
  int compared = 0;
  for (const std::string& name : names_in(folder / "1")) {
    if (!may_differ.contains(name)) {
      EXPECT_TRUE(read_text(folder / "1" / name) == read_text(folder / "2" / name)) << name << " differs";
      ++compared;
    }
  }
  EXPECT_GE(compared, 40);
}

TEST(RecallFiles, ChartsOfOneNoiseLevelHaveABarPerMemory) {
  const TemporaryFolder folder;
  const ProgramResult result = recall(
      {"--memory", "attention,hopfield", "--noise", "0.1", "--seeds", "2", "--out", folder.path().string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string chart = read_text(folder / "exact.vl.json");
  EXPECT_TRUE(contains(chart, "recalled exactly at 10 % noise")) << chart;
  EXPECT_TRUE(contains(chart, "\"bar\""));
}

TEST(RecallVerb, StatesWhenNumbersAreRecalledExactly) {
  const TemporaryFolder folder;
  RealPatterns patterns = data::random_sphere(20, 9, Random(4));
  for (int64_t i = 0; i < 20; ++i) {
    scale_to_length(patterns[i], 1.0 + static_cast<double>(i));
  }
  data::write_npy(folder / "x.npy", patterns);
  const std::string file = (folder / "x.npy").string(), out = (folder / "out").string();
  const std::string scaled =
      recall({"--patterns", file, "--memory", "attention", "--noise", "0.1", "--out", out}).out;
  EXPECT_TRUE(contains(scaled, "Numbers are recalled exactly with a cosine of at least 0.999.")) << scaled;
  EXPECT_TRUE(contains(scaled, "recall directions")) << scaled;
  const std::string kept =
      recall({"--patterns", file, "--memory", "modern-hopfield", "--noise", "0.1", "--no-normalise"}).out;
  EXPECT_TRUE(contains(kept, "within a distance of 4.5 % of the length of the pattern")) << kept;
  EXPECT_FALSE(contains(recall({"--memory", "pattern-sdm", "--noise", "0.1"}).out, "Numbers")) << "bits only";
}

TEST(RecallVerb, MeasuresRecallOverTheNumberOfPatterns) {
  const TemporaryFolder folder;
  const Arguments common{"--patterns", "random:40x100", "--memory", "hopfield,pattern-sdm", "--noise", "0.1"};
  const auto with = [&](Arguments more) {
    more.insert(more.begin(), common.begin(), common.end());
    return recall(more);
  };
  const ProgramResult csv =
      with({"--counts", "40,4,20..40..20", "--csv", "--out", (folder / "out").string()});
  ASSERT_EQ(csv.exit_code, 0) << csv.err;
  const std::vector<CsvRow> rows = parse_csv(csv.out);
  ASSERT_EQ(rows.size(), 6U) << "two memories at three counts";
  EXPECT_EQ(rows[0].at("memory"), "hopfield");
  EXPECT_EQ(rows[0].at("patterns"), "4");
  EXPECT_EQ(rows[0].at("exact"), "1");
  EXPECT_EQ(rows[2].at("patterns"), "40");
  EXPECT_LT(std::stod(rows[2].at("exact")), 0.5) << "beyond its capacity of 14 patterns";
  EXPECT_EQ(rows[5].at("exact"), "1");
  EXPECT_EQ(read_text(folder / "out" / "results.csv"), csv.out);
  EXPECT_TRUE(std::filesystem::exists(folder / "out" / "counts.csv"));
  EXPECT_TRUE(
      contains(read_text(folder / "out" / "index.html"), "Recall over the number of stored patterns"));
  EXPECT_EQ(with({"--counts", "41"}).exit_code, 2);
  EXPECT_EQ(recall({"--counts", "4", "--memory", "attention", "--sequence"}).exit_code, 2);
  const std::vector<CsvRow> plain = parse_csv(with({"--csv"}).out);
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_EQ(plain[0].at("exact"), rows[2].at("exact")) << "all 40 patterns";
}

TEST(RecallFiles, SeriesOfTheSameColourDiffer) {
  const TemporaryFolder folder;
  const std::string out = (folder / "out").string();
  ASSERT_EQ(recall({"--patterns", "random:5x64", "--memory", "all", "--noise", "0,0.1", "--seeds", "1",
                    "--out", out})
                .exit_code,
            0);
  const Json chart = Json::parse(read_text(folder / "out" / "exact.vl.json"));
  EXPECT_TRUE(contains(chart.dump(), "strokeDash")) << "13 memories have 7 colours";
}

TEST(RecallVerb, NamesNoOtherPatternsOfASingleOne) {
  const std::string out =
      recall({"--patterns", "random:1x64", "--memory", "pattern-sdm", "--noise", "0.1"}).out;
  EXPECT_TRUE(contains(out, "there are no other patterns")) << out;
  EXPECT_FALSE(contains(out, "all others")) << out;
}

TEST(RecallVerb, AdvisesToRepeatARunAndNotToResumeIt) {
  const TemporaryFolder folder;
  const Arguments common{"--memory", "pattern-sdm", "--out", (folder / "out").string(), "--noise"};
  const auto at = [&](const char* noise) {
    Arguments arguments = common;
    arguments.emplace_back(noise);
    return recall(arguments);
  };
  ASSERT_EQ(at("0.1").exit_code, 0);
  const ProgramResult refused = at("0.2");
  EXPECT_TRUE(contains(refused.err, "Use the same settings to repeat that run")) << refused.err;
}

TEST(RecallVerb, NamesNoRadiusOfAMemoryWithoutOne) {
  const TemporaryFolder folder;
  RealPatterns same(2, 100);
  for (size_t j = 0; j < 100; j += 3) {
    same[0][j] = same[1][j] = 1;
  }
  data::write_npy(folder / "same.npy", same);
  const std::string out =
      recall({"--patterns", (folder / "same.npy").string(), "--memory", "transformer", "--noise", "0.1"}).out;
  EXPECT_TRUE(contains(out, "2 of 2 patterns are zero after subtracting the mean")) << out;
  EXPECT_TRUE(contains(out, "zero patterns")) << out;
  EXPECT_FALSE(contains(out, "adius")) << "transformer has none\n" << out;

  data::write_npy(folder / "zero.npy", RealPatterns(1, 100));
  const std::string zero =
      recall({"--patterns", (folder / "zero.npy").string(), "--memory", "transformer", "--noise", "0.1"}).out;
  EXPECT_TRUE(contains(zero, "1 of 1 patterns is zero, so")) << zero;
  EXPECT_FALSE(contains(zero, "--no-centre")) << "a single pattern is not centred\n" << zero;
}

TEST(RecallVerb, StatesHowManyPatternsAreCues) {
  const std::string given = recall({"--memory", "pattern-sdm", "--noise", "0.1", "--cues-max", "9"}).out;
  EXPECT_TRUE(contains(given, "In each trial, 9 of 36 patterns are cues, spread evenly.")) << given;
  const std::string many =
      recall({"--patterns", "random:20000x256", "--memory", "pattern-sdm", "--noise", "0.1"}).out;
  EXPECT_TRUE(contains(many, "of 20000 patterns are cues")) << many;
  EXPECT_TRUE(contains(many, "--cues-max 0")) << many;
  EXPECT_FALSE(contains(recall({"--memory", "pattern-sdm", "--noise", "0.1"}).out, "patterns are cues"));
}

TEST(RecallVerb, RemovesReadoutsOfAnEarlierRun) {
  const TemporaryFolder folder;
  const auto readouts = [&] {
    std::set<std::string> names;
    for (const std::string& name : names_in(folder.path())) {
      if (starts_with(name, "recalled-")) {
        names.insert(name);
      }
    }
    return names;
  };
  write_text(folder / "recalled-by-somebody-else.npy", "not ours");
  const std::string own = "recalled-attention-noise-0.1.npy", earlier = "recalled-hopfield-noise-0.1.npy";
  const auto run = [&] {
    const ProgramResult result =
        recall({"--memory", "attention", "--noise", "0.1", "--out", folder.path().string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  };
  run();
  // As if an earlier version had written more files with these settings.
  nlohmann::json config = nlohmann::json::parse(read_text(folder / "config.json"));
  config["readouts"].push_back(earlier);
  write_text(folder / "config.json", config.dump());
  write_text(folder / earlier, "of an earlier run");
  run();
  EXPECT_EQ(readouts(), (std::set<std::string>{own, "recalled-by-somebody-else.npy"}));
}

TEST(RecallVerb, AcceptsFileNamesThatAreNotUtf8) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "\xff\xfe.npy", out = folder / "out\xfd";
  data::write_npy(file, to_zeros_and_ones(data::random_bits(5, 64, Random(1))));
  const ProgramResult result = run_mneme({"recall", "--patterns", file.string(), "--memory", "attention",
                                          "--noise", "0.1", "--seeds", "2", "--json", "--out", out.string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const Json& config :
       {testing::parameters_of(result.out), nlohmann::json::parse(read_text(out / "config.json"))}) {
    EXPECT_EQ(config.at("patterns").at("source"), "\\xff\\xfe.npy");
  }
  EXPECT_TRUE(contains(read_text(out / "index.html"), "\\xff\\xfe.npy"));
  EXPECT_TRUE(std::filesystem::exists(out / "recalled-attention-noise-0.1.npy"));
  const ProgramResult text = run_mneme({"recall", "--patterns", file.string(), "--memory", "attention",
                                        "--noise", "0.1", "--seeds", "2", "--out", out.string()});
  EXPECT_TRUE(contains(text.out, "patterns of 64 components from \\xff\\xfe.npy")) << text.err;
  EXPECT_TRUE(contains(text.out, "/out\\xfd: index.html"));
}

TEST(RecallVerb, ShowsNoIntervalOfASingleTrial) {
  const TemporaryFolder folder;
  const Arguments command{"recall",   "--seeds",   "1",
                          "--memory", "attention", "--noise",
                          "0.1,0.3",  "--out",     folder.path().string()};
  const ProgramResult result = run_mneme(command);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string page = read_text(folder / "index.html"), shown = page.substr(0, page.find("<script"));
  EXPECT_FALSE(contains(result.out, "±"));
  EXPECT_FALSE(contains(shown, "±"));
  EXPECT_TRUE(contains(shown, "One trial, so there are no confidence intervals<"));
  for (const char* name : {"results.csv", "exact.csv", "cosine.csv"}) {
    EXPECT_FALSE(contains(read_text(folder / name), "low")) << name;
  }
}

TEST(RecallVerb, IsDeterminedByTheSeed) {
  const Arguments common{"--memory", "sdm,attention", "--noise", "0.2", "--seed"};
  const auto results = [&](const std::string& seed) {
    Arguments arguments = common;
    arguments.push_back(seed);
    return recall_json(arguments).at("results");
  };
  const Json first = results("3");
  EXPECT_EQ(first, results("3"));
  EXPECT_NE(first, results("4"));
}

TEST(RecallVerb, ReadsCuesFromAFile) {
  const TemporaryFolder folder;
  RealPatterns cues = slice(data::builtin_glyphs().patterns, 30, 36);
  for (int64_t i = 0; i < cues.count(); ++i) {
    for (size_t pixel = 0; pixel < 8; ++pixel) {
      cues[i][pixel * 31] = 1 - cues[i][pixel * 31];
    }
  }
  data::write_npy(folder / "cues.npy", cues);
  const std::filesystem::path out = folder / "out";
  const ProgramResult result = recall({"--cues", (folder / "cues.npy").string(), "--memory",
                                       "pattern-sdm,modern-hopfield", "--out", out.string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::vector<CsvRow> rows = parse_csv(read_text(out / "results.csv"));
  ASSERT_EQ(rows.size(), 2U);
  for (const CsvRow& row : rows) {
    EXPECT_EQ(row.at("noise"), "given");
    EXPECT_EQ(row.at("exact"), "1");
    EXPECT_EQ(row.count("exact_low"), 0U) << "given cues are tried once";
    const data::PatternSet recalled = data::read_npy(out / ("recalled-" + row.at("memory") + "-given.npy"));
    EXPECT_EQ(recalled.patterns.count(), 6);
    EXPECT_EQ(recalled.patterns.size(), 256);
  }
  EXPECT_EQ(data::read_npy(out / "recalled-pattern-sdm-given.npy").patterns,
            slice(data::builtin_glyphs().patterns, 30, 36));
}

TEST(RecallVerb, SavesPatternsWithOptionsAndLoadsThem) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "saved.safetensors").string();
  const auto results = [](Arguments arguments) {
    arguments.insert(arguments.begin(), "recall");
    arguments.insert(arguments.end(), {"--seeds", "2", "--json"});
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return testing::results_of(result.out);
  };
  const Json saved = results({"--memory", "pattern-sdm,sdm", "--hamming-radius", "90", "--hard-locations",
                              "500", "--seed", "3", "--save", file});
  EXPECT_EQ(results({"--load", file}), saved);
  EXPECT_NE(results({"--load", file, "--hamming-radius", "70"}), saved);
  EXPECT_NE(results({"--load", file, "--seed", "1"}), saved); // the default, but given
  EXPECT_EQ(Json::parse(run_mneme({"recall", "--load", file, "--seeds", "1", "--json"}).out).at("seed"), 3);
  EXPECT_EQ(results({"--load", file, "--memory", "attention"}).at(0).at("memory"), "attention");

  const auto refused = [](Arguments arguments, int code, const std::string& part) {
    arguments.insert(arguments.begin(), "recall");
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_TRUE(contains(result.err, part)) << result.err;
  };
  refused({"--load", file, "--patterns", file}, 2, "both given");
  refused({"--load", file, "--limit", "3"}, 2, "--limit has no effect");
  refused({"--load", file, "--packed", "big"}, 2, "--packed has no effect");
  write_text(folder.path() / "text", "not a file of --save");
  refused({"--load", (folder.path() / "text").string()}, 3, "text");
  const std::string bytes = read_text(file);
  for (size_t size = 0; size < bytes.size(); size += bytes.size() / 40) { // cut short
    write_text(folder.path() / "cut", bytes.substr(0, size));
    refused({"--load", (folder.path() / "cut").string()}, 3, "cut");
  }
  std::string damaged = bytes;
  damaged.replace(damaged.find("\\\"seed\\\""), 8, "\\\"sxxd\\\"");
  write_text(folder.path() / "damaged", damaged);
  refused({"--load", (folder.path() / "damaged").string()}, 3, "options are damaged");
}

TEST(RecallVerb, GeneratesRandomPatterns) {
  const Json bits =
      recall_json({"--patterns", "random:100x128", "--memory", "pattern-sdm,attention", "--noise", "0.1"});
  EXPECT_EQ(bits.at("parameters").at("patterns").at("count"), 100);
  EXPECT_EQ(bits.at("parameters").at("patterns").at("size"), 128);
  EXPECT_EQ(bits.at("parameters").at("patterns").at("threshold"), 0.5);
  EXPECT_GT(bits.at("results").at(0).at("exact"), 0.95);

  // All memories run on real numbers that are not images; memories on bits use their signs.
  const Json sphere = recall_json({"--patterns", "sphere:50x40", "--memory", "all", "--noise", "0.1"});
  EXPECT_EQ(sphere.at("parameters").at("patterns").at("count"), 50);
  EXPECT_EQ(sphere.at("parameters").at("patterns").at("size"), 40);
  EXPECT_EQ(sphere.at("parameters").at("patterns").at("threshold"), 0.0);
  EXPECT_EQ(sphere.at("results").size(), trials::memory_kinds().size());
  const Json& continuous = sphere.at("results").at(3);
  ASSERT_EQ(continuous.at("memory"), "continuous-sdm");
  EXPECT_GT(continuous.at("cosine"), 0.99);
}

TEST(RecallVerb, ReadsItsOwnOutput) {
  const TemporaryFolder folder;
  data::write_npy(folder / "glyphs.npy", data::builtin_glyphs().patterns, {16, 16, 1});
  const Arguments common{"--memory", "pattern-sdm", "--noise", "0.1", "--hamming-radius", "75"};
  Arguments from_file = common;
  from_file.insert(from_file.end(), {"--patterns", (folder / "glyphs.npy").string()});
  EXPECT_EQ(recall_json(from_file).at("results"), recall_json(common).at("results"));
  from_file.insert(from_file.end(), {"--limit", "4"});
  const Json limited = recall_json(from_file);
  EXPECT_EQ(limited.at("parameters").at("patterns").at("count"), 4);
  EXPECT_EQ(limited.at("parameters").at("patterns").at("height"), 16);
}

TEST(RecallVerb, AcceptsListsAndRangesOfNoise) {
  const Json document =
      recall_json({"--memory", "pattern-sdm", "--noise", "0.05,0.1..0.3..0.1", "--limit", "8"});
  std::vector<double> noise;
  for (const Json& row : document.at("results")) {
    noise.push_back(row.at("noise"));
  }
  EXPECT_EQ(noise, (std::vector<double>{0.05, 0.1, 0.2, 0.3}));
  EXPECT_EQ(document.at("parameters").at("patterns").at("count"), 8);
}

TEST(RecallVerb, ReportsAMemoryBeyondItsCapacity) {
  const Arguments arguments{"--patterns", "random:200x100", "--memory", "hopfield", "--noise", "0.1"};
  const Json memory = recall_json(arguments).at("parameters").at("memories").at(0);
  EXPECT_EQ(memory.at("beyond_capacity"), true);
  EXPECT_TRUE(contains(memory.at("bound"), "200 patterns of 100 bits"));
  EXPECT_TRUE(contains(memory.at("bound"), "0.138 n = 14"));
  EXPECT_TRUE(contains(recall(arguments).out, "200 patterns of 100 bits"));
}

TEST(RecallVerb, ReportsPatternsThatCoincideAsBits) {
  const TemporaryFolder folder;
  RealPatterns faces(6, 64);
  for (int64_t i = 0; i < 6; ++i) {
    for (size_t j = 0; j < 64; ++j) {
      faces[i][j] =
          0.05 + 0.9 * std::fmod(0.37 * static_cast<double>(i + 1) * static_cast<double>(j + 3), 1.0);
    }
  }
  data::write_npy(folder / "faces.npy", faces);
  const Arguments common{"--patterns", (folder / "faces.npy").string(), "--memory", "pattern-sdm", "--noise",
                         "0"};
  // All numbers are above 0: Otsu's threshold is used, with which the patterns are distinct.
  const Json chosen = recall_json(common);
  EXPECT_EQ(chosen.at("parameters").at("patterns").at("threshold_origin"),
            "Otsu's threshold of these numbers");
  EXPECT_EQ(chosen.at("parameters").at("memories").at(0).at("distinct"), 6);
  EXPECT_EQ(chosen.at("results").at(0).at("exact"), 1);

  RealPatterns pairs(6, 64);
  for (int64_t i = 0; i < 6; ++i) {
    std::ranges::copy(faces[i / 2], pairs[i].begin());
    pairs[i][0] = 0.9 + 0.001 * static_cast<double>(i); // the same bit
  }
  data::write_npy(folder / "faces.npy", pairs);
  const Json twins = recall_json(common);
  EXPECT_EQ(twins.at("parameters").at("memories").at(0).at("distinct"), 3);
  EXPECT_EQ(twins.at("results").at(0).at("exact"), 0);
  EXPECT_EQ(twins.at("results").at(0).at("ambiguous"), 1);
  const std::string out = recall(common).out;
  for (const char* part :
       {"patterns coincide", "Only 3 of 6 patterns are distinct as bits", "--threshold", "ambiguous"}) {
    EXPECT_TRUE(contains(out, part)) << part << "\n" << out;
  }
  const std::string file = (folder / "faces.npy").string();
  std::string of_cues = recall({"--patterns", file, "--memory", "pattern-sdm", "--cues", file}).out;
  std::ranges::replace(of_cues, '\n', ' ');
  EXPECT_TRUE(contains(of_cues, "does not count as \"any stored pattern\", but as ambiguous")) << of_cues;
}

TEST(RecallVerb, RecallsAPatternOfOnlyOnes) {
  const TemporaryFolder folder;
  RealPatterns ones(1, 64, std::vector<double>(64, 1)), cues = ones;
  std::fill_n(cues[0].begin(), 6, 0);
  data::write_npy(folder / "ones.npy", ones);
  data::write_npy(folder / "cues.npy", cues);
  for (const Arguments& threshold : {Arguments{}, {"--threshold", "0.5"}}) {
    const std::string out = (folder / ("out" + std::to_string(threshold.size()))).string();
    Arguments arguments{"--patterns", (folder / "ones.npy").string(),
                        "--cues",     (folder / "cues.npy").string(),
                        "--memory",   "pattern-sdm",
                        "--out",      out};
    arguments.insert(arguments.end(), threshold.begin(), threshold.end());
    const Json document = recall_json(arguments);
    EXPECT_EQ(document.at("parameters").at("patterns").at("threshold_of_file"), 0.5);
    EXPECT_EQ(data::read_npy(out + "/recalled-pattern-sdm-given.npy").patterns, ones);
  }
}

TEST(RecallVerb, InterpretsTheThresholdOnTheScaleOfTheFile) {
  const TemporaryFolder folder;
  RealPatterns glyphs = data::builtin_glyphs().patterns;
  data::Image image{.height = 16, .width = 16, .channels = 1, .pixels = std::vector<uint8_t>(256)};
  std::filesystem::create_directory(folder / "png");
  for (int64_t i = 0; i < 4; ++i) {
    std::ranges::transform(glyphs[i], image.pixels.begin(),
                           [](double x) { return x > 0 ? uint8_t{100} : uint8_t{20}; });
    data::write_png(folder / ("png/" + std::to_string(i) + ".png"), image);
  }
  const Arguments common{"--patterns", (folder / "png").string(), "--memory", "pattern-sdm", "--noise", "0"};
  Arguments sixty = common, beyond = common;
  sixty.insert(sixty.end(), {"--threshold", "60"});
  beyond.insert(beyond.end(), {"--threshold", "128"});
  const Json document = recall_json(sixty);
  EXPECT_EQ(document.at("parameters").at("patterns").at("threshold_of_file"), 60);
  EXPECT_EQ(document.at("results").at(0).at("exact"), 1);
  const ProgramResult refused = recall(beyond);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "every bit would be 0")) << refused.err;
  EXPECT_TRUE(contains(refused.err, "20 to 100")) << refused.err;
  // Without --threshold it is chosen; with half of white, all these dark pictures would coincide.
  EXPECT_EQ(recall_json(common).at("parameters").at("patterns").at("threshold_of_file"), 60);
}

TEST(RecallVerb, RejectsCuesOnAnotherScale) {
  const TemporaryFolder folder;
  const RealPatterns patterns = slice(data::builtin_glyphs().patterns, 0, 8);
  RealPatterns numbers = patterns;
  std::for_each_n(numbers.data(), 8 * 256, [](double& x) { x = 200 * x + 20; });
  data::write_npy(folder / "numbers.npy", numbers);
  data::write_npy(folder / "unit.npy", patterns);
  const ProgramResult refused = recall({"--patterns", (folder / "numbers.npy").string(), "--cues",
                                        (folder / "unit.npy").string(), "--memory", "attention"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "0 to 1 (unit.npy)")) << refused.err;
  EXPECT_TRUE(contains(refused.err, "20 to 220 (numbers.npy)")) << refused.err;
}

/// Patterns of signs have the Hamming distances 8, 9, 10 and 10 to the cue, of which float32 cosines were
/// rounded down.
TEST(RecallVerb, CountsSignsThatDifferExactly) {
  const TemporaryFolder folder;
  constexpr int kBits = 20;
  std::ofstream stored(folder.path() / "stored.csv"), cue(folder.path() / "cue.csv"),
      values(folder.path() / "values.csv");
  const auto row = [](std::ofstream& file, int flipped) {
    for (int i = 0; i < kBits; ++i) {
      const int sign = (i + 1 < kBits ? 1 : -1) * (i < flipped ? -1 : 1);
      file << (i > 0 ? "," : "") << sign;
    }
    file << "\n";
  };
  row(cue, 0);
  for (const int flipped : {8, 9, 10, 10}) {
    row(stored, flipped);
  }
  values << "1,0,0,0\n0,1,0,0\n0,0,1,0\n0,0,0,1\n";
  stored.close(), cue.close(), values.close();
  const std::map<int, std::vector<double>> weights_by_radius = {
      {7, {0, 0, 0, 0}}, {8, {1, 0, 0, 0}}, {9, {0.5, 0.5, 0, 0}}, {10, {0.25, 0.25, 0.25, 0.25}}};
  for (const auto& [radius, weights] : weights_by_radius) {
    const std::filesystem::path out = folder.path() / std::to_string(radius);
    const ProgramResult result = run_mneme({"recall",
                                            "--patterns",
                                            (folder.path() / "stored.csv").string(),
                                            "--cues",
                                            (folder.path() / "cue.csv").string(),
                                            "--values",
                                            (folder.path() / "values.csv").string(),
                                            "--similarity",
                                            "hamming",
                                            "--separation",
                                            "radius",
                                            "--hamming-radius",
                                            std::to_string(radius),
                                            "--projection",
                                            "average",
                                            "--no-centre",
                                            "--no-normalise",
                                            "--update-steps",
                                            "1",
                                            "--out",
                                            out.string(),
                                            "--quiet"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const RealPatterns readout =
        data::load_patterns(out / "recalled-hamming-radius-average-given.npy").patterns;
    EXPECT_EQ(std::vector<double>(readout[0].begin(), readout[0].end()), weights) << radius;
  }
}

TEST(RecallVerb, PrintsTheParametersOfEachMemory) {
  const ProgramResult result =
      recall({"--memory", "pattern-sdm,transformer,modern-hopfield,dense,hopfield,attention", "--noise",
              "0.1", "--hamming-radius", "75"});
  for (const char* part :
       {"pattern-sdm      Hamming radius 75 of 256 bits\n", "transformer      beta 0.0625 (1 / sqrt(size))\n",
        "dense            degree 21 (at least as sharp as softmax with beta 20.1845, fitted to the",
        "hopfield         without self-connections\n",
        "attention        beta 20.1845 (fitted to the Hamming radius 75)\n",
        "modern-hopfield  beta 20.1845 (fitted to the Hamming radius 75)\n",
        "Bits are 1 where a number is above"}) {
    EXPECT_TRUE(contains(result.out, part)) << part << "\n" << result.out;
  }
  const std::string chosen = recall({"--memory", "sdm,pattern-sdm", "--noise", "0.1"}).out;
  for (const char* part : {"of 512 encoded bits (", "% of bits right after one read), 2000 hard",
                           "patterns outweigh all others up to at least 40 %",
                           "chosen from the distances between the stored patterns"}) {
    EXPECT_TRUE(contains(chosen, part)) << part << "\n" << chosen;
  }
  const Json given =
      recall_json({"--memory", "modern-hopfield,transformer", "--noise", "0.1", "--beta", "7"});
  for (const Json& memory : given.at("parameters").at("memories")) {
    EXPECT_EQ(memory.at("parameters").at("beta"), 7) << memory;
  }
}

TEST(RecallVerb, GivesOnlyApplicableAdvice) {
  const auto out_of = [](const std::string& memory) {
    return recall({"--patterns", "random:200x100", "--noise", "0.1", "--memory", memory}).out;
  };
  EXPECT_FALSE(contains(out_of("hopfield"), "--hamming-radius")) << out_of("hopfield");
  EXPECT_FALSE(contains(out_of("hopfield"), "--beta"));
  EXPECT_TRUE(contains(out_of("hopfield"), "or less similar ones, would help"));
  EXPECT_TRUE(contains(out_of("transformer"), "--beta"));
  EXPECT_FALSE(contains(out_of("transformer"), "--hamming-radius"));
  // More hard locations than patterns of 8 bits, or pairs of their bits, would not help.
  for (const std::string seed : {"2", "4"}) {
    const ProgramResult small =
        recall({"--patterns", "random:5x8", "--seed", seed, "--noise", "0.1", "--hamming-radius", "1",
                "--seeds", "5", "--memory", "hyperplane-sdm,pattern-sdm-finite"});
    EXPECT_FALSE(contains(small.out, "few hard locations")) << small.out;
    EXPECT_TRUE(contains(small.out, "1 selected coordinate of 8 bits")) << small.out;
  }
}

TEST(RecallVerb, DrawsCuesFromASeparateRandomStream) {
  // Cues equal to the patterns would be recalled even with this small radius.
  const Json near = recall_json({"--patterns", "random:20x256", "--cues", "random:20x256", "--memory",
                                 "pattern-sdm", "--hamming-radius", "20"});
  EXPECT_EQ(near.at("results").at(0).at("exact"), 0);
  EXPECT_EQ(near.at("results").at(0).at("unanswered"), 1);
}

TEST(RecallVerb, RunsACustomMemoryOfThreeSteps) {
  const Arguments steps{"--similarity", "dot",  "--separation", "entmax", "--projection", "average",
                        "--alpha",      "1.75", "--beta",       "20",     "--noise",      "0.1,0.2"};
  const std::string name = "dot + entmax + average";
  const std::string out = recall(steps).out;
  for (const std::string& part : {"\n" + name + "  100.0", name + "  beta 20, alpha 1.75\n"}) {
    EXPECT_TRUE(contains(out, part)) << part << "\n" << out;
  }
  EXPECT_FALSE(contains(out, "pattern-sdm")) << "no other memory was requested";
  EXPECT_FALSE(contains(out, "By default"));
  EXPECT_TRUE(contains(out, "Memories on real numbers compare patterns minus the mean")) << out;
  const std::string bits =
      recall({"--similarity", "dot", "--separation", "identity", "--projection", "majority"}).out;
  EXPECT_FALSE(contains(bits, "real numbers")) << bits;

  const TemporaryFolder folder;
  Arguments with_named = steps;
  with_named.insert(with_named.end(), {"--memory", "attention", "--out", folder.path().string()});
  const Json document = recall_json(with_named);
  EXPECT_EQ(document.at("parameters").at("memories_asked"), (Json{"attention", name}));
  const Json& memory = document.at("parameters").at("memories").at(1);
  EXPECT_EQ(memory.at("name"), name);
  EXPECT_EQ(memory.at("steps"), "dot -> entmax -> average");
  EXPECT_EQ(memory.at("parameters"), (Json{{"beta", 20}, {"alpha", 1.75}}));
  Json config = Json::parse(read_text(folder / "config.json"));
  config.erase("version");
  config.erase("verb");
  EXPECT_EQ(document.at("parameters"), config);
  const std::vector<CsvRow> rows = parse_csv(read_text(folder / "results.csv"));
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[3].at("memory"), name);
  EXPECT_EQ(rows[3].at("exact"), "1");
  EXPECT_EQ(data::read_npy(folder / "recalled-dot-entmax-average-noise-0.2.npy").patterns.count(), 36);
  EXPECT_TRUE(contains(read_text(folder / "exact.vl.json"), name));
  EXPECT_TRUE(contains(read_text(folder / "index.html"), name));
}

TEST(RecallVerb, ReportsDefaultSteps) {
  const Json hamming = recall_json({"--similarity", "hamming", "--noise", "0.1"});
  EXPECT_EQ(hamming.at("parameters").at("memories").at(0).at("steps"), "hamming -> softmax -> majority");
  EXPECT_EQ(hamming.at("parameters").at("notes"),
            Json{"By default, --separation is softmax and --projection is majority."});
  const std::string out = recall({"--separation", "polynomial", "--noise", "0.1"}).out;
  for (const char* part :
       {"cosine + polynomial + normalise", "By default, --similarity is cosine and --projection is",
        "degree 30 (at least as sharp as softmax with beta 29.7784"}) {
    EXPECT_TRUE(contains(out, part)) << part << "\n" << out;
  }
}

/// Runs a named memory and a custom memory with the same steps on the same cues.
TEST(RecallVerb, CustomMemoryEqualsTheNamedMemoryWithTheSameSteps) {
  struct Case {
    std::string memory;
    Arguments steps; ///< similarity, separation, projection
    Arguments more;
  };
  for (const auto& [memory, steps, more] :
       {Case{"pattern-sdm", {"hamming", "circle-intersection", "majority"}, {"--hamming-radius", "60"}},
        {"pattern-sdm", {"hamming", "circle-intersection", "majority"}, {}},
        {"continuous-sdm", {"cosine", "cap-intersection", "normalise"}, {}},
        {"continuous-binary-sdm", {"hamming", "circle-intersection", "normalise"}, {}},
        {"binary-attention", {"cosine", "softmax", "majority"}, {"--beta", "17"}},
        {"attention", {"cosine", "softmax", "normalise"}, {"--beta", "17"}},
        {"attention", {"cosine", "softmax", "normalise"}, {}},
        {"transformer", {"cosine", "softmax", "normalise"}, {"--beta", "17"}},
        {"hopfield", {"dot", "identity", "majority"}, {"--limit", "3"}},
        {"modern-hopfield", {"dot", "softmax", "average"}, {}},
        {"dense", {"dot", "polynomial", "average"}, {"--degree", "25"}}}) {
    Arguments arguments{"--memory", memory,         "--similarity", steps[0],  "--separation",
                        steps[1],   "--projection", steps[2],       "--noise", "0.1,0.3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Json results = recall_json(arguments).at("results");
    ASSERT_EQ(results.size(), 4U);
    for (Json& row : results) {
      EXPECT_EQ(row.erase("memory"), 1U);
    }
    EXPECT_EQ(results.at(0), results.at(2)) << memory;
    EXPECT_EQ(results.at(1), results.at(3)) << memory;
  }
}

TEST(RecallVerb, CountsASingleUpdateStep) {
  EXPECT_TRUE(contains(recall({"--memory", "pattern-sdm", "--noise", "0.1", "--update-steps", "1"}).out,
                       "at most 1 update step."));
}

TEST(RecallVerb, ComparesTheNumbersOfTheFileIfAsked) {
  const TemporaryFolder folder;
  const std::string stored = (folder / "stored.csv").string();
  write_text(stored, "1,1,1,1\n10,10,10,10\n10,0,0,0\n");
  const std::string cue = (folder / "cue.csv").string();
  write_text(cue, "1,2,0,0\n");
  const Arguments attention{"--patterns",     stored,    "--cues",       cue,       "--similarity", "dot",
                            "--separation",   "softmax", "--projection", "average", "--beta",       "0.1",
                            "--update-steps", "1"};
  const auto readout = [&](const Arguments& more) {
    Arguments arguments = attention;
    arguments.insert(arguments.end(), more.begin(), more.end());
    const std::string name = std::to_string(more.size());
    arguments.insert(arguments.end(), {"--out", (folder / name).string()});
    EXPECT_EQ(recall(arguments).exit_code, 0);
    return data::read_npy(folder / name / "recalled-dot-softmax-average-given.npy").patterns;
  };
  const double weights[3] = {std::exp(0.3), std::exp(3.0), std::exp(1.0)}; // of the scores 3, 30 and 10
  const double sum = weights[0] + weights[1] + weights[2];
  const RealPatterns raw = readout({"--no-centre", "--no-normalise"});
  EXPECT_NEAR(raw[0][0], (weights[0] + 10 * weights[1] + 10 * weights[2]) / sum, 1e-6); // float32
  EXPECT_NEAR(raw[0][1], (weights[0] + 10 * weights[1]) / sum, 1e-6);                   // float32
  EXPECT_NE(readout({"--no-centre"}), raw);

  const Json exact = recall_json({"--patterns", stored, "--cues", stored, "--similarity", "euclidean",
                                  "--separation", "best-match", "--projection", "average", "--update-steps",
                                  "1", "--no-centre", "--no-normalise"});
  const Json& row = exact.at("results").at(0);
  EXPECT_EQ(row.at("exact"), 1) << "patterns of one direction and several lengths are distinct";
  EXPECT_EQ(row.at("recalled").at("row"), Json({0, 1, 2}));
}

TEST(RecallVerb, ListsWhatEachGivenCueRecalled) {
  const TemporaryFolder folder;
  const std::string stored = (folder / "stored.csv").string();
  write_text(stored, "a,b,c,d,e,f,label\n1,1,0,0,0,0,cat\n0,0,1,1,0,0,dog\n0,0,0,0,1,1,bird\n");
  const std::string cues = (folder / "cues.csv").string();
  write_text(cues, "a,b,c,d,e,f\n0,0,0,0,1,0\n1,1,0,0,0,0\n");
  const std::string out = (folder / "out").string();
  const ProgramResult result = recall({"--patterns", stored, "--cues", cues, "--similarity", "hamming",
                                       "--separation", "best-match", "--out", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "recalled.csv")) << result.out;
  const std::vector<CsvRow> rows = parse_csv(read_text(folder / "out" / "recalled.csv"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("memory"), "hamming + best-match + majority");
  EXPECT_EQ(rows[0].at("cue"), "0");
  EXPECT_EQ(rows[0].at("row"), "2");
  EXPECT_EQ(rows[0].at("label"), "bird");
  EXPECT_EQ(rows[0].at("cue_distance"), "1");
  EXPECT_NEAR(std::stod(rows[0].at("cue_cosine")), 1 - 2.0 / 6, 1e-12);
  EXPECT_EQ(rows[1].at("cue_distance"), "0");
  EXPECT_EQ(rows[1].at("cue"), "1");
  EXPECT_EQ(rows[1].at("row"), "0");
  EXPECT_EQ(rows[1].at("label"), "cat");
}

TEST(RecallVerb, RecallsTheNextPatternOfASequence) {
  const Json result = recall_json({"--sequence", "--memory", "pattern-sdm,attention", "--noise", "0.1"});
  ASSERT_EQ(result.at("results").size(), 2U);
  for (const Json& row : result.at("results")) {
    EXPECT_GT(row.at("exact").get<double>(), 0.9) << row;
    EXPECT_EQ(row.at("steps"), 1);
  }
  EXPECT_EQ(result.at("parameters").at("patterns").at("count"), 35);
  const TemporaryFolder folder;
  ASSERT_EQ(
      recall({"--sequence", "--memory", "pattern-sdm", "--noise", "0", "--out", (folder / "out").string()})
          .exit_code,
      0);
  EXPECT_EQ(data::read_npy(folder / "out" / "recalled-pattern-sdm-noise-0.npy").patterns,
            slice(data::builtin_glyphs().patterns, 1, 36));
}

TEST(RecallVerb, RecallsValuesOfAnotherSize) {
  const TemporaryFolder folder;
  const std::string values = (folder / "values.npy").string(), out = (folder / "out").string();
  RealPatterns numbers = data::random_sphere(36, 10, Random(3));
  data::write_npy(values, numbers);
  const ProgramResult result =
      recall({"--values", values, "--memory", "attention,sdm", "--noise", "0", "--seeds", "1", "--out", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "each with a value: 36 patterns of 10 components")) << result.out;
  const RealPatterns recalled = data::read_npy(folder / "out" / "recalled-attention-noise-0.npy").patterns;
  for (int64_t i = 0; i < 36; ++i) {
    EXPECT_GT(cosine(recalled, i, numbers, i), 0.99) << i;
  }
  EXPECT_EQ(data::read_npy(folder / "out" / "recalled-sdm-noise-0.npy").patterns.size(), 10);
  EXPECT_TRUE(std::filesystem::exists(folder / "out" / "sheet.png"));
}

TEST(RecallVerb, NamesTheSuccessorThatACueRecalled) {
  const TemporaryFolder folder;
  const std::string patterns = (folder / "patterns.csv").string();
  write_text(patterns, "a,b,c,d,label\n1,0,0,0,one\n0,1,0,0,two\n0,0,1,0,three\n0,0,0,1,four\n");
  const Json recalled = recall_json({"--sequence", "--patterns", patterns, "--cues", patterns, "--memory",
                                     "attention", "--no-centre"})
                            .at("results")
                            .at(0)
                            .at("recalled");
  for (size_t i = 0; i < 3; ++i) { // the last cue has no successor
    EXPECT_EQ(recalled.at("row").at(i), i + 1);
    EXPECT_EQ(recalled.at("label").at(i), Json({"two", "three", "four"}).at(i));
  }
}

TEST(RecallVerb, ComparesReadoutsWithoutALengthByTheirCosine) {
  const TemporaryFolder folder;
  const std::string file = (folder / "x.npy").string();
  RealPatterns patterns = data::random_sphere(20, 9, Random(4));
  for (int64_t i = 0; i < 20; ++i) {
    scale_to_length(patterns[i], 1.0 + static_cast<double>(i));
  }
  data::write_npy(file, patterns);
  const Json row = recall_json({"--patterns", file, "--cues", file, "--memory", "attention", "--beta", "1000",
                                "--no-normalise"})
                       .at("results")
                       .at(0);
  EXPECT_EQ(row.at("exact"), 1);
}

TEST(RecallVerb, ReportsReadoutsOfLengthOneAmongPatternsOfOtherLengths) {
  const TemporaryFolder folder;
  const std::string file = (folder / "x.npy").string();
  RealPatterns patterns = data::random_sphere(8, 9, Random(4));
  data::write_npy((folder / "unit.npy").string(), patterns);
  for (int64_t i = 0; i < 8; ++i) {
    scale_to_length(patterns[i], 2.0 + static_cast<double>(i));
  }
  data::write_npy(file, patterns);
  const auto has_note = [&](const std::string& from, const Arguments& more) {
    Arguments arguments{"--patterns", from, "--similarity",   "euclidean",  "--noise", "0.1",
                        "--seeds",    "1",  "--no-normalise", "--no-centre"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = recall(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return contains(result.out + result.err, "readouts of length 1, but the patterns have");
  };
  EXPECT_TRUE(has_note(file, {"--projection", "normalise"}));
  EXPECT_FALSE(has_note(file, {"--projection", "average"}));
  EXPECT_FALSE(has_note(file, {"--projection", "normalise", "--update-steps", "1"}));
  EXPECT_FALSE(has_note((folder / "unit.npy").string(), {"--projection", "normalise"}));
}

TEST(RecallVerb, RefusesValuesThatDoNotFit) {
  const auto expect_refused = [](const Arguments& arguments, const std::string& part) {
    const ProgramResult result = recall(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_TRUE(contains(result.err, part)) << result.err;
  };
  expect_refused({"--values", "random:3x256"}, "there are 3 values for 36 patterns");
  expect_refused({"--sequence", "--values", "random:36x256"}, "both given");
  expect_refused({"--sequence", "--update-steps", "3"}, "no cue of a further step");
  expect_refused({"--sequence", "--save", "file.safetensors"}, "--save and --load");
  expect_refused({"--sequence", "--limit", "1"}, "at least 2 patterns");
}

TEST(RecallVerb, RunsSdmWithSelectedCoordinates) {
  const auto arguments = [](Arguments more) {
    Arguments all{"--patterns", "random:40x256", "--noise", "0.1", "--hard-locations", "20000"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const Json document = recall_json(arguments({"--memory", "selected-sdm"}));
  EXPECT_GE(document.at("results").at(0).at("exact"), 0.9) << document;
  const Json& parameters = document.at("parameters").at("memories").at(0).at("parameters");
  EXPECT_GE(parameters.at("selected_coordinates"), 3);
  EXPECT_FALSE(parameters.contains("hamming_radius"));
  const std::string given =
      recall(arguments({"--memory", "hyperplane-sdm,sdm", "--selected-coordinates", "7"})).out;
  EXPECT_TRUE(contains(given, "7 selected coordinates of 256 bits, 20000 hard locations")) << given;
  const std::string far = recall(arguments({"--memory", "selected-sdm", "--selected-coordinates", "60"})).out;
  EXPECT_TRUE(contains(far, "--selected-coordinates, or increase --hard-locations")) << far;
  const ProgramResult refused = recall({"--memory", "pattern-sdm", "--selected-coordinates", "7"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "selects coordinates")) << refused.err;
  EXPECT_TRUE(contains(refused.err, "selected-sdm, hyperplane-sdm")) << refused.err;
}

TEST(RecallVerb, DescribesEveryMemoryInTheHelpAndInTheGlossary) {
  const std::string help = run_mneme({"recall", "--help"}).out;
  const std::string glossary = read_text(std::filesystem::path(MNEME_SOURCE_DIR) / "docs" / "glossary.md");
  for (const trials::MemoryKind& kind : trials::memory_kinds()) {
    const std::string name = "\n  " + kind.name + std::string(23 - kind.name.size(), ' ');
    const std::string indent(25, ' ');
    EXPECT_FALSE(kind.description.empty() || kind.use_case.empty()) << kind.name;
    EXPECT_LE(indent.size() + std::max(kind.description.size(), kind.use_case.size()), 100) << kind.name;
    EXPECT_TRUE(contains(help, name + kind.description + "\n" + indent + kind.use_case + "\n")) << help;
    EXPECT_TRUE(
        contains(glossary, "| `" + kind.name + "` | " + kind.description + " | " + kind.use_case + " |\n"))
        << kind.name;
  }
}

TEST(RecallVerb, DrawsPatternsIfRequested) {
  const Arguments common{"--memory", "pattern-sdm", "--noise", "0.1", "--draw"};
  Arguments always = common, never = common;
  always.emplace_back("always");
  never.emplace_back("never");
  EXPECT_TRUE(contains(recall(always).out, "█"));
  EXPECT_FALSE(contains(recall(never).out, "█"));
}

} // namespace
} // namespace mneme
