// SPDX-License-Identifier: MIT

#include "mneme/store/durable_memory.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/file_exists.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/text.h"
#include "mneme/memory/nearest.h"
#include "mneme/trials/memory_kinds.h"
#include "store/chunk_file.h"
#include "store/environment.h"
#include "store/folder.h"
#include "store/log.h"
#include "store/sqlite.h"

namespace mneme::store {
namespace {

namespace fs = std::filesystem;

// A snapshot is written when opening would replay this much: about 0.2 s of patterns, and for hard locations
// about as long as a snapshot of their counters takes to write.
constexpr int64_t kTailRecordsMax = 1 << 17, kTailCounterChangesMax = 1 << 13;
constexpr int64_t kTailBytesMax = 64 << 20;
constexpr int64_t kChunkBytes = 64 << 20; // of the contents of a snapshot file
constexpr int64_t kCounterMax = std::numeric_limits<int16_t>::max();

const Environment& environment_of(const OpenOptions& options) {
  return options.environment != nullptr ? *options.environment : Environment::of_system();
}

void require_valid_text(const char* what, const std::optional<std::string>& text) {
  if (!text) {
    return;
  }
  if (text->empty() || text->size() > kTextMax) {
    throw UsageError(
        fmt::format("mneme::store: a {} has {} bytes, but must have 1 to {}.\n  Leave it out, or shorten "
                    "it.",
                    what, text->size(), kTextMax));
  }
  for (std::string_view rest = *text; !rest.empty();) {
    const Utf8Character character = first_character(rest);
    if (!character.valid || character.code == 0) {
      throw UsageError(
          fmt::format("mneme::store: the {} \"{}\" is not valid UTF-8 text without zero bytes.\n  Store "
                      "bytes as the payload.",
                      what, printable(*text)));
    }
    rest.remove_prefix(character.size);
  }
}

void require_valid(const Annotation& annotation) {
  require_valid_text("key", annotation.key);
  require_valid_text("label", annotation.label);
  if (annotation.payload && annotation.payload->size() > kPayloadBytesMax) {
    throw UsageError(
        fmt::format("mneme::store: a payload has {} bytes, but at most {} are stored.\n  Store the path "
                    "of a file instead.",
                    annotation.payload->size(), kPayloadBytesMax));
  }
}

Record record_of(int64_t seq, std::string_view pattern, const Annotation& annotation) {
  return {.seq = seq,
          .key = annotation.key,
          .label = annotation.label,
          .pattern = pattern,
          .payload = annotation.payload};
}

Annotation annotation_of(const Record& record) {
  const auto to_string = [](const std::optional<std::string_view>& text) {
    return text ? std::optional<std::string>(*text) : std::nullopt;
  };
  return {to_string(record.key), to_string(record.label), to_string(record.payload)};
}

int64_t row_bytes(const MemoryDesign& design) {
  return (design.bits + 63) / 64 * 8 + 4 * 8; // pattern, seq, target and two hashes
}

uint64_t bytes_of_locations(const MemoryDesign& design) {
  return design.hard_locations > 0 ? static_cast<uint64_t>(NeuronSdm::memory_bytes(neuron_sdm_of(design)))
                                   : 0;
}

/// A snapshot file of counters is in main memory as counters and as bytes.
uint64_t bytes_to_save_locations(const MemoryDesign& design) {
  return 2 * std::min<uint64_t>(bytes_of_locations(design), kChunkBytes);
}

uint64_t bytes_needed(const MemoryDesign& design, const Head& head) {
  uint64_t bytes = static_cast<uint64_t>(head.records) * static_cast<uint64_t>(row_bytes(design));
  // Each thread reads one snapshot file.
  bytes += std::min<uint64_t>(bytes, static_cast<uint64_t>(threads()) * 2 * kChunkBytes);
  // Counters are restored from one snapshot file after the other: mapped, when it is checked, and restored.
  return bytes + bytes_of_locations(design) + 3 * std::min<uint64_t>(bytes_of_locations(design), kChunkBytes);
}

/// `compact` keeps the patterns, and has the records of one snapshot file twice: as records and as bytes.
uint64_t bytes_to_compact(const MemoryDesign& design, const Head& head) {
  const uint64_t rows = static_cast<uint64_t>(head.records) * static_cast<uint64_t>(row_bytes(design));
  return std::max(bytes_needed(design, head),
                  rows + bytes_of_locations(design) +
                      std::max(3 * std::min<uint64_t>(rows, kChunkBytes), bytes_to_save_locations(design)));
}

/// `verify` has the numbers of stored patterns in a set, then the records of one snapshot file as bytes, as
/// records and from the log, and last all records with the counters of hard locations, saved and computed
/// again.
uint64_t bytes_to_verify(const MemoryDesign& design, const Head& head) {
  constexpr uint64_t kSetEntry = 40; // a node of 16 bytes, its allocation and its bucket
  const auto records = static_cast<uint64_t>(head.records);
  const uint64_t rows = records * static_cast<uint64_t>(row_bytes(design));
  return std::max(3 * std::min<uint64_t>(rows, kChunkBytes),
                  records * kSetEntry +
                      (design.hard_locations > 0 ? rows + 2 * bytes_of_locations(design) : 0));
}

/// Records with the chain after each.
struct ChainedRecords {
  Records records;
  std::vector<uint32_t> chains;
  int64_t payload_bytes = 0;

