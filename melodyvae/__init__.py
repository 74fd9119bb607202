"""A sequence VAE for melodies, after MusicVAE: sample tunes, and walk from one tune to another.

    from melodyvae import MelodyVAE

    vae = MelodyVAE.from_pretrained("melody-2bar")
    for melody in vae.interpolate("a.mid", "b.mid", 8):
        ...  # melody.write("tune.mid"), melody.to_pretty_midi()

The folders, in the order of the flow; each imports only from those above it, and from :mod:`data_prep`:

- ``config``, ``device``, ``ranks``: hyper-parameters and presets; device, precision and threads; several processes.
- :mod:`~melodyvae.rendering`: piano rolls, curves, sound.
- :mod:`~melodyvae.network`: a trained model in NumPy: checkpoint, encode, decode, compose, refine; no torch.
- :mod:`~melodyvae.models`: the same networks in torch, for training: encoder, latent, decoder, loss.
- :mod:`~melodyvae.datasets`: dataset folder -> batches.
- :mod:`~melodyvae.generation`: model -> melodies.
- :mod:`~melodyvae.vae`: :class:`MelodyVAE`, the verbs.
- :mod:`~melodyvae.evaluation`: how good a model is.
- :mod:`~melodyvae.training`: dataset -> model.
- :mod:`~melodyvae.digits`: the sanity model of handwritten digits, on the same latent, loss and loop.
- :mod:`~melodyvae.studio`: the page in the browser and its server; ``melodyvae.studio(...)`` opens it in a notebook.
- :mod:`~melodyvae.cli`: the command line.

Letters in shapes: B batch, T steps, V vocabulary, Z latent, H hidden, N examples or points.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Melody", "MelodyVAE", "list_models"]
LAZY = {  # imported when first asked for, so that ``melodyvae --help`` needs no torch
    "Melody": "data_prep.melody",
    "MelodyVAE": "melodyvae.vae",
    "list_models": "melodyvae.network.checkpoint",
}

if TYPE_CHECKING:
    from data_prep.melody import Melody
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
    """What there is for users."""
    return sorted([*__all__, "__version__", "studio"])
