// SPDX-License-Identifier: MIT

#include "cli/theory_plan.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/bytes.h"
#include "cli/choices.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/theory_settings.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/machine.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/critical_distance.h"
#include "mneme/trials/neuron_sdm_trial.h"
#include "report/estimates.h"
#include "report/page.h"
#include "report/table.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using report::cell;
using report::Cell;
using report::Notation;
using report::Table;

/// Memory of a hard location of NeuronSdm: address in 64-bit words, 16-bit counters, number of writes.
double bytes_per_location(int64_t bits) {
  const int64_t words = (bits + 63) / 64;
  return static_cast<double>(8 * words + 2 * bits + 8);
}

/// A plan and the quantities derived from it.
struct Planned {
  theory::PlanRequest request;
  theory::Plan plan;
  std::optional<theory::Plan> needed; ///< plan that reaches the target, if the limit does not allow it
  std::optional<double> beta;         ///< empty for a radius below 2, where the fit has only one point
  int64_t critical_distance = 0;
  std::optional<trials::NeuronSdmTrial> simulated;

  double bytes(const theory::Plan& some) const {
    return some.hard_locations * bytes_per_location(request.bits);
  }
  double wrong_share() const { return 1 - plan.bit_accuracy; }
};

Planned planned(const theory::PlanRequest& request) {
  Planned all{
      .request = request, .plan = theory::plan_memory(request), .needed = {}, .beta = {}, .simulated = {}};
  if (!all.plan.reaches_target) {
    theory::PlanRequest unlimited = request;
    unlimited.hard_locations_max = theory::PlanRequest{}.hard_locations_max;
    if (const theory::Plan needed = theory::plan_memory(unlimited); needed.reaches_target) {
      all.needed = needed;
    }
  }
  if (all.plan.hamming_radius >= 2) {
    all.beta =
        theory::fit_beta(request.bits, all.plan.hamming_radius, std::log(all.plan.hard_locations)).beta;
  }
  all.critical_distance = theory::critical_distance({.bits = request.bits,
                                                     .hard_locations = all.plan.hard_locations,
                                                     .hamming_radius = all.plan.hamming_radius,
                                                     .patterns = request.patterns},
                                                    request.storage)
                              .distance;
  return all;
}

Table table_of(const Planned& all) {
  Table table{.columns = {{.name = "bits"},
                          {.name = "items"},
                          {.name = "noise", .digits = 6},
                          {.name = "target", .digits = 6},
                          {.name = "reaches target", .key = "reaches_target"},
                          {.name = "radius", .key = "hamming_radius"},
                          {.name = "locations"},
                          {.name = "memory", .unit = "bytes", .key = "memory_bytes"},
                          {.name = "beta", .digits = 6},
                          {.name = "correct bits", .key = "right_share", .digits = 6},
                          {.name = "critical distance", .key = "critical_distance"}}};
  const theory::PlanRequest& request = all.request;
  table.rows = {{request.bits, count_cell(request.patterns), request.noise, request.target,
                 std::string(all.plan.reaches_target ? "yes" : "no"), all.plan.hamming_radius,
                 count_cell(all.plan.hard_locations), count_cell(all.bytes(all.plan)),
                 all.beta ? Cell(*all.beta) : Cell(), all.plan.bit_accuracy, all.critical_distance}};
  if (all.simulated) {
    table.columns.insert(table.columns.end(),
                         {{.name = "wrong bits, simulated", .key = "simulated_wrong_share", .digits = 5},
                          {.name = "simulated / predicted", .key = "simulated_over_predicted", .digits = 4},
                          {.name = "exact after one read", .key = "exact_after_one_read", .digits = 4},
                          {.name = "exact after repeated reads", .key = "end_exact", .digits = 4}});
    table.rows[0].insert(
        table.rows[0].end(),
        {cell(all.simulated->bit_error),
         all.wrong_share() > 0 ? Cell(all.simulated->bit_error.mean / all.wrong_share()) : Cell(),
         cell(all.simulated->exact_once),
         all.simulated->exact_end ? cell(*all.simulated->exact_end) : Cell()});
  }
  return table;
}