  explicit ChainedRecords(int64_t bits) { records.patterns = BitPatterns(0, bits); }
  void append(const Record& record, uint32_t chain, const std::string& where) {
    append_record(records, record, where);
    chains.push_back(chain);
    payload_bytes += std::ssize(record.payload.value_or(""));
  }
  void append(const ChainedRecords& more) {
    records.append(more.records);
    chains.insert(chains.end(), more.chains.begin(), more.chains.end());
    payload_bytes += more.payload_bytes;
  }
};

/// The records `begin` to `end` (exclusive), of which the first write is pattern `first_pattern`.
Records part_of(const Records& records, int64_t begin, int64_t end, int64_t first_pattern) {
  const auto part = [&](const auto& column) {
    return std::vector(column.begin() + begin, column.begin() + end);
  };
  Records result{.seqs = part(records.seqs),
                 .targets = part(records.targets),
                 .key_hashes = part(records.key_hashes),
                 .label_hashes = part(records.label_hashes),
                 .patterns = {}};
  result.patterns =
      slice(records.patterns, first_pattern, first_pattern + std::ranges::count(result.targets, 0));
  return result;
}

MemoryInfo info_of(const fs::path& folder, const Log& log, const Head& head) {
  MemoryInfo info{.design = log.design(),
                  .threshold = log.threshold(),
                  .generation = head.generation,
                  .seq = head.seq,
                  .stored = head.stored,
                  .records = head.records,
                  .bytes_on_disk = bytes_on_disk(folder),
                  .bytes_needed = bytes_needed(log.design(), head),
                  .bytes_to_compact = bytes_to_compact(log.design(), head),
                  .bytes_to_verify = bytes_to_verify(log.design(), head)};
  int64_t last = 0;
  for (const ChunkName& chunk : log.chunks()) {
    last = chunk.kind == kRecordChunks ? std::max(last, chunk.last_seq) : last;
  }
  info.in_snapshot = last == 0 ? 0 : head.records - log.count_after(last);
  return info;
}

} // namespace

class DurableMemory::Implementation {
public:
  /// Opens a memory, or finishes one that was created.
  Implementation(const fs::path& folder, const OpenOptions& options, UnfinishedMemory* unfinished = nullptr)
      : folder_(folder), environment_(environment_of(options)), is_writer_(options.access == Access::write) {
    // Without a database the message of open_database is clearer.
    if (is_writer_ && unfinished == nullptr && fs::exists(database_path(folder))) {
      lock_.emplace(writer_lock(folder));
    }
    opened_ = std::make_unique<OpenedDatabase>(open_database(folder, is_writer_, environment_));
    if (is_writer_) {
      database().run("PRAGMA synchronous=FULL");
      database().run("PRAGMA secure_delete=ON");
      database().run("PRAGMA journal_size_limit=4194304");
    }
    log_ = std::make_unique<Log>(database());
    if (design().hard_locations == 0) {
      association_ = association_of(design());
    }
    const uint64_t needed = bytes_needed(design(), log_->head());
    if (options.bytes_max > 0 && needed > options.bytes_max) {
      throw UnsupportedError(
          fmt::format("{}: the memory needs {} bytes of main memory, but at most {} may be used.\n  "
                      "Raise the limit, use a machine with more memory, or compact the memory if "
                      "many patterns were forgotten.",
                      printable(folder.string()), needed, options.bytes_max));
    }
    load();
    identity_ = file_identity(folder_);
    if (is_writer_) {
      remove_unnamed_files();
    }
    if (unfinished != nullptr) {
      lock_.emplace(unfinished->finish());
    }
  }

  const MemoryDesign& design() const { return log_->design(); }
  int64_t stored() {
    follow();
    return rows_->count();
  }

  std::optional<Threshold> threshold() const { return log_->threshold(); }

  WriteResult write(const BitPatterns& patterns, std::span<const Annotation> annotations,
                    KeyConflict conflict, const std::optional<Threshold>& threshold) {
    require_size("a pattern to write", patterns.bits());
    if (!annotations.empty() && std::ssize(annotations) != patterns.count()) {
      throw UsageError(
          fmt::format("mneme::store: there are {} annotations for {} patterns.\n  Give one per pattern, "
                      "or none.",
                      annotations.size(), patterns.count()));
    }
    std::ranges::for_each(annotations, require_valid);
    begin_change();
    const std::optional<Threshold> kept = threshold ? log_->threshold() : std::nullopt;
    if (kept && kept->value != threshold->value) {
      throw UsageError(
          fmt::format("mneme::store: the threshold of the patterns is {}, but that of the memory "
                      "is {}.\n  Use one threshold for all patterns of a memory.",
                      threshold->value, kept->value));
    }
    if (snapshot_is_due()) {
      snapshot();
    }
    Change change(*this);
    WriteResult result;
    std::unordered_map<std::string_view, int64_t> new_keys; // index of the pattern
    static const Annotation kNone;
    for (int64_t i = 0; i < patterns.count(); ++i) {
      const Annotation& annotation = annotations.empty() ? kNone : annotations[static_cast<size_t>(i)];
      const std::string_view bytes = pattern_bytes(patterns, i);
      if (annotation.key) {
        const auto in_batch = new_keys.find(*annotation.key);
        const std::optional<int64_t> existing = in_batch != new_keys.end()
                                                    ? result.seqs[static_cast<size_t>(in_batch->second)]
                                                    : find_key(*annotation.key);
        if (existing) {
          bool is_same = false;
          log_->fetch(*existing, [&](const Record& record) {
            is_same = record.pattern == bytes && annotation_of(record) == annotation;
          });
          if (is_same) {
            result.seqs.push_back(*existing);
            ++result.repeated;
            continue;
          }
          if (conflict == KeyConflict::refuse && in_batch != new_keys.end()) {
            throw UsageError(fmt::format(
                "mneme::store: the key \"{}\" is that of the patterns {} and {} of one call, which "
                "differ, or have different labels or payloads.\n  Use another key, or keep only "
                "the last pattern of a key (--replace).",
                printable(*annotation.key), in_batch->second, i));
          }
          if (conflict == KeyConflict::refuse) {
            throw UsageError(
                fmt::format("mneme::store: the key \"{}\" is that of record {}, which has another pattern, "
                            "label or payload.\n  Nothing of the refused transaction was stored. Forget the "
                            "key first, or replace "
                            "it (--replace), or use another key.",
                            printable(*annotation.key), *existing));
          }
          change.forget(*existing);
          ++result.replaced;
        }
        new_keys[*annotation.key] = i;
      }
      result.seqs.push_back(change.write(patterns, i, annotation));
    }
    if (threshold && !kept) {
      change.set_threshold(*threshold);
    }
    result.without_location = change.commit();
    return result;
  }

  std::optional<Entry> find(const std::string& key) {
    require_no_visit();
    require_database();
    const Transaction transaction(database(), Transaction::Kind::read);
    update_from_log();
    std::optional<Entry> found;
    if (const std::optional<int64_t> seq = find_key(key)) {
      log_->fetch(*seq, [&](const Record& record) {
        found = {.seq = *seq, .pattern = BitPatterns(1, design().bits), .annotation = annotation_of(record)};
        set_pattern(found->pattern, 0, *record.pattern, log_->name());
      });
    }
    check_unchanged();
    return found;
  }

  std::vector<std::string> unknown_keys(std::span<const std::string> keys) {
    require_no_visit();
    require_database();
    const Transaction transaction(database(), Transaction::Kind::read);
    update_from_log();
    std::vector<std::string> unknown;
    std::unordered_set<std::string_view> checked;
    for (const std::string& key : keys) {
      if (checked.insert(key).second && !find_key(key)) {
        unknown.push_back(key);
      }
    }
    check_unchanged();
    return unknown;
  }

