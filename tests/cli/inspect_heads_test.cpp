// SPDX-License-Identifier: MIT

#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"

#ifdef MNEME_WITH_TORCH

namespace mneme {
namespace {

using nlohmann::json;
using testing::expect_contains;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

using Arguments = std::vector<std::string>;

/// GPT-2 with 3 layers of 4 heads, 50 words, 32 positions, without a tokenizer.
const std::string kModel =
    (std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "gpt2" / "tied").string();

ProgramResult inspect(Arguments arguments) {
  arguments.insert(arguments.begin(), "inspect");
  return run_mneme(arguments, {.timeout = std::chrono::seconds(120)});
}

json inspect_json(Arguments arguments) {
  arguments.push_back("--json");
  const ProgramResult result = inspect(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return testing::results_of(result.out);
}

void expect_refused(int exit_code, const Arguments& arguments, const Arguments& expected) {
  const ProgramResult result = inspect(arguments);
  EXPECT_EQ(result.exit_code, exit_code) << result.out;
  expect_contains(result.err, expected);
}

class InspectHeads : public ::testing::Test {
protected:
  std::string write(const std::string& name, const std::string& text) const {
    write_text(folder_ / name, text);
    return (folder_ / name).string();
  }
  TemporaryFolder folder_;
};

TEST_F(InspectHeads, ReadsEveryHeadOfATransformer) {
  const std::string ids = write("ids", "1 2 3 4 5 6 7 8");
  const json found = inspect_json({kModel, "--tokens", ids});
  EXPECT_EQ(found.at("model_type"), "gpt2");
  EXPECT_EQ(found.at("layers"), 3);
  EXPECT_EQ(found.at("heads_per_layer"), 4);
  const json& text = found.at("texts").at(0);
  EXPECT_EQ(text.at("tokens"), 8);
  EXPECT_GT(text.at("loss"), 0);
  ASSERT_EQ(text.at("heads").size(), 12U);
  for (const json& head : text.at("heads")) {
    EXPECT_GE(head.at("beta"), head.at("min_score"));
    EXPECT_EQ(head.at("keys"), 6.5); // queries 4 .. 7 of 8 read 5 .. 8 keys
    EXPECT_GE(head.at("keys_90"), 1);
    EXPECT_LE(head.at("keys_90"), head.at("keys"));
  }
  const json one = inspect_json({kModel, "--tokens", ids, "--layer", "1", "--head", "2"});
  EXPECT_EQ(one.at("texts").at(0).at("heads"), json::array({text.at("heads").at(6)}));
  // Tokens after --to do not exist.
  EXPECT_EQ(inspect_json({kModel, "--tokens", ids, "--to", "5"}),
            inspect_json({kModel, "--tokens", write("ids", "1 2 3 4 5")}));
}

TEST_F(InspectHeads, ShowsAnExampleTextAndWritesAPage) {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += "the sea and the see; ";
  }
  const std::string run = (folder_ / "run").string(), page = (folder_ / "page").string();
  const ProgramResult trained = run_mneme({"train",
                                           "lm",
                                           "--model",
                                           "gpt2",
                                           "--layers",
                                           "2",
                                           "--width",
                                           "16",
                                           "--heads",
                                           "2",
                                           "--length",
                                           "400",
                                           "--tokens-per-step",
                                           "400",
                                           "--steps",
                                           "2",
                                           "--text",
                                           write("t", text),
                                           "--out",
                                           run,
                                           "--quiet"},
                                          {.timeout = std::chrono::seconds(120)});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const ProgramResult result = inspect({run, "--out", page});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.out, {"2 layers of 2 heads of size 8", "example text", "max beta",
                               "4 heads:", "Largest betas", "index.html"});
  const json config = json::parse(read_text(folder_ / "page" / "config.json"));
  EXPECT_EQ(config.at("kind"), "gpt2");
  expect_contains(read_text(folder_ / "page" / "index.html"),
                  {"Effective beta of every head", "signal-to-noise ratio", "metastable"});
  for (const char* name : {"heads.csv", "heads.json", "layers.csv", "betas.vl.json", "betas.csv", "kinds.csv",
                           "mean-by-layer.csv", "max-by-layer.csv", "scores.csv", "values.csv"}) {
    EXPECT_TRUE(std::filesystem::is_regular_file(folder_ / "page" / name)) << name;
  }
  const json texts = inspect_json({run, "--texts", write("texts", "the sea\r\nand the see\n")}).at("texts");
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts.at(0).at("tokens"), 7); // bytes, without the line end
  EXPECT_EQ(texts.at(1).at("tokens"), 11);
  EXPECT_EQ(inspect_json({run, "--text", write("one", "the sea\n")}).at("texts").at(0).at("heads"),
            texts.at(0).at("heads"));
  std::filesystem::create_directory(folder_ / "sdm");
  write("sdm/text_inputs.txt", "the sea\nand the see"); // the last line has no line end
  const json named = inspect_json({run, "--texts", "sdm", "--data", folder_.path().string()}).at("texts");
  ASSERT_EQ(named.size(), 2U);
  EXPECT_EQ(named.at(1).at("name"), "sdm: line 2");
  EXPECT_EQ(named.at(1).at("heads"), texts.at(1).at("heads"));
}

TEST_F(InspectHeads, ReadsEncoders) {
  const std::filesystem::path golden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "bert";
  for (const auto& [folder, type] : {std::pair("bert", "bert"), {"albert_groups", "albert"}}) {
    const json found =
        inspect_json({(golden / folder).string(), "--tokens", write("ids", "1 2 3 4 5 6"), "--head", "0"});
    EXPECT_EQ(found.at("model_type"), type);
    const json& text = found.at("texts").at(0);
    EXPECT_TRUE(text.at("loss").is_null());
    EXPECT_EQ(text.at("heads").size(), found.at("layers").get<size_t>());
    for (const json& head : text.at("heads")) {
      EXPECT_EQ(head.at("keys"), 6); // encoders read all keys
    }
  }
}

