"""Cost of reading a score in a separate process, as all commands do, beside reading it in the command's own.

python -m tests.benchmarks.reading_cost

Fresh processes, and the fastest of some. Processor seconds are what both processes took together: the cost on a
machine of one core; where a second core is free, music21 is imported there while the command imports what it needs.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.side_by_side import machine
from tests.reading.hostile import NOTE, abc, kern, measure, musicxml

SCORES = {
    "a.abc": abc(),
    "a.musicxml": musicxml(measure(1, NOTE * 4)),
    "a.krn": kern("=1\n4c\n4d\n4e\n4f\n"),
}
OWN = (
    "import sys; from melodyvae.system.limits import Limits; "
    "from melodyvae.reading.limited import read_song, start_reader; "
    "start_reader(); import melodyvae.vae; read_song(sys.argv[1], Limits())"
)
HERE = "import sys; from melodyvae.reading.limited import read_song; import melodyvae.vae; read_song(sys.argv[1])"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"{machine()}\n\n| score | processor seconds, own | here | more | seconds, own | here | more |")
    print("|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        for name, data in SCORES.items():
            path = Path(folder) / name
            path.write_bytes(data)
            runs = [(_seconds(OWN, path), _seconds(HERE, path)) for _ in range(repeats)]
            cells = []
            for column in (0, 1):
                own, here = (min(run[way][column] for run in runs) for way in (0, 1))
                cells += [f"{own:.2f}", f"{here:.2f}", f"{own - here:+.2f}"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _seconds(code: str, path: Path) -> tuple[float, float]:
    """Of the processors and of the clock."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    passed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, passed


if __name__ == "__main__":
    main()
