// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include "kernels/gelu_layer/gelu_layer.h"
#include "kernels/weighted_sum/weighted_sum.h"
#include "training/model_step.h"

namespace mneme::training {
namespace {

/// [samples, inputs] of 0 and 1, with the products if the model wants them.
template <class T> std::vector<T> network_inputs(const PerceptronModel& model, const BitPatterns& bits) {
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

/// splitmix64: the i-th number is a hash of seed and i. A step needs a hundred thousand decisions, for which Philox
/// would take longer than the rest of it.
class RapidDraws {
public:
  explicit RapidDraws(uint64_t seed = 0) : state_(seed) {}

  uint64_t next() {
    uint64_t x = state_ += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
  }

private:
  uint64_t state_;
};

/// T is what sums and units are computed in; parameters and their gradient are in double.
template <class T> class PerceptronStep : public ModelStep {
public:
  PerceptronStep(const PerceptronModel& model, const BitPatterns& bits, Random* dropout)
      : samples_(bits.count()), hidden_(model.hidden_size), inputs_(network_inputs<T>(model, bits)),
        width_(static_cast<int64_t>(inputs_.size()) / samples_),
        inputs_transposed_(transposed(inputs_, samples_, width_)), values_(size_t(samples_ * hidden_)),
        slopes_(values_.size()) {
    constexpr double kSteps = 65536;
    const double silenced = std::min(std::round(model.dropout * kSteps), kSteps - 1);
    silenced_below_ = static_cast<uint16_t>(silenced);
    louder_ = static_cast<T>(kSteps / (kSteps - silenced)); // keeps the mean of a unit
    if (dropout != nullptr && silenced_below_ > 0) {
      draws_ = RapidDraws(dropout->next());
      chances_.resize((values_.size() + kPerDraw - 1) / kPerDraw * kPerDraw);
    }
  }

  void forward(const std::vector<double>& parameters, std::vector<double>& outputs) override {
    parameters_.assign(parameters.begin(), parameters.end());
    const T* weight = parameters_.data();
    const T* bias = weight + width_ * hidden_;
    const T* readout = bias + hidden_;
    for (size_t i = 0; i < chances_.size(); i += kPerDraw) {
      const uint64_t draw = draws_.next();
      for (size_t j = 0; j < kPerDraw; ++j) {
        chances_[i + j] = static_cast<uint16_t>(draw >> (16 * j));
      }
    }
    kernels::gelu_layer(kernels::GeluLayerArgs<T>{.inputs = inputs_.data(),
                                                  .weights = weight,
                                                  .bias = bias,
                                                  .values = values_.data(),
                                                  .slopes = slopes_.data(),
                                                  .num_samples = samples_,
                                                  .num_inputs = width_,
                                                  .num_units = hidden_,
                                                  .chances = chances_.empty() ? nullptr : chances_.data(),
                                                  .silenced_below = silenced_below_,
                                                  .louder = louder_});
    for (int64_t sample = 0; sample < samples_; ++sample) {
      outputs[static_cast<size_t>(sample)] =
          readout[hidden_] + dot(values_.data() + sample * hidden_, readout);
    }
  }

  void backward(const std::vector<double>& /*parameters*/, const std::vector<double>& slopes,
                std::vector<double>& gradient) override {
    const T* readout = parameters_.data() + (width_ + 1) * hidden_;
    gradient_.assign(gradient.size(), 0);
    T* to_weight = gradient_.data();
    T* to_bias = to_weight + width_ * hidden_;
    T* to_readout = to_bias + hidden_;
    for (int64_t sample = 0; sample < samples_; ++sample) {
      const T slope = static_cast<T>(slopes[static_cast<size_t>(sample)]);
      const T* values = values_.data() + sample * hidden_;
      T* back = slopes_.data() + sample * hidden_; // from here on the derivative by the sum
      for (int64_t unit = 0; unit < hidden_; ++unit) {
        to_readout[unit] += slope * values[unit];
        back[unit] *= slope * readout[unit];
        to_bias[unit] += back[unit];
      }
      to_readout[hidden_] += slope;
    }
    kernels::weighted_sum(kernels::WeightedSumArgs<T>{.weights = inputs_transposed_.data(),
                                                      .values = slopes_.data(),
                                                      .sums = to_weight,
                                                      .num_queries = width_,
                                                      .num_stored = samples_,
                                                      .value_size = hidden_,
                                                      .weight_stride = samples_});
    std::ranges::copy(gradient_, gradient.begin());
  }

private:
  static constexpr size_t kPerDraw = 4; // 16 bits decide about a unit

  /// Sum over hidden units, in eight partial sums that run beside each other.
  double dot(const T* a, const T* b) const {
    constexpr int64_t kBeside = 8;
    T parts[kBeside] = {};
    int64_t unit = 0;
    for (; unit + kBeside <= hidden_; unit += kBeside) {
      for (int64_t part = 0; part < kBeside; ++part) {
        parts[part] += a[unit + part] * b[unit + part];
      }
    }
    double sum = 0;
    for (; unit < hidden_; ++unit) {
      sum += double{a[unit]} * b[unit];
    }
    for (const T part : parts) {
      sum += part;
    }
    return sum;
  }

  int64_t samples_, hidden_;
  std::vector<T> inputs_;
  int64_t width_;
  std::vector<T> inputs_transposed_;
  std::vector<T> values_, slopes_; // [samples, hidden]
  std::vector<T> parameters_, gradient_;
  uint16_t silenced_below_ = 0;
  T louder_ = 1;
  RapidDraws draws_;
  std::vector<uint16_t> chances_; ///< empty: every hidden unit speaks
};

} // namespace

std::unique_ptr<ModelStep> perceptron_step(const PerceptronModel& model, const BitPatterns& inputs,
                                           Random* dropout) {
  if (model.precision == Precision::float32) {
    return std::make_unique<PerceptronStep<float>>(model, inputs, dropout);
  }
  return std::make_unique<PerceptronStep<double>>(model, inputs, dropout);
}

} // namespace mneme::training
