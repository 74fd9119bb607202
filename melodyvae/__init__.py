"""A sequence VAE for melodies, after MusicVAE: sample tunes, and walk from one tune to another.

    from melodyvae import MelodyVAE

    vae = MelodyVAE.from_pretrained("melody-2bar")
    for melody in vae.interpolate("a.mid", "b.mid", 8):
        ...  # melody.write("tune.mid"), melody.to_pretty_midi()

In the order of the flow, each module importing only from those above it (and from :mod:`data_prep`):

- :mod:`~melodyvae.config`: every hyper-parameter, and the presets.
- :mod:`~melodyvae.device`: device, threads, precision.
- :mod:`~melodyvae.scales`: scales by name, and the tokens that keep to one.
- :mod:`~melodyvae.latent`: the diagonal Gaussian, its KL; lerp and slerp.
- :mod:`~melodyvae.objective`: loss terms, free bits, KL annealing.
- :mod:`~melodyvae.checkpoint`: one self-sufficient file.
- :mod:`~melodyvae.parallel`: training by several processes.
- :mod:`~melodyvae.dataset`: dataset folder -> batches.
- :mod:`~melodyvae.encoder`: bidirectional LSTM -> posterior.
- :mod:`~melodyvae.decoder`: autoregressive LSTM -> tokens.
- :mod:`~melodyvae.hierarchical`: two levels of them, for sixteen bars.
- :mod:`~melodyvae.prior`: what samples are drawn from.
- :mod:`~melodyvae.distance`: how far apart two windows are to the ear.
- :mod:`~melodyvae.refine`: the z from which a window comes back exactly.
- :mod:`~melodyvae.spacing`: places on a path that are evenly far apart.
- :mod:`~melodyvae.generate`: model -> melodies: sample, reconstruct.
- :mod:`~melodyvae.interpolation`: from one tune to another.
- :mod:`~melodyvae.walks`: near a tune, between four tunes, sums of tunes.
- :mod:`~melodyvae.scoring`: how unusual each window and each note of a tune is.
- :mod:`~melodyvae.completion`: hidden bars of a tune, filled in.
- :mod:`~melodyvae.novelty`: how near a melody is to the nearest training window.
- :mod:`~melodyvae.attributes`: density, range, syncopation and more of a window, in numbers.
- :mod:`~melodyvae.directions`: the ways along which they change in the latent space.
- :mod:`~melodyvae.morphing`: a melody with its attributes moved.
- :mod:`~melodyvae.model`: :class:`MelodyVAE`, all of these in one.
- :mod:`~melodyvae.trainer`: the loop; knows no music.
- :mod:`~melodyvae.evaluate`: how well windows come back; with ``bounds`` (importance-weighted), ``language_model``
  (n-grams), ``sample_figures``, ``structure`` and ``interpolation_figures``, how good a model is.
- :mod:`~melodyvae.held_out`: which windows a model was not trained on.
- :mod:`~melodyvae.melody_training`: the loop, a MelodyVAE and a dataset together.
- :mod:`~melodyvae.plot`: piano rolls and curves.
- :mod:`~melodyvae.audio`: MIDI files -> WAV files.
- :mod:`~melodyvae.digits`: the sanity models of handwritten digits, on the same latent, objective and trainer;
  ``digits_config``, ``digits_data`` (MNIST), ``digits_training``, ``digits_figures`` (how good), ``digits_walks``,
  ``digits_anomaly``, ``digits_plot`` and ``digits_picture_book`` go with it.
- :mod:`~melodyvae.output`: folders of results, whole or not at all.
- :mod:`~melodyvae.cli` and :mod:`~melodyvae.commands`: the command line.

Letters in shapes: B batch, T steps, V vocabulary, Z latent, H hidden, N examples or points.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Melody", "MelodyVAE"]

if TYPE_CHECKING:
    from data_prep.melody import Melody
    from melodyvae.model import MelodyVAE


def __getattr__(name: str) -> Any:
    """``Melody`` and ``MelodyVAE``, imported when first asked for, so that ``melodyvae --help`` needs no torch."""
    if name == "MelodyVAE":
        from melodyvae.model import MelodyVAE

        return MelodyVAE
    if name == "Melody":
        from data_prep.melody import Melody

        return Melody
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
