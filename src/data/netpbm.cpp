// SPDX-License-Identifier: MIT

#include "mneme/data/netpbm.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "data/readers.h"
#include "data/source.h"
#include "mneme/data/grey.h"

namespace mneme::data {
namespace {

bool is_space(std::byte byte) {
  return std::string_view(" \t\n\v\f\r").find(static_cast<char>(byte)) != std::string_view::npos;
}
bool is_digit(std::byte byte) {
  return byte >= std::byte{'0'} && byte <= std::byte{'9'};
}

/// Numbers of the header, and ASCII samples.
class Tokens {
public:
  Tokens(const std::string& name, std::span<const std::byte> bytes, size_t at)
      : name_(name), bytes_(bytes), at_(at) {}

  size_t at() const { return at_; }

  /// Moves to the next byte that is neither white space nor in a comment; false at the end.
  bool skip() {
    while (at_ < bytes_.size() && (is_space(bytes_[at_]) || bytes_[at_] == std::byte{'#'})) {
      if (bytes_[at_] == std::byte{'#'}) {
        while (at_ < bytes_.size() && bytes_[at_] != std::byte{'\n'} && bytes_[at_] != std::byte{'\r'}) {
          ++at_;
        }
      } else {
        ++at_;
      }
    }
    return at_ < bytes_.size();
  }

  /// A number, or only its first digit, of at most `max`.
  int64_t number(const char* what, int64_t max, bool single_digit = false) {
    if (!skip()) {
      fail(name_, fmt::format("ends where {} was expected", what), kFileDamaged);
    }
    const size_t begin = at_;
    int64_t value = 0;
    for (; at_ < bytes_.size() && is_digit(bytes_[at_]) && !(single_digit && at_ > begin); ++at_) {
      value = 10 * value + std::to_integer<int64_t>(bytes_[at_]) - '0';
      if (value > max) {
        fail(name_, fmt::format("{} at byte {} is above {}", what, begin, max), kFileDamaged);
      }
    }
    if (at_ == begin) {
      fail(name_,
           fmt::format("contains {:?} at byte {}, where {} was expected",
                       std::string(1, static_cast<char>(bytes_[at_])), at_, what),
           kFileDamaged);
    }
    return value;
  }

private:
  const std::string& name_;
  std::span<const std::byte> bytes_;
  size_t at_;
};

} // namespace

PatternSet read_netpbm(const Source& source) {
  const std::string& name = source.name();
  const std::vector<std::byte> bytes = source.first_bytes(source.size());
  if (bytes.size() < 3 || bytes[0] != std::byte{'P'} || bytes[1] < std::byte{'1'} ||
      bytes[1] > std::byte{'6'} || !(is_space(bytes[2]) || bytes[2] == std::byte{'#'})) {
    fail(name, "does not begin with P1 to P6, as PBM, PGM and PPM images do", kFileDamaged);
  }
  const int kind = std::to_integer<int>(bytes[1]) - '0';
  const bool is_binary = kind > 3, is_bitmap = kind == 1 || kind == 4;
  const int64_t channels = kind == 3 || kind == 6 ? 3 : 1;
  constexpr int64_t kSideMax = 1 << 30, kSampleMax = 65535;
  Tokens tokens(name, bytes, 2);
  const int64_t width = tokens.number("the width", kSideMax), height = tokens.number("the height", kSideMax);
  const int64_t max = is_bitmap ? 1 : tokens.number("the maximum", kSampleMax);
  if (width == 0 || height == 0 || max == 0) {
    fail(name, fmt::format("has {} x {} pixels (width x height) with the maximum {}", width, height, max),
         "At least one pixel and a maximum of at least 1 are needed.");
  }
  const std::optional<int64_t> num_samples = product(std::array{width, height, channels});
  // An ASCII sample has a byte or more, and a binary one of a bitmap a bit.
  if (!num_samples || *num_samples / 8 > source.size()) {
    fail(name, fmt::format("has {} bytes for {} x {} pixels", source.size(), width, height), kFileDamaged);
  }
  PatternSet set{.height = height, .width = width, .channels = channels, .threshold = 0.5};
  set.patterns = make_patterns(name, 1, *num_samples);
  const std::span<double> samples = set.patterns[0];
  size_t num_added = 0;
  const auto add = [&](int64_t sample, size_t at) {
    if (sample > max) {
      fail(name, fmt::format("the sample {} at byte {} is above the maximum {}", sample, at, max),
           kFileDamaged);
    }
    samples[num_added++] =
        is_bitmap ? static_cast<double>(1 - sample) : static_cast<double>(sample) / static_cast<double>(max);
  };
  if (is_binary) {
    if (tokens.at() >= bytes.size() || !is_space(bytes[tokens.at()])) {
      fail(name, fmt::format("has no white space after the header at byte {}", tokens.at()), kFileDamaged);
    }
    const size_t begin = tokens.at() + 1;
    const int64_t sample_bytes = max > 255 ? 2 : 1;
    const int64_t expected = is_bitmap ? (width + 7) / 8 * height : *num_samples * sample_bytes;
    if (const auto found = std::ssize(bytes) - static_cast<int64_t>(begin); found != expected) {
      fail(
          name,
          fmt::format("has {} bytes of pixels, {} were expected for {} x {}", found, expected, width, height),
          found > expected ? "Files of several images are not supported: write one file for each."
                           : kFileDamaged);
    }
    for (int64_t i = 0; i < *num_samples; ++i) {
      const auto at = begin + static_cast<size_t>(is_bitmap ? i / width * ((width + 7) / 8) + i % width / 8
                                                            : i * sample_bytes);
      const auto byte = std::to_integer<int64_t>(bytes[at]);
      add(is_bitmap ? byte >> (7 - i % width % 8) & 1
                    : (sample_bytes == 1 ? byte : byte << 8 | std::to_integer<int64_t>(bytes[at + 1])),
          at);
    }
  } else {
    for (int64_t i = 0; i < *num_samples; ++i) {
      const int64_t sample = tokens.number("a sample", kSampleMax, is_bitmap); // bits need no white space
      add(sample, tokens.at() - 1);
    }
    if (tokens.skip()) {
      fail(name, fmt::format("has more than {} samples, from byte {} on", *num_samples, tokens.at()),
           "Files of several images are not supported: write one file for each.");
    }
  }
  set.file_scale = static_cast<double>(max);
  set.source = source.title();
  return to_grey(std::move(set));
}

PatternSet parse_netpbm(std::span<const std::byte> bytes, const std::string& name) {
  return read_netpbm(MemorySource(bytes, name));
}

PatternSet read_netpbm(const std::filesystem::path& path) {
  return read_netpbm(*open_source(path));
}

} // namespace mneme::data
