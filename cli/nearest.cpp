// SPDX-License-Identifier: MIT

/// `mneme nearest`: exact nearest neighbours of bit patterns and real vectors in files.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/common_options.h"
#include "cli/json_output.h"
#include "cli/memory_lines.h"
#include "cli/memory_source.h"
#include "cli/numbers.h"
#include "cli/query_lines.h"
#include "cli/standard_input.h"
#include "cli/verb.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/read_file.h"
#include "mneme/data/scale.h"
#include "mneme/data/threshold.h"
#include "mneme/memory/nearest.h"
#include "report/table.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

/// A similarity, and what the program prints instead of its score.
struct Measure {
  const char* name;
  Similarity similarity;
  const char* column;                 ///< heading and key of the printed number
  bool is_distance;                   ///< a smaller number is nearer, and --within applies; else --at-least
  double (*printed)(double score);    ///< of a score
  double (*score_of)(double printed); ///< the inverse of `printed`
};

double same(double score) {
  return score;
}
double negated(double score) {
  return 0 - score; // not -0
}

const std::vector<Measure>& measures() {
  static const std::vector<Measure> all{
      {"hamming", Hamming{}, "distance", true, negated, negated},
      {"cosine", Cosine{}, "cosine", false, [](double score) { return std::clamp(score, -1.0, 1.0); },
       [](double cosine) { return std::min(cosine, 1 - 1e-15); }}, // equal directions may round below 1
      {"dot", Dot{}, "dot product", false, same, same},
      {"euclidean", Euclidean{}, "distance", true, [](double score) { return std::sqrt(negated(score)); },
       [](double distance) { return -distance * distance; }},
      {"manhattan", Manhattan{}, "distance", true, negated, negated}};
  return all;
}

class NearestVerb : public Verb {
public:
  std::string name() const override { return "nearest"; }
  std::string summary() const override {
    return "find the nearest patterns of each query: exact search among bit patterns or vectors";
  }
  bool writes_files() const override { return false; }
  bool uses_seed(const Arguments&) const override { return false; }
  bool streams_json() const override { return query_lines_.has_value(); }

  void declare(Arguments& arguments) override {
    arguments
        .add_option(
            "--patterns", patterns_,
            "Files of the patterns to search, of the kinds of `mneme recall` (default: built-in letters "
            "and digits)")
        ->type_name("PATH");
    arguments
        .add_option("--queries", queries_,
                    "Files of queries, of the same kinds (default: the patterns themselves; the nearest "
                    "others of each are listed)")
        ->type_name("PATH");
    given_.query_lines = add_choice_option<std::optional<QueryFormat>>(
        arguments, "--query-lines", query_lines_,
        {{"none", std::nullopt}, {"csv", QueryFormat::csv}, {"json", QueryFormat::json}},
        "Answer each line of standard input when it arrives, as another process needs that keeps the program "
        "open. csv: rows of a table, json: {\"vector\": [0.5, ...]} or {\"bits\": \"0110...\"}, optionally "
        "with "
        "\"id\". With --json, each query has a line of output");
    std::vector<std::string> words{"auto"};
    std::ranges::transform(measures(), std::back_inserter(words), &Measure::name);
    add_word_option(
        arguments, "--similarity", words, words.front(),
        [this](size_t index) { measure_ = index > 0 ? &measures()[index - 1] : nullptr; },
        "Measure of nearness. hamming: number of differing bits; auto: hamming for bits (--packed, or only "
        "zeros and ones), else cosine");
    given_.top = add_integer_option(arguments, "--top", top_, {.min = 1, .max = int64_t{1} << 30},
                                    "Number of nearest patterns to list for each query");
    given_.within = add_limit_option(arguments, "--within",
                                     "List all patterns within this distance (hamming, euclidean, "
                                     "manhattan), or at most --top of them");
    given_.at_least = add_limit_option(
        arguments, "--at-least",
        "List all patterns with at least this cosine or dot product, or at most --top of them");
    given_.ties = add_choice_option<Ties>(
        arguments, "--ties", ties_, {{"first", Ties::first}, {"all", Ties::all}},
        "Of patterns that are as near as the last of --top, list the first ones only, or "
        "all of them");
    arguments
        .add_option("--ids", ids_,
                    "File with an id for each pattern of --patterns, printed with it: one per line, or "
                    "integers in an .npy file or an IDX file of labels (default: the column id, key or name "
                    "of a table)")
        ->type_name("FILE");
    add_integer_option(arguments, "--limit", limit_, {.min = 0},
                       "Search only among the first N patterns (0: all)");
    arguments
        .add_option("--tensor", tensor_,
                    "Name of the array in npz, safetensors and pt files of --patterns and --queries")
        ->type_name("NAME");
    arguments
        .add_option("--queries-tensor", queries_tensor_,
                    "As --tensor, for the files of --queries (default: the same)")
        ->type_name("NAME");
    add_choice_option<std::optional<data::BitOrder>>(
        arguments, "--packed", packed_,
        {{"none", std::nullopt}, {"little", data::BitOrder::little}, {"big", data::BitOrder::big}},
        "Bit order of byte arrays of packed bits (numpy.packbits: big; none: bytes are not packed bits)");
    given_.bits =
        add_integer_option(arguments, "--bits", bits_, {.min = 0},
                           "With --packed: bits per pattern, if they do not fill the last byte (0: all)");
    given_.threshold = add_parsed_option(
        arguments, "--threshold", "X", "chosen as by `mneme recall`",
        [this](const std::string& name, const std::string& text) { threshold_ = parse_real(name, text); },
        "With hamming: numbers above X are bits 1, on the scale of the file of the patterns");
    arguments.add_flag("--pairs", pairs_,
                       "Without --queries, and with --within or --at-least: list each pair of patterns once, "
                       "with the earlier pattern as the query");
    arguments.add_flag("--csv", csv_, "Print all results as CSV");
  }

