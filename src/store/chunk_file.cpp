// SPDX-License-Identifier: MIT

#include "store/chunk_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/crc32c.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::store {
namespace {

constexpr std::array<char, 8> kMagic = {'M', 'N', 'E', 'M', 'E', 'C', 'H', 'K'};
constexpr uint32_t kVersion = 1, kRecords = 1, kCounters = 2;

struct Header {
  std::array<char, 8> magic;
  uint32_t version, kind;
  int64_t first, last, count, writes_or_seq, bits;
  uint32_t chain_before, chain_after, content_crc, header_crc;
};
static_assert(sizeof(Header) == 72 && std::is_trivially_copyable_v<Header>);

uint32_t header_crc(const Header& header) {
  return crc32c(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_crc)));
}

/// File of a header and columns; it is allocated once.
class FileBytes {
public:
  explicit FileBytes(size_t content_size) : bytes_(sizeof(Header) + content_size) {}

  template <class T> void put(const T* begin, size_t count) {
    if (count > 0) {
      std::memcpy(bytes_.data() + size_, begin, count * sizeof(T));
    }
    size_ += count * sizeof(T);
  }
  template <class T> void put(const std::vector<T>& column) { put(column.data(), column.size()); }

  /// Fills in the checksums.
  std::vector<std::byte> with_header(Header header) {
    header.magic = kMagic;
    header.version = kVersion;
    header.content_crc = crc32c(std::span(bytes_).subspan(sizeof(Header)));
    header.header_crc = header_crc(header);
    std::memcpy(bytes_.data(), &header, sizeof(Header));
    return std::move(bytes_);
  }

private:
  std::vector<std::byte> bytes_;
  size_t size_ = sizeof(Header);
};

/// Reads columns of a content whose size has been checked.
class Columns {
public:
  explicit Columns(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <class T> void get(T* to, size_t count) {
    if (count > 0) {
      std::memcpy(to, bytes_.data(), count * sizeof(T));
    }
    bytes_ = bytes_.subspan(count * sizeof(T));
  }
  template <class T> std::vector<T> get(int64_t count) {
    std::vector<T> column(static_cast<size_t>(count));
    get(column.data(), column.size());
    return column;
  }

private:
  std::span<const std::byte> bytes_;
};

class File {
public:
  File(std::span<const std::byte> bytes, const std::string& name, uint32_t kind)
      : bytes_(bytes), name_(name) {
    if (bytes.size() < sizeof(Header)) {
      fail(fmt::format("the file has {} bytes, fewer than its header ({})", bytes.size(), sizeof(Header)));
    }
    std::memcpy(&header, bytes.data(), sizeof(Header));
    if (header.magic != kMagic) {
      fail("the file is not a snapshot file (it does not begin with MNEMECHK)");
    }
    if (header.version != kVersion) {
      fail(fmt::format("the file has version {}, but this mneme reads version {}", header.version, kVersion));
    }
    if (header.header_crc != header_crc(header)) {
      fail("the checksum of the header is wrong");
    }
    if (header.kind != kind) {
      fail(fmt::format("the file has contents of kind {} instead of {}", header.kind, kind));
    }
    // A header with a correct checksum may still have been made to overflow; below these limits, the size of
    // the content is at most 2^61 bytes.
    constexpr int64_t kMaxCount = int64_t{1} << 40, kMaxBits = int64_t{1} << 20;
    if (header.first < 0 || header.last < header.first || header.count < 0 || header.count > kMaxCount ||
        header.writes_or_seq < 0 || header.bits < 1 || header.bits > kMaxBits) {
      fail("a number in the header is out of range");
    }
  }

  /// Checks the size and checksum of the content.
  Columns content(int64_t expected_bytes) const {
    const std::span<const std::byte> content = bytes_.subspan(sizeof(Header));
    if (std::ssize(content) != expected_bytes) {
      fail(fmt::format("the content has {} bytes instead of {}", content.size(), expected_bytes));
    }
    if (const uint32_t crc = crc32c(content); crc != header.content_crc) {
      fail(fmt::format("the checksum of the content is {} instead of {}", crc32c_text(crc),
                       crc32c_text(header.content_crc)));
    }
    return Columns(content);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(
        fmt::format("{}: {}.\n  The memory is complete without this file, which is derived from the log: "
                    "`mneme memory compact` writes it again.",
                    printable(name_), what));
  }

  Header header;

private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
};

} // namespace

void Records::append(const Records& more) {
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(seqs, more.seqs);
  add(targets, more.targets);
  add(key_hashes, more.key_hashes);
  add(label_hashes, more.label_hashes);
  patterns.append(more.patterns);
}