std::string percent(double fraction, int digits) {
  return report::format_number(fraction, Notation::percent, digits) + " %";
}

std::string interval_text(const trials::MeanInterval& interval, int digits) {
  const std::string mean = report::format_number(interval.mean, Notation::percent, digits);
  return interval.half_width
             ? fmt::format("{} \u00b1 {} %", mean,
                           report::format_number(*interval.half_width, Notation::percent, digits))
             : mean + " %";
}

std::string count_text(double count) {
  return report::format_number(count, count < 1e15 ? Notation::fixed : Notation::automatic,
                               count < 1e15 ? 0 : 6);
}

/// Names and values of the text output.
std::vector<std::pair<std::string, std::string>> lines_of(const Planned& all) {
  const theory::Plan& plan = all.plan;
  const auto bits = static_cast<double>(all.request.bits);
  constexpr int kDigits = 3;
  std::vector<std::pair<std::string, std::string>> lines = {
      {"Hamming radius", fmt::format("{} bits", plan.hamming_radius)},
      {"hard locations", count_text(plan.hard_locations)},
      {"memory", bytes_text(all.bytes(plan))},
      {"beta", all.beta ? fmt::format("{} (of the equivalent softmax attention)",
                                      report::format_number(*all.beta, Notation::automatic, 5))
                        : "none: the radius is too small for a fit"},
      {"after one read",
       fmt::format("{} of the bits correct (expected), {} of {} wrong", percent(plan.bit_accuracy, kDigits),
                   report::format_number(bits * all.wrong_share(), Notation::automatic, 4),
                   all.request.bits)},
      {"critical distance", fmt::format("{} bits, {} of all bits{}", all.critical_distance,
                                        percent(static_cast<double>(all.critical_distance) / bits, 1),
                                        all.request.storage == theory::Storage::heteroassociative
                                            ? " (of a readout from the data; it is not a next cue)"
                                            : "")}};
  if (all.simulated) {
    const double ratio = all.simulated->bit_error.mean / all.wrong_share();
    lines.emplace_back("simulated", fmt::format("{} of the bits wrong, {} expected{}",
                                                interval_text(all.simulated->bit_error, kDigits),
                                                percent(all.wrong_share(), kDigits),
                                                all.wrong_share() > 0
                                                    ? fmt::format(": {:.1f} % {}", 100 * std::abs(ratio - 1),
                                                                  ratio < 1 ? "fewer" : "more")
                                                    : ""));
    lines.emplace_back(
        "recalled exactly",
        fmt::format("{} of the cues after one read{}", interval_text(all.simulated->exact_once, 1),
                    all.simulated->exact_end ? fmt::format(", {} after repeated reads",
                                                           interval_text(*all.simulated->exact_end, 1))
                                             : ""));
  }
  return lines;
}

std::string request_text(const theory::PlanRequest& request) {
  return fmt::format(
      "{} item{} of {}, cues with {:g} % wrong bits, target {:g} % correct bits after one read",
      count_text(request.patterns), request.patterns == 1 ? "" : "s", report::counted(request.bits, "bit"),
      100 * request.noise, 100 * request.target);
}

/// Explains why the target is not reached, and which plan would reach it; empty if the target is reached.
std::string shortfall_text(const Planned& all) {
  if (all.plan.reaches_target) {
    return "";
  }
  const std::string any_radius = all.request.hamming_radius ? "" : " and any radius";
  std::string text = fmt::format(
      "The target cannot be reached with {} hard locations ({}){}; the plan above is the best one "
      "within this limit.",
      count_text(all.plan.hard_locations), bytes_text(all.bytes(all.plan)), any_radius);
  if (all.needed) {
    text += fmt::format(" The target requires {} hard locations ({}) and a radius of {}.",
                        count_text(all.needed->hard_locations), bytes_text(all.bytes(*all.needed)),
                        all.needed->hamming_radius);
  }
  return text;
}

