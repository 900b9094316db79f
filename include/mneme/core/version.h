// SPDX-License-Identifier: MIT

/// Version of this library.
#pragma once

namespace mneme {
const char* version(); ///< for example "0.1.0"
}
