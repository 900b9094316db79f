// SPDX-License-Identifier: MIT

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/random.h"
#include "mneme/tokens/token_file.h"

namespace mneme {
namespace {

using testing::contains;
using testing::expect_contains;
using testing::ProgramOptions;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;
using Arguments = std::vector<std::string>;

/// Sentences with structure.
std::string text_of(int64_t sentences, uint64_t seed = 1) {
  const std::vector<std::string> subjects = {"the cat", "a dog", "the queen", "my friend"},
                                 verbs = {" sees ", " likes ", " finds "},
                                 objects = {"the moon", "a fish", "some bread", "an old book"};
  Random random(seed);
  std::string text;
  for (int64_t i = 0; i < sentences; ++i) {
    text += subjects[random.below(subjects.size())] + verbs[random.below(verbs.size())] +
            objects[random.below(objects.size())] + ".\n";
  }
  return text;
}

/// A folder with a text, and the arguments of a short training run on it.
class TrainLm : public ::testing::Test {
protected:
  void SetUp() override { testing::write_text(folder_ / "text.txt", text_of(300)); }

  /// Options in `more` replace those of the short run.
  Arguments command(const std::string& run, const Arguments& more = {}) const {
    Arguments arguments = {"train", "lm", "--text", (folder_ / "text.txt").string(), "--out", path(run)};
    for (const auto& [option, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"--layers", "1"},
                                                                    {"--width", "16"},
                                                                    {"--heads", "2"},
                                                                    {"--length", "16"},
                                                                    {"--tokens-per-step", "128"},
                                                                    {"--lr", "1e-2"}}) {
      if (std::ranges::find(more, option) == more.end()) {
        arguments.insert(arguments.end(), {option, value});
      }
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  ProgramResult train(const std::string& run, const Arguments& more = {},
                      const ProgramOptions& options = {.timeout = std::chrono::seconds(120)}) const {
    return run_mneme(command(run, more), options);
  }
  std::string path(const std::string& run) const { return (folder_ / run).string(); }
  nlohmann::json config(const std::string& run) const {
    return nlohmann::json::parse(read_text(folder_ / run / "config.json"));
  }
  std::vector<nlohmann::json> metrics(const std::string& run) const {
    std::vector<nlohmann::json> lines;
    std::ifstream file(folder_ / run / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      lines.push_back(nlohmann::json::parse(line));
    }
    return lines;
  }
  void expect_same_run(const std::string& a, const std::string& b) const {
    for (const char* name : {"metrics.jsonl", "model.safetensors", "config.json", "learning.csv",
                             "index.html", "tokenizer.json"}) {
      EXPECT_EQ(read_text(folder_ / a / name) == read_text(folder_ / b / name), true) << name;
    }
  }

  TemporaryFolder folder_;
};

const Arguments kShort = {"--steps", "20", "--eval-every", "10", "--sample-every", "20", "--save-every", "5"};

TEST_F(TrainLm, WritesAModelThatDoesNotDependOnThreads) {
  Arguments one = kShort, two = kShort;
  one.insert(one.end(), {"--threads", "1"});
  two.insert(two.end(), {"--threads", "2"});
  const ProgramResult result = train("one", one);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.out, {"parameters", "SHA-256", "estimated time", "per parameter",
                               "the same command resumes", "validation loss", "bits per byte"});
  expect_contains(result.err, {"step 10: validation loss", "step 20: sample", "tok/s", "bits/byte"});
  ASSERT_EQ(train("two", two).exit_code, 0);
  expect_same_run("one", "two");
  const std::vector<nlohmann::json> lines = metrics("one");
  ASSERT_EQ(lines.size(), 20U + 2 + 1); // steps, validations after 10 and 20, a sample
  EXPECT_EQ(lines.front().at("step"), 1);
  EXPECT_EQ(lines.at(10).at("step"), 10);
  EXPECT_LT(lines.at(21).at("validation_loss"), lines.at(10).at("validation_loss"));
  for (const char* key : {"loss", "bits_per_byte", "gradient_norm", "learning_rate"}) {
    EXPECT_TRUE(lines.at(1).at(key).is_number()) << key;
  }
  EXPECT_TRUE(lines.back().at("sample").is_string());
  const nlohmann::json settings = config("one").at("training");
  EXPECT_EQ(config("one").at("plan").at("steps"), 20);
  EXPECT_EQ(settings.at("training_text").at("sha256").get<std::string>().size(), 64U);
  std::set<std::string> checkpoints;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "one/checkpoints")) {
    checkpoints.insert(entry.path().filename().string());
  }
  EXPECT_EQ(checkpoints, (std::set<std::string>{"step-000000015.safetensors", "step-000000020.safetensors"}));
}

