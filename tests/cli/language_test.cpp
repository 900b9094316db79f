// SPDX-License-Identifier: MIT

/// `mneme generate` and `mneme eval lm`.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/random.h"
#include "mneme/data/safetensors.h"

namespace mneme {
namespace {

using nlohmann::json;
using testing::contains;
using testing::expect_contains;
using testing::ProgramOptions;
using testing::ProgramResult;
using testing::read_text;
using testing::results_of;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

#ifdef MNEME_WITH_TORCH

const std::filesystem::path kGpt2 =
    std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "gpt2" / "tied";
const std::chrono::seconds kTimeout{60};

/// A folder with a LEAP model of bytes with random parameters, `model`, and two texts.
class Workplace {
public:
  explicit Workplace(int64_t vocab_size = 256) {
    constexpr int64_t kSize = 8;
    const auto add = [&](const std::string& name, const std::vector<int64_t>& shape, double mean) {
      int64_t count = 1;
      for (const int64_t size : shape) {
        count *= size;
      }
      std::vector<float>& numbers = values_.emplace_back();
      Random random = Random(1).stream(values_.size());
      for (int64_t i = 0; i < count; ++i) {
        numbers.push_back(static_cast<float>(mean + 0.7 * random.normal()));
      }
      names_.emplace_back(name, shape);
    };
    add("word_embedding.weight", {vocab_size, kSize}, 0);
    const std::string block = "leap_model.decoders.0.";
    for (const char* norm : {"attn_norm", "boom_norm"}) {
      add(block + norm + ".weight", {kSize}, 1);
      add(block + norm + ".bias", {kSize}, 0);
    }
    add(block + "leap.projections.weight", {4 * kSize, kSize}, 0);
    add(block + "boom.weight", {4 * kSize, kSize}, 0);
    add(block + "boom.bias", {4 * kSize}, 0);
    add(block + "unboom.weight", {kSize, 4 * kSize}, 0);
    add(block + "unboom.bias", {kSize}, 0);
    add("last_norm.weight", {kSize}, 1);
    add("last_norm.bias", {kSize}, 0);
    std::vector<data::SafetensorsTensor> tensors;
    for (size_t i = 0; i < names_.size(); ++i) {
      tensors.push_back({names_[i].first, "F32", names_[i].second, std::as_bytes(std::span(values_[i]))});
    }
    const std::vector<std::byte> bytes = data::to_safetensors(tensors, {});
    std::filesystem::create_directory(folder_ / "model");
    write_text(folder_ / "model" / "model.safetensors",
               {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const json config = {{"model_type", "LeapForCausalLM"},
                         {"vocab_size", vocab_size},
                         {"hidden_size", kSize},
                         {"n_head", 2},
                         {"n_layer", 1},
                         {"n_positions", 64},
                         {"positions", "none"}};
    write_text(folder_ / "model" / "config.json", config.dump());
    write_text(folder_ / "prompt.txt", "It was a dark and stormy night");
    std::string text;
    for (int i = 0; i < 60; ++i) {
      text += "The quick brown fox jumps over the lazy dog.\n";
    }
    write_text(folder_ / "text.txt", text);
  }

  ProgramResult run(std::vector<std::string> arguments, const std::string& input = "") const {
    return run_mneme(arguments, {.folder = folder_.path(), .input = input, .timeout = kTimeout});
  }
  json run_json(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return results_of(result.out);
  }
  std::filesystem::path operator/(const char* name) const { return folder_ / name; }
  std::filesystem::path path() const { return folder_.path(); }

private:
  TemporaryFolder folder_;
  std::vector<std::vector<float>> values_;
  std::vector<std::pair<std::string, std::vector<int64_t>>> names_;
};

TEST(GenerateVerb, PrintsTheContinuationAlone) {
  const Workplace here;
  const ProgramResult result = here.run({"generate", "model", "-p", "Once", "-n", "40", "--seed", "3"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out.size(), 40U); // one byte per token, also bytes that are not UTF-8
  expect_contains(result.err, {"40 tokens", "seed 3"});
  const ProgramResult same = here.run(
                          {"generate", "model", "-p", "Once", "-n", "40", "--seed", "3", "--threads", "1"}),
                      other = here.run({"generate", "model", "-p", "Once", "-n", "40", "--seed", "4"});
  EXPECT_EQ(same.out, result.out);
  EXPECT_NE(other.out, result.out);
}

TEST(GenerateVerb, ReadsThePromptFromAFileOrStandardInput) {
  const Workplace here;
  const std::string text = "It was a dark and stormy night";
  const ProgramResult expected = here.run({"generate", "model", "-p", text, "-n", "20"});
  EXPECT_EQ(here.run({"generate", "model", "-f", "prompt.txt", "-n", "20"}).out, expected.out);
  EXPECT_EQ(here.run({"generate", "model", "-n", "20"}, text).out, expected.out);
  EXPECT_EQ(here.run({"generate", "model", "-f", "-", "-n", "20"}, text).out, expected.out);
  testing::run_program({"sh", "-c", "gzip -k \"$0\"", (here / "prompt.txt").string()});
  EXPECT_EQ(here.run({"generate", "model", "-f", "prompt.txt.gz", "-n", "20"}).out, expected.out);
}

TEST(GenerateVerb, AnEmptyPromptIsNotStandardInput) {
  const Workplace here;
  const ProgramResult result = here.run({"generate", "model", "-p", ""}, "text on standard input");
  EXPECT_EQ(result.exit_code, 2);
  expect_contains(result.err, {"--prompt", "the prompt is empty", "no end-of-text token"});
  EXPECT_EQ(here.run({"tokenize", "encode", ""}).out, "\n");
}

TEST(GenerateVerb, ContinuesASavedStateAsOneText) {
  const Workplace here;
  const std::string whole = here.run({"generate", "model", "-p", "Once", "-n", "60"}).out;
  const ProgramResult begin = here.run({"generate", "model", "-p", "Once", "-n", "25", "--state-out", "s"});
  ASSERT_EQ(begin.exit_code, 0) << begin.err;
  const auto size = std::filesystem::file_size(here / "s");
  const ProgramResult end =
      here.run({"generate", "model", "-n", "35", "--state-in", "s", "--state-out", "s"});
  ASSERT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(begin.out + end.out, whole);
  EXPECT_NEAR(static_cast<double>(std::filesystem::file_size(here / "s")), static_cast<double>(size), 400);
  const json added = here.run_json({"generate", "model", "-p", "more", "-n", "5", "--state-in", "s"});
  EXPECT_EQ(added.at("earlier_tokens"), 64);
  EXPECT_EQ(added.at("prompt_tokens"), 4);
}

TEST(GenerateVerb, JsonHasEverySample) {
  const Workplace here;
  const json all =
      here.run_json({"generate", "model", "-p", "Once", "-n", "15", "--samples", "3", "--top-k", "9"});
  ASSERT_EQ(all.at("samples").size(), 3U);
  EXPECT_EQ(all.at("type"), "leap");
  EXPECT_EQ(all.at("sampler").at("top_k"), 9);
  for (const json& sample : all.at("samples")) {
    EXPECT_EQ(sample.at("ids").size(), 15U);
    EXPECT_EQ(sample.at("probabilities").size(), 15U);
    EXPECT_EQ(sample.at("end"), "max-tokens");
  }
  EXPECT_NE(all.at("samples")[0].at("ids"), all.at("samples")[1].at("ids"));
}

TEST(GenerateVerb, StopsBeforeAText) {
  const Workplace here;
  const json whole = here.run_json({"generate", "model", "-p", "Once", "-n", "40", "--top-k", "3"});
  const auto ids = whole.at("samples")[0].at("ids").get<std::vector<int>>();
  // The first printable byte of the continuation.
  const auto found = std::find_if(ids.begin(), ids.end(), [](int id) { return id > 32 && id < 127; });
  ASSERT_NE(found, ids.end());
  const ProgramResult stopped =
      here.run({"generate", "model", "-p", "Once", "-n", "40", "--top-k", "3", "--stop",
                std::string(1, static_cast<char>(*found)), "--stop", "unlikely"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  EXPECT_EQ(stopped.out.size(), static_cast<size_t>(found - ids.begin()));
  expect_contains(stopped.err, {"--stop"});
}

TEST(GenerateVerb, ReadsAModelWithInt8Weights) {
  const Workplace here;
  const std::vector<std::string> command = {"generate", "model", "-p", "Once", "-n", "20"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = command;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const json exact = here.run_json(command), result = here.run_json(with({"--weights", "int8"}));
  EXPECT_EQ(exact.at("weights"), "float32");
  EXPECT_EQ(result.at("weights"), "int8");
  EXPECT_NE(result.at("samples")[0].at("probabilities"), exact.at("samples")[0].at("probabilities"));
  EXPECT_EQ(here.run_json(with({"--weights", "int8", "--threads", "1"})).at("samples"), result.at("samples"));
  EXPECT_EQ(here.run(with({"--weights", "int8", "--state-out", "s"})).exit_code, 0);
  EXPECT_EQ(here.run({"generate", "model", "--state-in", "s", "-n", "3", "--weights", "int8"}).exit_code, 0);
  const ProgramResult other = here.run({"generate", "model", "--state-in", "s", "-n", "3"});
  EXPECT_EQ(other.exit_code, 3);
  expect_contains(other.err, {"int8 weights", "float32 weights", "--weights int8"});
  const ProgramResult unknown = here.run(with({"--weights", "int4"}));
  EXPECT_EQ(unknown.exit_code, 2);
  expect_contains(unknown.err, {"int4", "float32", "int8"});
}

TEST(GenerateVerb, NamesErrors) {
  const Workplace here;
  const auto expect = [&](const std::vector<std::string>& arguments, int code,
                          const std::vector<std::string>& parts) {
    const ProgramResult result = here.run(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_EQ(result.out, "");
    expect_contains(result.err, parts);
  };
  expect({"generate", "nowhere", "-p", "x"}, 3, {"nowhere", "no such folder"});
  expect({"generate", "model"}, 3, {"standard input", "empty", "Pipe the data to it"});
  expect({"generate", "model", "-p", "x", "-f", "prompt.txt"}, 2, {"--prompt and --file"});
  expect({"generate", "model", "-p", "x", "--top-p", "0"}, 2, {"--top-p"});
  expect({"generate", "model", "-p", "x", "--samples", "2", "--state-out", "s"}, 2, {"--state-out"});
  expect({"generate", "model", "-p", "x", "--temperature", "0", "--samples", "2"}, 2,
         {"--samples 2", "same text"});
  expect({"generate", "model", "-p", "x", "--repeat-last", "5"}, 2, {"--repeat-last", "--repeat-penalty"});
  for (const char* option : {"--top-k=3", "--top-p=0.5", "--min-p=0.1", "--hf-order", "--seed=1"}) {
    const std::string name = std::string(option).substr(0, std::string(option).find('='));
    expect({"generate", "model", "-p", "x", "--temperature", "0", option}, 2, {name + " has no effect"});
  }
  expect({"generate", "model", "-p", "x", "--stop", ""}, 2, {"stop string is empty"});
  expect({"generate", "model", "-p", "x", "--stop="}, 2, {"stop string is empty"});
  expect({"generate", "model", "--state-in", "text.txt"}, 3, {"text.txt", "--state-out"});
  expect({"generate", "model", "--state-in", "model/model.safetensors"}, 3, {"not the state of a text"});
  expect({"generate", kGpt2.string(), "-p", "x"}, 3, {"no tokenizer", "vocabulary of 50"});
}

TEST(EvalLm, NamesItsProtocolAndCountsEveryTokenOnce) {
  const Workplace here;
  const double tokens = 60 * 45 - 1;
  const json carry = here.run_json({"eval", "lm", "model", "--text", "text.txt"});
  EXPECT_EQ(carry.at("protocol"), "carry");
  EXPECT_EQ(carry.at("tokens"), tokens);
  EXPECT_EQ(carry.at("text_bytes"), tokens);
  EXPECT_NEAR(carry.at("loss").get<double>() * tokens, carry.at("nats").get<double>(), 1e-6);
  EXPECT_NEAR(carry.at("bits_per_byte").get<double>(), carry.at("loss").get<double>() / std::log(2.0), 1e-9);
  testing::run_program({"sh", "-c", "gzip -k \"$0\"", (here / "text.txt").string()});
  EXPECT_EQ(here.run_json({"eval", "lm", "model", "--text", "text.txt.gz"}).at("nats"), carry.at("nats"));
  const json full = here.run_json({"eval", "lm", "model", "--text", "text.txt", "--stride", "full"});
  EXPECT_NEAR(full.at("nats").get<double>(), carry.at("nats").get<double>(),
              1e-4 * full.at("nats").get<double>());
  const json windows =
      here.run_json({"eval", "lm", "model", "--text", "text.txt", "--window", "32", "--stride", "8"});
  EXPECT_EQ(windows.at("protocol"), "window 32, stride 8");
  EXPECT_EQ(windows.at("tokens"), tokens);
  const ProgramResult text = here.run({"eval", "lm", "model", "--text", "text.txt", "--out", "run"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  expect_contains(text.out, {"protocol", "carry", "nats per token", "perplexity", "bits per byte"});
  EXPECT_EQ(json::parse(read_text(here / "run/eval.json")), carry);
}

TEST(EvalLm, ReportsATextThatIsLongerThanTheRowsOfTheTraining) {
  const Workplace here;
  json config = json::parse(read_text(here / "model/config.json"));
  config["version"] = "0.1.0";
  config["verb"] = "train";
  config["task"] = "lm";
  config["training"] = {{"length", 16}};
  write_text(here / "model/config.json", config.dump());
  const ProgramResult whole = here.run({"eval", "lm", "model", "--text", "text.txt"});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  expect_contains(whole.err, {"2700 tokens as a whole", "rows of 16", "--window 16"});
  EXPECT_EQ(here.run({"eval", "lm", "model", "--text", "text.txt", "--window", "16"}).err.find("rows of"),
            std::string::npos);
}

TEST(EvalLm, MeasuresTokenFiles) {
  const Workplace here;
  ASSERT_EQ(here.run({"tokenize", "encode", "--text", "text.txt", "--out", "text.tokens"}).exit_code, 0);
  EXPECT_EQ(here.run_json({"eval", "lm", "model", "--text", "text.tokens"}).at("loss"),
            here.run_json({"eval", "lm", "model", "--text", "text.txt"}).at("loss"));
}

TEST(EvalLm, MeasuresFilesOfIdsWithoutAHeader) {
  const Workplace here;
  std::string ids16, ids32;
  for (const char c : read_text(here / "text.txt")) {
    ids16 += {c, '\0'};
    ids32 += {c, '\0', '\0', '\0'};
  }
  write_text(here / "ids16.bin", ids16);
  write_text(here / "ids32", ids32);
  const auto command = [](const char* file, const char* type) {
    return std::vector<std::string>{"eval", "lm", "model", "--text", file, "--token-type", type};
  };
  const json nats = here.run_json({"eval", "lm", "model", "--text", "text.txt"}).at("nats");
  EXPECT_EQ(here.run_json(command("ids16.bin", "uint16")).at("nats"), nats);
  EXPECT_EQ(here.run_json(command("ids32", "uint32")).at("nats"), nats);
  EXPECT_EQ(
      here.run({"tokenize", "encode", "--text", "ids16.bin", "--token-type", "uint16", "--out", "ids.tokens"})
          .exit_code,
      0);
  EXPECT_EQ(here.run_json({"eval", "lm", "model", "--text", "ids.tokens"}).at("nats"), nats);
  const auto expect_refused = [&](const std::vector<std::string>& arguments, int code,
                                  const std::vector<std::string>& parts) {
    const ProgramResult result = here.run(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    expect_contains(result.err, parts);
  };
  expect_refused({"eval", "lm", "model", "--text", "ids32"}, 3,
                 {"ids32: byte 2 is NUL", "nanoGPT", "--token-type uint16 or uint32", "--token-type text"});
  expect_refused({"tokenize", "encode", "--text", "ids32", "--out", "ids.tokens"}, 3, {"byte 2 is NUL"});
  write_text(here / "abc.bin", "abc");
  expect_refused({"eval", "lm", "model", "--text", "abc.bin"}, 3, {"its name ends with .bin"});
  EXPECT_EQ(here.run_json(command("abc.bin", "text")).at("tokens"), 2);
  EXPECT_EQ(here.run_json(command("ids16.bin", "text")).at("tokens"), ids16.size() - 1);
  expect_refused(command("abc.bin", "uint16"), 3, {"abc.bin", "3 bytes"});
  expect_refused(command("text.txt", "uint16"), 3, {"text.txt", "id number 0", "256 ids"});
  expect_refused({"eval", "lm", "model", "--text", "d.jsonl", "--field", "text", "--token-type", "uint16"}, 2,
                 {"--token-type uint16 with --field"});
  expect_refused({"tokenize", "encode", "--text", "ids16.bin", "--token-type", "uint16"}, 2, {"--out"});
}

TEST(EvalLm, AddsTheTokensAroundATextOnRequest) {
  const Workplace here(384);
  ASSERT_EQ(here.run({"tokenize", "train", "--text", "text.txt", "--vocab-size", "300", "--out", "model"})
                .exit_code,
            0);
  json tokenizer = json::parse(read_text(here / "model/tokenizer.json"));
  const json end = tokenizer.at("added_tokens").at(0).at("id");
  tokenizer["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair", json::array()},
      {"special_tokens",
       {{"<|endoftext|>", {{"id", "<|endoftext|>"}, {"ids", {end}}, {"tokens", {"<|endoftext|>"}}}}}}};
  write_text(here / "model/tokenizer.json", tokenizer.dump());
  const std::vector<std::string> eval = {"eval", "lm", "model", "--text", "text.txt"},
                                 generate = {"generate", "model", "-p", "The", "-n", "5"};
  const auto adding = [](std::vector<std::string> command) {
    command.emplace_back("--add-special");
    return command;
  };
  const json plain = here.run_json(eval), added = here.run_json(adding(eval));
  EXPECT_EQ(added.at("tokens").get<int>(), plain.at("tokens").get<int>() + 1);
  EXPECT_NE(added.at("nats"), plain.at("nats"));
  EXPECT_FALSE(
      contains(here.run({"generate", "model", "-p", "<|endoftext|>The", "--parse-special", "-n", "5"}).err,
               "left out"));
  const json text = here.run_json(generate), begun = here.run_json(adding(generate));
  EXPECT_EQ(begun.at("prompt_tokens").get<int>(), text.at("prompt_tokens").get<int>() + 1);
  EXPECT_EQ(begun.at("samples"),
            here.run_json({"generate", "model", "-p", "<|endoftext|>The", "--parse-special", "-n", "5"})
                .at("samples"));
  for (const auto& command : {eval, generate}) {
    expect_contains(here.run(command).err, {"left out: <|endoftext|>. --add-special adds them"});
    EXPECT_FALSE(contains(here.run(adding(command)).err, "left out"));
  }
  const ProgramResult refused = here.run(adding({"generate", "model", "-p", "x", "--state-in", "state"}));
  EXPECT_EQ(refused.exit_code, 2);
  expect_contains(refused.err, {"--add-special with --state-in"});
}

TEST(EvalLm, MeasuresInt8Weights) {
  const Workplace here;
  const std::vector<std::string> command = {"eval", "lm", "model", "--text", "text.txt"};
  const json exact = here.run_json(command),
             result = here.run_json({"eval", "lm", "model", "--text", "text.txt", "--weights", "int8"});
  EXPECT_EQ(exact.at("weights"), "float32");
  EXPECT_EQ(result.at("weights"), "int8");
  const double loss = exact.at("loss").get<double>();
  EXPECT_NE(result.at("loss").get<double>(), loss);
  EXPECT_NEAR(result.at("loss").get<double>(), loss, 0.02 * loss);
  const ProgramResult text =
      here.run({"eval", "lm", "model", "--text", "text.txt", "--weights", "int8", "--out", "run"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  expect_contains(text.out, {"int8 weights"});
  const ProgramResult other = here.run({"eval", "lm", "model", "--text", "text.txt", "--out", "run"});
  EXPECT_EQ(other.exit_code, 2);
  expect_contains(other.err, {"weights", "int8", "float32"});
}

TEST(EvalLm, NamesErrors) {
  const Workplace here;
  write_text(here / "short.txt", "x");
  const auto expect = [&](const std::vector<std::string>& arguments, int code,
                          const std::vector<std::string>& parts) {
    const ProgramResult result = here.run(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    expect_contains(result.err, parts);
  };
  expect({"eval", "lm", "model", "--text", "short.txt"}, 3, {"short.txt", "1 token"});
  expect({"eval", "lm", "model", "--text", "none.txt"}, 3, {"none.txt"});
  expect({"eval", "lm", "model", "--text", "text.txt", "--window", "8", "--stride", "9"}, 2,
         {"--stride 9", "--window 8"});
  expect({"eval", "lm", "model", "--text", "text.txt", "--window", "8", "--stride", "carry"}, 2, {"carry"});
  expect({"eval", "lm", "model"}, 2, {"--text"});
  expect({"eval"}, 2, {"RUN", "eval lm"});
  expect({"eval", "lmm"}, 2, {"Did you mean `mneme eval lm`?"});
  expect({"eval", "model"}, 2, {"model: is a language model", "mneme eval lm model --text"});
  expect({"eval", "lm", "model", "--text", "text.txt", "--stride", "cary"}, 2,
         {"a number of tokens, full, carry", "Did you mean \"carry\"?"});
}

TEST(GenerateVerb, AddsStandardInputToASavedState) {
  const Workplace here;
  ASSERT_EQ(here.run({"generate", "model", "-p", "Once", "-n", "5", "--state-out", "s"}).exit_code, 0);
  const ProgramResult expected =
      here.run({"generate", "model", "-p", " more", "-n", "9", "--state-in", "s", "--seed", "2"});
  const ProgramResult piped =
      here.run({"generate", "model", "-n", "9", "--state-in", "s", "--seed", "2"}, " more");
  EXPECT_EQ(piped.out, expected.out);
  const ProgramResult none =
      here.run({"generate", "model", "-n", "9", "--state-in", "s", "--seed", "2", "-p", ""}, " more");
  EXPECT_EQ(none.exit_code, 0) << none.err;
  EXPECT_EQ(none.out, here.run({"generate", "model", "-n", "9", "--state-in", "s", "--seed", "2"}).out);
  EXPECT_NE(none.out, piped.out);
}

TEST(GenerateVerb, DoesNotWaitForASilentPipe) {
  const Workplace here;
  ASSERT_EQ(here.run({"generate", "model", "-p", "Once", "-n", "5", "--state-out", "s"}).exit_code, 0);
  const ProgramResult result = testing::run_program(
      {"sh", "-c", "mkfifo pipe && { exec 3<>pipe; \"$0\" generate model --state-in s -n 9 --quiet <&3; }",
       MNEME_PROGRAM},
      {.folder = here.path(), .timeout = kTimeout});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, here.run({"generate", "model", "--state-in", "s", "-n", "9"}).out);
  expect_contains(result.err, {"Standard input is open but had no data", "--file -"});
}

TEST(GenerateVerb, WritesStatesToNoOtherFile) {
  const Workplace here;
  const std::string text = read_text(here / "text.txt"), prompt = read_text(here / "prompt.txt");
  const auto expect = [&](const std::vector<std::string>& more, const std::vector<std::string>& parts) {
    std::vector<std::string> arguments = {"generate", "model", "-n", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = here.run(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    expect_contains(result.err, parts);
  };
  expect({"-p", "x", "--state-out", "text.txt"}, {"--state-out text.txt", "not the state of a text"});
  expect({"-f", "prompt.txt", "--state-out", "./prompt.txt"}, {"is also an input"});
  expect({"-p", "x", "--state-out", "model/model.safetensors"}, {"not the state of a text"});
  EXPECT_EQ(read_text(here / "text.txt"), text);
  EXPECT_EQ(read_text(here / "prompt.txt"), prompt);
  EXPECT_EQ(here.run({"generate", "model", "-p", "x", "-n", "2", "--state-out", "/dev/null"}).exit_code, 0);
}

TEST(GenerateVerb, BeginsWithTheTokenThatTheFolderNames) {
  const Workplace here;
  json config = json::parse(read_text(here / "model/config.json"));
  config["bos_token_id"] = 'O';
  write_text(here / "model/config.json", config.dump());
  const json empty = here.run_json({"generate", "model", "--prompt=", "-n", "9"});
  EXPECT_EQ(empty.at("prompt_tokens"), 1);
  EXPECT_EQ(empty.at("samples"), here.run_json({"generate", "model", "-p", "O", "-n", "9"}).at("samples"));
  config["bos_token_id"] = 300; // not a token of the tokenizer
  write_text(here / "model/config.json", config.dump());
  EXPECT_EQ(here.run({"generate", "model", "-p", ""}).exit_code, 2);
}

TEST(GenerateVerb, EndsAtTheTokensThatTheFolderNames) {
  const Workplace here;
  const std::vector<std::string> command = {"generate", "model", "-p", "Once", "-n", "40"};
  const json ids = here.run_json(command).at("samples").at(0).at("ids");
  ASSERT_EQ(ids.size(), 40U);
  const auto length_until = [&](const std::vector<json>& ends) {
    const auto found = std::ranges::find_first_of(ids, ends);
    return static_cast<size_t>(found - ids.begin()) + 1;
  };
  const auto name_ends = [&](const char* file, const json& value) {
    json config = file == std::string("config.json") ? json::parse(read_text(here / "model/config.json"))
                                                     : json::object();
    config["eos_token_id"] = value;
    write_text(here.path() / "model" / file, config.dump());
  };
  const auto expect_ends = [&](const std::vector<json>& ends) {
    const json result = here.run_json(command);
    EXPECT_EQ(result.at("end_tokens"), json(ends));
    EXPECT_EQ(result.at("samples").at(0).at("end"), "end-of-text");
    EXPECT_EQ(result.at("samples").at(0).at("ids").size(), length_until(ends));
  };
  name_ends("config.json", ids.at(20));
  expect_ends({ids.at(20)});
  name_ends("config.json", {ids.at(20), ids.at(10), 999}); // 999 is no token
  expect_ends({ids.at(20), ids.at(10)});
  name_ends("generation_config.json", ids.at(30));
  expect_ends({ids.at(30)});
  std::vector<std::string> ignoring = command;
  ignoring.emplace_back("--ignore-end");
  EXPECT_EQ(here.run_json(ignoring).at("samples").at(0).at("ids"), ids);
  name_ends("generation_config.json", "<end>");
  const ProgramResult result = here.run(command);
  EXPECT_EQ(result.exit_code, 3);
  expect_contains(result.err, {"generation_config.json", "\"eos_token_id\" is \"<end>\"", "list of ids"});
}

TEST(GenerateVerb, RefusesAnotherTokenizerThanThatOfTheTraining) {
  const Workplace here;
  json config = json::parse(read_text(here / "model/config.json"));
  config["training"]["tokenizer_sha256"] = std::string(64, '0');
  write_text(here / "model/config.json", config.dump());
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"generate", "model", "-p", "x"},
                                                    {"eval", "lm", "model", "--text", "text.txt"}}) {
    const ProgramResult result = here.run(arguments);
    EXPECT_EQ(result.exit_code, 3);
    expect_contains(result.err, {"trained with another tokenizer", "000000000000", "one token per byte"});
  }
  config["training"]["tokenizer_sha256"] =
      testing::results_of(here.run({"tokenize", "info", "bytes", "--json"}).out).at("sha256");
  write_text(here / "model/config.json", config.dump());
  EXPECT_EQ(here.run({"generate", "model", "-p", "x", "-n", "2"}).exit_code, 0);
}

TEST(EvalLm, WarnsOfATokenizerWithFewerTokensAlsoIfQuiet) {
  const Workplace here(257);
  const ProgramResult result = here.run({"eval", "lm", "model", "--text", "text.txt", "--quiet"});
  EXPECT_EQ(result.exit_code, 0);
  expect_contains(result.err, {"1 word more than the tokenizer", "another model"});
}

TEST(EvalLm, MeasuresSeveralFilesAndJsonLines) {
  const Workplace here;
  write_text(here / "1.txt", "one");
  write_text(here / "2.txt", "two\n");
  write_text(here / "both", "onetwo\n");
  write_text(here / "d.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
  write_text(here / "lines", "one\ntwo\n");
  const auto nats = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"eval", "lm", "model", "--text"});
    return here.run_json(arguments).at("nats").get<double>();
  };
  EXPECT_EQ(nats({"?.txt"}), nats({"both"}));
  EXPECT_EQ(nats({"1.txt", "2.txt"}), nats({"both"}));
  EXPECT_EQ(nats({"d.jsonl", "--field", "text"}), nats({"lines"}));
  const ProgramResult shown = here.run({"eval", "lm", "model", "--text", "1.txt", "2.txt"});
  expect_contains(shown.out, {"1.txt, ... (2 files, joined without a separator)"});
  const ProgramResult refused = here.run({"eval", "lm", "model", "--text", "d.jsonl"});
  EXPECT_EQ(refused.exit_code, 3);
  expect_contains(refused.err, {"d.jsonl", "--field text"});
}

TEST(EvalLm, JsonHasAllOptions) {
  const Workplace here;
  const auto parameters = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", "lm", "model", "--json", "--text"});
    return json::parse(here.run(more).out).at("parameters");
  };
  EXPECT_EQ(parameters({"text.txt"}), (json{{"model", "model"},
                                            {"text", "text.txt"},
                                            {"field", nullptr},
                                            {"token_type", "auto"},
                                            {"weights", "float32"},
                                            {"parse_special", false},
                                            {"add_special", false},
                                            {"window", nullptr},
                                            {"stride", "carry"}}));
  const json windows = parameters({"text.txt", "prompt.txt", "--window", "16"});
  EXPECT_EQ(windows.at("window"), 16);
  EXPECT_EQ(windows.at("stride"), 16);
  EXPECT_EQ(windows.at("text"), (json{"text.txt", "prompt.txt"}));
}

/// The words of a command, with "..." as one word.
std::vector<std::string> words_of(const std::string& command) {
  std::vector<std::string> words = {""};
  bool quoted = false;
  for (const char c : command) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

TEST(HowToLanguageModels, EveryCommandRuns) {
  const Workplace here;
  const std::string page =
      read_text(std::filesystem::path(MNEME_SOURCE_DIR) / "docs" / "how-to" / "language_models.md");
  std::istringstream lines(page);
  int commands = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("mneme ")) {
      continue;
    }
    std::vector<std::string> words = words_of(line);
    words.erase(words.begin());
    for (std::string& word : words) { // files of the clone
      word = word.starts_with("docs/") ? MNEME_SOURCE_DIR "/" + word : word;
    }
    const ProgramResult result = here.run(words);
    EXPECT_EQ(result.exit_code, 0) << line << "\n" << result.err;
    ++commands;
  }
  EXPECT_EQ(commands, 16);
}

#else

TEST(GenerateVerb, NeedsLibTorch) {
  const ProgramResult result = run_mneme({"generate", "model", "-p", "x"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "LibTorch")) << result.err;
}

#endif

} // namespace
} // namespace mneme
