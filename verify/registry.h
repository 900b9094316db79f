// SPDX-License-Identifier: MIT

/// All documented formats of golden files, with their runners.
#pragma once

#include <string>
#include <string_view>

#include "mneme/core/torch_function.h"
#include "verify/checker.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Runs all cases of one file. Errors  DataError (JSON path), Interrupted
using Runner = void (*)(const GoldenValue& file, Checker& checker);

void run_beta_fit(const GoldenValue& file, Checker& checker);
void run_beta_vs_d(const GoldenValue& file, Checker& checker);
void run_bit_bags(const GoldenValue& file, Checker& checker);
void run_book_intersection(const GoldenValue& file, Checker& checker);
void run_byte_level_bpe(const GoldenValue& file, Checker& checker);
void run_caches(const GoldenValue& file, Checker& checker);
void run_cap_intersection(const GoldenValue& file, Checker& checker);
void run_circle_intersection(const GoldenValue& file, Checker& checker);
void run_conversions(const GoldenValue& file, Checker& checker);
void run_cosine_noise(const GoldenValue& file, Checker& checker);
void run_critical_distance(const GoldenValue& file, Checker& checker);
void run_effective_beta(const GoldenValue& file, Checker& checker);
void run_experiment_randunif(const GoldenValue& file, Checker& checker);
void run_exponential_bounds(const GoldenValue& file, Checker& checker);
void run_hard_location_near(const GoldenValue& file, Checker& checker);
void run_hopfield_theory(const GoldenValue& file, Checker& checker);
void run_latch_sequences(const GoldenValue& file, Checker& checker);
void run_optimal_radius(const GoldenValue& file, Checker& checker);
void run_original_circle_intersection(const GoldenValue& file, Checker& checker);
void run_projection_recall(const GoldenValue& file, Checker& checker);
void run_recall_first_release(const GoldenValue& file, Checker& checker);
void run_recall_head(const GoldenValue& file, Checker& checker);
void run_signal_to_noise(const GoldenValue& file, Checker& checker);
void run_smiles(const GoldenValue& file, Checker& checker);
void run_word_piece(const GoldenValue& file, Checker& checker);

/// Runners that need LibTorch.
using TorchRunner = TorchFunction<void(const GoldenValue& file, Checker& checker)>;
inline constinit TorchRunner run_bert_cases{"running BERT"};
inline constinit TorchRunner run_gpt2_cases{"running GPT-2"};
inline constinit TorchRunner run_layer_case{"running a layer"};
inline constinit TorchRunner run_leap_case{"running a LEAP layer or model"};
inline constinit TorchRunner run_projection_training{"training a projection"};

struct Format {
  std::string_view name;
  Runner run = nullptr; ///< for a format that does not need LibTorch; always computed on the CPU
  const TorchRunner* run_with_torch = nullptr;
  std::string_view cpu_only = {}; ///< why LibTorch computes it on the CPU only; empty: any device
  bool holds_data = false;        ///< a documented file without cases
};

/// nullptr for a name that is not a documented format.
const Format* find_format(std::string_view name);
/// Names of all formats, for messages: "beta_fit, beta_vs_d_n64, ...".
std::string known_formats();

} // namespace mneme::verify
