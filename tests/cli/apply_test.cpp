// SPDX-License-Identifier: MIT

#include <cmath>
#include <filesystem>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/data/npy.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

const std::filesystem::path kCases =
    std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "hopfield";

#ifdef MNEME_WITH_TORCH

std::vector<std::string> names_in(const std::filesystem::path& file) {
  std::vector<std::string> names;
  for (const data::SafetensorsEntry& entry : data::read_safetensors_entries(file)) {
    names.push_back(entry.name);
  }
  return names;
}

TEST(ApplyVerb, WritesOutputsAndGradients) {
  const TemporaryFolder folder;
  const std::string golden = kCases / "pooling_default.json", out = folder / "out.safetensors";
  const ProgramResult plain = run_mneme({"apply", golden, "--out", out});
  EXPECT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_TRUE(contains(plain.out, "output.result [2, 8] Float"));
  EXPECT_EQ(names_in(out), (std::vector<std::string>{"output.association_matrix", "output.projected_patterns",
                                                     "output.result"}));
  const ProgramResult gradients = run_mneme({"apply", golden, "--out", out, "--grad", "--json"});
  EXPECT_EQ(gradients.exit_code, 0) << gradients.err;
  const nlohmann::json tensors = testing::results_of(gradients.out).at("tensors");
  EXPECT_EQ(tensors.at("grad.state.pooling_weights").at("shape"), (std::vector<int64_t>{1, 1, 8}));
  EXPECT_EQ(names_in(out).size(), tensors.size());
}

TEST(ApplyVerb, RunsOnTheCpuByDefaultAndRejectsAMissingDevice) {
  const TemporaryFolder folder;
  const std::string golden = kCases / "pooling_default.json", plain = folder / "plain.safetensors",
                    cpu = folder / "cpu.safetensors";
  EXPECT_EQ(run_mneme({"apply", golden, "--grad", "--out", plain}).exit_code, 0);
  const ProgramResult on_cpu =
      run_mneme({"apply", golden, "--grad", "--out", cpu, "--device", "cpu", "--json"});
  EXPECT_EQ(on_cpu.exit_code, 0) << on_cpu.err;
  EXPECT_EQ(testing::results_of(on_cpu.out).at("device"), "cpu");
  EXPECT_EQ(read_text(cpu), read_text(plain));
  for (const std::string device : {"cuda:99", "gpu"}) {
    const std::string out = folder / "none.safetensors";
    const ProgramResult result =
        run_mneme({"apply", (folder / "missing.json").string(), "--out", out, "--device", device});
    EXPECT_EQ(result.exit_code, 2) << result.err;
    testing::expect_contains(result.err, {"device \"" + device + "\"", "available: cpu"});
    EXPECT_FALSE(std::filesystem::exists(out));
  }
}

TEST(ApplyVerb, ReproducesHflayersWithCompat) {
  const TemporaryFolder folder;
  const std::string golden = kCases / "quirk_pooling_sequence_first.json", out = folder / "out.safetensors";
  EXPECT_TRUE(contains(run_mneme({"apply", golden, "--out", out}).out, "output.result [2, 8]"));
  EXPECT_TRUE(contains(run_mneme({"apply", golden, "--out", out, "--compat"}).out, "output.result [1, 16]"));
}

