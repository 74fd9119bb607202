"""The folders are chapters: each imports only from those before it, and the reading of music knows no networks."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {  # in the order of the flow; a module at the top of a package is a room of its own
    "data_prep": ["files", "reading", "melodies", "melody", "tokens", "corpus"],
    "melodyvae": [
        *("config", "device", "ranks", "rendering", "models", "datasets", "generation"),
        *("vae", "evaluation", "training", "digits", "cli", "__main__"),
    ],
}


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_imports_only_from_those_before_it(package):
    rooms = ROOMS[package]
    modules = [path for path in (ROOT / package).rglob("*.py") if path.parts[-2:] != (package, "__init__.py")]
    assert len(modules) > 20
    for path in modules:
        room = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        allowed = {package, *(f"{package}.{name}" for name in rooms[: rooms.index(room) + 1])}
        for module in imported_modules(path):
            if module.split(".")[0] == package:
                assert ".".join(module.split(".")[:2]) in allowed, f"{path} imports {module}"
            assert package == "melodyvae" or module.split(".")[0] not in ("torch", "melodyvae"), f"{path}: {module}"


def imported_modules(path: Path) -> set[str]:
    """What a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            is_package = (ROOT / node.module.replace(".", "/")).is_dir()
            names |= {f"{node.module}.{alias.name}" if is_package else node.module for alias in node.names}
    return names
