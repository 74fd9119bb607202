"""Run work in a separate process with limits of time and memory; a crash loses only the current item.

The process is started as a program, not forked and not by importing the caller's main module, so that a script needs
no guard and threads of the caller do no harm. It ends with the caller, in the middle of its work if need be.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

START_SECONDS = 120.0  # until a process must be ready; that is no item's time
ATTEMPTS_ALONE = 2  # a process may be killed from outside, which says nothing about its item


@dataclass(frozen=True)
class Limits:
    """Limits of one item: seconds, and bytes of memory beyond those in use at the start."""

    seconds: float = 60.0
    memory_bytes: int = 2 * 2**30


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """A failed item: ``too_slow``, ``too_much_memory`` or ``crashed``."""

    item: Item
    reason: str
    detail: str


class LimitedProcess(Generic[Item, Result]):
    """One process that calls ``function``, started with the first item; what goes to it must be picklable.

    Several items are sent at a time. If the process dies on them, or they exceed the time limit of one item, a new
    process gets them one at a time, so that each further failure costs one item alone.
    """

    def __init__(self, function: Callable[[Item], Result], limits: Limits) -> None:
        self.function = function
        self.limits = limits
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False
        self._lifeline: int | None = None
        self._is_ready = False

    def __call__(self, items: Sequence[Item]) -> list[Result | Lost[Item]]:
        """The outcome of each item."""
        if len(items) == 1:
            return [self._alone(items[0])]
        answers = self._ask(items)
        if not isinstance(answers, Lost):
            return [self._outcome(item, *answer) for item, answer in zip(items, answers, strict=True)]
        return [self._alone(item) for item in items if not self.stopped]

    def __del__(self) -> None:
        self.close()

    def start(self) -> None:
        """Start the process, if there is none, without waiting until it is ready."""
        if self.process is None:
            self._start()

    def kill(self) -> None:
        """End the process, if there is one; may be called from another thread than the one that uses it."""
        self.stopped = True
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        """End the process, if there is one, and give back what it holds."""
        process, self.process = self.process, None
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            os.close(lifeline)
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):  # what was not yet written cannot be
                if pipe is not None:
                    pipe.close()

    def _alone(self, item: Item) -> Result | Lost[Item]:
        answers = self._ask([item])
        for _ in range(1, ATTEMPTS_ALONE):
            if isinstance(answers, Lost) and answers.reason == "crashed" and not self.stopped:
                answers = self._ask([item])
        return answers if isinstance(answers, Lost) else self._outcome(item, *answers[0])

    def _ask(self, items: Sequence[Item]) -> list[tuple[str, Any]] | Lost[Item]:
        """The process's answers, or how it ended."""
        process = self.process or self._start()
        assert process.stdin is not None  # for mypy: both are pipes
        assert process.stdout is not None
        late = threading.Event()
        try:
            if not self._is_ready:
                with _kill_after(START_SECONDS, process, late):
                    self._is_ready = bool(pickle.load(process.stdout))
            with _kill_after(self.limits.seconds, process, late):
                pickle.dump(items, process.stdin)
                process.stdin.flush()
                answers: list[tuple[str, Any]] = pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.close()
            if late.is_set():
                return Lost(items[0], "too_slow", f"it took more than {self.limits.seconds:g} seconds")
            return Lost(items[0], "crashed", f"its process ended with {_name_of(process.returncode)}")
        except BaseException:  # such as Ctrl-C: the answer that is still to come belongs to no later question
            self.close()
            raise
        return answers

    def _outcome(self, item: Item, kind: str, value: Any) -> Result | Lost[Item]:
        if kind == "memory":
            return Lost(item, "too_much_memory", f"it took more than {self.limits.memory_bytes / 2**20:.0f} MiB")
        if kind == "error":
            return Lost(item, "crashed", value)
        return value  # type: ignore[no-any-return]

    def _start(self) -> subprocess.Popen[bytes]:
        read_end, write_end = os.pipe() if hasattr(os, "O_ASYNC") else (None, None)
        code = f"import sys; sys.path[:] = {sys.path!r}; from melodyvae.system.limits import serve; serve({read_end})"
        inherited = () if read_end is None else (read_end,)
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libraries print when memory ends is for nobody
                pass_fds=inherited,
            )
        except BaseException:
            if write_end is not None:
                os.close(write_end)
            raise
        finally:
            if read_end is not None:
                os.close(read_end)
        assert process.stdin is not None  # for mypy: it is a pipe
        self.process, self._lifeline, self._is_ready = process, write_end, False
        if self.stopped:
            process.kill()
        with suppress(BrokenPipeError):  # it ended at once, which is found when it is asked something
            pickle.dump((self.function, self.limits.memory_bytes), process.stdin)
            process.stdin.flush()
        return process


@contextmanager
def _kill_after(seconds: float, process: subprocess.Popen[bytes], late: threading.Event) -> Iterator[None]:
    """Kill ``process`` and set ``late`` unless the block ends in time."""

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _name_of(status: int | None) -> str:
    if status is None or status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def serve(lifeline: int | None) -> None:
    """Answer items from standard input, some at a time, until it is closed; the main program of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the caller decides
    if lifeline is not None:
        _end_with_the_caller(lifeline)
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get between the answers
    gc.disable()  # of what is imported nothing is garbage
    function, memory_bytes = pickle.load(requests)
    gc.freeze()
    gc.enable()
    _limit_memory(memory_bytes)
    pickle.dump(True, answers)  # ready
    answers.flush()
    while (items := _next(requests)) is not None:
        pickle.dump([_answer(function, item) for item in items], answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _end_with_the_caller(lifeline: int) -> None:
    """Let the system end this process when the caller closes its end of a pipe, or dies.

    A thread that watches would wait for the interpreter's lock, which a regular expression holds until it is done.
    """
    import fcntl

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it was closed before
        sys.exit(1)


def _answer(function: Callable[[Item], Result], item: Item) -> tuple[str, Any]:
    try:
        return "result", function(item)
    except MemoryError:
        return "memory", None
    except Exception as error:  # a reader's fault must cost no more than its file
        return "error", f"{type(error).__name__}: {error}"


def _next(requests: IO[bytes]) -> Any:
    try:
        return pickle.load(requests)
    except EOFError:
        return None


def _limit_memory(more_bytes: int) -> None:
    """Limit the process to ``memory_bytes`` more than it has now; without support of the system there is no limit."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        limit = pages * resource.getpagesize() + more_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return