TEST(ApplyVerb, ReportsWhatIsWrongWithACase) {
  const TemporaryFolder folder;
  const std::string out = folder / "out.safetensors";
  const auto expect_refused = [&](const nlohmann::json& json, const std::vector<std::string>& parts) {
    std::filesystem::copy_file(kCases / "hopfield_default.safetensors", folder / "case.safetensors",
                               std::filesystem::copy_options::overwrite_existing);
    write_text(folder / "case.json", json.dump());
    const ProgramResult result =
        run_mneme({"apply", (folder / "case.json").string(), "--out", out, "--grad"});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    testing::expect_contains(result.err, parts);
    EXPECT_FALSE(std::filesystem::exists(out));
  };
  const nlohmann::json golden = nlohmann::json::parse(read_text(kCases / "hopfield_default.json"));
  const auto with = [&](const char* field, const nlohmann::json& value) {
    nlohmann::json changed = golden;
    changed[field] = value;
    return changed;
  };
  expect_refused(with("class", "Hopfeld"), {"/class", "HopfieldPooling", "Hopfeld"});
  expect_refused(with("constructor", {{"input_size", 8}, {"heads", 2}}),
                 {"/constructor/heads", "no such option"});
  expect_refused(with("constructor", {{"input_size", 8}, {"num_heads", 3}}), {"8", "3 heads"});
  expect_refused(with("constructor", {{"input_size", 4}}), {"in_proj_weight is [24, 8], expected [12, 4]"});
  expect_refused(with("constructor", {{"input_size", "eight"}}), {"/constructor/input_size"});
  expect_refused(with("call", "forward(input=nothing, data)"), {"/call", "tensors are data"});
  expect_refused(with("call", "backward(data)"), {"/call", "forward(input=data)"});
  expect_refused(with("dtype", "float16"), {"/dtype", "float32", "float16"});
  expect_refused(with("mode", "test"), {"/mode", "eval"});
  // The input and the cotangent are float32 in the file.
  expect_refused(with("dtype", "float64"),
                 {"case.json", "\"input.data\" is of type Float, but the case is of type Double"});
  EXPECT_EQ(run_mneme({"apply", (kCases / "hopfield_default.json").string()}).exit_code, 2);
  EXPECT_EQ(run_mneme({"apply", (folder / "missing.json").string(), "--out", out}).exit_code, 3);
  for (const char* name : {"out.npy", "out.txt", "out"}) {
    const ProgramResult result =
        run_mneme({"apply", (kCases / "hopfield_default.json").string(), "--out", (folder / name).string()});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_TRUE(contains(result.err, ".safetensors")) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder / name));
  }
}

/// A golden case of hflayers, with an added separation.
TEST(ApplyVerb, AcceptsASeparation) {
  const TemporaryFolder folder;
  const auto apply = [&](const nlohmann::json& separation) {
    nlohmann::json golden = nlohmann::json::parse(testing::read_text(kCases / "pooling_default.json"));
    if (!separation.is_null()) {
      golden["constructor"]["separation"] = separation;
    }
    write_text(folder / "case.json", golden.dump());
    std::filesystem::copy_file(kCases / "pooling_default.safetensors", folder / "case.safetensors",
                               std::filesystem::copy_options::overwrite_existing);
    return run_mneme({"apply", folder / "case.json", "--out", folder / "out.safetensors", "--grad"});
  };
  const auto result = [&](const nlohmann::json& separation) {
    const ProgramResult run = apply(separation);
    EXPECT_EQ(run.exit_code, 0) << separation << run.err;
    return testing::read_text(folder / "out.safetensors");
  };
  const std::string softmax = result(nullptr);
  EXPECT_EQ(result("softmax"), softmax);
  EXPECT_NE(result("sparsemax"), softmax);
  EXPECT_EQ(result(nlohmann::json{{"name", "entmax"}, {"alpha", 1.5}}).size(), result("entmax15").size());
  const ProgramResult unknown = apply("softmin");
  EXPECT_EQ(unknown.exit_code, 3);
  testing::expect_contains(unknown.err,
                           {"/constructor/separation", "no separation \"softmin\"", "sparsemax"});
  EXPECT_EQ(apply(nlohmann::json{{"name", "entmax"}, {"alpha", 3}}).exit_code, 3);
}

// ---- --weights

/// The options of `mneme apply --weights` for a golden case; empty if it has no such options.
std::vector<std::string> options_for(const nlohmann::json& golden) {
  // Sizes, biases, norms and numbers of patterns are those of the weights.
  const std::set<std::string> inferred = {"input_size",
                                          "hidden_size",
                                          "output_size",
                                          "pattern_size",
                                          "stored_pattern_size",
                                          "pattern_projection_size",
                                          "quantity",
                                          "trainable",
                                          "dropout",
                                          "input_bias",
                                          "disable_out_projection",
                                          "lookup_weights_as_separated",
                                          "lookup_targets_as_trainable",
                                          "concat_bias_pattern"};
  std::vector<std::string> options;
  for (const auto& [key, value] : golden.at("constructor").items()) {
    const auto add = [&](const char* option, const std::string& text) {
      options.insert(options.end(), {option, text});
    };
    if (inferred.contains(key)) {
      continue;
    }
    if (constexpr std::string_view kAffine = "_affine"; key.ends_with(kAffine)) {
      const std::string norm = key.substr(0, key.size() - kAffine.size());
      if (golden.at("constructor").value(norm, true) && value == false) { // not in the weights
        add("--option", norm + "=True");
      }
      continue;
    }
    if (key == "num_heads") {
      add("--heads", value.dump());
    } else if (key == "scaling" && value.is_number()) {
      add("--beta", value.dump());
    } else if (key == "scaling") {
      const std::string list = value.at("tensor").dump();
      add("--beta", list.substr(1, list.size() - 2));
    } else if (key == "update_steps_max" && !value.is_object()) {
      add("--update-steps", value.is_null() || value == -1 ? "converge" : value.dump());
    } else if (key == "update_steps_eps" && value.is_number()) {
      add("--update-eps", value.dump());
    } else if (key == "batch_first") {
      options.emplace_back("--length-first");
    } else if (key.starts_with("normalize_") || key == "add_zero_association" ||
               key == "association_activation") {
      add("--option", fmt::format("{}={}", key,
                                  value.is_boolean()  ? (value.get<bool>() ? "True" : "False")
                                  : value.is_string() ? value.get<std::string>()
                                                      : value.dump()));
    } else {
      return {};
    }
  }
  options.emplace_back("--compat");
  return options;
}

