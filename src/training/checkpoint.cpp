// SPDX-License-Identifier: MIT

#include "mneme/training/checkpoint.h"

#include <span>
#include <string_view>

#include "mneme/core/crc32c.h"
#include "mneme/core/error.h"
#include "mneme/nn/tensor_file.h"

namespace mneme::training {
namespace {

const std::string kChecksum = "crc32c"; // text with the checksum of everything else

/// CRC32C of all texts but `kChecksum` and of all tensors, sorted by name, as eight hexadecimal digits.
std::string checksum_of(const Checkpoint& checkpoint) {
  uint32_t crc = 0;
  const auto add = [&](const void* data, size_t size) {
    crc = crc32c_with_size({static_cast<const std::byte*>(data), size}, crc);
  };
  const auto add_text = [&](std::string_view text) { add(text.data(), text.size()); };
  for (const auto& [name, text] : checkpoint.texts) {
    if (name != kChecksum) {
      add_text(name);
      add_text(text);
    }
  }
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const at::Tensor numbers = tensor.detach().cpu().contiguous();
    add_text(name);
    add_text(c10::toString(numbers.scalar_type()));
    add(numbers.sizes().data(), numbers.sizes().size() * sizeof(int64_t));
    add(numbers.const_data_ptr(), numbers.nbytes());
  }
  return crc32c_text(crc);
}

template <class Map>
const typename Map::mapped_type& entry(const Map& map, const std::string& name, const char* kind,
                                       const std::string& source) {
  const auto found = map.find(name);
  if (found == map.end()) {
    throw DataError(c10::str(source, ": contains no ", kind, " \"", name, "\".\n  ",
                             "Use a checkpoint of a run of this kind."));
  }
  return found->second;
}

} // namespace

const at::Tensor& Checkpoint::tensor(const std::string& name) const {
  return entry(tensors, name, "tensor", source);
}

const std::string& Checkpoint::text(const std::string& name) const {
  return entry(texts, name, "text", source);
}

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  nn::TensorFile file{checkpoint.tensors, checkpoint.texts};
  file.texts[kChecksum] = checksum_of(checkpoint);
  nn::write_tensor_file(path, file);
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  nn::TensorFile file = nn::read_tensor_file(path);
  for (const auto& [name, text] : file.texts) { // names of tied tensors, which a checkpoint does not have
    const auto alias = file.tensors.find(name), tensor = file.tensors.find(text);
    if (alias != file.tensors.end() && tensor != file.tensors.end() && alias != tensor &&
        alias->second.is_same(tensor->second)) {
      file.tensors.erase(alias);
    }
  }
  Checkpoint checkpoint{std::move(file.tensors), std::move(file.texts), path.string()};
  if (const auto stored = checkpoint.texts.find(kChecksum); stored != checkpoint.texts.end()) {
    if (const std::string actual = checksum_of(checkpoint); stored->second != actual) {
      throw DataError(c10::str(path.string(), ": the file is damaged: its contents have the checksum ",
                               actual, ", but ", stored->second, " was written.\n  ",
                               "Restore the file, or delete it to continue without it."));
    }
    checkpoint.texts.erase(stored);
  }
  return checkpoint;
}

} // namespace mneme::training
