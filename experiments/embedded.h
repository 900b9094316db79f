// SPDX-License-Identifier: MIT

/// JSON files that the build embeds into the library; `published` (published.h) returns them by name.
#pragma once

#include <string_view>

namespace mneme::experiments {

extern const std::string_view kSdmTables;         ///< values printed in notebook cells
extern const std::string_view kSdmFullSize;       ///< an independent run of sdm/full-size
extern const std::string_view kKeyQueryNormBetas; ///< learned betas of query-key normalisation
extern const std::string_view kAttentionTutorial; ///< printed outputs of the tutorial on attention
extern const std::string_view kHopfieldCurves;    ///< curves of the example plots of hflayers
extern const std::string_view kHopfieldTheory;    ///< examples of theorem 3
extern const std::string_view kTransformerBetas;  ///< effective betas read off the figures for GPT-2
extern const std::string_view kLeapLanguage;      ///< language experiments of LEAP
extern const std::string_view kMqar;              ///< accuracies of associative recall, read off figures
extern const std::string_view kBetaFit;           ///< golden: beta fits of the published functions
extern const std::string_view kBetaOverRadius;    ///< golden: beta over d for n = 64
extern const std::string_view kRandUnif64;        ///< golden: recall with 64 components
extern const std::string_view kRandUnif1000;      ///< golden: recall with 1000 components
extern const std::string_view kExpBounds;         ///< golden: exponential forms
extern const std::string_view kOptimalD;          ///< golden: optimal radii
extern const std::string_view kSnrVariance;       ///< golden: signal-to-noise ratio
extern const std::string_view kNeuronNear;        ///< golden: distance of the nearest hard location
extern const std::string_view kCriticalDistance;  ///< golden: critical distances

} // namespace mneme::experiments
