// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include "kernels/gelu_layer/gelu_layer.h"
#include "kernels/weighted_sum/weighted_sum.h"
#include "training/model_step.h"

namespace mneme::training {
namespace {

/// [samples, inputs] of 0 and 1, with the products if the model wants them.
std::vector<double> network_inputs(const PerceptronModel& model, const BitPatterns& bits) {
  std::vector<double> inputs;
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

class PerceptronStep : public ModelStep {
public:
  PerceptronStep(const PerceptronModel& model, const BitPatterns& bits, Random* dropout)
      : samples_(bits.count()), hidden_(model.hidden_size), inputs_(network_inputs(model, bits)),
        width_(static_cast<int64_t>(inputs_.size()) / samples_),
        inputs_transposed_(transposed(inputs_, samples_, width_)), values_(size_t(samples_ * hidden_)),
        slopes_(values_.size()) {
    constexpr double kSteps = 65536;
    silenced_below_ = static_cast<uint64_t>(std::lround(model.dropout * kSteps));
    louder_ = kSteps / (kSteps - static_cast<double>(silenced_below_)); // keeps the mean of a unit
    if (dropout != nullptr && silenced_below_ > 0) {
      drops_ = true;
      draws_ = RapidDraws(dropout->next());
    }
  }

  void forward(const std::vector<double>& parameters, std::vector<double>& outputs) override {
    const double* weight = parameters.data();
    const double* bias = weight + width_ * hidden_;
    const double* readout = bias + hidden_;
    kernels::gelu_layer(
        {inputs_.data(), weight, bias, values_.data(), slopes_.data(), samples_, width_, hidden_});
    if (drops_) {
      drop();
    }
    for (int64_t sample = 0; sample < samples_; ++sample) {
      outputs[static_cast<size_t>(sample)] =
          readout[hidden_] + dot(values_.data() + sample * hidden_, readout);
    }
  }

  void backward(const std::vector<double>& parameters, const std::vector<double>& slopes,
                std::vector<double>& gradient) override {
    const double* readout = parameters.data() + (width_ + 1) * hidden_;
    double* to_weight = gradient.data();
    double* to_bias = to_weight + width_ * hidden_;
    double* to_readout = to_bias + hidden_;
    std::ranges::fill(gradient, 0);
    for (int64_t sample = 0; sample < samples_; ++sample) {
      const double slope = slopes[static_cast<size_t>(sample)];
      const double* values = values_.data() + sample * hidden_;
      double* back = slopes_.data() + sample * hidden_; // from here on the derivative by the sum
      for (int64_t unit = 0; unit < hidden_; ++unit) {
        to_readout[unit] += slope * values[unit];
        back[unit] *= slope * readout[unit];
        to_bias[unit] += back[unit];
      }
      to_readout[hidden_] += slope;
    }
    kernels::weighted_sum(
        {inputs_transposed_.data(), slopes_.data(), to_weight, width_, samples_, hidden_, samples_});
  }

private:
  /// Sum over hidden units, in eight partial sums that run beside each other.
  double dot(const double* a, const double* b) const {
    constexpr int64_t kBeside = 8;
    double parts[kBeside] = {};
    int64_t unit = 0;
    for (; unit + kBeside <= hidden_; unit += kBeside) {
      for (int64_t part = 0; part < kBeside; ++part) {
        parts[part] += a[unit + part] * b[unit + part];
      }
    }
    double sum = 0;
    for (; unit < hidden_; ++unit) {
      sum += a[unit] * b[unit];
    }
    for (const double part : parts) {
      sum += part;
    }
    return sum;
  }

  void drop() {
    constexpr size_t kPerDraw = 4; // 16 bits decide about a unit
    const size_t count = values_.size();
    for (size_t i = 0; i < count; i += kPerDraw) {
      const uint64_t draw = draws_.next();
      const size_t units = std::min(kPerDraw, count - i);
      for (size_t j = 0; j < units; ++j) {
        const double factor = ((draw >> (16 * j)) & 0xFFFF) < silenced_below_ ? 0 : louder_;
        values_[i + j] *= factor;
        slopes_[i + j] *= factor;
      }
    }
  }

  int64_t samples_, hidden_;
  std::vector<double> inputs_;
  int64_t width_;
  std::vector<double> inputs_transposed_;
  std::vector<double> values_, slopes_; // [samples, hidden]
  uint64_t silenced_below_ = 0;
  double louder_ = 1;
  bool drops_ = false;
  RapidDraws draws_;
};

} // namespace

std::unique_ptr<ModelStep> perceptron_step(const PerceptronModel& model, const BitPatterns& inputs,
                                           Random* dropout) {
  return std::make_unique<PerceptronStep>(model, inputs, dropout);
}

} // namespace mneme::training
