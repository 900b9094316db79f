// SPDX-License-Identifier: MIT

#include "data/zip.h"

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <zlib.h>

#include "data/numbers.h"

namespace mneme::data {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr int64_t kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56, kCentralSize = 46, kLocalSize = 30;
constexpr int64_t kCommentMax = 65535;
constexpr uint64_t kIn64 = 0xffffffff; ///< the number is in the zip64 extra field instead
constexpr uint64_t kExtra64 = 1;       ///< tag of that field
constexpr uint64_t kStored = 0, kDeflated = 8;
constexpr uint64_t kMaxInflateRatio = 1032; // deflate: at most 258 bytes from two bits
constexpr int64_t kBlock = 1 << 16;

class Reader {
public:
  explicit Reader(const Source& source) : source_(source) {}

  std::vector<ZipMember> members() const {
    const Directory directory = find_directory();
    std::vector<ZipMember> members;
    std::set<std::string> names;
    int64_t at = directory.begin, total = 0;
    for (uint64_t i = 0; i < directory.count; ++i) {
      require(number(at, 4) == kCentralHeader, "the central directory is damaged");
      const auto name_size = static_cast<int64_t>(number(at + 28, 2)),
                 extra_size = static_cast<int64_t>(number(at + 30, 2)),
                 comment_size = static_cast<int64_t>(number(at + 32, 2));
      const std::vector<std::byte> letters = slice(at + kCentralSize, name_size);
      const Numbers numbers = numbers_of(at, name_size, extra_size);
      const int64_t header = position(numbers.header);
      require(number(header, 4) == kLocalHeader, "an entry is not at its offset in the central directory");
      ZipMember member{.name = {reinterpret_cast<const char*>(letters.data()), letters.size()},
                       .method = number(at + 10, 2),
                       .encrypted = (number(at + 8, 2) & 1) != 0,
                       .begin = header + kLocalSize + static_cast<int64_t>(number(header + 26, 2)) +
                                static_cast<int64_t>(number(header + 28, 2)),
                       .packed = position(numbers.packed),
                       .size = numbers.size,
                       .checksum = number(at + 16, 4)};
      require_within(member.begin, member.packed);
      total += member.packed;
      require(total <= source_.size(), "entries overlap");
      require(member.method != kStored || static_cast<uint64_t>(member.packed) == member.size,
              "an uncompressed entry has two different sizes");
      require(names.insert(member.name).second, "two entries have the same name");
      members.push_back(std::move(member));
      at += kCentralSize + name_size + extra_size + comment_size;
    }
    return members;
  }

private:
  struct Directory {
    int64_t begin;
    uint64_t count;
  };
  struct Numbers {
    uint64_t size, packed, header;
  };

  void require(bool holds, const char* problem) const {
    if (!holds) {
      fail(source_.name(), fmt::format("the zip file is invalid: {}", problem), kFileDamaged);
    }
  }

  void require_within(int64_t begin, int64_t count) const {
    require(begin >= 0 && count >= 0 && begin <= source_.size() && count <= source_.size() - begin,
            "the file ends too early");
  }

  std::vector<std::byte> slice(int64_t begin, int64_t count) const {
    require_within(begin, count);
    std::vector<std::byte> bytes = make_bytes(source_.name(), count);
    source_.read(begin, bytes, "a part of the central directory");
    return bytes;
  }

  uint64_t number(int64_t at, int64_t count) const {
    require_within(at, count);
    std::array<std::byte, 8> digits{};
    const std::span<std::byte> used(digits.data(), static_cast<size_t>(count));
    source_.read(at, used, "a number");
    return unsigned_from(used, false);
  }

  int64_t position(uint64_t number) const {
    require(number <= static_cast<uint64_t>(source_.size()), "an offset is beyond the end of the file");
    return static_cast<int64_t>(number);
  }

