// SPDX-License-Identifier: MIT

#include "mneme/ops/layer_norm.h"

#include <algorithm>
#include <optional>

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/layer_norm/layer_norm.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/backend.h"
#include "ops/huge_pages.h"
#include "ops/row_chunks.h"

namespace mneme::ops {
namespace {

using OptionalTensor = std::optional<at::Tensor>; // undefined tensors are not inputs of a Function

OptionalTensor optional(const at::Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

/// Whether the kernel computes; at::layer_norm does otherwise, and refuses what does not match.
bool uses_kernel(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift) {
  const auto fits = [&](const at::Tensor& row) {
    return !row.defined() || (row.device() == x.device() && row.scalar_type() == x.scalar_type() &&
                              row.dim() == 1 && row.size(0) == x.size(-1));
  };
  return x.defined() && x.dim() > 0 && x.numel() > 0 && has_kernel(x) && fits(gain) && fits(shift) &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

template <class T> const T* data_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<T>() : nullptr;
}
template <class T> T* mutable_data_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr<T>() : nullptr;
}

at::Tensor contiguous(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

/// Rows that a thread takes at once.
int64_t rows_per_item(int64_t size) {
  constexpr int64_t kNumbers = 1 << 15;
  return std::max<int64_t>(1, kNumbers / size);
}

LayerNormed normed_by_kernel(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift,
                             double epsilon, bool with_statistics) {
  const at::Tensor rows = x.contiguous(), weight = contiguous(gain), bias = contiguous(shift);
  LayerNormed result{.output = empty_on_huge_pages(x.sizes(), x.options().requires_grad(false))};
  if (with_statistics) {
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = 1;
    result.mean = at::empty(shape, result.output.options());
    result.inverse_std = at::empty(shape, result.output.options());
  }
  const int64_t size = x.size(-1), count = x.numel() / size;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "mneme::layer_norm", [&] {
    const auto* from = rows.const_data_ptr<scalar_t>();
    auto* to = result.output.mutable_data_ptr<scalar_t>();
    auto *means = mutable_data_of<scalar_t>(result.mean),
         *inverse_stds = mutable_data_of<scalar_t>(result.inverse_std);
    parallel_for(count, rows_per_item(size), [&](int64_t begin, int64_t end) {
      kernels::layer_norm(kernels::LayerNormArgs<scalar_t>{
          .x = from + begin * size,
          .gain = data_of<scalar_t>(weight),
          .shift = data_of<scalar_t>(bias),
          .outputs = to + begin * size,
          .means = means == nullptr ? nullptr : means + begin,
          .inverse_stds = inverse_stds == nullptr ? nullptr : inverse_stds + begin,
          .rows = end - begin,
          .size = size,
          .epsilon = epsilon});
    });
  });
  return result;
}

LayerNormGradients gradients_by_kernel(const at::Tensor& d_output, const at::Tensor& x,
                                       const at::Tensor& gain, const LayerNormed& normed,
                                       std::array<bool, 3> needed) {
  const at::Tensor rows = x.contiguous(), d_rows = d_output.contiguous(), weight = contiguous(gain);
  const int64_t size = x.size(-1), count = x.numel() / size;
  const RowChunks chunks(count, needed[1] || needed[2] ? kTargetChunks : count, rows_per_item(size));
  LayerNormGradients result;
  if (needed[0]) {
    result.x = empty_on_huge_pages(x.sizes(), x.options().requires_grad(false));
  }
  const auto partials_if = [&](bool is_needed) {
    return is_needed ? at::zeros({chunks.num_chunks, size}, x.options().requires_grad(false)) : at::Tensor();
  };
  const at::Tensor d_gain = partials_if(needed[1]), d_shift = partials_if(needed[2]);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "mneme::layer_norm_backward", [&] {
    const auto *from = rows.const_data_ptr<scalar_t>(), *d_from = d_rows.const_data_ptr<scalar_t>(),
               *means = normed.mean.const_data_ptr<scalar_t>(),
               *inverse_stds = normed.inverse_std.const_data_ptr<scalar_t>();
    auto *d_x = mutable_data_of<scalar_t>(result.x), *gains = mutable_data_of<scalar_t>(d_gain),
         *shifts = mutable_data_of<scalar_t>(d_shift);
    const auto at = [](scalar_t* data, int64_t offset) { return data == nullptr ? data : data + offset; };
    parallel_for(chunks.num_chunks, 1, [&](int64_t first, int64_t last) {
      for (int64_t chunk = first; chunk < last; ++chunk) {
        const int64_t begin = chunks.begin(chunk);
        kernels::layer_norm_gradient(
            kernels::LayerNormGradientArgs<scalar_t>{.d_outputs = d_from + begin * size,
                                                     .x = from + begin * size,
                                                     .gain = data_of<scalar_t>(weight),
                                                     .means = means + begin,
                                                     .inverse_stds = inverse_stds + begin,
                                                     .d_x = at(d_x, begin * size),
                                                     .d_gain = at(gains, chunk * size),
                                                     .d_shift = at(shifts, chunk * size),
                                                     .rows = chunks.end(chunk) - begin,
                                                     .size = size});
      }
    });
    const auto total = [](const at::Tensor& partials) {
      return partials.defined() ? sum_partials<scalar_t>(partials) : partials;
    };
    result.gain = total(d_gain);
    result.shift = total(d_shift);
  });
  return result;
}

class LayerNormFunction : public torch::autograd::Function<LayerNormFunction> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const OptionalTensor& gain, const OptionalTensor& shift, double epsilon) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor weight = gain.value_or(at::Tensor()), bias = shift.value_or(at::Tensor());
    const LayerNormed normed = normed_by_kernel(x, weight, bias, epsilon, true);
    context->save_for_backward({x, weight, bias, normed.mean, normed.inverse_std});
    context->saved_data["epsilon"] = epsilon;
    return normed.output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const auto needs_grad = [](const at::Tensor& input) { return input.defined() && input.requires_grad(); };
    // The statistics are functions of x if this is differentiated again.
    const LayerNormed normed = at::GradMode::is_enabled()
                                   ? layer_norm_with_statistics(saved[0], saved[1], saved[2],
                                                                context->saved_data["epsilon"].toDouble())
                                   : LayerNormed{.mean = saved[3], .inverse_std = saved[4]};
    const LayerNormGradients d =
        layer_norm_backward(gradients[0], saved[0], saved[1], saved[2], normed,
                            {needs_grad(saved[0]), needs_grad(saved[1]), needs_grad(saved[2])});
    return {d.x, d.gain, d.shift, at::Tensor()};
  }
};

} // namespace

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift, double epsilon) {
  if (!uses_kernel(x, gain, shift)) {
    return at::layer_norm(x, {x.size(-1)}, optional(gain), optional(shift), epsilon);
  }
  const auto needs_grad = [](const at::Tensor& input) { return input.defined() && input.requires_grad(); };
  const bool has_gradient =
      at::GradMode::is_enabled() && (needs_grad(x) || needs_grad(gain) || needs_grad(shift));
  return has_gradient ? LayerNormFunction::apply(x, optional(gain), optional(shift), epsilon)
                      : normed_by_kernel(x, gain, shift, epsilon, false).output;
}

LayerNormed layer_norm_with_statistics(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& shift,
                                       double epsilon) {
  if (!at::GradMode::is_enabled() && uses_kernel(x, gain, shift)) {
    return normed_by_kernel(x, gain, shift, epsilon, true);
  }
  auto [output, mean, inverse_std] =
      at::native_layer_norm(x, {x.size(-1)}, optional(gain), optional(shift), epsilon);
  return {std::move(output), std::move(mean), std::move(inverse_std)};
}

LayerNormGradients layer_norm_backward(const at::Tensor& d_output, const at::Tensor& x,
                                       const at::Tensor& gain, const at::Tensor& shift,
                                       const LayerNormed& normed, std::array<bool, 3> needed) {
  if (!at::GradMode::is_enabled() && uses_kernel(x, gain, shift)) {
    return gradients_by_kernel(d_output, x, gain, normed, needed);
  }
  auto [d_x, d_gain, d_shift] = at::native_layer_norm_backward(
      d_output, x, {x.size(-1)}, normed.mean, normed.inverse_std, optional(gain), optional(shift), needed);
  return {std::move(d_x), std::move(d_gain), std::move(d_shift)};
}

} // namespace mneme::ops
