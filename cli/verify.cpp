// SPDX-License-Identifier: MIT

#include <ostream>

#include <CLI/CLI.hpp>

#include "cli/json_output.h"
#include "cli/verb.h"
#include "mneme/core/cpu.h"
#include "mneme/core/error.h"
#include "verify/verify.h"

namespace mneme::cli {
namespace {

class Verify : public Verb {
public:
  std::string name() const override { return "verify"; }
  std::string summary() const override {
    return "check this build against golden files of published numbers";
  }
  bool needs_torch() const override { return true; }
  void declare(CLI::App& app) override {
    app.add_option("PATH", paths_, "Golden files, or folders of them")->type_name("PATH")->required();
  }

  ExitCode run(Context& context) override {
    cpu_target(); // A target that cannot run is an error of its own, not one of every file.
    const std::vector<std::filesystem::path> paths(paths_.begin(), paths_.end());
    const std::vector<verify::FileResult> results = verify::verify_paths(paths, context.progress);
    if (results.empty()) {
      throw DataError("there is no golden file in " + paths_.front() +
                      ".\n  Name the *.json files themselves, or the folder that holds them.");
    }
    if (context.options.json) {
      print_json(context.out, verify::to_json(results));
    } else {
      context.out << verify::to_text(results);
    }
    const verify::Totals totals = verify::totals(results);
    return totals.cases_failed > 0 ? ExitCode::check_failed
           : totals.bad_files > 0  ? ExitCode::bad_input
                                   : ExitCode::ok;
  }

private:
  std::vector<std::string> paths_;
};

} // namespace

std::unique_ptr<Verb> make_verify() {
  return std::make_unique<Verify>();
}

} // namespace mneme::cli
