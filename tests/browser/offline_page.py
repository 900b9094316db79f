# SPDX-License-Identifier: MIT
"""Pages from folders, open in Chromium."""

import contextlib

from playwright.sync_api import sync_playwright

DRAWN = "() => [...document.querySelectorAll('.chart')].every(chart => chart.querySelector('svg, .chart'))"


@contextlib.contextmanager
def chromium_browser(executable=None):
    """The browser at the path `executable`, else Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def open_page(browser, folder, width=1280):
    """folder/index.html with all charts drawn, and the list of errors that it reports."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
    errors = []
    page.set_default_timeout(120_000)  # milliseconds; large pages take long on a busy machine
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((folder / "index.html").as_uri())
    page.wait_for_function(DRAWN)
    yield page, errors
    page.close()


@contextlib.contextmanager
def offline_page(folder, executable=None):
    """folder/index.html in a browser of its own. An error that it reports fails the script."""
    with chromium_browser(executable) as browser, open_page(browser, folder) as (page, errors):
        yield page
        assert not errors, errors
