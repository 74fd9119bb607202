"""``data_prep`` stands alone: no torch, nothing of ``melodyvae``, and each module knows only those above it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import data_prep

FOLDER = Path(data_prep.__file__).parent


def order() -> list[str]:
    """The modules as the package's docstring lists them."""
    return re.findall(r"^- :mod:`~data_prep\.(\w+)`", data_prep.__doc__ or "", flags=re.M)


def test_the_map_lists_every_module() -> None:
    assert sorted(order()) == sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    assert len(order()) >= 6


def test_each_module_imports_only_from_those_above_it() -> None:
    for place, module in enumerate(order()):
        tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        ours = {name.removeprefix("data_prep.") for name in imported if name.startswith("data_prep")}
        assert ours <= set(order()[:place]), f"{module} imports {sorted(ours)}"
        assert not {name for name in imported if name.split(".")[0] in ("torch", "melodyvae")}, module


def test_importing_it_loads_neither_torch_nor_music21_nor_melodyvae() -> None:
    code = (
        f"import {', '.join(f'data_prep.{module}' for module in order())}, sys; "
        "print([name for name in ('torch', 'melodyvae', 'music21', 'matplotlib', 'pretty_midi', 'distributed') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
