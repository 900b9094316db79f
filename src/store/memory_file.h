// SPDX-License-Identifier: MIT

/// Reader of the files of memory_file.h, for bytes in memory.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "mneme/memory/item_memory.h"
#include "mneme/store/durable_memory.h"

namespace mneme::store {

enum class Checksum { verify, ignore };

/// `threshold` is that of load_memory.
///
/// Errors  DataError with `name`
template <class Patterns>
ItemMemory<Patterns> parse_memory(std::span<const std::byte> bytes, const std::string& name,
                                  Checksum verification = Checksum::verify,
                                  std::optional<Threshold>* threshold = nullptr);

extern template ItemMemory<BitPatterns> parse_memory(std::span<const std::byte>, const std::string&, Checksum,
                                                     std::optional<Threshold>*);
extern template ItemMemory<RealPatterns> parse_memory(std::span<const std::byte>, const std::string&,
                                                      Checksum, std::optional<Threshold>*);

} // namespace mneme::store
