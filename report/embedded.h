// SPDX-License-Identifier: MIT

/// Files that the build embeds into the library (embed_text.cmake).
#pragma once

#include <string_view>

namespace mneme::report {

extern const std::string_view kPageStyle;  ///< page.css
extern const std::string_view kPageScript; ///< page.js
extern const std::string_view kVegaBundle; ///< the file given by MNEME_VEGA_BUNDLE; empty if none was given

} // namespace mneme::report
