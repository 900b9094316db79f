// SPDX-License-Identifier: MIT

#include "mneme/training/recall_task.h"

namespace mneme::training {

std::string name_of(RecallMixer mixer) {
  switch (mixer) {
  case RecallMixer::leap:
    return "LEAP";
  case RecallMixer::matrix_leap:
    return "matrix LEAP";
  case RecallMixer::attention:
    return "softmax attention";
  case RecallMixer::hopfield:
    break;
  }
  return "Hopfield layer";
}

int64_t state_bytes(const RecallModel& model, int64_t length) {
  constexpr auto kBytes = static_cast<int64_t>(sizeof(float));
  const int64_t head_size = model.width / model.heads;
  switch (model.mixer) {
  case RecallMixer::leap:
    return kBytes * (2 * model.width + model.heads);
  case RecallMixer::matrix_leap:
    return kBytes * model.heads * head_size * (head_size + 1);
  case RecallMixer::attention:
  case RecallMixer::hopfield:
    break;
  }
  return kBytes * 2 * model.width * length;
}

double RecallFit::accuracy() const {
  return diverged || epochs.empty() ? 0 : epochs.back().accuracy;
}

} // namespace mneme::training
