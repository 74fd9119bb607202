"""Processes that are slow, hungry or crash cost their own item only."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing

import pytest

from data_prep.workers import work_on, work_on_executor
from melodyvae.system.limits import Limits, Lost


def behave(item: str) -> str:
    """Do what the item says."""
    kind = item.split()[0]
    if kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "exit":
        os._exit(3)
    elif kind == "sleep":
        time.sleep(600)
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
    with closing(work_on(behave, ["a", "sleep", "sleep"], 2, Limits(seconds=1000))) as running:
        assert next(running) == "A"
    assert time.monotonic() - start < 300  # half of what each of them would take


@pytest.mark.parametrize("count", [0, 1, 100])
@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_does_the_same(
    kind: type[ThreadPoolExecutor | ProcessPoolExecutor], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_prep.workers.TASK_ITEMS", 7)
    monkeypatch.setattr("data_prep.workers.MAX_PENDING", 3)
    items = [str(number) for number in range(count)]
    with kind(2) as executor:
        found = list(work_on_executor(executor, behave, items, Limits()))
    assert sorted(map(str, found)) == sorted(items)


def test_an_item_costs_itself_only_on_an_executor_too() -> None:
    with ThreadPoolExecutor(2) as executor:
        found = list(work_on_executor(executor, behave, ITEMS, Limits(2, 256 * 2**20)))
    lost = {outcome.item: outcome.reason for outcome in found if isinstance(outcome, Lost)}
    assert lost == {
        "segfault": "crashed",
        "exit": "crashed",
        "sleep": "too_slow",
        "eat": "too_much_memory",
        "raise": "crashed",
    }
    assert len(found) == len(ITEMS)


class Unreliable(ThreadPoolExecutor):
    """An executor that loses tasks with certain items, as one does whose machines die."""

    def __init__(self, fatal: dict[str, int]) -> None:
        super().__init__(1)
        self.fatal = fatal

    def submit(self, function, /, *arguments, **named):  # type: ignore[no-untyped-def]
        for item in arguments[-1]:
            if self.fatal.get(item, 0):
                self.fatal[item] -= 1
                return super().submit(self.lose)
        return super().submit(function, *arguments, **named)

    @staticmethod
    def lose() -> None:
        raise ConnectionError("the machine is gone")


def test_a_lost_task_is_given_anew_and_then_its_item_is_lost() -> None:
    items = [f"item{number}" for number in range(640)]
    with Unreliable({"item3": 1, "item100": 2, "item300": 99}) as executor:
        found = list(work_on_executor(executor, behave, items, Limits()))
    lost = Lost("item300", "crashed", "ConnectionError: the machine is gone")
    assert [outcome for outcome in found if isinstance(outcome, Lost)] == [lost]
    assert sorted(map(str, found)) == sorted([*(item.upper() for item in items if item != "item300"), str(lost)])
