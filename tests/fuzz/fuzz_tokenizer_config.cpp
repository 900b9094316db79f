// SPDX-License-Identifier: MIT

#include <cstdint>

#include "fuzz/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mneme::data::fuzz::tokenizer_config({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
