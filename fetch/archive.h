// SPDX-License-Identifier: MIT

/// Extraction of files from an archive.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mneme::fetch {

/// Extracts the named files into `folder`, each atomically. `names` are file names without folders; the
/// folders within the archive are ignored.
///
/// Errors  DataError if the archive cannot be read or does not contain one of the files; OutputError;
///         Interrupted
void unpack(const std::filesystem::path& archive, const std::vector<std::string>& names,
            const std::filesystem::path& folder);

} // namespace mneme::fetch
