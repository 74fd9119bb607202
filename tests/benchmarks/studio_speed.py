"""Response times of the studio: `python -m tests.benchmarks.studio_speed [--minutes 10] [--no-browser]`.

Printed are, side by side in one run: the start of the studio (page served, model ready) and `import torch`, which it
does not; from a dropped file to its first roll; from a drag on the pad to the first note of the tune there; the pad's
grid; memory of the server and of the page before and after some minutes of play. It needs Chromium. With
``--no-browser`` it prints the processor seconds of the server's work alone, which say something on a busy machine, too.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np

from tests.conftest import tune
from tests.studio.conftest import TUNES, chromium
from tests.studio.test_page import DROP

COMMAND_CHANGED = "(before) => document.getElementById('shell-line').textContent !== before"
BEAT_MILLISECONDS = 500.0  # at 120 quarters per minute
# The audio time of a movement; of the first step of the tune there, which is the studio's own delay; and of that tune's
# first note, for which one also waits as long as the music does.
WATCH = """() => import('/static/js/app.js').then(({ player }) => {
    window.toStep = [];
    window.toNote = [];
    let moved;
    let waited;
    const pad = document.getElementById('pad');
    pad.addEventListener('pointermove', () => {
        moved ??= player.live?.context.currentTime;
        waited ??= moved;
    });
    const before = player.onStep;
    player.onStep = (item, step) => {
        before?.(item, step);
        if (moved !== undefined) window.toStep.push(1000 * (player.next - moved));
        moved = undefined;
        if (waited !== undefined && item.melody.notes.some((note) => note[0] === step)) {
            window.toNote.push(1000 * (player.next - waited));
            waited = undefined;
        }
    };
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="of play, for the memory")
    parser.add_argument("--drops", type=int, default=10)
    parser.add_argument("--drags", type=int, default=60)
    parser.add_argument("--no-browser", action="store_true", help="processor seconds of the server's work only")
    arguments = parser.parse_args()
    if arguments.no_browser:
        measure_work()
        return
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=120_000)
    print(f"import torch: {seconds_of('import torch'):.2f} s")
    begun = time.perf_counter()
    command = [sys.executable, "-m", "melodyvae", "studio", "--no-browser", *sorted(TUNES.glob("*.mid"))]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().split()[-1]
    print(f"studio, until its address is printed: {time.perf_counter() - begun:.2f} s")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**(chromium() or {}))
            page = browser.new_page()
            page.set_default_timeout(120_000)
            page.goto(url)
            page.wait_for_selector("html[data-ready]")
            print(f"studio, until the page is ready (model loaded): {time.perf_counter() - begun:.2f} s")
            expect(page.locator("#walk-lanes .lane")).to_have_count(8)
            measure_pad(page, expect, arguments.drags)
            measure_drops(page, arguments.drops)
            page.locator("#tab-pad").click()
            measure_memory(page, server.pid, arguments.minutes)
            browser.close()
    finally:
        server.terminate()
        server.wait()


def measure_work() -> None:
    """The processor seconds of the start, of reading, of the pad and of a walk, in this process."""
    torch = processor_seconds_of("import torch")
    print(f"import torch: {torch:.2f} s of the processor")
    ready = processor_seconds_of("from melodyvae.studio.engine import Engine; Engine('auto').model()")
    print(f"the first model ready, without it: {ready:.2f} s")
    from melodyvae.studio.engine import Engine
    from melodyvae.studio.requests import TuneSource, VerbRequest
    from melodyvae.studio.verbs import perform
    from melodyvae.verbs.grid import GridOptions
    from melodyvae.verbs.interpolate import InterpolateOptions
    from melodyvae.verbs.sources import read_source

    model = Engine("auto").model()
    begun = time.process_time()
    tunes = [read_source(path, model.config) for path in sorted(TUNES.glob("*.mid"))]
    print(f"a MIDI file read and laid out: {(time.process_time() - begun) / len(tunes):.3f} s")
    named = TuneSource(file="example/0")
    times = []
    for turn in range(len(tunes)):
        begun = time.process_time()
        perform(model, VerbRequest("pad", (named,) * 4, GridOptions(count=17)), tunes[turn:] + tunes[:turn])
        times.append(time.process_time() - begun)
    told("pad grid, 17 x 17, corners refined", [1000 * seconds for seconds in times], "ms of the processor")
    begun = time.process_time()
    perform(model, VerbRequest("walk", (named, named), InterpolateOptions()), tunes[:2])
    print(f"a walk in eight tunes: {time.process_time() - begun:.2f} s")


