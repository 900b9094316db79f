// SPDX-License-Identifier: MIT

/// Activation functions of transformers, and their names in a config.json.
#pragma once

#include "mneme/nn/transformer_activation.h"

#include <ATen/core/Tensor.h>

#include "nn/config_fields.h"

namespace mneme::nn {

at::Tensor activated(TransformerActivation activation, const at::Tensor& x);

/// The first name of an activation is the one that is written.
constexpr Names<TransformerActivation, 16> kTransformerActivations = {{
    {TransformerActivation::gelu, "gelu"},
    {TransformerActivation::gelu_new, "gelu_new"},
    {TransformerActivation::relu, "relu"},
    {TransformerActivation::silu, "silu"},
    {TransformerActivation::tanh, "tanh"},
    {TransformerActivation::quick_gelu, "quick_gelu"},
    {TransformerActivation::mish, "mish"},
    {TransformerActivation::leaky_relu, "leaky_relu"},
    {TransformerActivation::relu6, "relu6"},
    {TransformerActivation::sigmoid, "sigmoid"},
    {TransformerActivation::linear, "linear"},
    {TransformerActivation::gelu, "gelu_python"},
    {TransformerActivation::gelu_new, "gelu_pytorch_tanh"},
    {TransformerActivation::gelu_new, "gelu_fast"},
    {TransformerActivation::gelu_new, "gelu_accurate"},
    {TransformerActivation::silu, "swish"},
}};

} // namespace mneme::nn
