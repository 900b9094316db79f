// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "kernels/weighted_sum/weighted_sum.h"
#include "mneme/core/error.h"
#include "training/model_step.h"
#include "training/self_attention_states.h"

namespace mneme::training {
namespace {

size_t to_size(int64_t index) {
  return static_cast<size_t>(index);
}

/// to[row] += matrix [rows, columns] . from
void add_product(std::span<const double> matrix, std::span<const double> from, std::span<double> to) {
  for (size_t row = 0; row < to.size(); ++row) {
    for (size_t column = 0; column < from.size(); ++column) {
      to[row] += matrix[row * from.size() + column] * from[column];
    }
  }
}

/// Backward pass of output = matrix . input: input_gradient += matrix^T . output_gradient,
/// matrix_gradient += output_gradient (outer product) input.
void accumulate_gradients(std::span<const double> matrix, std::span<const double> output_gradient,
                          std::span<const double> input, std::span<double> input_gradient,
                          std::span<double> matrix_gradient) {
  const size_t columns = input_gradient.size();
  for (size_t row = 0; row < output_gradient.size(); ++row) {
    for (size_t column = 0; column < columns; ++column) {
      input_gradient[column] += matrix[row * columns + column] * output_gradient[row];
      matrix_gradient[row * columns + column] += output_gradient[row] * input[column];
    }
  }
}

/// In the forward pass, softmax numerators and denominators of a sample are sums over the states that it is
/// in: one matrix product of indicators [B, 2T] with exponentials [2T, 4T]. In the backward pass, the
/// transposed indicators sum the gradients of all samples that are in a state.
class SelfAttentionStep : public ModelStep {
public:
  SelfAttentionStep(const SelfAttentionModel& model, const BitPatterns& inputs)
      : model_(model), length_(model.context_length), states_(2 * length_), samples_(inputs.count()),
        indicators_(to_size(samples_ * states_)), indicators_transposed_(indicators_.size()),
        state_at_(to_size(samples_ * length_)), exponentials_(to_size(states_ * states_)),
        products_(to_size(states_ * 2 * states_)), sums_(to_size(samples_ * 2 * states_)),
        attention_(state_at_.size()) {
    for (int64_t sample = 0; sample < samples_; ++sample) {
      for (int64_t position = 0; position < length_; ++position) {
        const int64_t state = (inputs.get(sample, position) ? length_ : 0) + position;
        state_at_[to_size(sample * length_ + position)] = state;
        indicators_[to_size(sample * states_ + state)] = 1;
        indicators_transposed_[to_size(state * samples_ + sample)] = 1;
      }
    }
  }

  void forward(const std::vector<double>& parameters, std::vector<double>& logits) override {
    per_state_.compute(model_, parameters);
    for (int64_t a = 0; a < states_; ++a) {
      const double* row = per_state_.logits.data() + a * states_;
      const double row_max = *std::max_element(row, row + states_);
      for (int64_t c = 0; c < states_; ++c) {
        const double weight = std::exp(row[c] - row_max);
        exponentials_[to_size(a * states_ + c)] = weight;
        products_[to_size(c * 2 * states_ + a)] = weight * per_state_.value[to_size(c)];
        products_[to_size(c * 2 * states_ + states_ + a)] = weight;
      }
    }
    std::ranges::fill(sums_, 0);
    kernels::weighted_sum(
        {indicators_.data(), products_.data(), sums_.data(), samples_, states_, 2 * states_, states_});
    const SelfAttentionParameters<const double> params(parameters, length_, model_.embedding_size);
    for (int64_t sample = 0; sample < samples_; ++sample) {
      const double* sums = sums_.data() + sample * 2 * states_;
      double output = 0;
      for (int64_t position = 0; position < length_; ++position) {
        const size_t at = to_size(sample * length_ + position);
        const double denominator = sums[states_ + state_at_[at]];
        if (!(denominator > 0)) { // also true for NaN logits
          throw UsageError("mneme::training::fit: attention weights underflow, because logits differ by more "
                           "than float64 can "
                           "represent in one softmax.\n  Use a lower learning rate.");
        }
        attention_[at] = sums[state_at_[at]] / denominator;
        output += params.readout[to_size(position)] * attention_[at];
      }
      logits[to_size(sample)] = output;
    }
  }

