// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield_decoder_layer.h"

#include "nn/apply_norm.h"
#include "nn/refuse.h"
#include "nn/transformer_block.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "HopfieldDecoderLayer";

BlockOptions block_of(const HopfieldDecoderLayerOptions& options) {
  return {kLayer, options.dim_feedforward(), options.dropout(), options.activation()};
}

} // namespace

HopfieldDecoderLayerImpl::HopfieldDecoderLayerImpl(HopfieldDecoderLayerOptions options_)
    : options(std::move(options_)) {
  reset();
}

void HopfieldDecoderLayerImpl::reset() {
  hopfield_association_self =
      register_module("hopfield_association_self", Hopfield(options.hopfield_association_self()));
  hopfield_association_cross =
      register_module("hopfield_association_cross", Hopfield(options.hopfield_association_cross()));
  const int64_t features = block_features(kLayer, hopfield_association_self),
                cross = block_features(kLayer, hopfield_association_cross);
  if (features != cross) {
    refuse(kLayer, c10::str("the two Hopfield layers have input_size ", features, " and ", cross, "."),
           "Make them equal.");
  }
  if (options.hopfield_association_self().batch_first() !=
      options.hopfield_association_cross().batch_first()) {
    refuse(
        kLayer,
        c10::str("batch_first of the two Hopfield layers is ",
                 options.hopfield_association_self().batch_first() ? "true and false." : "false and true."),
        "The output of the first is the state of the second: make them equal.");
  }
  block_of(options).check();
  linear_residual =
      register_module("linear_residual", torch::nn::Linear(features, options.dim_feedforward()));
  linear_output = register_module("linear_output", torch::nn::Linear(options.dim_feedforward(), features));
  norm_residual_self = register_module("norm_residual_self", block_norm(features));
  norm_residual_cross = register_module("norm_residual_cross", block_norm(features));
  norm_output = register_module("norm_output", block_norm(features));
}

void HopfieldDecoderLayerImpl::reset_parameters() {
  hopfield_association_self->reset_parameters();
  hopfield_association_cross->reset_parameters();
  linear_residual->reset_parameters();
  linear_output->reset_parameters();
  for (torch::nn::LayerNorm& norm :
       {std::ref(norm_residual_self), std::ref(norm_residual_cross), std::ref(norm_output)}) {
    norm->reset_parameters();
  }
}

at::Tensor HopfieldDecoderLayerImpl::forward(const at::Tensor& tgt, const at::Tensor& memory,
                                             const HopfieldMasks& tgt_masks,
                                             const HopfieldMasks& memory_masks) {
  const BlockOptions block = block_of(options);
  const auto with_dropout = [&](const at::Tensor& x) {
    return apply_dropout(x, options.dropout(), is_training());
  };
  at::Tensor x = apply_norm(*norm_residual_self,
                            tgt + with_dropout(hopfield_association_self->forward(tgt, tgt, tgt, tgt_masks)));
  x = apply_norm(*norm_residual_cross,
                 x + with_dropout(hopfield_association_cross->forward(memory, x, memory, memory_masks)));
  return feed_forward(block, x, linear_residual, linear_output, norm_output, is_training());
}

at::Tensor HopfieldDecoderLayerImpl::get_association_matrix_self(const at::Tensor& tgt,
                                                                 const HopfieldMasks& masks) {
  return hopfield_association_self->get_association_matrix(tgt, tgt, tgt, masks);
}

at::Tensor HopfieldDecoderLayerImpl::get_association_matrix_cross(const at::Tensor& memory,
                                                                  const at::Tensor& state,
                                                                  const HopfieldMasks& masks) {
  if (!state.defined()) { // the Hopfield layer would associate the memory with itself
    refuse(kLayer, "state is undefined, but must have shape [batch, length, features].",
           "States are patterns of the targets.");
  }
  return hopfield_association_cross->get_association_matrix(memory, state, memory, masks);
}

} // namespace mneme::nn
