// SPDX-License-Identifier: MIT

/// Parses and formats amounts of memory such as 4GB, 512MiB or 1e9.
#pragma once

#include <string>
#include <string_view>

namespace mneme::cli {

/// Bytes of "4GB", "1.5 TiB" or "1e9" (bytes). Decimal units are powers of 1000, binary units (KiB, MiB ...)
/// powers of 1024.
///
/// Errors  UsageError with the given text and an example; the message begins with `name`
double parse_bytes(std::string_view name, std::string_view text);

/// Formats with three significant digits and a decimal unit, such as "2.18 GB".
std::string bytes_text(double bytes);

} // namespace mneme::cli
