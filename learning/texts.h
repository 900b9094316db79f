// SPDX-License-Identifier: MIT

/// Texts on which the heads of a model are measured, from files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "learning/heads.h"

namespace mneme::learning {

/// Name of the data set with the nine texts of Bricken & Pehlevan 2021, in place of a file of texts.
inline constexpr const char* kSdmTexts = "sdm";

/// The file of these texts in a data folder (mneme/data/folders.h); empty if it is absent.
std::optional<std::filesystem::path> find_sdm_texts(const std::filesystem::path& data_folder);

/// The lines of a file without their line ends; decompressed if it is compressed by gzip.
std::vector<std::string> read_lines(const std::filesystem::path& file);

/// The texts of a file, one per line. For the name "sdm", the nine texts in the data folder: `data_folder`,
/// or the default one if that is empty. The path of a file with this name is "./sdm".
///
/// Errors  DataError for a file that cannot be read or has an empty line, and if the data set is not in the
///         data folder
std::vector<InspectedText> read_texts(const std::filesystem::path& file,
                                      const std::filesystem::path& data_folder);

/// Parses integers separated by spaces, newlines or commas. `name` is that of the text, for messages.
///
/// Errors  DataError for anything else
std::vector<int64_t> parse_ids(std::string_view text, const std::string& name);

} // namespace mneme::learning
