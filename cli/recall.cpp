// SPDX-License-Identifier: MIT

/// `mneme recall`: stores patterns in memories, recalls them from noisy cues, and reports the accuracy.

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/common_options.h"
#include "cli/figure_export.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/recall_counts.h"
#include "cli/recall_file.h"
#include "cli/recall_report.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "mneme/core/error.h"
#include "mneme/core/random.h"
#include "mneme/core/text.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/npy.h"
#include "mneme/data/random_patterns.h"
#include "mneme/data/read_file.h"
#include "mneme/data/scale.h"
#include "mneme/data/threshold.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

/// COUNT and SIZE of "PREFIXCOUNTxSIZE" with a prefix such as "random:"; empty if `text` does not begin with
/// the prefix.
std::optional<std::pair<int64_t, int64_t>> parse_random_size(const std::string& text,
                                                             const std::string& prefix) {
  if (!text.starts_with(prefix)) {
    return std::nullopt;
  }
  const std::string size = text.substr(prefix.size());
  const size_t cross = size.find('x');
  if (size.starts_with('x') || size.ends_with('x') || cross == std::string::npos) {
    throw UsageError(
        fmt::format("--patterns {}: a count and a size are required, such as {}1000x256.", text, prefix));
  }
  constexpr IntegerLimits kLimits{.min = 1, .max = 10'000'000};
  return std::pair(parse_integer("--patterns", size.substr(0, cross), kLimits),
                   parse_integer("--patterns", size.substr(cross + 1), kLimits));
}

/// Description of every named memory, two lines each, for the end of the help.
std::string memories_help() {
  std::string text = "Memories (--memory):";
  for (const trials::MemoryKind& kind : trials::memory_kinds()) {
    text += fmt::format("\n  {:<21}  {}\n{:25}{}", kind.name, kind.description, "", kind.use_case);
  }
  return text;
}

/// Random stream of random cues; it differs from that of random patterns, so that the two are independent.
/// Sweeps use the streams 1 (noise) and 2 (hard locations).
constexpr uint64_t kStreamOfCues = 3;
/// That of random values. Parameters have the stream 4.
constexpr uint64_t kStreamOfValues = 5;

class RecallVerb : public Verb {
public:
  std::string name() const override { return "recall"; }
  std::string summary() const override {
    return "store patterns in associative memories, recall them from noisy cues, and measure the accuracy";
  }

  std::vector<std::string> completions(const std::string& option) const override {
    if (option != "--memory") {
      return {};
    }
    std::vector<std::string> names = trials::names_of(trials::memory_kinds());
    names.insert(names.begin(), {"paper", "all"});
    return names;
  }

