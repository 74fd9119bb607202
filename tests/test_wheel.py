"""What is built carries everything that the program needs, and plays under every version that it allows.

Building fetches the build tools, and a fresh environment its packages, so this is slow.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TUNES = ROOT / "examples" / "tunes"
PLAYED = {
    "walk": f"interpolate {TUNES / 'twinkle.mid'} {TUNES / 'ode-to-joy.mid'} -n 3",
    "new": "sample -n 2 --seed 1 --model melody-2bar",
    "near": f"vary {TUNES / 'twinkle.mid'} -n 2",
    "whole": f"reconstruct {TUNES / 'saints.mid'}",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a wheel and an sdist."""
    source, folder = tmp_path_factory.mktemp("source") / "melodyvae", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".*venv", ".*_cache", "runs", "build", "dist"))
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, source], check=True, capture_output=True)
    return folder


def run(python, *arguments, path=""):
    """What a command says with this interpreter, which sees no packages but its own and those in ``path``."""
    environment = os.environ | {"PYTHONPATH": str(path)}
    done = subprocess.run([python, "-m", *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def played(python, folder, path=""):
    """What a few commands write with this interpreter: name -> hash of its bytes."""
    for name, command in PLAYED.items():
        run(python, "melodyvae", *command.split(), "-o", folder / name, path=path)
    files = [path for name in PLAYED for path in sorted((folder / name).iterdir())]
    assert len(files) >= 15
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def fresh_python(folder, *arguments):
    """The interpreter of a new environment in which pip installed something."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(python, "pip", "install", "--quiet", *arguments)
    return python


@pytest.mark.slow
def test_the_wheel_and_the_sdist_carry_all_and_pass_twine(built):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist], check=True)
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = {path.relative_to(ROOT).as_posix() for name in ("melodyvae", "data_prep") for path in files(ROOT / name)}
    assert {"melodyvae/checkpoints/melody-2bar.safetensors", "melodyvae/py.typed"} <= packages <= names
    assert any(name.endswith("licenses/melodyvae/checkpoints/NOTICE.md") for name in names)
    with tarfile.open(sdist) as archive:
        carried = {name.partition("/")[2] for name in archive.getnames()}
    checkout = {
        path.relative_to(ROOT).as_posix() for name in ("tests", "docs", "examples") for path in files(ROOT / name)
    }
    assert packages | checkout | {"README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE"} <= carried


def files(folder):
    """The files of a folder, without what Python and tools leave there."""
    return [path for path in folder.rglob("*") if path.is_file() and not re.search(r"__pycache__|/\.", path.as_posix())]


@pytest.mark.slow
def test_the_wheel_works_in_a_fresh_environment(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    python = fresh_python(tmp_path / "venv", wheel)
    assert played(python, tmp_path)
    assert PROJECT["dynamic"] == ["version"]  # it stands in the package alone
    assert wheel.name.startswith(f"melodyvae-{run(python, 'melodyvae', '--version').split()[-1]}-")


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the lowest NumPy has no wheel for this Python")
def test_the_lowest_versions_play_the_same_bytes(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    lowest = [re.sub(">=", "==", dependency) for dependency in PROJECT["dependencies"]]
    assert all("==" in pin for pin in lowest)
    python = fresh_python(tmp_path / "venv", wheel, *lowest)
    for name in ("lowest", "here"):
        (tmp_path / name).mkdir()
    assert played(python, tmp_path / "lowest") == played(sys.executable, tmp_path / "here", ROOT)
