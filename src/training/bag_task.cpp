// SPDX-License-Identifier: MIT

#include "mneme/training/bag_task.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/random.h"

namespace mneme::training {
namespace {

/// The middle three quarters are the training set, the rest is the validation set.
void split(BagTask& task, const data::LabelledBags& bags) {
  const int64_t eighth = bags.count() / 8;
  task.training = slice(bags, eighth, bags.count() - eighth);
  task.validation = concatenate(slice(bags, 0, eighth), slice(bags, bags.count() - eighth, bags.count()));
}

} // namespace

int64_t best_epoch(const std::vector<BagEpoch>& epochs) {
  const auto best =
      std::ranges::min_element(epochs, {}, [](const BagEpoch& epoch) { return epoch.validation.loss; });
  return best == epochs.end() ? 0 : best - epochs.begin() + 1;
}

std::string BagModelChoice::text() const {
  if (separation == SimplexSeparation::softmax) {
    return name;
  }
  const std::string used = name + ", " + std::string(name_of(separation));
  return separation.kind == SimplexSeparation::Kind::entmax ? fmt::format("{} {}", used, separation.alpha)
                                                            : used;
}

BagModelChoice BagModelChoice::from_text(const std::string& text) {
  const size_t comma = text.find(", ");
  BagModelChoice choice(text.substr(0, comma));
  if (comma != std::string::npos) {
    const std::string used = text.substr(comma + 2);
    const size_t space = used.find(' ');
    choice.separation = separation_named(used.substr(0, space),
                                         space == std::string::npos
                                             ? std::nullopt
                                             : std::optional(std::strtod(used.c_str() + space, nullptr)));
  }
  return choice;
}

BagSchedule BagTask::schedule_of(const std::string& model) const {
  BagSchedule own = schedule;
  constexpr int64_t kLatchLookupEpochs = 18;
  if (name == "latch" && model.starts_with("lookup")) {
    own.epochs = kLatchLookupEpochs;
  }
  return own;
}

std::string single_class_set(const BagTask& task) {
  for (const auto& [set, name] :
       {std::pair(&task.training, "training"), std::pair(&task.validation, "validation")}) {
    const int64_t count = set->count(), positive = set->num_positive();
    if (count > 0 && (positive == 0 || positive == count)) {
      return fmt::format("all {} {} bags are {}", count, name, positive == 0 ? "negative" : "positive");
    }
  }
  return "";
}

BagTask bit_pattern_task(const data::BitBagOptions& options) {
  BagTask task{
      .name = "bit-pattern",
      .models = {"hopfield", "hopfield-adapted", "pooling", "pooling-adapted", "lookup", "lookup-adapted"},
      .schedule = {.epochs = 250}};
  split(task, to_labelled_bags(draw_bit_bags(options)));
  return task;
}

BagTask latch_task(const data::LatchOptions& options) {
  BagTask task{.name = "latch",
               .models = {"hopfield", "hopfield-adapted", "pooling", "pooling-adapted", "lookup",
                          "lookup-adapted", "lstm"},
               .schedule = {.epochs = 20}};
  split(task, to_labelled_bags(draw_latch_sequences(options)));
  return task;
}

BagTask digit_bag_settings() {
  return {.name = "mnist-bags",
          .models = {"pooling", "attention", "gated-attention"},
          .schedule = {.epochs = 20,
                       .batch_size = 1,
                       .learning_rate = 5e-4,
                       .weight_decay = 1e-4,
                       .probability_floor = 1e-5,
                       .scored_after_step = true}};
}

BagTask digit_bag_task(const data::PatternSet& images, int64_t split, data::DigitBagOptions options) {
  BagTask task = digit_bag_settings();
  task.training = draw_digit_bags(images, 0, split, options);
  options.num_bags = std::max<int64_t>(1, options.num_bags / 4); // published: 50 for 200 training bags
  task.validation = draw_digit_bags(images, split, images.patterns.count(), options);
  return task;
}

BagTask own_bag_task(data::LabelledBags training, data::LabelledBags validation) {
  std::set<int64_t> sizes;
  for (const data::LabelledBags* bags : {&training, &validation}) {
    for (int64_t bag = 0; bag < bags->count(); ++bag) {
      sizes.insert(bags->bag_size(bag));
    }
  }
  return {.name = "bags",
          .training = std::move(training),
          .validation = std::move(validation),
          .models = {"pooling", "pooling-adapted", "hopfield", "hopfield-adapted", "lookup", "lookup-adapted",
                     "attention", "gated-attention", "lstm"},
          .schedule = {.epochs = 50, .batch_size = sizes.size() > 1 ? 1 : 32}};
}

std::pair<data::LabelledBags, data::LabelledBags> split_bags(const data::LabelledBags& bags, double fraction,
                                                             uint64_t seed) {
  if (!(fraction > 0 && fraction < 1)) {
    throw UsageError(
        fmt::format("mneme::training::split_bags: the fraction of validation bags is {}, but must "
                    "be between 0 and 1.\n  0.25 is a common choice.",
                    fraction));
  }
  std::vector<int64_t> training, validation;
  for (const uint8_t target : {0, 1}) {
    std::vector<int64_t> of_class;
    for (int64_t bag = 0; bag < bags.count(); ++bag) {
      if (bags.targets[static_cast<size_t>(bag)] == target) {
        of_class.push_back(bag);
      }
    }
    const int64_t count = std::ssize(of_class);
    const int64_t part =
        count < 2 ? 0
                  : std::clamp<int64_t>(std::llround(fraction * static_cast<double>(count)), 1, count - 1);
    const std::vector<int64_t> order = Random(seed).stream(target).distinct(count, count);
    for (int64_t i = 0; i < count; ++i) {
      (i < part ? validation : training)
          .push_back(of_class[static_cast<size_t>(order[static_cast<size_t>(i)])]);
    }
  }
  std::ranges::sort(training);
  std::ranges::sort(validation);
  return {select(bags, training), select(bags, validation)};
}

ClassificationMetrics classification_metrics(const std::vector<double>& logits,
                                             const std::vector<uint8_t>& targets) {
  const char* where = "mneme::training::classification_metrics";
  if (logits.size() != targets.size() || logits.empty()) {
    throw UsageError(
        fmt::format("{}: there are {} logits for {} labels.\n  Give one logit per label, and at least one.",
                    where, logits.size(), targets.size()));
  }
  std::vector<double> positive, negative; // logits by label
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) {
      throw UsageError(
          fmt::format("{}: logit {} is {}, but must be a number.\n  Train with a smaller learning rate.",
                      where, i, logits[i]));
    }
    (targets[i] != 0 ? positive : negative).push_back(logits[i]);
  }
  std::ranges::sort(negative);
  const auto predicts_positive = [](double x) { return x > 0; };
  const auto true_positives = static_cast<double>(std::ranges::count_if(positive, predicts_positive)),
             true_negatives =
                 static_cast<double>(std::ranges::count_if(negative, std::not_fn(predicts_positive)));
  double ordered_pairs = 0;
  for (const double x : positive) {
    const auto [below, end] = std::equal_range(negative.begin(), negative.end(), x);
    ordered_pairs += 0.5 * static_cast<double>((below - negative.begin()) + (end - negative.begin()));
  }
  const auto positives = static_cast<double>(positive.size()),
             negatives = static_cast<double>(negative.size());
  return {.accuracy = (true_positives + true_negatives) / (positives + negatives),
          .sensitivity = true_positives / positives,
          .specificity = true_negatives / negatives,
          .area_under_curve = ordered_pairs / (positives * negatives)};
}

} // namespace mneme::training
