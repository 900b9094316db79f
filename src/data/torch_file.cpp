// SPDX-License-Identifier: MIT

#include "mneme/data/torch_file.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "data/pickle.h"
#include "data/source.h"
#include "data/zip.h"

namespace mneme::data {
namespace {

struct StorageType {
  std::string_view global, dtype;
  int64_t bytes; ///< of one number
};
constexpr std::array<StorageType, 9> kStorageTypes{{{"torch BoolStorage", "BOOL", 1},
                                                    {"torch ByteStorage", "U8", 1},
                                                    {"torch CharStorage", "I8", 1},
                                                    {"torch IntStorage", "I32", 4},
                                                    {"torch LongStorage", "I64", 8},
                                                    {"torch HalfStorage", "F16", 2},
                                                    {"torch BFloat16Storage", "BF16", 2},
                                                    {"torch FloatStorage", "F32", 4},
                                                    {"torch DoubleStorage", "F64", 8}}};

constexpr const char* kSaveStateDict =
    "Save model.state_dict() with torch.save, or convert it to .safetensors.";

class Reader {
public:
  Reader(std::span<const std::byte> bytes, const std::string& name)
      : bytes_(bytes), name_(name), files_(parse_zip(bytes, name)) {}

  std::vector<TorchFileEntry> entries() {
    // All entries lie in one folder, whose name is that of the file when it was written.
    const auto pickle =
        std::ranges::find_if(files_, [](const auto& file) { return file.first.ends_with("/data.pkl"); });
    if (pickle == files_.end()) {
      fail(name_, "this zip file holds no data.pkl, which torch.save would have written", kSaveStateDict);
    }
    folder_ = pickle->first.substr(0, pickle->first.size() - std::string_view("data.pkl").size());
    check_byte_order();
    const Pickle parsed = parse_pickle(content(pickle->second), name_);
    const auto* dict = parsed.top->as<PickleDict>();
    if (dict == nullptr) {
      fail(name_, fmt::format("holds {}, but a dict from names to tensors is needed", parsed.top->kind()),
           kSaveStateDict);
    }
    std::vector<TorchFileEntry> entries;
    std::set<std::string> names;
    for (const auto& [key, value] : dict->items) {
      const auto* entry_name = key->as<std::string>();
      if (entry_name == nullptr) {
        fail(name_, fmt::format("a key of the dict is {}, but names are needed", key->kind()),
             kSaveStateDict);
      }
      if (!names.insert(*entry_name).second) {
        fail(name_, fmt::format("\"{}\" is there twice", *entry_name), kSaveStateDict);
      }
      entries.push_back(entry(*entry_name, *value));
    }
    return entries;
  }

private:
  std::span<const std::byte> content(const ZipEntry& file) const {
    return bytes_.subspan(static_cast<size_t>(file.begin), static_cast<size_t>(file.end - file.begin));
  }

  void check_byte_order() const {
    const auto found = files_.find(folder_ + "byteorder");
    if (found == files_.end()) {
      return; // written before PyTorch 2.1: little endian
    }
    const std::span<const std::byte> letters = content(found->second);
    if (std::string_view(reinterpret_cast<const char*>(letters.data()), letters.size()) != "little") {
      fail(name_, "its numbers are not little endian", "Save it again on a machine that is.");
    }
  }

  [[noreturn]] void refuse(const std::string& entry, const std::string& problem) const {
    fail(name_, fmt::format("\"{}\" {}", entry, problem), kSaveStateDict);
  }

  /// The arguments of a call, at least `least` of them.
  const PickleTuple& arguments(const std::string& entry, const PickleCall& call, size_t least) const {
    const auto* given = call.arguments->as<PickleTuple>();
    if (given == nullptr || given->items.size() < least) {
      refuse(entry, fmt::format("is made by {} with too little", call.function));
    }
    return *given;
  }

  int64_t count(const std::string& entry, const PickleValue& value) const {
    const auto* number = value.as<int64_t>();
    if (number == nullptr || *number < 0) {
      refuse(entry, number != nullptr ? fmt::format("has a size of {}", *number)
                                      : fmt::format("has {} for a size", value.kind()));
    }
    return *number;
  }

  std::vector<int64_t> counts(const std::string& entry, const PickleValue& value) const {
    const auto* tuple = value.as<PickleTuple>();
    if (tuple == nullptr) {
      refuse(entry, fmt::format("has {} for a list of sizes", value.kind()));
    }
    std::vector<int64_t> numbers;
    for (const PicklePointer& item : tuple->items) {
      numbers.push_back(count(entry, *item));
    }
    return numbers;
  }

