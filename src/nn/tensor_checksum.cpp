// SPDX-License-Identifier: MIT

#include "mneme/nn/tensor_checksum.h"

#include <array>
#include <cstdio>
#include <span>
#include <string_view>

#include "mneme/core/crc32c.h"

namespace mneme::nn {

std::string checksum_of(const TensorFile& file) {
  uint32_t crc = 0;
  const auto add = [&](const void* data, size_t size) { // with its size: "ab", "c" is not "a", "bc"
    const auto length = static_cast<uint64_t>(size);
    crc = crc32c(std::as_bytes(std::span(&length, 1)), crc);
    crc = crc32c({static_cast<const std::byte*>(data), size}, crc);
  };
  const auto add_text = [&](std::string_view text) { add(text.data(), text.size()); };
  for (const auto& [name, text] : file.texts) {
    if (name != "crc32c") {
      add_text(name);
      add_text(text);
    }
  }
  for (const auto& [name, tensor] : file.tensors) {
    const at::Tensor numbers = tensor.detach().cpu().contiguous();
    add_text(name);
    add_text(c10::toString(numbers.scalar_type()));
    add(numbers.sizes().data(), numbers.sizes().size() * sizeof(int64_t));
    add(numbers.const_data_ptr(), numbers.nbytes());
  }
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "%08x", crc);
  return digits.data();
}

} // namespace mneme::nn
