// SPDX-License-Identifier: MIT

/// Locations of data files that are too large to be shipped with mneme.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

namespace mneme::data {

/// The folder for data: `given` if it is not empty, otherwise $MNEME_DATA, $XDG_DATA_HOME/mneme or
/// ~/.local/share/mneme, in this order. It need not exist.
///
/// Errors  UsageError if `given` is empty and none of MNEME_DATA, XDG_DATA_HOME and HOME is set
std::filesystem::path data_folder(const std::filesystem::path& given = {});

/// Finds the first of `names` that exists as a file in folder/set (`set` is, for example, "mnist"), in the
/// folder itself, or where torchvision stores it: folder/set/raw, folder/SET/raw (upper case) or folder/raw.
/// Each name is tried as given and with ".gz" appended, then with "-idx" replaced by ".idx".
std::optional<std::filesystem::path> find_data_file(const std::filesystem::path& folder,
                                                    const std::string& set,
                                                    std::initializer_list<const char*> names);

} // namespace mneme::data