/// The names of the inputs in "forward(input=data)" or "forward(input=(a, b))", without aliases.
std::vector<std::string> inputs_of(const nlohmann::json& golden) {
  std::string call = golden.at("call");
  call = call.substr(call.find('=') + 1);
  std::erase_if(call, [](char letter) { return letter == '(' || letter == ')' || letter == ' '; });
  std::vector<std::string> names;
  for (size_t at = 0; at != std::string::npos;) {
    const size_t comma = call.find(',', at);
    const std::string name = call.substr(at, comma - at);
    const auto alias = golden.value("same_tensor", nlohmann::json::object()).value(name, name);
    names.push_back("input." + alias);
    at = comma == std::string::npos ? comma : comma + 1;
  }
  return names;
}

TEST(ApplyVerb, RunsWeightsAsTheGoldenCasesOfHflayers) {
  const TemporaryFolder folder;
  const std::string out = folder / "out.npy";
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCases)) {
    const std::filesystem::path& json = entry.path();
    if (json.extension() != ".json") {
      continue;
    }
    const nlohmann::json golden = nlohmann::json::parse(read_text(json));
    const std::string kind = golden.value("class", "");
    const std::vector<std::string> options =
        kind == "Hopfield" || kind == "HopfieldPooling" || kind == "HopfieldLayer"
            ? options_for(golden)
            : std::vector<std::string>();
    const std::string name = json.filename().string();
    if (options.empty() || name.find("mask") != std::string::npos ||
        name.find("padding") != std::string::npos) {
      continue;
    }
    const std::string tensors = std::filesystem::path(json).replace_extension(".safetensors");
    std::vector<std::string> arguments = {"apply", "--weights", tensors, "--layer", "state", "--out", out};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const std::vector<std::string> inputs = inputs_of(golden);
    arguments.emplace_back("--input");
    arguments.insert(arguments.end(), inputs.size(), tensors);
    arguments.emplace_back("--tensor");
    arguments.insert(arguments.end(), inputs.begin(), inputs.end());
    const ProgramResult result = run_mneme(arguments);
    ASSERT_EQ(result.exit_code, 0) << name << result.err;
    const data::NumberArray output = data::read_npy_numbers(out);
    EXPECT_EQ(output.shape, golden.at("tensors").at("output.result").at("shape").get<std::vector<int64_t>>())
        << name;
    const RealPatterns expected =
        data::parse_safetensors_numbers(data::read_file(tensors), name, "output.result");
    ASSERT_EQ(std::ssize(output.numbers), expected.count() * expected.size()) << name;
    double error = 0;
    for (size_t i = 0; i < output.numbers.size(); ++i) {
      error = std::fmax(error, std::abs(output.numbers[i] - expected.data()[i]));
    }
    EXPECT_LT(error, golden.at("dtype") == "float64" ? 1e-9 : 2e-5) << name;
    ++compared;
  }
  EXPECT_GE(compared, 30);
}

const std::filesystem::path kExample =
    std::filesystem::path(MNEME_SOURCE_DIR) / "docs" / "examples" / "hflayers";

std::vector<std::string> example_arguments(const std::string& weights, const std::string& out) {
  return {"apply",
          "--weights",
          weights,
          "--input",
          kExample / "example.safetensors",
          "--tensor",
          "bag",
          "--heads",
          "2",
          "--beta",
          "0.9",
          "--update-steps",
          "3",
          "--update-eps",
          "1e-8",
          "--out",
          out};
}

