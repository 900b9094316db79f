// SPDX-License-Identifier: MIT

#include "mneme/nn/state_dict.h"
#include "mneme/training/recall_trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <utility>

#include <torch/torch.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/nn/hopfield.h"
#include "mneme/nn/matrix_leap.h"
#include "mneme/nn/multihead_leap.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

constexpr int64_t kKernel = 3; // tokens of the convolution
constexpr int64_t kLayers = 2;
constexpr int64_t kFirstWindow = 2;                      // tokens, of LEAP in the first layer
constexpr double kDeviation = 0.02;                      // of initial weights
constexpr uint64_t kStart = 1, kOrder = 2, kDropout = 3; // streams of random numbers
const TrainerChecks kChecks("mneme::training::train_recall");

/// Gated convolution: conv(x) * (W x + b), with a causal convolution of each feature.
class GatedConvolutionImpl : public torch::nn::Module {
public:
  explicit GatedConvolutionImpl(int64_t width) {
    kernel = register_parameter("kernel", at::empty({kKernel, width}));
    offset = register_parameter("offset", at::empty({width}));
    gate = register_module("gate", torch::nn::Linear(width, width));
  }

  at::Tensor forward(const at::Tensor& x) {
    const int64_t length = x.size(1);
    at::Tensor sum = x * kernel[0] + offset;
    for (int64_t back = 1; back < std::min(kKernel, length); ++back) {
      const at::Tensor earlier = x.narrow(1, 0, length - back) * kernel[back];
      sum = sum + at::constant_pad_nd(earlier, {0, 0, back, 0});
    }
    return sum * gate->forward(x);
  }

  at::Tensor kernel, offset;
  torch::nn::Linear gate{nullptr};
};
TORCH_MODULE(GatedConvolution);

/// The mixer of one layer with its output projection.
class MixerImpl : public torch::nn::Module {
public:
  MixerImpl(const RecallModel& model, int64_t window) : mixer_(model.mixer) {
    const int64_t width = model.width, heads = model.heads;
    switch (mixer_) {
    case RecallMixer::leap:
      leap_ = register_module(
          "leap",
          nn::MultiheadLeap(
              nn::MultiheadLeapOptions(width, heads).windows({window}).dropout(0).check_finite(false)));
      break;
    case RecallMixer::matrix_leap:
      matrix_leap_ = register_module(
          "leap", nn::MatrixLeap(nn::MatrixLeapOptions(width, heads).windows({window}).check_finite(false)));
      break;
    case RecallMixer::attention:
    case RecallMixer::hopfield:
      hopfield_ = register_module("hopfield",
                                  nn::Hopfield(nn::HopfieldOptions::attention(width, heads)
                                                   .normalize_hopfield_space(mixer_ == RecallMixer::hopfield)
                                                   .update_steps_max(nn::PerHead<int64_t>(model.updates))
                                                   .check_finite(false)));
      return; // has an output projection
    }
    output_ = register_module("out_proj", torch::nn::Linear(width, width));
  }

  at::Tensor forward(const at::Tensor& x) {
    if (leap_) {
      return output_->forward(leap_->forward(x));
    }
    if (matrix_leap_) {
      return output_->forward(matrix_leap_->forward(x));
    }
    const int64_t length = x.size(1);
    const at::Tensor future = at::ones({length, length}, at::kBool).triu(1);
    return hopfield_->forward(x, {}, {}, {.association_mask = future});
  }

private:
  RecallMixer mixer_;
  nn::MultiheadLeap leap_{nullptr};
  nn::MatrixLeap matrix_leap_{nullptr};
  nn::Hopfield hopfield_{nullptr};
  torch::nn::Linear output_{nullptr};
};
TORCH_MODULE(Mixer);

torch::nn::LayerNorm norm(int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}));
}

/// Initialises a parameter by its name and shape.
void draw(const std::string& name, const at::Tensor& parameter, at::Generator& generator) {
  if (name.find("norm") != std::string::npos) {
    return; // 1 and 0, as constructed
  }
  if (name.ends_with("kernel") || name.ends_with("offset")) {
    const double limit = 1 / std::sqrt(static_cast<double>(kKernel));
    parameter.uniform_(-limit, limit, generator);
  } else if (parameter.dim() < 2) {
    parameter.zero_();
  } else if (name.ends_with("out_proj.weight")) {
    parameter.normal_(0, kDeviation / std::sqrt(2.0 * kLayers), generator);
  } else {
    parameter.normal_(0, kDeviation, generator);
  }
}