  Directory find_directory() const {
    require(source_.size() >= kEndSize, "the file ends too early");
    const int64_t begin = std::max<int64_t>(0, source_.size() - kEndSize - kCommentMax);
    const std::vector<std::byte> tail = slice(begin, source_.size() - begin);
    const auto tail_number = [&](int64_t at, size_t count) {
      return unsigned_from(std::span(tail).subspan(static_cast<size_t>(at), count), false);
    };
    // The comment at the end of the archive may contain the signature of an end record, and bytes may follow
    // the archive. A record whose comment ends at the end of the file is preferred.
    std::optional<int64_t> found;
    for (int64_t at = std::ssize(tail) - kEndSize; at >= 0; --at) {
      if (tail_number(at, 4) == kEnd) {
        const bool ends_file =
            at + kEndSize + static_cast<int64_t>(tail_number(at + 20, 2)) == std::ssize(tail);
        if (!found || ends_file) {
          found = at;
        }
        if (ends_file) {
          break;
        }
      }
    }
    if (found) {
      return directory_at(begin + *found);
    }
    fail(source_.name(), "the zip file is invalid: it has no end record", kFileDamaged);
  }

  Directory directory_at(int64_t at) const {
    if (at >= kLocatorSize && number(at - kLocatorSize, 4) == kEnd64Locator) {
      const int64_t end = position(number(at - kLocatorSize + 8, 8));
      require_within(end, kEnd64Size);
      require(number(end, 4) == kEnd64, "the end record is damaged");
      return {position(number(end + 48, 8)), number(end + 32, 8)};
    }
    return {position(number(at + 16, 4)), number(at + 10, 2)};
  }

  Numbers numbers_of(int64_t at, int64_t name_size, int64_t extra_size) const {
    Numbers numbers{.size = number(at + 24, 4), .packed = number(at + 20, 4), .header = number(at + 42, 4)};
    int64_t field = at + kCentralSize + name_size;
    for (const int64_t end = field + extra_size; end - field >= 4;) {
      const auto length = static_cast<int64_t>(number(field + 2, 2));
      if (number(field, 2) == kExtra64) {
        int64_t next = field + 4;
        for (uint64_t* wide : {&numbers.size, &numbers.packed, &numbers.header}) {
          if (*wide == kIn64) {
            require(next + 8 <= field + 4 + length, "an extra field is too short");
            *wide = number(next, 8);
            next += 8;
          }
        }
        break;
      }
      field += 4 + length;
    }
    return numbers;
  }

  const Source& source_;
};

uint64_t checksum_of(const Source& content) {
  uint64_t checksum = 0;
  std::vector<std::byte> block(static_cast<size_t>(std::min(content.size(), kBlock)));
  for (int64_t at = 0; at < content.size(); at += kBlock) {
    const std::span<std::byte> part =
        std::span(block).first(static_cast<size_t>(std::min(kBlock, content.size() - at)));
    content.read(at, part, "an entry");
    checksum = ::crc32_z(checksum, reinterpret_cast<const Bytef*>(part.data()), part.size());
  }
  return checksum;
}

std::string name_of(const Source& source, const ZipMember& member) {
  return fmt::format("{}, entry {:?}", source.name(), member.name);
}

/// Decompresses the first `count` bytes of a deflated entry. `whole`: `count` is its size, and the data must
/// end there.
std::vector<std::byte> inflated(const Source& source, const ZipMember& member, int64_t count, bool whole) {
  const std::string name = name_of(source, member);
  std::vector<std::byte> bytes = make_bytes(name, count);
  z_stream zlib{};
  if (::inflateInit2(&zlib, -MAX_WBITS) != Z_OK) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&zlib, ::inflateEnd);
  std::vector<std::byte> block(static_cast<size_t>(std::min(member.packed, kBlock)));
  std::byte surplus{};
  int64_t read = 0, done = 0;
  int result = Z_OK;
  while (result == Z_OK && (whole || done < count)) {
    if (zlib.avail_in == 0 && read < member.packed) {
      const std::span<std::byte> part =
          std::span(block).first(static_cast<size_t>(std::min(kBlock, member.packed - read)));
      source.read(member.begin + read, part, "an entry");
      read += std::ssize(part);
      zlib.next_in = reinterpret_cast<Bytef*>(part.data());
      zlib.avail_in = static_cast<uInt>(part.size());
    }
    constexpr int64_t kMostAtOnce = 1 << 30;
    const bool full = done == count;
    const auto length = static_cast<uInt>(full ? 1 : std::min(count - done, kMostAtOnce));
    zlib.next_out = reinterpret_cast<Bytef*>(full ? &surplus : bytes.data() + done);
    zlib.avail_out = length;
    result = ::inflate(&zlib, Z_NO_FLUSH);
    if (full && zlib.avail_out == 0) {
      fail(name, fmt::format("decompresses to more than the {} bytes in the central directory", count),
           kFileDamaged);
    }
    done += full ? 0 : length - zlib.avail_out;
  }
  if (result == Z_MEM_ERROR) {
    throw std::bad_alloc();
  }
  if (done < count || (whole && result != Z_STREAM_END)) {
    fail(name,
         fmt::format("the compressed data is damaged after {} of {} bytes: {}", done, count,
                     zlib.msg != nullptr ? zlib.msg : "the data ends too early"),
         kFileDamaged);
  }
  return bytes;
}

