// SPDX-License-Identifier: MIT

/// Progress reporting: an interface for the library, and its displays for programs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace mneme {

/// Receiver of progress reports. The base class ignores them. Calls may come from any thread.
class Progress {
public:
  virtual ~Progress() = default;
  /// Starts a stage of `total` steps, and finishes the previous one.
  virtual void start(const std::string& stage, int64_t total);
  virtual void advance(int64_t steps = 1);
  /// As advance, for steps that an earlier run did: they do not count in the rate and the time left.
  virtual void skip(int64_t steps);
  /// Sets the text that is shown after the progress of this stage, such as the current loss.
  virtual void status(const std::string& text);
  /// Finishes the stage; its last display stays visible.
  virtual void finish();
  /// Shows a line of text, such as a warning.
  virtual void message(const std::string& line);
  /// As message, for interim results such as a validation loss, which are a part of the progress.
  virtual void interim(const std::string& line);
};

enum class ProgressStyle {
  automatic, ///< bar if the stream is a terminal that can redraw a line (TERM is not dumb), else plain
  bar,       ///< one line, redrawn, with rate and time left
  plain,     ///< a line every few seconds
  json,      ///< a JSON object per line: {"stage", "done", "total", "seconds", "status" if set}, {"message"}
  none       ///< messages only, without interim results
};

/// Progress that is written to `stream`, usually stderr.
std::unique_ptr<Progress> make_progress(ProgressStyle style, std::FILE* stream, bool colour);

} // namespace mneme