  ExitCode run(Context& context) override {
    check_options(context);
    data::PatternSet stored = load(patterns_, "--patterns");
    std::optional<data::PatternSet> queries;
    if (!queries_.empty() && !query_lines_) {
      queries = load(queries_, "--queries");
    }
    if (measure_ == nullptr) {
      const bool are_bits = packed_ || data::are_bits(stored.patterns);
      measure_ = &measures()[are_bits ? 0 : 1];
      if (!packed_ && stored.file_scale != 1 && !stored.is_image()) { // bytes
        context.progress.message(
            fmt::format("{}: bytes are compared as numbers, by their cosine. If they are packed bits, give "
                        "their order: --packed "
                        "big (numpy.packbits), or --packed little; else --similarity cosine omits this note.",
                        printable(stored.source)));
      }
    }
    check_measure();
    if (queries) {
      check_size(stored, *queries);
    }
    if (!ids_.empty()) {
      ids_of_patterns_ =
          read_column(ids_, "id", packed_ ? stored.bits.count() : stored.patterns.count(), [&] {
            return count_without_limit(stored.count_without_limit, patterns_, load_options(true));
          });
    }
    if (ids_.empty()) {
      require_utf8(stored.ids, "id", stored.source);
      ids_of_patterns_ = stored.ids;
    }
    if (queries) {
      require_utf8(queries->ids, "id", queries->source);
    }
    if (query_lines_) {
      return answer_lines(stored, context);
    }
    ids_of_queries_ = queries ? queries->ids : ids_of_patterns_;
    const bool is_search_of_bits = measure_ == &measures().front();
    if (!packed_) {
      is_search_of_bits ? to_bits_of_numbers(stored, queries, context.progress)
                        : to_numbers_of_file(stored, queries);
    }
    skips_itself_ = !queries;
    RealPatterns nonzero; // instead of the patterns, if some are zero vectors
    if (measure_->name == std::string_view("cosine")) {
      nonzero = set_aside_zero_vectors(stored, queries, context.progress);
    }
    const auto start = std::chrono::steady_clock::now();
    const auto done = [&](int64_t first) { take_block(stored, first, context); };
    const auto report_on = [&](const auto& patterns, const auto& searched, int64_t size, const char* unit) {
      if constexpr (std::is_same_v<std::decay_t<decltype(patterns)>, RealPatterns>) {
        search(zero_rows_.empty() ? patterns : nonzero, searched, context.progress, done);
      } else {
        search(patterns, searched, context.progress, done);
      }
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      print(patterns.count(), searched.count(), context);
      context.progress.message(fmt::format("{} among {} of {} by {}, exact: {:.2g} s",
                                           report::counted(searched.count(), "query", "queries"),
                                           report::counted(patterns.count(), "pattern"),
                                           report::counted(size, unit), measure_->name, seconds.count()));
    };
    is_search_of_bits
        ? report_on(stored.bits, queries ? queries->bits : stored.bits, stored.bits.bits(), "bit")
        : report_on(stored.patterns, queries ? queries->patterns : stored.patterns, stored.patterns.size(),
                    "number");
    return ExitCode::ok;
  }

private:
  Option* add_limit_option(Arguments& arguments, const std::string& option, const std::string& help) {
    return add_parsed_option(
        arguments, option, "X", "none",
        [this](const std::string& name, const std::string& text) {
          limit_of_search_ = parse_real(name, text);
        },
        help);
  }

