// SPDX-License-Identifier: MIT

/// Number format of the weights of a language model in memory.
#pragma once

namespace mneme::language {

/// Matrices of linear layers, word embedding and logits have this format; all other parameters are float32.
enum class Weights {
  float32,
  int8, ///< one byte per number and a float32 scale per row (ops/int8_matrix.h), for inference on the CPU
};

constexpr const char* name_of(Weights weights) {
  return weights == Weights::int8 ? "int8" : "float32";
}

} // namespace mneme::language
