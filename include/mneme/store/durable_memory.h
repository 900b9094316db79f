// SPDX-License-Identifier: MIT

/// Associative memory on disk: every acknowledged write survives a crash of the program, of the system and a
/// power failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/nearest.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/memory/update.h"
#include "mneme/trials/memory_steps.h"

namespace mneme::store {

constexpr size_t kTextMax = 64 << 10; ///< maximum size of a key or label in bytes

/// Kind and parameters of a memory, fixed when it is created.
struct MemoryDesign {
  int64_t bits = 1024; ///< of a pattern, 1 .. 2^20
  /// Memory of stored patterns: any similarity and separation of trials/memory_steps.h with the projection
  /// majority.
  trials::MemorySteps steps = {"hamming", "best-match", "majority"};
  /// More than 0: neuron-based SDM with this number of hard locations (NeuronSdm), which has no `steps`.
  int64_t hard_locations = 0;
  int64_t hamming_radius = 0;    ///< 0: not used, or see `completed`
  double beta = 0;               ///< 0: not used, or see `completed`
  double alpha = 0;              ///< 0: not used, or see `completed`
  double degree = 0;             ///< 0: not used, or see `completed`
  int64_t update_steps_max = 10; ///< of a recall, 1 .. 10^6
  uint64_t seed = 1;             ///< of the addresses or selected coordinates of hard locations
  /// More than 0: each hard location compares only this number of bits (NeuronSdmOptions), without a radius.
  int64_t selected_coordinates = 0;
  AssignedValues assigned_values = AssignedValues::random; ///< of selected coordinates

  bool operator==(const MemoryDesign&) const = default;
};

/// The design with a value for every parameter that it uses and that is 0: the Hamming radius that contains
/// one thousandth of the space (Kanerva 1988), the beta whose softmax approximates the circle intersection at
/// that radius, the default alpha of the separation, and the degree 3.
///
/// Errors  UsageError if a parameter is out of range or is given and not used, if steps are incompatible, or
///         if the steps are those of a memory of real numbers
MemoryDesign completed(MemoryDesign design);

/// Options of a complete design without hard locations.
AssociateOptions<BitPatterns> association_of(const MemoryDesign& design);
/// Options of a complete design with hard locations.
NeuronSdmOptions neuron_sdm_of(const MemoryDesign& design);

constexpr uint64_t kPayloadBytesMax = 256 << 20; ///< of a payload

/// Optional texts and bytes that are stored with a pattern.
struct Annotation {
  std::optional<std::string> key = {};     ///< names at most one pattern; UTF-8, at most 64 KiB, not empty
  std::optional<std::string> label = {};   ///< may be that of many patterns; UTF-8, at most 64 KiB, not empty
  std::optional<std::string> payload = {}; ///< any bytes, at most 256 MiB

  bool operator==(const Annotation&) const = default;
};

/// Threshold above which numbers in files are ones in a memory, with the range of the numbers for which it
/// was chosen.
struct Threshold {
  double value = 0;        ///< on the scale of data::PatternSet::patterns
  double min = 0, max = 0; ///< range of the numbers, on the same scale
  double file_scale = 1;   ///< data::PatternSet::file_scale

