# SPDX-License-Identifier: MIT
"""Checks pages in a browser with axe-core, wide and narrow, light and dark: accessibility, errors and layout.

    python tests/browser/accessible_pages.py AXE.MIN.JS CHROMIUM DIR...      (needs playwright from pip)

DIR are folders with an index.html, such as those of `mneme recall --out`. AXE.MIN.JS is from the npm package
axe-core. Every rule of axe-core applies, also the best practices. A page must not be wider than the window, also
with all folded tables open, no text of a drawing may be cut off at its edge, and neither labels of an axis nor the
entries of a legend may overlap.
"""

import pathlib
import sys
import time

from offline_page import chromium_browser, open_page

WIDTHS = {"wide": 1200, "narrow": 420}
# Rules of axe-core for each scheme, None for all: the schemes differ in colours alone.
SCHEMES = {"light": None, "dark": ["color-contrast", "link-in-text-block"]}
TOUCHING = 1.0  # pixels by which neighbouring labels may overlap: their boxes include space above the letters
CUT = 2.0  # pixels by which the box of a text may exceed its drawing

# Folded tables are not visible, so axe-core skips them. Since all have the same structure, the first one of a section
# and the first one of a chart are opened.
UNFOLD = """() => ["section > details", "figure > details"].forEach((selector) => {
  const details = document.querySelector(selector);
  if (details) details.open = true;
})"""

# Widths of the page, also with all folded tables open, and of the window.
WIDE = """() => {
  const page = document.documentElement, folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((details) => { details.open = true; });
  const width = page.scrollWidth;
  folded.forEach((details) => { details.open = false; });
  return [Math.max(width, page.scrollWidth), page.clientWidth];
}"""

# Visible texts of a drawing with their boxes.
TEXTS = """const shown = (group) => [...group.querySelectorAll("text")].filter((text) => text.textContent &&
    text.style.opacity !== "0" && text.getAttribute("opacity") !== "0" && text.style.display !== "none")
  .map((text) => ({text: text.textContent, box: text.getBoundingClientRect()})).filter(({box}) => box.width);
const drawings = [...document.querySelectorAll(".chart svg")].filter((svg) => !svg.closest("summary"));
const name = (svg) => svg.closest("figure").querySelector("figcaption").textContent;
"""

# Pairs of texts of one axis or legend whose boxes overlap, as "figure: a / b".
OVERLAPS = """touching => {""" + TEXTS + """
  const found = [];
  drawings.forEach((svg) => svg.querySelectorAll(".role-axis, .role-legend").forEach((group) => {
    const texts = shown(group);
    texts.forEach(({text, box: a}, i) => texts.slice(i + 1).forEach(({text: other, box: b}) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > touching && high > 3 * touching) found.push(`${name(svg)}: "${text}" / "${other}"`);
    }));
  }));
  return found;
}"""

# Texts that are not completely inside of their drawing.
CUTS = """tolerance => {""" + TEXTS + """
  return drawings.flatMap((svg) => {
    const edge = svg.getBoundingClientRect();
    return shown(svg).filter(({box}) => box.left < edge.left - tolerance || box.right > edge.right + tolerance ||
      box.top < edge.top - tolerance || box.bottom > edge.bottom + tolerance)
      .map(({text}) => `${name(svg)}: "${text}"`);
  });
}"""

# Neighbouring ticks of one axis with the same label.
REPEATS = """() => {""" + TEXTS + """
  const found = [];
  drawings.forEach((svg) => svg.querySelectorAll(".role-axis-label").forEach((group) => {
    const labels = [...group.querySelectorAll("text")].map((text) => text.textContent);
    labels.forEach((label, i) => { if (i && label && label === labels[i - 1] && /^[-−0-9.,%eE+ ]+$/.test(label))
      found.push(`${name(svg)}: ${label}`); });
  }));
  return found;
}"""


def layout_problems(page):
    width, window = page.evaluate(WIDE)
    found = [f"the page is {width} pixels wide in a window of {window}"] if width > window else []
    found += [f"labels overlap in {pair}" for pair in page.evaluate(OVERLAPS, TOUCHING)]
    found += [f"a text is cut off in {text}" for text in page.evaluate(CUTS, CUT)]
    found += [f"ticks repeat in {label}" for label in page.evaluate(REPEATS)]
    return found


def axe_problems(page, rules=None):
    """Violations of these rules, or of all. Without resultTypes, axe-core also describes every element that passes."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": {"type": "rule", "values": rules}} if rules else {})
    return [f"{violation['id']} ({violation['impact']}): {violation['nodes'][0]['html'][:120]}"
            for violation in page.evaluate("async options => (await axe.run(options)).violations", options)]


def main():
    axe = pathlib.Path(sys.argv[1]).read_text()
    failed, checked = 0, 0
    with chromium_browser(sys.argv[2]) as browser:
        for folder in map(pathlib.Path, sys.argv[3:]):
            began = time.monotonic()
            for size, width in WIDTHS.items():
                with open_page(browser, folder.resolve(), width) as (page, errors):
                    problems = [(size, problem) for problem in layout_problems(page)]
                    page.evaluate(UNFOLD)
                    page.evaluate(axe)
                    for scheme, rules in SCHEMES.items():
                        page.emulate_media(color_scheme=scheme)
                        problems += [(f"{size}, {scheme}", problem) for problem in axe_problems(page, rules)]
                        checked += 1
                    problems += [(size, error) for error in errors]
                failed += len(problems)
                for where, problem in problems:
                    print(f"{folder.name}, {where}: {problem}")
            print(f"{folder.name}: {time.monotonic() - began:.0f} s", flush=True)
    print(f"{checked} views of {len(sys.argv) - 3} pages checked, {failed} problems")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
