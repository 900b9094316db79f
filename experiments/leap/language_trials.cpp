// SPDX-License-Identifier: MIT

#include "experiments/leap/language_trials.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <torch/torch.h>

#include "experiments/leap/mixing.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/text.h"
#include "mneme/language/model.h"
#include "mneme/nn/fastformer_lm.h"
#include "mneme/nn/gpt2.h"
#include "mneme/nn/leap_lm.h"
#include "mneme/nn/lstm_lm.h"
#include "mneme/ops/linear.h"
#include "mneme/ops/linear_cross_entropy.h"
#include "mneme/training/language_trainer.h"
#include "mneme/training/one_thread.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kVocabSize = 256; // one token per byte

/// A model that is only trained and validated: the parts of the interface for generation and files are
/// errors.
class TrainedOnly : public language::Model {
public:
  std::string type() const override { return "trial"; }
  int64_t vocab_size() const override { return kVocabSize; }
  std::optional<int64_t> max_length() const override { return std::nullopt; }
  bool is_recurrent() const override { return false; }
  language::Weights weights() const override { return language::Weights::float32; }
  void use_int8_weights() override { refuse(); }
  void order_weights_for_steps() override { refuse(); }
  language::LossSum loss(const at::Tensor& ids, const at::Tensor& targets) override {
    const ops::CrossEntropySum loss =
        ops::linear_cross_entropy(head_input(ids).flatten(0, 1), words(), bias(), targets.flatten());
    return {loss.sum, loss.count};
  }
  at::Tensor logits(const at::Tensor& ids) override { return ops::linear(head_input(ids), words(), bias()); }
  std::unique_ptr<language::ModelState> start(int64_t) const override { refuse(); }
  at::Tensor step(const at::Tensor&, language::ModelState&) override { refuse(); }
  std::unique_ptr<language::ModelState> state_from(const nn::TensorFile&, const std::string&) const override {
    refuse();
  }
  std::string config_json() const override { return "{}"; }
  nn::NamedTensors published_state() override { refuse(); }

protected:
  virtual at::Tensor head_input(const at::Tensor& ids) = 0;
  virtual at::Tensor words() = 0;
  virtual at::Tensor bias() { return {}; }

private:
  [[noreturn]] static void refuse() {
    throw UsageError(
        "models of an experiment are only trained and measured.\n  Train a model with `mneme train "
        "lm` to generate text.");
  }
};

at::Tensor words_of(nn::LeapForCausalLM& net) {
  return net->word_embedding->weight;
}
at::Tensor words_of(nn::LstmForCausalLM& net) {
  return net->word_embedding->weight;
}
at::Tensor words_of(nn::FastformerForCausalLM& net) {
  return net->word_embedding->weight;
}
at::Tensor words_of(nn::Gpt2ForCausalLM& net) {
  return net->head_weight();
}

/// A model of mneme::nn.
template <class Net> class NetModel : public TrainedOnly {
public:
  explicit NetModel(Net net) : net_(std::move(net)) {}
  torch::nn::Module& module() override { return *net_; }

protected:
  at::Tensor head_input(const at::Tensor& ids) override { return net_->head_input(ids); }
  at::Tensor words() override { return words_of(net_); }
  at::Tensor bias() override {
    if constexpr (std::is_same_v<Net, nn::FastformerForCausalLM>) {
      return net_->proj_logits->bias;
    }
    return {};
  }

private:
  Net net_;
};

class MixingModel : public TrainedOnly {
public:
  explicit MixingModel(std::shared_ptr<MixingLm> net) : net_(std::move(net)) {}
  torch::nn::Module& module() override { return *net_; }
  MixingLm& net() { return *net_; }

protected:
  at::Tensor head_input(const at::Tensor& ids) override { return net_->head_input(ids); }
  at::Tensor words() override { return net_->words; }

private:
  std::shared_ptr<MixingLm> net_;
};

/// Published windows of LEAP: all, 4, 8, 16 tokens, repeated.
std::vector<int64_t> published_windows(int64_t layers) {
  return nn::LeapConfig().num_layers(layers).layer_windows();
}

