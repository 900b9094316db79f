// SPDX-License-Identifier: MIT

#include "mneme/ops/int8_matrix.h"

#include <algorithm>
#include <limits>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "kernels/int8_linear/int8_linear.h"
#include "ops/huge_pages.h"
#include "ops/int8_checks.h"

namespace mneme::ops {
namespace {

const Checks kChecks("to_int8_matrix"), kRowChecks("int8_matrix_rows");

constexpr int64_t kElementsAtOnce = int64_t{1} << 20; // limits the memory of intermediate results

/// Scales [N, 1] as bytes [N, 4], or the inverse.
at::Tensor as_type(const at::Tensor& scales, at::ScalarType type) {
  return scales.contiguous().view(type);
}

} // namespace

bool is_int8_matrix(const at::Tensor& tensor) {
  return tensor.defined() && tensor.scalar_type() == at::kChar;
}

void check_int8_product(const Checks& checks, const Checks::Named& x, const Checks::Named& matrix,
                        const Checks::Named& bias) {
  checks.defined(x, "..., features");
  checks.dimensions(matrix, 2, "outputs, features + 4", "It is an int8 matrix, from to_int8_matrix.");
  for (const Checks::Named& numbers : {x, bias}) {
    if (numbers.tensor.defined() &&
        (numbers.tensor.scalar_type() != at::kFloat || !numbers.tensor.device().is_cpu())) {
      checks.fail(c10::str(numbers.name, " is of type ", numbers.tensor.scalar_type(), " on ",
                           numbers.tensor.device(), ", but with an int8 ", matrix.name,
                           " it must be of type Float on the CPU."),
                  "Use a float weight for other types and devices.");
    }
    if (at::GradMode::is_enabled() && numbers.tensor.defined() && numbers.tensor.requires_grad()) {
      checks.fail(c10::str(numbers.name, " requires a gradient, but ", matrix.name,
                           " is an int8 matrix, which is for inference only."),
                  "Use a float weight, or a NoGradGuard.");
    }
  }
  checks.same_device(x, matrix);
  if (x.tensor.dim() == 0) {
    checks.fail(c10::str(x.name, " is a single number."), "Its last dimension must have the features.");
  }
  if (x.tensor.size(-1) + kernels::kInt8ScaleBytes != matrix.tensor.size(1)) {
    checks.fail(c10::str(matrix.name, " is an int8 matrix of ",
                         matrix.tensor.size(1) - kernels::kInt8ScaleBytes, " features (shape ",
                         matrix.tensor.sizes(), ") but ", x.name, " has ",
                         Checks::size_text(x, x.tensor.dim() - 1, "features"), "."),
                "A row of an int8 matrix has one number per feature of x, and 4 bytes of scale.");
  }
  if (!matrix.tensor.is_contiguous()) {
    checks.fail(c10::str(matrix.name, " is an int8 matrix with strides ", matrix.tensor.strides(), "."),
                "An int8 matrix must be contiguous: transpose before to_int8_matrix.");
  }
  if (bias.tensor.defined()) {
    checks.dimensions(bias, 1, "outputs", "It has one number per output.");
    checks.same_size(matrix, 0, bias, 0, "outputs", "bias has one number per row of the matrix.");
  }
}

at::Tensor to_int8_matrix(const at::Tensor& weight) {
  const Checks::Named matrix{"weight", weight};
  kChecks.dimensions(matrix, 2, "outputs, features", "It is the weight of a linear layer or embedding.");
  if (weight.scalar_type() != at::kFloat || !weight.device().is_cpu()) {
    kChecks.fail(c10::str("weight is of type ", weight.scalar_type(), " on ", weight.device(),
                          ", but must be of type Float on the CPU."),
                 "Convert it first.");
  }
  const at::NoGradGuard no_gradient;
  const int64_t rows = weight.size(0), features = weight.size(1);
  const at::Tensor result = empty_on_huge_pages({rows, features + kernels::kInt8ScaleBytes},
                                                weight.options().dtype(at::kChar).requires_grad(false));
  const int64_t step = std::max<int64_t>(1, kElementsAtOnce / std::max<int64_t>(1, features));
  for (int64_t first = 0; first < rows; first += step) {
    const at::Tensor part = weight.slice(0, first, std::min(first + step, rows)).contiguous(),
                     to = result.slice(0, first, first + part.size(0));
    at::Tensor scale = at::zeros({part.size(0), 1}, part.options());
    if (features > 0) {
      const at::Tensor max = part.abs().amax(1, true); // NaN if the row has one
      if (!max.isfinite().all().item<bool>()) {
        kChecks.fail("weight has numbers that are not finite.", "Use weights from before training diverged.");
      }
      scale = max / kernels::kInt8Max;
      scale.masked_fill_(max < kernels::kMinRowMax, 0);
    }
    const at::Tensor divisor = scale.masked_fill(scale == 0, std::numeric_limits<float>::infinity());
    to.narrow(1, 0, features).copy_(at::round(part / divisor).clamp_(-kernels::kInt8Max, kernels::kInt8Max));
    to.narrow(1, features, kernels::kInt8ScaleBytes).copy_(as_type(scale, at::kChar));
  }
  return result;
}

at::Tensor int8_matrix_rows(const at::Tensor& matrix, const at::Tensor& ids) {
  const Checks::Named table{"matrix", matrix};
  kRowChecks.dimensions(table, 2, "rows, features + 4", "Use to_int8_matrix.");
  if (!is_int8_matrix(matrix) || matrix.size(1) < kernels::kInt8ScaleBytes) {
    kRowChecks.fail(c10::str("matrix is of type ", matrix.scalar_type(), " and shape ", matrix.sizes(),
                             ", which is not an int8 matrix."),
                    "Use to_int8_matrix.");
  }
  const at::Tensor rows = matrix.index_select(0, ids.flatten());
  const int64_t features = matrix.size(1) - kernels::kInt8ScaleBytes;
  const at::Tensor numbers =
      rows.narrow(1, 0, features).to(at::kFloat) * as_type(rows.narrow(1, features, 4), at::kFloat);
  std::vector<int64_t> shape = ids.sizes().vec();
  shape.push_back(features);
  return numbers.view(shape);
}

} // namespace mneme::ops
