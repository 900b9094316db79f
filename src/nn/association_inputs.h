// SPDX-License-Identifier: MIT

/// Checks of what a Hopfield layer is given: what is wrong, both sides of the comparison, how to fix it.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

struct AssociationInput {
  const char* name;
  const at::Tensor& tensor;
  std::optional<int64_t> features; ///< needed; none: any
};

/// What one call is given, under the names that the layer uses.
struct AssociationInputs {
  const char* layer;
  AssociationInput state, stored, projection;
  const char* padding_mask_name;
  const at::Tensor& padding_mask;
  const char* association_mask_name;
  const at::Tensor& association_mask;
  int64_t num_heads;
  bool batch_first;
};

/// Errors  UsageError
void check_inputs(const AssociationInputs& inputs);

/// Looks for the reason where an output is not finite; on a CPU only, elsewhere looking would wait.
/// Errors  UsageError that names the input and the place of the first NaN or infinity
void check_output(const AssociationInputs& inputs, const at::Tensor& output);

/// True for the stored patterns that are padding: bool [N, S]; undefined where there is none.
at::Tensor missing_patterns(const AssociationInputs& inputs);

/// The mask of associations by heads, [1, 1, L, S] or [N, H, L, S]: bool, or numbers of `type` that are added; undefined
/// where there is none.
at::Tensor mask_by_heads(const AssociationInputs& inputs, at::ScalarType type);

} // namespace mneme::nn
