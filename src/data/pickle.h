// SPDX-License-Identifier: MIT

/// Python pickles: plain values, and what else is in them by the name of its class or function alone.
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
/// An object: the function or class that would be called, and its arguments. Nothing is ever called.
struct PickleCall {
  std::string function;
  PicklePointer arguments;
  bool is_changed = false; ///< attributes or items are set afterwards, which are skipped here
};
/// Data outside of the pickle.
struct PickleReference {
  PicklePointer id;
};
struct PickleBytes {};       ///< their content is skipped
struct PickleLongInteger {}; ///< beyond 64 bits

struct PickleValue {
  std::variant<PickleNone, bool, int64_t, double, std::string, PickleGlobal, PickleTuple, PickleDict,
               PickleCall, PickleReference, PickleBytes, PickleLongInteger>
      content;

  template <class Kind> const Kind* as() const { return std::get_if<Kind>(&content); }
  const char* kind() const; ///< in words, for messages
};

struct Pickle {
  std::deque<PickleValue> values;
  PicklePointer top;
};

/// A value of a dict or list, with the key that leads to it.
struct PickleChild {
  PicklePointer key; ///< null in a list
  size_t index;
  PicklePointer value;

  /// Nothing if the key is neither a text nor a whole number.
  std::optional<std::string> name() const;
};
/// Empty for anything but a dict or list.
std::vector<PickleChild> children_of(const PickleValue& value);
bool is_container(const PickleValue& value); ///< a dict or list

/// "torch._utils _rebuild_tensor_v2" with a dot, as Python writes it.
std::string python_name(std::string global);

/// The value that the pickle at the beginning of `bytes` holds. `collections.OrderedDict()` and `defaultdict()` are
/// dicts. `size` is set to the number of bytes up to its end; without it, none may follow.
///
/// Errors  DataError, which calls the pickle `part` of the file
Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& name, const std::string& part,
                    int64_t* size = nullptr);

} // namespace mneme::data