TEST_F(TrainLm, PrintsOnlyTheResultIfItIsQuiet) {
  for (const Arguments& quiet : {Arguments{"--quiet"}, Arguments{"--progress", "none"}}) {
    Arguments options = kShort;
    options.insert(options.end(), quiet.begin(), quiet.end());
    const ProgramResult result = train(quiet.back(), options);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    expect_contains(result.out, {"training loss", "validation loss", "Written to"});
    EXPECT_EQ(contains(result.out, "SHA-256"), quiet.front() != "--quiet") << result.out;
  }
  expect_contains(train("run", {"--steps", "2", "--quiet", "--dry-run"}).out, {"SHA-256", "estimated time"});
}

TEST_F(TrainLm, TrainsOnATokenFileAsOnItsText) {
  const tokens::Tokenizer bytes = tokens::Tokenizer::bytes();
  tokens::TokenFileWriter file(bytes);
  file.add(bytes.encode(read_text(folder_ / "text.txt")));
  file.write(folder_ / "text.tokens");
  ASSERT_EQ(train("text", kShort).exit_code, 0);
  Arguments command = this->command("tokens", kShort);
  std::ranges::replace(command, (folder_ / "text.txt").string(), (folder_ / "text.tokens").string());
  const ProgramResult result = run_mneme(command, {.timeout = std::chrono::seconds(120)});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_same_run("text", "tokens");
}

