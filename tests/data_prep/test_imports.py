"""Reading music needs no networks, and importing the package loads nothing that only some files need."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import data_prep


def test_importing_it_loads_neither_torch_nor_music21_nor_melodyvae() -> None:
    modules = [found.name for found in pkgutil.walk_packages(data_prep.__path__, "data_prep.")]
    assert len(modules) > 15
    code = (
        f"import {', '.join(modules)}, sys; "
        "print([name for name in ('torch', 'melodyvae', 'music21', 'matplotlib', 'pretty_midi', 'distributed') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
