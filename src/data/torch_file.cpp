// SPDX-License-Identifier: MIT

#include "mneme/data/torch_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "data/pickle.h"
#include "data/source.h"
#include "data/torch_archive.h"

namespace mneme::data {
namespace {

/// Number types of tensors in an untyped storage (_rebuild_tensor_v3).
constexpr std::array<TorchStorageType, 3> kUntypedTypes{
    {{"torch uint16", "U16", 2}, {"torch uint32", "U32", 4}, {"torch uint64", "U64", 8}}};

/// Kinds of tensors that are not supported, by the Python function that creates them.
struct UnsupportedTensor {
  std::string_view function, problem, advice;
};
constexpr std::array<UnsupportedTensor, 8> kUnsupportedTensors{
    {{"torch._utils _rebuild_sparse_tensor", "is a sparse tensor", "Save tensor.to_dense() instead."},
     {"torch._utils _rebuild_qtensor", "is a quantized tensor", "Save tensor.dequantize() instead."},
     {"torch._utils _rebuild_nested_tensor", "is a nested tensor", "Save the tensors of tensor.unbind()."},
     {"torch._utils _rebuild_meta_tensor_no_storage", "is on the meta device and has no numbers",
      "Load the weights of the model before saving it."},
     {"torch._utils _rebuild_device_tensor_from_numpy",
      "was on a device whose tensors are saved as numpy arrays", "Save tensor.cpu() instead."},
     {"torch._utils _rebuild_xla_tensor", "was on a device whose tensors are saved as numpy arrays",
      "Save tensor.cpu() instead."},
     {"torch.nn.parameter UninitializedParameter", "is an uninitialised parameter without a shape",
      "Run the model once before saving it."},
     {"torch.nn.parameter UninitializedBuffer", "is an uninitialised buffer without a shape",
      "Run the model once before saving it."}}};
/// Tensor classes whose objects are fully described by their numbers.
constexpr std::array<std::string_view, 3> kPlainClasses{"torch Tensor", "torch.nn.parameter Parameter",
                                                        "torch.nn.parameter Buffer"};

/// True if an object is a tensor, supported or not.
bool is_tensor(const PickleValue& value) {
  const auto* call = value.as<PickleCall>();
  return call != nullptr && (call->function.find(" _rebuild") != std::string::npos ||
                             call->function.starts_with("torch.nn.parameter "));
}

std::string described(const PickleValue& value) {
  const auto* call = value.as<PickleCall>();
  if (call == nullptr) {
    return value.kind();
  }
  const std::string& function = call->function;
  if (function.starts_with("numpy") && function.ends_with(" scalar")) {
    return "a numpy scalar";
  }
  if (function.starts_with("numpy") &&
      (function.ends_with(" _reconstruct") || function.ends_with(" _frombuffer"))) {
    return "a numpy array";
  }
  if (function == "_codecs encode") { // bytes before protocol 3
    return "bytes";
  }
  if (function.starts_with("torch.nn.modules.")) {
    return "a complete module, " + python_name(function);
  }
  return is_tensor(value) ? "a tensor" : "an object of " + python_name(function);
}

const char* advice_for(const PickleValue& value) {
  return described(value) == "a numpy array"
             ? "Save tensors instead of numpy arrays: torch.from_numpy(array)."
             : kSaveStateDict;
}

bool holds_tensors(const PickleValue& value) {
  return std::ranges::any_of(children_of(value),
                             [](const PickleChild& child) { return is_tensor(*child.value); });
}

class Reader {
public:
  Reader(const TorchArchive& archive, const std::string& name) : archive_(archive), name_(name) {}