  void check_options(const Context& context) const {
    if (csv_ && context.options.json) {
      throw UsageError("--csv and --json cannot be combined.\n  Leave out one of them.");
    }
    if (given_.within->count() > 0 && given_.at_least->count() > 0) {
      throw UsageError("--within and --at-least cannot be combined: one is for distances, the other for "
                       "cosines and dot products.\n  Leave out one of them.");
    }
    if (given_.ties->count() > 0 && limit_of_search_ && given_.top->count() == 0) {
      throw UsageError("--ties has no effect: all patterns within the limit are listed, unless --top limits "
                       "their number.\n  Leave it out, or give --top.");
    }
    if (std::ranges::any_of(patterns_, data::is_standard_input) &&
        std::ranges::any_of(queries_, data::is_standard_input)) {
      throw UsageError("--patterns and --queries are both standard input, which can be read only once.\n  "
                       "Give a file for one of them.");
    }
    if (query_lines_ && std::ranges::any_of(patterns_, data::is_standard_input)) {
      throw UsageError(
          "--query-lines reads standard input, and so does --patterns.\n  Give a file of patterns.");
    }
    if (query_lines_ && !queries_.empty() &&
        (queries_.size() > 1 || !data::is_standard_input(queries_.front()))) {
      throw UsageError(
          "--query-lines reads queries from standard input, but --queries is a file.\n  Leave out one "
          "of them.");
    }
    if (pairs_ && (query_lines_ || !queries_.empty())) {
      throw UsageError(
          "--pairs has no effect with --queries: it is for pairs of --patterns.\n  Leave out one of "
          "them.");
    }
    if (pairs_ && (!limit_of_search_ || given_.top->count() > 0)) {
      throw UsageError(
          "--pairs lists all pairs within a limit.\n  Give --within or --at-least, and leave out "
          "--top.");
    }
    if (given_.bits->count() > 0 && !packed_) {
      throw UsageError("--bits has no effect without --packed.\n  Leave it out, or give the bit order.");
    }
    if (queries_.empty() && !queries_tensor_.empty()) {
      throw UsageError(
          "--queries-tensor has no effect without --queries.\n  Leave it out, or give --queries.");
    }
    if (patterns_.empty() && (packed_ || !tensor_.empty())) {
      throw UsageError(fmt::format("{} has no effect on the built-in patterns.\n  Leave it out, or give "
                                   "--patterns.",
                                   packed_ ? "--packed" : "--tensor"));
    }
  }

  /// Errors  UsageError for options that the measure does not have
  void check_measure() const {
    const bool of_bits = measure_ == &measures().front();
    const auto refuse = [&](const char* option, const char* cause, const std::string& advice) {
      throw UsageError(fmt::format("{} has no effect with the similarity {}: {}.\n  {}", option,
                                   measure_->name, cause, advice));
    };
    if (given_.within->count() > 0 && !measure_->is_distance) {
      refuse("--within", "a larger number is nearer", "Give --at-least, or another --similarity.");
    }
    if (given_.at_least->count() > 0 && measure_->is_distance) {
      refuse("--at-least", "a smaller number is nearer", "Give --within, or another --similarity.");
    }
    if (given_.within->count() > 0 && *limit_of_search_ < 0) {
      throw UsageError(
          fmt::format("--within {}: a distance is at least 0.\n  Give a larger one.", *limit_of_search_));
    }
    if (packed_ && !of_bits) {
      refuse("--packed", "packed bits are compared by their Hamming distance",
             "Leave it out, or give --similarity hamming.");
    }
    if (threshold_ && (packed_ || !of_bits)) {
      refuse("--threshold", packed_ ? "packed bits are bits already" : "it compares real numbers",
             packed_ ? "Leave it out." : "Leave it out, or give --similarity hamming.");
    }
  }

