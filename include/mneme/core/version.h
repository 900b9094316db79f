// SPDX-License-Identifier: MIT

/// The version of this library.
#pragma once

namespace mneme {
const char* version(); ///< such as "0.1.0"
}
