// SPDX-License-Identifier: MIT

/// Test helpers: gzip compression, and zip files written byte by byte.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

#include "data/testing.h"

namespace mneme::data {

/// Compresses bytes. `window_bits` is 16 + MAX_WBITS for gzip, -MAX_WBITS for raw deflate.
inline std::vector<std::byte> deflated(std::span<const std::byte> plain, int window_bits) {
  z_stream zlib{};
  EXPECT_EQ(deflateInit2(&zlib, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::vector<std::byte> out(deflateBound(&zlib, plain.size()));
  std::vector<std::byte> in(plain.begin(), plain.end());
  zlib.next_in = reinterpret_cast<Bytef*>(in.data());
  zlib.avail_in = static_cast<uInt>(in.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  out.resize(zlib.total_out);
  deflateEnd(&zlib);
  return out;
}

inline Bytes gzipped(std::span<const std::byte> plain) {
  return Bytes().append(deflated(plain, 16 + MAX_WBITS));
}

struct ZipFile {
  std::string name;
  std::string content;
  uint64_t method = 0;        ///< 0: stored, 8: deflated
  uint64_t flags = 0;         ///< 1: encrypted
  bool in_64 = false;         ///< sizes and offset in the zip64 extra field, as numpy.savez writes them
  uint64_t size_added = 0;    ///< error that is added to the size in the central directory
  uint64_t checksum_bits = 0; ///< bits of the checksum that are flipped
};

/// A zip file with these entries, in the layout of PKWARE's APPNOTE.
inline Bytes zip(const std::vector<ZipFile>& files) {
  Bytes bytes, directory;
  for (const ZipFile& file : files) {
    const Bytes plain = Bytes().text(file.content);
    const std::vector<std::byte> packed = file.method == 8
                                              ? deflated(plain.all(), -MAX_WBITS)
                                              : std::vector(plain.all().begin(), plain.all().end());
    const uint64_t checksum =
        crc32_z(0, reinterpret_cast<const Bytef*>(file.content.data()), file.content.size()) ^
        file.checksum_bits;
    const uint64_t size = file.content.size() + file.size_added, offset = bytes.size();
    const auto header = [&](Bytes& to, bool is_local) {
      to.text("PK").text(is_local ? "\3\4" : "\1\2");
      to.little(45, is_local ? 2 : 4)
          .little(file.flags, 2)
          .little(file.method, 2)
          .little(0, 4)
          .little(checksum, 4);
      to.little(file.in_64 ? 0xFFFFFFFF : packed.size(), 4).little(file.in_64 ? 0xFFFFFFFF : size, 4);
      to.little(file.name.size(), 2).little(!file.in_64 ? 0 : is_local ? 20 : 28, 2);
      if (!is_local) {
        to.little(0, 10).little(file.in_64 ? 0xFFFFFFFF : offset, 4);
      }
      to.text(file.name);
      if (file.in_64) {
        to.little(1, 2).little(is_local ? 16 : 24, 2).little(size, 8).little(packed.size(), 8);
        if (!is_local) {
          to.little(offset, 8);
        }
      }
    };
    header(bytes, true);
    bytes.append(packed);
    header(directory, false);
  }
  const uint64_t begin = bytes.size();
  bytes.append(directory.all()).text("PK\5\6").little(0, 4).little(files.size(), 2).little(files.size(), 2);
  return bytes.little(directory.size(), 4).little(begin, 4).little(0, 2);
}

} // namespace mneme::data