  std::vector<int64_t> unknown_seqs(std::span<const int64_t> seqs) {
    require_no_visit();
    require_database();
    const Transaction transaction(database(), Transaction::Kind::read);
    update_from_log();
    std::vector<int64_t> unknown;
    std::unordered_set<int64_t> checked;
    for (const int64_t seq : seqs) {
      if (checked.insert(seq).second && !std::ranges::binary_search(seqs_, seq)) {
        unknown.push_back(seq);
      }
    }
    return unknown;
  }

  std::vector<std::vector<Neighbour>> coinciding(const BitPatterns& patterns) {
    require_size("a pattern", patterns.bits());
    require_no_visit();
    require_database();
    const Transaction transaction(database(), Transaction::Kind::read);
    update_from_log();
    std::unordered_map<std::string_view, std::vector<int64_t>> rows_of; // of each pattern
    std::vector<std::string_view> requested;
    for (int64_t i = 0; i < patterns.count(); ++i) {
      if (rows_of.try_emplace(pattern_bytes(patterns, i)).second) {
        requested.push_back(pattern_bytes(patterns, i));
      }
    }
    for (int64_t row = 0; row < rows_->count(); ++row) {
      if (const auto found = rows_of.find(pattern_bytes(*rows_, row)); found != rows_of.end()) {
        found->second.push_back(row);
      }
    }
    std::vector<std::vector<Neighbour>> groups;
    for (const std::string_view pattern : requested) {
      const std::vector<int64_t>& rows = rows_of.at(pattern);
      if (rows.size() < 2) {
        continue;
      }
      std::vector<Neighbour>& group = groups.emplace_back();
      for (const int64_t row : rows) {
        const int64_t seq = seqs_[static_cast<size_t>(row)];
        log_->fetch(seq, [&](const Record& record) {
          group.push_back({.seq = seq, .annotation = annotation_of(record)});
        });
      }
    }
    check_unchanged();
    return groups;
  }

  int64_t forget_keys(std::span<const std::string> keys) {
    begin_change();
    std::set<int64_t> found; // a key may be given twice
    for (const std::string& key : keys) {
      if (const std::optional<int64_t> seq = find_key(key)) {
        found.insert(*seq);
      }
    }
    return forget({found.begin(), found.end()});
  }

  int64_t forget_label(const std::string& label) {
    begin_change();
    const uint64_t hash = text_hash(label);
    std::vector<int64_t> found;
    for (size_t i = 0; i < seqs_.size(); ++i) {
      if (label_hashes_[i] == hash) {
        log_->fetch(seqs_[i], [&](const Record& record) {
          if (record.label == label) {
            found.push_back(record.seq);
          }
        });
      }
    }
    return forget(found);
  }

  int64_t forget_seqs(std::span<const int64_t> seqs) {
    begin_change();
    std::set<int64_t> found; // a number may be given twice
    for (const int64_t seq : seqs) {
      if (std::ranges::binary_search(seqs_, seq)) {
        found.insert(seq);
      }
    }
    return forget({found.begin(), found.end()});
  }

  int64_t forget_patterns(const BitPatterns& patterns) {
    require_size("a pattern to forget", patterns.bits());
    begin_change();
    std::unordered_set<std::string_view> requested;
    for (int64_t i = 0; i < patterns.count(); ++i) {
      requested.insert(pattern_bytes(patterns, i));
    }
    std::vector<int64_t> found;
    for (int64_t row = 0; row < rows_->count(); ++row) {
      if (requested.contains(pattern_bytes(*rows_, row))) {
        found.push_back(seqs_[static_cast<size_t>(row)]);
      }
    }
    return forget(found);
  }

  ReadResult read(const BitPatterns& queries, const ReadOptions& options) {
    require_size("a query", queries.bits());
    if (options.top < 0) {
      throw UsageError(fmt::format("mneme::store: {} nearest patterns were requested.\n  Request 0 or more.",
                                   options.top));
    }
    require_no_visit();
    require_database();
    const Transaction transaction(database(), Transaction::Kind::read);
    update_from_log();
    ReadResult result;
    if (options.recall) {
      result.recall = recall(queries, options.update_steps_max.value_or(design().update_steps_max));
    }
    result.nearest.resize(static_cast<size_t>(queries.count()));
    if (options.top > 0) {
      const BitNeighbours nearest = find_nearest(queries, *rows_, options);
      for (int64_t q = 0; q < queries.count(); ++q) {
        for (size_t i = 0; i < nearest.indices_of(q).size(); ++i) {
          const int64_t seq = seqs_[static_cast<size_t>(nearest.indices_of(q)[i])];
          Neighbour& neighbour = result.nearest[static_cast<size_t>(q)].emplace_back(
              Neighbour{.seq = seq, .distance = nearest.distances_of(q)[i]});
          log_->fetch(seq, [&](const Record& record) { neighbour.annotation = annotation_of(record); });
        }
      }
    }
    check_unchanged();
    return result;
  }

  void for_each(const std::function<void(const Entry&)>& visit) {
    require_no_visit();
    require_database();
    const Transaction transaction(database(), Transaction::Kind::read);
    update_from_log();
    const std::vector<int64_t> stored = seqs_;
    const Head head = head_;
    const uint32_t chain =
        log_->for_each(0, head.seq, log_->first_chain(head.generation), [&](const Record& record, uint32_t) {
          if (record.target == 0 && std::ranges::binary_search(stored, record.seq)) {
            Entry entry{.seq = record.seq,
                        .pattern = BitPatterns(1, design().bits),
                        .annotation = annotation_of(record)};
            set_pattern(entry.pattern, 0, *record.pattern, log_->name());
            const Visit visiting(is_visiting_);
            visit(entry);
          }
        });
    if (chain != head.chain) {
      log_->fail("records are missing at the end of the log");
    }
    check_unchanged();
  }

  void snapshot() {
    begin_change();
    is_loaded_ = false; // if an error leaves files without a name, everything is read again
    std::vector<ChunkName> written;
    write_tail(written);
    name_files(written);
    is_loaded_ = true;
  }

