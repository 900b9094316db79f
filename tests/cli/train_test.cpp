// SPDX-License-Identifier: MIT

#include <csignal>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
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
  const nlohmann::json document = testing::framed(result.out);
  ASSERT_TRUE(document.is_object()) << result.out << result.err;
  EXPECT_EQ(document.at("parameters").at("parameters"), 9 * 8 + 8 + 8 + 1);
  EXPECT_EQ(document.at("results").at("trials").size(), 3U);
  EXPECT_EQ(document.at("results").at("summary").size(), 8U);
}

TEST(Train, RejectsLabelsOfOneClassUnlessAllowed) {
  const TemporaryFolder folder;
  const std::vector<std::string> one_class = {"--accept-last-try", "--probability", "0"};
  const ProgramResult refused = train(folder, one_class);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "all 60 training labels of trial 0 are false"));
  std::vector<std::string> allowed = one_class;
  allowed.insert(allowed.end(), {"--allow-one-class", "--json"});
  const nlohmann::json document = testing::framed(train(folder, allowed).out);
  EXPECT_EQ(document.at("results").at("trials").at(0).at("training_share_true"), 0);
  EXPECT_EQ(document.at("results").at("trials").at(0).at("validation_share_false"), 1);
}

TEST(Train, WritesAttentionWeightsAndGraphOfTheOwnFunction) {
  for (const bool with_rule : {true, false}) {
    const TemporaryFolder folder;
    std::vector<std::string> command = {
        "train",    "sparse-and", "--context-length", "9", "--sparsity", "3",     "--balanced",
        "--epochs", "20",         "--seeds",          "1", "--quiet",    "--out", folder.path().string()};
    if (!with_rule) {
      command.emplace_back("--no-rule");
    }
    const ProgramResult result = run_mneme(command);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const nlohmann::json graph =
        nlohmann::json::parse(testing::read_text(folder / "attention-graph.vl.json"));
    EXPECT_EQ(graph.at("concat").size(), with_rule ? 2U : 1U);
    const auto rows = testing::read_text(folder / "attention-statistics.csv");
    EXPECT_EQ(std::ranges::count(rows, '\n'), with_rule ? 9 : 10); // heading, T - 1 or T bits
    EXPECT_TRUE(contains(testing::read_text(folder / "index.html"), "Attention weights of a batch"));
    const std::string weights = testing::read_text(folder / "attention-weights.csv");
    EXPECT_TRUE(contains(weights, "\ntrue,1,"));
    EXPECT_TRUE(contains(weights, "\ntrue,0,")) << "not -0";
    EXPECT_FALSE(contains(weights, ",1.12,") || contains(weights, ",0.88,"));
  }
}

TEST(Train, NamesTheOptionsThatBalanceLabels) {
  const TemporaryFolder folder;
  const ProgramResult result = run_mneme({"train", "sparse-and", "--sparsity", "6", "--epochs", "1",
                                          "--quiet", "--out", folder.path().string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.err, "Give --balanced for that probability, --samples N for more samples, or "
                                   "--accept-last-try."))
      << result.err;
}

TEST(Train, ShowsTheFractionOfEachClass) {
  const TemporaryFolder folder;
  const ProgramResult result = train(folder, {});
  for (const std::string& shown : {result.out, testing::read_text(folder / "index.html")}) {
    testing::expect_contains(shown,
                             {"training labels true (fraction)", "training labels false (fraction)",
                              "validation labels true (fraction)", "validation labels false (fraction)"});
  }
}

TEST(Train, ShowsNoIntervalOfASingleSeed) {
  const TemporaryFolder folder;
  const std::vector<std::string> command = {
      "train",    "sparse-and", "--context-length", "9", "--samples", "60",
      "--epochs", "40",         "--seeds",          "1", "--out",     folder.path().string()};
  const ProgramResult text = run_mneme(command);
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "value (one seed)"));
  std::vector<std::string> as_json = command;
  as_json.push_back("--json");
  const ProgramResult json = run_mneme(as_json);
  for (const std::string& result : {text.out, json.out, testing::read_text(folder / "index.html")}) {
    for (const char* spread : {"mean_low", "least", "median of the seeds", "interval"}) {
      EXPECT_FALSE(contains(result.substr(0, result.find("<script")), spread)) << spread;
    }
  }
  EXPECT_FALSE(contains(text.out, "±")); // the page has deviations of attention weights over samples
  const nlohmann::json summary = testing::results_of(json.out).at("summary");
  EXPECT_EQ(summary.at(0).at("measure"), "training accuracy");
  EXPECT_TRUE(summary.at(0).at("mean").is_number());
  EXPECT_FALSE(contains(testing::read_text(folder / "learning.csv"), "low"));
}

TEST(Train, UsesTheRequestedPrecision) {
  const auto loss = [&](const std::string& precision) {
    const TemporaryFolder folder;
    const std::vector<std::string> more = {"--model", "mlp",         "--hidden-size", "8",
                                           "--json",  "--precision", precision};
    const nlohmann::json document = testing::framed(train(folder, more).out);
    EXPECT_EQ(document.at("parameters").at("precision"), precision);
    return document.at("results").at("trials")[0].at("training_loss").get<double>();
  };
  const double fast = loss("float32"), exact = loss("float64");
  EXPECT_NE(fast, exact);
  EXPECT_NEAR(fast, exact, 1e-3); // rounding errors grow during training
}

TEST(Train, RejectsInvalidSettings) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& more, const std::string& part) {
    const ProgramResult result = train(folder, more);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_TRUE(contains(result.err, part));
  };
  refused({"--precision", "float16"}, "float32, float64");
  refused({"--sparsity", "5"}, "T - 1 = 8");
  refused({"--no-rule", "--sparsity", "10"}, "T = 9");
  EXPECT_TRUE(contains(train(folder, {}, "0").err, "--samples"));
  refused({"--validation", "0"}, "--validation");
  refused({"--validation", "3"}, "Give --validation N for more samples");
  refused({"--sparsity", "4"}, "none of 100 batches");
  refused({"--learning-rate", "0"}, "--learning-rate");
  refused({"--balanced", "--probability", "0.5"}, "--probability");
  refused({"--products"}, "--products");
  refused({"--hidden-size", "8"}, "--hidden-size: the model self-attention has no such option");
  refused({"--dropout", "0.1"}, "--dropout");
  refused({"--precision", "float64"}, "--precision");
  refused({"--model", "mlp", "--embedding-size", "4"}, "give --model self-attention");
}

#ifdef MNEME_WITH_TORCH

