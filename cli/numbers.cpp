// SPDX-License-Identifier: MIT

#include "cli/numbers.h"

#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <type_traits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::cli {
namespace {

constexpr size_t kLongestList = 1'000'000;

/// A number as it was written: digits * 10^exponent, `digits` without zeros at either end ("" is 0).
struct Decimal {
  bool negative = false;
  std::string digits;
  int exponent = 0;
};

bool is_digit(char c) {
  return '0' <= c && c <= '9';
}

/// Takes digits off the front of `text`; an underscore may stand between two of them.
std::optional<std::string> take_digits(std::string_view& text) {
  std::string digits;
  size_t i = 0;
  for (; i < text.size() && (is_digit(text[i]) || text[i] == '_'); ++i) {
    if (is_digit(text[i])) {
      digits += text[i];
    } else if (i == 0 || !is_digit(text[i - 1]) || i + 1 == text.size() || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  text.remove_prefix(i);
  return digits;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

std::optional<Decimal> read_decimal(std::string_view text) {
  Decimal number;
  number.negative = text.starts_with('-');
  take(text, "+-");
  const auto whole = take_digits(text);
  const auto fraction = take(text, ".") ? take_digits(text) : std::string();
  if (!whole || !fraction || (whole->empty() && fraction->empty())) {
    return std::nullopt;
  }
  int exponent = 0;
  if (take(text, "eE")) {
    const bool negative = text.starts_with('-');
    take(text, "+-");
    const auto digits = take_digits(text);
    if (!digits || digits->empty()) {
      return std::nullopt;
    }
    constexpr int kBeyondEveryType = 100'000;
    const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), exponent);
    exponent = error == std::errc() ? std::min(exponent, kBeyondEveryType) : kBeyondEveryType;
    exponent = negative ? -exponent : exponent;
  }
  if (!text.empty() || whole->size() + fraction->size() > 10'000) {
    return std::nullopt;
  }
  number.digits = *whole + *fraction;
  number.exponent = exponent - static_cast<int>(fraction->size());
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size()));
  while (!number.digits.empty() && number.digits.back() == '0') {
    number.digits.pop_back();
    ++number.exponent;
  }
  if (number.digits.empty()) {
    number = {}; // also -0: there is one zero
  }
  return number;
}

bool is_whole(const Decimal& number) {
  return number.exponent >= 0;
}

