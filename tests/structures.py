"""Damage that keeps a file's structure: MIDI by events, ABC by fields, kern by rows, tensors and arrays by value.

Bytes that are damaged anywhere are mostly refused at once. Here lengths, counts and separators stay as they should be,
so that what is wrong is met late: in a value that no composer writes, in an order that none has, or in a piece of
another file.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

DIVISIONS = [0, 1, 2, 24, 479, 480, 0x7FFF, 0x8000, 0xE728, 0xE250, 0xFFFF]
COUNTS = [0, 1, 2, 3, 255, 65535]
DELTAS = [0, 1, 127, 128, 480, 16383, 16384, 2**21, 2**28 - 1]
EVENTS = [  # without the time before them
    *(
        b"\x90<P",
        b"\x80<\x00",
        b"\x90<\x00",
        b"\x99$P",
        b"\x9f\x7f\x7f",
        b"\x90\x00\x01",
        b"\xe0\x00\x00",
        b"\xb0{\x00",
    ),
    *(b"\xb0\x07\x00", b"\xb0x\x00", b"\xc0\x7f", b"\xd0\x00", b"\xa0<\x00", b"\xf0\x03\x7e\x7f\xf7", b"\xf7\x00"),
    *(b"\xffQ\x03\x00\x00\x00", b"\xffQ\x03\x00\x00\x01", b"\xffQ\x03\xff\xff\xff", b"\xffQ\x00", b"\xffQ\x01\x07"),
    *(b"\xffX\x04\x00\x02\x18\x08", b"\xffX\x04\x04\xff\x18\x08", b"\xffX\x04\xff\x00\x00\x00", b"\xffX\x02\x03\x02"),
    *(b"\xffX\x04\x03\x02\x18\x08", b"\xffX\x04\x06\x03\x24\x08", b"\xffX\x04\x01\x06\x18\x08", b"\xffY\x02\x7f\x7f"),
    *(b"\xffY\x02\xf9\x01", b"\xffY\x00", b"\xff/\x00", b"\xff\x20\x01\x09", b"\xff\x21\x01\xff", b"\xff\x03\x00"),
    *(b"\xff\x03\x04\xff\xfe\x00\x0a", b"\xff\x05\x02\x1b[", b"\xff\x7f\x00", b"\xffT\x05\xff\xff\xff\xff\xff"),
]
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
ABC_FIELDS = {
    "M": [
        "C",
        "C|",
        "none",
        "4/4",
        "3/4",
        "6/8",
        "2+3/8",
        "(2+2+3)/8",
        "128/1024",
        "1/1",
        "4/4 3/4",
        "",
        "5/0",
        "9999/4",
    ],
    "L": ["1/8", "1/16", "1", "1/1024", "3/8", "1/", "/4", "0/4", "1/3", ""],
    "Q": [
        "1/4=120",
        "120",
        "1/4 1/8=60",
        "C3=100",
        '"Allegro" 1/4=120',
        "3/8=10000",
        "1/4=",
        "1/4=1.5",
        "1/4=99999",
        "",
    ],
    "K": [
        "C",
        "Gm",
        "F#mix",
        "HP",
        "Hp",
        "none",
        "",
        "C clef=bass",
        "C exp ^f _b",
        "Am transpose=-99",
        "K:",
        "H",
        "C#loc",
    ],
    "V": ["1", "2", "1 clef=bass", "99", "1 transpose=1000000", "", "T1 name=x", "-1"],
    "X": ["1", "2", "0", "-1", "9999999999", ""],
    "P": ["A", "A2B", "(AB)9999", ""],
    "w": ["la la", "* | _ -", ""],
    "I": ["abc-version 2.0", "abc-charset utf-8", "pitch 100", "propagate-accidentals not", ""],
    "U": ["T = !trill!", "c = d", ""],
    "m": ["~n2 = (3o/n/m/ n", ""],
    "r": ["remark", ""],
}
ABC_MUSIC = [
    *(
        "(3cde",
        "(9:2:9abcdefgab",
        "(2",
        "(0c",
        "(3:0:3cde",
        "[CEG]4",
        "[C-EG]",
        "[]",
        "{c}d",
        "{/c}d",
        "{",
        "c>d<e>>>f",
    ),
    *(
        "c-c",
        "c-|c",
        "^^c__d=e",
        "^/c",
        "z4",
        "Z8",
        "Z9999",
        "x2",
        "y",
        "c99999",
        "c3/2",
        "c//",
        "c1/1024",
        "|:c:|",
        "|1c:|2d|",
    ),
    *(
        "::",
        "[|",
        "|]",
        "|2",
        "[1,3",
        "!trill!c",
        "+f+c",
        "!",
        '"Am"c',
        '"^x"',
        "c&d&e|",
        "&",
        "(c(de)f)",
        ")",
        "C,,,,,,,,,",
        "c''''''''",
    ),
    *(
        "\\",
        "\n",
        "`",
        "$",
        "~c",
        ".c",
        "uc",
        "vd",
        "$$",
        "*",
        "[I:transpose 12]",
        "[r:x]",
        "[K:none]",
        "[M:7/16]",
        "[L:1/64]",
        "[V:2]c",
    ),
]
KERN_CELLS = [
    *(
        "4c",
        "4.c",
        "8cc#",
        "16r",
        "4c 4e 4g",
        "[4c",
        "4c]",
        "4c_",
        "q4c",
        "qqc",
        "4cX",
        "4c;",
        "0c",
        "00c",
        "3%2c",
        "40c",
        "4cccccccc",
    ),
    *(
        "4CCCCCCCC",
        "c",
        "4",
        "4c-- 4d##",
        "*",
        "*-",
        "*^",
        "*v",
        "*+",
        "*x",
        "**kern",
        "**text",
        "**dynam",
        "*M3/4",
        "*M0/4",
        "*M4/0",
    ),
    *(
        "*M3+2/8",
        "*MM120",
        "*MM0",
        "*k[f#c#]",
        "*k[]",
        "*Trd-1c-2",
        "*ITrd99c99",
        "*clefF4",
        "*Ipiano",
        "*tb8",
        "=",
        "=1",
        "==",
        "=:|!",
    ),
    *(
        "=1-",
        ".",
        "!",
        "!!x",
        "*>A",
        "*>[A,A,B]",
        "*met(C|)",
        "*8va",
        "*X8va",
        "*part1",
        "*staff1",
        "",
        "4yy",
        "4ryy",
        "4c{L",
        "4d}J",
    ),
]


@dataclass(frozen=True)
class Track:
    """The events of a track: each the ticks before it and its bytes, its status written out."""

    events: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class MidiFile:
    """What a MIDI file is made of."""

    kind: int
    division: int
    tracks: tuple[Track, ...]


def midi_file(data: bytes) -> MidiFile:
    """The parts of an undamaged MIDI file."""
    kind, count, division = struct.unpack(">HHH", data[8:14])
    tracks, at = [], 14
    for _ in range(count):
        (length,) = struct.unpack(">I", data[at + 4 : at + 8])
        tracks.append(_track(data[at + 8 : at + 8 + length]))
        at += 8 + length
    return MidiFile(kind, division, tuple(tracks))


def midi_bytes(file: MidiFile, count: int | None = None) -> bytes:
    """The bytes of a MIDI file, which says that it has ``count`` tracks."""
    count = len(file.tracks) if count is None else count
    data = b"MThd" + struct.pack(">IHHH", 6, file.kind, count & 0xFFFF, file.division)
    for track in file.tracks:
        body = b"".join(_quantity(ticks) + event for ticks, event in track.events)
        data += b"MTrk" + struct.pack(">I", len(body)) + body
    return data


def _track(data: bytes) -> Track:
    events, at, status = [], 0, 0
    while at < len(data):
        ticks, at = _read_quantity(data, at)
        if data[at] & 0x80:
            status, at = data[at], at + 1
        start = at
        if status in (0xF0, 0xF7, 0xFF):
            length, at = _read_quantity(data, at + (status == 0xFF))
            at += length
        else:
            at += DATA_BYTES[status >> 4]
        events.append((ticks, bytes([status]) + data[start:at]))
    return Track(tuple(events))


def _read_quantity(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while data[at] & 0x80:
        value, at = value << 7 | data[at] & 0x7F, at + 1
    return value << 7 | data[at], at + 1


def _quantity(value: int) -> bytes:
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))


@st.composite
def damaged_midi(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A MIDI file whose chunks have the right lengths, with values and orders that none should have."""
    file = midi_file(draw(st.sampled_from(seeds)))
    kind, division, tracks, count = file.kind, file.division, [list(track.events) for track in file.tracks], None
    for _ in range(draw(st.integers(1, 6))):
        events = draw(st.sampled_from(tracks))
        at = draw(st.integers(0, len(events)))
        to = min(at + draw(st.integers(1, 40)), len(events))
        ways = [
            "kind",
            "division",
            "count",
            "delta",
            "data",
            "event",
            "event",
            "cut",
            "often",
            "move",
            "track",
            "splice",
        ]
        way = draw(st.sampled_from([*ways, "status", "no ends"]))
        if way == "kind":
            kind = draw(st.sampled_from(COUNTS))
        elif way == "division":
            division = draw(st.sampled_from(DIVISIONS))
        elif way == "count":
            count = draw(st.sampled_from(COUNTS))
        elif way == "event":
            events.insert(at, (draw(st.sampled_from(DELTAS)), draw(st.sampled_from(EVENTS))))
        elif way == "cut":
            del events[at:to]
        elif way == "often":
            events[at:to] = events[at:to] * draw(st.sampled_from([2, 10, 100]))
        elif way == "move":
            events[at:to] = reversed(events[at:to])
        elif way == "track":
            tracks.append(list(events))
        elif way == "splice":
            others = midi_file(draw(st.sampled_from(seeds))).tracks
            events[at:] = draw(st.sampled_from(others)).events
        elif way == "no ends":
            events[:] = [one for one in events if one[1][0] >> 4 != 8 and one[1][2:] != b"\x00"]
        elif at < len(events):
            ticks, event = events[at]
            if way == "delta":
                ticks = draw(st.sampled_from(DELTAS))
            elif way == "status" and event[0] < 0xF0:
                event = bytes([event[0] & 0xF0 | draw(st.integers(0, 15))]) + event[1:]
            elif len(event) > 1:
                place = draw(st.integers(1, len(event) - 1))
                event = event[:place] + bytes([draw(st.integers(0, 255))]) + event[place + 1 :]
            events[at] = (ticks, event)
    return midi_bytes(MidiFile(kind, division, tuple(Track(tuple(events)) for events in tracks)), count)


