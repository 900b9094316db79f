// SPDX-License-Identifier: MIT

#include "mneme/language/model.h"

#include <functional>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "language/small_models.h"
#include "mneme/core/error.h"
#include "mneme/nn/gpt2.h"
#include "mneme/nn/lstm_lm.h"

namespace mneme::language {
namespace {

using mneme::testing::TemporaryFolder;
using mneme::testing::write_text;
using testing::random_ids;
using testing::random_model;
using testing::small_configs;

std::string name_of(const ModelConfig& config) {
  return config.type + " " + config.positions;
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(LanguageModel, ReportsFoldersThatCannotBeRead) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_NE(error_of([&] { read_model(folder / "loop"); }).find("cannot be read: Too many levels"),
            std::string::npos);
}

TEST(LanguageModel, LossIsTheCrossEntropyOfItsLogits) {
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const at::Tensor ids = random_ids(3, 11, 40), targets = random_ids(3, 11, 40, 2);
    targets.slice(1, 0, 4)[1].fill_(-100);
    const LossSum loss = model->loss(ids, targets);
    EXPECT_EQ(loss.count, 29) << name_of(config);
    const at::Tensor expected = at::cross_entropy_loss(model->logits(ids).flatten(0, 1).to(at::kDouble),
                                                       targets.flatten(), {}, at::Reduction::Sum, -100);
    EXPECT_NEAR(loss.sum.item<double>(), expected.item<double>(), 1e-5 * expected.item<double>())
        << name_of(config);
  }
}

TEST(LanguageModel, LossAndGradientsDoNotDependOnTheDivisionOfABatch) {
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const at::Tensor ids = random_ids(32, 9, 40), targets = random_ids(32, 9, 40, 2);
    for (int64_t row = 0; row < 32; ++row) { // ragged
      targets[row].slice(0, row % 9 + 1).fill_(-100);
    }
    const int64_t count = (targets != -100).sum().item<int64_t>();
    std::vector<at::Tensor> first;
    double first_loss = 0;
    for (const int64_t rows : {32, 8, 1}) {
      model->module().zero_grad();
      double loss = 0;
      for (int64_t begin = 0; begin < 32; begin += rows) {
        const LossSum part =
            model->loss(ids.slice(0, begin, begin + rows), targets.slice(0, begin, begin + rows));
        (part.sum / count).backward();
        loss += part.sum.item<double>() / static_cast<double>(count);
      }
      std::vector<at::Tensor> gradients;
      double largest = 0;
      for (const at::Tensor& parameter : model->module().parameters()) {
        gradients.push_back(parameter.grad().clone());
        largest = std::max(largest, parameter.grad().abs().max().item<double>());
      }
      for (size_t i = 0; i < first.size(); ++i) {
        EXPECT_LT(max_difference(gradients[i], first[i]), 2e-6 * largest) << name_of(config) << " " << rows;
      }
      EXPECT_NEAR(loss, first.empty() ? loss : first_loss, 1e-6 * loss) << name_of(config) << " " << rows;
      if (first.empty()) {
        first = gradients;
        first_loss = loss;
      }
    }
  }
}

TEST(LanguageModel, StepsEqualTheWholeTextForEveryDivision) {
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const at::NoGradGuard no_gradient;
    const at::Tensor ids = random_ids(2, 24, 40), expected = model->logits(ids);
    for (const std::vector<int64_t>& parts :
         {std::vector<int64_t>{24}, {1, 23}, {23, 1}, {5, 1, 7, 2, 9}, std::vector<int64_t>(24, 1)}) {
      const auto state = model->start(2);
      std::vector<at::Tensor> logits;
      int64_t at = 0;
      for (const int64_t part : parts) {
        EXPECT_EQ(state->position(), at);
        logits.push_back(model->step(ids.slice(1, at, at + part), *state));
        at += part;
      }
      EXPECT_LT(max_difference(at::cat(logits, 1), expected), 2e-5)
          << name_of(config) << ", " << parts.size();
    }
  }
}

TEST(LanguageModel, AClonedStateContinuesIndependently) {
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const at::Tensor ids = random_ids(1, 20, 40), other = random_ids(1, 6, 40, 7);
    const auto state = model->start(1);
    model->advance(ids.slice(1, 0, 10), *state);
    const auto clone = state->clone();
    model->step(other, *clone);
    const at::Tensor after = model->step(ids.slice(1, 10), *state);
    EXPECT_LT(max_difference(after, model->logits(ids).slice(1, 10)), 2e-5) << name_of(config);
    EXPECT_EQ(clone->position(), 16);
  }
}

TEST(LanguageModel, AStateReadFromAFileContinuesTheText) {
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const at::Tensor ids = random_ids(1, 20, 40);
    const auto state = model->start(1);
    model->advance(ids.slice(1, 0, 9), *state);
    const TemporaryFolder folder;
    nn::write_tensor_file(folder / "state", state->to_file());
    const auto read = model->state_from(nn::read_tensor_file(folder / "state"), "here");
    EXPECT_EQ(read->position(), 9) << name_of(config);
    EXPECT_TRUE(model->step(ids.slice(1, 9), *read).equal(model->step(ids.slice(1, 9), *state)))
        << name_of(config);
    const auto empty = model->state_from(model->start(1)->to_file(), "here");
    EXPECT_EQ(empty->position(), 0);
    EXPECT_LT(max_difference(model->step(ids, *empty), model->logits(ids)), 2e-5) << name_of(config);
    const std::string message = error_of([&] { model->state_from({}, "the file"); });
    EXPECT_EQ(message.find("the file: "), 0U) << message;
  }
}

