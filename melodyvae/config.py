"""Every hyper-parameter, with its unit and default, and the named presets.

Conventions: ``*_steps`` in a model are grid steps (sixteenth notes by default); ``*_updates`` in a training are
optimiser updates; KL and reconstruction are in nats per window (or an image). A value that is unknown or of the wrong
type is an error: a misspelt key never falls back to a default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from melodyvae.system.errors import UserError

if TYPE_CHECKING:
    from melodyvae.music.bars import Room

Readout = Literal["position", "last-state"]
Output = Literal["tokens", "event-then-pitch"]
Annealing = Literal["constant", "linear", "exponential", "cyclical"]
Kept = Literal["best", "last"]
READOUTS: tuple[str, ...] = get_args(Readout)
OUTPUTS: tuple[str, ...] = get_args(Output)
ANNEALINGS: tuple[str, ...] = get_args(Annealing)
KEPT: tuple[str, ...] = get_args(Kept)
PRECISIONS = ("auto", "bf16", "fp32")  # of the arithmetic of a training
Config = TypeVar("Config")
Training = TypeVar("Training", bound="TrainConfig")
HIGHEST_SEED = 2**32 - 1

MAX_SIZES = {  # of a model; none is useful beyond, and a foreign checkpoint may say anything
    **dict.fromkeys(("bars", "segment_bars", "steps_per_quarter"), 1024),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "conductor_layers"), 32),
    **dict.fromkeys(("latent_size", "encoder_size", "encoder_features", "decoder_size", "decoder_features"), 2**16),
    **dict.fromkeys(("code_size", "conductor_size"), 2**16),
}


# Keys that older checkpoints have, and that say nothing any more; the pitches are those of their table of tokens.
RETIRED = frozenset({"conductor_features", "lowest_pitch", "highest_pitch"})


class ConfigError(UserError, ValueError):
    """A configuration has an unknown key or an invalid value."""


@dataclass(frozen=True)
class MelodyConfig:
    """The sizes of a :class:`~melodyvae.models.melody.MelodyModel`."""

    bars: int = 2
    meter: tuple[int, int] = (4, 4)
    steps_per_quarter: int = 4
    latent_size: int = 256
    readout: Readout = "position"
    encoder_size: int = 512  # LSTM units in each direction
    encoder_features: int = 32  # numbers kept of each encoder step (position read-out only)
    decoder_size: int = 256  # LSTM units per layer
    decoder_layers: int = 2
    decoder_features: int = 64  # numbers of z given to each decoder step (position read-out only)
    encoder_layers: int = 1
    segment_bars: int | None = None  # bars that are coded and written at a time; None: the whole window
    code_size: int = 256  # numbers of a segment's code (segment_codes only)
    conductor_size: int = 256  # LSTM units per layer of what goes over the segments
    conductor_layers: int = 1
    output: Output = "tokens"  # event-then-pitch: first which event comes, then, of a note on, at which pitch
    pitch_inputs: bool = False  # encoder and decoder read a note on as its pitch class and octave, too
    segment_codes: bool = False  # z is the codes of the segments, each relative to a learned prior
    look_back: bool = False  # the network that composes: z by segment, a learned prior, a decoder that hears itself
    conditions: bool = False  # it is told the style, the meter and the borders of a tune (look_back only)

    def __post_init__(self) -> None:
        check_types(self)
        check_choice("readout", self.readout, READOUTS)
        check_choice("output", self.output, OUTPUTS)
        for name in ("bars", "steps_per_quarter", "latent_size", "encoder_size", "encoder_features"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("decoder_size", "decoder_layers", "decoder_features", "encoder_layers", "code_size"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("conductor_size", "conductor_layers"):
            check_at_least(name, getattr(self, name), 1)
        for name, highest in MAX_SIZES.items():
            if (getattr(self, name) or 0) > highest:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at most {highest}")
        if self.segment_bars is not None and (self.segment_bars < 1 or self.bars % self.segment_bars):
            raise ConfigError(f"segment_bars is {self.segment_bars}, which does not divide {self.bars} bars")
        if self.segment_bars is not None and not (self.look_back or self.segment_codes):
            raise ConfigError("segment_bars needs segment_codes or look_back; leave it out for one code of all bars")
        if self.look_back and (self.segment_bars is None or self.readout != "position"):
            raise ConfigError("look_back needs segment_bars and the position read-out")
        if self.look_back and (self.output != "tokens" or self.pitch_inputs):
            raise ConfigError("look_back has its own output and inputs; leave out output and pitch_inputs")
        if self.conditions and not self.look_back:
            raise ConfigError("conditions need look_back; leave them out")
        if self.look_back and self.latent_size % self.segments:
            raise ConfigError(f"latent_size is {self.latent_size}, which {self.segments} segments cannot share evenly")
        if self.segment_codes and (self.segment_bars is None or self.readout != "position" or self.look_back):
            raise ConfigError("segment_codes needs segment_bars and the position read-out, and goes without look_back")
        if self.segment_codes and self.latent_size != self.segments * self.code_size:
            raise ConfigError(
                f"latent_size is {self.latent_size}; with segment_codes it must be that of {self.segments} codes of "
                f"{self.code_size}"
            )
        if min(self.meter) < 1 or 4 * self.meter[0] * self.steps_per_quarter % self.meter[1]:
            raise ConfigError(
                f"a bar of {self.meter[0]}/{self.meter[1]} is not a whole number of steps "
                f"at {self.steps_per_quarter} steps per quarter"
            )

    @property
    def steps_per_bar(self) -> int:
        """Grid steps in one bar."""
        return 4 * self.meter[0] * self.steps_per_quarter // self.meter[1]

    @property
    def steps(self) -> int:
        """Grid steps in one window (T)."""
        return self.bars * self.steps_per_bar

    def room_for(self, meter: tuple[int, int], steps_per_quarter: int | None = None) -> Room | None:
        """The place of a bar of another meter, on this grid or another, in bars of this one; None if it fits none."""
        from melodyvae.music.bars import find_room  # here, so that digits need nothing of melodies

        grid = steps_per_quarter or self.steps_per_quarter
        return find_room(meter, grid, self.steps_per_bar, self.segment_bars or self.bars)

    def in_meter(self, meter: tuple[int, int], steps_per_quarter: int | None = None) -> MelodyConfig:
        """The same sizes of windows in another meter; they have fewer bars where a bar takes several of this one's.

        Raises:
            ConfigError: if the bars of that meter do not fit.
        """
        room = self.room_for(meter, steps_per_quarter)
        if room is None:
            raise ConfigError(
                f"the model has no room for bars of {meter[0]}/{meter[1]}: its own have {self.steps_per_bar} steps, "
                f"{self.steps_per_quarter} per quarter; choose another meter"
            )
        segment_bars = self.segment_bars and self.segment_bars // room.bars
        grid = steps_per_quarter or self.steps_per_quarter
        bars = self.bars // room.bars
        return replace(self, meter=meter, steps_per_quarter=grid, bars=bars, segment_bars=segment_bars)

    def composed_grid(self, meter: tuple[int, int]) -> int | None:
        """Steps per quarter on which new tunes in a meter are written; None is the model's own.

        A model that is told conditions has learned bars that are too long for its own and cannot be halved on half the
        grid: 9/8 in eighths.
        """
        from melodyvae.music.bars import bar_within  # here, so that digits need nothing of melodies

        within = bar_within(meter, self.steps_per_quarter, self.steps_per_bar) if self.conditions else None
        return None if within is None else within[1]

    @property
    def segments(self) -> int:
        """Segments in one window (S); 1 of a model that codes the whole window at once."""
        return self.bars // self.segment_bars if self.segment_bars else 1

    def of_segment(self) -> MelodyConfig:
        """The sizes of a flat model of one segment, whose z is the segment's code."""
        bars = self.segment_bars or self.bars
        changes: dict[str, Any] = {
            "segment_bars": None,
            "segment_codes": False,
            "look_back": False,
            "conditions": False,
        }
        return replace(self, bars=bars, latent_size=self.code_size, **changes)

    @property
    def has_learned_prior(self) -> bool:
        """Whether z is standardised by a learned prior, so that N(0, I) is that prior."""
        return self.look_back or self.segment_codes


