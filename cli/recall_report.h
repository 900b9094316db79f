// SPDX-License-Identifier: MIT

/// Output of `mneme recall`: text, JSON, drawing, and the files of --out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mneme/trials/recall_sweep.h"
#include "report/table.h"

namespace mneme::cli {

struct RecallRun {
  static constexpr int64_t kPatternsShown = 5;

  data::PatternSet patterns;
  trials::SweepOptions options = {};
  std::vector<trials::MemoryReport> memories = {};
  std::vector<trials::SweepRow> rows = {};       ///< by memory, then by noise level
  std::vector<trials::SweepExamples> shown = {}; ///< the first patterns of each row
  /// The stored pattern or value that is nearest to the readout of each given cue; empty for noisy cues.
  struct Matches {
    std::vector<int64_t> rows;
    std::vector<double> cosines;
    std::vector<bool> exact;
    std::vector<double> cue_cosines; ///< of the cue and the stored pattern of that row
  };
  int64_t first_value = 0;                     ///< row in the file of the first value: 1 in a sequence
  std::vector<Matches> matches = {};           ///< of each memory
  std::vector<std::string> readout_files = {}; ///< files recalled-*.npy in --out, one per row
  std::string threshold_origin = {};           ///< text that explains the threshold of the patterns
  std::vector<std::string> notes = {};         ///< other remarks on the input
  bool is_complete = true;                     ///< false: interrupted
  bool shows_details = false;                  ///< the text has one row per memory and noise level

  /// The patterns that are recalled: the values, or the stored patterns themselves.
  const data::PatternSet& values() const { return options.values ? *options.values : patterns; }
};

/// "noise-0.1", or "given" for cues from a file.
std::string level_name(const trials::SweepRow& row);

std::string recall_text(const RecallRun& run, const report::TextStyle& style);
/// The entries of config.json that determine the results, for open_run_folder.
nlohmann::ordered_json recall_settings(const RecallRun& run);
nlohmann::ordered_json recall_json(const RecallRun& run, int threads);
/// The results as CSV, as in results.csv.
std::string recall_csv(const RecallRun& run);
/// Drawing of a few stored patterns, cues and readouts with block characters.
std::string recall_drawing(const RecallRun& run, const report::TextStyle& style);

/// Writes index.html, sheet.png, results.csv, for given cues recalled.csv, charts, config.json, and the two
/// files that differ between runs with the same settings, env.json and timing.csv. Removes readouts of an
/// earlier run in this folder (listed in its config.json) that this run did not write, so that all files in
/// the folder belong to one run.
void write_recall_files(const RecallRun& run, const std::filesystem::path& folder, int threads);

} // namespace mneme::cli
