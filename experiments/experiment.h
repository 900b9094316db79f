// SPDX-License-Identifier: MIT

/// An experiment: a published claim, the published values, and a function that measures these values again.
///
/// Each experiment is one file and one line in registry.cpp. The file contains parameters and texts; the
/// computations are in the libraries.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/parts.h"
#include "mneme/core/progress.h"
#include "mneme/trials/confidence.h"
#include "report/chart.h"
#include "report/estimates.h"
#include "report/table.h"

namespace mneme::experiments {

/// Values of a parameter in place of the published ones.
struct GivenParameter {
  std::string name = {};            ///< such as "hamming-radius"
  std::string text = {};            ///< as given, such as "20..40"
  std::vector<int64_t> values = {}; ///< of a parameter of whole numbers
  std::vector<double> numbers = {}; ///< of a parameter of real numbers

  bool is_path() const { return values.empty() && numbers.empty(); }
};

struct RunSettings {
  bool quick = false; ///< fewer random draws and cases, as listed on the page
  uint64_t seed = 1;
  std::filesystem::path data = {}; ///< folder of data files (mneme/data/folders.h)
  /// Parameters that differ from the published ones, in the order of their names; only those that the
  /// experiment has. Published values are then compared only where they were published for the same
  /// parameters.
  std::vector<GivenParameter> parameters = {};
  /// Where results of long parts, such as trained models, are kept until the experiment is finished.
  Parts parts = {};

  /// The given values of a parameter, or else `published`.
  std::vector<int64_t> values_of(std::string_view name, std::vector<int64_t> published) const;
  /// As above, for a parameter with a single value.
  ///
  /// Errors  UsageError if several values are given
  int64_t value_of(std::string_view name, int64_t published) const;
  /// As values_of and value_of, for a parameter of real numbers.
  std::vector<double> numbers_of(std::string_view name, std::vector<double> published) const;
  double number_of(std::string_view name, double published) const;
  bool has_given(std::string_view name) const;
  /// The given file or folder; empty if none is given.
  std::filesystem::path path_of(std::string_view name) const;
};

/// A parameter that a run may set to other values than the published ones.
struct ParameterInfo {
  std::string name = {};      ///< such as "hamming-radius", the option without its dashes
  std::string help = {};      ///< such as "Hamming radius d"
  std::string published = {}; ///< the published values, as text
  int64_t min = 1, max = 10'000;
  std::string path = {};    ///< for a parameter that is a path: "DIR" or "FILE"; empty: numbers
  bool is_real = false;     ///< real numbers above 0 and up to `max`; else whole numbers
  bool is_required = false; ///< the experiment is skipped without it; an error if it runs alone
};

/// Relation of the measured to the published value that a claim states.
enum class Relation {
  equals,   ///< within the tolerance
  at_most,  ///< shown as "≤ 10"
  at_least, ///< "≥ 0.5"
  above,    ///< "> 0"
  below,    ///< "< 0"
};

/// A published value and the measured one.
struct Comparison {
  std::string what = {}; ///< such as "beta, n = 64, d = 11"
  double published = 0;
  /// Without an interval if the value has no random error, or was measured in one trial.
  trials::MeanInterval measured = {0, {}};
  double tolerance = 0;         ///< maximum absolute difference that counts as met
  std::string explanation = {}; ///< why a value is missed, if known: what is wrong or unclear, and where
  /// The tolerance contains every possible value, such as an accuracy with a tolerance of 1, or values that
  /// contradict each other: the comparison then decides nothing.
  bool cannot_fail = false;
  Relation relation = Relation::equals; ///< one-sided claims have no tolerance

  bool is_met() const; ///< also false if a value is not finite, unless both are equal
  /// The published value of a one-sided claim, such as "> 0"; empty for a value with a tolerance.
  std::string claim() const;
};

/// A claim that the mean is above or below a number. It cannot be judged if the interval of the measured mean
/// contains the number, or if there is no interval.
Comparison judge_side(std::string what, Relation relation, double number,
                      const trials::MeanInterval& measured);

/// The name of a relation in files, and the inverse. Errors  DataError
std::string_view name_of(Relation relation);
Relation relation_named(std::string_view name);

/// Published values of one table or figure.
struct ComparisonTable {
  std::string title = {};
  std::string source = {};    ///< where they were published, such as "Softmax_Circle_Approx, cell 7"
  std::string tolerance = {}; ///< how the tolerance was chosen, one sentence
  std::vector<Comparison> rows = {};
  /// Why this run cannot reach the published values, such as "quick run with 3 epochs (published: 250)". The
  /// rows are then shown, but count neither as met nor as missed. Empty: the rows are compared.
  std::string not_compared = {};
};

struct TitledTable {
  std::string title = {};
  report::Table table = {};
};

struct Figure {
  std::string name = {}; ///< of its files, such as "beta-over-radius"
  report::Chart chart = {};
  std::string caption = {}; ///< one or two sentences that describe the result
};

/// An image that is not a chart, such as recalled patterns.
struct PictureFigure {
  std::string name = {}; ///< file name without ".png"
  std::string png = {};  ///< contents of the PNG file
  std::string alt = {};  ///< alternative text, for readers who cannot see the image
  std::string caption = {};
};

/// Result of a run.
struct Outcome {
  std::string skipped = {}; ///< why the experiment was not run, and how to run it; the rest is then empty
  /// Published results that this run does not reach, such as "30 of 250 epochs". Empty: none.
  std::string restriction = {};
  std::vector<std::pair<std::string, std::string>> parameters = {}; ///< name and value, for readers
  std::vector<ComparisonTable> comparisons = {};
  std::vector<TitledTable> tables = {};
  std::vector<Figure> figures = {};
  std::vector<PictureFigure> pictures = {};
  std::vector<std::string> notes = {}; ///< known errors and ambiguities of the original
};

/// The values of a parameter as JSON: the numbers, or the path.
nlohmann::ordered_json values_json(const GivenParameter& parameter);

struct Experiment {
  std::string id;     ///< the published work and a name, such as "sdm/softmax-circle"
  std::string title;  ///< one line
  std::string claim;  ///< the published claim, in one or two sentences
  std::string source; ///< paper and notebook
  /// True if `run` uses all threads; other experiments run concurrently on one thread each.
  bool is_parallel = false;
  bool needs_torch = false; ///< skipped in a program without LibTorch
  Outcome (*run)(const RunSettings& settings, Progress& progress) = nullptr;
  /// Signature of the input files, which changes when the files change; null: no input files.
  std::string (*inputs)(const RunSettings& settings) = nullptr;
  std::vector<ParameterInfo> parameters = {}; ///< those that `run` reads from its settings
};

/// "met", "missed", "not compared", or "cannot tell" for a comparison that cannot fail.
const char* verdict(const ComparisonTable& table, const Comparison& row);

/// Number of values by verdict; "cannot tell" counts as not compared.
struct Tally {
  int64_t met = 0, missed = 0, not_compared = 0;
};
Tally tally(const ComparisonTable& table);
Tally tally(const Outcome& outcome);

using report::cell;
using report::estimate_of;
using report::exact_mean;
using report::exact_point;

} // namespace mneme::experiments
