// SPDX-License-Identifier: MIT

/// Memories that `mneme memory read` and `export` read: a folder, or a file of an item memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "mneme/data/load_patterns.h"
#include "mneme/memory/item_memory.h"
#include "mneme/store/durable_memory.h"

namespace mneme::cli {

/// True for a file; memories in folders are store::DurableMemory.
bool is_memory_file(const std::filesystem::path& path);

/// A memory that is open for reading. The items of a file are numbered from 0 on, in place of `seq`, and have
/// neither keys nor labels. Their payloads are printed as texts: integers as digits, bits in hexadecimal,
/// real numbers separated by commas, byte strings as they are.
class MemorySource {
public:
  explicit MemorySource(store::DurableMemory memory) : memory_(std::move(memory)) {}
  explicit MemorySource(ItemMemory<BitPatterns> memory, const std::optional<store::Threshold>& threshold)
      : memory_(std::move(memory)), threshold_of_file_(threshold) {}

  int64_t bits() const; ///< of a pattern; the default of MemoryDesign for a file without patterns of any size
  int64_t stored() const;
  std::optional<store::Threshold> threshold() const;
  store::ReadResult read(const BitPatterns& queries, const store::ReadOptions& options);
  /// Errors  UsageError for a file, which has no keys
  std::optional<store::Entry> find(const std::string& key);
  void for_each(const std::function<void(const store::Entry&)>& visit);
  /// The memory as it is saved to a file. If all payloads are decimal integers of 64 bits, as std::to_string
  /// writes them, they become integers; otherwise they are byte strings.
  ///
  /// Errors  UsageError for what a file cannot contain: hard locations, and keys and labels unless
  ///         `without_keys` leaves them out
  ItemMemory<BitPatterns> to_items(bool without_keys);
  BitPatterns patterns();

private:
  std::variant<store::DurableMemory, ItemMemory<BitPatterns>> memory_;
  std::optional<store::Threshold> threshold_of_file_; ///< none for a folder
};

/// Payloads, keys or ids in a file, which may be compressed by gzip: one per line, or the integers of an .npy
/// file or of an IDX file of labels (MNIST) as digits.
std::vector<std::string> read_column(const std::filesystem::path& path);
/// One (a "payload", "key" or "id") for each of the `count` patterns that were read. If a limit leaves out
/// patterns, the file may also have one for each of the `count_without_limit()` patterns without the limit;
/// those after the first `count` are left out.
///
/// Errors  DataError for any other number, and for keys and ids that are not UTF-8
std::vector<std::string> read_column(const std::filesystem::path& path, const std::string& what,
                                     int64_t count, const std::function<int64_t()>& count_without_limit);
/// Refuses a text (a "key" or "id") of a pattern that is not UTF-8, since its bytes would be replaced in CSV
/// and JSON, where different texts could become equal.
///
/// Errors  DataError that names the pattern
void require_utf8(std::span<const std::string> texts, const std::string& what, const std::string& source);
/// Number of patterns that `paths` have without `options.limit`: `known` (PatternSet::count_without_limit),
/// or counted if that is 0.
int64_t count_without_limit(int64_t known, std::span<const std::string> paths,
                            const data::LoadOptions& options);

} // namespace mneme::cli
