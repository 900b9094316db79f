// SPDX-License-Identifier: MIT

/// Reader of the files of memory_file.h, for bytes in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "mneme/memory/item_memory.h"

namespace mneme::store {

enum class Checksum { verify, ignore };

/// Errors  DataError with `name`
template <class Patterns>
ItemMemory<Patterns> parse_memory(std::span<const std::byte> bytes, const std::string& name,
                                  Checksum checksum = Checksum::verify);

extern template ItemMemory<BitPatterns> parse_memory(std::span<const std::byte>, const std::string&,
                                                     Checksum);
extern template ItemMemory<RealPatterns> parse_memory(std::span<const std::byte>, const std::string&,
                                                      Checksum);

} // namespace mneme::store
