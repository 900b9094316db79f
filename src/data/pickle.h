// SPDX-License-Identifier: MIT

/// Python pickles, as far as a dict of tensors takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mneme::data {

struct PickleValue;
using PicklePointer =
    const PickleValue*; ///< into Pickle::values: they may be nested to any depth, or in circles

struct PickleNone {};
/// A name of a module, which is never looked up: "torch FloatStorage".
struct PickleGlobal {
  std::string name;
};
struct PickleTuple { ///< or a list
  std::vector<PicklePointer> items = {};
};
struct PickleDict {
  std::vector<std::pair<PicklePointer, PicklePointer>> items = {};
};
/// What would be called, and with what.
struct PickleCall {
  std::string function;
  PicklePointer arguments;
};
/// What lies outside of the pickle.
struct PickleReference {
  PicklePointer id;
};

struct PickleValue {
  std::variant<PickleNone, bool, int64_t, double, std::string, PickleGlobal, PickleTuple, PickleDict,
               PickleCall, PickleReference>
      content;

  template <class Kind> const Kind* as() const { return std::get_if<Kind>(&content); }
  const char* kind() const; ///< in words, for messages
};

struct Pickle {
  std::deque<PickleValue> values;
  PicklePointer top;
};

/// What `bytes` hold; `collections.OrderedDict()` comes as a dict.
///
/// Errors  DataError
Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::data