/// Fraction of correct bits of a cue itself.
double correct_bits_of_cue(const theory::PlanRequest& request) {
  const auto bits = static_cast<double>(request.bits);
  return 1 - std::round(request.noise * bits) / bits;
}

/// Remarks on cues that a read does not improve; empty if there are none.
std::vector<std::string> remarks_of(const Planned& all) {
  std::vector<std::string> remarks;
  const double correct = correct_bits_of_cue(all.request);
  if (correct < 0.5) {
    remarks.push_back(fmt::format("A cue with {} wrong bits is nearer to the opposite of its pattern than to "
                                  "the pattern: inverting all of its "
                                  "bits leaves only {} wrong. Invert such cues, and plan with --noise {:g}.",
                                  percent(1 - correct, 1), percent(correct, 1), correct));
  } else if (correct == 0.5) {
    remarks.emplace_back(
        "A cue with half of its bits wrong is as near to the opposite of its pattern as to the "
        "pattern: it contains no information about it.");
  }
  if (all.plan.bit_accuracy <= std::max(correct, 1 - correct)) {
    remarks.push_back(
        fmt::format("Not reading is the best answer: one read returns {} correct bits, the {} itself has {}.",
                    percent(all.plan.bit_accuracy, 1), correct < 0.5 ? "inverted cue" : "cue",
                    percent(std::max(correct, 1 - correct), 1)));
  }
  if (const std::string shortfall = shortfall_text(all); !shortfall.empty()) {
    remarks.push_back(shortfall);
  }
  return remarks;
}

/// The answer if the cue itself reaches the target.
std::string no_read_text(const theory::PlanRequest& request) {
  return fmt::format(
      "No memory is needed: {} of the bits of a cue are correct, which reaches the target of {}. Not "
      "reading is the best answer. Set a higher --target, or more --noise, to plan a memory.",
      percent(correct_bits_of_cue(request), 3), percent(request.target, 3));
}

/// Simulates the planned memory.
///
/// Errors  UnsupportedError if it does not fit into the memory of this machine
trials::NeuronSdmTrial simulated(const Planned& all, int64_t trials, int64_t cues, Context& context) {
  const MachineMemory machine = machine_memory();
  const double available = static_cast<double>(
      std::min(machine.available.value_or(~uint64_t{0}), machine.limit.value_or(~uint64_t{0})));
  const double required = all.bytes(all.plan) + all.request.patterns * bytes_per_location(all.request.bits);
  if (required > available) {
    throw UnsupportedError(fmt::format(
        "--simulate needs {} of memory, but only {} are available.\n  Plan a smaller memory (fewer "
        "--items, less --noise, --memory-limit), or leave out --simulate.",
        bytes_text(required), bytes_text(available)));
  }
  return trials::neuron_sdm_trial(
      {.bits = all.request.bits,
       .hard_locations = static_cast<int64_t>(all.plan.hard_locations),
       .hamming_radius = all.plan.hamming_radius,
       .patterns = static_cast<int64_t>(all.request.patterns),
       .flips = std::llround(all.request.noise * static_cast<double>(all.request.bits)),
       .heteroassociative = all.request.storage == theory::Storage::heteroassociative,
       .cues = cues,
       .trials = trials,
       .seed = context.options.seed},
      context.progress);
}

nlohmann::ordered_json parameters_of(const theory::PlanRequest& request) {
  nlohmann::ordered_json parameters = {{"quantity", "plan"},        {"bits", request.bits},
                                       {"items", request.patterns}, {"noise", request.noise},
                                       {"target", request.target},  {"hamming_radius", nullptr}};
  if (request.hamming_radius) {
    parameters["hamming_radius"] = *request.hamming_radius;
  }
  return parameters;
}

/// The contents of config.json. `simulation`: the settings of --simulate, null without it.
nlohmann::ordered_json config_of(const theory::PlanRequest& request,
                                 const nlohmann::ordered_json& simulation) {
  nlohmann::ordered_json config = {{"version", version()}, {"verb", "theory"}};
  config.update(parameters_of(request));
  config["hard_locations_max"] = request.hard_locations_max;
  config.update(simulation);
  return config;
}

