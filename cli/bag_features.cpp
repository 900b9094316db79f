// SPDX-License-Identifier: MIT

#include "cli/bag_features.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr double kDeviationRatioMax = 30;

std::string name_of(const data::BagFile& bags, size_t feature) {
  return bags.feature_names.empty() ? fmt::format("feature {}", feature)
                                    : printable(bags.feature_names[feature]);
}

std::vector<float> column_of(const data::BagFile& bags, size_t feature) {
  std::vector<float> numbers;
  for (size_t at = feature; at < bags.numbers.size(); at += static_cast<size_t>(bags.num_features)) {
    numbers.push_back(bags.numbers[at]);
  }
  return numbers;
}

bool are_distinct_integers(std::vector<float> numbers) {
  if (!std::ranges::all_of(numbers, [](float x) { return x == std::floor(x); })) {
    return false;
  }
  std::ranges::sort(numbers);
  return numbers.size() > 1 && std::ranges::adjacent_find(numbers) == numbers.end();
}

/// Whether the instances of every bag have consecutive integers that begin with the same one.
bool counts_instances(const std::vector<float>& numbers, const std::vector<int64_t>& offsets) {
  bool counts = false; // bags of one instance do not suffice
  for (size_t bag = 0; bag + 1 < offsets.size(); ++bag) {
    for (int64_t i = offsets[bag]; i < offsets[bag + 1]; ++i) {
      if (numbers[static_cast<size_t>(i)] != numbers[0] + static_cast<float>(i - offsets[bag])) {
        return false;
      }
    }
    counts = counts || offsets[bag + 1] - offsets[bag] > 1;
  }
  return counts;
}

} // namespace

std::string features_text(const data::BagFile& bags) {
  constexpr int64_t kShown = 20;
  std::vector<std::string> names;
  for (const std::string& name : bags.feature_names) { // quoted where it could be read as several names
    names.push_back(name.find(',') == std::string::npos ? printable(name)
                                                        : fmt::format("\"{}\"", printable(name)));
  }
  const auto shown = std::min(std::ssize(names), std::ptrdiff_t{kShown});
  std::string text = report::counted(bags.num_features, "feature");
  if (!names.empty()) {
    text += fmt::format(": {}{}", fmt::join(names.begin(), names.begin() + shown, ", "),
                        std::ssize(names) > shown ? ", ..." : "");
  }
  return text;
}

std::vector<std::string> feature_warnings(const data::BagFile& bags, bool is_standardized) {
  std::vector<std::string> warnings;
  double min = HUGE_VAL, max = 0; // of the standard deviations of features that are not constant
  size_t min_feature = 0, max_feature = 0;
  const std::vector<float> deviations = data::standardization_of(bags.numbers, bags.num_features).deviations;
  for (size_t feature = 0; feature < static_cast<size_t>(bags.num_features); ++feature) {
    const std::vector<float> numbers = column_of(bags, feature);
    const std::string name = name_of(bags, feature);
    if (const bool of_rows = are_distinct_integers(numbers);
        of_rows || counts_instances(numbers, bags.offsets)) {
      warnings.push_back(fmt::format(
          "warning: {}{} {}, so it is probably no feature; {}", bags.feature_names.empty() ? "" : "column ",
          name, of_rows ? "has a different integer in every row" : "counts the instances of each bag",
          bags.feature_names.empty() ? "leave it out of the instances"
                                     : fmt::format("--ignore-columns {0} leaves it out, and so does "
                                                   "--instance-column {0}, by which `mneme predict` then "
                                                   "names the instances",
                                                   name)));
      continue;
    }
    if (std::ranges::adjacent_find(numbers, std::ranges::not_equal_to()) != numbers.end()) {
      const double deviation = deviations[feature];
      if (deviation < min) {
        min = deviation;
        min_feature = feature;
      }
      if (deviation > max) {
        max = deviation;
        max_feature = feature;
      }
    }
  }
  if (!is_standardized && max > kDeviationRatioMax * min) {
    warnings.push_back(
        fmt::format("warning: the standard deviations of the features reach from {:.3g} ({}) to {:.3g} ({}); "
                    "--standardize divides each feature by its own",
                    min, name_of(bags, min_feature), max, name_of(bags, max_feature)));
  }
  return warnings;
}