  void backward(const std::vector<double>& parameters, const std::vector<double>& logit_gradient,
                std::vector<double>& gradient) override {
    const int64_t size = model_.embedding_size;
    const size_t width = to_size(size);
    const SelfAttentionParameters<const double> params(parameters, length_, size);
    std::ranges::fill(gradient, 0);
    const SelfAttentionParameters<double> grads(gradient, length_, size);

    // attention = numerator / denominator, so its derivatives are 1 / denominator with respect to the
    // numerator and -attention / denominator with respect to the denominator. The sign is applied below.
    derivatives_.assign(to_size(samples_ * 2 * states_), 0);
    for (int64_t sample = 0; sample < samples_; ++sample) {
      const double d_logit = logit_gradient[to_size(sample)];
      for (int64_t position = 0; position < length_; ++position) {
        const size_t at = to_size(sample * length_ + position);
        const size_t numerator = to_size(sample * 2 * states_ + state_at_[at]);
        grads.readout[to_size(position)] += d_logit * attention_[at];
        derivatives_[numerator] =
            d_logit * params.readout[to_size(position)] / sums_[numerator + to_size(states_)];
        derivatives_[numerator + to_size(states_)] = derivatives_[numerator] * attention_[at];
      }
    }
    gathered_.assign(to_size(states_ * 2 * states_), 0);
    kernels::weighted_sum({.weights = indicators_transposed_.data(),
                           .values = derivatives_.data(),
                           .sums = gathered_.data(),
                           .num_queries = states_,
                           .num_stored = samples_,
                           .value_size = 2 * states_,
                           .weight_stride = samples_});

    const double scale = 1 / std::sqrt(static_cast<double>(size));
    query_gradient_.assign(to_size(states_) * width, 0);
    key_gradient_.assign(to_size(states_) * width, 0);
    value_gradient_.assign(to_size(states_), 0);
    for (int64_t a = 0; a < states_; ++a) {
      for (int64_t c = 0; c < states_; ++c) {
        const double weight = exponentials_[to_size(a * states_ + c)];
        const double d_numerator = gathered_[to_size(c * 2 * states_ + a)];
        const double minus_d_denominator = gathered_[to_size(c * 2 * states_ + states_ + a)];
        value_gradient_[to_size(c)] += weight * d_numerator;
        const double d_score =
            scale * weight * (per_state_.value[to_size(c)] * d_numerator - minus_d_denominator);
        for (size_t i = 0; i < width; ++i) {
          query_gradient_[to_size(a) * width + i] += d_score * per_state_.key[to_size(c) * width + i];
          key_gradient_[to_size(c) * width + i] += d_score * per_state_.query[to_size(a) * width + i];
        }
      }
    }
    for (int64_t state = 0; state < states_; ++state) {
      const size_t row = to_size(state) * width;
      const std::span<const double> embedded(per_state_.embedded.data() + row, width);
      embedded_gradient_.assign(width, 0);
      accumulate_gradients(params.query, {query_gradient_.data() + row, width}, embedded, embedded_gradient_,
                           grads.query);
      accumulate_gradients(params.key, {key_gradient_.data() + row, width}, embedded, embedded_gradient_,
                           grads.key);
      accumulate_gradients(params.value, {value_gradient_.data() + state, 1}, embedded, embedded_gradient_,
                           grads.value);
      const size_t bit = state < length_ ? 0 : 1, position = to_size(state % length_);
      for (size_t i = 0; i < width; ++i) {
        grads.token[bit * width + i] += embedded_gradient_[i];
        grads.position[position * width + i] += embedded_gradient_[i];
      }
    }
  }

private:
  SelfAttentionModel model_;
  int64_t length_, states_, samples_;
  std::vector<double> indicators_, indicators_transposed_; // 1 where a sample is in a state
  std::vector<int64_t> state_at_;                          // the state at each position of a sample
  SelfAttentionStates per_state_;
  std::vector<double> exponentials_, products_, sums_, attention_;
  std::vector<double> derivatives_, gathered_, query_gradient_, key_gradient_, value_gradient_,
      embedded_gradient_;
};

} // namespace

void SelfAttentionStates::compute(const SelfAttentionModel& model, const std::vector<double>& parameters) {
  const int64_t length = model.context_length, states = 2 * length;
  const size_t width = to_size(model.embedding_size);
  const SelfAttentionParameters<const double> params(parameters, length, model.embedding_size);
  embedded.assign(to_size(states) * width, 0);
  query.assign(embedded.size(), 0);
  key.assign(embedded.size(), 0);
  value.assign(to_size(states), 0);
  logits.assign(to_size(states * states), 0);
  for (int64_t state = 0; state < states; ++state) {
    const size_t row = to_size(state) * width, bit = state < length ? 0 : 1,
                 position = to_size(state % length);
    for (size_t i = 0; i < width; ++i) {
      embedded[row + i] = params.token[bit * width + i] + params.position[position * width + i];
    }
    const std::span<const double> from(embedded.data() + row, width);
    add_product(params.query, from, {query.data() + row, width});
    add_product(params.key, from, {key.data() + row, width});
    add_product(params.value, from, {value.data() + state, 1});
  }
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  for (int64_t a = 0; a < states; ++a) {
    for (int64_t c = 0; c < states; ++c) {
      double sum = 0;
      for (size_t i = 0; i < width; ++i) {
        sum += query[to_size(a) * width + i] * key[to_size(c) * width + i];
      }
      logits[to_size(a * states + c)] = scale * sum;
    }
  }
}

std::unique_ptr<ModelStep> self_attention_step(const SelfAttentionModel& model, const BitPatterns& inputs) {
  return std::make_unique<SelfAttentionStep>(model, inputs);
}

} // namespace mneme::training