def processor_seconds_of(code: str) -> float:
    before = sum(os.times()[2:4])  # of the processes that have ended
    seconds_of(code)
    return sum(os.times()[2:4]) - before


def seconds_of(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def told(name: str, values: list[float], unit: str = "ms") -> None:
    p50, p95 = np.percentile(values, [50, 95])
    print(f"{name}: p50 {p50:.0f} {unit}, p95 {p95:.0f} {unit} (of {len(values)})")


def measure_drops(page, count: int) -> None:
    """From the drop of a file to the card with its roll."""
    times = []
    for seed in range(count):
        data = midi_bytes(seed)
        begun = time.perf_counter()
        page.evaluate(DROP, [[f"tune{seed}.mid"], [base64.b64encode(data).decode()]])
        page.wait_for_selector(f'.card[data-tune^="tune{seed} "], .card[data-tune="tune{seed}"]')
        times.append(1000 * (time.perf_counter() - begun))
    told("from drop to first roll", times)


def midi_bytes(seed: int) -> bytes:
    buffer = BytesIO()
    tune(seed, bars=32).to_pretty_midi().write(buffer)
    return buffer.getvalue()


def measure_pad(page, expect, drags: int) -> None:
    """The grid's decoding, and from a drag to the first note of the tune there."""
    times = []
    page.locator("#tab-pad").click()
    expect(page.locator("#pad-said")).to_contain_text("different tunes")
    for number in range(8):  # the four tunes go round the corners
        corner = number % 4
        value = page.locator(f"#corner-{corner} option").nth((corner + 1 + number // 4) % 4).get_attribute("value")
        command = page.locator("#shell-line").inner_text()
        begun = time.perf_counter()
        page.locator(f"#corner-{corner}").select_option(value)
        page.wait_for_function(COMMAND_CHANGED, arg=command)  # it is shown with the grid
        times.append(1000 * (time.perf_counter() - begun))
    told("pad grid, 17 x 17, corners refined", times)
    page.locator("#tempo").fill("120")
    page.locator("#tempo").press("Enter")
    page.evaluate(WATCH)
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    chance = random.Random(0)
    for _ in range(drags):
        x, y = box["x"] + chance.random() * box["width"], box["y"] + chance.random() * box["height"]
        page.mouse.move(x, y)
        page.wait_for_timeout(200 + 300 * chance.random())
    page.mouse.up()
    told("from drag to the tune there", page.evaluate("() => window.toStep"))
    told(f"from drag to its first note (one beat is {BEAT_MILLISECONDS:.0f} ms)", page.evaluate("() => window.toNote"))


def measure_memory(page, pid: int, minutes: float) -> None:
    """Memory of server and page before and after play, with the point on the move."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def look(when: str) -> None:
        session.send("HeapProfiler.collectGarbage")
        found = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        heap, nodes = found["JSHeapUsedSize"] / 2**20, found.get("AudioHandlers", 0)
        server = pages * 4096 / 2**20
        print(f"memory {when}: server {server:.0f} MiB, page's heap {heap:.1f} MiB, {nodes:.0f} audio nodes")

    look("before play")
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    end = time.monotonic() + 60 * minutes
    chance = random.Random(1)
    while time.monotonic() < end:
        x, y = box["x"] + chance.random() * box["width"], box["y"] + chance.random() * box["height"]
        page.mouse.move(x, y, steps=4)
        page.wait_for_timeout(400)
    page.mouse.up()
    look(f"after {minutes:g} minutes")


if __name__ == "__main__":
    main()
