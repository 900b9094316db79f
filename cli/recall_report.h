// SPDX-License-Identifier: MIT

/// What `mneme recall` shows: text, JSON, drawing, and the files of --out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mneme/trials/recall_sweep.h"

namespace mneme::cli {

struct RecallRun {
  static constexpr int64_t kPatternsShown = 5;

  data::PatternSet patterns;
  trials::SweepOptions options = {};
  std::vector<trials::MemoryReport> memories = {};
  std::vector<trials::SweepRow> rows = {};       ///< memory by memory, noise levels in order
  std::vector<trials::SweepPictures> shown = {}; ///< of each row, the first patterns
  std::vector<std::string> readout_files = {};   ///< of --out, one per row: recalled-*.npy
  std::string threshold_origin = {};   ///< where the threshold of the patterns comes from, for readers
  std::vector<std::string> notes = {}; ///< what else a reader must know about the input
  bool is_whole = true;                ///< false: interrupted
  bool shows_details = false;          ///< the text has a row per memory and noise level
};

/// "noise-0.1", or "given" for cues from a file.
std::string level_name(const trials::SweepRow& row);

std::string recall_text(const RecallRun& run, bool colour);
nlohmann::ordered_json recall_json(const RecallRun& run, int threads);
/// A few patterns with block characters: stored, cue, recalled.
std::string recall_drawing(const RecallRun& run, bool colour);

/// index.html, sheet.png, results.csv, charts, config.json, and the two files that differ between equal runs:
/// env.json, timing.csv. Readouts of an earlier run into this folder (config.json names them) that this run
/// did not write are removed, so that all that lies there belongs together.
void write_recall_files(const RecallRun& run, const std::filesystem::path& folder, int threads);

} // namespace mneme::cli
