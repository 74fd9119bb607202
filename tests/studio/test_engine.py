"""Jobs are done one after the other, stale ones not at all, and none without end."""

import threading
import time

import pytest

from melodyvae.studio.engine import BusyError, Engine, StaleError, TooSlowError
from melodyvae.studio.limits import StudioLimits


class FakeModel:
    def decode(self, z):
        return z


class FakeEngine(Engine):
    def _load(self, name):
        return FakeModel()


@pytest.fixture
def engine():
    found = FakeEngine(limits=StudioLimits(waiting_jobs=3, job_seconds=60))
    yield found
    found.close()


def blocked(engine, channel="block"):
    """A job that runs until its event is set, asking the model for something all the time."""
    began, go_on = threading.Event(), threading.Event()

    def work(model):
        began.set()
        while not go_on.is_set():
            model.decode(0)
            time.sleep(0.001)
        return "done"

    job = engine.submit(channel, "block", work)
    assert began.wait(30)
    return job, go_on


def test_jobs_are_done_in_the_order_in_which_they_came(engine):
    job, go_on = blocked(engine)
    seen = []
    jobs = [engine.submit(number, "note", lambda model, number=number: seen.append(number)) for number in range(3)]
    go_on.set()
    for later in jobs:
        later.future.result(timeout=30)
    assert job.future.result(timeout=30) == "done"
    assert seen == [0, 1, 2]


def test_a_newer_request_makes_the_running_one_stale(engine):
    running, _ = blocked(engine, "pad")
    newest = engine.submit("pad", "pad", lambda model: "new")
    with pytest.raises(StaleError):
        running.future.result(timeout=30)
    assert newest.future.result(timeout=30) == "new"


def test_a_newer_request_makes_the_waiting_one_stale(engine):
    _, go_on = blocked(engine)
    waiting = engine.submit("pad", "pad", lambda model: "old")
    newest = engine.submit("pad", "pad", lambda model: "new")
    with pytest.raises(StaleError):
        waiting.future.result(timeout=30)
    go_on.set()
    assert newest.future.result(timeout=30) == "new"


def test_a_cancelled_job_ends_at_its_next_call_of_the_model(engine):
    job, _ = blocked(engine)
    job.cancel()
    with pytest.raises(StaleError):
        job.future.result(timeout=30)
    assert engine.submit("next", "next", lambda model: model.decode(3)).future.result(timeout=30) == 3


def test_a_job_ends_when_its_time_is_up(engine):
    engine.limits = StudioLimits(job_seconds=0.05)

    def work(model):
        while True:
            model.decode(0)

    with pytest.raises(TooSlowError, match=r"longer than 0\.05 seconds"):
        engine.submit("slow", "slow", work).future.result(timeout=30)


def test_too_many_waiting_jobs_are_refused(engine):
    _, go_on = blocked(engine)
    for number in range(3):
        engine.submit(number, "wait", lambda model: None)
    with pytest.raises(BusyError, match="3 requests wait"):
        engine.submit("one more", "wait", lambda model: None)
    go_on.set()


def test_progress_is_told_from_the_second_time_on(engine):
    shares = []

    def work(model):
        for _ in range(10):
            model.decode(0)
            shares.append(engine._running.share)

    engine.submit("a", "kind", work).future.result(timeout=30)
    assert set(shares) == {None}
    shares.clear()
    engine.submit("a", "kind", work).future.result(timeout=30)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5 < shares[-1] < 1


def test_what_the_work_raises_is_told_and_the_next_job_is_done(engine):
    def fail(model):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        engine.submit("a", "a", fail).future.result(timeout=30)
    assert engine.submit("b", "b", lambda model: 1).future.result(timeout=30) == 1


def test_a_model_is_loaded_when_it_is_first_asked_for_and_kept(engine):
    assert engine.submit("a", "a", lambda model: model.decode(1)).future.result(timeout=30) == 1
    assert engine.held == ("melody-2bar",)
    for _ in range(2):
        engine.submit("b", "b", lambda model: model.decode(1), "melody-compose").future.result(timeout=30)
    assert engine.held == ("melody-2bar", "melody-compose")
