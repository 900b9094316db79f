// SPDX-License-Identifier: MIT

#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"

namespace mneme {
namespace {

using nlohmann::json;
using testing::contains;
using testing::expect_contains;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

#ifdef MNEME_WITH_TORCH

const std::filesystem::path kCase =
    std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "leap" / "lm_elu_3l_windows";

std::string bytes_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Writes the language model of a golden case to a folder: 3 layers of 2 heads with windows 5, 3 and all,
/// vocabulary size 40, 40 positions.
class Model {
public:
  explicit Model(bool with_positions = true, bool with_bytes = false) {
    config_ = json::parse(read_text(kCase.string() + ".json")).at("config");
    const std::vector<std::byte> bytes = data::read_file(kCase.string() + ".safetensors");
    std::vector<data::SafetensorsTensor> kept;
    for (const data::SafetensorsEntry& entry : data::parse_safetensors_entries(bytes, "golden")) {
      const std::string prefix = "state.";
      const bool is_table = entry.name.find("position_embeddings") != std::string::npos;
      if (entry.name.starts_with(prefix) && (with_positions || !is_table)) {
        kept.push_back({entry.name.substr(prefix.size()), entry.dtype, entry.shape,
                        std::span(bytes).subspan(static_cast<size_t>(entry.begin),
                                                 static_cast<size_t>(entry.end - entry.begin))});
      }
    }
    std::vector<std::vector<std::byte>>
        enlarged; // word vectors of 256 tokens: those after the first 40 are 0
    enlarged.reserve(kept.size());
    for (data::SafetensorsTensor& tensor : kept) {
      if (with_bytes && tensor.shape.size() == 2 && tensor.shape[0] == 40 &&
          tensor.name.find("position") == std::string::npos) {
        std::vector<std::byte>& all = enlarged.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
        all.resize(all.size() / 40 * 256);
        tensor.shape[0] = 256;
        tensor.bytes = all;
        config_["vocab_size"] = 256;
      }
    }
    if (!with_positions) {
      config_["positions"] = "none";
    }
    write_text(file("config.json"), config_.dump());
    write_text(file("model.safetensors"), bytes_text(data::to_safetensors(kept, {})));
  }

  std::string path() const { return folder_.path().string(); }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    write_text(file(name), text);
    return file(name);
  }
  const json& config() const { return config_; }

private:
  TemporaryFolder folder_;
  json config_;
};

std::string counted(int64_t count, int64_t words = 40) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    text += std::to_string(7 * i % words) + (i % 10 == 9 ? "\n" : " ");
  }
  return text;
}