  bool operator==(const Threshold&) const = default;
};

/// A stored pattern. `seq` numbers all changes of a memory from 1 on, and is never reused.
struct Entry {
  int64_t seq = 0;
  BitPatterns pattern; ///< [1, bits]
  Annotation annotation = {};
};

/// Stored pattern near a query.
struct Neighbour {
  int64_t seq = 0;
  int32_t distance = 0; ///< in bits
  Annotation annotation = {};
};

struct ReadOptions {
  int64_t top = 5; ///< maximum number of nearest patterns, at least 0
  Ties ties = Ties::first;
  std::optional<int64_t> hamming_radius = {};   ///< leaves out patterns that are farther from the query
  bool recall = true;                           ///< false: nearest patterns only
  std::optional<int64_t> update_steps_max = {}; ///< default: that of the design
};

/// The nearest stored patterns of each query by the first three options.
BitNeighbours find_nearest(const BitPatterns& queries, const BitPatterns& stored, const ReadOptions& options);

struct ReadResult {
  Recall<BitPatterns> recall;                  ///< empty if it was not requested
  std::vector<std::vector<Neighbour>> nearest; ///< per query, by increasing distance, then by seq
};

/// Treatment of a write whose key names another pattern, label or payload.
enum class KeyConflict {
  refuse, ///< UsageError
  replace ///< the old pattern is forgotten in the same transaction
};

struct WriteResult {
  std::vector<int64_t> seqs; ///< of each pattern; for a repeated write that of the first one
  int64_t repeated = 0;      ///< patterns that were stored already under the same key, which were not written
  int64_t replaced = 0;      ///< patterns that were forgotten because of KeyConflict::replace
  /// Written patterns that activated no hard location, so that they can be among the nearest patterns, but
  /// not be recalled. 0 in a memory without hard locations.
  int64_t without_location = 0;
};

struct MemoryInfo {
  MemoryDesign design;
  std::optional<Threshold> threshold; ///< as DurableMemory::threshold
  int64_t generation = 0;             ///< number of compactions
  int64_t seq = 0;                    ///< number of the last change
  int64_t stored = 0;                 ///< patterns that can be recalled
  int64_t records = 0; ///< writes and forgets in the log; those of forgotten patterns remain until `compact`
  int64_t in_snapshot = 0;                            ///< records that opening reads from snapshot files
  uint64_t bytes_on_disk = 0;                         ///< of all files of the memory
  uint64_t bytes_needed = 0;                          ///< of main memory, to open it
  uint64_t bytes_to_compact = 0, bytes_to_verify = 0; ///< of main memory
};

/// Result of `verify`. Each problem names the file and the record.
struct Verification {
  int64_t records = 0, stored = 0, files = 0; ///< that were checked
  int64_t missing = 0; ///< snapshot files that do not exist; `compact` writes them again
  /// Snapshot files that cannot be read as such, each with one of the problems. They are not used, and
  /// `compact` writes them again.
  int64_t damaged_snapshot_files = 0;
  std::vector<std::string> problems; ///< empty: the memory is intact
};

struct CompactResult {
  int64_t removed = 0; ///< records of forgotten patterns, and of forgets
  uint64_t bytes_before = 0, bytes_after = 0;
  uint64_t bytes_snapshot = 0; ///< of `bytes_after`, in snapshot files
  /// False if a reader had the log open for longer than a second: old contents stay in the file
  /// memory.sqlite-wal until the memory is closed or compacted again.
  bool log_is_clean = true;
};

enum class Access { read, write };

struct Environment; ///< replaces file operations in tests (src/store/environment.h)

struct OpenOptions {
  Access access = Access::write;
  uint64_t bytes_max = 0; ///< UnsupportedError if the memory needs more; 0: no limit
  const Environment* environment = nullptr;
};

/// A memory in a folder.
///
/// The truth is memory.sqlite, a log of writes and forgets; a call that changes the memory returns when its
/// records are synced to the disk, in one transaction. Snapshot files are derived from the log and make
/// opening fast; without them, or if they are damaged, the log is replayed.
/// docs/how-to/keep_a_memory_on_disk.md describes the format.
///
/// One process writes: its lock is held until the object is destroyed. Others may read at the same time; each
/// call of a reader sees all changes that were acknowledged before it. An object is used by one thread at a
/// time. Results do not depend on the number of threads.
///
/// Moves   every function of a memory that was moved from throws a UsageError
/// Errors  DataError if a file is damaged, has another format or another version, or if the folder was
///         removed, renamed or replaced since the memory was opened; OutputError if a change
///         cannot be stored (disk full, read-only, locked by another process) - then nothing has changed;
///         UsageError for arguments that do not fit the memory; Interrupted (core/interrupt.h): a change is
///         stored completely or not stored, and `compact` may leave snapshot files to the next opening
class DurableMemory {
public:
  /// Creates a memory in a folder that does not exist or is empty. If that fails, nothing is left of it.
  static DurableMemory create(const std::filesystem::path& folder, const MemoryDesign& design,
                              const OpenOptions& options = {});
  /// Errors  as above; UnsupportedError if `bytes_max` does not suffice
  static DurableMemory open(const std::filesystem::path& folder, const OpenOptions& options = {});
  DurableMemory(DurableMemory&&) noexcept;
  DurableMemory& operator=(DurableMemory&&) noexcept;
  ~DurableMemory();

