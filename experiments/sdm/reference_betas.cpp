// SPDX-License-Identifier: MIT

#include "experiments/sdm/reference_betas.h"

#include <numbers>

#include "experiments/published.h"
#include "mneme/theory/beta_fit.h"

namespace mneme::experiments {

ReferenceBetas reference_betas() {
  const nlohmann::json& values = published("sdm_tables").at("paper_reference_values");
  const int64_t bits = values.at("n");
  const auto beta = [&](const char* radius) {
    return theory::fit_beta(bits, values.at(radius), static_cast<double>(bits) * std::numbers::ln2).beta;
  };
  return {.critical_distance = beta("d_CD"), .signal_to_noise = beta("d_SNR"), .capacity = beta("d_Mem")};
}

std::vector<report::Reference> reference_lines(const ReferenceBetas& betas) {
  return {{.at = betas.critical_distance, .label = "critical distance"},
          {.at = betas.signal_to_noise, .label = "signal to noise"},
          {.at = betas.capacity, .label = "memory capacity"}};
}

} // namespace mneme::experiments
