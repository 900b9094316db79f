// SPDX-License-Identifier: MIT

#include "mneme/training/checkpoint.h"

#include <array>
#include <cstring>

#include <ATen/ops/empty.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"

namespace mneme::training {
namespace {

struct Type {
  at::ScalarType type;
  const char* name;
};
constexpr std::array<Type, 4> kTypes{
    {{at::kFloat, "F32"}, {at::kDouble, "F64"}, {at::kLong, "I64"}, {at::kByte, "U8"}}};

template <class Map>
const typename Map::mapped_type& entry(const Map& map, const std::string& name, const char* kind,
                                       const std::string& source) {
  const auto found = map.find(name);
  if (found == map.end()) {
    throw DataError(c10::str(source, ": holds no ", kind, " \"", name, "\".\n  ",
                             "Give a checkpoint that such a run has written."));
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
  std::vector<at::Tensor> kept; // contiguous copies, alive until written
  std::vector<data::SafetensorsTensor> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const Type& known) { return known.type == tensor.scalar_type(); });
    if (!tensor.device().is_cpu() || type == kTypes.end()) {
      throw UsageError(c10::str("mneme::training::save_checkpoint: ", name, " is of type ",
                                tensor.scalar_type(), " on ", tensor.device(),
                                ", but float32, float64, int64 or uint8 on the CPU is needed.\n  ",
                                "Convert or move it first."));
    }
    kept.push_back(tensor.detach().contiguous());
    tensors.push_back(
        {name, type->name, tensor.sizes().vec(),
         std::span(static_cast<const std::byte*>(kept.back().const_data_ptr()), kept.back().nbytes())});
  }
  write_file_atomically(path, data::safetensors_file(tensors, checkpoint.texts));
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = data::read_file(path);
  Checkpoint checkpoint{.texts = data::parse_safetensors_metadata(bytes, path.string()),
                        .source = path.string()};
  for (const data::SafetensorsEntry& entry : data::parse_safetensors_entries(bytes, path.string())) {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const Type& known) { return known.name == entry.dtype; });
    if (type == kTypes.end()) {
      throw DataError(c10::str(path.string(), ": tensor \"", entry.name, "\" is of type ", entry.dtype,
                               ", but a checkpoint holds F32, F64, I64 or U8.\n  ",
                               "Give a checkpoint that a training run has written."));
    }
    at::Tensor tensor = at::empty(entry.shape, type->type);
    if (tensor.nbytes() > 0) {
      std::memcpy(tensor.mutable_data_ptr(), bytes.data() + entry.begin, tensor.nbytes());
    }
    checkpoint.tensors.emplace(entry.name, std::move(tensor));
  }
  return checkpoint;
}

} // namespace mneme::training
