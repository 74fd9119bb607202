"""Damage to real files of every kind that is read, drawn by hypothesis; and what their reader makes of them."""

from __future__ import annotations

import copy
import importlib
import io
import json
import re
import struct
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.structures import (
    XML_ELEMENTS,
    damaged_abc,
    damaged_archive,
    damaged_array,
    damaged_kern,
    damaged_midi,
    damaged_tensors,
)

SEEDS_PER_KIND = 6
MAX_SEED_BYTES = 40_000
MAX_BYTES = 400_000
MAX_SECONDS = 20.0  # of a processor, for what is read without a time limit
NAME_OF_AN_ERROR = re.compile(r"\b[A-Za-z]*(Error|Exception)\b|Traceback|<class ")
NUMBERS = ["0", "-1", "1e308", "00", "255", "65536", "2147483648", "4294967296", "999999999999", "9" * 400, "0.5", ""]
ELEMENT = re.compile(rb"<([\w-]+)(?:\s[^<>]*)?(?:/>|>(?P<text>[^<]*)</\1>)")
DEEP = "a list 100,000 deep"
ODD_VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 2**31, 10**9, 2**64, 1.5, 1e308, float("nan"), "", "x", "../../x", [], {}),
    *([0], [0, 0], [1, 2, 3], [[4, 4]], {"a": 1}, "9" * 400, DEEP, 10**400, [10**9, 1]),
]
WORDS = {
    "midi": [
        *(
            b"MThd",
            b"MTrk",
            b"\xffQ\x03\x00\x00\x00",
            b"\xffX\x04\x00\x00\x00\x00",
        ),
        *(
            b"\xffX\x04\x01\x06\x18\x08",
            b"\xff/\x00",
            b"\xf0",
            b"\xf7",
            b"\xff\xff\xff\x7f",
            b"\x90<P",
        ),
        *(
            b"\x00\x00\x00\x00",
            b"\xffT\x05",
        ),
    ],
    "abc": [
        *(
            b"X:1\n",
            b"K:C\n",
            b"M:",
            b"L:",
            b"Q:",
            b"V:2\n",
            b"[M:3/4]",
            b"[K:G]",
            b"[V:1]",
            b"(3",
            b"{",
            b"}",
        ),
        *(
            b"|:",
            b"|1",
            b'"',
            b"!",
            b"+",
            b"<",
            b">",
            b"^",
            b"__",
            b"-",
            b"[",
            b"]",
            b"&",
            b"//",
            b"%%",
        ),
        *(
            b"K:none\n",
            b"K:HP\n",
            b"M:C|\n",
        ),
    ],
    "kern": [
        *(
            b"**kern",
            b"*^\t*v",
            b"*v\t*v",
            b"*+",
            b"*x\t*x",
            b"*-\n",
            b"=1\n",
            b"*M3/4",
            b"*MM120",
            b"*k[b-]",
        ),
        *(
            b"[4c",
            b"4c]",
            b"\t",
            b"\n",
            b"qq",
            b".",
            b"4.c",
            b"%3",
            b"4r",
            b"*clefG2",
            b"!!!",
            b"*tuplet",
        ),
        *(
            b"*>A",
            b"**dynam",
            b"*Trd1c2",
        ),
    ],
    "musicxml": [
        *(
            b"<note>",
            b"</note>",
            b"<chord/>",
            b"<grace/>",
            b"<backup><duration>99</duration></backup>",
        ),
        *(
            b"<measure>",
            b"<divisions>0</divisions>",
            b"<beats>0</beats>",
            b"<!--",
            b"<![CDATA[",
            b"&#x0;",
        ),
        *(
            b"<!DOCTYPE",
            b"<transpose>",
            b"<repeat direction='backward'/>",
        ),
        *(
            b"<ending number='1' type='start'/>",
            b"<tuplet type='start'/>",
            b"<rest/>",
        ),
    ],
}
WORDS["mxl"] = WORDS["musicxml"]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        suffix: of its name.
        read: what is done with a file of it, or a folder.
        is_limited: it is read in a process with limits: to take too long is then a refusal like others.
        modules: what reading imports, which is not to be counted as its time.
    """

    suffix: str
    read: Callable[[Path], None]
    is_limited: bool
    modules: tuple[str, ...]

    def warm_up(self) -> None:
        """Import the modules."""
        for name in self.modules:
            importlib.import_module(name)

    def lost(self, reason: str, detail: str) -> str:
        """What the end of the process means."""
        if reason == "crashed" or not self.is_limited:
            return f"finding: {reason}, {detail}"
        return f"refused: {reason}"


def outcome_of(item: tuple[str, bytes]) -> str:
    """What a reader makes of a file: ``read``, ``refused: SENTENCE``, or ``finding: ...``."""
    from click import ClickException

    from melodyvae.system.errors import UserError

    kind, data = item
    KINDS[kind].warm_up()
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{KINDS[kind].suffix}"
        path.write_bytes(data)
        try:
            with redirect_stdout(io.StringIO()):
                KINDS[kind].read(path)
        except MemoryError:
            raise  # told by the process
        except (UserError, ClickException) as error:
            sentence = str(error).replace(folder, "")
            return f"finding: {sentence}" if NAME_OF_AN_ERROR.search(sentence) else f"refused: {sentence}"
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "/data_prep/" in frame.filename or "/melodyvae/" in frame.filename]
            place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
            return f"finding: {type(error).__name__} at {place}: {str(error)[:200]}"
        if not KINDS[kind].is_limited and time.process_time() - began > MAX_SECONDS:
            return f"finding: it took {time.process_time() - began:.0f} processor seconds"
    return "read"


def _read_music(path: Path) -> None:
    from data_prep.windows import PrepOptions, cut_windows
    from melodyvae.music.tokens import folded
    from melodyvae.music.voice import MelodyError, score_parts
    from melodyvae.reading.limited import read_song
    from melodyvae.reading.melodies import read_melody

    song = read_song(path)
    score_parts(song)
    try:
        melody = folded(read_melody(path, meter=(4, 4)).melody)
        melody.write(path.with_name("again.mid"))
    except MelodyError:
        return
    cut_windows(song, PrepOptions(track="all"))


def _read_checkpoint(path: Path) -> None:

    from melodyvae.cli.inspect import inspect
    from melodyvae.vae import MelodyVAE

    inspect.main([str(path)], standalone_mode=False)
    vae = MelodyVAE.from_pretrained(path)
    found = vae.sample(2, seed=0)
    vae.score(found[0])
    vae.morph(found[0], count=2, candidates=1, density=1.0)


def _read_dataset(path: Path) -> None:
    from melodyvae.cli.inspect import inspect
    from melodyvae.datasets.batches import TrainingBatches
    from melodyvae.datasets.held_out import held_out_windows, source_marks
    from melodyvae.datasets.windows import open_dataset

    folder = path.with_name("dataset")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    dataset = open_dataset(folder)
    source_marks(dataset)
    dataset.as_written("train")
    TrainingBatches(dataset.splits["train"], 8, 0, 2, 2)(0)
    held_out_windows({}, dataset, "test")
    inspect.main([str(folder)], standalone_mode=False)


CUTTING = ("data_prep.windows", "melodyvae.music.regions", "melodyvae.reading.limited", "pretty_midi")
LEARNING = ("torch", "melodyvae.vae", "melodyvae.cli.inspect", "melodyvae.datasets.held_out")
KINDS = {
    "midi": Kind(".mid", _read_music, False, CUTTING),
    "abc": Kind(".abc", _read_music, True, CUTTING),
    "kern": Kind(".krn", _read_music, True, CUTTING),
    "musicxml": Kind(".musicxml", _read_music, True, CUTTING),
    "mxl": Kind(".mxl", _read_music, True, CUTTING),
    "checkpoint": Kind(".safetensors", _read_checkpoint, False, LEARNING),
    "dataset": Kind(".zip", _read_dataset, False, LEARNING),
}


class Damaged(bytes):
    """Bytes that hypothesis does not print."""

    def __repr__(self) -> str:
        return f"{len(self)} bytes"


def damaged(kind: str) -> st.SearchStrategy[bytes]:
    """Files of a kind, damaged in one to six places."""
    return _damaged(kind).map(Damaged)


def _damaged(kind: str) -> st.SearchStrategy[bytes]:
    if kind == "checkpoint":
        return _damaged_checkpoint()
    if kind == "dataset":
        return _damaged_dataset()
    anywhere = _damaged_bytes("musicxml" if kind == "mxl" else kind)
    if kind == "musicxml":
        return anywhere
    if kind == "mxl":
        return st.one_of(_damaged_bytes("mxl"), anywhere.map(_zipped_score), anywhere.flatmap(damaged_archive))
    by_structure = {"midi": damaged_midi, "abc": damaged_abc, "kern": damaged_kern}[kind](seeds(kind))
    return st.one_of(anywhere, by_structure, by_structure)


@st.composite
def _damaged_bytes(draw: st.DrawFn, kind: str) -> bytes:
    data = draw(st.sampled_from(seeds(kind)))
    for _ in range(draw(st.integers(1, 6))):
        data = _damage(draw, data, kind)[:MAX_BYTES]
    return data


def _damage(draw: st.DrawFn, data: bytes, kind: str) -> bytes:
    at = draw(st.integers(0, len(data)))
    to = min(at + draw(st.integers(1, 200)), len(data))
    if kind in ("musicxml", "mxl") and data.lstrip()[:1] == b"<" and draw(st.integers(0, 4)):
        return _damage_element(draw, data)
    way = draw(st.sampled_from(["flip", "word", "number", "cut", "copy", "repeat", "move", "other", "end", "insert"]))
    if way == "flip":
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    if way == "insert":
        return data[:at] + draw(st.binary(max_size=8)) + data[at:]
    if way == "word":
        return data[:at] + draw(st.sampled_from(WORDS.get(kind, [b"\x00"]))) + data[at:]
    if way == "number":
        found = list(re.finditer(rb"\d+", data))
        if not found:
            return data
        chosen = found[draw(st.integers(0, len(found) - 1))]
        return data[: chosen.start()] + draw(st.sampled_from(NUMBERS)).encode() + data[chosen.end() :]
    if way == "cut":
        return data[:at] + data[to:]
    if way == "copy":
        place = draw(st.integers(0, len(data)))
        return data[:place] + data[at:to] + data[place:]
    if way == "repeat":
        return data[:at] + data[at:to] * draw(st.sampled_from([2, 10, 300])) + data[to:]
    if way == "move":
        return data[to:] + data[at:to] + data[:at]
    if way == "other":
        other = draw(st.sampled_from(seeds(kind)))
        return data[:at] + other[draw(st.integers(0, len(other))) :]
    return data[:at]


def _damage_element(draw: st.DrawFn, data: bytes) -> bytes:
    """XML with an element gone, twice, a thousand times, elsewhere, or with another text: as well formed as before."""
    found = list(ELEMENT.finditer(data))
    if not found:
        return data
    one = found[draw(st.integers(0, len(found) - 1))]
    other = found[draw(st.integers(0, len(found) - 1))]
    way = draw(st.sampled_from(["gone", "twice", "often", "other", "odd", "odd", "within", "number", "number", "text"]))
    if way in ("odd", "within"):
        at = one.end() if way == "odd" else one.start() + 1 + data[one.start() : one.end()].index(b">")
        return data[:at] + draw(st.sampled_from(XML_ELEMENTS)).encode() + data[at:]
    if way in ("number", "text"):
        text = draw(st.sampled_from(NUMBERS)).encode() if way == "number" else other["text"] or b""
        if one["text"] is None:
            return data
        return data[: one.start("text")] + text + data[one.end("text") :]
    new = {"gone": b"", "twice": one[0] * 2, "often": one[0] * 1000, "other": other[0] + one[0]}[way]
    return data[: one.start()] + new + data[one.end() :]


@st.composite
def _damaged_checkpoint(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(seeds("checkpoint")))
    way = draw(
        st.sampled_from(["bytes", "length", "ours", "ours", "theirs", "numbers", "tensors", "tensors", "pickle"])
    )
    if way == "tensors":
        return draw(damaged_tensors(data))
    (length,) = struct.unpack("<Q", data[:8])
    header, tensors = json.loads(data[8 : 8 + length]), data[8 + length :]
    if way == "pickle":
        return draw(st.sampled_from([b"PK\x03\x04", b"\x80\x02", b"\x80\x04\x95"])) + data
    if way == "bytes":
        return _damage(draw, data, "checkpoint")
    if way == "length":
        return struct.pack("<Q", draw(st.sampled_from([0, 1, 2**31, 2**60, 2**64 - 1]))) + data[8:]
    if way == "ours":
        ours = _damaged_json(draw, json.loads(header["__metadata__"]["melodyvae"]))
        header["__metadata__"]["melodyvae"] = _dumped(ours)
    elif way == "theirs":
        header = _damaged_json(draw, header)
    else:  # NaN, infinite and huge weights
        at = 2 * draw(st.integers(0, len(tensors) // 2 - 1))
        tensors = tensors[:at] + draw(st.sampled_from([b"\x00\x7e", b"\x00\x7c", b"\xff\x7b"])) + tensors[at + 2 :]
    text = _dumped(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


@st.composite
def _damaged_dataset(draw: st.DrawFn) -> bytes:
    with zipfile.ZipFile(io.BytesIO(draw(st.sampled_from(seeds("dataset"))))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from([*files, "meta.json", "meta.json"]))
    way = draw(st.sampled_from(["bytes", "value", "value", "gone", "array", "numbers", "numbers"]))
    if way == "gone":
        del files[name]
    elif way == "value" and name == "meta.json":
        files[name] = _dumped(_damaged_json(draw, json.loads(files[name]))).encode()
    elif way == "array" and name.endswith(".npy"):
        files[name] = draw(st.sampled_from(odd_arrays()))
    elif way == "numbers" and name.endswith(".npy"):
        files[name] = draw(damaged_array(files[name]))
    else:
        files[name] = _damage(draw, files[name], "dataset")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _damaged_json(draw: st.DrawFn, value: Any) -> Any:
    """A copy of a JSON value in which one to three values are gone or others."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            return draw(st.sampled_from(ODD_VALUES))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()) or isinstance(holder, list):
            holder[key] = draw(st.sampled_from(ODD_VALUES))
        else:
            del holder[key]
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    found = []
    for key in keys:
        found += [(value, key), *_places(value[key])]
    return found


