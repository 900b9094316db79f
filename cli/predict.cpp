// SPDX-License-Identifier: MIT

/// `mneme predict`: classifies bags with the models of a run of `mneme train bags`, and shows which instances
/// the models attend to.

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <ostream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/bag_run.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "learning/bag_fits.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr size_t kShownBags = 50; // in the terminal and on the page; the files have all
constexpr size_t kCharts = 6;     // bags with a chart on the page
constexpr int64_t kBarsMax = 20;  // instances per chart

/// Prediction of one bag, over all checkpoints.
struct Prediction {
  double probability = 0, lowest = 1, highest = 0; ///< of the positive class: mean, minimum and maximum
  std::vector<double> attention = {};              ///< mean; empty if not requested
};

void add(Prediction& sum, const training::BagPrediction& one, double weight) {
  const double probability = 1 / (1 + std::exp(-one.logit));
  sum.probability += weight * probability;
  sum.lowest = std::min(sum.lowest, probability);
  sum.highest = std::max(sum.highest, probability);
  sum.attention.resize(one.attention.size());
  for (size_t i = 0; i < one.attention.size(); ++i) {
    sum.attention[i] += weight * one.attention[i];
  }
}

/// The id of an instance of a file with ids; may be empty.
const std::string& id_of(const data::BagFile& file, size_t bag, int64_t i) {
  return file.instance_ids[static_cast<size_t>(file.offsets[bag] + i)];
}

/// Name of an instance in the output: its id, or else its row in the file.
std::string name_of(const data::BagFile& file, size_t bag, int64_t i) {
  const int64_t row = file.rows[static_cast<size_t>(file.offsets[bag] + i)];
  if (file.instance_ids.empty()) {
    return std::to_string(row);
  }
  const std::string& id = id_of(file, bag, i);
  return id.empty() ? fmt::format("row {}", row) : id;
}

/// Key of the column with the largest weights, which names instances by their ids or by their rows.
const char* top_key(const data::BagFile& file) {
  return file.instance_ids.empty() ? "top_rows" : "top_instances";
}

/// Name of an instance that no other one of its bag has: bars of equal names would be drawn over each other.
std::string bar_name(const data::BagFile& file, size_t bag, int64_t i) {
  std::string name = name_of(file, bag, i);
  for (int64_t other = 0; other < file.offsets[bag + 1] - file.offsets[bag]; ++other) {
    if (other != i && name_of(file, bag, other) == name) {
      return fmt::format("{} (row {})", name, file.rows[static_cast<size_t>(file.offsets[bag] + i)]);
    }
  }
  return name;
}

/// Indices of the instances with the largest weights, the largest one first.
std::vector<int64_t> top_instances(const std::vector<double>& attention, int64_t count) {
  std::vector<int64_t> order(attention.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(),
                           [&](int64_t i) { return attention[static_cast<size_t>(i)]; });
  order.resize(std::min(order.size(), static_cast<size_t>(count)));
  return order;
}

class Predict : public Verb {
public:
  std::string name() const override { return "predict"; }
  std::string summary() const override {
    return "classify bags with a `mneme train bags` run, and show which instances it attends to";
  }
  TorchNeed torch_need() const override { return TorchNeed::required; }
  bool uses_seed(const Arguments&) const override { return false; }

  void declare(Arguments& arguments) override {
    arguments
        .add_option("RUN", run_folder_,
                    "Run folder of `mneme train bags`; the weights are those of its option --keep")
        ->type_name("DIR")
        ->required();
    arguments
        .add_option(
            "--bags", bags_.files,
            "Bags with the features of the training bags, in the same formats; classes may be missing")
        ->type_name("FILE")
        ->required();
    declare_columns(arguments, bags_);
    arguments.add_flag(
        "--explain", explain_,
        "Show the attention weight of each instance: the mean over heads and seeds; needs a pooling, "
        "attention or hopfield model");
    add_parsed_option(
        arguments, "--top", "N", std::to_string(kTop),
        [this](const std::string& option, const std::string& text) {
          top_ = parse_integer(option, text, {.min = 1, .max = 1000});
        },
        "With --explain: number of instances shown per bag");
  }

