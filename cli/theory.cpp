// SPDX-License-Identifier: MIT

/// `mneme theory QUANTITY`: theoretical predictions of memories.

#include <algorithm>
#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/figure_export.h"
#include "cli/json_output.h"
#include "cli/run_folder.h"
#include "cli/theory_plan.h"
#include "cli/theory_report.h"
#include "cli/verb.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::cli {
namespace {

constexpr const char* kPlanSummary =
    "required size of a memory for a number of items, a noise level and an error rate";

class Theory : public Verb {
public:
  std::string name() const override { return "theory"; }
  std::string summary() const override {
    return "predict intersections, noise, capacity and critical distance; plan the size of a memory";
  }

  /// Quantities are exact; a plan can be simulated.
  bool uses_seed(const Arguments& leaf) const override { return leaf.name() == "plan"; }

  void declare(Arguments& arguments) override {
    arguments.require_subcommand(0, 1); // without a subcommand, the verb lists the quantities
    for (const Quantity& quantity : quantities()) {
      Arguments* subcommand = arguments.add_subcommand(quantity.name, quantity.summary);
      const RealLimits probabilities{
          .min = 0, .max = 1, .min_included = false, .max_included = quantity.allows_certainty};
      add_setting_options(*subcommand, quantity.settings, probabilities, values_);
      for (size_t i = 0; i < quantity.choices.size(); ++i) {
        const QuantityChoice& choice = quantity.choices[i];
        add_word_option(
            *subcommand, choice.option, choice.words, choice.words.front(),
            [this, i](size_t index) { choices_[i] = index; }, choice.help);
      }
      subcommand->add_flag("--csv", csv_, "Print the results as CSV");
      figures_.declare(*subcommand);
      subcommand->callback([this, &quantity] { quantity_ = &quantity; });
    }
    Arguments* plan = arguments.add_subcommand("plan", kPlanSummary);
    plan_.declare(*plan);
    plan->callback([this] { is_plan_ = true; });
  }

  ExitCode run(Context& context) override {
    if (is_plan_) {
      return plan_.run(context);
    }
    if (quantity_ == nullptr) {
      list(context);
      return ExitCode::ok;
    }
    if (csv_ && context.options.json) {
      throw UsageError("--csv and --json cannot be combined.\n  Leave out one of them.");
    }
    const std::filesystem::path& folder = context.options.out;
    if (figures_.is_requested() && folder.empty()) {
      throw UsageError("--figures writes next to the other files of --out.\n  Give --out DIR as well.");
    }
    figures_.prepare();
    if (!folder.empty()) {
      require_writable(folder, OutputKind::folder);
    }
    const std::vector<size_t> choices(choices_.begin(),
                                      choices_.begin() + static_cast<int64_t>(quantity_->choices.size()));
    const TheoryRun result = run_theory(
        *quantity_, choices, combinations(quantity_->settings, values_, quantity_->default_distances),
        context.progress);
    std::string written, note;
    if (!folder.empty()) {
      written = write(result, folder, note);
    }
    if (context.options.json) {
      print_json(context.out, theory_json(result));
    } else if (csv_) {
      context.out << report::to_csv(theory_table(result));
    } else {
      context.out << theory_text(result, context.text_style());
      if (!folder.empty()) {
        context.out << "\nWritten to " << printable(folder.string()) << ": " << written << '\n';
      }
      if (!note.empty()) {
        context.out << note << '\n';
      }
    }
    return ExitCode::ok;
  }

private:
  /// Writes the files of --out. Returns their names; `note` is that of the chart.
  ///
  /// Errors  UsageError if --figures is given and there is no chart; the folder is then not created
  std::string write(const TheoryRun& result, const std::filesystem::path& folder, std::string& note) const {
    const TheoryChart chart = theory_chart(result);
    if (figures_.is_requested() && !chart.chart) {
      throw UsageError(fmt::format(
          "--figures has nothing to draw. {}\n  Leave out --figures, or give {}; nothing was written.",
          chart.note,
          *quantity_->axis_title == '\0' ? "a quantity with a chart, such as circle-intersection"
                                         : "a range or a list for one setting, and few values for others"));
    }
    nlohmann::ordered_json settings = theory_config(result);
    settings.erase("version");
    const RunFolder lock = open_run_folder(folder, settings);
    std::string written = write_theory_files(result, chart, folder);
    if (chart.chart) {
      figures_.write({folder / quantity_->name});
      written += figures_.written_text();
    }
    note = chart.note;
    return written;
  }

  /// Errors  UsageError if --out is given, since the list writes no files
  static void list(Context& context) {
    if (!context.options.out.empty()) {
      throw UsageError(
          "--out needs a quantity.\n  Give it after the quantity, such as `mneme theory beta --out DIR`.");
    }
    std::vector<std::pair<std::string, std::string>> rows;
    for (const Quantity& quantity : quantities()) {
      rows.emplace_back(quantity.name, quantity.summary);
    }
    rows.emplace_back("plan", kPlanSummary);
    if (context.options.json) {
      nlohmann::ordered_json document = {{"quantities", nlohmann::ordered_json::array()}};
      for (const auto& [name, summary] : rows) {
        document["quantities"].push_back({{"name", name}, {"summary", summary}});
      }
      print_json(context.out, document);
      return;
    }
    size_t width = 0;
    for (const auto& [name, summary] : rows) {
      width = std::max(width, name.size());
    }
    context.out << "Quantities that theory predicts for sparse distributed memories and attention:\n\n";
    for (const auto& [name, summary] : rows) {
      context.out << fmt::format("  {:<{}}  {}\n", name, width, summary);
    }
    context.out
        << "\nThe value of an option is a number, a list or a range:\n"
           "  mneme theory critical-distance --items 10000 --hamming-radius 440..460\n"
           "  mneme theory one-read-error --bits 256 --items 100,1000 --noise 0..0.5..0.05 --out out\n"
           "  mneme theory softmax --bits 64 --hamming-radius 11 --out out\n"
           "  mneme theory plan --bits 1000 --items 10000 --noise 0.1 --target 0.99\n"
           "\n`mneme theory QUANTITY --help` shows the options of a quantity.\n";
  }

  static constexpr size_t kMaxChoices = 2;
  SettingValues values_;
  std::array<size_t, kMaxChoices> choices_{};
  bool csv_ = false;
  const Quantity* quantity_ = nullptr;
  FigureExport figures_;
  TheoryPlan plan_;
  bool is_plan_ = false;
};

} // namespace

std::unique_ptr<Verb> make_theory() {
  return std::make_unique<Theory>();
}

} // namespace mneme::cli