nlohmann::ordered_json json_of(const Planned& all) {
  nlohmann::ordered_json document = {{"parameters", parameters_of(all.request)}};
  document.update(report::to_json(table_of(all)).at(0));
  document["reaches_target"] = all.plan.reaches_target;
  if (all.needed) {
    document["needed"] = {{"hamming_radius", all.needed->hamming_radius},
                          {"locations", all.needed->hard_locations},
                          {"memory_bytes", all.bytes(*all.needed)}};
  }
  return document;
}

void answer_without_read(const theory::PlanRequest& request, const nlohmann::ordered_json& config,
                         Context& context) {
  const std::string answer = no_read_text(request);
  const std::filesystem::path& folder = context.options.out;
  if (!folder.empty()) {
    const report::Table table{
        .columns = {{.name = "bits"},
                    {.name = "noise", .digits = 6},
                    {.name = "target", .digits = 6},
                    {.name = "correct bits", .key = "right_share", .digits = 6}},
        .rows = {{request.bits, request.noise, request.target, correct_bits_of_cue(request)}}};
    write_file_atomically(folder / "config.json", report::json_text(config));
    write_file_atomically(folder / "results.csv", report::to_csv(table));
    report::write_page(folder / "index.html",
                       {.title = "Theory: plan",
                        .intro = request_text(request),
                        .sections = {{.heading = "Plan", .blocks = {report::Note{answer}}}}});
  }
  if (context.options.json) {
    print_json(context.out, {{"parameters", parameters_of(request)},
                             {"reaches_target", true},
                             {"right_share", correct_bits_of_cue(request)},
                             {"remarks", {answer}}});
    return;
  }
  context.out << "plan: " << request_text(request) << "\n\n";
  for (const std::string& line : report::wrap(answer, report::paragraph_width(context.text_style()))) {
    context.out << line << '\n';
  }
  if (!folder.empty()) {
    context.out << "\nWritten to " << printable(folder.string())
                << ": index.html (open it in a browser), results.csv\n";
  }
}

} // namespace

