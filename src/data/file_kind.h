// SPDX-License-Identifier: MIT

/// Which kind of file some bytes are, and what to do with those that are not read.
#pragma once

#include <string>

#include "data/source.h"

namespace mneme::data {

enum class FileKind { idx, cifar, csv, npy, npz, png, safetensors, torch };

/// `text` with the letters A to Z in lower case.
std::string lower_case(std::string text);

/// Determined by the first bytes, and by the name where these are inconclusive. `source` is not compressed by gzip, or
/// no longer: then its name may still end in ".gz".
///
/// Errors  DataError for every other kind: it is named, if it is known, with what to do
FileKind kind_of(const Source& source);

/// For readers of one format, once a file has turned out not to be of that format.
///
/// Errors  DataError that names a kind which is known by its first bytes but not read; none if it is unknown
void refuse_foreign(const Source& source);

} // namespace mneme::data
