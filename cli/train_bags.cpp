// SPDX-License-Identifier: MIT

/// `mneme train bit-pattern`, `latch` and `mnist-bags`: binary classification of bags and sequences with
/// Hopfield layers and baseline models.

#include <algorithm>
#include <iterator>
#include <optional>
#include <ostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/bag_run.h"
#include "cli/choices.h"
#include "cli/environment_json.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/train_task.h"
#include "learning/bag_fits.h"
#include "learning/bags.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "report/page.h"

namespace mneme::cli {
namespace {

using learning::BagGroup;
using training::BagFit;

/// The entries of config.json that must be equal when a run is resumed.
nlohmann::ordered_json identity_of(const BagRun& run) {
  nlohmann::ordered_json identity = to_json(run);
  identity.erase("version");
  identity.erase("patience");
  return identity;
}

class TrainBags : public TrainTask {
public:
  bool needs_torch() const override { return true; }

  void declare(CLI::App& app) override {
    const training::BagTask published = published_task();
    run_.task = name();
    run_.model.name = published.models.front();
    add_word_option(
        app, "--model", published.models, run_.model.name,
        [this, models = published.models](size_t index) { run_.model.name = models[index]; },
        "Model to train; -adapted: with more heads, update steps and dropout, as published");
    std::vector<std::string> separations;
    for (const NamedSeparation& named : kSimplexSeparations) {
      separations.emplace_back(named.name);
    }
    add_word_option(
        app, "--separation", separations, "softmax",
        [this, separations](size_t index) { separation_ = separations[index]; },
        "Function from scores to weights in the Hopfield layer; all but softmax are sparse: most weights are "
        "exactly 0");
    add_parsed_option(
        app, "--alpha", "A", fmt::format("{}", SimplexSeparation(separation_named("entmax")).alpha),
        [this](const std::string& option, const std::string& text) {
          alpha_ = parse_real(option, text, {.min = 1, .max = 2, .min_included = false});
        },
        "alpha of entmax: 2 is sparsemax, 1.5 is entmax15, the limit 1 is softmax");
    const auto published_number = [](double x) { return fmt::format("{:g}", x); };
    add_parsed_option(
        app, "--epochs", "N", fmt::format("{} as published", published.schedule.epochs),
        [this](const std::string& option, const std::string& text) {
          epochs_ = parse_integer(option, text, {.min = 1, .max = 10'000'000});
        },
        "Number of epochs; a finished run is resumed if the number is larger than before");
    add_parsed_option(
        app, "--batch-size", "N", fmt::format("{} as published", published.schedule.batch_size),
        [this](const std::string& option, const std::string& text) {
          batch_size_ = parse_integer(option, text, {.min = 1, .max = 1'000'000});
        },
        "Number of bags per optimiser step");
    add_parsed_option(
        app, "--learning-rate", "X", published_number(published.schedule.learning_rate),
        [this](const std::string& option, const std::string& text) {
          learning_rate_ = parse_real(option, text, {.min = 0, .min_included = false});
        },
        "Learning rate of AdamW");
    add_parsed_option(
        app, "--weight-decay", "X", published_number(published.schedule.weight_decay),
        [this](const std::string& option, const std::string& text) {
          weight_decay_ = parse_real(option, text, {.min = 0});
        },
        "Decoupled weight decay of AdamW");
    add_integer_option(
        app, "--patience", patience_, {.min = 0, .max = 1'000'000},
        "Early stopping: stop when the validation loss has not decreased for N epochs (0: never)");
    add_integer_option(app, "--seeds", run_.seeds, {.min = 1, .max = kSeedsMax},
                       "Number of runs with different initial weights, trained in parallel");
    app.add_flag("--allow-one-class", allow_one_class_,
                 "Also train if all bags of a set are positive, or all negative");
    declare_bags(app);
  }

