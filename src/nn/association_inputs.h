// SPDX-License-Identifier: MIT

/// Argument checks of Hopfield layers.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

struct AssociationInput {
  const char* name;
  const at::Tensor& tensor;
  std::optional<int64_t> features; ///< required size of the last dimension; nullopt: any
};

/// Arguments of one call, with the names that the layer gives them in error messages.
struct AssociationInputs {
  const char* layer;
  AssociationInput state, stored, projection;
  const char* key_padding_mask_name;
  const at::Tensor& key_padding_mask;
  const char* attention_mask_name;
  const at::Tensor& attention_mask;
  int64_t num_heads;
  bool batch_first;
  at::Tensor parameter = {}; ///< any parameter, whose type the inputs must have; undefined if there is none
};

/// Checks shapes, types and devices of inputs and masks. Under autocast, inputs may have another type than
/// the parameters.
/// Errors  UsageError
void check_inputs(const AssociationInputs& inputs);

/// With masks, checks that all inputs are finite; on a CPU only. The output does not depend on patterns that
/// are ignored, but a NaN there would make the gradients of the parameters NaN.
/// Errors  UsageError with the input and the index of the first NaN or infinity
void check_masked_inputs(const AssociationInputs& inputs);

/// Checks that an output is finite; on a CPU only, because on other devices this check would force a
/// synchronisation.
/// Errors  UsageError with the input or attention mask and the index of the first NaN or infinity
void check_output(const AssociationInputs& inputs, const at::Tensor& output);

/// Key padding mask as bool [N, S], true: ignored; undefined if there is none.
at::Tensor bool_key_padding_mask(const AssociationInputs& inputs);

/// Attention mask by heads, [1, 1, L, S] or [N, H, L, S]: bool, true: ignored, or numbers of `type` that are
/// added to the scores; undefined if there is none.
at::Tensor attention_mask_by_heads(const AssociationInputs& inputs, at::ScalarType type);

} // namespace mneme::nn