TEST_F(TrainLm, TrainsOnFilesOfIdsWithoutAHeader) {
  std::string ids;
  for (const char c : read_text(folder_ / "text.txt")) {
    ids += {c, '\0'};
  }
  testing::write_text(folder_ / "text.bin", ids);
  ASSERT_EQ(train("text", kShort).exit_code, 0);
  const auto train_on_ids = [&](const std::string& run, const Arguments& more) {
    Arguments command = this->command(run, kShort);
    command.insert(command.end(), more.begin(), more.end());
    std::ranges::replace(command, (folder_ / "text.txt").string(), (folder_ / "text.bin").string());
    return run_mneme(command, {.timeout = std::chrono::seconds(120)});
  };
  const ProgramResult result = train_on_ids("ids", {"--token-type", "uint16"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(metrics("ids"), metrics("text"));
  EXPECT_EQ(config("ids").at("training").at("token_type"), "uint16");
  const ProgramResult other = train_on_ids("text", {"--token-type", "uint16"});
  EXPECT_EQ(other.exit_code, 2);
  expect_contains(other.err, {"token_type", "uint16"});
  const ProgramResult refused = train_on_ids("bytes", {});
  EXPECT_EQ(refused.exit_code, 3);
  expect_contains(refused.err, {"text.bin: byte 2 is NUL", "--token-type uint16"});
}

TEST_F(TrainLm, ContinuesTheModelOfAFolder) {
  ASSERT_EQ(train("first", kShort).exit_code, 0);
  nlohmann::json ends = config("first");
  ends["eos_token_id"] = {'!', '?'};
  testing::write_text(folder_ / "first/config.json", ends.dump());
  const auto continued = [&](const std::string& run, const Arguments& more = {}) {
    Arguments arguments = {"train",
                           "lm",
                           "--text",
                           (folder_ / "text.txt").string(),
                           "--init",
                           path("first"),
                           "--out",
                           path(run),
                           "--lr",
                           "1e-3",
                           "--tokens-per-step",
                           "128"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_mneme(arguments, {.timeout = std::chrono::seconds(120)});
  };
  const ProgramResult result = continued("second", kShort);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "leap, that of " + path("first")));
  const double end_of_first = metrics("first").at(metrics("first").size() - 3).at("loss").get<double>(),
               begin_of_second = metrics("second").front().at("loss").get<double>();
  EXPECT_LT(begin_of_second, end_of_first + 0.3);
  EXPECT_LT(begin_of_second, metrics("first").front().at("loss").get<double>() - 1);
  EXPECT_FALSE(config("second").at("training").contains("layers"));
  EXPECT_EQ(config("second").at("eos_token_id"), ends.at("eos_token_id"));
  EXPECT_EQ(config("second").at("hidden_size"), 16);
  ASSERT_EQ(continued("third", {"--steps", "20", "--eval-every", "10", "--sample-every", "20", "--save-every",
                                "5", "--threads", "2"})
                .exit_code,
            0);
  expect_same_run("second", "third");
  expect_contains(continued("x", {"--layers", "2", "--positions", "none"}).err,
                  {"--layers, --positions does not go with --init"});
  expect_contains(continued("x", {"--length", "32"}).err, {"--length is 32", "16 positions"});
  expect_contains(continued("first").err, {"--out is the same folder"});
}

TEST_F(TrainLm, ContinuesWithRowsOfTheLengthOfTheFirstTraining) {
  ASSERT_EQ(train("first", {"--steps", "2", "--positions", "rotary"}).exit_code, 0);
  const auto continued = [&](const Arguments& more = {}) {
    Arguments arguments = {"train",     "lm",      "--text", path("text.txt"), "--init", path("first"),
                           "--dry-run", "--steps", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_mneme(arguments, {.timeout = std::chrono::seconds(120)}).out;
  };
  expect_contains(continued(),
                  {"that of " + path("first") + ", in rows of 16 tokens", "4096: 256 rows of 16"});
  expect_contains(continued({"--length", "32"}), {"in rows of 32 tokens"});
  nlohmann::json config = this->config("first"); // of another program
  config.erase("training");
  testing::write_text(folder_ / "first/config.json", config.dump());
  expect_contains(continued(), {"in rows of 512 tokens"});
}

TEST_F(TrainLm, BeginsSamplesWithATokenOfTheTrainingText) {
  const std::string text = (folder_ / "text.txt").string();
  ASSERT_EQ(
      run_mneme({"tokenize", "train", "--text", text, "--vocab-size", "290", "--out", path("tokenizer")})
          .exit_code,
      0);
  Arguments options = kShort;
  options.insert(options.end(), {"--tokenizer", path("tokenizer"), "--model", "gpt2"});
  ASSERT_EQ(train("run", options).exit_code, 0);
  const int line_feed = 198, end = 289;
  EXPECT_EQ(config("run").at("bos_token_id"), line_feed) << "the text has no end-of-text token";
  EXPECT_EQ(config("run").at("eos_token_id"), end);
  const auto samples = [&](const std::string& prompt) {
    const ProgramResult result = run_mneme({"generate", path("run"), "-p", prompt, "-n", "9", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return testing::results_of(result.out).at("samples");
  };
  EXPECT_EQ(samples(""), samples("\n"));

  std::string lines;
  for (int i = 0; i < 60; ++i) {
    lines += nlohmann::json{{"text", text_of(5, 10 + i)}}.dump() + "\n";
  }
  testing::write_text(folder_ / "docs.jsonl", lines);
  Arguments documents = command("documents", options);
  std::ranges::replace(documents, text, path("docs.jsonl"));
  const ProgramResult refused = run_mneme(documents);
  EXPECT_EQ(refused.exit_code, 3);
  expect_contains(refused.err, {"docs.jsonl", "--field text"});
  documents.insert(documents.end(), {"--field", "text"});
  const ProgramResult result = run_mneme(documents, {.timeout = std::chrono::seconds(120)});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "documents of 1 file, each followed by <|endoftext|>"));
  EXPECT_EQ(config("documents").at("bos_token_id"), end);

  Arguments continued = {"train", "lm", "--text", text, "--init", path("documents"), "--out", path("more")};
  continued.insert(continued.end(), kShort.begin(), kShort.end());
  ASSERT_EQ(run_mneme(continued, {.timeout = std::chrono::seconds(120)}).exit_code, 0);
  EXPECT_EQ(config("more").at("bos_token_id"), end) << "that of --init";
}

TEST_F(TrainLm, NamesTheTokenizerOfATokenFile) {
  const std::string text = (folder_ / "text.txt").string();
  ASSERT_EQ(
      run_mneme({"tokenize", "train", "--text", text, "--vocab-size", "290", "--out", path("tokenizer")})
          .exit_code,
      0);
  ASSERT_EQ(run_mneme({"tokenize", "encode", "--text", text, "--tokenizer", path("tokenizer"), "--out",
                       path("text.tokens")})
                .exit_code,
            0);
  const ProgramResult result = run_mneme({"train", "lm", "--text", path("text.tokens"), "--dry-run"});
  EXPECT_EQ(result.exit_code, 3);
  expect_contains(result.err, {"another tokenizer (290 ids", "Without --tokenizer, a token is a byte"});
  EXPECT_FALSE(contains(result.err, "given one"));
}

TEST_F(TrainLm, ReadsFilesThatMatchAPattern) {
  testing::write_text(folder_ / "part1.txt", text_of(200));
  testing::write_text(folder_ / "part2.txt", text_of(200, 2));
  const auto settings = [&](const Arguments& texts) {
    Arguments arguments = {"train", "lm", "--dry-run", "--length", "16", "--text"};
    arguments.insert(arguments.end(), texts.begin(), texts.end());
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out.substr(result.out.find("training text"), 120);
  };
  EXPECT_EQ(settings({path("part*.txt")}), settings({path("part1.txt"), path("part2.txt")}));
  EXPECT_TRUE(contains(settings({path("part?.txt")}), "2 files, joined without a separator"));
}

TEST_F(TrainLm, HashesTheTextsAsSha256sumDoes) {
  Arguments options = kShort;
  testing::write_text(folder_ / "val.txt", "abc");
  options.insert(options.end(), {"--val", (folder_ / "val.txt").string()});
  ASSERT_EQ(train("run", options).exit_code, 0);
  EXPECT_EQ(config("run").at("training").at("validation_text").at("sha256"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(TrainLm, EndsWithTheSameBytesHoweverOftenItIsKilled) {
  const Arguments options = {"--steps",        "60", "--eval-every", "15",
                             "--sample-every", "30", "--save-every", "4"};
  ASSERT_EQ(train("whole", options).exit_code, 0);
  Random random(17);
  const auto with_threads = [&](Arguments more) {
    more.insert(more.end(), {"--threads", std::to_string(1 + random.below(3))});
    return more;
  };
  int killed = 0;
  for (const char* after : {"step 15: validation", "step 15: validation", "step 15: validation",
                            "step 30: sample", "step 45: validation"}) {
    const ProgramResult result =
        train("killed", with_threads(options),
              {.signal = SIGKILL, .signal_after = after, .timeout = std::chrono::seconds(120)});
    killed += result.signal == SIGKILL ? 1 : 0;
  }
  for (int i = 0; i < 12; ++i) { // at random times, before, between and in the steps and checkpoints
    Arguments command = {"timeout", "-s", "KILL", std::to_string(0.4 + 0.8 * random.uniform()),
                         MNEME_PROGRAM};
    const Arguments train = this->command("killed", with_threads(options));
    command.insert(command.end(), train.begin(), train.end());
    const ProgramResult result = testing::run_program(command, {.timeout = std::chrono::seconds(120)});
    if (result.exit_code == 0) {
      break;
    }
    ++killed;
  }
  EXPECT_GE(killed, 3);
  const ProgramResult last = train("killed", with_threads(options));
  ASSERT_EQ(last.exit_code, 0) << last.err;
  expect_same_run("whole", "killed");
}

TEST_F(TrainLm, WritesACheckpointWhenItIsInterrupted) {
  const Arguments options = {"--steps", "40", "--eval-every", "10", "--save-every", "0"};
  ASSERT_EQ(train("whole", options).exit_code, 0);
  const ProgramResult result =
      train("ended", options,
            {.signal = SIGINT, .signal_after = "step 20: validation", .timeout = std::chrono::seconds(120)});
  EXPECT_EQ(result.exit_code, 130) << result.err;
  const ProgramResult resumed = train("ended", options);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_TRUE(contains(resumed.out, "resumed          from step 2")) << resumed.out;
  expect_same_run("whole", "ended");
}

TEST_F(TrainLm, ResumesARunWhoseNumberOfStepsWasComputed) {
  Arguments timed = {"--minutes", "0.002", "--sample-every", "0"};
  ASSERT_EQ(train("run", timed).exit_code, 0);
  // The default limit of 10 minutes, as written by a run that was interrupted early.
  nlohmann::json config = this->config("run");
  config["training"]["limit"] = "10 minutes";
  testing::write_text(folder_ / "run/config.json", config.dump());
  timed.erase(timed.begin(), timed.begin() + 2);
  const ProgramResult resumed = train("run", timed);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  expect_contains(resumed.out, {"(limit: 10 minutes)", "resumed"});
}

TEST_F(TrainLm, KeepsTheModelFromBeforeItDiverged) {
  const ProgramResult result = train("run", {"--steps", "40", "--lr", "1000", "--eval-every", "4",
                                             "--save-every", "4", "--sample-every", "0", "--warmup", "0"});
  EXPECT_EQ(result.exit_code, 2) << result.out;
  expect_contains(result.err, {"no checkpoint is written, because the loss is not finite", "has diverged",
                               "before it diverged", "smaller learning rate"});
  EXPECT_FALSE(contains(result.err, "mneme::"));
  EXPECT_FALSE(contains(result.err, "nan")) << result.err;
  expect_contains(result.err, {"its loss is not a number", "validation loss not a number"});
  const ProgramResult generated = run_mneme({"generate", path("run"), "--prompt", "a", "--tokens", "3"});
  EXPECT_EQ(generated.exit_code, 0) << generated.err;
}

TEST_F(TrainLm, TrainsOnTextsOfAnyLengthWithoutLearnedPositions) {
  Arguments options = kShort;
  options.insert(options.end(), {"--positions", "decay"});
  ASSERT_EQ(train("run", options).exit_code, 0);
  const ProgramResult evaluated =
      run_mneme({"eval", "lm", path("run"), "--text", (folder_ / "text.txt").string()});
  EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
  expect_contains(evaluated.out, {"carry"});
}

TEST_F(TrainLm, InspectUsesTheTokenizerOfTheModel) {
  const std::string tokenizer = (folder_ / "tokenizer").string(), text = (folder_ / "short.txt").string();
  testing::write_text(text, "the cat sees a fish. my friend likes some bread.");
  ASSERT_EQ(run_mneme({"tokenize", "train", "--text", (folder_ / "text.txt").string(), "--vocab-size", "290",
                       "--out", tokenizer})
                .exit_code,
            0);
  Arguments options = kShort;
  options.insert(options.end(), {"--tokenizer", tokenizer, "--length", "32"});
  ASSERT_EQ(train("run", options).exit_code, 0);
  const auto json_of = [&](Arguments arguments) {
    arguments.insert(arguments.end(), {path("run"), "--text", text, "--json"});
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return testing::results_of(result.out);
  };
  const nlohmann::json inspected = json_of({"inspect"}), evaluated = json_of({"eval", "lm"});
  EXPECT_NEAR(inspected.at("prediction").at("mean_loss").get<double>(), evaluated.at("loss").get<double>(),
              1e-4);
}

TEST_F(TrainLm, RefusesSizesThatDoNotFitIntoMemory) {
  const ProgramResult result =
      train("run", {"--layers", "1000", "--width", "100000", "--heads", "1", "--dry-run"});
  EXPECT_EQ(result.exit_code, 2);
  expect_contains(result.err, {"--layers 1000 and --width 100000", "parameters", "of memory are available"});
}

TEST_F(TrainLm, RefusesToResumeWithOtherSettingsOrAnotherText) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  const std::string before = read_text(folder_ / "run/config.json");
  const auto refused = [&](const Arguments& more, const Arguments& expected) {
    Arguments options = kShort;
    if (const auto given = more.empty() ? options.end() : std::ranges::find(options, more.front());
        given != options.end()) {
      options.erase(given, given + 2); // an option and its value are replaced
    }
    options.insert(options.end(), more.begin(), more.end());
    const ProgramResult result = train("run", options);
    EXPECT_EQ(result.exit_code, 2) << result.out;
    expect_contains(result.err, expected);
    EXPECT_EQ(read_text(folder_ / "run/config.json"), before);
  };
  refused({"--weight-decay", "0.2"}, {"with weight_decay 0.1 (requested: 0.2)"});
  refused({"--seed", "2"}, {"with seed 1 (requested: 2)"});
  refused({"--batch", "1"}, {"with rows_per_batch"});
  refused({"--precision", "bfloat16"}, {"precision \"float32\" (requested: \"bfloat16\")"});
  refused({"--positions", "decay"}, {"positions \"learned\" (requested: \"decay\")"});
  refused({"--eval-every", "7"}, {"with eval_every 10 (requested: 7)"});
  refused({"--model", "lstm", "--preset", "tiny"}, {"heads"});
  refused({"--resume", "never"}, {"contains checkpoints", "--out"});
  refused({"--resume", "no-such-file"}, {"no-such-file", "is not a file"});
  testing::write_text(folder_ / "text.txt", text_of(300, 2));
  refused({}, {"training_text.sha256"});
}

TEST_F(TrainLm, WritesSettingsInWordsAndResumesRunsOfEarlierVersions) {
  const Arguments decay = {"--steps", "2", "--positions", "decay", "--precision", "bfloat16"};
  ASSERT_EQ(train("run", {"--steps", "2"}).exit_code, 0);
  ASSERT_EQ(train("decay", decay).exit_code, 0);
  nlohmann::json usual = config("run"), other = config("decay");
  const auto text = [](const nlohmann::json& config) {
    const nlohmann::json& training = config.at("training");
    return training.at("precision").dump() + training.at("positions").dump() + training.at("init").dump();
  };
  EXPECT_EQ(text(usual), R"("float32""learned"null)");
  EXPECT_EQ(text(other), R"("bfloat16""decay"null)");
  usual["training"].update(
      nlohmann::json{{"positions", nlohmann::json::object()}, {"init", nlohmann::json::object()}});
  usual["training"].erase("precision");
  other["training"].update(
      nlohmann::json{{"precision", {{"products", "bfloat16"}}}, {"positions", {{"kind", "decay"}}}});
  other["training"].erase("init");
  testing::write_text(folder_ / "run/config.json", usual.dump());
  testing::write_text(folder_ / "decay/config.json", other.dump());
  const ProgramResult first = train("run", {"--steps", "2"}), second = train("decay", decay);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(second.exit_code, 0) << second.err;
}

TEST_F(TrainLm, RefusesToOverwriteTheModelItStartsFrom) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  const auto continued = [&](const std::string& out, const Arguments& more = {}) {
    Arguments command = {"train",     "lm",    "--text", path("text.txt"), "--init",
                         path("run"), "--out", out,      "--steps",        "2"};
    command.insert(command.end(), more.begin(), more.end());
    return run_mneme(command, {.timeout = std::chrono::seconds(120)});
  };
  const ProgramResult same = continued(path("run") + "/.");
  EXPECT_EQ(same.exit_code, 2) << same.out;
  expect_contains(same.err,
                  {"--init " + path("run"), "--out is the same folder", "another folder with --out"});
  EXPECT_EQ(same.err.size() < 300, true) << same.err;
  // In the folder of another run, only what differs is named.
  ASSERT_EQ(train("other", {"--steps", "2"}).exit_code, 0);
  const ProgramResult other = continued(path("other"), {"--length", "16", "--tokens-per-step", "128"});
  EXPECT_EQ(other.exit_code, 2) << other.out;
  expect_contains(other.err,
                  {"init ", "layers 1 (requested: none)", "learning_rate 0.01 (requested: 0.001)"});
  for (const char* equal : {"seed", "clip", "training_text", "steps 2 "}) {
    EXPECT_FALSE(contains(other.err, equal)) << other.err;
  }
}

TEST_F(TrainLm, NamesTheWayToTrainAFinishedModelFurther) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  const ProgramResult refused = train("run", {"--steps", "40"});
  EXPECT_EQ(refused.exit_code, 2) << refused.out;
  expect_contains(refused.err, {"limit \"20 steps\" (requested: \"40 steps\")",
                                "`--init " + path("run") + "` with another --out trains the model"});
}

TEST_F(TrainLm, RestoresFilesOfTheModelFromTheLastCheckpoint) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  std::filesystem::copy(folder_ / "run", folder_ / "whole", std::filesystem::copy_options::recursive);
  for (const char* name : {"model.safetensors", "tokenizer.json"}) {
    std::filesystem::remove(folder_ / "run" / name);
    const ProgramResult again = train("run", kShort);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / name)) << name;
  }
  expect_same_run("whole", "run");
  std::filesystem::remove(folder_ / "run/config.json");
  const ProgramResult refused = train("run", kShort);
  EXPECT_EQ(refused.exit_code, 2) << refused.out;
  const std::string last = path("run/checkpoints/step-000000020.safetensors");
  expect_contains(refused.err, {"no config.json", "--resume " + last + " continues the run there"});
  Arguments advised = kShort;
  advised.insert(advised.end(), {"--resume", last});
  const ProgramResult resumed = train("another", advised);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  expect_same_run("whole", "another");
}

