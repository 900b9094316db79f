// SPDX-License-Identifier: MIT

/// Resumable downloads with verification by size and SHA-256.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "fetch/data_sets.h"
#include "mneme/core/progress.h"

namespace mneme::fetch {

enum class FileState {
  missing,
  partial,    ///< an incomplete download exists as NAME.part
  other_size, ///< exists, but not with the published size
  present     ///< exists with the published size; the contents are checked by `is_published` only
};
FileState state_of(const RemoteFile& file, const std::filesystem::path& folder);

/// True if the file in the folder has the published SHA-256.
bool is_published(const RemoteFile& file, const std::filesystem::path& folder);

/// Downloads the file into the folder as NAME.part, which is renamed after size and SHA-256 have been
/// verified. Resumes from an existing NAME.part and after a broken connection; tries the mirrors in order.
///
/// Errors  NetworkError of the last mirror; DataError if the download is not the published file; OutputError;
///         Interrupted. The received bytes stay in NAME.part, unless they were wrong
void download(const RemoteFile& file, std::span<const std::string> mirrors,
              const std::filesystem::path& folder, Progress& progress);

/// Ensures that the folder (created if needed) contains every file of the data set with the published
/// SHA-256. Downloads missing files only.
///
/// Errors  as `download`; DataError if an existing file is not the published one (it is never modified)
void get_data_set(const DataSet& set, std::span<const std::string> mirrors,
                  const std::filesystem::path& folder, Progress& progress);

} // namespace mneme::fetch