/// Trains a small latch model. The timeout is long, since loading LibTorch takes time.
ProgramResult train_latch(const std::filesystem::path& folder, const std::vector<std::string>& more,
                          testing::ProgramOptions options = {}) {
  std::vector<std::string> arguments{"train",        "latch", "--samples", "64", "--length", "5",
                                     "--characters", "4",     "--seeds",   "2",  "--out",    folder.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  options.timeout = std::chrono::seconds(120);
  return run_mneme(arguments, options);
}

void expect_same_run(const std::filesystem::path& one, const std::filesystem::path& two) {
  for (const char* name :
       {"config.json", "metrics.jsonl", "summary.csv", "learning.csv", "learning.vl.json", "index.html",
        "checkpoints/seed-1.safetensors", "checkpoints/seed-2.safetensors"}) {
    EXPECT_EQ(testing::read_text(one / name), testing::read_text(two / name)) << name;
  }
}

TEST(TrainBags, ResumesWithMoreEpochsBitForBit) {
  const TemporaryFolder folder;
  const std::filesystem::path one = folder / "one", two = folder / "two";
  const ProgramResult whole = train_latch(one, {"--epochs", "4", "--threads", "1"});
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_TRUE(contains(whole.out, "48 training bags and 16 validation bags, 4 epochs"));
  ASSERT_EQ(train_latch(two, {"--epochs", "2", "--threads", "2"}).exit_code, 0);
  ASSERT_EQ(train_latch(two, {"--epochs", "4", "--threads", "2"}).exit_code, 0);
  expect_same_run(one, two);
}

TEST(TrainBags, ResumesAfterBeingKilled) {
  const TemporaryFolder folder;
  const std::filesystem::path one = folder / "one", two = folder / "two";
  const std::vector<std::string> options{"--epochs",        "40",         "--model",
                                         "pooling-adapted", "--progress", "json"};
  ASSERT_EQ(train_latch(one, options).exit_code, 0);
  // The result is the same for any time of the signal.
  train_latch(two, options, {.signal = SIGKILL, .signal_after = "epochs"});
  ASSERT_EQ(train_latch(two, options).exit_code, 0);
  expect_same_run(one, two);
}

/// Writes 14 training images of the digits 0 to 8 in MNIST's format; the last two are for validation.
void write_digits_without_nine(const std::filesystem::path& folder) {
  constexpr int kCount = 14, kSide = 28;
  std::filesystem::create_directories(folder / "mnist");
  std::string images("\0\0\x08\x03\0\0\0\x0e\0\0\0\x1c\0\0\0\x1c", 16), labels("\0\0\x08\x01\0\0\0\x0e", 8);
  for (int i = 0; i < kCount; ++i) {
    labels += static_cast<char>(i % 9);
    for (int pixel = 0; pixel < kSide * kSide; ++pixel) {
      images += static_cast<char>((pixel * (i + 3)) % 256);
    }
  }
  testing::write_text(folder / "mnist" / "train-images-idx3-ubyte", images);
  testing::write_text(folder / "mnist" / "train-labels-idx1-ubyte", labels);
}

TEST(TrainBags, RejectsBagsOfOneClassUnlessAllowed) {
  const TemporaryFolder folder;
  write_digits_without_nine(folder.path());
  const auto train_digits = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command = {
        "train",    "mnist-bags", "--data", folder.path().string(),   "--bags", "8",
        "--epochs", "1",          "--out",  (folder / "run").string()};
    command.insert(command.end(), more.begin(), more.end());
    return run_mneme(command, {.timeout = std::chrono::seconds(120)});
  };
  const ProgramResult refused = train_digits({});
  EXPECT_EQ(refused.exit_code, 2) << refused.out;
  testing::expect_contains(refused.err, {"all 8 training bags are negative", "--allow-one-class"});
  const ProgramResult allowed = train_digits({"--allow-one-class", "--json"});
  ASSERT_EQ(allowed.exit_code, 0) << allowed.err;
  const nlohmann::json classes = testing::results_of(allowed.out).at("classes");
  EXPECT_EQ(classes.at(0).at("share_positive"), 0);
  EXPECT_EQ(classes.at(1).at("negative"), 2);
  const ProgramResult measured =
      run_mneme({"eval", (folder / "run").string(), "--data", folder.path().string(), "--json"},
                {.timeout = std::chrono::seconds(120)});
  const nlohmann::json document = testing::framed(measured.out);
  EXPECT_EQ(document.at("results").at("classes"), classes);
  EXPECT_TRUE(document.at("results").at("checkpoints").at(0).at("sensitivity").is_null());
}

TEST(TrainBags, ShowsTheFractionOfEachClass) {
  const TemporaryFolder folder;
  const ProgramResult result = train_latch(folder.path(), {"--epochs", "1"});
  for (const std::string& shown : {result.out, testing::read_text(folder / "index.html")}) {
    testing::expect_contains(shown, {"positive fraction", "negative fraction", "validation"});
  }
}

TEST(TrainBags, ShowsNoIntervalOfASingleSeed) {
  const TemporaryFolder folder;
  const ProgramResult result =
      run_mneme({"train", "latch", "--samples", "64", "--length", "5", "--characters", "4", "--epochs", "2",
                 "--json", "--out", folder.path().string()},
                {.timeout = std::chrono::seconds(120)});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json summary = testing::results_of(result.out).at("summary");
  EXPECT_TRUE(summary.at(0).at("mean").is_number());
  EXPECT_FALSE(summary.at(0).contains("mean_low"));
  EXPECT_FALSE(summary.at(0).contains("median"));
  EXPECT_FALSE(contains(testing::read_text(folder / "learning.csv"), "low"));
  const std::string page = testing::read_text(folder / "index.html");
  EXPECT_TRUE(contains(page, "value (one seed)"));
  EXPECT_FALSE(contains(page.substr(0, page.find("<script")), "bands reach"));
}

