// SPDX-License-Identifier: MIT

#include "cli/memory_files.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "cli/memory_source.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/packed_bits.h"
#include "mneme/data/scale.h"
#include "mneme/data/threshold.h"
#include "report/number.h"

namespace mneme::cli {
namespace {

std::string number_text(double number) {
  return report::format_number(number, report::Notation::automatic, 6);
}

std::string ranges_text(const data::PatternSet& set, const store::Threshold& kept) {
  const auto [lowest, highest] = std::ranges::minmax(data::numbers_of(set.patterns));
  return fmt::format("{}: the numbers range from {} to {}, but those for which the threshold of the memory, "
                     "{}, was chosen from "
                     "{} to {}",
                     printable(set.source), number_text(lowest * set.file_scale),
                     number_text(highest * set.file_scale), number_text(kept.value * kept.file_scale),
                     number_text(kept.min * kept.file_scale), number_text(kept.max * kept.file_scale));
}

constexpr const char* kAdvice =
    "Bring the numbers to the scale of the memory, or give a threshold for them with --threshold.";

/// The threshold that the memory keeps, after the numbers were brought to the scale of those for which it was
/// chosen.
///
/// Errors  UsageError for patterns that are not to be written, if the threshold does not apply to their
///         numbers
data::ThresholdChoice kept_threshold(data::PatternSet& set, const store::Threshold& kept,
                                     const FileReader& memory, Progress& progress) {
  const data::PatternSet first{
      .patterns = {1, 2, {kept.min, kept.max}}, .file_scale = kept.file_scale, .source = "the memory"};
  data::ThresholdChoice choice{kept.value, "the threshold of the memory"};
  if (kept.value != 0) { // 0 is the same on every scale
    try {
      if (!data::match_scale(first, set).empty()) {
        progress.message(fmt::format("{}: the numbers were brought to the scale of the memory, {} to {}",
                                     printable(set.source), number_text(kept.min * kept.file_scale),
                                     number_text(kept.max * kept.file_scale)));
      }
    } catch (const UsageError&) {
      const std::string ranges = ranges_text(set, kept);
      if (!memory.writes) {
        throw UsageError(ranges + ".\n  " + kAdvice);
      }
      progress.message(ranges);
    }
  }
  if (!memory.writes) {
    data::require_both_bits(first, choice, set, kAdvice);
  }
  return choice;
}

void require_kept(const data::PatternSet& set, const store::Threshold& kept, double given) {
  if (given != kept.value * kept.file_scale && given != kept.value * set.file_scale) {
    throw UsageError(fmt::format(
        "--threshold {:g}: the memory keeps the threshold {} of its first file, so that all its patterns "
        "have "
        "the same meaning.\n  Leave out --threshold, or create another memory for these patterns.",
        given, number_text(kept.value * kept.file_scale)));
  }
}

/// Reports the threshold and its effect.
///
/// Errors  UsageError if all bits of patterns to write are equal, unless the threshold was given for them
void report_threshold(const data::PatternSet& set, const data::ThresholdChoice& choice, bool is_given,
                      const BitPatterns& bits, const FileReader& memory, Progress& progress) {
  const std::string source = printable(set.source);
  const auto [lowest, highest] = std::ranges::minmax(data::numbers_of(set.patterns));
  const std::string range =
      fmt::format("the numbers range from {} to {}", number_text(lowest * set.file_scale),
                  number_text(highest * set.file_scale));
  const std::string threshold =
      fmt::format("{} ({})", number_text(choice.threshold * set.file_scale), choice.origin);
  const bool is_equal = highest <= choice.threshold || lowest > choice.threshold;
  if (is_equal && memory.writes && !is_given) {
    throw UsageError(fmt::format("{}: every bit would be {}, since {}, and a bit is 1 above {}.\n  Bring the "
                                 "numbers to the scale of the memory, or create another memory for them.",
                                 source, lowest > choice.threshold ? 1 : 0, range, threshold));
  }
  progress.message(fmt::format(
      "{}: a bit is 1 where a number is above {}{}", source, threshold,
      memory.writes && !memory.threshold ? "; the memory keeps this threshold for other files" : ""));
  const std::vector<int64_t> places = distinct_pattern_indices(bits);
  const int64_t distinct = std::ranges::max(places) + 1;
  int64_t constant = 0;
  for (int64_t i = 0; i < bits.count(); ++i) {
    const auto ones = std::ranges::count_if(set.patterns[i], [&](double x) { return x > choice.threshold; });
    constant += ones == 0 || ones == bits.bits() ? 1 : 0;
  }
  const auto of_all = [&](int64_t count) { return fmt::format("{} of {} patterns", count, bits.count()); };
  if (constant > 0) {
    progress.message(fmt::format("{}: all bits of {} are equal; {}", source, of_all(constant), range));
  } else if (distinct < bits.count()) {
    progress.message(fmt::format("{}: only {} are distinct as bits; {}", source, of_all(distinct), range));
  }
}

/// Numbers as bits, and the threshold.
std::pair<BitPatterns, store::Threshold> binarised(data::PatternSet& set, const std::optional<double>& given,
                                                   const FileReader& memory, Progress& progress) {
  const std::optional<store::Threshold>& kept = memory.threshold;
  if (memory.writes && kept && given) {
    require_kept(set, *kept, *given);
  }
  const bool has_bits = data::are_bits(set.patterns);
  const bool uses_kept = kept && (memory.writes || !given);
  data::ThresholdChoice choice{.threshold = 0.5};
  if (has_bits && uses_kept && (kept->value < 0 || kept->value >= 1)) {
    progress.message(fmt::format(
        "{}: the numbers are only 0 and 1, so they are bits; the threshold of the memory, {}, does not apply",
        printable(set.source), number_text(kept->value * kept->file_scale)));
  } else {
    choice = uses_kept ? kept_threshold(set, *kept, memory, progress) : data::choose_threshold(set, given);
  }
  BitPatterns bits = to_bits(set.patterns, choice.threshold);
  if (!has_bits) {
    report_threshold(set, choice, !uses_kept && given.has_value(), bits, memory, progress);
  }
  const auto [lowest, highest] = std::ranges::minmax(data::numbers_of(set.patterns));
  return {std::move(bits),
          store::Threshold{
              .value = choice.threshold, .min = lowest, .max = highest, .file_scale = set.file_scale}};
}

} // namespace

data::LoadOptions load_options(const PatternFiles& files) {
  return {.limit = files.limit,
          .tensor = files.tensor,
          .packed = files.packed,
          .as_bits = files.packed.has_value()};
}

Lines read_pattern_files(const PatternFiles& files, const FileReader& memory, Progress& progress) {
  const int64_t bits = memory.bits;
  data::PatternSet set = data::load_patterns(
      std::vector<std::filesystem::path>(files.paths.begin(), files.paths.end()), load_options(files));
  constexpr int64_t kBitsPerByte = 8;
  const bool is_packed = files.packed.has_value();
  const int64_t size = is_packed ? set.bits.bits() : set.patterns.size();
  const bool has_padding = is_packed && bits < size && bits > size - kBitsPerByte;
  if (size != bits && !has_padding) {
    const bool is_probably_packed = !is_packed && size == (bits + kBitsPerByte - 1) / kBitsPerByte &&
                                    set.file_scale != 1 && !set.is_image(); // bytes
    throw DataError(fmt::format(
        "{}: the patterns have {} {}, but the memory has patterns of {} bits.\n  {}", printable(set.source),
        size, is_packed ? "bits" : "numbers", bits,
        is_probably_packed
            ? "If these are packed bits, give their order: --packed big (numpy.packbits), or --packed little."
            : fmt::format("Give patterns of this size, or create a memory with --bits {}.", size)));
  }
  if (has_padding) {
    set.bits = data::unpack_bits(data::pack_bits(set.bits, data::BitOrder::little), set.bits.count(), bits,
                                 data::BitOrder::little, set.source);
  }
  if (memory.writes) {
    require_utf8(set.ids, "key", set.source);
  }
  Lines lines;
  lines.count_without_limit = set.count_without_limit;
  if (is_packed) {
    lines.patterns = std::move(set.bits);
  } else {
    std::tie(lines.patterns, lines.threshold) = binarised(set, files.threshold, memory, progress);
  }
  lines.annotations.resize(static_cast<size_t>(lines.patterns.count()));
  for (int64_t i = 0; i < lines.patterns.count(); ++i) {
    if (!memory.writes) { // queries, which are printed
      lines.texts.push_back(set.ids.empty() ? fmt::format("pattern {} of {}", i, printable(set.source))
                                            : set.ids[static_cast<size_t>(i)]);
    } else if (!set.ids.empty()) {
      lines.annotations[static_cast<size_t>(i)].key = set.ids[static_cast<size_t>(i)];
    }
    if (!set.labels.empty()) {
      lines.annotations[static_cast<size_t>(i)].label = set.class_of(i);
    }
  }
  return lines;
}

} // namespace mneme::cli
