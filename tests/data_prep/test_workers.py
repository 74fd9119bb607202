"""Processes that are slow, hungry or crash cost their own item only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from data_prep.workers import Limits, Lost, work_on, work_on_executor


def behave(item: str) -> str:
    """Do what the item says."""
    kind = item.split()[0]
    if kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "exit":
        os._exit(3)
    elif kind == "sleep":
        time.sleep(60)
    elif kind == "eat":
        bytearray(2**30)
    elif kind == "raise":
        raise KeyError("wrong")
    elif kind == "print":
        print("noise on standard output")
    return item.upper()


ITEMS = ["a", "segfault", "b", "exit", "sleep", "eat", "raise", "print", *map(str, range(20))]


def outcomes(workers: int) -> dict[str, str]:
    limits = Limits(seconds=2, memory_bytes=256 * 2**20)
    found = list(work_on(behave, ITEMS, workers, limits))
    assert len(found) == len(ITEMS)
    return {
        **{outcome.item: outcome.reason for outcome in found if isinstance(outcome, Lost)},
        **{outcome.lower(): outcome for outcome in found if isinstance(outcome, str)},
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_each_item_comes_out_once_whatever_the_others_do(workers: int) -> None:
    lost = {"segfault": "crashed", "exit": "crashed", "sleep": "too_slow", "eat": "too_much_memory", "raise": "crashed"}
    assert outcomes(workers) == {item: lost.get(item, item.upper()) for item in ITEMS}


def test_what_was_lost_is_told() -> None:
    found = list(work_on(behave, ["segfault", "exit", "raise"], 1, Limits()))
    assert [outcome.detail for outcome in found if isinstance(outcome, Lost)] == [
        "its process ended with SIGSEGV",
        "its process ended with exit status 3",
        "KeyError: 'wrong'",
    ]


def test_closing_it_early_kills_what_runs() -> None:
    start = time.monotonic()
    with closing(work_on(behave, ["a", "sleep", "sleep"], 2, Limits())) as running:
        assert next(running) == "A"
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("count", [0, 1, 100])
def test_any_executor_does_the_same(count: int) -> None:
    items = [str(number) for number in range(count)]
    with ThreadPoolExecutor(2) as executor:
        found = list(work_on_executor(executor, behave, items, chunk=7, in_flight=3))
    assert sorted(map(str, found)) == sorted(items)


def test_an_exception_costs_its_item_on_an_executor_too() -> None:
    function: Callable[[str], str] = behave
    with ThreadPoolExecutor(1) as executor:
        found = list(work_on_executor(executor, function, ["a", "raise", "b"]))
    assert found == ["A", Lost("raise", "crashed", "KeyError: 'wrong'"), "B"]
