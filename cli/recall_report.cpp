// SPDX-License-Identifier: MIT

#include "cli/recall_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <numbers>
#include <numeric>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/environment_json.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/version.h"
#include "mneme/data/png.h"
#include "mneme/data/read_file.h"
#include "report/chart.h"
#include "report/estimates.h"
#include "report/json_text.h"
#include "report/number.h"
#include "report/page.h"
#include "report/raster.h"
#include "report/sheet.h"
#include "report/table.h"
#include "report/terminal.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using report::cell;
using report::Cell;
using report::Column;
using report::Estimate;
using report::Notation;
using report::Table;

// Minimum cosine of a "close" frame on the sheet: the pictures look the same to a person.
constexpr double kCloseCosine = 0.9;
constexpr report::Limits kCosine{-1, 1};

const trials::MemoryReport& memory_of(const RecallRun& run, const trials::SweepRow& row) {
  return *std::ranges::find_if(
      run.memories, [&](const trials::MemoryReport& memory) { return memory.kind.name == row.memory; });
}

std::string noise_name(const RecallRun& run, const trials::SweepRow& row) {
  return run.options.cues ? "given cues" : fmt::format("{:.4g} % noise", 100 * row.noise.value_or(0));
}

/// Natural logarithm of the number of hard locations of a memory that can differ from each other.
double log_distinct_locations(const RecallRun& run, const trials::MemoryReport& memory) {
  const trials::MemoryParameters& parameters = memory.parameters;
  const auto bits = static_cast<double>(parameters.encoded_bits > 0 ? parameters.encoded_bits
                                                                    : run.patterns.patterns.size());
  if (!memory.kind.uses.selected_coordinates) {
    return bits * std::numbers::ln2;
  }
  const auto selected = static_cast<double>(parameters.selected_coordinates);
  const double values =
      memory.kind.assigned_values == AssignedValues::ones ? 0 : selected * std::numbers::ln2;
  return std::lgamma(bits + 1) - std::lgamma(selected + 1) - std::lgamma(bits - selected + 1) + values;
}

/// Whether recall fails because there are too few hard locations, although most cues are nearest to their own
/// pattern. If there are more than can differ, still more would not help.
bool has_too_few_locations(const RecallRun& run, const trials::MemoryReport& memory) {
  const auto row = std::ranges::find_if(
      run.rows, [&](const trials::SweepRow& each) { return each.memory == memory.kind.name; });
  return memory.kind.uses.finite_locations && !memory.out_of_reach && !memory.beyond_capacity &&
         !run.options.cues && row->misleading < 0.25 && row->exact.mean + row->ambiguous < 0.5 &&
         std::log(memory.parameters.hard_locations) < log_distinct_locations(run, memory);
}

/// Whether the memory gives weights to what is near, so that nothing may be within its reach.
bool has_reach(const trials::MemoryKind& kind) {
  return kind.uses.hamming_radius || kind.uses.selected_coordinates;
}

std::string note_on(const RecallRun& run, const trials::MemoryReport& memory) {
  if (memory.out_of_reach && (has_reach(memory.kind) || memory.without_direction == 0)) {
    return has_reach(memory.kind) ? "out of reach" : "no weights";
  }
  if (memory.beyond_capacity) {
    return "beyond capacity";
  }
  if (memory.without_direction > 0) {
    return "zero patterns";
  }
  if (memory.distinct < memory.count) {
    return memory.distinct < memory.different ? "patterns coincide" : "identical patterns";
  }
  return has_too_few_locations(run, memory) ? "few hard locations" : "";
}

/// The number of trials; cues of --cues are used once.
int64_t trials_of(const RecallRun& run) {
  return run.options.cues ? 1 : run.options.seeds;
}

/// Heading of the fraction of exact readouts. Which pattern is right is not known for given cues.
std::string exact_name(const RecallRun& run) {
  return !run.options.cues ? "recalled exactly" : run.options.values ? "any value" : "any stored pattern";
}

/// The results that are the same in all runs with the same settings.
Table results_table(const RecallRun& run) {
  Table table{
      .columns = {{.name = "memory"},
                  {.name = "noise", .digits = 6},
                  {.name = exact_name(run), .key = "exact", .notation = Notation::percent, .digits = 1},
                  {.name = "ambiguous", .notation = Notation::percent, .digits = 1},
                  {.name = "wrong bits", .key = "bit_error", .notation = Notation::percent, .digits = 2},
                  {.name = "cosine", .notation = Notation::fixed, .digits = 3},
                  {.name = "steps", .notation = Notation::fixed, .digits = 1},
                  {.name = "converged", .key = "settled", .notation = Notation::percent, .digits = 0},
                  {.name = "empty reads", .key = "unanswered", .notation = Notation::percent, .digits = 0},
                  {.name = "misleading", .notation = Notation::percent, .digits = 0},
                  {.name = "note"}}};
  if (run.options.cues) {
    table.columns.insert(
        table.columns.end() - 1,
        {.name = "cue cosine", .key = "cue_cosine", .notation = Notation::fixed, .digits = 3});
  }
  for (const trials::SweepRow& row : run.rows) {
    table.rows.push_back({row.memory, row.noise ? Cell(*row.noise) : Cell("given"),
                          cell(row.exact, report::kFraction), row.ambiguous,
                          row.bit_error ? cell(*row.bit_error, report::kFraction) : Cell(),
                          cell(row.cosine, kCosine), cell(row.steps), row.settled, row.unanswered,
                          row.misleading, note_on(run, memory_of(run, row))});
    if (row.cue_cosine) {
      table.rows.back().insert(table.rows.back().end() - 1, Cell(*row.cue_cosine));
    }
  }
  return table;
}

/// Whether the values, or else the patterns that they belong to, have classes.
bool has_classes(const RecallRun& run) {
  return !run.values().labels.empty() || !run.patterns.labels.empty();
}
std::string class_of(const RecallRun& run, int64_t value) {
  return (run.values().labels.empty() ? run.patterns : run.values()).class_of(value);
}

