// SPDX-License-Identifier: MIT

/// Options of layers in case files: those that differ from the defaults, under their names in hflayers.
#pragma once

#include <string>

#include "mneme/nn/hopfield_core.h"
#include "mneme/nn/hopfield_decoder_layer.h"
#include "mneme/nn/hopfield_encoder_layer.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// All of these set `compat` in the options.
///
/// Errors  DataError (JSON path) for an unknown option or an invalid value
nn::HopfieldCoreOptions core_options(const GoldenValue& constructor, bool compat);
nn::HopfieldOptions hopfield_options(const GoldenValue& constructor, bool compat);
/// Sets the option `name` of hflayers. Returns false if there is no such option.
///
/// Errors  DataError (JSON path) for an invalid value
bool set_hopfield_option(nn::HopfieldOptions& options, const std::string& name, const GoldenValue& value);
nn::HopfieldPoolingOptions pooling_options(const GoldenValue& constructor, bool compat);
nn::HopfieldLayerOptions lookup_options(const GoldenValue& constructor, bool compat);
/// `file`: has the constructor of the inner layer next to that of the block.
nn::HopfieldEncoderLayerOptions encoder_options(const GoldenValue& file, bool compat);
nn::HopfieldDecoderLayerOptions decoder_options(const GoldenValue& file, bool compat);

/// Arguments of HopfieldCore.forward other than its inputs, and the requested outputs.
struct CoreCallOptions {
  nn::HopfieldCoreCall call;
  bool mean_association = true, raw_associations = false, pattern_projections = false;
};
CoreCallOptions core_call_options(const GoldenValue& forward_options);

} // namespace mneme::verify
