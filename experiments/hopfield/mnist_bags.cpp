// SPDX-License-Identifier: MIT

/// The example on bags of MNIST digits: attention, gated attention and Hopfield pooling.

#include <fmt/format.h>

#include "experiments/hopfield/bag_comparison.h"
#include "learning/bags.h"
#include "learning/bag_fits.h"
#include "mneme/core/text.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kPublishedImages = 70'000; // 60 000 training and 10 000 test images

Outcome run(const RunSettings& settings, Progress& progress) {
  const std::optional<learning::Digits> digits = learning::find_digits(settings.data);
  if (!digits) {
    return {.skipped = fmt::format(
                "MNIST was not found in {} (searched for mnist/train-images-idx3-ubyte and "
                "mnist/t10k-images-idx3-ubyte, also .gz). `mneme data get mnist` downloads it; --data "
                "or MNEME_DATA selects another folder.",
                printable(settings.data.string()))};
  }
  const int64_t count = digits->images.patterns.count();
  const training::BagTask task = training::digit_bag_task(digits->images, digits->split);
  BagComparison comparison{.example = "mnist_bags",
                           .source = "hflayers 1.0.2, example on MNIST bags",
                           .models = {{"attention", "attention_base"},
                                      {"gated-attention", "gated_attention_base"},
                                      {"pooling", "hopfield_pooling"}},
                           .seeds =
                               settings.quick ? 5 : 10, // only 50 validation bags, so single runs scatter
                           .epochs_max = settings.quick ? 6 : 0};
  if (count != kPublishedImages) {
    comparison.not_compared = fmt::format(
        "the bags differ from the published ones, since they were drawn from {} images instead of {}; "
        "`mneme data get mnist` downloads all images",
        count, kPublishedImages);
  }
  Outcome outcome = compare_bags(task, comparison, settings, progress);
  outcome.parameters.emplace_back("images",
                                  fmt::format("{}: {} for training bags, {} for validation bags",
                                              digits->source, digits->split, count - digits->split));
  outcome.notes = {
      "With 50 validation bags, one bag is 0.02 of accuracy; the authors call this a demonstration.",
      "As published, training accuracy is measured after the step on the bag, by a second forward pass.",
      count == kPublishedImages
          ? "The bags are identical to the published ones, from the same random numbers."
          : fmt::format("The published bags contain training images of MNIST. Only {} images were found, so "
                        "bags were drawn in the same way from these images.",
                        count)};
  return outcome;
}

std::string inputs(const RunSettings& settings) {
  return learning::digits_at(settings.data);
}

} // namespace

Experiment hopfield_mnist_bags() {
  return {
      .id = "hopfield/mnist-bags",
      .title = "Bags of digits: is there a 9?",
      .claim =
          "Hopfield pooling detects a 9 in a bag as well as attention and gated attention do (evaluation "
          "accuracy 0.92 compared with 0.94 and 0.90 after 20 epochs), after it has predicted the majority "
          "class for six epochs.",
      .source = "hflayers 1.0.2, example \"Attention-based Deep Multiple Instance Learning\"; Ilse, Tomczak "
                "& Welling 2018",
      .is_parallel = true,
      .needs_torch = true,
      .run = run,
      .inputs = inputs};
}

} // namespace mneme::experiments
