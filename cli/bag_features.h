// SPDX-License-Identifier: MIT

/// Describes the features of the bags of `mneme train bags`, and warns of columns that are probably none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mneme/data/bag_files.h"

namespace mneme::cli {

/// Number and names of the features, such as "3 features: area, contrast, hue"; many names are shortened,
/// and names with a comma quoted.
std::string features_text(const data::BagFile& bags);

/// One line for each column that numbers the rows or the instances of a bag. Unless `is_standardized`, also a
/// line if the standard deviations of the features differ by a factor of more than 30.
std::vector<std::string> feature_warnings(const data::BagFile& bags, bool is_standardized);

/// A warning if a model with a Hopfield layer has only two features: the layer norm of an instance leaves
/// little more than the sign of their difference. Empty for other models, and for more features.
///
/// Errors  UsageError for a single feature, which the layer norm makes constant
std::string layer_norm_warning(const data::BagFile& bags, const std::string& model);

/// Checks that numbers are not so large that a model overflows. `standardization`: of the model; null if it
/// has none.
///
/// Errors  DataError with the bag, the line and the feature of the first number that is too large
void check_magnitudes(const data::BagFile& bags, const data::Standardization* standardization,
                      const std::string& file);

/// One line for each feature that is probably in another unit: its mean is more than 5 standard deviations of
/// the training bags from theirs, or its standard deviation differs from theirs by a factor of more than 5.
/// Deviations are compared if neither is 0 and there are at least 10 instances. `set`: such as "these bags".
std::vector<std::string> unit_warnings(const data::BagFile& bags, const data::Standardization& training,
                                       const std::string& set);

/// Number of bags that are also among the training bags, which `training` has the hashes of.
int64_t count_training_bags(const std::vector<uint64_t>& training, const std::vector<uint64_t>& bags);

/// A message on missing values that are replaced (--missing mean); empty if there are none.
std::string replaced_text(const data::BagFile& bags);

} // namespace mneme::cli
