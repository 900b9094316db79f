// SPDX-License-Identifier: MIT

#include "mneme/memory/item_memory.h"

#include <array>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "memory/checks.h"
#include "memory/overloaded.h"
#include "mneme/core/error.h"

namespace mneme {
namespace {

template <class Patterns> void append(Patterns& patterns, const Patterns& more) {
  patterns.append(more);
}

template <class T> void append(std::vector<T>& column, const std::vector<T>& more) {
  if (&more == &column) { // a range of a vector cannot be inserted into it
    append(column, std::vector<T>(more));
    return;
  }
  column.insert(column.end(), more.begin(), more.end());
}

void append(std::monostate&, const std::monostate&) {}

/// Removes rows with ascending indices in range, by move(from, to) of single rows.
template <class Move> int64_t compact(int64_t count, std::span<const int64_t> ascending, const Move& move) {
  int64_t kept = 0;
  auto next = ascending.begin();
  for (int64_t row = 0; row < count; ++row) {
    if (next != ascending.end() && *next == row) {
      ++next;
    } else {
      if (kept < row) {
        move(row, kept);
      }
      ++kept;
    }
  }
  return kept;
}

template <class Patterns> void erase_rows(Patterns& patterns, std::span<const int64_t> ascending) {
  patterns.erase(ascending);
}

template <class T> void erase_rows(std::vector<T>& column, std::span<const int64_t> ascending) {
  const int64_t kept = compact(std::ssize(column), ascending, [&](int64_t from, int64_t to) {
    column[static_cast<size_t>(to)] = std::move(column[static_cast<size_t>(from)]);
  });
  column.resize(static_cast<size_t>(kept));
}

void erase_rows(std::monostate&, std::span<const int64_t>) {}

/// Numbers or bits of a payload; 0 if they have no fixed size.
int64_t payload_size(const Payloads& payloads) {
  return std::visit(Overloaded{[](const BitPatterns& bits) { return bits.bits(); },
                               [](const RealPatterns& reals) { return reals.size(); },
                               [](const auto&) { return int64_t{0}; }},
                    payloads);
}

} // namespace

int64_t payload_count(const Payloads& payloads) {
  return std::visit(Overloaded{[](const std::monostate&) { return int64_t{0}; },
                               [](const BitPatterns& bits) { return bits.count(); },
                               [](const RealPatterns& reals) { return reals.count(); },
                               [](const auto& column) { return static_cast<int64_t>(column.size()); }},
                    payloads);
}

std::string payload_type(const Payloads& payloads) {
  constexpr std::array<const char*, std::variant_size_v<Payloads>> kNames{"none", "integers", "bytes", "bits",
                                                                          "reals"};
  return kNames[payloads.index()];
}

template <class Patterns>
ItemMemory<Patterns>::ItemMemory(AssociateOptions<Patterns> options) : options_(std::move(options)) {
  if (options_.values) {
    throw UsageError("mneme::ItemMemory: the options have values, but an item memory recalls its patterns.\n"
                     "  Give the values to `add` as payloads, or use AssociativeMemory.");
  }
}

template <class Patterns> void ItemMemory<Patterns>::add(const Patterns& patterns, const Payloads& payloads) {
  const bool is_first = count() == 0;
  if (!is_first) {
    require_same_size("an added pattern", pattern_size(patterns), "a stored pattern",
                      pattern_size(patterns_));
  }
  require_finite("added pattern", patterns);
  if (const auto* reals = std::get_if<RealPatterns>(&payloads)) {
    require_finite("payload", *reals);
  }
  const bool has_payloads = !std::holds_alternative<std::monostate>(payloads);
  if (has_payloads && payload_count(payloads) != patterns.count()) {
    throw UsageError(fmt::format("mneme::ItemMemory: {} patterns with {} payloads were added.\n  Give one "
                                 "payload per pattern, or none.",
                                 patterns.count(), payload_count(payloads)));
  }
  if (!is_first &&
      (payloads.index() != payloads_.index() || payload_size(payloads) != payload_size(payloads_))) {
    const auto text = [](const Payloads& of) {
      const int64_t size = payload_size(of);
      return payload_type(of) + (size > 0 ? fmt::format(" of size {}", size) : "");
    };
    throw UsageError(fmt::format("mneme::ItemMemory: the payloads of the added patterns are {}, but those of "
                                 "the stored patterns are {}.\n  Give payloads of the same type and size.",
                                 text(payloads), text(payloads_)));
  }
  if (is_first) { // copies first, so that a failed allocation changes nothing
    Patterns first_patterns = patterns;
    Payloads first_payloads = payloads;
    patterns_ = std::move(first_patterns);
    payloads_ = std::move(first_payloads);
    return;
  }
  std::vector<int64_t> added(static_cast<size_t>(patterns.count()));
  std::iota(added.begin(), added.end(), count());
  patterns_.append(patterns);
  try {
    std::visit([&]<class Column>(Column& column) { append(column, std::get<Column>(payloads)); }, payloads_);
  } catch (...) {
    patterns_.erase(added); // does not allocate
    throw;
  }
}

template <class Patterns> void ItemMemory<Patterns>::erase(std::span<const int64_t> ascending) {
  for (size_t i = 0; i < ascending.size(); ++i) {
    if (ascending[i] < 0 || ascending[i] >= count() || (i > 0 && ascending[i] <= ascending[i - 1])) {
      throw UsageError(
          fmt::format("mneme::ItemMemory: item {} of {} cannot be removed.\n  The indices must be "
                      "in range and ascend strictly.",
                      ascending[i], count()));
    }
  }
  erase_rows(patterns_, ascending);
  std::visit([&](auto& column) { erase_rows(column, ascending); }, payloads_);
}

template <class Patterns>
Recall<Patterns> ItemMemory<Patterns>::recall(const Patterns& cues, const UpdateOptions& update) const {
  return AssociativeMemory<Patterns>(stored_for(cues), options_).recall(cues, update);
}

template <class Patterns>
std::shared_ptr<const Patterns> ItemMemory<Patterns>::stored_for(const Patterns& queries) const {
  if (count() == 0) {
    return std::make_shared<const Patterns>(0, pattern_size(queries));
  }
  return {std::shared_ptr<void>(), &patterns_}; // outlives the call
}

template <class Patterns> void ItemMemory<Patterns>::reject_payload_type(const std::string& requested) const {
  throw UsageError(
      fmt::format("mneme::ItemMemory: payloads of the type {} were requested, but they are {}.\n  "
                  "Request that type.",
                  requested, payload_type(payloads_)));
}

template class ItemMemory<BitPatterns>;
template class ItemMemory<RealPatterns>;

} // namespace mneme
