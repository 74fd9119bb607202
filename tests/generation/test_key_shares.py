import numpy as np
import pytest
import torch

from data_prep.melodies.keys import key_of
from data_prep.melody import Melody, MelodyNote
from data_prep.tokens import Vocabulary
from melodyvae.generation.key_shares import count_key_shares, in_common_keys
from melodyvae.network.checkpoint import CheckpointError

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12)
TABLE = Vocabulary()


def scale_on(tonic):
    """A major scale up from a pitch and back to it, two bars in eighths."""
    pitches = [tonic + step for step in (*MAJOR, *MAJOR[-2::-1])]
    return Melody(tuple(MelodyNote(2 * place, 2 * place + 2, pitch) for place, pitch in enumerate(pitches)), 32)


def extras_of(*tonics):
    return count_key_shares(np.stack([TABLE.encode(scale_on(tonic)) for tonic in tonics]), TABLE)


def test_signatures_are_counted_as_shares():
    shares = extras_of(60, 60, 67, 62)["key_shares"]
    assert shares.tolist() == [0.5, 0, 0.25, 0, 0, 0, 0, 0.25, 0, 0, 0, 0]


def test_melodies_are_moved_to_drawn_signatures_by_six_semitones_at_most():
    melodies = [scale_on(55 + place % 12) for place in range(200)]
    moved = in_common_keys(melodies, extras_of(60, 67, 67, 67), torch.Generator().manual_seed(0))
    tonics = [key_of(melody).major_tonic for melody in moved]
    assert set(tonics) == {0, 7}
    assert tonics.count(7) / 200 == pytest.approx(0.75, abs=0.1)
    shifts = [after.notes[0].pitch - before.notes[0].pitch for before, after in zip(melodies, moved, strict=True)]
    assert -5 <= min(shifts) < 0 < max(shifts) <= 6
    assert moved == in_common_keys(melodies, extras_of(60, 67, 67, 67), torch.Generator().manual_seed(0))


def test_melodies_stay_without_shares_without_notes_and_at_the_end_of_the_piano():
    high, silent = scale_on(96), Melody((), 32)
    assert in_common_keys([high], {}, None) == [high]
    assert in_common_keys([high, silent], extras_of(66), None) == [high, silent]
    assert in_common_keys([high], {"key_shares": torch.zeros(12)}, None) == [high]


def test_damaged_shares_are_refused():
    with pytest.raises(CheckpointError, match="key_shares"):
        in_common_keys([scale_on(60)], {"key_shares": torch.ones(7)}, None)
