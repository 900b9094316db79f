// SPDX-License-Identifier: MIT

/// Entry points of the fuzzers: each calls one reader with arbitrary bytes. A reader may throw only
/// DataError.
#pragma once

#include <cstddef>
#include <span>

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

} // namespace mneme::data::fuzz
