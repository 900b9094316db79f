// SPDX-License-Identifier: MIT

/// Takes files out of an archive.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mneme::fetch {

/// Writes the files of these names (their paths within the archive do not matter) into `folder`, each atomically.
///
/// Errors  DataError if the archive cannot be read or lacks one of them; OutputError; Interrupted
void unpack(const std::filesystem::path& archive, const std::vector<std::string>& names,
            const std::filesystem::path& folder);

} // namespace mneme::fetch
