"""The folders are chapters: each imports only from those before it, and the reading of music knows no networks."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {  # in the order of the flow; a module at the top of a package is a room of its own
    "data_prep": [
        *("errors", "arrays", "files", "mixing", "locks", "cores", "limits"),
        *("reading", "writing", "melody", "tokens", "melodies", "corpus"),
    ],
    "melodyvae": [
        *("config", "options", "presets", "device", "ranks", "rendering", "network", "models", "datasets"),
        *("generation", "verbs", "vae", "evaluation", "training", "digits", "studio", "cli", "__main__"),
    ],
}
WITHOUT_TORCH = {"melodyvae/config.py", "melodyvae/network"}
UPWARD = {  # when a method is called: Melody.from_midi reads a file, and a melody shows itself in a notebook
    "data_prep/melody.py": {"data_prep.melodies", "melodyvae"},
}


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_imports_only_from_those_before_it(package):
    rooms = ROOMS[package]
    paths = [path for path in (ROOT / package).rglob("*.py") if path != ROOT / package / "__init__.py"]
    assert len(paths) > 20
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        room = rooms.index(name.split("/")[1].removesuffix(".py"))
        allowed = {*UPWARD.get(name, ()), package, *(f"{package}.{before}" for before in rooms[: room + 1])}
        if package == "melodyvae":
            allowed.add("data_prep")
        for module in imported_modules(path):
            package_of, *inside = module.split(".")
            if package_of in (*ROOMS, "torch"):
                needs_none = any(name.startswith(part) for part in WITHOUT_TORCH)
                is_torch = package_of == "torch" and package == "melodyvae" and not needs_none
                known = ".".join([package_of, *inside[:1]]) if package_of == package else package_of
                assert known in allowed or is_torch, f"{name} imports {module}"


def imported_modules(path: Path) -> set[str]:
    """What a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            is_folder = (ROOT / node.module.replace(".", "/")).is_dir()
            in_folder = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name for name in in_folder if _is_module(name)} if is_folder else {node.module}
    return names


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()