  /// Errors  UsageError if the queries have another size than the patterns
  void check_size(const data::PatternSet& stored, const data::PatternSet& queries) const {
    const int64_t size = packed_ ? stored.bits.bits() : stored.patterns.size(),
                  of_query = packed_ ? queries.bits.bits() : queries.patterns.size();
    if (size != of_query) {
      throw UsageError(fmt::format(
          "{}: a query has {} {}, but the patterns of {} have {}.\n  {}", printable(queries.source), of_query,
          packed_         ? "bits"
          : of_query == 1 ? "number"
                          : "numbers",
          printable(stored.source), size,
          of_query == 1 ? "An array of one dimension has patterns of one number; save one query as an array "
                          "of one row, x[None, :]."
                        : "Give queries of the same size."));
    }
  }

  /// Answers lines of standard input, each when it arrives.
  ExitCode answer_lines(data::PatternSet& stored, const Context& context) {
    const bool of_bits = measure_ == &measures().front();
    double threshold = 0.5; // on the scale of the file of the patterns
    if (!packed_ && of_bits) {
      const data::ThresholdChoice choice = data::choose_threshold(stored, threshold_);
      threshold = choice.threshold * stored.file_scale;
      if (!data::are_bits(stored.patterns)) {
        context.progress.message(
            fmt::format("Bits are 1 for numbers above {:.4g} ({}).", threshold, choice.origin));
      }
      stored.bits = to_bits(stored.patterns, choice.threshold);
    } else if (!packed_) {
      std::optional<data::PatternSet> none;
      to_numbers_of_file(stored, none);
    }
    RealPatterns nonzero;
    if (measure_->name == std::string_view("cosine")) {
      nonzero = set_aside_zero_vectors(stored, std::nullopt, context.progress);
    }
    const int64_t size = of_bits ? stored.bits.bits() : stored.patterns.size();
    QueryLines parser(*query_lines_, size);
    StandardInput input;
    ExitCode worst = ExitCode::ok;
    int64_t line_number = 0;
    constexpr size_t kLinesMax = 1024;
    for (std::vector<std::string> lines = input.next(kLinesMax); !lines.empty();
         lines = input.next(kLinesMax)) {
      std::vector<double> numbers;
      ids_of_queries_.clear();
      const auto answer = [&] {
        const int64_t count = std::ssize(ids_of_queries_);
        const RealPatterns queries(count, size, std::move(numbers));
        numbers = {};
        if (!parser.has_ids()) {
          ids_of_queries_.clear();
        }
        const auto done = [&](int64_t first) { print_block(stored, first, context); };
        if (of_bits) {
          search(stored.bits, to_bits(queries, threshold), context.progress, done);
        } else {
          search(zero_rows_.empty() ? stored.patterns : nonzero, queries, context.progress, done);
        }
        num_answered_ += count;
        ids_of_queries_.clear();
      };
      for (const std::string& line : lines) {
        try {
          if (std::optional<QueryLines::Query> query = parser.next(line, ++line_number)) {
            numbers.insert(numbers.end(), query->numbers.begin(), query->numbers.end());
            ids_of_queries_.push_back(std::move(query->id));
          }
        } catch (const DataError&) {
          answer(); // the lines before it
          if (!context.options.json) {
            throw;
          }
          context.out << report::json_text(error_json(line_number, std::current_exception(), worst), -1)
                      << std::flush;
        }
      }
      answer();
    }
    return worst;
  }

  /// Prints the results of a block of lines.
  void print_block(const data::PatternSet& stored, int64_t first, const Context& context) {
    const report::Table block = table(stored, first, std::ssize(rows_));
    if (csv_) {
      const std::string text = report::to_csv(block);
      context.out << (num_answered_ + first == 0 ? text : text.substr(text.find('\n') + 1));
    } else if (!context.options.json) {
      context.out << report::to_text(block, context.text_style()) << '\n';
    } else {
      const nlohmann::ordered_json rows = report::to_json(block);
      size_t next = 0;
      for (size_t q = 0; q + 1 < offsets_.size(); ++q) {
        const int64_t query = first + static_cast<int64_t>(q);
        nlohmann::ordered_json line = {{"query", num_answered_ + query}};
        if (!ids_of_queries_.empty() && !ids_of_queries_[static_cast<size_t>(query)].empty()) {
          line["query_id"] = ids_of_queries_[static_cast<size_t>(query)];
        }
        line["neighbours"] = nlohmann::ordered_json::array();
        for (int64_t i = offsets_[q]; i < offsets_[q + 1]; ++i) {
          nlohmann::ordered_json row = rows[next++];
          row.erase("query");
          row.erase("query_id");
          line["neighbours"].push_back(std::move(row));
        }
        context.out << report::json_text(line, -1);
      }
    }
    context.out.flush();
    rows_.clear();
    numbers_.clear();
    offsets_ = {0};
  }

