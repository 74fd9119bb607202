import numpy as np
import pytest

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.checkpoint import CheckpointError
from melodyvae.network.draws import Draws
from melodyvae.verbs.key_shares import count_key_shares, draw_signatures

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12)
TABLE = Vocabulary()


def scale_on(tonic):
    """A major scale up from a pitch and back to it, two bars in eighths."""
    pitches = [tonic + step for step in (*MAJOR, *MAJOR[-2::-1])]
    return Melody(tuple(MelodyNote(2 * place, 2 * place + 2, pitch) for place, pitch in enumerate(pitches)), 32)


def extras_of(*tonics):
    return count_key_shares(np.stack([TABLE.encode(scale_on(tonic)) for tonic in tonics]))


def test_signatures_are_counted_as_shares():
    shares = extras_of(60, 60, 67, 62)["key_shares"]
    assert shares.tolist() == [0.5, 0, 0.25, 0, 0, 0, 0, 0.25, 0, 0, 0, 0]


def test_signatures_are_drawn_by_how_common_they_are():
    extras = extras_of(60, 67, 67, 67)
    drawn = draw_signatures(200, extras, Draws(0))
    assert set(drawn) == {0, 7}
    assert drawn.count(7) / 200 == pytest.approx(0.75, abs=0.1)
    assert drawn == draw_signatures(200, extras, Draws(0))


def test_no_signatures_are_drawn_without_shares():
    assert draw_signatures(3, {}, None) is None
    assert draw_signatures(3, {"key_shares": np.zeros(12)}, None) is None
    assert draw_signatures(0, extras_of(66), None) is None


def test_damaged_shares_are_refused():
    with pytest.raises(CheckpointError, match="key_shares"):
        draw_signatures(1, {"key_shares": np.ones(7)}, None)
