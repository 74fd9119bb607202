"""The folders are chapters: each imports only from those before it, and what plays and reads music knows no torch."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {  # in the order of the flow; a module at the top of a package is a room of its own
    "melodyvae": [
        *("system", "music", "reading", "writing", "options", "config", "presets", "network", "verbs", "vae"),
        *("device", "ranks", "models", "datasets", "evaluation", "training", "digits", "studio", "cli", "__main__"),
    ],
    "data_prep": ["ledger", "windows", "sources", "journal", "output", "workers", "cluster", "prepare"],
}
OF_OTHERS = {  # the rooms of the other package that a package may use: all, if none is named
    "data_prep": {f"melodyvae.{room}" for room in ("system", "music", "reading")},
    "melodyvae": {"data_prep"},
}
WITHOUT_TORCH = (
    *("system", "config", "options", "presets", "music", "reading", "writing", "network", "verbs", "vae", "studio"),
)
UPWARD = {  # when a method is called
    "melodyvae/music/melody.py": {"melodyvae.reading", "melodyvae.writing"},  # it reads, writes and shows itself
    "melodyvae/vae.py": {"melodyvae.models"},  # MelodyVAE.torch() gives the model in torch
}


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_imports_only_from_those_before_it(package):
    rooms = ROOMS[package]
    paths = [path for path in (ROOT / package).rglob("*.py") if path != ROOT / package / "__init__.py"]
    assert len(paths) >= 8
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        room = rooms.index(name.split("/")[1].removesuffix(".py"))
        allowed = {f"{package}.{before}" for before in rooms[: room + 1]} | OF_OTHERS[package] | UPWARD.get(name, set())
        for module in imported_modules(path):
            package_of, *inside = module.split(".")
            if package_of in ROOMS and inside:
                known = {module, f"{package_of}.{inside[0]}", package_of if package_of != package else ""}
                assert known & allowed, f"{name} imports {module}"


def test_what_reads_plays_and_writes_music_knows_no_torch():
    paths = [path for room in WITHOUT_TORCH for path in (ROOT / "melodyvae").glob(f"{room}*/**/*.py")]
    paths += [ROOT / "melodyvae" / f"{room}.py" for room in ("config", "options", "presets", "vae")]
    paths += (ROOT / "data_prep").glob("*.py")
    assert len(paths) > 80
    for path in paths:
        modules = {module.partition(".")[0] for module in imported_modules(path)}
        assert "torch" not in modules, f"{path.relative_to(ROOT)} imports torch"


def test_only_commands_know_their_flags():
    """A module that is used from Python and from the page, too, names an option without dashes, or as a fact."""
    paths = [path for path in (ROOT / "melodyvae").rglob("*.py") if "cli" not in path.parts]
    assert len(paths) > 150
    for path in paths:
        if path != ROOT / "melodyvae" / "studio" / "commands.py":  # writes the shell command of what the page does
            name = path.relative_to(ROOT).as_posix()
            assert re.findall(r"--[a-z][a-z-]*", path.read_text(encoding="utf-8")) == [], name


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
