"""MelodyVAE: what can be done with a trained model, one method (a verb) for each thing.

The verbs are the functions of :mod:`melodyvae.verbs`, each in a file of its own with its options. Conventions:

- a source is a path, the bytes of a file, an open file, an object of pretty_midi, mido, symusic or music21 (see
  :mod:`melodyvae.reading.sources`), a :class:`~melodyvae.music.melody.Melody`, or a piece that was read before, a
  :class:`~melodyvae.music.regions.ReadMelody`;
- options are keywords; ``count`` may be given by its place;
- the same ``seed`` gives the same melodies. None is 0, except that ``sample`` then takes a new one; the result says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.tokens import TokenError
from melodyvae.network.checkpoint import CheckpointError
from melodyvae.network.network import MelodyNetwork
from melodyvae.options import verb
from melodyvae.reading.repeats import Repeats
from melodyvae.system.errors import MissingTorchError
from melodyvae.system.limits import Limits
from melodyvae.verbs.arithmetic import arithmetic as _arithmetic
from melodyvae.verbs.codec import decode_melodies, exact_latents, posterior_means
from melodyvae.verbs.common import parse_meter, take_bars
from melodyvae.verbs.complete import complete as _complete
from melodyvae.verbs.continue_ import continue_ as _continue
from melodyvae.verbs.grid import grid as _grid
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.interpolate import interpolate as _interpolate
from melodyvae.verbs.meters import Meter
from melodyvae.verbs.morph import morph as _morph
from melodyvae.verbs.reconstruct import reconstruct as _reconstruct
from melodyvae.verbs.results import (
    Result,
)
from melodyvae.verbs.sample import sample as _sample
from melodyvae.verbs.score import score as _score
from melodyvae.verbs.sources import MelodySource
from melodyvae.verbs.vary import vary as _vary

if TYPE_CHECKING:
    from melodyvae.models.melody import MelodyModel

Encodable: TypeAlias = "MelodySource | np.ndarray"
OneVector: TypeAlias = np.ndarray[tuple[int], Any]
Vectors: TypeAlias = np.ndarray[tuple[int, int], Any]


class MelodyVAE(HeldModel):
    """A trained model of melodies of a fixed number of bars, and what can be done with it."""

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        *,
        limits: Limits | None = None,
        repeats: Repeats = "written",
    ) -> Self:
        """A shipped model, a checkpoint file or a run folder, ready for use.

        With ``limits=Limits()`` its verbs read the files of strangers as the commands do: see ``docs/formats.md``.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> vae.config.bars
        2

        Raises:
            CheckpointError: if there is none of that name, or it cannot be used.
        """
        return cls(MelodyNetwork.read(name), limits, repeats=repeats)

    def encode(
        self,
        x: Encodable | Sequence[Encodable],
        *,
        track: str = "auto",
        first_bar: int | None = None,
        exact: bool = False,
    ) -> np.ndarray:
        """The latent vector of one window ``(Z,)``, or of several ``(N, Z)``, float32.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> a, b = vae.sample(2, seed=1)
        >>> vae.encode(a).shape, vae.encode([a, b]).shape
        ((256,), (2, 256))

        Args:
            x: a source, or token ids ``(T,)`` as a NumPy array or a tensor of torch; or a list or tuple of these, or
                token ids ``(N, T)``.
            track: ``auto``, a number (from 1) or a name.
            first_bar: from 1; None takes a phrase.
            exact: refine z until the windows come back; otherwise it is the posterior mean.

        Raises:
            MidiError, MelodyError, WindowError: as :meth:`interpolate`.
            TokenError: if token ids are no window of the model.
        """
        parts, is_one = self._encodable(x, track, first_bar)
        z = np.empty((sum(len(rows) for _, rows in parts), self.config.latent_size), np.float32)
        meters = np.concatenate([np.full(len(rows), "{}/{}".format(*meter)) for meter, rows in parts])
        for meter in dict.fromkeys(own for own, _ in parts):  # the windows of one meter together
            model = self.model.in_meter(meter)
            rows = np.concatenate([rows for own, rows in parts if own == meter])
            latents = exact_latents(model, rows) if exact else posterior_means(model, rows)
            z[meters == "{}/{}".format(*meter)] = latents
        return z[0] if is_one else z

    def __repr__(self) -> str:
        """The name of the model, its bars and meter, and the numbers of its z."""
        beats, unit = self.config.meter
        window = f"{self.config.bars} bars of {beats}/{unit}, z of {self.config.latent_size} numbers"
        return f"MelodyVAE({self.model.signature}: {window})"

    @overload
    def decode(
        self,
        z: OneVector,
        *,
        tempo: float = ...,
        program: int = ...,
        temperature: float = ...,
        seed: int | None = ...,
    ) -> Melody: ...

    @overload
    def decode(
        self,
        z: Vectors | Sequence[np.ndarray],
        *,
        tempo: float = ...,
        program: int = ...,
        temperature: float = ...,
        seed: int | None = ...,
    ) -> Result: ...

    def decode(
        self,
        z: np.ndarray | Sequence[np.ndarray],
        *,
        meter: str | None = None,
        tempo: float = 120.0,
        program: int = 0,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> Melody | Result:
        """The melody of one latent vector ``(Z,)``, or the melodies of several ``(N, Z)``.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> z = vae.sample(2, seed=1)
        >>> [melody.bars for melody in vae.decode(vae.encode(list(z)))]
        [2, 2]

        Args:
            z: a NumPy array, a tensor of torch, or a list of them.
            meter: of the melodies, such as ``3/4``, if the model's bars have room for it; None is the model's.
            tempo: quarters per minute.
            program: the MIDI instrument, from 0.
            temperature: of the notes; 0 takes the most probable ones.
            seed: of the draws; None is 0.

        Returns:
            A :class:`~melodyvae.music.melody.Melody` for one vector, else a
            :class:`~melodyvae.verbs.results.Result` of melodies.

        Raises:
            ValueError: if the vectors are not of the model's latent size, are none, or are not finite.
            ConfigError: if the model's bars have no room for those of the meter.
        """
        model = self.model if meter is None else self.model.in_meter(parse_meter(meter))
        stacked = np.stack([_array(one) for one in z]) if isinstance(z, list | tuple) else _array(z)
        size = self.config.latent_size
        if stacked.ndim not in (1, 2) or stacked.shape[-1] != size:
            raise ValueError(f"z has shape {stacked.shape}; it must be (Z,) or (N, Z) with Z = {size}")
        if not stacked.size or not np.isfinite(stacked).all():
            raise ValueError("z must hold at least one vector, of finite numbers")
        rows = stacked.reshape(-1, size).astype(np.float32)
        draws = self.draws(seed)
        melodies = decode_melodies(model, rows, temperature, draws, quarters_per_minute=tempo, program=program)
        return melodies[0] if stacked.ndim == 1 else Result(melodies=tuple(melodies), seed=seed or 0)

    interpolate = verb(_interpolate)
    morph = verb(_morph)
    grid = verb(_grid)
    arithmetic = verb(_arithmetic)
    reconstruct = verb(_reconstruct)
    sample = verb(_sample)
    vary = verb(_vary)
    complete = verb(_complete)
    continue_ = verb(_continue)
    score = verb(_score)

    def torch(self) -> MelodyModel:
        """The same model in torch, as it is trained: the weights of its checkpoint, on the CPU.

        >>> from melodyvae import MelodyVAE
        >>> model = MelodyVAE.from_pretrained("melody-2bar").torch()
        >>> len(list(model.parameters())) > 10
        True

        Raises:
            MissingTorchError: if torch is not installed.
            CheckpointError: if the model was not read from a checkpoint.
        """
        if self.model.path is None:
            raise CheckpointError("this model is from no checkpoint; use the MelodyModel that it was made from")
        try:
            from melodyvae.models.melody import MelodyModel
        except ModuleNotFoundError as error:
            raise MissingTorchError() from error
        return MelodyModel.from_pretrained(self.model.path)

    def _encodable(
        self, x: Encodable | Sequence[Encodable], track: str, first_bar: int | None
    ) -> tuple[list[tuple[Meter, np.ndarray]], bool]:
        """Token windows ``(N, T)`` of what :meth:`encode` takes, by meter, and whether it was one, not several.

        Token ids are in the model's own meter.
        """
        if hasattr(x, "ndim"):
            tokens = _array(x)
            rows = np.atleast_2d(tokens)
            if tokens.ndim > 2 or rows.shape[1] != self.config.steps:
                raise TokenError(f"token ids have shape {tokens.shape}; a window has {self.config.steps} steps")
            for row in rows:
                self.model.vocabulary.decode(row)  # raises if they are no legal sequence
            return [(self.config.meter, rows)], tokens.ndim == 1
        if isinstance(x, list | tuple):
            if not x:
                raise ValueError("there is nothing to encode: the list is empty")
            return [part for one in x for part in self._encodable(one, track, first_bar)[0]], False
        window = take_bars(self, x, track, first_bar).melody
        return [(window.meter, self.model.vocabulary.encode(window)[None])], True


def _array(values: Any) -> np.ndarray:
    """An array, or a tensor of torch wherever it is, as an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