std::optional<int64_t> to_integer(const Decimal& number) {
  const std::string digits = number.digits.empty() ? "0" : number.digits;
  if (!is_whole(number) || digits.size() + static_cast<size_t>(number.exponent) > 19) {
    return std::nullopt;
  }
  const std::string text = (number.negative ? "-" : "") + digits + std::string(size_t(number.exponent), '0');
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<double> to_real(const Decimal& number) {
  const std::string text = fmt::format("{}{}e{}", number.negative ? "-" : "",
                                       number.digits.empty() ? "0" : number.digits, number.exponent);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

bool holds(const IntegerLimits& limits, int64_t value) {
  return limits.least <= value && value <= limits.most;
}
bool holds(const RealLimits& limits, double value) {
  return (limits.least_included ? value >= limits.least : value > limits.least) &&
         (limits.most_included ? value <= limits.most : value < limits.most);
}

std::string described(const IntegerLimits& limits) {
  const IntegerLimits widest;
  const bool from = limits.least != widest.least, to = limits.most != widest.most;
  return from && to ? fmt::format(" from {} to {}", limits.least, limits.most)
         : from     ? fmt::format(" of at least {}", limits.least)
         : to       ? fmt::format(" of at most {}", limits.most)
                    : "";
}

std::string described(const RealLimits& limits) {
  const RealLimits widest;
  std::string text;
  if (limits.least != widest.least) {
    text += fmt::format(" {} {}", limits.least_included ? "of at least" : "greater than", limits.least);
  }
  if (limits.most != widest.most) {
    text += fmt::format("{} {} {}", text.empty() ? "" : " and",
                        limits.most_included ? "of at most" : "less than", limits.most);
  }
  return text;
}

int64_t example(const IntegerLimits& limits) {
  return std::clamp<int64_t>(8, limits.least, limits.most);
}

double example(const RealLimits& limits) {
  for (const double value : {0.5, 1.0, 2.0, limits.least / 2 + limits.most / 2}) {
    if (holds(limits, value)) {
      return value;
    }
  }
  return limits.least_included ? limits.least : limits.most;
}

/// Two numbers an example of a range may go from and to.
std::pair<int64_t, int64_t> example_range(const IntegerLimits& limits) {
  const int64_t from = example(limits);
  return {from, limits.most - 4 > from ? from + 4 : limits.most};
}

std::string shortened(std::string_view text) {
  constexpr size_t kMost = 60;
  return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "...";
}

template <class Limits> struct Kind;
template <> struct Kind<IntegerLimits> {
  static constexpr const char* kOne = "a whole number";
  static constexpr const char* kMany = "whole numbers";
  static std::string list_example(const IntegerLimits& limits) {
    const auto [from, to] = example_range(limits);
    return fmt::format("{0},{1} or {0}..{1}", from, to);
  }
};
template <> struct Kind<RealLimits> {
  static constexpr const char* kOne = "a number";
  static constexpr const char* kMany = "numbers";
  static std::string list_example(const RealLimits& limits) {
    const double one = example(limits);
    return fmt::format("{0} or {0},{0}, a range is written FROM..TO..STEP", one);
  }
};

/// Reads numbers for one option; knows how to complain about it.
template <class Limits> class Reader {
public:
  using Number = decltype(Limits::least);

  Reader(std::string_view name, std::string_view whole, const Limits& limits, bool is_list)
      : name_(name), whole_(whole), limits_(limits), is_list_(is_list) {}

  Decimal decimal(std::string_view part) const {
    const auto number = read_decimal(part);
    if (!number) {
      fail(part, part.empty() ? "is empty" : "is not a number");
    }
    return *number;
  }

  Number number(std::string_view part) const {
    const Decimal written = decimal(part);
    if constexpr (std::is_same_v<Number, int64_t>) {
      if (!is_whole(written)) {
        fail(part, "is not a whole number");
      }
      if (const auto value = to_integer(written); value && holds(limits_, *value)) {
        return *value;
      }
    } else if (const auto value = to_real(written); value && holds(limits_, *value)) {
      return *value;
    }
    fail(part, "is out of range");
  }

  [[noreturn]] void fail(std::string_view part, std::string_view what) const {
    const std::string given = part == whole_
                                  ? fmt::format("\"{}\"", shortened(part))
                                  : fmt::format("\"{}\" in \"{}\"", shortened(part), shortened(whole_));
    throw UsageError(
        fmt::format("{}: {} {}.\n  Give {}{}, such as {}.", name_, given, what,
                    is_list_ ? Kind<Limits>::kMany : Kind<Limits>::kOne, described(limits_),
                    is_list_ ? Kind<Limits>::list_example(limits_) : fmt::format("{}", example(limits_))));
  }

private:
  std::string_view name_, whole_;
  const Limits& limits_;
  bool is_list_;
};

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator)) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

void append_range(std::vector<int64_t>& list, const Reader<IntegerLimits>& reader, std::string_view range,
                  const std::vector<std::string_view>& ends) {
  const int64_t from = reader.number(ends[0]), to = reader.number(ends[1]);
  const IntegerLimits positive{.least = 1};
  const int64_t step =
      ends.size() == 3 ? Reader<IntegerLimits>("the step of " + std::string(range), ends[2], positive, false)
                             .number(ends[2])
                       : 1;
  if (from > to) {
    reader.fail(range, "ends before it begins");
  }
  // Unsigned: the distance between two int64 may not fit into one.
  const uint64_t steps =
      (static_cast<uint64_t>(to) - static_cast<uint64_t>(from)) / static_cast<uint64_t>(step);
  if (steps >= kLongestList - list.size()) {
    reader.fail(range, fmt::format("makes more than {} numbers", kLongestList));
  }
  for (uint64_t i = 0; i <= steps; ++i) {
    list.push_back(static_cast<int64_t>(static_cast<uint64_t>(from) + i * static_cast<uint64_t>(step)));
  }
}