  void declare(Arguments& arguments) override {
    arguments
        .add_option(
            "--patterns", patterns_,
            "Patterns to store: files, wildcards such as '*.npy', or folders of idx, npy, npz, png, pgm, "
            "csv, "
            "CIFAR-10, "
            "safetensors or pt files, also compressed (.gz); - for stdin; random:COUNTxBITS for random bit "
            "patterns; sphere:COUNTxSIZE for random unit vectors (default: built-in letters and digits)")
        ->type_name("PATH");
    add_integer_option(arguments, "--limit", limit_, {.min = 0}, "Store only the first N patterns (0: all)");
    given_.counts = add_parsed_option(
        arguments, "--counts", "N,..", "all patterns",
        [this](const std::string& name, const std::string& text) {
          counts_ = parse_integers(name, text, {.min = 1, .max = 10'000'000});
          std::ranges::sort(counts_);
          counts_.erase(std::unique(counts_.begin(), counts_.end()), counts_.end());
        },
        "Numbers of patterns to store, such as 10,20,40 or 10..100..10: measures recall of the first N "
        "patterns "
        "for each of them");
    given_.tensor = arguments.add_option(
        "--tensor", tensor_, "Name of the array in npz, safetensors and pt files of --patterns and --cues");
    given_.tensor->type_name("NAME");
    given_.packed = add_choice_option<std::optional<data::BitOrder>>(
        arguments, "--packed", packed_,
        {{"none", std::nullopt}, {"little", data::BitOrder::little}, {"big", data::BitOrder::big}},
        "Bit order of byte arrays of packed bits in --patterns and --cues (numpy.packbits: big; none: bytes "
        "are "
        "not packed bits)");
    given_.bits =
        add_integer_option(arguments, "--bits", bits_, {.min = 0},
                           "With --packed: bits per pattern, if they do not fill the last byte (0: all)");
    given_.transpose =
        arguments.add_flag("--transpose", transpose_,
                           "Swap rows and columns of the images in --patterns and --cues (EMNIST needs it)");
    arguments
        .add_option(
            "--cues", cues_,
            "Cues to use instead of noisy copies of the patterns; same sources as --patterns. "
            "Their right pattern is not known: the percentage of readouts that are any stored pattern "
            "is reported, with the cosine of cue and pattern")
        ->type_name("PATH");
    given_.cues_tensor = arguments.add_option("--cues-tensor", cues_tensor_,
                                              "As --tensor, for the files of --cues (default: the same)");
    given_.cues_tensor->type_name("NAME");
    arguments
        .add_option("--values", values_,
                    "Patterns that are recalled in place of --patterns, one for each, of any size; same "
                    "sources as --patterns (heteroassociative)")
        ->type_name("PATH");
    given_.values_tensor =
        arguments.add_option("--values-tensor", values_tensor_, "As --tensor, for the files of --values");
    given_.values_tensor->type_name("NAME");
    arguments.add_flag("--sequence", is_sequence_,
                       "Store a sequence: the value of each pattern is the next one");
    given_.noise = add_reals_option(arguments, "--noise", options_.noise, {},
                                    "Noise levels p of the cues, such as the fraction of flipped bits");
    given_.corrupt = add_choice_option<std::optional<trials::Corruption>>(
        arguments, "--corrupt", corruption_,
        {{"auto", std::nullopt},
         {"flip", trials::Corruption::flip},
         {"cosine", trials::Corruption::cosine},
         {"mask", trials::Corruption::mask},
         {"salt-pepper", trials::Corruption::salt_and_pepper}},
        "Noise of the cues. flip: flip a fraction p of the bits; cosine: rotate to a cosine of 1 - 2p with "
        "the "
        "pattern; mask: blank the lower fraction p of the image; salt-pepper: set a fraction p to 0 or 1; "
        "auto: "
        "flip for images and bits, cosine for other numbers");
    arguments
        .add_option(
            "--memory", memories_,
            "Memories to compare, separated by commas; paper: the seven of \"Attention Approximates Sparse "
            "Distributed Memory\"; all: all of them; or names out of: " +
                fmt::format("{}", fmt::join(trials::names_of(trials::memory_kinds()), ", ")))
        ->delimiter(',')
        ->type_name("NAMES")
        ->default_str("paper; only the custom memory with --similarity, --separation or --projection");
    add_step_option(arguments, "--similarity", trials::similarities(), steps_.similarity, "cosine",
                    "First step of a custom memory (used instead of or in addition to --memory): score of a "
                    "cue and a stored pattern; euclidean: minus the squared distance, manhattan: minus the "
                    "distance");
    add_step_option(
        arguments, "--separation", trials::separations(), steps_.separation, "softmax",
        "Second step of the custom memory: function from scores to weights of the stored patterns");
    add_step_option(arguments, "--projection", trials::projections(), steps_.projection,
                    "normalise; majority with hamming",
                    "Third step of the custom memory: function from the weighted patterns to the readout; "
                    "with majority the memory stores bits (a tie of votes gives 0), else real numbers");
    given_.seeds = add_integer_option(arguments, "--seeds", options_.seeds, {.min = 1, .max = 1'000'000},
                                      "Number of trials per memory and noise level");
    given_.cues_max = add_parsed_option(
        arguments, "--cues-max", "N", "as many as take a few seconds per memory, at least 100",
        [this](const std::string& name, const std::string& text) {
          options_.cues_max = parse_integer(name, text, {.min = 0});
        },
        "Maximum number of patterns that are cues in each trial, spread evenly (0: all)");
    given_.update_steps = add_integer_option(
        arguments, "--update-steps", options_.parameters.update_steps_max, {.min = 1, .max = 1'000'000},
        "Maximum number of update steps; a cue stops earlier when it has converged");
    given_.hamming_radius = add_parsed_option(
        arguments, "--hamming-radius", "BITS", "chosen from the distances between the patterns",
        [this](const std::string& name, const std::string& text) {
          options_.parameters.hamming_radius = parse_integer(name, text);
        },
        "Hamming radius of SDM, of separations that have a radius, and of the fit of beta; if given, "
        "patterns are "
        "not encoded for hard locations");
    given_.beta = add_parsed_option(
        arguments, "--beta", "BETA", "fitted to the radius; transformer: 1/sqrt(n)",
        [this](const std::string& name, const std::string& text) {
          if (text == "inf" || text == "infinity") {
            throw UsageError(
                fmt::format("{} {}: the limit of softmax, sparsemax, entmax and normmax for large "
                            "inverse temperatures is best match.\n  Use --separation best-match.",
                            name, text));
          }
          options_.parameters.beta = parse_real(name, text, {.min = 0});
        },
        "Inverse temperature of softmax, entmax15, sparsemax, normmax and entmax in all memories that use "
        "one of "
        "them; it multiplies the unscaled scores, such as cosines");
    given_.alpha = add_parsed_option(
        arguments, "--alpha", "X",
        fmt::format("{}", trials::step_named(trials::separations(), "entmax").default_alpha),
        [this](const std::string& name, const std::string& text) {
          options_.parameters.alpha = parse_real(name, text, {.min = 1, .max = 2, .min_included = false});
        },
        "alpha of the separation entmax: the limit 1 is softmax, 2 is sparsemax");
    given_.degree = add_parsed_option(
        arguments, "--degree", "X", "the beta of softmax, rounded up",
        [this](const std::string& name, const std::string& text) {
          options_.parameters.degree = parse_real(name, text, {.min = 0, .min_included = false});
        },
        "Exponent of the separation polynomial and of the memory dense: 1 less than that of its energy");
    given_.hard_locations = add_integer_option(
        arguments, "--hard-locations", options_.parameters.hard_locations, {.min = 1, .max = 1'000'000'000},
        "Number of hard locations of sdm, selected-sdm and hyperplane-sdm");
    given_.selected_coordinates = add_parsed_option(
        arguments, "--selected-coordinates", "K", "chosen from the distances between the patterns",
        [this](const std::string& name, const std::string& text) {
          options_.parameters.selected_coordinates = parse_integer(name, text, {.min = 1});
        },
        "Number of bits that each hard location of selected-sdm and hyperplane-sdm compares; if given, "
        "patterns are not encoded");
    given_.threshold = add_parsed_option(
        arguments, "--threshold", "X",
        "half of white for images, 0.5 for 0/1 data, 0 for signed numbers, else Otsu's threshold",
        [this](const std::string& name, const std::string& text) { threshold_ = parse_real(name, text); },
        "Numbers above X are 1 for memories on bits, all others 0; X is on the scale of the file, such as 0 "
        "to "
        "255");
    given_.no_centre = arguments.add_flag(
        "--no-centre", no_centre_, "Do not subtract the mean of the stored patterns in real-valued memories");
    given_.no_normalise = arguments.add_flag(
        "--no-normalise", no_normalise_,
        "Do not scale patterns and cues to length 1 in real-valued memories, and write readouts as they are; "
        "with --no-centre, memories compare the numbers of the files");
    arguments.add_flag("--csv", csv_, "Print the results as CSV");
    arguments.add_flag("--details", details_,
                       "Print one row per memory and noise level, with wrong bits, cosine, steps and "
                       "the time of the recalls, without that of storing the patterns");
    add_choice_option<Draw>(arguments, "--draw", draw_,
                            {{"auto", Draw::automatic}, {"always", Draw::always}, {"never", Draw::never}},
                            "Draw a few patterns with block characters (auto: on a terminal)");
    arguments
        .add_option(
            "--save", save_,
            "Write the stored patterns, and the options of this command that change what is recalled, to "
            "a file (.safetensors) for --load")
        ->type_name("FILE");
    arguments
        .add_option("--load", load_,
                    "Patterns and options of a file of --save, instead of --patterns; options that are given "
                    "here replace those of the file")
        ->type_name("FILE");
    figures_.declare(arguments);
    arguments.footer(memories_help());
  }

  ExitCode run(Context& context) override {
    uint64_t seed = context.options.seed;
    std::optional<data::PatternSet> loaded;
    if (!load_.empty()) {
      uint64_t saved = seed;
      loaded = load_file(saved);
      seed = context.options.seed_is_given ? seed : saved;
    }
    const bool is_custom = steps_ != trials::MemorySteps{};
    if (!is_custom || !memories_.empty()) {
      options_.memories =
          trials::memory_kinds_named(memories_.empty() ? std::vector<std::string>{"paper"} : memories_);
    }
    if (is_custom) {
      options_.memories.push_back(trials::composed_memory(trials::with_defaults(steps_)));
    }
    check_values();
    options_.seed = seed;
    options_.centre = !no_centre_;
    options_.normalise = !no_normalise_;
    check_unused_options();
    if (csv_ && context.options.json) {
      throw UsageError("--csv and --json cannot be combined.\n  Leave out one of them.");
    }
    const std::pair<bool, const char*> without_drawing[] = {
        {context.options.json, "--json"}, {csv_, "--csv"}, {!counts_.empty(), "--counts"}};
    for (const auto& [given, option] : without_drawing) {
      if (given && draw_ == Draw::always) {
        throw UsageError(
            fmt::format("--draw always has no effect with {}.\n  Leave out one of the two options.", option));
      }
    }
    if (figures_.is_requested() && (context.options.out.empty() || !cues_.empty())) {
      throw UsageError(
          context.options.out.empty()
              ? "--figures writes next to the other files of --out.\n  Give --out DIR as well."
              : "--figures: there is no chart over noise for the cues of --cues.\n  Leave out --figures.");
    }
    figures_.prepare();
    std::vector<double> levels; // without duplicates, in the given order
    std::ranges::copy_if(options_.noise, std::back_inserter(levels),
                         [&](double noise) { return std::ranges::find(levels, noise) == levels.end(); });
    options_.noise = levels;
    if (std::ranges::any_of(patterns_, data::is_standard_input) &&
        std::ranges::any_of(cues_, data::is_standard_input)) {
      throw UsageError("--patterns and --cues are both standard input, which can be read only once.\n  Give "
                       "a file for one "
                       "of them.");
    }
    RecallRun result{.patterns = loaded ? std::move(*loaded) : load(patterns_, tensor_, Random(seed))};
    if (!cues_.empty()) {
      options_.cues =
          load(cues_, tensor_of(cues_, cues_tensor_, tensor_), Random(seed).stream(kStreamOfCues), true, 0);
    }
    if (const std::string note = default_steps(); is_custom && !note.empty()) {
      result.notes.push_back(note);
    }
    if (const std::string note = compared_form(result.patterns.file_scale); !note.empty()) {
      result.notes.push_back(note);
    }
    if (const std::string note = unequal_lengths(result.patterns.patterns); is_custom && !note.empty()) {
      result.notes.push_back(note);
    }
    result.threshold_origin = choose_threshold(result.patterns, context.progress);
    if (options_.cues) {
      if (const std::string note = data::match_scale(result.patterns, *options_.cues); !note.empty()) {
        result.notes.push_back(note);
      }
      if (std::ranges::any_of(options_.memories, [](const auto& kind) { return kind.on_bits; })) {
        data::require_both_bits(result.patterns, {result.patterns.threshold, result.threshold_origin},
                                *options_.cues);
      }
      if (const std::string note = note_on_zero_cues(options_.cues->patterns); !note.empty()) {
        result.notes.push_back(note);
      }
    }
    const bool is_unit = std::ranges::all_of(data::numbers_of(result.patterns.patterns),
                                             [](double x) { return x >= 0 && x <= 1; });
    options_.corruption =
        corruption_.value_or(is_unit ? trials::Corruption::flip : trials::Corruption::cosine);
    if (is_sequence_ || !values_.empty()) {
      add_values(result, seed);
    }
    if (const std::string note = lost_lengths(result.values());
        !context.options.out.empty() && !note.empty()) {
      result.notes.push_back(note);
    }
    result.options = options_;
    result.shows_details = details_;
    trials::require_valid(options_.parameters, result.patterns.patterns.size());
    if (!save_.empty()) {
      save_recall(save_, {.patterns = result.patterns, .options = saved_options()});
      context.progress.message(fmt::format("Saved to {}: {} and the options of this command, for --load",
                                           printable(save_),
                                           report::counted(result.patterns.patterns.count(), "pattern")));
    }
    const std::filesystem::path& folder = context.options.out;
    std::optional<RunFolder> lock;
    if (!counts_.empty()) {
      return run_counts(result, context);
    }
    if (!folder.empty()) {
      // Before the computation, so that an error loses no work.
      lock.emplace(open_run_folder(folder, recall_settings(result), {.can_resume = false}));
    }
    try {
      trials::sweep_recall(result.patterns, options_, context.progress,
                           [&](const trials::MemoryReport& memory, const std::vector<trials::SweepRow>& rows,
                               const std::vector<trials::SweepExamples>& pictures) {
                             keep(result, memory, rows, pictures, folder);
                           });
    } catch (const Interrupted&) {
      result.is_complete = false;
      finish(result, context);
      context.progress.message(fmt::format("mneme recall: {} of {} memories had finished{}",
                                           result.memories.size(), options_.memories.size(),
                                           folder.empty() ? "; with --out, their results would be saved"
                                                          : ", their results are in " + folder.string()));
      throw;
    }
    finish(result, context);
    return ExitCode::ok;
  }

private:
  enum class Draw { automatic, always, never };

  /// Recall over the number of stored patterns.
  ExitCode run_counts(const RecallRun& result, Context& context) const {
    const std::filesystem::path& folder = context.options.out;
    std::optional<RunFolder> lock;
    if (!folder.empty()) {
      nlohmann::ordered_json settings = recall_settings(result);
      settings["counts"] = counts_;
      lock.emplace(open_run_folder(folder, settings, {.can_resume = false}));
    }
    const std::vector<CountRows> curve = recall_counts(result, counts_, context.progress);
    if (!folder.empty()) {
      write_counts_files(result, curve, folder, context.options.threads);
      figures_.write({folder / "counts"});
    }
    if (context.options.json) {
      print_json(context.out, counts_json(result, curve, context.options.threads));
      return ExitCode::ok;
    }
    context.out << (csv_ ? counts_csv(curve) : counts_text(result, curve, context.text_style()));
    if (!folder.empty() && !csv_) {
      context.out << "\nWritten to " << printable(folder.string())
                  << ": index.html (open it in a browser), results.csv" << figures_.written_text() << '\n';
    }
    return ExitCode::ok;
  }

  /// Sets the values of the patterns, which are recalled in a single update step.
  void add_values(RecallRun& result, uint64_t seed) {
    if (is_sequence_) {
      data::PatternSet& set = result.patterns;
      const int64_t count = set.patterns.count();
      if (count < 2) {
        throw UsageError("--sequence: a sequence has at least 2 patterns, but there is 1.\n  Give more.");
      }
      data::PatternSet next = set;
      next.patterns = slice(set.patterns, 1, count);
      set.patterns = slice(set.patterns, 0, count - 1);
      if (!set.labels.empty()) {
        next.labels.erase(next.labels.begin());
        set.labels.pop_back();
      }
      options_.values = std::move(next);
      result.first_value = 1;
    } else {
      data::PatternSet values = load(values_, values_tensor_, Random(seed).stream(kStreamOfValues), false);
      values.threshold = data::choose_threshold(values).threshold;
      options_.values = std::move(values);
    }
    options_.parameters.update_steps_max = 1;
    const bool on_reals =
        std::ranges::any_of(options_.memories, [](const auto& kind) { return !kind.on_bits; });
    if (options_.values->patterns.size() == 1 && on_reals && !(no_centre_ && no_normalise_)) {
      result.notes.emplace_back(
          "Values of one number keep only their sign when they are centred and scaled to "
          "length 1. Give --no-centre and --no-normalise, or a vector for each value.");
    }
  }

  template <class Step>
  static void add_step_option(Arguments& arguments, const std::string& option, const std::vector<Step>& steps,
                              std::string& target, const std::string& default_word, const std::string& help) {
    const std::vector<std::string> names = trials::names_of(steps);
    add_word_option(
        arguments, option, names, default_word, [&target, names](size_t index) { target = names[index]; },
        help);
  }

  /// The options that change what is recalled, by the names of the command line.
  nlohmann::json saved_options() const {
    const trials::ParameterChoices& parameters = options_.parameters;
    nlohmann::json saved = {{"memory", memories_},
                            {"similarity", steps_.similarity},
                            {"separation", steps_.separation},
                            {"projection", steps_.projection},
                            {"update-steps", parameters.update_steps_max},
                            {"hard-locations", parameters.hard_locations},
                            {"no-centre", no_centre_},
                            {"no-normalise", no_normalise_},
                            {"seed", options_.seed}};
    const auto add = [&](const char* name, const auto& value) {
      if (value) {
        saved[name] = *value;
      }
    };
    add("hamming-radius", parameters.hamming_radius);
    add("beta", parameters.beta);
    add("alpha", parameters.alpha);
    add("degree", parameters.degree);
    add("selected-coordinates", parameters.selected_coordinates);
    return saved;
  }

  /// Reads the file of --load: its patterns and seed, and its options unless they are given in the command.
  data::PatternSet load_file(uint64_t& seed) {
    if (!patterns_.empty()) {
      throw UsageError("--load and --patterns are both given.\n  Leave out one of them.");
    }
    if (limit_ > 0) {
      throw UsageError("--limit has no effect on the patterns of --load.\n  Leave it out.");
    }
    RecallFile file = load_recall(load_);
    try {
      const nlohmann::json& saved = file.options;
      const auto take = [&](const char* name, const Option* option, auto set) {
        if (saved.contains(name) && option->count() == 0) {
          set(saved.at(name));
        }
      };
      if (memories_.empty() && steps_ == trials::MemorySteps{}) {
        memories_ = saved.at("memory").get<std::vector<std::string>>();
        for (const auto& [name, step] : {std::pair("similarity", &trials::MemorySteps::similarity),
                                         {"separation", &trials::MemorySteps::separation},
                                         {"projection", &trials::MemorySteps::projection}}) {
          steps_.*step = saved.at(name).get<std::string>();
        }
      }
      trials::ParameterChoices& parameters = options_.parameters;
      take("update-steps", given_.update_steps,
           [&](const auto& value) { parameters.update_steps_max = value.template get<int64_t>(); });
      take("hard-locations", given_.hard_locations,
           [&](const auto& value) { parameters.hard_locations = value.template get<int64_t>(); });
      take("no-centre", given_.no_centre,
           [&](const auto& value) { no_centre_ = value.template get<bool>(); });
      take("no-normalise", given_.no_normalise, // files of earlier versions do not have it
           [&](const auto& value) { no_normalise_ = value.template get<bool>(); });
      take("hamming-radius", given_.hamming_radius,
           [&](const auto& value) { parameters.hamming_radius = value.template get<int64_t>(); });
      take("beta", given_.beta, [&](const auto& value) { parameters.beta = value.template get<double>(); });
      take("alpha", given_.alpha,
           [&](const auto& value) { parameters.alpha = value.template get<double>(); });
      take("degree", given_.degree,
           [&](const auto& value) { parameters.degree = value.template get<double>(); });
      take("selected-coordinates", given_.selected_coordinates,
           [&](const auto& value) { parameters.selected_coordinates = value.template get<int64_t>(); });
      seed = saved.at("seed").get<uint64_t>();
    } catch (const nlohmann::json::exception& error) {
      throw DataError(fmt::format("{}: its options are damaged ({}).\n  Write the file again with --save.",
                                  printable(load_), printable(error.what())));
    }
    return std::move(file.patterns);
  }

  static constexpr double kEqualLengths = 1.01; ///< ratio of lengths that count as equal

  /// Smallest and largest length of the patterns, after their mean is subtracted unless --no-centre is given.
  std::pair<double, double> lengths_of(const RealPatterns& patterns) const {
    std::vector<double> mean(static_cast<size_t>(patterns.size()), 0.0);
    for (int64_t i = 0; i < patterns.count() && !no_centre_ && patterns.count() > 1; ++i) {
      for (size_t j = 0; j < mean.size(); ++j) {
        mean[j] += patterns[i][j] / static_cast<double>(patterns.count());
      }
    }
    double min = 0, max = 0;
    for (int64_t i = 0; i < patterns.count(); ++i) {
      double squares = 0;
      for (size_t j = 0; j < mean.size(); ++j) {
        squares += std::pow(patterns[i][j] - mean[j], 2);
      }
      const double length = std::sqrt(squares);
      min = i == 0 ? length : std::min(min, length);
      max = std::max(max, length);
    }
    return {min, max};
  }

  /// A note if a custom memory compares readouts of length 1 with patterns of other lengths by a distance.
  std::string unequal_lengths(const RealPatterns& patterns) const {
    const trials::MemorySteps steps = trials::with_defaults(steps_);
    if (!no_normalise_ || steps.projection != "normalise" || options_.parameters.update_steps_max == 1 ||
        (steps.similarity != "euclidean" && steps.similarity != "manhattan") || patterns.empty()) {
      return "";
    }
    const auto [min, max] = lengths_of(patterns);
    return min * kEqualLengths >= 1 && max <= kEqualLengths
               ? ""
               : fmt::format(
                     "The projection normalise returns readouts of length 1, but the patterns have the "
                     "lengths {:.3g} to {:.3g}: after the first update step, {} compares readouts and "
                     "patterns of different lengths. --projection average keeps lengths.",
                     min, max, steps.similarity);
  }

  /// A note on the length of readouts, if memories on real numbers scale patterns of several lengths to
  /// length 1; else empty.
  std::string lost_lengths(const data::PatternSet& set) const {
    const bool on_reals =
        std::ranges::any_of(options_.memories, [](const auto& kind) { return !kind.on_bits; });
    const RealPatterns& patterns = set.patterns;
    if (!on_reals || no_normalise_ || set.is_image() || data::are_bits(patterns) || patterns.empty()) {
      return "";
    }
    const auto [min, max] = lengths_of(patterns);
    return max <= kEqualLengths * min
               ? ""
               : fmt::format(
                     "Memories on real numbers recall directions: all of their readouts in recalled-*.npy "
                     "have the mean length of the patterns, whose lengths are {:.3g} to {:.3g}{}. "
                     "--no-normalise keeps lengths.",
                     min * set.file_scale, max * set.file_scale,
                     no_centre_ ? "" : " after the mean is subtracted");
  }

  /// A note on cues without a number that is not zero; empty if there are none.
  static std::string note_on_zero_cues(const RealPatterns& cues) {
    int64_t zeros = 0;
    for (int64_t i = 0; i < cues.count(); ++i) {
      zeros += std::ranges::all_of(cues[i], [](double x) { return x == 0; }) ? 1 : 0;
    }
    return zeros == 0
               ? ""
               : fmt::format("{} of {} cues are all zeros. Such a cue does not select a pattern, so its "
                             "readout has no meaning.",
                             zeros, cues.count());
  }

  /// A note on the default steps of the custom memory; empty if all steps are given.
  std::string default_steps() const {
    const trials::MemorySteps all = trials::with_defaults(steps_);
    std::vector<std::string> chosen;
    for (const auto& [name, step] : {std::pair("--similarity", &trials::MemorySteps::similarity),
                                     {"--separation", &trials::MemorySteps::separation},
                                     {"--projection", &trials::MemorySteps::projection}}) {
      if ((steps_.*step).empty()) {
        chosen.push_back(fmt::format("{} is {}", name, all.*step));
      }
    }
    return chosen.empty() ? "" : fmt::format("By default, {}.", fmt::join(chosen, " and "));
  }

  /// Errors  UsageError for options that exclude values
  void check_values() const {
    const std::string option = is_sequence_ ? "--sequence" : "--values";
    if (!is_sequence_ && values_.empty()) {
      return;
    }
    if (is_sequence_ && !values_.empty()) {
      throw UsageError("--sequence and --values are both given.\n  Leave out one of them.");
    }
    if (!save_.empty() || !load_.empty()) {
      throw UsageError(fmt::format("{} cannot be combined with --save and --load, whose files have no "
                                   "values.\n  Leave out one of them.",
                                   option));
    }
    if (given_.update_steps->count() > 0 && options_.parameters.update_steps_max != 1) {
      throw UsageError(fmt::format("--update-steps {}: with {}, a readout is a value, and no cue of a "
                                   "further step.\n  Leave out --update-steps.",
                                   options_.parameters.update_steps_max, option));
    }
  }

  /// A note on what a custom memory compares, if its similarity depends on the length of patterns.
  std::string compared_form(double file_scale) const {
    if (std::ranges::all_of(options_.memories, &trials::MemoryKind::on_bits)) {
      return "";
    }
    const std::string similarity = trials::with_defaults(steps_).similarity;
    const bool depends_on_length =
        similarity == "dot" || similarity == "euclidean" || similarity == "manhattan";
    if (no_centre_ && no_normalise_ && file_scale != 1) {
      return fmt::format(
          "Memories on real numbers compare the numbers of the file divided by {:g}, as pixels "
          "from 0 to 1.",
          file_scale);
    }
    if (steps_ == trials::MemorySteps{} || !depends_on_length || (no_centre_ && no_normalise_)) {
      return "";
    }
    std::vector<std::string> form, options;
    if (!no_centre_) {
      form.emplace_back("minus the mean of the stored patterns");
      options.emplace_back("--no-centre");
    }
    if (!no_normalise_) {
      form.emplace_back("scaled to length 1");
      options.emplace_back("--no-normalise");
    }
    return fmt::format("Memories on real numbers compare patterns {}; with {}, as they are.",
                       fmt::join(form, " and "), fmt::join(options, " and "));
  }

  /// `is_packed`: --packed, --bits and --transpose apply.
  data::PatternSet load(const std::vector<std::string>& paths, const std::string& tensor,
                        const Random& random, bool is_packed = true,
                        std::optional<int64_t> given_limit = {}) const {
    const int64_t limit = given_limit.value_or(limit_);
    data::PatternSet set;
    const std::string source = paths.empty() ? "" : paths[0];
    for (const std::string& path : paths) {
      if (paths.size() > 1 && (path.starts_with("random:") || path.starts_with("sphere:"))) {
        throw UsageError(fmt::format(
            "{}: random patterns cannot be combined with other patterns.\n  Give it alone.", path));
      }
    }
    const auto bits = parse_random_size(source, "random:"), sphere = parse_random_size(source, "sphere:");
    const bool is_generated = source.empty() || bits || sphere;
    const std::pair<bool, std::string> file_options[] = {
        {!tensor.empty(), "--tensor " + tensor},
        {is_packed && packed_, "--packed"},
        {is_packed && bits_ != 0, fmt::format("--bits {}", bits_)},
        {is_packed && transpose_, "--transpose"}};
    for (const auto& [given, option] : file_options) {
      if (given && is_generated) {
        throw UsageError(
            fmt::format("{}: this option is only for files, but the patterns are {}.\n  Leave it "
                        "out.",
                        option, source.empty() ? "built-in" : "random (" + source + ")"));
      }
    }
    if (source.empty()) {
      set = data::builtin_glyphs();
    } else if (bits) {
      set = {.patterns = to_zeros_and_ones(data::random_bits(bits->first, bits->second, random)),
             .threshold = 0.5,
             .source = source};
    } else if (sphere) {
      set = {.patterns = data::random_sphere(sphere->first, sphere->second, random), .source = source};
    } else {
      set = data::load_patterns(std::vector<std::filesystem::path>(paths.begin(), paths.end()),
                                is_packed ? data::LoadOptions{.limit = limit,
                                                              .tensor = tensor,
                                                              .packed = packed_,
                                                              .bits = bits_,
                                                              .transpose = transpose_}
                                          : data::LoadOptions{.limit = limit, .tensor = tensor});
    }
    if (limit > 0 && limit < set.patterns.count()) { // random or built-in; file readers apply the limit
      set.patterns = slice(set.patterns, 0, limit);
      set.labels.resize(std::min(set.labels.size(), static_cast<size_t>(limit)));
    }
    return set;
  }

  /// Errors  UsageError if an option is given that has no effect
  void check_unused_options() const {
    const auto fail_if_given = [&](const Option* option, const std::string& cause,
                                   const std::string& advice) {
      if (option->count() > 0) {
        throw UsageError(fmt::format("{} has no effect: {}.\n  {}", option->name(), cause, advice));
      }
    };
    const auto require = [&](const Option* option, const std::string& property, auto has) {
      if (std::ranges::any_of(options_.memories, has)) {
        return;
      }
      std::vector<std::string> having, steps;
      for (const trials::MemoryKind& kind : trials::memory_kinds()) {
        if (has(kind)) {
          having.push_back(kind.name);
        }
      }
      for (const trials::SeparationStep& step : trials::separations()) {
        if (has(trials::MemoryKind{.uses = step.uses}) && !has(trials::MemoryKind{})) {
          steps.push_back(step.name);
        }
      }
      if (!steps.empty()) {
        having.push_back(
            fmt::format("{}--separation {}", having.empty() ? "" : "or ", fmt::join(steps, "|")));
      }
      fail_if_given(option,
                    fmt::format("none of the selected memories ({}) {}",
                                fmt::join(trials::names_of(options_.memories), ", "), property),
                    fmt::format("Leave it out, or select a memory that does: {}.", fmt::join(having, ", ")));
    };
    require(given_.beta, "has an inverse temperature", [](const auto& kind) { return kind.uses.beta; });
    require(given_.alpha, "has an alpha", [](const auto& kind) { return kind.uses.alpha; });
    require(given_.degree, "has a degree", [](const auto& kind) { return kind.uses.degree; });
    require(given_.hamming_radius, "uses a Hamming radius", [&](const auto& kind) {
      const Option* fitted = kind.uses.beta ? given_.beta : given_.degree;
      return kind.uses.hamming_radius || (kind.uses.is_fitted && fitted->count() == 0);
    });
    require(given_.hard_locations, "has a number of hard locations",
            [](const auto& kind) { return kind.uses.hard_locations; });
    require(given_.selected_coordinates, "selects coordinates",
            [](const auto& kind) { return kind.uses.selected_coordinates; });
    require(given_.threshold, "stores bits", [](const auto& kind) { return kind.on_bits; });
    require(given_.no_centre, "compares real numbers", [](const auto& kind) { return !kind.on_bits; });
    require(given_.no_normalise, "compares real numbers", [](const auto& kind) { return !kind.on_bits; });
    if (!counts_.empty()) {
      for (const auto& [given, option] : {std::pair(!cues_.empty(), "--cues"),
                                          {is_sequence_, "--sequence"},
                                          {!values_.empty(), "--values"},
                                          {details_, "--details"},
                                          {!save_.empty(), "--save"}}) {
        if (given) {
          throw UsageError(
              fmt::format("--counts measures recall of the patterns from noisy cues, without {}.\n  "
                          "Leave out one of the two options.",
                          option));
        }
      }
    }
    if (!cues_.empty()) {
      for (const Option* option : {given_.noise, given_.corrupt, given_.seeds, given_.cues_max}) {
        fail_if_given(option, "the cues of --cues are used once each, without noise",
                      "Leave out one of the two options.");
      }
    } else {
      fail_if_given(given_.cues_tensor, "there are no --cues", "Leave it out, or give --cues.");
      if (!load_.empty()) {
        for (const Option* option : {given_.tensor, given_.packed, given_.bits, given_.transpose}) {
          fail_if_given(option, "the patterns of --load are stored as they are compared", "Leave it out.");
        }
      }
    }
    if (values_.empty()) {
      fail_if_given(given_.values_tensor, "there are no --values", "Leave it out, or give --values.");
    }
  }

  /// The name of a memory for use in file names, without spaces.
  static std::string file_name(std::string name) {
    for (size_t at = name.find(" + "); at != std::string::npos; at = name.find(" + ")) {
      name.replace(at, 3, "-");
    }
    return name;
  }

  /// Sets the threshold of the patterns; returns its origin, for the report.
  std::string choose_threshold(data::PatternSet& set, Progress& progress) const {
    if (!threshold_ && !load_.empty()) {
      return "from --load";
    }
    // More numbers take over a second to sort.
    constexpr int64_t kNumbersMax = 4'000'000;
    const bool is_long = set.patterns.count() * set.patterns.size() > kNumbersMax;
    const bool is_used =
        std::ranges::any_of(options_.memories, [](const auto& kind) { return kind.on_bits; });
    if (is_long && !is_used && !threshold_ && save_.empty()) {
      return "the default";
    }
    if (is_long) {
      progress.start("threshold of bits", 1);
    }
    const data::ThresholdChoice choice = data::choose_threshold(set, threshold_);
    if (is_long) {
      progress.advance(1);
      progress.finish();
    }
    set.threshold = choice.threshold;
    return choice.origin;
  }

  /// Adds the results of a finished memory to the report, and writes its readouts.
  static void keep(RecallRun& result, const trials::MemoryReport& memory,
                   const std::vector<trials::SweepRow>& rows,
                   const std::vector<trials::SweepExamples>& pictures, const std::filesystem::path& folder) {
    result.memories.push_back(memory);
    result.rows.insert(result.rows.end(), rows.begin(), rows.end());
    for (size_t level = 0; level < pictures.size(); ++level) {
      const trials::SweepExamples& all = pictures[level];
      if (result.options.cues) {
        result.matches.push_back({all.targets, all.cosines, all.exact, all.cue_cosines});
      }
      const int64_t shown = std::min(RecallRun::kPatternsShown, all.cues.count());
      result.shown.push_back({slice(all.cues, 0, shown),
                              slice(all.readouts, 0, shown),
                              {all.targets.begin(), all.targets.begin() + shown},
                              {all.cosines.begin(), all.cosines.begin() + shown},
                              {all.exact.begin(), all.exact.begin() + shown}});
      if (!folder.empty()) {
        result.readout_files.push_back(
            fmt::format("recalled-{}-{}.npy", file_name(memory.kind.name), level_name(rows[level])));
        const std::filesystem::path path = folder / result.readout_files.back();
        if (memory.kind.on_bits) {
          data::write_npy(path, to_bits(all.readouts, 0.5));
        } else {
          data::write_npy(path, all.readouts, result.values().image_shape());
        }
      }
    }
  }

  void finish(const RecallRun& result, Context& context) const {
    if (!context.options.out.empty()) {
      write_recall_files(result, context.options.out, context.options.threads);
      if (!result.rows.empty()) {
        figures_.write({context.options.out / "exact", context.options.out / "cosine"});
      }
    }
    if (context.options.json) {
      print_json(context.out, recall_json(result, context.options.threads));
      return;
    }
    if (csv_) {
      context.out << recall_csv(result);
      return;
    }
    context.out << recall_text(result, context.text_style());
    const bool draw = draw_ == Draw::always || (draw_ == Draw::automatic && ::isatty(STDOUT_FILENO) != 0);
    if (draw) {
      context.out << '\n' << recall_drawing(result, context.text_style());
    }
    if (!context.options.out.empty()) {
      context.out << "\nWritten to " << printable(context.options.out.string())
                  << ": index.html (open it in a browser), " << (result.rows.empty() ? "" : "sheet.png, ")
                  << "results.csv" << (result.options.cues ? ", recalled.csv" : "")
                  << (result.readout_files.empty() ? "" : ", recalled-*.npy") << figures_.written_text()
                  << '\n';
    }
  }

  /// Options that have an effect only with some memories.
  struct {
    Option *counts, *tensor, *packed, *bits, *transpose, *noise, *corrupt, *seeds, *cues_max, *cues_tensor,
        *values_tensor, *hamming_radius, *beta, *alpha, *degree, *hard_locations, *selected_coordinates,
        *threshold, *no_centre, *no_normalise, *update_steps;
  } given_ = {};
  std::vector<std::string> patterns_, cues_, values_;
  std::string tensor_, cues_tensor_, values_tensor_, save_, load_;
  std::optional<data::BitOrder> packed_;
  int64_t bits_ = 0;
  bool transpose_ = false;
  std::vector<std::string> memories_;
  trials::MemorySteps steps_; ///< steps of the custom memory; steps that are not given are empty
  int64_t limit_ = 0;
  std::vector<int64_t> counts_;
  std::optional<double> threshold_;
  std::optional<trials::Corruption> corruption_;
  trials::SweepOptions options_{.noise = {0.1, 0.2, 0.3}};
  bool is_sequence_ = false, no_centre_ = false, no_normalise_ = false, details_ = false, csv_ = false;
  Draw draw_ = Draw::automatic;
  FigureExport figures_;
};

} // namespace

std::unique_ptr<Verb> make_recall() {
  return std::make_unique<RecallVerb>();
}

} // namespace mneme::cli
