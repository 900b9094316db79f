// SPDX-License-Identifier: MIT

#include "mneme/nn/tensor_checksum.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mneme/core/crc32c.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::nn {
namespace {

const std::string kChecksum = "crc32c";

std::string checksum_of(const TensorFile& file) {
  uint32_t crc = 0;
  const auto add = [&](const void* data, size_t size) {
    crc = crc32c_with_size({static_cast<const std::byte*>(data), size}, crc);
  };
  const auto add_text = [&](std::string_view text) { add(text.data(), text.size()); };
  for (const auto& [name, text] : file.texts) {
    if (name != kChecksum) {
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

} // namespace

void add_checksum(TensorFile& file) {
  file.texts[kChecksum] = checksum_of(file);
}

void check_checksum(TensorFile& file, const std::string& source, const std::string& how_to_fix) {
  const auto stored = file.texts.find(kChecksum);
  if (stored == file.texts.end()) {
    return;
  }
  if (const std::string actual = checksum_of(file); stored->second != actual) {
    throw DataError(source + ": the file is damaged: its contents have the checksum " + actual + ", but " +
                    printable(stored->second) + " was written.\n  " + how_to_fix);
  }
  file.texts.erase(stored);
}

} // namespace mneme::nn
