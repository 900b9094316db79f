// SPDX-License-Identifier: MIT

/// Time and memory of one operation (contenders.h), for leap_section.py.
///
/// leap_costs CONTENDER TOKENS WINDOW forward|backward THREADS
/// leap_costs step WINDOW POSITION

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <ATen/Parallel.h>

#include "benchmarks/peak_memory.h"
#include "experiments/leap/contenders.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"

namespace {

using mneme::experiments::Contender;

const std::map<std::string, Contender> kContenders = {
    {"leap", Contender::leap},
    {"original", Contender::original_leap},
    {"attention", Contender::attention},
    {"projection", Contender::projection},
    {"leap_layer", Contender::leap_layer},
    {"leap_layer_dropout", Contender::leap_layer_dropout},
    {"original_dropout", Contender::original_leap_dropout},
    {"attention_layer", Contender::attention_layer},
};

void use_threads(int count) {
  mneme::set_threads(count);
  at::set_num_threads(count);
}

int time_steps(int64_t window, int64_t position) {
  use_threads(1);
  constexpr int64_t kSteps = 2000;
  const mneme::experiments::StepTimes times = mneme::experiments::leap_step_times(window, position, kSteps);
  std::printf("{\"seconds\": %.9f, \"max\": %.9f}\n", times.median, times.max);
  return 0;
}

int time_contender(Contender which, int64_t tokens, int64_t window, bool backward, int threads) {
  use_threads(threads);
  const double at_start = mneme::peak_memory(); // libraries, without data
  const double seconds =
      mneme::experiments::seconds_of(mneme::experiments::contender(which, tokens, window, backward));
  std::printf("{\"seconds\": %.9f, \"memory\": %.0f, \"cpu\": \"%s\", \"isa\": \"%s\"}\n", seconds,
              mneme::peak_memory() - at_start, mneme::cpu_model().c_str(), mneme::cpu_target().c_str());
  return 0;
}

} // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  if (what == "step" && count == 4) {
    return time_steps(std::atoll(words[2]), std::atoll(words[3]));
  }
  const auto which = kContenders.find(what);
  if (which == kContenders.end() || count != 6) {
    std::fprintf(
        stderr,
        "leap_costs CONTENDER TOKENS WINDOW forward|backward THREADS, or leap_costs step WINDOW POSITION\n");
    return 2;
  }
  return time_contender(which->second, std::atoll(words[2]), std::atoll(words[3]),
                        std::string(words[4]) == "backward", std::atoi(words[5]));
}