  TorchFileEntry entry(const std::string& entry_name, const PickleValue& value) const {
    const auto* call = value.as<PickleCall>();
    if (call == nullptr) {
      refuse(entry_name, fmt::format("is {}, but only tensors are read", value.kind()));
    }
    if (call->function == "torch._utils _rebuild_parameter") {
      const PickleValue& inner = *arguments(entry_name, *call, 1).items[0];
      const auto* tensor = inner.as<PickleCall>();
      if (tensor == nullptr || tensor->function == call->function) {
        refuse(entry_name, "is a parameter of something that is no tensor");
      }
      return entry(entry_name, inner);
    }
    if (call->function != "torch._utils _rebuild_tensor_v2") {
      refuse(entry_name, fmt::format("is made by {}, but only plain tensors are read", call->function));
    }
    const PickleTuple& given = arguments(entry_name, *call, 4); // storage, offset, sizes, strides, ...
    TorchFileEntry result{.name = entry_name,
                          .shape = counts(entry_name, *given.items[2]),
                          .strides = counts(entry_name, *given.items[3]),
                          .offset = count(entry_name, *given.items[1])};
    const int64_t numbers = put_storage(result, *given.items[0]);
    check_extent(result, numbers);
    return result;
  }

  /// Fills in where the storage lies and of what type it is; returns how many numbers it holds.
  int64_t put_storage(TorchFileEntry& entry, const PickleValue& value) const {
    const auto* reference = value.as<PickleReference>();
    const auto* id = reference == nullptr ? nullptr : reference->id->as<PickleTuple>();
    if (id == nullptr || id->items.size() < 5) { // "storage", type, key, device, numbers
      refuse(entry.name, "has no storage");
    }
    const auto* global = id->items[1]->as<PickleGlobal>();
    const auto* key = id->items[2]->as<std::string>();
    if (global == nullptr || key == nullptr) {
      refuse(entry.name, "has a storage without type or key");
    }
    const auto type = std::ranges::find(kStorageTypes, global->name, &StorageType::global);
    if (type == kStorageTypes.end()) {
      refuse(entry.name, fmt::format("is of type {}, which is not read here", global->name));
    }
    const auto file = files_.find(folder_ + "data/" + *key);
    if (file == files_.end()) {
      refuse(entry.name, fmt::format("lies in data/{}, which is not there", *key));
    }
    const int64_t bytes = file->second.end - file->second.begin, numbers = count(entry.name, *id->items[4]);
    if (bytes % type->bytes != 0 || bytes / type->bytes != numbers) {
      refuse(entry.name, fmt::format("needs {} numbers of {} bytes, but data/{} has {} bytes", numbers,
                                     type->bytes, *key, bytes));
    }
    entry.dtype = type->dtype;
    entry.begin = file->second.begin;
    entry.end = file->second.end;
    return numbers;
  }

  /// Every element must lie within the storage, and there must not be more elements than numbers.
  void check_extent(const TorchFileEntry& entry, int64_t numbers) const {
    if (entry.shape.size() != entry.strides.size()) {
      refuse(entry.name,
             fmt::format("has {} sizes and {} strides", entry.shape.size(), entry.strides.size()));
    }
    std::vector<int64_t> sizes = entry.shape; // of an empty tensor, the others must still be sizes
    std::ranges::replace(sizes, 0, 1);
    const std::optional<int64_t> elements = product(sizes);
    if (elements && sizes != entry.shape) {
      return;
    }
    int64_t last = entry.offset;
    bool within = elements && *elements <= numbers && last < numbers;
    for (size_t i = 0; within && i < entry.shape.size(); ++i) {
      const int64_t steps = entry.shape[i] - 1;
      within = steps == 0 || entry.strides[i] <= (numbers - 1 - last) / steps;
      last += within ? steps * entry.strides[i] : 0;
    }
    if (!within) {
      refuse(entry.name, fmt::format("reaches beyond the {} numbers of its storage", numbers));
    }
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::map<std::string, ZipEntry> files_;
  std::string folder_;
};

} // namespace

bool is_torch_file(std::span<const std::byte> bytes) {
  constexpr std::array kZip = {std::byte{'P'}, std::byte{'K'}, std::byte{3}, std::byte{4}};
  return bytes.size() >= kZip.size() && std::equal(kZip.begin(), kZip.end(), bytes.begin());
}

std::vector<TorchFileEntry> parse_torch_file(std::span<const std::byte> bytes, const std::string& name) {
  return Reader(bytes, name).entries();
}

} // namespace mneme::data
