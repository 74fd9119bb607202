"""MelodyVAE: what can be done with a trained model, one method (a verb) for each thing.

Conventions, the same in all verbs:

- a source is a path, the bytes of a file, an open file, an object of pretty_midi, mido, symusic or music21 (see
  :mod:`data_prep.reading.sources`), a :class:`~data_prep.melody.Melody`, or a piece that was read before, a
  :class:`~data_prep.melodies.regions.ReadMelody`;
- ``track`` is ``auto``, a track's number (from 1) or its name; ``first_bar`` is the first bar to take (from 1), None
  takes a phrase; ``bars`` is how many to take, None takes as many as the model has;
- a verb of several sources takes one ``track`` and one ``first_bar`` for all, or a tuple with one for each;
- ``temperature`` is that of the notes: 0 takes the most probable ones;
- ``seed`` or ``generator`` is the source of all draws: the same seed gives the same melodies. Without either, the seed
  is 0; :meth:`MelodyVAE.sample` takes a new one. The result says which.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from data_prep.limits import Limits
from data_prep.melodies.arrangement import Accompaniment, accompaniment_of, transposed
from data_prep.melodies.keys import Key, key_of
from data_prep.melody import Melody
from data_prep.reading.repeats import Repeats
from data_prep.tokens import TokenError
from melodyvae.config import MelodyConfig
from melodyvae.device import choose_device
from melodyvae.generation import both_sides, composing, inpainting, morph, sampling, scoring, variation
from melodyvae.generation.alignment import AlignedTunes
from melodyvae.generation.attribute_vectors import AttributeVectors
from melodyvae.generation.attributes import ATTRIBUTES, measure
from melodyvae.generation.codec import decode_melodies, exact_latents, matching_steps, posterior_means
from melodyvae.generation.doubts import can_hear
from melodyvae.generation.harmony import harmony_under, parts_in_scale
from melodyvae.generation.in_scale import rules_near
from melodyvae.generation.interpolation import (
    Ends,
    Spacing,
    WalkEnds,
    WalkOptions,
    pick_ends,
    walk,
)
from melodyvae.generation.meters import COMPOSING_MODEL, choose_model_for
from melodyvae.generation.morph import CANDIDATES
from melodyvae.generation.novelty import NoveltyIndex, find_index, index_of, redraw_near_copies
from melodyvae.generation.prior import Prior
from melodyvae.generation.results import (
    Arithmetic,
    Completion,
    Grid,
    Interpolation,
    Morph,
    Reconstruction,
    Result,
    Samples,
    Scores,
    Variations,
)
from melodyvae.generation.scales import Scale, ScaleChoice, key_named, moved_to_scale, parse_choice, weights_of
from melodyvae.generation.sources import MelodySource, Taken, WindowError, sounding_bars, take, take_window
from melodyvae.models.melody import MelodyModel

Encodable: TypeAlias = "MelodySource | np.ndarray | Tensor"
Kind = TypeVar("Kind")
ForEach: TypeAlias = "Kind | tuple[Kind, ...] | list[Kind]"  # one for all sources, or one for each


class MelodyVAE:
    """A trained model of melodies of a fixed number of bars, and what can be done with it.

    Attributes:
        model: the network.
        limits: of time and memory for reading a score, in a process of its own; None reads it in this one.
        repeats: of scores that its verbs read: ``written`` takes every bar once, ``play`` as often as it is played.

    Args:
        composer: a model that looks back, held already, to judge notes by; None loads ``melody-compose`` when needed.
    """

    def __init__(
        self,
        model: MelodyModel,
        limits: Limits | None = None,
        *,
        composer: MelodyModel | None = None,
        repeats: Repeats = "written",
    ) -> None:
        self.model = model
        self.limits = limits
        self.repeats = repeats
        self._given_composer = composer

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        device: str | torch.device = "cpu",
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
            DeviceError: if this machine has no such device.
        """
        place = choose_device(str(device))
        return cls(MelodyModel.from_pretrained(name).to(place), limits, repeats=repeats)

    @classmethod
    def for_tunes(
        cls,
        *tunes: MelodySource,
        track: ForEach[str] = "auto",
        device: str | torch.device = "cpu",
        limits: Limits | None = None,
    ) -> Self:
        """The shipped 2-bar model for the meter of the first of some tunes, as the commands choose it.

        A model that is named takes every tune: ``melody-2bar`` lays bars of 4/4 over a waltz, and says so in the
        sentences of its results.

        >>> from melodyvae import Melody, MelodyVAE
        >>> waltz = Melody((), length_steps=24, meter=(3, 4))
        >>> MelodyVAE.for_tunes(waltz).config.meter
        (3, 4)

        Raises:
            MidiError, MelodyError: if a tune cannot be read.
        """
        tracks = _for_each(track, len(tunes), "track")
        name = choose_model_for(list(zip(tunes, tracks, strict=True)), limits=limits).name
        return cls.from_pretrained(name, device, limits=limits)

    @property
    def config(self) -> MelodyConfig:
        """The model's hyper-parameters: bars, meter and grid of a window among them."""
        return self.model.config

    @cached_property
    def novelty(self) -> NoveltyIndex | None:
        """What tells how near a melody is to the training windows; None of a model that came without."""
        return find_index(self.model)

    @cached_property
    def composer(self) -> MelodyModel:
        """The model that hears whole tunes: this one if it looks back, else the one given, else ``melody-compose``."""
        if self.config.look_back:
            return self.model
        if self._given_composer is not None:
            return self._given_composer
        return MelodyModel.from_pretrained(COMPOSING_MODEL).to(self.model.device)

    def encode(
        self,
        x: Encodable | Sequence[Encodable],
        *,
        track: str = "auto",
        first_bar: int | None = None,
        exact: bool = False,
    ) -> Tensor:
        """The latent vector of one window ``(Z,)``, or of several ``(N, Z)``, on the model's device.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> a, b = vae.sample(2, seed=1)
        >>> vae.encode(a).shape, vae.encode([a, b]).shape
        (torch.Size([256]), torch.Size([2, 256]))

        Args:
            x: a source, or token ids ``(T,)`` as a NumPy array or a tensor; or a list
                or tuple of these, or token ids ``(N, T)``.
            track: ``auto``, a number (from 1) or a name.
            first_bar: from 1; None takes a phrase.
            exact: refine z until the windows come back; otherwise it is the posterior mean.

        Raises:
            MidiError, MelodyError, WindowError: as :meth:`interpolate`.
            TokenError: if token ids are no window of the model.
        """
        windows, is_one = self._encodable(x, track, first_bar)
        z = exact_latents(self.model, windows) if exact else posterior_means(self.model, windows)
        return z[0] if is_one else z

    def decode(
        self,
        z: Tensor | np.ndarray | list[Tensor] | list[np.ndarray],
        *,
        tempo: float = 120.0,
        program: int = 0,
        temperature: float = 0.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Any:
        """The melody of one latent vector ``(Z,)``, or the melodies of several ``(N, Z)``.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> z = vae.sample(2, seed=1)
        >>> [melody.bars for melody in vae.decode(vae.encode(list(z)))]
        [2, 2]

        Args:
            z: a tensor, a NumPy array, or a list of them.
            tempo: quarters per minute.
            program: the MIDI instrument, from 0.
            temperature: of the notes; 0 takes the most probable ones.
            seed: of the draws.
            generator: in place of a seed.

        Returns:
            A :class:`~data_prep.melody.Melody` for one vector, else a
            :class:`~melodyvae.generation.results.Result` of melodies.

        Raises:
            ValueError: if the vectors are not of the model's latent size.
        """
        seed, generator = self._draws(seed, generator)
        stacked = torch.stack([torch.as_tensor(one) for one in z]) if isinstance(z, list) else torch.as_tensor(z)
        if stacked.ndim not in (1, 2) or stacked.shape[-1] != self.config.latent_size:
            shape = tuple(stacked.shape)
            raise ValueError(f"z has shape {shape}; it must be (Z,) or (N, Z) with Z = {self.config.latent_size}")
        rows = stacked.reshape(-1, self.config.latent_size).to(self.model.device, torch.float32)
        melodies = decode_melodies(self.model, rows, temperature, generator, quarters_per_minute=tempo, program=program)
        return melodies[0] if stacked.ndim == 1 else Result(melodies=tuple(melodies), seed=seed)

    def sample(
        self,
        count: int = 8,
        *,
        bars: int | None = None,
        key: str | None = None,
        density: float | None = None,
        pitches: tuple[int, int] | None = None,
        form: composing.Form | None = None,
        scale: str | Scale = "auto",
        tempo: float = 120.0,
        prior: Prior | None = None,
        novel: bool = False,
        temperature: float = 1.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Samples:
        """``count`` new melodies.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> vae.sample(3, scale="G:major", seed=1)
        <Samples of 3 melodies, seed 1>

        Args:
            count: how many, at least 1.
            bars: how long, of a model that looks back; None takes as many as the model has.
            key: of the tunes that are chosen and moved, of such a model: ``G:major`` and so on.
            density: notes per bar of the tunes that are chosen, of such a model.
            pitches: the lowest and the highest of the tunes that are chosen and moved, of such a model.
            form: ``song`` chooses tunes that come to their close and take a bar up again, the default of such a model;
                ``any`` does not.
            scale: ``auto`` keeps each melody to the scale that fits it best; ``none`` does not; ``G:major`` and so on
                keep all to one.
            tempo: quarters per minute.
            prior: z from a Gaussian ``fitted`` to the training windows, or from N(0, I), ``normal``; None takes the
                fitted one if there is one.
            novel: draw near-copies of training melodies again.
            temperature: of the notes; 0 takes the most probable ones.
            seed: None takes a new one.
            generator: in place of a seed.

        Raises:
            PriorError: if the fitted prior is asked of a model that has none.
            NoveltyError: if ``novel`` is asked of a model without the index of its training melodies.
            ScaleError: if there is no such scale or key.
            ComposingError: if what only a model that looks back can do is asked of another.
        """
        low, high = pitches or (None, None)
        composes = self.config.look_back and prior is None
        is_song = form == "song" or (form is None and composes)
        wish = composing.Wish(None if key is None else key_named(key), density, low, high, is_song)
        if bars not in (None, self.config.bars) or not wish.is_open:
            composing.check_composes(self.model)
        is_new = seed is None and generator is None
        seed, generator = self._draws(int(torch.randint(2**32, ())) if is_new else seed, generator)
        chosen = parse_choice(scale)
        how: dict[str, Any] = {
            "temperature": temperature,
            "generator": generator,
            "quarters_per_minute": tempo,
        }
        if composes:
            draw = partial(composing.compose, self.model, bars=bars, wish=wish, scale=chosen, **how)
        else:
            draw = partial(sampling.sample, self.model, prior=prior, scale=chosen, **how)
        melodies = self._drawn(draw, count, novel)
        return Samples(
            melodies=tuple(melodies),
            decisions=(f"seed {seed}: with it the same tunes come again",) if is_new else (),
            seed=seed,
            known=self.novelty,
            vocabulary=self.model.vocabulary,
        )

    def interpolate(
        self,
        start: MelodySource,
        end: MelodySource,
        count: int = 8,
        *,
        track: ForEach[str] = "auto",
        first_bar: ForEach[int | None] = None,
        bars: int | None = None,
        ends: Ends = "exact",
        spacing: Spacing = "even",
        key: str = "a",
        tempo: str | float = "a",
        scale: str | Scale = "auto",
        keep_accompaniment: bool = False,
        temperature: float = 0.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Interpolation:
        """``count`` melodies from ``start`` to ``end``, both included; see :mod:`melodyvae.generation.interpolation`.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> a, b = vae.sample(2, seed=1)
        >>> walk = vae.interpolate(a, b, 5)
        >>> len(walk), walk.exact
        (5, (True, True))
        >>> walk[0].notes == a.notes
        True

        Args:
            start: as at the top of this module.
            end: likewise.
            count: how many, at least 2.
            track: of both or of each: ``auto``, a number (from 1) or a name.
            first_bar: of both or of each, from 1; None takes a phrase.
            bars: how many to take of each; None takes as many as the model has. More are walked window by window.
            ends: ``exact`` refines z until both come back; ``model`` takes them as the model remembers them;
                ``original`` puts the melodies themselves at both ends.
            spacing: ``even`` to the ear, or ``latent``: equal steps of z.
            key: ``a``, ``b``: all in the key of one, and in the register of the first; ``glide`` from the key and
                register of the first to those of the second; a key such as ``C`` or ``Am``; ``none`` leaves the
                pitches alone.
            tempo: ``a``, ``b``, ``glide``, or quarters per minute.
            scale: ``auto`` keeps what lies between to the scale of the two; ``none`` does not; a scale such as
                ``Eb:major`` moves both to it, and all keep to it.
            keep_accompaniment: let the other tracks of ``start`` play with each melody that is written; what lies
                between keeps to their scale, and prefers the notes that they play on the beats.
            temperature: of the notes between the ends; 0 takes the most probable ones.
            seed: of the draws.
            generator: in place of a seed.

        Raises:
            MidiError, MelodyError: if a source cannot be read, or has no melody.
            WindowError: if there is no such bar, or no note in the bars.
            ScaleError: if there is no such scale or key.
        """
        options = WalkOptions(count, temperature, ends, spacing, key, tempo, scale)
        seed, generator = self._draws(seed, generator)
        tracks, first_bars = _for_each(track, 2, "track"), _for_each(first_bar, 2, "first_bar")
        read = [
            self._take(source, label, wanted) for source, label, wanted in zip((start, end), "AB", tracks, strict=True)
        ]
        picked: WalkEnds = pick_ends(
            self.model, (read[0].found, read[1].found), (first_bars[0], first_bars[1]), bars, options
        )
        sources = tuple(replace(taken, window=window) for taken, window in zip(read, picked.windows, strict=True))
        start_melody, end_melody = (taken.melody for taken in sources)
        accompaniment, harmony = Accompaniment(()), None
        if keep_accompaniment:
            accompaniment = accompaniment_of(read[0].found, picked.windows[0].grid_bar, start_melody.bars)
            chosen = parse_choice(scale)
            if isinstance(chosen, Scale):
                moved = parts_in_scale(accompaniment.parts, start_melody, chosen, picked.keys[0])
                accompaniment = replace(accompaniment, parts=moved)
            harmony = harmony_under(accompaniment.parts, start_melody, picked.pieces[0])
        found = walk(self.model, start_melody, end_melody, options, generator, picked.keys, picked.pieces, harmony)
        decisions = [sentence for sentence in (picked.note, *found.decisions) if sentence]
        backings = None
        if keep_accompaniment:
            backings = tuple(transposed(accompaniment.parts, shift) for shift in found.key_shifts)
            decisions += [f"A's accompaniment: {sentence}" for sentence in accompaniment.sentences]
        return Interpolation(
            melodies=found.melodies,
            sources=sources,
            decisions=tuple(decisions),
            seed=seed,
            distances=found.distances,
            distinct=found.distinct,
            steps_right=found.steps_right,
            key_shifts=found.key_shifts,
            walked_keys=found.keys,
            backings=backings,
        )

    def vary(
        self,
        source: MelodySource,
        count: int = 8,
        *,
        amount: float = 0.3,
        track: str = "auto",
        first_bar: int | None = None,
        scale: str | Scale = "auto",
        novel: bool = False,
        temperature: float = 0.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Variations:
        """``count`` melodies near some bars of ``source``; see :func:`melodyvae.generation.variation.vary`.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> (melody,) = vae.sample(1, seed=1)
        >>> vae.vary(melody, 4, amount=0.2)
        <Variations of 4 melodies, seed 0>

        Args:
            source: as at the top of this module.
            count: how many, at least 1.
            amount: how far away, 0 to 1: 0 is the melody as the model remembers it, 1 a new one.
            track: ``auto``, a number (from 1) or a name.
            first_bar: from 1; None takes a phrase.
            scale: ``auto`` keeps the melodies to the scale of the source, and near its range; ``none`` does not; a
                scale such as ``Eb:major`` moves the source to it, and all keep to it.
            novel: draw near-copies of training melodies again.
            temperature: of the notes; 0 takes the most probable ones.
            seed: of the draws.
            generator: in place of a seed.

        Raises:
            MidiError, MelodyError, WindowError, ScaleError: as :meth:`interpolate`.
            NoveltyError: as :meth:`sample`.
        """
        chosen = parse_choice(scale)
        seed, generator = self._draws(seed, generator)
        taken = self._take_window(source, "the tune", track, first_bar)
        tune, piece = taken.melody, taken.found.melody
        decisions = []
        if isinstance(chosen, Scale):
            tune = moved_to_scale(tune, chosen, key_of(piece))
            decisions.append(f"the tune is moved to {chosen}")
        draw = partial(
            variation.vary,
            self.model,
            tune,
            amount=amount,
            temperature=temperature,
            generator=generator,
            rules=rules_near(self.model, tune, chosen, weights_of(piece)),
        )
        melodies = self._drawn(draw, count, novel)
        if len(melodies) < count:
            decisions.append(_fewer(count, len(melodies)))
        return Variations(
            melodies=tuple(melodies),
            sources=(taken,),
            decisions=tuple(decisions),
            seed=seed,
            known=self.novelty,
            vocabulary=self.model.vocabulary,
            key=_kept_key(taken, chosen),
            original=tune,
            steps_changed=tuple(variation.steps_changed(self.model, melody, tune) for melody in melodies),
        )

    def morph(
        self,
        source: MelodySource,
        count: int = 5,
        *,
        density: float = 0.0,
        range: float = 0.0,
        interval: float = 0.0,
        syncopation: float = 0.0,
        syncopation_8: float = 0.0,
        syncopation_16: float = 0.0,
        diatonic: float = 0.0,
        track: str = "auto",
        first_bar: int | None = None,
        scale: str | Scale = "auto",
        candidates: int = CANDIDATES,
        temperature: float = 0.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Morph:
        """``count`` melodies, from some bars of ``source`` as they are to these with their character moved.

        For example ``vae.morph("a.mid", density=+1, range=-1)``; see :func:`melodyvae.generation.morph.morph`. Amounts
        are in standard deviations over the training windows; what is 0 is kept as far as it can be.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> (melody,) = vae.sample(1, seed=1)
        >>> denser = vae.morph(melody, 3, density=+1, candidates=24)
        >>> tune, before, after, asked = denser.measures["density"]
        >>> after > before
        True

        Args:
            source: as at the top of this module.
            count: how many, at least 2.
            density: notes per bar.
            range: semitones from the lowest to the highest note.
            interval: semitones from note to note.
            syncopation: both of the following.
            syncopation_8: notes on weak eighths without one on the beat before.
            syncopation_16: the same of sixteenths.
            diatonic: notes in the major scale that fits best.
            track: ``auto``, a number (from 1) or a name.
            first_bar: from 1; None takes a phrase.
            scale: ``auto`` keeps the melodies to the scale of the source; ``none`` does not; a scale such as
                ``Eb:major`` moves the source to it first, and all keep to it.
            candidates: how many melodies are tried for each one written; 1 takes the bare attribute vectors.
            temperature: of the notes; 0 takes the most probable ones.
            seed: of the draws.
            generator: in place of a seed.

        Raises:
            MidiError, MelodyError, WindowError: as :meth:`interpolate`.
            AttributeVectorsError: if the model has no attribute vectors.
            ScaleError: if there is no such scale.
        """
        seed, generator = self._draws(seed, generator)
        chosen = parse_choice(scale)
        named = {
            "density": density,
            "range": range,
            "interval": interval,
            "syncopation": syncopation,
            "syncopation-8": syncopation_8,
            "syncopation-16": syncopation_16,
            "diatonic": diatonic,
        }
        amounts = {name: amount for name, amount in named.items() if amount}
        wanted = morph.wanted_amounts(amounts)
        taken = self._take_window(source, "the tune", track, first_bar)
        melodies = morph.morph(
            self.model,
            taken.melody,
            amounts,
            count,
            temperature,
            generator,
            chosen,
            candidates,
            key_of(taken.found.melody),
        )
        measured = [taken.melody, melodies[0], melodies[-1]]
        rows = np.stack([self.model.vocabulary.encode(melody) for melody in measured])
        tune, before, after = measure(rows, self.config).tolist()
        directions = AttributeVectors.from_extras(self.model.extras, self.model.device, self.config.latent_size)
        deviations = directions.deviations.tolist()
        asked = [
            value + amount * deviation if amount else None
            for value, amount, deviation in zip(before, wanted.tolist(), deviations, strict=True)
        ]
        measures = dict(zip(ATTRIBUTES, zip(tune, before, after, asked, strict=True), strict=True))
        return Morph(
            melodies=tuple(melodies),
            sources=(taken,),
            decisions=(f"the tune is moved to {chosen}",) if isinstance(chosen, Scale) else (),
            seed=seed,
            key=_kept_key(taken, chosen),
            original=taken.melody,
            measures=measures,
        )

    def grid(
        self,
        sources: Sequence[MelodySource],
        count: int = 5,
        *,
        track: ForEach[str] = "auto",
        first_bar: ForEach[int | None] = None,
        bars: int | None = None,
        exact: bool = True,
        key: str = "a",
        tempo: str | float = "a",
        scale: str | Scale = "auto",
    ) -> Grid:
        """``count`` rows of ``count`` melodies between four; see :func:`melodyvae.generation.variation.grid`.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> square = vae.grid(vae.sample(4, seed=1), 3)
        >>> len(square), [len(row) for row in square.rows]
        (9, [3, 3, 3])

        Args:
            sources: four: top left, top right, bottom left, bottom right.
            count: how many rows, at least 2, and columns.
            track: of all or of each: ``auto``, a number (from 1) or a name.
            first_bar: of all or of each, from 1; None takes a phrase.
            bars: how many to take of each; None takes as many as the model has. More are decoded window by window.
            exact: refine z until the four come back; otherwise they are as the model remembers them.
            key: all four are brought into the key of the first (``a``), and all melodies then into that of the second
                (``b``), each into its own share of their keys (``glide``), or into a key such as ``C``; ``none``: no.
            tempo: ``a``, ``b``, ``glide``, or quarters per minute.
            scale: as of :meth:`interpolate`.

        Raises:
            MidiError, MelodyError, WindowError, ScaleError: as :meth:`interpolate`.
        """
        chosen, vocabulary = parse_choice(scale), self.model.vocabulary
        taken = self._windows(sources, track, first_bar, bars)
        aligned = self._aligned(taken, key, chosen)
        rows = variation.grid(self.model, aligned.melodies, count, exact=exact, scale=chosen)
        found = (rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1])
        cells = zip((melody for row in rows for melody in row), variation.grid_shares(count), strict=True)
        corners = aligned.melodies
        return Grid(
            melodies=tuple(aligned.placed(vocabulary, melody, share, key, tempo) for melody, share in cells),
            sources=taken,
            decisions=aligned.decisions,
            corners=corners,
            steps_right=tuple(matching_steps(self.model, *pair) for pair in zip(corners, found, strict=True)),
        )

    def arithmetic(
        self,
        sources: Sequence[MelodySource],
        signs: Sequence[int],
        *,
        track: ForEach[str] = "auto",
        first_bar: ForEach[int | None] = None,
        bars: int | None = None,
        key: str = "a",
        tempo: str | float = "a",
        scale: str | Scale = "auto",
        temperature: float = 0.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Arithmetic:
        """The melody at the sum of the sources' latent means; see :func:`melodyvae.generation.variation.arithmetic`.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> a, b, c = vae.sample(3, seed=1)
        >>> vae.arithmetic([a, b, c], [1, -1, 1]).melody.bars
        2

        Args:
            sources: at least one.
            signs: of each, 1 or -1.
            track: of all or of each: ``auto``, a number (from 1) or a name.
            first_bar: of all or of each, from 1; None takes a phrase.
            bars: how many to take of each; None takes as many as the model has.
            key: all are brought into the key of the first; the sum is in it (``a``), in that of the second (``b``), or
                in a key such as ``C``; ``none``: pitches are left alone.
            tempo: ``a``, ``b``, ``glide`` (the mean), or quarters per minute.
            scale: ``auto`` keeps the sum to the scale of the melodies that are added; as of :meth:`interpolate`.
            temperature: of the notes; 0 takes the most probable ones.
            seed: of the draws.
            generator: in place of a seed.

        Raises:
            MidiError, MelodyError, WindowError, ScaleError: as :meth:`interpolate`.
        """
        chosen = parse_choice(scale)
        seed, generator = self._draws(seed, generator)
        taken = self._windows(sources, track, first_bar, bars)
        aligned = self._aligned(taken, key, chosen)
        terms = aligned.melodies
        found = variation.arithmetic(self.model, terms, signs, temperature, generator, chosen)
        shares = np.full(len(terms), 1 / len(terms))
        return Arithmetic(
            melodies=(aligned.placed(self.model.vocabulary, found, shares, key, tempo),),
            sources=taken,
            decisions=aligned.decisions,
            seed=seed,
            terms=terms,
            signs=tuple(signs),
        )

    def go_on(
        self,
        source: MelodySource,
        count: int = 4,
        *,
        bars: int = 8,
        track: str = "auto",
        temperature: float = 1.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Completion:
        """``count`` times ``source`` and ``bars`` bars more; see :func:`melodyvae.generation.composing.go_on`.

        >>> from melodyvae import MelodyVAE
        >>> composer = MelodyVAE.from_pretrained("melody-compose")
        >>> (tune,) = composer.sample(1, seed=1)
        >>> (longer,) = composer.go_on(tune, 1, bars=2, seed=1)
        >>> longer.bars - tune.bars
        2

        Args:
            source: as at the top of this module.
            count: how many, at least 1.
            bars: how many to add, at least 1.
            track: ``auto``, a number (from 1) or a name.
            temperature: of the notes; the melodies differ at 0, too, since z is drawn.
            seed: of the draws.
            generator: in place of a seed.

        Raises:
            MidiError, MelodyError: if the source cannot be read, or has no melody.
            ComposingError: if the model does not look back, or the last bars have no note.
        """
        composing.check_composes(self.model)
        seed, generator = self._draws(seed, generator)
        taken = self._take(source, "", track)
        melodies = composing.go_on(self.model, taken.melody, bars, count, temperature, generator)
        last = len(taken.found.layout.bar_starts)
        return Completion(
            melodies=tuple(melodies),
            sources=(taken,),
            decisions=(f"{'1 bar is' if bars == 1 else f'{bars} bars are'} added after bar {last}",),
            seed=seed,
            key=_kept_key(taken, "auto"),
            original=taken.melody,
            hidden=tuple(range(last + 1, last + bars + 1)),
        )

    def complete(
        self,
        source: MelodySource,
        count: int = 1,
        *,
        hide: Collection[int] = (),
        extend: int = 0,
        track: str = "auto",
        first_bar: int | None = None,
        scale: str | Scale = "auto",
        temperature: float | None = None,
        seed: int | None = None,
        generator: torch.Generator | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Completion:
        """``count`` times ``source`` with bars filled in anew.

        A model that looks back hears both sides of them, see :mod:`melodyvae.generation.both_sides`; for others see
        :func:`melodyvae.generation.inpainting.complete`.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> a, b = vae.sample(2, seed=1)
        >>> (completed,) = vae.complete(a + b, hide=[3])
        >>> completed.window(0, 2).notes == a.notes
        True

        Args:
            source: as at the top of this module.
            count: how many, at least 1.
            hide: the bars to fill in; bar 1 is the one in which the melody begins.
            extend: how many bars to add after the melody's last note.
            track: ``auto``, a number (from 1) or a name.
            first_bar: the bar of the piece that is bar 1; None takes the one in which the melody begins.
            scale: of the new bars: ``auto`` takes that of the bars near by; ``none`` allows all notes.
            temperature: of the notes; None is 1 of a model that looks back, which chooses among draws, and 0 of others,
                whose melodies differ since z is drawn.
            seed: of the draws.
            generator: in place of a seed.
            progress: called with how many of the bars are filled in, and how many there are.

        Raises:
            MidiError, MelodyError: if the source cannot be read, or has no melody.
            InpaintingError: if there is nothing to fill in or to go by, or no such bar.
        """
        chosen = parse_choice(scale)
        seed, generator = self._draws(seed, generator)
        taken = self._take(source, "", track)
        layout, (start, end) = taken.found.layout, sounding_bars(taken.found.melody)
        if first_bar is not None:
            if not 1 <= first_bar <= len(layout.bar_starts):
                raise WindowError(f"there is no bar {first_bar}: the piece has bars 1 to {len(layout.bar_starts)}")
            start = layout.grid_bar(first_bar)
        end = max(end, start + 1)
        melody = taken.found.window(start, end - start)
        for bar in hide:
            if not 1 <= bar <= melody.bars:
                raise inpainting.InpaintingError(f"there is no bar {bar}: the tune has bars 1 to {melody.bars}")
        hidden = {bar - 1 for bar in hide} | {melody.bars + index for index in range(extend)}
        looks_back = self.config.look_back
        engine = both_sides.complete_from_both_sides if looks_back else inpainting.complete
        if temperature is None:
            temperature = 1.0 if looks_back else 0.0
        melodies = engine(self.model, melody, hidden, count, temperature, generator, scale=chosen, progress=progress)
        decisions = []
        if start:
            decisions.append(f"the tune begins in bar {layout.piece_bar(start)} of the file, which is bar 1 here")
        if extend:
            added = "1 bar is" if extend == 1 else f"{extend} bars are"
            decisions.append(f"{added} added after bar {melody.bars}, the last with a note")
        return Completion(
            melodies=tuple(melodies),
            sources=(taken,),
            decisions=tuple(decisions),
            seed=seed,
            key=_kept_key(taken, "auto"),
            original=melody,
            hidden=tuple(sorted(bar + 1 for bar in hidden)),
            grid_bar=start,
        )

    def reconstruct(
        self,
        source: MelodySource | list[MelodySource] | tuple[MelodySource, ...],
        *,
        track: str = "auto",
        temperature: float = 0.0,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Reconstruction:
        """Melodies of any length as the model remembers them; see :func:`melodyvae.generation.sampling.reconstruct`.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> a, b = vae.sample(2, seed=1)
        >>> vae.reconstruct(a + b).melody.bars
        4

        Args:
            source: as at the top of this module, or several.
            track: ``auto``, a number (from 1) or a name.
            temperature: of the notes; 0 takes the most probable ones.
            seed: of the draws.
            generator: in place of a seed.

        Raises:
            MidiError, MelodyError: if a source cannot be read, or has no melody.
        """
        seed, generator = self._draws(seed, generator)
        sources = source if isinstance(source, list | tuple) else (source,)
        taken = [self._take(one, "", track) for one in sources]
        back = [sampling.reconstruct(self.model, found.melody, temperature, generator) for found in taken]
        originals = tuple(found.melody for found in taken)
        right = tuple(matching_steps(self.model, *pair) for pair in zip(originals, back, strict=True))
        return Reconstruction(
            melodies=tuple(back), sources=tuple(taken), seed=seed, originals=originals, steps_right=right
        )

    def score(self, source: MelodySource, *, track: str = "auto") -> Scores:
        """How unusual each window of ``source`` is, and each note; see :func:`melodyvae.generation.scoring.score`.

        Notes of tunes in 4/4 are judged by ``melody-compose``, which hears the whole tune, whatever model this is.

        >>> from melodyvae import MelodyVAE
        >>> vae = MelodyVAE.from_pretrained("melody-2bar")
        >>> a, b = vae.sample(2, seed=1)
        >>> [window.first_bar for window in vae.score(a + b)]
        [1, 2, 3]

        Args:
            source: as at the top of this module.
            track: ``auto``, a number (from 1) or a name.

        Raises:
            MidiError, MelodyError: if the source cannot be read, or has no melody.
        """
        taken = self._take(source, "", track)
        hears = can_hear(self.composer, taken.melody)
        bar_of = taken.found.layout.piece_bar  # of a bar of the melody, from 0
        windows = tuple(
            replace(
                window,
                first_bar=bar_of(window.first_bar - 1),
                notes=tuple(replace(note, bar=bar_of(note.bar - 1)) for note in window.notes),
            )
            for window in scoring.score(self.model, taken.melody, self.composer if hears else None)
        )
        is_ranked = scoring.QUANTILES in self.model.extras
        judge = "" if not hears else "the model" if self.config.look_back else COMPOSING_MODEL
        return Scores(windows=windows, source=taken, is_ranked=is_ranked, judge=judge)

    def _encodable(
        self, x: Encodable | Sequence[Encodable], track: str, first_bar: int | None
    ) -> tuple[np.ndarray, bool]:
        """Token windows ``(N, T)`` of what :meth:`encode` takes, and whether it was one and not several."""
        if isinstance(x, np.ndarray | Tensor):
            tokens = np.asarray(x.cpu() if isinstance(x, Tensor) else x)
            rows = np.atleast_2d(tokens)
            if tokens.ndim > 2 or rows.shape[1] != self.config.steps:
                raise TokenError(f"token ids have shape {tokens.shape}; a window has {self.config.steps} steps")
            for row in rows:
                self.model.vocabulary.decode(row)  # raises if they are no legal sequence
            return rows, tokens.ndim == 1
        if isinstance(x, list | tuple):
            if not x:
                raise ValueError("there is nothing to encode: the list is empty")
            return np.concatenate([self._encodable(one, track, first_bar)[0] for one in x]), False
        window = self._take_window(x, "", track, first_bar).melody
        return self.model.vocabulary.encode(window)[None], True

    def _take(self, source: MelodySource, label: str, track: str) -> Taken:
        return take(source, self.config, label, track, self.limits, self.repeats)

    def _take_window(
        self, source: MelodySource, label: str, track: str, first_bar: int | None, bars: int | None = None
    ) -> Taken:
        return take_window(source, self.config, label, track, first_bar, bars, self.limits, self.repeats)

    def _aligned(self, taken: Sequence[Taken], key: str, scale: Scale | ScaleChoice) -> AlignedTunes:
        """What was taken, in one key."""
        keys = [key_of(found.found.melody) for found in taken]
        return AlignedTunes.of(self.model.vocabulary, [found.melody for found in taken], keys, key, scale)

    def _windows(
        self,
        sources: Sequence[MelodySource],
        track: ForEach[str],
        first_bar: ForEach[int | None],
        bars: int | None = None,
    ) -> tuple[Taken, ...]:
        tracks, first_bars = (
            _for_each(track, len(sources), "track"),
            _for_each(first_bar, len(sources), "first_bar"),
        )
        labels = ["ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 26] for index in range(len(sources))]
        return tuple(
            self._take_window(source, label, wanted, bar, bars)
            for source, label, wanted, bar in zip(sources, labels, tracks, first_bars, strict=True)
        )

    def _drawn(self, draw: Callable[[int], list[Melody]], count: int, novel: bool) -> list[Melody]:
        """``count`` melodies from ``draw``, none a near-copy of a training melody if ``novel``."""
        if not novel:
            return draw(count)
        return redraw_near_copies(draw, count, index_of(self.model), self.model.vocabulary)

    def _draws(self, seed: int | None, generator: torch.Generator | None) -> tuple[int | None, torch.Generator]:
        """The seed and the generator of all draws."""
        if generator is not None:
            if seed is not None:
                raise ValueError("both a seed and a generator are given; give one of them")
            return None, generator
        seed = seed or 0
        return seed, torch.Generator(self.model.device).manual_seed(seed)


def _kept_key(taken: Taken, scale: Scale | ScaleChoice) -> Key | None:
    """The key of what is made of one tune: its piece's or that of the scale; None if it may have any notes."""
    if scale == "none":
        return None
    return scale.key if isinstance(scale, Scale) else key_of(taken.found.melody)


def _fewer(count: int, found: int) -> str:
    """What to say where fewer melodies are distinct than were asked for."""
    return f"{count} tunes were asked for; only {found} distinct ones were found, and are written"


def _for_each(value: ForEach[Kind], count: int, name: str) -> list[Kind]:
    """One value for each of ``count`` sources."""
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} values for {count} sources; give one for all, or one for each")
    return list(value)
