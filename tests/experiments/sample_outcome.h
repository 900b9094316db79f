// SPDX-License-Identifier: MIT

/// Outcome with one element of each kind, for tests.
#pragma once

#include <limits>

#include "experiments/experiment.h"

namespace mneme::experiments {

inline Outcome sample_outcome() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Outcome outcome{.parameters = {{"n", "64"}, {"seed", "7"}}, .notes = {"The original is off by one."}};
  outcome.comparisons.push_back(
      {.title = "Printed values",
       .source = "cell 3",
       .tolerance = "half a unit.",
       .rows = {{.what = "first", .published = 1, .measured = {1.25, 0.25}, .tolerance = 0.5},
                {.what = "second",
                 .published = 2,
                 .measured = exact_mean(3),
                 .tolerance = 0.5,
                 .explanation = "Known."},
                {.what = "both infinite", .published = kInfinity, .measured = exact_mean(kInfinity)}}});
  report::Table table{
      .columns = {{.name = "name"}, {.name = "count", .key = "n"}, {.name = "value", .digits = 3}},
      .rows = {{std::string("a"), int64_t{5}, 1.0},
               {std::string("b"), report::Missing{}, report::Estimate{1, 0.5, 2}},
               {std::string("c"), int64_t{-1}, -kInfinity}}};
  outcome.tables.push_back({"All values", table});
  outcome.figures.push_back(
      {.name = "a-figure",
       .chart = report::to_chart(report::LineChart{
           .title = "A figure", .series = {{.name = "s", .points = {{1, {2, 1, 3}}, {2, {0.1, 0.1, 0.1}}}}}}),
       .caption = "It rises."});
  outcome.pictures.push_back({.name = "dot",
                              .png = std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1", 24),
                              .alt = "a dot",
                              .caption = "Small."});
  return outcome;
}

} // namespace mneme::experiments
