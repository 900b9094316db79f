# SPDX-License-Identifier: MIT
"""Checks pages in a browser with axe-core, wide and narrow, light and dark: accessibility, errors and layout.

    python tests/browser/accessible_pages.py AXE.MIN.JS CHROMIUM DIR...      (needs playwright from pip)

DIR are folders with an index.html, such as those of `mneme recall --out`. AXE.MIN.JS is from the npm package
axe-core. Every rule of axe-core applies, also the best practices; a page must not be wider than the window, and
neither labels of an axis nor the entries of a legend may overlap.
"""

import pathlib
import sys

from offline_page import offline_page

WIDTHS = {"wide": 1280, "narrow": 420}
TOUCHING = 1.0  # pixels by which neighbouring labels may overlap: their boxes include space above the letters

# Pairs of texts of one axis or legend whose boxes overlap, as "figure: a / b".
OVERLAPS = """touching => {
  const found = [];
  document.querySelectorAll(".chart svg").forEach((svg) => {
    const name = svg.closest("figure").querySelector("figcaption").textContent;
    svg.querySelectorAll(".role-axis, .role-legend").forEach((group) => {
      const texts = [...group.querySelectorAll("text")].filter((text) => text.textContent && text.style.opacity !== "0" &&
        text.getAttribute("opacity") !== "0" && text.style.display !== "none");
      const boxes = texts.map((text) => text.getBoundingClientRect());
      boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, k) => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (a.width && b.width && wide > touching && high > 3 * touching)
          found.push(`${name}: "${texts[i].textContent}" / "${texts[i + 1 + k].textContent}"`);
      }));
    });
  });
  return found;
}"""

# Neighbouring ticks of one axis with the same label.
REPEATS = """() => {
  const found = [];
  document.querySelectorAll(".chart svg .role-axis-label").forEach((group) => {
    const labels = [...group.querySelectorAll("text")].map((text) => text.textContent);
    labels.forEach((label, i) => { if (i && label && label === labels[i - 1] && /^[-−0-9.,%eE+ ]+$/.test(label))
      found.push(`${group.closest("figure").querySelector("figcaption").textContent}: ${label}`); });
  });
  return found;
}"""


def problems_of(page, axe):
    page.evaluate(axe)
    found = [f"{violation['id']} ({violation['impact']}): {violation['nodes'][0]['html'][:120]}"
             for violation in page.evaluate("axe.run()")["violations"]]
    width, window = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    if width > window:
        found.append(f"the page is {width} pixels wide in a window of {window}")
    found += [f"labels overlap in {pair}" for pair in page.evaluate(OVERLAPS, TOUCHING)]
    found += [f"ticks repeat in {label}" for label in page.evaluate(REPEATS)]
    return found


def main():
    axe = pathlib.Path(sys.argv[1]).read_text()
    failed, checked = 0, 0
    for folder in sys.argv[3:]:
        for size, width in WIDTHS.items():
            for scheme in ("light", "dark"):
                with offline_page(pathlib.Path(folder).resolve(), sys.argv[2], width, scheme) as page:
                    found = problems_of(page, axe)
                checked += 1
                failed += len(found)
                for problem in found:
                    print(f"{folder}, {size}, {scheme}: {problem}")
    print(f"{checked} pages checked, {failed} problems")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
