"""Headless Chromium, for the tests of pages."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

CHROMIUM = shutil.which("chromium")


# Playwright's synchronous interface uses greenlets, and tracing them doubles the time of coverage for all tests.
@asynccontextmanager
async def open_page(**context: Any) -> AsyncIterator[Page]:
    """Open a page in a new browser; skip the test without Chromium, unless everything must be tested."""
    if CHROMIUM is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "Chromium is not installed"
        pytest.skip("Chromium is not installed")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield await browser.new_page(**context)
        await browser.close()