json inspect(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {"inspect", "--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const ProgramResult result = run_mneme(all, {.timeout = std::chrono::seconds(60)});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return testing::results_of(result.out);
}

TEST(InspectVerb, ShowsWhatTheModelPredicts) {
  const Model model;
  const json before = inspect({model.path(), "--tokens", model.write("ids", counted(20))});
  const json& next = before.at("prediction").at("next");
  ASSERT_EQ(next.size(), 5U);
  EXPECT_GE(next.at(0).at("probability"), next.at(1).at("probability"));
  const auto losses = before.at("prediction").at("loss");
  ASSERT_EQ(losses.size(), 20U);
  EXPECT_TRUE(losses.at(0).is_null());
  double sum = 0;
  for (size_t i = 1; i < 20; ++i) {
    sum += losses.at(i).get<double>();
  }
  EXPECT_NEAR(before.at("prediction").at("mean_loss").get<double>(), sum / 19, 1e-5); // float32
  for (const json& token : next) { // its loss, once it follows
    const std::string text = counted(20) + " " + std::to_string(token.at("id").get<int64_t>());
    const json after = inspect({model.path(), "--tokens", model.write("ids", text)}).at("prediction");
    EXPECT_NEAR(after.at("loss").at(20).get<double>(), -std::log(token.at("probability").get<double>()),
                1e-4);
    EXPECT_NEAR(after.at("loss").at(5).get<double>(), losses.at(5).get<double>(), 1e-4);
  }
  const ProgramResult shown =
      run_mneme({"inspect", model.path(), "--tokens", model.file("ids"), "--out", model.file("out")},
                {.timeout = std::chrono::seconds(60)});
  expect_contains(shown.out, {"next token: ", " nats per token"});
  expect_contains(read_text(model.file("out") + "/index.html"), {"Loss of each token", "next token"});
}

TEST(InspectVerb, ReadsCompressedTexts) {
  const Model model(true, true);
  const auto heads = [&](const std::string& option, const std::string& file) {
    return inspect({model.path(), option, file}).at("heads");
  };
  for (const auto& [option, text] : {std::pair("--text", "a short text"), {"--tokens", "1 2 3"}}) {
    const std::string plain = model.write("text", text);
    testing::run_program({"sh", "-c", "gzip -kf \"$0\"", plain});
    EXPECT_EQ(heads(option, plain + ".gz"), heads(option, plain)) << option;
  }
}

TEST(InspectVerb, LeavesOutALineBreakAtTheEndOfAText) {
  const Model model(true, true);
  const auto last = [&](const std::string& text, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{model.path(), "--text", model.write("text", text)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const json reader = inspect(arguments).at("reader");
    return reader.at("text").get<std::string>() + reader.at("position").dump();
  };
  EXPECT_EQ(last("ab"), "b1");
  EXPECT_EQ(last("ab\n"), "b1");
  EXPECT_EQ(last("ab\r\n"), "b1");
  EXPECT_EQ(last("ab\n\n"), "↵2"); // only one
  EXPECT_EQ(last("\n"), "↵0");     // the whole text
  EXPECT_EQ(last("ab\n", {"--to", "3"}), "↵2");
  const ProgramResult noted = run_mneme({"inspect", model.path(), "--text", model.write("text", "ab\n")},
                                        {.timeout = std::chrono::seconds(60)});
  expect_contains(noted.err, {"line break at the end is left out", "--to 3"});
}

TEST(InspectVerb, MatchesTheFormulasForEveryHead) {
  const Model model;
  const json found = inspect({model.path(), "--tokens", model.write("ids", counted(30))});
  EXPECT_EQ(found.at("tokens").at("ids").at(3), 21);
  EXPECT_EQ(found.at("reader").at("position"), 29);
  ASSERT_EQ(found.at("heads").size(), 6U);
  const std::vector<int64_t> windows = {5, 3, 0};
  for (const json& head : found.at("heads")) {
    const auto layer = head.at("layer").get<size_t>();
    EXPECT_EQ(head.at("window"), windows.at(layer));
    const auto gate = head.at("gate").get<std::vector<double>>();
    const auto share = head.at("share").get<std::vector<double>>();
    const auto weight = head.at("log_weight").get<std::vector<double>>();
    for (size_t i = 0; i < 30; ++i) {
      const auto row = head.at("attention").at(i).get<std::vector<double>>();
      const size_t window = windows[layer] == 0 ? i + 1 : std::min<size_t>(i + 1, windows[layer]);
      double denominator = 1e-5; // epsilon of the published code
      for (size_t j = i + 1 - window; j <= i; ++j) {
        denominator += std::exp(weight[j]);
      }
      for (size_t j = 0; j < 30; ++j) {
        const double expected = j <= i && j + window > i ? gate[i] * std::exp(weight[j]) / denominator : 0;
        EXPECT_NEAR(row[j], expected, 1e-6) << layer << " " << i << " " << j; // float32
        if (i == 29) {
          EXPECT_NEAR(row[j], gate[i] * share[j], 1e-6);
        }
      }
      EXPECT_NEAR(1 / (1 + std::exp(-head.at("gate_logit").at(i).get<double>())), gate[i], 1e-6);
    }
    const json& top = head.at("looks_at").at(0);
    EXPECT_EQ(top.at("share").get<double>(), std::ranges::max(share));
    EXPECT_EQ(share[top.at("position").get<size_t>()], std::ranges::max(share));
  }
  const auto roll_out = found.at("roll_out").get<std::vector<double>>();
  EXPECT_NEAR(std::accumulate(roll_out.begin(), roll_out.end(), 0.0), 1, 1e-5);
}

TEST(InspectVerb, WritesPageJsonAndTensors) {
  const Model model;
  std::string words;
  for (int i = 0; i < 40; ++i) {
    words += "w<" + std::to_string(i) + ">\n";
  }
  const std::string out = model.file("out"), names = model.write("words", words),
                    ids = model.write("ids", counted(12));
  const ProgramResult result =
      run_mneme({"inspect", model.path(), "--tokens", ids, "--words", names, "--out", out});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.out, {"3 layers of 2 heads", "12 tokens", "w<37>", "mean gate", "index.html"});
  const json written = json::parse(read_text(out + "/explanation.json"));
  EXPECT_EQ(written, inspect({model.path(), "--tokens", ids, "--words", names}));
  EXPECT_EQ(written.at("tokens").at("text").at(1), "w<7>");
  EXPECT_TRUE(contains(read_text(out + "/index.html"), "Attention matrix"));
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const data::SafetensorsEntry& entry : data::read_safetensors_entries(out + "/tensors.safetensors")) {
    shapes[entry.name] = entry.shape;
  }
  EXPECT_EQ(shapes.at("layers.2.gate"), (std::vector<int64_t>{2, 12}));
  EXPECT_EQ(shapes.at("layers.0.tile.attention"), (std::vector<int64_t>{2, 12, 12}));
  EXPECT_EQ(shapes.at("layers.1.reason"), (std::vector<int64_t>{2, 12}));
  EXPECT_EQ(shapes.at("roll_out"), std::vector<int64_t>{12});
  EXPECT_EQ(shapes.at("ids"), std::vector<int64_t>{12});
  EXPECT_EQ(shapes.at("loss"), std::vector<int64_t>{12});
  EXPECT_EQ(shapes.size(), 3 + 3 * 13U);
}

