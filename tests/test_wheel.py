"""The wheel carries everything that the program needs; building one fetches the build tools, so this is slow."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_carries_code_types_and_checkpoints_and_works_from_any_folder(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "melodyvae").rglob("*.py")}
    expected |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "data_prep").rglob("*.py")}
    expected |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "melodyvae" / "checkpoints").iterdir()}
    studio = ROOT / "melodyvae" / "studio"
    expected |= {path.relative_to(ROOT).as_posix() for path in studio.rglob("*.*") if path.suffix != ".pyc"}
    expected |= {"melodyvae/py.typed", "data_prep/py.typed"}
    assert "melodyvae/checkpoints/melody-2bar.safetensors" in expected
    assert expected <= names
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = "import melodyvae; print(melodyvae.__file__); print(len(melodyvae.MelodyVAE.from_pretrained().sample(2)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(site / "melodyvae" / "__init__.py"), "2"]