def _dumped(value: Any) -> str:
    """JSON; what is deep is put in as text, for the writer of JSON is recursive, too."""
    return json.dumps(value).replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000)


@cache
def odd_arrays() -> list[bytes]:
    def saved(array: np.ndarray, **options: Any) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, array, **options)
        return buffer.getvalue()

    def headed(description: str) -> bytes:
        text = description.encode() + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64)

    return [
        saved(np.array([{"a": 1}, None], dtype=object), allow_pickle=True),
        saved(np.zeros((4, 32), np.float64)),
        saved(np.full((4, 32), 255, np.uint8)),
        saved(np.zeros((0, 32), np.uint8)),
        saved(np.zeros((4, 7), np.uint8)),
        saved(np.zeros(4, np.uint8)),
        saved(np.uint8(4)),
        headed("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 32), }"),
        headed("{'descr': '|u1', 'fortran_order': False, 'shape': (-4, 32), }"),
        headed("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 32), }"),
        headed("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"),
        headed("(" * 5000),
        b"PK\x03\x04 no archive",
        b"",
    ]


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """Real files of a kind: small, and the same at every call."""
    if kind == "midi":
        folder = Path(__file__).parent.parent / "examples" / "tunes"
        return tuple(path.read_bytes() for path in sorted(folder.glob("*.mid")))
    if kind == "checkpoint":
        return _checkpoints()
    if kind == "dataset":
        return (_dataset(),)
    if kind == "mxl":
        return tuple(_zipped_score(data) for data in seeds("musicxml"))
    return _scores(KINDS[kind].suffix)


