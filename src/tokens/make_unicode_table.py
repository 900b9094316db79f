#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes unicode_table.cpp: the general category of every code point of Unicode 16.

Requires unicodedata2 16.0.0 (pip install unicodedata2==16.0.0).
"""
import pathlib
import sys

import unicodedata2

CATEGORIES = ["Cc", "Cf", "Cn", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl", "No",
              "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"]

if unicodedata2.unidata_version != "16.0.0":
    sys.exit(f"unicodedata2 has the tables of Unicode {unicodedata2.unidata_version}; 16.0.0 is required.")

entries = []
previous = None
for code in range(0x110000):
    category = CATEGORIES.index(unicodedata2.category(chr(code)))
    if category != previous:
        entries.append(f"0x{code << 5 | category:x}")
        previous = category

lines, line = [], "   "
for entry in entries:
    if len(line) + len(entry) + 2 > 108:
        lines.append(line)
        line = "   "
    line += " " + entry + ","
lines.append(line)

text = f"""// SPDX-License-Identifier: MIT

// Written by make_unicode_table.py from Unicode {unicodedata2.unidata_version}.

#include "tokens/unicode.h"

namespace mneme::tokens {{
namespace {{

// clang-format off
constexpr std::array<uint32_t, {len(entries)}> kRanges = {{
{chr(10).join(lines)}
}};
// clang-format on

}} // namespace

std::span<const uint32_t> category_ranges() {{
  return kRanges;
}}

}} // namespace mneme::tokens
"""
pathlib.Path(__file__).with_name("unicode_table.cpp").write_text(text)
print(f"{len(entries)} ranges")
