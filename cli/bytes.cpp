// SPDX-License-Identifier: MIT

#include "cli/bytes.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "cli/numbers.h"
#include "mneme/core/error.h"

namespace mneme::cli {
namespace {

constexpr std::array<std::string_view, 7> kPrefixes = {"", "k", "M", "G", "T", "P", "E"};

} // namespace

double parse_bytes(std::string_view name, std::string_view text) {
  size_t unit_begin = text.size();
  while (unit_begin > 0 && std::isalpha(static_cast<unsigned char>(text[unit_begin - 1])) != 0) {
    --unit_begin;
  }
  std::string_view unit = text.substr(unit_begin);
  std::string_view number = text.substr(0, unit_begin);
  while (number.ends_with(' ')) {
    number.remove_suffix(1);
  }
  double factor = 1;
  const auto fail = [&] {
    throw UsageError(
        fmt::format("{}: \"{}\" is not an amount of memory.\n  Examples: 4GB, 512MiB, 1e9 (bytes).", name,
                    text.substr(0, 60)));
  };
  if (!unit.empty()) {
    const bool is_binary = unit.ends_with("iB") || unit.ends_with("ib");
    if (unit.back() == 'B' || unit.back() == 'b') {
      unit.remove_suffix(is_binary ? 2 : 1);
    }
    const auto prefix = std::ranges::find_if(kPrefixes, [&](std::string_view known) {
      return known.size() == unit.size() &&
             (known.empty() || std::toupper(static_cast<unsigned char>(known[0])) ==
                                   std::toupper(static_cast<unsigned char>(unit[0])));
    });
    if (prefix == kPrefixes.end()) {
      fail();
    }
    for (auto step = kPrefixes.begin(); step != prefix; ++step) {
      factor *= is_binary ? 1024 : 1000;
    }
  }
  const double bytes = factor * parse_real(name, number, {.min = 0, .min_included = false});
  if (bytes < 1) {
    fail();
  }
  return bytes;
}

std::string bytes_text(double bytes) {
  constexpr double kStep = 1000;
  constexpr double kRoundsUp = 999.5; // rounds to 1000 with three digits
  size_t prefix = 0;
  while (bytes >= kRoundsUp && prefix + 1 < kPrefixes.size()) {
    bytes /= kStep;
    ++prefix;
  }
  return fmt::format("{:.3g} {}B", bytes, kPrefixes[prefix]);
}

} // namespace mneme::cli
