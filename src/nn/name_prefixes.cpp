// SPDX-License-Identifier: MIT

#include "nn/name_prefixes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "mneme/core/error.h"

namespace mneme::nn {
namespace {

constexpr std::array<std::string_view, 4> kWrappers{"module", "_orig_mod", "_fsdp_wrapped_module",
                                                    "_checkpoint_wrapped_module"};

/// "a.b.a.c" without "a" is "b.c". The last component is always kept: it is the name of the parameter.
std::string without_component(const std::string& name, std::string_view component) {
  std::string kept;
  std::string_view rest = name;
  for (size_t dot = 0; (dot = rest.find('.')) != std::string_view::npos; rest.remove_prefix(dot + 1)) {
    if (rest.substr(0, dot) != component) {
      kept.append(rest, 0, dot + 1);
    }
  }
  kept.append(rest);
  return kept;
}

/// The state with renamed tensors; nullopt if two names would become equal.
template <class Rename> std::optional<NamedTensors> renamed(const NamedTensors& state, Rename rename) {
  NamedTensors result;
  for (const auto& [name, tensor] : state) {
    if (!result.emplace(rename(name), tensor).second) {
      return std::nullopt;
    }
  }
  return result;
}

/// The first component that all names share, with its dot; empty if there is none.
std::string common_prefix(const NamedTensors& state) {
  const std::string& first = state.begin()->first;
  const std::string prefix = first.substr(0, first.find('.') + 1); // find's npos + 1 is 0
  const bool is_common = std::ranges::all_of(state, [&](const auto& entry) {
    return entry.first.size() > prefix.size() && entry.first.starts_with(prefix);
  });
  return is_common ? prefix : "";
}

} // namespace

std::vector<std::string> remove_name_prefixes(NamedTensors& state, const std::set<std::string>& known) {
  const auto is_known = [&](const auto& entry) { return known.contains(entry.first); };
  std::vector<std::string> notes;
  if (std::ranges::all_of(state, is_known)) {
    return notes;
  }
  for (const std::string_view wrapper : kWrappers) {
    const auto rename = [&](const std::string& name) { return without_component(name, wrapper); };
    if (std::ranges::any_of(known, [&](const std::string& name) { return rename(name) != name; }) ||
        std::ranges::all_of(state, [&](const auto& entry) { return rename(entry.first) == entry.first; })) {
      continue;
    }
    if (std::optional<NamedTensors> shorter = renamed(state, rename)) {
      state = std::move(*shorter);
      notes.push_back(c10::str("\"", wrapper, ".\" is removed from the names of its tensors"));
    }
  }
  NamedTensors shorter = state;
  std::string removed; // all common prefixes so far
  for (std::string prefix = common_prefix(shorter);
       !prefix.empty() && std::ranges::none_of(shorter, is_known); prefix = common_prefix(shorter)) {
    shorter = *renamed(shorter, [&](const std::string& name) { return name.substr(prefix.size()); });
    removed += prefix;
  }
  if (!removed.empty() && std::ranges::any_of(shorter, is_known)) {
    state = std::move(shorter);
    notes.push_back(c10::str("\"", removed, "\" is removed from the names of its tensors"));
  }
  return notes;
}

NamedTensors without_model_prefix(NamedTensors state, std::string_view prefix, const std::string& source) {
  NamedTensors result;
  for (auto& [name, tensor] : state) {
    const std::string short_name = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    if (!result.emplace(short_name, std::move(tensor)).second) {
      throw DataError(c10::str(source, ": contains both \"", short_name, "\" and \"", prefix, short_name,
                               "\".\n  They are two names of one parameter: keep one."));
    }
  }
  return result;
}

} // namespace mneme::nn
