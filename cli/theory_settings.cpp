// SPDX-License-Identifier: MIT

#include "cli/theory_settings.h"

#include <algorithm>
#include <cmath>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/numbers.h"
#include "mneme/core/error.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::cli {
namespace {

constexpr int64_t kBitsMost = 10'000'000;
constexpr RealLimits kCounts{.least = 1, .most = 1e100};
constexpr size_t kRowsMost = 1'000'000;

/// FROM..TO..STEP, or FROM..TO..xFACTOR.
void add_count_range(const std::string& name, const std::string& text, std::vector<double>& counts) {
  const size_t first = text.find(".."), second = text.find("..", first + 2);
  const double from = parse_count(name, text.substr(0, first));
  const double to = parse_count(name, text.substr(first + 2, second - first - 2));
  const std::string step_text = second == std::string::npos ? "1" : text.substr(second + 2);
  const bool multiplied = step_text.starts_with("x");
  const double step = multiplied
                          ? parse_real(name, step_text.substr(1), {.least = 1, .least_included = false})
                          : parse_count(name, step_text);
  if (to < from) {
    throw UsageError(
        fmt::format("{}: the range {} runs backwards.\n  Write the smaller end first.", name, text));
  }
  constexpr double kRounding = 1e-9; // 1e4 times 10, sixteen times, is 1e20 but for rounding
  for (double count = from; count <= to * (1 + kRounding); count = multiplied ? count * step : count + step) {
    counts.push_back(std::min(std::round(count), to));
    if (counts.size() > kRowsMost) {
      throw UsageError(
          fmt::format("{}: {} stands for more than {} counts.\n  Take a larger step, or multiply: "
                      "1e4..1e20..x10.",
                      name, text, kRowsMost));
    }
  }
}

/// "--hamming-radius 70: patterns have 64 bits."
void check_within(const char* option, int64_t value, int64_t bits) {
  if (value > bits) {
    throw UsageError(fmt::format("{} {}: patterns have {} bits.\n  Give at most {}, or more --bits.", option,
                                 value, bits, bits));
  }
}

std::vector<int64_t> distances_of(const SettingValues& values, int64_t bits) {
  std::vector<int64_t> distances = values.distance;
  for (const double noise : values.noise) {
    distances.push_back(std::llround(noise * static_cast<double>(bits)));
  }
  if (distances.empty()) {
    constexpr int64_t kSteps = 10;
    for (int64_t i = 0; i <= kSteps; ++i) {
      distances.push_back(i * (bits / 2) / kSteps);
    }
    distances.erase(std::unique(distances.begin(), distances.end()), distances.end());
  }
  for (const int64_t distance : distances) {
    check_within("--distance", distance, bits);
  }
  return distances;
}

/// The points with every value of one list in one place of them.
template <class T>
std::vector<SettingPoint> with_each(const std::vector<SettingPoint>& points, const std::vector<T>& values,
                                    T SettingPoint::*place) {
  if (points.size() * values.size() > kRowsMost) {
    throw UsageError(
        fmt::format("that would be more than {} rows.\n  Take fewer values, or larger steps, such "
                    "as 400..500..10.",
                    kRowsMost));
  }
  std::vector<SettingPoint> all;
  for (const SettingPoint& point : points) {
    for (const T value : values) {
      all.push_back(point);
      all.back().*place = value;
    }
  }
  return all;
}

} // namespace

double parse_count(const std::string& name, const std::string& text) {
  const size_t caret = text.find('^');
  if (caret == std::string::npos) {
    const double count = parse_real(name, text, kCounts);
    if (count != std::floor(count)) {
      throw UsageError(
          fmt::format("{}: \"{}\" is not a whole number.\n  Give a count from 1 to {:g}, such as "
                      "1000, 1e6 or 2^64.",
                      name, text, kCounts.most));
    }
    return count;
  }
  constexpr IntegerLimits kPower{.least = 1, .most = 1000};
  const double count = std::pow(static_cast<double>(parse_integer(name, text.substr(0, caret), kPower)),
                                static_cast<double>(parse_integer(name, text.substr(caret + 1), kPower)));
  if (!(count <= kCounts.most)) {
    throw UsageError(
        fmt::format("{}: \"{}\" is out of range.\n  Give a count from 1 to {:g}.", name, text, kCounts.most));
  }
  return count;
}

std::vector<double> parse_counts(const std::string& name, const std::string& text) {
  std::vector<double> counts;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    if (part.find("..") == std::string::npos) {
      counts.push_back(parse_count(name, part));
    } else {
      add_count_range(name, part, counts);
    }
    begin = end + 1;
  }
  return counts;
}

