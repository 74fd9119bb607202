"""Work on many items in processes of which each may be slow, hungry, or crash, and costs only its own item.

A pool from the standard library is broken as a whole by one process that dies, and does not say on which item. Here
each process has a few items at a time. If it dies on them, or they take longer than one may, a new process takes its
place and they are given to it one at a time, so that its end is then the end of one item alone.
The processes are started as programs, not forked and not by importing the caller's main module, so that a script needs
no guard and threads of the caller do no harm. They end by themselves when the caller is gone.

Contents: :class:`Limits`, :class:`Lost`, :func:`work_on`; :func:`work_on_executor` for machines elsewhere.
"""

from __future__ import annotations

import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_ITEMS = 32
ATTEMPTS = 3


@dataclass(frozen=True)
class Limits:
    """What one item may take: seconds, and bytes of memory beyond what the process has when it starts."""

    seconds: float = 60.0
    memory_bytes: int = 2 * 2**30


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """An item that came to nothing: ``too_slow``, ``too_much_memory`` or ``crashed``."""

    item: Item
    reason: str
    detail: str


def work_on(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, limits: Limits
) -> Generator[Result | Lost[Item], None, None]:
    """``function`` of each item, as they are done; ``function`` and items must be picklable.

    When the iterator is closed, the processes are killed.
    """
    size = max(1, min(BATCH_ITEMS, len(items) // (4 * workers)))  # all are busy until close to the end
    waiting = iter([items[start : start + size] for start in range(0, len(items), size)])
    lock = threading.Lock()
    done: queue.Queue[Result | Lost[Item] | BaseException | None] = queue.Queue(maxsize=4 * workers)
    stopped = threading.Event()
    processes = [_Worker(function, limits) for _ in range(workers)]

    def put(outcome: Result | Lost[Item] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                done.put(outcome, timeout=0.2)
                return
            except queue.Full:
                continue

    def serve(worker: _Worker[Item, Result]) -> None:
        try:
            while not stopped.is_set():
                with lock:
                    batch = next(waiting, None)
                if batch is None:
                    break
                for outcome in worker(batch):
                    put(outcome)
            put(None)
        except BaseException as error:  # told to the caller, who raises it
            put(error)

    threads = [threading.Thread(target=serve, args=(process,), daemon=True) for process in processes]
    for thread in threads:
        thread.start()
    try:
        running = workers
        while running:
            outcome = done.get()
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is None:
                running -= 1
            else:
                yield outcome
    finally:
        stopped.set()
        for process in processes:
            process.kill()
        for thread in threads:
            thread.join()
        for process in processes:
            process.close()


def work_on_executor(
    executor: Executor,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    limits: Limits,
    chunk: int = 64,
    in_flight: int = 256,
) -> Generator[Result | Lost[Item], None, None]:
    """``function`` of each item, as they are done, by any executor; no more than ``in_flight`` tasks wait there.

    Each of the executor's threads has a process of its own for the work, with the limits of :func:`work_on`, so that an
    item can end neither the executor's process nor its machine. A task that the executor itself reports as failed, such
    as one whose machines went away again and again, is given to it anew, one item at a time, before an item is lost.

    Raises:
        BrokenExecutor, CancelledError: if the executor is gone.
    """
    size = max(1, min(chunk, len(items) // 64))
    waiting = deque((items[start : start + size], 1) for start in range(0, len(items), size))
    pending: dict[Future[list[Result | Lost[Item]]], tuple[Sequence[Item], int]] = {}
    try:
        while waiting or pending:
            while waiting and len(pending) < in_flight:
                batch, attempt = waiting.popleft()
                pending[executor.submit(_guarded, function, limits, batch)] = batch, attempt
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                batch, attempt = pending.pop(future)
                error = future.exception()
                if error is None:
                    yield from future.result()
                elif attempt < ATTEMPTS:
                    waiting.extendleft(([item], attempt + 1) for item in batch)
                else:
                    yield from (Lost(item, "crashed", f"{type(error).__name__}: {error}") for item in batch)
    finally:
        for future in pending:
            future.cancel()


_of_thread = threading.local()


def _guarded(function: Callable[[Item], Result], limits: Limits, items: Sequence[Item]) -> list[Result | Lost[Item]]:
    """The outcomes of items in this thread's own process, which is kept for the next ones."""
    task = pickle.dumps((function, limits))
    if getattr(_of_thread, "task", None) != task:
        _of_thread.task, _of_thread.worker = task, _Worker(function, limits)
    outcomes: list[Result | Lost[Item]] = _of_thread.worker(items)
    return outcomes


class _Worker(Generic[Item, Result]):
    """One process and the way to it."""

    def __init__(self, function: Callable[[Item], Result], limits: Limits) -> None:
        self.function = function
        self.limits = limits
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False

    def __call__(self, items: Sequence[Item]) -> list[Result | Lost[Item]]:
        """The outcome of each item."""
        answers = self._ask(items)
        if not isinstance(answers, Lost):
            return [self._outcome(item, *answer) for item, answer in zip(items, answers, strict=True)]
        if len(items) == 1:
            return [answers]
        return [outcome for item in items if not self.stopped for outcome in self([item])]

    def _ask(self, items: Sequence[Item]) -> list[tuple[str, Any]] | Lost[Item]:
        """The process's answers, or how it ended."""
        process = self.process or self._start()
        assert process.stdin is not None  # for mypy: both are pipes
        assert process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self.limits.seconds, end)
        timer.start()
        try:
            pickle.dump(items, process.stdin)
            process.stdin.flush()
            answers: list[tuple[str, Any]] = pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.close()
            if late.is_set():
                return Lost(items[0], "too_slow", f"it took more than {self.limits.seconds:g} seconds")
            return Lost(items[0], "crashed", f"its process ended with {_name_of(process.returncode)}")
        finally:
            timer.cancel()
        return answers

    def _outcome(self, item: Item, kind: str, value: Any) -> Result | Lost[Item]:
        if kind == "memory":
            return Lost(item, "too_much_memory", f"it took more than {self.limits.memory_bytes / 2**20:.0f} MiB")
        if kind == "error":
            return Lost(item, "crashed", value)
        return value  # type: ignore[no-any-return]

    def __del__(self) -> None:
        self.close()

    def kill(self) -> None:
        """End the process, if there is one; may be called from another thread than the one that uses it."""
        self.stopped = True
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        """End the process, if there is one, and give back what it holds."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):  # what was not yet written cannot be
                if pipe is not None:
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        code = f"import sys; sys.path[:] = {sys.path!r}; from data_prep.corpus.workers import _serve; _serve()"
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None  # for mypy: it is a pipe
        self.process = process
        if self.stopped:
            process.kill()
        pickle.dump((self.function, self.limits.memory_bytes), process.stdin)
        process.stdin.flush()
        return process


def _name_of(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _serve() -> None:
    """Answer items from standard input, some at a time, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the caller decides
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a reader prints must not get between the answers
    function, memory_bytes = pickle.load(requests)
    _limit_memory(memory_bytes)
    while (items := _next(requests)) is not None:
        pickle.dump([_answer(function, item) for item in items], answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


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
    """Let the process take so many bytes more than it has now; where the system cannot, nothing is limited."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        limit = pages * resource.getpagesize() + more_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        return
