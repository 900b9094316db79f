// SPDX-License-Identifier: MIT

#include "training/bag_models.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/rnn.h>

#include "mneme/core/error.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/ops/linear.h"
#include "training/bag_batch.h"

namespace mneme::training {
namespace {

using torch::nn::Linear;

at::Tensor apply_linear(const torch::nn::LinearImpl& linear, const at::Tensor& x) {
  return ops::linear(x, linear.weight, linear.bias);
}

int64_t bag_size_of(const BagTask& task) {
  return task.training.bag_size(0);
}

/// A Hopfield layer, followed by a linear readout of its flattened output.
template <class Layer> class AssociationModel : public BagModel {
public:
  AssociationModel(Layer layer, int64_t features)
      : association_(register_module("association", std::move(layer))),
        readout_(register_module("readout", Linear(features, 1))) {}

  at::Tensor forward(const at::Tensor& bags) override {
    return apply_linear(*readout_, association_->forward(bags).flatten(1)).squeeze(1);
  }

private:
  Layer association_;
  Linear readout_;
};

template <class Layer> std::shared_ptr<BagModel> association_model(Layer layer, int64_t features) {
  return std::make_shared<AssociationModel<Layer>>(std::move(layer), features);
}

/// An LSTM, followed by a linear readout of its last hidden state.
class SequenceLstm : public BagModel {
public:
  explicit SequenceLstm(int64_t size)
      : lstm_(register_module("lstm",
                              torch::nn::LSTM(torch::nn::LSTMOptions(size, kHidden).batch_first(true)))),
        readout_(register_module("readout", Linear(kHidden, 1))) {}

  at::Tensor forward(const at::Tensor& bags) override {
    return apply_linear(*readout_, std::get<0>(lstm_->forward(bags)).select(1, -1)).squeeze(1);
  }

private:
  static constexpr int64_t kHidden = 4; // published
  torch::nn::LSTM lstm_;
  Linear readout_;
};

constexpr int64_t kImageFeatures = 500;

/// Convolutional network that maps each image of a bag to 500 features.
class DigitFeatures : public torch::nn::Module {
public:
  DigitFeatures()
      : first_(register_module("first", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 20, 5)))),
        second_(register_module("second", torch::nn::Conv2d(torch::nn::Conv2dOptions(20, 50, 5)))),
        last_(register_module("last", Linear(50 * 4 * 4, kImageFeatures))) {}

  /// [B, L, 1, 28, 28] -> [B, L, 500]
  at::Tensor forward(const at::Tensor& bags) {
    const at::Tensor images = bags.flatten(0, 1);
    const auto block = [](torch::nn::Conv2d& layer, const at::Tensor& x) {
      return at::max_pool2d(at::relu(layer->forward(x)), 2);
    };
    const at::Tensor features = block(second_, block(first_, images)).flatten(1);
    return at::relu(apply_linear(*last_, features)).view({bags.size(0), bags.size(1), kImageFeatures});
  }

private:
  torch::nn::Conv2d first_, second_;
  Linear last_;
};

/// Attention-based pooling: a two-layer network computes a score per instance, with softmax over the bag.
/// Gated: the hidden layer is multiplied by a sigmoid gate.
class AttentionPooling : public BagModel {
public:
  explicit AttentionPooling(bool gated)
      : features_(register_module("features", std::make_shared<DigitFeatures>())),
        values_(register_module("values", Linear(kImageFeatures, kHidden))),
        scores_(register_module("scores", Linear(kHidden, 1))),
        readout_(register_module("readout", Linear(kImageFeatures, 1))) {
    if (gated) {
      gate_ = register_module("gate", Linear(kImageFeatures, kHidden));
    }
  }

  at::Tensor forward(const at::Tensor& bags) override {
    const at::Tensor h = features_->forward(bags);
    at::Tensor hidden = at::tanh(apply_linear(*values_, h));
    if (!gate_.is_empty()) {
      hidden = hidden * at::sigmoid(apply_linear(*gate_, h));
    }
    const at::Tensor weights = at::softmax(apply_linear(*scores_, hidden), 1); // [B, L, 1]
    return apply_linear(*readout_, (weights * h).sum(1)).squeeze(1);
  }

private:
  static constexpr int64_t kHidden = 128; // published
  std::shared_ptr<DigitFeatures> features_;
  Linear values_, scores_, readout_, gate_{nullptr};
};

