// SPDX-License-Identifier: MIT

/// Options of layers as case files write them: those that differ from the defaults, under the names of hflayers.
#pragma once

#include "mneme/nn/hopfield_core.h"
#include "mneme/nn/hopfield_decoder_layer.h"
#include "mneme/nn/hopfield_encoder_layer.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Errors of all of them: DataError (JSON path) for an option there is not, or a value it cannot have.
/// `compat` is set in all options.
nn::HopfieldCoreOptions core_options(const GoldenValue& constructor, bool compat);
nn::HopfieldOptions hopfield_options(const GoldenValue& constructor, bool compat);
nn::HopfieldPoolingOptions pooling_options(const GoldenValue& constructor, bool compat);
nn::HopfieldLayerOptions lookup_options(const GoldenValue& constructor, bool compat);
/// `file`: with the constructor of the layer inside beside that of the block.
nn::HopfieldEncoderLayerOptions encoder_options(const GoldenValue& file, bool compat);
nn::HopfieldDecoderLayerOptions decoder_options(const GoldenValue& file, bool compat);

/// What HopfieldCore.forward is given besides its inputs; `weights` are the outputs asked for.
struct CoreCallOptions {
  nn::HopfieldCoreCall call;
  bool mean_association = true, raw_associations = false, pattern_projections = false;
};
CoreCallOptions core_call_options(const GoldenValue& forward_options);

} // namespace mneme::verify
