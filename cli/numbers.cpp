// SPDX-License-Identifier: MIT

#include "cli/numbers.h"

#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <type_traits>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "mneme/core/error.h"

namespace mneme::cli {
namespace {

constexpr size_t kMaxListLength = 1'000'000;

/// A number as it was written: digits * 10^exponent, with no zero at either end of `digits` ("" is 0).
struct Decimal {
  bool negative = false;
  std::string digits;
  int exponent = 0;
};

bool is_digit(char c) {
  return '0' <= c && c <= '9';
}

/// Removes the leading digits from `text` and returns them. An underscore is permitted between two digits.
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
  const auto integer = take_digits(text);
  const auto fraction = take(text, ".") ? take_digits(text) : std::string();
  if (!integer || !fraction || (integer->empty() && fraction->empty())) {
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
    constexpr int kMaxExponent = 100'000; // out of range of all number types
    const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), exponent);
    exponent = error == std::errc() ? std::min(exponent, kMaxExponent) : kMaxExponent;
    exponent = negative ? -exponent : exponent;
  }
  if (!text.empty() || integer->size() + fraction->size() > 10'000) {
    return std::nullopt;
  }
  number.digits = *integer + *fraction;
  number.exponent = exponent - static_cast<int>(fraction->size());
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size()));
  while (!number.digits.empty() && number.digits.back() == '0') {
    number.digits.pop_back();
    ++number.exponent;
  }
  if (number.digits.empty()) {
    number = {}; // -0 is 0
  }
  return number;
}

bool is_integer(const Decimal& number) {
  return number.exponent >= 0;
}

