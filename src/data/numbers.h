// SPDX-License-Identifier: MIT

/// How files store numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mneme::data {

enum class NumberType { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

int64_t bytes_of(NumberType type);
const char* name_of(NumberType type); ///< as NumPy calls it: "uint8"
bool is_float(NumberType type);

/// Numbers of `type` as float64. Requires numbers.size() * bytes_of(type) bytes. Booleans become their byte.
void decode(NumberType type, bool big_endian, std::span<const std::byte> bytes, std::span<double> numbers);

/// The unsigned number in `bytes` (at most 8).
uint64_t unsigned_from(std::span<const std::byte> bytes, bool big_endian);

} // namespace mneme::data
