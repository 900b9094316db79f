// SPDX-License-Identifier: MIT

#include "data/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "data/source.h"

namespace mneme::data {
namespace {

/// Opcodes of pickle protocols 1 to 5; those of protocol 0 are not supported.
enum Operation : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopToMark = '1',
  kDuplicate = '2',
  kIntLine = 'I',
  kLongLine = 'L',
  kInt = 'J',
  kInt1 = 'K',
  kInt2 = 'M',
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kFloat = 'G',
  kNone = 'N',
  kTrue = 0x88,
  kFalse = 0x89,
  kText = 'X',
  kShortText = 0x8c,
  kLongText = 0x8d,
  kOldBytes = 'T',
  kShortOldBytes = 'U',
  kBytes = 'B',
  kShortBytes = 'C',
  kLongBytes = 0x8e,
  kByteArray = 0x96,
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kList = 'l',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kDict = 'd',
  kSetItem = 's',
  kSetItems = 'u',
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kNewObject = 0x81,
  kNewObjectByKeys = 0x92,
  kBuild = 'b',
  kReference = 'Q',
  kPut1 = 'q',
  kPut4 = 'r',
  kMemoize = 0x94,
  kGet1 = 'h',
  kGet4 = 'j',
  kProtocol = 0x80,
  kFrame = 0x95,
};

/// Stack machine that runs the opcodes of a pickle, but never imports or calls anything.
class PickleMachine {
public:
  PickleMachine(std::span<const std::byte> bytes, const std::string& name, const std::string& part)
      : bytes_(bytes), name_(name), part_(part) {}

  Pickle run() {
    for (;;) {
      const auto operation = static_cast<uint8_t>(number(1));
      if (operation == kStop) {
        require(stack_.size() == 1 && marks_.empty(), "the pickle does not end with exactly one value");
        return {std::move(values_), stack_.back()};
      }
      step(operation);
    }
  }

  size_t size() const { return at_; } ///< bytes read

private:
  void require(bool holds, const std::string& problem) const {
    if (!holds) {
      fail(name_, fmt::format("byte {} of {}: {}", at_, part_, problem), kFileDamaged);
    }
  }

  std::span<const std::byte> take(uint64_t count) {
    require(count <= bytes_.size() - at_, "the data ends too early");
    at_ += static_cast<size_t>(count);
    return bytes_.subspan(at_ - static_cast<size_t>(count), static_cast<size_t>(count));
  }
  uint64_t number(uint64_t count) { // little endian
    uint64_t value = 0, shift = 0;
    for (const std::byte digit : take(count)) {
      value |= std::to_integer<uint64_t>(digit) << shift;
      shift += 8;
    }
    return value;
  }
  std::string text(uint64_t count) {
    const std::span<const std::byte> letters = take(count);
    return {reinterpret_cast<const char*>(letters.data()), letters.size()};
  }
  std::string line() {
    std::string letters;
    for (char letter = 0; (letter = static_cast<char>(number(1))) != '\n';) {
      letters += letter;
    }
    return letters;
  }
  void long_integer(uint64_t count) {
    if (count > 8) {
      take(count);
      return push(PickleLongInteger{});
    }
    const uint64_t bits = number(count);
    const uint64_t unused = 64 - 8 * count; // the sign is the highest bit of the last byte
    push(count == 0 ? int64_t{0} : static_cast<int64_t>(bits << unused) >> unused);
  }
  /// A line with a decimal number, or "00" for false and "01" for true.
  void decimal_integer() {
    std::string digits = line();
    if (digits == "00" || digits == "01") {
      return push(digits == "01");
    }
    if (digits.ends_with('L')) {
      digits.pop_back();
    }
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    require(error != std::errc::invalid_argument && end == digits.data() + digits.size(),
            "an integer is not written in decimal digits");
    if (error == std::errc::result_out_of_range) {
      return push(PickleLongInteger{});
    }
    push(value);
  }
  void skip_bytes(uint64_t count) {
    take(count);
    push(PickleBytes{});
  }
  double real() {
    uint64_t bits = 0;
    for (const std::byte digit : take(8)) { // big endian
      bits = bits << 8 | std::to_integer<uint64_t>(digit);
    }
    return std::bit_cast<double>(bits);
  }

