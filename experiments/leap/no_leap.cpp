// SPDX-License-Identifier: MIT

#include "experiments/leap/accuracy.h"
#include "experiments/leap/contenders.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

[[noreturn]] void refuse() {
  throw UnsupportedError(
      "mneme::experiments: LEAP needs LibTorch, and this program is built without it.\n  Build it with "
      "LibTorch.");
}

} // namespace

bool can_run_leap() {
  return false;
}
LeapErrors leap_errors(const LeapProblem&) {
  refuse();
}
std::function<void()> contender(Contender, int64_t, int64_t, bool) {
  refuse();
}
double seconds_of(const std::function<void()>&) {
  refuse();
}
StepTimes leap_step_times(int64_t, int64_t, int64_t) {
  refuse();
}

} // namespace mneme::experiments
