// SPDX-License-Identifier: MIT

#include "data/zip.h"

#include <algorithm>

#include <fmt/format.h>
#include <zlib.h>

#include "data/source.h"

namespace mneme::data {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr int64_t kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56, kCentralSize = 46, kLocalSize = 30;
constexpr int64_t kCommentMax = 65535;
constexpr uint64_t kIn64 = 0xffffffff; ///< the number stands in the extra field instead
constexpr uint64_t kExtra64 = 1;       ///< tag of that field

class Reader {
public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  std::map<std::string, ZipEntry> entries() const {
    const Directory directory = find_directory();
    std::map<std::string, ZipEntry> entries;
    int64_t at = directory.begin, total = 0;
    for (uint64_t i = 0; i < directory.count; ++i) {
      require(number(at, 4) == kCentralHeader, "the list of entries is damaged");
      const auto name_size = static_cast<int64_t>(number(at + 28, 2)),
                 extra_size = static_cast<int64_t>(number(at + 30, 2)),
                 comment_size = static_cast<int64_t>(number(at + 32, 2));
      const std::span<const std::byte> letters = slice(at + kCentralSize, name_size);
      const std::string entry(reinterpret_cast<const char*>(letters.data()), letters.size());
      if (number(at + 10, 2) != 0 || (number(at + 8, 2) & 1) != 0) {
        fail(name_, fmt::format("entry \"{}\" is compressed or encrypted", entry),
             "Give the file as torch.save wrote it.");
      }
      const Numbers numbers = numbers_of(at, name_size, extra_size);
      require(numbers.packed == numbers.size, "an entry has two sizes");
      const int64_t header = position(numbers.header);
      require(number(header, 4) == kLocalHeader, "an entry does not begin where the list says");
      const int64_t begin = header + kLocalSize + static_cast<int64_t>(number(header + 26, 2)) +
                            static_cast<int64_t>(number(header + 28, 2));
      const std::span<const std::byte> content = slice(begin, position(numbers.size));
      total += static_cast<int64_t>(content.size());
      require(total <= size(), "entries lie upon each other");
      if (checksum(content) != number(at + 16, 4)) {
        fail(name_, fmt::format("the checksum of entry \"{}\" does not hold", entry), kFetchAgain);
      }
      require(entries.emplace(entry, ZipEntry{begin, begin + static_cast<int64_t>(content.size())}).second,
              "two entries have the same name");
      at += kCentralSize + name_size + extra_size + comment_size;
    }
    return entries;
  }

private:
  struct Directory {
    int64_t begin;
    uint64_t count;
  };
  struct Numbers {
    uint64_t size, packed, header;
  };

  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }

  void require(bool holds, const char* problem) const {
    if (!holds) {
      fail(name_, fmt::format("as a zip file, {}", problem), kFetchAgain);
    }
  }

  std::span<const std::byte> slice(int64_t begin, int64_t count) const {
    require(begin >= 0 && count >= 0 && begin <= size() && count <= size() - begin, "it ends too early");
    return bytes_.subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
  }

  uint64_t number(int64_t at, int64_t count) const { // little endian
    uint64_t value = 0;
    const std::span<const std::byte> digits = slice(at, count);
    for (size_t i = 0; i < digits.size(); ++i) {
      value |= std::to_integer<uint64_t>(digits[i]) << (8 * i);
    }
    return value;
  }

  int64_t position(uint64_t number) const {
    require(number <= static_cast<uint64_t>(size()), "a place lies beyond its end");
    return static_cast<int64_t>(number);
  }

  Directory find_directory() const {
    require(size() >= kEndSize, "it ends too early");
    for (int64_t at = size() - kEndSize; at >= std::max<int64_t>(0, size() - kEndSize - kCommentMax); --at) {
      if (number(at, 4) != kEnd) {
        continue;
      }
      if (at >= kLocatorSize && number(at - kLocatorSize, 4) == kEnd64Locator) {
        const int64_t end = position(number(at - kLocatorSize + 8, 8));
        require(number(end, 4) == kEnd64, "its end is damaged");
        slice(end, kEnd64Size);
        return {position(number(end + 48, 8)), number(end + 32, 8)};
      }
      return {position(number(at + 16, 4)), number(at + 10, 2)};
    }
    fail(name_, "as a zip file, it has no end", kFetchAgain);
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

  static uint64_t checksum(std::span<const std::byte> content) {
    return crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
};

} // namespace

std::map<std::string, ZipEntry> parse_zip(std::span<const std::byte> bytes, const std::string& name) {
  return Reader(bytes, name).entries();
}

} // namespace mneme::data
