// SPDX-License-Identifier: MIT

/// What a run of `mneme train` on bags is made with: written to config.json, read again by the same command and by
/// `mneme eval`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mneme/training/bag_task.h"
#include "mneme/training/bag_trainer.h"
#include "report/table.h"

namespace mneme::cli {

constexpr int64_t kSeedsMax = 100'000;

struct BagRun {
  std::string task = {}; ///< bit-pattern, latch or mnist-bags
  training::BagModelChoice model = {};
  training::BagSchedule schedule = {};
  int64_t seeds = 1;
  uint64_t seed = 1; ///< the first one; the next one is one more
  data::BitBagOptions bits = {};
  data::LatchOptions latch = {};
  data::DigitBagOptions digits = {};
};

nlohmann::ordered_json to_json(const BagRun& run);
/// The run of a folder. Errors  DataError if config.json is not there or is not one that such a run has written
BagRun read_bag_run(const std::filesystem::path& folder);

/// The bags of the run. `data`: folder of data files, for mnist-bags.
///
/// Errors  UsageError for an option out of its range; DataError if images are needed and not there
training::BagTask task_of(const BagRun& run, const std::filesystem::path& data);

/// How many bags of each class there are, a row each for training and validation.
report::Table class_table(const training::BagTask& task);

/// One job per seed, each with its checkpoint in the folder.
std::vector<training::BagJob> jobs_of(const BagRun& run, const training::BagTask& task,
                                      const std::filesystem::path& folder);

} // namespace mneme::cli