void TheoryPlan::declare(Arguments& arguments) {
  add_integer_option(arguments, "--bits", request_.bits, {.min = 1, .max = 10'000'000}, "Bits per pattern");
  add_parsed_option(
      arguments, "--items", "COUNT", "10000",
      [this](const std::string& name, const std::string& text) {
        request_.patterns = parse_count(name, text);
      },
      "Number of patterns to store");
  add_real_option(arguments, "--noise", request_.noise, {.min = 0, .max = 1},
                  "Fraction of wrong bits in a cue");
  add_real_option(arguments, "--target", request_.target,
                  {.min = 0.5, .max = 1, .min_included = false, .max_included = false},
                  "Required fraction of correct bits after one read");
  add_parsed_option(
      arguments, "--hamming-radius", "BITS", "the one that needs the fewest locations",
      [this](const std::string& name, const std::string& text) {
        request_.hamming_radius = parse_integer(name, text, {.min = 0});
      },
      "Use this Hamming radius");
  add_choice_option<theory::Storage>(
      arguments, "--storage", request_.storage,
      {{"auto", theory::Storage::autoassociative}, {"hetero", theory::Storage::heteroassociative}},
      "auto: autoassociative, the stored data are the patterns themselves; hetero: heteroassociative, the "
      "data are "
      "unrelated to the patterns");
  add_parsed_option(
      arguments, "--memory-limit", "BYTES", "none",
      [this](const std::string& name, const std::string& text) { memory_limit_ = parse_bytes(name, text); },
      "Maximum memory for hard locations, such as 4GB");
  arguments.add_flag(
      "--simulate", simulate_,
      "Also simulate the planned memory with random patterns, and compare the error with the prediction");
  options_of_simulation_ = {
      add_integer_option(arguments, "--trials", trials_, {.min = 1, .max = 1'000'000},
                         "With --simulate: number of memories"),
      add_integer_option(arguments, "--cues", cues_, {.min = 1, .max = 1'000'000'000},
                         "With --simulate: number of cues per memory, made from its items in turn")};
}

ExitCode TheoryPlan::run(Context& context) const {
  const auto fail_if = [](bool given, const std::string& name) {
    if (given) {
      throw UsageError(
          fmt::format("{0} has no effect without --simulate.\n  Add --simulate, or leave out {0}.", name));
    }
  };
  if (!simulate_) {
    fail_if(context.options.seed_is_given, "--seed");
    for (const Option* option : options_of_simulation_) {
      fail_if(option->count() > 0, option->name());
    }
  }
  theory::PlanRequest request = request_;
  if (request.hamming_radius && *request.hamming_radius > request.bits) {
    throw UsageError(
        fmt::format("--hamming-radius {}: patterns have {} bits.\n  Give at most {}, or increase --bits.",
                    *request.hamming_radius, request.bits, request.bits));
  }
  if (memory_limit_) {
    const double locations = std::floor(*memory_limit_ / bytes_per_location(request.bits));
    if (locations < 1) {
      throw UsageError(fmt::format(
          "--memory-limit {}: one hard location of {} bits needs {}.\n  Give at least that.",
          bytes_text(*memory_limit_), request.bits, bytes_text(bytes_per_location(request.bits))));
    }
    request.hard_locations_max = std::min(request.hard_locations_max, locations);
  }
  const std::filesystem::path& folder = context.options.out;
  std::optional<RunFolder> lock;
  nlohmann::ordered_json simulation = {{"seed", nullptr}, {"trials", nullptr}, {"cues", nullptr}};
  if (simulate_) {
    simulation = {{"seed", context.options.seed}, {"trials", trials_}, {"cues", cues_}};
  }
  const nlohmann::ordered_json config = config_of(request, simulation);
  if (!folder.empty()) {
    nlohmann::ordered_json settings = config;
    settings.erase("version");
    lock.emplace(open_run_folder(folder, settings));
  }
  if (correct_bits_of_cue(request) >= request.target) {
    answer_without_read(request, config, context);
    return ExitCode::ok;
  }
  Planned all = planned(request);
  if (simulate_) {
    all.simulated = simulated(all, trials_, cues_, context);
  }
  const std::vector<std::string> remarks = remarks_of(all);
  if (!folder.empty()) {
    write_file_atomically(folder / "config.json", report::json_text(config));
    write_file_atomically(folder / "results.csv", report::to_csv(table_of(all)));
    report::Section section{.heading = "Plan", .blocks = {report::Parameters{lines_of(all)}}};
    for (const std::string& remark : remarks) {
      section.blocks.push_back(report::Note{remark, true});
    }
    report::write_page(folder / "index.html",
                       {.title = "Theory: plan", .intro = request_text(request), .sections = {section}});
  }
  if (context.options.json) {
    nlohmann::ordered_json document = json_of(all);
    document["remarks"] = remarks;
    print_json(context.out, document);
  } else {
    context.out << "plan: " << request_text(request) << "\n\n";
    for (const auto& [name, value] : lines_of(all)) {
      context.out << fmt::format("  {:<22}{}\n", name, value);
    }
    if (simulate_) {
      context.out << fmt::format("\nSeed {}, {} of random patterns, {} cues each{}.\n", context.options.seed,
                                 report::counted(trials_, "memory", "memories"),
                                 std::min(static_cast<double>(cues_), request.patterns),
                                 trials_ > 1 ? ", 95 % confidence intervals" : "");
    }
    for (const std::string& remark : remarks) {
      context.out << '\n';
      for (const std::string& line : report::wrap(remark, report::paragraph_width(context.text_style()))) {
        context.out << line << '\n';
      }
    }
    if (!folder.empty()) {
      context.out << "\nWritten to " << printable(folder.string())
                  << ": index.html (open it in a browser), results.csv\n";
    }
  }
  return all.plan.reaches_target ? ExitCode::ok : ExitCode::failed;
}

} // namespace mneme::cli
