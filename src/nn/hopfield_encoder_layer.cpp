// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield_encoder_layer.h"

#include "nn/apply_norm.h"
#include "nn/transformer_block.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "HopfieldEncoderLayer";

BlockOptions block_of(const HopfieldEncoderLayerOptions& options) {
  return {kLayer, options.dim_feedforward(), options.dropout(), options.activation()};
}

} // namespace

HopfieldEncoderLayerImpl::HopfieldEncoderLayerImpl(HopfieldEncoderLayerOptions options_)
    : options(std::move(options_)) {
  reset();
}

void HopfieldEncoderLayerImpl::reset() {
  hopfield_association = register_module("hopfield_association", Hopfield(options.hopfield_association()));
  const int64_t features = block_features(kLayer, hopfield_association);
  block_of(options).check();
  linear_residual =
      register_module("linear_residual", torch::nn::Linear(features, options.dim_feedforward()));
  linear_output = register_module("linear_output", torch::nn::Linear(options.dim_feedforward(), features));
  norm_residual = register_module("norm_residual", block_norm(features));
  norm_output = register_module("norm_output", block_norm(features));
}

void HopfieldEncoderLayerImpl::reset_parameters() {
  hopfield_association->reset_parameters();
  linear_residual->reset_parameters();
  linear_output->reset_parameters();
  norm_residual->reset_parameters();
  norm_output->reset_parameters();
}

at::Tensor HopfieldEncoderLayerImpl::forward(const at::Tensor& src, const HopfieldMasks& masks) {
  const BlockOptions block = block_of(options);
  const at::Tensor associated = hopfield_association->forward(src, src, src, masks);
  const at::Tensor x =
      apply_norm(*norm_residual, src + apply_dropout(associated, options.dropout(), is_training()));
  return feed_forward(block, x, linear_residual, linear_output, norm_output, is_training());
}

at::Tensor HopfieldEncoderLayerImpl::get_association_matrix(const at::Tensor& src,
                                                            const HopfieldMasks& masks) {
  return hopfield_association->get_association_matrix(src, src, src, masks);
}

} // namespace mneme::nn
