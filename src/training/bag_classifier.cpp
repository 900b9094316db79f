// SPDX-License-Identifier: MIT

#include "mneme/training/bag_classifier.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/nn/state_dict.h"
#include "training/bag_batch.h"
#include "training/bag_prediction.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& how_to_fix) {
  throw UsageError(c10::str("mneme::training: ", what, "\n  ", how_to_fix));
}

/// Integers separated by spaces in a text of a checkpoint.
std::vector<int64_t> integers_of(const Checkpoint& checkpoint, const std::string& name) {
  const std::string& text = checkpoint.text(name);
  std::vector<int64_t> numbers;
  const char *at = text.data(), *end = text.data() + text.size();
  while (at != end) {
    int64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 0 || (next != end && *next != ' ')) {
      throw DataError(
          c10::str(checkpoint.source, ": the text \"", name, "\" is \"", text,
                   "\", but must be integers separated by spaces.\n  Use an unmodified checkpoint."));
    }
    numbers.push_back(number);
    at = next == end ? next : next + 1;
  }
  return numbers;
}

BagModelSizes sizes_in(const Checkpoint& checkpoint, const std::string& model) {
  BagModelSizes sizes{.instance_shape = integers_of(checkpoint, "instance shape")};
  const std::vector<int64_t> bag_size = integers_of(checkpoint, "bag size");
  if (bag_size.size() != 1) {
    throw DataError(c10::str(checkpoint.source, ": the text \"bag size\" is \"", checkpoint.text("bag size"),
                             "\", but must be one integer.\n  Use an unmodified checkpoint."));
  }
  sizes.bag_size = bag_size.front();
  if (is_lookup_model(model)) {
    const at::Tensor& weights = checkpoint.tensor(kBagModelPrefix + "association.lookup_weights");
    if (weights.dim() != 3 || weights.size(0) != 1 || weights.size(1) < 1 ||
        sizes.instance_shape != std::vector{weights.size(2)}) {
      throw DataError(c10::str(checkpoint.source, ": lookup_weights has the shape ", weights.sizes(),
                               ", but must be [1, patterns, features], with the features of the text "
                               "\"instance shape\".\n  Use an unmodified checkpoint."));
    }
    sizes.stored_patterns = weights[0];
  }
  return sizes;
}

/// Mean and standard deviation of each feature in the tensors of these names; empty if there are none.
std::optional<data::Standardization> standardization_in(const Checkpoint& checkpoint,
                                                        const BagModelSizes& sizes, const char* means,
                                                        const char* deviations) {
  if (!checkpoint.tensors.contains(means) && !checkpoint.tensors.contains(deviations)) {
    return std::nullopt;
  }
  const at::Tensor like = at::empty({c10::multiply_integers(sizes.instance_shape)}, at::kFloat);
  const auto numbers = [&](const char* name) {
    const at::Tensor tensor = fitting(checkpoint, name, like).contiguous();
    return std::vector<float>(tensor.const_data_ptr<float>(),
                              tensor.const_data_ptr<float>() + tensor.numel());
  };
  return data::Standardization{.means = numbers(means), .deviations = numbers(deviations)};
}

} // namespace

nn::NamedTensors parameters_in(const Checkpoint& checkpoint, const std::string& prefix) {
  nn::NamedTensors parameters;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (name.starts_with(prefix)) {
      parameters.emplace(name.substr(prefix.size()), tensor);
    }
  }
  return parameters;
}

std::vector<BagEpoch> epochs_in(const Checkpoint& checkpoint) {
  const at::Tensor& tensor = checkpoint.tensor("epochs");
  if (tensor.scalar_type() != at::kDouble || tensor.dim() != 2 || tensor.size(1) != 4) {
    throw DataError(c10::str(checkpoint.source, ": tensor \"epochs\" is ", tensor.scalar_type(), " of shape ",
                             tensor.sizes(),
                             ", but must be Double of shape [epochs, 4].\n  Use an unmodified checkpoint."));
  }
  const at::Tensor numbers = tensor.contiguous();
  std::vector<BagEpoch> epochs;
  const double* from = numbers.const_data_ptr<double>();
  for (int64_t i = 0; i < numbers.size(0); ++i, from += 4) {
    epochs.push_back({{from[0], from[1]}, {from[2], from[3]}});
  }
  return epochs;
}

int64_t num_learned_parameters(const BagModel& model) {
  int64_t count = 0;
  for (const at::Tensor& parameter : model.parameters()) {
    count += parameter.requires_grad() ? parameter.numel() : 0;
  }
  return count;
}

