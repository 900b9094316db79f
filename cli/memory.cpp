// SPDX-License-Identifier: MIT

/// `mneme memory`: associative memories on disk.

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/bytes.h"
#include "cli/choices.h"
#include "cli/common_options.h"
#include "cli/json_output.h"
#include "cli/memory_files.h"
#include "cli/memory_lines.h"
#include "cli/memory_source.h"
#include "cli/numbers.h"
#include "cli/standard_input.h"
#include "cli/verb.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/machine.h"
#include "mneme/core/text.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/npy.h"
#include "mneme/data/packed_bits.h"
#include "mneme/data/read_file.h"
#include "mneme/store/durable_memory.h"
#include "mneme/store/memory_file.h"
#include "mneme/theory/space_fraction.h"
#include "report/table.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using store::Access;
using store::Annotation;
using store::DurableMemory;
using store::MemoryDesign;
using store::MemoryInfo;

enum class Kind { best_match, pattern_sdm, attention, sdm, selected_sdm, hyperplane_sdm };
constexpr int64_t kHardLocations = 100'000;  // default of a memory of hard locations
constexpr int64_t kSelectedCoordinates = 10; // default of selected-sdm: a thousandth of the space
constexpr uint64_t kShownBudget = 256
                                  << 20; // needs of main memory from here on are printed before they are used

/// Description of a design, such as "hamming -> best-match -> majority".
std::string kind_text(const MemoryDesign& design) {
  if (design.selected_coordinates > 0) {
    return fmt::format("SDM of {} hard locations, {} selected coordinates{}", design.hard_locations,
                       design.selected_coordinates,
                       design.assigned_values == AssignedValues::ones ? " that are 1 (hyperplane design)"
                                                                      : "");
  }
  if (design.hard_locations > 0) {
    return fmt::format("SDM of {} hard locations, Hamming radius {}", design.hard_locations,
                       design.hamming_radius);
  }
  std::string text = fmt::format("{} -> {} -> {}", design.steps.similarity, design.steps.separation,
                                 design.steps.projection);
  for (const auto& [name, value] : {std::pair<const char*, double>("Hamming radius", design.hamming_radius),
                                    {"beta", design.beta},
                                    {"alpha", design.alpha},
                                    {"degree", design.degree}}) {
    text += value == 0 ? "" : fmt::format(", {} {:.6g}", name, value);
  }
  return text;
}

/// Expected number of hard locations that a pattern activates; none if it depends on the pattern (hyperplane
/// design), and without hard locations.
std::optional<double> expected_activated(const MemoryDesign& design) {
  if (design.hard_locations == 0 || design.assigned_values == AssignedValues::ones) {
    return std::nullopt;
  }
  return static_cast<double>(design.hard_locations) *
         (design.selected_coordinates > 0 ? std::exp2(-static_cast<double>(design.selected_coordinates))
                                          : theory::space_fraction(design.bits, design.hamming_radius));
}

class MemoryVerb : public Verb {
public:
  std::string name() const override { return "memory"; }
  std::string summary() const override {
    return "keep an associative memory on disk: write, read, forget, and check patterns";
  }
  bool writes_files() const override { return false; } // export has its own --out
  bool streams_json() const override { return read_->parsed() || write_->parsed(); }
  bool uses_seed(const Arguments& leaf) const override { return leaf.name() == "create"; }

  void declare(Arguments& arguments) override {
    declare_create(*arguments.add_subcommand("create", "create an empty memory in a new folder"));
    write_ = arguments.add_subcommand("write",
                                      "store patterns; when the command reports them, they are on the disk");
    write_->other_names({"add", "insert", "import", "put", "store"});
    add_folder(*write_);
    add_lines(*write_, "store");
    given_.key = write_->add_option(
        "--key", key_, "Key of the pattern: a later write with this key is the same pattern, or an error");
    given_.key->type_name("KEY");
    given_.label = write_->add_option(
        "--label", label_, "Label of the patterns (default: the classes in the files of --patterns)");
    given_.label->type_name("LABEL");
    given_.payload = write_->add_option(
        "--payload", payload_, "File of which the bytes are stored with the pattern (default: the text)");
    given_.payload->type_name("PATH");
    given_.payloads = write_->add_option("--payloads", payloads_,
                                         "File with a payload for each pattern of --patterns: one per line, "
                                         "or integers in an .npy file or an IDX "
                                         "file of labels");
    given_.payloads->type_name("PATH");
    sources_.back().of_files.push_back(given_.payloads);
    given_.keys =
        write_->add_option("--keys", keys_file_,
                           "File with a key for each pattern of --patterns, as --key: one per line, or "
                           "integers in an .npy file (default: the column id, key or name of a table)");
    given_.keys->type_name("PATH");
    sources_.back().of_files.push_back(given_.keys);
    write_->add_flag("--replace", replace_, "Forget the pattern that a key names now, if it is another one");
    given_.batch =
        add_integer_option(*write_, "--batch", batch_, {.min = 1, .max = 1'000'000},
                           "Maximum number of lines of standard input that are stored in one transaction");
    read_ =
        arguments.add_subcommand("read", "recall patterns, and list the nearest stored ones, for each query");
    read_->other_names({"search", "query", "get", "recall", "find"});
    add_folder(*read_, true);
    add_lines(*read_, "query");
    given_.top = add_integer_option(*read_, "--top", top_, {.min = 0, .max = 1'000'000},
                                    "Maximum number of nearest patterns to list");
    given_.within = add_parsed_option(
        *read_, "--within", "BITS", "any distance",
        [this](const std::string& name, const std::string& text) {
          within_ = parse_integer(name, text, {.min = 0, .max = 1 << 30});
        },
        "List patterns within this Hamming distance of the query: all of them, or at most --top");
    given_.ties = add_choice_option<Ties>(
        *read_, "--ties", ties_, {{"first", Ties::first}, {"all", Ties::all}},
        "Patterns that are as near as the last one of --top. first: none of them; all: all of them");
    given_.update_steps = add_parsed_option(
        *read_, "--update-steps", "N", "that of the memory",
        [this](const std::string& name, const std::string& text) {
          update_steps_ = parse_integer(name, text, {.min = 1, .max = 1'000'000});
        },
        "Maximum number of update steps of a recall");
    read_->add_flag("--no-recall", no_recall_, "List the nearest patterns only");
    read_->add_flag(
        "--csv", csv_,
        "Print the nearest patterns only, as CSV: query, rank (from 1), number, distance, key, label, "
        "payload (bytes that are not UTF-8 as \\xff)");
    read_
        ->add_option(
            "--key", keys_,
            "Print the stored pattern with this key, its label and payload, instead of queries; may be "
            "given several times")
        ->type_name("KEY")
        ->one_value_each();
    forget_ = arguments.add_subcommand(
        "forget", "remove patterns, as if they had never been written; unknown ones are named, and no error");
    forget_->other_names({"delete", "remove", "rm"});
    add_folder(*forget_);
    add_lines(*forget_, "forget");
    forget_->add_option("--key", keys_, "Forget the pattern with this key; may be given several times")
        ->type_name("KEY")
        ->one_value_each();
    forget_
        ->add_option("--keys", keys_file_,
                     "Forget the patterns with the keys in this file, one per line, or integers in an .npy "
                     "file")
        ->type_name("PATH");
    forget_->add_option("--label", labels_, "Forget all patterns with this label; may be given several times")
        ->type_name("LABEL")
        ->one_value_each();
    forget_
        ->add_option("--number", numbers_,
                     "Forget the pattern with this number, as `read` prints it; may be given several times")
        ->type_name("N")
        ->one_value_each();
    forget_->add_flag(
        "--all-equal", all_equal_,
        "Forget all stored patterns with the bits of a pattern, also if they have different keys");
    info_ = arguments.add_subcommand("info", "print kind, size and needs of a memory, without loading it");
    add_folder(*info_);
    verify_ =
        arguments.add_subcommand("verify", "check every record and file; exits with 4 if one is damaged");
    add_folder(*verify_);
    compact_ =
        arguments.add_subcommand("compact", "remove what was forgotten from the disk, and rewrite all files");
    add_folder(*compact_);
    export_ = arguments.add_subcommand(
        "export", "print all stored patterns as lines of JSON, which `write --format json` reads");
    export_->other_names({"backup", "dump"});
    add_folder(*export_, true);
    export_
        ->add_option(
            "--out", out_,
            "File to write to, instead of stdout. NAME.safetensors: a memory for `read` and for "
            "mneme::store::load_memory; NAME.npy: the patterns alone, one byte per bit; NAME.jsonl: lines of "
            "JSON")
        ->type_name("FILE");
    export_->add_flag("--no-keys", no_keys_,
                      "Leave out keys and labels, which NAME.safetensors cannot contain");
    given_.export_packed = add_packed(*export_, "Bit order of packed bits in NAME.npy (numpy.packbits: big)");
    for (Arguments* loading : {create_, write_, read_, forget_, verify_, compact_, export_}) {
      add_parsed_option(
          *loading, "--memory-max", "SIZE", "what is available",
          [this](const std::string& name, const std::string& text) {
            constexpr double kMax = 0x1p63; // more cannot be converted to an integer
            memory_max_ = static_cast<uint64_t>(std::min(parse_bytes(name, text), kMax));
          },
          "Main memory that the memory may use, such as 4GB; a command or a transaction that needs more is "
          "refused");
    }
  }

