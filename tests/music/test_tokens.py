"""Melody <-> tokens: inverse over all legal sequences, through a file on disk as well."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF, TokenError, Vocabulary
from tests.music.strategies import METERS, TEMPI, legal_tokens, melodies

VOCABULARY = Vocabulary()
C4 = VOCABULARY.note_on(60)


def sequence(*events: tuple[int, int], steps: int = 32) -> np.ndarray:
    """Tokens that are ``(step, token)`` and no event elsewhere."""
    tokens = np.zeros(steps, dtype=np.uint8)
    for step, token in events:
        tokens[step] = token
    return tokens


def test_the_table() -> None:
    assert VOCABULARY.size == 90
    assert (VOCABULARY.note_on(21), VOCABULARY.note_on(108)) == (2, 89)
    assert VOCABULARY.to_dict() == {
        "lowest_pitch": 21,
        "highest_pitch": 108,
        "no_event": 0,
        "note_off": 1,
        "first_note_on": 2,
    }
    with pytest.raises(TokenError, match=r"pitch 109 lies outside the vocabulary's 21\.\.108"):
        VOCABULARY.note_on(109)


def test_a_rest_has_a_note_off_and_a_last_held_note_has_none() -> None:
    melody = Melody((MelodyNote(2, 4, 60), MelodyNote(6, 8, 60), MelodyNote(8, 16, 62)), 16)
    assert VOCABULARY.encode(melody).tolist() == [0, 0, C4, 0, 1, 0, C4, 0, C4 + 2, *[0] * 7]


@given(melodies())
def test_decoding_what_was_encoded(melody: Melody) -> None:
    decoded = VOCABULARY.decode(
        VOCABULARY.encode(melody), meter=melody.meter, quarters_per_minute=melody.quarters_per_minute
    )
    assert [note[:3] for note in decoded.notes] == [note[:3] for note in melody.notes]
    assert decoded.length_steps == melody.length_steps


@given(legal_tokens())
def test_encoding_what_was_decoded(tokens: np.ndarray) -> None:
    assert VOCABULARY.is_legal(tokens)
    np.testing.assert_array_equal(VOCABULARY.encode(VOCABULARY.decode(tokens)), tokens)


@given(st.sampled_from(METERS), TEMPI, st.data())
def test_every_legal_sequence_comes_back_through_a_file(
    tmp_path_factory: pytest.TempPathFactory, meter: tuple[int, int], tempo: float, data: st.DataObject
) -> None:
    tokens = data.draw(legal_tokens(steps_per_bar=16 * meter[0] // meter[1]))
    path = tmp_path_factory.getbasetemp() / "song.mid"
    VOCABULARY.decode(tokens, meter=meter, quarters_per_minute=tempo).write(path)
    if (tokens >= FIRST_NOTE_ON).any():
        again = Melody.from_midi(path)
        np.testing.assert_array_equal(VOCABULARY.encode(again), tokens)
        assert again.meter == meter
        assert again.quarters_per_minute == pytest.approx(tempo, rel=1e-5)


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param(sequence((8, C4), (12, NOTE_OFF)), id="leading and trailing silence"),
        pytest.param(sequence((0, C4), (4, NOTE_OFF), (28, C4)), id="silence only in the middle"),
        pytest.param(sequence(*((step, C4) for step in range(32))), id="one pitch at every step"),
        pytest.param(sequence((0, C4)), id="one note held throughout"),
        pytest.param(sequence((31, C4)), id="a note on the last step"),
        pytest.param(sequence((0, 2), (16, 89)), id="lowest and highest"),
    ],
)
@pytest.mark.parametrize("tempo", [37.0, 120.0, 199.9])
def test_the_cases_that_other_codes_lose(tokens: np.ndarray, tempo: float) -> None:
    melody = VOCABULARY.decode(tokens, quarters_per_minute=tempo)
    again = Melody.from_pretty_midi(melody.to_pretty_midi())
    np.testing.assert_array_equal(VOCABULARY.encode(again), tokens)


def test_silence_throughout_has_no_notes_and_encodes_to_itself() -> None:
    silence = sequence()
    assert VOCABULARY.decode(silence).notes == ()
    np.testing.assert_array_equal(VOCABULARY.encode(VOCABULARY.decode(silence)), silence)


@given(melodies(max_bars=4), st.integers(1, 3))
@example(Melody((MelodyNote(8, 40, 60),), 48), 1)  # sounds across two window starts
@example(Melody((MelodyNote(8, 16, 60),), 32), 1)  # its note off falls on a window's start
def test_windows_of_tokens_are_the_tokens_of_windows(melody: Melody, bars: int) -> None:
    windows = [VOCABULARY.encode(window) for _, window in melody.windows(bars)]
    first_steps = np.arange(len(windows)) * melody.steps_per_bar
    found = VOCABULARY.windows(VOCABULARY.encode(melody), first_steps, bars * melody.steps_per_bar)
    assert len(found) == max(melody.bars - bars + 1, 0)
    for row, window in zip(found, windows, strict=True):
        np.testing.assert_array_equal(row, window)
    assert VOCABULARY.is_legal(found).all()


@given(legal_tokens(), st.integers(-40, 40))
def test_transposing_there_and_back_or_refused(tokens: np.ndarray, semitones: int) -> None:
    pitches = tokens[tokens >= FIRST_NOTE_ON].astype(int) + semitones
    if len(pitches) and (pitches.min() < FIRST_NOTE_ON or pitches.max() >= VOCABULARY.size):
        with pytest.raises(TokenError, match=f"a shift by {semitones} semitones leaves"):
            VOCABULARY.transpose(tokens, semitones)
    else:
        shifted = VOCABULARY.transpose(tokens, semitones)
        np.testing.assert_array_equal(VOCABULARY.transpose(shifted, -semitones), tokens)
        np.testing.assert_array_equal(VOCABULARY.normalise(shifted), VOCABULARY.normalise(tokens))


def test_normalising_keeps_different_tunes_apart() -> None:
    up, down = sequence((0, C4), (4, C4 + 2)), sequence((0, C4), (4, C4 - 2))
    assert VOCABULARY.normalise(up).tolist() == sequence((0, 2), (4, 4)).tolist()
    assert VOCABULARY.normalise(down).tolist() == sequence((0, 4), (4, 2)).tolist()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (sequence((3, NOTE_OFF)), "note off at step 3 comes while nothing sounds"),
        (sequence((0, C4), (4, NOTE_OFF), (6, NOTE_OFF)), "note off at step 6"),
        (sequence((0, 90)), r"token 90 is not one of the ids 0\.\.89"),
        (np.zeros((2, 32), np.uint8), r"this has shape \(2, 32\)"),
    ],
)
def test_illegal_tokens_are_refused(tokens: np.ndarray, message: str) -> None:
    with pytest.raises(TokenError, match=message):
        VOCABULARY.decode(tokens)


def test_legality_is_told_for_each_row() -> None:
    rows = np.stack([sequence(), sequence((0, NOTE_OFF)), sequence((0, C4), (1, NOTE_OFF)), sequence((0, 255))])
    assert VOCABULARY.is_legal(rows).tolist() == [True, False, True, False]
    assert NO_EVENT == 0
