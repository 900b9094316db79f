// SPDX-License-Identifier: MIT

/// `mneme train sparse-and`: trains a model on the AND of a few of many input bits, from few samples.

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/environment_json.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/train_task.h"
#include "learning/attention_figures.h"
#include "learning/sparse_and.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/training/sparse_and.h"
#include "report/page.h"

namespace mneme::cli {
namespace {

using learning::LearningGroup;
using training::BinaryModel;
using training::SparseAndTrial;

struct Measure {
  const char* name;
  const char* key;
  double (*of)(const SparseAndTrial& trial);
};
constexpr Measure kMeasures[] = {
    {"training accuracy", "training_accuracy", learning::training_accuracy},
    {"training loss", "training_loss", learning::training_loss},
    {"validation accuracy", "validation_accuracy", learning::validation_accuracy},
    {"validation loss", "validation_loss", learning::validation_loss},
    {"training labels true (fraction)", "training_share_true",
     [](const SparseAndTrial& trial) { return trial.training.fraction_true(); }},
    {"training labels false (fraction)", "training_share_false",
     [](const SparseAndTrial& trial) { return 1 - trial.training.fraction_true(); }},
    {"validation labels true (fraction)", "validation_share_true",
     [](const SparseAndTrial& trial) { return trial.validation.fraction_true(); }},
    {"validation labels false (fraction)", "validation_share_false",
     [](const SparseAndTrial& trial) { return 1 - trial.validation.fraction_true(); }}};

/// Statistics over the seeds, one row per measure.
report::Table summary_table(const std::vector<SparseAndTrial>& trials) {
  const bool single = trials.size() == 1;
  report::Table table{.columns = {{.name = "measure"}}};
  std::ranges::copy(learning::seed_columns(single), std::back_inserter(table.columns));
  for (const Measure& measure : kMeasures) {
    table.rows.push_back({measure.name});
    std::ranges::copy(
        learning::seed_cells(learning::each(trials, measure.of), single,
                             {0, std::string_view(measure.name).ends_with("loss") ? INFINITY : 1}),
        std::back_inserter(table.rows.back()));
  }
  return table;
}

/// The value of --model for a model.
const char* option_value(BinaryModel::Kind kind) {
  return kind == BinaryModel::Kind::self_attention ? "self-attention" : "mlp";
}

std::string bit_positions(const std::vector<int64_t>& bits) {
  return fmt::format("{}", fmt::join(bits, " "));
}

class TrainSparseAnd : public TrainTask {
public:
  std::string name() const override { return "sparse-and"; }
  std::string summary() const override {
    return "train self-attention or an MLP on the AND of a few of many input bits";
  }

