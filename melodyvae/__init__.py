"""A sequence VAE for melodies, after MusicVAE: sample tunes, and walk from one tune to another.

    from melodyvae import MelodyVAE

    vae = MelodyVAE.from_pretrained("melody-2bar")
    for melody in vae.interpolate("a.mid", "b.mid", 8):
        ...  # melody.write("tune.mid"), melody.to_pretty_midi()

The folders, in the order of the flow; each imports only from those above it:

- :mod:`~melodyvae.system`: errors, files written whole, locks, limits of time and memory.
- :mod:`~melodyvae.music`: melodies, tokens, bars, voices, keys and scales, swing and feel, accompaniment.
- :mod:`~melodyvae.reading`: MIDI, ABC, MusicXML, kern and objects of other packages -> pieces -> melodies.
- :mod:`~melodyvae.writing`: melodies -> MIDI files, a page, pictures, sound.
- ``options``, ``config``, ``presets``: what can be asked of a verb; hyper-parameters.
- :mod:`~melodyvae.network`: a trained model in NumPy: encode, decode under rules, compose, refine; checkpoints.
- :mod:`~melodyvae.verbs`: what can be done with a trained model, a file for each verb.
- :mod:`~melodyvae.vae`: :class:`MelodyVAE`, the verbs as methods. No folder so far needs torch, nor does the studio.
- ``device``, ``ranks``, :mod:`~melodyvae.models`, :mod:`~melodyvae.datasets`: the networks in torch, and their batches.
- :mod:`~melodyvae.evaluation`: how good a model is.
- :mod:`~melodyvae.training`: dataset -> model.
- :mod:`~melodyvae.digits`: the sanity model of handwritten digits, on the same latent, loss and loop.
- :mod:`~melodyvae.studio`: the page in the browser and its server; ``melodyvae.studio(...)`` opens it in a notebook.
- :mod:`~melodyvae.cli`: the command line.

:mod:`data_prep` turns folders of files into datasets, with ``music`` and ``reading``.

Letters in shapes: B batch, T steps, V vocabulary, Z latent, H hidden, N examples or points.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Melody", "MelodyVAE", "list_models"]
LAZY = {  # imported when first asked for, so that the command's help needs no torch
    "Melody": "melodyvae.music.melody",
    "MelodyVAE": "melodyvae.vae",
    "list_models": "melodyvae.network.checkpoint",
}

if TYPE_CHECKING:
    from melodyvae.music.melody import Melody
    from melodyvae.network.checkpoint import list_models
    from melodyvae.vae import MelodyVAE


def __getattr__(name: str) -> Any:
    """The names of :data:`LAZY`, and the subpackage ``studio``, which can be called."""
    if name in LAZY:
        return getattr(import_module(LAZY[name]), name)
    if name == "studio":
        return import_module("melodyvae.studio")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names."""
    return sorted([*__all__, "__version__", "studio"])