  TorchFile read(const std::string& key) const {
    TorchFile file;
    if (archive_.trailing_bytes > 0) {
      file.notes.push_back(
          fmt::format("{} bytes after the last storage are ignored", archive_.trailing_bytes));
    }
    const PickleValue& chosen = choose(key, file);
    if (is_tensor(chosen)) {
      file.entries.push_back(entry(file.key, chosen));
      file.entries.back().name.clear();
      return file;
    }
    std::set<std::string> names;
    std::vector<std::string> skipped;
    for (const PickleChild& child : children_of(chosen)) {
      const std::optional<std::string> entry_name = child.name();
      if (!entry_name) {
        fail(name_,
             fmt::format("a key of the dict is {}, but it must be a string or an integer", child.key->kind()),
             kSaveStateDict);
      }
      if (!names.insert(*entry_name).second) {
        fail(name_, fmt::format("the key {:?} occurs twice", *entry_name), kSaveStateDict);
      }
      if (is_tensor(*child.value)) {
        file.entries.push_back(entry(*entry_name, *child.value));
      } else {
        reject_if_of_torch(*entry_name, *child.value);
        skipped.push_back(fmt::format("{:?} ({})", *entry_name, described(*child.value)));
      }
    }
    if (!skipped.empty()) {
      file.notes.push_back(fmt::format("{} {} skipped: not {}", listed(skipped),
                                       skipped.size() == 1 ? "is" : "are",
                                       skipped.size() == 1 ? "a tensor" : "tensors"));
    }
    return file;
  }

private:
  struct Candidate {
    std::string key;
    PicklePointer value;
  };

  [[noreturn]] void reject(const std::string& entry, const std::string& problem,
                           const std::string& advice = kSaveStateDict) const {
    fail(name_, fmt::format("{} {}", entry.empty() ? "the tensor" : fmt::format("{:?}", entry), problem),
         advice);
  }

  /// Throws on other objects of PyTorch, because one with an unknown class may contain a tensor.
  void reject_if_of_torch(const std::string& entry, const PickleValue& value) const {
    constexpr std::array<std::string_view, 2> kHarmless{"torch Size", "torch device"};
    const auto* call = value.as<PickleCall>();
    if (value.as<PickleReference>() != nullptr ||
        (call != nullptr && call->function.starts_with("torch") &&
         std::ranges::find(kHarmless, call->function) == kHarmless.end())) {
      reject(entry, fmt::format("is {}, but only tensors are supported", described(value)));
    }
  }

  /// Selects the dict, list or tensor to read.
  const PickleValue& choose(const std::string& key, TorchFile& file) const {
    const PickleValue& top = *archive_.pickle.top;
    if (key == ".") {
      if (!is_tensor(top) && !holds_tensors(top)) {
        fail(name_,
             fmt::format("key \".\": the outermost value, {}, does not directly contain tensors",
                         described(top)),
             advice_to_choose(candidates(top, "")));
      }
      return top;
    }
    file.key = key;
    const PickleValue* start = key.empty() ? &top : find(top, key);
    if (start == nullptr) {
      fail(name_, fmt::format("there is no key {:?}", key), advice_to_choose(candidates(top, "")));
    }
    if (is_tensor(*start)) {
      return *start;
    }
    const std::vector<Candidate> found = candidates(*start, key);
    if (found.empty()) {
      reject_without_tensors(*start, key);
    }
    if (found.size() > 1) {
      fail(name_, fmt::format("{} dicts or lists contain tensors, but none was selected", found.size()),
           advice_to_choose(found));
    }
    file.key = found[0].key;
    if (found[0].value != start) {
      file.notes.push_back(
          fmt::format("the tensors of {:?} are read{}", file.key, others_of(*start, *found[0].value)));
    }
    return *found[0].value;
  }