  void declare(Arguments& arguments) override {
    constexpr IntegerLimits kCount{.min = 1, .max = 10'000'000};
    add_choice_option<BinaryModel::Kind>(
        arguments, "--model", kind_,
        {{option_value(BinaryModel::Kind::self_attention), BinaryModel::Kind::self_attention},
         {option_value(BinaryModel::Kind::mlp), BinaryModel::Kind::mlp}},
        "Model to train");
    add_integer_option(arguments, "--context-length", length_, {.min = 1, .max = 100'000},
                       "Input length T: number of bits, including the rule token");
    add_integer_option(arguments, "--sparsity", options_.sparsity, kCount,
                       "Number s of relevant bits, whose AND is the label; with a rule token: per rule");
    arguments.add_flag("--no-rule", no_rule_,
                       "No rule token (the bit that selects which of two groups of bits is relevant)");
    add_integer_option(arguments, "--samples", options_.training_samples, kCount,
                       "Number of training samples");
    add_integer_option(arguments, "--validation", options_.validation_samples, kCount,
                       "Number of validation samples");
    add_parsed_option(
        arguments, "--probability", "P", "1/2^(1/2), with --no-rule 1/2^(1/3)",
        [this](const std::string& name, const std::string& text) {
          options_.sampling.probability_of_one = parse_real(name, text, {.min = 0, .max = 1});
        },
        "Probability that a bit is 1");
    arguments.add_flag("--balanced", balanced_,
                       "Use the probability 1/2^(1/s), with which both labels are equally likely for any s");
    arguments.add_flag(
        "--accept-last-try", options_.sampling.accept_last_try,
        "If none of 100 random batches has balanced labels, use the last one, as the published code does "
        "(default: an error)");
    arguments.add_flag(
        "--allow-one-class", allow_one_class_,
        "Also train if all labels of a trial are the same (possible only with --accept-last-try)");
    add_parsed_option(
        arguments, "--epochs", "N", "2000, mlp: 500",
        [this](const std::string& name, const std::string& text) {
          epochs_ = parse_integer(name, text, {.min = 1, .max = 100'000'000});
        },
        "Number of epochs (full-batch gradient steps)");
    add_parsed_option(
        arguments, "--learning-rate", "X", "0.01, mlp: 0.001",
        [this](const std::string& name, const std::string& text) {
          learning_rate_ = parse_real(name, text, {.min = 0, .min_included = false});
        },
        "Learning rate of Adam");
    add_real_option(arguments, "--weight-decay", weight_decay_, {.min = 0},
                    "Decoupled weight decay, as in AdamW");
    of_self_attention_ = {add_integer_option(arguments, "--embedding-size", embedding_size_,
                                             {.min = 1, .max = 10'000},
                                             "self-attention: size d of queries and keys")};
    of_mlp_ = {add_integer_option(arguments, "--hidden-size", hidden_size_, {.min = 1, .max = 1'000'000},
                                  "mlp: number of hidden units"),
               add_real_option(arguments, "--dropout", dropout_, {.min = 0, .max = 1, .max_included = false},
                               "mlp: dropout probability of hidden units")};
    arguments.add_flag("--products", products_,
                       "mlp: add the product of each bit with the rule token to the inputs");
    of_mlp_.push_back(
        add_choice_option<Precision>(arguments, "--precision", precision_,
                                     {{"float32", Precision::float32}, {"float64", Precision::float64}},
                                     "mlp: precision of the computation (self-attention always uses "
                                     "float64)"));
    add_integer_option(arguments, "--seeds", options_.seeds, {.min = 1, .max = 1'000'000},
                       "Number of trials, each with its own random function, samples and initial weights");
  }

  ExitCode run(Context& context) override {
    complete_options(context.options.seed);
    const std::filesystem::path folder =
        context.options.out.empty() ? std::filesystem::path("runs/train") / name() / option_value(kind_)
                                    : context.options.out;
    nlohmann::ordered_json identity = config();
    identity.erase("version");
    // The number of seeds may grow, since the results of a trial do not depend on it.
    const RunFolder lock = open_run_folder(folder, identity, {.may_grow = {"seeds"}});
    std::map<int64_t, SparseAndTrial> finished;
    context.progress.start("epochs", options_.seeds * options_.schedule.epochs);
    try {
      training::train_sparse_and(
          options_, context.progress,
          [&](int64_t number, const SparseAndTrial& trial) { finished.emplace(number, trial); });
    } catch (const data::UnbalancedSamples& error) {
      const bool is_validation = dynamic_cast<const training::UnbalancedValidation*>(&error) != nullptr;
      throw UsageError(fmt::format("{}\n  Give {}{} N for more samples, or --accept-last-try.", error.what(),
                                   is_balanced() ? "" : "--balanced for that probability, ",
                                   is_validation ? "--validation" : "--samples"));
    } catch (const Interrupted&) {
      context.progress.finish();
      if (!finished.empty()) {
        finish(finished, folder, context);
      }
      context.progress.message(
          fmt::format("mneme train sparse-and: {} of {} seeds had finished{}", finished.size(),
                      options_.seeds, finished.empty() ? "" : ", their results are in " + folder.string()));
      throw;
    }
    context.progress.finish();
    finish(finished, folder, context);
    return ExitCode::ok;
  }

private:
  /// Errors  UsageError for an option that only the other model has
  void refuse_options_of_the_other_model() const {
    const bool is_mlp = kind_ == BinaryModel::Kind::mlp;
    for (const Option* option : is_mlp ? of_self_attention_ : of_mlp_) {
      if (option->count() > 0) {
        const char* other = option_value(is_mlp ? BinaryModel::Kind::self_attention : BinaryModel::Kind::mlp);
        throw UsageError(fmt::format("{}: the model {} has no such option, only {} has.\n  Leave it out, or "
                                     "give --model {}.",
                                     option->name(), option_value(kind_), other, other));
      }
    }
  }

  void complete_options(uint64_t seed) {
    refuse_options_of_the_other_model();
    options_.model = kind_ == BinaryModel::Kind::self_attention
                         ? training::self_attention_model(length_, embedding_size_)
                         : training::mlp_model(length_, hidden_size_, dropout_, products_);
    options_.model.mlp.precision = precision_;
    options_.with_rule = !no_rule_;
    options_.both_classes_required = !allow_one_class_;
    options_.seed = seed;
    if (products_ && (no_rule_ || kind_ != BinaryModel::Kind::mlp)) {
      throw UsageError(
          "--products: only the model mlp with a rule token has products as inputs.\n  Leave it out.");
    }
    if (balanced_) {
      if (options_.sampling.probability_of_one) {
        throw UsageError(
            "--balanced and --probability both set the probability of a 1.\n  Leave out one of them.");
      }
      options_.sampling.probability_of_one = std::pow(0.5, 1.0 / static_cast<double>(options_.sparsity));
    }
    options_.schedule = learning::published_schedule(kind_);
    options_.schedule.epochs = epochs_.value_or(options_.schedule.epochs);
    options_.schedule.learning_rate = learning_rate_.value_or(options_.schedule.learning_rate);
    options_.schedule.weight_decay = weight_decay_;
    constexpr int64_t kPointsMax = 200; // of a learning curve: more cannot be distinguished in a chart
    options_.schedule.record_every = std::max<int64_t>(10, options_.schedule.epochs / kPointsMax);
  }

  /// True if both labels are equally likely: with --balanced, and with the default probability for these s.
  bool is_balanced() const {
    const int64_t balanced_by_default = no_rule_ ? 3 : 2;
    return balanced_ || (!options_.sampling.probability_of_one && options_.sparsity == balanced_by_default);
  }

  nlohmann::ordered_json config() const {
    nlohmann::ordered_json json = {{"version", version()},
                                   {"verb", "train"},
                                   {"task", name()},
                                   {"model", learning::name_of(kind_)},
                                   {"parameters", options_.model.num_parameters()},
                                   {"context_length", length_},
                                   {"sparsity", options_.sparsity},
                                   {"rule", options_.with_rule},
                                   {"training_samples", options_.training_samples},
                                   {"validation_samples", options_.validation_samples},
                                   {"probability_of_one", nullptr},
                                   {"accept_last_try", options_.sampling.accept_last_try},
                                   {"epochs", options_.schedule.epochs},
                                   {"learning_rate", options_.schedule.learning_rate},
                                   {"weight_decay", options_.schedule.weight_decay},
                                   {"seeds", options_.seeds},
                                   {"seed", options_.seed}};
    if (options_.sampling.probability_of_one) {
      json["probability_of_one"] = *options_.sampling.probability_of_one;
    }
    if (kind_ == BinaryModel::Kind::self_attention) {
      json["embedding_size"] = embedding_size_;
    } else {
      json.update({{"hidden_size", hidden_size_},
                   {"dropout", dropout_},
                   {"products_with_rule", products_},
                   {"precision", precision_ == Precision::float32 ? "float32" : "float64"}});
    }
    return json;
  }

  static report::Table trials_table(const std::map<int64_t, SparseAndTrial>& finished) {
    report::Table table{.columns = {{.name = "trial"},
                                    {.name = "relevant bits", .key = "relevant"},
                                    {.name = "under the rule", .key = "relevant_under_rule"},
                                    {.name = "balanced"}}};
    for (const Measure& measure : kMeasures) {
      table.columns.push_back({.name = measure.name, .key = measure.key});
    }
    for (const auto& [number, trial] : finished) {
      table.rows.push_back({number, bit_positions(trial.function.relevant),
                            bit_positions(trial.function.relevant_under_rule),
                            trial.training.passed && trial.validation.passed ? "yes" : "no"});
      for (const Measure& measure : kMeasures) {
        table.rows.back().emplace_back(measure.of(trial));
      }
    }
    return table;
  }

  void finish(std::map<int64_t, SparseAndTrial>& finished, const std::filesystem::path& folder,
              Context& context) const {
    const report::Table each_trial = trials_table(finished);
    report::Table timing{.columns = {{.name = "trial"}, {.name = "seconds"}}};
    std::string metrics;
    std::vector<SparseAndTrial> all;
    for (auto& [number, trial] : finished) {
      timing.rows.push_back({number, trial.seconds});
      for (const training::CurvePoint& point : trial.fit.curve) {
        const nlohmann::ordered_json line = {
            {"trial", number}, {"epoch", point.epoch}, {"loss", point.loss}, {"accuracy", point.accuracy}};
        metrics += line.dump() + "\n";
      }
      all.push_back(std::move(trial));
    }
    const report::Table summary = summary_table(all);
    const std::vector<LearningGroup> groups = {{learning::name_of(kind_), options_, std::move(all)}};
    const report::Chart curves = learning::learning_curves("Learning a sparse AND", groups);
    const std::vector<AttentionFigure> attention = attention_figures(groups.front().trials.front());

    write_file_atomically(folder / "config.json", report::json_text(config()));
    write_file_atomically(folder / "env.json", report::json_text(environment_json(context.options.threads)));
    write_file_atomically(folder / "metrics.jsonl", metrics);
    write_file_atomically(folder / "trials.csv", report::to_csv(each_trial));
    write_file_atomically(folder / "timing.csv", report::to_csv(timing));
    report::write_chart(folder, "learning", curves);
    for (const AttentionFigure& figure : attention) {
      report::write_chart(folder, figure.name, figure.chart);
    }
    report::write_page(folder / "index.html", page(summary, curves, attention, each_trial));
    if (context.options.json) {
      print_json(context.out, {{"config", config()},
                               {"summary", report::to_json(summary)},
                               {"trials", report::to_json(each_trial)},
                               {"timing", {{"trials", report::to_json(timing)}}}});
      return;
    }
    context.out << headline() << "\n\n"
                << report::to_text(summary, context.text_style()) << unbalanced_note(each_trial)
                << "\nWritten to " << printable(folder.string())
                << ": index.html (open it in a browser), trials.csv, metrics.jsonl, learning.csv"
                << (attention.empty() ? "" : ", attention-*.csv") << '\n'
                << (kind_ != BinaryModel::Kind::self_attention || draws_attention()
                        ? ""
                        : "The attention weights are not drawn: there are more than 5e7. Use "
                          "fewer --validation samples.\n");
  }

  struct AttentionFigure {
    const char* name;
    report::Chart chart;
    std::string remark;
  };

  /// The figures need all attention weights of the validation samples at once.
  bool draws_attention() const {
    constexpr double kMaxWeights = 5e7;
    const auto length = static_cast<double>(length_);
    return length * length * static_cast<double>(options_.validation_samples) <= kMaxWeights;
  }

  /// Attention weights and attention graph of a trained model; empty for the MLP and for very long inputs.
  std::vector<AttentionFigure> attention_figures(const SparseAndTrial& trial) const {
    if (kind_ != BinaryModel::Kind::self_attention || !draws_attention()) {
      return {};
    }
    constexpr int64_t kSamplesShown = 100;
    const training::SelfAttentionModel& model = options_.model.self_attention;
    std::vector<std::vector<double>> strengths;
    for (const bool rule : {false, true}) {
      if (!rule || trial.function.has_rule()) {
        strengths.push_back(learning::connections_of(trial, model, trial.validation, rule).contributions);
      }
    }
    const std::string of_model = fmt::format("First trial, with a validation accuracy of {:.1f} %.",
                                             100 * trial.validation_score.accuracy);
    return {
        {"attention-weights", learning::weights_chart(trial, model, kSamplesShown),
         of_model +
             fmt::format(" Weights of the last query{}, one point per validation sample (of the first {}) "
                         "and bit.",
                         trial.function.has_rule() ? ", the rule token" : "", kSamplesShown)},
        {"attention-statistics", learning::weight_statistics(trial, model).chart,
         of_model +
             " Bars are standard deviations over all validation samples. The readout also uses the rows "
             "of the other queries."},
        {"attention-graph",
         learning::connection_graphs(
             "Contribution of each bit to the output",
             "Readout times attention times value of each bit, averaged over samples whose label is true.",
             trial.function, strengths),
         of_model +
             " The edges of a panel sum to the output before the sigmoid, averaged over the validation "
             "samples whose label is true."}};
  }

  std::string headline() const {
    return fmt::format("{} with {} parameters, T = {}, s = {}{}, {} training samples, {} epochs, seed {}",
                       learning::name_of(kind_), options_.model.num_parameters(), length_, options_.sparsity,
                       options_.with_rule ? " under each of two rules" : "", options_.training_samples,
                       options_.schedule.epochs, options_.seed);
  }

  static std::string unbalanced_note(const report::Table& each_trial) {
    const auto unbalanced = std::ranges::count_if(each_trial.rows, [](const std::vector<report::Cell>& row) {
      return std::get<std::string>(row[3]) == "no";
    });
    return unbalanced == 0
               ? ""
               : fmt::format(
                     "\n{} of {} trials used a batch whose labels are not balanced "
                     "(--accept-last-try); trials.csv lists the fractions of true and false labels.\n",
                     unbalanced, each_trial.rows.size());
  }

  report::Page page(const report::Table& summary, const report::Chart& curves,
                    const std::vector<AttentionFigure>& attention, const report::Table& each_trial) const {
    report::Parameters parameters;
    const nlohmann::ordered_json settings = config();
    for (const auto& [key, value] : settings.items()) {
      parameters.values.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
    }
    report::Page page{
        .title = "Learning a sparse AND",
        .intro = headline() + ".",
        .sections = {
            {.heading = "Results",
             .blocks = {report::CaptionedTable{
                            .table = summary,
                            .caption = each_trial.rows.size() == 1
                                           ? "One seed, so the spread over seeds is unknown"
                                           : "Mean over the seeds with its 95 % confidence interval"},
                        report::Figure{.chart = curves,
                                       .remark = std::string(each_trial.rows.size() == 1
                                                                 ? ""
                                                                 : "Lines are medians over the seeds, with "
                                                                   "the range from the 5 % to the 95 % "
                                                                   "quantile; the table above has means. ") +
                                                 "If the validation accuracy is below the training "
                                                 "accuracy, the model overfits its training samples.",
                                       .links = {{"Data (CSV)", "learning.csv"}}},
                        report::CaptionedTable{
                            .table = each_trial, .caption = "All trials", .folded = "All trials"}}}}};
    if (!attention.empty()) {
      report::Section& section = page.sections.emplace_back(report::Section{.heading = "Attention"});
      for (const AttentionFigure& figure : attention) {
        section.blocks.push_back(
            report::Figure{.chart = figure.chart,
                           .remark = figure.remark,
                           .links = {{"Data (CSV)", std::string(figure.name) + ".csv"}}});
      }
    }
    page.sections.push_back({.heading = "Settings", .blocks = {parameters}});
    return page;
  }

  BinaryModel::Kind kind_ = BinaryModel::Kind::self_attention;
  Precision precision_ = Precision::float32;
  training::SparseAndOptions options_{.seeds = 10};
  std::vector<const Option*> of_self_attention_, of_mlp_; ///< options that only this model has
  int64_t length_ = 17, embedding_size_ = 2, hidden_size_ = 512;
  std::optional<int64_t> epochs_;
  std::optional<double> learning_rate_;
  double weight_decay_ = 0, dropout_ = 0.1;
  bool no_rule_ = false, balanced_ = false, products_ = false, allow_one_class_ = false;
};

} // namespace

std::unique_ptr<TrainTask> make_train_sparse_and() {
  return std::make_unique<TrainSparseAnd>();
}

} // namespace mneme::cli
