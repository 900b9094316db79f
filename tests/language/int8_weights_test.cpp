// SPDX-License-Identifier: MIT

/// Models with int8 weights.

#include <functional>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "language/small_models.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/language/generate.h"
#include "mneme/language/model.h"

namespace mneme::language {
namespace {

using mneme::testing::expect_contains;
using mneme::testing::TemporaryFolder;
using testing::random_ids;
using testing::random_model;

/// Of every type that has int8 weights.
std::vector<ModelConfig> configs(int64_t vocab_size = 40) {
  std::vector<ModelConfig> all;
  for (const ModelConfig& config : testing::small_configs(vocab_size)) {
    if (config.type != "lstm") {
      all.push_back(config);
    }
  }
  return all;
}

std::string name_of(const ModelConfig& config) {
  return config.type + " " + config.positions;
}

std::unique_ptr<Model> int8_model(const ModelConfig& config) {
  std::unique_ptr<Model> model = random_model(config);
  model->use_int8_weights();
  return model;
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

size_t parameter_bytes(Model& model) {
  size_t bytes = 0;
  for (const at::Tensor& parameter : model.module().parameters()) {
    bytes += parameter.nbytes();
  }
  return bytes;
}

template <class Error> std::string message_of(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Int8Weights, ChangeTheLogitsALittle) {
  for (const ModelConfig& config : configs()) {
    const auto exact = random_model(config), model = int8_model(config);
    EXPECT_EQ(exact->weights(), Weights::float32);
    EXPECT_EQ(model->weights(), Weights::int8);
    const at::Tensor ids = random_ids(3, 11, 40), targets = random_ids(3, 11, 40, 2);
    const at::NoGradGuard no_gradient;
    const at::Tensor expected = exact->logits(ids);
    const double difference = max_difference(model->logits(ids), expected);
    EXPECT_GT(difference, 0) << name_of(config);
    EXPECT_LT(difference, 0.05 * expected.abs().max().item<double>()) << name_of(config);
    const double loss = exact->loss(ids, targets).sum.item<double>();
    EXPECT_NEAR(model->loss(ids, targets).sum.item<double>(), loss, 0.02 * loss) << name_of(config);
  }
}

TEST(Int8Weights, TakeAQuarterOfTheMemory) {
  for (const char* type : {"leap", "matrix-leap", "gpt2", "fastformer"}) {
    const ModelConfig config{.type = type, .vocab_size = 300, .width = 256, .layers = 2, .max_length = 8};
    const auto model = make_model(config);
    const size_t before = parameter_bytes(*model);
    model->use_int8_weights();
    EXPECT_LT(static_cast<double>(parameter_bytes(*model)), 0.26 * static_cast<double>(before)) << type;
    for (const at::Tensor& parameter : model->module().parameters()) {
      EXPECT_FALSE(parameter.requires_grad());
      EXPECT_EQ(parameter.storage().nbytes(), parameter.nbytes()) << type; // no larger memory behind it
    }
    const size_t after = parameter_bytes(*model);
    model->use_int8_weights(); // a second call changes nothing
    EXPECT_EQ(parameter_bytes(*model), after);
  }
}

/// Bits of a step differ from those of the whole text, and a number of 15 bits may then be another one.
TEST(Int8Weights, StepsEqualTheWholeTextUpToRounding) {
  for (const ModelConfig& config : configs()) {
    const auto model = int8_model(config);
    const at::NoGradGuard no_gradient;
    const at::Tensor ids = random_ids(2, 24, 40), expected = model->logits(ids);
    for (const std::vector<int64_t>& parts :
         {std::vector<int64_t>{24}, {5, 1, 7, 2, 9}, std::vector<int64_t>(24, 1)}) {
      const auto state = model->start(2);
      std::vector<at::Tensor> logits;
      int64_t at = 0;
      for (const int64_t part : parts) {
        logits.push_back(model->step(ids.slice(1, at, at + part), *state));
        at += part;
      }
      EXPECT_LT(max_difference(at::cat(logits, 1), expected), 5e-3) << name_of(config);
    }
  }
}

TEST(Int8Weights, ResultsDoNotDependOnThreads) {
  const int before = threads();
  for (const ModelConfig& small : configs()) {
    ModelConfig config = small;
    config.width = 256; // large enough that products are divided
    config.vocab_size = 5000;
    const auto model = int8_model(config);
    const at::NoGradGuard no_gradient;
    std::vector<at::Tensor> logits;
    for (const int count : {1, 3}) {
      set_threads(count);
      logits.push_back(model->logits(random_ids(2, 20, 5000)));
      const auto state = model->start(1);
      logits.push_back(model->step(random_ids(1, 1, 5000), *state));
    }
    EXPECT_TRUE(logits[0].equal(logits[2]) && logits[1].equal(logits[3])) << name_of(config);
  }
  set_threads(before);
}

TEST(Int8Weights, AreReadFromTheSameFolders) {
  for (const ModelConfig& config : configs()) {
    const auto model = random_model(config);
    const TemporaryFolder folder;
    write_model(folder / "model", *model);
    const auto read = read_model(folder / "model", nullptr, Weights::int8);
    model->use_int8_weights();
    const at::NoGradGuard no_gradient;
    EXPECT_EQ(read->config_json(), model->config_json());
    EXPECT_TRUE(read->logits(random_ids(1, 12, 40)).equal(model->logits(random_ids(1, 12, 40))));
    expect_contains(message_of<UsageError>([&] { write_model(folder / "other", *read); }), {"int8 weights"});
  }
}

TEST(Int8Weights, ContinueOnlyTextsOfTheirOwn) {
  const tokens::Tokenizer bytes = tokens::Tokenizer::bytes();
  for (const ModelConfig& config : configs(256)) {
    const auto exact = random_model(config), model = int8_model(config);
    const TemporaryFolder folder;
    TextContext context = start_context(*model);
    add_tokens(*model, context, std::vector<int32_t>{79, 110, 99, 101});
    write_context(folder / "state", context, 8, *model, bytes);
    TextContext read = read_context(folder / "state", *model, bytes);
    const auto text_of = [&](TextContext& from) {
      return generate(*model, bytes, from, {.max_tokens = 12}).ids;
    };
    EXPECT_EQ(text_of(read), text_of(context)) << name_of(config);
    expect_contains(message_of<DataError>([&] { read_context(folder / "state", *exact, bytes); }),
                    {"int8 weights", "float32 weights", "--weights int8"});
    TextContext other = start_context(*exact);
    add_tokens(*exact, other, std::vector<int32_t>{79, 110, 99, 101});
    write_context(folder / "state", other, 8, *exact, bytes);
    expect_contains(message_of<DataError>([&] { read_context(folder / "state", *model, bytes); }),
                    {"--weights float32"});
  }
}

TEST(Int8Weights, AreRefusedForAnLstm) {
  const auto model = random_model({.type = "lstm", .vocab_size = 40, .width = 16, .layers = 1});
  expect_contains(message_of<UsageError>([&] { model->use_int8_weights(); }), {"\"lstm\"", "float32"});
  EXPECT_EQ(model->weights(), Weights::float32);
}

} // namespace
} // namespace mneme::language
