// SPDX-License-Identifier: MIT

/// What an experiment is: a published claim, the numbers published for it, and a run that measures them anew.
///
/// One experiment is one file and one line in registry.cpp. It holds parameters and wording; what it computes
/// with stands in the rooms.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/trials/confidence.h"
#include "report/chart.h"
#include "report/estimates.h"
#include "report/table.h"

namespace mneme::experiments {

struct RunSettings {
  bool quick = false; ///< fewer draws and cases; the page says which
  uint64_t seed = 1;
  std::filesystem::path data = {}; ///< folder of data files (mneme/data/folders.h)
};

/// One published number beside ours.
struct Comparison {
  std::string what = {}; ///< such as "beta, n = 64, d = 11"
  double published = 0;
  trials::MeanInterval measured = {0,
                                   {}}; ///< without an interval where there is no chance in it, or one trial
  double tolerance = 0;                 ///< largest difference that counts as met, in the unit of the number
  std::string explanation = {}; ///< of a number known to be missed: what is wrong or unclear, and where

  bool holds() const; ///< false too if a number is not finite, unless both are the same
};

/// Published numbers of one table or figure.
struct ComparisonTable {
  std::string title = {};
  std::string source = {};    ///< where they were published, such as "Softmax_Circle_Approx, cell 7"
  std::string tolerance = {}; ///< how the tolerance was chosen, one sentence
  std::vector<Comparison> rows = {};
  /// Why this run cannot reach the published values, such as "quick run with 3 epochs (published: 250)"; its rows are
  /// shown and neither met nor missed. Empty: they are compared.
  std::string not_compared = {};
};

struct TitledTable {
  std::string title = {};
  report::Table table = {};
};

struct Figure {
  std::string name = {}; ///< of its files, such as "beta-over-radius"
  report::Chart chart = {};
  std::string look = {}; ///< one sentence: what is to be seen
};

/// A picture that is no chart, such as recalled images.
struct PictureFigure {
  std::string name = {}; ///< of its file
  std::string png = {};  ///< the file's bytes
  std::string alt = {};  ///< what it shows, for readers who cannot see it
  std::string look = {};
};

/// What a run has found.
struct Outcome {
  std::string skipped = {}; ///< why nothing was run, and how to change that; all else is then empty
  std::vector<std::pair<std::string, std::string>> parameters = {}; ///< name and value, for readers
  std::vector<ComparisonTable> comparisons = {};
  std::vector<TitledTable> tables = {};
  std::vector<Figure> figures = {};
  std::vector<PictureFigure> pictures = {};
  std::vector<std::string> notes = {}; ///< known mistakes and oddities of the original, explained
};

struct Experiment {
  std::string id;     ///< such as "sdm/softmax-circle": a work, then a name of its own
  std::string title;  ///< one line
  std::string claim;  ///< what was published, in one or two sentences
  std::string source; ///< paper and notebook
  /// True where the run spreads over threads by itself; others run beside each other.
  bool is_parallel = false;
  bool needs_torch = false; ///< the run is skipped in a program without LibTorch
  Outcome (*run)(const RunSettings& settings, Progress& progress) = nullptr;
  /// What the run reads besides its settings, as a line that changes when the files do; null: nothing.
  std::string (*inputs)(const RunSettings& settings) = nullptr;
};

/// "met", "missed", or "not compared".
const char* verdict(const ComparisonTable& table, const Comparison& row);

struct Tally {
  int64_t met = 0, missed = 0, not_compared = 0;
};
Tally tally(const ComparisonTable& table);
Tally tally(const Outcome& outcome);

using report::cell;
using report::certain;
using report::estimate_of;
using report::exactly;

} // namespace mneme::experiments
