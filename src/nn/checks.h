// SPDX-License-Identifier: MIT

/// Checks that layers share. `where` names the layer, such as "mneme::nn::SelfAttention".
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// Errors  UsageError if size < 1
void check_size(const char* where, const char* what, int64_t size);

/// `layer` without its namespace, as for refuse.
///
/// Errors  UsageError unless heads divide the size, and both are at least 1
void check_heads(const char* layer, int64_t hidden_size, int64_t num_heads);

/// Errors  UsageError unless x is of shape [B, T, size]
void check_sequence(const char* layer, const at::Tensor& x, int64_t size);

/// For layers that scale what is left by 1 / (1 - dropout). `layer` without its namespace, as for refuse.
///
/// Errors  UsageError unless dropout is in [0, 1)
void check_partial_dropout(const char* layer, double dropout);

/// Errors  UsageError unless `bits` is int64 [B, length] and, on the CPU (elsewhere looking would wait), holds nothing but 0
///         and 1
void check_bits(const char* where, const at::Tensor& bits, int64_t length);

/// A new generator for first weights.
at::Generator generator_of(uint64_t seed);
/// One number for all that is dropped in a call; from LibTorch's own generator where none is given.
int64_t drawn_seed(const at::Generator& generator = {});

/// Overwrites in place, outside autograd.
void fill_normal(at::Tensor& parameter, double deviation, at::Generator& generator);
void fill_uniform(at::Tensor& parameter, double bound, at::Generator& generator);

} // namespace mneme::nn
