// SPDX-License-Identifier: MIT

#include "ops/matrix_product.h"

#include <algorithm>
#include <atomic>

#include <ATen/Functions.h>

#include "kernels/bfloat16_linear/bfloat16_linear.h"
#include "kernels/gelu/gelu.h"
#include "kernels/int8_linear/int8_linear.h"
#include "kernels/linear/linear.h"
#include "mneme/core/assert.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/backend.h"
#include "mneme/ops/linear.h"
#include "ops/huge_pages.h"
#include "ops/row_chunks.h"

namespace mneme::ops {
namespace {

std::atomic<LinearBackend> chosen_backend{LinearBackend::automatic};
thread_local ProductPrecision precision_of_thread = ProductPrecision::float32;

template <class T> using Kernel = void (*)(const kernels::LinearArgs<T>&);

/// The kernel for the precision of this thread. Workers do not have it, so it is read before work is divided.
template <class T> Kernel<T> kernel_of_thread() {
  if constexpr (std::is_same_v<T, float>) {
    if (precision_of_thread == ProductPrecision::bfloat16) {
      return kernels::bfloat16_linear;
    }
  }
  return kernels::linear;
}

// A tile of the result is computed by one thread. The kernel packs the columns of b once per tile, which
// takes as long as 5 to 20 rows of products, so tiles have many rows. 6 rows are a register block.
constexpr int64_t kTileColumns = 256, kColumnsOfPanel = 64, kMinTileRows = 6 * 32, kMaxTileRows = 6 * 344;
constexpr int64_t kMinTiles = 8, kMinTilesPerThread = 4; // if there are enough rows
constexpr int64_t kMinRowsOfThread = 6 * 5;              // of tiles of which each thread has one
// Products that take less than about 20 us are not divided. To read or write an element takes as long as some
// multiply-adds; products of few rows take their time for that.
constexpr int64_t kMinProducts = int64_t{1} << 20, kProductsPerElement = 8;
constexpr int64_t kFewRows = 12; // for which the kernel packs no columns, or uses them once
// Rows of a chunk of multiply_transposed, at least: its result is written once and read once more. Bits
// depend on the number of chunks, and that on the number of tiles, so neither depends on the threads.
constexpr int64_t kMinChunkRows = 512, kTileRowsOfChunk = 6 * 86, kMinTileRowsOfChunk = 6 * 11;

/// Division of a result into tiles. Bits do not depend on it, since every element is a sum of its own.
struct Tiles {
  int64_t rows, columns, tile_rows, tile_columns;

  /// A single tile.
  Tiles(int64_t num_rows, int64_t num_columns)
      : rows(num_rows), columns(num_columns), tile_rows(std::max<int64_t>(rows, 1)),
        tile_columns(std::max<int64_t>(columns, 1)) {}

  Tiles(int64_t num_rows, int64_t num_columns, int64_t inner) : Tiles(num_rows, num_columns) {
    if (!is_divided(inner)) {
      return;
    }
    tile_columns = kTileColumns;
    const int64_t target_tiles = std::max<int64_t>(kMinTiles, kMinTilesPerThread * threads());
    const int64_t target_rows = std::clamp(rows * across() / target_tiles, kMinTileRows, kMaxTileRows);
    divide_rows(std::max<int64_t>(1, (rows + target_rows / 2) / target_rows)); // no small remainder
    if (rows <= kFewRows) {
      divide_columns(threads() == 1 ? 1 : std::min<int64_t>(kMinTiles, 2 * threads()), kTileColumns, columns);
    } else if (down() == 1 && threads() > 1) { // columns are packed once, however they are divided
      divide_columns(kMinTilesPerThread * threads(), kColumnsOfPanel, kTileColumns);
    }
    if (count() < threads()) { // smaller tiles, for a tile per thread
      divide_rows(std::max<int64_t>(down(), std::min(threads() / across(), rows / kMinRowsOfThread)));
    }
  }
  /// Whether a product over `inner` elements is worth dividing.
  bool is_divided(int64_t inner) const {
    const int64_t elements = rows * inner + inner * columns + rows * columns;
    return rows * columns > (kMinProducts - kProductsPerElement * elements) / std::max<int64_t>(inner, 1);
  }
  /// Divides the rows into about `parts` tiles of the same number of rows, at least `min_rows`.
  void divide_rows(int64_t parts, int64_t min_rows = 0) {
    tile_rows = std::max(((rows + parts - 1) / parts + 5) / 6 * 6, min_rows);
  }
  /// Divides the columns into about `parts` tiles of `min_columns` to `max_columns`.
  void divide_columns(int64_t parts, int64_t min_columns, int64_t max_columns) {
    const int64_t part =
        ((columns + parts - 1) / parts + kColumnsOfPanel - 1) / kColumnsOfPanel * kColumnsOfPanel;
    tile_columns = std::clamp(part, min_columns, std::max(min_columns, max_columns));
  }
  int64_t across() const { return (columns + tile_columns - 1) / tile_columns; }
  int64_t down() const { return (rows + tile_rows - 1) / tile_rows; }
  int64_t count() const { return across() * down(); }

