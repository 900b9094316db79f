// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "mneme/memory/separation.h"
#include "mneme/memory/similarity.h"
#include "mneme/theory/attention_head.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr int64_t kSizeMax = 100'000;
constexpr double kTolerance = 1e-9;
constexpr double kSingle = 1e-6; // attention_row takes single precision

/// Rows of equal length: rows [count][size].
RealPatterns rows_of(const GoldenValue& golden, int64_t count, int64_t size) {
  RealPatterns rows(count, size);
  for (int64_t i = 0; i < count; ++i) {
    const GoldenValue row = golden.at(static_cast<size_t>(i));
    if (static_cast<int64_t>(row.size()) != size) {
      row.fail(std::to_string(size) + " numbers");
    }
    for (int64_t j = 0; j < size; ++j) {
      rows[i][static_cast<size_t>(j)] = row.at(static_cast<size_t>(j)).number();
    }
  }
  return rows;
}

double norm(std::span<const double> numbers) {
  return std::sqrt(std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
}

/// The mean of the two middle numbers if there is an even number of them.
double median(std::vector<double> numbers) {
  std::ranges::sort(numbers);
  const size_t half = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

void expect_row(Checker& checker, const GoldenValue& expected, std::span<const double> actual) {
  for (size_t i = 0; i < actual.size(); ++i) {
    checker.near(expected.at(i), actual[i], kTolerance * (1 + std::abs(actual[i])));
  }
}

/// Scores, weights and betas of the last query, for every head of a layer.
void check_case(const GoldenValue& golden, Checker& checker) {
  const int64_t heads = golden.at("heads").integer_between(1, kSizeMax),
                tokens = golden.at("seq").integer_between(1, kSizeMax),
                size = golden.at("head_dim").integer_between(1, kSizeMax);
  const auto count = static_cast<size_t>(heads), length = static_cast<size_t>(tokens);
  const GoldenValue keys = golden.list("keys", count), values = golden.list("values", count),
                    inputs = golden.list("softmax_inputs", count), weights = golden.list("attention", count),
                    norms = golden.list("value_norms", count), maxima = golden.list("head_max", count);
  const RealPatterns queries = rows_of(golden.list("last_query", count), heads, size);
  std::vector<double> betas;
  for (size_t head = 0; head < count; ++head) {
    const auto i = static_cast<int64_t>(head);
    for (const GoldenValue* list : {&keys, &values, &inputs, &weights, &norms}) {
      if (list->at(head).size() != length) {
        list->at(head).fail("one item for each token");
      }
    }
    Scores scores = similarity(slice(queries, i, i + 1), rows_of(keys.at(head), tokens, size), Dot{});
    for (double& score : scores.values[0]) {
      score /= std::sqrt(static_cast<double>(size));
    }
    const std::span<const double> of_head = scores.values[0];
    expect_row(checker, inputs.at(head), of_head);
    expect_row(checker, weights.at(head), separate(scores, Softmax{1})[0]);
    const RealPatterns of_values = rows_of(values.at(head), tokens, size);
    for (int64_t token = 0; token < tokens; ++token) {
      const double length_of_value = norm(of_values[token]);
      checker.near(norms.at(head).at(static_cast<size_t>(token)), length_of_value,
                   kTolerance * (1 + length_of_value));
    }
    betas.push_back(std::ranges::max(of_head));
    checker.near(maxima.at(head), betas.back(), kTolerance * (1 + std::abs(betas.back())));
    const std::vector<float> single(of_head.begin(), of_head.end());
    const theory::AttentionRow row = theory::attention_row(single, std::vector<float>(length, 0));
    checker.near(maxima.at(head), row.beta, kSingle * (1 + std::abs(row.beta)));
  }
  const GoldenValue summary = golden.at("layer_summary");
  const double sum = std::accumulate(betas.begin(), betas.end(), 0.0), largest = std::ranges::max(betas);
  const auto near = [&](const char* key, double actual) {
    checker.near(summary.at(key), actual, kTolerance * (1 + std::abs(actual)));
  };
  near("mean", sum / static_cast<double>(heads));
  near("median", median(betas));
  near("max", largest);
}

} // namespace

/// Effective betas of attention heads, with all that they are computed from.
void run_effective_beta(const GoldenValue& file, Checker& checker) {
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
}

} // namespace mneme::verify
