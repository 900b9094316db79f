// SPDX-License-Identifier: MIT

#include "data/pickle.h"

#include <array>
#include <bit>
#include <map>

#include <fmt/format.h>

#include "data/source.h"

namespace mneme::data {
namespace {

/// The operations that torch.save writes (protocols 2 to 4).
enum Operation : uint8_t {
  kMark = '(',
  kStop = '.',
  kInt = 'J',
  kInt1 = 'K',
  kInt2 = 'M',
  kLong1 = 0x8a,
  kFloat = 'G',
  kNone = 'N',
  kTrue = 0x88,
  kFalse = 0x89,
  kText = 'X',
  kShortText = 0x8c,
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
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

class Machine {
public:
  Machine(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  Pickle run() {
    for (;;) {
      const auto operation = static_cast<uint8_t>(number(1));
      if (operation == kStop) {
        require(stack_.size() == 1 && marks_.empty(), "it ends with more than one value, or none");
        return {std::move(values_), stack_.back()};
      }
      step(operation);
    }
  }

private:
  void require(bool holds, const std::string& problem) const {
    if (!holds) {
      fail(name_, fmt::format("byte {} of data.pkl: {}", at_, problem), kFetchAgain);
    }
  }

  std::span<const std::byte> take(uint64_t count) {
    require(count <= bytes_.size() - at_, "it ends too early");
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
  int64_t long_integer() {
    const uint64_t count = number(1);
    require(count <= 8, "a whole number has more than 8 bytes");
    const uint64_t bits = number(count);
    const uint64_t unused = 64 - 8 * count; // the sign stands in the highest bit that is there
    return count == 0 ? 0 : static_cast<int64_t>(bits << unused) >> unused;
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
  /// Values above the last mark stay out of reach.
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
    require(kind != nullptr, fmt::format("{} is needed, found {}", what, top()->kind()));
    return *kind;
  }
  std::string pop_text() {
    const PickleValue* value = pop();
    const auto* letters = value->as<std::string>();
    require(letters != nullptr, fmt::format("a text is needed, found {}", value->kind()));
    return *letters;
  }

  void append(const std::vector<PicklePointer>& items) {
    auto& list = top_as<PickleTuple>("a list");
    list.items.insert(list.items.end(), items.begin(), items.end());
  }
  void set(const std::vector<PicklePointer>& items) {
    auto& dict = top_as<PickleDict>("a dict");
    require(items.size() % 2 == 0, "a key has no value");
    for (size_t i = 0; i < items.size(); i += 2) {
      dict.items.emplace_back(items[i], items[i + 1]);
    }
  }
  void call() {
    const PickleValue *arguments = pop(), *function = pop();
    const auto* global = function->as<PickleGlobal>();
    require(global != nullptr, fmt::format("a function is needed, found {}", function->kind()));
    if (global->name == "collections OrderedDict") {
      push(PickleDict{});
    } else {
      push(PickleCall{global->name, arguments});
    }
  }
  void get(uint64_t place) {
    const auto found = memo_.find(place);
    require(found != memo_.end(), fmt::format("value {} is asked for but was never kept", place));
    stack_.push_back(found->second);
  }

  void step(uint8_t operation) {
    switch (operation) {
    case kProtocol:
      require(number(1) <= 5, "a protocol beyond 5");
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
      return push(long_integer());
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
    case kEmptyTuple:
    case kEmptyList:
      return push(PickleTuple{});
    case kTuple:
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
      return call();
    case kBuild: // attributes of a dict, such as its _metadata: nothing of them is needed
      pop();
      top_as<PickleDict>("a dict");
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
           fmt::format("byte {} of data.pkl: operation {:#x} is none that a dict of tensors takes", at_ - 1,
                       operation),
           "Save model.state_dict() alone, or convert it to .safetensors.");
    }
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  size_t at_ = 0;
  std::deque<PickleValue> values_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::map<uint64_t, PickleValue*> memo_;
};

} // namespace

const char* PickleValue::kind() const {
  constexpr std::array kKinds = {"nothing", "a truth value", "a whole number", "a number",  "a text",
                                 "a name",  "a list",        "a dict",         "an object", "a storage"};
  return kKinds.at(content.index());
}

Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& name) {
  return Machine(bytes, name).run();
}

} // namespace mneme::data