TEST(TrainBags, RejectsOtherSettingsInARunFolder) {
  const TemporaryFolder folder;
  ASSERT_EQ(train_latch(folder.path(), {"--epochs", "1"}).exit_code, 0);
  const ProgramResult other = train_latch(folder.path(), {"--epochs", "1", "--learning-rate", "0.5"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_TRUE(contains(other.err, "with learning_rate 0.001 (requested: 0.5)")) << other.err;
  ASSERT_EQ(train_latch(folder.path(), {"--epochs", "2"}).exit_code, 0);
  EXPECT_TRUE(contains(train_latch(folder.path(), {"--epochs", "1"}).err, "with epochs 2 (requested: 1)"));
  EXPECT_EQ(run_mneme({"train", "bit-pattern", "--model", "lstm"}).exit_code, 2);
  const ProgramResult nowhere = run_mneme(
      {"train", "mnist-bags", "--data", (folder / "empty").string(), "--out", (folder / "run").string()});
  EXPECT_EQ(nowhere.exit_code, 3);
  EXPECT_TRUE(contains(nowhere.err, "MNIST not found")) << nowhere.err;
}

TEST(TrainBags, UsesTheSeparationWhenResumingAndEvaluating) {
  const TemporaryFolder folder;
  const std::vector<std::string> sparse{"--model", "hopfield", "--separation", "entmax", "--alpha", "1.7"};
  const auto with_epochs = [&](const char* epochs) {
    std::vector<std::string> all = sparse;
    all.insert(all.end(), {"--epochs", epochs});
    return train_latch(folder.path(), all);
  };
  const ProgramResult first = with_epochs("1");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_TRUE(contains(first.out, "hopfield, entmax 1.7")) << first.out;
  const nlohmann::json config = nlohmann::json::parse(testing::read_text(folder / "config.json"));
  EXPECT_EQ(config.at("separation"), "entmax");
  EXPECT_EQ(config.at("alpha"), 1.7);
  EXPECT_EQ(with_epochs("2").exit_code, 0);
  const ProgramResult other = train_latch(folder.path(), {"--model", "hopfield", "--epochs", "2"});
  EXPECT_EQ(other.exit_code, 2) << "softmax is another run";
  const ProgramResult measured =
      run_mneme({"eval", folder.path().string()}, {.timeout = std::chrono::seconds(60)});
  EXPECT_EQ(measured.exit_code, 0) << measured.err;
  EXPECT_TRUE(contains(measured.out, "latch, hopfield, entmax 1.7")) << measured.out;
}

TEST(TrainBags, RejectsASeparationWithoutEffect) {
  const TemporaryFolder folder;
  const ProgramResult lstm = train_latch(folder.path(), {"--model", "lstm", "--separation", "sparsemax"});
  EXPECT_EQ(lstm.exit_code, 2);
  testing::expect_contains(lstm.err, {"lstm has no Hopfield layer", "sparsemax"});
  const ProgramResult alpha = train_latch(folder.path(), {"--separation", "sparsemax", "--alpha", "1.5"});
  EXPECT_EQ(alpha.exit_code, 2);
  testing::expect_contains(alpha.err, {"sparsemax has no alpha"});
}

TEST(TrainBags, RequiresMnemeNnUnlikeOtherTasks) {
  const TemporaryFolder alone; // a folder with mneme but without mneme-nn
  std::filesystem::copy_file(MNEME_PROGRAM, alone / "mneme");
  const auto train_alone = [&](const std::string& task) {
    return testing::run_program(
        {(alone / "mneme").string(), "train", task, "--epochs", "1", "--out", (alone / task).string()});
  };
  EXPECT_EQ(train_alone("sparse-and").exit_code, 0);
  const ProgramResult latch = train_alone("latch");
  EXPECT_EQ(latch.exit_code, 1);
  EXPECT_TRUE(contains(latch.err, "mneme-nn")) << latch.err;
  const ProgramResult help = testing::run_program({(alone / "mneme").string(), "train", "latch", "--help"});
  EXPECT_EQ(help.exit_code, 0) << "arguments need no LibTorch";
  EXPECT_TRUE(contains(help.out, "--epochs")) << help.out;
}

TEST(TrainBags, BuildsMnemeNnIfPossible) {
  const TemporaryFolder alone;
  std::filesystem::copy_file(MNEME_PROGRAM, alone / "mneme");
  // Replacement of ./dev: `dev nn` writes a mneme-nn that prints its arguments.
  testing::write_text(alone / "dev",
                      "#!/bin/sh\n[ \"$*\" = nn ] || exit 9\necho building\ncd \"$(dirname \"$0\")\"\n"
                      "printf '#!/bin/sh\\necho ran \"$@\"\\n' >mneme-nn\nchmod +x mneme-nn\n");
  std::filesystem::permissions(alone / "dev", std::filesystem::perms::owner_all);
  const auto run_here = [&](const std::vector<std::string>& more, const std::string& dev) {
    std::vector<std::string> arguments{(alone / "mneme").string(), "train", "latch"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return testing::run_program(arguments, {.environment = {{"MNEME_DEV", dev}}});
  };
  EXPECT_EQ(run_here({"--no-such-option"}, (alone / "dev").string()).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(alone / "mneme-nn")) << "wrong arguments build nothing";
  EXPECT_TRUE(contains(run_here({}, "/bin/false").err, "building it failed"));
  const ProgramResult built = run_here({"--epochs", "3"}, (alone / "dev").string());
  EXPECT_EQ(built.exit_code, 0) << built.err;
  EXPECT_EQ(built.out, "ran train latch --epochs 3\n");
  testing::expect_contains(built.err, {"needs LibTorch", "building"});
}

TEST(Eval, EqualsTheLastValidationOfTraining) {
  const TemporaryFolder folder;
  ASSERT_EQ(train_latch(folder.path(), {"--epochs", "3"}).exit_code, 0);
  const ProgramResult result =
      run_mneme({"eval", folder.path().string(), "--json"}, {.timeout = std::chrono::seconds(60)});
  const nlohmann::json document = testing::framed(result.out);
  ASSERT_TRUE(document.is_object()) << result.out << result.err;
  ASSERT_EQ(document.at("results").at("checkpoints").size(), 2U);
  const ProgramResult data = run_mneme({"eval", folder.path().string(), "--data", folder.path().string()});
  EXPECT_EQ(data.exit_code, 2) << data.out;
  EXPECT_TRUE(contains(data.err, "--data has no effect")) << data.err;
  const ProgramResult missing = run_mneme({"eval", folder.path().string(), "--missing", "mean"});
  EXPECT_EQ(missing.exit_code, 2) << missing.out;
  EXPECT_TRUE(contains(missing.err, "--missing, --offsets, --labels and")) << missing.err;
  std::istringstream lines(testing::read_text(folder / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json epoch = nlohmann::json::parse(line);
    const nlohmann::json& measured =
        document.at("results").at("checkpoints").at(epoch.at("seed").get<size_t>() - 1);
    if (epoch.at("epoch") == 3) {
      EXPECT_EQ(measured.at("epochs"), 3);
      EXPECT_EQ(measured.at("loss"), epoch.at("validation_loss"));
      EXPECT_EQ(measured.at("accuracy"), epoch.at("validation_accuracy"));
    }
  }
}

TEST(Eval, WritesToTheRunFolderOrAnother) {
  const TemporaryFolder folder;
  const std::string one = (folder / "one").string(), two = (folder / "two").string();
  const std::string out = (folder / "out").string();
  ASSERT_EQ(train_latch(one, {"--epochs", "1"}).exit_code, 0);
  ASSERT_EQ(train_latch(two, {"--epochs", "1", "--seed", "7"}).exit_code, 0);
  const std::string config = testing::read_text(folder / "one" / "config.json");
  const auto eval = [](const std::string& run, const std::string& to) {
    return run_mneme({"eval", run, "--out", to}, {.timeout = std::chrono::seconds(60)});
  };
  for (const std::string& to : {one, out, out}) {
    const ProgramResult result = eval(one, to);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(to) / "eval.csv"));
    testing::expect_contains(result.out, {"positive fraction", "negative fraction"});
  }
  EXPECT_EQ(testing::read_text(folder / "one" / "config.json"), config);
  for (const std::string& to : {one, out}) {
    const ProgramResult refused = eval(two, to);
    EXPECT_EQ(refused.exit_code, 2) << refused.out;
    EXPECT_TRUE(contains(refused.err, "another folder with --out")) << refused.err;
  }
}

TEST(Eval, ReportsWhatIsMissing) {
  const TemporaryFolder folder;
  const ProgramResult nothing = run_mneme({"eval", folder.path().string()});
  EXPECT_EQ(nothing.exit_code, 3);
  EXPECT_TRUE(contains(nothing.err, "contains no config.json, so it is not a run")) << nothing.err;
  const ProgramResult missing = run_mneme({"eval", (folder / "missing").string()});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_TRUE(contains(missing.err, "there is no such folder")) << missing.err;
  testing::write_text(folder / "config.json", "{\"task\": \"latch\", \"model\": 3}");
  const ProgramResult wrong = run_mneme({"eval", folder.path().string()});
  EXPECT_EQ(wrong.exit_code, 3);
  EXPECT_TRUE(contains(wrong.err, "\"model\" is 3, but must be a string")) << wrong.err;
  ASSERT_EQ(train_latch(folder / "run", {"--epochs", "1"}).exit_code, 0);
  nlohmann::json config = nlohmann::json::parse(testing::read_text(folder / "run" / "config.json"));
  config["seeds"] = int64_t{1} << 60;
  testing::write_text(folder / "config.json", config.dump());
  EXPECT_TRUE(contains(run_mneme({"eval", folder.path().string()}).err, "\"seeds\" is 1152921504606846976"));
  const std::string checkpoint = (folder / "run" / "checkpoints" / "seed-1.safetensors").string();
  EXPECT_TRUE(contains(run_mneme({"eval", checkpoint}).err, "the folder of a run was expected"));
  EXPECT_TRUE(
      contains(run_mneme({"inspect", (folder / "run").string()}).err, "a run of `mneme train latch`"));
  std::filesystem::remove_all(folder / "run" / "checkpoints");
  const ProgramResult without = run_mneme({"eval", (folder / "run").string()});
  EXPECT_EQ(without.exit_code, 3);
  EXPECT_TRUE(contains(without.err, "contains no checkpoint, so there is no trained model")) << without.err;
}

/// Bags of 2 to 4 instances; in every second bag, one instance has a large first feature.
std::string table_of_bags(int count, bool with_classes) {
  std::string text = with_classes ? "slide,diagnosis,cell,x,y\n" : "slide,x,y\n";
  for (int bag = 0; bag < count; ++bag) {
    for (int i = 0; i < 2 + bag % 3; ++i) {
      const bool signal = bag % 2 == 1 && i == bag % 2;
      text += "s" + std::to_string(bag) + ",";
      text += with_classes ? (bag % 2 == 1 ? "sick,c," : "healthy,c,") : "";
      text += (signal ? "4." : "0.") + std::to_string((bag * 7 + i) % 10) + ",0." +
              std::to_string((bag + 3 * i) % 10) + "\n";
    }
  }
  return text;
}

/// Trains on `bags.csv` in the folder.
ProgramResult train_bags(const TemporaryFolder& folder, const std::vector<std::string>& more,
                         const std::string& run = "run") {
  testing::write_text(folder / "bags.csv", table_of_bags(24, true));
  std::vector<std::string> arguments{"train",
                                     "bags",
                                     "--bags",
                                     (folder / "bags.csv").string(),
                                     "--bag-column",
                                     "slide",
                                     "--label-column",
                                     "diagnosis",
                                     "--ignore-columns",
                                     "cell",
                                     "--seeds",
                                     "2",
                                     "--out",
                                     (folder / run).string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_mneme(arguments, {.timeout = std::chrono::seconds(120)});
}

ProgramResult run_slowly(const std::vector<std::string>& arguments) {
  return run_mneme(arguments, {.timeout = std::chrono::seconds(60)}); // loading LibTorch takes time
}

TEST(TrainOwnBags, ClassifiesOtherBagsAndExplainsThem) {
  const TemporaryFolder folder;
  const ProgramResult trained = train_bags(
      folder, {"--model", "attention", "--epochs", "60", "--learning-rate", "0.02", "--positive", "sick"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  testing::expect_contains(trained.out, {"18 training bags and 6 validation bags, 60 epochs",
                                         "positive class: sick, negative class: healthy", "mneme predict"});
  testing::write_text(folder / "new.csv", table_of_bags(8, false));
  const std::string run = (folder / "run").string(), page = (folder / "page").string();
  const ProgramResult result = run_slowly({"predict", run, "--bags", (folder / "new.csv").string(),
                                           "--explain", "--top", "1", "--json", "--out", page});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json results = testing::results_of(result.out);
  EXPECT_EQ(results.at("checkpoints"), 2);
  ASSERT_EQ(results.at("predictions").size(), 8U);
  for (size_t bag = 0; bag < 8; ++bag) {
    const nlohmann::json& row = results.at("predictions").at(bag);
    EXPECT_EQ(row.at("bag"), "s" + std::to_string(bag));
    EXPECT_EQ(row.at("predicted"), bag % 2 == 1 ? "sick" : "healthy") << row.dump();
    EXPECT_LE(row.at("probability_lowest"), row.at("probability"));
  }
  ASSERT_EQ(results.at("attention").size(), 23U); // rows of the file
  double sum = 0;
  for (const nlohmann::json& row : results.at("attention")) {
    sum += row.at("bag") == "s3" ? row.at("weight").get<double>() : 0;
  }
  EXPECT_NEAR(sum, 1, 1e-6);
  const nlohmann::json& top = results.at("predictions").at(1).at("top_rows");
  ASSERT_EQ(top.size(), 1U);
  EXPECT_EQ(top.at(0).at("row"), 3); // of rows 2 to 4
  EXPECT_GT(top.at(0).at("weight"), 0.3);
  testing::expect_contains(
      testing::read_text(std::filesystem::path(page) / "index.html"),
      {"Bag s1: predicted sick; P(sick) = ", "mean of 2 seeds", "Attention weights", "probability of sick"});
  testing::expect_contains(testing::read_text(std::filesystem::path(page) / "attention.csv"),
                           {"bag,instance,row"});

  const ProgramResult measured =
      run_slowly({"eval", run, "--bags", (folder / "bags.csv").string(), "--json"});
  ASSERT_EQ(measured.exit_code, 0) << measured.err;
  EXPECT_EQ(testing::results_of(measured.out).at("checkpoints").at(1).at("accuracy"), 1);
  EXPECT_EQ(run_slowly({"eval", run}).exit_code, 0); // on the validation bags of the run
}

TEST(TrainOwnBags, ExplainsInstancesByTheirIds) {
  const TemporaryFolder folder;
  testing::write_text(folder / "bags.csv", table_of_bags(24, true));
  const std::string run = (folder / "run").string(), page = (folder / "page").string();
  const ProgramResult trained =
      run_slowly({"train", "bags", "--bags", (folder / "bags.csv").string(), "--bag-column", "slide",
                  "--label-column", "diagnosis", "--instance-column", "cell", "--epochs", "2", "--out", run});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_TRUE(testing::contains(trained.out, "2 features: x, y")) << "ids are not features";
  testing::write_text(folder / "new.csv", "slide,cell,x,y\na,c7,0.1,2\na,c9,3,0.5\nb,c7,1,1\nc,,1,1\n");
  testing::write_text(folder / "none.csv", "slide,x,y\na,0.1,2\n");
  const ProgramResult result = run_slowly(
      {"predict", run, "--bags", (folder / "new.csv").string(), "--explain", "--json", "--out", page});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json results = testing::results_of(result.out);
  const nlohmann::json& attention = results.at("attention");
  EXPECT_EQ(attention.at(1).at("id"), "c9");
  EXPECT_EQ(attention.at(2).at("id"), "c7");
  EXPECT_EQ(results.at("predictions").at(1).at("top_instances").at(0).at("id"), "c7");
  EXPECT_FALSE(results.at("predictions").at(1).contains("top_rows"));
  EXPECT_EQ(results.at("predictions").at(2).at("top_instances").at(0).at("id"), "");
  const std::string predictions = testing::read_text(std::filesystem::path(page) / "predictions.csv");
  testing::expect_contains(predictions, {",top_instances\n", ",c7 (1.000)\n", ",row 3 (1.000)\n"});
  const std::string csv = testing::read_text(std::filesystem::path(page) / "attention.csv");
  testing::expect_contains(
      csv, {"bag,instance,row,id,weight\n", "\na,0,0,c7,", "\na,1,1,c9,", "\nb,0,2,c7,1", "\nc,0,3,\"\",1"});
  testing::expect_contains(testing::read_text(std::filesystem::path(page) / "index.html"),
                           {"instances with the largest weights", "Instances have the ids of the file."});
  // The column may be missing in other bags; a column that is named must be there.
  const ProgramResult without =
      run_slowly({"predict", run, "--bags", (folder / "none.csv").string(), "--explain"});
  EXPECT_EQ(without.exit_code, 0) << without.err;
  EXPECT_TRUE(testing::contains(without.out, "rows with the largest weights"));
  EXPECT_EQ(run_slowly({"eval", run}).exit_code, 0);
}

TEST(TrainOwnBags, NamesFeaturesAndWarnsOfThoseThatAreProbablyNone) {
  const TemporaryFolder folder;
  std::string text = "bag,label,id,cell,x,large\n";
  for (int row = 0; row < 16; ++row) { // bags of two instances
    text += "b" + std::to_string(row / 2) + "," + std::to_string(row / 2 % 2) + "," +
            std::to_string(100 + row) + "," + std::to_string(1 + row % 2) + "," +
            std::to_string(row * 7 % 5) + "," + std::to_string(row * 7 % 5 * 40) + ".5\n";
  }
  testing::write_text(folder / "bags.csv", text);
  const auto train = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train",    "bags", "--bags",  (folder / "bags.csv").string(),
                                       "--epochs", "1",    "--quiet", "--out"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_slowly(arguments);
  };
  const ProgramResult all = train({(folder / "all").string()});
  ASSERT_EQ(all.exit_code, 0) << all.err;
  testing::expect_contains(all.out, {"4 features: id, cell, x, large\n", "lowest after epoch 1;"});
  testing::expect_contains(all.err,
                           {"column id has a different integer in every row", "--ignore-columns id",
                            "column cell counts the instances of each bag", "(x) to", "--standardize"});
  const ProgramResult some =
      train({(folder / "some").string(), "--ignore-columns", "id,cell", "--standardize", "--model", "lstm"});
  ASSERT_EQ(some.exit_code, 0) << some.err;
  testing::expect_contains(some.out, {"2 features: x, large\n"});
  EXPECT_EQ(some.err, "");
}

TEST(TrainOwnBags, RefusesASingleFeatureWhereItIsNormalisedAndWarnsOfTwo) {
  const TemporaryFolder folder;
  std::string text = "bag,x,\"y, um\",label\n";
  for (int row = 0; row < 16; ++row) {
    text += fmt::format("b{},{}.5,{}.25,{}\n", row, row % 2 * 3 + row % 3, row * 7 % 16, row % 2);
  }
  testing::write_text(folder / "bags.csv", text);
  const auto train = [&](const std::string& model, const std::string& ignored) {
    std::vector<std::string> arguments{"train",
                                       "bags",
                                       "--bags",
                                       (folder / "bags.csv").string(),
                                       "--epochs",
                                       "1",
                                       "--quiet",
                                       "--model",
                                       model,
                                       "--out",
                                       (folder / (model + (ignored.empty() ? "2" : "1"))).string()};
    if (!ignored.empty()) {
      arguments.insert(arguments.end(), {"--ignore-columns", ignored});
    }
    return run_slowly(arguments);
  };
  for (const char* model : {"pooling", "hopfield-adapted", "lookup"}) {
    const ProgramResult one = train(model, "x"), two = train(model, "");
    EXPECT_EQ(one.exit_code, 2);
    testing::expect_contains(one.err, {std::string("--model ") + model, "the only feature, y, um,",
                                       "--model attention, gated-attention or lstm"});
    EXPECT_EQ(two.exit_code, 0) << two.err;
    testing::expect_contains(two.out, {"2 features: x, \"y, um\"\n"});
    testing::expect_contains(two.err, {"the sign of the difference of the two", "--model attention"});
  }
  for (const char* model : {"attention", "lstm"}) {
    const ProgramResult one = train(model, "x");
    EXPECT_EQ(one.exit_code, 0);
    EXPECT_EQ(one.err, "");
  }
}

TEST(TrainOwnBags, StandardizesOtherBagsAsTheTrainingBags) {
  const TemporaryFolder folder;
  ASSERT_EQ(train_bags(folder, {"--epochs", "2", "--standardize"}).exit_code, 0);
  const std::string bags = (folder / "bags.csv").string();
  const auto checkpoints = [&](const std::vector<std::string>& arguments) {
    const ProgramResult result = run_slowly(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return testing::results_of(result.out).at("checkpoints");
  };
  testing::write_text(folder / "all.csv", testing::read_text(bags));
  ASSERT_EQ(train_bags(folder,
                       {"--epochs", "2", "--standardize", "--validation", (folder / "all.csv").string()},
                       "both")
                .exit_code,
            0);
  const std::string both = (folder / "both").string();
  EXPECT_NEAR(checkpoints({"eval", both, "--json"}).at(0).at("loss").get<double>(),
              checkpoints({"eval", both, "--bags", bags, "--json"}).at(0).at("loss").get<double>(), 1e-6);
  const ProgramResult other = train_bags(folder, {"--epochs", "2"});
  EXPECT_EQ(other.exit_code, 2);
  testing::expect_contains(other.err, {"standardize true (requested: false)"});
}

TEST(TrainOwnBags, NamesFilesAsTheyWereGiven) {
  const TemporaryFolder folder;
  testing::write_text(folder / "bags.csv", table_of_bags(24, true));
  const testing::ProgramOptions options{.folder = folder.path(), .timeout = std::chrono::seconds(60)};
  const ProgramResult missing =
      run_mneme({"train", "bags", "--bags", "missing.csv", "--out", "run"}, options);
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_TRUE(testing::starts_with(missing.err, "mneme train: missing.csv: ")) << missing.err;
  const ProgramResult trained =
      run_mneme({"train", "bags", "--bags", "bags.csv", "--bag-column", "slide", "--label-column",
                 "diagnosis", "--ignore-columns", "cell", "--epochs", "1", "--out", "run"},
                options);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const std::string page = testing::read_text(folder / "run" / "index.html");
  EXPECT_TRUE(testing::contains(page, "<dt>files</dt><dd>bags.csv</dd>"));
  EXPECT_FALSE(testing::contains(page, "<dt>validation_files</dt>")) << "there are none";
  const std::string config = testing::read_text(folder / "run" / "config.json");
  EXPECT_TRUE(testing::contains(config, (folder / "bags.csv").string())) << "for `mneme eval` in any folder";
}

TEST(TrainOwnBags, ResumesAndRefusesOtherBags) {
  const TemporaryFolder folder;
  ASSERT_EQ(train_bags(folder, {"--epochs", "4"}, "whole").exit_code, 0);
  ASSERT_EQ(train_bags(folder, {"--epochs", "2"}).exit_code, 0);
  ASSERT_EQ(train_bags(folder, {"--epochs", "4"}).exit_code, 0);
  expect_same_run(folder / "whole", folder / "run");
  const ProgramResult other = train_bags(folder, {"--epochs", "4", "--positive", "healthy"});
  EXPECT_EQ(other.exit_code, 2);
  testing::expect_contains(other.err, {"positive_class"});
  testing::write_text(folder / "bags.csv", table_of_bags(22, true));
  EXPECT_EQ(run_slowly({"eval", (folder / "run").string()}).exit_code, 2); // the bags have changed
}

TEST(TrainOwnBags, ContinuesARunInAMovedFolder) {
  const TemporaryFolder folder;
  const std::filesystem::path before = folder / "before", after = folder / "after", other = folder / "other";
  for (const std::filesystem::path& project : {before, other}) {
    std::filesystem::create_directory(project);
    testing::write_text(project / "bags.csv", table_of_bags(project == before ? 24 : 22, true));
  }
  const auto train = [](const std::filesystem::path& project, const std::string& epochs) {
    return run_slowly({"train", "bags", "--bags", (project / "bags.csv").string(), "--bag-column", "slide",
                       "--label-column", "diagnosis", "--ignore-columns", "cell", "--epochs", epochs, "--out",
                       (project / "run").string()});
  };
  const auto apply = [](const std::string& verb, const std::filesystem::path& run,
                        const std::filesystem::path& bags, const std::filesystem::path& page) {
    return run_slowly({verb, run.string(), "--bags", bags.string(), "--out", page.string()});
  };
  ASSERT_EQ(train(before, "1").exit_code, 0);
  ASSERT_EQ(train(other, "2").exit_code, 0);
  for (const std::string verb : {"eval", "predict"}) {
    ASSERT_EQ(apply(verb, before / "run", before / "bags.csv", before / verb).exit_code, 0);
  }
  std::filesystem::rename(before, after);
  const ProgramResult measured = run_slowly({"eval", (after / "run").string()});
  EXPECT_EQ(measured.exit_code, 0) << measured.err;
  const ProgramResult resumed = train(after, "2");
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  for (const std::string verb : {"eval", "predict"}) {
    const ProgramResult again = apply(verb, after / "run", after / "bags.csv", after / verb);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    const ProgramResult run_refused = apply(verb, other / "run", after / "bags.csv", after / verb);
    EXPECT_EQ(run_refused.exit_code, 2);
    testing::expect_contains(run_refused.err, {(after / "run").string(), (other / "run").string()});
    const ProgramResult bags_refused = apply(verb, after / "run", other / "bags.csv", after / verb);
    EXPECT_EQ(bags_refused.exit_code, 2);
    testing::expect_contains(bags_refused.err,
                             {(after / "bags.csv").string(), (other / "bags.csv").string()});
  }
  std::filesystem::remove(after / "bags.csv");
  const ProgramResult without = run_slowly({"eval", (after / "run").string()});
  EXPECT_EQ(without.exit_code, 3);
  testing::expect_contains(without.err, {(after / "bags.csv").string(), "no longer there", "--bags FILE"});
  EXPECT_FALSE(contains(without.err, "relative paths"));
  EXPECT_FALSE(contains(train(after, "2").err, "relative paths"));
}

TEST(TrainOwnBags, ReplacesMissingValuesByTheMeansOfTheTrainingBags) {
  const TemporaryFolder folder;
  std::string gaps = "bag,label,x,y\n", filled = gaps;
  for (int bag = 0; bag < 8; ++bag) { // x is 1 or 3 in the training bags, or missing
    const std::string start = "b" + std::to_string(bag) + "," + std::to_string(bag % 2) + ",";
    for (const char* x : {"1", "3", ""}) {
      gaps += start + x + ",0." + std::to_string(bag) + "\n";
      filled += start + (*x == '\0' ? "2" : x) + ",0." + std::to_string(bag) + "\n";
    }
  }
  testing::write_text(folder / "gaps.csv", gaps);
  testing::write_text(folder / "filled.csv", filled);
  const auto train = [&](const std::string& table, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train",    "bags", "--bags", (folder / (table + ".csv")).string(),
                                       "--epochs", "2",    "--out",  (folder / table).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_slowly(arguments);
  };
  const ProgramResult refused = train("gaps", {});
  EXPECT_EQ(refused.exit_code, 3);
  testing::expect_contains(refused.err, {"8 of 48 numbers are missing: \"x\" (8)", "--missing mean"});
  const ProgramResult replaced = train("gaps", {"--missing", "mean"});
  ASSERT_EQ(replaced.exit_code, 0) << replaced.err;
  testing::expect_contains(replaced.err, {"\"x\" (8); replaced by the mean"});
  ASSERT_EQ(train("filled", {}).exit_code, 0);
  const auto lines = [&](const char* run) { return testing::read_text(folder / run / "metrics.jsonl"); };
  EXPECT_EQ(lines("gaps"), lines("filled"));
  testing::write_text(folder / "new.csv", "bag,x,y\na,,0.5\na,7,NA\n");
  testing::write_text(folder / "same.csv", "bag,x,y\na,2,0.5\na,7,0.35\n");
  const auto predict = [&](const std::string& run, const std::string& table,
                           const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"predict", (folder / run).string(), "--json", "--bags",
                                       (folder / table).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_slowly(arguments);
  };
  const ProgramResult given = predict("gaps", "new.csv", {});
  ASSERT_EQ(given.exit_code, 0) << given.err;
  const ProgramResult requested = predict("filled", "new.csv", {"--missing", "mean"});
  ASSERT_EQ(requested.exit_code, 0) << requested.err;
  EXPECT_EQ(testing::results_of(given.out).at("predictions"),
            testing::results_of(requested.out).at("predictions"));
  const auto probability = [](const ProgramResult& result) {
    return testing::results_of(result.out).at("predictions").at(0).at("probability").get<double>();
  };
  // The mean of y in the training bags is between 0.2 and 0.5; its effect on the probability is small.
  EXPECT_NEAR(probability(given), probability(predict("gaps", "same.csv", {})), 0.05);
  EXPECT_EQ(predict("filled", "new.csv", {}).exit_code, 3);
  EXPECT_EQ(predict("gaps", "new.csv", {"--missing", "refuse"}).exit_code, 3);
  EXPECT_EQ(
      run_slowly({"eval", (folder / "gaps").string(), "--bags", (folder / "gaps.csv").string()}).exit_code,
      0);
  testing::write_text(folder / "none.csv", "bag,label,x,y\na,0,1,\nb,1,1,\nc,0,1,\nd,1,1,\n");
  const ProgramResult none = train("none", {"--missing", "mean"});
  EXPECT_EQ(none.exit_code, 3);
  testing::expect_contains(none.err, {"\"y\" is missing in all instances", "--ignore-columns"});
}

TEST(TrainOwnBags, WarnsOfTrainingBagsAmongOtherBags) {
  const TemporaryFolder folder;
  const std::string table = table_of_bags(24, true);
  testing::write_text(folder / "bags.csv", table);
  // Two bags under other names, one of them with its instances in another order, and a new one.
  testing::write_text(folder / "some.csv",
                      "slide,diagnosis,cell,x,y\na,healthy,,0.0,0.0\na,healthy,,0.1,0.3\n"
                      "b,sick,,0.9,0.7\nb,sick,,0.7,0.1\nb,sick,,4.8,0.4\n"
                      "c,healthy,,0.5,0.25\nc,healthy,,0.5,0.5\n");
  const std::string run = (folder / "run").string(), some = (folder / "some.csv").string();
  const ProgramResult trained = run_slowly(
      {"train", "bags", "--bags", (folder / "bags.csv").string(), "--validation", some, "--bag-column",
       "slide", "--label-column", "diagnosis", "--ignore-columns", "cell", "--epochs", "1", "--out", run});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  testing::expect_contains(trained.err, {"warning: 2 of 3 validation bags have the same numbers"});
  for (const char* verb : {"eval", "predict"}) {
    const ProgramResult result = run_slowly({verb, run, "--bags", some});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    testing::expect_contains(result.err,
                             {verb, ": warning: 2 of 3 bags have the same numbers as a training bag"});
  }
}

TEST(TrainOwnBags, WarnsOfFeaturesInAnotherUnit) {
  const TemporaryFolder folder;
  // Three features of 48 instances: 17 +- 6, 5.5 +- 1 and 7 +- 2, with factors for another table.
  const auto table = [&](const std::string& name, double crp, double temperature, int bags) {
    std::string text = "bag,label,crp,temperature,wbc\n";
    for (int row = 0; row < 4 * bags; ++row) {
      text += name + std::to_string(row / 4) + "," + std::to_string(row / 4 % 2) + "," +
              std::to_string(crp * (10 + row * 7 % 21)) + "," + std::to_string(temperature + row * 3 % 4) +
              "," + std::to_string(4 + row * 5 % 7) + "\n";
    }
    testing::write_text(folder / (name + ".csv"), text);
    return (folder / (name + ".csv")).string();
  };
  const std::string run = (folder / "run").string(), training = table("a", 1, 4, 12),
                    scaled = table("b", 0.1, 30, 12), few = table("c", 1, 4, 2);
  const ProgramResult trained = run_slowly(
      {"train", "bags", "--bags", training, "--validation", scaled, "--epochs", "1", "--out", run});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  testing::expect_contains(trained.err, {"\"crp\" has the mean", "in the validation bags"});
  for (const char* verb : {"eval", "predict"}) {
    const ProgramResult result = run_slowly({verb, run, "--bags", scaled});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    testing::expect_contains(result.err, {"warning: \"crp\" has the mean 1.7 and", "but 17 and 5.72",
                                          "in another unit", "\"temperature\" has the mean 31.5", "but 5.5"});
    EXPECT_FALSE(contains(result.err, "wbc")) << result.err;
    EXPECT_FALSE(contains(run_slowly({verb, run, "--bags", few}).err, "warning: \""));
  }
}

TEST(TrainOwnBags, NamesTheBagTheLineAndTheFeatureOfANumberThatIsTooLarge) {
  const TemporaryFolder folder;
  const std::string huge = (folder / "huge.csv").string();
  std::string table = table_of_bags(24, true);
  testing::write_text(folder / "huge.csv", table + "s24,sick,,1,0.5\ns24,sick,,1,-1e30\n");
  for (const std::string option : {"--quiet", "--standardize"}) {
    const std::string run = "run" + option;
    ASSERT_EQ(train_bags(folder, {"--epochs", "1", option}, run).exit_code, 0);
    for (const char* verb : {"eval", "predict"}) {
      const ProgramResult result = run_slowly({verb, (folder / run).string(), "--bags", huge});
      EXPECT_EQ(result.exit_code, 3);
      testing::expect_contains(result.err, {"huge.csv: bag s24, line 75: \"y\" is -1e+30", "too large"});
    }
  }
  const ProgramResult trained =
      run_slowly({"train", "bags", "--bags", huge, "--bag-column", "slide", "--label-column", "diagnosis",
                  "--ignore-columns", "cell", "--out", (folder / "none").string()});
  EXPECT_EQ(trained.exit_code, 3);
  testing::expect_contains(trained.err, {"bag s24, line 75: \"y\" is -1e+30"});
}

TEST(TrainOwnBags, ComparesTheAccuracyWithThatOfTheMajority) {
  const TemporaryFolder folder;
  std::string table = "bag,label,x,y\n"; // 4 of 40 bags are positive, without anything to learn
  for (int bag = 0; bag < 40; ++bag) {
    table += "b" + std::to_string(bag) + "," + (bag % 10 == 0 ? "died" : "alive") + ",0." +
             std::to_string(bag * 7 % 10) + ",0." + std::to_string(bag * 3 % 7) + "\n";
  }
  testing::write_text(folder / "bags.csv", table);
  const auto train = [&](const std::vector<std::string>& more, const std::string& run) {
    std::vector<std::string> arguments{
        "train",      "bags", "--bags", (folder / "bags.csv").string(), "--epochs", "1",
        "--positive", "died", "--out",  (folder / run).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_slowly(arguments);
  };
  const ProgramResult plain = train({}, "plain");
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  testing::expect_contains(plain.out,
                           {"validation ROC AUC", "validation balanced accuracy",
                            "9 of 10 validation bags are of the class alive", "has the accuracy 0.9.",
                            "is not above it", "--class-weights balanced"});
  const ProgramResult balanced = train({"--class-weights", "balanced"}, "balanced");
  ASSERT_EQ(balanced.exit_code, 0) << balanced.err;
  EXPECT_FALSE(contains(balanced.out, "--class-weights"));
  testing::expect_contains(testing::read_text(folder / "balanced" / "config.json"),
                           {"\"balanced_classes\": true"});
  const ProgramResult other = train({}, "balanced");
  EXPECT_EQ(other.exit_code, 2);
  testing::expect_contains(other.err, {"balanced_classes true (requested: false)"});
  const nlohmann::json measured =
      testing::results_of(run_slowly({"eval", (folder / "plain").string(), "--json"}).out);
  const std::string area =
      std::to_string(measured.at("checkpoints").at(0).at("area_under_curve").get<double>());
  testing::expect_contains(testing::read_text(folder / "plain" / "summary.csv"),
                           {"validation ROC AUC," + area.substr(0, 5)});
}

TEST(TrainOwnBags, LeavesARunAsItIsIfItCannotBeResumed) {
  const TemporaryFolder folder;
  ASSERT_EQ(train_bags(folder, {"--epochs", "2"}).exit_code, 0);
  const std::string config = testing::read_text(folder / "run" / "config.json");
  std::string edited = table_of_bags(24, true);
  edited.replace(edited.find("0.1"), 3, "0.2");
  testing::write_text(folder / "bags.csv", edited);
  const std::string bags = (folder / "bags.csv").string(), run = (folder / "run").string();
  const ProgramResult refused =
      run_slowly({"train", "bags", "--bags", bags, "--bag-column", "slide", "--label-column", "diagnosis",
                  "--ignore-columns", "cell", "--seeds", "2", "--epochs", "5", "--out", run});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  testing::expect_contains(refused.err, {"training bags have changed since the run began",
                                         "bags.csv had 24 bags with 2 features, and now has as many",
                                         "Restore the files to resume the run, or choose another folder"});
  EXPECT_EQ(testing::read_text(folder / "run" / "config.json"), config);
  testing::write_text(folder / "bags.csv", "slide,diagnosis,cell,x,y,z\na,sick,,1,2,3\nb,healthy,,1,2,4\n");
  const ProgramResult measured = run_slowly({"eval", run});
  EXPECT_EQ(measured.exit_code, 2);
  testing::expect_contains(
      measured.err, {"had 24 bags with 2 features, and now has 2 bags with 3 features", "--bags FILE"});
  EXPECT_EQ(train_bags(folder, {"--epochs", "2"}).exit_code, 0) << "with the first table again";
}

TEST(TrainOwnBags, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto refused = [&](const ProgramResult& result, int exit_code,
                           const std::vector<std::string>& parts) {
    EXPECT_EQ(result.exit_code, exit_code) << result.out;
    testing::expect_contains(result.err, parts);
  };
  refused(train_bags(folder, {"--model", "hopfield"}), 2, {"hopfield", "same size"});
  refused(train_bags(folder, {"--positive", "ill"}), 2, {"\"ill\"", "\"healthy\", \"sick\""});
  refused(train_bags(folder, {"--offsets", "x.npy"}), 2, {"--offsets", ".npy"});
  refused(train_bags(folder, {"--learning-rate", "1e38"}, "diverged"), 2,
          {"training diverged", "--learning-rate"});
  refused(
      train_bags(folder, {"--validation", (folder / "bags.csv").string(), "--validation-fraction", "0.5"}), 2,
      {"--validation-fraction"});
  EXPECT_FALSE(std::filesystem::exists(folder / "run")) << "a refused run leaves no folder";
  testing::write_text(folder / "one.csv", "bag,label,x\na,1,0\nb,1,0\n");
  const auto plain = [&](const char* file) {
    return run_slowly(
        {"train", "bags", "--bags", (folder / file).string(), "--out", (folder / "plain").string()});
  };
  refused(plain("one.csv"), 3, {"all 2 bags have the class \"1\""});
  refused(plain("bags.csv"), 3, {"no column \"bag\"", "--bag-column"});
  refused(plain("missing.csv"), 3, {"missing.csv"});
  testing::write_text(folder / "none.csv", "bag,x\na,1\nb,2\n");
  refused(plain("none.csv"), 3, {"no classes", "--label-column"});
  testing::write_text(folder / "rare.csv", "bag,label,x,y\na,1,0,1\nb,0,0,2\nc,0,0,4\n");
  refused(plain("rare.csv"), 2, {"the class 1 has 1 bag", "at least 2", "--validation"});
  refused(train_bags(folder, {"--validation", (folder / "." / "bags.csv").string()}), 2,
          {"bags.csv is also a file of --bags"});
  refused(run_slowly({"train", "bags", "--bags", "--quiet"}), 2, {"--bags", "a value is missing", "--quiet"});
  refused(run_slowly({"train", "--bags", "x.csv"}), 2, {"mneme train bags --bags"});

  ASSERT_EQ(train_bags(folder, {"--model", "lstm", "--epochs", "1"}).exit_code, 0);
  const std::string run = (folder / "run").string();
  const auto predict = [&](const std::string& text, const std::vector<std::string>& more = {}) {
    testing::write_text(folder / "new.csv", text);
    std::vector<std::string> arguments{"predict", run, "--bags", (folder / "new.csv").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_slowly(arguments);
  };
  refused(predict("slide,x\na,1\n"), 3, {"no column \"y\"", "\"x\", \"y\""});
  refused(predict("slide,x,y,z\na,1,2,3\n"), 3, {"\"z\" is not one", "--ignore-columns z"});
  refused(predict("slide,x,y\na,1,2\n", {"--ignore-columns", "foo"}), 3,
          {"no column \"foo\"", "Correct the name in --ignore-columns"});
  EXPECT_EQ(predict("id,y,z,x\na,1,2,3\n", {"--bag-column", "id", "--ignore-columns", "z"}).exit_code, 0);
  refused(predict("slide,x,y\na,1,2\n", {"--label-column", "class"}), 3, {"\"class\"", "--label-column"});
  refused(predict("slide,x,y\na,1,2\n", {"--explain"}), 2, {"lstm", "does not attend"});
  refused(predict("slide,x,y\na,1,2\n", {"--top", "2"}), 2, {"--explain"});
  refused(predict("slide,x,y\na,1,2\n", {"--instance-column", "cell"}), 3, {"\"cell\"", "--instance-column"});
  refused(predict("slide,x,y,z\na,1,2,3\n", {"--instance-column", "cell"}), 3,
          {"no column \"cell\"", "Correct the name in --instance-column"});
  const ProgramResult some = predict("slide,diagnosis,x,y\na,sick,1,2\nb,,2,1\nc,Sick,3,1\n", {"--json"});
  ASSERT_EQ(some.exit_code, 0) << some.err;
  const nlohmann::json rows = testing::results_of(some.out).at("predictions");
  EXPECT_EQ(rows.at(0).at("class"), "sick");
  EXPECT_TRUE(rows.at(1).at("class").is_null());
  EXPECT_EQ(rows.at(2).at("class"), "Sick");
  testing::expect_contains(
      predict("slide,diagnosis,x,y\na,sick,1,2\nb,,2,1\nc,Sick,3,1\n").out,
      {" of 1 bags are classified correctly; not counted: 2 bags without the class healthy or sick."});
  const ProgramResult without = predict("slide,diagnosis,x,y\na,,1,2\n", {"--label-column", "diagnosis"});
  EXPECT_EQ(without.exit_code, 0) << without.err;
  EXPECT_EQ(without.out.find("correctly"), std::string::npos);
  predict("slide,x,y\na,1,2\n");
  refused(run_slowly({"eval", run, "--bags", (folder / "new.csv").string()}), 3,
          {"no classes", "mneme predict"});
  refused(run_slowly({"eval", run, "--offsets", "x.npy"}), 2, {"--bags"});
  ASSERT_EQ(train_latch(folder / "latch", {"--epochs", "1"}).exit_code, 0);
  refused(run_slowly({"predict", (folder / "latch").string(), "--bags", (folder / "new.csv").string()}), 2,
          {"mneme train bags", "latch"});
}

#endif

} // namespace
} // namespace mneme