@st.composite
def damaged_abc(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A tune in ABC with other fields, in its head and in its music, and with other tokens."""
    lines = draw(st.sampled_from(seeds)).decode("latin-1").split("\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        way = draw(st.sampled_from(["field", "field", "inline", "token", "token", "cut", "twice", "splice", "number"]))
        letter = draw(st.sampled_from(sorted(ABC_FIELDS)))
        value = draw(st.sampled_from(ABC_FIELDS[letter]))
        place = draw(st.integers(0, len(lines[at])))
        if way == "field":
            found = [number for number, line in enumerate(lines) if line.startswith(f"{letter}:")]
            if found and draw(st.booleans()):
                lines[found[0]] = f"{letter}:{value}"
            else:
                lines.insert(at, f"{letter}:{value}")
        elif way == "inline":
            lines[at] = f"{lines[at][:place]}[{letter}:{value}]{lines[at][place:]}"
        elif way == "token":
            often = draw(st.sampled_from([1, 1, 1, 20, 500]))
            lines[at] = lines[at][:place] + draw(st.sampled_from(ABC_MUSIC)) * often + lines[at][place:]
        elif way == "cut" and len(lines) > 1:
            del lines[at]
        elif way == "twice":
            lines.insert(at, lines[at])
        elif way == "splice":
            others = draw(st.sampled_from(seeds)).decode("latin-1").split("\n")
            lines[at:] = others[draw(st.integers(0, len(others) - 1)) :]
        elif numbers := list(re.finditer(r"\d+", lines[at])):
            chosen = draw(st.sampled_from(numbers))
            number = draw(st.sampled_from(["0", "00", "1", "7", "16", "128", "999", "99999", "1000000"]))
            lines[at] = lines[at][: chosen.start()] + number + lines[at][chosen.end() :]
    return "\n".join(lines).encode("latin-1")


@st.composite
def damaged_kern(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A score in kern whose rows and spines are changed; often, but not always, each row has its spines still."""
    rows = [line.split("\t") for line in draw(st.sampled_from(seeds)).decode("latin-1").split("\n")]
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(rows) - 1))
        row = rows[at]
        column = draw(st.integers(0, len(row) - 1))
        cell = draw(st.sampled_from(KERN_CELLS))
        ways = ["cell", "cell", "row", "other", "more", "less", "cut", "twice", "often", "spine", "no spine", "splice"]
        way = draw(st.sampled_from([*ways, "number", "order"]))
        if way == "cell":
            row[column] = cell
        elif way == "row":
            rows.insert(at, [cell] * len(row))
        elif way == "other":
            row[column] = draw(st.sampled_from(draw(st.sampled_from(rows))))
        elif way == "more":
            row.insert(column, cell)
        elif way == "less" and len(row) > 1:
            del row[column]
        elif way == "cut" and len(rows) > 1:
            del rows[at]
        elif way == "twice":
            rows.insert(at, list(row))
        elif way == "often":
            rows[at:at] = [list(row) for _ in range(draw(st.sampled_from([10, 300])))]
        elif way == "spine":
            rows = [[*row, row[min(column, len(row) - 1)]] for row in rows]
        elif way == "no spine":
            rows = [[*row[:column], *row[column + 1 :]] or row for row in rows]
        elif way == "splice":
            others = [line.split("\t") for line in draw(st.sampled_from(seeds)).decode("latin-1").split("\n")]
            rows[at:] = others[draw(st.integers(0, len(others) - 1)) :]
        elif way == "order":
            rows[at : at + 8] = rows[at : at + 8][::-1]
        elif numbers := list(re.finditer(r"\d+", row[column])):
            chosen = draw(st.sampled_from(numbers))
            number = draw(st.sampled_from(["0", "00", "000", "1", "3", "7", "128", "4096", "99999"]))
            row[column] = row[column][: chosen.start()] + number + row[column][chosen.end() :]
    return "\n".join("\t".join(row) for row in rows).encode("latin-1")