  /// Dicts and lists that contain tensors: on all levels if `start` itself contains some, otherwise only on
  /// the first level with tensors.
  std::vector<Candidate> candidates(const PickleValue& start, const std::string& key) const {
    std::vector<Candidate> found, level = {{key, &start}};
    std::set<PicklePointer> visited = {&start}; // values may contain cycles
    bool start_holds_tensors = false;
    constexpr int kMaxDepth = 8; // optimizer tensors of a checkpoint within a dict are at depth 4
    for (int depth = 0; depth <= kMaxDepth && !level.empty() && (found.empty() || start_holds_tensors);
         ++depth) {
      std::vector<Candidate> next;
      for (const Candidate& candidate : level) {
        const std::vector<PickleChild> children = children_of(*candidate.value);
        if (std::ranges::any_of(children, [](const PickleChild& child) { return is_tensor(*child.value); })) {
          found.push_back(
              {candidate.key.empty() && candidate.value == archive_.pickle.top ? "." : candidate.key,
               candidate.value});
          start_holds_tensors = start_holds_tensors || candidate.value == &start;
        }
        for (const PickleChild& child : children) {
          if (is_container(*child.value) && child.name() && visited.insert(child.value).second) {
            next.push_back(
                {candidate.key.empty() ? *child.name() : candidate.key + "." + *child.name(), child.value});
          }
        }
      }
      level = std::move(next);
    }
    if (found.size() == 1 && found[0].key == ".") {
      found[0].key.clear();
    }
    return found;
  }

  static std::string advice_to_choose(const std::vector<Candidate>& found) {
    std::vector<std::string> keys;
    for (const Candidate& candidate : found) {
      keys.push_back(fmt::format("{:?}", candidate.key.empty() ? "." : candidate.key));
    }
    if (keys.size() == 1 && keys[0] == "\".\"") {
      return "The tensors are not in a nested dict: remove the key.";
    }
    return keys.empty() ? kSaveStateDict : "Select one by its key: " + listed(keys) + ".";
  }

  /// Finds a nested value by its key. Names may contain dots themselves, so a full match has priority.
  static const PickleValue* find(const PickleValue& value, std::string_view key) {
    const PickleValue* nested = nullptr;
    for (const PickleChild& child : children_of(value)) {
      const std::optional<std::string> name = child.name();
      if (name && key == *name) {
        return child.value;
      }
      if (nested == nullptr && name && key.starts_with(*name + ".")) {
        nested = find(*child.value, key.substr(name->size() + 1));
      }
    }
    return nested;
  }

  /// Part of a message that lists the outermost values that are skipped.
  static std::string others_of(const PickleValue& start, const PickleValue& chosen) {
    std::vector<std::string> others;
    for (const PickleChild& child : children_of(start)) {
      if (child.value != &chosen && child.name() && !reaches(*child.value, chosen)) {
        others.push_back(fmt::format("{:?} ({})", *child.name(), described(*child.value)));
      }
    }
    return others.empty() ? ""
                          : fmt::format("; {} {} skipped", listed(others), others.size() == 1 ? "is" : "are");
  }
  static bool reaches(const PickleValue& from, const PickleValue& target) {
    std::set<PicklePointer> visited = {&from};
    std::vector<PicklePointer> open = {&from};
    while (!open.empty()) {
      const PicklePointer value = open.back();
      open.pop_back();
      for (const PickleChild& child : children_of(*value)) {
        if (child.value == &target) {
          return true;
        }
        if (is_container(*child.value) && visited.insert(child.value).second) {
          open.push_back(child.value);
        }
      }
    }
    return false;
  }

  [[noreturn]] void reject_without_tensors(const PickleValue& value, const std::string& key) const {
    const std::string place = key.empty() ? "" : fmt::format("key {:?} ", key);
    if (!is_container(value)) {
      fail(name_,
           fmt::format("{}contains {}, but a tensor or a dict of named tensors was expected", place,
                       described(value)),
           advice_for(value));
    }
    const char* advice = kSaveStateDict;
    std::vector<std::string> found;
    for (const PickleChild& child : children_of(value)) {
      found.push_back(fmt::format("{} is {}", child.name() ? fmt::format("{:?}", *child.name()) : "an entry",
                                  described(*child.value)));
      advice = advice == kSaveStateDict ? advice_for(*child.value) : advice;
    }
    fail(name_,
         fmt::format("{}contains {} without tensors{}", place, value.kind(),
                     found.empty() ? "" : ": " + listed(found)),
         advice);
  }

