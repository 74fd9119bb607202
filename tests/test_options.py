"""An option is said once: Python's checks, the commands' options and the shell line follow from its field."""

import inspect
from dataclasses import dataclass
from typing import Annotated, Literal

import click
import numpy as np
import pytest
from click.testing import CliRunner

from melodyvae.cli.options import verb_options
from melodyvae.options import Option, OptionError, Options, option_fields, verb
from melodyvae.studio.requests import VERBS
from melodyvae.system.errors import UserError
from melodyvae.vae import MelodyVAE
from tests.conftest import tune


@dataclass(frozen=True, kw_only=True)
class PlayOptions(Options):
    count: Annotated[int, Option("Times.", low=1, high=9, flags=("n",))] = 2
    speed: Annotated[float, Option("How fast.", low=0)] = 1.0
    manner: Annotated[Literal["legato", "staccato"], Option("How long each note is.")] = "legato"
    loud: Annotated[bool, Option("Loudly.")] = False
    low_high: Annotated[tuple[int, int] | None, Option("Lowest and highest.", low=0)] = None
    track: Annotated[str | tuple[str, ...], Option("Track{of}.")] = "auto"


def play(player: object, tune: str, options: PlayOptions) -> tuple[str, PlayOptions]:
    """Play a tune."""
    return tune, options


class Player:
    play = verb(play)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 0}, "count is 0; it must be a whole number from 1 to 9"),
        ({"count": 2.5}, "count is 2.5; it must be a whole number from 1 to 9"),
        ({"count": True}, "count is True; it must be a whole number"),
        ({"speed": float("nan")}, "speed is nan; it must be a number from 0 up"),
        ({"speed": -1}, "speed is -1; it must be a number from 0 up"),
        ({"speed": "fast"}, "speed is 'fast'; it must be a number"),
        ({"manner": "legatto"}, "manner is 'legatto'; it must be one of legato, staccato"),
        ({"loud": 1}, "loud is 1; it must be True or False"),
        ({"low_high": (1, 2, 3)}, r"low_high is \(1, 2, 3\); it must be 2 values, each a whole number from 0 up"),
        ({"low_high": 4}, "low_high is 4; it must be 2 values"),
        ({"low_high": (1, -2)}, "low_high is -2"),
        ({"track": 5}, "track is 5; it must be a text"),
    ],
)
def test_a_wrong_value_is_refused_by_name_value_and_range(wrong, sentence):
    with pytest.raises(OptionError, match=sentence):
        PlayOptions(**wrong)
    with pytest.raises(OptionError, match=sentence):
        Player().play("a.mid", **wrong)


def test_a_misspelt_option_is_refused():
    with pytest.raises(TypeError, match="maner"):
        Player().play("a.mid", maner="legato")


def test_a_method_takes_count_by_place_and_numbers_of_numpy():
    tune_played, options = Player().play("a.mid", np.int64(3), speed=np.float32(0.5), track=["x", "y"])
    assert tune_played == "a.mid"
    assert options == PlayOptions(count=3, speed=0.5, track=("x", "y"))
    assert type(options.count) is int
    assert list(inspect.signature(Player.play).parameters) == [
        *("self", "tune", "count", "speed", "manner", "loud", "low_high", "track")
    ]
    assert "speed: How fast. Default: 1.0." in Player.play.__doc__


def command(labels=""):
    @click.command()
    @verb_options(PlayOptions, labels)
    def run(options):
        click.echo(repr(options))

    return run


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], PlayOptions()),
        (["-n", "3", "--speed", "2"], PlayOptions(count=3, speed=2.0)),
        (["--manner", "staccato", "--loud"], PlayOptions(manner="staccato", loud=True)),
        (["--low-high", "3", "5"], PlayOptions(low_high=(3, 5))),
        (["--track-a", "x", "--track-b", "auto"], PlayOptions(track=("x", "auto"))),
    ],
)
def test_a_command_has_the_options_and_the_shell_line_gives_them_back(words, options):
    labels = "ab" if "--track-a" in words else ""
    done = CliRunner().invoke(command(labels), words)
    assert done.output.strip() == repr(options)
    again = CliRunner().invoke(command(labels), options.shell_words(labels))
    assert again.output == done.output


@pytest.mark.parametrize("words", [["-n", "0"], ["--speed", "nan"], ["--manner", "x"], ["--low-high", "1"]])
def test_a_command_refuses_what_python_refuses(words):
    assert CliRunner().invoke(command(), words).exit_code == 2


@pytest.mark.parametrize("name", ["interpolate", "sample", "vary", "morph", "grid", "complete", "continue_", "score"])
def test_the_verbs_are_methods_that_name_their_options(name):
    method = getattr(MelodyVAE, name)
    assert ">>> " in method.__doc__
    assert "Options:" in method.__doc__


def test_every_option_of_every_verb_has_words_and_a_default_that_it_takes():
    kinds = {kind.options for kind in VERBS.values()}
    assert len(kinds) == 9
    for kind in kinds:
        assert len(option_fields(kind)) >= 1
        for field in option_fields(kind):
            assert field.option.help.endswith(".")
            assert field.checked(field.default) == field.default


@pytest.fixture(scope="module")
def vae():
    return MelodyVAE.from_pretrained("melody-2bar")


@pytest.mark.parametrize(
    ("verb_name", "options"),
    [
        ("sample", {"form": "sonng"}),
        ("sample", {"prior": "fited"}),
        ("sample", {"bars": 0}),
        ("sample", {"bars": -3}),
        ("sample", {"count": 0}),
        ("sample", {"density": 0}),
        ("sample", {"temperature": -1}),
        ("sample", {"temperature": float("nan")}),
        ("sample", {"key": "H:major"}),
        ("sample", {"scale": 5}),
        ("sample", {"pitches": (60,)}),
        ("sample", {"seed": -1}),
        ("sample", {"tempo": float("inf")}),
    ],
)
def test_python_refuses_what_the_commands_refuse(vae, verb_name, options):
    (name,) = options
    with pytest.raises(UserError, match=name):
        getattr(vae, verb_name)(**options)


def test_python_refuses_wrong_values_of_verbs_with_sources(vae):
    a = tune(1)
    for refused in (
        lambda: vae.vary(a, 0),
        lambda: vae.vary(a, amount=2),
        lambda: vae.vary(a, amount=float("nan")),
        lambda: vae.interpolate(a, a, 1),
        lambda: vae.interpolate(a, a, first_bar=0),
        lambda: vae.interpolate(a, a, tempo=0),
        lambda: vae.continue_(a, bars=0),
        lambda: vae.continue_(a, temperature=-0.1),
        lambda: vae.morph(a, density=6),
        lambda: vae.morph(a),
        lambda: vae.complete(a, hide="x"),
        lambda: vae.vary(a, 10**400),
        lambda: vae.vary(a, 1, seed=10**400),
        lambda: vae.complete(a, hide=(bar for bar in [1, 2])),
        lambda: vae.complete(a, hide=[True]),
        lambda: vae.grid([a] * 4, 1),
        lambda: vae.grid([a] * 3, 2),
        lambda: MelodyVAE(vae.model, repeats="played"),
        lambda: vae.reconstruct(a, track=0),
    ):
        with pytest.raises(OptionError, match=r"must be|nothing to move|give bars|tempo|4 corners"):
            refused()
