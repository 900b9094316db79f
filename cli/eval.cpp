// SPDX-License-Identifier: MIT

/// `mneme eval`: evaluates the checkpoints of a run of `mneme train`, or (`eval lm`) a language model.

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/bag_run.h"
#include "cli/eval_lm.h"
#include "cli/json_output.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "learning/bag_fits.h"
#include "learning/heads.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/nearest_word.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "report/table.h"

namespace mneme::cli {
namespace {

class Eval : public Verb {
public:
  std::string name() const override { return "eval"; }
  std::string summary() const override {
    return "evaluate the checkpoints of a `mneme train` run, or a language model";
  }
  TorchNeed torch_need() const override { return TorchNeed::required; }

  bool uses_seed(const Arguments&) const override { return false; }
  void declare(Arguments& arguments) override {
    arguments.add_option("RUN", run_, "Run folder of `mneme train` bags, bit-pattern, latch or mnist-bags")
        ->type_name("DIR");
    arguments
        .add_option(
            "--data", data_,
            "Folder of data sets, for mnist-bags (default: $MNEME_DATA, else $XDG_DATA_HOME/mneme, else "
            "~/.local/share/mneme)")
        ->type_name("DIR");
    arguments
        .add_option("--bags", bags_.files,
                    "For a run of `mneme train bags`: files of other bags with their classes, instead of the "
                    "validation bags")
        ->type_name("FILE");
    declare_columns(arguments, bags_);
    lm_app_ =
        arguments.add_subcommand("lm", "loss of a language model on a text: nats per token, bits per byte");
    lm_.declare(*lm_app_);
    arguments.require_subcommand(0, 1);
  }

  ExitCode run(Context& context) override {
    if (lm_app_->parsed()) {
      return lm_.run(context);
    }
    if (run_.empty()) {
      throw UsageError(
          "RUN is required.\n  Give the folder of a `mneme train` run; `mneme eval lm` evaluates a "
          "language model.");
    }
    refuse_language_model();
    if (bags_.files.empty() && bags_.any()) {
      throw UsageError(
          "--missing, --offsets, --labels and the names of columns belong to files of --bags.\n  Leave "
          "them out, or add --bags.");
    }
    const BagRun run = read_bag_run(run_);
    if (!data_.empty() && run.task != "mnist-bags") {
      throw UsageError(
          fmt::format("--data has no effect: {} is a run of `mneme train {}`, which reads no data "
                      "set.\n  Leave it out.",
                      printable(run_), run.task));
    }
    std::optional<data::BagFile> bags;
    if (!bags_.files.empty()) {
      bags = read_labelled_bags(run);
      for (const std::string& warning :
           prepare_bags(run, *bags, bags_.files.front(), checkpoints_of(run, run_).front())) {
        context.progress.message(fmt::format("mneme {}: {}", name(), warning));
      }
    }
    // The bags of the option are validation bags of a task without training bags.
    const training::BagTask task =
        bags ? training::own_bag_task({}, to_labelled_bags(*bags, run.own.classes)) : task_of(run, data_);
    std::vector<training::BagJob> jobs = jobs_of(run, task, run_);
    checkpoints_of(run, run_); // there must be one
    std::erase_if(jobs, [](const training::BagJob& job) { return !std::filesystem::exists(job.checkpoint); });
    const std::filesystem::path& folder = context.options.out;
    const nlohmann::ordered_json identity =
        result_identity(name(), run_, run, bags_, bags ? &*bags : nullptr);
    std::error_code missing;
    const bool is_run_folder = !folder.empty() && std::filesystem::equivalent(folder, run_, missing);
    std::optional<RunFolder> lock;
    if (!folder.empty() && !is_run_folder) {
      lock.emplace(open_result_folder(folder, identity));
    }
    const report::Table table = measure(jobs, context);
    if (!folder.empty()) {
      if (!is_run_folder) { // the run folder keeps the config.json of the training
        nlohmann::ordered_json config = {{"version", version()}};
        config.update(identity);
        write_file_atomically(folder / "config.json", report::json_text(config));
      }
      write_file_atomically(folder / "eval.csv", report::to_csv(table));
    }
    if (context.options.json) {
      print_json(context.out, {{"config", to_json(run)},
                               {"classes", report::to_json(class_table(task))},
                               {"checkpoints", report::to_json(table)}});
      return ExitCode::ok;
    }
    const report::TextStyle style = context.text_style();
    context.out << fmt::format("{}, {}, evaluated on {}\n\n", run.task, run.model.text(),
                               bags_.files.empty() ? "the validation bags" : "the given bags")
                << report::to_text(class_table(task), style) << '\n'
                << report::to_text(table, style);
    if (static_cast<int64_t>(jobs.size()) < run.seeds) {
      context.out << fmt::format("\n{} of {} seeds have no checkpoint yet.\n", run.seeds - std::ssize(jobs),
                                 run.seeds);
    }
    return ExitCode::ok;
  }

private:
  /// Errors  UsageError if RUN is a language model, or a misspelt "lm"
  void refuse_language_model() const {
    std::error_code unreadable;
    if (!std::filesystem::exists(run_, unreadable) && !nearest_word(run_, {"lm"}).empty()) {
      throw UsageError(
          fmt::format("{}: there is no such folder.\n  Did you mean `mneme eval lm`?", printable(run_)));
    }
    if (!learning::model_type_of(std::filesystem::path(run_) / "").empty()) {
      throw UsageError(fmt::format("{}: is a language model.\n  Use `mneme eval lm {} --text FILE`.",
                                   printable(run_), shell_path(run_)));
    }
  }

