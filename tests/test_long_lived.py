"""One model for long and for many: threads at once, thousands of calls, and nothing that is left over."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from melodyvae.reading.limited import close_reader
from melodyvae.system.limits import Limits
from melodyvae.vae import MelodyVAE
from tests.reading.hostile import kern

THREADS = 3


@pytest.fixture(scope="module")
def vae(run_folder: Path) -> MelodyVAE:
    return MelodyVAE.from_pretrained(run_folder)


@pytest.fixture(scope="module")
def tunes(midi_folder: Path) -> list[Path]:
    return sorted(midi_folder.iterdir())


def calls(vae: MelodyVAE, tunes: list[Path], number: int) -> list[Any]:
    """What a few verbs give; another caller asks for other tunes."""
    a, b = tunes[number], tunes[(number + 1) % len(tunes)]
    return [
        [melody.notes for melody in vae.interpolate(a, b, 3)],
        [melody.notes for melody in vae.sample(2, seed=number)],
        [melody.notes for melody in vae.vary(a, 2, seed=number)],
        vae.reconstruct(b).melody.notes,
        [window.nats_per_step for window in vae.score(a).windows],
    ]


def all_calls(vae: MelodyVAE, tunes: list[Path], number: int) -> list[Any]:
    """What every verb gives; thread by thread they come in another order."""
    a, b, c, d = (tunes[(number + more) % len(tunes)] for more in range(4))
    verbs: list[Callable[[], Any]] = [
        lambda: calls(vae, tunes, number),
        lambda: vae.encode([a, b]).tolist(),
        lambda: vae.encode(a, exact=True).tolist(),
        lambda: [melody.notes for melody in vae.decode(vae.encode([a, c]), temperature=1.0, seed=number)],
        lambda: [melody.notes for melody in vae.interpolate(a, b, 4, ends="model", spacing="latent", key="glide")],
        lambda: [melody.notes for melody in vae.morph(a, 3, density=1.0, candidates=2, seed=number)],
        lambda: [melody.notes for melody in vae.grid([a, b, c, d], 2)],
        lambda: [melody.notes for melody in vae.arithmetic([a, b, c], [1, -1, 1])],
        lambda: [melody.notes for melody in vae.complete(a, hide=[1], seed=number)],
        lambda: [melody.notes for melody in MelodyVAE(vae.composer).continue_(a, 1, bars=1, seed=number)],
        lambda: [melody.notes for melody in vae.sample(2, novel=True, prior="fitted", seed=number)],
        lambda: [melody.notes for melody in vae.vary(b, 2, novel=True, temperature=1.0, seed=number)],
    ]
    given = {place: verbs[place]() for place in [*range(number, len(verbs)), *range(min(number, len(verbs)))]}
    return [given[place] for place in sorted(given)]


@pytest.mark.parametrize("what", [calls, pytest.param(all_calls, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_threads_at_once_get_what_each_gets_alone(
    vae: MelodyVAE, tunes: list[Path], what: Callable[[MelodyVAE, list[Path], int], list[Any]]
) -> None:
    alone = [what(vae, tunes, number) for number in range(THREADS)]
    start = threading.Barrier(THREADS)

    def together(number: int) -> list[Any]:
        start.wait()
        return what(vae, tunes, number)

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(together, range(THREADS))) == alone


def test_threads_at_once_read_scores_within_limits(run_folder: Path, tmp_path: Path) -> None:
    vae = MelodyVAE.from_pretrained(run_folder, limits=Limits())
    paths = [tmp_path / f"{letter}.krn" for letter in "CDEFGAB"]
    for path in paths:
        path.write_bytes(kern(f"=1\n4{path.stem}\n4c\n4d\n4e\n=2\n4c\n4{path.stem}\n4c\n4d\n"))
    alone = [vae.reconstruct(path).melody.notes for path in paths]
    with ThreadPoolExecutor(THREADS) as pool:
        assert [done.melody.notes for done in pool.map(vae.reconstruct, paths)] == alone
    close_reader()


def held() -> tuple[int, int, int]:
    """Bytes of memory, open files, threads."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")), threading.active_count()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("first", "more"), [(10, 12), pytest.param(200, 1800, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])]
)
def test_nothing_is_left_of_thousands_of_calls(
    vae: MelodyVAE, tunes: list[Path], first: int, more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for number in range(first):
        vae.interpolate(tunes[number % 8], tunes[number % 7 + 1], 3, ends="model")
    memory, files, threads = held()
    for number in range(more):
        vae.interpolate(tunes[number % 8], tunes[number % 7 + 1], 3, ends="model")
    memory_after, files_after, threads_after = held()
    assert files_after <= files  # fewer, if what an earlier test had begun has ended meanwhile
    assert threads_after <= threads
    assert list(tmp_path.iterdir()) == []
    assert memory_after - memory < 8 * 2**20  # allocators keep some; a leak of a melody a call is far more