void add_setting_options(CLI::App& app, const std::vector<Setting>& settings, SettingValues& values) {
  const auto add_counts = [&](const char* option, std::vector<double>& counts, const char* shown,
                              const char* help) {
    add_parsed_option(
        app, option, "COUNTS", shown,
        [&counts](const std::string& name, const std::string& text) { counts = parse_counts(name, text); },
        help);
  };
  constexpr RealLimits kShares{.least = 0, .most = 1, .least_included = false};
  for (const Setting setting : settings) {
    switch (setting) {
    case Setting::bits:
      add_integers_option(app, "--bits", values.bits, {.least = 1, .most = kBitsMost},
                          "Bits of a pattern, n");
      break;
    case Setting::hamming_radius:
      add_parsed_option(
          app, "--hamming-radius", "BITS", "best",
          [&values](const std::string& name, const std::string& text) {
            values.hamming_radius = parse_integers(name, text, {.least = 0, .most = kBitsMost});
          },
          "Radius of a circle, d: what lies at most so far away is in it (default: "
          "best signal-to-noise ratio for 10000 items, 1e6 locations or those given)");
      break;
    case Setting::locations:
      add_counts("--locations", values.locations, "1e6", "Hard locations, r: 1e6, 2^64, 1e4..1e20..x10");
      break;
    case Setting::items:
      add_counts("--items", values.items, "10000", "Patterns stored, m");
      break;
    case Setting::space_fraction:
      add_reals_option(app, "--space-fraction", values.space_fraction, kShares,
                       "Share of all addresses within a circle, p");
      break;
    case Setting::probability:
      add_reals_option(app, "--probability", values.probability, kShares, "Probability wanted");
      break;
    case Setting::distance:
      add_parsed_option(
          app, "--distance", "BITS", "0 to half of the bits in ten steps",
          [&values](const std::string& name, const std::string& text) {
            values.distance = parse_integers(name, text, {.least = 0, .most = kBitsMost});
          },
          "Bits in which two addresses, or a cue and its pattern, differ");
      add_parsed_option(
          app, "--noise", "SHARES", "",
          [&values](const std::string& name, const std::string& text) {
            values.noise = parse_reals(name, text, {.least = 0, .most = 1});
          },
          "The same as a share of the bits, instead of --distance");
      break;
    }
  }
}

std::vector<SettingPoint> combinations(const std::vector<Setting>& settings, const SettingValues& values) {
  if (!values.distance.empty() && !values.noise.empty()) {
    throw UsageError("--distance and --noise say the same in two ways.\n  Give one of them.");
  }
  // What a quantity does not take stays at its default: the radius depends on it.
  std::vector<SettingPoint> points = {{.bits = values.bits.front(),
                                       .locations = values.locations.front(),
                                       .items = values.items.front(),
                                       .space_fraction = values.space_fraction.front(),
                                       .probability = values.probability.front()}};
  for (const Setting setting : settings) {
    switch (setting) {
    case Setting::bits:
      points = with_each(points, values.bits, &SettingPoint::bits);
      break;
    case Setting::locations:
      points = with_each(points, values.locations, &SettingPoint::locations);
      break;
    case Setting::items:
      points = with_each(points, values.items, &SettingPoint::items);
      break;
    case Setting::space_fraction:
      points = with_each(points, values.space_fraction, &SettingPoint::space_fraction);
      break;
    case Setting::probability:
      points = with_each(points, values.probability, &SettingPoint::probability);
      break;
    case Setting::hamming_radius:
      if (!values.hamming_radius.empty()) {
        points = with_each(points, values.hamming_radius, &SettingPoint::hamming_radius);
      }
      break;
    case Setting::distance:
      break;
    }
  }
  const bool takes_radius = std::ranges::count(settings, Setting::hamming_radius) > 0;
  const bool takes_distance = std::ranges::count(settings, Setting::distance) > 0;
  size_t rows = 0;
  for (SettingPoint& point : points) {
    if (takes_radius && values.hamming_radius.empty()) {
      point.hamming_radius =
          theory::hamming_radius_for_signal_to_noise(point.bits, point.items, point.locations);
    }
    check_within("--hamming-radius", point.hamming_radius, point.bits);
    if (takes_distance) {
      point.distances = distances_of(values, point.bits);
      rows += point.distances.size();
    }
  }
  if (rows > kRowsMost) {
    throw UsageError(
        fmt::format("that would be {} rows, but {} are the most.\n  Take fewer values, or larger "
                    "steps, such as 0..500..10.",
                    rows, kRowsMost));
  }
  return points;
}

report::Column column_of(Setting setting) {
  constexpr int kDigits = 6;
  switch (setting) {
  case Setting::bits:
    return {.name = "bits"};
  case Setting::hamming_radius:
    return {.name = "radius", .key = "hamming_radius"};
  case Setting::locations:
    return {.name = "locations", .digits = kDigits};
  case Setting::items:
    return {.name = "items", .digits = kDigits};
  case Setting::space_fraction:
    return {.name = "space fraction", .key = "space_fraction", .digits = kDigits};
  case Setting::probability:
    return {.name = "probability wanted", .key = "probability_wanted", .digits = kDigits};
  case Setting::distance:
    break;
  }
  return {.name = "distance"};
}

report::Cell count_cell(double count) {
  constexpr double kShownWhole = 1e15;
  return count < kShownWhole ? report::Cell(static_cast<int64_t>(count)) : report::Cell(count);
}

report::Cell cell_of(const SettingPoint& point, Setting setting) {
  switch (setting) {
  case Setting::bits:
    return point.bits;
  case Setting::hamming_radius:
    return point.hamming_radius;
  case Setting::locations:
    return count_cell(point.locations);
  case Setting::items:
    return count_cell(point.items);
  case Setting::space_fraction:
    return point.space_fraction;
  case Setting::probability:
    return point.probability;
  case Setting::distance:
    break;
  }
  return {};
}

} // namespace mneme::cli
