// SPDX-License-Identifier: MIT

#include "mneme/language/generate.h"

#include <functional>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "language/small_models.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/nn/tensor_file.h"
#include "mneme/tokens/train_bpe.h"

namespace mneme::language {
namespace {

using mneme::testing::TemporaryFolder;
using testing::random_model;
using testing::small_configs;

const tokens::Tokenizer kBytes = tokens::Tokenizer::bytes();

/// A model of bytes. Its logits are large, so that rounding does not change the tokens that are drawn.
std::unique_ptr<Model> byte_model(const std::string& type = "leap", const std::string& positions = "decay") {
  return random_model({.type = type,
                       .vocab_size = 256,
                       .width = 16,
                       .heads = 2,
                       .layers = 2,
                       .max_length = 64,
                       .positions = type == "leap" ? positions : "learned"});
}

TextContext context_of(Model& model, const std::string& text) {
  TextContext context = start_context(model);
  add_tokens(model, context, kBytes.encode(text));
  return context;
}

void make_most_probable(Model& model, int64_t id) {
  const at::NoGradGuard no_gradient;
  for (auto& parameter : model.module().named_parameters()) {
    if (parameter.key() == "last_norm.bias") {
      parameter.value().fill_(10);
    } else if (parameter.key() == "word_embedding.weight") {
      parameter.value()[id].fill_(10);
    }
  }
}

GenerateOptions options_of(int64_t tokens, uint64_t seed = 3) {
  return {.max_tokens = tokens, .sampler = {.temperature = 1, .min_p = 0}, .seed = seed};
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Generate, GreedyTokensAreTheMostProbableOnesOfTheWholeText) {
  for (const char* type : {"leap", "matrix-leap", "gpt2", "lstm", "fastformer"}) {
    const auto model = byte_model(type);
    TextContext context = context_of(*model, "Once");
    GenerateOptions options = options_of(20);
    options.sampler.temperature = 0;
    const Generated generated = generate(*model, kBytes, context, options);
    const at::NoGradGuard no_gradient;
    std::vector<int64_t> text = {'O', 'n', 'c', 'e'};
    for (const int32_t id : generated.ids) {
      const at::Tensor logits = model->logits(at::tensor(text, at::kLong).unsqueeze(0))[0][-1];
      EXPECT_EQ(logits.argmax().item<int64_t>(), id) << type << " at " << text.size();
      text.push_back(id);
    }
    EXPECT_EQ(generated.ids.size(), 20U);
    EXPECT_EQ(generated.reason, StopReason::max_tokens);
    EXPECT_EQ(context.size(), 24);
  }
}

TEST(Generate, TextDependsOnSeedAndSampleAlone) {
  const auto model = byte_model();
  const auto text_of = [&](uint64_t seed, uint64_t sample) {
    TextContext context = context_of(*model, "Once");
    GenerateOptions options = options_of(30, seed);
    options.sample = sample;
    return generate(*model, kBytes, context, options).ids;
  };
  const std::vector<int32_t> first = text_of(3, 0);
  EXPECT_EQ(text_of(3, 0), first);
  EXPECT_NE(text_of(4, 0), first);
  EXPECT_NE(text_of(3, 1), first);
  for (const int count : {2, 3}) {
    set_threads(count);
    at::set_num_threads(count);
    EXPECT_EQ(text_of(3, 0), first) << count << " threads";
  }
  set_threads(1);
  at::set_num_threads(1);
}

TEST(Generate, TextDoesNotDependOnTheDivisionOfThePromptOrEarlierTexts) {
  for (const char* type : {"leap", "matrix-leap", "gpt2", "lstm"}) {
    const auto model = byte_model(type);
    TextContext whole = context_of(*model, "Once there was a time");
    const std::vector<int32_t> expected = generate(*model, kBytes, whole, options_of(30)).ids;
    TextContext other = context_of(*model, "Another text");
    generate(*model, kBytes, other, options_of(10));
    TextContext divided = start_context(*model);
    for (const char* part : {"O", "nce there", " was a tim", "e"}) {
      add_tokens(*model, divided, kBytes.encode(part));
    }
    EXPECT_EQ(generate(*model, kBytes, divided, options_of(30)).ids, expected) << type;
  }
}

TEST(Generate, ASavedTextContinuesAsIfItHadNotBeenInterrupted) {
  for (const char* type : {"leap", "matrix-leap", "gpt2", "lstm", "fastformer"}) {
    const auto model = byte_model(type);
    TextContext whole = context_of(*model, "Once");
    GenerateOptions options = options_of(40);
    options.sampler.repeat_penalty = 1.2;
    options.sampler.repeat_last = 8;
    const std::vector<int32_t> expected = generate(*model, kBytes, whole, options).ids;
    TextContext begun = context_of(*model, "Once");
    options.max_tokens = 15;
    std::vector<int32_t> ids = generate(*model, kBytes, begun, options).ids;
    const TemporaryFolder folder;
    write_context(folder / "state", begun, 8, *model, kBytes);
    TextContext read = read_context(folder / "state", *model, kBytes);
    EXPECT_EQ(read.size(), 19);
    options.max_tokens = 25;
    const std::vector<int32_t> rest = generate(*model, kBytes, read, options).ids;
    ids.insert(ids.end(), rest.begin(), rest.end());
    EXPECT_EQ(ids, expected) << type;
    options.sampler.repeat_last = 0;
    EXPECT_NE(error_of([&] { generate(*model, kBytes, read, options); }).find("only the last"),
              std::string::npos);
  }
}

TEST(Generate, RefusesStatesOfOtherModels) {
  const auto model = byte_model(), other = random_model({.type = "leap",
                                                         .vocab_size = 256,
                                                         .width = 16,
                                                         .heads = 2,
                                                         .layers = 2,
                                                         .max_length = 64,
                                                         .seed = 2,
                                                         .positions = "decay"});
  const TemporaryFolder folder;
  const TextContext context = context_of(*model, "Once");
  write_context(folder / "state", context, 8, *model, kBytes);
  EXPECT_NE(error_of([&] { read_context(folder / "state", *other, kBytes); }).find("other parameters"),
            std::string::npos);
  write_model(folder / "model", *model);
  EXPECT_NE(error_of([&] {
              read_context(folder / "model" / "model.safetensors", *model, kBytes);
            }).find("not the state of a text"),
            std::string::npos);
}

TEST(Generate, RefusesDamagedStates) {
  for (const char* type : {"leap", "matrix-leap", "gpt2", "lstm", "fastformer"}) {
    const auto model = byte_model(type);
    const TemporaryFolder folder;
    const TextContext context = context_of(*model, "Once there was a time");
    write_context(folder / "state", context, 8, *model, kBytes);
    const nn::TensorFile written = nn::read_tensor_file(folder / "state");
    for (const auto& [name, tensor] : written.tensors) {
      if (tensor.numel() > 0) {
        nn::TensorFile damaged = written;
        damaged.tensors[name] = tensor.clone();
        at::Tensor& numbers = damaged.tensors[name];
        static_cast<unsigned char*>(numbers.mutable_data_ptr())[numbers.nbytes() - 1] ^= 1;
        nn::write_tensor_file(folder / "damaged", damaged);
        EXPECT_NE(error_of([&] {
                    read_context(folder / "damaged", *model, kBytes);
                  }).find("damaged: its contents have the checksum"),
                  std::string::npos)
            << type << " " << name;
      }
    }
    nn::TensorFile older = written;
    older.texts.erase("crc32c");
    nn::write_tensor_file(folder / "older", older);
    EXPECT_EQ(read_context(folder / "older", *model, kBytes).size(), context.size());
  }
}

TEST(Generate, PrintsThePartsOfTheText) {
  const auto model = byte_model();
  TextContext context = context_of(*model, "Once");
  std::string printed;
  const Generated generated =
      generate(*model, kBytes, context, options_of(60), [&](std::string_view part) { printed += part; });
  EXPECT_EQ(printed, generated.text);
  EXPECT_EQ(generated.text, kBytes.decode(generated.ids)); // any bytes, also incomplete characters
}

TEST(Generate, ATextContinuesAfterAStopStringAsIfItHadNotBeenInterrupted) {
  for (const char* type : {"leap", "matrix-leap", "gpt2", "lstm", "fastformer"}) {
    const auto model = byte_model(type);
    TextContext whole = context_of(*model, "Once");
    const Generated expected = generate(*model, kBytes, whole, options_of(40));
    TextContext stopped = context_of(*model, "Once");
    GenerateOptions options = options_of(40);
    options.stop_strings = {expected.text.substr(20, 3)};
    options.removes_stop_string = true;
    const Generated begun = generate(*model, kBytes, stopped, options);
    const auto printed = static_cast<int64_t>(begun.text.size());
    EXPECT_EQ(stopped.size(), 4 + printed);
    TextContext shorter = context_of(*model, "Once");
    generate(*model, kBytes, shorter, options_of(printed));
    EXPECT_EQ(stopped.recent, shorter.recent);
    const nn::TensorFile state = stopped.state->to_file(), direct = shorter.state->to_file();
    for (const auto& [name, tensor] : direct.tensors) {
      EXPECT_TRUE(state.tensors.at(name).equal(tensor)) << type << " " << name;
    }
    const Generated rest = generate(*model, kBytes, stopped, options_of(40 - printed));
    EXPECT_EQ(begun.text + rest.text, expected.text) << type;
  }
}

TEST(Generate, TheStateEndsWithinATokenWhereTheTextDoes) {
  Progress silent;
  const std::vector<std::string_view> texts = {"abab"};
  const tokens::Tokenizer pairs =
      tokens::train_bpe(texts, {.vocab_size = 257, .special_tokens = {}}, silent); // token 256: "ab"
  const auto model = random_model(
      {.type = "lstm", .vocab_size = 257, .width = 8, .heads = 1, .layers = 1, .max_length = 64});
  make_most_probable(*model, 256);
  TextContext context = start_context(*model);
  add_tokens(*model, context, pairs.encode("x"));
  GenerateOptions options = options_of(20);
  options.stop_strings = {"ba"};
  options.removes_stop_string = true;
  EXPECT_EQ(generate(*model, pairs, context, options).text, "a");
  EXPECT_EQ(context.recent, pairs.encode("xa"));
  EXPECT_EQ(context.size(), 2);
}

TEST(Generate, EndsAtAStopStringWithoutIt) {
  const auto model = byte_model();
  TextContext first = context_of(*model, "Once");
  const std::string text = generate(*model, kBytes, first, options_of(40)).text;
  const std::string stop = text.substr(20, 3);
  TextContext second = context_of(*model, "Once");
  GenerateOptions options = options_of(40);
  options.stop_strings = {stop};
  const Generated generated = generate(*model, kBytes, second, options);
  EXPECT_EQ(generated.text, text.substr(0, text.find(stop)));
  EXPECT_EQ(generated.reason, StopReason::stop_string);
  EXPECT_EQ(generated.ids.size(), text.find(stop) + 3);
}

TEST(Generate, EndsWhereThePositionsEnd) {
  const auto model = byte_model("gpt2");
  TextContext context = context_of(*model, "Once");
  const Generated generated = generate(*model, kBytes, context, options_of(1000));
  EXPECT_EQ(generated.reason, StopReason::max_length);
  EXPECT_EQ(context.size(), 65) << "the last token has no position of its own";
  TextContext full = context_of(*model, std::string(64, 'x'));
  EXPECT_EQ(generate(*model, kBytes, full, options_of(1000)).ids.size(), 1U);
  EXPECT_EQ(generate(*model, kBytes, full, options_of(1000)).ids.size(), 0U);
  const std::string message = error_of([&] { context_of(*model, std::string(65, 'x')); });
  EXPECT_NE(message.find("65 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("64 learned positions"), std::string::npos) << message;
}

TEST(Generate, NamesErrors) {
  const auto model = byte_model();
  TextContext empty = start_context(*model);
  EXPECT_NE(error_of([&] { generate(*model, kBytes, empty, options_of(1)); }).find("empty"),
            std::string::npos);
  const auto small = random_model(small_configs(100)[0]);
  TextContext context = start_context(*small);
  const std::vector<int32_t> ids = {1};
  add_tokens(*small, context, ids);
  const std::string message = error_of([&] { generate(*small, kBytes, context, options_of(1)); });
  EXPECT_NE(message.find("256 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("vocabulary of 100"), std::string::npos) << message;
  EXPECT_NE(error_of([&] { tokenizer_of("nowhere", small->vocab_size()); }).find("vocabulary of 100"),
            std::string::npos);
  EXPECT_EQ(tokenizer_of("nowhere", model->vocab_size()).vocab_size(), 256);
}

TEST(Generate, NeverDrawsWordsWithoutAToken) {
  const auto model = random_model(
      {.type = "lstm", .vocab_size = 257, .width = 8, .heads = 1, .layers = 1, .max_length = 64});
  make_most_probable(*model, 256);
  TextContext context = context_of(*model, "x");
  for (const int32_t id : generate(*model, kBytes, context, options_of(20)).ids) {
    EXPECT_LT(id, 256);
  }
}

} // namespace
} // namespace mneme::language