  data::PatternSet load(const std::vector<std::string>& paths, const char* option) const {
    if (paths.empty()) {
      data::PatternSet glyphs = data::builtin_glyphs();
      const int64_t all = glyphs.patterns.count();
      if (limit_ > 0 && limit_ < glyphs.patterns.count()) {
        glyphs.patterns = slice(glyphs.patterns, 0, limit_);
        glyphs.labels.resize(static_cast<size_t>(limit_));
      }
      glyphs.count_without_limit = all;
      return glyphs;
    }
    require_pattern_files(paths, option);
    return data::load_patterns(std::vector<std::filesystem::path>(paths.begin(), paths.end()),
                               load_options(&paths == &patterns_));
  }

  data::LoadOptions load_options(bool of_patterns) const {
    return {.limit = of_patterns ? limit_ : 0,
            .tensor = of_patterns ? tensor_ : tensor_of(queries_, queries_tensor_, tensor_),
            .packed = packed_,
            .bits = bits_,
            .as_bits = packed_.has_value()};
  }

  /// Turns numbers into bits, all by the threshold of the patterns.
  void to_bits_of_numbers(data::PatternSet& stored, std::optional<data::PatternSet>& queries,
                          Progress& progress) const {
    if (queries) {
      if (const std::string note = data::match_scale(stored, *queries); !note.empty()) {
        progress.message(note);
      }
    }
    const data::ThresholdChoice choice = data::choose_threshold(stored, threshold_);
    if (queries) {
      data::require_both_bits(stored, choice, *queries);
    }
    const auto in_file = [&](const data::PatternSet& set) { return choice.threshold * set.file_scale; };
    if (!data::are_bits(stored.patterns) || (queries && !data::are_bits(queries->patterns))) {
      progress.message(fmt::format("Bits are 1 for numbers above {:.4g}{} ({}).", in_file(stored),
                                   queries && in_file(*queries) != in_file(stored)
                                       ? fmt::format(", of the queries above {:.4g}", in_file(*queries))
                                       : "",
                                   choice.origin));
    }
    stored.bits = to_bits(stored.patterns, choice.threshold);
    if (queries) {
      queries->bits = to_bits(queries->patterns, choice.threshold);
    }
  }

  /// Undoes the division of pixels by 255, so that the numbers in the files are compared.
  static void to_numbers_of_file(data::PatternSet& stored, std::optional<data::PatternSet>& queries) {
    const auto scale = [](data::PatternSet& set) {
      for (int64_t i = 0; set.file_scale != 1 && i < set.patterns.count(); ++i) {
        std::ranges::transform(set.patterns[i], set.patterns[i].begin(),
                               [&](double x) { return x * set.file_scale; });
      }
    };
    scale(stored);
    if (queries) {
      scale(*queries);
    }
  }

  /// Finds the stored zero vectors, which are listed last, and returns the others if there are any. Reports
  /// zero vectors, also of the queries.
  RealPatterns set_aside_zero_vectors(const data::PatternSet& stored,
                                      const std::optional<data::PatternSet>& queries, Progress& progress) {
    const auto is_zero = [](std::span<const double> vector) {
      return std::ranges::all_of(vector, [](double x) { return x == 0; });
    };
    const auto report = [&](const data::PatternSet& set, int64_t count, const char* what,
                            const char* effect) {
      if (count > 0) {
        progress.message(fmt::format("{}: {} of {} {} {}, whose cosine counts as 0{}.", printable(set.source),
                                     count, set.patterns.count(), what,
                                     count == 1 ? "is a zero vector" : "are zero vectors", effect));
      }
    };
    for (int64_t row = 0; row < stored.patterns.count(); ++row) {
      (is_zero(stored.patterns[row]) ? zero_rows_ : nonzero_rows_).push_back(row);
    }
    report(stored, std::ssize(zero_rows_), "patterns", "; zero vectors are listed last");
    if (queries) {
      int64_t count = 0;
      for (int64_t row = 0; row < queries->patterns.count(); ++row) {
        count += is_zero(queries->patterns[row]) ? 1 : 0;
      }
      report(*queries, count, "queries", " with every pattern");
    }
    return zero_rows_.empty() ? RealPatterns() : select(stored.patterns, nonzero_rows_);
  }