std::shared_ptr<language::Model> make(const TrialModel& model, int64_t length, uint64_t seed) {
  if (model.as_trained_by_program) {
    return language::make_model({.type = model.type,
                                 .vocab_size = kVocabSize,
                                 .width = model.width,
                                 .heads = model.heads,
                                 .layers = model.layers,
                                 .max_length = length,
                                 .seed = seed});
  }
  const double deviation = model.initial_std.value_or(1 / std::sqrt(static_cast<double>(model.width)));
  const bool has_windows = model.type == "leap" || model.type == "fastformer" || model.type == "mixing";
  if (!model.windows.empty() && (!has_windows || std::ssize(model.windows) != model.layers)) {
    throw UsageError(
        fmt::format("a model of the type \"{}\" with {} layers has {} windows.\n  Give one window "
                    "per layer, to models with windows.",
                    model.type, model.layers, model.windows.size()));
  }
  if (model.type == "mixing") {
    return std::make_unique<MixingModel>(std::make_shared<MixingLm>(
        model.mixing,
        MixingOptions{.width = model.width,
                      .heads = model.heads,
                      .rescale = model.rescale.value_or(10),
                      .initial_std = deviation},
        model.windows.empty() ? published_windows(model.layers) : model.windows, kVocabSize, length, seed));
  }
  if (model.type == "leap") {
    nn::LeapConfig config;
    config.vocab_size(kVocabSize)
        .hidden_size(model.width)
        .num_heads(model.heads)
        .num_layers(model.layers)
        .max_positions(length)
        .dropout(0)
        .initial_std(deviation)
        .weight(ops::FocusWeight::exponential)
        .rescale(model.rescale)
        .gate(model.gated ? ops::LeapGate::sigmoid : ops::LeapGate::open)
        .seed(seed);
    if (!model.windows.empty()) {
      config.windows(model.windows);
    }
    return std::make_unique<NetModel<nn::LeapForCausalLM>>(nn::LeapForCausalLM(config));
  }
  if (model.type == "gpt2") {
    return std::make_unique<NetModel<nn::Gpt2ForCausalLM>>(nn::Gpt2ForCausalLM(nn::Gpt2Config()
                                                                                   .vocab_size(kVocabSize)
                                                                                   .hidden_size(model.width)
                                                                                   .num_heads(model.heads)
                                                                                   .num_layers(model.layers)
                                                                                   .max_positions(length)
                                                                                   .embedding_dropout(0)
                                                                                   .attention_dropout(0)
                                                                                   .residual_dropout(0)
                                                                                   .initial_std(deviation)
                                                                                   .seed(seed)));
  }
  if (model.type == "lstm") {
    nn::LstmForCausalLM net(nn::LstmConfig(kVocabSize, model.width, model.layers).dropout(0).seed(seed));
    const at::NoGradGuard no_gradient;
    net->word_embedding->weight.mul_(deviation); // its published deviation of 1 makes initial losses huge
    return std::make_unique<NetModel<nn::LstmForCausalLM>>(std::move(net));
  }
  if (model.type == "fastformer") {
    nn::FastformerConfig config;
    config.vocab_size(kVocabSize)
        .hidden_size(model.width)
        .num_heads(model.heads)
        .num_layers(model.layers)
        .max_positions(length)
        .rescale(model.rescale.value_or(15))
        .dropout(0)
        .initial_std(deviation)
        .seed(seed);
    if (!model.windows.empty()) {
      config.windows(model.windows);
    }
    return std::make_unique<NetModel<nn::FastformerForCausalLM>>(nn::FastformerForCausalLM(config));
  }
  throw UsageError(
      fmt::format("there is no model of the type \"{}\".\n  Choose \"leap\", \"gpt2\", \"lstm\", "
                  "\"fastformer\" or \"mixing\".",
                  model.type));
}

int64_t count_parameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& item : module.named_parameters()) {
    const std::string& name = item.key();
    const bool is_embedding =
        name.find("embedding") != std::string::npos || name.find("wte") != std::string::npos ||
        name.find("wpe") != std::string::npos || name.find("proj_logits") != std::string::npos;
    count += is_embedding ? 0 : item.value().numel();
  }
  return count;
}

int64_t count_parameters_of(const TrialModel& model) {
  return count_parameters(make(model, 1, 1)->module());
}

/// 1, 2, 5, 10, 20, 50 ... and the last step.
bool is_recorded(int64_t step, int64_t last) {
  int64_t power = 1;
  while (10 * power <= step) {
    power *= 10;
  }
  return step == last || step == power || step == 2 * power || step == 5 * power;
}

LogitsAtStep measure_logits(MixingLm& net, const at::Tensor& ids, int64_t step) {
  const at::NoGradGuard no_gradient;
  LogitsAtStep at{.step = step};
  net.head_input(ids, [&](const at::Tensor& logits) {
    const at::Tensor wide = logits.to(at::kDouble);
    at.max = wide.abs().max().item<double>();
    at.deviation = wide.std().item<double>();
  });
  return at;
}

/// The first rows of the validation text, on which logits are measured.
at::Tensor validation_rows(const training::LanguageData& data, int64_t length) {
  constexpr int64_t kTokens = 4096;
  const int64_t rows = std::min(kTokens, static_cast<int64_t>(data.validation.size())) / length;
  if (rows < 1) {
    throw UsageError(fmt::format("the validation text has {} tokens, but rows of {} are measured.\n  Give a "
                                 "longer text with --text.",
                                 data.validation.size(), length));
  }
  const std::vector<int64_t> ids(data.validation.begin(), data.validation.begin() + rows * length);
  return at::tensor(ids, at::kLong).view({rows, length});
}

