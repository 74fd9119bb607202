"""The models, and one job on them after the other.

With the name ``auto`` there are two: that of two bars, and the one that composes once it is first asked for; both are
kept. With any other name there is that one, and the one that composes once the notes of a tune are scored, as it judges
them for every model.

Jobs are done in the order in which they came; a job on the same *channel* as an older one (the pad of one page, say)
makes the older one stale: if it waits it is dropped, if it runs it is cancelled. A running job looks at its
cancellation and its deadline whenever it asks the model for something, and that is also how it knows how far it is: by
the calls that the same kind of job took last time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melodyvae.studio.limits import StudioLimits

if TYPE_CHECKING:
    from melodyvae.network.network import MelodyNetwork

AUTO = "auto"  # as in the commands
MAX_TOLD_SHARE = 0.97  # of a job that is not done yet
WATCHED = frozenset({"encode", "decode", "fill_in", "gradient", "nats"})


class JobError(RuntimeError):
    """A failed job; the sentence is for its sender."""


class StaleError(JobError):
    """A newer request on the same channel took its place, or its sender is gone."""


class BusyError(JobError):
    """Too many jobs wait."""


class TooSlowError(JobError):
    """A job took longer than one may."""


class Job:
    """A piece of work for the model.

    Attributes:
        channel: at most one job on a channel is wanted.
        future: its result, or one of :class:`JobError`, or what the work raised.
    """

    def __init__(
        self, channel: Hashable, kind: Hashable, work: Callable[[Any], Any], seconds: float, model: str | None = None
    ) -> None:
        self.model = model  # its name; None is the first one
        self.channel = channel
        self.kind = kind
        self.work = work
        self.seconds = seconds
        self.future: Future[Any] = Future()
        self.calls = 0
        self.expected_calls: int | None = None
        self.deadline: float | None = None  # when it began, plus its seconds
        self._cancelled = threading.Event()

    @property
    def share(self) -> float | None:
        """Finished share, 0 to 1; None while it waits, and for a kind of work that was never done before."""
        if self.deadline is None or not self.expected_calls:
            return None
        return min(self.calls / self.expected_calls, MAX_TOLD_SHARE)

    def cancel(self) -> None:
        """Stop the work at the next call of the model; may be called from any thread, and when it is done."""
        self._cancelled.set()

    def step(self) -> None:
        """Count a call of the model.

        Raises:
            StaleError: if the job was cancelled.
            TooSlowError: if its time is up.
        """
        self.calls += 1
        if self._cancelled.is_set():
            raise StaleError("cancelled")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise TooSlowError(f"this took longer than {self.seconds:g} seconds and was stopped; ask for less")


class Watched:
    """A model whose calls a job counts; all else is the model's.

    ``held`` gives the engine's models by name, for work that needs more than one.
    """

    def __init__(self, model: Any, job: Job, held: Callable[[str], Any]) -> None:
        self._model = model
        self._job = job
        self._held = held

    def another(self, name: str) -> Watched:
        """Another of the engine's models; the same job counts its calls."""
        return Watched(self._held(name), self._job, self._held)

    def in_meter(self, meter: tuple[int, int], steps_per_quarter: int | None = None) -> Watched:
        """The model with windows in another meter; the same job counts its calls."""
        return Watched(self._model.in_meter(meter, steps_per_quarter), self._job, self._held)

    def told(self, *conditions: Any, **named: Any) -> Watched:
        """The model that is told conditions; the same job counts its calls."""
        return Watched(self._model.told(*conditions, **named), self._job, self._held)

    def __getattr__(self, name: str) -> Any:
        """The model's attribute; of its calls, one that counts."""
        found = getattr(self._model, name)
        if name not in WATCHED:
            return found

        def counted(*arguments: Any, **named: Any) -> Any:
            self._job.step()
            return found(*arguments, **named)

        return counted


class Engine:
    """The models in memory and the queue before them.

    Attributes:
        chooses: whether the model is chosen by what is asked.
        first_name: the name of the model that is loaded at once.
        loaded: done when that model is there, or failed with the reason.
    """

    def __init__(self, model_name: str = AUTO, limits: StudioLimits | None = None):
        from melodyvae.verbs.meters import TWO_BAR_MODEL

        self.limits = limits or StudioLimits()
        self.model_name = model_name
        self.chooses = model_name == AUTO
        self.first_name = TWO_BAR_MODEL if self.chooses else model_name
        self.loaded: Future[None] = Future()
        self._models: dict[str, MelodyNetwork] = {}
        self._loading = threading.Lock()
        self._expected: dict[Hashable, int] = {}
        self._jobs: deque[Job] = deque()
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()

    def model(self, name: str | None = None) -> MelodyNetwork:
        """A model by its name, the first one by default; loaded if it is not there yet.

        Raises:
            Exception: any error of loading.
        """
        with self._loading:
            name = name or self.first_name
            if name not in self._models:
                self._models[name] = self._load(name)
            return self._models[name]

    @property
    def held(self) -> tuple[str, ...]:
        """The names of the models that are loaded."""
        return tuple(self._models)

    def submit(self, channel: Hashable, kind: Hashable, work: Callable[[Any], Any], model: str | None = None) -> Job:
        """A job that calls ``work`` with a model, by default the first one.

        Args:
            channel: at most one job on it is wanted.
            kind: the same for jobs that take as many calls of the model.
            work: what is done.
            model: the model's name.

        Raises:
            BusyError: if too many jobs wait.
        """
        job = Job(channel, kind, work, self.limits.job_seconds, model)
        with self._changed:
            for older in [*self._jobs, *([self._running] if self._running else [])]:
                if older.channel == channel:
                    older.cancel()
            self._drop_cancelled()
            if len(self._jobs) >= self.limits.waiting_jobs:
                raise BusyError(f"{len(self._jobs)} requests wait for the model already; try again in a moment")
            self._jobs.append(job)
            self._changed.notify_all()
        return job

    def close(self) -> None:
        """Cancel all jobs and end the thread."""
        with self._changed:
            self._closed = True
            for job in [*self._jobs, *([self._running] if self._running else [])]:
                job.cancel()
            self._drop_cancelled()
            self._changed.notify_all()

    def _drop_cancelled(self) -> None:
        """Fail the waiting jobs that nobody wants any more; with the lock held."""
        for job in [job for job in self._jobs if job._cancelled.is_set()]:
            self._jobs.remove(job)
            job.future.set_exception(StaleError("a newer request took its place"))

    def _serve(self) -> None:
        try:
            self.model()
            self.loaded.set_result(None)
        except BaseException as error:  # told to whoever waits for the model
            self.loaded.set_exception(error)
            return
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._running = self._jobs.popleft()
            self._do(job)
            with self._changed:
                self._running = None

    def _do(self, job: Job) -> None:
        job.expected_calls = self._expected.get(job.kind)
        job.deadline = time.monotonic() + job.seconds
        try:
            job.step()
            result = job.work(Watched(self.model(job.model), job, self.model))
        except BaseException as error:  # told to whoever waits for the job
            job.future.set_exception(error)
            return
        self._expected[job.kind] = job.calls
        job.future.set_result(result)

    def _load(self, name: str) -> MelodyNetwork:
        from melodyvae.network.network import MelodyNetwork

        return MelodyNetwork.read(Path(name) if Path(name).exists() else name)
