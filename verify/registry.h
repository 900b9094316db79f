// SPDX-License-Identifier: MIT

/// Every golden format there is: which have a runner, which are documented only, which hold data.
#pragma once

#include <string>
#include <string_view>

#include "verify/checker.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Runs all cases of one file. Errors  DataError (JSON path), Interrupted
using Runner = void (*)(const GoldenValue& file, Checker& checker);

void run_beta_fit(const GoldenValue& file, Checker& checker);
void run_beta_vs_d(const GoldenValue& file, Checker& checker);
void run_bit_bags(const GoldenValue& file, Checker& checker);
void run_book_intersection(const GoldenValue& file, Checker& checker);
void run_caches(const GoldenValue& file, Checker& checker);
void run_cap_intersection(const GoldenValue& file, Checker& checker);
void run_circle_intersection(const GoldenValue& file, Checker& checker);
void run_conversions(const GoldenValue& file, Checker& checker);
void run_cosine_noise(const GoldenValue& file, Checker& checker);
void run_critical_distance(const GoldenValue& file, Checker& checker);
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

/// The runner of a format; null if this program has none.
Runner runner_of(std::string_view format);
/// Why a format that has one is computed on the CPU whatever the device; empty where its runner follows the device.
std::string_view cpu_only_reason(std::string_view format);
/// True for a documented format that may have no runner.
bool is_documented(std::string_view format);
/// True for those of them whose runner is linked only together with LibTorch.
bool needs_libtorch(std::string_view format);
/// True for documented files that hold data and no case.
bool is_data(std::string_view format);
/// All of them, for messages: "beta_fit, beta_vs_d_n64, ...".
std::string known_formats();

} // namespace mneme::verify