  /// Arguments of a call; their number must be from `min` to `max`.
  const std::vector<PicklePointer>& arguments(const std::string& entry, const PickleCall& call, size_t min,
                                              size_t max) const {
    const auto* given = call.arguments->as<PickleTuple>();
    if (given == nullptr || given->items.size() < min || given->items.size() > max) {
      reject(entry,
             fmt::format("is created by {} with {} arguments, {} to {} expected", python_name(call.function),
                         given == nullptr ? 0 : given->items.size(), min, max));
    }
    return given->items;
  }

  int64_t count(const std::string& entry, const PickleValue& value) const {
    const auto* number = value.as<int64_t>();
    if (number == nullptr || *number < 0) {
      reject(entry, number != nullptr ? fmt::format("has a size of {}", *number)
                                      : fmt::format("has {} as a size", value.kind()));
    }
    return *number;
  }

  std::vector<int64_t> counts(const std::string& entry, const PickleValue& value) const {
    const auto* tuple = value.as<PickleTuple>();
    if (tuple == nullptr) {
      reject(entry, fmt::format("has {} as a list of sizes", value.kind()));
    }
    std::vector<int64_t> numbers;
    for (const PicklePointer& item : tuple->items) {
      numbers.push_back(count(entry, *item));
    }
    return numbers;
  }

  /// Removes PyTorch's wrappers around a tensor that do not change its numbers: parameters, attributes,
  /// devices.
  PickleCall unwrap(const std::string& entry, const PickleValue& value) const {
    constexpr int kMaxDepth = 4;
    const PickleValue* inner = &value;
    PickleCall made; // the call inside _rebuild_from_type_v2
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      const auto* call = inner == nullptr ? &made : inner->as<PickleCall>();
      if (call == nullptr) {
        reject(entry, fmt::format("is created from {} instead of a tensor", inner->kind()));
      }
      if (call->is_changed) {
        reject(entry, fmt::format("is created by {} and changed afterwards", python_name(call->function)));
      }
      if (call->function == "torch._utils _rebuild_parameter") {
        inner = arguments(entry, *call, 3, 3)[0]; // tensor, requires_grad, hooks
      } else if (call->function == "torch._utils _rebuild_parameter_with_state") {
        inner = arguments(entry, *call, 4, 4)[0]; // tensor, requires_grad, hooks, attributes
      } else if (call->function == "torch._utils _rebuild_device_tensor_from_cpu_tensor") {
        inner = arguments(entry, *call, 4, 4)[0]; // tensor, dtype, device, requires_grad
      } else if (call->function == "torch._tensor _rebuild_from_type_v2" ||
                 call->function == "torch._tensor _rebuild_from_type") {
        const std::vector<PicklePointer>& given =
            arguments(entry, *call, 4, 4); // function, class, arguments, state
        const auto *function = given[0]->as<PickleGlobal>(), *type = given[1]->as<PickleGlobal>();
        if (function == nullptr || type == nullptr) {
          reject(entry, "is created without a function or a class");
        }
        if (std::ranges::find(kPlainClasses, type->name) == kPlainClasses.end()) {
          reject(
              entry,
              fmt::format("is of the class {}, which may contain more than numbers", python_name(type->name)),
              "Save tensor.as_subclass(torch.Tensor) if only its numbers are needed.");
        }
        PickleCall next{function->name, given[2]};
        made = next;
        inner = nullptr;
      } else {
        return *call;
      }
    }
    reject(entry, fmt::format("is wrapped more than {} times", kMaxDepth));
  }

