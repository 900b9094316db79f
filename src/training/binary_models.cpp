// SPDX-License-Identifier: MIT

#include "mneme/training/binary_models.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "training/adam.h"
#include "training/model_step.h"
#include "training/self_attention_states.h"

namespace mneme::training {
namespace {

constexpr double kAttentionDeviation = 0.001, kHiddenDeviation = 0.02; // of first weights, as published
constexpr double kLeastLogarithm = -100;                               // as PyTorch's BCELoss
constexpr int64_t kSizeMax = 1'000'000;                                // far beyond what fits into memory

void check_size(const char* what, int64_t size) {
  if (size < 1 || size > kSizeMax) {
    throw UsageError(
        fmt::format("mneme::training: the {} is {}, but must lie in 1 .. {}.", what, size, kSizeMax));
  }
}

void check(const BinaryModel& model) {
  check_size("context length", model.context_length());
  if (model.kind == BinaryModel::Kind::self_attention) {
    check_size("embedding size", model.self_attention.embedding_size);
    return;
  }
  check_size("hidden size", model.perceptron.hidden_size);
  if (const double dropout = model.perceptron.dropout; !(dropout >= 0 && dropout < 1)) {
    throw UsageError(
        fmt::format("mneme::training: dropout is {}, but must lie in 0 .. 1, without 1.\n  It is the "
                    "share of hidden units silenced in a step; 0 silences none.",
                    dropout));
  }
}

void check(const BinaryModel& model, const std::vector<double>& parameters, const BitPatterns& inputs) {
  check(model);
  if (static_cast<int64_t>(parameters.size()) != model.num_parameters()) {
    throw UsageError(fmt::format("mneme::training: {} parameters were given, but the model has {}.",
                                 parameters.size(), model.num_parameters()));
  }
  if (inputs.bits() != model.context_length()) {
    throw UsageError(fmt::format("mneme::training: a sample has {} bits, but the model takes {}.",
                                 inputs.bits(), model.context_length()));
  }
  if (inputs.empty()) {
    throw UsageError("mneme::training: 0 samples were given, at least 1 is needed.");
  }
}

void check(const BinaryModel& model, const std::vector<double>& parameters,
           const data::LabelledBits& samples) {
  check(model, parameters, samples.inputs);
  if (static_cast<int64_t>(samples.labels.size()) != samples.inputs.count()) {
    throw UsageError(fmt::format("mneme::training: there are {} labels, but {} samples: each needs one.",
                                 samples.labels.size(), samples.inputs.count()));
  }
}

void check(const Schedule& schedule) {
  const auto refuse = [](const char* what, double value, const char* range) {
    throw UsageError(fmt::format("mneme::training: {} is {}, but must be {}.", what, value, range));
  };
  if (schedule.epochs < 1) {
    refuse("the number of epochs", static_cast<double>(schedule.epochs), "at least 1");
  }
  if (!(schedule.learning_rate > 0 && std::isfinite(schedule.learning_rate))) {
    refuse("the learning rate", schedule.learning_rate, "finite and > 0");
  }
  if (!(schedule.weight_decay >= 0 && schedule.weight_decay * schedule.learning_rate <= 1)) {
    refuse("weight decay", schedule.weight_decay, "at least 0 and at most 1 / learning rate");
  }
  if (schedule.noted_every < 1) {
    refuse("noted_every", static_cast<double>(schedule.noted_every), "at least 1");
  }
}

std::unique_ptr<ModelStep> step_of(const BinaryModel& model, const BitPatterns& inputs, Random* dropout) {
  return model.kind == BinaryModel::Kind::self_attention ? self_attention_step(model.self_attention, inputs)
                                                         : perceptron_step(model.perceptron, inputs, dropout);
}

/// log(1 / (1 + exp(-x))) without overflow.
double log_sigmoid(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}
double sigmoid(double x) {
  return std::exp(log_sigmoid(x));
}

Score score_of(const std::vector<double>& outputs, const std::vector<uint8_t>& labels) {
  Score score;
  const double count = static_cast<double>(outputs.size());
  double right = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const bool label = labels[i] != 0;
    score.loss -= std::max(log_sigmoid(label ? outputs[i] : -outputs[i]), kLeastLogarithm) / count;
    right += (outputs[i] > 0) == label ? 1 : 0;
  }
  score.accuracy = right / count;
  return score;
}

} // namespace

int64_t BinaryModel::context_length() const {
  return kind == Kind::self_attention ? self_attention.context_length : perceptron.context_length;
}

int64_t BinaryModel::num_parameters() const {
  if (kind == Kind::self_attention) {
    const int64_t d = self_attention.embedding_size, length = self_attention.context_length;
    return length * d + 2 * d + 2 * d * d + d + length;
  }
  const int64_t length = perceptron.context_length;
  const int64_t inputs = length + (perceptron.products_with_rule ? length - 1 : 0);
  return (inputs + 2) * perceptron.hidden_size + 1;
}

