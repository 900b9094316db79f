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

size_t place_of(int64_t index) {
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

/// to[column] += matrix^T . from; outer += from (x) along
void add_back(std::span<const double> matrix, std::span<const double> from, std::span<const double> along,
              std::span<double> to, std::span<double> outer) {
  for (size_t row = 0; row < from.size(); ++row) {
    for (size_t column = 0; column < to.size(); ++column) {
      to[column] += matrix[row * to.size() + column] * from[row];
      outer[row * to.size() + column] += from[row] * along[column];
    }
  }
}

/// Forwards, a sample's numerators and denominators are sums over the states it is in: one matrix product of
/// indicators [B, 2T] with exponentials [2T, 4T]. Backwards the same indicators gather the derivatives.
class SelfAttentionStep : public ModelStep {
public:
  SelfAttentionStep(const SelfAttentionModel& model, const BitPatterns& inputs)
      : model_(model), length_(model.context_length), states_(2 * length_), samples_(inputs.count()),
        indicators_(place_of(samples_ * states_)), indicators_transposed_(indicators_.size()),
        taken_(place_of(samples_ * length_)), exponentials_(place_of(states_ * states_)),
        products_(place_of(states_ * 2 * states_)), sums_(place_of(samples_ * 2 * states_)),
        attention_(taken_.size()) {
    for (int64_t sample = 0; sample < samples_; ++sample) {
      for (int64_t place = 0; place < length_; ++place) {
        const int64_t state = (inputs.get(sample, place) ? length_ : 0) + place;
        taken_[place_of(sample * length_ + place)] = state;
        indicators_[place_of(sample * states_ + state)] = 1;
        indicators_transposed_[place_of(state * samples_ + sample)] = 1;
      }
    }
  }

  void forward(const std::vector<double>& parameters, std::vector<double>& outputs) override {
    of_states_.compute(model_, parameters);
    for (int64_t a = 0; a < states_; ++a) {
      const double* logits = of_states_.logits.data() + a * states_;
      const double largest = *std::max_element(logits, logits + states_);
      for (int64_t c = 0; c < states_; ++c) {
        const double weight = std::exp(logits[c] - largest);
        exponentials_[place_of(a * states_ + c)] = weight;
        products_[place_of(c * 2 * states_ + a)] = weight * of_states_.value[place_of(c)];
        products_[place_of(c * 2 * states_ + states_ + a)] = weight;
      }
    }
    std::ranges::fill(sums_, 0);
    kernels::weighted_sum(
        {indicators_.data(), products_.data(), sums_.data(), samples_, states_, 2 * states_, states_});
    const SelfAttentionParts<const double> parts(parameters, length_, model_.embedding_size);
    for (int64_t sample = 0; sample < samples_; ++sample) {
      const double* sums = sums_.data() + sample * 2 * states_;
      double output = 0;
      for (int64_t place = 0; place < length_; ++place) {
        const size_t here = place_of(sample * length_ + place);
        const double whole = sums[states_ + taken_[here]];
        if (!(whole > 0)) { // also where logits are no numbers
          throw UsageError(
              "mneme::training::fit: the weights of attention have vanished: its logits differ by "
              "more than float64 can hold in one softmax.\n  Use a lower learning rate.");
        }
        attention_[here] = sums[taken_[here]] / whole;
        output += parts.readout[place_of(place)] * attention_[here];
      }
      outputs[place_of(sample)] = output;
    }
  }

  void backward(const std::vector<double>& parameters, const std::vector<double>& slopes,
                std::vector<double>& gradient) override {
    const int64_t size = model_.embedding_size;
    const size_t wide = place_of(size);
    const SelfAttentionParts<const double> parts(parameters, length_, size);
    std::ranges::fill(gradient, 0);
    const SelfAttentionParts<double> grads(gradient, length_, size);

    // Of a numerator 1 / whole, of a denominator attention / whole, each times the slope of its attention.
    derivatives_.assign(place_of(samples_ * 2 * states_), 0);
    for (int64_t sample = 0; sample < samples_; ++sample) {
      const double slope = slopes[place_of(sample)];
      for (int64_t place = 0; place < length_; ++place) {
        const size_t here = place_of(sample * length_ + place);
        const size_t numerator = place_of(sample * 2 * states_ + taken_[here]);
        grads.readout[place_of(place)] += slope * attention_[here];
        derivatives_[numerator] =
            slope * parts.readout[place_of(place)] / sums_[numerator + place_of(states_)];
        derivatives_[numerator + place_of(states_)] = derivatives_[numerator] * attention_[here];
      }
    }
    gathered_.assign(place_of(states_ * 2 * states_), 0);
    kernels::weighted_sum({.weights = indicators_transposed_.data(),
                           .values = derivatives_.data(),
                           .sums = gathered_.data(),
                           .num_queries = states_,
                           .num_stored = samples_,
                           .value_size = 2 * states_,
                           .weight_stride = samples_});

    const double scale = 1 / std::sqrt(static_cast<double>(size));
    query_slopes_.assign(place_of(states_) * wide, 0);
    key_slopes_.assign(place_of(states_) * wide, 0);
    value_slopes_.assign(place_of(states_), 0);
    for (int64_t a = 0; a < states_; ++a) {
      for (int64_t c = 0; c < states_; ++c) {
        const double weight = exponentials_[place_of(a * states_ + c)];
        const double numerator = gathered_[place_of(c * 2 * states_ + a)];
        const double denominator = gathered_[place_of(c * 2 * states_ + states_ + a)];
        value_slopes_[place_of(c)] += weight * numerator;
        const double slope = scale * weight * (of_states_.value[place_of(c)] * numerator - denominator);
        for (size_t i = 0; i < wide; ++i) {
          query_slopes_[place_of(a) * wide + i] += slope * of_states_.key[place_of(c) * wide + i];
          key_slopes_[place_of(c) * wide + i] += slope * of_states_.query[place_of(a) * wide + i];
        }
      }
    }
    for (int64_t state = 0; state < states_; ++state) {
      const size_t row = place_of(state) * wide;
      const std::span<const double> embedded(of_states_.embedded.data() + row, wide);
      embedded_slopes_.assign(wide, 0);
      add_back(parts.query, {query_slopes_.data() + row, wide}, embedded, embedded_slopes_, grads.query);
      add_back(parts.key, {key_slopes_.data() + row, wide}, embedded, embedded_slopes_, grads.key);
      add_back(parts.value, {value_slopes_.data() + state, 1}, embedded, embedded_slopes_, grads.value);
      const size_t bit = state < length_ ? 0 : 1, place = place_of(state % length_);
      for (size_t i = 0; i < wide; ++i) {
        grads.token[bit * wide + i] += embedded_slopes_[i];
        grads.place[place * wide + i] += embedded_slopes_[i];
      }
    }
  }

private:
  SelfAttentionModel model_;
  int64_t length_, states_, samples_;
  std::vector<double> indicators_, indicators_transposed_; // 1 where a sample is in a state
  std::vector<int64_t> taken_;                             // the state at each place of a sample
  SelfAttentionStates of_states_;
  std::vector<double> exponentials_, products_, sums_, attention_;
  std::vector<double> derivatives_, gathered_, query_slopes_, key_slopes_, value_slopes_, embedded_slopes_;
};

} // namespace

