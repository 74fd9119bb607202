"""``score``: how unusual the windows and the notes of a melody are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from melodyvae.options import Options
from melodyvae.verbs import scoring
from melodyvae.verbs.common import Track, take_all
from melodyvae.verbs.doubts import can_hear
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.meters import COMPOSING_MODEL
from melodyvae.verbs.results import Scores
from melodyvae.verbs.sources import MelodySource


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(Options):
    """Options for scoring a melody."""

    track: Track = "auto"


def score(vae: HeldModel, source: MelodySource, options: ScoreOptions) -> Scores:
    """Measure how unusual each window of ``source`` is, and each note; see :func:`melodyvae.verbs.scoring.score`.

    Notes are judged by ``melody-compose``, which hears the whole tune, whatever model this is.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> a, b = vae.sample(2, seed=1)
    >>> [window.first_bar for window in vae.score(a + b)]
    [1, 2, 3]

    Raises:
        MidiError, MelodyError: if the source cannot be read, or has no melody.
    """
    taken = take_all(vae, source, options.track)
    meter, hears = taken.melody.meter, can_hear(vae.composer, taken.melody)
    bar_of = taken.found.layout.piece_bar  # of a bar of the melody, from 0
    windows = tuple(
        replace(
            window,
            first_bar=bar_of(window.first_bar - 1),
            notes=tuple(replace(note, bar=bar_of(note.bar - 1)) for note in window.notes),
        )
        for window in scoring.score(
            vae.model.in_meter(meter), taken.melody, vae.composer.in_meter(meter) if hears else None
        )
    )
    is_ranked = scoring.QUANTILES in vae.model.extras
    judge = "" if not hears else "the model" if vae.config.look_back else COMPOSING_MODEL
    return Scores(windows=windows, source=taken, is_ranked=is_ranked, judge=judge)
