// SPDX-License-Identifier: MIT

#include "mneme/training/language_task.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

#include "mneme/core/error.h"
#include "mneme/core/random.h"

namespace mneme::training {
namespace {

constexpr const char* kRows = "mneme::training::row_positions";

struct Preset {
  const char* name;
  int64_t layers, width, heads, length; ///< of LEAP and GPT-2
};
constexpr Preset kPresets[] = {
    {"tiny", 4, 256, 4, 512}, {"small", 6, 384, 6, 512}, {"medium", 12, 768, 12, 1024}};

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

double linear(double from, double to, double fraction) {
  return from + (to - from) * fraction;
}

/// Parameters of a layer, in matrices of width x width.
constexpr double kMatricesOfLayer = 12;
double matrices_of_layer(std::string_view type) {
  return type == "lstm" ? 8 : type == "fastformer" ? 11 : kMatricesOfLayer;
}

} // namespace

double learning_rate(const LanguageSchedule& schedule, int64_t step) {
  const double peak = schedule.learning_rate, last = peak * schedule.final_fraction;
  const auto at = static_cast<double>(step), warmup = static_cast<double>(schedule.warmup_steps),
             steps = static_cast<double>(schedule.steps);
  if (step < schedule.warmup_steps) {
    return peak * (at + 1) / (warmup + 1);
  }
  switch (schedule.rate_schedule) {
  case RateSchedule::constant:
    return peak;
  case RateSchedule::wsd: {
    constexpr double kDecay = 0.2; // fraction of the steps
    const double begin = std::max(warmup, std::floor(steps * (1 - kDecay)));
    return at < begin ? peak : linear(peak, last, std::min(1.0, (at - begin + 1) / (steps - begin)));
  }
  case RateSchedule::cosine:
    break;
  }
  const double fraction = steps > warmup ? std::min(1.0, (at - warmup) / (steps - warmup)) : 1;
  return linear(last, peak, 0.5 * (1 + std::cos(std::numbers::pi * fraction)));
}

int64_t rows_per_batch_for(int64_t rows_per_step, int64_t length) {
  constexpr int64_t kTokens = 512; // fewer tokens: adding the gradients takes longer than 5 % of the step
  const int64_t rows = std::max<int64_t>(1, kTokens / length);
  return std::min(rows, std::max<int64_t>(1, (rows_per_step + 1) / 2));
}

std::vector<int64_t> row_positions(const LanguageSchedule& schedule, int64_t step, int64_t num_tokens) {
  if (num_tokens <= schedule.length) {
    throw UsageError(std::string(kRows) + ": the text has " + std::to_string(num_tokens) +
                     " tokens, but a row needs " + std::to_string(schedule.length + 1) + ": " +
                     std::to_string(schedule.length) +
                     " and the one after them.\n  Use a longer text, or shorter rows.");
  }
  const auto index = static_cast<uint64_t>(schedule.one_batch ? 0 : step);
  std::vector<int64_t> positions(static_cast<size_t>(schedule.rows_per_step));
  for (size_t row = 0; row < positions.size(); ++row) {
    constexpr uint64_t kStream = 0x746F6B656E; // of batches
    Random random = Random(schedule.seed).stream(kStream).stream(index).stream(row);
    positions[row] = static_cast<int64_t>(random.below(static_cast<uint64_t>(num_tokens - schedule.length)));
  }
  return positions;
}

const std::vector<std::string>& language_model_types() {
  static const std::vector<std::string> types = {"leap", "matrix-leap", "gpt2", "lstm", "fastformer"};
  return types;
}

const std::vector<std::string>& language_presets() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    std::ranges::transform(kPresets, std::back_inserter(all), &Preset::name);
    return all;
  }();
  return names;
}

LanguageModelSize language_preset(std::string_view preset, std::string_view type) {
  const auto* found =
      std::ranges::find(kPresets, preset, [](const Preset& p) { return std::string_view(p.name); });
  if (found == std::end(kPresets)) {
    throw UsageError("mneme::training::language_preset: there is no preset \"" + std::string(preset) +
                     "\".\n  There are " + listed(language_presets()) + ".");
  }
  if (std::ranges::find(language_model_types(), type) == language_model_types().end()) {
    throw UsageError("mneme::training::language_preset: there is no model \"" + std::string(type) +
                     "\".\n  There are " + listed(language_model_types()) + ".");
  }
  LanguageModelSize size{.type = std::string(type),
                         .layers = found->layers,
                         .width = found->width,
                         .heads = found->heads,
                         .length = found->length};
  const double ratio = kMatricesOfLayer / matrices_of_layer(type);
  if (type == "lstm") {
    size.layers = static_cast<int64_t>(static_cast<double>(size.layers) * ratio);
  } else if (type == "fastformer") {
    const double width = static_cast<double>(size.width) * std::sqrt(ratio);
    size.width = std::llround(width / static_cast<double>(size.heads)) * size.heads;
  }
  return size;
}

double approximate_parameters(const LanguageModelSize& size, int64_t vocab_size) {
  const auto width = static_cast<double>(size.width);
  return width * (matrices_of_layer(size.type) * static_cast<double>(size.layers) * width +
                  static_cast<double>(vocab_size) + static_cast<double>(size.length));
}

} // namespace mneme::training
