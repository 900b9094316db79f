// SPDX-License-Identifier: MIT

/// What a yes-or-no answer about a bag or sequence is learnt from, with what, and what comes of it. Without
/// LibTorch: bag_trainer.h trains.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mneme/core/simplex_separation.h"
#include "mneme/data/labelled_bags.h"

namespace mneme::training {

/// AdamW (0.9, 0.999, 1e-8) on the mean binary cross-entropy of each batch.
struct BagSchedule {
  int64_t epochs = 250;
  int64_t batch_size = 32; ///< bags of one batch have one size, so bags of several sizes take 1
  double learning_rate = 1e-3;
  double weight_decay = 1e-2;   ///< decoupled
  double gradient_norm_max = 1; ///< longer gradients are cut to that length
  /// In [0, 1/2): probabilities closer to 0 or 1 are moved there before their logarithm is taken. 0: logits are used,
  /// which are good for all.
  double probability_floor = 0;
  /// Training accuracy is that after the step of the batch, by a second forward; else of the one before it.
  bool scored_after_step = false;
  /// Training stops once the validation loss has not fallen for so many epochs; 0: never.
  int64_t patience = 0;
};

/// What learns: one of the models of a task, and the separation of its Hopfield layer.
struct BagModelChoice {
  // NOLINTNEXTLINE(google-explicit-constructor): a model with softmax is its name
  BagModelChoice(std::string model = {}, const SimplexSeparation& used = SimplexSeparation::softmax)
      : name(std::move(model)), separation(used) {}
  // NOLINTNEXTLINE(google-explicit-constructor): likewise
  BagModelChoice(const char* model) : name(model) {}

  std::string name;
  SimplexSeparation separation =
      SimplexSeparation::softmax; ///< models without a Hopfield layer take softmax alone

  std::string text() const; ///< "pooling", "pooling, sparsemax", "pooling, entmax 1.25"
};

struct BagTask {
  std::string name; ///< such as "bit-pattern"
  data::LabelledBags training = {}, validation = {};
  std::vector<std::string> models = {}; ///< that are known for it, the first one by default
  BagSchedule schedule = {};            ///< published

  /// `schedule` with what is published for this model alone.
  BagSchedule schedule_of(const std::string& model) const;
};

/// The set whose bags are all of one class, such as "all 200 training bags are negative"; empty if both sets hold both
/// classes. A model that always gives the same answer is right on every bag of such a set, so its accuracy means
/// nothing.
std::string single_class_set(const BagTask& task);

/// The three examples of hflayers 1.0.2. Of drawn bags and sequences the first and last eighth are for validation.
///
/// Models  hopfield, pooling, lookup, each with the defaults of its layer or "-adapted"; latch also lstm; digits
///         attention, gated-attention, pooling
BagTask bit_pattern_task(const data::BitBagOptions& options = {});
BagTask latch_task(const data::LatchOptions& options = {});
/// Models and schedule of the following task, without bags.
BagTask digit_bag_settings();
/// 200 bags of images before `split` to learn from, 50 of the others to be tested with;
/// published with 60 000 and 10 000 images of MNIST.
BagTask digit_bag_task(const data::PatternSet& images, int64_t split, data::DigitBagOptions options = {});

struct BagScore {
  double loss = 0, accuracy = 0; ///< means over batches
};

struct BagEpoch {
  BagScore training = {}, validation = {};
};

struct BagFit {
  std::string model;
  uint64_t seed = 0;
  int64_t num_parameters = 0;
  std::vector<BagEpoch> epochs = {};
  bool stopped_early = false;
  double seconds = 0; ///< of this run, not of those it went on from
};

/// Answers beside the truth.
struct BagAnswers {
  double accuracy = 0;
  double sensitivity = 0,
         specificity = 0; ///< share of the positive and of the negative bags that are answered rightly
  /// How often a positive bag is found likelier than a negative one; ties count half.
  double area_under_curve = 0;
};

/// `logits`: above 0 is a yes. Of no positive (or negative) bags the share is NaN, and so is the area.
///
/// Errors  UsageError if there are not as many answers as labels, none, or one is not a number
BagAnswers judge(const std::vector<double>& logits, const std::vector<uint8_t>& targets);

} // namespace mneme::training
