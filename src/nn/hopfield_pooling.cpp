// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield_pooling.h"

#include <ATen/core/grad_mode.h>

#include "nn/learned_patterns.h"
#include "nn/refuse.h"

namespace mneme::nn {

HopfieldPoolingImpl::HopfieldPoolingImpl(HopfieldPoolingOptions options_) : options(std::move(options_)) {
  reset();
}

void HopfieldPoolingImpl::reset() {
  const HopfieldOptions& layer = options.hopfield();
  const LearnedPatterns learned{"HopfieldPooling", layer, options.quantity()};
  const int64_t size = learned.features(layer.state_pattern_as_static(), layer.input_size());
  pooling_weights = register_parameter("pooling_weights", learned.create(size), options.trainable());
  hopfield = register_module("hopfield", Hopfield(layer));
}

void HopfieldPoolingImpl::reset_parameters() {
  LearnedPatterns::initialise(pooling_weights);
  hopfield->reset_parameters();
}

at::Tensor HopfieldPoolingImpl::flatten(const at::Tensor& output) const {
  // hflayers keeps the length first, which mixes the batch.
  const bool keep_order = options.hopfield().batch_first() || options.hopfield().compat();
  return (keep_order ? output : output.transpose(0, 1)).flatten(1);
}

at::Tensor HopfieldPoolingImpl::forward(const at::Tensor& stored_pattern,
                                        const at::Tensor& pattern_projection, const HopfieldMasks& masks) {
  return flatten(hopfield->forward(stored_pattern, pooling_weights, pattern_projection, masks));
}

at::Tensor HopfieldPoolingImpl::forward_from(const std::shared_ptr<const RowSource>& stored_pattern) {
  return flatten(hopfield->forward_from(stored_pattern, pooling_weights));
}

HopfieldRetrieval HopfieldPoolingImpl::retrieve(const at::Tensor& stored_pattern,
                                                const at::Tensor& pattern_projection,
                                                const HopfieldMasks& masks) {
  HopfieldRetrieval retrieval =
      hopfield->retrieve(stored_pattern, pooling_weights, pattern_projection, masks);
  retrieval.output = flatten(retrieval.output);
  return retrieval;
}

at::Tensor HopfieldPoolingImpl::get_association_matrix(const at::Tensor& stored_pattern,
                                                       const at::Tensor& pattern_projection,
                                                       const HopfieldMasks& masks) {
  return hopfield->get_association_matrix(stored_pattern, pooling_weights, pattern_projection, masks);
}

at::Tensor HopfieldPoolingImpl::get_projected_pattern_matrix(const at::Tensor& stored_pattern,
                                                             const at::Tensor& pattern_projection,
                                                             const HopfieldMasks& masks) {
  return hopfield->get_projected_pattern_matrix(stored_pattern, pooling_weights, pattern_projection, masks);
}

std::optional<int64_t> HopfieldPoolingImpl::output_size() const {
  const std::optional<int64_t> per_state = hopfield->output_size();
  return per_state ? std::optional(options.quantity() * *per_state) : std::nullopt;
}

} // namespace mneme::nn