void append_range(std::vector<double>& list, const Reader<RealLimits>& reader, std::string_view range,
                  const std::vector<std::string_view>& ends) {
  if (ends.size() != 3) {
    reader.fail(range, "has no step");
  }
  const double from = reader.number(ends[0]), to = reader.number(ends[1]);
  const RealLimits positive{.least = 0, .least_included = false};
  const std::string step_name = "the step of " + std::string(range);
  const double step = Reader<RealLimits>(step_name, ends[2], positive, false).number(ends[2]);
  if (from > to) {
    reader.fail(range, "ends before it begins");
  }
  // Counted in units of the last decimal place written, each number is the double nearest to its decimal.
  int places = 0;
  for (const std::string_view end : ends) {
    places = std::max(places, -reader.decimal(end).exponent);
  }
  constexpr double kExactIntegers = 0x1p53;
  double scale = places <= 15 ? std::pow(10.0, places) : 1.0;
  const bool is_exact = places <= 15 && std::max(std::abs(from), std::abs(to)) * scale < kExactIntegers &&
                        step * scale < kExactIntegers;
  scale = is_exact ? scale : 1.0;
  const double first = is_exact ? std::round(from * scale) : from,
               last = is_exact ? std::round(to * scale) : to;
  const double stride = is_exact ? std::round(step * scale) : step;
  constexpr double kRounding = 1e-9; // of a step: the end still counts
  const double steps = std::floor((last - first) / stride + kRounding);
  if (!(steps < static_cast<double>(kLongestList - list.size()))) {
    reader.fail(range, fmt::format("makes more than {} numbers", kLongestList));
  }
  for (double i = 0; i <= steps; ++i) {
    list.push_back(std::min((first + i * stride) / scale, to));
  }
  if (last - (first + steps * stride) <= kRounding * stride) {
    list.back() = to; // not a digit beside it
  }
}

template <class Limits>
std::vector<typename Reader<Limits>::Number> parse_list(std::string_view name, std::string_view text,
                                                        const Limits& limits) {
  const Reader<Limits> reader(name, text, limits, true);
  std::vector<typename Reader<Limits>::Number> list;
  for (const std::string_view part : split(text, ",")) {
    const std::vector<std::string_view> ends = split(part, "..");
    if (ends.size() > 3) {
      reader.fail(part, "is not a range");
    }
    if (ends.size() > 1) {
      append_range(list, reader, part, ends);
    } else if (list.size() < kLongestList) {
      list.push_back(reader.number(part));
    } else {
      reader.fail(part, fmt::format("makes more than {} numbers", kLongestList));
    }
  }
  return list;
}

} // namespace

int64_t parse_integer(std::string_view name, std::string_view text, const IntegerLimits& limits) {
  return Reader<IntegerLimits>(name, text, limits, false).number(text);
}

double parse_real(std::string_view name, std::string_view text, const RealLimits& limits) {
  return Reader<RealLimits>(name, text, limits, false).number(text);
}

std::vector<int64_t> parse_integers(std::string_view name, std::string_view text,
                                    const IntegerLimits& limits) {
  return parse_list(name, text, limits);
}

std::vector<double> parse_reals(std::string_view name, std::string_view text, const RealLimits& limits) {
  return parse_list(name, text, limits);
}

CLI::Option* add_parsed_option(CLI::App& app, const std::string& names, const std::string& type,
                               const std::string& default_text,
                               std::function<void(const std::string&, const std::string&)> parse,
                               const std::string& help) {
  const auto name = std::make_shared<std::string>();
  CLI::Option* option = app.add_option(
      names,
      [name, parse = std::move(parse)](const CLI::results_t& given) {
        parse(*name, given.at(0));
        return true;
      },
      help);
  *name = option->get_name();
  option->type_name(type);
  if (!default_text.empty()) {
    option->default_str(default_text);
  }
  return option;
}

CLI::Option* add_real_option(CLI::App& app, const std::string& names, double& target,
                             const RealLimits& limits, const std::string& help) {
  return add_parsed_option(
      app, names, "X", fmt::format("{}", target),
      [&target, limits](const std::string& name, const std::string& text) {
        target = parse_real(name, text, limits);
      },
      help);
}

CLI::Option* add_reals_option(CLI::App& app, const std::string& names, std::vector<double>& target,
                              const RealLimits& limits, const std::string& help) {
  return add_parsed_option(
      app, names, "X,..", fmt::format("{}", fmt::join(target, ",")),
      [&target, limits](const std::string& name, const std::string& text) {
        target = parse_reals(name, text, limits);
      },
      help);
}

CLI::Option* add_integers_option(CLI::App& app, const std::string& names, std::vector<int64_t>& target,
                                 const IntegerLimits& limits, const std::string& help) {
  return add_parsed_option(
      app, names, "N,..", fmt::format("{}", fmt::join(target, ",")),
      [&target, limits](const std::string& name, const std::string& text) {
        target = parse_integers(name, text, limits);
      },
      help);
}

} // namespace mneme::cli