TEST_F(TrainLm, NamesTheModelThatWasWrittenIfTheLossIsNotFinite) {
  const ProgramResult result =
      train("run", {"--steps", "4", "--lr", "1e6", "--warmup", "0", "--schedule", "constant", "--eval-every",
                    "0", "--sample-every", "0", "--save-every", "0"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const bool written = std::filesystem::exists(folder_ / "run/model.safetensors");
  EXPECT_EQ(contains(result.out, "model.safetensors"), written) << result.out;
  EXPECT_EQ(contains(result.out, "no model, because the loss was not finite"), !written) << result.out;
  const ProgramResult json = train("json", {"--steps", "4", "--lr", "1e30", "--warmup", "0", "--json"});
  EXPECT_EQ(testing::results_of(json.out).at("model_step"), 0);
}

TEST_F(TrainLm, ResumesFromAFileOfTheUsersChoice) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  const std::string weights = read_text(folder_ / "run/model.safetensors"),
                    lines = read_text(folder_ / "run/metrics.jsonl");
  Arguments options = kShort;
  options.insert(options.end(), {"--resume", path("run/checkpoints/step-000000015.safetensors")});
  const ProgramResult result = train("run", options);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "from step 15"));
  EXPECT_EQ(read_text(folder_ / "run/model.safetensors") == weights, true);
  EXPECT_EQ(read_text(folder_ / "run/metrics.jsonl") == lines, true);
  options.back() = path("run/model.safetensors");
  const ProgramResult refused = train("run", options);
  EXPECT_EQ(refused.exit_code, 3);
  expect_contains(refused.err, {"model.safetensors", "format"});
}

