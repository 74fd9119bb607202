"""Start-up time: fresh processes, beside one that only imports torch.

python -m tests.benchmarks.start_up
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.side_by_side import Row, fastest_seconds, print_table

TUNES = Path(__file__).parent.parent.parent / "examples" / "tunes"


def main() -> None:
    print_table(rows())


def rows(repeats: int = 5) -> Iterator[Row]:
    """``--help``, and two tunes of our own to eight between."""
    with TemporaryDirectory() as folder:
        start, end, *_ = sorted(map(str, TUNES.glob("*.mid")))
        melodyvae = [sys.executable, "-m", "melodyvae"]
        walk = [*melodyvae, "interpolate", start, end, "-n", "8", "--force", "-o", folder + "/walk"]
        commands = {
            "melodyvae --help": [*melodyvae, "--help"],
            "melodyvae interpolate a.mid b.mid -n 8": walk,
        }
        ways = [[sys.executable, "-c", "import torch"], *commands.values()]
        bare, *seconds = fastest_seconds([_call(way) for way in ways], repeats)
    for name, taken in zip(commands, seconds, strict=True):
        yield Row(
            f"`{name}`, as a share of `import torch`", f"{taken:.2f} s", f"{bare:.2f} s to import torch", taken / bare
        )


def _call(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