TEST_F(InspectHeads, RefusesWhatItCannotUse) {
  const std::string ids = write("ids", "1 2 3");
  expect_refused(3, {kModel}, {"tokenizer"});
  expect_refused(3, {kModel, "--tokens", write("beyond", "1 50")}, {"token 1 has the id 50", "0 to 49"});
  expect_refused(3, {kModel, "--tokens", write("below", "-1")}, {"token 0 has the id -1"});
  std::string many;
  for (int i = 0; i < 33; ++i) {
    many += "7 ";
  }
  expect_refused(3, {kModel, "--tokens", write("long", many)},
                 {"33 tokens", "32 learned positions", "--to 32"});
  expect_refused(2, {kModel, "--tokens", ids, "--layer", "3"}, {"--layer 3", "0 to 2"});
  expect_refused(2, {kModel, "--tokens", ids, "--head", "4"}, {"--head 4", "0 to 3"});
  expect_refused(2, {kModel, "--tokens", ids, "--from", "1"}, {"--from has no effect"});
  expect_refused(2, {kModel, "--tokens", ids, "--words", ids}, {"--words has no effect"});
  expect_refused(2, {kModel, "--tokens", ids, "--text", ids}, {"--tokens and --text are both given"});
  expect_refused(3, {kModel, "--texts", write("texts", "a\n\nb\n")}, {"line 2 is empty"});
  expect_refused(3, {kModel, "--text", write("empty", "\n")}, {"the text is empty"});
  expect_refused(3, {kModel, "--tokens", write("words", "x"), "--out", (folder_ / "new" / "out").string()},
                 {"\"x\" is not an integer"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new"));
  expect_refused(3, {kModel, "--texts", "sdm", "--data", folder_.path().string()},
                 {folder_.path().string(), "sdm/text_inputs.txt", "`mneme data get sdm`", "--data"});
  expect_refused(2, {kModel, "--data", folder_.path().string()},
                 {"--data has no effect without --texts sdm"});
}

TEST_F(InspectHeads, RefusesAConfigurationOfNoKindOfModel) {
  for (const auto& [config, message] :
       {std::pair(R"({"model_type": )", "config.json: invalid JSON"),
        {"[1]", "config.json: not a JSON object"},
        {R"({"model_type": 5, "n_embd": 24})", R"("model_type" in config.json is not a text, expected)"},
        {R"({"vocab_size": 50})", R"("model_type" in config.json is missing, expected)"},
        {R"({"model_type": "llama"})", R"("model_type" in config.json is "llama", expected)"}}) {
    write("config.json", config);
    const ProgramResult result = inspect({folder_.path().string(), "--tokens", write("ids", "1 2 3")});
    EXPECT_EQ(result.exit_code, 3);
    expect_contains(result.err, {message});
    EXPECT_EQ(result.err.find("configuration of a LEAP"), std::string::npos);
  }
}

TEST_F(InspectHeads, ReadsAFileWithTheNameOfTheTextsByItsPath) {
  write("sdm", "a\n\nb\n");
  for (const auto& [texts, message] : {std::pair("./sdm", "./sdm: line 2 is empty"),
                                       {"sdm", "The file sdm of the current folder is ./sdm"}}) {
    const ProgramResult result =
        run_mneme({"inspect", kModel, "--texts", texts},
                  {.folder = folder_.path(), .environment = {{"MNEME_DATA", "no-data"}}});
    EXPECT_EQ(result.exit_code, 3);
    expect_contains(result.err, {message});
  }
}

TEST_F(InspectHeads, ListsTheTensorsOfAFile) {
  const std::string file = kModel + "/model.safetensors";
  const json found = inspect_json({file});
  const json& tensors = found.at("tensors");
  const auto wte = std::ranges::find_if(tensors, [](const json& tensor) {
    return tensor.at("tensor").get<std::string>().ends_with("wte.weight");
  });
  ASSERT_NE(wte, tensors.end());
  EXPECT_EQ(wte->at("shape"), "[50, 24]");
  EXPECT_EQ(wte->at("type"), "float32");
  EXPECT_EQ(wte->at("bytes"), 50 * 24 * 4);
  EXPECT_LT(wte->at("min"), wte->at("mean"));
  EXPECT_LT(wte->at("mean"), wte->at("max"));
  EXPECT_EQ(wte->at("nan"), 0);
  expect_refused(2, {file, "--out", (folder_ / "out").string()}, {"--out has no effect"});
  const std::string one = R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   )";
  const std::string size = {static_cast<char>(one.size()), 0, 0, 0, 0, 0, 0, 0};
  const ProgramResult single = run_mneme({"inspect", write("one.safetensors", size + one + "7"), "--quiet"});
  expect_contains(single.out, {"\n1 tensor, 1 number, 1 byte\n"});
  // The file is of the model in its folder if an option needs a model.
  expect_refused(3, {file, "--layer", "1"}, {"contains no tokenizer", "--tokens"});
  std::filesystem::copy_file(file, folder_ / "alone.safetensors");
  expect_refused(2, {(folder_ / "alone.safetensors").string(), "--layer", "1"}, {"--layer has no effect"});
  expect_refused(3, {write("page.safetensors", "<!DOCTYPE html>")}, {"page.safetensors"});
}

} // namespace
} // namespace mneme

#endif