  TorchFileEntry entry(const std::string& entry_name, const PickleValue& value) const {
    const PickleCall call = unwrap(entry_name, value);
    if (const auto unsupported =
            std::ranges::find(kUnsupportedTensors, call.function, &UnsupportedTensor::function);
        unsupported != kUnsupportedTensors.end()) {
      reject(entry_name, std::string(unsupported->problem), std::string(unsupported->advice));
    }
    const bool is_v1 = call.function == "torch._utils _rebuild_tensor",
               is_v3 = call.function == "torch._utils _rebuild_tensor_v3";
    if (!is_v1 && !is_v3 && call.function != "torch._utils _rebuild_tensor_v2") {
      reject(entry_name, fmt::format("is created by {}, but only plain tensors are supported",
                                     python_name(call.function)));
    }
    // storage, offset, sizes, strides; since v2: requires_grad, hooks; v3: dtype; optional metadata
    const size_t max = is_v1 ? 4 : is_v3 ? 8 : 7, metadata = max - 1;
    const std::vector<PicklePointer>& given = arguments(entry_name, call, is_v1 ? 4 : is_v3 ? 7 : 6, max);
    TorchFileEntry result{.name = entry_name,
                          .shape = counts(entry_name, *given[2]),
                          .strides = counts(entry_name, *given[3]),
                          .offset = count(entry_name, *given[1])};
    const int64_t numbers = put_storage(result, *given[0], is_v3 ? given[6] : nullptr);
    if (!is_v1 && given.size() > metadata) {
      put_metadata(result, *given[metadata]);
    }
    check_extent(result, numbers);
    return result;
  }

  /// Sets the dtype and byte range of the storage, and returns how many numbers it contains. `own_type` is
  /// the dtype of the tensor if the storage is untyped.
  int64_t put_storage(TorchFileEntry& entry, const PickleValue& value, PicklePointer own_type) const {
    const auto* reference = value.as<PickleReference>();
    const auto* id = reference == nullptr ? nullptr : reference->id->as<PickleTuple>();
    // "storage", type, key, device, number of elements; before PyTorch 1.6 also a view, which is None since
    // PyTorch 0.4
    if (id == nullptr || id->items.size() < 5 || id->items.size() > 6) {
      reject(entry.name, "has no storage");
    }
    if (id->items.size() == 6 && id->items[5]->as<PickleNone>() == nullptr) {
      reject(entry.name,
             "has a storage that is a view of another one (PyTorch before 0.4), which is not supported");
    }
    const auto* global = id->items[1]->as<PickleGlobal>();
    const auto* key = id->items[2]->as<std::string>();
    const auto* device = id->items[3]->as<std::string>();
    if (global == nullptr || key == nullptr || device == nullptr) {
      reject(entry.name, "has a storage without type, key or device");
    }
    if (*device == "meta") {
      reject(entry.name, "is on the meta device and has no numbers",
             "Load the weights of the model before saving it.");
    }
    const TorchStorageType type = type_of(entry.name, global->name, own_type);
    const auto storage = archive_.storages.find(*key);
    if (storage == archive_.storages.end()) {
      reject(entry.name, fmt::format("is in storage {:?}, which is not in the file", *key), kFileDamaged);
    }
    // An untyped storage counts bytes.
    const int64_t bytes = storage->second.end - storage->second.begin,
                  counted = count(entry.name, *id->items[4]), unit = own_type != nullptr ? 1 : type.bytes;
    if (bytes % unit != 0 || bytes / unit != counted || bytes % type.bytes != 0) {
      reject(entry.name, fmt::format("requires {} numbers of {} bytes, but storage {:?} has {} bytes",
                                     counted, unit, *key, bytes));
    }
    entry.dtype = type.dtype;
    entry.begin = storage->second.begin;
    entry.end = storage->second.end;
    return bytes / type.bytes;
  }

