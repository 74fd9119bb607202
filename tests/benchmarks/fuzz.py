"""Files that are damaged on purpose, without end: what every reader makes of them.

    python -m tests.benchmarks.fuzz --minutes 60
    python -m tests.benchmarks.fuzz --seconds 10 --only abc --only checkpoint

Each round takes a real file of a format and damages it a few times: bytes, numbers, words of the format, pieces copied
and cut, what it is made of (events, fields, rows, elements, tensors), and for what holds JSON its values. A reader may
read the result or refuse it in a sentence. Anything else (an error that is not the user's, a message with an error's
name, a crash, and for what is read without a time limit more than 20 processor seconds, 1 GiB or five minutes) is a
finding: hypothesis makes it small, and it is kept in ``tests/regressions``, which ``tests/test_regressions.py`` reads.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from collections import Counter
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from melodyvae.system.limits import LimitedProcess, Limits, Lost
from tests.fuzzing import KINDS, damaged, outcome_of

REGRESSIONS = Path(__file__).parent.parent / "regressions"
EXAMPLES_PER_ROUND = 50
LIMITS = {True: Limits(seconds=60.0, memory_bytes=2**30), False: Limits(seconds=300.0, memory_bytes=2**30)}
TELL_SECONDS = 300.0
MAX_KEPT_BYTES = 200_000


class FindingError(AssertionError):
    """A file that was neither read nor refused as it should be: its bytes, and what happened."""


class SlowFindingError(BaseException):
    """The same, of one that takes so long that hypothesis should not make it smaller."""


def main() -> None:
    """Fuzz all formats in turn, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--only", action="append", choices=KINDS, help="one format; may be given several times")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts, kept = fuzz(60 * arguments.minutes + arguments.seconds, arguments.only or list(KINDS), arguments.seed)
    print(f"{sum(counts.values())} files: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    print(f"{len(kept)} findings" + "".join(f"\n{path}: {what}" for path, what in kept.items()))


def fuzz(
    seconds: float, kinds: list[str], seed: int, folder: Path = REGRESSIONS, rounds: float = math.inf
) -> tuple[Counter[str], dict[Path, str]]:
    """Count the outcomes of damaged files, and keep the findings in ``folder``: file -> what happened.

    It ends after so many seconds, or after ``rounds`` rounds, each with 50 files of one kind.
    """
    ends = time.monotonic() + seconds
    counts: Counter[str] = Counter()
    kept: dict[Path, str] = {}
    processes = {
        kind: LimitedProcess[tuple[str, bytes], str](outcome_of, LIMITS[KINDS[kind].is_limited]) for kind in kinds
    }
    turn, tells = 0, time.monotonic() + TELL_SECONDS
    while turn < rounds and time.monotonic() < ends:
        kind = kinds[turn % len(kinds)]
        try:
            _round(kind, processes[kind], seed + turn, counts)
        except (FindingError, SlowFindingError) as found:
            data, what = found.args[:2]
            path = folder / f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}"
            if len(data) <= MAX_KEPT_BYTES and what not in kept.values():
                folder.mkdir(exist_ok=True)
                path.write_bytes(data)
            kept.setdefault(path, what)
            print(f"{path.name}: {what}", flush=True)
        turn += 1
        if time.monotonic() > tells:
            print(f"{counts.total()} files in {turn} rounds, {len(kept)} findings", flush=True)
            tells = time.monotonic() + TELL_SECONDS
    for process in processes.values():
        process.close()
    return counts, kept


def _round(kind: str, process: LimitedProcess[tuple[str, bytes], str], seed: int, counts: Counter[str]) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=EXAMPLES_PER_ROUND,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(damaged(kind))
    def one(data: bytes) -> None:
        (outcome,) = process([(kind, data)])
        if isinstance(outcome, Lost):  # once more, for the machine may be busy
            (outcome,) = process([(kind, data)])
        what = KINDS[kind].lost(outcome.reason, outcome.detail) if isinstance(outcome, Lost) else outcome
        counts[f"{kind} {what.partition(':')[0]}"] += 1
        if what.startswith("finding"):
            raise (SlowFindingError if isinstance(outcome, Lost) else FindingError)(data, what)

    one()


if __name__ == "__main__":
    main()