  BitNeighbours found(const BitPatterns& queries, const BitPatterns& stored, int64_t top) const {
    return limit_of_search_
               ? within(queries, stored, static_cast<int64_t>(std::min(std::floor(*limit_of_search_), 1e9)))
               : nearest(queries, stored, top, ties_);
  }
  RealNeighbours found(const RealPatterns& queries, const RealPatterns& stored, int64_t top) const {
    return limit_of_search_
               ? at_least(queries, stored, measure_->score_of(*limit_of_search_), measure_->similarity)
               : nearest(queries, stored, top, measure_->similarity, ties_);
  }
  static double number(const BitNeighbours& neighbours, int64_t i, const Measure&) {
    return neighbours.distances[static_cast<size_t>(i)];
  }
  static double number(const RealNeighbours& neighbours, int64_t i, const Measure& measure) {
    return measure.printed(neighbours.scores[static_cast<size_t>(i)]);
  }

  /// Calls done(first query) for blocks of queries whose results are in `rows_`, `numbers_` and `offsets_`.
  template <class Patterns, class Done>
  void search(const Patterns& stored, const Patterns& queries, Progress& progress, const Done& done) {
    const int64_t top = std::min(top_, std::max<int64_t>(stored.count(), 1)) + (skips_itself_ ? 1 : 0);
    const bool is_cut = !limit_of_search_ || given_.top->count() > 0;
    constexpr int64_t kQueriesMax = 2048, kResultsOfBlock = 1 << 18, kResultsWithin = 4096;
    const int64_t of_query = limit_of_search_ ? std::min(stored.count(), kResultsWithin) : top;
    const int64_t together =
        std::clamp<int64_t>(kResultsOfBlock / std::max<int64_t>(of_query, 1), 1, kQueriesMax);
    const bool is_long = queries.count() > together;
    if (is_long) {
      progress.start("searching", queries.count());
    }
    for (int64_t first = 0; first < queries.count(); first += together) {
      throw_if_interrupted();
      const int64_t last = std::min(queries.count(), first + together);
      const auto neighbours = found(slice(queries, first, last), stored, top);
      for (int64_t q = first; q < last; ++q) {
        int64_t listed = 0;
        const int64_t end = neighbours.offsets[static_cast<size_t>(q - first) + 1];
        for (int64_t i = neighbours.offsets[static_cast<size_t>(q - first)]; i < end; ++i) {
          const int64_t index = neighbours.indices[static_cast<size_t>(i)],
                        row = zero_rows_.empty() ? index : nonzero_rows_[static_cast<size_t>(index)];
          const double value = number(neighbours, i, *measure_);
          const bool is_tie = ties_ == Ties::all && listed > 0 && value == numbers_.back();
          if ((skips_itself_ && row == q) || (pairs_ && row < q) || (is_cut && listed >= top_ && !is_tie)) {
            continue;
          }
          rows_.push_back(row);
          numbers_.push_back(value);
          ++listed;
        }
        for (const int64_t row : zero_rows_) {
          const bool is_listed = !(skips_itself_ && row == q) && !(pairs_ && row < q) &&
                                 !(is_cut && listed >= top_) && !(limit_of_search_ && *limit_of_search_ > 0);
          if (is_listed) {
            rows_.push_back(row);
            numbers_.push_back(0);
            ++listed;
          }
        }
        offsets_.push_back(std::ssize(rows_));
      }
      done(first);
      if (is_long) {
        progress.advance(last - first);
      }
    }
    progress.finish();
  }

