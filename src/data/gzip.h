// SPDX-License-Identifier: MIT

/// Sequential reading of a plain or gzip-compressed source.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "data/source.h"

namespace mneme::data {

class Stream {
public:
  virtual ~Stream() = default;
  /// Reads up to to.size() bytes and returns how many were read; fewer only at the end.
  ///
  /// Errors  DataError if the gzip data is damaged or incomplete
  virtual int64_t read(std::span<std::byte> to) = 0;
  /// Upper bound of the number of bytes in the stream.
  virtual int64_t size_bound() const = 0;
};

bool is_gzip(const Source& source);

/// Opens a stream that decompresses the source if its first bytes are those of gzip. The source must outlive
/// the stream.
std::unique_ptr<Stream> open_stream(const Source& source);

/// Decompresses a gzip file into memory. The result has the name of `source`.
///
/// Errors  DataError, also if the content exceeds `bytes_max`, because a small file can expand to any size
std::unique_ptr<Source> decompress(const Source& source, int64_t bytes_max = int64_t{1} << 31);

} // namespace mneme::data
