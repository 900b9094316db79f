// SPDX-License-Identifier: MIT

/// Published data sets for `mneme data get`: addresses, sizes and checksums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mneme::fetch {

/// One file to fetch.
struct RemoteFile {
  std::string name;   ///< name after the mirror's address, and in the folder
  int64_t size;       ///< in bytes
  std::string sha256; ///< 64 hexadecimal digits
};

struct DataSet {
  std::string name, title;
  std::vector<std::string> mirrors; ///< addresses of folders, each ending with "/", in order of preference
  std::vector<RemoteFile> files;    ///< files to download
  /// Contents of the archives in `files`, extracted into one folder. The archives are then removed.
  std::vector<RemoteFile> unpacked = {};
  std::string example; ///< file in the folder, as an example for `mneme recall --patterns`
  std::string command =
      {}; ///< that reads the data set from the data folder; empty: `mneme recall` of `example`

  /// Files in the folder of a complete data set.
  const std::vector<RemoteFile>& final_files() const { return unpacked.empty() ? files : unpacked; }
};

const std::vector<DataSet>& data_sets();

/// The data set of this name.
///
/// Errors  UsageError with the list of available names
const DataSet& data_set_named(std::string_view name);

} // namespace mneme::fetch
