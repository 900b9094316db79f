// SPDX-License-Identifier: MIT

#include "mneme/nn/tensor_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>

#include <ATen/ops/empty.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"
#include "mneme/data/torch_file.h"

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

at::Tensor tensor_of(std::span<const std::byte> bytes, int64_t begin, at::IntArrayRef shape,
                     at::ScalarType type) {
  at::Tensor tensor = at::empty(shape, type);
  if (tensor.nbytes() > 0) {
    std::memcpy(tensor.mutable_data_ptr(), bytes.data() + begin, tensor.nbytes());
  }
  return tensor;
}

/// Tensors of one storage share it here, too.
NamedTensors tensors_of_torch_file(std::span<const std::byte> bytes, const std::string& name) {
  NamedTensors tensors;
  std::map<std::pair<int64_t, std::string>, at::Tensor> storages; // by place and type
  for (const data::TorchFileEntry& entry : data::parse_torch_file(bytes, name)) {
    const at::ScalarType type = std::ranges::find(kTypes, entry.dtype, &Type::name)->type;
    at::Tensor& storage = storages[{entry.begin, entry.dtype}];
    if (!storage.defined()) {
      const auto numbers = (entry.end - entry.begin) / static_cast<int64_t>(c10::elementSize(type));
      storage = tensor_of(bytes, entry.begin, {numbers}, type);
    }
    tensors.emplace(entry.name, std::ranges::find(entry.shape, 0) != entry.shape.end()
                                    ? at::empty(entry.shape, type)
                                    : storage.as_strided(entry.shape, entry.strides, entry.offset));
  }
  return tensors;
}

/// A pickle of protocol 2 or later, and not the header length of a .safetensors file, which would then be 640 bytes
/// and more, and followed by '{'.
bool is_old_torch_file(std::span<const std::byte> bytes) {
  constexpr size_t kHeaderLength = 8;
  return bytes.size() > kHeaderLength && bytes[0] == std::byte{0x80} && bytes[1] >= std::byte{2} &&
         bytes[1] <= std::byte{5} && bytes[kHeaderLength] != std::byte{'{'};
}

} // namespace

TensorFile read_tensor_file(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = data::read_file(path);
  if (data::is_torch_file(bytes)) {
    return {.tensors = tensors_of_torch_file(bytes, path.string())};
  }
  if (is_old_torch_file(bytes)) {
    throw DataError(path.string() +
                    ": is a pickle, as PyTorch wrote before version 1.6.\n  Load it there and save "
                    "it again, or convert it to .safetensors.");
  }
  TensorFile file{.texts = data::parse_safetensors_metadata(bytes, path.string())};
  for (const data::SafetensorsEntry& entry : data::parse_safetensors_entries(bytes, path.string())) {
    const auto type = std::ranges::find(kTypes, entry.dtype, &Type::name);
    if (type == kTypes.end()) {
      throw DataError(c10::str(path.string(), ": tensor \"", entry.name, "\" is of type ", entry.dtype,
                               ", expected one of ", type_names(), ".\n  Convert it to one of them."));
    }
    file.tensors.emplace(entry.name, tensor_of(bytes, entry.begin, entry.shape, type->type));
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
