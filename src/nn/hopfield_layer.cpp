// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield_layer.h"

#include "nn/learned_patterns.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

/// The Hopfield layer would associate the stored patterns with themselves.
const at::Tensor& defined(const at::Tensor& state_pattern) {
  if (!state_pattern.defined()) {
    refuse("HopfieldLayer", "state_pattern is undefined, but must have shape [batch, length, features].",
           "The state patterns are the input of the layer.");
  }
  return state_pattern;
}

} // namespace

HopfieldLayerImpl::HopfieldLayerImpl(HopfieldLayerOptions options_) : options(std::move(options_)) {
  reset();
}

void HopfieldLayerImpl::reset() {
  const HopfieldOptions& layer = options.hopfield();
  const LearnedPatterns learned{"HopfieldLayer", layer, options.quantity()};
  const int64_t size = learned.features(layer.stored_pattern_as_static(), layer.stored_pattern_size());
  lookup_weights = register_parameter("lookup_weights", learned.create(size), options.trainable());
  if (options.lookup_weights_as_separated()) {
    target_weights =
        register_parameter("target_weights", learned.create(layer.pattern_projection_size().value_or(size)),
                           options.lookup_targets_as_trainable());
  }
  hopfield = register_module("hopfield", Hopfield(layer));
}

void HopfieldLayerImpl::reset_parameters() {
  LearnedPatterns::initialise(lookup_weights);
  if (target_weights.defined()) {
    LearnedPatterns::initialise(target_weights);
  }
  hopfield->reset_parameters();
}

const at::Tensor& HopfieldLayerImpl::targets() const {
  return target_weights.defined() ? target_weights : lookup_weights;
}

at::Tensor HopfieldLayerImpl::forward(const at::Tensor& state_pattern, const HopfieldMasks& masks) {
  return hopfield->forward(lookup_weights, defined(state_pattern), targets(), masks);
}

HopfieldRetrieval HopfieldLayerImpl::retrieve(const at::Tensor& state_pattern, const HopfieldMasks& masks) {
  return hopfield->retrieve(lookup_weights, defined(state_pattern), targets(), masks);
}

at::Tensor HopfieldLayerImpl::get_association_matrix(const at::Tensor& state_pattern,
                                                     const HopfieldMasks& masks) {
  return hopfield->get_association_matrix(lookup_weights, defined(state_pattern), targets(), masks);
}

at::Tensor HopfieldLayerImpl::get_projected_pattern_matrix(const at::Tensor& state_pattern,
                                                           const HopfieldMasks& masks) {
  return hopfield->get_projected_pattern_matrix(lookup_weights, defined(state_pattern), targets(), masks);
}

} // namespace mneme::nn
