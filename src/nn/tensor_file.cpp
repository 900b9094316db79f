// SPDX-License-Identifier: MIT

#include "mneme/nn/tensor_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"
#include "mneme/data/shard_index.h"
#include "mneme/data/torch_file.h"

namespace mneme::nn {
namespace {

struct NamedType {
  at::ScalarType type;
  std::string_view name; ///< in the file
};
constexpr std::array<NamedType, 13> kTypes{{{at::kBool, "BOOL"},
                                            {at::kByte, "U8"},
                                            {at::kChar, "I8"},
                                            {at::kUInt16, "U16"},
                                            {at::kShort, "I16"},
                                            {at::kUInt32, "U32"},
                                            {at::kInt, "I32"},
                                            {at::kUInt64, "U64"},
                                            {at::kLong, "I64"},
                                            {at::kHalf, "F16"},
                                            {at::kBFloat16, "BF16"},
                                            {at::kFloat, "F32"},
                                            {at::kDouble, "F64"}}};

std::string type_names() {
  std::string names;
  for (const NamedType& type : kTypes) {
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

/// The tensors whose names begin with "KEY.", without that prefix.
NamedTensors under_key(const NamedTensors& tensors, const std::string& key, const std::string& source) {
  NamedTensors found;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(key + ".")) {
      found.emplace(name.substr(key.size() + 1), tensor);
    }
  }
  if (found.empty()) {
    throw DataError(c10::str(source, ": no name begins with \"", key, ".\".\n  ",
                             tensors.empty() ? std::string("The file contains no tensors.")
                                             : "Its first name is \"" + tensors.begin()->first + "\"."));
  }
  return found;
}

/// Tensors that share a storage in the file share it in the result, except negated ones.
TensorFile read_torch_file(std::span<const std::byte> bytes, const std::string& name,
                           const std::string& key) {
  data::TorchFile parsed = data::parse_torch_checkpoint(bytes, name, key);
  TensorFile file{.tensors = {}, .notes = std::move(parsed.notes)};
  std::map<std::pair<int64_t, std::string>, at::Tensor> storages; // by offset in the file and type
  for (const data::TorchFileEntry& entry : parsed.entries) {
    const auto type = std::ranges::find(kTypes, entry.dtype, &NamedType::name);
    TORCH_INTERNAL_ASSERT(type != kTypes.end());
    at::Tensor& storage = storages[{entry.begin, entry.dtype}];
    if (!storage.defined()) {
      const auto numbers = (entry.end - entry.begin) / static_cast<int64_t>(c10::elementSize(type->type));
      storage = tensor_of(bytes, entry.begin, {numbers}, type->type);
    }
    const bool is_empty = std::ranges::find(entry.shape, 0) != entry.shape.end();
    const at::Tensor tensor = is_empty ? at::empty(entry.shape, type->type)
                                       : storage.as_strided(entry.shape, entry.strides, entry.offset);
    file.tensors.emplace(entry.name, entry.is_negated ? tensor.neg() : tensor);
  }
  return file;
}

/// True for a Python pickle of protocol 2 to 5. The same bytes can also be the header length of a
/// .safetensors file, which is then at least 640 bytes long and followed by '{'.
bool is_pickle(std::span<const std::byte> bytes) {
  constexpr size_t kHeaderLength = 8;
  return bytes.size() > kHeaderLength && bytes[0] == std::byte{0x80} && bytes[1] >= std::byte{2} &&
         bytes[1] <= std::byte{5} && bytes[kHeaderLength] != std::byte{'{'};
}

/// Adds the other names of tied tensors: safetensors.torch.save_model writes one tensor, and for each other
/// name a text with the name of that tensor.
void add_tied(TensorFile& file) {
  for (const auto& [alias, name] : file.texts) {
    const auto tensor = file.tensors.find(name);
    if (tensor != file.tensors.end()) {
      file.tensors.emplace(alias, at::Tensor(tensor->second)); // keeps an existing tensor of this name
    }
  }
}

at::Tensor empty_tensor(const data::SafetensorsEntry& entry, at::ScalarType type, const std::string& name) {
  try {
    return at::empty(entry.shape, type);
  } catch (const c10::Error&) {
    throw DataError(
        c10::str(name, ": tensor \"", entry.name, "\" has ", entry.end - entry.begin,
                 " bytes, more than the memory that is left.\n  Close other programs, or use a machine "
                 "with more memory."));
  }
}

/// A tensor whose numbers are the mapped bytes from `begin` on, which it keeps mapped.
at::Tensor mapped_tensor(const std::shared_ptr<std::byte[]>& file, const data::SafetensorsEntry& entry,
                         at::ScalarType type) {
  return at::from_blob(
      file.get() + entry.begin, entry.shape, [file](void*) {}, type);
}

/// Tensors are mapped where the file can be and `mapping` includes them, else read one by one.
TensorFile read_safetensors_file(const data::InputFile& input, const std::string& name,
                                 const std::string& key, Mapping mapping) {
  data::SafetensorsHeader header = data::read_safetensors_header(input);
  TensorFile file{.tensors = {}, .texts = std::move(header.metadata)};
  const std::shared_ptr<std::byte[]> mapped = input.mapped();
  for (const data::SafetensorsEntry& entry : header.entries) {
    const auto type = std::ranges::find(kTypes, entry.dtype, &NamedType::name);
    if (type == kTypes.end()) {
      throw DataError(c10::str(name, ": tensor \"", entry.name, "\" is of type ", entry.dtype,
                               ", expected one of ", type_names(), ".\n  Convert it to one of them."));
    }
    const int64_t alignment = mapping == Mapping::all ? static_cast<int64_t>(c10::elementSize(type->type))
                                                      : data::kSafetensorsAlignment;
    if (mapped && entry.begin % alignment == 0 && entry.begin < entry.end) {
      file.tensors.emplace(entry.name, mapped_tensor(mapped, entry, type->type));
      continue;
    }
    const at::Tensor tensor = empty_tensor(entry, type->type, name);
    if (tensor.nbytes() > 0) {
      input.read(entry.begin, std::span(static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()));
    }
    file.tensors.emplace(entry.name, tensor);
  }
  add_tied(file);
  if (!key.empty() && key != ".") {
    file.tensors = under_key(file.tensors, key, name);
  }
  return file;
}

TensorFile read_one_file(const std::filesystem::path& path, const std::string& key, Mapping mapping) {
  const data::InputFile input(path);
  constexpr int64_t kSignature = 1024; // more bytes than any format is identified by
  const std::vector<std::byte> first = input.first_bytes(kSignature);
  if (data::is_torch_file(first)) {
    return read_torch_file(input.first_bytes(input.size()), path.string(), key);
  }
  if (is_pickle(first)) {
    throw DataError(
        path.string() +
        ": is a Python pickle that was not written by torch.save.\n  Load it in Python and save its "
        "tensors with torch.save, or convert them to .safetensors.");
  }
  return read_safetensors_file(input, path.string(), key, mapping);
}

/// Reads the shards of an index; they are in the folder of the index.
TensorFile read_shards(const std::filesystem::path& path, const std::string& key, Mapping mapping) {
  const data::ShardIndex index = data::read_shard_index(path);
  TensorFile all;
  for (const auto& [shard, names] : index.names_by_shard()) {
    const std::filesystem::path shard_path = path.parent_path() / shard;
    std::error_code error;
    if (!std::filesystem::exists(shard_path, error)) {
      throw DataError(
          c10::str(path.string(), ": the shard \"", shard, "\" with ", names.size(),
                   " tensors is not next to it.\n  Copy or download all shards into one folder."));
    }
    TensorFile file = read_one_file(shard_path, "", mapping);
    for (const std::string& name : names) {
      if (!file.tensors.contains(name)) {
        throw DataError(c10::str(path.string(), ": the tensor \"", name, "\" is not in the shard \"", shard,
                                 "\", although the index lists it there.\n  Download index and shards again, "
                                 "all of one version."));
      }
    }
    for (const auto& [name, tensor] : file.tensors) {
      if (std::ranges::find(names, name) == names.end()) {
        all.notes.push_back(c10::str("\"", name, "\" is in the shard \"", shard, "\", but not in the index"));
      }
      if (!all.tensors.emplace(name, tensor).second) {
        throw DataError(
            c10::str(path.string(), ": the tensor \"", name, "\" is in the shard \"", shard,
                     "\" and in an earlier one.\n  Download index and shards again, all of one version."));
      }
    }
    all.texts.merge(file.texts);
    for (const std::string& note : file.notes) {
      all.notes.push_back(shard + ": " + note);
    }
  }
  add_tied(all);
  if (!key.empty() && key != ".") {
    all.tensors = under_key(all.tensors, key, path.string());
  }
  return all;
}

} // namespace

TensorFile read_tensor_file(const std::filesystem::path& path, const std::string& key, Mapping mapping) {
  return data::is_shard_index(path) ? read_shards(path, key, mapping) : read_one_file(path, key, mapping);
}

void write_tensor_file(const std::filesystem::path& path, const TensorFile& file) {
  std::vector<at::Tensor> contiguous; // keeps the data alive until it is written
  std::vector<data::SafetensorsTensor> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    if (!tensor.defined() || tensor.layout() != at::kStrided) {
      throw UsageError(
          c10::str("mneme::nn::write_tensor_file: ", name, " is ",
                   tensor.defined() ? c10::str("of layout ", tensor.layout()) : "undefined",
                   ", but must be a dense tensor.\n  Convert it with to_dense(), or leave it out."));
    }
    if (name == "__metadata__") {
      throw UsageError(
          "mneme::nn::write_tensor_file: a tensor is named __metadata__, which is the name of the "
          "texts in the format.\n  Choose another name.");
    }
    const auto type =
        std::find_if(kTypes.begin(), kTypes.end(), [&, &given = tensor](const NamedType& known) {
          return known.type == given.scalar_type();
        });
    if (!tensor.device().is_cpu() || type == kTypes.end()) {
      throw UsageError(c10::str("mneme::nn::write_tensor_file: ", name, " is of type ", tensor.scalar_type(),
                                " on ", tensor.device(), ", but must be one of ", type_names(),
                                " on the CPU.\n  Convert or move it first."));
    }
    contiguous.push_back(tensor.detach().contiguous());
    tensors.push_back({name, std::string(type->name), tensor.sizes().vec(),
                       std::span(static_cast<const std::byte*>(contiguous.back().const_data_ptr()),
                                 contiguous.back().nbytes())});
  }
  write_file_atomically(path, data::to_safetensors(tensors, file.texts));
}

} // namespace mneme::nn