std::string layer_norm_warning(const data::BagFile& bags, const std::string& model) {
  const bool has_norm =
      model.starts_with("pooling") || model.starts_with("hopfield") || model.starts_with("lookup");
  if (!has_norm || bags.num_features > 2) {
    return "";
  }
  if (bags.num_features == 1) {
    throw UsageError(
        fmt::format("--model {}: normalises each instance over its features, which makes the only feature{} "
                    "the same for all instances.\n  Choose --model attention, gated-attention or lstm, "
                    "which use the numbers as they are, or add features.",
                    model, bags.feature_names.empty() ? "" : fmt::format(", {},", name_of(bags, 0))));
  }
  return fmt::format("warning: {} normalises each instance over its features, which leaves little more than "
                     "the sign of the difference of the two; --model attention, gated-attention and lstm use "
                     "the numbers as they are",
                     model);
}

void check_magnitudes(const data::BagFile& bags, const data::Standardization* standardization,
                      const std::string& file) {
  constexpr double kMax = 1e15; // sums of squares of such numbers are within float32
  const auto size = static_cast<size_t>(bags.num_features);
  for (size_t i = 0; i < bags.numbers.size(); ++i) {
    const size_t row = i / size, feature = i % size;
    double number = bags.numbers[i];
    if (standardization != nullptr) {
      number = (number - standardization->means[feature]) / standardization->deviations[feature];
    }
    if (!(std::abs(number) > kMax)) {
      continue;
    }
    const auto bag = static_cast<size_t>(std::ranges::upper_bound(bags.offsets, static_cast<int64_t>(row)) -
                                         bags.offsets.begin() - 1);
    throw DataError(
        fmt::format("{}: bag {}, {}: {} is {:.6g}{}, which is too large for the model: it reads numbers up "
                    "to {:g}.\n  Correct "
                    "it, or remove this instance.",
                    printable(file), printable(bags.names[bag]),
                    bags.lines.empty() ? fmt::format("instance {}", bags.rows[row])
                                       : fmt::format("line {}", bags.lines[row]),
                    feature_text(bags, static_cast<int64_t>(feature)), bags.numbers[i],
                    standardization != nullptr
                        ? fmt::format(", {:.3g} standard deviations of the training bags from their mean",
                                      std::abs(number))
                        : "",
                    kMax));
  }
}

std::vector<std::string> unit_warnings(const data::BagFile& bags, const data::Standardization& training,
                                       const std::string& set) {
  constexpr double kDistanceMax = 5, kRatioMax = 5;
  constexpr int64_t kInstancesMin = 10; // the deviation of fewer is too uncertain
  constexpr size_t kShown = 10;
  std::vector<std::string> warnings;
  size_t more = 0;
  const data::Standardization here = data::standardization_of(bags.numbers, bags.num_features);
  for (size_t feature = 0; feature < here.means.size(); ++feature) {
    const double mean = here.means[feature], deviation = here.deviations[feature],
                 training_mean = training.means[feature], training_deviation = training.deviations[feature];
    const std::vector<float> numbers = column_of(bags, feature);
    const auto known =
        std::ssize(numbers) - std::ranges::count_if(numbers, [](float x) { return std::isnan(x); });
    const bool varies =
        std::ranges::any_of(numbers, [&](float x) { return !std::isnan(x) && x != here.means[feature]; });
    const double ratio = std::max(deviation / training_deviation, training_deviation / deviation);
    if (!(std::abs(mean - training_mean) > kDistanceMax * training_deviation) &&
        !(varies && known >= kInstancesMin && ratio > kRatioMax)) {
      continue;
    }
    if (warnings.size() == kShown) {
      ++more;
      continue;
    }
    warnings.push_back(
        fmt::format("warning: {} has the mean {:.4g} and the standard deviation {:.3g} in {}, but "
                    "{:.4g} and {:.3g} in the training bags; is it in another unit?",
                    feature_text(bags, static_cast<int64_t>(feature)), mean, varies ? deviation : 0, set,
                    training_mean, training_deviation));
  }
  if (more > 0) {
    warnings.push_back(fmt::format("warning: {} more features differ as much from the training bags", more));
  }
  return warnings;
}

int64_t count_training_bags(const std::vector<uint64_t>& training, const std::vector<uint64_t>& bags) {
  return std::ranges::count_if(bags, [&](uint64_t bag) { return std::ranges::binary_search(training, bag); });
}

std::string replaced_text(const data::BagFile& bags) {
  const std::string missing = data::missing_text(bags);
  return missing.empty()
             ? ""
             : fmt::format("{}; replaced by the mean of the feature in the training bags", missing);
}

} // namespace mneme::cli
