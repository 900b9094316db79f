// SPDX-License-Identifier: MIT

#include "store/log.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "mneme/core/crc32c.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"

namespace mneme::store {
namespace {

constexpr int64_t kApplicationId = 0x6d6e6d65; // "mnme"
constexpr int64_t kAbsent = -1;

constexpr const char* kSchema = R"(
CREATE TABLE meta(name TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE head(
  id INTEGER PRIMARY KEY, generation INTEGER, seq INTEGER, records INTEGER, stored INTEGER, chain INTEGER,
  crc INTEGER);
CREATE TABLE log(
  seq INTEGER PRIMARY KEY, target INTEGER NOT NULL, key TEXT, label TEXT, pattern BLOB, payload BLOB,
  crc INTEGER NOT NULL, chain INTEGER NOT NULL);
CREATE TABLE chunks(
  name TEXT NOT NULL, kind INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL);
CREATE VIEW memories AS
  SELECT seq, key, label, hex(pattern) AS pattern, CAST(payload AS TEXT) AS payload FROM log
  WHERE target = 0 AND seq NOT IN (SELECT target FROM log WHERE target != 0);
)";

/// Ends a query, also if an exception is thrown.
struct ResetAtEnd {
  Statement& statement;
  ~ResetAtEnd() { statement.reset(); }
};

template <class T> std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

uint32_t head_crc(const Head& head) {
  const std::array<int64_t, 5> fields{head.generation, head.seq, head.records, head.stored, head.chain};
  return crc32c(std::as_bytes(std::span(fields)));
}

/// The shortest decimal number that is read as the same double.
std::string text_of(double value) {
  return fmt::format("{}", value);
}

std::map<std::string, std::string> to_meta(const MemoryDesign& design) {
  std::map<std::string, std::string> meta = {{"format", fmt::format("mneme memory {}", kFormatVersion)},
                                             {"bits", std::to_string(design.bits)},
                                             {"similarity", design.steps.similarity},
                                             {"separation", design.steps.separation},
                                             {"projection", design.steps.projection},
                                             {"hard_locations", std::to_string(design.hard_locations)},
                                             {"hamming_radius", std::to_string(design.hamming_radius)},
                                             {"beta", text_of(design.beta)},
                                             {"alpha", text_of(design.alpha)},
                                             {"degree", text_of(design.degree)},
                                             {"update_steps_max", std::to_string(design.update_steps_max)},
                                             {"seed", std::to_string(design.seed)}};
  if (design.selected_coordinates > 0) {
    meta["selected_coordinates"] = std::to_string(design.selected_coordinates);
    meta["assigned_values"] = design.assigned_values == AssignedValues::ones ? "ones" : "random";
  }
  return meta;
}

/// Rows of the table meta with the threshold of numbers, which may be added after the others.
constexpr std::string_view kThresholdRows = "threshold";
constexpr const char* kThresholdCrc = "threshold_crc32c";

std::map<std::string, std::string> to_meta(const Threshold& threshold) {
  return {{"threshold", text_of(threshold.value)},
          {"threshold_min", text_of(threshold.min)},
          {"threshold_max", text_of(threshold.max)},
          {"threshold_file_scale", text_of(threshold.file_scale)}};
}

uint32_t meta_crc(const std::map<std::string, std::string>& meta) {
  uint32_t crc = 0;
  for (const auto& [name, value] : meta) {
    for (const std::string& text : {name, value}) {
      crc = crc32c_with_size(std::as_bytes(std::span(text)), crc);
    }
  }
  return crc;
}

void insert_meta(const Database& database, const std::map<std::string, std::string>& meta) {
  Statement insert(database, "INSERT INTO meta(name, value) VALUES(?1, ?2)");
  for (const auto& [name, value] : meta) {
    insert.bind_text(1, name).bind_text(2, value).run();
  }
}

} // namespace

uint32_t record_crc(const Record& record) {
  uint32_t crc = crc32c(bytes_of(record.seq));
  crc = crc32c(bytes_of(record.target), crc);
  for (const auto& field : {record.key, record.label, record.pattern, record.payload}) {
    crc = crc32c(bytes_of(field ? static_cast<int64_t>(field->size()) : kAbsent), crc);
    if (field) {
      crc = crc32c(std::as_bytes(std::span(*field)), crc);
    }
  }
  return crc;
}

uint32_t next_chain(uint32_t chain, uint32_t crc) {
  return crc32c(bytes_of(crc), crc32c(bytes_of(chain)));
}

uint64_t text_hash(const std::optional<std::string_view>& text) {
  if (!text) {
    return 0;
  }
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : *text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash == 0 ? 1 : hash;
}

int64_t bytes_per_pattern(int64_t bits) {
  return (bits + 7) / 8;
}

std::string_view pattern_bytes(const BitPatterns& patterns, int64_t index) {
  return {reinterpret_cast<const char*>(patterns[index].data()),
          static_cast<size_t>(bytes_per_pattern(patterns.bits()))};
}

void set_pattern(BitPatterns& patterns, int64_t index, std::string_view bytes, const std::string& where) {
  if (std::ssize(bytes) != bytes_per_pattern(patterns.bits())) {
    throw DataError(
        fmt::format("{}: a pattern has {} bytes instead of {}.\n  The file is damaged; restore it from a "
                    "backup.",
                    where, bytes.size(), bytes_per_pattern(patterns.bits())));
  }
  const std::span<uint64_t> words = patterns[index];
  words.back() = 0;
  std::memcpy(words.data(), bytes.data(), bytes.size());
  if ((words.back() & ~patterns.last_word_mask()) != 0) {
    throw DataError(
        fmt::format("{}: bits after the end of a pattern are not 0.\n  The file is damaged; restore it "
                    "from a backup.",
                    where));
  }
}

void append_record(Records& records, const Record& record, const std::string& where) {
  records.seqs.push_back(record.seq);
  records.targets.push_back(record.target);
  records.key_hashes.push_back(text_hash(record.key));
  records.label_hashes.push_back(text_hash(record.label));
  if (record.target == 0) {
    BitPatterns pattern(1, records.patterns.bits());
    set_pattern(pattern, 0, *record.pattern, where);
    records.patterns.append(pattern);
  }
}

void Log::create(const Database& database, const MemoryDesign& design) {
  database.run("PRAGMA page_size=4096");
  database.run("PRAGMA auto_vacuum=NONE");
  database.run("PRAGMA journal_mode=WAL");
  Transaction transaction(database, Transaction::Kind::write);
  database.run(kSchema);
  database.run(fmt::format("PRAGMA application_id={}", kApplicationId));
  database.run(fmt::format("PRAGMA user_version={}", kFormatVersion));
  std::map<std::string, std::string> meta = to_meta(design);
  const uint32_t crc = meta_crc(meta);
  meta["crc32c"] = std::to_string(crc);
  insert_meta(database, meta);
  Head head;
  head.chain = next_chain(crc, 0);
  Statement(database, "INSERT INTO head(id, generation, seq, records, stored, chain, crc) "
                      "VALUES(1, 0, 0, 0, 0, ?1, ?2)")
      .bind(1, head.chain)
      .bind(2, head_crc(head))
      .run();
  transaction.commit();
}

namespace {

/// Checks the identification of the file before its tables are read.
const Database& checked(const Database& database) {
  const std::string name = printable(database.path().string());
  if (const int64_t id = database.integer("PRAGMA application_id"); id != kApplicationId) {
    throw DataError(
        fmt::format("{}: this is not the database of a memory (its application_id is {} instead of {}).\n"
                    "  Give the folder of a memory, or create one with `mneme memory create`.",
                    name, id, kApplicationId));
  }
  if (const int64_t version = database.integer("PRAGMA user_version");
      version != kFormatVersion && version != kThresholdVersion) {
    throw DataError(
        fmt::format("{}: the format has version {}, but this mneme reads the versions {} and {}.\n  Use the "
                    "mneme that wrote it to export the memory, and write the export to a new one.",
                    name, version, kFormatVersion, kThresholdVersion));
  }
  return database;
}

} // namespace

Log::Log(const Database& database)
    : database_(checked(database)), name_(printable(database.path().string())),
      select_(database, "SELECT seq, target, key, label, pattern, payload, crc, chain FROM log "
                        "WHERE seq > ?1 AND seq <= ?2 ORDER BY seq"),
      fetch_(database,
             "SELECT seq, target, key, label, pattern, payload, crc, chain FROM log WHERE seq = ?1"),
      select_head_(database, "SELECT generation, seq, records, stored, chain, crc FROM head WHERE id = 1") {
  std::map<std::string, std::string> meta;
  Statement rows(database, "SELECT name, value FROM meta");
  while (rows.step()) {
    const auto name = rows.text(0), value = rows.text(1);
    if (!name || !value) {
      fail("the table meta has an empty field");
    }
    if (!name->starts_with(kThresholdRows)) {
      meta.emplace(*name, *value);
    }
  }
  threshold(); // checks its rows
  const std::string crc = meta["crc32c"];
  meta.erase("crc32c");
  meta_crc_ = meta_crc(meta);
  if (crc != std::to_string(meta_crc_)) {
    fail(fmt::format("the checksum of the table meta is {} instead of \"{}\"", meta_crc_, printable(crc)));
  }
  try {
    design_ = {.bits = std::stoll(meta.at("bits")),
               .steps = {meta.at("similarity"), meta.at("separation"), meta.at("projection")},
               .hard_locations = std::stoll(meta.at("hard_locations")),
               .hamming_radius = std::stoll(meta.at("hamming_radius")),
               .beta = std::stod(meta.at("beta")),
               .alpha = std::stod(meta.at("alpha")),
               .degree = std::stod(meta.at("degree")),
               .update_steps_max = std::stoll(meta.at("update_steps_max")),
               .seed = std::stoull(meta.at("seed"))};
    if (const auto selected = meta.find("selected_coordinates"); selected != meta.end()) {
      design_.selected_coordinates = std::stoll(selected->second);
      design_.assigned_values =
          meta.at("assigned_values") == "ones" ? AssignedValues::ones : AssignedValues::random;
    }
    if (to_meta(design_) != meta || completed(design_) != design_) {
      fail("the table meta has unknown contents");
    }
  } catch (const std::logic_error&) { // a field is missing, or not a number
    fail("the table meta has unknown contents");
  } catch (const UsageError& error) {
    fail(fmt::format("the table meta is refused: {}", error.what()));
  }
}

std::optional<Threshold> Log::threshold() const {
  std::map<std::string, std::string> meta;
  Statement rows(database_, "SELECT name, value FROM meta WHERE name LIKE 'threshold%'");
  while (rows.step()) {
    meta.emplace(rows.text(0).value_or(""), rows.text(1).value_or(""));
  }
  if (meta.empty()) {
    return std::nullopt;
  }
  const std::string crc = meta[kThresholdCrc];
  meta.erase(kThresholdCrc);
  if (crc != std::to_string(meta_crc(meta))) {
    fail("the checksum of the threshold in the table meta is wrong");
  }
  try {
    const Threshold threshold{.value = std::stod(meta.at("threshold")),
                              .min = std::stod(meta.at("threshold_min")),
                              .max = std::stod(meta.at("threshold_max")),
                              .file_scale = std::stod(meta.at("threshold_file_scale"))};
    if (to_meta(threshold) == meta) {
      return threshold;
    }
  } catch (const std::logic_error&) { // a field is missing, or not a number
  }
  fail("the threshold in the table meta has unknown contents");
}

void Log::set_threshold(const Threshold& threshold) {
  std::map<std::string, std::string> meta = to_meta(threshold);
  meta[kThresholdCrc] = std::to_string(meta_crc(meta));
  insert_meta(database_, meta);
  database_.run(fmt::format("PRAGMA user_version={}", kThresholdVersion));
}

uint32_t Log::first_chain(int64_t generation) const {
  return next_chain(meta_crc_, static_cast<uint32_t>(generation));
}

Head Log::head() const {
  const ResetAtEnd reset{select_head_};
  const Statement& row = select_head_;
  if (!select_head_.step()) {
    fail("the row of the table head is missing");
  }
  const Head head{.generation = row.integer(0),
                  .seq = row.integer(1),
                  .records = row.integer(2),
                  .stored = row.integer(3),
                  .chain = static_cast<uint32_t>(row.integer(4))};
  if (row.integer(5) != head_crc(head) || row.integer(4) != head.chain) {
    fail("the checksum of the table head is wrong");
  }
  return head;
}

void Log::set_head(const Head& before, const Head& after) {
  if (!set_head_) {
    set_head_.emplace(database_,
                      "UPDATE head SET generation = ?1, seq = ?2, records = ?3, stored = ?4, chain = ?5, "
                      "crc = ?6 WHERE id = 1 AND seq = ?7 AND chain = ?8 AND generation = ?9");
  }
  set_head_->bind(1, after.generation)
      .bind(2, after.seq)
      .bind(3, after.records)
      .bind(4, after.stored)
      .bind(5, after.chain)
      .bind(6, head_crc(after))
      .bind(7, before.seq)
      .bind(8, before.chain)
      .bind(9, before.generation)
      .run();
  if (database_.changes() != 1) {
    fail("another program has changed the table head while this memory was open for writing");
  }
}

void Log::insert(const Record& record, Head& head) {
  if (!insert_) {
    insert_.emplace(database_, "INSERT INTO log(seq, target, key, label, pattern, payload, crc, chain) "
                               "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
  }
  const uint32_t crc = record_crc(record);
  head.chain = next_chain(head.chain, crc);
  head.seq = record.seq;
  ++head.records;
  head.stored += record.target == 0 ? 1 : -1;
  insert_->bind(1, record.seq)
      .bind(2, record.target)
      .bind_text(3, record.key)
      .bind_text(4, record.label)
      .bind_blob(5, record.pattern)
      .bind_blob(6, record.payload)
      .bind(7, crc)
      .bind(8, head.chain)
      .run();
}

Record Log::checked_row(const Statement& row) const {
  const Record record{.seq = row.integer(0),
                      .target = row.integer(1),
                      .key = row.text(2),
                      .label = row.text(3),
                      .pattern = row.blob(4),
                      .payload = row.blob(5)};
  if (row.integer(6) != record_crc(record)) {
    fail(fmt::format("the checksum of record {} is wrong", record.seq));
  }
  const bool is_write = record.target == 0;
  if (is_write != record.pattern.has_value() || record.target < 0 || record.target >= record.seq) {
    fail(fmt::format("record {} is neither a write nor the forget of an earlier write", record.seq));
  }
  return record;
}

uint32_t Log::for_each(int64_t after, int64_t last, uint32_t chain,
                       const std::function<void(const Record&, uint32_t)>& visit) const {
  const ResetAtEnd reset{select_};
  select_.bind(1, after).bind(2, last);
  int64_t before = after;
  while (select_.step()) {
    throw_if_interrupted();
    const Record record = checked_row(select_);
    chain = next_chain(chain, static_cast<uint32_t>(select_.integer(6)));
    if (select_.integer(7) != chain || record.seq <= before) {
      fail(fmt::format("the chain of checksums is broken between the records {} and {}", before, record.seq));
    }
    before = record.seq;
    visit(record, chain);
  }
  return chain;
}

void Log::fetch(int64_t seq, const std::function<void(const Record&)>& visit) const {
  throw_if_interrupted();
  const ResetAtEnd reset{fetch_};
  fetch_.bind(1, seq);
  if (!fetch_.step()) {
    fail(fmt::format("record {} is missing", seq));
  }
  const Record record = checked_row(fetch_);
  if (record.seq != seq) {
    fail(fmt::format("record {} was found in the place of record {}", record.seq, seq));
  }
  visit(record);
}

int64_t Log::count_after(int64_t seq) const {
  Statement count(database_, "SELECT count(*) FROM log WHERE seq > ?1");
  count.bind(1, seq).step();
  return count.integer(0);
}

std::vector<ChunkName> Log::chunks() const {
  std::vector<ChunkName> chunks;
  Statement rows(database_,
                 "SELECT name, kind, first_seq, last_seq FROM chunks ORDER BY kind, first_seq, name");
  while (rows.step()) {
    chunks.push_back(
        {std::string(rows.text(0).value_or("")), rows.integer(1), rows.integer(2), rows.integer(3)});
  }
  return chunks;
}

void Log::add_chunk(const ChunkName& chunk) {
  Statement(database_, "INSERT INTO chunks(name, kind, first_seq, last_seq) VALUES(?1, ?2, ?3, ?4)")
      .bind_text(1, chunk.name)
      .bind(2, chunk.kind)
      .bind(3, chunk.first_seq)
      .bind(4, chunk.last_seq)
      .run();
}

void Log::remove_chunks(int64_t kind) {
  Statement(database_, "DELETE FROM chunks WHERE kind = ?1").bind(1, kind).run();
}

void Log::keep_only(const std::vector<int64_t>& stored, Head& head) {
  std::vector<std::pair<int64_t, uint32_t>> kept;
  std::vector<int64_t> removed;
  const uint32_t chain =
      for_each(0, head.seq, first_chain(head.generation), [&](const Record& record, uint32_t) {
        if (record.target == 0 && std::ranges::binary_search(stored, record.seq)) {
          kept.emplace_back(record.seq, record_crc(record));
        } else {
          removed.push_back(record.seq);
        }
      });
  if (chain != head.chain || std::ssize(kept) != head.stored) {
    fail("records are missing at the end of the log");
  }
  Statement remove(database_, "DELETE FROM log WHERE seq = ?1");
  for (const int64_t seq : removed) {
    throw_if_interrupted();
    remove.bind(1, seq).run();
  }
  ++head.generation;
  head.records = head.stored;
  head.chain = first_chain(head.generation);
  Statement update(database_, "UPDATE log SET chain = ?2 WHERE seq = ?1");
  for (const auto& [seq, crc] : kept) {
    throw_if_interrupted();
    head.chain = next_chain(head.chain, crc);
    update.bind(1, seq).bind(2, head.chain).run();
  }
}

void Log::fail(const std::string& what) const {
  throw DataError(
      fmt::format("{}: {}.\n  The file is damaged. `mneme memory verify` lists the damage; restore the "
                  "folder from a backup.",
                  name_, what));
}

} // namespace mneme::store
