// SPDX-License-Identifier: MIT

#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
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
  const auto expect_refused = [&](nlohmann::json json, const std::vector<std::string>& parts) {
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
