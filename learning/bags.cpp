// SPDX-License-Identifier: MIT

#include "learning/bags.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "learning/sparse_and.h"
#include "mneme/core/error.h"
#include "mneme/data/folders.h"
#include "mneme/data/idx.h"

namespace mneme::learning {
namespace {

using training::BagEpoch;
using training::BagFit;

constexpr const char* kMnistSet = "mnist";
/// Number of training images if only the 10 000 test images of MNIST are present.
constexpr int64_t kSplitOfTestImages = 8000;

struct DigitFiles {
  std::filesystem::path images, labels;
};

std::optional<DigitFiles> find_files(const std::filesystem::path& folder, const char* images,
                                     const char* labels) {
  const auto image_file = data::find_data_file(folder, kMnistSet, {images});
  if (!image_file) {
    return std::nullopt;
  }
  const auto label_file = data::find_data_file(folder, kMnistSet, {labels});
  if (!label_file) {
    throw DataError(
        fmt::format("{}: these images have no labels: there is no {} next to them.\n  Put it there, "
                    "optionally as .gz.",
                    image_file->string(), labels));
  }
  return DigitFiles{*image_file, *label_file};
}

std::optional<DigitFiles> find_training_files(const std::filesystem::path& folder) {
  return find_files(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
}
std::optional<DigitFiles> find_test_files(const std::filesystem::path& folder) {
  return find_files(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
}

data::PatternSet read(const DigitFiles& files) {
  data::PatternSet images = data::read_idx(files.images);
  images.labels = data::read_idx_labels(files.labels);
  if (static_cast<int64_t>(images.labels.size()) != images.patterns.count()) {
    throw DataError(fmt::format(
        "{}: contains {} labels, but {} contains {} images.\n  Use both files of one set.",
        files.labels.string(), images.labels.size(), files.images.string(), images.patterns.count()));
  }
  return images;
}

RealPatterns joined(const RealPatterns& first, const RealPatterns& second) {
  RealPatterns both(first.count() + second.count(), first.size());
  for (int64_t i = 0; i < both.count(); ++i) {
    std::ranges::copy(i < first.count() ? first[i] : second[i - first.count()], both[i].begin());
  }
  return both;
}

report::Chart panel(const std::vector<BagGroup>& groups, const report::Axis& y, const char* training_key,
                    const char* validation_key) {
  report::LineChart chart{.title = y.title,
                          .description = fmt::format("{} over epochs.", y.title),
                          .x = {.title = "epoch"},
                          .y = y};
  for (const BagGroup& group : groups) {
    for (const char* key : {training_key, validation_key}) {
      const BagMeasure& measure = bag_measure(key);
      const std::string name = key == training_key ? "training" : "validation";
      chart.series.push_back(
          seeds_series(groups.size() == 1 ? name : group.name + ", " + name, group, measure));
    }
  }
  return to_chart(chart);
}

} // namespace

const std::vector<BagMeasure>& bag_measures() {
  static const std::vector<BagMeasure> measures = {
      {"training loss", "training_loss", [](const BagEpoch& epoch) { return epoch.training.loss; }},
      {"training accuracy", "training_accuracy",
       [](const BagEpoch& epoch) { return epoch.training.accuracy; }},
      {"validation loss", "validation_loss", [](const BagEpoch& epoch) { return epoch.validation.loss; }},
      {"validation accuracy", "validation_accuracy",
       [](const BagEpoch& epoch) { return epoch.validation.accuracy; }}};
  return measures;
}

const BagMeasure& bag_measure(const std::string& key) {
  return *std::ranges::find(bag_measures(), key, [](const BagMeasure& measure) { return measure.key; });
}

std::vector<double> after_epochs(const BagGroup& group, const BagMeasure& measure, int64_t epochs) {
  std::vector<double> numbers;
  for (const BagFit& fit : group.fits) {
    const auto last = std::min(static_cast<size_t>(epochs), fit.epochs.size());
    numbers.push_back(measure.of(fit.epochs[last - 1]));
  }
  return numbers;
}

std::vector<double> after_kept_epoch(const BagGroup& group, const BagMeasure& measure) {
  std::vector<double> numbers;
  for (const BagFit& fit : group.fits) {
    numbers.push_back(measure.of(fit.epochs[static_cast<size_t>(fit.kept_epoch() - 1)]));
  }
  return numbers;
}

report::Series seeds_series(const std::string& name, const BagGroup& group, const BagMeasure& measure) {
  report::Series series{.name = name};
  const auto longest = std::ranges::max(group.fits, {}, [](const BagFit& fit) { return fit.epochs.size(); });
  for (int64_t epoch = 1; epoch <= static_cast<int64_t>(longest.epochs.size()); ++epoch) {
    const std::vector<double> numbers = after_epochs(group, measure, epoch);
    const auto [min, max] = std::ranges::minmax(numbers);
    series.points.push_back({static_cast<double>(epoch), {quantile(numbers, 0.5), min, max}});
  }
  series.style = curve_style(series.points);
  return series;
}

bool has_single_seeds(const std::vector<BagGroup>& groups) {
  return std::ranges::all_of(groups, [](const BagGroup& group) { return group.fits.size() == 1; });
}

report::Table bag_table(const std::vector<BagGroup>& groups) {
  const bool single = has_single_seeds(groups);
  report::Table table{.columns = {{.name = "model"}, {.name = "parameters"}, {.name = "measure"}}};
  std::ranges::copy(seed_columns(single), std::back_inserter(table.columns));
  for (const BagGroup& group : groups) {
    for (const BagMeasure& measure : bag_measures()) {
      table.rows.push_back({group.name, group.fits.front().num_parameters, std::string(measure.name)});
      std::ranges::copy(seed_cells(after_kept_epoch(group, measure), single,
                                   {0, std::string_view(measure.key).ends_with("accuracy") ? 1 : INFINITY}),
                        std::back_inserter(table.rows.back()));
    }
  }
  return table;
}

report::Chart bag_curves(const std::string& title, const std::vector<BagGroup>& groups) {
  return to_chart(
      report::Panels{.title = title,
                     .description = "Loss and accuracy over epochs, training and validation.",
                     .charts = {panel(groups, {.title = "loss"}, "training_loss", "validation_loss"),
                                panel(groups, report::fraction_axis("accuracy"), "training_accuracy",
                                      "validation_accuracy")}});
}

std::optional<Digits> find_digits(const std::filesystem::path& folder) {
  const auto training = find_training_files(folder), test = find_test_files(folder);
  if (!training && !test) {
    return std::nullopt;
  }
  Digits digits{.images = read(training ? *training : *test), .source = digits_at(folder)};
  digits.split = training ? digits.images.patterns.count() * 6 / 7 : kSplitOfTestImages;
  if (training && test) {
    data::PatternSet more = read(*test);
    digits.split = digits.images.patterns.count();
    digits.images.patterns = joined(digits.images.patterns, more.patterns);
    digits.images.labels.insert(digits.images.labels.end(), more.labels.begin(), more.labels.end());
  }
  if (digits.split >= digits.images.patterns.count()) {
    throw DataError(
        fmt::format("{}: contains {} images, but more than {} are required.\n  Use the published file.",
                    digits.source, digits.images.patterns.count(), digits.split));
  }
  return digits;
}

std::string digits_at(const std::filesystem::path& folder) {
  std::string names;
  for (const auto& files : {find_training_files(folder), find_test_files(folder)}) {
    if (files) {
      names += fmt::format("{}{}, {} bytes", names.empty() ? "" : "; ", files->images.filename().string(),
                           std::filesystem::file_size(files->images));
    }
  }
  return names.empty() ? "no MNIST" : names;
}

} // namespace mneme::learning
