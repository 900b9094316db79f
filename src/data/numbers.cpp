// SPDX-License-Identifier: MIT

#include "data/numbers.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "mneme/core/assert.h"

namespace mneme::data {
namespace {

double from_half(uint16_t bits) {
  const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  // Subnormal numbers have the minimum exponent and no implicit leading 1.
  return exponent == 0 ? sign * std::ldexp(fraction, -24) : sign * std::ldexp(1024 + fraction, exponent - 25);
}

double from_bfloat(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

/// Decodes numbers that are stored as unsigned integers of type `Stored`; convert(bits) returns the number.
template <class Stored, class Convert>
void decode_each(bool big_endian, std::span<const std::byte> bytes, std::span<double> numbers,
                 Convert convert) {
  const std::byte* at = bytes.data();
  for (double& number : numbers) {
    Stored bits = 0;
    for (size_t i = 0; i < sizeof(Stored); ++i) {
      const size_t digit = big_endian ? sizeof(Stored) - 1 - i : i;
      bits = static_cast<Stored>(bits | static_cast<Stored>(static_cast<Stored>(at[i]) << (8 * digit)));
    }
    number = static_cast<double>(convert(bits));
    at += sizeof(Stored);
  }
}

} // namespace

int64_t bytes_of(NumberType type) {
  switch (type) {
  case NumberType::boolean:
  case NumberType::u8:
  case NumberType::i8:
    return 1;
  case NumberType::u16:
  case NumberType::i16:
  case NumberType::f16:
  case NumberType::bf16:
    return 2;
  case NumberType::u32:
  case NumberType::i32:
  case NumberType::f32:
    return 4;
  default:
    return 8;
  }
}

const char* name_of(NumberType type) {
  constexpr std::array kNames{"bool",   "uint8", "int8",    "uint16",   "int16",   "uint32", "int32",
                              "uint64", "int64", "float16", "bfloat16", "float32", "float64"};
  return kNames[static_cast<size_t>(type)];
}

bool is_float(NumberType type) {
  return type == NumberType::f16 || type == NumberType::bf16 || type == NumberType::f32 ||
         type == NumberType::f64;
}

void decode(NumberType type, bool big_endian, std::span<const std::byte> bytes, std::span<double> numbers) {
  MNEME_ASSERT(bytes.size() == numbers.size() * static_cast<size_t>(bytes_of(type)));
  const auto all = [&]<class Stored>(Stored, auto convert) {
    decode_each<Stored>(big_endian, bytes, numbers, convert);
  };
  switch (type) {
  case NumberType::boolean:
  case NumberType::u8:
    return all(uint8_t{}, [](uint8_t x) { return x; });
  case NumberType::i8:
    return all(uint8_t{}, [](uint8_t x) { return static_cast<int8_t>(x); });
  case NumberType::u16:
    return all(uint16_t{}, [](uint16_t x) { return x; });
  case NumberType::i16:
    return all(uint16_t{}, [](uint16_t x) { return static_cast<int16_t>(x); });
  case NumberType::u32:
    return all(uint32_t{}, [](uint32_t x) { return x; });
  case NumberType::i32:
    return all(uint32_t{}, [](uint32_t x) { return static_cast<int32_t>(x); });
  case NumberType::u64:
    return all(uint64_t{}, [](uint64_t x) { return x; });
  case NumberType::i64:
    return all(uint64_t{}, [](uint64_t x) { return static_cast<int64_t>(x); });
  case NumberType::f16:
    return all(uint16_t{}, from_half);
  case NumberType::bf16:
    return all(uint16_t{}, from_bfloat);
  case NumberType::f32:
    return all(uint32_t{}, [](uint32_t x) { return std::bit_cast<float>(x); });
  case NumberType::f64:
    return all(uint64_t{}, [](uint64_t x) { return std::bit_cast<double>(x); });
  }
}

uint64_t unsigned_from(std::span<const std::byte> bytes, bool big_endian) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    number = number << 8 | static_cast<uint64_t>(bytes[big_endian ? i : bytes.size() - 1 - i]);
  }
  return number;
}

} // namespace mneme::data