TEST(ApplyVerb, WritesOutputAndAssociationOfTrainedWeights) {
  const TemporaryFolder folder;
  const std::string out = folder / "out.safetensors";
  const RealPatterns expected =
      data::parse_safetensors_numbers(data::read_file(kExample / "example.safetensors"), "example", "output");
  for (const std::string weights : {"pooling.pt", "pooling.safetensors"}) {
    const ProgramResult result = run_mneme(example_arguments(kExample / weights, out));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    testing::expect_contains(result.out,
                             {"HopfieldPooling(input_size=8, num_heads=2, hidden_size=4, "
                              "scaling=0.9, update_steps_max=3, update_steps_eps=1e-08, quantity=1)",
                              "association [1, 2, 1, 7] Float", "output [1, 8] Float"});
    EXPECT_EQ(names_in(out), (std::vector<std::string>{"association", "output"}));
    const RealPatterns output = data::parse_safetensors_numbers(data::read_file(out), "out", "output");
    for (int64_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(output[0][i], expected[0][i], 2e-6) << i;
    }
  }
}

TEST(ApplyVerb, IgnoresPaddedPatternsAndAcceptsASingleBag) {
  const TemporaryFolder folder;
  RealPatterns bag(7, 8), mask(1, 7);
  for (int64_t i = 0; i < 7; ++i) {
    for (int64_t k = 0; k < 8; ++k) {
      bag[i][k] = std::sin(static_cast<double>(8 * i + k));
    }
    mask[0][i] = i < 5 ? 0 : 1;
  }
  data::write_npy(folder / "bag.npy", bag);
  data::write_npy(folder / "mask.npy", mask);
  data::write_npy(folder / "short.npy", slice(bag, 0, 5));
  const auto output = [&](std::vector<std::string> arguments) {
    const std::string out = folder / "out.npy";
    arguments.insert(arguments.begin(), {"apply", "--weights", kExample / "pooling.pt", "--heads", "2",
                                         "--out", out, "--input"});
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return data::read_npy_numbers(out);
  };
  const data::NumberArray whole = output({folder / "bag.npy"}), shorter = output({folder / "short.npy"}),
                          masked = output({folder / "bag.npy", "--padding-mask", folder / "mask.npy"});
  EXPECT_EQ(whole.shape, (std::vector<int64_t>{1, 8}));
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(masked.numbers[i], shorter.numbers[i], 1e-6) << i;
  }
  EXPECT_NE(whole.numbers, shorter.numbers);
  for (const double ignored : {1.0, -HUGE_VAL}) { // as a boolean, and added to the score
    data::write_npy(folder / "pairs.npy",
                    data::NumberArray{.shape = {1, 7}, .numbers = {0, 0, 0, 0, 0, ignored, ignored}});
    const data::NumberArray without =
        output({folder / "bag.npy", "--association-mask", folder / "pairs.npy"});
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_NEAR(without.numbers[i], shorter.numbers[i], 1e-6) << ignored << ' ' << i;
    }
  }
  const ProgramResult wrong =
      run_mneme({"apply", "--weights", kExample / "pooling.pt", "--heads", "2", "--out", folder / "out.npy",
                 "--input", folder / "bag.npy", "--association-mask", folder / "bag.npy"});
  EXPECT_NE(wrong.exit_code, 0);
  testing::expect_contains(wrong.err, {"association_mask", "[7, 8]"});
}

TEST(ApplyVerb, WritesTheShapeOfAnEmptyBatch) {
  const TemporaryFolder folder;
  const std::string batch = folder / "batch.npy", out = folder / "out.npy";
  data::write_npy(batch, data::NumberArray{.shape = {0, 5, 8}});
  const ProgramResult result = run_mneme(
      {"apply", "--weights", kExample / "pooling.pt", "--heads", "2", "--input", batch, "--out", out});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  testing::expect_contains(result.out, {"output [0, 8]"});
  EXPECT_EQ(data::read_npy_numbers(out).shape, (std::vector<int64_t>{0, 8}));
}

