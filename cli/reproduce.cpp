// SPDX-License-Identifier: MIT

/// `mneme reproduce`: reruns published experiments, compares the results, and writes one report.

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/environment_json.h"
#include "cli/figure_export.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "experiments/findings.h"
#include "experiments/outcome_file.h"
#include "experiments/registry.h"
#include "learning/texts.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "mneme/data/folders.h"

namespace mneme::cli {
namespace {

using experiments::Experiment;
using experiments::Finished;
using experiments::GivenParameter;

/// Lists and ranges of positive numbers; a range of whole numbers needs no step.
std::vector<double> parse_positive_numbers(const std::string& name, const std::string& text) {
  std::vector<double> numbers;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string part = text.substr(begin, end - begin);
    const bool is_whole = part.find_first_not_of("0123456789_.") == std::string::npos;
    if (is_whole && part.find("..") != std::string::npos && std::ranges::count(part, '.') == 2) {
      part += "..1";
    }
    std::ranges::copy(parse_reals(name, part, {.min = 0, .min_included = false}),
                      std::back_inserter(numbers));
    begin = end + 1;
  }
  return numbers;
}

constexpr int64_t kListWidth = 140; // columns, on a wider terminal or without one
constexpr const char* kFullFolder = "runs/reproduce";
constexpr const char* kQuickFolder = "runs/reproduce-quick"; // a quick run must not overwrite a full one

class Reproduce : public Verb {
public:
  std::string name() const override { return "reproduce"; }
  std::string summary() const override {
    return "rerun published experiments and compare the results with the published numbers";
  }

  TorchNeed torch_need() const override {
    const bool any = !list_ && !ids_.empty() &&
                     std::ranges::any_of(experiments::experiments_named(ids_),
                                         [](const auto* each) { return each->needs_torch; });
    return any ? TorchNeed::optional : TorchNeed::none;
  }

  std::string default_out(const Arguments&) const override {
    return std::string(kFullFolder) + ", with more parts for other settings";
  }

  std::vector<std::string> completions(const std::string& option) const override {
    std::vector<std::string> words;
    if (option == "ID") {
      words.emplace_back("all");
      for (const Experiment& experiment : experiments::all_experiments()) {
        const std::string work = experiment.id.substr(0, experiment.id.find('/'));
        if (std::ranges::find(words, work) == words.end()) {
          words.push_back(work);
        }
        words.push_back(experiment.id);
      }
    } else if (option == "--texts") {
      words.emplace_back(learning::kSdmTexts);
    }
    return words;
  }

  void declare(Arguments& arguments) override {
    arguments
        .add_option(
            "ID", ids_,
            "Experiments to run: an id such as sdm/softmax-circle, the beginning of several ids such as "
            "sdm or 'sdm/softmax*', or all (default: only list the experiments)")
        ->type_name("ID");
    arguments.add_flag(
        "--list", list_,
        "Only list the experiments (all, or those of ID), with the place where each was published");
    arguments.add_flag("--quick", quick_, "Use fewer random draws and cases: minutes instead of hours");
    arguments.add_flag("--check", check_,
                       "Exit with code 4 if a result is outside the tolerance of its published value, and "
                       "with code 2 if no experiment could run");
    arguments.add_flag("--again", again_, "Also rerun experiments whose results are already in the folder");
    arguments
        .add_option("--data", data_,
                    "Folder of data sets such as MNIST (default: $MNEME_DATA, else "
                    "$XDG_DATA_HOME/mneme, else ~/.local/share/mneme)")
        ->type_name("DIR");
    arguments
        .add_option("--markdown", markdown_,
                    "Also write tables of published and measured values to this Markdown file")
        ->type_name("FILE");
    figures_.declare(arguments);
    for (const experiments::ParameterInfo& parameter : experiments::all_parameters()) {
      const bool is_path = !parameter.path.empty();
      add_parsed_option(
          arguments, "--" + parameter.name,
          is_path             ? parameter.path
          : parameter.is_real ? "X"
                              : "N",
          is_path ? "" : "per experiment",
          [this, &parameter, is_path](const std::string& name, const std::string& text) {
            GivenParameter given{.name = parameter.name, .text = text};
            if (parameter.is_real) {
              given.numbers = parse_positive_numbers(name, text);
            } else if (!is_path) {
              given.values = parse_integers(name, text, {.min = 0, .max = 100'000'000});
            }
            parameters_.push_back(std::move(given));
          },
          parameter.help + (is_path ? " (only for experiments with this parameter)"
                                    : "; a value, a list or a range such as 20..40 (only for experiments "
                                      "with this parameter)"))
          ->group("Parameters of experiments");
    }
  }

