// SPDX-License-Identifier: MIT

#include <algorithm>
#include <limits>
#include <optional>
#include <sstream>
#include <unordered_set>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/store/durable_memory.h"
#include "store/chunk_file.h"
#include "store/environment.h"
#include "store/folder.h"
#include "store/log.h"

namespace mneme::store {
namespace {

namespace fs = std::filesystem;

/// Calls `check` and turns damaged data into a problem. True if there was none. Errors that are no damage,
/// such as a lack of memory or of permissions, are passed on.
template <class Check> bool passes(Verification& result, Check check) {
  try {
    check();
    return true;
  } catch (const DataError& error) {
    const std::string message = error.what();
    result.problems.push_back(message.substr(0, message.find('\n'))); // without the advice
    return false;
  }
}

void check_pages(const Database& database, Verification& result) {
  Statement check(database, "PRAGMA integrity_check(10)");
  while (check.step()) {
    const auto text = check.text(0);
    if (text == "ok") {
      continue;
    }
    // A row may have several lines, of which the first is "*** in database main ***".
    std::istringstream lines{std::string(text.value_or(""))};
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && !line.starts_with("***")) {
        result.problems.push_back(
            fmt::format("{}: {}", printable(database.path().string()), printable(line)));
      }
    }
  }
}

/// Stored patterns of the log up to `last`; checks every record.
struct LogState {
  int64_t count = 0, last_seq = 0; ///< of the records
  std::unordered_set<int64_t> stored;
  uint32_t chain = 0;
};
/// `state` has the records before a damaged one if that is an error. Calls `keep` with each record.
template <class Keep>
void read_state(const Log& log, const Head& head, int64_t last, LogState& state, const Keep& keep) {
  state.chain = log.for_each(0, last, log.first_chain(head.generation), [&](const Record& record, uint32_t) {
    keep(record);
    ++state.count;
    state.last_seq = record.seq;
    if (record.target == 0) {
      state.stored.insert(record.seq);
    } else if (state.stored.erase(record.target) == 0) {
      log.fail(fmt::format("record {} forgets record {}, which is not stored", record.seq, record.target));
    }
  });
}

void check_log(const Log& log, const Head& head, Verification& result) {
  LogState state;
  const auto count = [&] {
    result.records = state.count;
    result.stored = std::ssize(state.stored);
  };
  BitPatterns pattern(1, log.design().bits);
  const auto check_pattern = [&](const Record& record) {
    if (record.target == 0) {
      set_pattern(pattern, 0, *record.pattern, log.name());
    }
  };
  try {
    read_state(log, head, std::numeric_limits<int64_t>::max(), state, check_pattern);
  } catch (const DataError&) {
    count(); // those before the damage
    throw;
  }
  count();
  if (state.chain != head.chain || result.records != head.records || result.stored != head.stored ||
      state.last_seq > head.seq) {
    log.fail(fmt::format(
        "the log has {} records and {} stored patterns, but the table head {} and {}, with another "
        "chain of checksums",
        result.records, result.stored, head.records, head.stored));
  }
}

void check_records(const Log& log, const ChunkName& name, const RecordChunk& chunk, const std::string& path) {
  if (chunk.first_seq != name.first_seq || chunk.last_seq != name.last_seq) {
    throw DataError(fmt::format("{}: the file has the records {} to {}, but is listed with {} to {}", path,
                                chunk.first_seq, chunk.last_seq, name.first_seq, name.last_seq));
  }
  Records expected;
  expected.patterns = BitPatterns(0, log.design().bits);
  const uint32_t chain =
      log.for_each(chunk.first_seq, chunk.last_seq, chunk.chain_before,
                   [&](const Record& record, uint32_t) { append_record(expected, record, log.name()); });
  if (!(expected == chunk.records) || chain != chunk.chain_after) {
    throw DataError(fmt::format("{}: the records differ from those of the log", path));
  }
}