def _scores(suffix: str) -> tuple[bytes, ...]:
    """The smallest files, one a collection, that music21 installs; of files of many tunes the first."""
    from music21.common import getCorpusFilePath

    from melodyvae.reading.score import tunes_of

    suffixes = {suffix, ".xml", ".mxl"} if suffix == ".musicxml" else {suffix}
    by_folder: dict[Path, list[Path]] = {}
    for path in sorted(Path(getCorpusFilePath()).rglob("*")):
        if path.suffix in suffixes:
            by_folder.setdefault(path.parent, []).append(path)
    smallest = sorted(min(paths, key=lambda path: (path.stat().st_size, path.name)) for paths in by_folder.values())
    found = []
    for path in smallest:
        data = path.read_bytes()
        if suffix in (".abc", ".krn"):
            data = next(tunes_of(data, suffix, path.name)).text.encode()
        elif path.suffix == ".mxl":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                data = max((archive.read(name) for name in archive.namelist()), key=len)
        if len(data) <= MAX_SEED_BYTES:
            found.append(data)
    assert found
    return tuple(found[:SEEDS_PER_KIND])


def _zipped_score(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("score.xml"), data)
    return buffer.getvalue()


def _dataset() -> bytes:
    from data_prep.prepare import prepare
    from tests.data_prep.test_corpus import tunes

    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        made = prepare([tunes(Path(folder) / "midi", 24)], Path(folder) / "out", workers=0).output
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in sorted(made.iterdir()):
                archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
    return buffer.getvalue()


def _checkpoints() -> tuple[bytes, ...]:
    """A model that was trained for a moment, with all that is fitted to it."""
    from melodyvae.datasets.windows import open_dataset
    from melodyvae.training.finishing import finish_melody_run
    from melodyvae.training.melody import build_model_and_config, melody_trainer

    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(_dataset())) as archive:
            archive.extractall(f"{folder}/dataset")
        dataset = open_dataset(f"{folder}/dataset")
        model, config = build_model_and_config("tiny", max_updates=5)
        for _ in melody_trainer(model, config, dataset, Path(folder) / "run").run():
            pass
        finish_melody_run(Path(folder) / "run", dataset)
        return ((Path(folder) / "run" / "model.safetensors").read_bytes(),)
