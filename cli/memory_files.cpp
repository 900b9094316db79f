// SPDX-License-Identifier: MIT

#include "cli/memory_files.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/threshold.h"
#include "report/number.h"

namespace mneme::cli {
namespace {

std::string number_text(double number) {
  return report::format_number(number, report::Notation::automatic, 6);
}

/// Numbers as bits, with messages on the threshold and its effect.
BitPatterns binarised(const data::PatternSet& set, const std::optional<double>& given, Progress& progress) {
  const data::ThresholdChoice choice = data::choose_threshold(set, given);
  BitPatterns bits = to_bits(set.patterns, choice.threshold);
  const std::span<const double> numbers(set.patterns.data(),
                                        static_cast<size_t>(set.patterns.count() * set.patterns.size()));
  if (std::ranges::all_of(numbers, [](double x) { return x == 0 || x == 1; })) {
    return bits; // the numbers are bits
  }
  const auto [lowest, highest] = std::ranges::minmax(numbers);
  const std::string source = printable(set.source);
  progress.message(fmt::format("{}: a bit is 1 where a number is above {} ({})", source,
                               number_text(choice.threshold * set.file_scale), choice.origin));
  const std::vector<int64_t> places = distinct_pattern_indices(bits);
  const int64_t distinct = std::ranges::max(places) + 1;
  const bool has_ones = highest > choice.threshold, has_zeros = lowest <= choice.threshold;
  const std::string problem =
      !has_ones || !has_zeros ? fmt::format("every bit is {}", has_ones ? 1 : 0)
      : distinct < bits.count()
          ? fmt::format("only {} of {} patterns are distinct as bits", distinct, bits.count())
          : "";
  if (!problem.empty()) {
    progress.message(
        fmt::format("{}: {}. The numbers range from {} to {}; --threshold sets another threshold.", source,
                    problem, number_text(lowest * set.file_scale), number_text(highest * set.file_scale)));
  }
  return bits;
}

} // namespace

Lines read_pattern_files(const PatternFiles& files, int64_t bits, Progress& progress) {
  data::PatternSet set =
      data::load_patterns(std::vector<std::filesystem::path>(files.paths.begin(), files.paths.end()),
                          {.limit = files.limit,
                           .tensor = files.tensor,
                           .packed = files.packed,
                           .as_bits = files.packed.has_value()});
  constexpr int64_t kBitsPerByte = 8;
  const bool is_packed = files.packed.has_value();
  const int64_t size = is_packed ? set.bits.bits() : set.patterns.size();
  const bool has_padding = is_packed && bits < size && bits > size - kBitsPerByte;
  if (size != bits && !has_padding) {
    throw DataError(
        fmt::format("{}: the patterns have {} {}, but the memory has patterns of {} bits.\n  Give "
                    "patterns of this size, or create a memory with --bits {}.",
                    printable(set.source), size, is_packed ? "bits" : "numbers", bits, size));
  }
  if (has_padding) {
    set.bits = data::unpack_bits(data::pack_bits(set.bits, data::BitOrder::little), set.bits.count(), bits,
                                 data::BitOrder::little, set.source);
  }
  Lines lines{.texts = {},
              .patterns = is_packed ? std::move(set.bits) : binarised(set, files.threshold, progress),
              .annotations = {}};
  lines.annotations.resize(static_cast<size_t>(lines.patterns.count()));
  for (int64_t i = 0; i < lines.patterns.count(); ++i) {
    lines.texts.push_back(fmt::format("pattern {} of {}", i, printable(set.source)));
    if (!set.labels.empty()) {
      const int64_t label = set.labels[static_cast<size_t>(i)];
      const bool is_named = label >= 0 && label < std::ssize(set.class_names);
      lines.annotations[static_cast<size_t>(i)].label =
          is_named ? set.class_names[static_cast<size_t>(label)] : std::to_string(label);
    }
  }
  return lines;
}

} // namespace mneme::cli
