"""Reading music needs no networks, and importing the package loads nothing that only some files need."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import data_prep
from melodyvae import music, network, reading, system


def test_importing_it_loads_neither_torch_nor_music21_nor_matplotlib() -> None:
    folders = (data_prep, system, music, reading, network)
    modules = [found.name for one in folders for found in pkgutil.walk_packages(one.__path__, f"{one.__name__}.")]
    assert len(modules) > 60
    code = (
        f"import {', '.join(modules)}, sys; "
        "print([name for name in ('torch', 'music21', 'matplotlib', 'pretty_midi', 'distributed') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
