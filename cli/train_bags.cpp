// SPDX-License-Identifier: MIT

/// `mneme train bags`, `bit-pattern`, `latch` and `mnist-bags`: binary classification of bags and sequences
/// with Hopfield layers and baseline models.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <ostream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/bag_features.h"
#include "cli/bag_run.h"
#include "cli/choices.h"
#include "cli/environment_json.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/train_task.h"
#include "learning/bag_fits.h"
#include "learning/bags.h"
#include "learning/sparse_and.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using learning::BagGroup;
using training::BagFit;

/// Explains the spread over several seeds.
constexpr const char* kSeedsText = "Seeds differ in initial weights, order of the bags and dropout; all have "
                                   "the same training and validation "
                                   "bags.";

/// The epochs with the lowest validation loss, and which weights the checkpoints contain.
std::string best_epochs_text(const BagGroup& group) {
  constexpr size_t kShown = 5;
  std::vector<int64_t> best;
  std::ranges::transform(group.fits, std::back_inserter(best),
                         [](const BagFit& fit) { return training::best_epoch(fit.epochs); });
  const auto [first, last] = std::ranges::minmax(best);
  return fmt::format("The validation loss was lowest after {}; {}.",
                     best.size() > kShown
                         ? fmt::format("epochs {} to {}", first, last)
                         : fmt::format("{} {}", best.size() == 1 ? "epoch" : "epochs", fmt::join(best, ", ")),
                     !group.fits.front().keeps_best ? "checkpoints contain the weights of the last epoch"
                     : best.size() == 1             ? "the results are those of this epoch"
                                                    : "the results are those of these epochs");
}

/// The entries of config.json that must be equal when a run is resumed.
nlohmann::ordered_json identity_of(const BagRun& run) {
  nlohmann::ordered_json identity = to_json(run);
  identity.erase("version");
  identity.erase("patience");
  for (const char* key : {"num_features", "features", "contents", "validation_contents", "data_folder"}) {
    identity.erase(key); // BagRun::own: check_contents compares the bags
  }
  return identity;
}

/// Paths of own bags in config.json.
const std::vector<std::string> kFileKeys = {"files", "validation_files", "offsets", "labels"};

class TrainBags : public TrainTask {
public:
  bool needs_torch() const override { return true; }

  void declare(Arguments& arguments) override {
    const training::BagTask published = published_task();
    run_.task = name();
    run_.model.name = published.models.front();
    add_word_option(
        arguments, "--model", published.models, run_.model.name,
        [this, models = published.models](size_t index) { run_.model.name = models[index]; },
        std::ranges::any_of(published.models,
                            [](const std::string& model) { return model.ends_with("-adapted"); })
            ? "Model to train; -adapted: as published, hopfield and pooling with 8 heads, 3 updates and "
              "dropout, lookup with the training instances as initial patterns"
            : "Model to train");
    std::vector<std::string> separations;
    for (const NamedSeparation& named : kSimplexSeparations) {
      separations.emplace_back(named.name);
    }
    add_word_option(
        arguments, "--separation", separations, "softmax",
        [this, separations](size_t index) { separation_ = separations[index]; },
        "Function from scores to weights in the Hopfield layer; all but softmax are sparse: most weights are "
        "exactly 0");
    add_parsed_option(
        arguments, "--alpha", "A", fmt::format("{}", SimplexSeparation(separation_named("entmax")).alpha),
        [this](const std::string& option, const std::string& text) {
          alpha_ = parse_real(option, text, {.min = 1, .max = 2, .min_included = false});
        },
        "alpha of entmax: 2 is sparsemax, 1.5 is entmax15, the limit 1 is softmax");
    const auto published_number = [](double x) { return fmt::format("{:g}", x); };
    add_parsed_option(
        arguments, "--epochs", "N", fmt::format("{}{}", published.schedule.epochs, origin()),
        [this](const std::string& option, const std::string& text) {
          epochs_ = parse_integer(option, text, {.min = 1, .max = 10'000'000});
        },
        "Number of epochs; a finished run is resumed if the number is larger than before");
    add_parsed_option(
        arguments, "--batch-size", "N", default_batch_size(),
        [this](const std::string& option, const std::string& text) {
          batch_size_ = parse_integer(option, text, {.min = 1, .max = 1'000'000});
        },
        "Number of bags per optimiser step");
    add_parsed_option(
        arguments, "--learning-rate", "X", published_number(published.schedule.learning_rate),
        [this](const std::string& option, const std::string& text) {
          learning_rate_ = parse_real(option, text, {.min = 0, .min_included = false});
        },
        "Learning rate of AdamW");
    add_parsed_option(
        arguments, "--weight-decay", "X", published_number(published.schedule.weight_decay),
        [this](const std::string& option, const std::string& text) {
          weight_decay_ = parse_real(option, text, {.min = 0});
        },
        "Decoupled weight decay of AdamW");
    add_integer_option(
        arguments, "--patience", patience_, {.min = 0, .max = 1'000'000},
        "Early stopping: stop when the validation loss has not decreased for N epochs (0: never)");
    add_word_option(
        arguments, "--keep", {"last", "best"}, "last", [this](size_t index) { keeps_best_ = index == 1; },
        "Epoch whose weights are evaluated, and used by `mneme eval` and `predict`: the last one, or the one "
        "with the "
        "lowest validation loss. A choice by validation bags makes their measures optimistic");
    add_word_option(
        arguments, "--class-weights", {"none", "balanced"}, "none",
        [this](size_t index) { balanced_classes_ = index == 1; },
        "Weights of the bags in the training loss; balanced: both classes have the same weight in sum, so "
        "that a "
        "rare class is not neglected");
    add_integer_option(arguments, "--seeds", run_.seeds, {.min = 1, .max = kSeedsMax},
                       "Number of runs with different initial weights, trained in parallel");
    arguments.add_flag("--allow-one-class", allow_one_class_,
                       "Also train if all bags of a set are positive, or all negative");
    declare_bags(arguments);
  }

