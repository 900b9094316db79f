// SPDX-License-Identifier: MIT

/// Where data files lie that are too large to come with mneme.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

namespace mneme::data {

/// The folder for data: `given` if it is not empty, else $MNEME_DATA, else $XDG_DATA_HOME/mneme, else
/// ~/.local/share/mneme. It need not exist.
///
/// Errors  UsageError if nothing says where: no HOME either
std::filesystem::path data_folder(const std::filesystem::path& given = {});

/// The first of `names` that is a file in folder/set (such as "mnist"), in the folder itself, or where torchvision
/// keeps it: in folder/set/raw, folder/SET/raw in capitals, or folder/raw. Each is searched for as it is and with
/// ".gz" behind it, then with ".idx" in place of "-idx".
std::optional<std::filesystem::path> find_data_file(const std::filesystem::path& folder,
                                                    const std::string& set,
                                                    std::initializer_list<const char*> names);

} // namespace mneme::data