  CompactResult compact() {
    begin_change();
    CompactResult result{.removed = head_.records - head_.stored, .bytes_before = bytes_on_disk(folder_)};
    {
      Transaction transaction(database(), Transaction::Kind::write);
      Head head = head_;
      if (result.removed > 0) {
        log_->keep_only(seqs_, head);
      }
      log_->remove_chunks(kRecordChunks);
      log_->remove_chunks(kCounterChunks);
      log_->set_head(head_, head);
      commit(transaction);
      is_loaded_ = false; // until the snapshot files have been written again
      head_ = head;
      tail_.emplace(design().bits);
      chunked_seq_ = 0;
      chunked_chain_ = log_->first_chain(head_.generation);
      counters_seq_ = -1;
    }
    database().run("VACUUM");
    result.log_is_clean = database().truncate_wal();
    remove_unnamed_files();
    std::vector<ChunkName> written;
    const uint32_t chain =
        log_->for_each(0, head_.seq, chunked_chain_, [&](const Record& record, uint32_t chain_after) {
          tail_->append(record, chain_after, log_->name());
          if (tail_->records.count() == records_per_file()) {
            write_tail(written);
          }
        });
    if (chain != head_.chain) {
      log_->fail("records are missing at the end of the log");
    }
    write_tail(written);
    name_files(written);
    is_loaded_ = true;
    result.log_is_clean = database().truncate_wal() && result.log_is_clean;
    result.bytes_after = bytes_on_disk(folder_);
    result.bytes_snapshot = bytes_of_snapshot(folder_);
    return result;
  }

  MemoryInfo info() {
    follow();
    return info_of(folder_, *log_, head_);
  }

  uint64_t bytes_to_write(int64_t count) const {
    Head head = head_;
    head.records += count;
    // Until they are rows, the records of a transaction are in main memory twice, for the next snapshot too,
    // and so are those of a snapshot, with its bytes.
    const int64_t tail = tail_ ? tail_->records.count() : 0;
    const auto in_tail = static_cast<uint64_t>(tail + std::max(tail, 2 * count));
    const uint64_t chained = static_cast<uint64_t>(row_bytes(design())) + sizeof(uint32_t);
    return std::max(bytes_needed(design(), head),
                    static_cast<uint64_t>(head.records) * static_cast<uint64_t>(row_bytes(design())) +
                        in_tail * chained + bytes_of_locations(design()) + bytes_to_save_locations(design()));
  }
  const NeuronSdm* hard_locations() {
    follow();
    return locations_.get();
  }

private:
  const Database& database() const { return opened_->database; }

  void require_size(const char* what, int64_t bits) const {
    if (bits != design().bits) {
      throw UsageError(
          fmt::format("mneme::store: {} has {} bits, but the memory has {}.\n  Give patterns of {} bits, "
                      "or create a memory of this size.",
                      what, bits, design().bits, design().bits));
    }
  }

  struct RowChange {
    std::vector<int64_t> removed;   ///< rows before the change
    std::vector<int64_t> cancelled; ///< writes of the change that it also forgets, as indices of its patterns
  };

  /// Call of the visitor of `for_each`.
  class Visit {
  public:
    explicit Visit(bool& is_visiting) : is_visiting_(is_visiting) { is_visiting_ = true; }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { is_visiting_ = false; }

  private:
    bool& is_visiting_;
  };

  /// The transaction of `for_each` is open while it calls the visitor.
  void require_no_visit() const {
    if (is_visiting_) {
      throw UsageError("mneme::store: the visitor of `for_each` must not use the memory that it visits.\n  "
                       "Collect the numbers of the patterns, and use the memory after `for_each`.");
    }
  }

  /// Records of one transaction, in the log and in main memory.
  class Change {
  public:
    explicit Change(Implementation& memory)
        : memory_(memory), transaction_(memory.database(), Transaction::Kind::write), head_(memory.head_),
          new_(memory.design().bits) {}
    int64_t write(const BitPatterns& patterns, int64_t index, const Annotation& annotation) {
      return add(record_of(head_.seq + 1, pattern_bytes(patterns, index), annotation));
    }
    void set_threshold(const Threshold& threshold) {
      memory_.log_->set_threshold(threshold);
      has_threshold_ = true;
    }
    void forget(int64_t seq) { add({.seq = head_.seq + 1, .target = seq}); }
    /// Returns the number of new patterns that activated no hard location.
    int64_t commit() {
      int64_t without_location = 0;
      if (new_.records.count() == 0) {
        if (has_threshold_) {
          memory_.commit(transaction_);
        }
        return without_location;
      }
      const RowChange change = memory_.row_change(new_.records);
      if (memory_.locations_) { // first, because it may refuse the change
        memory_.is_loaded_ = false;
        without_location = memory_.change_counters(new_.records, change);
      }
      memory_.log_->set_head(memory_.head_, head_);
      memory_.commit(transaction_);
      memory_.is_loaded_ = false; // until all is done: an interrupt or a lack of memory causes a reload
      memory_.tail_->append(new_);
      memory_.add_rows(std::move(new_.records), change);
      memory_.head_ = head_;
      memory_.is_loaded_ = true;
      return without_location;
    }

  private:
    int64_t add(const Record& record) {
      throw_if_interrupted();
      memory_.log_->insert(record, head_);
      new_.append(record, head_.chain, memory_.log_->name());
      return record.seq;
    }
    Implementation& memory_;
    Transaction transaction_;
    Head head_;
    ChainedRecords new_;
    bool has_threshold_ = false; ///< that commit must store also without records
  };

  int64_t forget(const std::vector<int64_t>& seqs) {
    Change change(*this);
    for (const int64_t seq : seqs) {
      change.forget(seq);
    }
    change.commit();
    return std::ssize(seqs);
  }

  /// Checks before a change that the memory may be changed, and that main memory has the state of the log.
  void begin_change() {
    require_no_visit();
    if (!is_writer_) {
      throw UsageError(
          "mneme::store: this memory was opened for reading.\n  Open it with Access::write to change it.");
    }
    if (commit_failed_) {
      throw OutputError(fmt::format("{}: an earlier change could not be stored, so the state of the disk is "
                                    "unknown.\n  Open the memory again; what was acknowledged is stored.",
                                    printable(folder_.string())));
    }
    require_files();
    if (!is_loaded_) {
      load();
    }
  }

  /// SQLite keeps writing to its open files, also after they were removed from the folder.
  void require_files() const {
    if (file_identity(folder_) != identity_) {
      throw OutputError(
          fmt::format("{}: the folder was removed, renamed or replaced while the memory was open "
                      "for writing, so that this change is not stored.\n  Do not change the "
                      "files of a memory that is open. Open the memory again.",
                      printable(folder_.string())));
    }
  }

  /// SQLite also keeps reading its open file, which then is not that of the folder.
  void require_database() const {
    if (file_identity(folder_).database != identity_.database) {
      throw DataError(
          fmt::format("{}: the folder was removed, renamed or replaced while the memory was open, so that "
                      "it is no longer the memory in this folder.\n  Open the memory again.",
                      printable(folder_.string())));
    }
  }

