"""Files that are made to hurt their reader: small to make, costly to read. Names say what they do."""

from __future__ import annotations

from collections.abc import Callable

HEAD = "X:1\nT:A tune\nM:4/4\nL:1/4\nK:C\n"
XML_HEAD = '<?xml version="1.0" encoding="{}"?>\n'
FLUTE = '<part-list><score-part id="P1"><part-name>Flute</part-name></score-part></part-list>'


def abc(music: str = "cdef|gabc'|", **fields: str) -> bytes:
    """A tune whose fields are ``fields``, such as ``M="4/0"``."""
    values = {"X": "1", "M": "4/4", "L": "1/4", "K": "C"} | fields
    key = values.pop("K")
    return (
        "".join(f"{name}:{value}\n" for name, value in [*values.items(), ("K", key)]).encode() + f"{music}\n".encode()
    )


def musicxml(measures: str, encoding: str = "UTF-8") -> bytes:
    """A score of one part."""
    score = f'<score-partwise version="3.1">{FLUTE}<part id="P1">{measures}</part></score-partwise>\n'
    return (XML_HEAD.format(encoding) + score).encode()


def measure(number: int, notes: str) -> str:
    """A measure of 4/4."""
    attributes = (
        "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    )
    return f'<measure number="{number}">{attributes if number == 1 else ""}{notes}</measure>'


NOTE = "<note><pitch><step>C</step><octave>5</octave></pitch><duration>1</duration></note>"


def kern(lines: str, end: str = "*-\n") -> bytes:
    """A kern file of one spine that begins in 4/4."""
    return f"**kern\n*M4/4\n{lines}{end}".encode()


def spines_that_split(times: int) -> bytes:
    """Each line splits every spine in two."""
    lines = "".join("\t".join(["*^"] * 2**row) + "\n" for row in range(times))
    return kern("=1\n4c\n" + lines + "\t".join(["4c"] * 2**times) + "\n", "\t".join(["*-"] * 2**times) + "\n")


MIB = 2**20
HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a long header and 20,000 short tunes": (
        ".abc",
        lambda: b"%%" + b"x" * 400_000 + b"\n" + b"".join(b"X:%d\nK:C\nc\n\n" % n for n in range(1, 20_001)),
    ),
    "20,000 headers": (".abc", lambda: b"".join(b"M:4/4\n" for n in range(200_000)) + b"X:1\nK:C\nc4|\n\n" * 20_000),
    "a meter of 10^9/1": (".abc", lambda: abc(M="1000000000/1")),
    "a meter of 10^9/1 in the music": (".abc", lambda: abc("cdef|[M:1000000000/1]gabc'|")),
    "a meter of 1/10^9": (".abc", lambda: abc(M="1/1000000000")),
    "a meter with 10^6 terms": (".abc", lambda: abc(M="1+" * 10**6 + "1/4")),
    "a length of 1/10^9": (".abc", lambda: abc(L="1/1000000000")),
    "a length of 10^9": (".abc", lambda: abc(L="1000000000")),
    "a note of 10^4000": (".abc", lambda: abc("c1" + "0" * 4000 + "|")),
    "a note over 10^4000": (".abc", lambda: abc("c/1" + "0" * 4000 + "|")),
    "a million slashes": (".abc", lambda: abc("c" + "/" * 10**6 + "|")),
    "a million octaves": (".abc", lambda: abc("c" + "'" * 10**6 + "|")),
    "a tempo of 10^400": (".abc", lambda: abc(Q="1/4=1" + "0" * 400)),
    "a tuplet of 10^9": (".abc", lambda: abc("(1000000000:1:1000000000cde|")),
    "1 MiB of unclosed {": (".abc", lambda: abc("{" * MIB)),
    "1 MiB of unclosed [": (".abc", lambda: abc("[" * MIB)),
    "1 MiB of unclosed [A:": (".abc", lambda: abc("[M:" * (MIB // 3))),
    "1 MiB of unclosed +": (".abc", lambda: abc("+" * MIB)),
    "1 MiB of +a": (".abc", lambda: abc("+a" * (MIB // 2))),
    "1 MiB of unclosed !": (".abc", lambda: abc("!" * MIB)),
    "1 MiB of !a": (".abc", lambda: abc("!a" * (MIB // 2))),
    "1 MiB of (": (".abc", lambda: abc("(" * MIB)),
    "1 MiB of (3": (".abc", lambda: abc("(3" * (MIB // 2))),
    '1 MiB of "': (".abc", lambda: abc('"' * (MIB + 1))),
    "1 MiB of >": (".abc", lambda: abc(">" * MIB)),
    "1 MiB of a<": (".abc", lambda: abc("a<" * (MIB // 2))),
    "1 MiB of |": (".abc", lambda: abc("|" * MIB)),
    "1 MiB of :": (".abc", lambda: abc(":" * MIB)),
    "1 MiB of ^": (".abc", lambda: abc("^" * MIB)),
    "1 MiB of decorations": (".abc", lambda: abc("~" * MIB)),
    "1 MiB of -": (".abc", lambda: abc("-" * MIB)),
    "1 MiB of &": (".abc", lambda: abc("&" * MIB)),
    "1 MiB of \\": (".abc", lambda: abc("\\" * MIB)),
    "1 MiB of y": (".abc", lambda: abc("y" * MIB)),
    "1 MiB of notes": (".abc", lambda: abc("c" * MIB)),
    "100,000 voices": (".abc", lambda: abc("\n".join(f"V:{n}\nc4|" for n in range(100_000)))),
    "100,000 keys": (".abc", lambda: abc("[K:G]c" * 100_000)),
    "60 MiB of X: lines": (".abc", lambda: b"X:\n" * (20 * MIB)),
    "60 MiB of empty lines": (".abc", lambda: abc("\n" * (60 * MIB))),
    "60 MiB of K: lines": (".abc", lambda: b"X:1\n" + b"K:\n" * (20 * MIB)),
    "declared as punycode": (".musicxml", lambda: musicxml(measure(1, NOTE * 4), "punycode")),
    "1 MiB of punycode": (
        ".musicxml",
        lambda: XML_HEAD.format("punycode").encode() + b"<score-partwise>-" + b"a9" * (MIB // 2),
    ),
    "declared as undefined": (".musicxml", lambda: musicxml(measure(1, NOTE * 4), "undefined")),
    "declared as rot13": (".musicxml", lambda: musicxml(measure(1, NOTE * 4), "rot13")),
    "declared as zlib": (".musicxml", lambda: musicxml(measure(1, NOTE * 4), "zlib")),
    "declared as idna": (".musicxml", lambda: musicxml(measure(1, NOTE * 4), "idna")),
    "declared as unicode_escape": (".musicxml", lambda: musicxml(measure(1, NOTE * 4), "unicode_escape")),
    "200,000 notes": (".musicxml", lambda: musicxml("".join(measure(n, NOTE * 4) for n in range(1, 50_001)))),
    "200,000 notes in a measure": (".musicxml", lambda: musicxml(measure(1, NOTE * 200_000))),
    "100,000 measures": (".musicxml", lambda: musicxml("".join(measure(n, "") for n in range(1, 100_001)))),
    "100,000 elements deep": (".musicxml", lambda: musicxml("<a>" * 100_000 + "</a>" * 100_000)),
    "a duration of 10^300": (
        ".musicxml",
        lambda: musicxml(measure(1, NOTE.replace("<duration>1", "<duration>1" + "0" * 300))),
    ),
    "10^9 divisions": (
        ".musicxml",
        lambda: musicxml(measure(1, NOTE).replace("<divisions>1", "<divisions>1000000000")),
    ),
    "0 divisions": (".musicxml", lambda: musicxml(measure(1, NOTE).replace("<divisions>1", "<divisions>0"))),
    "beats of 10^9": (".musicxml", lambda: musicxml(measure(1, NOTE).replace("<beats>4", "<beats>1000000000"))),
    "an octave of 10^9": (".musicxml", lambda: musicxml(measure(1, NOTE.replace("<octave>5", "<octave>1000000000")))),
    "10,000 parts": (
        ".musicxml",
        lambda: (
            "<score-partwise><part-list>"
            + "".join(f'<score-part id="P{n}"/>' for n in range(10_000))
            + "</part-list>"
            + "".join(f'<part id="P{n}">{measure(1, NOTE)}</part>' for n in range(10_000))
            + "</score-partwise>"
        ).encode(),
    ),
    "divisions that have no multiple in common": (
        ".musicxml",
        lambda: musicxml(
            measure(1, "".join(f"<attributes><divisions>{n}</divisions></attributes>{NOTE}" for n in range(1, 10_000)))
        ),
    ),
    "a measure of 50,000 notes repeated 90,000 times": (
        ".musicxml",
        lambda: musicxml(
            measure(1, NOTE * 50_000)
            + measure(
                2,
                '<attributes><measure-style><measure-repeat type="start">1</measure-repeat></measure-style>'
                "</attributes>",
            )
            + "<measure/>" * 90_000
        ),
    ),
    "repeats within repeats of 10^9 times": (
        ".musicxml",
        lambda: musicxml(
            measure(1, NOTE)
            + '<measure><barline><repeat direction="backward" times="999"/></barline></measure>' * 9_000
        ),
    ),
    "kern notes of 10,000 lengths": (".krn", lambda: kern("".join(f"{n}c\n" for n in range(1, 10_000)))),
    "a kern expansion of 10^5 sections": (
        ".krn",
        lambda: kern("*>[" + "A," * 100_000 + "A]\n*>A\n" + "=\n4c\n" * 20_000),
    ),
    "spines that split 14 times": (".krn", lambda: spines_that_split(14)),
    "spines that split 17 times": (".krn", lambda: spines_that_split(17)),
    "kern without an end": (".krn", lambda: kern("=1\n4c\n4d\n4e\n4f\n" * 20_000, "")),
    "100,000 spines": (
        ".krn",
        lambda: b"\t".join([b"**kern"] * 100_000) + b"\n" + b"\t".join([b"4c"] * 100_000) + b"\n",
    ),
    "a kern note of 1/10^9": (".krn", lambda: kern("=1\n1000000000c\n")),
    "a kern note of 0": (".krn", lambda: kern("=1\n0c\n4c\n")),
    "a kern note with 10^5 dots": (".krn", lambda: kern("=1\n4" + "." * 100_000 + "c\n")),
    "a kern chord of 10^5 notes": (".krn", lambda: kern("=1\n" + " ".join(["4c"] * 100_000) + "\n")),
    "60 MiB of kern ends": (".krn", lambda: b"**kern\n*-\n" * (6 * MIB)),
    "zero in L:": (".abc", lambda: abc(L="1/0")),
    "less than zero in L:": (".abc", lambda: abc(L="-1/8")),
    "less than zero in M:": (".abc", lambda: abc(M="-4/4")),
    "zero in M:": (".abc", lambda: abc(M="4/0")),
    "zero over four in M:": (".abc", lambda: abc(M="0/4")),
    "zero in Q:": (".abc", lambda: abc(Q="1/4=0")),
    "zero in Q:'s unit": (".abc", lambda: abc(Q="1/0=120")),
    "zero in a note": (".abc", lambda: abc("c/0 d0|")),
    "zero in a tuplet": (".abc", lambda: abc("(0cde (3:0cde|")),
}
