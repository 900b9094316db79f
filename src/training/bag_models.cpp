// SPDX-License-Identifier: MIT

#include "training/bag_models.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/rnn.h>

#include "mneme/core/error.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/ops/linear.h"

namespace mneme::training {
namespace {

using torch::nn::Linear;

at::Tensor apply_linear(const torch::nn::LinearImpl& linear, const at::Tensor& x) {
  return ops::linear(x, linear.weight, linear.bias);
}

constexpr const char* kTrainer = "mneme::training::BagTrainer";

/// A Hopfield layer, followed by a linear readout of its flattened output.
template <class Layer> class AssociationModel : public BagModel {
public:
  AssociationModel(Layer layer, int64_t features)
      : association_(register_module("association", std::move(layer))),
        readout_(register_module("readout", Linear(features, 1))) {}

  at::Tensor forward(const at::Tensor& bags) override {
    return apply_linear(*readout_, association_->forward(bags).flatten(1)).squeeze(1);
  }

  at::Tensor attention(const at::Tensor& bags) override {
    if constexpr (std::is_same_v<Layer, nn::HopfieldLayer>) {
      return {}; // it attends to its own stored patterns
    } else {
      return association_->get_association_matrix(bags).mean({1, 2});
    }
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
/// Instances are images, which DigitFeatures maps to features, or (`num_features`) feature vectors.
class AttentionPooling : public BagModel {
public:
  AttentionPooling(bool gated, std::optional<int64_t> num_features)
      : features_(num_features ? nullptr : register_module("features", std::make_shared<DigitFeatures>())),
        values_(register_module("values", Linear(num_features.value_or(kImageFeatures), kHidden))),
        scores_(register_module("scores", Linear(kHidden, 1))),
        readout_(register_module("readout", Linear(num_features.value_or(kImageFeatures), 1))) {
    if (gated) {
      gate_ = register_module("gate", Linear(num_features.value_or(kImageFeatures), kHidden));
    }
  }

  at::Tensor forward(const at::Tensor& bags) override {
    const at::Tensor h = features_of(bags);
    return apply_linear(*readout_, (weights_of(h) * h).sum(1)).squeeze(1);
  }

  at::Tensor attention(const at::Tensor& bags) override { return weights_of(features_of(bags)).squeeze(2); }

private:
  at::Tensor features_of(const at::Tensor& bags) { return features_ ? features_->forward(bags) : bags; }

  at::Tensor weights_of(const at::Tensor& features) { // [B, L, 1]
    at::Tensor hidden = at::tanh(apply_linear(*values_, features));
    if (!gate_.is_empty()) {
      hidden = hidden * at::sigmoid(apply_linear(*gate_, features));
    }
    return at::softmax(apply_linear(*scores_, hidden), 1);
  }

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

  at::Tensor attention(const at::Tensor& bags) override {
    return association_->get_association_matrix(features_->forward(bags)).mean({1, 2});
  }

private:
  static constexpr double kDropout = 0.1;
  std::shared_ptr<DigitFeatures> features_;
  nn::HopfieldPooling association_;
  Linear readout_;
};

std::shared_ptr<BagModel> make_lookup(const BagModelSizes& sizes, bool adapted,
                                      const SimplexSeparation& separation) {
  const at::Tensor& stored = sizes.stored_patterns;
  nn::HopfieldLayerOptions options(stored.size(1));
  options.quantity(stored.size(0));
  options.hopfield().separation(separation);
  if (adapted) {
    options.lookup_weights_as_separated(true).lookup_targets_as_trainable(false);
  }
  nn::HopfieldLayer layer(options);
  if (adapted) {
    const at::NoGradGuard no_gradient;
    layer->lookup_weights.copy_(stored.unsqueeze(0));
  }
  return association_model(std::move(layer), sizes.bag_size * stored.size(1));
}

const std::vector<int64_t> kDigitShape{1, 28, 28};

std::shared_ptr<BagModel> make(const BagModelSizes& sizes, const std::string& model,
                               const SimplexSeparation& separation) {
  const bool is_attention = model == "attention" || model == "gated-attention";
  if (sizes.instance_shape == kDigitShape) {
    if (is_attention) {
      return std::make_shared<AttentionPooling>(model == "gated-attention", std::nullopt);
    }
    if (model == "pooling") {
      return std::make_shared<DigitPooling>(separation);
    }
  }
  if (sizes.instance_shape.size() != 1) {
    throw UsageError(c10::str(kTrainer, ": the model ", model, " cannot read instances of shape [",
                              c10::Join(", ", sizes.instance_shape),
                              "].\n  Use feature vectors [features], or, with pooling, attention and "
                              "gated-attention, images [1, 28, 28]."));
  }
  const int64_t size = sizes.instance_shape.front();
  if (is_attention) {
    return std::make_shared<AttentionPooling>(model == "gated-attention", size);
  }
  if (sizes.bag_size == 0 && (model.starts_with("hopfield") || is_lookup_model(model))) {
    throw UsageError(
        c10::str(kTrainer, ": the readout of the model ", model,
                 " has weights for every instance of a bag, so all bags must have the same size, "
                 "but they have several.\n  Choose a pooling, attention or lstm model, or use "
                 "bags of one size."));
  }
  const bool adapted = model.ends_with("-adapted");
  nn::HopfieldOptions options = adapted ? nn::HopfieldOptions::adapted(size) : nn::HopfieldOptions(size);
  options.separation(separation);
  if (model == "lstm") {
    return std::make_shared<SequenceLstm>(size);
  }
  if (model.starts_with("hopfield")) {
    return association_model(nn::Hopfield(options), sizes.bag_size * size);
  }
  if (model.starts_with("pooling")) {
    return association_model(nn::HopfieldPooling(options), size);
  }
  if (is_lookup_model(model)) {
    return make_lookup(sizes, adapted, separation);
  }
  throw UsageError(c10::str(kTrainer, ": there is no model \"", model, "\".\n  Choose a model of a task."));
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

at::Tensor BagModel::attention(const at::Tensor&) {
  return {};
}

bool is_lookup_model(const std::string& model) {
  return model.starts_with("lookup");
}

std::shared_ptr<BagModel> make_bag_model(const BagModelSizes& sizes, const BagModelChoice& model,
                                         uint64_t seed) {
  static std::mutex mutex; // protects the default generator
  const std::lock_guard lock(mutex);
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const at::Tensor before = generator.get_state();
  generator.set_current_seed(seed);
  std::shared_ptr<BagModel> result = make(sizes, model.name, model.separation);
  generator.set_state(before);
  if (model.separation != SimplexSeparation::softmax && hopfield_cores(*result).empty()) {
    throw UsageError(c10::str(kTrainer, ": the model ", model.name, " has no Hopfield layer, so ",
                              name_of(model.separation),
                              " has no effect.\n  Leave the separation out, or choose a hopfield, pooling or "
                              "lookup model."));
  }
  return result;
}

} // namespace mneme::training