  void commit(Transaction& transaction) {
    // After a failed sync the system may forget which pages are not on the disk, so a second try proves
    // nothing.
    commit_failed_ = true;
    transaction.commit();
    require_files();
    commit_failed_ = false;
  }

  /// Reads the whole log, as far as possible from snapshot files.
  void load() {
    is_loaded_ = false;
    Transaction transaction(database(), Transaction::Kind::read);
    load_in_transaction();
  }

  void load_in_transaction() {
    const std::vector<ChunkName> chunks = log_->chunks();
    try {
      load_from(chunks);
    } catch (const DataError&) { // snapshot files are derived, so only the log can make opening fail
      if (chunks.empty()) {
        throw;
      }
      load_from({});
    }
  }

  void load_from(const std::vector<ChunkName>& chunks) {
    is_loaded_ = false;
    const Head head = log_->head();
    recall_.reset();
    rows_ = std::make_shared<BitPatterns>(0, design().bits);
    seqs_.clear();
    key_hashes_.clear();
    label_hashes_.clear();
    key_index_.reset();
    locations_.reset();
    const std::vector<CounterChunk> counters = read_counters(chunks);
    const int64_t counters_seq = counters.empty() ? -1 : counters.front().seq;
    bool counters_fit = false;

    Records records;
    records.patterns = BitPatterns(0, design().bits);
    records.patterns.reserve(head.records);
    chunked_seq_ = 0;
    chunked_chain_ = log_->first_chain(head.generation);
    int64_t seq = 0;
    uint32_t chain = chunked_chain_;
    tail_.emplace(design().bits);
    std::optional<Records> until_counters; // with a snapshot of counters: the records before it
    const auto reached = [&] {
      if (seq == counters_seq && !counters_fit) {
        counters_fit = chain == counters.front().chain;
        until_counters = std::move(records);
        records = {};
        records.patterns = BitPatterns(0, design().bits);
      }
    };
    const auto replay_to = [&](int64_t last) {
      for (const int64_t end : {std::min(last, counters_seq), last}) {
        if (end > seq) {
          chain = log_->for_each(seq, end, chain, [&](const Record& record, uint32_t chain_after) {
            append_record(records, record, log_->name());
            if (is_writer_) {
              tail_->append(record, chain_after, log_->name());
            }
          });
          seq = end;
          reached();
        }
      }
    };
    for_each_record_chunk(chunks, [&](RecordChunk& chunk) {
      if (chunk.first_seq < seq || chunk.last_seq > head.seq) {
        return;
      }
      replay_to(chunk.first_seq);
      if (chunk.chain_before != chain) {
        return; // not of this log: its range is replayed
      }
      records.append(chunk.records);
      seq = chunked_seq_ = chunk.last_seq;
      chain = chunked_chain_ = chunk.chain_after;
      tail_.emplace(design().bits);
      reached();
    });
    replay_to(head.seq);
    const int64_t num_records = records.count() + (until_counters ? until_counters->count() : 0);
    if (chain != head.chain || num_records != head.records) {
      log_->fail(fmt::format("{} of {} records are missing or damaged at the end of the log",
                             std::max<int64_t>(head.records - num_records, 1), head.records));
    }
    head_ = head;
    counters_seq_ = -1;
    counter_changes_ = 0;
    if (until_counters) {
      add_rows(std::move(*until_counters));
    }
    if (design().hard_locations > 0) {
      restore_locations(counters_fit ? std::span(chunks) : std::span<const ChunkName>());
      counters_seq_ = counters_fit ? counters_seq : -1;
    }
    apply(std::move(records), head);
    if (std::ssize(seqs_) != head.stored) {
      log_->fail(fmt::format("{} patterns are stored instead of {}", seqs_.size(), head.stored));
    }
  }

  /// Calls `merge` for the intact snapshot files of records, in order; files are read in parallel.
  template <class Merge> void for_each_record_chunk(const std::vector<ChunkName>& chunks, Merge merge) const {
    std::vector<ChunkName> names;
    std::ranges::copy_if(chunks, std::back_inserter(names),
                         [](const ChunkName& chunk) { return chunk.kind == kRecordChunks; });
    const auto group = static_cast<size_t>(threads());
    for (size_t first = 0; first < names.size(); first += group) {
      std::vector<std::optional<RecordChunk>> parsed(std::min(group, names.size() - first));
      parallel_for(std::ssize(parsed), 1, [&](int64_t i, int64_t) {
        const ChunkName& chunk = names[first + static_cast<size_t>(i)];
        const fs::path path = chunk_path(chunk);
        try {
          RecordChunk read = parse_record_chunk(MappedFile(path).bytes(), path.string());
          if (read.first_seq == chunk.first_seq && read.last_seq == chunk.last_seq &&
              read.records.patterns.bits() == design().bits) {
            parsed[static_cast<size_t>(i)] = std::move(read);
          }
        } catch (const DataError&) { // replayed from the log; `verify` reports it
        }
      });
      for (std::optional<RecordChunk>& chunk : parsed) {
        if (chunk) {
          merge(*chunk);
          chunk.reset();
        }
      }
    }
  }

  /// A name from the database is never a path out of the folder.
  fs::path chunk_path(const ChunkName& chunk) const {
    return snapshot_folder(folder_) / fs::path(chunk.name).filename();
  }

  /// Headers of complete and intact counters of one seq; empty if there are none. Their contents are read
  /// when they are restored, one file after the other.
  std::vector<CounterChunk> read_counters(const std::vector<ChunkName>& chunks) const {
    std::vector<CounterChunk> counters;
    try {
      for (const ChunkName& chunk : chunks) {
        if (chunk.kind == kCounterChunks && design().hard_locations > 0) {
          const fs::path path = chunk_path(chunk);
          CounterChunk& header =
              counters.emplace_back(parse_counter_chunk(MappedFile(path).bytes(), path.string()));
          header.locations = header.writes = {};
          header.counters = {};
        }
      }
    } catch (const DataError&) { // computed from the log; `verify` reports it
      return {};
    }
    std::ranges::sort(counters, {}, &CounterChunk::first_location);
    int64_t location = 0;
    for (const CounterChunk& chunk : counters) {
      if (chunk.first_location != location || chunk.seq != counters.front().seq ||
          chunk.chain != counters.front().chain || chunk.counters_per_location != design().bits) {
        return {};
      }
      location = chunk.last_location;
    }
    if (location != design().hard_locations) {
      return {};
    }
    return counters;
  }

