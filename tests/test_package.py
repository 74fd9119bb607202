"""Imports of the package, and their time, checked in fresh interpreters."""

import subprocess
import sys

import pytest

import melodyvae
from melodyvae.cli.main import COMMANDS

HEAVY = ("torch", "music21", "matplotlib", "symusic", "pretty_midi", "numpy")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    output = python(
        "import sys\n"
        "from melodyvae.cli.main import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert output.startswith("Usage:")
    assert output.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("model", ["melody-2bar", "melody-16bar", "melody-compose"])
def test_loading_a_model_imports_neither_music21_nor_matplotlib_nor_the_compiler_of_torch(model):
    output = python(
        "import sys, melodyvae\n"
        f"melodyvae.MelodyVAE.from_pretrained({model!r})\n"
        "print([name for name in ('music21', 'matplotlib', 'pretty_midi', 'torch._dynamo') if name in sys.modules])"
    )
    assert output.strip() == "[]"


def test_unknown_names_of_the_package_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'MelodyGAN'"):
        _ = melodyvae.MelodyGAN