  template <class Content> void push(Content content) {
    stack_.push_back(&values_.emplace_back(PickleValue{std::move(content)}));
  }
  /// Removes the top value. Values below the last mark cannot be removed.
  PickleValue* pop() {
    require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "a value is missing");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleValue* top() const {
    require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "a value is missing");
    return stack_.back();
  }
  std::vector<PicklePointer> pop_count(size_t count) {
    std::vector<PicklePointer> items(count);
    for (size_t i = count; i-- > 0;) {
      items[i] = pop();
    }
    return items;
  }
  std::vector<PicklePointer> pop_to_mark() {
    require(!marks_.empty(), "a mark is missing");
    std::vector<PicklePointer> items = pop_count(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  template <class Kind> Kind& top_as(const char* what) {
    auto* kind = std::get_if<Kind>(&top()->content);
    require(kind != nullptr, fmt::format("expected {}, found {}", what, top()->kind()));
    return *kind;
  }
  std::string pop_text() {
    const PickleValue* value = pop();
    const auto* letters = value->as<std::string>();
    require(letters != nullptr, fmt::format("expected a string, found {}", value->kind()));
    return *letters;
  }

  /// True if the top value is an object. Marks it as changed; its attributes and items are not stored.
  bool mark_object_changed() {
    auto* object = std::get_if<PickleCall>(&top()->content);
    if (object != nullptr) {
      object->is_changed = true;
    }
    return object != nullptr;
  }
  void append(const std::vector<PicklePointer>& items) {
    if (mark_object_changed()) {
      return;
    }
    auto& list = top_as<PickleTuple>("a list");
    list.items.insert(list.items.end(), items.begin(), items.end());
  }
  void set(const std::vector<PicklePointer>& items) {
    require(items.size() % 2 == 0, "a key has no value");
    if (mark_object_changed()) {
      return;
    }
    auto& dict = top_as<PickleDict>("a dict");
    for (size_t i = 0; i < items.size(); i += 2) {
      dict.items.emplace_back(items[i], items[i + 1]);
    }
  }
  void call(PicklePointer arguments) {
    const PickleValue* function = pop();
    if (const auto* inner = function->as<PickleCall>()) { // such as functools.partial
      return push(PickleCall{inner->function + "(...)", arguments});
    }
    const auto* global = function->as<PickleGlobal>();
    require(global != nullptr, fmt::format("expected a function, found {}", function->kind()));
    const auto* given = arguments->as<PickleTuple>();
    const bool is_empty = given != nullptr && given->items.empty();
    if ((global->name == "collections OrderedDict" && is_empty) ||
        global->name == "collections defaultdict") { // its argument is the factory of default values
      push(PickleDict{});
    } else {
      push(PickleCall{global->name, arguments});
    }
  }
  void get(uint64_t place) {
    const auto found = memo_.find(place);
    require(found != memo_.end(), fmt::format("memo entry {} is used but was never stored", place));
    stack_.push_back(found->second);
  }

  void step(uint8_t operation) {
    switch (operation) {
    case kProtocol:
      require(number(1) <= 5, "pickle protocols above 5 are not supported");
      return;
    case kFrame:
      take(8);
      return;
    case kMark:
      marks_.push_back(stack_.size());
      return;
    case kInt:
      return push(int64_t{static_cast<int32_t>(static_cast<uint32_t>(number(4)))});
    case kInt1:
      return push(static_cast<int64_t>(number(1)));
    case kInt2:
      return push(static_cast<int64_t>(number(2)));
    case kLong1:
    case kLong4:
      return long_integer(number(operation == kLong1 ? 1 : 4));
    case kIntLine:
    case kLongLine:
      return decimal_integer();
    case kPop:
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return;
    case kPopToMark:
      pop_to_mark();
      return;
    case kDuplicate:
      stack_.push_back(top());
      return;
    case kFloat:
      return push(real());
    case kNone:
      return push(PickleNone{});
    case kTrue:
      return push(true);
    case kFalse:
      return push(false);
    case kText:
      return push(text(number(4)));
    case kShortText:
      return push(text(number(1)));
    case kLongText:
      return push(text(number(8)));
    case kShortOldBytes:
    case kShortBytes:
      return skip_bytes(number(1));
    case kOldBytes:
    case kBytes:
      return skip_bytes(number(4));
    case kLongBytes:
    case kByteArray:
      return skip_bytes(number(8));
    case kEmptyTuple:
    case kEmptyList:
      return push(PickleTuple{});
    case kTuple:
    case kList:
      return push(PickleTuple{pop_to_mark()});
    case kTuple1:
    case kTuple2:
    case kTuple3:
      return push(PickleTuple{pop_count(operation - kTuple1 + 1)});
    case kAppend:
      return append(pop_count(1));
    case kAppends:
      return append(pop_to_mark());
    case kEmptyDict:
      return push(PickleDict{});
    case kDict: {
      const std::vector<PicklePointer> items = pop_to_mark();
      push(PickleDict{});
      return set(items);
    }
    case kEmptySet:
      return push(PickleCall{"builtins set", &values_.emplace_back(PickleValue{PickleTuple{}})});
    case kAddItems:
      return append(pop_to_mark());
    case kFrozenSet: {
      PickleTuple items{pop_to_mark()};
      return push(PickleCall{"builtins frozenset", &values_.emplace_back(PickleValue{std::move(items)})});
    }
    case kSetItem:
      return set(pop_count(2));
    case kSetItems:
      return set(pop_to_mark());
    case kGlobal: {
      const std::string module = line();
      return push(PickleGlobal{module + " " + line()});
    }
    case kStackGlobal: {
      const std::string global = pop_text();
      return push(PickleGlobal{pop_text() + " " + global});
    }
    case kReduce:
    case kNewObject:
      return call(pop());
    case kNewObjectByKeys:
      pop();
      return call(pop());
    case kBuild: // attributes of a dict, such as _metadata, are not needed
      pop();
      if (!mark_object_changed()) {
        top_as<PickleDict>("a dict");
      }
      return;
    case kReference:
      return push(PickleReference{pop()});
    case kPut1:
    case kPut4:
      memo_[number(operation == kPut1 ? 1 : 4)] = top();
      return;
    case kMemoize:
      memo_[memo_.size()] = top();
      return;
    case kGet1:
    case kGet4:
      return get(number(operation == kGet1 ? 1 : 4));
    default:
      fail(name_,
           fmt::format("byte {} of {}: opcode {:#x} is not supported, because torch.save does not write it",
                       at_ - 1, part_, operation),
           "Save model.state_dict() with torch.save, or convert it to .safetensors.");
    }
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  const std::string& part_;
  size_t at_ = 0;
  std::deque<PickleValue> values_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::map<uint64_t, PickleValue*> memo_;
};

} // namespace

const char* PickleValue::kind() const {
  constexpr std::array kKinds = {
      "None",   "a boolean", "an integer", "a float",   "a string", "a class or function",
      "a list", "a dict",    "an object",  "a storage", "bytes",    "an integer of more than 64 bits"};
  return kKinds.at(content.index());
}

std::optional<std::string> PickleChild::name() const {
  if (key == nullptr) {
    return std::to_string(index);
  }
  if (const auto* number = key->as<int64_t>()) {
    return std::to_string(*number);
  }
  const auto* text = key->as<std::string>();
  return text == nullptr ? std::nullopt : std::optional(*text);
}

std::vector<PickleChild> children_of(const PickleValue& value) {
  std::vector<PickleChild> children;
  if (const auto* dict = value.as<PickleDict>()) {
    for (const auto& [key, item] : dict->items) {
      children.push_back({key, children.size(), item});
    }
  } else if (const auto* list = value.as<PickleTuple>()) {
    for (const PicklePointer item : list->items) {
      children.push_back({nullptr, children.size(), item});
    }
  }
  return children;
}
bool is_container(const PickleValue& value) {
  return value.as<PickleDict>() != nullptr || value.as<PickleTuple>() != nullptr;
}

std::string python_name(std::string global) {
  std::ranges::replace(global, ' ', '.');
  return global;
}

Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& name, const std::string& part,
                    int64_t* size) {
  PickleMachine machine(bytes, name, part);
  Pickle pickle = machine.run();
  if (size != nullptr) {
    *size = static_cast<int64_t>(machine.size());
  } else if (machine.size() != bytes.size()) {
    fail(name, fmt::format("{} ends at byte {}, but has {} bytes", part, machine.size(), bytes.size()),
         kFileDamaged);
  }
  return pickle;
}

} // namespace mneme::data
