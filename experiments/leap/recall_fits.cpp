// SPDX-License-Identifier: MIT

#include "experiments/leap/recall_fits.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/parallel.h"
#include "mneme/training/one_thread.h"
#include "mneme/training/recall_trainer.h"

namespace mneme::experiments {
namespace {

using training::RecallFit;

nlohmann::json to_json(const RecallFit& fit) {
  nlohmann::json json = {{"epochs", nlohmann::json::array()},
                         {"num_parameters", fit.num_parameters},
                         {"diverged", fit.diverged}};
  for (const training::RecallEpoch& epoch : fit.epochs) {
    json["epochs"].push_back({epoch.loss, epoch.accuracy});
  }
  return json;
}

RecallFit from_json(const nlohmann::json& json) {
  RecallFit fit{.num_parameters = json.at("num_parameters"), .diverged = json.at("diverged")};
  for (const nlohmann::json& epoch : json.at("epochs")) {
    fit.epochs.push_back({.loss = epoch.at(0), .accuracy = epoch.at(1)});
  }
  return fit;
}

std::vector<RecallFit> fit_all(std::span<const training::RecallJob> jobs, const Parts& parts,
                               Progress& progress) {
  const training::OneThread one_thread;
  std::vector<RecallFit> fits(jobs.size());
  parallel_for(std::ssize(jobs), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const std::string name = fmt::format("model-{}", i + 1);
      if (std::optional<RecallFit> kept = parts.find(name, from_json)) {
        fits[i] = *std::move(kept);
        progress.skip(jobs[i].schedule.epochs);
        continue;
      }
      fits[i] = training::train_recall(jobs.subspan(i, 1), progress).front();
      parts.keep(name, to_json(fits[i]));
    }
  });
  return fits;
}

[[maybe_unused]] const bool implemented = recall_fits.implement(fit_all);

} // namespace
} // namespace mneme::experiments
