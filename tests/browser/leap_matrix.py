# SPDX-License-Identifier: MIT
"""Chooses every layer and head in the page of `mneme inspect` and compares the matrix and the tracks it shows with explanation.json.

    mneme inspect MODEL --tokens FILE --out DIR
    python tests/browser/leap_matrix.py DIR [/usr/bin/chromium]        (needs playwright from pip)

The page computes the matrix itself, from one weight per token and one gate per query.
"""

import json
import pathlib
import re
import sys

from offline_page import offline_page

TOLERANCE = 1e-3  # of a number: labels have four digits


def number(text):
    return float(text.replace("\u2212", "-").replace(",", ""))


def labels(page, panel, start):
    """The fields of every mark of a panel, by their names."""
    found = page.locator(".panels > div").nth(panel).locator(f"svg [aria-label^='{start}: ']").evaluate_all(
        "marks => marks.map(mark => mark.getAttribute('aria-label'))")
    return [dict(part.split(": ", 1) for part in re.split("; ", label)) for label in found]


def compare(shown, expected, where):
    error = abs(shown - expected) / max(abs(expected), 1e-9)
    assert error < TOLERANCE, f"{where}: {shown} is shown, {expected} computed"
    return error


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    explanation = json.loads((folder / "explanation.json").read_text())
    first = explanation["tokens"]["from"]
    size = explanation["tokens"]["to"] - first
    worst, compared = 0, 0
    with offline_page(folder, *sys.argv[2:]) as page:
        menus = page.locator(".vega-bind select")
        menus.nth(2).wait_for()
        for head in explanation["heads"]:
            menus.nth(0).select_option(str(head["layer"]))
            menus.nth(1).select_option(str(head["head"]))
            page.wait_for_timeout(300)
            where = f"layer {head['layer']}, head {head['head']}"
            seen = sum(min(i + 1, head["window"] or i + 1) for i in range(size))
            cells = labels(page, 0, "token")
            assert len(cells) == seen, f"{where}: {len(cells)} cells are shown, {seen} are seen"
            for cell in cells:
                i, j = int(number(cell["query"])) - first, int(number(cell["token"])) - first
                worst = max(worst, compare(number(cell["effective attention"]), head["attention"][i][j], where))
                compared += 1
            for panel, field in ((1, "gate"), (2, "log_weight")):
                bars = labels(page, panel, "token")
                assert len(bars) == size, f"{where}: {len(bars)} bars of {field} for {size} tokens"
                for bar in bars:
                    value = next(number(text) for key, text in bar.items() if key not in ("token", "text"))
                    worst = max(worst, compare(value, head[field][int(number(bar["token"])) - first], where))
                    compared += 1
    print(f"{len(explanation['heads'])} heads, {compared} numbers: largest difference {worst:.1e} of a number")


if __name__ == "__main__":
    main()