  /// Sets up the hard locations for the rows of main memory: from saved counters, or, without files, by
  /// writing all rows.
  void restore_locations(std::span<const ChunkName> files) {
    locations_ = std::make_unique<NeuronSdm>(neuron_sdm_of(design()));
    if (files.empty()) {
      locations_->write(*rows_);
      return;
    }
    for (const ChunkName& file : files) {
      if (file.kind != kCounterChunks) {
        continue;
      }
      const fs::path path = chunk_path(file);
      const CounterChunk chunk = parse_counter_chunk(MappedFile(path).bytes(), path.string());
      for (size_t i = 0; i < chunk.locations.size(); ++i) {
        locations_->restore(
            chunk.locations[i],
            std::span(chunk.counters)
                .subspan(i * static_cast<size_t>(design().bits), static_cast<size_t>(design().bits)),
            chunk.writes[i]);
      }
    }
  }

  void write_counters(int64_t seq, std::vector<ChunkName>& written) {
    const int64_t per_file = std::max<int64_t>(1, kChunkBytes / (2 * design().bits + 16));
    for (int64_t first = 0; first < design().hard_locations; first += per_file) {
      CounterChunk chunk{.first_location = first,
                         .last_location = std::min(first + per_file, design().hard_locations),
                         .seq = seq,
                         .chain = head_.chain,
                         .counters_per_location = design().bits};
      chunk.counters.reserve(static_cast<size_t>((chunk.last_location - first) * design().bits));
      for (int64_t location = first; location < chunk.last_location; ++location) {
        if (locations_->writes(location) > 0) {
          const std::vector<int16_t> counters = locations_->counters(location);
          chunk.locations.push_back(location);
          chunk.writes.push_back(locations_->writes(location));
          chunk.counters.insert(chunk.counters.end(), counters.begin(), counters.end());
        }
      }
      write_file(
          {fmt::format("counters-{}-{}-{}.chunk", head_.generation, seq, first), kCounterChunks, seq, seq},
          chunk_bytes(chunk), written);
    }
  }

  /// Which rows the records remove.
  RowChange row_change(const Records& records) const {
    RowChange change;
    std::vector<int64_t> targets;
    std::ranges::copy_if(records.targets, std::back_inserter(targets),
                         [](int64_t target) { return target != 0; });
    std::ranges::sort(targets);
    for (const int64_t target : targets) {
      if (const auto row = std::ranges::lower_bound(seqs_, target); row != seqs_.end() && *row == target) {
        change.removed.push_back(row - seqs_.begin());
      }
    }
    int64_t index = 0;
    for (size_t i = 0; i < records.seqs.size(); ++i) {
      if (records.targets[i] == 0) {
        if (std::ranges::binary_search(targets, records.seqs[i])) {
          change.cancelled.push_back(index);
        }
        ++index;
      }
    }
    if (std::ranges::adjacent_find(targets) != targets.end() ||
        change.removed.size() + change.cancelled.size() != targets.size()) {
      log_->fail("a record forgets a pattern that is not stored");
    }
    return change;
  }

  /// Changes the rows of main memory.
  void add_rows(Records records) { add_rows(std::move(records), row_change(records)); }
  void add_rows(Records&& records, const RowChange& change) {
    recall_.reset(); // it refers to the rows
    const auto erase = [](const std::vector<int64_t>& indices, auto&... columns) {
      if (indices.empty()) {
        return;
      }
      const auto erase_from = [&](auto& column) {
        size_t kept = 0, next = 0;
        for (size_t i = 0; i < column.size(); ++i) {
          if (next < indices.size() && indices[next] == static_cast<int64_t>(i)) {
            ++next;
          } else {
            column[kept++] = column[i];
          }
        }
        column.resize(kept);
      };
      (erase_from(columns), ...);
    };
    if (!change.removed.empty()) {
      rows_->erase(change.removed);
      erase(change.removed, seqs_, key_hashes_, label_hashes_);
    }
    std::vector<int64_t> forgets; // records that are not writes
    for (size_t i = 0; i < records.targets.size(); ++i) {
      if (records.targets[i] != 0) {
        forgets.push_back(static_cast<int64_t>(i));
      }
    }
    erase(forgets, records.seqs, records.key_hashes, records.label_hashes);
    if (!change.cancelled.empty()) {
      records.patterns.erase(change.cancelled);
      erase(change.cancelled, records.seqs, records.key_hashes, records.label_hashes);
    }
    if (rows_->empty()) {
      *rows_ = std::move(records.patterns);
    } else {
      rows_->append(records.patterns);
    }
    if (key_index_) {
      for (size_t i = 0; i < records.seqs.size(); ++i) {
        if (records.key_hashes[i] != 0) {
          key_index_->emplace(records.key_hashes[i], records.seqs[i]);
        }
      }
    }
    const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    add(seqs_, records.seqs);
    add(key_hashes_, records.key_hashes);
    add(label_hashes_, records.label_hashes);
  }

  /// Applies records of the log to main memory, which then has the state `head`.
  void apply(Records records, const Head& head) {
    is_loaded_ = false; // until all is done: an interrupt or a lack of memory causes a reload
    const RowChange change = row_change(records);
    if (locations_) {
      change_counters(records, change);
    }
    add_rows(std::move(records), change);
    head_ = head;
    is_loaded_ = true;
  }

  /// Subtracts the removed patterns from the counters of hard locations, and adds the new ones. Returns the
  /// number of new patterns that activated no location.
  ///
  /// Errors  UnsupportedError if a counter might saturate; the counters must then be loaded again
  int64_t change_counters(const Records& records, const RowChange& change) {
    if (!change.removed.empty()) {
      BitPatterns removed(std::ssize(change.removed), design().bits);
      for (int64_t i = 0; i < removed.count(); ++i) {
        std::ranges::copy(std::as_const(*rows_)[change.removed[static_cast<size_t>(i)]], removed[i].begin());
      }
      locations_->unwrite(removed);
    }
    BitPatterns added = records.patterns;
    added.erase(change.cancelled);
    counter_changes_ += std::ssize(change.removed) + added.count();
    return write_exactly(added);
  }

  /// Counters are exact as long as no hard location has more writes than a counter can hold.
  int64_t write_exactly(const BitPatterns& patterns) {
    int64_t without_location = 0;
    for (int64_t begin = 0; begin < patterns.count();) {
      int64_t count = patterns.count() - begin;
      if (rows_->count() + patterns.count() > kCounterMax) {
        int64_t fullest = 0;
        for (int64_t location = 0; location < design().hard_locations; ++location) {
          fullest = locations_->writes(location) > locations_->writes(fullest) ? location : fullest;
        }
        count = std::min(count, kCounterMax - locations_->writes(fullest));
        if (count == 0) {
          throw UnsupportedError(fmt::format(
              "{}: hard location {} has {} writes, as many as its 16-bit counters can hold; with more, "
              "patterns could no longer be forgotten exactly.\n  Nothing of the refused transaction was "
              "stored. Create a memory with "
              "a smaller Hamming radius for more patterns.",
              printable(folder_.string()), fullest, kCounterMax));
        }
      }
      without_location += locations_->write(slice(patterns, begin, begin + count));
      begin += count;
    }
    return without_location;
  }