  /// A cell that is empty for NaN: with a validation set of one class, the sensitivity or specificity and the
  /// area under the ROC curve are undefined.
  static report::Cell cell_or_empty(double value) {
    return std::isnan(value) ? report::Cell() : report::Cell(value);
  }

  /// The bags of --bags.
  ///
  /// Errors  as read_bags_for; DataError if they have no classes
  data::BagFile read_labelled_bags(const BagRun& run) const {
    data::BagFile bags = read_bags_for(run, bags_, false);
    if (bags.classes.empty()) {
      throw DataError(
          fmt::format("{}: the bags have no classes, so predictions cannot be evaluated.\n  Add them, or "
                      "use `mneme predict`.",
                      bags_.files.front()));
    }
    return bags;
  }

  report::Table measure(const std::vector<training::BagJob>& jobs, Context& context) const {
    report::Table table{.columns = {{.name = "seed"},
                                    {.name = "epochs"},
                                    {.name = "loss"},
                                    {.name = "accuracy"},
                                    {.name = "sensitivity"},
                                    {.name = "specificity"},
                                    {.name = "ROC AUC", .key = "area_under_curve"}}};
    context.progress.start("checkpoints", std::ssize(jobs));
    for (const training::BagJob& job : jobs) {
      throw_if_interrupted();
      const learning::BagCheckpoint checkpoint =
          bags_.files.empty() ? learning::measure_checkpoint(job)
                              : learning::measure_on_bags(job.checkpoint, job.task->validation);
      const training::ClassificationMetrics& metrics = checkpoint.metrics;
      table.rows.push_back({static_cast<int64_t>(job.seed), checkpoint.epochs, checkpoint.validation.loss,
                            metrics.accuracy, cell_or_empty(metrics.sensitivity),
                            cell_or_empty(metrics.specificity), cell_or_empty(metrics.area_under_curve)});
      context.progress.advance();
    }
    context.progress.finish();
    return table;
  }

  std::string run_, data_;
  OtherBags bags_;
  EvalLm lm_;
  Arguments* lm_app_ = nullptr;
};

} // namespace

std::unique_ptr<Verb> make_eval() {
  return std::make_unique<Eval>();
}

} // namespace mneme::cli
