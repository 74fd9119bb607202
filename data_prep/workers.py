"""Work on many items in several limited processes: each item costs only itself.

A pool from the standard library is broken as a whole by one process that dies, and does not say on which item.
"""

from __future__ import annotations

import pickle
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from melodyvae.system.limits import Item, LimitedProcess, Limits, Lost, Result

BATCH_ITEMS = 32
TASK_ITEMS = 64  # of an executor
MAX_PENDING = 256  # tasks that wait at an executor
ATTEMPTS = 3


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
    processes = [LimitedProcess(function, limits) for _ in range(workers)]

    def put(outcome: Result | Lost[Item] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                done.put(outcome, timeout=0.2)
                return
            except queue.Full:
                continue

    def serve(worker: LimitedProcess[Item, Result]) -> None:
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
    executor: Executor, function: Callable[[Item], Result], items: Sequence[Item], limits: Limits
) -> Generator[Result | Lost[Item], None, None]:
    """``function`` of each item, as they are done, by any executor; no more than 256 tasks wait there.

    Each of the executor's threads has a process of its own for the work, with the limits of :func:`work_on`, so that an
    item can end neither the executor's process nor its machine. A task that the executor itself reports as failed, such
    as one whose machines keep going away, is submitted again, one item at a time, before an item counts as lost.

    Raises:
        BrokenExecutor, CancelledError: if the executor is gone.
    """
    size = max(1, min(TASK_ITEMS, len(items) // 64))
    waiting = deque((items[start : start + size], 1) for start in range(0, len(items), size))
    pending: dict[Future[list[Result | Lost[Item]]], tuple[Sequence[Item], int]] = {}
    try:
        while waiting or pending:
            while waiting and len(pending) < MAX_PENDING:
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
        _of_thread.task, _of_thread.worker = task, LimitedProcess(function, limits)
    outcomes: list[Result | Lost[Item]] = _of_thread.worker(items)
    return outcomes
