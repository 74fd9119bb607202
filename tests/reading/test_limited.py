"""Files that strangers send: each is read, or refused in a sentence, within its limits, and harms nothing else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from melodyvae.reading import limited
from melodyvae.reading.faults import CorruptScoreError, NotAScoreError
from melodyvae.reading.limited import ReaderCrashedError, TooSlowError, close_reader, read_song, start_reader
from melodyvae.reading.midi import FileTooLargeError, MidiError, NotAFileError, song_from_bytes
from melodyvae.reading.score import read_score
from melodyvae.system.limits import Limits
from tests.children import start_child
from tests.reading.hostile import HOSTILE, abc, kern, measure, musicxml
from tests.reading.hostile import NOTE as XML_NOTE
from tests.reading.smf import END_OF_TRACK, smf, tune

NAME_OF_AN_ERROR = re.compile(r"[A-Za-z]*(Error|Exception)\b|Traceback|<class|\bNone\b")
LIMITS = Limits(seconds=4.0, memory_bytes=2**30)  # for files that may be read, or be too slow
AMPLE = Limits(seconds=120.0, memory_bytes=2**30)  # for files whose end does not depend on the machine
COSTLY = (
    *("60 MiB", "20,000 headers", "10^6 terms", "of !a", "100,000 voices", "100,000 elements", "without an end"),
    *("100,000 measures", "chord of 10^5", "of decorations", "of -"),
)
SENTENCES = {
    "a long header and 20,000 short tunes": None,  # its first tune is read
    "a meter of 10^9/1": (CorruptScoreError, "line 2: M:1000000000/1 is not a meter; write it such as M:4/4"),
    "1 MiB of unclosed {": (FileTooLargeError, "has 1048593 characters of music; a tune has at most 400000"),
    "1 MiB of unclosed [": (FileTooLargeError, "has 1048593 characters of music; a tune has at most 400000"),
    "1 MiB of unclosed +": (FileTooLargeError, "has 1048593 characters of music; a tune has at most 400000"),
    "1 MiB of unclosed !": (FileTooLargeError, "has 1048593 characters of music; a tune has at most 400000"),
    "60 MiB of X: lines": (NotAScoreError, "it has no key"),
    "declared as punycode": (NotAScoreError, "its encoding is declared as 'punycode'; save it as UTF-8"),
    "declared as undefined": (NotAScoreError, "its encoding is declared as 'undefined'; save it as UTF-8"),
    "1 MiB of punycode": (NotAScoreError, "its encoding is declared as 'punycode'; save it as UTF-8"),
    "200,000 notes": (FileTooLargeError, "has 200000 notes; a score of more than 100000 is not read"),
    "spines that split 17 times": (FileTooLargeError, "has 131072 spines side by side"),
    "zero in L:": (CorruptScoreError, "line 3: L:1/0 is not a note length; write it such as L:1/8"),
    "less than zero in L:": (CorruptScoreError, "line 3: L:-1/8 is not a note length; write it such as L:1/8"),
    "less than zero in M:": (CorruptScoreError, "line 2: M:-4/4 is not a meter; write it such as M:4/4"),
    "zero in M:": (CorruptScoreError, "line 2: M:4/0 is not a meter; write it such as M:4/4"),
    "zero in Q:": (CorruptScoreError, "line 4: Q:1/4=0 is not a tempo; write it such as Q:1/4=120"),
}


@pytest.fixture(scope="module", autouse=True)
def reader() -> Iterator[None]:
    yield
    close_reader()


def read_or_refuse(folder: Path, name: str, limits: Limits) -> MidiError | None:
    suffix, make = HOSTILE[name]
    path = folder / f"hostile{suffix}"
    path.write_bytes(make())
    try:
        read_song(path, limits)
    except MidiError as error:
        return error
    return None


@pytest.mark.parametrize("name", SENTENCES)
def test_the_files_that_broke_it_are_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    expected, refused = SENTENCES[name], read_or_refuse(tmp_path, name, AMPLE)
    if expected is None:
        assert refused is None
    else:
        assert isinstance(refused, expected[0])
        assert expected[1] in str(refused)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if any(word in name for word in COSTLY) else [])
        for name in HOSTILE
        if name not in SENTENCES
    ],
)
def test_any_file_is_read_or_refused_within_the_limits(tmp_path: Path, name: str) -> None:
    refused = read_or_refuse(tmp_path, name, LIMITS)
    assert refused is None or not NAME_OF_AN_ERROR.search(str(refused)), refused
    assert not isinstance(refused, ReaderCrashedError)


def test_what_is_too_slow_is_ended_and_the_next_file_is_read(tmp_path: Path) -> None:
    slow, good = tmp_path / "slow.musicxml", tmp_path / "good.abc"
    slow.write_bytes(musicxml("<a/>" * 1_000_000))
    good.write_bytes(abc())
    with pytest.raises(TooSlowError, match=r"slow\.musicxml takes longer to read than 0\.05 seconds\. Split it"):
        read_song(slow, Limits(seconds=0.05))
    assert read_song(good, Limits(seconds=60.0)).parts[0].pitches.tolist() == [72, 74, 76, 77, 79, 81, 83, 84]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.abc", abc("G|cdef|gabc'|", Q="1/4=90")),
        ("a.krn", kern("=1\n4c\n4d\n4e\n4f\n=2\n1c\n")),
        ("a.musicxml", musicxml(measure(1, XML_NOTE * 4) + measure(2, XML_NOTE * 4))),
        ("a.mid", tune([60, 62, 64, 65])),
    ],
    ids=["abc", "kern", "musicxml", "midi"],
)
def test_a_good_file_is_read_as_without_limits(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    found, expected = read_song(path, AMPLE), read_song(path)
    assert len(found.parts) == len(expected.parts) == 1
    for column in ("starts", "ends", "pitches", "velocities"):
        np.testing.assert_array_equal(getattr(found.parts[0], column), getattr(expected.parts[0], column))
    assert (found.tempi, found.meters, found.end_quarters) == (expected.tempi, expected.meters, expected.end_quarters)


def test_the_line_in_a_message_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.abc"
    path.write_text("% a comment\n%%format x\n\nX:1\nL:1/4\nM:4/0\nK:C\nc4|\n", encoding="utf-8")
    with pytest.raises(CorruptScoreError, match=r"a\.abc, line 6: M:4/0 is not a meter"):
        read_score(path)
    path.write_text("\nX:1\nL:1/4\nM:four\nK:C\nc4|\n", encoding="utf-8")
    with pytest.raises(CorruptScoreError, match=r"a\.abc, line 4: M:four is not a meter"):
        read_score(path)
    path.write_text("X:1\nL:1/4\nM:4/4\nK:C\ncdef|\n[M:3/0]cde|\n", encoding="utf-8")
    with pytest.raises(CorruptScoreError, match=r"a\.abc, line 6: M:3/0 is not a meter"):
        read_score(path)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_song(tmp_path / "missing.abc", LIMITS)


@pytest.mark.parametrize("name", ["a.mid", "a.abc", "a.krn", "a.musicxml"])
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    (tmp_path / f"endless-{name}").symlink_to("/dev/zero")
    for path in (tmp_path / name, tmp_path / f"endless-{name}"):
        with pytest.raises(NotAFileError, match=f"{name} is not a regular file but a pipe or a device; save what it"):
            read_song(path, AMPLE)


def test_scores_are_read_in_a_process_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_bytes(abc())
    code = (
        "import sys; from melodyvae.system.limits import Limits; from melodyvae.reading.limited import read_song\n"
        "assert read_song(sys.argv[1], Limits()).parts\n"
        "assert 'music21' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.abc")], check=True, timeout=120)


def test_threads_share_one_process(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.abc" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(abc("CDEFGAB"[number] + "4|"))
    found: dict[int, list[int]] = {}

    def read(number: int) -> None:
        found[number] = read_song(paths[number], AMPLE).parts[0].pitches.tolist()

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: [60], 1: [62], 2: [64], 3: [65], 4: [67], 5: [69]}


def test_a_reader_that_was_killed_is_started_again(tmp_path: Path) -> None:
    path = tmp_path / "a.abc"
    path.write_bytes(abc())
    read_song(path, AMPLE)
    process = limited._reader._process
    assert process is not None
    assert process.process is not None
    os.kill(process.process.pid, signal.SIGKILL)
    assert read_song(path, AMPLE).parts


def test_the_reader_ends_with_its_caller_in_the_middle_of_its_work(tmp_path: Path) -> None:
    path = tmp_path / "slow.musicxml"
    path.write_bytes(musicxml("<a/>" * 3_000_000))
    code = (
        "import sys, threading, time; from melodyvae.reading import limited\n"
        "from melodyvae.system.limits import Limits\n"
        "threading.Thread(target=limited.read_song, args=(sys.argv[1], Limits()), daemon=True).start()\n"
        "while not (limited._reader._process and limited._reader._process._is_ready): time.sleep(0.05)\n"
        "print(limited._reader._process.process.pid, flush=True); time.sleep(100)"
    )
    caller = start_child([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    reader = int(caller.stdout.readline())
    time.sleep(1)
    caller.kill()
    caller.wait()
    caller.stdout.close()
    ends = time.monotonic() + 20
    while is_running(reader) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not is_running(reader)


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # one that ended and that nobody has asked about yet


def test_the_reader_can_be_started_early_and_ended() -> None:
    close_reader()
    start_reader(AMPLE)
    process = limited._reader._process
    assert process is not None
    assert process.process is not None
    close_reader()
    assert process.process is None
    assert limited._reader._process is None


def test_midi_is_bounded_by_notes_and_bars() -> None:
    signature = "ff 58 04 01 06 18 08"  # 1/64
    late = "00 90 3c 50 83 60 80 3c 00 86 ff ff 7f 90 3c 50 83 60 80 3c 00"  # 29,000 quarters later
    with pytest.raises(FileTooLargeError, match=r"has \d+ bars; a piece of more than 100000 is not read"):
        song_from_bytes(smf(f"00 {signature} {late} {END_OF_TRACK}"), "long.mid")


def test_midi_of_too_many_notes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("melodyvae.reading.midi.MAX_NOTES", 3)
    with pytest.raises(FileTooLargeError, match=r"a\.mid has 4 notes; a piece of more than 3 is not read"):
        song_from_bytes(tune([60, 62, 64, 65]), "a.mid")