void check_bags(const BagModelSizes& sizes, const std::string& model, const data::LabelledBags& bags) {
  if (bags.instance_shape != sizes.instance_shape) {
    refuse(c10::str("the model was made for instances of shape [", c10::Join(", ", sizes.instance_shape),
                    "], but these have the shape [", c10::Join(", ", bags.instance_shape), "]."),
           "Use bags with the features of the training bags, in the same order.");
  }
  for (int64_t bag = 0; bag < bags.count(); ++bag) {
    if ((model.starts_with("hopfield") || is_lookup_model(model)) && bags.bag_size(bag) != sizes.bag_size) {
      refuse(
          c10::str("the model ", model, " was made for bags of ", sizes.bag_size, " instances, but bag ", bag,
                   " has ", bags.bag_size(bag), "."),
          "Use bags of this size, or train a pooling, attention or lstm model, which read bags of any size.");
    }
  }
}

std::vector<BagPrediction> predict(BagModel& model, const data::LabelledBags& bags, bool with_attention) {
  const OneThread one_thread;
  const at::NoGradGuard no_gradient;
  model.eval();
  std::vector<BagPrediction> predictions;
  for (int64_t bag = 0; bag < bags.count(); ++bag) {
    throw_if_interrupted();
    const at::Tensor instances = batch_of(bags, {&bag, 1}).bags;
    BagPrediction prediction{.logit = model.forward(instances).item<double>()};
    if (with_attention) {
      if (const at::Tensor weights = model.attention(instances); weights.defined()) {
        const at::Tensor row = weights[0].to(at::kDouble).contiguous();
        prediction.attention.assign(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
      }
    }
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

struct BagClassifier::State {
  BagModelChoice choice;
  BagModelSizes sizes;
  std::shared_ptr<BagModel> model;
  std::optional<data::Standardization> standardization;
  std::optional<BagSummary> training;
  int64_t epochs = 0;
};

BagClassifier::BagClassifier(const std::filesystem::path& checkpoint) {
  const Checkpoint file = load_checkpoint(checkpoint);
  if (const std::string& format = file.text("format"); format != kBagFormat) {
    throw DataError(c10::str(file.source, ": its format is \"", format, "\", but \"", kBagFormat,
                             "\" is expected.\n  Use a checkpoint of a run on bags."));
  }
  state_ = std::make_unique<State>();
  try {
    state_->choice = BagModelChoice::from_text(file.text("model"));
    state_->sizes = sizes_in(file, state_->choice.name);
    state_->model = make_bag_model(state_->sizes, state_->choice, 0);
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& error) { // unknown names or impossible sizes in the file
    throw DataError(file.source + ": " + error.what());
  }
  state_->standardization = standardization_in(file, state_->sizes, kFeatureMeans, kFeatureDeviations);
  if (auto features = standardization_in(file, state_->sizes, kTrainingMeans, kTrainingDeviations)) {
    const at::Tensor& bags = file.tensor(kTrainingBags);
    if (bags.scalar_type() != at::kLong || bags.dim() != 1) {
      throw DataError(c10::str(file.source, ": tensor \"", kTrainingBags, "\" is ", bags.scalar_type(),
                               " of shape ", bags.sizes(),
                               ", but must be Long of shape [bags].\n  Use an unmodified checkpoint."));
    }
    const at::Tensor hashes = bags.contiguous();
    const int64_t* from = hashes.const_data_ptr<int64_t>();
    state_->training = BagSummary{.features = std::move(*features), .bags = {from, from + hashes.numel()}};
  }
  const std::vector<BagEpoch> epochs = epochs_in(file);
  nn::NamedTensors parameters = parameters_in(file, kBestPrefix);
  state_->epochs = parameters.empty() ? std::ssize(epochs) : best_epoch(epochs);
  if (parameters.empty()) {
    parameters = parameters_in(file, kBagModelPrefix);
  }
  nn::load_state_dict(*state_->model, std::move(parameters), file.source);
}

BagClassifier::BagClassifier(BagClassifier&&) noexcept = default;
BagClassifier::~BagClassifier() = default;

std::vector<BagPrediction> BagClassifier::predict(const data::LabelledBags& bags, bool with_attention) const {
  data::check(bags);
  check_bags(state_->sizes, state_->choice.name, bags);
  data::LabelledBags standardized;
  if (state_->standardization) {
    standardized = bags;
    standardize(standardized, *state_->standardization);
  }
  std::vector<BagPrediction> predictions =
      training::predict(*state_->model, state_->standardization ? standardized : bags, with_attention);
  if (with_attention && !predictions.empty() && predictions.front().attention.empty()) {
    refuse(c10::str("the model ", state_->choice.name, " does not attend to the instances of a bag."),
           "Train a pooling, attention or hopfield model to see which instances it attends to.");
  }
  return predictions;
}

const BagModelChoice& BagClassifier::model() const {
  return state_->choice;
}
const std::vector<int64_t>& BagClassifier::instance_shape() const {
  return state_->sizes.instance_shape;
}
const std::optional<BagSummary>& BagClassifier::training() const {
  return state_->training;
}
int64_t BagClassifier::epochs() const {
  return state_->epochs;
}
int64_t BagClassifier::num_parameters() const {
  return num_learned_parameters(*state_->model);
}

} // namespace mneme::training
