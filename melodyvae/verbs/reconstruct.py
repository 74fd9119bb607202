"""``reconstruct``: melodies of any length as the model remembers them."""

from __future__ import annotations

from dataclasses import dataclass

from melodyvae.options import Options
from melodyvae.verbs.codec import matching_steps
from melodyvae.verbs.common import Seed, Temperature, Track, take_all
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.results import Reconstruction, signed
from melodyvae.verbs.sampling import reconstruct as remembered
from melodyvae.verbs.sources import MelodySource


@dataclass(frozen=True, kw_only=True)
class ReconstructOptions(Options):
    """Options for reconstructing melodies."""

    track: Track = "auto"
    temperature: Temperature = 0.0
    seed: Seed = 0


@signed
def reconstruct(
    vae: HeldModel, source: MelodySource | list[MelodySource] | tuple[MelodySource, ...], options: ReconstructOptions
) -> Reconstruction:
    """Reconstruct one melody, or several, window by window; see :func:`melodyvae.verbs.sampling.reconstruct`.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> a, b = vae.sample(2, seed=1)
    >>> vae.reconstruct(a + b).melody.bars
    4

    Raises:
        MidiError, MelodyError: if a source cannot be read, or has no melody.
    """
    sources = source if isinstance(source, list | tuple) else (source,)
    taken = tuple(take_all(vae, one, options.track) for one in sources)
    draws = vae.draws(options.seed)
    originals = tuple(one.melody for one in taken)
    back = tuple(
        remembered(vae.model.in_meter(melody.meter), melody, options.temperature, draws) for melody in originals
    )
    right = tuple(matching_steps(vae.model, *pair) for pair in zip(originals, back, strict=True))
    return Reconstruction(melodies=back, sources=taken, seed=options.seed, originals=originals, steps_right=right)
