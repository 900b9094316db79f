# SPDX-License-Identifier: MIT
"""Writes bert_classes.cpp: the classes of characters as the library tokenizers sees them, which are those of an older Unicode than its lower
cases. Usage: python make_bert_classes.py > bert_classes.cpp, with tokenizers 0.22 or 0.23; then clang-format."""
import unicodedata

from tokenizers import normalizers, pre_tokenizers


def normalizer(**options):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(off | options)).normalize_str


def ranges(codes):
    found = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def table(name, codes):
    pairs = ", ".join(f"{{0x{first:x}, 0x{last:x}}}" for first, last in ranges(codes))
    return f"constexpr Range {name}[] = {{{pairs}}};"


clean, strip, lower = normalizer(clean_text=True), normalizer(strip_accents=True), normalizer(lowercase=True)
split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
removed, marks, punctuation, lower_cases = [], [], [], []
for code in range(1, 0x110000):
    if 0xd800 <= code < 0xe000 or 0x3400 <= code < 0xa000 or 0xac00 <= code < 0xd7a0 or 0x20000 <= code < 0xe0000:
        continue  # surrogates, ideographs, Hangul
    text = chr(code)
    if clean(text) == "":
        removed.append(code)
    if strip(text) == "":
        marks.append(code)
    if len(split(f"a{text}a")) == 3:
        punctuation.append(code)
    if lower(text) != text.lower() and len(lower(text)) == 1:
        lower_cases.append((code, ord(lower(text))))
pairs = ", ".join(f"{{0x{a:x}, 0x{b:x}}}" for a, b in lower_cases)
print(f"""// SPDX-License-Identifier: MIT
// Written by make_bert_classes.py.

#include "tokens/bert_classes.h"

#include <algorithm>
#include <iterator>

namespace mneme::tokens {{
namespace {{

struct Range {{
  char32_t first, last;
}};

{table("kRemoved", [0] + removed)}
{table("kMarks", marks)}
{table("kPunctuation", punctuation)}

/// Upper and lower case of characters that are newer than Unicode {unicodedata.unidata_version}.
struct Cases {{
  char32_t upper, lower;
}};
constexpr Cases kNewCases[] = {{{pairs}}};

template <size_t count> bool contains(const Range (&ranges)[count], char32_t code) {{
  const Range* after = std::ranges::upper_bound(ranges, code, {{}}, &Range::first);
  return after != std::begin(ranges) && code <= std::prev(after)->last;
}}

}} // namespace

bool is_removed_by_bert(char32_t code) {{
  return contains(kRemoved, code);
}}

bool is_mark_of_bert(char32_t code) {{
  return contains(kMarks, code);
}}

bool is_punctuation_of_bert(char32_t code) {{
  return contains(kPunctuation, code);
}}

char32_t new_lower_case(char32_t code) {{
  const Cases* found = std::ranges::lower_bound(kNewCases, code, {{}}, &Cases::upper);
  return found != std::end(kNewCases) && found->upper == code ? found->lower : code;
}}

}} // namespace mneme::tokens""")
