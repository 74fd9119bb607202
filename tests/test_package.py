"""Imports of the package, and their time, checked in fresh interpreters."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import melodyvae
from melodyvae.cli.main import COMMANDS

TUNES = Path(__file__).parent.parent / "examples" / "tunes"
TWINKLE, ODE = TUNES / "twinkle.mid", TUNES / "ode-to-joy.mid"
HEAVY = ("torch", "music21", "matplotlib", "symusic", "pretty_midi")


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


def test_the_list_of_commands_needs_no_numpy():
    output = python(
        "import sys\nfrom melodyvae.cli.main import main\nmain(['--help'], standalone_mode=False)\n"
        "print('numpy' in sys.modules)"
    )
    assert output.splitlines()[-1] == "False"


@pytest.mark.parametrize("model", ["melody-2bar", "melody-16bar", "melody-compose"])
def test_loading_a_model_imports_nothing_heavy_but_numpy(model):
    output = python(
        "import sys, melodyvae\n"
        f"melodyvae.MelodyVAE.from_pretrained({model!r})\n"
        "print([name for name in ('torch', 'music21', 'matplotlib', 'pretty_midi') if name in sys.modules])"
    )
    assert output.strip() == "[]"


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # as if it were not installed
from melodyvae.cli.main import main
"""
PLAYED = [
    f"interpolate {TWINKLE} {ODE} -n 3 -o out",
    "sample -n 1 --seed 1 -o out",
    "sample -n 1 --seed 1 --model melody-2bar -o out",
    "sample -n 1 --seed 1 --model melody-16bar --scale C:major -o out",
    f"vary {TWINKLE} -n 2 -o out",
    f"morph {TWINKLE} --density 1 -n 2 --candidates 6 -o out",
    f"grid {TWINKLE} {ODE} {ODE} {TWINKLE} -n 2 -o out",
    f"arithmetic {TWINKLE} + {ODE} -o out",
    f"complete {TWINKLE} --hide 2 -n 1 -o out",
    f"complete {TWINKLE} --hide 2 -n 1 --model melody-2bar -o out",
    f"continue {TWINKLE} --bars 1 -n 1 -o out",
    f"reconstruct {TWINKLE} -o out",
    f"score {TWINKLE}",
    f"inspect {TWINKLE}",
    "inspect melody-2bar",
]


@pytest.mark.parametrize(
    "command", PLAYED, ids=[command.partition(" -")[0].replace(str(TUNES), "") for command in PLAYED]
)
def test_what_plays_needs_no_torch(command, tmp_path):
    code = (
        f"{WITHOUT_TORCH}import os; os.chdir({str(tmp_path)!r}); main({shlex.split(command)!r}, standalone_mode=False)"
    )
    output = python(code)
    assert output
    assert any(tmp_path.rglob("*.mid")) == ("-o out" in command)


def test_the_studio_needs_no_torch():
    output = python(
        f"""{WITHOUT_TORCH}
from starlette.testclient import TestClient
from melodyvae.studio.server import Studio
studio = Studio()
with TestClient(studio.app, base_url=f"http://127.0.0.1:{{studio.port}}") as client:
    client.headers["x-studio-token"] = studio.token
    a, b = ({{"melody": client.post(f"/api/example/{{number}}").json()["melody"]}} for number in range(2))
    print(client.post("/api/do/walk", json={{"a": a, "b": b, "count": 3}}).text)
    print(client.post("/api/do/score", json=a).text)
studio.close()
"""
    )
    assert output.count('"error"') == 0, output
    assert output.count('"decisions"') >= 1


@pytest.mark.parametrize("command", ["train", "fit", "evaluate", "digits"])
def test_what_learns_says_that_it_needs_torch(command, tmp_path):
    arguments = {
        "train": ["train", str(tmp_path)],
        "fit": ["fit", str(tmp_path), "--model", "melody-2bar"],
        "evaluate": ["evaluate"],
        "digits": ["digits", "sample"],
    }
    code = f"{WITHOUT_TORCH}import os; os.chdir({str(tmp_path)!r}); main({arguments[command]!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: this needs PyTorch, which is not installed; install it with: pip install torch\n"
    assert not any(tmp_path.iterdir())


def test_the_model_in_torch_is_there_when_torch_is():
    vae = melodyvae.MelodyVAE.from_pretrained("melody-2bar")
    assert vae.torch().config == vae.config
    python(
        f"""{WITHOUT_TORCH}
from melodyvae import MelodyVAE
try:
    MelodyVAE.from_pretrained().torch()
except ImportError as error:
    assert "pip install torch" in str(error)
else:
    raise AssertionError
"""
    )


def test_unknown_names_of_the_package_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'MelodyGAN'"):
        _ = melodyvae.MelodyGAN
