// SPDX-License-Identifier: MIT

#include "data/gzip.h"

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include <fmt/format.h>
#include <zlib.h>

namespace mneme::data {
namespace {

class PlainStream : public Stream {
public:
  explicit PlainStream(const Source& source) : source_(source) {}

  int64_t read(std::span<std::byte> to) override {
    const int64_t length = std::min(static_cast<int64_t>(to.size()), source_.size() - offset_);
    source_.read(offset_, to.first(static_cast<size_t>(length)), "data");
    offset_ += length;
    return length;
  }
  int64_t size_bound() const override { return source_.size(); }

private:
  const Source& source_;
  int64_t offset_ = 0;
};

class GzipStream : public Stream {
public:
  explicit GzipStream(const Source& source) : source_(source) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (::inflateInit2(&zlib_, kGzipOnly) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;
  ~GzipStream() override { ::inflateEnd(&zlib_); }

  int64_t read(std::span<std::byte> to) override {
    int64_t done = 0;
    while (done < static_cast<int64_t>(to.size()) && !ended_) {
      const auto length =
          static_cast<uInt>(std::min<int64_t>(static_cast<int64_t>(to.size()) - done, 1 << 30));
      zlib_.next_out = reinterpret_cast<Bytef*>(to.data() + done);
      zlib_.avail_out = length;
      inflate_some();
      done += length - zlib_.avail_out;
    }
    return done;
  }

  int64_t size_bound() const override {
    constexpr int64_t kMaxInflateRatio = 1032; // deflate: at most 258 bytes from two bits
    return source_.size() > std::numeric_limits<int64_t>::max() / kMaxInflateRatio
               ? std::numeric_limits<int64_t>::max()
               : source_.size() * kMaxInflateRatio;
  }

private:
  void fill_buffer() {
    const auto length = static_cast<size_t>(std::min<int64_t>(source_.size() - offset_, std::ssize(buffer_)));
    source_.read(offset_, std::span(buffer_).first(length), "gzip data");
    offset_ += static_cast<int64_t>(length);
    zlib_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    zlib_.avail_in = static_cast<uInt>(length);
  }

  /// True if another gzip member follows. Zeros after a member are padding (from tapes or block devices) and
  /// are ignored, as in gunzip. Other bytes, which gunzip ignores with a warning, are an error: they may be a
  /// second member with a damaged header, whose numbers would be lost silently.
  bool another_member_follows() {
    const int64_t end = offset_ - zlib_.avail_in;
    bool padded = false;
    for (;;) {
      for (; zlib_.avail_in > 0 && *zlib_.next_in == 0; ++zlib_.next_in, --zlib_.avail_in) {
        padded = true;
      }
      if (zlib_.avail_in > 0) {
        constexpr Bytef kFirstOfMember = 0x1F;
        if (padded || *zlib_.next_in != kFirstOfMember) {
          fail(source_.name(),
               fmt::format("the gzip data ends at byte {}, but other bytes follow from byte {} on", end,
                           offset_ - zlib_.avail_in),
               fmt::format("If they are not part of the data, remove them: head -c {} FILE > NEW.", end));
        }
        return true;
      }
      if (offset_ == source_.size()) {
        return false;
      }
      fill_buffer();
    }
  }

  void inflate_some() {
    if (zlib_.avail_in == 0) {
      fill_buffer();
    }
    const int64_t at = offset_ - zlib_.avail_in;
    const int result = ::inflate(&zlib_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      // A gzip file may consist of several members.
      ended_ = !another_member_follows();
      ::inflateReset(&zlib_);
    } else if (result == Z_BUF_ERROR) {
      fail(source_.name(), fmt::format("the gzip data ends at byte {} before it is complete", source_.size()),
           kFileDamaged);
    } else if (result == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (result != Z_OK) {
      fail(
          source_.name(),
          fmt::format("the gzip data is damaged at or after byte {}: {}", at,
                      zlib_.msg != nullptr ? zlib_.msg : "it needs a dictionary that gzip files do not have"),
          kFileDamaged);
    }
  }

  const Source& source_;
  int64_t offset_ = 0; // of the next byte to be read into the buffer
  bool ended_ = false;
  z_stream zlib_{};
  std::array<std::byte, 1 << 15> buffer_{};
};

} // namespace

bool is_gzip(const Source& source) {
  const std::vector<std::byte> magic = source.first_bytes(2);
  return magic.size() == 2 && magic[0] == std::byte{0x1F} && magic[1] == std::byte{0x8B};
}

std::unique_ptr<Stream> open_stream(const Source& source) {
  if (is_gzip(source)) {
    return std::make_unique<GzipStream>(source);
  }
  return std::make_unique<PlainStream>(source);
}

std::unique_ptr<Source> decompress(const Source& source, int64_t bytes_max) {
  GzipStream stream(source);
  std::vector<std::byte> bytes, block(size_t{1} << 20);
  for (;;) {
    const auto got = static_cast<size_t>(stream.read(block));
    if (got == 0) {
      break;
    }
    if (std::ssize(bytes) + static_cast<int64_t>(got) > bytes_max) {
      fail(source.name(), fmt::format("decompresses to more than {} bytes", bytes_max),
           "Decompress it first: gunzip -k FILE.");
    }
    try {
      bytes.insert(bytes.end(), block.begin(), block.begin() + static_cast<ptrdiff_t>(got));
    } catch (const std::bad_alloc&) {
      fail(source.name(), "does not fit in memory after decompression",
           "Decompress it first: gunzip -k FILE.");
    }
  }
  return std::make_unique<OwnedSource>(std::move(bytes), source.name());
}

} // namespace mneme::data