std::vector<std::byte> chunk_bytes(const RecordChunk& chunk) {
  const Records& records = chunk.records;
  const auto num_words = static_cast<size_t>(records.patterns.count() * records.patterns.words());
  FileBytes file(records.seqs.size() * 4 * sizeof(int64_t) + num_words * sizeof(uint64_t));
  file.put(records.seqs);
  file.put(records.targets);
  file.put(records.key_hashes);
  file.put(records.label_hashes);
  file.put(records.patterns.data(), num_words);
  return file.with_header({.kind = kRecords,
                           .first = chunk.first_seq,
                           .last = chunk.last_seq,
                           .count = records.count(),
                           .writes_or_seq = records.patterns.count(),
                           .bits = records.patterns.bits(),
                           .chain_before = chunk.chain_before,
                           .chain_after = chunk.chain_after});
}

std::vector<std::byte> chunk_bytes(const CounterChunk& chunk) {
  FileBytes file(chunk.locations.size() * 2 * sizeof(int64_t) + chunk.counters.size() * sizeof(int16_t));
  file.put(chunk.locations);
  file.put(chunk.writes);
  file.put(chunk.counters);
  return file.with_header({.kind = kCounters,
                           .first = chunk.first_location,
                           .last = chunk.last_location,
                           .count = static_cast<int64_t>(chunk.locations.size()),
                           .writes_or_seq = chunk.seq,
                           .bits = chunk.counters_per_location,
                           .chain_before = chunk.chain});
}

RecordChunk parse_record_chunk(std::span<const std::byte> bytes, const std::string& name) {
  const File file(bytes, name, kRecords);
  const Header& header = file.header;
  const int64_t words = (header.bits + 63) / 64, count = header.count, writes = header.writes_or_seq;
  if (writes > count) {
    file.fail(fmt::format("{} of {} records are writes", writes, count));
  }
  Columns columns = file.content(count * 32 + writes * words * 8);
  RecordChunk chunk{.first_seq = header.first,
                    .last_seq = header.last,
                    .chain_before = header.chain_before,
                    .chain_after = header.chain_after};
  Records& records = chunk.records;
  records.seqs = columns.get<int64_t>(count);
  records.targets = columns.get<int64_t>(count);
  records.key_hashes = columns.get<uint64_t>(count);
  records.label_hashes = columns.get<uint64_t>(count);
  records.patterns = BitPatterns(writes, header.bits);
  columns.get(records.patterns.data(), static_cast<size_t>(writes * words));
  int64_t before = header.first;
  for (size_t i = 0; i < records.seqs.size(); ++i) {
    if (records.seqs[i] <= before || records.seqs[i] > header.last || records.targets[i] < 0 ||
        records.targets[i] >= records.seqs[i]) {
      file.fail(fmt::format("record {} has the number {} and the target {}", i, records.seqs[i],
                            records.targets[i]));
    }
    before = records.seqs[i];
  }
  if (std::ranges::count(records.targets, 0) != writes) {
    file.fail(
        fmt::format("{} records are writes instead of {}", std::ranges::count(records.targets, 0), writes));
  }
  for (int64_t i = 0; i < writes; ++i) {
    if ((records.patterns[i].back() & ~records.patterns.last_word_mask()) != 0) {
      file.fail(fmt::format("bits after the end of pattern {} are not 0", i));
    }
  }
  return chunk;
}

CounterChunk parse_counter_chunk(std::span<const std::byte> bytes, const std::string& name) {
  const File file(bytes, name, kCounters);
  const Header& header = file.header;
  const int64_t count = header.count;
  Columns columns = file.content(count * 16 + count * header.bits * 2);
  CounterChunk chunk{.first_location = header.first,
                     .last_location = header.last,
                     .seq = header.writes_or_seq,
                     .chain = header.chain_before,
                     .counters_per_location = header.bits};
  chunk.locations = columns.get<int64_t>(count);
  chunk.writes = columns.get<int64_t>(count);
  chunk.counters = columns.get<int16_t>(count * header.bits);
  int64_t before = header.first - 1;
  for (size_t i = 0; i < chunk.locations.size(); ++i) {
    if (chunk.locations[i] <= before || chunk.locations[i] >= header.last || chunk.writes[i] < 1) {
      file.fail(
          fmt::format("entry {} is of location {} with {} writes", i, chunk.locations[i], chunk.writes[i]));
    }
    before = chunk.locations[i];
  }
  return chunk;
}

} // namespace mneme::store