/// Hopfield pooling of image features, followed by dropout and a linear readout.
class DigitPooling : public BagModel {
public:
  explicit DigitPooling(const SimplexSeparation& separation)
      : features_(register_module("features", std::make_shared<DigitFeatures>())),
        association_(register_module(
            "association",
            nn::HopfieldPooling(nn::HopfieldOptions(kImageFeatures).hidden_size(32).separation(separation)))),
        readout_(register_module("readout", Linear(kImageFeatures, 1))) {}

  at::Tensor forward(const at::Tensor& bags) override {
    at::Tensor pooled = association_->forward(features_->forward(bags));
    if (is_training()) {
      pooled = pooled * at::empty_like(pooled).bernoulli_(1 - kDropout, generator_).div_(1 - kDropout);
    }
    return apply_linear(*readout_, pooled).squeeze(1);
  }

private:
  static constexpr double kDropout = 0.1;
  std::shared_ptr<DigitFeatures> features_;
  nn::HopfieldPooling association_;
  Linear readout_;
};

std::shared_ptr<BagModel> make_lookup(const BagTask& task, bool adapted, int64_t size,
                                      const SimplexSeparation& separation) {
  const at::Tensor unique = unique_instances(task.training);
  nn::HopfieldLayerOptions options(size);
  options.quantity(unique.size(0));
  options.hopfield().separation(separation);
  if (adapted) {
    options.lookup_weights_as_separated(true).lookup_targets_as_trainable(false);
  }
  nn::HopfieldLayer layer(options);
  if (adapted) {
    const at::NoGradGuard no_gradient;
    layer->lookup_weights.copy_(unique.unsqueeze(0));
  }
  return association_model(std::move(layer), bag_size_of(task) * size);
}

std::shared_ptr<BagModel> make(const BagTask& task, const std::string& model,
                               const SimplexSeparation& separation) {
  if (task.training.instance_shape.size() == 3) {
    if (model == "pooling") {
      return std::make_shared<DigitPooling>(separation);
    }
    return std::make_shared<AttentionPooling>(model == "gated-attention");
  }
  const int64_t size = task.training.instance_size();
  const bool adapted = model.ends_with("-adapted");
  nn::HopfieldOptions options = adapted ? nn::HopfieldOptions::adapted(size) : nn::HopfieldOptions(size);
  options.separation(separation);
  if (model == "lstm") {
    return std::make_shared<SequenceLstm>(size);
  }
  if (model.starts_with("hopfield")) {
    return association_model(nn::Hopfield(options), bag_size_of(task) * size);
  }
  if (model.starts_with("pooling")) {
    return association_model(nn::HopfieldPooling(options), size);
  }
  return make_lookup(task, adapted, size, separation);
}

std::vector<nn::HopfieldCoreImpl*> hopfield_cores(const BagModel& model) {
  std::vector<nn::HopfieldCoreImpl*> cores;
  for (const auto& module : model.modules()) {
    if (auto* core = module->as<nn::HopfieldCoreImpl>()) {
      cores.push_back(core);
    }
  }
  return cores;
}

} // namespace

void BagModel::set_generator(const at::Generator& generator) {
  generator_ = generator;
  for (nn::HopfieldCoreImpl* core : hopfield_cores(*this)) {
    core->generator = generator;
  }
}

std::shared_ptr<BagModel> make_bag_model(const BagTask& task, const BagModelChoice& model, uint64_t seed) {
  if (std::ranges::find(task.models, model.name) == task.models.end()) {
    throw UsageError(c10::str("mneme::training::BagTrainer: the task ", task.name, " has no model \"",
                              model.name, "\".\n  Its models are: ", c10::Join(", ", task.models), "."));
  }
  static std::mutex mutex; // protects the default generator
  const std::lock_guard lock(mutex);
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const at::Tensor before = generator.get_state();
  generator.set_current_seed(seed);
  std::shared_ptr<BagModel> result = make(task, model.name, model.separation);
  generator.set_state(before);
  if (model.separation != SimplexSeparation::softmax && hopfield_cores(*result).empty()) {
    throw UsageError(
        c10::str("mneme::training::BagTrainer: the model ", model.name, " has no Hopfield layer, so ",
                 name_of(model.separation),
                 " has no effect.\n  Leave the separation out, or choose another model of the task: ",
                 c10::Join(", ", task.models), "."));
  }
  return result;
}

} // namespace mneme::training
