// SPDX-License-Identifier: MIT

/// `mneme reproduce`: reruns published experiments, compares the results, and writes one report.

#include <algorithm>
#include <ostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/environment_json.h"
#include "cli/json_output.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "experiments/findings.h"
#include "experiments/outcome_file.h"
#include "experiments/registry.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "mneme/data/folders.h"

namespace mneme::cli {
namespace {

using experiments::Experiment;
using experiments::Finished;

constexpr const char* kFullFolder = "runs/reproduce";
constexpr const char* kQuickFolder = "runs/reproduce-quick"; // a quick run must not overwrite a full one

class Reproduce : public Verb {
public:
  std::string name() const override { return "reproduce"; }
  std::string summary() const override {
    return "rerun published experiments and compare the results with the published numbers";
  }

  TorchNeed torch_need() const override {
    const bool any = !ids_.empty() && std::ranges::any_of(experiments::experiments_named(ids_),
                                                          [](const auto* each) { return each->needs_torch; });
    return any ? TorchNeed::optional : TorchNeed::none;
  }

  void declare(CLI::App& app) override {
    app.add_option(
           "ID", ids_,
           "Experiments to run: an id such as sdm/softmax-circle, the beginning of several ids such as "
           "sdm, or all (default: only list the experiments)")
        ->type_name("ID");
    app.add_flag("--quick", quick_, "Use fewer random draws and cases: minutes instead of hours");
    app.add_flag("--check", check_,
                 "Exit with code 4 if a result is outside the tolerance of its published value");
    app.add_flag("--again", again_, "Also rerun experiments whose results are already in the folder");
    app.add_option("--data", data_,
                   "Folder of data sets such as MNIST (default: $MNEME_DATA, else "
                   "$XDG_DATA_HOME/mneme, else ~/.local/share/mneme)")
        ->type_name("DIR");
    app.add_option("--markdown", markdown_,
                   "Also write tables of published and measured values to this Markdown file")
        ->type_name("FILE");
  }

  ExitCode run(Context& context) override {
    if (ids_.empty()) {
      list(context);
      return ExitCode::ok;
    }
    const std::vector<const Experiment*> chosen = experiments::experiments_named(ids_);
    const experiments::RunSettings settings{
        .quick = quick_, .seed = context.options.seed, .data = data::data_folder(data_)};
    const std::filesystem::path folder =
        context.options.out.empty() ? (quick_ ? kQuickFolder : kFullFolder) : context.options.out;
    open_run_folder(folder, {{"verb", name()}, {"quick", settings.quick}, {"seed", settings.seed}});

    std::vector<Finished> findings;
    const auto keep = [&](Finished finished) {
      const std::string& skipped = finished.outcome.skipped;
      std::string details;
      if (!skipped.empty()) {
        details = ": " + skipped;
      } else if (finished.from_disk) {
        details = ", loaded from " + folder.string();
      } else {
        details = fmt::format(", {:.1f} s", finished.seconds);
      }
      context.progress.message(fmt::format("{}: {}{}", finished.experiment->id,
                                           experiments::summary_of(finished.outcome), details));
      findings.push_back(std::move(finished));
    };
    try {
      experiments::run_experiments(chosen, settings, folder, again_, context.progress, keep);
    } catch (const Interrupted&) {
      finish(findings, settings, folder, context);
      context.progress.message(fmt::format(
          "mneme reproduce: {} of {} experiments had finished, their results are in {}; run the same "
          "command again to continue",
          findings.size(), chosen.size(), folder.string()));
      throw;
    }
    finish(findings, settings, folder, context);
    const bool missed = std::ranges::any_of(
        findings, [](const Finished& finished) { return experiments::tally(finished.outcome).missed > 0; });
    return check_ && missed ? ExitCode::check_failed : ExitCode::ok;
  }

private:
  static void list(Context& context) {
    report::Table table{.columns = {{.name = "id"}, {.name = "title"}}};
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const Experiment& experiment : experiments::all_experiments()) {
      table.rows.push_back({experiment.id, experiment.title});
      json.push_back({{"id", experiment.id},
                      {"title", experiment.title},
                      {"claim", experiment.claim},
                      {"source", experiment.source}});
    }
    if (context.options.json) {
      print_json(context.out, {{"experiments", json}});
    } else {
      context.out
          << report::to_text(table, {.colour = context.colour})
          << "\n`mneme reproduce ID --quick` runs the experiment ID, or all experiments whose ids begin "
             "with ID.\n";
    }
  }

  /// Writes the run folder, the Markdown file and stdout. The page also includes results of earlier runs with
  /// the same settings that are in the folder.
  void finish(std::vector<Finished>& findings, const experiments::RunSettings& settings,
              const std::filesystem::path& folder, Context& context) const {
    const auto experiment_of = [](const Finished& finished) { return finished.experiment; };
    std::ranges::sort(findings, {}, experiment_of); // the order of all_experiments
    std::vector<Finished> shown;
    for (const Experiment& experiment : experiments::all_experiments()) {
      const auto found = std::ranges::find(findings, &experiment, experiment_of);
      if (found != findings.end()) {
        shown.push_back(*found);
      } else if (auto earlier = experiments::find_outcome(folder, experiment, settings);
                 std::holds_alternative<experiments::Outcome>(earlier)) {
        shown.push_back({&experiment, std::get<experiments::Outcome>(std::move(earlier)), true});
      }
    }
    nlohmann::ordered_json config = {
        {"version", version()}, {"verb", name()}, {"quick", settings.quick}, {"seed", settings.seed}};
    for (const Finished& finished : shown) {
      config["experiments"].push_back(finished.experiment->id);
    }
    report::Table timing{.columns = {{.name = "experiment"}, {.name = "seconds"}}};
    for (const Finished& finished : findings) {
      if (!finished.from_disk) {
        timing.rows.push_back({finished.experiment->id, finished.seconds});
      }
    }
    write_file_atomically(folder / "config.json", report::json_text(config));
    write_file_atomically(folder / "env.json", report::json_text(environment_json(context.options.threads)));
    write_file_atomically(folder / "timing.csv", report::to_csv(timing));
    report::write_page(folder / "index.html", experiments::page_of(shown, settings));
    if (!markdown_.empty()) {
      write_file_atomically(markdown_, experiments::markdown_of(findings, settings, command()));
    }
    if (context.options.json) {
      print_json(context.out, {{"version", version()},
                               {"quick", settings.quick},
                               {"seed", settings.seed},
                               {"experiments", experiments::to_json(findings)},
                               {"timing", report::to_json(timing)},
                               {"environment", environment_json(context.options.threads)}});
    } else {
      context.out << report::to_text(experiments::summary_table(findings), {.colour = context.colour})
                  << "\nWritten to " << printable(folder.string()) << ": index.html (open it in a browser)\n";
    }
  }

  std::string command() const {
    std::string text = "mneme reproduce";
    for (const std::string& id : ids_) {
      text += " " + id;
    }
    return text + (quick_ ? " --quick" : "") + " --markdown " + printable(markdown_);
  }

  std::vector<std::string> ids_;
  std::string data_, markdown_;
  bool quick_ = false, check_ = false, again_ = false;
};

} // namespace

std::unique_ptr<Verb> make_reproduce() {
  return std::make_unique<Reproduce>();
}

} // namespace mneme::cli
