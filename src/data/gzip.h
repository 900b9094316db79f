// SPDX-License-Identifier: MIT

/// Bytes one after the other, out of a source as it is or out of a gzip file.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "data/source.h"

namespace mneme::data {

class Stream {
public:
  virtual ~Stream() = default;
  /// Fills `to` as far as there are bytes, returns how many there were.
  ///
  /// Errors  DataError if the gzip data is damaged or ends early
  virtual int64_t read(std::span<std::byte> to) = 0;
  /// No stream from here gives more bytes than this.
  virtual int64_t size_bound() const = 0;
};

bool is_gzip(const Source& source);

/// Opens as gzip where the first bytes say so. The source must outlive the stream.
std::unique_ptr<Stream> open_stream(const Source& source);

/// What a gzip file holds, decompressed, under the same name.
///
/// Errors  DataError, also for more than `bytes_max`: a small file may hold any number of zeros
std::unique_ptr<Source> decompress(const Source& source, int64_t bytes_max = int64_t{1} << 31);

} // namespace mneme::data