TEST_F(TrainLm, UsesTheCheckpointBeforeADamagedOne) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  const std::string weights = read_text(folder_ / "run/model.safetensors");
  const auto newest = folder_ / "run/checkpoints/step-000000020.safetensors";
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
  const ProgramResult result = train("run", kShort);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.err, {"damaged checkpoint", "step-000000020"});
  EXPECT_TRUE(contains(result.out, "from step 15"));
  EXPECT_EQ(read_text(folder_ / "run/model.safetensors") == weights, true);
}

TEST_F(TrainLm, NoticesAChangedBitOfACheckpoint) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  const std::string weights = read_text(folder_ / "run/model.safetensors"),
                    lines = read_text(folder_ / "run/metrics.jsonl");
  const auto newest = folder_ / "run/checkpoints/step-000000020.safetensors";
  std::string bytes = read_text(newest);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  testing::write_text(newest, bytes);
  const ProgramResult result = train("run", kShort);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.err, {"A damaged checkpoint is ignored", "step-000000020", "the file is damaged"});
  EXPECT_TRUE(contains(result.out, "from step 15"));
  EXPECT_EQ(read_text(folder_ / "run/model.safetensors") == weights, true);
  EXPECT_EQ(read_text(folder_ / "run/metrics.jsonl") == lines, true);
}