BinaryModel self_attention_model(int64_t context_length, int64_t embedding_size) {
  return {.kind = BinaryModel::Kind::self_attention,
          .self_attention = {.context_length = context_length, .embedding_size = embedding_size}};
}

BinaryModel perceptron_model(int64_t context_length, int64_t hidden_size, double dropout,
                             bool products_with_rule) {
  return {.kind = BinaryModel::Kind::perceptron,
          .perceptron = {.context_length = context_length,
                         .hidden_size = hidden_size,
                         .dropout = dropout,
                         .products_with_rule = products_with_rule}};
}

std::vector<double> initial_parameters(const BinaryModel& model, Random random) {
  check(model);
  std::vector<double> parameters(static_cast<size_t>(model.num_parameters()));
  if (model.kind == BinaryModel::Kind::self_attention) {
    std::ranges::generate(parameters, [&] { return kAttentionDeviation * random.normal(); });
    return parameters;
  }
  const int64_t hidden = model.perceptron.hidden_size;
  const auto end_of_weights = parameters.end() - 2 * hidden - 1;
  std::generate(parameters.begin(), end_of_weights, [&] { return kHiddenDeviation * random.normal(); });
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  std::generate(end_of_weights + hidden, parameters.end(),
                [&] { return bound * (2 * random.uniform() - 1); });
  return parameters;
}

Fit fit(const BinaryModel& model, std::vector<double> parameters, const data::LabelledBits& samples,
        const Schedule& schedule, Random dropout, Progress& progress) {
  check(model, parameters, samples);
  check(schedule);
  const std::unique_ptr<ModelStep> step = step_of(model, samples.inputs, &dropout);
  Adam adam(parameters.size(), schedule.learning_rate, schedule.weight_decay);
  std::vector<double> outputs(samples.labels.size()), slopes(outputs.size()), gradient(parameters.size());
  Fit result;
  int64_t told = 0;
  for (int64_t epoch = 1; epoch <= schedule.epochs; ++epoch) {
    throw_if_interrupted();
    step->forward(parameters, outputs);
    if (epoch == 1 || epoch == schedule.epochs || epoch % schedule.noted_every == 0) {
      const Score score = score_of(outputs, samples.labels);
      if (!std::isfinite(score.loss)) {
        throw UsageError(
            fmt::format("mneme::training::fit: the loss is no longer a number in epoch {}.\n  The "
                        "learning rate of {} is too high.",
                        epoch, schedule.learning_rate));
      }
      result.curve.push_back({epoch, score.loss, score.accuracy});
      progress.advance(epoch - told);
      told = epoch;
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      slopes[i] = (sigmoid(outputs[i]) - samples.labels[i]) / static_cast<double>(outputs.size());
    }
    step->backward(parameters, slopes, gradient);
    adam.step(parameters, gradient);
  }
  result.parameters = std::move(parameters);
  return result;
}

Score evaluate(const BinaryModel& model, const std::vector<double>& parameters,
               const data::LabelledBits& samples) {
  check(model, parameters, samples);
  std::vector<double> outputs(samples.labels.size());
  step_of(model, samples.inputs, nullptr)->forward(parameters, outputs);
  return score_of(outputs, samples.labels);
}

AttentionReadout attend(const SelfAttentionModel& model, const std::vector<double>& parameters,
                        const BitPatterns& inputs) {
  check({.self_attention = model}, parameters, inputs);
  const int64_t length = model.context_length, states = 2 * length;
  SelfAttentionStates of_states;
  of_states.compute(model, parameters);
  const SelfAttentionParts<const double> parts(parameters, length, model.embedding_size);
  AttentionReadout readout;
  std::vector<double> weights(static_cast<size_t>(length));
  for (int64_t sample = 0; sample < inputs.count(); ++sample) {
    const auto state_at = [&](int64_t place) { return (inputs.get(sample, place) ? length : 0) + place; };
    for (int64_t place = 0; place < length; ++place) {
      readout.values.push_back(of_states.value[static_cast<size_t>(state_at(place))]);
    }
    double output = 0;
    for (int64_t asking = 0; asking < length; ++asking) {
      const double* logits = of_states.logits.data() + state_at(asking) * states;
      double largest = logits[state_at(0)];
      for (int64_t place = 0; place < length; ++place) {
        readout.logits.push_back(logits[state_at(place)]);
        largest = std::max(largest, logits[state_at(place)]);
      }
      double sum = 0, attention = 0;
      for (int64_t place = 0; place < length; ++place) {
        double& weight = weights[static_cast<size_t>(place)];
        weight = std::exp(logits[state_at(place)] - largest);
        sum += weight;
      }
      for (int64_t place = 0; place < length; ++place) {
        readout.scores.push_back(weights[static_cast<size_t>(place)] / sum);
        attention += readout.scores.back() * readout.values[static_cast<size_t>(sample * length + place)];
      }
      readout.attention.push_back(attention);
      output += parts.readout[static_cast<size_t>(asking)] * attention;
    }
    readout.output.push_back(sigmoid(output));
  }
  return readout;
}

} // namespace mneme::training
