// SPDX-License-Identifier: MIT

/// Files that the build puts into the library; published.cpp gives them names.
#pragma once

#include <string_view>

namespace mneme::experiments {

extern const std::string_view kSdmTables;         ///< printed in cells of the notebooks
extern const std::string_view kKeyQueryNormBetas; ///< learnt betas of query-key normalisation
extern const std::string_view kAttentionTutorial; ///< printed outputs of the tutorial on attention
extern const std::string_view kHopfieldCurves;    ///< curves of the example plots of hflayers
extern const std::string_view kHopfieldTheory;    ///< examples of theorem 3
extern const std::string_view kBetaFit;           ///< golden: fits by the published functions
extern const std::string_view kBetaOverRadius;    ///< golden: beta over d for n = 64
extern const std::string_view kRandUnif64;        ///< golden: recall with 64 components
extern const std::string_view kRandUnif1000;      ///< golden: recall with 1000 components
extern const std::string_view kExpBounds;         ///< golden: exponential forms
extern const std::string_view kOptimalD;          ///< golden: best radii
extern const std::string_view kSnrVariance;       ///< golden: signal and noise
extern const std::string_view kNeuronNear;        ///< golden: nearest hard location
extern const std::string_view kCriticalDistance;  ///< golden: critical distances

} // namespace mneme::experiments