TEST(ApplyVerb, ReportsWhatIsWrongWithWeights) {
  const TemporaryFolder folder;
  const std::string out = folder / "out.npy", weights = kExample / "pooling.pt",
                    example = kExample / "example.safetensors",
                    golden = kCases / "pooling_default.safetensors",
                    static_state = kCases / "hopfield_static_state.safetensors",
                    connected = kCases / "hopfield_connected.safetensors";
  const auto expect_refused = [&](int code, std::vector<std::string> arguments,
                                  const std::vector<std::string>& parts) {
    arguments.insert(arguments.begin(), "apply");
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    testing::expect_contains(result.err, parts);
    EXPECT_FALSE(std::filesystem::exists(out));
  };
  const auto with_weights = [&](const std::string& file, std::vector<std::string> more) {
    more.insert(more.begin(), {"--weights", file, "--input", example, "--out", out});
    return more;
  };
  expect_refused(2, {"--out", out}, {"there is no layer", "--weights FILE"});
  expect_refused(2, {golden, "--weights", weights, "--out", out}, {"both --weights and a case file"});
  expect_refused(2, {"case.json", "--heads", "2", "--out", out}, {"--heads", "--weights only"});
  expect_refused(2, {"--weights", weights, "--out", out}, {"--input is missing"});
  expect_refused(2, {"--weights", weights, "--input", example}, {"--out is missing"});
  expect_refused(2, {"--weights", weights, "--input", example, "--out", folder / "out.csv"}, {".npy"});
  expect_refused(2, {"--weights", weights, "--input", example, "--out", example}, {"overwritten"});
  expect_refused(2, with_weights(weights, {"--grad"}), {"--grad", "case file only"});
  expect_refused(2, with_weights(weights, {"--tensor", "bag", "bag"}), {"2 names", "1 files"});
  data::write_npy(folder / "bag.npy", RealPatterns(7, 8));
  expect_refused(2, {"--weights", weights, "--input", folder / "bag.npy", "--tensor", "bag", "--out", out},
                 {"--tensor has no effect"});
  expect_refused(2, with_weights(weights, {"--tensor", "bag", "--heads", "2", "--beta", "1,2,3"}),
                 {"beta has 3 numbers, but there are 2 heads"});
  expect_refused(2, with_weights(weights, {"--tensor", "bag", "--heads", "2", "--beta", "-1"}),
                 {"--beta", "-1", "at least 0"});
  expect_refused(
      2, {"--weights", weights, "--input", example, example, example, "--tensor", "bag", "--out", out},
      {"--input has 3 files", "at most 2"});
  expect_refused(3,
                 {"--weights", golden, "--layer", "state", "--input", golden, "--tensor",
                  "output.association_matrix", "--out", out},
                 {"[2, 1, 1, 6]", "[batch, length, features]"});
  expect_refused(3, with_weights(weights, {}), {"contains 2 tensors", "bag [1, 7, 8]", "--tensor"});
  expect_refused(3, with_weights(weights, {"--tensor", "bags"}), {"no tensor \"bags\"", "bag [1, 7, 8]"});
  expect_refused(3, with_weights(weights, {"--heads", "3"}),
                 {"in_proj_weight has 24 rows", "3 heads (--heads)", "pooling_weights [1, 1, 8]"});
  expect_refused(3, with_weights(example, {}), {"no parameters of a Hopfield layer", "bag [1, 7, 8]"});
  const std::string length_first = kCases / "lookup_sequence_first_steps3.safetensors",
                    batch_first = kCases / "pooling_quantity4_heads2.safetensors";
  expect_refused(3, with_weights(length_first, {"--layer", "state", "--heads", "4"}),
                 {"lookup_weights has the shape [7, 1, 8]", "batch_first=False", "Add --length-first"});
  expect_refused(3, with_weights(batch_first, {"--layer", "state", "--heads", "2", "--length-first"}),
                 {"pooling_weights has the shape [1, 4, 8]", "batch_first=True", "Leave out --length-first"});
  expect_refused(3, with_weights(golden, {}), {"\"grad.state\", \"state\"", "--layer"});
  expect_refused(3, with_weights(golden, {"--layer", "stat"}), {"no layer \"stat\"", "\"state\""});
  expect_refused(3, with_weights(weights, {"--layer", "foo"}), {"no layer \"foo\"", "Leave out --layer"});
  expect_refused(3, with_weights(static_state, {"--layer", "state"}), {"16 rows", "static or connected"});
  expect_refused(3, with_weights(connected, {"--layer", "state", "--heads", "2"}),
                 {"norm_pattern_projection.weight is [8], expected [6]"});
}

TEST(ApplyVerb, ReportsNormsThatWeightsDoNotHave) {
  const TemporaryFolder folder;
  const std::string golden = kCases / "hopfield_norms_not_affine.safetensors";
  const ProgramResult result =
      run_mneme({"apply", "--weights", golden, "--layer", "state", "--input", golden, "--tensor",
                 "input.stored_pattern", "--out", (folder / "out.npy").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.err, "no parameters of norm_stored_pattern, norm_state_pattern, "
                                   "norm_pattern_projection, so the layer runs without these norms"));
  EXPECT_TRUE(contains(result.err, "--option normalize_stored_pattern=True normalize_state_pattern=True "
                                   "normalize_pattern_projection=True adds them"));
  EXPECT_TRUE(contains(result.out,
                       ", normalize_stored_pattern=False, normalize_stored_pattern_affine=False, "
                       "normalize_state_pattern=False, normalize_state_pattern_affine=False, "
                       "normalize_pattern_projection=False, normalize_pattern_projection_affine=False)"));
}