  ExitCode run(Context& context) override {
    complete(context.options.seed);
    const std::filesystem::path folder = context.options.out.empty()
                                             ? std::filesystem::path("runs/train") / name() / folder_name()
                                             : context.options.out;
    const FolderLock lock = open_run_folder(folder, identity_of(run_), {"epochs", "seeds"});
    const training::BagTask task = task_of(run_, data_);
    if (const std::string set = training::single_class_set(task); !set.empty() && !allow_one_class_) {
      throw UsageError(fmt::format("{}, so a constant prediction is always correct.\n  Use data with both "
                                   "classes, or more bags; --allow-one-class trains anyway.",
                                   set));
    }
    const std::vector<training::BagJob> jobs = jobs_of(run_, task, folder);
    make_output_folder(folder / "checkpoints");
    write_file_atomically(folder / "config.json", report::json_text(to_json(run_)));
    context.progress.start("epochs", run_.seeds * run_.schedule.epochs);
    BagGroup group{.name = run_.model.text()};
    try {
      group.fits = learning::train_bags(jobs, context.progress, {});
    } catch (const Interrupted&) {
      context.progress.finish();
      context.progress.message(fmt::format(
          "mneme train {}: all finished epochs are saved in {}; run the same command again to resume", name(),
          (folder / "checkpoints").string()));
      throw;
    }
    context.progress.finish();
    finish(task, group, folder, context);
    return ExitCode::ok;
  }

protected:
  virtual training::BagTask
  published_task() const = 0; ///< only its models and schedule are used, not its bags
  virtual void declare_bags(CLI::App& app) = 0;

  BagRun run_;
  std::string data_;

private:
  /// Default folder of a model, such as "pooling" or "pooling-entmax-1.25".
  std::string folder_name() const {
    std::string folder = run_.model.text();
    std::erase(folder, ',');
    std::ranges::replace(folder, ' ', '-');
    return folder;
  }

  void complete(uint64_t seed) {
    run_.model.separation = separation_named(separation_, alpha_);
    run_.schedule = published_task().schedule_of(run_.model.name);
    run_.schedule.epochs = epochs_.value_or(run_.schedule.epochs);
    run_.schedule.batch_size = batch_size_.value_or(run_.schedule.batch_size);
    run_.schedule.learning_rate = learning_rate_.value_or(run_.schedule.learning_rate);
    run_.schedule.weight_decay = weight_decay_.value_or(run_.schedule.weight_decay);
    run_.schedule.patience = patience_;
    run_.seed = seed;
  }

  std::string headline(const training::BagTask& task, const BagGroup& group) const {
    const auto stopped = std::ranges::count_if(group.fits, &BagFit::stopped_early);
    return fmt::format(
        "{} with {} parameters, {} training bags and {} validation bags, {} epochs{}, {} {} from seed {}",
        run_.model.text(), group.fits.front().num_parameters, task.training.count(), task.validation.count(),
        run_.schedule.epochs, stopped > 0 ? fmt::format(" ({} stopped early)", stopped) : "", run_.seeds,
        run_.seeds == 1 ? "run" : "runs", run_.seed);
  }

  void finish(const training::BagTask& task, const BagGroup& group, const std::filesystem::path& folder,
              Context& context) const {
    std::string metrics;
    report::Table timing{.columns = {{.name = "seed"}, {.name = "seconds"}}};
    for (const BagFit& fit : group.fits) {
      timing.rows.push_back({static_cast<int64_t>(fit.seed), fit.seconds});
      for (size_t i = 0; i < fit.epochs.size(); ++i) {
        nlohmann::ordered_json line = {{"seed", fit.seed}, {"epoch", i + 1}};
        for (const learning::BagMeasure& measure : learning::bag_measures()) {
          line[measure.key] = measure.of(fit.epochs[i]);
        }
        metrics += line.dump() + "\n";
      }
    }
    const report::Table summary = learning::bag_table({group}), classes = class_table(task);
    const report::Chart curves = learning::bag_curves(name() + ": " + run_.model.text(), {group});
    write_file_atomically(folder / "env.json", report::json_text(environment_json(context.options.threads)));
    write_file_atomically(folder / "metrics.jsonl", metrics);
    write_file_atomically(folder / "summary.csv", report::to_csv(summary));
    write_file_atomically(folder / "timing.csv", report::to_csv(timing));
    report::write_chart(folder, "learning", curves);
    report::write_page(folder / "index.html", page(headline(task, group), classes, summary, curves));
    if (context.options.json) {
      print_json(context.out, {{"config", to_json(run_)},
                               {"classes", report::to_json(classes)},
                               {"summary", report::to_json(summary)},
                               {"timing", {{"seeds", report::to_json(timing)}}}});
      return;
    }
    const std::string shown = printable(folder.string());
    context.out
        << headline(task, group) << "\n\n"
        << report::to_text(classes, {.colour = context.colour}) << '\n'
        << report::to_text(summary, {.colour = context.colour}) << "\nWritten to " << shown
        << ": index.html (open it in a browser), summary.csv, metrics.jsonl, checkpoints/ (`mneme eval "
        << shown << "` evaluates them)\n";
  }

