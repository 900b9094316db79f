// SPDX-License-Identifier: MIT

#include "experiments/published.h"

#include <array>
#include <map>
#include <string>

#include "experiments/embedded.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

using Documents = std::map<std::string_view, nlohmann::json>;

Documents parse_all() {
  const std::array files = {
      std::pair{"sdm_tables", kSdmTables},
      std::pair{"sdm_full_size", kSdmFullSize},
      std::pair{"keyquery_norm_betas", kKeyQueryNormBetas},
      std::pair{"attention_tutorial", kAttentionTutorial},
      std::pair{"hopfield_curves", kHopfieldCurves},
      std::pair{"hopfield_theory", kHopfieldTheory},
      std::pair{"mqar", kMqar},
      std::pair{"transformer_betas", kTransformerBetas},
      std::pair{"leap_language", kLeapLanguage},
      std::pair{"beta_fit", kBetaFit},
      std::pair{"beta_vs_d_n64", kBetaOverRadius},
      std::pair{"experiment_randunif64", kRandUnif64},
      std::pair{"experiment_randunif1000", kRandUnif1000},
      std::pair{"exp_bounds", kExpBounds},
      std::pair{"optimal_d", kOptimalD},
      std::pair{"snr_variance", kSnrVariance},
      std::pair{"neuron_near", kNeuronNear},
      std::pair{"critical_distance", kCriticalDistance},
  };
  Documents documents;
  for (const auto& [name, text] : files) {
    documents.emplace(name, nlohmann::json::parse(text));
  }
  return documents;
}

} // namespace

const nlohmann::json& published(std::string_view name) {
  static const Documents documents = parse_all();
  const auto found = documents.find(name);
  if (found == documents.end()) {
    std::string names;
    for (const auto& [known, document] : documents) {
      names += (names.empty() ? "" : ", ") + std::string(known);
    }
    throw UsageError("unknown file of published values \"" + std::string(name) +
                     "\".\n  Available files: " + names + ".");
  }
  return found->second;
}

} // namespace mneme::experiments
