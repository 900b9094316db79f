// SPDX-License-Identifier: MIT

#include "mneme/training/bag_task.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::training {
namespace {

/// The middle three quarters to learn from, the rest to be tested with.
void split(BagTask& task, const data::LabelledBags& bags) {
  const int64_t eighth = bags.count() / 8;
  task.training = slice(bags, eighth, bags.count() - eighth);
  task.validation = joined(slice(bags, 0, eighth), slice(bags, bags.count() - eighth, bags.count()));
}

} // namespace

std::string BagModelChoice::text() const {
  if (separation == SimplexSeparation::softmax) {
    return name;
  }
  const std::string used = name + ", " + std::string(name_of(separation));
  return separation.kind == SimplexSeparation::Kind::entmax ? fmt::format("{} {}", used, separation.alpha)
                                                            : used;
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
  split(task, labelled(draw_bit_bags(options)));
  return task;
}

BagTask latch_task(const data::LatchOptions& options) {
  BagTask task{.name = "latch",
               .models = {"hopfield", "hopfield-adapted", "pooling", "pooling-adapted", "lookup",
                          "lookup-adapted", "lstm"},
               .schedule = {.epochs = 20}};
  split(task, labelled(draw_latch_sequences(options)));
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
  options.num_bags = std::max<int64_t>(1, options.num_bags / 4); // 50 beside 200
  task.validation = draw_digit_bags(images, split, images.patterns.count(), options);
  return task;
}

BagAnswers judge(const std::vector<double>& logits, const std::vector<uint8_t>& targets) {
  const char* where = "mneme::training::judge";
  if (logits.size() != targets.size() || logits.empty()) {
    throw UsageError(
        fmt::format("{}: there are {} answers for {} labels.\n  Give one for each, and at least one.", where,
                    logits.size(), targets.size()));
  }
  std::vector<double> yes, no;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) {
      throw UsageError(
          fmt::format("{}: answer {} is {}, a number is needed.\n  Train with a smaller learning rate.",
                      where, i, logits[i]));
    }
    (targets[i] != 0 ? yes : no).push_back(logits[i]);
  }
  std::ranges::sort(no);
  const auto is_yes = [](double x) { return x > 0; };
  const auto right_yes = static_cast<double>(std::ranges::count_if(yes, is_yes)),
             right_no = static_cast<double>(std::ranges::count_if(no, std::not_fn(is_yes)));
  double above = 0; // pairs in the right order
  for (const double x : yes) {
    const auto [below, end] = std::equal_range(no.begin(), no.end(), x);
    above += 0.5 * static_cast<double>((below - no.begin()) + (end - no.begin()));
  }
  const auto positives = static_cast<double>(yes.size()), negatives = static_cast<double>(no.size());
  return {.accuracy = (right_yes + right_no) / (positives + negatives),
          .sensitivity = right_yes / positives,
          .specificity = right_no / negatives,
          .area_under_curve = above / (positives * negatives)};
}

} // namespace mneme::training
