# SPDX-License-Identifier: MIT
"""Moves both sliders of the gain plot in a browser and compares what the page then shows with the library's numbers.

    mneme reproduce attention/gain-plot --out DIR
    python tests/browser/gain_sliders.py DIR [/usr/bin/chromium]        (needs playwright from pip)

The library's numbers are the tables of attention/gain-plot/outcome.json; both sides must agree to 1e-6.
"""

import json
import math
import pathlib
import sys

from offline_page import offline_page

TOLERANCE = 1e-6  # the page shows nine digits


def library_numbers(folder):
    """{(z1, z2): (y, [w])} of the experiment's tables."""
    outcome = json.loads((folder / "attention/gain-plot/outcome.json").read_text())
    tables = [table["table"] for table in outcome["outcome"]["tables"]]
    cells = [[dict(zip([column["key"] or column["name"] for column in table["columns"]], row)) for row in table["rows"]]
             for table in tables]
    numbers = {(row["gain_1"], row["gain_2"]): (row["y"], []) for row in cells[0]}
    for row in cells[1]:
        numbers[row["gain_1"], row["gain_2"]][1].append(row["w"])
    return numbers


def shown_numbers(page):
    """Numbers in the drawings: y from the text, each w from the label of its point."""
    text = page.locator("svg text", has_text="output y = ").first.text_content()
    weights = {}
    for label in page.locator("svg [aria-label^='w at position ']").evaluate_all(
            "marks => marks.map(mark => mark.getAttribute('aria-label'))"):
        position, value = label.removeprefix("w at position ").split(": ")
        weights[int(position)] = float(value.replace("\u2212", "-"))
    return float(text.removeprefix("output y = ").replace("\u2212", "-")), [weights[t] for t in sorted(weights)]


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    expected = library_numbers(folder)
    worst = 0
    with offline_page(folder, *sys.argv[2:]) as page:
        page.locator("input[type=range]").nth(1).wait_for()
        for (gain_1, gain_2), (output, weights) in expected.items():
            for slider, gain in enumerate((gain_1, gain_2)):
                page.locator("input[type=range]").nth(slider).fill(str(math.log10(gain) if gain else -1))
            page.wait_for_timeout(150)
            shown_output, shown_weights = shown_numbers(page)
            assert len(shown_weights) == len(weights) == 20, (len(shown_weights), len(weights))
            error = max(abs(shown_output - output), *(abs(a - b) for a, b in zip(shown_weights, weights)))
            worst = max(worst, error)
            assert error < TOLERANCE, f"gains {gain_1}, {gain_2}: {shown_output} is shown, {output} computed"
    print(f"{len(expected)} positions of the two sliders, 21 numbers each: largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