void SelfAttentionStates::compute(const SelfAttentionModel& model, const std::vector<double>& parameters) {
  const int64_t length = model.context_length, states = 2 * length;
  const size_t wide = place_of(model.embedding_size);
  const SelfAttentionParts<const double> parts(parameters, length, model.embedding_size);
  embedded.assign(place_of(states) * wide, 0);
  query.assign(embedded.size(), 0);
  key.assign(embedded.size(), 0);
  value.assign(place_of(states), 0);
  logits.assign(place_of(states * states), 0);
  for (int64_t state = 0; state < states; ++state) {
    const size_t row = place_of(state) * wide, bit = state < length ? 0 : 1, place = place_of(state % length);
    for (size_t i = 0; i < wide; ++i) {
      embedded[row + i] = parts.token[bit * wide + i] + parts.place[place * wide + i];
    }
    const std::span<const double> from(embedded.data() + row, wide);
    add_product(parts.query, from, {query.data() + row, wide});
    add_product(parts.key, from, {key.data() + row, wide});
    add_product(parts.value, from, {value.data() + state, 1});
  }
  const double scale = 1 / std::sqrt(static_cast<double>(wide));
  for (int64_t a = 0; a < states; ++a) {
    for (int64_t c = 0; c < states; ++c) {
      double sum = 0;
      for (size_t i = 0; i < wide; ++i) {
        sum += query[place_of(a) * wide + i] * key[place_of(c) * wide + i];
      }
      logits[place_of(a * states + c)] = scale * sum;
    }
  }
}

std::unique_ptr<ModelStep> self_attention_step(const SelfAttentionModel& model, const BitPatterns& inputs) {
  return std::make_unique<SelfAttentionStep>(model, inputs);
}

} // namespace mneme::training