TEST(InspectVerb, ShowsTheRequestedLayerHeadAndRange) {
  const Model model;
  const std::string ids = model.write("ids", counted(30));
  const json whole = inspect({model.path(), "--tokens", ids, "--to", "20"}),
             piece = inspect({model.path(), "--tokens", ids, "--to", "20", "--from", "12", "--layer", "2",
                              "--head", "1"});
  ASSERT_EQ(piece.at("heads").size(), 1U);
  const json &part = piece.at("heads").at(0), &all = whole.at("heads").at(5);
  EXPECT_EQ(part.at("layer"), 2);
  EXPECT_EQ(part.at("head"), 1);
  EXPECT_EQ(piece.at("reader").at("position"), 19);
  ASSERT_EQ(part.at("attention").size(), 8U);
  EXPECT_EQ(part.at("attention").at(3).at(2), all.at("attention").at(15).at(14));
  EXPECT_EQ(part.at("gate").at(7), all.at("gate").at(19));
}

TEST(InspectVerb, ShowsBinsInsteadOfAMatrixForLongTexts) {
  const Model model(/*with_positions=*/false);
  const std::string ids = model.write("ids", counted(6'000)), out = model.file("out");
  const json found = inspect({model.path(), "--tokens", ids, "--out", out});
  EXPECT_EQ(found.at("tokens").at("count"), 6'000);
  EXPECT_EQ(found.at("tokens").at("bins").size(), 400U);
  for (const json& head : found.at("heads")) {
    EXPECT_FALSE(head.contains("attention"));
    const auto share = head.at("share").get<std::vector<double>>();
    EXPECT_EQ(share.size(), 400U);
    EXPECT_NEAR(std::accumulate(share.begin(), share.end(), 0.0), 1, 1e-4);
  }
  const std::string page = read_text(out + "/index.html");
  EXPECT_TRUE(contains(page, "Attention weights of the last token"));
  // The matrix of the end of the text has the numbers of the full text.
  const json end = inspect({model.path(), "--tokens", ids, "--from", "5900"});
  EXPECT_EQ(end.at("heads").at(4).at("looks_at"), found.at("heads").at(4).at("looks_at"));
  EXPECT_EQ(end.at("heads").at(4).at("attention").size(), 100U);
}

TEST(InspectVerb, ReadsIdsFromNumpyAndStdin) {
  const Model model;
  const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }\n";
  std::string npy = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
  for (const char id : {5, 0, 39}) {
    npy += std::string{id, 0, 0, 0};
  }
  const json by_file = inspect({model.path(), "--tokens", model.write("ids.npy", npy)});
  EXPECT_EQ(by_file.at("tokens").at("ids"), (std::vector<int64_t>{5, 0, 39}));
  const ProgramResult piped =
      run_mneme({"inspect", model.path(), "--tokens", "-", "--json"}, {.input = "5, 0\n39"});
  EXPECT_EQ(testing::results_of(piped.out), by_file) << piped.err;
}

TEST(InspectVerb, AnOpenGateHasNoLogit) {
  const Model model;
  json config = model.config();
  config["gate"] = "open";
  write_text(model.file("config.json"), config.dump());
  const std::string out = model.file("out");
  const json found = inspect({model.path(), "--tokens", model.write("ids", counted(9)), "--out", out});
  EXPECT_EQ(found.at("model").at("gate"), "open");
  for (const json& head : found.at("heads")) {
    EXPECT_EQ(head.at("gate"), std::vector<double>(9, 1));
    EXPECT_TRUE(head.at("gate_logit").is_null());
    EXPECT_EQ(head.at("attention").at(8), head.at("share"));
  }
  for (const data::SafetensorsEntry& entry : data::read_safetensors_entries(out + "/tensors.safetensors")) {
    EXPECT_EQ(entry.name.find("reason"), std::string::npos);
    EXPECT_EQ(entry.name.find("gate_logit"), std::string::npos);
  }
}

TEST(InspectVerb, SelectsParametersByKeyAndReportsWhatItIgnores) {
  const Model model;
  const std::vector<std::byte> bytes = data::read_file(model.file("model.safetensors"));
  std::vector<data::SafetensorsTensor> both;
  for (const std::string prefix : {"ema.module.", "last."}) {
    for (const data::SafetensorsEntry& entry : data::parse_safetensors_entries(bytes, "model")) {
      both.push_back({prefix + entry.name, entry.dtype, entry.shape,
                      std::span(bytes).subspan(static_cast<size_t>(entry.begin),
                                               static_cast<size_t>(entry.end - entry.begin))});
    }
  }
  const std::string run = model.write("run.safetensors", bytes_text(data::to_safetensors(both, {}))),
                    ids = model.write("ids", counted(9));
  json config = model.config();
  config["use_cache"] = true;
  config["experiment"] = 3;
  write_text(model.file("config.json"), config.dump());
  const ProgramResult result = run_mneme({"inspect", run, "--key", "ema", "--tokens", ids, "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.err, {"config.json: the field \"experiment\" is not known",
                               "run.safetensors: \"module.\" is removed from the names"});
  EXPECT_EQ(result.err.find("use_cache"), std::string::npos);
  const json found = testing::results_of(result.out), whole = inspect({model.path(), "--tokens", ids});
  EXPECT_EQ(found.at("heads"), whole.at("heads"));
  const ProgramResult refused = run_mneme({"inspect", run, "--key", "best", "--tokens", ids});
  EXPECT_EQ(refused.exit_code, 3);
  expect_contains(refused.err, {"no name begins with \"best.\""});
}

TEST(InspectVerb, NamesTheFormatOfFilesWithoutTensors) {
  const Model model;
  for (const auto& [text, kind] : {std::pair<std::string, std::string>{"\x93NUMPY\x01", "is a .npy file"},
                                   {"bag,label,f0\na,1,2\n", "is text"},
                                   {"\x1F\x8B\x08\x01\x02\x03\x04\x05\x06", "is compressed by gzip"}}) {
    const ProgramResult result = run_mneme({"inspect", model.write("file", text)});
    EXPECT_EQ(result.exit_code, 3);
    expect_contains(result.err, {kind, "tensors (.safetensors or .pt) were expected", "torch.save"});
  }
}

TEST(InspectVerb, ReportsWhatIsWrong) {
  const Model model;
  const auto expect_refused = [&](int code, const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& parts) {
    std::vector<std::string> all = {"inspect", model.path(), "--json"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ProgramResult result = run_mneme(all);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_EQ(result.out, "");
    expect_contains(result.err, parts);
  };
  const std::string ids = model.write("ids", counted(30)), none = model.write("none", " \n");
  expect_refused(2, {}, {"no text", "--tokens"});
  expect_refused(2, {"--tokens", ids, "--text", ids}, {"both given"});
  expect_refused(3, {"--tokens", model.file("missing")}, {"missing"});
  expect_refused(3, {"--tokens", none}, {"none", "no tokens"});
  expect_refused(3, {"--tokens", model.write("half", "1 2 3.5")}, {"byte 4", "3.5"});
  expect_refused(3, {"--tokens", model.write("huge", "1 99999999999999999999")}, {"99999999999999999999"});
  expect_refused(3, {"--tokens", model.write("npy", "\x93NUMPY")}, {"npy"});
  expect_refused(3, {"--tokens", model.write("beyond", "1 2 40")},
                 {"beyond", "token 2 has the id 40", "0 to 39"});
  expect_refused(3, {"--tokens", model.write("below", "-1")}, {"token 0 has the id -1"});
  expect_refused(3, {"--tokens", model.write("long", counted(41))},
                 {"41 tokens", "40 learned positions", "--to"});
  expect_refused(3, {"--text", ids}, {"no tokenizer in this folder", "vocabulary of 40 words"});
  expect_refused(3, {"--text", "To be"}, {"To be: there is no such file", "a pipe", "--text -"});
  expect_refused(3, {"--tokens", ids, "--words", model.write("words", "a\nb\n")}, {"2 lines", "40 tokens"});
  expect_refused(2, {"--tokens", ids, "--layer", "3"}, {"--layer 3", "the model has 3, 0 to 2"});
  expect_refused(2, {"--tokens", ids, "--head", "2"}, {"--head 2", "0 to 1"});
  expect_refused(2, {"--tokens", ids, "--from", "30"}, {"--from 30 --to 30", "30 tokens"});
  expect_refused(2, {"--tokens", ids, "--to", "31"}, {"--to 31"});
  expect_refused(2, {"--tokens", ids, "--from", "-1"}, {"-1", "at least 0"});
  expect_refused(2, {"--tokens", model.write("300", counted(300)), "--from", "0"},
                 {"300 tokens", "at most 256"});
  const auto expect_no_model = [](const std::string& path, const std::vector<std::string>& parts) {
    const ProgramResult result = run_mneme({"inspect", path});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    expect_contains(result.err, parts);
  };
  expect_no_model(model.file("no-model"), {"no-model: there is no such file or folder"});
  std::filesystem::create_directory(model.file("nothing"));
  expect_no_model(model.file("nothing"), {"nothing: there is no config.json in this folder"});
  std::filesystem::create_directories(model.file("runs/best"));
  model.write("runs/best/config.json", "{}");
  model.write("runs/best/model.safetensors", "");
  expect_no_model(model.file("runs"), {"no config.json", "contains folders of models", "runs/best"});
  json config = model.config();
  config["model_type"] = "t5";
  write_text(model.file("config.json"), config.dump());
  expect_no_model(model.path(), {"\"model_type\" in config.json is \"t5\"", "\"gpt2\""});
  config = model.config();
  config["n_inner"] = 97;
  write_text(model.file("config.json"), config.dump());
  expect_refused(3, {"--tokens", ids}, {"config.json", "\"n_inner\""});
  std::filesystem::remove(model.file("config.json"));
  expect_refused(3, {"--tokens", ids}, {"config.json"});
  const std::string parts = "\"model_type\": \"LeapForCausalLM\", \"vocab_size\": 40, \"hidden_size\": ";
  expect_no_model(model.path(), {"there is no config.json in this folder", parts, "HEADS"});
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"generate", model.path(), "--prompt", "a"},
        {"eval", "lm", model.path(), "--text", ids}}) {
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, 3);
    expect_contains(result.err, {"there is no config.json in this folder", parts, "HEADS"});
  }
}

