// SPDX-License-Identifier: MIT

/// `mneme verify`: compares the results of this build with golden files.

#include <optional>
#include <ostream>

#include "cli/arguments.h"
#include "cli/common_options.h"
#include "cli/json_output.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/cpu.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "verify/device.h"
#include "verify/verify.h"

namespace mneme::cli {
namespace {

class Verify : public Verb {
public:
  std::string name() const override { return "verify"; }
  std::string summary() const override {
    return "compare the results of this build with golden files of published numbers";
  }
  TorchNeed torch_need() const override {
    return device_ != "cpu" || verify::needs_torch(golden_paths()) ? TorchNeed::optional : TorchNeed::none;
  }
  bool uses_seed(const Arguments&) const override { return false; }
  void declare(Arguments& arguments) override {
    arguments.add_option("PATH", paths_, "Golden files (*.json), or folders that contain them")
        ->type_name("PATH")
        ->required();
    add_device_option(arguments, device_);
  }

  ExitCode run(Context& context) override {
    cpu_target(); // reports a CPU target that cannot run once, instead of once per file
    const std::string device = verify::checked_device(device_);
    std::optional<RunFolder> lock;
    if (!context.options.out.empty()) {
      lock.emplace(open_run_folder(context.options.out, {{"verb", name()}, {"device", device}}));
    }
    const std::vector<verify::FileResult> results =
        verify::verify_paths(golden_paths(), context.progress, {.device = device});
    if (results.empty()) {
      throw DataError("there is no golden file in " + printable(paths_.front()) +
                      ".\n  Give the *.json files, or the folder that contains them.");
    }
    verify::require_a_case(results, device);
    const std::filesystem::path& folder = context.options.out;
    if (!folder.empty()) {
      const nlohmann::ordered_json config = {{"version", version()}, {"verb", name()}, {"device", device}};
      write_file_atomically(folder / "config.json", report::json_text(config));
      write_file_atomically(folder / "verify.json", report::json_text(verify::to_json(results, device)));
    }
    if (context.options.json) {
      print_json(context.out, verify::to_json(results, device));
    } else {
      context.out << verify::to_text(results, device);
      if (!folder.empty()) {
        context.out << "\nWritten to " << printable(folder.string()) << ": verify.json\n";
      }
    }
    const verify::Totals totals = verify::totals(results);
    if (totals.cases_failed > 0) {
      return ExitCode::check_failed;
    }
    return totals.bad_files > 0 ? ExitCode::bad_input : ExitCode::ok;
  }

private:
  std::vector<std::filesystem::path> golden_paths() const { return {paths_.begin(), paths_.end()}; }

  std::vector<std::string> paths_;
  std::string device_ = "cpu";
};

} // namespace

std::unique_ptr<Verb> make_verify() {
  return std::make_unique<Verify>();
}

} // namespace mneme::cli
