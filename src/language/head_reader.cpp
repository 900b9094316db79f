// SPDX-License-Identifier: MIT

#include "mneme/language/head_reader.h"

#include <cmath>
#include <limits>
#include <span>

#include <ATen/Functions.h>
#include <c10/util/StringUtil.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::language {
namespace {

using theory::AttentionRow;
using theory::HeadReading;

std::span<const float> row_of(const at::Tensor& rows, int64_t head) {
  return {rows.const_data_ptr<float>() + head * rows.size(1), static_cast<size_t>(rows.size(1))};
}

std::vector<float> copy_of(std::span<const float> row) {
  return {row.begin(), row.end()};
}

/// Evenly spaced positions of [tokens / 2, tokens), the last one included.
std::vector<int64_t> positions_of(int64_t tokens, int64_t count) {
  const int64_t first = tokens / 2, available = tokens - first;
  count = std::min(count, available);
  std::vector<int64_t> positions;
  for (int64_t i = 1; i <= count; ++i) {
    positions.push_back(first + i * available / count - 1);
  }
  return positions;
}

/// Sums over the queries of one head.
struct Sums {
  double keys = 0, keys_90 = 0, entropy = 0, query_norm = 0, beta = 0, r_squared = 0;
  int64_t queries = 0, fits = 0;

  void add(const AttentionRow& row, double norm) {
    ++queries;
    keys += static_cast<double>(row.keys);
    keys_90 += static_cast<double>(row.keys_90);
    entropy += row.entropy;
    query_norm += norm;
    if (std::isfinite(row.regressed_beta)) {
      ++fits;
      beta += row.regressed_beta;
      r_squared += row.r_squared;
    }
  }

  void write_means(HeadReading& head) const {
    const auto count = static_cast<double>(queries);
    head.keys = keys / count;
    head.keys_90 = keys_90 / count;
    head.entropy = entropy / count;
    head.query_norm = query_norm / count;
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    head.regressed_beta = fits > 0 ? beta / static_cast<double>(fits) : kNone;
    head.r_squared = fits > 0 ? r_squared / static_cast<double>(fits) : kNone;
    head.kind = theory::fixed_point(head.keys_90, head.keys);
  }
};

} // namespace

HeadReader::HeadReader(int64_t queries) : queries_(queries) {
  if (queries < 1) {
    throw UsageError(c10::str("HeadReader: queries is ", queries,
                              ", but must be at least 1.\n  The last "
                              "query is always one of them."));
  }
}

void HeadReader::operator()(const nn::AttentionView& attention) {
  if (attention.query.size(0) != 1) {
    throw UsageError(c10::str("HeadReader: the batch has ", attention.query.size(0),
                              " texts, but must have one.\n  Run the model on one text at a time."));
  }
  throw_if_interrupted();
  const at::NoGradGuard no_gradient;
  const int64_t tokens = attention.query.size(2), num_heads = attention.query.size(1);
  const auto as_floats = [](const at::Tensor& tensor) {
    return tensor[0].to(at::kCPU, at::kFloat).contiguous();
  };
  const at::Tensor query_norms = as_floats(attention.query.norm(2, -1)),
                   key_norms = as_floats(attention.key.norm(2, -1)),
                   value_norms = as_floats(attention.value.norm(2, -1)), mean_key_norms = key_norms.mean(-1);
  std::vector<Sums> sums(static_cast<size_t>(num_heads));
  for (const int64_t position : positions_of(tokens, queries_)) {
    const at::Tensor scores = as_floats(attention.scores(position, position + 1)).squeeze(1);
    const at::Tensor norms = query_norms.slice(1, position, position + 1) * key_norms * attention.scale;
    const at::Tensor cosines = scores / norms.clamp_min(std::numeric_limits<float>::min());
    const bool is_last = position == tokens - 1;
    const at::Tensor weights = is_last ? at::softmax(scores, -1) : at::Tensor();
    for (int64_t h = 0; h < num_heads; ++h) {
      const AttentionRow row = theory::attention_row(row_of(scores, h), row_of(cosines, h));
      Sums& sum = sums[static_cast<size_t>(h)];
      sum.add(row, query_norms.const_data_ptr<float>()[h * tokens + position]);
      if (is_last) {
        HeadReading head{.layer = attention.layer,
                         .head = h,
                         .last = row,
                         .key_norm = mean_key_norms.const_data_ptr<float>()[h],
                         .scores = copy_of(row_of(scores, h)),
                         .weights = copy_of(row_of(weights, h)),
                         .value_norms = copy_of(row_of(value_norms, h))};
        sum.write_means(head);
        heads_.push_back(std::move(head));
      }
    }
  }
}

double averaging_entropy(int64_t tokens, int64_t queries) {
  double sum = 0;
  const std::vector<int64_t> positions = positions_of(tokens, queries);
  for (const int64_t position : positions) {
    sum += std::log(static_cast<double>(position + 1));
  }
  return sum / static_cast<double>(positions.size());
}

} // namespace mneme::language