/// Lines of a text that follows a line feed.
std::vector<std::string> sample_lines(training::LanguageTrainer& trainer, int64_t count) {
  constexpr double kTemperature = 0.8;
  std::vector<std::string> lines(1);
  for (const int32_t id : trainer.sample({'\n'}, count, kTemperature)) {
    if (id == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += static_cast<char>(id);
    }
  }
  std::ranges::transform(lines, lines.begin(), printable);
  return lines;
}

TrialResult train(const training::LanguageData& data, const LanguageTrial& trial, Progress& progress) {
  std::shared_ptr<language::Model> model = make(trial.model, trial.schedule.length, trial.schedule.seed);
  auto* mixing = dynamic_cast<MixingModel*>(model.get());
  TrialResult result{.parameters = count_parameters(model->module())};
  training::LanguageTrainer trainer(std::move(model), data, trial.schedule);
  at::Tensor rows;
  const auto record = [&] {
    if (rows.defined()) {
      result.logits.push_back(measure_logits(mixing->net(), rows, trainer.steps_done()));
      result.logits.back().loss = trainer.validate().loss;
    }
  };
  if (trial.records_logits) {
    if (mixing == nullptr) {
      throw UsageError("logits are recorded of the type \"mixing\" alone.\n  Leave out records_logits.");
    }
    rows = validation_rows(data, trial.schedule.length);
  }
  record();
  const int64_t steps = trial.schedule.steps, tenth = std::max<int64_t>(1, steps / 10);
  double sum = 0;
  constexpr int64_t kSkippedMax = 9; // one less than the trainer accepts in a row
  int64_t skipped_in_a_row = 0;
  while (!trainer.finished() && !result.diverged) {
    const training::LanguageStep step = trainer.step();
    skipped_in_a_row = step.skipped ? skipped_in_a_row + 1 : 0;
    result.diverged = skipped_in_a_row >= kSkippedMax;
    sum += step.step >= steps - tenth ? step.loss : 0;
    if (is_recorded(trainer.steps_done(), steps)) {
      record();
    }
    if (trial.records_losses && trainer.steps_done() % tenth == 0) {
      result.losses.push_back({trainer.steps_done(), trainer.validate().loss});
    }
    progress.advance();
  }
  progress.skip(steps - trainer.steps_done());
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  result.training_loss = result.diverged ? kNaN : sum / static_cast<double>(tenth);
  result.loss = result.diverged ? kNaN : trainer.validate().loss;
  result.diverged = result.diverged || !std::isfinite(result.loss);
  if (trial.sample_tokens > 0 && !result.diverged) {
    result.sample = sample_lines(trainer, trial.sample_tokens);
  }
  return result;
}

/// A result as JSON, and the inverse. Losses of a diverged trial are NaN, which JSON has as null.
nlohmann::json to_json(const TrialResult& result) {
  nlohmann::json json = {{"parameters", result.parameters},
                         {"loss", result.loss},
                         {"training_loss", result.training_loss},
                         {"diverged", result.diverged},
                         {"logits", nlohmann::json::array()},
                         {"losses", nlohmann::json::array()},
                         {"sample", result.sample}};
  for (const LogitsAtStep& at : result.logits) {
    json["logits"].push_back({at.step, at.max, at.deviation, at.loss});
  }
  for (const LossAtStep& at : result.losses) {
    json["losses"].push_back({at.step, at.loss});
  }
  return json;
}

TrialResult from_json(const nlohmann::json& json) {
  const auto number = [](const nlohmann::json& value) {
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  };
  TrialResult result{.parameters = json.at("parameters"),
                     .loss = number(json.at("loss")),
                     .training_loss = number(json.at("training_loss")),
                     .diverged = json.at("diverged"),
                     .sample = json.at("sample")};
  for (const nlohmann::json& at : json.at("logits")) {
    result.logits.push_back({at.at(0), number(at.at(1)), number(at.at(2)), number(at.at(3))});
  }
  for (const nlohmann::json& at : json.at("losses")) {
    result.losses.push_back({at.at(0), number(at.at(1))});
  }
  return result;
}

std::vector<TrialResult> train_all(const training::LanguageData& data, std::span<const LanguageTrial> trials,
                                   const Parts& parts, Progress& progress) {
  std::vector<TrialResult> results(trials.size());
  int64_t steps = 0;
  for (const LanguageTrial& trial : trials) {
    steps += trial.schedule.steps;
  }
  progress.start(fmt::format("training steps of {} models", trials.size()), steps);
  parallel_for(std::ssize(trials), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto index = static_cast<size_t>(i);
      const std::string name = fmt::format("model-{}", i + 1);
      if (std::optional<TrialResult> kept = parts.find(name, from_json)) {
        results[index] = *std::move(kept);
        progress.skip(trials[index].schedule.steps);
        continue;
      }
      const training::OneThread one_thread;
      results[index] = train(data, trials[index], progress);
      parts.keep(name, to_json(results[index]));
    }
  });
  progress.finish();
  return results;
}

[[maybe_unused]] const bool implemented =
    train_trials.implement(train_all) && parameters_of.implement(count_parameters_of);

} // namespace
} // namespace mneme::experiments