  /// Reads the changes that another process has acknowledged, except in a visitor of `for_each`.
  void follow() {
    if (is_writer_ || is_visiting_) {
      return;
    }
    require_database();
    const Transaction transaction(database(), Transaction::Kind::read);
    update_from_log();
    check_unchanged();
  }

  /// For readers: applies what the writer has added. In a transaction.
  void update_from_log() {
    if (is_writer_) {
      if (!is_loaded_) {
        load_in_transaction();
      }
      return;
    }
    const Head head = log_->head();
    if (!is_loaded_ || head.generation != head_.generation || head.seq < head_.seq) {
      load_in_transaction();
      return;
    }
    if (head.seq == head_.seq) {
      return;
    }
    Records records;
    records.patterns = BitPatterns(0, design().bits);
    const uint32_t chain =
        log_->for_each(head_.seq, head.seq, head_.chain,
                       [&](const Record& record, uint32_t) { append_record(records, record, log_->name()); });
    if (chain != head.chain || head_.records + records.count() != head.records) {
      log_->fail("records are missing at the end of the log");
    }
    apply(std::move(records), head);
  }

  /// For readers of a read-only folder, which have no lock.
  void check_unchanged() const {
    if (opened_->immutable_state && file_state(folder_) != *opened_->immutable_state) {
      throw DataError(
          fmt::format("{}: the memory was changed while it was read, and its folder is read-only for this "
                      "process, so that it cannot share the locks of the writer.\n  Open it again.",
                      printable(folder_.string())));
    }
  }

  /// Number of the stored write with this key.
  std::optional<int64_t> find_key(const std::string& key) {
    if (!key_index_) {
      key_index_.emplace();
      for (size_t i = 0; i < seqs_.size(); ++i) {
        if (key_hashes_[i] != 0) {
          key_index_->emplace(key_hashes_[i], seqs_[i]);
        }
      }
    }
    std::optional<int64_t> found;
    const auto [begin, end] = key_index_->equal_range(text_hash(key));
    for (auto entry = begin; entry != end; ++entry) {
      if (std::ranges::binary_search(seqs_, entry->second)) { // else forgotten
        log_->fetch(entry->second, [&](const Record& record) {
          if (record.key == key) {
            found = record.seq;
          }
        });
      }
    }
    return found;
  }

  Recall<BitPatterns> recall(const BitPatterns& queries, int64_t update_steps_max) {
    const UpdateOptions update{.update_steps_max = update_steps_max};
    if (rows_->empty()) { // counters of hard locations that are all 0 would recall zeros
      return associate(queries, *rows_, {.update = update});
    }
    if (locations_) {
      return locations_->recall(queries, update);
    }
    if (!recall_) {
      recall_.emplace(std::shared_ptr<const BitPatterns>(rows_), association_);
    }
    return recall_->recall(queries, update);
  }

  bool snapshot_is_due() const {
    return tail_->records.count() >= kTailRecordsMax || tail_->payload_bytes >= kTailBytesMax ||
           (locations_ && counter_changes_ >= kTailCounterChangesMax);
  }

  int64_t records_per_file() const { return std::max<int64_t>(1, kChunkBytes / row_bytes(design())); }

  /// Writes the records of the tail to snapshot files, which have no name in the database yet.
  void write_tail(std::vector<ChunkName>& written) {
    Records& records = tail_->records;
    const int64_t per_file = records_per_file();
    for (int64_t begin = 0, first_pattern = 0; begin < records.count(); begin += per_file) {
      throw_if_interrupted();
      const int64_t end = std::min(begin + per_file, records.count());
      const bool is_only = begin == 0 && end == records.count(); // is moved, and not copied
      RecordChunk chunk{.first_seq = chunked_seq_,
                        .last_seq = records.seqs[static_cast<size_t>(end - 1)],
                        .chain_before = chunked_chain_,
                        .chain_after = tail_->chains[static_cast<size_t>(end - 1)],
                        .records = {}};
      chunk.records = is_only ? std::move(records) : part_of(records, begin, end, first_pattern);
      first_pattern += chunk.records.patterns.count();
      write_file({fmt::format("records-{}-{}-{}.chunk", head_.generation, chunk.first_seq, chunk.last_seq),
                  kRecordChunks, chunk.first_seq, chunk.last_seq},
                 chunk_bytes(chunk), written);
      chunked_seq_ = chunk.last_seq;
      chunked_chain_ = chunk.chain_after;
      if (is_only) {
        break;
      }
    }
    tail_.emplace(design().bits);
  }

  void write_file(const ChunkName& name, std::span<const std::byte> bytes, std::vector<ChunkName>& written) {
    FileSystem& files = *environment_.files;
    if (written.empty()) {
      files.make_folder(snapshot_folder(folder_));
      files.sync_folder(folder_);
    }
    write_new_file(files, chunk_path(name), bytes);
    written.push_back(name);
  }

  /// Adds the counters of hard locations to the written files, and names all of them in the database.
  void name_files(std::vector<ChunkName>& written) {
    const bool has_new_counters = locations_ && counters_seq_ != chunked_seq_ && head_.records > 0;
    if (has_new_counters) {
      write_counters(chunked_seq_, written);
    }
    if (written.empty()) {
      return;
    }
    environment_.files->sync_folder(snapshot_folder(folder_));
    Transaction transaction(database(), Transaction::Kind::write);
    if (has_new_counters) {
      log_->remove_chunks(kCounterChunks);
    }
    for (const ChunkName& name : written) {
      log_->add_chunk(name);
    }
    commit(transaction);
    if (has_new_counters) {
      counters_seq_ = chunked_seq_;
      counter_changes_ = 0;
      remove_unnamed_files();
    }
  }

  /// Removes files of earlier snapshots, and of snapshots that were interrupted.
  void remove_unnamed_files() {
    std::set<std::string> named;
    for (const ChunkName& chunk : log_->chunks()) {
      named.insert(chunk.name);
    }
    std::vector<fs::path> unnamed;
    std::error_code error; // there may be no folder yet
    for (fs::directory_iterator entry(snapshot_folder(folder_), error), end; !error && entry != end;
         entry.increment(error)) {
      if (!named.contains(entry->path().filename().string()) && entry->is_regular_file()) {
        unnamed.push_back(entry->path());
      }
    }
    for (const fs::path& path : unnamed) {
      environment_.files->remove(path);
    }
  }