  /// The product of tile `index` alone.
  template <class T> kernels::LinearArgs<T> tile(kernels::LinearArgs<T> args, int64_t index) const {
    const int64_t row = first_row(index), column = first_column(index);
    args.rows = std::min(tile_rows, rows - row);
    args.columns = std::min(tile_columns, columns - column);
    args.a += row * args.a_row;
    args.b += column * args.b_column;
    args.out += row * args.out_row + column;
    args.bias = args.bias == nullptr ? nullptr : args.bias + column;
    return args;
  }
  kernels::Int8LinearArgs tile(kernels::Int8LinearArgs args, int64_t index) const {
    const int64_t row = first_row(index), column = first_column(index);
    args.rows = std::min(tile_rows, rows - row);
    args.columns = std::min(tile_columns, columns - column);
    args.a += row * args.inner;
    args.a_scales += row;
    args.b += column * (args.inner + kernels::kInt8ScaleBytes);
    args.out += row * args.out_row + column;
    args.bias = args.bias == nullptr ? nullptr : args.bias + column;
    return args;
  }

private:
  int64_t first_row(int64_t index) const { return index / across() * tile_rows; }
  int64_t first_column(int64_t index) const { return index % across() * tile_columns; }
};

template <class T>
kernels::LinearArgs<T> args_of(const at::Tensor& a, const at::Tensor& b, T* out, const T* bias,
                               bool accumulate) {
  kernels::LinearArgs<T> args{.a = a.const_data_ptr<T>(),
                              .a_row = a.stride(0),
                              .a_inner = a.stride(1),
                              .b = b.const_data_ptr<T>(),
                              .b_inner = b.stride(0),
                              .b_column = b.stride(1),
                              .out = out,
                              .out_row = b.size(1),
                              .rows = a.size(0),
                              .columns = b.size(1),
                              .inner = a.size(1),
                              .bias = bias,
                              .accumulate = accumulate};
  args.few_rows = kernels::is_few_rows(args);
  return args;
}

/// Calls finish(tile) for each tile, on the thread that has computed it.
template <class T, class Finish>
void multiply_tiles(const at::Tensor& a, const at::Tensor& b, at::Tensor& out, const at::Tensor& bias,
                    bool accumulate, const Finish& finish) {
  const at::Tensor bias_row = bias.defined() ? bias.contiguous() : bias;
  const auto args = args_of<T>(a, b, out.mutable_data_ptr<T>(),
                               bias.defined() ? bias_row.const_data_ptr<T>() : nullptr, accumulate);
  // One thread packs b once for all rows.
  const Tiles tiles =
      in_parallel_loop() ? Tiles(args.rows, args.columns) : Tiles(args.rows, args.columns, args.inner);
  const Kernel<T> kernel = kernel_of_thread<T>();
  parallel_for(tiles.count(), 1, [&](int64_t begin, int64_t) {
    const kernels::LinearArgs<T> tile = tiles.tile(args, begin);
    kernel(tile);
    finish(tile);
  });
}

template <class T>
void multiply_tiles(const at::Tensor& a, const at::Tensor& b, at::Tensor& out, const at::Tensor& bias,
                    bool accumulate) {
  multiply_tiles<T>(a, b, out, bias, accumulate, [](const kernels::LinearArgs<T>&) {});
}

/// GELU of a tile in place, or from its product to `outputs`.
template <class T>
void gelu_of_tile(T* product, T* outputs, T* derivatives, int64_t rows, int64_t columns, int64_t row_stride,
                  GeluForm form) {
  kernels::gelu(kernels::GeluArgs<T>{.x = product,
                                     .outputs = outputs,
                                     .derivatives = derivatives,
                                     .rows = rows,
                                     .columns = columns,
                                     .row_stride = row_stride,
                                     .tanh_form = form == GeluForm::tanh});
}

template <class T>
void multiply_gelu_tiles(const at::Tensor& a, const at::Tensor& b, at::Tensor& out, at::Tensor& derivative,
                         const at::Tensor& bias, GeluForm form) {
  at::Tensor& product = derivative.defined() ? derivative : out; // GELU replaces it in place
  const T* first = product.const_data_ptr<T>();
  T* outputs = out.mutable_data_ptr<T>();
  multiply_tiles<T>(a, b, product, bias, false, [&](const kernels::LinearArgs<T>& tile) {
    gelu_of_tile(tile.out, outputs + (tile.out - first), derivative.defined() ? tile.out : nullptr, tile.rows,
                 tile.columns, tile.out_row, form);
  });
}

/// Calls finish(tile) for each tile, as multiply_tiles.
template <class Finish>
void multiply_int8_tiles(const at::Tensor& x, const at::Tensor& matrix, at::Tensor& out,
                         const at::Tensor& bias, const Finish& finish) {
  MNEME_ASSERT(out.is_contiguous() && matrix.is_contiguous() && x.scalar_type() == at::kFloat);
  const at::Tensor rows = x.stride(1) == 1 ? x : x.contiguous(),
                   bias_row = bias.defined() ? bias.contiguous() : bias,
                   quantised = at::empty(rows.sizes(), rows.options().dtype(at::kShort)),
                   scales = at::empty({rows.size(0)}, rows.options());
  constexpr int64_t kRowsPerTask = 32;
  parallel_for(rows.size(0), kRowsPerTask, [&](int64_t begin, int64_t end) {
    kernels::quantise_rows({.x = rows.const_data_ptr<float>() + begin * rows.stride(0),
                            .x_row = rows.stride(0),
                            .quantised = quantised.mutable_data_ptr<int16_t>() + begin * rows.size(1),
                            .scales = scales.mutable_data_ptr<float>() + begin,
                            .rows = end - begin,
                            .inner = rows.size(1)});
  });
  const kernels::Int8LinearArgs args = {.a = quantised.const_data_ptr<int16_t>(),
                                        .a_scales = scales.const_data_ptr<float>(),
                                        .b = matrix.const_data_ptr<int8_t>(),
                                        .out = out.mutable_data_ptr<float>(),
                                        .out_row = out.size(1),
                                        .rows = rows.size(0),
                                        .columns = out.size(1),
                                        .inner = rows.size(1),
                                        .bias =
                                            bias_row.defined() ? bias_row.const_data_ptr<float>() : nullptr};
  const Tiles tiles(args.rows, args.columns, args.inner);
  parallel_for(tiles.count(), 1, [&](int64_t begin, int64_t) {
    const kernels::Int8LinearArgs tile = tiles.tile(args, begin);
    kernels::int8_linear(tile);
    finish(tile);
  });
}

template <class T> at::Tensor multiply_chunks(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor rows_of_result = a.t();
  const int64_t size = rows_of_result.size(0) * b.size(1);
  Tiles tiles(rows_of_result.size(0), b.size(1));
  const bool is_divided = tiles.is_divided(b.size(0));
  if (is_divided) {
    tiles.tile_rows = kTileRowsOfChunk;
    tiles.tile_columns = kTileColumns;
  }
  const RowChunks chunks(b.size(0), std::max<int64_t>(1, kTargetChunks / std::max<int64_t>(1, tiles.count())),
                         kMinChunkRows);
  const int64_t tasks = chunks.num_chunks * tiles.count();
  if (is_divided && tasks < threads()) { // smaller tiles, for a task per thread
    tiles.divide_rows((threads() * tiles.down() + tasks - 1) / tasks, kMinTileRowsOfChunk);
  }
  at::Tensor partials =
      empty_on_huge_pages({chunks.num_chunks, rows_of_result.size(0), b.size(1)}, b.options());
  const Kernel<T> kernel = kernel_of_thread<T>();
  const auto args = args_of<T>(rows_of_result, b, partials.mutable_data_ptr<T>(), nullptr, false);
  parallel_for(chunks.num_chunks * tiles.count(), 1, [&](int64_t begin, int64_t) {
    const int64_t chunk = begin / tiles.count(), first = chunks.begin(chunk);
    kernels::LinearArgs<T> rows = args;
    rows.a += first * rows.a_inner;
    rows.b += first * rows.b_inner;
    rows.out += chunk * size;
    rows.inner = chunks.end(chunk) - first;
    kernel(tiles.tile(rows, begin % tiles.count()));
  });
  return sum_partials<T>(partials);
}

} // namespace

void set_linear_backend(LinearBackend backend) {
  chosen_backend = backend;
}

LinearBackend linear_backend() {
  return chosen_backend;
}

ProductPrecisionGuard::ProductPrecisionGuard(ProductPrecision precision) : before_(precision_of_thread) {
  precision_of_thread = precision;
}
ProductPrecisionGuard::~ProductPrecisionGuard() {
  precision_of_thread = before_;
}
ProductPrecision product_precision() {
  return precision_of_thread;
}

bool uses_linear_kernel(const at::Tensor& tensor) {
  return has_kernel(tensor) && linear_backend() != LinearBackend::libtorch;
}

void multiply(const at::Tensor& a, const at::Tensor& b, at::Tensor out, const at::Tensor& bias,
              bool accumulate) {
  MNEME_ASSERT(out.is_contiguous());
  if (!uses_linear_kernel(a)) {
    if (accumulate) {
      out.addmm_(a, b);
    } else {
      at::mm_out(out, a, b);
    }
    if (bias.defined()) {
      out.add_(bias);
    }
  } else if (a.scalar_type() == at::kDouble) {
    multiply_tiles<double>(a, b, out, bias, accumulate);
  } else {
    multiply_tiles<float>(a, b, out, bias, accumulate);
  }
}

void multiply_gelu(const at::Tensor& a, const at::Tensor& b, at::Tensor out, at::Tensor derivative,
                   const at::Tensor& bias, GeluForm form) {
  MNEME_ASSERT(uses_linear_kernel(a) && out.is_contiguous());
  if (a.scalar_type() == at::kDouble) {
    multiply_gelu_tiles<double>(a, b, out, derivative, bias, form);
  } else {
    multiply_gelu_tiles<float>(a, b, out, derivative, bias, form);
  }
}

void multiply_int8(const at::Tensor& x, const at::Tensor& matrix, at::Tensor out, const at::Tensor& bias) {
  multiply_int8_tiles(x, matrix, out, bias, [](const kernels::Int8LinearArgs&) {});
}

void multiply_int8_gelu(const at::Tensor& x, const at::Tensor& matrix, at::Tensor out, const at::Tensor& bias,
                        GeluForm form) {
  multiply_int8_tiles(x, matrix, out, bias, [form](const kernels::Int8LinearArgs& tile) {
    gelu_of_tile<float>(tile.out, tile.out, nullptr, tile.rows, tile.columns, tile.out_row, form);
  });
}

void sum_rows(const at::Tensor& a, const at::Tensor& out, bool accumulate) {
  MNEME_ASSERT(uses_linear_kernel(a) && out.is_contiguous());
  const ProductPrecisionGuard exact(ProductPrecision::float32);
  multiply(at::ones({1, 1}, a.options()).expand({1, a.size(0)}), a, out.unsqueeze(0), {}, accumulate);
}

at::Tensor multiply_transposed(const at::Tensor& a, const at::Tensor& b) {
  if (!uses_linear_kernel(a)) {
    return at::mm(a.t(), b);
  }
  return a.scalar_type() == at::kDouble ? multiply_chunks<double>(a, b) : multiply_chunks<float>(a, b);
}

} // namespace mneme::ops