class Network : public torch::nn::Module {
public:
  Network(const RecallModel& model, int64_t vocab_size, int64_t length, double dropout, uint64_t seed)
      : dropout_(dropout), generator_(at::detail::createCPUGenerator(seed)) {
    const int64_t width = model.width;
    words_ = register_module("words", torch::nn::Embedding(vocab_size, width));
    const bool has_keys = model.mixer == RecallMixer::attention || model.mixer == RecallMixer::hopfield;
    if (!model.convolution && has_keys) {
      positions_ = register_parameter("positions", at::empty({length, width}));
    }
    if (model.convolution) {
      convolution_ = register_module("convolution", GatedConvolution(width));
    } else {
      first_ = register_module("first", Mixer(model, kFirstWindow));
    }
    second_ = register_module("second", Mixer(model, 0));
    first_norm_ = register_module("first_norm", norm(width));
    second_norm_ = register_module("second_norm", norm(width));
    last_norm_ = register_module("last_norm", norm(width));
    const at::NoGradGuard no_gradient;
    for (const auto& parameter : named_parameters()) {
      draw(parameter.key(), parameter.value(), generator_);
    }
  }

  /// Logits [labels, vocab_size] of the positions with these indices in tokens [B, N].
  at::Tensor forward(const at::Tensor& tokens, const at::Tensor& positions) {
    at::Tensor x = words_->forward(tokens);
    if (positions_.defined()) {
      x = x + positions_;
    }
    if (is_training() && dropout_ > 0) {
      x = x * at::empty_like(x).bernoulli_(1 - dropout_, generator_).div_(1 - dropout_);
    }
    const at::Tensor normed = first_norm_->forward(x);
    x = x + (convolution_ ? convolution_->forward(normed) : first_->forward(normed));
    x = x + second_->forward(second_norm_->forward(x));
    x = x.flatten(0, 1).index_select(0, positions);
    return at::linear(last_norm_->forward(x), words_->weight);
  }

  void seed_dropout(uint64_t seed) { generator_.set_current_seed(seed); }

private:
  double dropout_;
  at::Generator generator_; // of initial parameters, and of dropout
  torch::nn::Embedding words_{nullptr};
  at::Tensor positions_;
  GatedConvolution convolution_{nullptr};
  Mixer first_{nullptr}, second_{nullptr};
  torch::nn::LayerNorm first_norm_{nullptr}, second_norm_{nullptr}, last_norm_{nullptr};
};

void check(const RecallJob& job) {
  if (job.training == nullptr || job.test == nullptr || job.training->num_examples() < 1 ||
      job.test->num_examples() < 1) {
    kChecks.refuse("the training or the test set has no examples.",
                   "Draw both with data::draw_associative_recall.");
  }
  const auto sizes = [](const data::AssociativeRecall& set) {
    return c10::str(set.length, " tokens of a vocabulary of ", set.vocab_size);
  };
  if (sizes(*job.training) != sizes(*job.test)) {
    kChecks.refuse(c10::str("training sequences have ", sizes(*job.training), ", but test sequences ",
                            sizes(*job.test), "."),
                   "Draw both with the same length and vocab_size.");
  }
  const RecallModel& model = job.model;
  kChecks.at_least("width", model.width, 1);
  kChecks.at_least("heads", model.heads, 1);
  if (model.width % model.heads != 0) {
    kChecks.refuse(
        c10::str("width is ", model.width, ", which is not a multiple of heads = ", model.heads, "."),
        "Choose a number of heads that divides the width.");
  }
  kChecks.at_least("updates", model.updates, 0);
  if (model.updates > 0 && model.mixer != RecallMixer::hopfield) {
    kChecks.refuse(c10::str("updates is ", model.updates, ", but ", name_of(model.mixer), " has no updates."),
                   "Leave it at 0, or choose the Hopfield layer.");
  }
  const RecallSchedule& schedule = job.schedule;
  kChecks.at_least("epochs", schedule.epochs, 1);
  kChecks.at_least("batch_size", schedule.batch_size, 1);
  kChecks.positive("learning_rate", schedule.learning_rate);
  kChecks.not_negative("weight_decay", schedule.weight_decay);
  if (!(schedule.dropout >= 0 && schedule.dropout < 1)) {
    kChecks.refuse(c10::str("dropout is ", schedule.dropout, ", but must be in [0, 1)."),
                   "Leave it out for the published 0.1.");
  }
}

/// Tokens or labels as int32 [examples, length], which share memory with the set.
at::Tensor rows_of(const std::vector<int32_t>& numbers, int64_t length) {
  return at::from_blob(const_cast<int32_t*>(numbers.data()), // NOLINT: only read
                       {static_cast<int64_t>(numbers.size()) / length, length}, at::kInt);
}

struct Batch {
  at::Tensor tokens;            ///< int32 [B, N]
  at::Tensor positions, labels; ///< int64 [labels]
};

class Set {
public:
  explicit Set(const data::AssociativeRecall& set)
      : tokens_(rows_of(set.tokens, set.length)), labels_(rows_of(set.labels, set.length)) {}

  int64_t size() const { return tokens_.size(0); }