  ExitCode run(Context& context) override {
    if (ids_.empty() || list_) {
      refuse_without_run(context.options);
    }
    const std::vector<const Experiment*> chosen =
        experiments::experiments_named(ids_.empty() ? std::vector<std::string>{"all"} : ids_);
    if (ids_.empty() || list_) {
      list(chosen, context);
      return ExitCode::ok;
    }
    std::ranges::sort(parameters_, {}, &experiments::GivenParameter::name);
    for (const std::string& message : experiments::check_parameters(chosen, parameters_)) {
      context.progress.message(message);
    }
    const experiments::RunSettings settings{.quick = quick_,
                                            .seed = context.options.seed,
                                            .data = data::data_folder(data_),
                                            .parameters = parameters_};
    figures_.prepare();
    if (std::error_code unreadable; !data_.empty() && !std::filesystem::is_directory(data_, unreadable)) {
      throw UsageError(
          fmt::format("--data {}: {}.\n  Give the folder that contains the data sets, as `mneme data list` "
                      "shows it.",
                      printable(data_),
                      std::filesystem::exists(data_, unreadable) ? "is a file" : "there is no such folder"));
    }
    if (!markdown_.empty()) {
      require_writable(markdown_, OutputKind::file);
    }
    const std::filesystem::path folder =
        context.options.out.empty() ? std::filesystem::path(default_folder()) : context.options.out;
    nlohmann::ordered_json identity = {{"verb", name()}, {"quick", settings.quick}, {"seed", settings.seed}};
    add_parameters(identity);
    const RunFolder lock = open_run_folder(folder, identity);

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
    if (check_) {
      const auto skipped = std::ranges::count_if(
          findings, [](const Finished& finished) { return !finished.outcome.skipped.empty(); });
      if (skipped > 0) {
        context.progress.message(fmt::format(
            "mneme reproduce: {} of {} experiments did not run, so their results are not checked{}", skipped,
            findings.size(),
            skipped == std::ssize(findings) ? ".\n  The lines above name what they need." : ""));
      }
      if (skipped == std::ssize(findings)) { // nothing was checked
        return ExitCode::wrong_usage;
      }
    }
    const bool missed = std::ranges::any_of(
        findings, [](const Finished& finished) { return experiments::tally(finished.outcome).missed > 0; });
    return check_ && missed ? ExitCode::check_failed : ExitCode::ok;
  }

private:
  static void list(const std::vector<const Experiment*>& listed, Context& context) {
    report::Table table{.columns = {{.name = "id"}, {.name = "title"}, {.name = "published in"}}};
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const Experiment* experiment : listed) {
      table.rows.push_back({experiment->id, experiment->title, experiment->source});
      nlohmann::ordered_json parameters = nlohmann::ordered_json::array();
      for (const experiments::ParameterInfo& parameter : experiment->parameters) {
        parameters.push_back(
            {{"name", parameter.name}, {"help", parameter.help}, {"published", parameter.published}});
      }
      json.push_back({{"id", experiment->id},
                      {"title", experiment->title},
                      {"claim", experiment->claim},
                      {"source", experiment->source},
                      {"parameters", parameters}});
    }
    if (context.options.json) {
      print_json(context.out, {{"experiments", json}});
    } else {
      context.out
          << report::to_text(table,
                             {.colour = context.colour,
                              .width = context.width > 0 ? std::min(context.width, kListWidth) : kListWidth})
          << "\n`mneme reproduce ID --quick` runs the experiment ID, or all experiments whose ids begin "
             "with ID. Some have parameters, such as `mneme reproduce sdm/softmax-circle --bits 128 "
             "--hamming-radius 20..40`; "
             "`mneme reproduce --help` lists them.\n";
    }
  }

