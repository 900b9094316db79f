// SPDX-License-Identifier: MIT

/// Time and peak memory of training steps, and time of generated tokens, of language models, for
/// language_section.py. A process measures one of them, to determine its peak memory.
///
/// language_costs train MODEL VOCABULARY float32|bfloat16 THREADS STEPS
/// language_costs decode MODEL POSITION THREADS

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include "benchmarks/peak_memory.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/language/model.h"
#include "mneme/training/language_trainer.h"

namespace {

using mneme::language::Model;
using mneme::language::ModelConfig;

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t num_parameters(Model& model) {
  int64_t count = 0;
  for (const at::Tensor& parameter : model.module().parameters()) {
    count += parameter.numel();
  }
  return count;
}

/// Training steps of 8 rows of 512 tokens on random tokens. The first step is not counted.
int time_training(const std::string& type, int64_t vocabulary, mneme::ProductPrecision precision,
                  int64_t steps) {
  constexpr int64_t kTokens = 100'000, kLength = 512, kRows = 8;
  mneme::training::LanguageData data;
  data.token_bytes.assign(static_cast<size_t>(vocabulary), 1);
  mneme::Random random(1);
  for (int64_t i = 0; i < kTokens; ++i) {
    data.training.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary))));
  }
  mneme::training::LanguageTrainer trainer(mneme::language::make_model(ModelConfig{.type = type,
                                                                                   .vocab_size = vocabulary,
                                                                                   .width = 256,
                                                                                   .heads = 4,
                                                                                   .layers = 4,
                                                                                   .max_length = kLength}),
                                           data,
                                           {.steps = steps + 1,
                                            .length = kLength,
                                            .rows_per_step = kRows,
                                            .warmup_steps = 0,
                                            .precision = precision});
  const double first_loss = trainer.step().loss;
  double seconds = 1e300, loss = 0;
  for (int64_t i = 0; i < steps; ++i) {
    seconds = std::min(seconds, seconds_of([&] { loss = trainer.step().loss; }));
  }
  std::printf(R"({"seconds": %.9f, "memory": %.0f, "first_loss": %.6f, "loss": %.6f, "parameters": %lld})"
              "\n",
              seconds, mneme::peak_memory(), first_loss, loss,
              static_cast<long long>(trainer.num_parameters()));
  return 0;
}

/// Tokens of one text from `position` on, one by one. Weights take 92 MB, more than the caches of most CPUs.
int time_decoding(const std::string& type, int64_t position) {
  constexpr int64_t kVocabulary = 8192, kWidth = 512, kLayers = 6, kPart = 512, kTokens = 40;
  const std::unique_ptr<Model> model =
      mneme::language::make_model(ModelConfig{.type = type,
                                              .vocab_size = kVocabulary,
                                              .width = kWidth,
                                              .heads = 8,
                                              .layers = kLayers,
                                              .max_length = position + kTokens + 1,
                                              .positions = type == "leap" ? "none" : "learned"});
  model->module().eval();
  model->order_weights_for_steps();
  const std::unique_ptr<mneme::language::ModelState> state = model->start(1);
  torch::manual_seed(1);
  for (int64_t done = 0; done < position; done += kPart) {
    model->step(torch::randint(kVocabulary, {1, std::min(kPart, position - done)}, at::kLong), *state);
  }
  std::vector<double> seconds;
  at::Tensor token = torch::zeros({1, 1}, at::kLong);
  for (int64_t i = 0; i < kTokens; ++i) {
    seconds.push_back(seconds_of([&] { token = model->step(token, *state).select(1, -1).argmax(-1, true); }));
  }
  std::ranges::sort(seconds);
  // A token needs all weights but the table of positions (the table of words is that of the logits),
  // and the state.
  int64_t bytes = 4 * num_parameters(*model);
  if (type == "gpt2") {
    bytes -= 4 * kWidth * (position + kTokens + 1);
  }
  for (const auto& [name, tensor] : state->to_file().tensors) {
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  std::printf(R"({"seconds": %.9f, "median": %.9f, "bytes": %lld})"
              "\n",
              seconds.front(), seconds[seconds.size() / 2], static_cast<long long>(bytes));
  return 0;
}

} // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  const auto use_threads = [&](const char* text) {
    mneme::set_threads(std::atoi(text));
    at::set_num_threads(std::atoi(text));
  };
  const std::string precision = what == "train" && count == 7 ? words[4] : "";
  if (precision == "float32" || precision == "bfloat16") {
    use_threads(words[5]);
    return time_training(words[2], std::atoll(words[3]),
                         precision == "float32" ? mneme::ProductPrecision::float32
                                                : mneme::ProductPrecision::bfloat16,
                         std::atoll(words[6]));
  }
  if (what == "decode" && count == 5) {
    use_threads(words[4]);
    return time_decoding(words[2], std::atoll(words[3]));
  }
  std::fprintf(stderr, "language_costs train MODEL VOCABULARY float32|bfloat16 THREADS STEPS\n"
                       "language_costs decode MODEL POSITION THREADS\n");
  return 2;
}