  ExitCode run(Context& context) override {
    if (top_ && !explain_) {
      throw UsageError("--top has an effect with --explain only.\n  Add --explain, or leave out --top.");
    }
    const BagRun run = read_bag_run(run_folder_);
    data::BagFile file = read_bags_for(run, bags_, true);
    const std::vector<std::filesystem::path> checkpoints = checkpoints_of(run, run_folder_);
    for (const std::string& warning : prepare_bags(run, file, bags_.files.front(), checkpoints.front())) {
      context.progress.message(fmt::format("mneme {}: {}", name(), warning));
    }
    const std::vector<std::string> known = std::exchange(file.classes, {}); // any class is permitted here
    std::optional<RunFolder> lock;
    if (!context.options.out.empty()) {
      lock.emplace(open_result_folder(context.options.out, identity(run, file)));
    }
    const std::vector<Prediction> predictions =
        predict(checkpoints, to_labelled_bags(file, run.own.classes), context);
    const report::Table table = prediction_table(run, file, known, predictions, checkpoints.size() > 1);
    const report::Table attention = attention_table(file, predictions);
    if (!context.options.out.empty()) {
      write(run, file, table, attention, predictions, checkpoints.size(), context);
    }
    if (context.options.json) {
      nlohmann::ordered_json rows = report::to_json(table);
      for (size_t bag = 0; explain_ && bag < predictions.size(); ++bag) {
        rows[bag][top_key(file)] = top_instances_json(file, bag, predictions[bag]);
      }
      nlohmann::ordered_json results = {
          {"classes", {{"negative", run.own.classes.negative}, {"positive", run.own.classes.positive}}},
          {"checkpoints", checkpoints.size()},
          {"predictions", rows}};
      if (explain_) {
        results["attention"] = report::to_json(attention);
      }
      print_json(context.out, results);
      return ExitCode::ok;
    }
    context.out << headline(run, checkpoints.size()) << "\n\n"
                << report::to_text(first_rows(table), context.text_style());
    if (table.rows.size() > kShownBags) {
      context.out << fmt::format("\n{} more bags; --json and --out contain all.\n",
                                 table.rows.size() - kShownBags);
    }
    if (const std::string correct = correct_text(run, known, predictions); !correct.empty()) {
      context.out << '\n' << correct << '\n';
    }
    if (!context.options.out.empty()) {
      context.out << fmt::format("\nWritten to {}: index.html (open it in a browser), predictions.csv{}\n",
                                 printable(context.options.out.string()), explain_ ? ", attention.csv" : "");
    }
    return ExitCode::ok;
  }

private:
  static constexpr int64_t kTop = 3;

  std::vector<Prediction> predict(const std::vector<std::filesystem::path>& checkpoints,
                                  const data::LabelledBags& bags, Context& context) const {
    std::vector<Prediction> predictions(static_cast<size_t>(bags.count()));
    context.progress.start("checkpoints", std::ssize(checkpoints));
    for (const std::filesystem::path& checkpoint : checkpoints) {
      throw_if_interrupted();
      const std::vector<training::BagPrediction> some = learning::predict_bags(checkpoint, bags, explain_);
      for (size_t bag = 0; bag < predictions.size(); ++bag) {
        add(predictions[bag], some[bag], 1 / static_cast<double>(checkpoints.size()));
      }
      context.progress.advance();
    }
    context.progress.finish();
    return predictions;
  }

  nlohmann::ordered_json identity(const BagRun& run, const data::BagFile& file) const {
    nlohmann::ordered_json identity = result_identity(name(), run_folder_, run, bags_, &file);
    identity["explain"] = explain_;
    return identity;
  }

  static const std::string& predicted_class(const BagRun& run, const Prediction& prediction) {
    return prediction.probability > 0.5 ? run.own.classes.positive : run.own.classes.negative;
  }

