// SPDX-License-Identifier: MIT

/// Snapshot files: immutable binary copies of a range of the log, and of the counters of hard locations.
///
/// Format (little-endian), one header and the content:
///
///     offset  bytes
///          0      8  "MNEMECHK"
///          8      4  version, 1
///         12      4  kind: 1 records, 2 counters
///         16      8  last seq before the range (kind 2: first hard location)
///         24      8  last seq of the range (kind 2: first hard location after the range)
///         32      8  count of records (kind 2: of hard locations with writes)
///         40      8  count of writes among the records (kind 2: the counters contain all changes up to it)
///         48      8  bits of a pattern (kind 2: counters per hard location)
///         56      4  chain before the range (kind 2: chain at the seq)
///         60      4  chain after the range (kind 2: 0)
///         64      4  CRC32C of the content
///         68      4  CRC32C of the header up to here
///         72         content
///
/// Content of kind 1: seq, target, hash of the key, hash of the label, 8 bytes each, one column after the
/// other; then the pattern of every write in 64-bit words. Content of kind 2: location and number of writes,
/// 8 bytes each, one column after the other; then the 16-bit counters of every location.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme::store {

/// Records of the log as columns.
struct Records {
  std::vector<int64_t> seqs, targets;             ///< target 0: a write
  std::vector<uint64_t> key_hashes, label_hashes; ///< 0: none
  BitPatterns patterns;                           ///< of the writes

  int64_t count() const { return static_cast<int64_t>(seqs.size()); }
  void append(const Records& more);
  bool operator==(const Records&) const = default;
};

struct RecordChunk {
  int64_t first_seq = 0, last_seq = 0; ///< range of seqs: after the first, up to the last
  uint32_t chain_before = 0, chain_after = 0;
  Records records;
};

struct CounterChunk {
  int64_t first_location = 0, last_location = 0; ///< range of hard locations, without the last
  int64_t seq = 0;                               ///< the counters contain all changes up to it
  uint32_t chain = 0;                            ///< of the log at `seq`
  int64_t counters_per_location = 0;
  std::vector<int64_t> locations, writes; ///< those with writes
  std::vector<int16_t> counters;          ///< [locations, counters_per_location]
};

std::vector<std::byte> chunk_bytes(const RecordChunk& chunk);
std::vector<std::byte> chunk_bytes(const CounterChunk& chunk);

/// Errors  DataError if the bytes are not a complete and intact file of this kind
RecordChunk parse_record_chunk(std::span<const std::byte> bytes, const std::string& name);
CounterChunk parse_counter_chunk(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::store
