// SPDX-License-Identifier: MIT

#include "experiments/experiment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::experiments {
namespace {

template <class Number> Number only_one(std::string_view name, const std::vector<Number>& values) {
  if (values.size() != 1) {
    throw UsageError(fmt::format("--{}: {} values are given, but this experiment uses one at a time.\n  Give "
                                 "one value, and run the experiment once per value.",
                                 name, values.size()));
  }
  return values.front();
}

} // namespace

std::vector<int64_t> RunSettings::values_of(std::string_view name, std::vector<int64_t> published) const {
  const auto given = std::ranges::find(parameters, name, &GivenParameter::name);
  if (given == parameters.end()) {
    return published;
  }
  return given->values;
}

std::vector<double> RunSettings::numbers_of(std::string_view name, std::vector<double> published) const {
  const auto given = std::ranges::find(parameters, name, &GivenParameter::name);
  if (given == parameters.end()) {
    return published;
  }
  return given->numbers;
}

int64_t RunSettings::value_of(std::string_view name, int64_t published) const {
  return only_one(name, values_of(name, {published}));
}

double RunSettings::number_of(std::string_view name, double published) const {
  return only_one(name, numbers_of(name, {published}));
}

bool RunSettings::has_given(std::string_view name) const {
  return std::ranges::find(parameters, name, &GivenParameter::name) != parameters.end();
}

std::filesystem::path RunSettings::path_of(std::string_view name) const {
  const auto given = std::ranges::find(parameters, name, &GivenParameter::name);
  return given == parameters.end() ? std::filesystem::path() : std::filesystem::path(given->text);
}

nlohmann::ordered_json values_json(const GivenParameter& parameter) {
  return parameter.is_path()        ? nlohmann::ordered_json(printable(parameter.text))
         : parameter.values.empty() ? nlohmann::ordered_json(parameter.numbers)
                                    : nlohmann::ordered_json(parameter.values);
}

namespace {

constexpr std::array<std::pair<Relation, std::string_view>, 5> kRelations = {{{Relation::equals, "="},
                                                                              {Relation::at_most, "≤"},
                                                                              {Relation::at_least, "≥"},
                                                                              {Relation::above, ">"},
                                                                              {Relation::below, "<"}}};

} // namespace

std::string_view name_of(Relation relation) {
  return kRelations.at(static_cast<size_t>(relation)).second;
}

Relation relation_named(std::string_view name) {
  for (const auto& [relation, known] : kRelations) {
    if (name == known) {
      return relation;
    }
  }
  throw DataError("there is no relation \"" + printable(std::string(name)) +
                  "\".\n  Expected one of = ≤ ≥ > <.");
}

bool Comparison::is_met() const {
  switch (relation) {
  case Relation::at_most:
    return measured.mean <= published;
  case Relation::at_least:
    return measured.mean >= published;
  case Relation::above:
    return measured.mean > published;
  case Relation::below:
    return measured.mean < published;
  case Relation::equals:
    break;
  }
  return std::abs(measured.mean - published) <= tolerance || measured.mean == published; // both infinite
}

std::string Comparison::claim() const {
  return relation == Relation::equals ? "" : fmt::format("{} {}", name_of(relation), published);
}

Comparison judge_side(std::string what, Relation relation, double number,
                      const trials::MeanInterval& measured) {
  const double half = measured.half_width.value_or(std::numeric_limits<double>::infinity());
  return {.what = std::move(what),
          .published = number,
          .measured = measured,
          .cannot_fail = !(std::abs(measured.mean - number) > half), // NaN decides nothing
          .relation = relation};
}

const char* verdict(const ComparisonTable& table, const Comparison& row) {
  return !table.not_compared.empty() ? "not compared"
         : row.cannot_fail           ? "cannot tell"
         : row.is_met()              ? "met"
                                     : "missed";
}

Tally tally(const ComparisonTable& table) {
  if (!table.not_compared.empty()) {
    return {.not_compared = std::ssize(table.rows)};
  }
  Tally sum;
  for (const Comparison& row : table.rows) {
    ++(row.cannot_fail ? sum.not_compared : row.is_met() ? sum.met : sum.missed);
  }
  return sum;
}

Tally tally(const Outcome& outcome) {
  Tally sum;
  for (const ComparisonTable& table : outcome.comparisons) {
    const auto [met, missed, not_compared] = tally(table);
    sum = {sum.met + met, sum.missed + missed, sum.not_compared + not_compared};
  }
  return sum;
}

} // namespace mneme::experiments