TEST(ApplyVerb, AcceptsOptionsThatWeightsDoNotShow) {
  const TemporaryFolder folder;
  const auto apply = [&](const std::string& name, const std::vector<std::string>& options) {
    const std::string golden = kCases / (name + ".safetensors");
    std::vector<std::string> arguments = {"apply",
                                          "--weights",
                                          golden,
                                          "--layer",
                                          "state",
                                          "--input",
                                          golden,
                                          "--tensor",
                                          "input.stored_pattern",
                                          "--out",
                                          folder / "out.npy",
                                          "--option"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run_mneme(arguments);
  };
  const ProgramResult given =
      apply("hopfield_norms_not_affine",
            {"normalize_stored_pattern=True", "normalize_stored_pattern_eps=1e-3",
             "add_zero_association=True", "normalize_state_pattern=False", "association_activation=tanh"});
  EXPECT_EQ(given.exit_code, 0) << given.err;
  testing::expect_contains(given.out,
                           {", add_zero_association=True, association_activation='tanh', "
                            "normalize_stored_pattern_affine=False, normalize_stored_pattern_eps=0.001, "
                            "normalize_state_pattern=False, "});
  testing::expect_contains(given.err, {"no parameters of norm_pattern_projection, so", "this norm"});
  for (const auto& [option, part] :
       {std::pair("num_heads=2", "add_zero_association"), std::pair("add_zero_association", "NAME=VALUE"),
        std::pair("add_zero_association=1", "--option add_zero_association: expected"),
        std::pair("association_activation=foo", "foo")}) {
    const ProgramResult refused = apply("hopfield_norms_not_affine", {option});
    EXPECT_EQ(refused.exit_code, 2) << option << refused.err;
    testing::expect_contains(refused.err, {part});
  }
  const ProgramResult affine = apply("hopfield_three_inputs", {"normalize_stored_pattern=False"});
  EXPECT_EQ(affine.exit_code, 2);
  testing::expect_contains(affine.err, {"normalize_stored_pattern=False", "has parameters of this norm"});
}

TEST(ApplyVerb, PrintsOptionsThatWeightsShow) {
  const TemporaryFolder folder;
  const auto apply = [&](const std::string& name, const std::vector<std::string>& inputs,
                         const std::vector<std::string>& more) {
    const std::string golden = kCases / (name + ".safetensors");
    std::vector<std::string> arguments = {"apply",   "--weights", golden,  "--layer",         "state",
                                          "--heads", "2",         "--out", folder / "out.npy"};
    arguments.emplace_back("--input");
    arguments.insert(arguments.end(), inputs.size(), golden);
    arguments.emplace_back("--tensor");
    arguments.insert(arguments.end(), inputs.begin(), inputs.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  };
  testing::expect_contains(apply("hopfield_no_bias_no_out_projection", {"input.data"}, {}).out,
                           {"update_steps_max=0, input_bias=False, disable_out_projection=True)"});
  const std::vector<std::string> three = {"input.stored_pattern", "input.state_pattern",
                                          "input.pattern_projection"};
  testing::expect_contains(apply("hopfield_space_norm_affine", three, {}).out,
                           {", normalize_hopfield_space=True, normalize_hopfield_space_affine=True)"});
  const ProgramResult documented = apply("quirk_concat_bias_pattern", three, {}),
                      compatible = apply("quirk_concat_bias_pattern", three, {"--compat"});
  EXPECT_TRUE(contains(documented.out, ", concat_bias_pattern=True)"));
  testing::expect_contains(documented.err, {"bias_k", "--compat reproduces the output of hflayers"});
  EXPECT_EQ(compatible.out, documented.out);
  EXPECT_FALSE(contains(compatible.err, "bias_k"));
}

#else

TEST(ApplyVerb, ReportsThatThisBuildHasNoLibTorch) {
  const TemporaryFolder folder;
  const ProgramResult result = run_mneme(
      {"apply", (kCases / "pooling_default.json").string(), "--out", (folder / "out.safetensors").string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "LibTorch"));
}

#endif

} // namespace
} // namespace mneme
