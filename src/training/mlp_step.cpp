// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include "kernels/gelu_layer/gelu_layer.h"
#include "kernels/weighted_sum/weighted_sum.h"
#include "training/model_step.h"

namespace mneme::training {
namespace {

/// Network inputs [samples, inputs], 0 or 1: the bits, and their products with the last bit if the model uses
/// them.
template <class T> std::vector<T> network_inputs(const MlpModel& model, const BitPatterns& bits) {
  std::vector<T> inputs;
  const int64_t last = model.context_length - 1;
  for (int64_t sample = 0; sample < bits.count(); ++sample) {
    for (int64_t bit = 0; bit <= last; ++bit) {
      inputs.push_back(bits.get(sample, bit) ? 1 : 0);
    }
    for (int64_t bit = 0; model.products_with_rule && bit < last; ++bit) {
      inputs.push_back(bits.get(sample, bit) && bits.get(sample, last) ? 1 : 0);
    }
  }
  return inputs;
}

/// [rows, columns] -> [columns, rows]
template <class T> std::vector<T> transposed(const std::vector<T>& matrix, int64_t rows, int64_t columns) {
  std::vector<T> result(matrix.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      result[static_cast<size_t>(column * rows + row)] = matrix[static_cast<size_t>(row * columns + column)];
    }
  }
  return result;
}

/// RNG splitmix64: the i-th number is a hash of seed and i. A step needs about 100 000 random numbers of 16
/// bits; with Philox, drawing them would take longer than the rest of the step.
class SplitMix64 {
public:
  explicit SplitMix64(uint64_t seed = 0) : state_(seed) {}

  uint64_t next() {
    uint64_t x = state_ += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
  }

private:
  uint64_t state_;
};

/// Step of an MLP. T is the type of sums and hidden units; parameters and their gradient are double.
template <class T> class MlpStep : public ModelStep {
public:
  MlpStep(const MlpModel& model, const BitPatterns& bits, Random* dropout)
      : samples_(bits.count()), hidden_(model.hidden_size), inputs_(network_inputs<T>(model, bits)),
        num_inputs_(static_cast<int64_t>(inputs_.size()) / samples_),
        inputs_transposed_(transposed(inputs_, samples_, num_inputs_)),
        activations_(size_t(samples_ * hidden_)), derivatives_(activations_.size()) {
    constexpr double kLevels = 65536;
    const double threshold = std::min(std::round(model.dropout * kLevels), kLevels - 1);
    drop_threshold_ = static_cast<uint16_t>(threshold);
    keep_scale_ = static_cast<T>(kLevels / (kLevels - threshold)); // keeps the expected value of a unit
    if (dropout != nullptr && drop_threshold_ > 0) {
      rng_ = SplitMix64(dropout->next());
      dropout_bits_.resize((activations_.size() + kUnitsPerDraw - 1) / kUnitsPerDraw * kUnitsPerDraw);
    }
  }

  void forward(const std::vector<double>& parameters, std::vector<double>& logits) override {
    parameters_.assign(parameters.begin(), parameters.end());
    const T* weight = parameters_.data();
    const T* bias = weight + num_inputs_ * hidden_;
    const T* readout = bias + hidden_;
    for (size_t i = 0; i < dropout_bits_.size(); i += kUnitsPerDraw) {
      const uint64_t draw = rng_.next();
      for (size_t j = 0; j < kUnitsPerDraw; ++j) {
        dropout_bits_[i + j] = static_cast<uint16_t>(draw >> (16 * j));
      }
    }
    kernels::gelu_layer(
        kernels::GeluLayerArgs<T>{.inputs = inputs_.data(),
                                  .weights = weight,
                                  .bias = bias,
                                  .outputs = activations_.data(),
                                  .derivatives = derivatives_.data(),
                                  .num_samples = samples_,
                                  .num_inputs = num_inputs_,
                                  .num_units = hidden_,
                                  .dropout_bits = dropout_bits_.empty() ? nullptr : dropout_bits_.data(),
                                  .drop_threshold = drop_threshold_,
                                  .keep_scale = keep_scale_});
    for (int64_t sample = 0; sample < samples_; ++sample) {
      logits[static_cast<size_t>(sample)] =
          readout[hidden_] + dot(activations_.data() + sample * hidden_, readout);
    }
  }

  void backward(const std::vector<double>& /*parameters*/, const std::vector<double>& logit_gradient,
                std::vector<double>& gradient) override {
    const T* readout = parameters_.data() + (num_inputs_ + 1) * hidden_;
    gradient_.assign(gradient.size(), 0);
    T* weight_gradient = gradient_.data();
    T* bias_gradient = weight_gradient + num_inputs_ * hidden_;
    T* readout_gradient = bias_gradient + hidden_;
    for (int64_t sample = 0; sample < samples_; ++sample) {
      const T d_logit = static_cast<T>(logit_gradient[static_cast<size_t>(sample)]);
      const T* activations = activations_.data() + sample * hidden_;
      T* d_sum =
          derivatives_.data() + sample * hidden_; // in place: gradient with respect to the sum of a unit
      for (int64_t unit = 0; unit < hidden_; ++unit) {
        readout_gradient[unit] += d_logit * activations[unit];
        d_sum[unit] *= d_logit * readout[unit];
        bias_gradient[unit] += d_sum[unit];
      }
      readout_gradient[hidden_] += d_logit;
    }
    kernels::weighted_sum(kernels::WeightedSumArgs<T>{.weights = inputs_transposed_.data(),
                                                      .values = derivatives_.data(),
                                                      .sums = weight_gradient,
                                                      .num_queries = num_inputs_,
                                                      .num_stored = samples_,
                                                      .value_size = hidden_,
                                                      .weight_stride = samples_});
    std::ranges::copy(gradient_, gradient.begin());
  }

private:
  static constexpr size_t kUnitsPerDraw = 4; // 16 of 64 random bits per unit

  /// Dot product over hidden units, with 8 independent accumulators so that it vectorises.
  double dot(const T* a, const T* b) const {
    constexpr int64_t kAccumulators = 8;
    T partial_sums[kAccumulators] = {};
    int64_t unit = 0;
    for (; unit + kAccumulators <= hidden_; unit += kAccumulators) {
      for (int64_t i = 0; i < kAccumulators; ++i) {
        partial_sums[i] += a[unit + i] * b[unit + i];
      }
    }
    double sum = 0;
    for (; unit < hidden_; ++unit) {
      sum += double{a[unit]} * b[unit];
    }
    for (const T partial : partial_sums) {
      sum += partial;
    }
    return sum;
  }

  int64_t samples_, hidden_;
  std::vector<T> inputs_;
  int64_t num_inputs_;
  std::vector<T> inputs_transposed_;
  std::vector<T> activations_, derivatives_; // [samples, hidden]
  std::vector<T> parameters_, gradient_;
  uint16_t drop_threshold_ = 0;
  T keep_scale_ = 1;
  SplitMix64 rng_;
  std::vector<uint16_t> dropout_bits_; ///< empty: no dropout
};

} // namespace

std::unique_ptr<ModelStep> mlp_step(const MlpModel& model, const BitPatterns& inputs, Random* dropout) {
  if (model.precision == Precision::float32) {
    return std::make_unique<MlpStep<float>>(model, inputs, dropout);
  }
  return std::make_unique<MlpStep<double>>(model, inputs, dropout);
}

} // namespace mneme::training
