// SPDX-License-Identifier: MIT

/// The published data sets that `mneme data get` knows: where they are, and how each file is recognised.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mneme::fetch {

/// One file to fetch.
struct RemoteFile {
  std::string name;   ///< behind a mirror's address, and in the folder
  int64_t size;       ///< in bytes
  std::string sha256; ///< 64 hexadecimal digits
};

struct DataSet {
  std::string name, title;
  std::vector<std::string> mirrors; ///< addresses of folders, each ending with "/", the preferred one first
  std::vector<RemoteFile> files;
  /// Files that an archive among `files` holds, unpacked beside each other; the archive is then removed.
  std::vector<RemoteFile> unpacked = {};
  std::string example; ///< what to do with it: an argument of `mneme recall --patterns`, within the folder

  /// What lies in the folder once all is there.
  const std::vector<RemoteFile>& kept() const { return unpacked.empty() ? files : unpacked; }
};

const std::vector<DataSet>& data_sets();

/// Errors  UsageError that lists the names there are
const DataSet& data_set_named(std::string_view name);

} // namespace mneme::fetch