  Batch batch(const std::vector<int64_t>& order, int64_t first, int64_t count) const {
    const at::Tensor examples =
        at::tensor(at::ArrayRef<int64_t>(order).slice(static_cast<size_t>(first), static_cast<size_t>(count)),
                   at::kLong);
    const at::Tensor labels = labels_.index_select(0, examples).flatten();
    const at::Tensor positions = labels.ne(data::kNoLabel).nonzero().squeeze(1);
    return {.tokens = tokens_.index_select(0, examples),
            .positions = positions,
            .labels = labels.index_select(0, positions).to(at::kLong)};
  }

private:
  at::Tensor tokens_, labels_;
};

class Run {
public:
  explicit Run(const RecallJob& job)
      : schedule_(job.schedule), random_(job.seed), training_(*job.training), test_(*job.test),
        network_(std::make_shared<Network>(job.model, job.training->vocab_size, job.training->length,
                                           job.schedule.dropout, random_.stream(kStart).at(0))),
        adam_(network_->parameters(),
              torch::optim::AdamWOptions(schedule_.learning_rate).weight_decay(schedule_.weight_decay)) {
    fit_.num_parameters = nn::count_parameters(*network_);
    for (int64_t i = 0; i < test_.size(); ++i) {
      test_order_.push_back(i);
    }
  }

  bool finished() const {
    const auto epochs = static_cast<int64_t>(fit_.epochs.size());
    return fit_.diverged || epochs >= schedule_.epochs ||
           (epochs > 0 && fit_.epochs.back().accuracy >= schedule_.stop_accuracy);
  }
  const RecallFit& fit() const { return fit_; }

  /// One epoch: all training examples in a new order, then the test set.
  void epoch() {
    const auto done = static_cast<double>(fit_.epochs.size());
    const double rate = schedule_.learning_rate *
                        (1 + std::cos(std::numbers::pi * done / static_cast<double>(schedule_.epochs))) / 2;
    for (torch::optim::OptimizerParamGroup& group : adam_.param_groups()) {
      group.options().set_lr(rate);
    }
    const std::vector<int64_t> order =
        random_.stream(kOrder).stream(fit_.epochs.size()).distinct(training_.size(), training_.size());
    network_->train();
    double sum = 0;
    int64_t steps = 0;
    for (int64_t first = 0; first < training_.size(); first += schedule_.batch_size, ++steps) {
      const double loss =
          step(training_.batch(order, first, std::min(schedule_.batch_size, training_.size() - first)));
      if (!std::isfinite(loss)) {
        fit_.diverged = true;
        return;
      }
      sum += loss;
    }
    fit_.epochs.push_back({.loss = sum / static_cast<double>(steps), .accuracy = test_accuracy()});
  }

private:
  double step(const Batch& batch) {
    throw_if_interrupted();
    network_->seed_dropout(random_.stream(kDropout).at(steps_done_++));
    adam_.zero_grad();
    const at::Tensor loss =
        at::cross_entropy_loss(network_->forward(batch.tokens, batch.positions), batch.labels);
    const auto value = loss.item<double>();
    if (std::isfinite(value)) {
      loss.backward();
      adam_.step();
    }
    return value;
  }

  double test_accuracy() {
    const at::NoGradGuard no_gradient;
    network_->eval();
    int64_t correct = 0, labels = 0;
    for (int64_t first = 0; first < test_.size(); first += schedule_.batch_size) {
      throw_if_interrupted();
      const Batch batch =
          test_.batch(test_order_, first, std::min(schedule_.batch_size, test_.size() - first));
      const at::Tensor predicted = network_->forward(batch.tokens, batch.positions).argmax(-1);
      correct += predicted.eq(batch.labels).sum().item<int64_t>();
      labels += batch.labels.numel();
    }
    return static_cast<double>(correct) / static_cast<double>(labels);
  }

  RecallSchedule schedule_;
  Random random_;
  Set training_, test_;
  std::shared_ptr<Network> network_;
  torch::optim::AdamW adam_;
  std::vector<int64_t> test_order_;
  uint64_t steps_done_ = 0;
  RecallFit fit_;
};

RecallFit run_job(const RecallJob& job, Progress& progress) {
  const OneThread one_thread;
  Run run(job);
  int64_t left = job.schedule.epochs;
  for (; !run.finished(); --left) {
    run.epoch();
    progress.advance();
  }
  if (left > 0) {
    progress.skip(left);
  }
  return run.fit();
}

} // namespace

std::vector<RecallFit> train_recall(std::span<const RecallJob> jobs, Progress& progress) {
  std::ranges::for_each(jobs, check);
  const OneThread one_thread;
  std::vector<RecallFit> fits(jobs.size());
  parallel_for(static_cast<int64_t>(jobs.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      fits[i] = run_job(jobs[i], progress);
    }
  });
  return fits;
}

} // namespace mneme::training
