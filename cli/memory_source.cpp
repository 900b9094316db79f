// SPDX-License-Identifier: MIT

#include "cli/memory_source.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/memory_lines.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/npy.h"
#include "mneme/data/read_file.h"
#include "mneme/memory/associate.h"

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

} // namespace

bool is_memory_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

int64_t MemorySource::bits() const {
  const auto* items = std::get_if<ItemMemory<BitPatterns>>(&memory_);
  return items != nullptr ? items->patterns().bits() : std::get<DurableMemory>(memory_).design().bits;
}

int64_t MemorySource::stored() const {
  const auto* items = std::get_if<ItemMemory<BitPatterns>>(&memory_);
  return items != nullptr ? items->count() : std::get<DurableMemory>(memory_).stored();
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
  const BitNeighbours found = store::find_nearest(queries, items.patterns(), options);
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

void MemorySource::for_each(const std::function<void(const Entry&)>& visit) {
  if (auto* durable = std::get_if<DurableMemory>(&memory_)) {
    durable->for_each(visit);
    return;
  }
  const auto& items = std::get<ItemMemory<BitPatterns>>(memory_);
  for (int64_t i = 0; i < items.count(); ++i) {
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

ItemMemory<BitPatterns> MemorySource::to_items() {
  auto* durable = std::get_if<DurableMemory>(&memory_);
  if (durable == nullptr) {
    return std::get<ItemMemory<BitPatterns>>(memory_);
  }
  const auto refuse = [](const std::string& what) {
    throw UsageError(
        "the memory has " + what +
        ", which a .safetensors file cannot contain.\n  Export it as lines of JSON, to stdout or "
        "to a file with another ending.");
  };
  if (durable->design().hard_locations > 0) {
    refuse("hard locations");
  }
  BitPatterns patterns(0, bits());
  std::vector<std::string> payloads;
  bool has_payloads = false;
  durable->for_each([&](const Entry& entry) {
    if (entry.annotation.key || entry.annotation.label) {
      refuse("keys or labels");
    }
    patterns.append(entry.pattern);
    has_payloads = has_payloads || entry.annotation.payload;
    payloads.push_back(entry.annotation.payload.value_or(""));
  });
  ItemMemory<BitPatterns> items(store::association_of(durable->design()));
  items.add(patterns, has_payloads ? Payloads(std::move(payloads)) : Payloads());
  return items;
}

std::vector<std::string> read_payloads(const std::filesystem::path& path, int64_t count) {
  const std::vector<std::byte> bytes = data::read_file(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string> payloads;
  if (text.starts_with("\x93NUMPY")) {
    for (const int64_t integer : data::parse_npy_integers(bytes, path.string())) {
      payloads.push_back(std::to_string(integer));
    }
  } else {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      payloads.emplace_back(text.substr(begin, end - begin));
      if (payloads.back().ends_with('\r')) {
        payloads.back().pop_back();
      }
      begin = end + 1;
    }
  }
  if (std::ssize(payloads) != count) {
    throw DataError(
        fmt::format("{}: the file has {} payloads, but there are {} patterns.\n  Give one line, or "
                    "one integer of an .npy file, per pattern.",
                    printable(path.string()), payloads.size(), count));
  }
  return payloads;
}

} // namespace mneme::cli
