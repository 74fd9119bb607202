"""One studio for all tests that talk to it, its model the shipped one; and a browser, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from melodyvae.config import MelodyConfig
from melodyvae.music.melody import Melody
from melodyvae.studio.server import Studio
from melodyvae.verbs.sources import pick_window, read_source

TUNES = Path(__file__).parents[2] / "examples" / "tunes"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# The first ones keep the browser from looking for its maker's hosts; the last lets a test play without a gesture.
FLAGS = (
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
    *("--no-first-run", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    "--autoplay-policy=no-user-gesture-required",
)
TRACES = os.environ.get("STUDIO_TRACES")  # a folder: what a failing test saw is kept there
MILLISECONDS = 60_000  # the machines are shared; nothing is tested by how long it takes
# What the page says goes away after some seconds; here it is kept, [whether it is an error, the sentence] each.
KEEP_WHAT_IS_SAID = """
window.said = [];
new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach((node) => {
  if (node.classList?.contains("toast")) {
    window.said.push([node.classList.contains("bad"), node.querySelector("span").textContent]);
  }
}))).observe(document, { childList: true, subtree: true });
"""


@dataclass(frozen=True)
class Shown:
    """A tune as the shelf shows it, its name there and its first bar in the file; chosen as the commands choose."""

    name: str
    first_bar: int
    melody: Melody

    @classmethod
    def of(cls, name: str) -> Self:
        config = MelodyConfig()
        window = pick_window(read_source(TUNES / f"{name}.mid", config), config)
        return cls(f"{name} {window.first_bar}-{window.last_bar}", window.first_bar, window.melody)

    @property
    def notes(self) -> list[list[int]]:
        """Start, end and pitch of each note."""
        return [list(note[:3]) for note in self.melody.notes]


@pytest.fixture(scope="session")
def twinkle() -> Shown:
    return Shown.of("twinkle")


@pytest.fixture(scope="session")
def ode() -> Shown:
    return Shown.of("ode-to-joy")


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    """A studio that serves on a port of its own, with two tunes opened."""
    found = Studio(files=[TUNES / "twinkle.mid", TUNES / "ode-to-joy.mid"], frame_height=860)
    found.start()
    yield found
    found.stop()


def chromium() -> dict[str, Any] | None:
    """What starts Chromium as the system has it, for Playwright; None where it has none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    return None if path is None else {"executable_path": path, "args": list(FLAGS)}


@pytest.fixture(scope="session")
def browser():
    """Chromium, as the system has it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    options = chromium()
    if options is None:
        pytest.skip("there is no chromium; install it, such as by `apt-get install chromium`")
    sync_api.expect.set_options(timeout=MILLISECONDS)
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(**options)
        yield found
        found.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    setattr(item, f"report_{report.when}", report)
    return report


@pytest.fixture
def open_page(browser, studio, request):
    """A function that opens the page; at the end any error, and any request to another machine, fails the test."""
    contexts, faults = [], []
    own = f"http://127.0.0.1:{studio.port}/"

    def look_at(page):
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda message: message.type == "error" and faults.append(f"console: {message.text}"))
        page.on(
            "request",
            lambda asked: asked.url.startswith((own, "data:", "blob:")) or faults.append(f"request to {asked.url}"),
        )

    def open_it(width=1280, height=860, theme="dark", script=None, url=None, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, accept_downloads=True, **options
        )
        context.set_default_timeout(MILLISECONDS)
        if TRACES:
            context.tracing.start(screenshots=True, snapshots=True)
        context.add_init_script(KEEP_WHAT_IS_SAID)
        if script:
            context.add_init_script(script)
        contexts.append(context)
        page = context.new_page()
        look_at(page)
        page.goto(url or studio.url)
        page.wait_for_selector("html[data-ready]")
        return page

    open_it.faults = faults
    yield open_it
    failed = getattr(request.node, "report_call", None) is not None and request.node.report_call.failed
    for number, context in enumerate(contexts):
        if TRACES:
            kept = Path(TRACES) / f"{request.node.name}-{number}.zip" if failed else None
            context.tracing.stop(path=kept)
        context.close()
    assert faults == []


@pytest.fixture
def page(open_page):
    """The page with its two tunes."""
    found = open_page()
    found.wait_for_selector(".card >> nth=1")
    return found
