// SPDX-License-Identifier: MIT

#include "mneme/ops/encode.h"

#include <array>
#include <cmath>

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/dot/dot.h"
#include "kernels/weighted_sum/weighted_sum.h"
#include "mneme/core/parallel.h"
#include "ops/checks.h"
#include "ops/row_chunks.h"

namespace mneme::ops {
namespace {

const Checks kChecks("encode");
constexpr int64_t kMinRowsPerChunk = 1024; // each chunk costs a partial gradient of the matrix

void check(const at::Tensor& patterns, const at::Tensor& matrix) {
  const Checks::Named p{"patterns", patterns}, m{"matrix", matrix};
  for (const auto& [input, needed] :
       {std::pair(p, "patterns, features"), std::pair(m, "encoded, features")}) {
    kChecks.dimensions(input, 2, needed, "Flatten each image to one row.");
  }
  if (matrix.scalar_type() != at::kFloat && matrix.scalar_type() != at::kDouble) {
    kChecks.fail(c10::str("matrix is of type ", matrix.scalar_type(), ", Float or Double is needed."),
                 "Convert it first.");
  }
  if (patterns.scalar_type() != at::kByte) {
    kChecks.same_type(m, p);
  }
  kChecks.same_device(m, p);
  kChecks.same_size(m, 1, p, 1, "features", "The matrix needs one column per feature.");
  kChecks.not_empty(m, 0, "rows", "Each row computes one encoded feature.");
}

struct Encoded {
  at::Tensor rows;            ///< [N, e]
  at::Tensor inverse_lengths; ///< [N]; 0 where the length is 0
};

template <class T> void forward(const at::Tensor& patterns, const at::Tensor& matrix, const Encoded& to) {
  const int64_t count = patterns.size(0), features = patterns.size(1), encoded = matrix.size(0);
  parallel_for(count, kMinRowsPerChunk, [&](int64_t begin, int64_t end) {
    RowReader<T> reader(patterns, features);
    const int64_t rows = end - begin;
    // The rows of the matrix are the queries of the kernel: they are few, and fill its lanes.
    std::vector<T> columns(static_cast<size_t>(encoded * rows));
    kernels::dot(kernels::DotArgs<T>{.queries = matrix.const_data_ptr<T>(),
                                     .stored = reader.read(begin, rows),
                                     .scores = columns.data(),
                                     .num_queries = encoded,
                                     .num_stored = rows,
                                     .size = features});
    std::vector<double> squares(static_cast<size_t>(rows), 0.0);
    for (int64_t e = 0; e < encoded; ++e) {
      for (int64_t r = 0; r < rows; ++r) {
        const auto x = static_cast<double>(columns[static_cast<size_t>(e * rows + r)]);
        squares[static_cast<size_t>(r)] += x * x;
      }
    }
    T* inverse = to.inverse_lengths.mutable_data_ptr<T>() + begin;
    T* out = to.rows.mutable_data_ptr<T>() + begin * encoded;
    for (int64_t r = 0; r < rows; ++r) {
      const double square = squares[static_cast<size_t>(r)];
      inverse[r] = static_cast<T>(square == 0 ? 0.0 : 1 / std::sqrt(square));
      for (int64_t e = 0; e < encoded; ++e) {
        out[r * encoded + e] = columns[static_cast<size_t>(e * rows + r)] * inverse[r];
      }
    }
  });
}

/// Backward pass of the normalisation: gradient of the projected rows. The component of d_rows along a row
/// has no effect.
template <class T>
void normalise_gradient(const T* d_rows, const T* rows, const T* inverse_lengths, int64_t count,
                        int64_t encoded, T* to) {
  for (int64_t r = 0; r < count; ++r, d_rows += encoded, rows += encoded, to += encoded) {
    double along = 0;
    for (int64_t e = 0; e < encoded; ++e) {
      along += static_cast<double>(d_rows[e]) * static_cast<double>(rows[e]);
    }
    for (int64_t e = 0; e < encoded; ++e) {
      to[e] = (d_rows[e] - static_cast<T>(along) * rows[e]) * inverse_lengths[r];
    }
  }
}

/// d_patterns and d_matrix; undefined where not needed.
template <class T>
std::array<at::Tensor, 2> backward(const at::Tensor& d_rows, const at::Tensor& patterns,
                                   const at::Tensor& matrix, const Encoded& saved, bool needs_patterns,
                                   bool needs_matrix) {
  const int64_t count = patterns.size(0), features = patterns.size(1), encoded = matrix.size(0);
  const RowChunks chunks(count, kTargetChunks, kMinRowsPerChunk);
  const at::Tensor d_patterns = needs_patterns ? at::zeros_like(patterns) : at::Tensor();
  const at::Tensor d_matrix =
      needs_matrix ? at::zeros({chunks.num_chunks, encoded, features}, matrix.options()) : at::Tensor();
  parallel_for(chunks.num_chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      RowReader<T> reader(patterns, features);
      const int64_t rows_per_step = std::min(chunks.chunk_size, kMinRowsPerChunk);
      std::vector<T> d_raw(static_cast<size_t>(rows_per_step * encoded)), columns(d_raw.size());
      for (int64_t first = chunks.begin(chunk); first < chunks.end(chunk); first += rows_per_step) {
        const int64_t rows = std::min(rows_per_step, chunks.end(chunk) - first);
        normalise_gradient(d_rows.const_data_ptr<T>() + first * encoded,
                           saved.rows.const_data_ptr<T>() + first * encoded,
                           saved.inverse_lengths.const_data_ptr<T>() + first, rows, encoded, d_raw.data());
        if (needs_patterns) {
          kernels::weighted_sum(
              kernels::WeightedSumArgs<T>{.weights = d_raw.data(),
                                          .values = matrix.const_data_ptr<T>(),
                                          .sums = d_patterns.mutable_data_ptr<T>() + first * features,
                                          .num_queries = rows,
                                          .num_stored = encoded,
                                          .value_size = features,
                                          .weight_stride = encoded});
        }
        if (needs_matrix) {
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t e = 0; e < encoded; ++e) {
              columns[static_cast<size_t>(e * rows + r)] = d_raw[static_cast<size_t>(r * encoded + e)];
            }
          }
          kernels::weighted_sum(
              kernels::WeightedSumArgs<T>{.weights = columns.data(),
                                          .values = reader.read(first, rows),
                                          .sums = d_matrix.mutable_data_ptr<T>() + chunk * encoded * features,
                                          .num_queries = encoded,
                                          .num_stored = rows,
                                          .value_size = features,
                                          .weight_stride = rows});
        }
      }
    }
  });
  return {d_patterns, needs_matrix ? sum_partials<T>(d_matrix) : at::Tensor()};
}

