// SPDX-License-Identifier: MIT

#include "cli/memory_source.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/memory_lines.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"
#include "mneme/data/idx.h"
#include "mneme/data/npy.h"
#include "mneme/data/read_file.h"
#include "mneme/memory/associate.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using store::Annotation;
using store::DurableMemory;
using store::Entry;

std::optional<std::string> payload_text(const Payloads& payloads, int64_t item) {
  const auto index = static_cast<size_t>(item);
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&payloads)) {
    return std::to_string((*integers)[index]);
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&payloads)) {
    return (*texts)[index];
  }
  if (const auto* bits = std::get_if<BitPatterns>(&payloads)) {
    return hex_of(*bits, item);
  }
  if (const auto* reals = std::get_if<RealPatterns>(&payloads)) {
    return fmt::format("{}", fmt::join((*reals)[item], ","));
  }
  return std::nullopt;
}

/// The texts as integers; empty unless all are integers in the form in which they are printed.
std::optional<std::vector<int64_t>> integers_of(const std::vector<std::string>& texts) {
  std::vector<int64_t> integers;
  for (const std::string& text : texts) {
    int64_t integer = 0;
    std::from_chars(text.data(), text.data() + text.size(), integer);
    if (std::to_string(integer) != text) {
      return std::nullopt;
    }
    integers.push_back(integer);
  }
  return integers.empty() ? std::nullopt : std::optional(std::move(integers));
}

} // namespace

bool is_memory_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

int64_t MemorySource::bits() const {
  const auto* items = std::get_if<ItemMemory<BitPatterns>>(&memory_);
  if (items == nullptr) {
    return std::get<DurableMemory>(memory_).design().bits;
  }
  return items->patterns().bits() > 0 ? items->patterns().bits() : store::MemoryDesign().bits;
}

int64_t MemorySource::stored() const {
  const auto* items = std::get_if<ItemMemory<BitPatterns>>(&memory_);
  return items != nullptr ? items->count() : std::get<DurableMemory>(memory_).stored();
}

std::optional<store::Threshold> MemorySource::threshold() const {
  const auto* durable = std::get_if<DurableMemory>(&memory_);
  return durable != nullptr ? durable->threshold() : threshold_of_file_;
}

store::ReadResult MemorySource::read(const BitPatterns& queries, const store::ReadOptions& options) {
  if (auto* durable = std::get_if<DurableMemory>(&memory_)) {
    return durable->read(queries, options);
  }
  const auto& items = std::get<ItemMemory<BitPatterns>>(memory_);
  store::ReadResult result;
  if (options.recall) {
    UpdateOptions update = items.options().update;
    update.update_steps_max = options.update_steps_max.value_or(update.update_steps_max);
    result.recall = items.recall(queries, update);
  }
  const BitNeighbours found = store::find_nearest(
      queries, items.count() > 0 ? items.patterns() : BitPatterns(0, queries.bits()), options);
  for (int64_t q = 0; q < queries.count(); ++q) {
    std::vector<store::Neighbour>& nearest = result.nearest.emplace_back();
    for (size_t i = 0; i < found.indices_of(q).size(); ++i) {
      const int64_t item = found.indices_of(q)[i];
      nearest.push_back({.seq = item,
                         .distance = found.distances_of(q)[i],
                         .annotation = {.payload = payload_text(items.payloads(), item)}});
    }
  }
  return result;
}

std::optional<Entry> MemorySource::find(const std::string& key) {
  auto* durable = std::get_if<DurableMemory>(&memory_);
  if (durable == nullptr) {
    throw UsageError(
        "--key has no effect: a .safetensors file has no keys.\n  Leave it out, or give the folder of a "
        "memory.");
  }
  return durable->find(key);
}

void MemorySource::for_each(const std::function<void(const Entry&)>& visit) {
  if (auto* durable = std::get_if<DurableMemory>(&memory_)) {
    durable->for_each(visit);
    return;
  }
  const auto& items = std::get<ItemMemory<BitPatterns>>(memory_);
  for (int64_t i = 0; i < items.count(); ++i) {
    throw_if_interrupted();
    visit({.seq = i,
           .pattern = slice(items.patterns(), i, i + 1),
           .annotation = {.payload = payload_text(items.payloads(), i)}});
  }
}

BitPatterns MemorySource::patterns() {
  BitPatterns patterns(0, bits());
  for_each([&](const Entry& entry) { patterns.append(entry.pattern); });
  return patterns;
}

