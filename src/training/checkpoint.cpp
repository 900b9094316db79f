// SPDX-License-Identifier: MIT

#include "mneme/training/checkpoint.h"

#include "mneme/core/error.h"
#include "mneme/nn/tensor_file.h"

namespace mneme::training {
namespace {

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
  nn::write_tensor_file(path, {checkpoint.tensors, checkpoint.texts});
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  nn::TensorFile file = nn::read_tensor_file(path);
  return {std::move(file.tensors), std::move(file.texts), path.string()};
}

} // namespace mneme::training