/// The patterns that each memory recalled from given cues.
Table matches_table(const RecallRun& run) {
  Table table{.columns = {{.name = "memory"}, {.name = "cue"}, {.name = "row"}}};
  const bool has_labels = has_classes(run);
  if (has_labels) {
    table.columns.push_back({.name = "label"});
  }
  table.columns.push_back({.name = "cosine"});
  table.columns.push_back({.name = "exact"});
  table.columns.push_back({.name = "cue_cosine"});
  table.columns.push_back({.name = "cue_distance"}); // Hamming distance, of memories on bits
  for (size_t memory = 0; memory < run.matches.size(); ++memory) {
    const RecallRun::Matches& matches = run.matches[memory];
    for (size_t cue = 0; cue < matches.rows.size(); ++cue) {
      const int64_t row = matches.rows[cue];
      std::vector<report::Cell> cells{run.memories[memory].kind.name, static_cast<int64_t>(cue),
                                      row + run.first_value};
      if (has_labels) {
        cells.emplace_back(class_of(run, row));
      }
      cells.emplace_back(matches.cosines[cue]);
      cells.emplace_back(int64_t{matches.exact[cue]});
      cells.emplace_back(matches.cue_cosines[cue]);
      cells.push_back(run.memories[memory].kind.on_bits
                          ? Cell(int64_t{std::llround((1 - matches.cue_cosines[cue]) / 2 *
                                                      static_cast<double>(run.patterns.patterns.size()))})
                          : Cell());
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

Table timing_table(const RecallRun& run) {
  Table table{.columns = {{.name = "memory"},
                          {.name = "noise", .digits = 6},
                          {.name = "seconds"},
                          {.name = "cues_per_second"}}};
  for (const trials::SweepRow& row : run.rows) {
    const int64_t cues = row.cues * trials_of(run);
    table.rows.push_back({row.memory, row.noise ? Cell(*row.noise) : Cell("given"), row.seconds,
                          row.seconds > 0 ? Cell(static_cast<double>(cues) / row.seconds) : Cell()});
  }
  return table;
}

/// The results as printed: each memory is named once, and columns without information are left out. The time
/// is not written to files, since it differs between runs with the same settings.
Table shown_table(const RecallRun& run, bool with_time) {
  Table table = results_table(run);
  if (with_time) {
    table.columns.insert(table.columns.end() - 1,
                         {.name = "time", .unit = "s", .notation = Notation::fixed, .digits = 2});
  }
  for (size_t i = 0; i < run.rows.size(); ++i) {
    if (with_time) {
      table.rows[i].insert(table.rows[i].end() - 1, run.rows[i].seconds);
    }
    if (i > 0 && run.rows[i].memory == run.rows[i - 1].memory) {
      table.rows[i].front() = Cell("");
    }
  }
  const auto drop = [&](const std::string& name, auto is_empty) {
    const auto column = std::ranges::find_if(table.columns, [&](const Column& c) { return c.name == name; }) -
                        table.columns.begin();
    if (std::ranges::all_of(
            table.rows, [&](const auto& cells) { return is_empty(cells[static_cast<size_t>(column)]); })) {
      table.columns.erase(table.columns.begin() + column);
      for (auto& cells : table.rows) {
        cells.erase(cells.begin() + column);
      }
    }
  };
  drop("ambiguous", [](const Cell& c) { return std::get<double>(c) == 0; });
  drop("empty reads", [](const Cell& c) { return std::get<double>(c) == 0; });
  drop("misleading", [](const Cell&) { return true; }); // reported by a remark
  drop("wrong bits", [](const Cell& c) { return std::holds_alternative<report::Missing>(c); });
  drop("note", [](const Cell& c) { return std::get<std::string>(c).empty(); });
  return table;
}

/// Percentage of cues recalled exactly: one row per memory, one column per noise level.
Table overview_table(const RecallRun& run) {
  const size_t levels = run.rows.size() / std::max<size_t>(1, run.memories.size());
  Table table{.columns = {{.name = "memory"}}};
  for (size_t level = 0; level < levels; ++level) {
    table.columns.push_back(
        {.name = noise_name(run, run.rows[level]), .notation = Notation::fixed, .digits = 1});
  }
  if (run.options.cues) {
    table.columns.push_back({.name = "cosine of cue and pattern", .notation = Notation::fixed, .digits = 3});
  }
  bool any_note = false;
  for (size_t m = 0; m < run.memories.size(); ++m) {
    table.rows.push_back({run.memories[m].kind.name});
    std::string note = note_on(run, run.memories[m]);
    for (size_t level = 0; level < levels; ++level) {
      const trials::SweepRow& row = run.rows[m * levels + level];
      trials::MeanInterval percent{100 * row.exact.mean, row.exact.half_width};
      if (percent.half_width) {
        *percent.half_width *= 100;
      }
      table.rows.back().push_back(cell(percent, {0, 100}));
      if (row.cue_cosine) {
        table.rows.back().push_back(Cell(*row.cue_cosine));
      }
      constexpr double kMinReported = 0.05;
      if (note.empty() && row.unanswered >= kMinReported) {
        note = fmt::format("{:.0f} % empty reads at {}", 100 * row.unanswered, noise_name(run, row));
      }
    }
    any_note = any_note || !note.empty();
    table.rows.back().push_back(note);
  }
  if (any_note) {
    table.columns.push_back({.name = "note"});
  } else {
    for (auto& cells : table.rows) {
      cells.pop_back();
    }
  }
  return table;
}

/// The overview table, or the detailed table with --details or with too many noise levels.
std::string results_text(const RecallRun& run, const report::TextStyle& style) {
  constexpr size_t kLevelsMax = 4;
  if (run.shows_details || run.rows.size() > kLevelsMax * run.memories.size()) {
    return report::to_text(shown_table(run, true), style);
  }
  const std::string heading =
      run.options.cues
          ? fmt::format("Readouts that are any {}, right or wrong, in % of the cues, and the mean cosine of "
                        "a cue and the stored pattern that it recalled:",
                        run.options.values ? "value" : "stored pattern")
          : "Recalled exactly, in % of the cues:";
  return fmt::format("{}\n\n", fmt::join(report::wrap(heading, report::paragraph_width(style)), "\n")) +
         report::to_text(overview_table(run), style);
}

std::string set_text(const data::PatternSet& set) {
  const int64_t count = set.patterns.count();
  return set.is_image()
             ? fmt::format("{} of {} x {}{} from {}", report::counted(count, "image"), set.height, set.width,
                           set.height == set.width ? "" : " (height x width)", set.source)
             : fmt::format("{} of {} components from {}", report::counted(count, "pattern"),
                           set.patterns.size(), set.source);
}

std::string patterns_text(const RecallRun& run) {
  return set_text(run.patterns) +
         (run.options.values ? ", each with a value: " + set_text(*run.options.values) : "");
}

const char* corruption_text(const RecallRun& run) {
  if (run.options.cues) {
    return "given cues";
  }
  switch (run.options.corruption) {
  case trials::Corruption::flip:
    return "noise: a fraction of the bits is flipped (x becomes 1 - x)";
  case trials::Corruption::cosine:
    return "noise p: cues have a cosine of 1 - 2p with their pattern (bits: a fraction p is flipped)";
  case trials::Corruption::mask:
    return run.patterns.is_image() ? "noise: the lower fraction of the image is blanked"
                                   : "noise: the last fraction of the components is set to 0";
  default:
    return "noise: a fraction of the values is set to 0 or 1 (salt and pepper)";
  }
}

std::string whole_number(double number) {
  return fmt::format("{:.0f}", number);
}

/// The parameters of a memory, such as "Hamming radius 75 of 256 bits, 100000 hard locations".
std::string settings_text(const RecallRun& run, const trials::MemoryReport& memory) {
  std::string text;
  for (const trials::MemorySetting& setting : memory.parameters.settings) {
    if (setting.name == "encoded_bits") {
      continue; // included in the text of the radius
    }
    const int64_t encoded = memory.parameters.encoded_bits;
    const std::string bits =
        encoded > 0 ? fmt::format("{} encoded", encoded) : fmt::format("{}", run.patterns.patterns.size());
    const std::string value = report::format_number(setting.value, Notation::automatic, 6);
    text += text.empty() ? "" : ", ";
    if (setting.name == "hamming_radius") {
      text += fmt::format("Hamming radius {} of {} bits", value, bits);
    } else if (setting.name == "selected_coordinates") {
      text += fmt::format("{} of {} bits",
                          report::counted(static_cast<int64_t>(setting.value), "selected coordinate"), bits);
    } else if (setting.name == "hard_locations") {
      text += whole_number(setting.value) + " hard locations";
    } else {
      text += setting.name + " " + value;
    }
    text += setting.origin.empty() ? "" : fmt::format(" ({})", setting.origin);
  }
  const trials::MemoryKind& kind = memory.kind;
  if (kind.on_bits && kind.separation != nullptr && kind.separation->name == "identity" &&
      !run.options.values) {
    text += text.empty() ? "" : ", ";
    text += trials::is_classical_hopfield(kind) ? "without self-connections" : "with self-connections";
  }
  return text.empty() ? "no parameters" : text;
}

/// Explains how radii and encodings were chosen from the patterns; empty if none were.
std::string choice_text(const RecallRun& run) {
  const auto& given = run.options.parameters;
  const auto is_chosen = [&](const trials::MemoryReport& memory) {
    return (memory.parameters.hamming_radius > 0 && !given.hamming_radius) ||
           (memory.parameters.selected_coordinates > 0 && !given.selected_coordinates);
  };
  if (std::ranges::none_of(run.memories, is_chosen) || run.patterns.patterns.count() == 1) {
    return "";
  }
  std::vector<std::string> aims;
  const auto any = [&](auto has) {
    return std::ranges::any_of(
        run.memories, [&](const trials::MemoryReport& memory) { return is_chosen(memory) && has(memory); });
  };
  const bool selects = any([](const auto& memory) { return memory.kind.uses.selected_coordinates; });
  const bool has_radius = any([](const auto& memory) { return memory.parameters.hamming_radius > 0; });
  if (any([](const trials::MemoryReport& memory) {
        return memory.parameters.hamming_radius > 0 && !memory.kind.uses.finite_locations;
      })) {
    aims.emplace_back(
        "the noise up to which a pattern has more weight than all others, if these have their mean distances "
        "from the cue");
  }
  if (any([](const trials::MemoryReport& memory) { return memory.kind.uses.finite_locations; })) {
    aims.emplace_back(
        "the fraction of correct bits after one read at 10 % noise (memories with hard locations)");
  }
  return fmt::format(
      "{} are chosen from the distances between the stored patterns, to maximise {}.{} Set {} to override "
      "this choice.",
      selects ? has_radius ? "Hamming radii and numbers of selected coordinates"
                           : "Numbers of selected coordinates"
              : "Hamming radii",
      fmt::join(aims, ", or "),
      any([](const trials::MemoryReport& memory) { return memory.parameters.encoded_bits > 0; })
          ? " Encoded bits are sparse random projections of the bits that vary between patterns; they "
            "separate "
            "similar patterns."
          : "",
      selects ? has_radius ? "--hamming-radius, --beta or --selected-coordinates" : "--selected-coordinates"
              : "--hamming-radius or --beta");
}

/// The threshold between 0 and 1, on the scale of the file.
std::string threshold_text(const RecallRun& run) {
  return fmt::format(
      "1 where a number is above {} ({})",
      report::format_number(run.patterns.threshold * run.patterns.file_scale, Notation::automatic, 6),
      run.threshold_origin);
}

bool any_memory(const RecallRun& run, bool on_bits) {
  return std::ranges::any_of(run.options.memories,
                             [&](const trials::MemoryKind& kind) { return kind.on_bits == on_bits; });
}

/// When a readout of real numbers counts as equal to a pattern.
std::string exact_numbers_text(const RecallRun& run) {
  const std::string verb = run.options.cues ? run.options.values ? "equal a value" : "equal a stored pattern"
                                            : "are recalled exactly";
  const std::string by_cosine = fmt::format("a cosine of at least {}", trials::kExactCosine);
  return run.options.normalise
             ? fmt::format("Numbers {} with {}.", verb, by_cosine)
             : fmt::format(
                   "Numbers {} within a distance of {:.1f} % of the length of the pattern; readouts of "
                   "length 1, with {}.",
                   verb, 100 * std::sqrt(2 * (1 - trials::kExactCosine)), by_cosine);
}

std::vector<std::pair<std::string, std::string>> settings(const RecallRun& run) {
  std::vector<std::pair<std::string, std::string>> all = {
      {"patterns", patterns_text(run)},
      {"cues", corruption_text(run)},
      {"trials",
       run.options.cues ? "1" : fmt::format("{}, from seed {}", run.options.seeds, run.options.seed)},
      {"update steps", fmt::format("at most {}", run.options.parameters.update_steps_max)}};
  if (any_memory(run, true)) {
    all.emplace_back("bits", threshold_text(run));
  }
  if (any_memory(run, false)) {
    all.emplace_back("real-valued memories", run.options.centre
                                                 ? "compare patterns by angle, after subtracting their mean"
                                                 : "compare patterns by angle");
  }
  for (const trials::MemoryReport& memory : run.memories) {
    all.emplace_back(memory.kind.name, settings_text(run, memory));
  }
  if (const std::string text = choice_text(run); !text.empty()) {
    all.emplace_back("choice of radii", text);
  }
  return all;
}

/// Adds remarks on patterns that a memory cannot distinguish. They are the same for all memories on bits, and
/// for all memories on real numbers.
void add_remarks_on_distinctness(const RecallRun& run, bool on_bits, std::vector<std::string>& lines) {
  const auto memory = std::ranges::find_if(
      run.memories, [&](const trials::MemoryReport& m) { return m.kind.on_bits == on_bits; });
  if (memory == run.memories.end()) {
    return;
  }
  std::vector<std::string> names;
  for (const trials::MemoryReport& each : run.memories) {
    if (each.kind.on_bits == on_bits) {
      names.push_back(each.kind.name);
    }
  }
  const std::string counts_not =
      run.options.cues ? fmt::format("does not count as \"{}\", but as ambiguous", exact_name(run))
                       : "counts as ambiguous, not as exact";
  const bool is_centred = run.options.centre && run.patterns.patterns.count() > 1;
  const char* subtracted = is_centred ? " after subtracting the mean of all patterns" : "";
  if (memory->without_direction > 0) {
    lines.push_back(
        fmt::format("{} of {} patterns {} zero{}, so {} cannot recall {}.{}", memory->without_direction,
                    memory->count, memory->without_direction == 1 ? "is" : "are", subtracted,
                    fmt::join(names, ", "), memory->without_direction == 1 ? "it" : "them",
                    is_centred ? " Use --no-centre to compare patterns without subtracting the mean."
                               : " Leave zero patterns out."));
  } else if (memory->distinct < memory->count && memory->distinct == memory->different) {
    lines.push_back(fmt::format(
        "{} of {} patterns {} identical with an earlier one, for {}. Recall of one of "
        "identical patterns counts as {}.",
        memory->count - memory->distinct, memory->count, memory->count - memory->distinct == 1 ? "is" : "are",
        fmt::join(names, ", "), run.options.cues ? fmt::format("\"{}\"", exact_name(run)) : "exact"));
  } else if (memory->distinct < memory->count && on_bits) {
    const data::PatternSet& set = run.patterns;
    const auto [lowest, highest] = std::minmax_element(
        set.patterns.data(), set.patterns.data() + set.patterns.count() * set.patterns.size());
    lines.push_back(fmt::format("Only {} of {} patterns are distinct as bits, {}. Recall of a pattern that "
                                "coincides with a different one {}. Change "
                                "--threshold (the numbers range from {} to {}).",
                                memory->distinct, memory->count, threshold_text(run), counts_not,
                                report::format_number(*lowest * set.file_scale, Notation::automatic, 4),
                                report::format_number(*highest * set.file_scale, Notation::automatic, 4)));
  } else if (memory->distinct < memory->count) {
    lines.push_back(fmt::format("{} {} of {} patterns are distinct for {} (cosine below {}{}). Recall of a "
                                "pattern that coincides with a different one {}.{}",
                                memory->all_compared ? "Only" : "At most", memory->distinct, memory->count,
                                fmt::join(names, ", "), trials::kExactCosine, subtracted, counts_not,
                                run.options.centre ? "" : " Subtract the mean (without --no-centre)."));
  }
}

/// Parameter changes that help a memory that is beyond its capacity; empty if there are none.
std::string advice_for(const RecallRun& run, const trials::MemoryKind& kind) {
  std::vector<std::string> options;
  if (run.options.parameters.hamming_radius && (kind.uses.hamming_radius || kind.uses.is_fitted)) {
    options.emplace_back(
        fmt::format("a smaller --hamming-radius than {}, or none (it is then chosen automatically)",
                    *run.options.parameters.hamming_radius));
  }
  if (kind.uses.selected_coordinates && run.options.parameters.selected_coordinates) {
    options.emplace_back(fmt::format("more --selected-coordinates than {}, or none (they are then chosen)",
                                     *run.options.parameters.selected_coordinates));
  }
  if (kind.uses.hard_locations) {
    options.emplace_back("more --hard-locations");
  }
  if (kind.uses.beta) {
    options.emplace_back("a larger --beta");
  }
  if (kind.uses.degree) {
    options.emplace_back("a larger --degree");
  }
  return fmt::format("{}", fmt::join(options, "; "));
}

/// Lists memories that are beyond their capacity, with the percentage of stored patterns that are recalled
/// when they are the cue themselves, the exceeded bound, and advice; empty if there are none.
std::string capacity_text(const RecallRun& run) {
  std::vector<std::string> overfull;
  std::vector<std::pair<std::string, std::vector<std::string>>> advice; // and the memories it applies to
  for (const trials::MemoryReport& memory : run.memories) {
    if (!memory.beyond_capacity || memory.out_of_reach) {
      continue;
    }
    overfull.push_back(fmt::format("{} ({:.0f} %{})", memory.kind.name,
                                   100 * (memory.self_recall + memory.ambiguous),
                                   memory.bound.empty() ? "" : ": " + memory.bound));
    const std::string text = advice_for(run, memory.kind);
    auto known = std::ranges::find_if(advice, [&](const auto& each) { return each.first == text; });
    if (known == advice.end()) {
      known = advice.insert(advice.end(), {text, {}});
    }
    known->second.push_back(memory.kind.name);
  }
  if (overfull.empty()) {
    return "";
  }
  std::string text =
      fmt::format("Beyond capacity: {}. In parentheses: percentage of the stored patterns that are recalled "
                  "when the cue is the pattern itself. Fewer patterns, or less similar ones, would help",
                  fmt::join(overfull, ", "));
  for (const auto& [change, names] : advice) {
    text += change.empty() ? "" : fmt::format("; {}: {}", fmt::join(names, ", "), change);
  }
  return text + ".";
}

/// Reports cues that are nearest to a wrong pattern, which no memory can recall; empty if they are few.
std::string misleading_text(const RecallRun& run) {
  struct Kind {
    std::string text, measures;
  };
  std::vector<Kind> kinds;
  constexpr std::array kMeasures{"Hamming distance", "dot product", "cosine", "Euclidean distance",
                                 "Manhattan distance"};
  std::vector<size_t> reported;
  for (const trials::MemoryReport& memory : run.memories) {
    const size_t measure = trials::measure_of(memory.kind).index();
    if (std::ranges::find(reported, measure) != reported.end()) {
      continue;
    }
    reported.push_back(measure);
    std::vector<std::string> levels;
    for (const trials::SweepRow& row : run.rows) {
      constexpr double kMinReported = 0.05;
      if (row.memory == memory.kind.name && row.misleading >= kMinReported) {
        levels.push_back(fmt::format("{:.0f} % at {}", 100 * row.misleading, noise_name(run, row)));
      }
    }
    if (levels.empty()) {
      continue;
    }
    const std::string text = fmt::format("{} as {}", fmt::join(levels, ", "),
                                         memory.kind.on_bits ? "bits" : "real numbers"),
                      name = kMeasures[measure];
    const auto known = std::ranges::find(kinds, text, &Kind::text);
    if (known == kinds.end()) {
      kinds.push_back({text, memory.kind.on_bits ? "" : "by " + name});
    } else {
      known->measures += " and " + name;
    }
  }
  std::vector<std::string> texts;
  for (const Kind& kind : kinds) {
    texts.push_back(kind.measures.empty() ? kind.text : fmt::format("{}, {}", kind.text, kind.measures));
  }
  return kinds.empty() ? ""
                       : fmt::format("Cues that are nearer to another stored pattern than to their own are "
                                     "rarely recalled: {}.",
                                     fmt::join(texts, "; "));
}

/// Reason why a cue reads nothing, such as "no stored pattern is within twice its Hamming radius, 102 of 256
/// bits".
std::string empty_read_text(const RecallRun& run, const trials::MemoryReport& memory) {
  const trials::MemoryUses& uses = memory.kind.uses;
  const int64_t radius = memory.parameters.hamming_radius, encoded = memory.parameters.encoded_bits,
                bits = encoded > 0 ? encoded : run.patterns.patterns.size();
  if (uses.hard_locations || uses.equal_within_radius) {
    return fmt::format("no {} is within its Hamming radius of {} of {} bits",
                       uses.hard_locations ? "hard location" : "stored pattern", radius, bits);
  }
  if (uses.finite_locations) {
    return fmt::format(
        "no hard location is within its Hamming radius of {} of {} bits from both the cue and a "
        "stored pattern",
        radius, bits);
  }
  return fmt::format("no stored pattern is within twice its Hamming radius, {} of {} bits", 2 * radius, bits);
}

/// Advice if at least half of the cues of a noise level read nothing; else empty.
std::string empty_reads_text(const RecallRun& run, const trials::MemoryReport& memory) {
  constexpr double kMinReported = 0.5;
  const auto row = std::ranges::find_if(run.rows, [&](const trials::SweepRow& each) {
    return each.memory == memory.kind.name && each.unanswered >= kMinReported;
  });
  if (row == run.rows.end() || memory.out_of_reach || !memory.kind.uses.hamming_radius) {
    return "";
  }
  return fmt::format("{}: for {:.0f} % of the cues ({}) {}. Increase --hamming-radius{}.", memory.kind.name,
                     100 * row->unanswered, noise_name(run, *row), empty_read_text(run, memory),
                     memory.kind.uses.hard_locations ? ", or --hard-locations" : "");
}

/// Remarks that explain the results: notes on the input, patterns that coincide, and memories that are beyond
/// their capacity, with advice.
std::vector<std::string> remarks(const RecallRun& run) {
  std::vector<std::string> lines = run.notes;
  const int64_t stored = run.patterns.patterns.count(),
                cues = trials::cues_per_trial(run.patterns, run.options);
  if (!run.options.cues && cues < stored) {
    lines.push_back(
        fmt::format("In each trial, {} of {} patterns are cues, spread evenly{}.", cues, stored,
                    run.options.cues_max ? "" : ", to limit the time; with --cues-max 0, all of them are"));
  }
  for (const bool on_bits : {true, false}) {
    add_remarks_on_distinctness(run, on_bits, lines);
  }
  for (const trials::MemoryReport& memory : run.memories) {
    if (memory.out_of_reach && memory.kind.uses.selected_coordinates) {
      lines.push_back(fmt::format("{}: most patterns activate none of {} hard locations with {} selected "
                                  "coordinates, so cues are returned unchanged. Decrease "
                                  "--selected-coordinates, or increase --hard-locations.",
                                  memory.kind.name, whole_number(memory.parameters.hard_locations),
                                  memory.parameters.selected_coordinates));
    } else if (memory.out_of_reach && !has_reach(memory.kind)) {
      if (memory.without_direction == 0) { // else a remark explains it
        lines.push_back(
            fmt::format("{}: for most patterns the weights of all stored patterns are 0, so cues are "
                        "returned unchanged.",
                        memory.kind.name));
      }
    } else if (memory.out_of_reach) {
      lines.push_back(fmt::format("{}: for most patterns {}, so cues are returned unchanged. Increase "
                                  "--hamming-radius, or leave it out so that it is chosen automatically{}.",
                                  memory.kind.name, empty_read_text(run, memory),
                                  memory.kind.uses.hard_locations ? ", or increase --hard-locations" : ""));
    }
    if (std::string text = empty_reads_text(run, memory); !text.empty()) {
      lines.push_back(std::move(text));
    } else if (has_too_few_locations(run, memory)) {
      lines.push_back(
          fmt::format("{}: {} hard locations are too few to recall these patterns from noisy cues{}.",
                      memory.kind.name, whole_number(memory.parameters.hard_locations),
                      memory.kind.uses.hard_locations ? "; increase --hard-locations" : ""));
    }
  }
  for (const std::string& text : {capacity_text(run), misleading_text(run)}) {
    if (!text.empty()) {
      lines.push_back(text);
    }
  }
  return lines;
}

/// The parameters of memories that were given, null for the others.
nlohmann::ordered_json given_parameters(const trials::ParameterChoices& choices) {
  nlohmann::ordered_json given;
  const auto add = [&](const char* name, const auto& value) {
    given[name] = value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  add("hamming_radius", choices.hamming_radius);
  add("beta", choices.beta);
  add("alpha", choices.alpha);
  add("degree", choices.degree);
  add("selected_coordinates", choices.selected_coordinates);
  const bool is_default = choices.hard_locations == trials::ParameterChoices().hard_locations;
  add("hard_locations", is_default ? std::optional<int64_t>() : choices.hard_locations);
  return given;
}

nlohmann::ordered_json values_json(const RecallRun& run) {
  if (!run.options.values) {
    return nullptr;
  }
  const data::PatternSet& set = *run.options.values;
  return {{"source", set.source}, {"size", set.patterns.size()}, {"threshold", set.threshold}};
}

nlohmann::ordered_json config_json(const RecallRun& run) {
  const data::PatternSet& set = run.patterns;
  nlohmann::ordered_json memories = nlohmann::ordered_json::array();
  nlohmann::ordered_json requested = nlohmann::ordered_json::array();
  for (const trials::MemoryKind& kind : run.options.memories) {
    requested.push_back(kind.name);
  }
  for (const trials::MemoryReport& memory : run.memories) {
    nlohmann::ordered_json parameters = nlohmann::ordered_json::object();
    nlohmann::ordered_json origins = nlohmann::ordered_json::object();
    for (const trials::MemorySetting& setting : memory.parameters.settings) {
      parameters[setting.name] = setting.value;
      if (!setting.origin.empty()) {
        origins[setting.name] = setting.origin;
      }
    }
    memories.push_back({{"name", memory.kind.name},
                        {"title", memory.kind.title},
                        {"steps", memory.kind.steps},
                        {"parameters", parameters},
                        {"parameter_origins", origins},
                        {"distinct", memory.distinct},
                        {"different", memory.different},
                        {"without_direction", memory.without_direction},
                        {"self_recall", memory.self_recall},
                        {"ambiguous", memory.ambiguous},
                        {"beyond_capacity", memory.beyond_capacity},
                        {"out_of_reach", memory.out_of_reach},
                        {"bound", memory.bound}});
  }
  nlohmann::ordered_json config = {{"version", version()},
                                   {"verb", "recall"},
                                   {"seed", run.options.seed},
                                   {"seeds", run.options.cues ? 1 : run.options.seeds},
                                   {"complete", run.is_complete},
                                   {"patterns",
                                    {{"source", set.source},
                                     {"count", set.patterns.count()},
                                     {"size", set.patterns.size()},
                                     {"height", set.height},
                                     {"width", set.width},
                                     {"channels", set.channels},
                                     {"threshold", set.threshold},
                                     {"threshold_of_file", set.threshold * set.file_scale},
                                     {"threshold_origin", run.threshold_origin}}},
                                   {"values", values_json(run)},
                                   {"notes", run.notes},
                                   {"noise", run.options.cues ? std::vector<double>{} : run.options.noise},
                                   {"cues_per_trial", trials::cues_per_trial(run.patterns, run.options)},
                                   {"corruption", corruption_text(run)},
                                   {"update_steps_max", run.options.parameters.update_steps_max},
                                   {"centred", run.options.centre},
                                   {"normalised", run.options.normalise},
                                   {"memories_asked", requested},
                                   {"memories", memories},
                                   {"readouts", run.readout_files}};
  config.update(given_parameters(run.options.parameters));
  return config;
}

/// The readout files that the config.json of an earlier run lists; empty if there is no readable config.json.
std::vector<std::string> earlier_readouts(const std::filesystem::path& folder) {
  std::ifstream file(folder / "config.json");
  const nlohmann::json config = nlohmann::json::parse(file, nullptr, false);
  std::vector<std::string> names;
  if (config.is_object() && config.contains("readouts") && config["readouts"].is_array()) {
    for (const nlohmann::json& name : config["readouts"]) {
      // Only names that this program writes, so that a forged config.json cannot make it delete other files.
      if (name.is_string() && name.get<std::string>().starts_with("recalled-") &&
          name.get<std::string>().find('/') == std::string::npos) {
        names.push_back(name);
      }
    }
  }
  return names;
}

void remove_readouts(const std::vector<std::string>& names, const std::vector<std::string>& kept,
                     const std::filesystem::path& folder) {
  for (const std::string& name : names) {
    if (std::ranges::find(kept, name) == kept.end()) {
      std::error_code ignored; // the file does not exist, or cannot be removed
      std::filesystem::remove(folder / name, ignored);
    }
  }
}

report::Chart chart_of(const RecallRun& run, const std::string& title, const std::string& description,
                       report::Axis y, const trials::MeanInterval trials::SweepRow::*measure) {
  if (run.options.noise.size() == 1) {
    y.title += fmt::format(" at {:.3g} % noise", 100 * run.options.noise[0]);
    report::BarChart chart{
        .title = title, .description = description, .category_title = "memory", .value = std::move(y)};
    for (const trials::SweepRow& row : run.rows) {
      chart.bars.push_back({.category = row.memory, .value = report::estimate_of(row.*measure)});
    }
    return report::to_chart(chart);
  }
  report::LineChart chart{.title = title,
                          .description = description,
                          .x = {.title = "noise", .format = ".0%"},
                          .y = std::move(y),
                          .series_title = "memory"};
  for (const trials::SweepRow& row : run.rows) {
    if (chart.series.empty() || chart.series.back().name != row.memory) {
      chart.series.push_back({.name = row.memory, .style = report::style_of_series(chart.series.size())});
    }
    chart.series.back().points.push_back({*row.noise, report::estimate_of(row.*measure)});
  }
  return report::to_chart(chart);
}

/// Picture of a pattern of the same kind as those of `set`.
report::Raster raster(const data::PatternSet& set, const RealPatterns& patterns, int64_t index) {
  if (set.threshold == 0.5) {
    return report::to_raster(patterns, index, set.image_shape());
  }
  // The numbers have no natural range: black and white are the negative and positive maximum of the shown
  // patterns.
  double max = 0;
  for (int64_t i = 0; i < std::min<int64_t>(RecallRun::kPatternsShown, set.patterns.count()); ++i) {
    for (const double x : set.patterns[i]) {
      max = std::max(max, std::abs(x));
    }
  }
  max = max > 0 ? max : 1;
  return report::to_raster(patterns, index, set.image_shape(), -max, max);
}

report::Frame frame_of(const RecallRun& run, size_t row, int64_t index) {
  const double likeness = run.shown[row].cosines[static_cast<size_t>(index)];
  return run.shown[row].exact[static_cast<size_t>(index)] ? report::Frame::exact
         : likeness >= kCloseCosine                       ? report::Frame::close
                                                          : report::Frame::wrong;
}

/// Pictures of the first patterns (stored, cue, recalled): one row per memory, one group of rows per noise
/// level.
report::Sheet sheet_of(const RecallRun& run) {
  report::Sheet sheet{.title = "mneme recall: " + set_text(run.patterns) +
                               (run.options.values ? ", with values" : "")};
  const int64_t shown = run.shown.empty() ? 0 : run.shown.front().cues.count();
  for (int64_t i = 0; i < shown; ++i) {
    sheet.columns.insert(sheet.columns.end(), {run.options.values ? "value" : "stored", "cue", "recalled"});
  }
  const size_t levels = run.options.cues ? 1 : run.options.noise.size();
  for (size_t level = 0; level < levels; ++level) {
    report::SheetGroup group{.heading = run.options.cues
                                            ? "given cues"
                                            : fmt::format("noise {:.4g} %", 100 * run.options.noise[level])};
    for (size_t row = level; row < run.rows.size(); row += levels) {
      const trials::MemoryReport& memory = memory_of(run, run.rows[row]);
      report::SheetRow line{.caption = note_on(run, memory).empty()
                                           ? memory.kind.name
                                           : fmt::format("{} ({})", memory.kind.name, note_on(run, memory))};
      for (int64_t i = 0; i < shown; ++i) {
        const trials::SweepExamples& pictures = run.shown[row];
        const data::PatternSet& values = run.values();
        line.cells.push_back({raster(values, values.patterns, pictures.targets[static_cast<size_t>(i)])});
        line.cells.push_back({raster(run.patterns, pictures.cues, i)});
        line.cells.push_back({raster(values, pictures.readouts, i), frame_of(run, row, i)});
      }
      group.rows.push_back(std::move(line));
    }
    sheet.groups.push_back(std::move(group));
  }
  return sheet;
}

report::Page page_of(const RecallRun& run, const std::string& sheet_png,
                     const std::vector<report::Chart>& charts) {
  report::Page page{
      .title = "Recall results",
      .intro = fmt::format(
          "Stored patterns: {}. Each memory was queried with {} cues, and {}. Every memory consists of three "
          "steps: similarity, separation and projection.",
          patterns_text(run), run.options.cues ? "the given" : "noisy",
          run.options.values ? "its readout is compared with the value of the cue's pattern"
                             : "each readout became the next query until it converged")};
  report::Section results{.heading = "Results"};
  if (!run.is_complete) {
    results.blocks.push_back(
        report::Note{"The run was interrupted: only the memories that had finished are shown.", true});
  }
  for (const std::string& remark : remarks(run)) {
    results.blocks.push_back(report::Note{remark, true});
  }
  for (const report::Chart& chart : charts) {
    results.blocks.push_back(chart);
  }
  results.blocks.push_back(report::CaptionedTable{
      .table = shown_table(run, false),
      .caption = trials_of(run) == 1 ? "One trial, so there are no confidence intervals"
                                     : "Means over trials with 95 % confidence intervals",
      .remark = fmt::format(
          "{}: all bits are {}, or the cosine is at least {} for real-valued memories.{} Ambiguous: the "
          "recalled pattern coincides with different ones, and is not counted there; identical patterns are "
          "one "
          "pattern. Empty reads: nothing was within reach of the cue, "
          "so it was returned unchanged.",
          run.options.cues ? run.options.values ? "Any value" : "Any stored pattern" : "Recalled exactly",
          run.options.cues ? "those of any of them" : "correct", trials::kExactCosine,
          run.options.cues
              ? " The right pattern of a given cue is not known. Cue cosine: mean cosine of a cue "
                "and the stored pattern that it recalled."
              : "")});
  page.sections.push_back(std::move(results));
  if (!sheet_png.empty()) {
    page.sections.push_back(
        {.heading = "Patterns",
         .blocks = {report::Picture{
             .png = sheet_png,
             .alt = "Stored patterns, noisy cues and the readouts of each memory, by noise level",
             .caption = "The first patterns of the first trial: stored, cue, recalled.",
             .pixelated = true}}});
  }
  Table memories{.columns = {{.name = "memory"},
                             {.name = "description"},
                             {.name = "similarity -> separation -> projection", .key = "steps"}}};
  for (const trials::MemoryReport& memory : run.memories) {
    memories.rows.push_back({memory.kind.name, memory.kind.title, memory.kind.steps});
  }
  page.sections.push_back({.heading = "Memories and settings",
                           .blocks = {report::CaptionedTable{memories, "The three steps of each memory."},
                                      report::Parameters{settings(run)}}});
  return page;
}

} // namespace

std::string level_name(const trials::SweepRow& row) {
  return row.noise ? "noise-" + report::exact_number(*row.noise) : "given";
}

std::string recall_text(const RecallRun& run, const report::TextStyle& style) {
  const int64_t paragraph = report::paragraph_width(style);
  // Sentences that stay on one line unless the terminal is narrower.
  const auto line_of = [&](const std::string& sentence) {
    return style.width > 0 ? fmt::format("{}\n", fmt::join(report::wrap(sentence, style.width), "\n"))
                           : sentence + "\n";
  };
  std::string text = line_of(fmt::format("{}; {}", patterns_text(run), corruption_text(run))) + "\n";
  text += results_text(run, style);
  for (const std::string& remark : remarks(run)) {
    for (const std::string& line : report::wrap(remark, paragraph)) {
      text += "\n" + line;
    }
    text += "\n";
  }
  const int64_t trials = trials_of(run);
  text += "\n" +
          line_of(fmt::format("Seed {}, {}; at most {} update step{}.", run.options.seed,
                              trials == 1 ? std::string("one trial")
                                          : fmt::format("{} trials each, 95 % confidence intervals", trials),
                              run.options.parameters.update_steps_max,
                              run.options.parameters.update_steps_max == 1 ? "" : "s"));
  if (any_memory(run, true)) {
    text += line_of("Bits are " + threshold_text(run) + ".");
  }
  if (any_memory(run, false)) {
    text += line_of(exact_numbers_text(run));
  }
  size_t width = 0;
  for (const trials::MemoryReport& memory : run.memories) {
    width = std::max(width, memory.kind.name.size());
  }
  constexpr int64_t kMinSettings = 16, kAround = 4; // columns of settings, and of the spaces before them
  const int64_t settings_width = std::max(
      std::min(paragraph, style.width > 0 ? style.width - kAround : paragraph) - static_cast<int64_t>(width),
      kMinSettings);
  for (const trials::MemoryReport& memory : run.memories) {
    std::string name = memory.kind.name;
    for (const std::string& line : report::wrap(settings_text(run, memory), settings_width)) {
      text += fmt::format("  {:<{}}  {}\n", name, width, line);
      name.clear();
    }
  }
  if (const std::string choice = choice_text(run); !choice.empty()) {
    for (const std::string& line : report::wrap(choice, paragraph)) {
      text += line + "\n";
    }
  }
  return text;
}

nlohmann::ordered_json recall_settings(const RecallRun& run) {
  nlohmann::ordered_json settings = config_json(run);
  for (const char* result : {"version", "complete", "notes", "memories", "readouts"}) {
    settings.erase(result);
  }
  return settings;
}

nlohmann::ordered_json recall_json(const RecallRun& run, int threads) {
  nlohmann::ordered_json document = {{"parameters", config_json(run)}};
  document["results"] = report::to_json(results_table(run));
  for (size_t memory = 0; memory < run.matches.size(); ++memory) { // one row each
    const RecallRun::Matches& matches = run.matches[memory];
    nlohmann::ordered_json recalled = {{"row", nlohmann::ordered_json::array()},
                                       {"cosine", matches.cosines},
                                       {"exact", matches.exact},
                                       {"cue_cosine", matches.cue_cosines}};
    for (const int64_t row : matches.rows) {
      recalled["row"].push_back(row + run.first_value);
      if (has_classes(run)) {
        recalled["label"].push_back(class_of(run, row));
      }
    }
    document["results"][memory]["recalled"] = std::move(recalled);
  }
  document["timing"] = {{"recall", report::to_json(timing_table(run))}};
  document["environment"] = environment_json(threads);
  return document;
}

std::string recall_csv(const RecallRun& run) {
  return report::to_csv(results_table(run));
}

std::string recall_drawing(const RecallRun& run, const report::TextStyle& style) {
  if (run.rows.empty()) {
    return "";
  }
  const size_t levels = run.options.cues ? 1 : run.options.noise.size(), level = levels / 2;
  // At most three memories are drawn: the first, the middle and the last of those that can store the
  // patterns, or of all memories if none can.
  std::vector<size_t> drawn, all(run.memories.size());
  std::iota(all.begin(), all.end(), 0);
  std::ranges::copy_if(all, std::back_inserter(drawn), [&](size_t m) {
    return !run.memories[m].beyond_capacity && !run.memories[m].out_of_reach;
  });
  if (drawn.empty()) {
    drawn = all;
  }
  if (drawn.size() > 3) {
    drawn = {drawn.front(), drawn[drawn.size() / 2], drawn.back()};
  }
  std::vector<report::TerminalPattern> pictures;
  const trials::SweepExamples& first = run.shown[drawn.front() * levels + level];
  for (int64_t i = 0; i < std::min<int64_t>(2, first.cues.count()); ++i) {
    pictures.push_back({raster(run.values(), run.values().patterns, first.targets[static_cast<size_t>(i)]),
                        run.options.values ? "value" : "stored", ""});
    pictures.push_back({raster(run.patterns, first.cues, i), "cue", ""});
    for (const size_t m : drawn) {
      pictures.push_back(
          {raster(run.values(), run.shown[m * levels + level].readouts, i), run.memories[m].kind.name, ""});
    }
  }
  const std::string heading =
      run.options.cues ? "Given cues:" : fmt::format("Noise {:.4g} %:", 100 * run.options.noise[level]);
  return heading + "\n" +
         report::draw_patterns(pictures,
                               {.width = style.width > 0 ? style.width : 100, .colour = style.colour});
}

void write_recall_files(const RecallRun& run, const std::filesystem::path& folder, int threads) {
  remove_readouts(earlier_readouts(folder), run.readout_files, folder);
  write_file_atomically(folder / "config.json", report::json_text(config_json(run)));
  write_file_atomically(folder / "env.json", report::json_text(environment_json(threads)));
  write_file_atomically(folder / "results.csv", report::to_csv(results_table(run)));
  if (run.options.cues) {
    write_file_atomically(folder / "recalled.csv", report::to_csv(matches_table(run)));
  }
  write_file_atomically(folder / "timing.csv", report::to_csv(timing_table(run)));
  std::vector<report::Chart> charts;
  if (!run.options.cues && !run.rows.empty()) {
    charts.push_back(chart_of(run, "Recalled exactly",
                              "Fraction of cues recalled exactly against noise, one line per memory",
                              {.title = "recalled exactly",
                               .format = ".0%",
                               .range = std::pair(0.0, 1.0),
                               .limits = std::pair(0.0, 1.0)},
                              &trials::SweepRow::exact));
    charts.push_back(chart_of(run, "Similarity of the readout",
                              "Mean cosine between readout and pattern against noise, one line per memory",
                              {.title = "cosine to the pattern", .limits = std::pair(-1.0, 1.0)},
                              &trials::SweepRow::cosine));
    report::write_chart(folder, "exact", charts[0]);
    report::write_chart(folder, "cosine", charts[1]);
  } else {
    report::remove_chart(folder, "exact");
    report::remove_chart(folder, "cosine");
  }
  std::string sheet_png;
  if (!run.rows.empty()) {
    data::write_png(folder / "sheet.png", report::draw_sheet(sheet_of(run), {.close = "cosine 0.9 or more"}));
    const std::vector<std::byte> bytes = data::read_file(folder / "sheet.png");
    sheet_png.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else {
    std::error_code ignored;
    std::filesystem::remove(folder / "sheet.png", ignored); // of an earlier run
  }
  report::write_page(folder / "index.html", page_of(run, sheet_png, charts));
}

} // namespace mneme::cli
