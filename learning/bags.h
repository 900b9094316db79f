// SPDX-License-Identifier: MIT

/// Curves and tables of models that learn from bags, over several seeds.
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

/// One of the four numbers of an epoch.
struct BagMeasure {
  const char* name; ///< such as "validation loss"
  const char* key;  ///< such as "validation_loss"
  double (*of)(const training::BagEpoch& epoch);
};
/// Training loss and accuracy, validation loss and accuracy.
const std::vector<BagMeasure>& bag_measures();
/// The one of that key.
const BagMeasure& bag_measure(const std::string& key);

/// Fits of one model, seed by seed.
struct BagGroup {
  std::string name = {}; ///< for readers
  std::vector<training::BagFit> fits = {};
};

/// A number of every fit after that many epochs; of a fit that stopped before, its last.
std::vector<double> after_epochs(const BagGroup& group, const BagMeasure& measure, int64_t epochs);
std::vector<double> at_the_end(const BagGroup& group, const BagMeasure& measure);

/// A measure over epochs: median of the seeds, and the range of all of them as a band.
report::Series seeds_series(const std::string& name, const BagGroup& group, const BagMeasure& measure);

/// True if there is no group of several seeds, whose spread could be shown.
bool has_single_seeds(const std::vector<BagGroup>& groups);

/// Mean and 95 % interval, least, median and greatest (seed_columns in sparse_and.h) of the four numbers at the end, one
/// row per group and number.
report::Table bag_table(const std::vector<BagGroup>& groups);

/// Loss and accuracy side by side, training and validation of each group.
report::Chart bag_curves(const std::string& title, const std::vector<BagGroup>& groups);

/// MNIST with its labels: the 60 000 training images followed by the 10 000 test images where both are there, else
/// the one set that is there. None: nothing is there.
struct Digits {
  data::PatternSet images;
  int64_t split = 0;  ///< images before it are to learn from, those after it to be tested with
  std::string source; ///< such as "t10k-images-idx3-ubyte.gz"
};
/// Errors  DataError for a file that is not sound, or images without their labels
std::optional<Digits> find_digits(const std::filesystem::path& folder);
/// Which files `find_digits` reads, without reading them; "no MNIST" where there are none.
std::string digits_at(const std::filesystem::path& folder);

} // namespace mneme::learning