XML_ELEMENTS = [
    *(
        "<grace/>",
        "<chord/>",
        "<cue/>",
        "<rest/>",
        "<rest measure='yes'/>",
        "<unpitched/>",
        "<dot/>",
        "<voice>99</voice>",
    ),
    *("<backup><duration>99999</duration></backup>", "<forward><duration>1e3</duration></forward>", "<staff>9</staff>"),
    *(
        "<divisions>0</divisions>",
        "<divisions>-1</divisions>",
        "<divisions>0.1</divisions>",
        "<divisions>65535</divisions>",
    ),
    *("<time><beats>3+2</beats><beat-type>8</beat-type></time>", "<time><senza-misura/></time>", "<time/>"),
    *("<time><beats>4</beats><beat-type>0</beat-type></time>", "<time><beats>0</beats><beat-type>4</beat-type></time>"),
    *("<key><fifths>99</fifths></key>", "<key/>", "<pitch/>", "<pitch><step>H</step><octave>4</octave></pitch>"),
    *("<pitch><step>C</step><alter>1e9</alter><octave>4</octave></pitch>", "<alter>0.5</alter>", "<octave>-1</octave>"),
    *("<transpose><chromatic>999</chromatic></transpose>", "<transpose><diatonic>1</diatonic></transpose>"),
    *("<tie type='start'/>", "<tie type='stop'/>", "<tie/>", "<duration>0</duration>", "<duration>-4</duration>"),
    *("<time-modification><actual-notes>0</actual-notes><normal-notes>2</normal-notes></time-modification>",),
    *("<time-modification><actual-notes>7</actual-notes><normal-notes>0</normal-notes></time-modification>",),
    *(
        "<barline><repeat direction='backward' times='99999'/></barline>",
        "<barline><ending number='1,2' type='stop'/></barline>",
    ),
    *(
        "<sound tempo='0'/>",
        "<sound tempo='-5'/>",
        "<sound tempo='1e308'/>",
        "<sound tempo='nan'/>",
        "<sound dynamics='x'/>",
    ),
    *(
        "<direction><direction-type><metronome><beat-unit>x</beat-unit><per-minute>0</per-minute></metronome></direction-type></direction>",
    ),
    *("<direction><direction-type><octave-shift type='down' size='99' number='1'/></direction-type></direction>",),
    *(
        "<harmony><root><root-step>X</root-step></root><kind>none</kind></harmony>",
        "<figured-bass/>",
        "<measure/>",
        "<note/>",
    ),
    *(
        "<part/>",
        "<part id='P9'><measure/></part>",
        "<score-part/>",
        "<midi-instrument><midi-program>999</midi-program></midi-instrument>",
    ),
    *(
        "<notations><ornaments><tremolo>99</tremolo></ornaments></notations>",
        "<notations><slur/></notations>",
        "<lyric/>",
        "<!-- x -->",
    ),
    *(
        "<?pi x?>",
        "<type>9th</type>",
        "<type>1024th</type>",
        "<measure-style><multiple-rest>99999</multiple-rest></measure-style>",
    ),
]
CONTAINERS = [
    b"",
    b"<container/>",
    b"<rootfile full-path='gone.xml'/>",
    b"<rootfile full-path='../../etc/passwd'/>",
    b"<rootfile full-path='META-INF/container.xml'/>",
    b"<rootfile full-path='\xff\xfe'/>",
    b"<rootfile full-path='score.xml'/>" * 1000,
    b"<rootfile full-path='score.xml",
]


