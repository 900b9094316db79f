// SPDX-License-Identifier: MIT

#include "mneme/nn/tensor_checksum.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mneme/core/crc32c.h"

namespace mneme::nn {

std::string checksum_of(const TensorFile& file) {
  uint32_t crc = 0;
  const auto add = [&](const void* data, size_t size) {
    crc = crc32c_with_size({static_cast<const std::byte*>(data), size}, crc);
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
  return crc32c_text(crc);
}

} // namespace mneme::nn