  /// The results of queries in `rows_`, which begin with that of number `first`; of at most `max` rows.
  report::Table table(const data::PatternSet& stored, int64_t first, int64_t max) const {
    report::Table table{.columns = {{.name = "query"}}};
    if (!ids_of_queries_.empty()) {
      table.columns.push_back({.name = "query id", .key = "query_id"});
    }
    table.columns.insert(table.columns.end(), {{.name = "rank"}, {.name = "row"}});
    if (!ids_of_patterns_.empty()) {
      table.columns.push_back({.name = "id"});
    }
    if (!stored.labels.empty()) {
      table.columns.push_back({.name = "label"});
    }
    table.columns.push_back({.name = measure_->column, .digits = 6});
    const bool are_integers = measure_ == &measures().front();
    for (size_t q = 0; q + 1 < offsets_.size(); ++q) {
      for (int64_t i = offsets_[q]; i < offsets_[q + 1] && i < max; ++i) {
        const int64_t row = rows_[static_cast<size_t>(i)];
        const int64_t query = first + static_cast<int64_t>(q);
        std::vector<report::Cell> cells{num_answered_ + query};
        if (!ids_of_queries_.empty()) {
          cells.emplace_back(ids_of_queries_[static_cast<size_t>(query)]);
        }
        cells.insert(cells.end(), {i - offsets_[q] + 1, row});
        if (!ids_of_patterns_.empty()) {
          cells.emplace_back(ids_of_patterns_[static_cast<size_t>(row)]);
        }
        if (!stored.labels.empty()) {
          const std::string label = stored.class_of(row);
          cells.emplace_back(is_utf8(label) ? label : printable(label));
        }
        const double value = numbers_[static_cast<size_t>(i)];
        cells.push_back(are_integers ? report::Cell(static_cast<int64_t>(value)) : report::Cell(value));
        table.rows.push_back(std::move(cells));
      }
    }
    return table;
  }

  /// Prints the results of a block of queries, or keeps what is printed at the end.
  void take_block(const data::PatternSet& stored, int64_t first, const Context& context) {
    constexpr int64_t kRowsShown = 40; // of the text
    num_results_ += std::ssize(rows_);
    const int64_t all = std::ssize(rows_);
    const report::Table block = table(stored, first, context.options.json || csv_ ? all : kRowsShown);
    if (csv_) {
      const std::string text = report::to_csv(block);
      context.out << (first == 0 ? text : text.substr(text.find('\n') + 1));
    } else if (context.options.json) {
      for (nlohmann::ordered_json& row : report::to_json(block)) {
        neighbours_.push_back(std::move(row));
      }
    } else if (first == 0) {
      shown_ = block;
    }
    rows_.clear();
    numbers_.clear();
    offsets_ = {0};
  }

  void print(int64_t num_stored, int64_t num_queries, const Context& context) {
    if (context.options.json) {
      print_json(context.out, {{"similarity", measure_->name},
                               {"patterns", num_stored},
                               {"queries", num_queries},
                               {"neighbours", std::move(neighbours_)}});
    } else if (!csv_) {
      context.out << report::to_text(shown_, context.text_style());
      if (std::ssize(shown_.rows) < num_results_) {
        context.out << fmt::format("\n{} of {} results. Print all of them with --csv or --json.\n",
                                   shown_.rows.size(), num_results_);
      }
    }
  }

  struct {
    Option *top, *within, *at_least, *ties, *bits, *threshold, *query_lines;
  } given_ = {};
  std::vector<std::string> patterns_, queries_;
  std::string ids_, tensor_, queries_tensor_;
  const Measure* measure_ = nullptr; ///< null: chosen from the patterns
  int64_t top_ = 5, limit_ = 0, bits_ = 0;
  std::optional<double> limit_of_search_, threshold_;
  Ties ties_ = Ties::first;
  std::optional<data::BitOrder> packed_;
  std::optional<QueryFormat> query_lines_; ///< of standard input; none: it is read as a file
  bool csv_ = false, pairs_ = false;
  bool skips_itself_ = false; ///< the patterns are the queries

  std::vector<std::string> ids_of_patterns_, ids_of_queries_; ///< empty: there are none
  std::vector<int64_t> zero_rows_, nonzero_rows_;             ///< with cosines: of the stored patterns
  int64_t num_answered_ = 0;                                  ///< queries of earlier lines
  int64_t num_results_ = 0;
  report::Table shown_; ///< the first results
  nlohmann::ordered_json neighbours_ = nlohmann::ordered_json::array();
  // Results of the present block of queries:
  std::vector<int64_t> rows_;       ///< found, those of each query one after the other
  std::vector<double> numbers_;     ///< of `rows_`, as printed
  std::vector<int64_t> offsets_{0}; ///< [queries + 1]: in `rows_`
};

} // namespace

std::unique_ptr<Verb> make_nearest() {
  return std::make_unique<NearestVerb>();
}

} // namespace mneme::cli