TEST_F(TrainLm, FixesTheNumberOfStepsOfARunLimitedByTime) {
  const Arguments options = {"--minutes", "0.01", "--sample-every", "0"};
  ASSERT_EQ(train("run", options).exit_code, 0);
  const int64_t steps = config("run").at("plan").at("steps");
  EXPECT_GE(steps, 1);
  EXPECT_EQ(metrics("run").back().at("step"), steps);
  const std::string before = read_text(folder_ / "run/metrics.jsonl");
  std::filesystem::remove_all(folder_ / "run/checkpoints"); // as if it had been killed before the first one
  const ProgramResult again = train("run", options);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(config("run").at("plan").at("steps"), steps);
  EXPECT_EQ(read_text(folder_ / "run/metrics.jsonl"), before);
  EXPECT_EQ(train("run", {"--minutes", "0.02", "--sample-every", "0"}).exit_code, 2);
}

TEST_F(TrainLm, LearnsOneBatchByHeart) {
  const ProgramResult passed =
      run_mneme({"train", "lm", "--text", (folder_ / "text.txt").string(), "--out", path("one"),
                 "--overfit-one-batch", "--layers", "2", "--width", "64", "--length", "32",
                 "--tokens-per-step", "64", "--lr", "3e-3", "--json"},
                {.timeout = std::chrono::seconds(120)});
  EXPECT_EQ(passed.exit_code, 0) << passed.err;
  const nlohmann::json document = testing::results_of(passed.out);
  EXPECT_EQ(document.at("overfit_passed"), true) << passed.out;
  EXPECT_LT(document.at("training_loss"), 0.01);
  const ProgramResult failed = train("two", {"--overfit-one-batch", "--steps", "3"});
  EXPECT_EQ(failed.exit_code, 4);
  EXPECT_TRUE(contains(failed.out, "must be below 0.01: failed")) << failed.out;
}