  /// The cell of `top_key` as numbers.
  nlohmann::ordered_json top_instances_json(const data::BagFile& file, size_t bag,
                                            const Prediction& prediction) const {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const int64_t i : top_instances(prediction.attention, top_.value_or(kTop))) {
      nlohmann::ordered_json row = {{"row", file.rows[static_cast<size_t>(file.offsets[bag] + i)]}};
      if (!file.instance_ids.empty()) {
        row["id"] = id_of(file, bag, i);
      }
      row["weight"] = prediction.attention[static_cast<size_t>(i)];
      rows.push_back(std::move(row));
    }
    return rows;
  }

  report::Table prediction_table(const BagRun& run, const data::BagFile& file,
                                 const std::vector<std::string>& known,
                                 const std::vector<Prediction>& predictions, bool several) const {
    const auto percent = [](const std::string& name, const char* key) {
      return report::Column{.name = name, .key = key, .notation = report::Notation::percent, .digits = 1};
    };
    report::Table table{.columns = {{.name = "bag"}, {.name = "instances"}}};
    if (!known.empty()) {
      table.columns.push_back({.name = "class"});
    }
    table.columns.push_back({.name = "predicted"});
    table.columns.push_back(percent("probability of " + printable(run.own.classes.positive), "probability"));
    if (several) {
      table.columns.push_back(percent("lowest", "probability_lowest"));
      table.columns.push_back(percent("highest", "probability_highest"));
    }
    if (explain_) {
      table.columns.push_back({.name = fmt::format("{} with the largest weights",
                                                   file.instance_ids.empty() ? "rows" : "instances"),
                               .key = top_key(file)});
    }
    for (size_t bag = 0; bag < predictions.size(); ++bag) {
      const Prediction& prediction = predictions[bag];
      std::vector<report::Cell> row{file.names[bag], file.offsets[bag + 1] - file.offsets[bag]};
      if (!known.empty()) {
        row.emplace_back(known[bag].empty() ? report::Cell(report::Missing()) : known[bag]);
      }
      row.emplace_back(predicted_class(run, prediction));
      row.emplace_back(prediction.probability);
      if (several) {
        row.emplace_back(prediction.lowest);
        row.emplace_back(prediction.highest);
      }
      if (explain_) {
        std::vector<std::string> shown;
        for (const int64_t i : top_instances(prediction.attention, top_.value_or(kTop))) {
          shown.push_back(fmt::format("{} ({:.3f})", name_of(file, bag, i),
                                      prediction.attention[static_cast<size_t>(i)]));
        }
        row.emplace_back(fmt::format("{}", fmt::join(shown, ", ")));
      }
      table.rows.push_back(std::move(row));
    }
    return table;
  }

  /// One row per instance, in the order of the bags.
  static report::Table attention_table(const data::BagFile& file,
                                       const std::vector<Prediction>& predictions) {
    const bool has_ids = !file.instance_ids.empty();
    report::Table table{.columns = {{.name = "bag"}, {.name = "instance"}, {.name = "row"}}};
    if (has_ids) {
      table.columns.push_back({.name = "id"});
    }
    table.columns.push_back({.name = "weight"});
    for (size_t bag = 0; bag < predictions.size(); ++bag) {
      for (size_t i = 0; i < predictions[bag].attention.size(); ++i) {
        std::vector<report::Cell> row{file.names[bag], static_cast<int64_t>(i),
                                      file.rows[static_cast<size_t>(file.offsets[bag]) + i]};
        if (has_ids) {
          row.emplace_back(id_of(file, bag, static_cast<int64_t>(i)));
        }
        row.emplace_back(predictions[bag].attention[i]);
        table.rows.push_back(std::move(row));
      }
    }
    return table;
  }

  static report::Table first_rows(const report::Table& table) {
    report::Table some = table;
    some.rows.resize(std::min(some.rows.size(), kShownBags));
    return some;
  }

  static std::string headline(const BagRun& run, size_t checkpoints) {
    return fmt::format("{}: probability of the class {} (otherwise {}){}", run.model.text(),
                       printable(run.own.classes.positive), printable(run.own.classes.negative),
                       seeds_text(checkpoints));
  }

  static std::string seeds_text(size_t checkpoints) {
    return checkpoints > 1 ? fmt::format(", mean of {} seeds", checkpoints) : "";
  }

  /// Number of correct predictions among the bags of the classes of the run; empty without known classes.
  static std::string correct_text(const BagRun& run, const std::vector<std::string>& known,
                                  const std::vector<Prediction>& predictions) {
    if (known.empty()) {
      return "";
    }
    const data::BagClasses& classes = run.own.classes;
    const bool one_against_all = data::is_one_against_all(classes);
    int64_t correct = 0, compared = 0;
    for (size_t bag = 0; bag < known.size(); ++bag) {
      const bool is_positive = data::are_same_class(known[bag], classes.positive);
      if (!is_positive &&
          !(one_against_all ? !known[bag].empty() : data::are_same_class(known[bag], classes.negative))) {
        continue;
      }
      ++compared;
      correct += is_positive == (predictions[bag].probability > 0.5) ? 1 : 0;
    }
    std::string text = fmt::format("{} of {} bags are classified correctly", correct, compared);
    if (compared < std::ssize(known)) {
      text +=
          fmt::format("; not counted: {} without {}", report::counted(std::ssize(known) - compared, "bag"),
                      one_against_all ? "a class"
                                      : fmt::format("the class {} or {}", printable(classes.negative),
                                                    printable(classes.positive)));
    }
    return text + ".";
  }

  void write(const BagRun& run, const data::BagFile& file, const report::Table& table,
             const report::Table& attention, const std::vector<Prediction>& predictions, size_t checkpoints,
             const Context& context) const {
    const std::filesystem::path& folder = context.options.out;
    nlohmann::ordered_json config = {{"version", version()}};
    config.update(identity(run, file));
    write_file_atomically(folder / "config.json", report::json_text(config));
    write_file_atomically(folder / "predictions.csv", report::to_csv(table));
    if (explain_) {
      write_file_atomically(folder / "attention.csv", report::to_csv(attention));
    }
    report::write_page(folder / "index.html", page(run, file, table, predictions, checkpoints));
  }

  report::Page page(const BagRun& run, const data::BagFile& file, const report::Table& table,
                    const std::vector<Prediction>& predictions, size_t checkpoints) const {
    report::Table shown = first_rows(table);
    if (explain_) { // a row of the file and its weight stay on one line
      for (std::vector<report::Cell>& row : shown.rows) {
        auto& text = std::get<std::string>(row.back());
        for (size_t at = text.find(" ("); at != std::string::npos; at = text.find(" (", at)) {
          text.replace(at, 1, "\u00a0");
        }
      }
    }
    report::Section results{
        .heading = "Predictions",
        .blocks = {report::CaptionedTable{
            .table = shown,
            .caption = table.rows.size() > kShownBags
                           ? fmt::format("The first {} of {} bags; predictions.csv has all", kShownBags,
                                         table.rows.size())
                           : "All bags"}}};
    report::Page page{.title = "Predictions: " + run.model.text(),
                      .intro =
                          fmt::format("Bags of {}, classified by the models in the folder {}{}.",
                                      fmt::join(bags_.files, ", "), run_folder_, seeds_text(checkpoints)),
                      .sections = {results}};
    if (!explain_) {
      return page;
    }
    report::Section explained{.heading = "Attention weights of the instances"};
    explained.blocks.emplace_back(
        report::Prose{"The weight of an instance is its part of the mean that the "
                      "model pools; the weights of a bag have the sum 1. " +
                      std::string(file.instance_ids.empty() ? "Rows are counted from 0 in the file of "
                                                              "the bag, without its header."
                                                            : "Instances have the ids of the file.") +
                      " `attention.csv` has all weights."});
    for (size_t bag = 0; bag < std::min(predictions.size(), kCharts); ++bag) {
      report::BarChart chart{
          .title = fmt::format("Bag {}: predicted {}; P({}) = {:.1f} %{}", file.names[bag],
                               predicted_class(run, predictions[bag]), run.own.classes.positive,
                               100 * predictions[bag].probability, seeds_text(checkpoints)),
          .description = "Attention weight of the instances of one bag, the largest weights first.",
          .category_title = file.instance_ids.empty() ? "row" : "instance",
          .value = {.title = "attention weight", .range = std::pair(0.0, 1.0)}};
      for (const int64_t i : top_instances(predictions[bag].attention, kBarsMax)) {
        const double weight = predictions[bag].attention[static_cast<size_t>(i)];
        chart.bars.push_back({.category = bar_name(file, bag, i), .value = {weight, weight, weight}});
      }
      explained.blocks.emplace_back(
          report::Figure{.chart = to_chart(chart),
                         .remark = std::ssize(predictions[bag].attention) > kBarsMax
                                       ? fmt::format("The {} largest of {} weights.", kBarsMax,
                                                     predictions[bag].attention.size())
                                       : "",
                         .links = {{"All weights (CSV)", "attention.csv"}}});
    }
    if (predictions.size() > kCharts) {
      explained.blocks.emplace_back(report::Note{
          fmt::format("Charts of the first {} of {} bags; `attention.csv` has the weights of all bags.",
                      kCharts, predictions.size())});
    }
    page.sections.push_back(std::move(explained));
    return page;
  }

  std::string run_folder_;
  OtherBags bags_;
  bool explain_ = false;
  std::optional<int64_t> top_;
};

} // namespace

std::unique_ptr<Verb> make_predict() {
  return std::make_unique<Predict>();
}

} // namespace mneme::cli
