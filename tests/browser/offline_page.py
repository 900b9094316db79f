# SPDX-License-Identifier: MIT
"""A page from a folder, open in Chromium: what it reports as an error fails the script."""

import contextlib

from playwright.sync_api import sync_playwright

DRAWN = "() => [...document.querySelectorAll('.chart')].every(chart => chart.querySelector('svg, .chart'))"


@contextlib.contextmanager
def offline_page(folder, chromium=None, width=1280, scheme="light"):
    """folder/index.html in the browser at the path `chromium`, else in Playwright's own, with all charts drawn."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        problems = []
        page.set_default_timeout(120_000)  # milliseconds; large pages take long on a busy machine
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((folder / "index.html").as_uri())
        page.wait_for_function(DRAWN)
        yield page
        assert not problems, problems
        browser.close()
