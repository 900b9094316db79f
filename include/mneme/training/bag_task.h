// SPDX-License-Identifier: MIT

/// Binary classification of bags and sequences: data sets, models, training schedules and metrics. Does not
/// need LibTorch; bag_trainer.h trains the models.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mneme/core/simplex_separation.h"
#include "mneme/data/labelled_bags.h"

namespace mneme::training {

/// Training schedule: AdamW with betas 0.9 and 0.999 and eps 1e-8, on the mean binary cross-entropy of each
/// batch.
struct BagSchedule {
  int64_t epochs = 250;
  int64_t batch_size = 32; ///< all bags of a batch must have the same size: use 1 for bags of several sizes
  double learning_rate = 1e-3;
  double weight_decay = 1e-2;   ///< decoupled
  double gradient_norm_max = 1; ///< gradient clipping: larger gradients are scaled down to this norm
  /// In [0, 1/2): the loss clamps probabilities to [floor, 1 - floor]. 0: the loss is computed from logits
  /// without clamping, which is accurate for all probabilities.
  double probability_floor = 0;
  /// true: training accuracy is measured after the step of each batch, by a second forward pass; false:
  /// before the step.
  bool scored_after_step = false;
  /// true: the training loss of a bag is multiplied by n / (2 n_c), with n training bags, n_c of them of its
  /// class, so that both classes have the same weight. The validation loss is never weighted.
  bool balanced_classes = false;
  /// true: the result of training, in checkpoints and in BagFit, is the model after the epoch with the lowest
  /// validation loss (the first one of equal epochs); false: after the last epoch.
  bool keeps_best = false;
  /// Early stopping: number of epochs without a lower validation loss after which training stops; 0: never.
  int64_t patience = 0;
};

/// Choice of a model: its name, and the separation of its Hopfield layer.
struct BagModelChoice {
  // NOLINTNEXTLINE(google-explicit-constructor): a name alone means a model with softmax
  BagModelChoice(std::string model = {}, const SimplexSeparation& used = SimplexSeparation::softmax)
      : name(std::move(model)), separation(used) {}
  // NOLINTNEXTLINE(google-explicit-constructor): likewise
  BagModelChoice(const char* model) : name(model) {}

  std::string name;
  /// Models without a Hopfield layer accept only softmax.
  SimplexSeparation separation = SimplexSeparation::softmax;

  std::string text() const; ///< such as "pooling", "pooling, sparsemax", "pooling, entmax 1.25"
  /// The choice that `text` returned this text for.
  ///
  /// Errors  UsageError for an unknown separation
  static BagModelChoice from_text(const std::string& text);
};

/// The training bags as they are in the files, before standardization, for comparison with other bags.
struct BagSummary {
  data::Standardization features = {}; ///< mean and standard deviation of the values that are not missing
  std::vector<uint64_t> bags = {};     ///< data::bag_hashes, ascending
};

/// A binary classification task on bags.
struct BagTask {
  std::string name; ///< such as "bit-pattern"
  data::LabelledBags training = {}, validation = {};
  std::vector<std::string> models = {}; ///< names of its models; the first one is the default
  BagSchedule schedule = {};            ///< published schedule
  /// Standardization of the features that both sets already have. It is stored in checkpoints, and
  /// BagClassifier applies it to other bags.
  std::optional<data::Standardization> standardization = {};
  /// Stored in checkpoints (BagClassifier::training). Tasks other than own bags have none.
  std::optional<BagSummary> summary = {};

  /// `schedule` with the published settings that are specific to this model.
  BagSchedule schedule_of(const std::string& model) const;
};

/// Describes the first set whose bags are all of one class, such as "all 200 training bags are negative";
/// empty if both sets contain both classes. A constant model classifies every bag of such a set correctly, so
/// its accuracy is meaningless.
std::string single_class_set(const BagTask& task);

/// The three example tasks of hflayers 1.0.2. The first and the last eighth of the drawn bags or sequences
/// are the validation set.
///
/// Models  hopfield, pooling, lookup, each with the defaults of its layer or with the suffix "-adapted"
///         (HopfieldOptions::adapted); latch also has lstm; digits has attention, gated-attention, pooling
BagTask bit_pattern_task(const data::BitBagOptions& options = {});
BagTask latch_task(const data::LatchOptions& options = {});
/// Models and schedule of digit_bag_task, without bags.
BagTask digit_bag_settings();
/// Training set: 200 bags of the images before `split`; validation set: 50 bags of the remaining images.
/// Published with 60 000 and 10 000 images of MNIST.
BagTask digit_bag_task(const data::PatternSet& images, int64_t split, data::DigitBagOptions options = {});

/// Task of the user's own bags, with feature vectors as instances.
///
/// Models    pooling, hopfield and lookup (also with "-adapted"), attention, gated-attention, lstm. hopfield
///           and lookup need bags of one size; lookup has one stored pattern per distinct training instance
/// Schedule  batches of 32 bags if all bags have the same size, else of 1 bag
BagTask own_bag_task(data::LabelledBags training, data::LabelledBags validation);

/// Splits bags at random into a training and a validation set, separately in each class. Of two or more bags
/// of a class, at least one is in each set; both sets keep the order of the bags.
///
/// Errors  UsageError unless 0 < fraction < 1
std::pair<data::LabelledBags, data::LabelledBags> split_bags(const data::LabelledBags& bags, double fraction,
                                                             uint64_t seed);

struct BagScore {
  double loss = 0, accuracy = 0; ///< means over batches
};

struct BagEpoch {
  BagScore training = {}, validation = {};
};

/// The epoch with the lowest validation loss, from 1; the first one of equal epochs. 0 without epochs.
int64_t best_epoch(const std::vector<BagEpoch>& epochs);

/// Metrics of binary classification.
struct ClassificationMetrics {
  double accuracy = 0;
  double sensitivity = 0; ///< fraction of positive bags that are classified correctly
  double specificity = 0; ///< fraction of negative bags that are classified correctly
  /// Area under the ROC curve: fraction of pairs of a positive and a negative bag in which the positive one
  /// has the larger logit; ties count half.
  double area_under_curve = 0;
};

struct BagFit {
  std::string model;
  uint64_t seed = 0;
  int64_t num_parameters = 0;
  std::vector<BagEpoch> epochs = {};
  bool stopped_early = false;
  bool keeps_best = false;               ///< BagSchedule::keeps_best
  ClassificationMetrics validation = {}; ///< of the validation bags, after the kept epoch
  double seconds = 0;                    ///< wall time of this run, without the runs that it resumed

  /// The epoch whose model is the result: the best or the last one, from 1.
  int64_t kept_epoch() const { return keeps_best ? best_epoch(epochs) : static_cast<int64_t>(epochs.size()); }
};

/// Metrics of logits, which predict the positive class if they are > 0. Without positive (negative) bags,
/// sensitivity (specificity) and the area are NaN.
///
/// Errors  UsageError if the numbers of logits and targets differ or are 0, or if a logit is NaN
ClassificationMetrics classification_metrics(const std::vector<double>& logits,
                                             const std::vector<uint8_t>& targets);

} // namespace mneme::training