@st.composite
def damaged_archive(draw: st.DrawFn, score: bytes) -> bytes:
    """A compressed score whose container, names and other members are odd."""
    buffer = io.BytesIO()
    way = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
    with zipfile.ZipFile(buffer, "w", way) as archive:
        if draw(st.booleans()):
            archive.writestr(zipfile.ZipInfo("META-INF/container.xml"), draw(st.sampled_from(CONTAINERS)))
        for name in draw(
            st.lists(st.sampled_from(["a.xml", "b.txt", "META-INF/c.xml", "d/", "\u266a.musicxml"]), unique=True)
        ):
            archive.writestr(zipfile.ZipInfo(name), draw(st.sampled_from([b"", b"<score-partwise/>", score[:300]])))
        archive.writestr(
            zipfile.ZipInfo(draw(st.sampled_from(["score.xml", "s.musicxml", "SCORE.XML", "/s.xml"]))), score
        )
    return buffer.getvalue()


@st.composite
def damaged_array(draw: st.DrawFn, data: bytes) -> bytes:
    """A ``.npy`` file with other values, another length, another order or another type of number."""
    array = np.load(io.BytesIO(data))
    if array.dtype.names:  # a table: another value in one column
        column = array[draw(st.sampled_from(array.dtype.names))]
        extreme = np.iinfo(column.dtype)
        column[draw(st.integers(0, len(column) - 1))] = draw(st.sampled_from([extreme.min, extreme.max, 0, 1]))
    way = draw(st.sampled_from(["value", "value", "values", "shorter", "longer", "order", "type", "flat"]))
    if array.dtype.names and way in ("value", "values", "type"):
        way = "order"
    if way == "value" and array.size:
        extreme = np.iinfo(array.dtype) if array.dtype.kind in "iu" else np.finfo(np.float16)
        odd = draw(st.sampled_from([extreme.min, extreme.max, 0, 1, extreme.max // 2]))
        array.reshape(-1)[draw(st.integers(0, array.size - 1))] = odd
    elif way == "values":
        array = np.full_like(array, draw(st.sampled_from([0, 1, 89, 90, 127])))
    elif way == "shorter":
        array = array[: draw(st.integers(0, len(array)))]
    elif way == "longer":
        array = np.concatenate([array, array[:1]])
    elif way == "order":
        array = array[::-1]
    elif way == "type":
        array = array.astype(draw(st.sampled_from(["<i8", "<u2", "<f4", ">i4", "|b1", "<U2", "<c8", "|S1"])))
    else:
        array = array.reshape(-1)
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@st.composite
def damaged_tensors(draw: st.DrawFn, data: bytes) -> bytes:
    """A checkpoint whose tensors have other names, shapes, types or values, and are stored as they should be."""
    from safetensors import numpy as files

    tensors = dict(files.load(data))
    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(tensors)))
        array = tensors[name]
        way = draw(st.sampled_from(["gone", "name", "shape", "shape", "type", "value", "value", "more", "empty"]))
        if way == "gone" and len(tensors) > 1:
            del tensors[name]
        elif way == "name":
            tensors[draw(st.sampled_from([name + "x", name.upper(), "", "x" * 10_000]))] = tensors.pop(name)
        elif way == "shape":
            shapes = [array.reshape(-1), array.reshape(1, *array.shape), array.T, array[..., :1], array[:1], array[:-1]]
            tensors[name] = np.ascontiguousarray(draw(st.sampled_from(shapes))) if array.ndim else array.reshape(1)
        elif way == "type":
            tensors[name] = array.astype(draw(st.sampled_from([np.float64, np.int8, np.bool_, np.uint16, np.float16])))
        elif way == "value":
            odd = draw(st.sampled_from([0.0, 1e4, -1e4, 6e4, float("nan"), float("inf"), 1e-7]))
            tensors[name] = np.full_like(
                array, odd if array.dtype.kind == "f" else int(min(odd, 100)) if odd == odd else 0
            )
        elif way == "more":
            tensors[name + ".more"] = array
        elif way == "empty":
            tensors[name] = array[:0] if array.ndim else array
    return files.save(tensors, metadata)
