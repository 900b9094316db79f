// SPDX-License-Identifier: MIT

/// What a verb of the program is: `mneme VERB ...`. One file per verb, one line in verbs.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "mneme/core/progress.h"

namespace CLI {
class App;
}

namespace mneme::cli {

enum class ExitCode : int {
  ok = 0,
  failed = 1,       ///< while running: disk full, output not writable, this build or CPU cannot
  wrong_usage = 2,  ///< the arguments
  bad_input = 3,    ///< an input file
  check_failed = 4, ///< everything ran, and something checked did not hold
  interrupted = 130
};

/// The options that every verb takes (common_options.h declares them).
struct CommonOptions {
  bool json = false;         ///< results as one JSON document
  std::filesystem::path out; ///< folder for result files, or a file; empty where it was not given
  uint64_t seed = 1;
  int threads = 1; ///< already set in core when a verb runs
  bool quiet = false;
  ProgressStyle progress = ProgressStyle::automatic;
  bool no_color = false;
};

/// What a verb runs with. Results go to `out`, everything else through `progress`.
struct Context {
  const CommonOptions& options;
  Progress& progress;
  std::ostream& out; ///< stdout; with --json held back until the verb has ended well
  bool colour;       ///< stdout is a terminal that wants colour
};

/// How much of a verb needs LibTorch, which only the program mneme-nn has (hand_over.h).
enum class TorchNeed {
  none,
  some, ///< without it a part of the results is left out, and the output says so
  all
};

/// A verb declares its arguments, then runs once. It throws mneme's errors; run.h turns them into exit codes.
class Verb {
public:
  virtual ~Verb() = default;
  virtual std::string name() const = 0;
  virtual std::string summary() const = 0; ///< one line, no full stop, starts in lower case
  virtual TorchNeed torch_need() const { return TorchNeed::none; } ///< with the arguments that were parsed
  virtual bool writes_files() const { return true; }               ///< else there is no --out
  virtual bool out_is_file() const { return false; }               ///< --out names one file, not a folder
  virtual void declare(CLI::App& app) = 0;
  virtual ExitCode run(Context& context) = 0;
};

/// Every verb of the program, in the order in which it lists them.
std::vector<std::unique_ptr<Verb>> all_verbs();

} // namespace mneme::cli
