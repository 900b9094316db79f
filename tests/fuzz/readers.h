// SPDX-License-Identifier: MIT

/// Entry points of the fuzzers: each calls one reader with arbitrary bytes. A reader may throw only
/// DataError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "mneme/core/error.h"
#include "mneme/data/cifar.h"
#include "mneme/data/csv.h"
#include "mneme/data/idx.h"
#include "mneme/data/npy.h"
#include "mneme/data/npz.h"
#include "mneme/data/png.h"
#include "mneme/data/safetensors.h"
#include "mneme/data/shard_index.h"
#include "mneme/data/torch_file.h"
#include "store/chunk_file.h"
#include "store/crc32c.h"

namespace mneme::data::fuzz {

/// True if the bytes were read, false if they caused a DataError.
template <class Read> bool try_read(Read read) {
  try {
    read();
    return true;
  } catch (const DataError&) {
    return false;
  }
}

inline bool idx(std::span<const std::byte> bytes) {
  try_read([&] { parse_idx(bytes, "fuzz", 1); });
  const bool labels = try_read([&] { parse_idx_labels(bytes, "fuzz"); });
  return try_read([&] { parse_idx(bytes, "fuzz"); }) || labels;
}

inline bool cifar(std::span<const std::byte> bytes) {
  try_read([&] { parse_cifar(bytes, "fuzz", 1); });
  return try_read([&] { parse_cifar(bytes, "fuzz"); });
}

inline bool csv(std::span<const std::byte> bytes) {
  try_read([&] { parse_csv(bytes, "fuzz", 1); });
  return try_read([&] { parse_csv(bytes, "fuzz"); });
}

inline bool npy(std::span<const std::byte> bytes) {
  try_read([&] { parse_npy(bytes, "fuzz", 1); });
  try_read([&] { parse_npy_integers(bytes, "fuzz"); });
  return try_read([&] { parse_npy(bytes, "fuzz"); });
}

inline bool npz(std::span<const std::byte> bytes) {
  try_read([&] { parse_npz(bytes, "fuzz", "x", 1); });
  return try_read([&] { parse_npz(bytes, "fuzz"); });
}

inline bool png(std::span<const std::byte> bytes) {
  return try_read([&] { parse_png(bytes, "fuzz"); });
}

inline bool safetensors(std::span<const std::byte> bytes) {
  try_read([&] { parse_safetensors(bytes, "fuzz", "", 1); });
  return try_read([&] {
    for (const SafetensorsEntry& entry : parse_safetensors_entries(bytes, "fuzz")) {
      parse_safetensors(bytes, "fuzz", entry.name);
    }
  });
}

inline bool torch_file(std::span<const std::byte> bytes) {
  try_read([&] { parse_torch_checkpoint(bytes, "fuzz", "model.weight"); });
  try_read([&] { parse_torch_file(bytes, "fuzz"); });
  return try_read([&] { parse_torch_checkpoint(bytes, "fuzz"); });
}

inline bool shard_index(std::span<const std::byte> bytes) {
  return try_read([&] { parse_shard_index(bytes, "fuzz"); });
}

/// Snapshot files of durable memories, as they are and with correct checksums.
inline bool chunk_file(std::span<const std::byte> bytes) {
  const auto parse = [](std::span<const std::byte> file) {
    const bool records = try_read([&] { store::parse_record_chunk(file, "fuzz"); });
    return try_read([&] { store::parse_counter_chunk(file, "fuzz"); }) || records;
  };
  constexpr size_t kHeader = 72, kContentCrc = 64, kHeaderCrc = 68;
  if (bytes.size() >= kHeader) {
    std::vector<std::byte> repaired(bytes.begin(), bytes.end());
    const uint32_t content = store::crc32c(std::span(repaired).subspan(kHeader));
    std::memcpy(repaired.data() + kContentCrc, &content, sizeof(content));
    const uint32_t header = store::crc32c(std::span(repaired).first(kHeaderCrc));
    std::memcpy(repaired.data() + kHeaderCrc, &header, sizeof(header));
    parse(repaired);
  }
  return parse(bytes);
}

} // namespace mneme::data::fuzz
