// SPDX-License-Identifier: MIT

/// Other forms of the weights of a model, for inference.
#pragma once

#include <torch/nn/module.h>

namespace mneme::nn {

/// Replaces in place the weights of all layers of the types torch::nn::Linear and Gpt2Linear, and of the word
/// embedding, by int8 matrices (ops/int8_matrix.h), and frees the memory of their float32 numbers. Norms,
/// biases and position embeddings remain float32. No parameter requires a gradient afterwards.
///
/// `words`: the weight of the word embedding, whose rows apply_embedding looks up.
/// Types   float32 on the CPU; weights that are int8 matrices are left unchanged
/// Errors  UsageError for other types and devices
void use_int8_weights(torch::nn::Module& model, at::Tensor words);

/// Stores in place the weights of all torch::nn::Linear, and of the word embedding, feature by feature, as
/// Gpt2Linear has them: a single token then takes up to 15 % less time. Shapes do not change, and results by
/// rounding only.
///
/// `words`: as above.
/// Types   any; int8 matrices, and weights on other devices than the CPU, are left unchanged
void order_weights_by_feature(torch::nn::Module& model, at::Tensor words);

} // namespace mneme::nn