  const MemoryDesign& design() const;
  int64_t stored() const; ///< number of patterns that can be recalled
  /// Threshold of the first write that had one; none if there was no such write.
  std::optional<Threshold> threshold() const;

  /// Writes patterns with their annotations (none, or one per pattern), all or none. A pattern whose key is
  /// stored already with the same pattern, label and payload is not written again. `threshold` is that with
  /// which the patterns were made from numbers, if they were; the first one is kept with the memory.
  ///
  /// Shapes  patterns [N, bits]
  /// Errors  as above; UsageError if the value of `threshold` differs from that of the memory;
  ///         UnsupportedError if a counter of a hard location might saturate (32 767 writes)
  WriteResult write(const BitPatterns& patterns, std::span<const Annotation> annotations = {},
                    KeyConflict conflict = KeyConflict::refuse,
                    const std::optional<Threshold>& threshold = {});

  /// The stored pattern with this key; none if there is none.
  std::optional<Entry> find(const std::string& key);

  /// Keys, or numbers, that no stored pattern has, in the order of the argument and without repetitions.
  std::vector<std::string> unknown_keys(std::span<const std::string> keys);
  std::vector<int64_t> unknown_seqs(std::span<const int64_t> seqs);

  /// Groups of stored patterns with the same bits, at least two each, whose bits are those of one of
  /// `patterns` [N, bits]: the stored patterns that `forget_patterns` forgets together. Each by seq.
  std::vector<std::vector<Neighbour>> coinciding(const BitPatterns& patterns);

  /// The functions below forget patterns and return their number. Afterwards the memory equals one to which
  /// they were never written; their records stay in the log until `compact`.
  int64_t forget_key(const std::string& key);
  int64_t forget_keys(std::span<const std::string> keys); ///< in one transaction
  int64_t forget_label(const std::string& label);
  int64_t forget_seqs(std::span<const int64_t> seqs); ///< in one transaction
  /// Every stored pattern that equals one of `patterns` [N, bits].
  int64_t forget_patterns(const BitPatterns& patterns);

  /// An empty memory recalls the queries.
  ///
  /// Shapes  queries [Q, bits]
  ReadResult read(const BitPatterns& queries, const ReadOptions& options = {});
  /// Calls `visit` for every stored pattern, by seq, and checks all records on the way. `visit` must not read
  /// or change this memory.
  ///
  /// Errors  as above; UsageError if `visit` reads or changes the memory
  void for_each(const std::function<void(const Entry&)>& visit);

  /// Writes snapshot files, so that the next opening need not replay the log. `write` does so by itself when
  /// many records have gathered.
  void snapshot();
  /// Removes the records of forgotten patterns and rewrites all files; nothing of a forgotten pattern is left
  /// in them.
  CompactResult compact();
  MemoryInfo info() const;
  /// Bytes of main memory that this memory needs to write `count` patterns in one call, with those that it
  /// has already.
  uint64_t bytes_to_write(int64_t count) const;

  /// Hard locations, or null for a memory of stored patterns. Valid until the next call.
  const NeuronSdm* hard_locations() const;

private:
  class Implementation;
  explicit DurableMemory(std::unique_ptr<Implementation> implementation);
  Implementation& implementation() const;
  std::unique_ptr<Implementation> implementation_;
};

/// Information without loading the patterns.
MemoryInfo memory_info(const std::filesystem::path& folder, const OpenOptions& options = {});

/// Checks every record, the chain of checksums, and the snapshot files against the log; counters of hard
/// locations are computed again. Reads only.
///
/// Errors  DataError if the folder has no memory, or if it cannot be read; OutputError if a file cannot be
///         opened; Interrupted
/// Cost    that of reading all files, and with hard locations of writing all patterns again
Verification verify_memory(const std::filesystem::path& folder, const OpenOptions& options = {});

} // namespace mneme::store