class Encode : public torch::autograd::Function<Encode> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& patterns,
                            const at::Tensor& matrix) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor p = patterns.contiguous(), m = matrix.contiguous();
    const Encoded encoded{at::empty({p.size(0), m.size(0)}, m.options()),
                          at::empty({p.size(0)}, m.options())};
    AT_DISPATCH_FLOATING_TYPES(m.scalar_type(), "mneme::encode",
                               [&] { ops::forward<scalar_t>(p, m, encoded); });
    context->save_for_backward({p, m, encoded.rows, encoded.inverse_lengths});
    return encoded.rows;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    std::array<at::Tensor, 2> d;
    AT_DISPATCH_FLOATING_TYPES(saved[1].scalar_type(), "mneme::encode", [&] {
      d = ops::backward<scalar_t>(gradients[0].contiguous(), saved[0], saved[1], {saved[2], saved[3]},
                                  context->needs_input_grad(0), context->needs_input_grad(1));
    });
    return {d[0], d[1]};
  }
};

/// In plain LibTorch: any device.
at::Tensor encode_plain(const at::Tensor& patterns, const at::Tensor& matrix) {
  const at::Tensor numbers =
      patterns.scalar_type() == at::kByte ? patterns.to(matrix.scalar_type()) / kPixelMax : patterns;
  const at::Tensor rows = at::linear(numbers, matrix), length = rows.norm(2, -1, true), zero = length == 0;
  return (rows / length.masked_fill(zero, 1)).masked_fill(zero, 0); // their gradient is 0 as well
}

} // namespace

at::Tensor encode(const at::Tensor& patterns, const at::Tensor& matrix) {
  check(patterns, matrix);
  if (!matrix.device().is_cpu()) {
    return encode_plain(patterns, matrix);
  }
  return Encode::apply(patterns, matrix);
}

} // namespace mneme::ops