TEST(LanguageModel, StatesOfRecurrentModelsDoNotGrow) {
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const auto bytes_at = [&](int64_t tokens) {
      const auto state = model->start(1);
      model->step(random_ids(1, tokens, 40), *state);
      size_t bytes = 0;
      for (const auto& [name, tensor] : state->to_file().tensors) {
        bytes += tensor.nbytes();
      }
      return bytes;
    };
    EXPECT_EQ(bytes_at(20) == bytes_at(40), model->is_recurrent()) << name_of(config);
  }
}

TEST(LanguageModel, FoldersPreserveModels) {
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    const TemporaryFolder folder;
    write_model(folder / "model", *model);
    std::vector<std::string> notes;
    const auto read = read_model(folder / "model", &notes);
    EXPECT_TRUE(notes.empty()) << name_of(config) << ": " << notes.front();
    EXPECT_EQ(read->type(), config.type);
    EXPECT_EQ(read->config_json(), model->config_json());
    EXPECT_FALSE(read->module().is_training());
    const at::Tensor ids = random_ids(1, 12, 40);
    EXPECT_TRUE(read->logits(ids).equal(model->logits(ids))) << name_of(config);
  }
}

TEST(LanguageModel, InitialWeightsDependOnTheSeedAlone) {
  for (const ModelConfig& config : small_configs()) {
    ModelConfig other = config;
    other.seed = 2;
    const at::Tensor ids = random_ids(1, 5, 40);
    const auto first = make_model(config), same = make_model(config), different = make_model(other);
    EXPECT_TRUE(first->module().is_training());
    for (const auto* model : {&first, &same, &different}) {
      (*model)->module().eval();
    }
    EXPECT_TRUE(first->logits(ids).equal(same->logits(ids))) << name_of(config);
    EXPECT_FALSE(first->logits(ids).equal(different->logits(ids))) << name_of(config);
  }
}

TEST(LanguageModel, ErrorsNameBothSides) {
  const auto expect = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(error_of([] { make_model({.type = "gpt5"}); }), "\"gpt5\"");
  expect(error_of([] { make_model({.type = "gpt2", .positions = "rotary"}); }), "\"rotary\"");
  expect(error_of([] { make_model({.positions = "sometimes"}); }), "\"sometimes\"");
  for (const ModelConfig& config : small_configs()) {
    const auto model = random_model(config);
    expect(error_of([&] { model->loss(random_ids(1, 4, 40), random_ids(1, 5, 40)); }), "[1, 5]");
    expect(error_of([&] { model->logits(at::full({1, 3}, 40, at::kLong)); }), "40");
    expect(error_of([&] { model->step(at::empty({1, 0}, at::kLong), *model->start(1)); }), "[1, 0]");
    expect(error_of([&] { model->advance(at::empty({1, 0}, at::kLong), *model->start(1)); }), "[1, 0]");
    if (model->max_length()) {
      expect(error_of([&] { model->logits(random_ids(1, 49, 40)); }), "49 tokens");
      const auto state = model->start(1);
      model->step(random_ids(1, 48, 40), *state);
      expect(error_of([&] { model->step(random_ids(1, 1, 40), *state); }), "48 learned positions");
    }
    const auto two = model->start(2);
    model->step(random_ids(2, 3, 40), *two);
    EXPECT_NE(error_of([&] { model->step(random_ids(1, 1, 40), *two); }), "no error") << name_of(config);
  }
  const TemporaryFolder folder;
  expect(error_of([&] { read_model(folder / "none"); }), "none");
  expect(error_of([&] { read_model(folder.path()); }), "config.json");
  write_text(folder / "config.json", R"({"model_type": "bert"})");
  expect(error_of([&] { read_model(folder.path()); }), "\"bert\"");
  const auto leap = random_model(small_configs()[0]), gpt2 = random_model(small_configs()[2]);
  expect(error_of([&] { leap->step(random_ids(1, 1, 40), *gpt2->start(1)); }), "\"leap\"");
}

TEST(Model, OrderOfWeightsForStepsChangesResultsByRoundingOnly) {
  for (const ModelConfig& config : testing::small_configs(40)) {
    const auto model = random_model(config), ordered = random_model(config);
    ordered->order_weights_for_steps();
    ordered->order_weights_for_steps(); // a second call changes nothing
    const at::NoGradGuard no_gradient;
    const auto state = model->start(1), ordered_state = ordered->start(1);
    const at::Tensor prompt = random_ids(1, 7, 40), token = random_ids(1, 1, 40, 2);
    for (const at::Tensor& ids : {prompt, token}) {
      const at::Tensor logits = model->step(ids, *state);
      EXPECT_TRUE(at::allclose(ordered->step(ids, *ordered_state), logits, 1e-5, 1e-6)) << config.type;
    }
    const nn::NamedTensors expected = model->published_state(), parameters = ordered->published_state();
    ASSERT_EQ(parameters.size(), expected.size());
    for (const auto& [name, tensor] : parameters) {
      EXPECT_TRUE(at::equal(tensor, expected.at(name))) << config.type << " " << name;
    }
  }
}

} // namespace
} // namespace mneme::language
