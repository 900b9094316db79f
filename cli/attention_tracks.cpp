// SPDX-License-Identifier: MIT

#include "cli/attention_tracks.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

namespace mneme::cli {
namespace {

constexpr int64_t kMaxBins = 400;

} // namespace

std::vector<Bin> bins_of(const LeapInspection& inspection) {
  const int64_t width = (count_of(inspection) + kMaxBins - 1) / kMaxBins;
  std::vector<Bin> bins;
  for (int64_t from = 0; from < count_of(inspection); from += width) {
    bins.push_back({from, std::min(from + width, count_of(inspection))});
  }
  return bins;
}

double sum(std::span<const float> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

double mean(std::span<const float> numbers) {
  return sum(numbers) / static_cast<double>(numbers.size());
}

int64_t top(const Bin& bin, const std::vector<float>& track) {
  const std::span<const float> part = bin.of(track);
  return bin.from + (std::ranges::max_element(part) - part.begin());
}

double as_printed(float number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  double value = 0;
  std::from_chars(text.data(), end, value);
  return value;
}

} // namespace mneme::cli
