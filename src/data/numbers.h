// SPDX-License-Identifier: MIT

/// Number types in files, and their conversion to float64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mneme::data {

enum class NumberType { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

int64_t bytes_of(NumberType type);    ///< bytes per number
const char* name_of(NumberType type); ///< NumPy's name of the type, such as "uint8"
bool is_float(NumberType type);

/// Converts numbers of `type` to float64. `bytes` must have numbers.size() * bytes_of(type) bytes. A boolean
/// becomes the value of its byte.
void decode(NumberType type, bool big_endian, std::span<const std::byte> bytes, std::span<double> numbers);

/// Decodes an unsigned integer of at most 8 bytes.
uint64_t unsigned_from(std::span<const std::byte> bytes, bool big_endian);

} // namespace mneme::data
