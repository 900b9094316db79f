// SPDX-License-Identifier: MIT

/// Parser of Python pickles that executes nothing: plain values are read, and objects are represented by the
/// name of their class or function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mneme::data {

struct PickleValue;
/// Points into Pickle::values. Values may be nested to any depth and may contain cycles.
using PicklePointer = const PickleValue*;

struct PickleNone {};
/// Name of a class or function, such as "torch FloatStorage"; never imported.
struct PickleGlobal {
  std::string name;
};
/// A tuple or list.
struct PickleTuple {
  std::vector<PicklePointer> items = {};
};
struct PickleDict {
  std::vector<std::pair<PicklePointer, PicklePointer>> items = {};
};
/// An object: the function or class that Python would call to create it, and the arguments. Nothing is
/// called.
struct PickleCall {
  std::string function;
  PicklePointer arguments;
  bool is_changed = false; ///< the pickle sets attributes or items afterwards; these are not read
};
/// A persistent id: refers to data outside of the pickle.
struct PickleReference {
  PicklePointer id;
};
struct PickleBytes {};       ///< a bytes object; its content is skipped
struct PickleLongInteger {}; ///< an integer that does not fit 64 bits

struct PickleValue {
  std::variant<PickleNone, bool, int64_t, double, std::string, PickleGlobal, PickleTuple, PickleDict,
               PickleCall, PickleReference, PickleBytes, PickleLongInteger>
      content;

  template <class Kind> const Kind* as() const { return std::get_if<Kind>(&content); }
  const char* kind() const; ///< description of the type for messages
};

struct Pickle {
  std::deque<PickleValue> values;
  PicklePointer top;
};

/// An item of a dict or list.
struct PickleChild {
  PicklePointer key; ///< null in a list
  size_t index;
  PicklePointer value;

  /// The key as a string, or the index in a list. Nothing if the key is neither a string nor an integer.
  std::optional<std::string> name() const;
};
/// Items of a dict or list; empty for any other value.
std::vector<PickleChild> children_of(const PickleValue& value);
bool is_container(const PickleValue& value); ///< a dict or list

/// Converts "torch._utils _rebuild_tensor_v2" to Python's notation with a dot.
std::string python_name(std::string global);

/// Parses the pickle at the beginning of `bytes`. `collections.OrderedDict()` and `defaultdict()` become
/// dicts. If `size` is given, it is set to the length of the pickle; otherwise no bytes may follow it.
///
/// Errors  DataError; `part` is the name of the pickle in messages
Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& name, const std::string& part,
                    int64_t* size = nullptr);

} // namespace mneme::data
