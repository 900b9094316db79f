// SPDX-License-Identifier: MIT

/// Detection of file formats, and errors with advice for formats that are not supported.
#pragma once

#include <string>

#include "data/source.h"

namespace mneme::data {

enum class FileKind { idx, cifar, csv, npy, npz, png, netpbm, safetensors, torch };

/// Converts A to Z to lower case.
std::string lower_case(std::string text);

/// Detects the format from the first bytes, or from the file name if these are ambiguous. `source` must be
/// decompressed already; its name may still end in ".gz".
///
/// Errors  DataError for an unsupported or unknown format, with its name if it is known and how to convert it
FileKind kind_of(const Source& source);

/// Throws if the first bytes are those of a known but unsupported format. A reader of one format calls this
/// when a file is not in its format, to give a better message.
///
/// Errors  DataError with the name of the format; returns if the format is unknown
void reject_unsupported_format(const Source& source);

/// As reject_unsupported_format, and also throws for supported formats other than .safetensors, and for text.
///
/// Errors  DataError with the name of the format; returns if the format is unknown or .safetensors
void reject_unless_safetensors(const Source& source);

} // namespace mneme::data