  ExitCode run(Context& context) override {
    if (create_->parsed()) {
      return create(context);
    }
    if (write_->parsed()) {
      return write(context);
    }
    if (read_->parsed()) {
      return read(context);
    }
    if (forget_->parsed()) {
      return forget(context);
    }
    if (info_->parsed()) {
      return info(context);
    }
    if (verify_->parsed()) {
      return verify(context);
    }
    return compact_->parsed() ? compact(context) : export_all(context);
  }

private:
  // --- arguments ---------------------------------------------------------------------------------

  void add_folder(Arguments& arguments, bool or_file = false) {
    arguments
        .add_option("DIR", folder_,
                    or_file ? "Folder of the memory, or a .safetensors file of `export`"
                            : "Folder of the memory")
        ->type_name(or_file ? "DIR|FILE" : "DIR")
        ->required();
  }

  Option* add_packed(Arguments& arguments, const std::string& help) {
    return add_choice_option<std::optional<data::BitOrder>>(
        arguments, "--packed", files_.packed,
        {{"none", std::nullopt}, {"little", data::BitOrder::little}, {"big", data::BitOrder::big}}, help);
  }

  void declare_create(Arguments& arguments) {
    create_ = &arguments;
    add_folder(arguments);
    given_.bits = add_integer_option(arguments, "--bits", design_.bits, {.min = 1, .max = 1 << 20},
                                     "Number of bits of a pattern");
    given_.kind = add_choice_option<Kind>(
        arguments, "--memory", kind_,
        {{"best-match", Kind::best_match},
         {"pattern-sdm", Kind::pattern_sdm},
         {"attention", Kind::attention},
         {"sdm", Kind::sdm},
         {"selected-sdm", Kind::selected_sdm},
         {"hyperplane-sdm", Kind::hyperplane_sdm}},
        "Kind of memory. best-match: the nearest stored pattern; pattern-sdm: SDM from "
        "stored patterns; attention: SDM attention; sdm: SDM with hard locations; selected-sdm and "
        "hyperplane-sdm: the same with selected coordinates, of any values or of ones");
    add_step(arguments, "--similarity", trials::similarities(), steps_.similarity, "hamming",
             "First step of a custom memory, instead of --memory");
    add_step(arguments, "--separation", trials::separations(), steps_.separation, "best-match",
             "Second step of a custom memory");
    add_number(
        arguments, "--hamming-radius", "BITS", "a thousandth of the space",
        "Hamming radius of SDM and of separations with a radius",
        [this](double value) { design_.hamming_radius = static_cast<int64_t>(value); }, true);
    add_number(arguments, "--beta", "BETA", "fitted to the default Hamming radius",
               "Inverse temperature of softmax, entmax15, sparsemax, normmax and entmax",
               [this](double value) { design_.beta = value; });
    add_number(arguments, "--alpha", "X", "that of the separation", "alpha of the separation entmax",
               [this](double value) { design_.alpha = value; });
    add_number(arguments, "--degree", "X", "3", "Exponent of the separation polynomial",
               [this](double value) { design_.degree = value; });
    given_.hard_locations =
        add_integer_option(arguments, "--hard-locations", hard_locations_, {.min = 1, .max = 1'000'000'000},
                           "Number of hard locations of sdm, selected-sdm and hyperplane-sdm");
    add_number(
        arguments, "--selected-coordinates", "K", "10 for selected-sdm",
        "Number of bits that each hard location of selected-sdm and hyperplane-sdm compares",
        [this](double value) { design_.selected_coordinates = static_cast<int64_t>(value); }, true);
    add_integer_option(arguments, "--update-steps", design_.update_steps_max, {.min = 1, .max = 1'000'000},
                       "Maximum number of update steps of a recall");
  }

  template <class Step>
  static Option* add_step(Arguments& arguments, const std::string& option, const std::vector<Step>& steps,
                          std::string& target, const std::string& default_word, const std::string& help) {
    const std::vector<std::string> names = trials::names_of(steps);
    return add_word_option(
        arguments, option, names, default_word, [&target, names](size_t index) { target = names[index]; },
        help);
  }

  static Option* add_number(Arguments& arguments, const std::string& option, const std::string& type,
                            const std::string& default_text, const std::string& help,
                            std::function<void(double)> set, bool is_integer = false) {
    return add_parsed_option(
        arguments, option, type, default_text,
        [set = std::move(set), is_integer](const std::string& name, const std::string& text) {
          set(is_integer ? static_cast<double>(parse_integer(name, text, {.min = 1, .max = 1 << 20}))
                         : parse_real(name, text, {.min = 0, .min_included = false}));
        },
        help);
  }

  /// Sources of patterns of `write`, `read` and `forget`.
  void add_lines(Arguments& arguments, const std::string& verb) {
    arguments
        .add_option("LINE", lines_,
                    fmt::format("Patterns to {} (default: one per line of standard input)", verb))
        ->type_name("LINE");
    Option* format = add_choice_option<LineFormat>(
        arguments, "--format", format_,
        {{"text", LineFormat::text},
         {"bits", LineFormat::bits},
         {"hex", LineFormat::hex},
         {"base64", LineFormat::base64},
         {"json", LineFormat::json}},
        "Format of the lines. text: any text, similar texts have similar patterns; bits: "
        "characters 0 and 1; hex, base64: packed bytes; json: objects with one of these as a "
        "field, or numbers as vector, and key, label and payload; {\"forget\": KEY} in `write`");
    Option* patterns = arguments
                           .add_option("--patterns", files_.paths,
                                       "Files of patterns instead of lines; as `mneme recall --patterns`")
                           ->type_name("PATH");
    std::vector<Option*> of_files;
    of_files.push_back(add_integer_option(arguments, "--limit", files_.limit, {.min = 0},
                                          "Use only the first N patterns (0: all)"));
    of_files.push_back(
        arguments.add_option("--tensor", files_.tensor, "Name of the array in npz, safetensors and pt files")
            ->type_name("NAME"));
    of_files.push_back(
        add_packed(arguments, "Bit order of byte arrays of packed bits (numpy.packbits: big)"));
    of_files.push_back(add_parsed_option(
        arguments, "--threshold", "X", "that of the first file, chosen as in `mneme recall`",
        [this](const std::string& name, const std::string& text) {
          files_.threshold = parse_real(name, text);
        },
        "Numbers in files above X are 1, all others 0"));
    sources_.push_back({&arguments, format, patterns, of_files});
  }

  /// The folder is given; options without an effect are refused.
  void check_sources(const Arguments* arguments) const {
    const auto source = std::ranges::find(sources_, arguments, &Source::arguments);
    const bool from_files = !files_.paths.empty();
    require_pattern_files(files_.paths, "--patterns");
    if (from_files && !lines_.empty()) {
      throw UsageError(
          "patterns are given as arguments and as files (--patterns).\n  Leave out one of them.");
    }
    if (from_files && source->format->count() > 0) {
      throw UsageError("--format has no effect: it is for lines, but the patterns are in files "
                       "(--patterns).\n  Leave it out.");
    }
    if (files_.packed && files_.threshold) {
      throw UsageError("--threshold has no effect with --packed, whose numbers are bits.\n  Leave out one of "
                       "them.");
    }
    for (const Option* option : source->of_files) {
      if (!from_files && option->count() > 0) {
        throw UsageError(
            fmt::format("{} has no effect: it is for files, but there is no --patterns.\n  Leave it out.",
                        option->name()));
      }
    }
  }

  // --- input -------------------------------------------------------------------------------------

  /// Calls `process` with batches of patterns from files, arguments or standard input.
  template <class Process>
  void for_each_batch(Context& context, const FileReader& memory, size_t batch, Process process) {
    if (!files_.paths.empty()) {
      process(read_pattern_files(files_, memory, context.progress));
      return;
    }
    const bool has_arguments = !lines_.empty();
    const auto process_lines = [&](std::span<const std::string> rest, std::span<const int64_t> numbers) {
      while (!rest.empty()) {
        ParsedLines parsed =
            parse_lines(rest, numbers, format_, memory.bits, memory.threshold, memory.writes);
        const auto count = parsed.lines.texts.size();
        const bool is_fatal = parsed.error && !answers_each_line_;
        if (count > 0 && (!is_fatal || read_->parsed())) {
          try {
            process(std::move(parsed.lines));
          } catch (const Interrupted&) {
            throw;
          } catch (const Error&) { // which ends the command, unlike an error of one line
            if (answers_each_line_) {
              answer_error(context, numbers.front(), std::current_exception());
            }
            throw;
          }
        }
        if (is_fatal) {
          std::rethrow_exception(parsed.error);
        }
        if (parsed.error) {
          answer_error(context, numbers[count], parsed.error);
        }
        const size_t consumed = count + (parsed.error ? 1 : 0);
        numbers = numbers.subspan(consumed);
        rest = rest.subspan(consumed);
      }
    };
    std::vector<int64_t> numbers; // of lines, from 1
    if (has_arguments) {
      numbers.resize(lines_.size());
      std::iota(numbers.begin(), numbers.end(), 1);
      process_lines(lines_, numbers);
      return;
    }
    if (::isatty(STDIN_FILENO) != 0) {
      context.progress.message("Reading one pattern per line from the terminal; Ctrl-D ends the input.");
    }
    answers_each_line_ = context.options.json && streams_json();
    StandardInput input;
    int64_t number = 0, num_blank = 0;
    for (std::vector<std::string> lines = input.next(batch); !lines.empty(); lines = input.next(batch)) {
      numbers.clear();
      std::erase_if(lines, [&](const std::string& line) {
        ++number;
        const bool is_skipped = !answers_each_line_ && is_blank(line);
        num_blank += is_skipped ? 1 : 0;
        if (!is_skipped) {
          numbers.push_back(number);
        }
        return is_skipped;
      });
      process_lines(lines, numbers);
    }
    if (num_blank > 0) {
      context.progress.message(fmt::format("mneme memory: {} of standard input {} skipped",
                                           report::counted(num_blank, "blank line"),
                                           num_blank == 1 ? "was" : "were"));
    }
  }

  /// Prints the error of a line of standard input in place of its result.
  void answer_error(Context& context, int64_t line, const std::exception_ptr& error) {
    print_line(context, error_json(line, error, worst_));
  }

  // --- memory ------------------------------------------------------------------------------------

  /// Refuses a need of main memory that is not available.
  void check_budget(Context& context, uint64_t needed, const std::string& what) const {
    const std::optional<uint64_t> available = machine_memory().available;
    require_budget(needed, available, what);
    if (needed >= kShownBudget) {
      context.progress.message(fmt::format(
          "{} needs {} of main memory; {} are available", what, bytes_text(static_cast<double>(needed)),
          available ? bytes_text(static_cast<double>(*available)) : "unknown amounts"));
    }
  }

  void require_budget(uint64_t needed, const std::optional<uint64_t>& available,
                      const std::string& what) const {
    const uint64_t limit = memory_max_ != 0 ? memory_max_ : available.value_or(UINT64_MAX);
    if (needed > limit) {
      throw UnsupportedError(fmt::format(
          "{} needs {} of main memory, but {} {}.\n  Use a machine with more memory, or fewer or smaller "
          "patterns or hard "
          "locations{}.",
          what, bytes_text(static_cast<double>(needed)), bytes_text(static_cast<double>(limit)),
          memory_max_ != 0 ? "are allowed by --memory-max" : "are available",
          memory_max_ != 0 ? ", or raise the limit" : "; --memory-max SIZE overrides this check"));
    }
  }

  /// `need` is that of the command.
  DurableMemory open(Context& context, Access access,
                     uint64_t MemoryInfo::*need = &MemoryInfo::bytes_needed) const {
    if (is_memory_file(folder_)) {
      throw UsageError(fmt::format(
          "{} is a file, which can be read and exported, but not changed.\n  To change the memory, create a "
          "folder with `mneme memory create DIR`, and run: mneme memory export {} | mneme memory write DIR "
          "--format json",
          printable(folder_), shell_path(folder_)));
    }
    require_folder();
    check_budget(context, store::memory_info(folder_).*need, printable(folder_));
    return DurableMemory::open(folder_, {.access = access});
  }

  /// Refuses the path of a file, and of a file that does not exist.
  void require_folder() const {
    if (is_memory_file(folder_)) {
      throw UsageError(fmt::format("{} is a file, but this command is for the folder of a memory.\n  `mneme "
                                   "memory read` and `mneme memory export` also read files; both check them.",
                                   printable(folder_)));
    }
    if (ending_of(folder_) == ".safetensors" && !std::filesystem::exists(folder_)) {
      throw DataError(fmt::format("{}: the file does not exist.\n  Give the file that `mneme memory export "
                                  "--out` wrote, or the folder of a memory.",
                                  printable(folder_)));
    }
  }

  /// A folder, or a file.
  MemorySource open_source(Context& context) const {
    if (!is_memory_file(folder_)) {
      return MemorySource(open(context, Access::read));
    }
    check_budget(context, 3 * std::filesystem::file_size(folder_), printable(folder_));
    std::optional<store::Threshold> threshold;
    ItemMemory<BitPatterns> items = store::load_memory<BitPatterns>(folder_, &threshold);
    return MemorySource(std::move(items), threshold);
  }

  MemoryDesign design(const Context& context) const {
    MemoryDesign design = design_;
    const bool is_custom = !steps_.similarity.empty() || !steps_.separation.empty();
    if (is_custom && given_.kind->count() > 0) {
      throw UsageError(
          "--memory cannot be combined with --similarity and --separation, which describe a memory of their "
          "own.\n  Leave out one of them.");
    }
    if (is_custom) {
      design.steps = {steps_.similarity.empty() ? "hamming" : steps_.similarity,
                      steps_.separation.empty() ? "best-match" : steps_.separation, "majority"};
    } else if (kind_ == Kind::pattern_sdm) {
      design.steps = {"hamming", "circle-intersection", "majority"};
    } else if (kind_ == Kind::attention) {
      design.steps = {"cosine", "softmax", "majority"};
    } else if (kind_ >= Kind::sdm) {
      if (kind_ == Kind::selected_sdm && design.selected_coordinates == 0) {
        design.selected_coordinates = std::min(kSelectedCoordinates, design.bits);
      }
      if (kind_ == Kind::hyperplane_sdm && design.selected_coordinates == 0) {
        throw UsageError(
            "--memory hyperplane-sdm needs --selected-coordinates.\n  With K of them, a pattern of "
            "which a fraction p of the bits are 1 activates about p^K of the hard locations, of "
            "which a thousandth is a good choice: 3 for a tenth of ones.");
      }
      if (kind_ == Kind::sdm && design.selected_coordinates != 0) {
        throw UsageError("--selected-coordinates has no effect: hard locations of the memory sdm compare all "
                         "bits.\n  Add --memory selected-sdm or hyperplane-sdm, or leave it out.");
      }
      design.assigned_values = kind_ == Kind::hyperplane_sdm ? AssignedValues::ones : AssignedValues::random;
      design.steps = {};
      design.hard_locations = hard_locations_;
      design.seed = context.options.seed;
    }
    if (design.hard_locations == 0) {
      if (given_.hard_locations->count() > 0) {
        throw UsageError("--hard-locations has no effect: only the memories sdm, selected-sdm and "
                         "hyperplane-sdm have hard "
                         "locations.\n  Add --memory sdm, or leave it out.");
      }
      if (context.options.seed_is_given) {
        throw UsageError(
            "--seed has no effect: only the memories sdm, selected-sdm and hyperplane-sdm have random hard "
            "locations.\n  Leave it out.");
      }
    }
    return store::completed(design);
  }

  /// Ending of a file name in lower case, such as ".npy".
  static std::string ending_of(const std::string& path) {
    std::string ending = std::filesystem::path(path).extension().string();
    std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
    return ending;
  }

  ExitCode create(Context& context) const {
    const MemoryDesign complete = design(context);
    if (complete.hard_locations > 0) {
      check_budget(context, static_cast<uint64_t>(NeuronSdm::memory_bytes(store::neuron_sdm_of(complete))),
                   fmt::format("a memory of {} hard locations", complete.hard_locations));
    }
    const DurableMemory memory = DurableMemory::create(folder_, complete);
    const std::optional<double> activated = expected_activated(complete);
    if (activated && *activated < 1) {
      context.progress.message(fmt::format(
          "mneme memory create: a pattern activates {:.2g} of the {} hard locations on average, and {:.3g} % "
          "of all patterns none, so that they cannot be recalled. Use {}, or more hard locations.",
          *activated, complete.hard_locations, 100 * std::exp(-*activated),
          complete.selected_coordinates > 0 ? "fewer selected coordinates" : "a larger Hamming radius"));
    }
    if (context.options.json) {
      print_json(context.out, info_json(memory.info()));
      return ExitCode::ok;
    }
    const std::string folder = shell_path(folder_);
    context.out << fmt::format("Created {}: patterns of {}, {}\n", printable(folder_),
                               report::counted(complete.bits, "bit"), kind_text(complete));
    if (activated) {
      context.out << fmt::format("A pattern activates {:.3g} hard locations on average.\n", *activated);
    }
    if (context.options.quiet) {
      return ExitCode::ok;
    }
    if (given_.bits->count() > 0) {
      context.out << fmt::format(
          "\nTo store the vectors or bit patterns of a file, of {} each, and to find the "
          "nearest ones:\n"
          "  mneme memory write {} --patterns FILE.npy\n"
          "  mneme memory read {} --patterns QUERIES.npy\n",
          report::counted(complete.bits, "number"), folder, folder);
    }
    context.out << fmt::format("\nTo store a text and to find it again:\n"
                               "  mneme memory write {} \"the train to Vienna leaves at nine\"\n"
                               "  mneme memory read {} \"when does the train leave?\"\n",
                               folder, folder);
    return ExitCode::ok;
  }

  ExitCode write(Context& context) {
    check_sources(write_);
    const bool is_single = given_.key->count() > 0 || given_.payload->count() > 0;
    if (is_single && lines_.size() != 1) {
      throw UsageError("--key and --payload are of one pattern, which is given as an argument.\n  Give it "
                       "after the folder, "
                       "or use --format json, which has a key and a payload in every line.");
    }
    if (given_.batch->count() > 0 && (!lines_.empty() || !files_.paths.empty())) {
      throw UsageError(
          "--batch has no effect: it is for standard input, but the patterns are given as arguments or "
          "files, which are stored in one transaction.\n  Leave it out.");
    }
    if (given_.payload->count() > 0 && given_.payloads->count() > 0) {
      throw UsageError("--payload and --payloads cannot be combined.\n  Leave out one of them.");
    }
    std::optional<std::string> payload;
    if (given_.payload->count() > 0) {
      if (std::error_code error; std::filesystem::file_size(payload_, error) > store::kPayloadBytesMax &&
                                 !error) { // before it is read
        throw UsageError(
            fmt::format("{} has {} bytes, but at most {} are stored as a payload.\n  Store the path "
                        "of the file instead.",
                        printable(payload_), std::filesystem::file_size(payload_), store::kPayloadBytesMax));
      }
      const std::vector<std::byte> bytes = data::read_file(payload_);
      payload = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    DurableMemory memory = open(context, Access::write);
    int64_t written = 0, repeated = 0, replaced = 0, forgotten = 0, without_location = 0;
    auto reported = std::chrono::steady_clock::now();
    const auto report_progress = [&] { // standard input has no known end
      constexpr std::chrono::seconds kInterval(5);
      if (const auto now = std::chrono::steady_clock::now(); now - reported >= kInterval) {
        reported = now;
        context.progress.interim(
            fmt::format("{} written, {} stored", report::counted(written, "pattern"), memory.stored()));
      }
    };
    const auto write_batch = [&](const Lines& lines, int64_t begin, int64_t end) {
      const auto annotations =
          std::span(lines.annotations).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
      if (memory_max_ != 0) {
        require_budget(
            memory.bytes_to_write(end - begin), std::nullopt,
            fmt::format("{} with {}", printable(folder_), report::counted(end - begin, "more pattern")));
      }
      const store::WriteResult result =
          memory.write(slice(lines.patterns, begin, end), annotations,
                       replace_ ? store::KeyConflict::replace : store::KeyConflict::refuse, lines.threshold);
      written += end - begin - result.repeated;
      repeated += result.repeated;
      replaced += result.replaced;
      without_location += result.without_location;
      if (context.options.json) { // one line per transaction, once it is on the disk
        nlohmann::ordered_json line = {
            {"seqs", result.seqs}, {"repeated", result.repeated}, {"replaced", result.replaced}};
        if (memory.design().hard_locations > 0) {
          line["without_location"] = result.without_location;
        }
        line["stored"] = memory.stored();
        print_line(context, line);
      } else {
        report_progress();
      }
    };
    // Lines that are answered one by one: those that are refused are found by bisection.
    const std::function<void(const Lines&, int64_t, int64_t)> write_valid = [&](const Lines& lines,
                                                                                int64_t begin, int64_t end) {
      try {
        write_batch(lines, begin, end);
      } catch (const UsageError&) {
        if (!answers_each_line_) {
          throw;
        }
        if (end - begin == 1) {
          answer_error(context, lines.number(begin), std::current_exception());
          return;
        }
        const int64_t middle = begin + (end - begin) / 2;
        write_valid(lines, begin, middle);
        write_valid(lines, middle, end);
      }
    };
    const auto require_one_pattern_per_key = [&](const Lines& lines) {
      std::unordered_map<std::string_view, int64_t> first;
      for (int64_t i = 0; i < lines.patterns.count(); ++i) {
        const Annotation& annotation = lines.annotations[static_cast<size_t>(i)];
        if (!annotation.key) {
          continue;
        }
        const auto [known, is_new] = first.emplace(*annotation.key, i);
        if (is_new || (annotation == lines.annotations[static_cast<size_t>(known->second)] &&
                       std::ranges::equal(lines.patterns[i], lines.patterns[known->second]))) {
          continue;
        }
        throw UsageError(fmt::format(
            "the key \"{}\" is given twice: lines {} and {}{}. Their patterns, labels or payloads differ.\n  "
            "Give each pattern its own key, or keep only the last one of a key with --replace.",
            printable(*annotation.key), lines.number(known->second), lines.number(i),
            given_.keys->count() > 0 ? " of " + printable(keys_file_) : ""));
      }
    };
    const auto column = [&](const std::string& path, const char* what, const Lines& lines) {
      return read_column(path, what, lines.patterns.count(), [&] {
        return count_without_limit(lines.count_without_limit, files_.paths, load_options(files_));
      });
    };
    const auto write_lines = [&](Lines lines) {
      if (given_.payloads->count() > 0) {
        std::vector<std::string> payloads = column(payloads_, "payload", lines);
        for (size_t i = 0; i < payloads.size(); ++i) {
          lines.annotations[i].payload = std::move(payloads[i]);
        }
      }
      if (given_.keys->count() > 0) {
        std::vector<std::string> keys = column(keys_file_, "key", lines);
        for (size_t i = 0; i < keys.size(); ++i) {
          if (keys[i].empty() || keys[i].size() > store::kTextMax) {
            throw UsageError(
                fmt::format("{}: line {}: the key has {} bytes, but must have 1 to {}.\n  Give each "
                            "pattern a key of this size.",
                            printable(keys_file_), i + 1, keys[i].size(), store::kTextMax));
          }
          lines.annotations[i].key = std::move(keys[i]);
        }
      }
      for (Annotation& annotation : lines.annotations) {
        annotation.key = given_.key->count() > 0 ? key_ : annotation.key;
        annotation.label = given_.label->count() > 0 ? label_ : annotation.label;
        annotation.payload = payload ? payload : annotation.payload;
      }
      if (!lines.forget.empty()) {
        const std::vector<std::string> unknown = memory.unknown_keys(lines.forget);
        const int64_t count = memory.forget_keys(lines.forget);
        forgotten += count;
        if (context.options.json) {
          print_line(context, {{"forgotten", count}, {"stored", memory.stored()}, {"unknown_keys", unknown}});
        }
        return;
      }
      if (!replace_ && !answers_each_line_) {
        require_one_pattern_per_key(lines);
      }
      write_valid(lines, 0, lines.patterns.count());
    };
    try {
      for_each_batch(context, {.bits = memory.design().bits, .threshold = memory.threshold(), .writes = true},
                     static_cast<size_t>(batch_), write_lines);
    } catch (...) { // such as an invalid line or an interrupt after some batches
      if (written + repeated + forgotten == 0 && interrupted()) {
        context.progress.message("mneme memory write: nothing of the input is stored");
      } else if (written + repeated > 0 && !context.options.json) {
        context.progress.message(fmt::format(
            "mneme memory write: the first {} of the input {} stored, in earlier transactions",
            report::counted(written + repeated, "pattern"), written + repeated == 1 ? "is" : "are"));
      }
      throw;
    }
    if (!context.options.json) {
      context.out << fmt::format(
          "Wrote {}{}{}{}; {} stored\n", report::counted(written, "pattern"),
          repeated > 0 ? fmt::format(", {} stored already under the same key", repeated) : "",
          replaced > 0 ? fmt::format(", {} replaced", replaced) : "",
          forgotten > 0 ? fmt::format(", forgot {}", forgotten) : "", memory.stored());
      if (without_location > 0) {
        context.progress.message(fmt::format("mneme memory write: {} of the written patterns activated no "
                                             "hard location, so that the memory cannot recall {}; `read` "
                                             "lists {} among the nearest patterns only",
                                             without_location, without_location == 1 ? "it" : "them",
                                             without_location == 1 ? "it" : "them"));
      }
    }
    return worst_;
  }

  /// `read --key`
  ExitCode read_keys(Context& context) {
    const auto source = std::ranges::find(sources_, read_, &Source::arguments);
    const bool has_queries = !lines_.empty() || !files_.paths.empty() || source->format->count() > 0;
    const bool has_options =
        csv_ || no_recall_ || given_.top->count() > 0 || within_ || given_.ties->count() > 0 || update_steps_;
    if (has_queries || has_options) {
      throw UsageError(
          "--key prints stored patterns, so that it cannot be combined with queries and their options.\n"
          "  Leave out --key, or everything else.");
    }
    MemorySource memory = open_source(context);
    std::vector<store::Entry> entries;
    for (const std::string& key : keys_) {
      std::optional<store::Entry> entry = memory.find(key);
      if (!entry) {
        throw DataError(
            fmt::format("{}: no stored pattern has the key \"{}\".\n  `mneme memory export {}` prints all "
                        "keys.",
                        printable(folder_), printable(key), shell_path(folder_)));
      }
      entries.push_back(std::move(*entry));
    }
    for (const store::Entry& entry : entries) {
      if (context.options.json) {
        context.out << json_line(entry) << "\n";
        continue;
      }
      const auto text = [](const std::optional<std::string>& value) {
        return value ? printable(*value) : "–";
      };
      report::Table table{.columns = {{.name = "property"}, {.name = "value", .align = report::Align::left}}};
      table.rows = {{"key", text(entry.annotation.key)},
                    {"number", std::to_string(entry.seq)},
                    {"label", text(entry.annotation.label)},
                    {"payload", text(entry.annotation.payload)},
                    {"bits, as hex", hex_of(entry.pattern, 0)}};
      context.out << report::to_text(table, context.text_style()) << "\n";
    }
    return ExitCode::ok;
  }

  ExitCode read(Context& context) {
    check_sources(read_);
    if (!keys_.empty()) {
      return read_keys(context);
    }
    if (csv_ && context.options.json) {
      throw UsageError("--csv and --json cannot be combined.\n  Leave out one of them.");
    }
    if (const char* list_only = csv_ ? "--csv" : no_recall_ ? "--no-recall" : nullptr; list_only != nullptr) {
      no_recall_ = true;
      if (given_.update_steps->count() > 0) {
        throw UsageError(
            fmt::format("--update-steps has no effect with {}.\n  Leave out one of them.", list_only));
      }
      if (top_ == 0) {
        throw UsageError(fmt::format(
            "nothing is left to print with {} and --top 0.\n  Leave out one of them.", list_only));
      }
    }
    if (given_.ties->count() > 0 && within_ && given_.top->count() == 0) {
      throw UsageError("--ties has no effect: --within lists all patterns, unless --top limits their "
                       "number.\n  Leave out --ties, or add --top.");
    }
    if (top_ == 0 && (within_ || given_.ties->count() > 0)) {
      throw UsageError("--within and --ties have no effect with --top 0.\n  Leave out one of them.");
    }
    MemorySource memory = open_source(context);
    if (csv_) {
      print_csv(context, {}, {}); // the names of the columns
    }
    if (files_.paths.empty() && format_ == LineFormat::text && memory.threshold()) {
      context.progress.message(
          "mneme memory read: the memory has patterns of numbers, but the queries are texts, to which no "
          "pattern of "
          "numbers is similar. Give queries of numbers with --patterns FILE, or bits with --format bits.");
    }
    const int64_t top = within_ && given_.top->count() == 0 ? INT64_MAX : top_;
    constexpr size_t kQueriesMax = 1024;
    for_each_batch(
        context, {.bits = memory.bits(), .threshold = memory.threshold()}, kQueriesMax,
        [&](const Lines& lines) {
          const store::ReadResult result = memory.read(lines.patterns, {.top = top,
                                                                        .ties = ties_,
                                                                        .hamming_radius = within_,
                                                                        .recall = !no_recall_,
                                                                        .update_steps_max = update_steps_});
          // The stored pattern that was recalled, if it is one.
          store::ReadResult recalled;
          if (!no_recall_) {
            recalled = memory.read(result.recall.readout, {.top = 1, .recall = false});
          }
          if (csv_) {
            print_csv(context, lines.texts, result);
          }
          for (int64_t q = 0; q < lines.patterns.count() && !csv_; ++q) {
            const auto index = static_cast<size_t>(q);
            std::optional<int64_t> seq;
            if (!no_recall_ && !recalled.nearest[index].empty() && recalled.nearest[index][0].distance == 0) {
              seq = recalled.nearest[index][0].seq;
            }
            if (context.options.json) {
              print_line(context, query_json(lines.texts[index], result, index, seq));
            } else {
              print_query(context, lines.texts[index], result, index, seq, memory.stored() == 0);
            }
          }
          context.out.flush();
        });
    return worst_;
  }

  nlohmann::ordered_json query_json(const std::string& text, const store::ReadResult& result, size_t index,
                                    const std::optional<int64_t>& seq) const {
    nlohmann::ordered_json line = {{"query", text}};
    if (!no_recall_) {
      line["recalled"] = {{"hex", hex_of(result.recall.readout, static_cast<int64_t>(index))},
                          {"seq", seq ? nlohmann::ordered_json(*seq) : nlohmann::ordered_json()},
                          {"steps", result.recall.steps[index]},
                          {"converged", result.recall.converged[index] != 0},
                          {"activated", result.recall.num_activated[index]}};
    }
    if (top_ > 0) {
      line["nearest"] = nlohmann::ordered_json::array();
      for (const store::Neighbour& neighbour : result.nearest[index]) {
        nlohmann::ordered_json object = {{"seq", neighbour.seq}, {"distance", neighbour.distance}};
        add_annotation(object, neighbour.annotation);
        line["nearest"].push_back(object);
      }
    }
    return line;
  }

  void print_query(Context& context, const std::string& text, const store::ReadResult& result, size_t index,
                   const std::optional<int64_t>& seq, bool is_empty) const {
    context.out << printable(text) << "\n";
    if (!no_recall_ && is_empty) {
      context.out << "  recalled nothing: the memory is empty\n";
    } else if (!no_recall_) {
      const int64_t steps = result.recall.steps[index];
      context.out << fmt::format(
          "  recalled {} in {}{}\n",
          result.recall.num_activated[index] == 0 ? "nothing: no pattern or location is near"
          : seq                                   ? fmt::format("the pattern of number {}", *seq)
                                                  : "a pattern that is not stored: a mixture of several",
          report::counted(steps, "step"), result.recall.converged[index] != 0 ? "" : " (not converged)");
    }
    if (top_ > 0 && !result.nearest[index].empty()) {
      report::Table table{.columns = {{.name = "distance"},
                                      {.name = "number"},
                                      {.name = "key"},
                                      {.name = "label"},
                                      {.name = "payload"}}};
      const auto cell = [](const std::optional<std::string>& text_or_none) {
        constexpr size_t kShown = 60;
        return !text_or_none ? report::Cell()
               : text_or_none->size() <= kShown
                   ? report::Cell(printable(*text_or_none))
                   : report::Cell(printable(text_or_none->substr(0, kShown)) + "...");
      };
      for (const store::Neighbour& neighbour : result.nearest[index]) {
        table.rows.push_back({static_cast<int64_t>(neighbour.distance), neighbour.seq,
                              cell(neighbour.annotation.key), cell(neighbour.annotation.label),
                              cell(neighbour.annotation.payload)});
      }
      context.out << '\n' << report::to_text(table, context.text_style());
    }
    context.out << '\n';
  }

  /// Prints the nearest patterns of queries as rows of CSV; without queries the names of the columns.
  static void print_csv(Context& context, const std::vector<std::string>& queries,
                        const store::ReadResult& result) {
    report::Table table{.columns = {{.name = "query"},
                                    {.name = "rank"},
                                    {.name = "number"},
                                    {.name = "distance"},
                                    {.name = "key"},
                                    {.name = "label"},
                                    {.name = "payload"}}};
    const auto cell = [](const std::optional<std::string>& text) {
      return text ? report::Cell(is_utf8(*text) ? *text : printable(*text)) : report::Cell();
    };
    for (size_t q = 0; q < queries.size(); ++q) {
      int64_t rank = 0;
      for (const store::Neighbour& neighbour : result.nearest[q]) {
        table.rows.push_back({cell(queries[q]), ++rank, neighbour.seq,
                              static_cast<int64_t>(neighbour.distance), cell(neighbour.annotation.key),
                              cell(neighbour.annotation.label), cell(neighbour.annotation.payload)});
      }
    }
    const std::string csv = report::to_csv(table);
    context.out << (queries.empty() ? csv : csv.substr(csv.find('\n') + 1));
  }

  ExitCode forget(Context& context) {
    check_sources(forget_);
    const bool by_pattern = !lines_.empty() || !files_.paths.empty(),
               by_name = !keys_.empty() || !keys_file_.empty() || !labels_.empty() || !numbers_.empty();
    if (by_name && !lines_.empty()) {
      throw UsageError(fmt::format(
          "\"{}\" is the text of a pattern, which cannot be combined with --key, --keys, --label and "
          "--number.\n  Repeat the option for each value, such as --number 1 --number 2, and use another "
          "command to forget patterns by their texts.",
          printable(lines_.front())));
    }
    if (all_equal_ && by_name && !by_pattern) {
      throw UsageError(
          "--all-equal has no effect: it is for patterns, but keys, labels or numbers are given.\n  "
          "Leave it out.");
    }
    std::vector<int64_t> seqs;
    for (const std::string& number : numbers_) {
      seqs.push_back(parse_integer("--number", number, {.min = 1}));
    }
    DurableMemory memory = open(context, Access::write);
    int64_t forgotten = 0;
    if (!keys_file_.empty()) {
      std::ranges::move(read_column(keys_file_), std::back_inserter(keys_));
    }
    const std::vector<std::string> unknown_keys = memory.unknown_keys(keys_);
    const std::vector<int64_t> unknown_seqs = memory.unknown_seqs(seqs);
    note_unknown(context, "key", quoted(unknown_keys));
    note_unknown(context, "number", unknown_seqs);
    forgotten += memory.forget_keys(keys_) + memory.forget_seqs(seqs);
    std::vector<std::string> unknown_labels;
    for (const std::string& label : std::set(labels_.begin(), labels_.end())) {
      const int64_t count = memory.forget_label(label);
      forgotten += count;
      if (count == 0) {
        unknown_labels.push_back(label);
      }
    }
    note_unknown(context, "label", quoted(unknown_labels));
    if (by_pattern || !by_name) {
      for_each_batch(context, {.bits = memory.design().bits, .threshold = memory.threshold()}, 1024,
                     [&](const Lines& lines) {
                       check_coinciding(context, memory.coinciding(lines.patterns));
                       forgotten += memory.forget_patterns(lines.patterns);
                     });
    } else if (std::ranges::find(sources_, forget_, &Source::arguments)->format->count() > 0) {
      throw UsageError("--format has no effect with --key, --label and --number.\n  Leave it out.");
    }
    if (forgotten == 0 && !lines_.empty()) {
      note_keys(context, memory);
    }
    if (context.options.json) {
      nlohmann::ordered_json results = {{"forgotten", forgotten}, {"stored", memory.stored()}};
      const auto add = [&](const char* name, bool is_given, const auto& unknown) {
        if (is_given) {
          results[name] = unknown;
        }
      };
      add("unknown_keys", !keys_.empty(), unknown_keys);
      add("unknown_numbers", !seqs.empty(), unknown_seqs);
      add("unknown_labels", !labels_.empty(), unknown_labels);
      print_json(context.out, results);
    } else {
      context.out << fmt::format("Forgot {}; {} stored\n", report::counted(forgotten, "pattern"),
                                 memory.stored());
      if (forgotten > 0) {
        context.out << fmt::format("Their records are removed from the disk by: mneme memory compact {}\n",
                                   shell_path(folder_));
      }
    }
    return ExitCode::ok;
  }

  /// Refuses, or reports with --all-equal, patterns whose bits are those of stored patterns with different
  /// keys.
  void check_coinciding(Context& context, const std::vector<std::vector<store::Neighbour>>& groups) const {
    int64_t count = 0, ambiguous = 0; // stored patterns, and groups of them, with different keys
    std::vector<std::string> names;
    for (const std::vector<store::Neighbour>& group : groups) {
      std::set<std::optional<std::string>> keys;
      std::ranges::for_each(group, [&](const auto& stored) { keys.insert(stored.annotation.key); });
      if (keys.size() < 2) {
        continue;
      }
      ++ambiguous;
      count += std::ssize(group);
      for (const store::Neighbour& stored : group) {
        names.push_back(stored.annotation.key ? fmt::format("\"{}\"", printable(*stored.annotation.key))
                                              : fmt::format("number {} without a key", stored.seq));
      }
    }
    if (ambiguous == 0) {
      return;
    }
    constexpr size_t kShown = 10;
    const std::string text =
        fmt::format("{} stored patterns with different keys have the same bits as {}: {}{}", count,
                    ambiguous == 1 ? "one given pattern" : fmt::format("{} given patterns", ambiguous),
                    fmt::join(std::span(names).first(std::min(names.size(), kShown)), ", "),
                    names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "");
    if (!all_equal_) {
      throw UsageError(
          text + ".\n  Forget one of them by --key KEY or --number N, or all of them with --all-equal.");
    }
    context.progress.message(fmt::format("mneme memory forget: {}", text));
  }

  static std::vector<std::string> quoted(std::vector<std::string> texts) {
    for (std::string& text : texts) {
      text = fmt::format("\"{}\"", printable(text));
    }
    return texts;
  }

  /// Names the arguments of `forget`, none of which is a stored pattern, that are keys.
  void note_keys(Context& context, DurableMemory& memory) const {
    std::vector<std::string> keys = lines_;
    const std::vector<std::string> unknown = memory.unknown_keys(keys);
    std::erase_if(keys,
                  [&](const std::string& line) { return std::ranges::find(unknown, line) != unknown.end(); });
    if (keys.empty()) {
      context.progress.message(fmt::format(
          "mneme memory forget: no stored pattern has the bits of {}",
          lines_.size() == 1 ? fmt::format("\"{}\"", printable(lines_.front())) : "one of these patterns"));
      return;
    }
    context.progress.message(fmt::format("mneme memory forget: \"{}\" is the key of a stored pattern, but no "
                                         "stored pattern has its bits as a text. "
                                         "Forget it by its key: --key {}",
                                         printable(keys.front()), shell_argument(keys.front())));
  }

  /// Names the first keys, labels or numbers of `forget` that no stored pattern has.
  template <class Name>
  static void note_unknown(Context& context, const char* what, const std::vector<Name>& unknown) {
    if (unknown.empty()) {
      return;
    }
    constexpr size_t kShown = 5;
    const std::span first = std::span(unknown).first(std::min(unknown.size(), kShown));
    const std::string rest =
        unknown.size() > kShown ? fmt::format(" and {} more", unknown.size() - kShown) : "";
    context.progress.message(fmt::format("mneme memory forget: no stored pattern has {} {}{}",
                                         unknown.size() == 1
                                             ? fmt::format("the {}", what)
                                             : fmt::format("one of these {} {}s:", unknown.size(), what),
                                         fmt::join(first, ", "), rest));
  }

  ExitCode info(Context& context) const {
    require_folder();
    const MemoryInfo info = store::memory_info(folder_);
    if (context.options.json) {
      print_json(context.out, info_json(info));
      return ExitCode::ok;
    }
    const std::optional<uint64_t> available = machine_memory().available;
    report::Table table{.columns = {{.name = "property"}, {.name = "value", .align = report::Align::left}}};
    const auto row = [&](const char* name, const std::string& value) { table.rows.push_back({name, value}); };
    row("memory", kind_text(info.design));
    row("bits of a pattern", fmt::format("{}", info.design.bits));
    row("stored patterns", fmt::format("{}", info.stored));
    row("records in the log",
        fmt::format("{}, {} of them of forgotten patterns", info.records, info.records - info.stored));
    row("records in snapshots", fmt::format("{}", info.in_snapshot));
    if (info.threshold) {
      row("threshold of numbers in files",
          fmt::format("{:.6g}", info.threshold->value * info.threshold->file_scale));
    }
    row("compactions", fmt::format("{}", info.generation));
    row("on disk", bytes_text(static_cast<double>(info.bytes_on_disk)));
    row("main memory to open it",
        fmt::format("{} of {} available", bytes_text(static_cast<double>(info.bytes_needed)),
                    available ? bytes_text(static_cast<double>(*available)) : "an unknown amount"));
    context.out << report::to_text(table, context.text_style());
    return ExitCode::ok;
  }

  static nlohmann::ordered_json info_json(const MemoryInfo& info) {
    const MemoryDesign& design = info.design;
    nlohmann::ordered_json document = {{"bits", design.bits}};
    if (design.hard_locations > 0) {
      document["hard_locations"] = design.hard_locations;
      document["hard_location_seed"] = design.seed;
    } else {
      document["similarity"] = design.steps.similarity;
      document["separation"] = design.steps.separation;
      document["projection"] = design.steps.projection;
    }
    const auto add = [&](const char* name, auto value) {
      if (value != 0) { // not used
        document[name] = value;
      }
    };
    add("hamming_radius", design.hamming_radius);
    add("selected_coordinates", design.selected_coordinates);
    if (design.selected_coordinates > 0) {
      document["assigned_values"] = design.assigned_values == AssignedValues::ones ? "ones" : "random";
    }
    add("beta", design.beta);
    add("alpha", design.alpha);
    add("degree", design.degree);
    if (const std::optional<double> activated = expected_activated(design)) {
      document["expected_activated"] = *activated;
    }
    document["update_steps_max"] = design.update_steps_max;
    if (info.threshold) {
      document["threshold"] = info.threshold->value * info.threshold->file_scale;
    }
    document["stored"] = info.stored;
    document["records"] = info.records;
    document["records_in_snapshots"] = info.in_snapshot;
    document["last_seq"] = info.seq;
    document["compactions"] = info.generation;
    document["bytes_on_disk"] = info.bytes_on_disk;
    document["bytes_needed"] = info.bytes_needed;
    return document;
  }

  ExitCode verify(Context& context) const {
    require_folder();
    try {
      check_budget(context, store::memory_info(folder_).bytes_to_verify, printable(folder_));
    } catch (const DataError&) { // damage, which is reported below
    }
    const store::Verification result = store::verify_memory(folder_);
    const bool is_intact = result.problems.empty();
    if (context.options.json) {
      print_json(context.out, {{"intact", is_intact},
                               {"records", result.records},
                               {"stored", result.stored},
                               {"files", result.files},
                               {"missing_snapshot_files", result.missing},
                               {"damaged_snapshot_files", result.damaged_snapshot_files},
                               {"problems", result.problems}});
    } else {
      for (const std::string& problem : result.problems) {
        context.out << problem << "\n";
      }
      context.out << fmt::format("{}: {}, {}, {} checked\n", is_intact ? "Intact" : "DAMAGED",
                                 report::counted(result.records, "record"),
                                 report::counted(result.stored, "stored pattern"),
                                 report::counted(result.files, "file"));
      if (result.missing > 0) {
        context.out << fmt::format("{} {} missing, which makes opening slower. The "
                                   "snapshot is written again by: mneme memory compact {}\n",
                                   report::counted(result.missing, "snapshot file"),
                                   result.missing == 1 ? "is" : "are", shell_path(folder_));
      }
      if (!is_intact && result.damaged_snapshot_files == std::ssize(result.problems)) {
        context.out << fmt::format(
            "Only the snapshot is damaged, which makes opening slower; no pattern is lost. "
            "It is written again by: mneme memory compact {}\n",
            shell_path(folder_));
      }
    }
    return is_intact ? ExitCode::ok : ExitCode::check_failed;
  }

  ExitCode compact(Context& context) const {
    const store::CompactResult result = open(context, Access::write, &MemoryInfo::bytes_to_compact).compact();
    if (!result.log_is_clean) {
      context.progress.message(
          "A reader has the memory open, so that removed records remain in memory.sqlite-wal. Close "
          "it, and compact again.");
    }
    if (context.options.json) {
      print_json(context.out, {{"removed", result.removed},
                               {"bytes_before", result.bytes_before},
                               {"bytes_after", result.bytes_after},
                               {"bytes_snapshot", result.bytes_snapshot},
                               {"log_is_clean", result.log_is_clean}});
    } else {
      context.out << fmt::format(
          "Removed {}: {} on disk{}, before {}\n", report::counted(result.removed, "record"),
          bytes_text(static_cast<double>(result.bytes_after)),
          result.bytes_snapshot > 0
              ? fmt::format(" ({} of them in snapshot files, with which opening is fast)",
                            bytes_text(static_cast<double>(result.bytes_snapshot)))
              : "",
          bytes_text(static_cast<double>(result.bytes_before)));
    }
    return ExitCode::ok;
  }

  ExitCode export_all(Context& context) const {
    if (context.options.json) {
      throw UsageError(
          "--json has no effect: `mneme memory export` always prints lines of JSON.\n  Leave it out.");
    }
    const std::string ending = ending_of(out_);
    static constexpr std::array kEndings{"", ".jsonl", ".json", ".safetensors", ".npy"};
    if (std::ranges::find(kEndings, ending) == kEndings.end()) {
      throw UsageError(
          fmt::format("--out {}: files with the ending {} cannot be written.\n  Use NAME.safetensors for a "
                      "memory, NAME.npy for the patterns alone, or NAME.jsonl for lines of JSON.",
                      printable(out_), printable(ending)));
    }
    if (given_.export_packed->count() > 0 && ending != ".npy") {
      throw UsageError("--packed has no effect: it is for --out NAME.npy.\n  Leave it out.");
    }
    if (no_keys_ && ending != ".safetensors") {
      throw UsageError("--no-keys has no effect: it is for --out NAME.safetensors.\n  Leave it out.");
    }
    MemorySource memory = open_source(context);
    const std::optional<store::Threshold> threshold = memory.threshold();
    const auto for_each_line = [&](const auto& print) {
      bool is_first = true; // which has the threshold
      memory.for_each([&](const store::Entry& entry) {
        print(threshold && is_first ? json_line(entry, *threshold) : json_line(entry));
        is_first = false;
      });
    };
    if (out_.empty()) {
      for_each_line([&](const std::string& line) { context.out << line << '\n'; });
      return ExitCode::ok;
    }
    std::string type = "none"; // of the payloads in a .safetensors file
    if (ending == ".safetensors") {
      const ItemMemory<BitPatterns> items = memory.to_items(no_keys_);
      store::save_memory(out_, items, threshold);
      type = payload_type(items.payloads());
    } else if (ending == ".npy") {
      files_.packed ? data::write_packed_npy(out_, memory.patterns(), *files_.packed)
                    : data::write_npy(out_, memory.patterns());
    } else {
      std::string text;
      for_each_line([&](const std::string& line) { text += line + "\n"; });
      write_file_atomically(out_, text);
    }
    const bool has_payloads = type != "none";
    context.out << fmt::format("Wrote {}{} to {}\n", report::counted(memory.stored(), "pattern"),
                               has_payloads ? fmt::format(" with payloads of type {}", type) : "",
                               printable(out_));
    return ExitCode::ok;
  }

  static void print_line(Context& context, const nlohmann::ordered_json& line) {
    context.out << report::json_text(line, -1) << std::flush;
  }

  /// Options of a subcommand that reads patterns.
  struct Source {
    const Arguments* arguments;
    const Option *format, *patterns;
    std::vector<Option*> of_files;
  };

  Arguments *create_ = nullptr, *write_ = nullptr, *read_ = nullptr, *forget_ = nullptr, *info_ = nullptr,
            *verify_ = nullptr, *compact_ = nullptr, *export_ = nullptr;
  struct {
    Option *kind, *bits, *hard_locations, *payload, *payloads, *keys, *update_steps, *key, *label, *batch,
        *top, *within, *ties, *export_packed;
  } given_ = {};
  std::vector<Source> sources_;
  std::string folder_, payload_, payloads_, keys_file_, out_, key_, label_;
  std::vector<std::string> lines_, keys_, labels_, numbers_;
  PatternFiles files_;
  MemoryDesign design_;
  Kind kind_ = Kind::best_match;
  trials::MemorySteps steps_; ///< steps of a custom memory; steps that are not given are empty
  int64_t hard_locations_ = kHardLocations, top_ = 5, batch_ = 1024;
  LineFormat format_ = LineFormat::text;
  std::optional<int64_t> update_steps_;
  std::optional<int64_t> within_;
  Ties ties_ = Ties::first;
  bool replace_ = false, no_recall_ = false, csv_ = false, no_keys_ = false, all_equal_ = false;
  uint64_t memory_max_ = 0;
  bool answers_each_line_ = false; ///< the answer to an invalid line is its error, and the next line is read
  ExitCode worst_ = ExitCode::ok;  ///< of the answered errors
};

} // namespace

std::unique_ptr<Verb> make_memory() {
  return std::make_unique<MemoryVerb>();
}

} // namespace mneme::cli
