"""Two-bar melody windows by note-seq 0.0.5, the yardstick of :mod:`tests.benchmarks.prep_speed`.

It is run as a script by a Python that has note-seq, and imports nothing of ours. Standard input is a JSON list of MIDI
files; standard output is a JSON object: ``seconds`` and
``cpu_seconds`` (after the imports), ``windows``, ``errors`` by kind, ``versions``.

The steps are those of MusicVAE's OneHotMelodyConverter with slices of two bars: split at changes of tempo and meter,
sixteenths, bars of four quarters, of every pitched instrument each melody that a bar of silence ends, the highest of
notes that begin together, melodies made up to whole bars, a slice from every bar on, equal slices of a stretch once,
one-hot. All windows are kept (MusicVAE draws five), of all programs, as ``melodyvae prep --track all`` does.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from importlib.metadata import version

import note_seq
import numpy as np
from note_seq.protobuf.music_pb2 import NoteSequence
from note_seq.sequences_lib import split_note_sequence_on_time_changes

STEPS_PER_QUARTER = 4
STEPS_PER_BAR = 16
BARS = 2
LOWEST_PITCH, HIGHEST_PITCH = 21, 108
ENCODING = note_seq.MelodyOneHotEncoding(LOWEST_PITCH, HIGHEST_PITCH + 1)
REFUSED = (note_seq.BadTimeSignatureError, note_seq.NonIntegerStepsPerBarError, note_seq.NegativeTimeError)


def windows_of_file(path: str) -> np.ndarray:
    """One-hot windows ``(N, T, V)`` of a MIDI file."""
    found: list[np.ndarray] = []
    for stretch in split_note_sequence_on_time_changes(note_seq.midi_file_to_note_sequence(path)):
        found += windows_of_stretch(stretch)
    return np.array(found, dtype=bool)


def windows_of_stretch(stretch: NoteSequence) -> list[np.ndarray]:
    """The different windows of a stretch of one tempo and meter."""
    in_range = [note for note in stretch.notes if LOWEST_PITCH <= note.pitch <= HIGHEST_PITCH]
    del stretch.notes[:]
    stretch.notes.extend(in_range)
    try:
        quantised = note_seq.quantize_note_sequence(stretch, STEPS_PER_QUARTER)
    except REFUSED:
        return []
    if note_seq.steps_per_bar_in_quantized_sequence(quantised) != STEPS_PER_BAR:
        return []
    different = {
        tuple(melody[end - BARS * STEPS_PER_BAR : end])
        for instrument in sorted({note.instrument for note in quantised.notes})
        for melody in melodies(quantised, instrument)
        for end in range(BARS * STEPS_PER_BAR, len(melody) + 1, STEPS_PER_BAR)
    }
    return [one_hot(events) for events in different]


def melodies(quantised: NoteSequence, instrument: int) -> list[list[int]]:
    """The events of an instrument's melodies, one after the other, each from a bar line on."""
    found = []
    search_from = 0
    while True:
        melody = note_seq.Melody()
        melody.from_quantized_sequence(
            quantised, search_from, instrument, gap_bars=1, ignore_polyphonic_notes=True, pad_end=True
        )
        if not len(melody):
            return found
        found.append(list(melody))
        search_from = -(-melody.end_step // STEPS_PER_BAR) * STEPS_PER_BAR


def one_hot(events: tuple[int, ...]) -> np.ndarray:
    """Events ``(T,)`` as ``(T, V)``."""
    rows = np.zeros((len(events), ENCODING.num_classes), dtype=bool)
    rows[np.arange(len(events)), [ENCODING.encode_event(event) for event in events]] = True
    return rows


def main() -> None:
    """Read the list of files, take the time, print the metrics."""
    files = json.load(sys.stdin)
    errors: Counter[str] = Counter()
    windows = 0
    start, start_cpu = time.perf_counter(), time.process_time()
    for file in files:
        try:
            windows += len(windows_of_file(file))
        except Exception as error:  # whatever note-seq makes of a file must not end the measurement
            errors[type(error).__name__] += 1
    taken = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - start_cpu}
    versions = {name: version(name) for name in ("note-seq", "pretty_midi", "protobuf", "numpy")}
    versions["python"] = sys.version.split()[0]
    json.dump(taken | {"windows": windows, "errors": errors, "versions": versions}, sys.stdout)


if __name__ == "__main__":
    main()