std::optional<int64_t> to_integer(const Decimal& number) {
  const std::string digits = number.digits.empty() ? "0" : number.digits;
  if (!is_integer(number) || digits.size() + static_cast<size_t>(number.exponent) > 19) {
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

bool contains(const IntegerLimits& limits, int64_t value) {
  return limits.min <= value && value <= limits.max;
}
bool contains(const RealLimits& limits, double value) {
  return (limits.min_included ? value >= limits.min : value > limits.min) &&
         (limits.max_included ? value <= limits.max : value < limits.max);
}

/// The limits as part of a message, such as " from 1 to 5"; empty if there are none.
std::string limits_text(const IntegerLimits& limits) {
  const IntegerLimits unlimited;
  const bool has_min = limits.min != unlimited.min, has_max = limits.max != unlimited.max;
  if (has_min && has_max) {
    return fmt::format(" from {} to {}", limits.min, limits.max);
  }
  if (has_min) {
    return fmt::format(" of at least {}", limits.min);
  }
  return has_max ? fmt::format(" of at most {}", limits.max) : "";
}

std::string limits_text(const RealLimits& limits) {
  const RealLimits unlimited;
  const bool has_min = limits.min != unlimited.min, has_max = limits.max != unlimited.max;
  std::string text;
  if (has_min) {
    text += fmt::format(" {} {}", limits.min_included ? "of at least" : "greater than", limits.min);
  }
  if (has_max) {
    const char* at_most = has_min ? "and at most" : "of at most";
    const char* less_than = has_min ? "and less than" : "less than";
    text += fmt::format(" {} {}", limits.max_included ? at_most : less_than, limits.max);
  }
  return text;
}

int64_t example(const IntegerLimits& limits) {
  return std::clamp<int64_t>(8, limits.min, limits.max);
}

double example(const RealLimits& limits) {
  for (const double value : {0.5, 1.0, 2.0, limits.min / 2 + limits.max / 2}) {
    if (contains(limits, value)) {
      return value;
    }
  }
  return limits.min_included ? limits.min : limits.max;
}

/// Start and end of an example of a range.
std::pair<int64_t, int64_t> example_range(const IntegerLimits& limits) {
  const int64_t from = example(limits);
  return {from, limits.max - 4 > from ? from + 4 : limits.max};
}

std::string shortened(std::string_view text) {
  constexpr size_t kMaxLength = 60;
  return text.size() <= kMaxLength ? std::string(text) : std::string(text.substr(0, kMaxLength)) + "...";
}

/// Texts of the error messages for one type of number.
template <class Limits> struct NumberTexts;
template <> struct NumberTexts<IntegerLimits> {
  static constexpr const char* kSingular = "an integer";
  static constexpr const char* kPlural = "integers";
  static std::string list_example(const IntegerLimits& limits) {
    const auto [from, to] = example_range(limits);
    return fmt::format("{0},{1} or {0}..{1}", from, to);
  }
};
template <> struct NumberTexts<RealLimits> {
  static constexpr const char* kSingular = "a number";
  static constexpr const char* kPlural = "numbers";
  static std::string list_example(const RealLimits& limits) {
    return fmt::format("{0} or {0},{0} or a range FROM..TO..STEP", example(limits));
  }
};

/// Parses the numbers of one option, and throws its error messages.
template <class Limits> class NumberParser {
public:
  using Number = decltype(Limits::min);

  NumberParser(std::string_view name, std::string_view full_text, const Limits& limits, bool is_list)
      : name_(name), full_text_(full_text), limits_(limits), is_list_(is_list) {}

  Decimal decimal(std::string_view part) const {
    const auto number = read_decimal(part);
    if (!number) {
      fail(part, part.empty() ? "is empty" : "is not a number");
    }
    return *number;
  }

  Number number(std::string_view part) const {
    const Decimal parsed = decimal(part);
    if constexpr (std::is_same_v<Number, int64_t>) {
      if (!is_integer(parsed)) {
        fail(part, "is not an integer");
      }
      const auto value = to_integer(parsed);
      if (value && contains(limits_, *value)) {
        return *value;
      }
      if (!value) { // beyond 64 bits: the limits of the type matter, too
        fail(part, "is out of range", fmt::format(" from {} to {}", limits_.min, limits_.max));
      }
    } else if (const auto value = to_real(parsed); value && contains(limits_, *value)) {
      return *value;
    }
    fail(part, "is out of range");
  }

  [[noreturn]] void fail(std::string_view part, std::string_view problem) const {
    fail(part, problem, limits_text(limits_));
  }

  /// `range`: the permitted numbers, as limits_text returns them.
  [[noreturn]] void fail(std::string_view part, std::string_view problem, const std::string& range) const {
    using Texts = NumberTexts<Limits>;
    const std::string given = part == full_text_
                                  ? fmt::format("\"{}\"", shortened(part))
                                  : fmt::format("\"{}\" in \"{}\"", shortened(part), shortened(full_text_));
    throw UsageError(
        fmt::format("{}: {} {}.\n  Give {}{}, such as {}.", name_, given, problem,
                    is_list_ ? Texts::kPlural : Texts::kSingular, range,
                    is_list_ ? Texts::list_example(limits_) : fmt::format("{}", example(limits_))));
  }

private:
  std::string_view name_, full_text_;
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

/// Appends the numbers of FROM..TO or FROM..TO..STEP. `ends` are the parts of `range`.
void append_range(std::vector<int64_t>& list, const NumberParser<IntegerLimits>& parser,
                  std::string_view range, const std::vector<std::string_view>& ends) {
  const int64_t from = parser.number(ends[0]), to = parser.number(ends[1]);
  const IntegerLimits positive{.min = 1};
  const std::string step_name = "the step of " + std::string(range);
  const int64_t step =
      ends.size() == 3 ? NumberParser<IntegerLimits>(step_name, ends[2], positive, false).number(ends[2]) : 1;
  if (from > to) {
    parser.fail(range, "has its end before its start");
  }
  // The difference of two int64 may overflow int64, so it is computed in uint64.
  const uint64_t steps =
      (static_cast<uint64_t>(to) - static_cast<uint64_t>(from)) / static_cast<uint64_t>(step);
  if (steps >= kMaxListLength - list.size()) {
    parser.fail(range, fmt::format("has more than {} numbers", kMaxListLength));
  }
  for (uint64_t i = 0; i <= steps; ++i) {
    list.push_back(static_cast<int64_t>(static_cast<uint64_t>(from) + i * static_cast<uint64_t>(step)));
  }
}

/// Appends the numbers of FROM..TO..STEP. `ends` are the parts of `range`.
void append_range(std::vector<double>& list, const NumberParser<RealLimits>& parser, std::string_view range,
                  const std::vector<std::string_view>& ends) {
  if (ends.size() != 3) {
    parser.fail(range, "has no step");
  }
  const double from = parser.number(ends[0]), to = parser.number(ends[1]);
  const RealLimits positive{.min = 0, .min_included = false};
  const std::string step_name = "the step of " + std::string(range);
  const double step = NumberParser<RealLimits>(step_name, ends[2], positive, false).number(ends[2]);
  if (from > to) {
    parser.fail(range, "has its end before its start");
  }
  // Steps are counted in units of the last decimal place, so that each number is the double nearest to its
  // decimal.
  int places = 0;
  for (const std::string_view end : ends) {
    places = std::max(places, -parser.decimal(end).exponent);
  }
  constexpr double kExactIntegers = 0x1p53;
  double scale = places <= 15 ? std::pow(10.0, places) : 1.0;
  const bool is_exact = places <= 15 && std::max(std::abs(from), std::abs(to)) * scale < kExactIntegers &&
                        step * scale < kExactIntegers;
  scale = is_exact ? scale : 1.0;
  const double first = is_exact ? std::round(from * scale) : from,
               last = is_exact ? std::round(to * scale) : to;
  const double stride = is_exact ? std::round(step * scale) : step;
  constexpr double kRounding = 1e-9; // fraction of a step by which the end may be missed
  const double steps = std::floor((last - first) / stride + kRounding);
  if (!(steps < static_cast<double>(kMaxListLength - list.size()))) {
    parser.fail(range, fmt::format("has more than {} numbers", kMaxListLength));
  }
  for (double i = 0; i <= steps; ++i) {
    list.push_back(std::min((first + i * stride) / scale, to));
  }
  if (last - (first + steps * stride) <= kRounding * stride) {
    list.back() = to; // exactly the end, without a rounding error
  }
}

template <class Limits>
std::vector<typename NumberParser<Limits>::Number> parse_list(std::string_view name, std::string_view text,
                                                              const Limits& limits) {
  const NumberParser<Limits> parser(name, text, limits, true);
  std::vector<typename NumberParser<Limits>::Number> list;
  for (const std::string_view part : split(text, ",")) {
    const std::vector<std::string_view> ends = split(part, "..");
    if (ends.size() > 3) {
      parser.fail(part, "is not a range");
    }
    if (ends.size() > 1) {
      append_range(list, parser, part, ends);
    } else if (list.size() < kMaxListLength) {
      list.push_back(parser.number(part));
    } else {
      parser.fail(part, fmt::format("is in a list of more than {} numbers", kMaxListLength));
    }
  }
  return list;
}

} // namespace

int64_t parse_integer(std::string_view name, std::string_view text, const IntegerLimits& limits) {
  return NumberParser<IntegerLimits>(name, text, limits, false).number(text);
}

double parse_real(std::string_view name, std::string_view text, const RealLimits& limits) {
  return NumberParser<RealLimits>(name, text, limits, false).number(text);
}

std::vector<int64_t> parse_integers(std::string_view name, std::string_view text,
                                    const IntegerLimits& limits) {
  return parse_list(name, text, limits);
}

std::vector<double> parse_reals(std::string_view name, std::string_view text, const RealLimits& limits) {
  return parse_list(name, text, limits);
}

Option* add_parsed_option(Arguments& arguments, const std::string& names, const std::string& type,
                          const std::string& default_text,
                          std::function<void(const std::string&, const std::string&)> parse,
                          const std::string& help) {
  const auto name = std::make_shared<std::string>();
  Option* option = arguments.add_option(
      names, [name, parse = std::move(parse)](const std::string& text) { parse(*name, text); }, help);
  *name = option->name();
  option->type_name(type);
  if (!default_text.empty()) {
    option->default_str(default_text);
  }
  return option;
}

Option* add_real_option(Arguments& arguments, const std::string& names, double& target,
                        const RealLimits& limits, const std::string& help) {
  return add_parsed_option(
      arguments, names, "X", fmt::format("{}", target),
      [&target, limits](const std::string& name, const std::string& text) {
        target = parse_real(name, text, limits);
      },
      help);
}

Option* add_reals_option(Arguments& arguments, const std::string& names, std::vector<double>& target,
                         const RealLimits& limits, const std::string& help) {
  return add_parsed_option(
      arguments, names, "X,..", fmt::format("{}", fmt::join(target, ",")),
      [&target, limits](const std::string& name, const std::string& text) {
        target = parse_reals(name, text, limits);
      },
      help);
}

Option* add_integers_option(Arguments& arguments, const std::string& names, std::vector<int64_t>& target,
                            const IntegerLimits& limits, const std::string& help) {
  return add_parsed_option(
      arguments, names, "N,..", fmt::format("{}", fmt::join(target, ",")),
      [&target, limits](const std::string& name, const std::string& text) {
        target = parse_integers(name, text, limits);
      },
      help);
}

} // namespace mneme::cli
