// SPDX-License-Identifier: MIT

/// The log of a durable memory: the tables of memory.sqlite, and their checksums.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/store/durable_memory.h"
#include "store/chunk_file.h"
#include "store/sqlite.h"

namespace mneme::store {

constexpr int64_t kFormatVersion = 1;
constexpr int64_t kThresholdVersion = 2; ///< of a memory that keeps a threshold
/// Kinds of snapshot files in the table `chunks`.
constexpr int64_t kRecordChunks = 1, kCounterChunks = 2;

/// State of the log after its last record, stored in the table `head`.
struct Head {
  int64_t generation = 0; ///< number of compactions
  int64_t seq = 0;        ///< of the last change, also if its record was removed by a compaction
  int64_t records = 0;    ///< rows of the log
  int64_t stored = 0;     ///< writes that were not forgotten
  uint32_t chain = 0;     ///< of the last record
};

/// Row of the log: a write, or the forget of the write `target`.
struct Record {
  int64_t seq = 0;
  int64_t target = 0; ///< 0: a write
  std::optional<std::string_view> key, label, pattern, payload;
};

/// Checksum of the contents of a record.
uint32_t record_crc(const Record& record);
/// Checksum of a record and all records before it.
uint32_t next_chain(uint32_t chain, uint32_t crc);

/// Hash of a key or label with which they are found, never 0. 0: there is none. (FNV-1a, 64 bits)
uint64_t text_hash(const std::optional<std::string_view>& text);

/// Bytes of a pattern: bit b is bit (b mod 8) of byte (b / 8).
std::string_view pattern_bytes(const BitPatterns& patterns, int64_t index);
int64_t bytes_per_pattern(int64_t bits);
/// Errors  DataError unless the bytes are those of a pattern
void set_pattern(BitPatterns& patterns, int64_t index, std::string_view bytes, const std::string& where);

/// Adds a record to columns of records.
void append_record(Records& records, const Record& record, const std::string& where);

/// Snapshot file named in the table `chunks`.
struct ChunkName {
  std::string name;
  int64_t kind, first_seq, last_seq;
};

/// The tables.
///
/// Errors  Interrupted, by functions that read or write many records
class Log {
public:
  /// Creates the tables.
  static void create(const Database& database, const MemoryDesign& design);
  /// Errors  DataError if the file is not a memory, of another version, or damaged
  explicit Log(const Database& database);

  const MemoryDesign& design() const { return design_; }
  /// Chain before the first record of a generation.
  uint32_t first_chain(int64_t generation) const;

  std::optional<Threshold> threshold() const;
  void set_threshold(const Threshold& threshold); ///< of a log that has none

  Head head() const;
  /// Replaces the head, which must be `before`. Errors  DataError if it is not
  void set_head(const Head& before, const Head& after);

  /// Inserts a record and advances `head` (in memory only).
  void insert(const Record& record, Head& head);
  /// Calls visit(record, chain) for the records with after < seq <= last, in order, and checks their
  /// checksums and the chain, which begins with `chain`; returns the chain after the last.
  uint32_t for_each(int64_t after, int64_t last, uint32_t chain,
                    const std::function<void(const Record&, uint32_t)>& visit) const;
  /// Calls visit(record) for the record `seq`. Errors  DataError if it is missing or damaged
  void fetch(int64_t seq, const std::function<void(const Record&)>& visit) const;

  int64_t count_after(int64_t seq) const; ///< number of records with a larger seq
  std::vector<ChunkName> chunks() const;  ///< by kind, then by first_seq
  void add_chunk(const ChunkName& chunk);
  void remove_chunks(int64_t kind);

  /// Checks all records, then removes those that are not of a write in `stored`, which ascends; starts the
  /// next generation.
  void keep_only(const std::vector<int64_t>& stored, Head& head);

  const std::string& name() const { return name_; } ///< of the file, for messages
  [[noreturn]] void fail(const std::string& what) const;

private:
  Record checked_row(const Statement& row) const;

  const Database& database_;
  std::string name_;
  MemoryDesign design_;
  uint32_t meta_crc_ = 0;
  mutable Statement select_, fetch_, select_head_;
  std::optional<Statement> insert_, set_head_; ///< prepared at the first change
};

} // namespace mneme::store
