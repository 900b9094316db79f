// SPDX-License-Identifier: MIT

/// The options of every verb, and a verb's arguments as a whole.
#pragma once

#include "cli/verb.h"

namespace mneme::cli {

/// Declares the verb's own arguments on `app` and the common ones on it, or, where the verb has verbs of its own
/// (`memory create`), on each of those; one of them must then be named, unless the verb has said
/// `require_subcommand(0, 1)`. `verb` and `options` outlive `app`.
void declare_arguments(Verb& verb, CLI::App& app, CommonOptions& options);

/// --device, for verbs that compute layers; `target` holds the default.
void add_device_option(CLI::App& app, std::string& target);

} // namespace mneme::cli
