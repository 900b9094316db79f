// SPDX-License-Identifier: MIT

/// Settings of a run of `mneme train` on bags. They are written to config.json, and read by `mneme eval`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/run_folder.h"
#include "mneme/data/bag_files.h"
#include "mneme/training/bag_task.h"
#include "mneme/training/bag_trainer.h"
#include "report/table.h"

namespace mneme::cli {

constexpr int64_t kSeedsMax = 100'000;

/// Identifies bags by what they contain, wherever their files are.
struct BagContents {
  int64_t bags = 0, features = 0;
  std::string sha256 = {}; ///< data::content_hash; empty: unknown, in runs of early versions
};

/// The user's own bags, of the task "bags".
struct OwnBags {
  std::vector<std::string> files = {}, validation_files = {}; ///< absolute paths
  std::string offsets = {}, labels = {};                      ///< absolute paths; empty: none
  BagContents contents = {}, validation_contents = {};        ///< of all files; of all validation_files
  std::string data_folder = {};      ///< folder of the first file, relative to the run folder; empty: unknown
  data::BagFileOptions columns = {}; ///< without offsets and labels
  double validation_fraction = 0.25; ///< of `files`, if there are no validation_files
  data::BagClasses classes = {};
  int64_t num_features = 0;
  std::vector<std::string> features = {}; ///< names of the columns; empty for files of arrays
  bool standardize = false;               ///< with the statistics of the training instances
  bool replaces_missing = false;          ///< missing values, by the means of the training instances
};

/// Files of other bags than those of the run, and how to read them.
struct OtherBags {
  std::vector<std::string> files = {};
  std::string offsets = {}, labels = {};
  std::string bag_column = {}, label_column = {}, instance_column = {}; ///< empty: that of the run
  std::vector<std::string> ignored_columns = {};                        ///< empty: those of the run
  std::optional<bool> replaces_missing = {};                            ///< empty: as in the run

  bool any() const { ///< whether an option other than --bags was given
    return !(offsets.empty() && labels.empty() && bag_column.empty() && label_column.empty() &&
             instance_column.empty() && ignored_columns.empty() && !replaces_missing);
  }
  nlohmann::ordered_json to_json() const; ///< the options that were given, for config.json
};
/// Declares --missing. `default_word`: for the help, of the run if it is not refuse.
void declare_missing(Arguments& arguments, const std::string& default_word,
                     std::function<void(bool replaces)> set);
/// Declares the options of these files but --bags.
void declare_columns(Arguments& arguments, OtherBags& bags);

struct BagRun {
  std::string task = {}; ///< bit-pattern, latch, mnist-bags or bags
  training::BagModelChoice model = {};
  training::BagSchedule schedule = {};
  int64_t seeds = 1;
  uint64_t seed = 1; ///< of the first of `seeds` consecutive seeds
  data::BitBagOptions bits = {};
  data::LatchOptions latch = {};
  data::DigitBagOptions digits = {};
  OwnBags own = {};
};

constexpr const char* kOwnBags = "bags"; ///< the task with the user's own bags

nlohmann::ordered_json to_json(const BagRun& run);
/// Reads config.json of a run folder. Files of own bags that are not where they were are searched at the same
/// place relative to the run folder: a folder with data and runs can be moved.
///
/// Errors  DataError if config.json is missing or was not written by `mneme train` on bags
BagRun read_bag_run(const std::filesystem::path& folder);

/// Generates or loads the bags of the run. `data`: folder of data sets, for mnist-bags.
///
/// Errors  UsageError for an option out of its range, or if own bags have changed; DataError if MNIST or a
///         file is missing
training::BagTask task_of(const BagRun& run, const std::filesystem::path& data);

BagContents contents_of(const data::BagFile& bags);
/// Checks that the training or validation bags of a run, which `set` names, are still the same.
///
/// Errors  UsageError with `advice` if they are not
void check_contents(const std::string& set, const std::vector<std::string>& files, const BagContents& before,
                    const BagContents& now, const std::string& advice);

/// The bags of run.own.validation_files; none if there are no such files.
///
/// Errors  DataError if they do not fit to the training bags
std::optional<data::BagFile> read_validation_bags(const OwnBags& own);

struct OwnTask {
  training::BagTask task = {};
  std::vector<std::string> warnings = {}; ///< on the validation bags
};
/// The task of own bags that are already read. `run.own.classes` must be set.
///
/// Errors  DataError if a number is too large, or a feature has no value in the training bags
OwnTask own_task(const BagRun& run, const data::BagFile& bags,
                 const std::optional<data::BagFile>& validation);

/// Reads bags that a run on own bags is applied to. There may be no classes and, with
/// `classes_may_be_missing`, classes of some bags only. Missing values are NaN, if they are replaced.
///
/// Errors  UsageError if the run is of another task; DataError if a file is invalid or has other features
///         than the training bags
data::BagFile read_bags_for(const BagRun& run, const OtherBags& bags, bool classes_may_be_missing);

/// Prepares bags for the model of a checkpoint: replaces missing values by the means of its training bags.
/// Returns warnings: on these values, on features in another unit, and on bags that the model was trained on.
///
/// Errors  DataError if there are missing values, but no means in the checkpoint, or a number is too large
std::vector<std::string> prepare_bags(const BagRun& run, data::BagFile& bags, const std::string& file,
                                      const std::filesystem::path& checkpoint);

/// Lets paths in an earlier config.json be equal to those of `config` if their last components are:
/// files that are identified by their contents may have been moved.
void accept_moved_files(nlohmann::ordered_json& earlier, const nlohmann::ordered_json& config,
                        const std::vector<std::string>& keys);

/// The entries of config.json that identify results of `mneme eval` and `mneme predict`. `file`: the bags of
/// `bags`, if there are any.
nlohmann::ordered_json result_identity(const std::string& verb, const std::filesystem::path& folder,
                                       const BagRun& run, const OtherBags& bags, const data::BagFile* file);
/// Opens the folder of such results. A run and bags are the same if their paths or their contents are.
///
/// Errors  as open_run_folder
[[nodiscard]] RunFolder open_result_folder(const std::filesystem::path& folder,
                                           const nlohmann::ordered_json& identity);

/// The checkpoints of the run that exist, in the order of the seeds.
///
/// Errors  DataError if there are none
std::vector<std::filesystem::path> checkpoints_of(const BagRun& run, const std::filesystem::path& folder);

/// Number of bags of each class, one row for training and one for validation.
report::Table class_table(const training::BagTask& task);

/// One training job per seed, with its checkpoint in `folder`.
std::vector<training::BagJob> jobs_of(const BagRun& run, const training::BagTask& task,
                                      const std::filesystem::path& folder);

} // namespace mneme::cli
