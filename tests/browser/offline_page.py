# SPDX-License-Identifier: MIT
"""A page from a folder, open in Chromium: what it reports as an error fails the script."""

import contextlib

from playwright.sync_api import sync_playwright


@contextlib.contextmanager
def offline_page(folder, chromium=None):
    """folder/index.html in the browser at the path `chromium`, else in Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        problems = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto((folder / "index.html").as_uri())
        yield page
        assert not problems, problems
        browser.close()
