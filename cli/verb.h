// SPDX-License-Identifier: MIT

/// Interface of a verb (subcommand) of the program: `mneme VERB ...`. One file per verb, listed in verbs.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "mneme/core/progress.h"
#include "report/table.h"

namespace mneme::cli {

enum class ExitCode : int {
  ok = 0,
  failed = 1, ///< error while running: disk full, output not writable, not supported by this build or CPU
  wrong_usage = 2,  ///< invalid arguments
  bad_input = 3,    ///< invalid input file
  check_failed = 4, ///< the verb ran to its end, and a check of the results failed
  interrupted = 130
};

/// Options that all verbs have (declared by common_options.h).
struct CommonOptions {
  bool json = false; ///< print the results as one JSON document; run.h adds the frame that all verbs share
  std::filesystem::path out; ///< output folder or output file; empty if the option was not given
  uint64_t seed = 1;
  bool seed_is_given = false;
  int threads = 1; ///< set_threads has already been called with it when a verb runs
  bool quiet = false;
  ProgressStyle progress = ProgressStyle::automatic;
  bool no_color = false;
};

/// Environment of a running verb. Results go to `out`, everything else to `progress`.
struct Context {
  const CommonOptions& options;
  Progress& progress;
  std::ostream& out; ///< stdout; with --json a buffer that is printed once the verb has succeeded
  bool colour;       ///< print to stdout in colour
  int64_t width;     ///< columns of the terminal that stdout is; 0: unknown or no terminal

  report::TextStyle text_style() const { return {.colour = colour, .width = width}; }
};

/// Whether a verb needs LibTorch, which only the program mneme-nn has (torch_program.h).
enum class TorchNeed {
  none,
  optional, ///< without LibTorch a part of the results is left out, and the output reports it
  required
};

/// A verb declares its arguments, then runs once. It throws mneme::Error; run.h converts errors to exit
/// codes.
class Verb {
public:
  virtual ~Verb() = default;
  virtual std::string name() const = 0;
  virtual std::string summary() const = 0; ///< one line, no full stop, starts in lower case
  virtual TorchNeed torch_need() const { return TorchNeed::none; } ///< called after parsing the arguments
  virtual bool writes_files() const { return true; }               ///< false: the verb has no --out
  virtual bool out_is_file() const { return false; }               ///< true: --out is a file, not a folder
  /// The folder without --out, for the help; empty: nothing is written. `leaf` as for uses_seed.
  virtual std::string default_out(const Arguments& leaf) const {
    (void)leaf;
    return "";
  }
  /// True: with --json, stdout gets a line of JSON per result as soon as it is known, instead of one document
  /// at the end. Called after parsing the arguments.
  virtual bool streams_json() const { return false; }
  /// false: nothing depends on the seed, and there is no --seed. `leaf` is the verb, or the subcommand that
  /// has the options.
  virtual bool uses_seed(const Arguments& leaf) const {
    (void)leaf;
    return true;
  }
  /// Words that tab completion offers for an option ("--memory") or a positional argument ("ID"), such as the
  /// names of memories, if its declaration does not list them.
  virtual std::vector<std::string> completions(const std::string& option) const {
    (void)option;
    return {};
  }
  virtual void declare(Arguments& arguments) = 0;
  virtual ExitCode run(Context& context) = 0;
};

/// All verbs, in the order of the overview.
std::vector<std::unique_ptr<Verb>> all_verbs();

} // namespace mneme::cli
