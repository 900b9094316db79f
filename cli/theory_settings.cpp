// SPDX-License-Identifier: MIT

#include "cli/theory_settings.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/numbers.h"
#include "mneme/core/error.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::cli {
namespace {

constexpr int64_t kMaxBits = 10'000'000;
constexpr RealLimits kCounts{.min = 1, .max = 1e100};
constexpr size_t kMaxRows = 1'000'000;
constexpr const char* kBestRadius = "best"; // value of --hamming-radius

/// Appends the counts of a range FROM..TO..STEP or FROM..TO..xFACTOR.
void append_count_range(const std::string& name, const std::string& text, std::vector<double>& counts) {
  const size_t first = text.find(".."), second = text.find("..", first + 2);
  const double from = parse_count(name, text.substr(0, first));
  const double to = parse_count(name, text.substr(first + 2, second - first - 2));
  const std::string step_text = second == std::string::npos ? "1" : text.substr(second + 2);
  const bool is_geometric = step_text.starts_with("x");
  const double step = is_geometric ? parse_real(name, step_text.substr(1), {.min = 1, .min_included = false})
                                   : parse_count(name, step_text);
  if (to < from) {
    throw UsageError(fmt::format(
        "{}: the range {} has its end before its start.\n  Write the smaller number first.", name, text));
  }
  constexpr double kRounding = 1e-9; // relative rounding error, such as of 1e4 multiplied by 10 sixteen times
  for (double count = from; count <= to * (1 + kRounding);
       count = is_geometric ? count * step : count + step) {
    counts.push_back(std::min(std::round(count), to));
    if (counts.size() > kMaxRows) {
      throw UsageError(
          fmt::format("{}: {} has more than {} counts.\n  Use a larger step, or a factor: 1e4..1e20..x10.",
                      name, text, kMaxRows));
    }
  }
}

/// Errors  UsageError if `value` of `option` exceeds `bits`
void check_at_most_bits(const char* option, int64_t value, int64_t bits) {
  if (value > bits) {
    throw UsageError(fmt::format("{} {}: patterns have {} bits.\n  Give at most {}, or increase --bits.",
                                 option, value, bits, bits));
  }
}

std::vector<int64_t> distances_of(const SettingValues& values, int64_t bits, int64_t radius,
                                  DefaultDistances default_distances) {
  std::vector<int64_t> distances = values.distance;
  for (const double noise : values.noise) {
    distances.push_back(std::llround(noise * static_cast<double>(bits)));
  }
  if (distances.empty() && default_distances == DefaultDistances::in_circles) {
    constexpr int64_t kSteps = 100;
    const int64_t last = std::min(bits, 2 * radius), step = last / kSteps + 1;
    for (int64_t distance = 0; distance <= last; distance += step) {
      distances.push_back(distance);
    }
  } else if (distances.empty()) {
    constexpr int64_t kSteps = 10;
    for (int64_t i = 0; i <= kSteps; ++i) {
      distances.push_back(i * (bits / 2) / kSteps);
    }
    distances.erase(std::unique(distances.begin(), distances.end()), distances.end());
  }
  for (const int64_t distance : distances) {
    check_at_most_bits("--distance", distance, bits);
  }
  return distances;
}

/// All combinations of the points with the values of one setting.
template <class T>
std::vector<SettingPoint> with_each(const std::vector<SettingPoint>& points, const std::vector<T>& values,
                                    T SettingPoint::*setting) {
  if (points.size() * values.size() > kMaxRows) {
    throw UsageError(
        fmt::format("the results would have more than {} rows.\n  Use fewer values, or larger steps, such as "
                    "400..500..10.",
                    kMaxRows));
  }
  std::vector<SettingPoint> all;
  for (const SettingPoint& point : points) {
    for (const T value : values) {
      all.push_back(point);
      all.back().*setting = value;
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
      throw UsageError(fmt::format("{}: \"{}\" is not an integer.\n  Give a count from 1 to {:g}, such as "
                                   "1000, 1e6 or 2^64.",
                                   name, text, kCounts.max));
    }
    return count;
  }
  constexpr IntegerLimits kPower{.min = 1, .max = 1000};
  const double count = std::pow(static_cast<double>(parse_integer(name, text.substr(0, caret), kPower)),
                                static_cast<double>(parse_integer(name, text.substr(caret + 1), kPower)));
  if (!(count <= kCounts.max)) {
    throw UsageError(
        fmt::format("{}: \"{}\" is out of range.\n  Give a count from 1 to {:g}.", name, text, kCounts.max));
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
      append_count_range(name, part, counts);
    }
    begin = end + 1;
  }
  return counts;
}

