// SPDX-License-Identifier: MIT

/// Settings of a run of `mneme train` on bags. They are written to config.json, and read by `mneme eval`.
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
  uint64_t seed = 1; ///< of the first of `seeds` consecutive seeds
  data::BitBagOptions bits = {};
  data::LatchOptions latch = {};
  data::DigitBagOptions digits = {};
};

nlohmann::ordered_json to_json(const BagRun& run);
/// Reads config.json of a run folder.
///
/// Errors  DataError if config.json is missing or was not written by `mneme train` on bags
BagRun read_bag_run(const std::filesystem::path& folder);

/// Generates or loads the bags of the run. `data`: folder of data sets, for mnist-bags.
///
/// Errors  UsageError for an option out of its range; DataError if MNIST is needed and missing
training::BagTask task_of(const BagRun& run, const std::filesystem::path& data);

/// Number of bags of each class, one row for training and one for validation.
report::Table class_table(const training::BagTask& task);

/// One training job per seed, with its checkpoint in `folder`.
std::vector<training::BagJob> jobs_of(const BagRun& run, const training::BagTask& task,
                                      const std::filesystem::path& folder);

} // namespace mneme::cli
