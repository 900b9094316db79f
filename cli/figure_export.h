// SPDX-License-Identifier: MIT

/// Figures as SVG, PNG or PDF next to their Vega-Lite specifications: the option --figures. They are drawn by
/// vl-convert, a Python package that contains Vega-Lite.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/arguments.h"

namespace mneme::cli {

class FigureExport {
public:
  /// Adds --figures.
  void declare(Arguments& arguments);

  bool is_requested() const { return !formats_.empty(); }

  /// Finds a Python that has vl-convert, so that a missing one is reported before the computation:
  /// $MNEME_PYTHON if it is set; else the first one that has it of .venv/bin/python in the folder of this
  /// program or one above it, and python3 in PATH. Does nothing without --figures.
  ///
  /// Errors  UnsupportedError with the command that installs vl-convert
  void prepare();

  /// Writes NAME.svg, NAME.png or NAME.pdf next to each NAME.vl.json, atomically. `names` are paths without
  /// ".vl.json". Does nothing without --figures.
  ///
  /// Errors  UnsupportedError if a figure cannot be drawn; OutputError if a file cannot be written
  void write(const std::vector<std::filesystem::path>& names) const;

  /// ", NAME.svg and so on" for the list of written files; empty without --figures.
  std::string written_text() const;

private:
  void write_as(const std::string& format, const std::vector<std::filesystem::path>& names) const;

  std::vector<std::string> formats_; ///< svg, png, pdf; empty: not requested
  std::string python_;
};

} // namespace mneme::cli
