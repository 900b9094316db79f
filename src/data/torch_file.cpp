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
#include "data/torch_parts.h"

namespace mneme::data {
namespace {

/// Types of tensors in a storage without a type of its own (_rebuild_tensor_v3).
constexpr std::array<TorchStorageType, 3> kUntypedTypes{
    {{"torch uint16", "U16", 2}, {"torch uint32", "U32", 4}, {"torch uint64", "U64", 8}}};

/// Tensors that are refused, by the function that would make them.
struct Refusal {
  std::string_view function, problem, advice;
};
constexpr std::array<Refusal, 8> kRefusals{
    {{"torch._utils _rebuild_sparse_tensor", "is a sparse tensor", "Save tensor.to_dense() instead."},
     {"torch._utils _rebuild_qtensor", "is a quantized tensor", "Save tensor.dequantize() instead."},
     {"torch._utils _rebuild_nested_tensor", "is a nested tensor", "Save the tensors of tensor.unbind()."},
     {"torch._utils _rebuild_meta_tensor_no_storage", "is on the meta device and has no numbers",
      "Give the model its weights before it is saved."},
     {"torch._utils _rebuild_device_tensor_from_numpy",
      "was on a device whose tensors are saved as numpy arrays", "Save tensor.cpu() instead."},
     {"torch._utils _rebuild_xla_tensor", "was on a device whose tensors are saved as numpy arrays",
      "Save tensor.cpu() instead."},
     {"torch.nn.parameter UninitializedParameter", "is a parameter that has no shape yet",
      "Run the model once before it is saved."},
     {"torch.nn.parameter UninitializedBuffer", "is a buffer that has no shape yet",
      "Run the model once before it is saved."}}};
/// Classes of tensors that are nothing but their numbers.
constexpr std::array<std::string_view, 3> kPlainClasses{"torch Tensor", "torch.nn.parameter Parameter",
                                                        "torch.nn.parameter Buffer"};

/// Whether an object is a tensor, readable or not.
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
  if (function == "_codecs encode") { // before protocol 3
    return "bytes";
  }
  if (function.starts_with("torch.nn.modules.")) {
    return "a whole module, " + python_name(function);
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
  Reader(const TorchParts& parts, const std::string& name) : parts_(parts), name_(name) {}

  TorchFile read(const std::string& key) const {
    TorchFile file;
    if (parts_.left_over > 0) {
      file.notes.push_back(fmt::format("{} bytes behind the last storage are left out", parts_.left_over));
    }
    const PickleValue& chosen = choose(key, file);
    if (is_tensor(chosen)) {
      file.entries.push_back(entry(file.key, chosen));
      file.entries.back().name.clear();
      return file;
    }
    std::set<std::string> names;
    std::vector<std::string> left_out;
    for (const PickleChild& child : children_of(chosen)) {
      const std::optional<std::string> entry_name = child.name();
      if (!entry_name) {
        fail(name_, fmt::format("a key of the dict is {}, but names are needed", child.key->kind()),
             kSaveStateDict);
      }
      if (!names.insert(*entry_name).second) {
        fail(name_, fmt::format("{:?} is there twice", *entry_name), kSaveStateDict);
      }
      if (is_tensor(*child.value)) {
        file.entries.push_back(entry(*entry_name, *child.value));
      } else {
        refuse_if_of_torch(*entry_name, *child.value);
        left_out.push_back(fmt::format("{:?} ({})", *entry_name, described(*child.value)));
      }
    }
    if (!left_out.empty()) {
      file.notes.push_back(fmt::format("{} {} left out: no tensor{}", listed(left_out),
                                       left_out.size() == 1 ? "is" : "are", left_out.size() == 1 ? "" : "s"));
    }
    return file;
  }

private:
  struct Place {
    std::string key;
    PicklePointer value;
  };

  [[noreturn]] void refuse(const std::string& entry, const std::string& problem,
                           const std::string& advice = kSaveStateDict) const {
    fail(name_, fmt::format("{} {}", entry.empty() ? "the tensor" : fmt::format("{:?}", entry), problem),
         advice);
  }

  /// An object of PyTorch that is no tensor by its name could still be one in effect.
  void refuse_if_of_torch(const std::string& entry, const PickleValue& value) const {
    constexpr std::array<std::string_view, 2> kHarmless{"torch Size", "torch device"};
    const auto* call = value.as<PickleCall>();
    if (value.as<PickleReference>() != nullptr ||
        (call != nullptr && call->function.starts_with("torch") &&
         std::ranges::find(kHarmless, call->function) == kHarmless.end())) {
      refuse(entry, fmt::format("is {}, but only tensors are read", described(value)));
    }
  }

  /// The dict, list or tensor that is read.
  const PickleValue& choose(const std::string& key, TorchFile& file) const {
    const PickleValue& top = *parts_.pickle.top;
    if (key == ".") {
      if (!is_tensor(top) && !holds_tensors(top)) {
        fail(name_,
             fmt::format("key \".\": the outermost value, {}, holds no tensors itself", described(top)),
             advice_to_choose(places(top, "")));
      }
      return top;
    }
    file.key = key;
    const PickleValue* start = key.empty() ? &top : find(top, key);
    if (start == nullptr) {
      fail(name_, fmt::format("there is no key {:?}", key), advice_to_choose(places(top, "")));
    }
    if (is_tensor(*start)) {
      return *start;
    }
    const std::vector<Place> found = places(*start, key);
    if (found.empty()) {
      refuse_without_tensors(*start, key);
    }
    if (found.size() > 1) {
      fail(name_, fmt::format("{} dicts or lists hold tensors", found.size()), advice_to_choose(found));
    }
    file.key = found[0].key;
    if (found[0].value != start) {
      file.notes.push_back(
          fmt::format("the tensors of {:?} are read{}", file.key, others_of(*start, *found[0].value)));
    }
    return *found[0].value;
  }

  /// Dicts and lists that hold tensors: all, if `start` itself is one, else the least nested.
  std::vector<Place> places(const PickleValue& start, const std::string& key) const {
    std::vector<Place> found, level = {{key, &start}};
    std::set<PicklePointer> seen = {&start}; // values may be nested in circles
    bool start_holds_tensors = false;
    constexpr int kDeepest = 8; // the optimizer's tensors of a checkpoint in a dict have 4
    for (int depth = 0; depth <= kDeepest && !level.empty() && (found.empty() || start_holds_tensors);
         ++depth) {
      std::vector<Place> next;
      for (const Place& place : level) {
        const std::vector<PickleChild> children = children_of(*place.value);
        if (std::ranges::any_of(children, [](const PickleChild& child) { return is_tensor(*child.value); })) {
          found.push_back(
              {place.key.empty() && place.value == parts_.pickle.top ? "." : place.key, place.value});
          start_holds_tensors = start_holds_tensors || place.value == &start;
        }
        for (const PickleChild& child : children) {
          if (is_container(*child.value) && child.name() && seen.insert(child.value).second) {
            next.push_back(
                {place.key.empty() ? *child.name() : place.key + "." + *child.name(), child.value});
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

  static std::string advice_to_choose(const std::vector<Place>& found) {
    std::vector<std::string> keys;
    for (const Place& place : found) {
      keys.push_back(fmt::format("{:?}", place.key.empty() ? "." : place.key));
    }
    if (keys.size() == 1 && keys[0] == "\".\"") {
      return "Its tensors are in no nested dict: leave the key out.";
    }
    return keys.empty() ? kSaveStateDict : "Choose one by its key: " + listed(keys) + ".";
  }

  /// Names may hold dots themselves.
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

  /// Names of the values next to the chosen one, of which only the outermost are worth a line.
  static std::string others_of(const PickleValue& start, const PickleValue& chosen) {
    std::vector<std::string> others;
    for (const PickleChild& child : children_of(start)) {
      if (child.value != &chosen && child.name() && !reaches(*child.value, chosen)) {
        others.push_back(fmt::format("{:?} ({})", *child.name(), described(*child.value)));
      }
    }
    return others.empty()
               ? ""
               : fmt::format("; {} {} left out", listed(others), others.size() == 1 ? "is" : "are");
  }
  static bool reaches(const PickleValue& from, const PickleValue& target) {
    std::set<PicklePointer> seen = {&from};
    std::vector<PicklePointer> open = {&from};
    while (!open.empty()) {
      const PicklePointer value = open.back();
      open.pop_back();
      for (const PickleChild& child : children_of(*value)) {
        if (child.value == &target) {
          return true;
        }
        if (is_container(*child.value) && seen.insert(child.value).second) {
          open.push_back(child.value);
        }
      }
    }
    return false;
  }

  [[noreturn]] void refuse_without_tensors(const PickleValue& value, const std::string& key) const {
    const std::string place = key.empty() ? "" : fmt::format("key {:?} ", key);
    if (!is_container(value)) {
      fail(name_,
           fmt::format("{}holds {}, but a tensor or a dict from names to tensors is needed", place,
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
         fmt::format("{}holds {} without tensors{}", place, value.kind(),
                     found.empty() ? "" : ": " + listed(found)),
         advice);
  }

  /// The arguments of a call, of which there must be from `min` to `max`.
  const std::vector<PicklePointer>& arguments(const std::string& entry, const PickleCall& call, size_t min,
                                              size_t max) const {
    const auto* given = call.arguments->as<PickleTuple>();
    if (given == nullptr || given->items.size() < min || given->items.size() > max) {
      refuse(entry,
             fmt::format("is made by {} with {} arguments, {} to {} expected", python_name(call.function),
                         given == nullptr ? 0 : given->items.size(), min, max));
    }
    return given->items;
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

  /// Undoes what PyTorch wraps around a tensor without changing its numbers: parameters, attributes, devices.
  PickleCall unwrapped(const std::string& entry, const PickleValue& value) const {
    constexpr int kDeepest = 4;
    const PickleValue* inner = &value;
    PickleCall made; // by _rebuild_from_type_v2
    for (int depth = 0; depth < kDeepest; ++depth) {
      const auto* call = inner == nullptr ? &made : inner->as<PickleCall>();
      if (call == nullptr) {
        refuse(entry, fmt::format("is made from {} instead of a tensor", inner->kind()));
      }
      if (call->is_changed) {
        refuse(entry, fmt::format("is made by {} and changed afterwards", python_name(call->function)));
      }
      if (call->function == "torch._utils _rebuild_parameter") {
        inner = arguments(entry, *call, 3, 3)[0]; // tensor, requires_grad, hooks
      } else if (call->function == "torch._utils _rebuild_parameter_with_state") {
        inner = arguments(entry, *call, 4, 4)[0]; // the same and attributes
      } else if (call->function == "torch._utils _rebuild_device_tensor_from_cpu_tensor") {
        inner = arguments(entry, *call, 4, 4)[0]; // tensor, its type, device, requires_grad
      } else if (call->function == "torch._tensor _rebuild_from_type_v2" ||
                 call->function == "torch._tensor _rebuild_from_type") {
        const std::vector<PicklePointer>& given =
            arguments(entry, *call, 4, 4); // function, class, arguments, state
        const auto *function = given[0]->as<PickleGlobal>(), *type = given[1]->as<PickleGlobal>();
        if (function == nullptr || type == nullptr) {
          refuse(entry, "is made without a function or a class");
        }
        if (std::ranges::find(kPlainClasses, type->name) == kPlainClasses.end()) {
          refuse(entry,
                 fmt::format("is of the class {}, which may mean more than its numbers",
                             python_name(type->name)),
                 "Save tensor.as_subclass(torch.Tensor) if its numbers are all that is needed.");
        }
        PickleCall next{function->name, given[2]};
        made = next;
        inner = nullptr;
      } else {
        return *call;
      }
    }
    refuse(entry, fmt::format("is wrapped more than {} times", kDeepest));
  }

  TorchFileEntry entry(const std::string& entry_name, const PickleValue& value) const {
    const PickleCall call = unwrapped(entry_name, value);
    if (const auto refusal = std::ranges::find(kRefusals, call.function, &Refusal::function);
        refusal != kRefusals.end()) {
      refuse(entry_name, std::string(refusal->problem), std::string(refusal->advice));
    }
    const bool is_v1 = call.function == "torch._utils _rebuild_tensor",
               is_v3 = call.function == "torch._utils _rebuild_tensor_v3";
    if (!is_v1 && !is_v3 && call.function != "torch._utils _rebuild_tensor_v2") {
      refuse(entry_name,
             fmt::format("is made by {}, but only plain tensors are read", python_name(call.function)));
    }
    // storage, offset, sizes, strides; requires_grad, hooks; v3: type; metadata
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

  /// Fills in where the storage is and of what type; returns how many numbers it holds. `own_type` is that of the
  /// tensor if the storage has none.
  int64_t put_storage(TorchFileEntry& entry, const PickleValue& value, PicklePointer own_type) const {
    const auto* reference = value.as<PickleReference>();
    const auto* id = reference == nullptr ? nullptr : reference->id->as<PickleTuple>();
    // "storage", type, key, device, numbers; before PyTorch 1.6 also a view, None since PyTorch 0.4
    if (id == nullptr || id->items.size() < 5 || id->items.size() > 6) {
      refuse(entry.name, "has no storage");
    }
    if (id->items.size() == 6 && id->items[5]->as<PickleNone>() == nullptr) {
      refuse(entry.name, "has a storage that is a view of another, as PyTorch wrote before version 0.4");
    }
    const auto* global = id->items[1]->as<PickleGlobal>();
    const auto* key = id->items[2]->as<std::string>();
    const auto* device = id->items[3]->as<std::string>();
    if (global == nullptr || key == nullptr || device == nullptr) {
      refuse(entry.name, "has a storage without type, key or device");
    }
    if (*device == "meta") {
      refuse(entry.name, "is on the meta device and has no numbers",
             "Give the model its weights before it is saved.");
    }
    const TorchStorageType type = type_of(entry.name, global->name, own_type);
    const auto storage = parts_.storages.find(*key);
    if (storage == parts_.storages.end()) {
      refuse(entry.name, fmt::format("is in storage {:?}, which is not in the file", *key), kFetchAgain);
    }
    // A storage without a type counts bytes.
    const int64_t bytes = storage->second.end - storage->second.begin,
                  counted = count(entry.name, *id->items[4]), unit = own_type != nullptr ? 1 : type.bytes;
    if (bytes % unit != 0 || bytes / unit != counted || bytes % type.bytes != 0) {
      refuse(entry.name, fmt::format("needs {} numbers of {} bytes, but storage {:?} has {} bytes", counted,
                                     unit, *key, bytes));
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
      refuse(entry, "has a storage or type that does not belong to _rebuild_tensor_v3");
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
    refuse(entry, fmt::format("is of type {}, which is not read here", python_name(name)),
           is_complex ? "Save torch.view_as_real(tensor) instead, or its real part."
                      : "Save tensor.float() instead.");
  }

  /// PyTorch's lazy negation and conjugation.
  void put_metadata(TorchFileEntry& entry, const PickleValue& metadata) const {
    if (metadata.as<PickleNone>() != nullptr) {
      return;
    }
    if (metadata.as<PickleDict>() == nullptr) {
      refuse(entry.name, fmt::format("has {} for its metadata", metadata.kind()));
    }
    for (const PickleChild& child : children_of(metadata)) {
      const std::optional<std::string> name = child.name();
      const auto* is_set = child.value->as<bool>();
      if (name == "neg" && is_set != nullptr &&
          (entry.dtype.starts_with('F') || entry.dtype.starts_with('I') || entry.dtype == "BF16")) {
        entry.is_negated = *is_set;
      } else if (is_set == nullptr || *is_set) {
        refuse(entry.name, fmt::format("has the metadata {:?}, which is not read here", name.value_or("")),
               "Save tensor.resolve_conj().resolve_neg() instead.");
      }
    }
  }

  /// Every element must be within the storage.
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
    bool within = elements && last < numbers;
    for (size_t i = 0; within && i < entry.shape.size(); ++i) {
      const int64_t steps = entry.shape[i] - 1;
      within = steps == 0 || entry.strides[i] <= (numbers - 1 - last) / steps;
      last += within ? steps * entry.strides[i] : 0;
    }
    if (!within) {
      refuse(entry.name, fmt::format("reaches beyond the {} numbers of its storage", numbers));
    }
  }

  const TorchParts& parts_;
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
  const TorchParts parts = torch_parts(bytes, name);
  return Reader(parts, name).read(key);
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