  TorchStorageType type_of(const std::string& entry, const std::string& storage,
                           PicklePointer own_type) const {
    const auto* own = own_type == nullptr ? nullptr : own_type->as<PickleGlobal>();
    if (own_type != nullptr && (own == nullptr || storage != kUntyped)) {
      reject(entry, "has a storage or dtype that is not valid for _rebuild_tensor_v3");
    }
    const std::string& name = own != nullptr ? own->name : storage;
    const std::span<const TorchStorageType> known =
        own != nullptr ? std::span<const TorchStorageType>(kUntypedTypes) : kTorchStorageTypes;
    const auto type = std::ranges::find(known, name, &TorchStorageType::global);
    if (type != known.end() && !type->dtype.empty()) {
      return *type;
    }
    const bool is_complex =
        name.find("Complex") != std::string::npos || name.find("complex") != std::string::npos;
    reject(entry, fmt::format("is of type {}, which is not supported", python_name(name)),
           is_complex ? "Save torch.view_as_real(tensor) instead, or its real part."
                      : "Save tensor.float() instead.");
  }

  /// Reads the bits of PyTorch's lazy negation and conjugation.
  void put_metadata(TorchFileEntry& entry, const PickleValue& metadata) const {
    if (metadata.as<PickleNone>() != nullptr) {
      return;
    }
    if (metadata.as<PickleDict>() == nullptr) {
      reject(entry.name, fmt::format("has {} as its metadata", metadata.kind()));
    }
    for (const PickleChild& child : children_of(metadata)) {
      const std::optional<std::string> name = child.name();
      const auto* is_set = child.value->as<bool>();
      if (name == "neg" && is_set != nullptr &&
          (entry.dtype.starts_with('F') || entry.dtype.starts_with('I') || entry.dtype == "BF16")) {
        entry.is_negated = *is_set;
      } else if (is_set == nullptr || *is_set) {
        reject(entry.name, fmt::format("has the metadata {:?}, which is not supported", name.value_or("")),
               "Save tensor.resolve_conj().resolve_neg() instead.");
      }
    }
  }

  /// Checks that every element is within the storage.
  void check_extent(const TorchFileEntry& entry, int64_t numbers) const {
    if (entry.shape.size() != entry.strides.size()) {
      reject(entry.name,
             fmt::format("has {} sizes and {} strides", entry.shape.size(), entry.strides.size()));
    }
    std::vector<int64_t> sizes =
        entry.shape; // in an empty tensor, the product of the other sizes must not overflow
    std::ranges::replace(sizes, 0, 1);
    const std::optional<int64_t> elements = product(sizes);
    if (elements && sizes != entry.shape) {
      return;
    }
    int64_t last = entry.offset;
    bool within = elements && last < numbers;
    for (size_t i = 0; within && i < entry.shape.size(); ++i) {
      const int64_t steps = entry.shape[i] - 1;
      within = steps == 0 || entry.strides[i] <= (numbers - 1 - last) / steps;
      last += within ? steps * entry.strides[i] : 0;
    }
    if (!within) {
      reject(entry.name, fmt::format("has elements beyond the {} numbers of its storage", numbers));
    }
  }

  const TorchArchive& archive_;
  const std::string& name_;
};

} // namespace

bool is_torch_file(std::span<const std::byte> bytes) {
  constexpr std::array kZip = {std::byte{'P'}, std::byte{'K'}, std::byte{3}, std::byte{4}};
  return is_old_torch_file(bytes) ||
         (bytes.size() >= kZip.size() && std::equal(kZip.begin(), kZip.end(), bytes.begin()));
}

TorchFile parse_torch_checkpoint(std::span<const std::byte> bytes, const std::string& name,
                                 const std::string& key) {
  const TorchArchive archive = read_torch_archive(bytes, name);
  return Reader(archive, name).read(key);
}

std::vector<TorchFileEntry> parse_torch_file(std::span<const std::byte> bytes, const std::string& name) {
  std::vector<TorchFileEntry> entries = parse_torch_checkpoint(bytes, name).entries;
  const auto negated = std::ranges::find(entries, true, &TorchFileEntry::is_negated);
  if (negated != entries.end()) {
    fail(name, fmt::format("{:?} is a tensor with the negative bit set", negated->name),
         "Save tensor.resolve_neg() instead.");
  }
  return entries;
}

} // namespace mneme::data
