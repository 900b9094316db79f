// SPDX-License-Identifier: MIT

/// Curves and tables of models trained on bags, over several seeds; the MNIST images that bags are drawn
/// from.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mneme/data/pattern_set.h"
#include "mneme/training/bag_task.h"
#include "report/chart.h"
#include "report/table.h"

namespace mneme::learning {

/// One of the four measures of an epoch.
struct BagMeasure {
  const char* name; ///< such as "validation loss"
  const char* key;  ///< such as "validation_loss"
  double (*of)(const training::BagEpoch& epoch);
};
/// Training loss and accuracy, validation loss and accuracy.
const std::vector<BagMeasure>& bag_measures();
/// The measure of a key.
const BagMeasure& bag_measure(const std::string& key);

/// Fits of one model, one per seed.
struct BagGroup {
  std::string name = {}; ///< name in tables and charts
  std::vector<training::BagFit> fits = {};
};

/// A measure of every fit after a number of epochs; if a fit stopped earlier, after its last epoch.
std::vector<double> after_epochs(const BagGroup& group, const BagMeasure& measure, int64_t epochs);
/// A measure of every fit after the epoch whose model is the result (BagFit::kept_epoch).
std::vector<double> after_kept_epoch(const BagGroup& group, const BagMeasure& measure);

/// A measure over epochs: median of the seeds, with the range from minimum to maximum as a band.
report::Series seeds_series(const std::string& name, const BagGroup& group, const BagMeasure& measure);

/// True if every group has a single seed, so that no spread over seeds can be shown.
bool has_single_seeds(const std::vector<BagGroup>& groups);

/// Mean and 95 % confidence interval, minimum, median and maximum (seed_columns in sparse_and.h) of the four
/// measures after the kept epoch, one row per group and measure.
report::Table bag_table(const std::vector<BagGroup>& groups);

/// Loss and accuracy side by side, training and validation of each group.
report::Chart bag_curves(const std::string& title, const std::vector<BagGroup>& groups);

/// MNIST with its labels: the 60 000 training images followed by the 10 000 test images if both sets are
/// present, else the set that is present.
struct Digits {
  data::PatternSet images;
  int64_t split = 0;  ///< images before it are for training, the others for validation
  std::string source; ///< such as "t10k-images-idx3-ubyte.gz"
};
/// Reads MNIST from a folder; nullopt if there are no MNIST files.
///
/// Errors  DataError for an invalid file, or images without their labels
std::optional<Digits> find_digits(const std::filesystem::path& folder);
/// Names and sizes of the files that `find_digits` would read, as text; "no MNIST" if there are none.
std::string digits_at(const std::filesystem::path& folder);

} // namespace mneme::learning