TEST_F(TrainLm, PrintsAPlanWithoutWritingAnything) {
  const ProgramResult result = train("run", {"--dry-run", "--tokens", "12801"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.out, {"steps            101 (limit: 12801 tokens)", "estimated time"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  const nlohmann::json document =
      testing::results_of(train("run", {"--dry-run", "--steps", "7", "--json"}).out);
  EXPECT_EQ(document.at("plan").at("steps"), 7);
  EXPECT_GT(document.at("plan").at("parameters"), 1000);
  std::filesystem::create_directories(folder_ / "runs/train/lm/leap");
  testing::write_text(folder_ / "runs/train/lm/leap/config.json", "{}"); // the default folder has no effect
  const ProgramResult plain =
      run_mneme({"train", "lm", "--text", path("text.txt"), "--dry-run", "--steps", "1", "--layers", "1"},
                {.folder = folder_.path(), .timeout = std::chrono::seconds(60)});
  EXPECT_EQ(plain.exit_code, 0) << plain.err;
  expect_contains(plain.out, {"1 layer,", "(limit: 1 step)", "every step"});
  expect_contains(run_mneme({"train", "lm", "--help"}).out, {"runs/train/lm/MODEL"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(TrainLm, EstimatesTheTimeOfAnyStepInAFewSeconds) {
  const auto seconds_per_step = [&](const std::string& tokens, const std::string& batch) {
    const ProgramResult result =
        train("run", {"--dry-run", "--steps", "1", "--json", "--tokens-per-step", tokens, "--batch", batch},
              {.timeout = std::chrono::seconds(60)});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return testing::results_of(result.out).at("plan").at("seconds_per_step").get<double>();
  };
  const double small = seconds_per_step("51200", "0");
  EXPECT_GT(seconds_per_step("512000000", "0"),
            1000 * small); // 10 000 times, on a machine without other load
  EXPECT_GT(seconds_per_step("512000000", "1000000"), 1000 * small);
}

TEST_F(TrainLm, ReportsOptionsThatDoNotFitTogether) {
  const auto refused = [&](const Arguments& more, const Arguments& expected) {
    const ProgramResult result = train("run", more);
    EXPECT_EQ(result.exit_code, 2) << result.out;
    expect_contains(result.err, expected);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run/config.json"));
  };
  refused({"--steps", "3", "--minutes", "1"}, {"--steps, --minutes and --tokens", "only one"});
  refused({"--width", "15"}, {"--width is 15", "multiple", "14"});
  refused({"--tokens-per-step", "100"}, {"--tokens-per-step is 100", "16", "112"});
  refused({"--betas", "0.9"}, {"--betas: 1 numbers"});
  refused({"--warmup", "half"}, {"--warmup", "half"});
  for (const char* warmup : {"1e9", "50", "100%"}) {
    refused({"--steps", "50", "--warmup", warmup},
            {std::string("--warmup ") + warmup, "50 steps", "never reach --lr 0.01", "5%"});
  }
  refused({"--minutes", "0.001", "--warmup", "100000"}, {"--warmup 100000", "never reach"});
  refused({"--length", "9000", "--tokens-per-step", "9000"}, {"9001"});
  refused({"--model", "lstm"}, {"--heads", "LSTM"});
  refused({"--model", "lstm", "--precision", "bfloat16"}, {"--precision bfloat16", "LSTM", "LibTorch"});
  refused({"--val-share", "0", "--eval-every", "5"}, {"no validation text"});
  refused({"--val", path("text.txt"), "--val-share", "0.2"}, {"--val-share has no effect", "--val"});
  refused({"--schedule", "constant", "--final-lr", "0.2"}, {"--final-lr has no effect", "constant"});
  const ProgramResult missing = run_mneme({"train", "lm", "--text", path("none.txt"), "--out", path("run")});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_TRUE(contains(missing.err, "none.txt"));
}

// The commands of docs/how-to/train_a_language_model.md, with --dry-run.
TEST_F(TrainLm, AcceptsTheCommandsOfItsHowToPage) {
  testing::write_text(folder_ / "shakespeare.txt", text_of(400));
  testing::write_text(folder_ / "letters.txt", text_of(400, 2));
  std::filesystem::create_directory(folder_ / "runs");
  ASSERT_EQ(train("runs/plays", {"--steps", "1"}).exit_code, 0);
  std::ifstream page(std::string(MNEME_SOURCE_DIR) + "/docs/how-to/train_a_language_model.md");
  int commands = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("mneme train lm ")) {
      continue;
    }
    std::istringstream words(line.substr(0, line.find('#')));
    Arguments arguments;
    for (std::string word; words >> word;) {
      arguments.push_back(word);
    }
    arguments.erase(arguments.begin());
    arguments.push_back("--dry-run");
    const ProgramResult result =
        run_mneme(arguments, {.folder = folder_.path(), .timeout = std::chrono::seconds(300)});
    EXPECT_EQ(result.exit_code, 0) << line << "\n" << result.err;
    EXPECT_TRUE(contains(result.out, "estimated time")) << line;
    ++commands;
  }
  EXPECT_GE(commands, 4);
}

TEST_F(TrainLm, LeavesTheLastCheckpointIfTheDiskIsFull) {
  ASSERT_EQ(train("run", kShort).exit_code, 0);
  const std::string weights = read_text(folder_ / "run/model.safetensors");
  std::filesystem::remove(folder_ / "run/checkpoints/step-000000020.safetensors");
  // A limit of the shell in blocks of 1 kB: the metrics fit, a checkpoint does not.
  Arguments options = kShort;
  std::string line = "ulimit -f 40; exec \"$0\" \"$@\"";
  Arguments command = {"bash", "-c", line, MNEME_PROGRAM};
  const Arguments train_command = this->command("run", options);
  command.insert(command.end(), train_command.begin(), train_command.end());
  const ProgramResult result = testing::run_program(command, {.timeout = std::chrono::seconds(120)});
  EXPECT_EQ(result.exit_code, 1) << result.out;
  expect_contains(result.err, {"cannot write", "limit"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/checkpoints/step-000000020.safetensors"));
  const ProgramResult resumed = train("run", options);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_TRUE(contains(resumed.out, "from step 15"));
  EXPECT_EQ(read_text(folder_ / "run/model.safetensors") == weights, true);
}

} // namespace
} // namespace mneme
