// SPDX-License-Identifier: MIT

#include "verify/registry.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "verify/nn_runners.h"

namespace mneme::verify {
namespace {

struct Row {
  std::string_view format;
  Runner run;
};

// A new runner is one line here, one declaration in registry.h and one file.
constexpr std::array kRunners = {
    Row{"BitPatternSet", run_bit_bags},
    Row{"LatchSequenceSet", run_latch_sequences},
    Row{"beta_fit", run_beta_fit},
    Row{"beta_vs_d_n64", run_beta_vs_d},
    Row{"caches", run_caches},
    Row{"cap_intersection", run_cap_intersection},
    Row{"circle_intersection", run_circle_intersection},
    Row{"circle_intersection_book_continuous", run_book_intersection},
    Row{"circle_intersection_r_and_weights", run_original_circle_intersection},
    Row{"conversions", run_conversions},
    Row{"cosine_perturb", run_cosine_noise},
    Row{"critical_distance", run_critical_distance},
    Row{"exp_bounds", run_exponential_bounds},
    Row{"experiment_randunif1000", run_experiment_randunif},
    Row{"experiment_randunif64", run_experiment_randunif},
    Row{"neuron_near", run_hard_location_near},
    Row{"optimal_d", run_optimal_radius},
    Row{"projection_recall", run_projection_recall},
    Row{"recall_first_release", run_recall_first_release},
    Row{"recall_head", run_recall_head},
    Row{"snr_variance", run_signal_to_noise},
    Row{"theory", run_hopfield_theory},
};

// Documented; a format that gets a runner above is found there first.
constexpr std::array<std::string_view, 1> kDocumented = {
    "effective_beta",
};

// Those of nn_runners.cpp, which not every program links.
constexpr std::array<std::string_view, 13> kNeedLibTorch = {
    "Hopfield",
    "HopfieldCore",
    "HopfieldDecoderLayer",
    "HopfieldEncoderLayer",
    "HopfieldLayer",
    "HopfieldPooling",
    "FastformerForCausalLM",
    "LeapBlock",
    "LeapDecoder",
    "LeapForCausalLM",
    "LstmForCausalLM",
    "MultiheadLeap",
    "projection_training",
};

/// Null for formats that need no LibTorch, and for all in a program without it.
const NnRunner* nn_runner_of(std::string_view format) {
  const std::span<const NnRunner> runners = nn_runners();
  const auto found = std::ranges::find(runners, format, &NnRunner::format);
  return found == runners.end() ? nullptr : &*found;
}

constexpr std::array<std::string_view, 3> kData = {"keyquery_norm_betas", "published_tables", "text_inputs"};

} // namespace

Runner runner_of(std::string_view format) {
  if (const auto found = std::ranges::find(kRunners, format, &Row::format); found != kRunners.end()) {
    return found->run;
  }
  const NnRunner* with_torch = nn_runner_of(format);
  return with_torch == nullptr ? nullptr : with_torch->run;
}

std::string_view cpu_only_reason(std::string_view format) {
  const NnRunner* with_torch = nn_runner_of(format);
  return with_torch == nullptr ? "computed without LibTorch, on the CPU whatever the device"
                               : with_torch->cpu_only;
}

bool needs_libtorch(std::string_view format) {
  return std::ranges::find(kNeedLibTorch, format) != kNeedLibTorch.end();
}

bool is_documented(std::string_view format) {
  return needs_libtorch(format) || std::ranges::find(kDocumented, format) != kDocumented.end();
}

bool is_data(std::string_view format) {
  return std::find(kData.begin(), kData.end(), format) != kData.end();
}

std::string known_formats() {
  std::set<std::string_view> names(kData.begin(), kData.end());
  names.insert(kDocumented.begin(), kDocumented.end());
  names.insert(kNeedLibTorch.begin(), kNeedLibTorch.end());
  for (const Row& row : kRunners) {
    names.insert(row.format);
  }
  return fmt::format("{}, and files with a field 'class'", fmt::join(names, ", "));
}

} // namespace mneme::verify