void add_setting_options(Arguments& arguments, const std::vector<Setting>& settings,
                         const RealLimits& probabilities, SettingValues& values) {
  const auto add_counts = [&](const char* option, std::vector<double>& counts, const char* default_text,
                              const char* help) {
    add_parsed_option(
        arguments, option, "COUNTS", default_text,
        [&counts](const std::string& name, const std::string& text) { counts = parse_counts(name, text); },
        help);
  };
  constexpr RealLimits kFractions{.min = 0, .max = 1, .min_included = false};
  const auto has = [&](Setting setting) { return std::ranges::count(settings, setting) > 0; };
  for (const Setting setting : settings) {
    switch (setting) {
    case Setting::bits:
      add_integers_option(arguments, "--bits", values.bits, {.min = 1, .max = kMaxBits},
                          "Bits per pattern, n");
      break;
    case Setting::hamming_radius:
      add_parsed_option(
          arguments, "--hamming-radius", "BITS", kBestRadius,
          [&values](const std::string& name, const std::string& text) {
            if (text == kBestRadius) {
              values.hamming_radius.clear();
            } else {
              values.hamming_radius = parse_integers(name, text, {.min = 0, .max = kMaxBits});
            }
          },
          fmt::format("Hamming radius of a circle, d; a circle contains all addresses at a distance of at "
                      "most d. {}: the SNR radius of the quantity optimal-radius for {} and {}",
                      kBestRadius, has(Setting::items) ? "--items" : "10000 items",
                      has(Setting::locations) ? "--locations" : "1e6 locations"));
      break;
    case Setting::locations:
      add_counts("--locations", values.locations, "1e6",
                 "Number of hard locations, r, such as 1e6, 2^64 or 1e4..1e20..x10");
      break;
    case Setting::items:
      add_counts("--items", values.items, "10000", "Number of stored patterns, m");
      break;
    case Setting::space_fraction:
      add_reals_option(arguments, "--space-fraction", values.space_fraction, kFractions,
                       "Fraction of all addresses that a circle contains, p");
      break;
    case Setting::probability:
      add_reals_option(arguments, "--probability", values.probability, probabilities, "Required probability");
      break;
    case Setting::distance:
      add_parsed_option(
          arguments, "--distance", "BITS", "0 to half of the bits in ten steps",
          [&values](const std::string& name, const std::string& text) {
            values.distance = parse_integers(name, text, {.min = 0, .max = kMaxBits});
          },
          "Hamming distance between two addresses, or between a cue and its pattern");
      add_parsed_option(
          arguments, "--noise", "FRACTIONS", "",
          [&values](const std::string& name, const std::string& text) {
            values.noise = parse_reals(name, text, {.min = 0, .max = 1});
          },
          "The distance as a fraction of the bits; use instead of --distance");
      break;
    }
  }
}

std::vector<SettingPoint> combinations(const std::vector<Setting>& settings, const SettingValues& values,
                                       DefaultDistances default_distances) {
  if (!values.distance.empty() && !values.noise.empty()) {
    throw UsageError("--distance and --noise both set the distance.\n  Leave out one of them.");
  }
  // Settings that the quantity does not have keep their defaults, since the default radius depends on them.
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
  const bool has_radius = std::ranges::count(settings, Setting::hamming_radius) > 0;
  const bool has_distance = std::ranges::count(settings, Setting::distance) > 0;
  size_t rows = 0;
  for (SettingPoint& point : points) {
    if (has_radius && values.hamming_radius.empty()) {
      point.hamming_radius =
          theory::hamming_radius_for_signal_to_noise(point.bits, point.items, point.locations);
    }
    check_at_most_bits("--hamming-radius", point.hamming_radius, point.bits);
    if (has_distance) {
      point.distances = distances_of(values, point.bits, point.hamming_radius, default_distances);
      rows += point.distances.size();
    }
  }
  if (rows > kMaxRows) {
    throw UsageError(fmt::format(
        "the results would have {} rows, but at most {} are supported.\n  Use fewer values, or larger "
        "steps, such as 0..500..10.",
        rows, kMaxRows));
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
    return {.name = "required probability", .key = "probability_wanted", .digits = kDigits};
  case Setting::distance:
    break;
  }
  return {.name = "distance"};
}

const char* axis_title_of(Setting setting) {
  switch (setting) {
  case Setting::bits:
    return "bits per pattern";
  case Setting::hamming_radius:
    return "Hamming radius (bits)";
  case Setting::locations:
    return "hard locations";
  case Setting::items:
    return "stored patterns";
  case Setting::space_fraction:
    return "fraction of all addresses";
  case Setting::probability:
    return "required probability";
  case Setting::distance:
    break;
  }
  return "Hamming distance (bits)";
}

report::Cell count_cell(double count) {
  constexpr double kMaxInteger = 1e15;
  return count < kMaxInteger ? report::Cell(static_cast<int64_t>(count)) : report::Cell(count);
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
