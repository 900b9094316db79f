// SPDX-License-Identifier: MIT

/// Amounts of memory on the command line and in text: 4GB, 512MiB, 1e9.
#pragma once

#include <string>
#include <string_view>

namespace mneme::cli {

/// Bytes of "4GB", "1.5 TiB" or "1e9" (bytes); decimal units count by 1000, binary ones (KiB, MiB ...) by
/// 1024. Errors  UsageError that shows what was given and an example; `name` is how it begins
double parse_bytes(std::string_view name, std::string_view text);

/// "2.18 GB": three digits, by 1000.
std::string bytes_text(double bytes);

} // namespace mneme::cli
