"""Pictures of the studio for the docs: `python -m tests.benchmarks.studio_pictures [--out docs/pictures]`.

Written are ``studio-walk.png``, ``studio-pad.png``, ``studio-shape.png`` (in the light colours), ``studio-phone.png``.
It needs Chromium.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from melodyvae.studio.server import Studio
from tests.studio.conftest import TUNES, chromium

NAMES = ("twinkle", "ode-to-joy", "frere-jacques", "saints")
MILLISECONDS = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    folder = parser.parse_args().out
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=MILLISECONDS)
    studio = Studio(files=[TUNES / f"{name}.mid" for name in NAMES])
    studio.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**(chromium() or {}))

        def opened(width: int, height: int, theme: str):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            page.set_default_timeout(MILLISECONDS)
            page.goto(studio.url)
            page.wait_for_selector("html[data-ready]")
            return page

        def play_fourth(page, name: str) -> None:
            expect(page.locator("#walk-lanes .lane")).to_have_count(8)
            page.locator("#walk-lanes .lane-play").nth(3).click()
            page.wait_for_timeout(1500)
            page.screenshot(path=folder / f"studio-{name}.png")

        page = opened(1280, 860, "dark")
        play_fourth(page, "walk")
        page.locator("#tab-pad").click()
        expect(page.locator("#pad-said")).to_contain_text("different tunes")
        page.locator("#pad").click(position={"x": 330, "y": 120})
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "studio-pad.png")

        page = opened(1280, 860, "light")
        page.locator("#tab-shape").click()
        page.get_by_role("slider", name="notes: more or less").fill("1.5")
        expect(page.locator("#shape-said")).to_contain_text("before and after")
        page.locator("#vary").click()
        expect(page.locator("#vary-tiles .lane")).to_have_count(8)
        page.screenshot(path=folder / "studio-shape.png")

        play_fourth(opened(390, 844, "dark"), "phone")
        browser.close()
    studio.stop()


if __name__ == "__main__":
    main()
