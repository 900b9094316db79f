// SPDX-License-Identifier: MIT

#include "language/head_model.h"

#include <ATen/Functions.h>

#include "mneme/core/error.h"
#include "mneme/nn/inference_weights.h"
#include "mneme/ops/int8_matrix.h"
#include "mneme/ops/linear.h"
#include "mneme/ops/linear_cross_entropy.h"

namespace mneme::language {
namespace {

/// Errors  UsageError unless the ids are [B, T] with at least one token
void check_step(const at::Tensor& ids) {
  if (!ids.defined() || ids.dim() != 2 || ids.numel() == 0) {
    refuse(c10::str("the ids of a step are ",
                    ids.defined() ? c10::str("of shape ", ids.sizes()) : "undefined",
                    ", but at least one token is needed."),
           "A single token is of shape [1, 1].");
  }
}

} // namespace

LossSum HeadModel::loss(const at::Tensor& ids, const at::Tensor& targets) {
  if (!targets.defined() || targets.sizes() != ids.sizes()) {
    refuse(c10::str("the targets are ",
                    targets.defined() ? c10::str("of shape ", targets.sizes()) : "undefined",
                    ", but the ids are of shape ", ids.sizes(), "."),
           "Each token needs one target; -100 is not counted.");
  }
  const ops::CrossEntropySum loss =
      ops::linear_cross_entropy(head_input(ids).flatten(0, 1), words(), bias(), targets.flatten());
  return {loss.sum, loss.count};
}

at::Tensor HeadModel::logits(const at::Tensor& ids) {
  return ops::linear(head_input(ids), words(), bias());
}

at::Tensor HeadModel::step(const at::Tensor& ids, ModelState& state) {
  check_step(ids);
  const at::NoGradGuard no_gradient;
  return ops::linear(step_input(ids, state), words(), bias());
}

void HeadModel::advance(const at::Tensor& ids, ModelState& state) {
  check_step(ids);
  const at::NoGradGuard no_gradient;
  step_input(ids, state);
}

Weights HeadModel::weights() const {
  return ops::is_int8_matrix(words()) ? Weights::int8 : Weights::float32;
}

void HeadModel::use_int8_weights() {
  nn::use_int8_weights(module(), word_embedding());
}

void HeadModel::order_weights_for_steps() {
  nn::order_weights_by_feature(module(), words());
}

void check_format(const nn::TensorFile& file, const char* format, const std::string& source) {
  const auto found = file.texts.find("format");
  if (found == file.texts.end() || found->second != format) {
    throw DataError(c10::str(source, ": its format is ",
                             found == file.texts.end() ? "not stated" : "\"" + found->second + "\"",
                             ", expected \"", format, "\".\n  Is it the state of this kind of model?"));
  }
}

at::Tensor tensor_in(const nn::TensorFile& file, const char* name, const std::string& source) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) {
    throw DataError(
        c10::str(source, ": the tensor \"", name, "\" is missing.\n  The file was damaged or changed."));
  }
  return found->second;
}

int64_t position_in(const nn::TensorFile& file, const std::string& source) {
  const at::Tensor position = tensor_in(file, "position", source);
  if (position.numel() != 1 || position.scalar_type() != at::kLong || position.item<int64_t>() < 0) {
    throw DataError(source +
                    ": \"position\" is not a whole number >= 0.\n  The file was damaged or changed.");
  }
  return position.item<int64_t>();
}

} // namespace mneme::language