@dataclass(frozen=True)
class TrainConfig:
    """Training configuration. The budget is the first of ``max_updates`` and ``max_minutes`` to be reached."""

    batch_size: int = 128
    max_updates: int | None = None
    max_minutes: float | None = None
    learning_rate: float = 2e-3  # Adam's peak rate; warms up linearly, then falls to zero along a cosine
    warmup_updates: int = 200
    gradient_clip: float = 1.0  # largest global L2 norm of the gradient
    beta: float = 0.2  # final weight of the KL
    annealing: Annealing = "linear"
    anneal_after_updates: int = 0  # beta is 0 until then
    anneal_updates: int = 2000  # linear: until beta is reached; cyclical: one cycle
    anneal_rate: float = 0.99999  # exponential: beta * (1 - rate ** update), MusicVAE's form
    free_nats: float = 0.0  # KL per window that costs nothing
    target_bits: float | None = None  # KL per window that beta is steered to, once annealed
    seed: int = 0
    evaluate_every: int = 500  # updates between two evaluations on held-out data
    keep: Kept = "best"  # weights: those that did best on held-out data, or the last ones
    save_every_minutes: float = 5.0

    def __post_init__(self) -> None:
        check_types(self)
        check_choice("annealing", self.annealing, ANNEALINGS)
        check_choice("keep", self.keep, KEPT)
        for name in ("batch_size", "anneal_updates", "evaluate_every"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("beta", "free_nats", "warmup_updates", "anneal_after_updates", "seed"):
            check_at_least(name, getattr(self, name), 0)
        if self.seed > HIGHEST_SEED:
            raise ConfigError(f"seed is {self.seed}; it must be at most {HIGHEST_SEED}")
        for name in ("learning_rate", "gradient_clip"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.target_bits is not None and self.beta == 0:
            raise ConfigError("beta is 0, which no target_bits can steer; it must be above 0")
        if not 0 < self.anneal_rate < 1:
            raise ConfigError(f"anneal_rate is {self.anneal_rate}; it must lie between 0 and 1")
        for name in ("max_updates", "max_minutes", "target_bits"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} is {value}; it must be above 0")


@dataclass(frozen=True)
class MelodyTrainConfig(TrainConfig):
    """Training configuration of a :class:`~melodyvae.models.melody.MelodyModel`: adds the options of melodies."""

    transpose_down: int = 5  # semitones; the shift is random at every visit
    transpose_up: int = 6
    changed_windows: float = 0.0  # share of the windows whose rhythm is changed, at random at every visit
    anticipation: float = 0.0  # of such a window: the highest share of onsets that move one or two steps earlier
    rests: float = 0.0  # likewise: the highest share of notes that end early
    scheduled_sampling_rate: float = 0.0  # k of the inverse sigmoid, in updates; 0 is teacher forcing throughout
    evaluate_windows: int = 512  # held-out windows in one evaluation
    look_back_hidden: float = 0.0  # share of the windows whose earlier bars are hidden from a look-back decoder
    dropout: float = 0.0  # share of the numbers into and out of a look-back decoder's LSTM, and of bar codes, set to 0
    tune_share: float | None = None  # share of the windows that are of tunes, not of parts of scores; None: as they are
    open_conditions: float = 0.1  # share of the windows for which each condition is left open
    half_windows: float = 0.0  # share of the updates on the first or second half of each window

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("transpose_down", "transpose_up", "scheduled_sampling_rate"):
            check_at_least(name, getattr(self, name), 0)
        shares = ("changed_windows", "anticipation", "rests", "look_back_hidden", "dropout", "tune_share")
        for name in (*shares, "open_conditions", "half_windows"):
            check_at_least(name, getattr(self, name) or 0, 0)
            if (getattr(self, name) or 0) > 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it is a share, at most 1")
        check_at_least("evaluate_windows", self.evaluate_windows, 1)


def from_dict(kind: type[Config], values: dict[str, Any]) -> Config:
    """A configuration of ``kind`` from plain values, as read from JSON.

    Raises:
        ConfigError: on a key that ``kind`` does not have, and on a value of the wrong type or range.
    """
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    values = {name: value for name, value in values.items() if name not in RETIRED}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def to_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain values, ready for JSON; :func:`from_dict` is the inverse."""
    return asdict(config)


def override(config: Config, **changes: Any) -> Config:
    """``config`` with every change that is not None applied."""
    return replace(config, **{k: v for k, v in changes.items() if v is not None})  # type: ignore[type-var]


def without_budget(training: Training, changes: Mapping[str, Any]) -> Training:
    """``training``, without its budget if ``changes`` hold another one."""
    if any(changes.get(name) is not None for name in ("max_updates", "max_minutes")):
        return replace(training, max_updates=None, max_minutes=None)
    return training


def check_types(config: Any) -> None:
    """Raise :class:`ConfigError` if a field of a configuration is not of its annotated type."""
    for name, expected in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if not _fits(value, expected):
            raise ConfigError(f"{name} is {value!r}; expected {getattr(expected, '__name__', expected)}")


def _fits(value: Any, expected: Any) -> bool:
    origin = get_origin(expected)
    if origin is Literal:
        return isinstance(value, str)
    if origin is tuple:
        parts = get_args(expected)
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(_fits, value, parts))
    if isinstance(expected, UnionType):
        return any(_fits(value, option) for option in get_args(expected))
    if isinstance(value, bool):
        return expected is bool
    if expected is float:
        return (isinstance(value, float) and math.isfinite(value)) or (isinstance(value, int) and abs(value) < 2**63)
    return isinstance(value, expected)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise :class:`ConfigError` if ``value`` is none of ``choices``."""
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(choices)}")


def check_at_least(name: str, value: float, lowest: float) -> None:
    """Raise :class:`ConfigError` if ``value`` is below ``lowest``."""
    if value < lowest:
        raise ConfigError(f"{name} is {value}; it must be at least {lowest}")
