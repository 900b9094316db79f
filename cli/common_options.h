// SPDX-License-Identifier: MIT

/// Options that all verbs share, and the declaration of all arguments of a verb.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/verb.h"

namespace mneme::cli {

/// Heading of the common options in the help.
inline constexpr const char* kCommonGroup = "Common options";

/// Declares the arguments of the verb and the common options. If the verb has subcommands
/// (`train latch`), the common options are declared on each of them, and a subcommand is required unless the
/// verb has called `require_subcommand(0, 1)`. `verb` and `options` must outlive
/// `arguments`.
void declare_arguments(Verb& verb, Arguments& arguments, CommonOptions& options);

/// Adds --device, for verbs that compute layers. The initial value of `target` is the default.
void add_device_option(Arguments& arguments, std::string& target);

/// Errors  UsageError for random patterns, such as "random:100x256", which only `mneme recall` generates
void require_pattern_files(const std::vector<std::string>& paths, const char* option);

/// The array to read from `paths`: `own`, if it is given, else `shared`, the name of --tensor, if a file has
/// named arrays (by the end of its name).
std::string tensor_of(const std::vector<std::string>& paths, const std::string& own,
                      const std::string& shared);

} // namespace mneme::cli
