// SPDX-License-Identifier: MIT

#include "experiments/hopfield/learn.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

[[noreturn]] void refuse() {
  throw UnsupportedError(
      "mneme::experiments::learn_from_bags: this program is built without LibTorch, which training "
      "on bags needs.\n  Build it with LibTorch.");
}

} // namespace

bool can_learn_from_bags() {
  return false;
}

std::vector<training::BagFit> learn_from_bags(std::span<const training::BagJob>, Progress&,
                                              const training::BagJobDone&) {
  refuse();
}

BagCheckpoint measure_checkpoint(const training::BagJob&) {
  refuse();
}

} // namespace mneme::experiments
