// SPDX-License-Identifier: MIT

/// Progress of long work: one small interface for the library, three ways to show it for programs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace mneme {

/// What long work tells about itself. The base class shows nothing; calls may come from any thread.
class Progress {
public:
  virtual ~Progress() = default;
  /// A new stage of `total` steps begins (the former one has ended).
  virtual void start(const std::string& stage, int64_t total);
  virtual void advance(int64_t steps = 1);
  /// The stage has ended: what is shown is completed and left behind.
  virtual void finish();
  /// A line for the reader, such as a warning.
  virtual void say(const std::string& line);
};

enum class ProgressStyle {
  automatic, ///< bar where the stream is a terminal, else plain
  bar,       ///< one line, redrawn, with rate and time left
  plain,     ///< a line every few seconds
  json,      ///< one JSON object per line: {"stage", "done", "total", "seconds"}
  none       ///< nothing but `say`
};

/// Draws on `stream` (stderr as a rule).
std::unique_ptr<Progress> make_progress(ProgressStyle style, std::FILE* stream, bool colour);

} // namespace mneme