/// The uncompressed size of an entry. Checks that the compressed data can expand to it.
int64_t size_of(const Source& source, const ZipMember& member) {
  if (member.encrypted || (member.method != kStored && member.method != kDeflated)) {
    fail(name_of(source, member),
         member.encrypted ? "is encrypted"
                          : fmt::format("is compressed by method {}, but only 0 (stored) and 8 (deflate) are "
                                        "supported",
                                        member.method),
         "Unpack the archive, and use the file in it.");
  }
  if (member.size / kMaxInflateRatio > static_cast<uint64_t>(member.packed)) {
    fail(name_of(source, member),
         fmt::format("cannot have the {} bytes stated in the central directory, because it has only {} "
                     "compressed bytes",
                     member.size, member.packed),
         kFileDamaged);
  }
  return static_cast<int64_t>(member.size);
}

} // namespace

bool is_zip(std::span<const std::byte> start) {
  constexpr std::array kMagics = {
      std::array{std::byte{'P'}, std::byte{'K'}, std::byte{3}, std::byte{4}},
      std::array{std::byte{'P'}, std::byte{'K'}, std::byte{5}, std::byte{6}}}; // no entries
  return std::any_of(kMagics.begin(), kMagics.end(), [&](const auto& magic) {
    return start.size() >= magic.size() && std::equal(magic.begin(), magic.end(), start.begin());
  });
}

std::vector<ZipMember> zip_members(const Source& source) {
  return Reader(source).members();
}

std::unique_ptr<Source> open_member(const Source& source, const ZipMember& member) {
  const int64_t size = size_of(source, member);
  std::unique_ptr<Source> content;
  if (member.method == kStored) {
    content = std::make_unique<SliceSource>(source, member.begin, size, name_of(source, member));
  } else {
    content = std::make_unique<OwnedSource>(inflated(source, member, size, true), name_of(source, member));
  }
  // 0: not computed, as after torch.serialization.set_crc32_options(False).
  if (member.checksum != 0 && checksum_of(*content) != member.checksum) {
    fail(source.name(), fmt::format("the checksum of entry {:?} is wrong", member.name), kFileDamaged);
  }
  return content;
}

std::vector<std::byte> member_start(const Source& source, const ZipMember& member, int64_t count) {
  const int64_t length = std::min(count, size_of(source, member));
  if (member.method == kStored) {
    return SliceSource(source, member.begin, length, source.name()).first_bytes(length);
  }
  return inflated(source, member, length, false);
}

std::map<std::string, ZipEntry> parse_zip(std::span<const std::byte> bytes, const std::string& name) {
  const MemorySource source(bytes, name);
  std::map<std::string, ZipEntry> entries;
  for (const ZipMember& member : zip_members(source)) {
    if (member.method != kStored || member.encrypted) {
      fail(name, fmt::format("entry {:?} is compressed or encrypted", member.name),
           "Use the original file from torch.save.");
    }
    open_member(source, member); // verifies the checksum
    entries.emplace(member.name, ZipEntry{member.begin, member.begin + member.packed});
  }
  return entries;
}

} // namespace mneme::data