/// Compares saved counters with those of a memory to which the stored patterns are written.
void check_counters(const Log& log, const Head& head, const std::vector<CounterChunk>& chunks) {
  const MemoryDesign& design = log.design();
  const int64_t seq = chunks.front().seq;
  LogState state;
  Records records;
  records.patterns = BitPatterns(0, design.bits);
  read_state(log, head, seq, state,
             [&](const Record& record) { append_record(records, record, log.name()); });
  BitPatterns stored = std::move(records.patterns);
  std::vector<int64_t> forgotten;
  int64_t index = 0;
  for (size_t i = 0; i < records.seqs.size(); ++i) {
    if (records.targets[i] == 0) {
      if (!state.stored.contains(records.seqs[i])) {
        forgotten.push_back(index);
      }
      ++index;
    }
  }
  stored.erase(forgotten);
  NeuronSdm expected(neuron_sdm_of(design));
  expected.write(stored);
  const auto fail = [&](int64_t location) {
    throw DataError(fmt::format(
        "snapshot: the saved counters of hard location {} differ from those of the log", location));
  };
  int64_t next = 0; // locations before it have been compared
  for (const CounterChunk& chunk : chunks) {
    if (chunk.seq != seq || chunk.chain != state.chain || chunk.counters_per_location != design.bits ||
        chunk.last_location > design.hard_locations || chunk.first_location != next) {
      throw DataError("snapshot: the files of counters do not belong together");
    }
    size_t entry = 0;
    for (; next < chunk.last_location; ++next) {
      if (entry == chunk.locations.size() || chunk.locations[entry] != next) {
        if (expected.writes(next) != 0) {
          fail(next);
        }
        continue;
      }
      const std::vector<int16_t> counters = expected.counters(next);
      if (chunk.writes[entry] != expected.writes(next) ||
          !std::equal(counters.begin(), counters.end(),
                      chunk.counters.begin() + static_cast<int64_t>(entry) * design.bits)) {
        fail(next);
      }
      ++entry;
    }
  }
  if (next != design.hard_locations) {
    fail(next);
  }
}

} // namespace

Verification verify_memory(const fs::path& folder, const OpenOptions& options) {
  const Environment& environment =
      options.environment != nullptr ? *options.environment : Environment::of_system();
  const OpenedDatabase opened = open_database(folder, false, environment);
  Verification result;
  ++result.files;
  passes(result, [&] {
    const Transaction transaction(opened.database, Transaction::Kind::read);
    const Log log(opened.database);
    const Head head = log.head();
    passes(result, [&] { check_pages(opened.database, result); });
    const bool log_is_intact = passes(result, [&] { check_log(log, head, result); });
    std::vector<CounterChunk> counters;
    bool all_counters = true;
    for (const ChunkName& name : log.chunks()) {
      const fs::path path = snapshot_folder(folder) / fs::path(name.name).filename();
      if (std::error_code error; fs::status(path, error).type() == fs::file_type::not_found) {
        ++result.missing;
        all_counters = all_counters && name.kind != kCounterChunks;
        continue;
      }
      ++result.files;
      const std::string text = path.string();
      if (name.kind == kCounterChunks) {
        const bool is_readable =
            passes(result, [&] { counters.push_back(parse_counter_chunk(MappedFile(path).bytes(), text)); });
        all_counters &= is_readable;
        result.damaged_snapshot_files += is_readable ? 0 : 1;
      } else if (name.kind == kRecordChunks) {
        std::optional<RecordChunk> chunk;
        if (!passes(result, [&] { chunk = parse_record_chunk(MappedFile(path).bytes(), text); })) {
          ++result.damaged_snapshot_files;
        } else if (log_is_intact) {
          passes(result, [&] { check_records(log, name, *chunk, printable(text)); });
        }
      } else {
        result.problems.push_back(
            fmt::format("{}: the table chunks has a row of an unknown kind", log.name()));
      }
    }
    if (log_is_intact && all_counters && !counters.empty()) {
      if (const uint64_t needed = memory_info(folder, options).bytes_to_verify;
          options.bytes_max > 0 && needed > options.bytes_max) {
        throw UnsupportedError(
            fmt::format("{}: the check of the counters needs {} bytes of main memory, but at most {} may "
                        "be used",
                        printable(folder.string()), needed, options.bytes_max));
      }
      std::ranges::sort(counters, {}, &CounterChunk::first_location);
      passes(result, [&] { check_counters(log, head, counters); });
    }
  });
  return result;
}

} // namespace mneme::store