  ExitCode run(Context& context) override {
    run_.model.separation = separation_named(separation_, alpha_);
    run_.seed = context.options.seed;
    const training::BagTask task = make_task();
    complete(task);
    const std::filesystem::path folder = context.options.out.empty()
                                             ? std::filesystem::path("runs/train") / name() / folder_name()
                                             : context.options.out;
    if (const std::string set = training::single_class_set(task); !set.empty() && !allow_one_class_) {
      throw UsageError(one_class_message(task, set));
    }
    for (const std::string& warning : warnings_) {
      context.progress.message(fmt::format("mneme train: {}", warning));
    }
    const std::vector<training::BagJob> jobs = jobs_of(run_, task, folder);
    learning::check_bag_job(jobs.front()); // before the folder is created
    if (!run_.own.files.empty()) {
      run_.own.data_folder =
          std::filesystem::path(run_.own.files.front())
              .parent_path()
              .lexically_relative(std::filesystem::absolute(folder / "").lexically_normal())
              .string();
    }
    const nlohmann::ordered_json identity = identity_of(run_);
    const RunFolder lock = open_run_folder(
        folder, identity, {.may_grow = {"epochs", "seeds"}, .update = [&](nlohmann::ordered_json& earlier) {
                             accept_moved_files(earlier, identity, kFileKeys);
                           }});
    check_same_bags(folder);
    check_checkpoints(jobs); // before config.json is written: a run that is refused is left as it is
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
  virtual void declare_bags(Arguments& arguments) = 0;
  virtual std::string origin() const { return " as published"; } ///< of the default schedule, for the help
  virtual std::string default_batch_size() const {
    return fmt::format("{}{}", published_task().schedule.batch_size, origin());
  }
  /// The task with its bags. The seed of the run is already set.
  virtual training::BagTask make_task() { return task_of(run_, data_); }
  /// Error message for a task with a set of one class, which `set` describes.
  virtual std::string one_class_message(const training::BagTask& task, const std::string& set) const {
    (void)task;
    return fmt::format(
        "{}, so a constant prediction is always correct.\n  Use data with both classes, or more "
        "bags; --allow-one-class trains anyway.",
        set);
  }
  /// Checks that the bags are those of the run that the folder contains, if it contains one.
  ///
  /// Errors  UsageError if they are not
  virtual void check_same_bags(const std::filesystem::path& folder) const { (void)folder; }
  virtual std::string advice(const std::string& folder) const { ///< after the hint at `mneme eval`
    (void)folder;
    return "";
  }
  virtual nlohmann::ordered_json shown_settings() const { return to_json(run_); } ///< of the page
  virtual std::string class_name(bool positive) const { return positive ? "positive" : "negative"; }
  virtual std::string classes_text() const { return ""; } ///< what the classes are, for the headline

  BagRun run_;
  std::string data_;
  std::string features_;              ///< what the features are, as a line after the headline; may be empty
  std::vector<std::string> warnings_; ///< on the data, printed before the training

private:
  /// Default folder of a model, such as "pooling" or "pooling-entmax-1.25".
  std::string folder_name() const {
    std::string folder = run_.model.text();
    std::erase(folder, ',');
    std::ranges::replace(folder, ' ', '-');
    return folder;
  }

  void complete(const training::BagTask& task) {
    run_.schedule = task.schedule_of(run_.model.name);
    run_.schedule.epochs = epochs_.value_or(run_.schedule.epochs);
    run_.schedule.batch_size = batch_size_.value_or(run_.schedule.batch_size);
    run_.schedule.learning_rate = learning_rate_.value_or(run_.schedule.learning_rate);
    run_.schedule.weight_decay = weight_decay_.value_or(run_.schedule.weight_decay);
    run_.schedule.patience = patience_;
    run_.schedule.balanced_classes = balanced_classes_;
    run_.schedule.keeps_best = keeps_best_;
  }

  /// Errors  as learning::check_bag_checkpoint, for the jobs that have a checkpoint
  static void check_checkpoints(const std::vector<training::BagJob>& jobs) {
    for (const training::BagJob& job : jobs) {
      throw_if_interrupted();
      if (std::filesystem::exists(job.checkpoint)) {
        learning::check_bag_checkpoint(job);
      }
    }
  }

  /// Adds rows of the area under the ROC curve and the balanced accuracy, which unequal classes do not
  /// distort. They are undefined for validation bags of one class.
  static void add_metrics(report::Table& summary, const BagGroup& group) {
    const auto add = [&](const char* measure, const auto& of) {
      std::vector<double> numbers;
      for (const BagFit& fit : group.fits) {
        numbers.push_back(of(fit.validation));
      }
      if (std::ranges::none_of(numbers, [](double number) { return std::isnan(number); })) {
        summary.rows.push_back({group.name, group.fits.front().num_parameters, std::string(measure)});
        std::ranges::copy(learning::seed_cells(numbers, group.fits.size() == 1, {0, 1}),
                          std::back_inserter(summary.rows.back()));
      }
    };
    add("validation ROC AUC",
        [](const training::ClassificationMetrics& metrics) { return metrics.area_under_curve; });
    add("validation balanced accuracy", [](const training::ClassificationMetrics& metrics) {
      return (metrics.sensitivity + metrics.specificity) / 2;
    });
  }

  /// Compares the accuracy with that of a constant prediction; empty if the classes have similar sizes and
  /// the model is better.
  std::string majority_text(const training::BagTask& task, const BagGroup& group) const {
    constexpr double kUnequal = 0.6;
    const int64_t count = task.validation.count(), positive = task.validation.num_positive(),
                  most = std::max(positive, count - positive);
    const double fraction = static_cast<double>(most) / static_cast<double>(count);
    double accuracy = 0; // mean over the seeds
    for (const BagFit& fit : group.fits) {
      accuracy += fit.validation.accuracy / static_cast<double>(group.fits.size());
    }
    constexpr double kRounding = 1e-9;
    const bool is_above = accuracy > fraction + kRounding;
    if (most == count || (is_above && fraction < kUnequal)) {
      return "";
    }
    return fmt::format("{} of {} validation bags are of the class {}: always predicting it has the accuracy "
                       "{:.4g}.{}",
                       most, count, class_name(2 * positive > count), fraction,
                       is_above
                           ? ""
                           : fmt::format(" The accuracy of the model, {:.4g}, is not above it.{}", accuracy,
                                         run_.schedule.balanced_classes || fraction < kUnequal
                                             ? ""
                                             : " --class-weights balanced gives both classes the same "
                                               "weight in the loss."));
  }

  std::string headline(const training::BagTask& task, const BagGroup& group) const {
    const auto stopped = std::ranges::count_if(group.fits, &BagFit::stopped_early);
    return fmt::format(
        "{} with {} parameters, {} training bags and {} validation bags, {}{}, {} from seed {}{}",
        run_.model.text(), group.fits.front().num_parameters, task.training.count(), task.validation.count(),
        report::counted(run_.schedule.epochs, "epoch"),
        stopped > 0 ? fmt::format(" ({} stopped early)", stopped) : "", report::counted(run_.seeds, "run"),
        run_.seed, classes_text());
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
    report::Table summary = learning::bag_table({group});
    add_metrics(summary, group);
    const report::Table classes = class_table(task);
    const std::string majority = majority_text(task, group);
    const report::Chart curves = learning::bag_curves(name() + ": " + run_.model.text(), {group});
    write_file_atomically(folder / "env.json", report::json_text(environment_json(context.options.threads)));
    write_file_atomically(folder / "metrics.jsonl", metrics);
    write_file_atomically(folder / "summary.csv", report::to_csv(summary));
    write_file_atomically(folder / "timing.csv", report::to_csv(timing));
    report::write_chart(folder, "learning", curves);
    report::write_page(folder / "index.html",
                       page(headline(task, group), group, classes, summary, curves, majority));
    if (context.options.json) {
      print_json(context.out, {{"config", to_json(run_)},
                               {"classes", report::to_json(classes)},
                               {"summary", report::to_json(summary)},
                               {"timing", {{"seeds", report::to_json(timing)}}}});
      return;
    }
    const std::string shown = printable(folder.string()), argument = shell_path(folder.string());
    context.out
        << headline(task, group) << '\n'
        << (features_.empty() ? "" : features_ + "\n") << '\n'
        << report::to_text(classes, context.text_style()) << '\n'
        << report::to_text(summary, context.text_style()) << '\n'
        << (majority.empty() ? "" : majority + "\n") << best_epochs_text(group) << '\n'
        << (run_.seeds == 1 ? "" : fmt::format("{}\n", kSeedsText)) << "\nWritten to " << shown
        << ": index.html (open it in a browser), summary.csv, metrics.jsonl, checkpoints/ (`mneme eval "
        << argument << "` evaluates them" << advice(argument) << ")\n";
  }

  report::Page page(const std::string& head, const BagGroup& group, const report::Table& classes,
                    const report::Table& summary, const report::Chart& curves,
                    const std::string& majority) const {
    const std::string after =
        keeps_best_ ? "After the epoch with the lowest validation loss" : "After the last epoch";
    report::Parameters parameters;
    const nlohmann::ordered_json settings = shown_settings();
    for (const auto& [key, value] : settings.items()) {
      std::vector<std::string> words; // of a list, or one
      for (const nlohmann::ordered_json& word :
           value.is_array() ? value : nlohmann::ordered_json::array({value})) {
        words.push_back(word.is_string() ? word.get<std::string>() : word.dump());
      }
      if (const std::string text = fmt::format("{}", fmt::join(words, ", ")); !text.empty()) {
        parameters.values.emplace_back(key, text);
      }
    }
    return {
        .title = fmt::format("Training: {}, {}", name(), run_.model.text()),
        .intro = head + "." + (features_.empty() ? "" : " " + features_ + "."),
        .sections = {
            {.heading = "Results",
             .blocks = {
                 report::CaptionedTable{.table = classes,
                                        .caption = "Number of bags of each class" +
                                                   (majority.empty() ? "" : ". " + majority)},
                 report::CaptionedTable{
                     .table = summary,
                     .caption = run_.seeds == 1 ? after + "; one seed, so the spread over seeds is unknown"
                                                : after + ". " + kSeedsText},
                 report::Figure{
                     .chart = curves,
                     .remark = (run_.seeds == 1 ? "One seed. "
                                                : "Lines are medians over the seeds, bands reach "
                                                  "from the minimum to the maximum. ") +
                               best_epochs_text(group),
                     .links = {{"Data (CSV)", "learning.csv"}, {"All epochs of all seeds", "metrics.jsonl"}}},
                 parameters}}}};
  }

  std::optional<int64_t> epochs_, batch_size_;
  std::optional<double> learning_rate_, weight_decay_, alpha_;
  std::string separation_ = "softmax";
  int64_t patience_ = 0;
  bool allow_one_class_ = false, balanced_classes_ = false, keeps_best_ = false;
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
  void declare_bags(Arguments& arguments) override {
    add_integer_option(arguments, "--bags", run_.bits.num_bags, {.min = 8, .max = kCount.max},
                       "Number of bags; the first and the last eighth are for validation");
    add_integer_option(arguments, "--instances", run_.bits.num_instances, kCount,
                       "Number of patterns per bag");
    add_integer_option(arguments, "--signals", run_.bits.num_signals, kCount,
                       "Number of different signal patterns");
    add_integer_option(arguments, "--signals-per-bag", run_.bits.num_signals_per_bag, kCount,
                       "Number of signal patterns in a positive bag");
    add_integer_option(arguments, "--bits", run_.bits.num_bits, {.min = 1, .max = 64}, "Bits per pattern");
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
  void declare_bags(Arguments& arguments) override {
    add_integer_option(arguments, "--samples", run_.latch.num_samples, {.min = 8, .max = kCount.max},
                       "Number of sequences; the first and the last eighth are for validation");
    add_integer_option(arguments, "--length", run_.latch.num_instances, kCount, "Characters per sequence");
    add_integer_option(arguments, "--characters", run_.latch.num_characters, {.min = 3, .max = 10'000},
                       "Number of different characters");
  }
};

class TrainMnistBags : public TrainBags {
public:
  std::string name() const override { return "mnist-bags"; }
  std::string summary() const override { return "classify whether a bag of MNIST digits contains a 9"; }

protected:
  training::BagTask published_task() const override { return training::digit_bag_settings(); }
  void declare_bags(Arguments& arguments) override {
    add_integer_option(arguments, "--bags", run_.digits.num_bags, kCount,
                       "Number of training bags; there are a quarter as many validation bags");
    add_integer_option(arguments, "--target", run_.digits.target, {.min = 0, .max = 9},
                       "Digit that makes a bag positive");
    add_real_option(arguments, "--mean-size", run_.digits.mean_size, {.min = 1, .max = 10'000},
                    "Mean number of images per bag");
    arguments
        .add_option(
            "--data", data_,
            "Folder of data sets such as MNIST (default: $MNEME_DATA, else $XDG_DATA_HOME/mneme, else "
            "~/.local/share/mneme)")
        ->type_name("DIR");
  }
};

class TrainOwnBags : public TrainBags {
public:
  std::string name() const override { return kOwnBags; }
  std::string summary() const override { return "classify your own bags of feature vectors, from files"; }

protected:
  training::BagTask published_task() const override { return training::own_bag_task({}, {}); }
  std::string origin() const override { return ""; }
  std::string default_batch_size() const override { return "32 for bags of one size, else 1"; }

  void declare_bags(Arguments& arguments) override {
    OwnBags& own = run_.own;
    arguments
        .add_option(
            "--bags", own.files,
            "Bags with their classes: CSV tables with a column of bags, or .npz or .safetensors files with "
            "instances, offsets and labels, or one .npy file")
        ->type_name("FILE")
        ->required();
    arguments.add_option("--offsets", own.offsets, "With a .npy file: file of its offsets, [bags + 1]")
        ->type_name("FILE");
    arguments.add_option("--labels", own.labels, "With a .npy file: file of its labels, [bags]")
        ->type_name("FILE");
    arguments.add_option("--bag-column", own.columns.bag_column, "CSV: column with the name of the bag")
        ->type_name("NAME")
        ->capture_default_str();
    arguments.add_option("--label-column", own.columns.label_column, "CSV: column with the class of the bag")
        ->type_name("NAME")
        ->capture_default_str();
    arguments
        .add_option("--ignore-columns", own.columns.ignored_columns,
                    "CSV: columns that are not features, separated by commas")
        ->type_name("NAMES")
        ->delimiter(',');
    arguments
        .add_option("--instance-column", own.columns.instance_column,
                    "CSV: column with the id of each instance, which is not a feature; `mneme predict "
                    "--explain` shows it")
        ->type_name("NAME");
    arguments
        .add_option(
            "--positive", positive_,
            "Class that is positive (default: the larger or alphabetically later one of two); all other "
            "classes are negative")
        ->type_name("CLASS");
    arguments.add_flag("--standardize", own.standardize,
                       "Subtract the mean of each feature and divide by its standard deviation, both of the "
                       "training instances; `mneme eval` and `mneme predict` do the same");
    declare_missing(arguments, "refuse", [&own](bool replaces) { own.replaces_missing = replaces; });
    arguments.add_option("--validation", own.validation_files, "Files of validation bags")->type_name("FILE");
    add_parsed_option(
        arguments, "--validation-fraction", "X", fmt::format("{}", own.validation_fraction),
        [this](const std::string& option, const std::string& text) {
          fraction_ =
              parse_real(option, text, {.min = 0, .max = 1, .min_included = false, .max_included = false});
        },
        "Without --validation: fraction of the bags of each class, drawn at random, that are for validation");
  }

  training::BagTask make_task() override {
    OwnBags& own = run_.own;
    if (fraction_ && !own.validation_files.empty()) {
      throw UsageError("--validation and --validation-fraction are both given.\n  Leave out one of them.");
    }
    for (const std::string& file : own.validation_files) {
      std::error_code unreadable; // reported when it is read
      if (std::ranges::any_of(own.files, [&](const std::string& other) {
            return std::filesystem::equivalent(file, other, unreadable);
          })) {
        throw UsageError(
            fmt::format("--validation {} is also a file of --bags, so the model would be validated on "
                        "its training bags.\n  Give other bags, or leave out --validation: a fraction "
                        "of the bags is then for validation.",
                        printable(file)));
      }
    }
    own.validation_fraction = fraction_.value_or(own.validation_fraction);
    data::BagFileOptions options = own.columns;
    options.missing_is_nan = own.replaces_missing;
    options.offsets = own.offsets;
    options.labels = own.labels;
    const std::vector<std::filesystem::path> paths(own.files.begin(), own.files.end());
    const data::BagFile bags = read_bag_files(paths, options);
    own.classes = choose_classes(bags, positive_);
    own.num_features = bags.num_features;
    own.features = bags.feature_names;
    features_ = features_text(bags);
    warnings_ = feature_warnings(bags, own.standardize);
    if (const std::string warning = layer_norm_warning(bags, run_.model.name); !warning.empty()) {
      warnings_.push_back(warning);
    }
    const std::optional<data::BagFile> validation = read_validation_bags(own);
    for (const data::BagFile* file : {&bags, validation ? &*validation : nullptr}) {
      if (const std::string text = file == nullptr ? "" : replaced_text(*file); !text.empty()) {
        warnings_.push_back(text);
      }
    }
    own.contents = contents_of(bags);
    own.validation_contents = validation ? contents_of(*validation) : BagContents();
    OwnTask prepared = own_task(run_, bags, validation);
    std::ranges::move(prepared.warnings, std::back_inserter(warnings_));
    given_ = own;
    // For config.json, which `mneme eval` reads in any folder. Errors and the page name the files as given.
    for (std::vector<std::string>* files : {&own.files, &own.validation_files}) {
      std::ranges::for_each(*files, make_absolute);
    }
    make_absolute(own.offsets);
    make_absolute(own.labels);
    return std::move(prepared.task);
  }

  std::string classes_text() const override {
    return fmt::format("; positive class: {}, negative class: {}", printable(run_.own.classes.positive),
                       printable(run_.own.classes.negative));
  }
  std::string class_name(bool positive) const override {
    return printable(positive ? run_.own.classes.positive : run_.own.classes.negative);
  }
  std::string one_class_message(const training::BagTask& task, const std::string& set) const override {
    const int64_t positive = task.training.num_positive() + task.validation.num_positive(),
                  negative = task.training.count() + task.validation.count() - positive;
    if (!run_.own.validation_files.empty() || (positive != 1 && negative != 1)) {
      return TrainBags::one_class_message(task, set);
    }
    return fmt::format(
        "the class {} has 1 bag, but at least 2 are needed to split the bags into training and "
        "validation bags.\n  Add bags of this class, or give --validation; --allow-one-class "
        "trains anyway.",
        printable(positive == 1 ? run_.own.classes.positive : run_.own.classes.negative));
  }
  nlohmann::ordered_json shown_settings() const override {
    BagRun run = run_;
    run.own = given_;
    nlohmann::ordered_json settings = to_json(run);
    for (const char* key : {"contents", "validation_contents", "data_folder"}) {
      settings.erase(key);
    }
    return settings;
  }
  void check_same_bags(const std::filesystem::path& folder) const override {
    if (read_run_config(folder, name()).is_null()) {
      return;
    }
    const OwnBags before = read_bag_run(folder).own;
    constexpr const char* kAdvice =
        "Restore the files to resume the run, or choose another folder with --out.";
    check_contents("training", run_.own.files, before.contents, run_.own.contents, kAdvice);
    check_contents("validation", run_.own.validation_files, before.validation_contents,
                   run_.own.validation_contents, kAdvice);
  }
  std::string advice(const std::string& folder) const override {
    return fmt::format(", `mneme predict {} --bags FILE` classifies other bags", folder);
  }

private:
  static void make_absolute(std::string& path) {
    if (!path.empty()) {
      path = std::filesystem::absolute(path).lexically_normal().string();
    }
  }

  OwnBags given_; ///< with the files as given
  std::string positive_;
  std::optional<double> fraction_;
};

} // namespace

std::unique_ptr<TrainTask> make_train_bags() {
  return std::make_unique<TrainOwnBags>();
}
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