TEST(InspectVerb, KeepsResultsOfModelsApart) {
  const Model model, other;
  const std::string ids = model.write("ids", counted(9)), out = model.file("out");
  const auto run = [&](const std::string& path) {
    return run_mneme({"inspect", path, "--tokens", ids, "--out", out});
  };
  EXPECT_EQ(run(model.path()).exit_code, 0);
  EXPECT_EQ(run(model.path() + "/.").exit_code, 0);
  const ProgramResult refused = run(other.path());
  EXPECT_EQ(refused.exit_code, 2);
  expect_contains(refused.err, {"contains a run of `mneme inspect` with", "model", "another folder"});
}

TEST(InspectVerb, ShowsTheTextOfTokens) {
  const Model model(true, true);
  const std::string ids = model.write("ids", "64 220 65");
  const auto shown = [&] { return inspect({model.path(), "--tokens", ids}).at("tokens").at("text"); };
  EXPECT_EQ(shown(), (json{"64", "220", "65"})); // no tokenizer
  const std::filesystem::path folder = model.path();
  const ProgramResult trained = run_mneme({"tokenize", "train", "--text", model.write("text", "a b a b a b"),
                                           "--vocab-size", "257", "--out", model.file("tokenizer")});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  for (const auto& entry : std::filesystem::directory_iterator(model.file("tokenizer"))) {
    if (entry.path().filename() != "config.json" && entry.is_regular_file()) {
      std::filesystem::copy(entry.path(), folder / entry.path().filename());
    }
  }
  EXPECT_EQ(shown(), (json{"a", "␣", "b"}));
  const ProgramResult sentence = run_mneme({"inspect", model.path(), "--tokens", ids});
  expect_contains(sentence.out, {"the last token, at position 2, is \"b\"", "\"␣\" at 1"});
}

#else

TEST(InspectVerb, ReportsThatThisBuildHasNoLibTorch) {
  const TemporaryFolder folder;
  write_text(folder / "ids", "1 2 3");
  const ProgramResult result =
      run_mneme({"inspect", folder.path().string(), "--tokens", (folder / "ids").string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "LibTorch"));
}

#endif

} // namespace
} // namespace mneme