  /// Errors  UsageError if an option is given that needs the run of an experiment
  void refuse_without_run(const CommonOptions& common) const {
    const std::pair<bool, std::string> options[] = {
        {!common.out.empty(), "--out DIR"},
        {common.seed_is_given, fmt::format("--seed {}", common.seed)},
        {quick_, "--quick"},
        {check_, "--check"},
        {again_, "--again"},
        {!data_.empty(), "--data"},
        {!markdown_.empty(), "--markdown"},
        {figures_.is_requested(), "--figures svg"},
        {!parameters_.empty(), parameters_.empty() ? "" : "--" + parameters_.front().name}};
    for (const auto& [is_given, option] : options) {
      if (is_given && list_) {
        throw UsageError(option + " has no effect with --list.\n  Leave out one of the two options.");
      }
      if (is_given) {
        throw UsageError(option + " needs an experiment.\n  Give an id, such as `mneme reproduce sdm " +
                         option + "`; `mneme reproduce` lists the ids.");
      }
    }
  }

  /// runs/reproduce, or a folder of its own for a quick run and for every set of parameters. Of a path, it
  /// has the last part.
  std::string default_folder() const {
    std::string folder = quick_ ? kQuickFolder : kFullFolder;
    for (const GivenParameter& parameter : parameters_) {
      std::filesystem::path path = std::filesystem::path(parameter.text).lexically_normal();
      path = path.has_filename() ? path.filename() : path.parent_path().filename();
      folder += "-" + parameter.name + "-" + (parameter.is_path() ? path.string() : parameter.text);
    }
    std::ranges::replace_if(
        folder, [](char c) { return c == ' ' || c == ','; }, '_');
    return folder;
  }

  void add_parameters(nlohmann::ordered_json& config) const {
    config["parameters"] = nlohmann::ordered_json::object();
    for (const experiments::GivenParameter& parameter : parameters_) {
      config["parameters"][parameter.name] = experiments::values_json(parameter);
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
      } else if (auto earlier = experiments::find_outcome(folder, experiment,
                                                          experiments::settings_of(experiment, settings));
                 std::holds_alternative<experiments::Outcome>(earlier)) {
        shown.push_back({&experiment, std::get<experiments::Outcome>(std::move(earlier)), true});
      }
    }
    nlohmann::ordered_json config = {
        {"version", version()}, {"verb", name()}, {"quick", settings.quick}, {"seed", settings.seed}};
    add_parameters(config);
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
    std::vector<std::filesystem::path> figures;
    for (const Finished& finished : findings) {
      for (const experiments::Figure& figure : finished.outcome.figures) {
        figures.push_back(experiments::folder_of(folder, *finished.experiment) / figure.name);
      }
    }
    figures_.write(figures);
    if (!markdown_.empty()) {
      write_file_atomically(markdown_, experiments::markdown_of(findings, settings, command()));
    }
    if (context.options.json) {
      nlohmann::ordered_json parameters = {{"ids", ids_}, {"quick", settings.quick}};
      for (const experiments::GivenParameter& parameter : parameters_) {
        parameters[parameter.name] = experiments::values_json(parameter);
      }
      print_json(context.out, {{"parameters", parameters},
                               {"experiments", experiments::to_json(findings)},
                               {"timing", {{"experiments", report::to_json(timing)}}}});
    } else {
      context.out << report::to_text(experiments::summary_table(findings), context.text_style())
                  << "\nWritten to " << printable(folder.string()) << ": index.html (open it in a browser)"
                  << figures_.written_text() << '\n';
    }
  }

  std::string command() const {
    std::string text = "mneme reproduce";
    for (const std::string& id : ids_) {
      text += " " + id;
    }
    for (const experiments::GivenParameter& parameter : parameters_) {
      text += " --" + parameter.name + " " + parameter.text;
    }
    return text + (quick_ ? " --quick" : "") + " --markdown " + printable(markdown_);
  }

  std::vector<std::string> ids_;
  std::string data_, markdown_;
  std::vector<experiments::GivenParameter> parameters_;
  FigureExport figures_;
  bool list_ = false, quick_ = false, check_ = false, again_ = false;
};

} // namespace

std::unique_ptr<Verb> make_reproduce() {
  return std::make_unique<Reproduce>();
}

} // namespace mneme::cli
