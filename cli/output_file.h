// SPDX-License-Identifier: MIT

/// Check of single output files before a computation: no input and no file of another kind is replaced.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace mneme::cli {

/// Errors  UsageError if `out` is one of the files that are read, also by another name. `option` is that of
///         `out`
void require_other_file(const std::string& option, const std::filesystem::path& out,
                        const std::vector<std::filesystem::path>& inputs);

struct OutputFile {
  std::string option; ///< such as "--out"
  std::filesystem::path path;
  std::vector<std::filesystem::path> inputs = {}; ///< files that are read; "-" and missing ones are ignored
  std::string kind;                               ///< such as "a token file", for messages
  /// Whether an existing file is of this kind. It is not called for empty files.
  std::function<bool(const std::filesystem::path& file)> is_of_kind;
};

/// Checks that the file can be written, and that it may be replaced: an existing file must be empty or of the
/// same kind, and not write-protected, which the administrator could replace, too. Pipes and devices are
/// always written to.
///
/// Errors  UsageError; OutputError as require_writable
void require_replaceable(const OutputFile& file);

} // namespace mneme::cli