  report::Page page(const std::string& head, const report::Table& classes, const report::Table& summary,
                    const report::Chart& curves) const {
    report::Parameters parameters;
    const nlohmann::ordered_json settings = to_json(run_);
    for (const auto& [key, value] : settings.items()) {
      parameters.values.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
    }
    return {
        .title = fmt::format("{}: {}", name(), run_.model.text()),
        .intro = head + ".",
        .sections = {
            {.heading = "Results",
             .blocks = {
                 report::CaptionedTable{.table = classes, .caption = "Number of bags of each class"},
                 report::CaptionedTable{.table = summary,
                                        .caption = run_.seeds == 1
                                                       ? "After the last epoch; one seed, so the spread "
                                                         "over seeds is unknown"
                                                       : "After the last epoch, over the seeds"},
                 report::Figure{
                     .chart = curves,
                     .remark = run_.seeds == 1 ? "One seed."
                                               : "Lines are medians over the seeds, bands reach "
                                                 "from the minimum to the maximum.",
                     .links = {{"Data (CSV)", "learning.csv"}, {"All epochs of all seeds", "metrics.jsonl"}}},
                 parameters}}}};
  }

  std::optional<int64_t> epochs_, batch_size_;
  std::optional<double> learning_rate_, weight_decay_, alpha_;
  std::string separation_ = "softmax";
  int64_t patience_ = 0;
  bool allow_one_class_ = false;
};

constexpr IntegerLimits kCount{.min = 1, .max = 10'000'000};

class TrainBitPattern : public TrainBags {
public:
  std::string name() const override { return "bit-pattern"; }
  std::string summary() const override {
    return "classify whether a bag of random bit patterns contains a signal pattern";
  }

protected:
  training::BagTask published_task() const override { return training::bit_pattern_task({.num_bags = 8}); }
  void declare_bags(CLI::App& app) override {
    add_integer_option(app, "--bags", run_.bits.num_bags, {.min = 8, .max = kCount.max},
                       "Number of bags; the first and the last eighth are for validation");
    add_integer_option(app, "--instances", run_.bits.num_instances, kCount, "Number of patterns per bag");
    add_integer_option(app, "--signals", run_.bits.num_signals, kCount,
                       "Number of different signal patterns");
    add_integer_option(app, "--signals-per-bag", run_.bits.num_signals_per_bag, kCount,
                       "Number of signal patterns in a positive bag");
    add_integer_option(app, "--bits", run_.bits.num_bits, {.min = 1, .max = 64}, "Bits per pattern");
  }
};

class TrainLatch : public TrainBags {
public:
  std::string name() const override { return "latch"; }
  std::string summary() const override {
    return "classify sequences by their first character (a long-term memory task)";
  }

protected:
  training::BagTask published_task() const override { return training::latch_task({.num_samples = 8}); }
  void declare_bags(CLI::App& app) override {
    add_integer_option(app, "--samples", run_.latch.num_samples, {.min = 8, .max = kCount.max},
                       "Number of sequences; the first and the last eighth are for validation");
    add_integer_option(app, "--length", run_.latch.num_instances, kCount, "Characters per sequence");
    add_integer_option(app, "--characters", run_.latch.num_characters, {.min = 3, .max = 10'000},
                       "Number of different characters");
  }
};

class TrainMnistBags : public TrainBags {
public:
  std::string name() const override { return "mnist-bags"; }
  std::string summary() const override { return "classify whether a bag of MNIST digits contains a 9"; }

protected:
  training::BagTask published_task() const override { return training::digit_bag_settings(); }
  void declare_bags(CLI::App& app) override {
    add_integer_option(app, "--bags", run_.digits.num_bags, kCount,
                       "Number of training bags; there are a quarter as many validation bags");
    add_integer_option(app, "--target", run_.digits.target, {.min = 0, .max = 9},
                       "Digit that makes a bag positive");
    add_real_option(app, "--mean-size", run_.digits.mean_size, {.min = 1, .max = 10'000},
                    "Mean number of images per bag");
    app.add_option("--data", data_,
                   "Folder of data sets such as MNIST (default: $MNEME_DATA, else $XDG_DATA_HOME/mneme, else "
                   "~/.local/share/mneme)")
        ->type_name("DIR");
  }
};

} // namespace

std::unique_ptr<TrainTask> make_train_bit_pattern() {
  return std::make_unique<TrainBitPattern>();
}
std::unique_ptr<TrainTask> make_train_latch() {
  return std::make_unique<TrainLatch>();
}
std::unique_ptr<TrainTask> make_train_mnist_bags() {
  return std::make_unique<TrainMnistBags>();
}

} // namespace mneme::cli
