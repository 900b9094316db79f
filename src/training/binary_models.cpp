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

constexpr double kAttentionStd = 0.001, kHiddenStd = 0.02; // of initial parameters, as published
constexpr double kMinLogarithm = -100;                     // as in PyTorch's BCELoss
constexpr int64_t kSizeMax = 1'000'000;                    // a model of this size does not fit in memory

void check_size(const char* what, int64_t size) {
  if (size < 1 || size > kSizeMax) {
    throw UsageError(
        fmt::format("mneme::training: the {} is {}, but must be in 1 .. {}.", what, size, kSizeMax));
  }
}

void check(const BinaryModel& model) {
  check_size("context length", model.context_length());
  if (model.kind == BinaryModel::Kind::self_attention) {
    check_size("embedding size", model.self_attention.embedding_size);
    return;
  }
  check_size("hidden size", model.mlp.hidden_size);
  if (const double dropout = model.mlp.dropout; !(dropout >= 0 && dropout < 1)) {
    throw UsageError(
        fmt::format("mneme::training: dropout is {}, but must be in [0, 1).\n  It is the probability that "
                    "a hidden unit is dropped in a step.",
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
    throw UsageError(fmt::format("mneme::training: a sample has {} bits, but the model expects {}.",
                                 inputs.bits(), model.context_length()));
  }
  if (inputs.empty()) {
    throw UsageError("mneme::training: 0 samples were given, but at least 1 is required.");
  }
}

void check(const BinaryModel& model, const std::vector<double>& parameters,
           const data::LabelledBits& samples) {
  check(model, parameters, samples.inputs);
  if (static_cast<int64_t>(samples.labels.size()) != samples.inputs.count()) {
    throw UsageError(
        fmt::format("mneme::training: there are {} labels for {} samples; each sample needs one.",
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
  if (schedule.record_every < 1) {
    refuse("record_every", static_cast<double>(schedule.record_every), "at least 1");
  }
}

std::unique_ptr<ModelStep> step_of(const BinaryModel& model, const BitPatterns& inputs, Random* dropout) {
  return model.kind == BinaryModel::Kind::self_attention ? self_attention_step(model.self_attention, inputs)
                                                         : mlp_step(model.mlp, inputs, dropout);
}

/// log(1 / (1 + exp(-x))) without overflow.
double log_sigmoid(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}
double sigmoid(double x) {
  return std::exp(log_sigmoid(x));
}

Score score_of(const std::vector<double>& logits, const std::vector<uint8_t>& labels) {
  Score score;
  const double count = static_cast<double>(logits.size());
  double correct = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const bool label = labels[i] != 0;
    score.loss -= std::max(log_sigmoid(label ? logits[i] : -logits[i]), kMinLogarithm) / count;
    correct += (logits[i] > 0) == label ? 1 : 0;
  }
  score.accuracy = correct / count;
  return score;
}

} // namespace

int64_t BinaryModel::context_length() const {
  return kind == Kind::self_attention ? self_attention.context_length : mlp.context_length;
}

int64_t BinaryModel::num_parameters() const {
  if (kind == Kind::self_attention) {
    const int64_t d = self_attention.embedding_size, length = self_attention.context_length;
    return length * d + 2 * d + 2 * d * d + d + length;
  }
  const int64_t length = mlp.context_length;
  const int64_t inputs = length + (mlp.products_with_rule ? length - 1 : 0);
  return (inputs + 2) * mlp.hidden_size + 1;
}

BinaryModel self_attention_model(int64_t context_length, int64_t embedding_size) {
  return {.kind = BinaryModel::Kind::self_attention,
          .self_attention = {.context_length = context_length, .embedding_size = embedding_size}};
}

BinaryModel mlp_model(int64_t context_length, int64_t hidden_size, double dropout, bool products_with_rule) {
  return {.kind = BinaryModel::Kind::mlp,
          .mlp = {.context_length = context_length,
                  .hidden_size = hidden_size,
                  .dropout = dropout,
                  .products_with_rule = products_with_rule}};
}

std::vector<double> initial_parameters(const BinaryModel& model, Random random) {
  check(model);
  std::vector<double> parameters(static_cast<size_t>(model.num_parameters()));
  if (model.kind == BinaryModel::Kind::self_attention) {
    std::ranges::generate(parameters, [&] { return kAttentionStd * random.normal(); });
    return parameters;
  }
  const int64_t hidden = model.mlp.hidden_size;
  const auto end_of_weights = parameters.end() - 2 * hidden - 1;
  std::generate(parameters.begin(), end_of_weights, [&] { return kHiddenStd * random.normal(); });
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
  std::vector<double> logits(samples.labels.size()), logit_gradient(logits.size()),
      gradient(parameters.size());
  Fit result;
  int64_t last_recorded = 0;
  for (int64_t epoch = 1; epoch <= schedule.epochs; ++epoch) {
    throw_if_interrupted();
    step->forward(parameters, logits);
    if (epoch == 1 || epoch == schedule.epochs || epoch % schedule.record_every == 0) {
      const Score score = score_of(logits, samples.labels);
      if (!std::isfinite(score.loss)) {
        throw UsageError(
            fmt::format("mneme::training::fit: the loss is not finite in epoch {}.\n  The learning rate of "
                        "{} is too high.",
                        epoch, schedule.learning_rate));
      }
      result.curve.push_back({epoch, score.loss, score.accuracy});
      progress.advance(epoch - last_recorded);
      last_recorded = epoch;
    }
    for (size_t i = 0; i < logits.size(); ++i) {
      logit_gradient[i] = (sigmoid(logits[i]) - samples.labels[i]) / static_cast<double>(logits.size());
    }
    step->backward(parameters, logit_gradient, gradient);
    adam.step(parameters, gradient);
  }
  result.parameters = std::move(parameters);
  return result;
}

Score evaluate(const BinaryModel& model, const std::vector<double>& parameters,
               const data::LabelledBits& samples) {
  check(model, parameters, samples);
  std::vector<double> logits(samples.labels.size());
  step_of(model, samples.inputs, nullptr)->forward(parameters, logits);
  return score_of(logits, samples.labels);
}

AttentionIntermediates attend(const SelfAttentionModel& model, const std::vector<double>& parameters,
                              const BitPatterns& inputs) {
  check({.self_attention = model}, parameters, inputs);
  const int64_t length = model.context_length, states = 2 * length;
  SelfAttentionStates per_state;
  per_state.compute(model, parameters);
  const SelfAttentionParameters<const double> params(parameters, length, model.embedding_size);
  AttentionIntermediates result;
  std::vector<double> weights(static_cast<size_t>(length));
  for (int64_t sample = 0; sample < inputs.count(); ++sample) {
    const auto state_at = [&](int64_t position) {
      return (inputs.get(sample, position) ? length : 0) + position;
    };
    for (int64_t position = 0; position < length; ++position) {
      result.values.push_back(per_state.value[static_cast<size_t>(state_at(position))]);
    }
    double output = 0;
    for (int64_t query = 0; query < length; ++query) {
      const double* logits = per_state.logits.data() + state_at(query) * states;
      double row_max = logits[state_at(0)];
      for (int64_t position = 0; position < length; ++position) {
        result.logits.push_back(logits[state_at(position)]);
        row_max = std::max(row_max, logits[state_at(position)]);
      }
      double row_sum = 0, attention = 0;
      for (int64_t position = 0; position < length; ++position) {
        double& weight = weights[static_cast<size_t>(position)];
        weight = std::exp(logits[state_at(position)] - row_max);
        row_sum += weight;
      }
      for (int64_t position = 0; position < length; ++position) {
        result.scores.push_back(weights[static_cast<size_t>(position)] / row_sum);
        attention += result.scores.back() * result.values[static_cast<size_t>(sample * length + position)];
      }
      result.attention.push_back(attention);
      output += params.readout[static_cast<size_t>(query)] * attention;
    }
    result.output.push_back(sigmoid(output));
  }
  return result;
}

} // namespace mneme::training