ItemMemory<BitPatterns> MemorySource::to_items(bool without_keys) {
  auto* durable = std::get_if<DurableMemory>(&memory_);
  if (durable == nullptr) {
    return std::get<ItemMemory<BitPatterns>>(memory_);
  }
  const auto refuse = [](const std::string& what, const std::string& advice) {
    throw UsageError(
        fmt::format("the memory has {}, which a .safetensors file cannot contain.\n  {}", what, advice));
  };
  if (durable->design().hard_locations > 0) {
    refuse("hard locations", "Export it as lines of JSON, to stdout or to NAME.jsonl.");
  }
  BitPatterns patterns(0, bits());
  std::vector<std::string> payloads;
  bool has_payloads = false;
  durable->for_each([&](const Entry& entry) {
    if (!without_keys && (entry.annotation.key || entry.annotation.label)) {
      refuse("keys or labels", "Leave them out with --no-keys, or export the memory as lines of JSON, to "
                               "stdout or to NAME.jsonl.");
    }
    patterns.append(entry.pattern);
    has_payloads = has_payloads || entry.annotation.payload;
    payloads.push_back(entry.annotation.payload.value_or(""));
  });
  ItemMemory<BitPatterns> items(store::association_of(durable->design()));
  if (std::optional<std::vector<int64_t>> integers = integers_of(payloads)) {
    items.add(patterns, std::move(*integers));
  } else {
    items.add(patterns, has_payloads ? Payloads(std::move(payloads)) : Payloads());
  }
  return items;
}

std::vector<std::string> read_column(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = data::read_decompressed_file(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string> values;
  if (text.starts_with("\x93NUMPY")) {
    try {
      for (const int64_t integer : data::parse_npy_integers(bytes, path.string())) {
        values.push_back(std::to_string(integer));
      }
    } catch (const DataError& error) { // its advice may be for patterns
      const std::string message = error.what();
      throw DataError(message.substr(0, message.find('\n')) +
                      "\n  Save one integer per pattern as x.astype(numpy.int64), or texts as lines: "
                      "numpy.savetxt(\"FILE.txt\", x, fmt=\"%s\").");
    }
  } else if (text.starts_with(std::string_view("\0\0", 2))) { // IDX
    for (const int64_t label : data::parse_idx_labels(bytes, path.string())) {
      values.push_back(std::to_string(label));
    }
  } else {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      values.emplace_back(text.substr(begin, end - begin));
      if (values.back().ends_with('\r')) {
        values.back().pop_back();
      }
      begin = end + 1;
    }
  }
  return values;
}

void require_utf8(std::span<const std::string> texts, const std::string& what, const std::string& source) {
  const auto wrong = std::ranges::find_if_not(texts, is_utf8);
  if (wrong != texts.end()) {
    throw DataError(
        fmt::format("{}: the {} of pattern {}, \"{}\", is not valid UTF-8 text.\n  Convert the "
                    "file from its encoding, such as Latin-1: iconv -f LATIN1 -t UTF-8 FILE > NEW.",
                    printable(source), what, wrong - texts.begin(), printable(*wrong)));
  }
}

std::vector<std::string> read_column(const std::filesystem::path& path, const std::string& what,
                                     int64_t count, const std::function<int64_t()>& count_without_limit) {
  std::vector<std::string> values = read_column(path);
  if (what != "payload") { // which may be any bytes
    require_utf8(values, what, path.string());
  }
  const int64_t given = std::ssize(values);
  if (given == count) {
    return values;
  }
  const int64_t all = count_without_limit();
  if (given == all) {
    values.resize(static_cast<size_t>(count));
    return values;
  }
  const std::string patterns =
      all > count ? fmt::format("{} patterns are used of {}", count, all)
                  : fmt::format("there {} {}", count == 1 ? "is" : "are", report::counted(count, "pattern"));
  throw DataError(
      fmt::format("{}: the file has {}, but {}.\n  Give one line, or one integer of an .npy "
                  "file, per pattern{}{}",
                  printable(path.string()), report::counted(given, what), patterns,
                  all > count ? fmt::format(": {} or {} of them", count, all) : "",
                  given == count + 1 || given == all + 1
                      ? fmt::format(". If the first line is a title and not {} {}, remove it: tail "
                                    "-n +2 FILE > NEW.",
                                    what == "id" ? "an" : "a", what)
                      : "."));
}

int64_t count_without_limit(int64_t known, std::span<const std::string> paths,
                            const data::LoadOptions& options) {
  // Standard input cannot be read again.
  if (known > 0 || std::ranges::any_of(paths, data::is_standard_input)) {
    return known;
  }
  return data::count_patterns(std::vector<std::filesystem::path>(paths.begin(), paths.end()), options);
}

} // namespace mneme::cli