  fs::path folder_;
  const Environment& environment_;
  bool is_writer_;
  std::optional<FolderLock> lock_;
  std::unique_ptr<OpenedDatabase> opened_; ///< closed before the lock is released
  std::unique_ptr<Log> log_;
  bool commit_failed_ = false;
  bool is_visiting_ = false; ///< in a call of the visitor of `for_each`
  FileIdentity identity_;    ///< when the memory was opened

  // State of main memory: that of the log at `head_`.
  bool is_loaded_ = false;
  Head head_;
  std::shared_ptr<BitPatterns> rows_; ///< stored patterns
  std::vector<int64_t> seqs_;         ///< of the rows, ascending
  std::vector<uint64_t> key_hashes_, label_hashes_;
  /// Hash of a key -> seq, built at the first use of a key; also contains forgotten writes.
  std::optional<std::unordered_multimap<uint64_t, int64_t>> key_index_;
  std::unique_ptr<NeuronSdm> locations_;
  AssociateOptions<BitPatterns> association_;
  std::optional<AssociativeMemory<BitPatterns>> recall_;

  // Contents of the snapshot files.
  int64_t chunked_seq_ = 0;    ///< records up to here are in snapshot files
  uint32_t chunked_chain_ = 0; ///< of the log at `chunked_seq_`
  int64_t counters_seq_ = -1;  ///< of the saved counters; -1: there are none
  int64_t counter_changes_ = 0;
  std::optional<ChainedRecords> tail_; ///< records after `chunked_seq_`; only of writers
};

DurableMemory::DurableMemory(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
DurableMemory::DurableMemory(DurableMemory&&) noexcept = default;
DurableMemory& DurableMemory::operator=(DurableMemory&&) noexcept = default;
DurableMemory::~DurableMemory() = default;

DurableMemory DurableMemory::create(const fs::path& folder, const MemoryDesign& design,
                                    const OpenOptions& options) {
  if (options.access != Access::write) {
    throw UsageError("mneme::store: a memory is created for writing.\n  Use Access::write.");
  }
  const MemoryDesign complete = completed(design);
  const Environment& environment = environment_of(options);
  std::error_code error;
  require_no_memory(folder);
  if (fs::is_symlink(fs::symlink_status(folder, error)) && !file_exists(folder)) {
    throw DataError(
        fmt::format("{}: this is a symbolic link to {}, which does not exist.\n  Create that folder, "
                    "or choose another one.",
                    printable(folder.string()), printable(fs::read_symlink(folder, error).string())));
  }
  if (file_exists(folder) && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error))) {
    if (error) {
      throw DataError(fmt::format("{}: the folder cannot be read: {}.\n  Check its permissions, or choose "
                                  "another folder.",
                                  printable(folder.string()), error.message()));
    }
    throw UsageError(
        fmt::format("{}: a memory is created in a new or empty folder, and this is neither.\n  Choose "
                    "another folder.",
                    printable(folder.string())));
  }
  UnfinishedMemory unfinished(folder, environment);
  unfinished.begin();
  {
    const Database database(database_path(folder), OpenMode::create, environment.vfs);
    database.run("PRAGMA synchronous=FULL");
    Log::create(database, complete);
  }
  environment.files->sync_folder(fs::absolute(folder));
  return DurableMemory(std::make_unique<Implementation>(folder, options, &unfinished));
}

DurableMemory DurableMemory::open(const fs::path& folder, const OpenOptions& options) {
  return DurableMemory(std::make_unique<Implementation>(folder, options));
}

DurableMemory::Implementation& DurableMemory::implementation() const {
  if (implementation_ == nullptr) {
    throw UsageError("mneme::store: this memory was moved to another object.\n  Use that object.");
  }
  return *implementation_;
}

const MemoryDesign& DurableMemory::design() const {
  return implementation().design();
}
int64_t DurableMemory::stored() const {
  return implementation().stored();
}
std::optional<Threshold> DurableMemory::threshold() const {
  return implementation().threshold();
}
WriteResult DurableMemory::write(const BitPatterns& patterns, std::span<const Annotation> annotations,
                                 KeyConflict conflict, const std::optional<Threshold>& threshold) {
  return implementation().write(patterns, annotations, conflict, threshold);
}
std::optional<Entry> DurableMemory::find(const std::string& key) {
  return implementation().find(key);
}
std::vector<std::string> DurableMemory::unknown_keys(std::span<const std::string> keys) {
  return implementation().unknown_keys(keys);
}
std::vector<int64_t> DurableMemory::unknown_seqs(std::span<const int64_t> seqs) {
  return implementation().unknown_seqs(seqs);
}
std::vector<std::vector<Neighbour>> DurableMemory::coinciding(const BitPatterns& patterns) {
  return implementation().coinciding(patterns);
}
int64_t DurableMemory::forget_key(const std::string& key) {
  return implementation().forget_keys(std::span(&key, 1));
}
int64_t DurableMemory::forget_keys(std::span<const std::string> keys) {
  return implementation().forget_keys(keys);
}
int64_t DurableMemory::forget_label(const std::string& label) {
  return implementation().forget_label(label);
}
int64_t DurableMemory::forget_seqs(std::span<const int64_t> seqs) {
  return implementation().forget_seqs(seqs);
}
int64_t DurableMemory::forget_patterns(const BitPatterns& patterns) {
  return implementation().forget_patterns(patterns);
}
ReadResult DurableMemory::read(const BitPatterns& queries, const ReadOptions& options) {
  return implementation().read(queries, options);
}
void DurableMemory::for_each(const std::function<void(const Entry&)>& visit) {
  implementation().for_each(visit);
}
void DurableMemory::snapshot() {
  implementation().snapshot();
}
CompactResult DurableMemory::compact() {
  return implementation().compact();
}
uint64_t DurableMemory::bytes_to_write(int64_t count) const {
  return implementation().bytes_to_write(count);
}
MemoryInfo DurableMemory::info() const {
  return implementation().info();
}
const NeuronSdm* DurableMemory::hard_locations() const {
  return implementation().hard_locations();
}

MemoryInfo memory_info(const fs::path& folder, const OpenOptions& options) {
  const OpenedDatabase opened = open_database(folder, false, environment_of(options));
  const Transaction transaction(opened.database, Transaction::Kind::read);
  const Log log(opened.database);
  return info_of(folder, log, log.head());
}

} // namespace mneme::store
