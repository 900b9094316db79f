// SPDX-License-Identifier: MIT

/// From a mirror to a file that is whole and the right one.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "fetch/data_sets.h"
#include "mneme/core/progress.h"

namespace mneme::fetch {

enum class FileState {
  missing,
  partial,    ///< NAME.part: the beginning has come
  other_size, ///< there, but not of the published size
  present     ///< there, of the published size; only `is_published` reads it
};
FileState state_of(const RemoteFile& file, const std::filesystem::path& folder);

/// Whether the file in the folder has the published SHA-256.
bool is_published(const RemoteFile& file, const std::filesystem::path& folder);

/// Fetches the file into the folder as NAME.part, renamed once size and SHA-256 are right. Goes on from a
/// NAME.part that is there, and after a connection that broke; asks the mirrors in their order.
///
/// Errors  NetworkError of the last mirror; DataError if what came is not the published file; OutputError;
///         Interrupted. What has come stays in NAME.part, unless it was wrong
void download(const RemoteFile& file, std::span<const std::string> mirrors,
              const std::filesystem::path& folder, Progress& progress);

/// Makes sure that every file of the data set lies in the folder (created if needed), with the published
/// SHA-256, and fetches only what is not there.
///
/// Errors  as `download`; a file that is there but is not the published one is never touched: DataError
void get_data_set(const DataSet& set, std::span<const std::string> mirrors,
                  const std::filesystem::path& folder, Progress& progress);

} // namespace mneme::fetch
