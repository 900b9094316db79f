// SPDX-License-Identifier: MIT

#include "mneme/nn/tensor_file.h"

#include <array>
#include <cstring>
#include <string_view>

#include <ATen/ops/empty.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"

namespace mneme::nn {
namespace {

struct Type {
  at::ScalarType type;
  std::string_view name; ///< in the file
};
constexpr std::array<Type, 9> kTypes{{{at::kBool, "BOOL"},
                                      {at::kByte, "U8"},
                                      {at::kChar, "I8"},
                                      {at::kInt, "I32"},
                                      {at::kLong, "I64"},
                                      {at::kHalf, "F16"},
                                      {at::kBFloat16, "BF16"},
                                      {at::kFloat, "F32"},
                                      {at::kDouble, "F64"}}};

std::string type_names() {
  std::string names;
  for (const Type& type : kTypes) {
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return names;
}

} // namespace

TensorFile read_tensor_file(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = data::read_file(path);
  TensorFile file{.texts = data::parse_safetensors_metadata(bytes, path.string())};
  for (const data::SafetensorsEntry& entry : data::parse_safetensors_entries(bytes, path.string())) {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const Type& known) { return known.name == entry.dtype; });
    if (type == kTypes.end()) {
      throw DataError(c10::str(path.string(), ": tensor \"", entry.name, "\" is of type ", entry.dtype,
                               ", expected one of ", type_names(), ".\n  Convert it to one of them."));
    }
    at::Tensor tensor = at::empty(entry.shape, type->type);
    if (tensor.nbytes() > 0) {
      std::memcpy(tensor.mutable_data_ptr(), bytes.data() + entry.begin, tensor.nbytes());
    }
    file.tensors.emplace(entry.name, std::move(tensor));
  }
  return file;
}

void write_tensor_file(const std::filesystem::path& path, const TensorFile& file) {
  std::vector<at::Tensor> kept; // contiguous copies, alive until written
  std::vector<data::SafetensorsTensor> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&, &wanted = tensor](const Type& known) {
      return known.type == wanted.scalar_type();
    });
    if (!tensor.device().is_cpu() || type == kTypes.end()) {
      throw UsageError(c10::str("mneme::nn::write_tensor_file: ", name, " is of type ", tensor.scalar_type(),
                                " on ", tensor.device(), ", but one of ", type_names(),
                                " on the CPU is needed.\n  Convert or move it first."));
    }
    kept.push_back(tensor.detach().contiguous());
    tensors.push_back(
        {name, std::string(type->name), tensor.sizes().vec(),
         std::span(static_cast<const std::byte*>(kept.back().const_data_ptr()), kept.back().nbytes())});
  }
  write_file_atomically(path, data::safetensors_file(tensors, file.texts));
}

} // namespace mneme::nn
