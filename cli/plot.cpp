// SPDX-License-Identifier: MIT

/// `mneme plot`: the learning curves of several runs of `mneme train` in one figure.

#include <algorithm>
#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/figure_export.h"
#include "cli/json_output.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "learning/run_curves.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "mneme/data/read_file.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr const char* kRemark = "With several seeds, lines are medians over the seeds, and bands reach from "
                                "the minimum to the maximum.";
constexpr const char* kLegendRemark = " The legend of the first panel is that of all.";

class Plot : public Verb {
public:
  std::string name() const override { return "plot"; }
  std::string summary() const override {
    return "compare the learning curves of `mneme train` runs in one figure";
  }
  bool uses_seed(const Arguments&) const override { return false; }

  void declare(Arguments& arguments) override {
    arguments
        .add_option("RUN", folders_, "Run folders of `mneme train`, all of tasks that count epochs, or of lm")
        ->type_name("DIR")
        ->required();
    figures_.declare(arguments);
    arguments.footer(
        "Without --out, only the table of the last values is printed. --out writes a page with the "
        "figure, learning.vl.json, learning.csv and runs.csv.");
  }

  ExitCode run(Context& context) override {
    const std::filesystem::path& out = context.options.out;
    if (figures_.is_requested() && out.empty()) {
      throw UsageError("--figures needs --out.\n  Give the folder of the figure.");
    }
    figures_.prepare();
    const std::vector<learning::RunMetrics> runs = read_runs();
    const report::Table table = run_table(runs);
    if (!out.empty()) {
      write(runs, table, out);
    }
    if (context.options.json) {
      print_json(context.out, {{"runs", report::to_json(table)}});
      return ExitCode::ok;
    }
    context.out << report::to_text(table, context.text_style());
    if (runs.front().unit == "epoch") {
      context.out << "\nLast values of each run; medians over the seeds.\n";
    }
    if (out.empty()) {
      context.out << "\n--out FOLDER writes a page with the learning curves.\n";
    } else {
      context.out << fmt::format("\nWritten to {}: index.html (open it in a browser), learning.vl.json, "
                                 "learning.csv, runs.csv{}\n",
                                 printable(out.string()), figures_.written_text());
    }
    return ExitCode::ok;
  }

private:
  std::vector<learning::RunMetrics> read_runs() const {
    std::vector<learning::RunMetrics> runs;
    for (const std::string& name : names()) {
      const std::filesystem::path folder = folders_[runs.size()];
      const nlohmann::ordered_json config = read_train_config(folder);
      if (config.is_null()) {
        throw DataError(
            fmt::format("{}: this is no run folder of `mneme train`: there is no config.json of a "
                        "training run.\n  Give the folders that `mneme train` has written.",
                        printable(folder.string())));
      }
      const std::filesystem::path metrics = folder / "metrics.jsonl";
      std::error_code unreadable;
      if (!std::filesystem::exists(metrics, unreadable)) {
        throw DataError(
            fmt::format("{}: there is no metrics.jsonl yet.\n  Wait until the training has ended, or "
                        "resume it with the same command.",
                        printable(folder.string())));
      }
      const std::vector<std::byte> bytes = data::read_file(metrics);
      learning::RunMetrics run = learning::parse_metrics(
          {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, printable(metrics.string()));
      run.name = name;
      for (const char* path : {"/model", "/training/model"}) { // the latter is of language models
        const nlohmann::ordered_json::json_pointer place(path);
        if (config.contains(place) && config.at(place).is_string()) {
          run.model = printable(config.at(place).get<std::string>());
        }
      }
      runs.push_back(std::move(run));
    }
    return runs;
  }

  /// The last component of each folder, or the folders as they were given if two are equal.
  std::vector<std::string> names() const {
    std::vector<std::string> given, last;
    for (const std::filesystem::path& folder : folders_) {
      const std::filesystem::path clean = (folder / "").lexically_normal().parent_path();
      given.push_back(clean.empty() ? "." : printable(clean.string()));
      last.push_back(printable(
          std::filesystem::absolute(folder / "").lexically_normal().parent_path().filename().string()));
    }
    const auto has_equal = [](std::vector<std::string> names) {
      std::ranges::sort(names);
      return std::ranges::adjacent_find(names) != names.end();
    };
    if (has_equal(given)) {
      throw UsageError("a run is given twice.\n  Give each run once.");
    }
    return has_equal(last) ? given : last;
  }

  void write(const std::vector<learning::RunMetrics>& runs, const report::Table& table,
             const std::filesystem::path& out) const {
    std::vector<std::string> absolute;
    for (const std::filesystem::path& folder : folders_) {
      absolute.push_back(printable(std::filesystem::canonical(folder).string()));
    }
    const nlohmann::ordered_json identity = {{"verb", name()}, {"runs", absolute}};
    const RunFolder lock = open_run_folder(out, identity);
    nlohmann::ordered_json config = {{"version", version()}};
    config.update(identity);
    const report::Chart curves = run_curves("Learning curves", runs);
    write_file_atomically(out / "config.json", report::json_text(config));
    write_file_atomically(out / "runs.csv", report::to_csv(table));
    report::write_chart(out, "learning", curves);
    figures_.write({out / "learning"});
    const bool has_steps = runs.front().unit == "step";
    report::write_page(
        out / "index.html",
        {.title = "Learning curves",
         .intro = report::counted(std::ssize(runs), "run") + " of `mneme train`.",
         .sections = {
             {.heading = "Results",
              .blocks = {
                  report::Figure{.chart = curves,
                                 .remark = std::string(kRemark) + (runs.size() > 1 ? kLegendRemark : ""),
                                 .links = {{"Data (CSV)", "learning.csv"}}},
                  report::CaptionedTable{
                      .table = table,
                      .caption = has_steps ? "Last values of each run, in bits per byte of text"
                                           : "Last values of each run; medians over the seeds"}}}}});
  }

  std::vector<std::filesystem::path> folders_;
  FigureExport figures_;
};

} // namespace

std::unique_ptr<Verb> make_plot() {
  return std::make_unique<Plot>();
}

} // namespace mneme::cli
