"""What imports what, and when: checked in fresh interpreters."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import melodyvae
from melodyvae.cli import COMMANDS

PACKAGE = Path(melodyvae.__file__).parent
HEAVY = ("torch", "music21", "matplotlib", "symusic", "pretty_midi", "numpy")

# Each module imports only from those before it.
ORDER = [
    "config",
    "device",
    "output",
    "scales",
    "latent",
    "objective",
    "checkpoint",
    "parallel",
    "dataset",
    "encoder",
    "decoder",
    "hierarchical",
    "prior",
    "distance",
    "refine",
    "spacing",
    "generate",
    "interpolation",
    "walks",
    "scoring",
    "completion",
    "novelty",
    "attributes",
    "directions",
    "morphing",
    "model",
    "trainer",
    "evaluate",
    "bounds",
    "language_model",
    "sample_figures",
    "structure",
    "interpolation_figures",
    "held_out",
    "melody_training",
    "plot",
    "audio",
    "digits",
    "commands",
    "cli",
    "__main__",
]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    output = python(
        "import sys\n"
        "from melodyvae.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert output.startswith("Usage:")
    assert output.splitlines()[-1] == "heavy: []"


def test_generating_imports_neither_music21_nor_matplotlib():
    output = python(
        "import sys, melodyvae\n"
        "melodyvae.MelodyVAE\n"
        "print([name for name in ('music21', 'matplotlib', 'pretty_midi') if name in sys.modules])"
    )
    assert output.strip() == "[]"


def test_every_module_imports_only_from_those_before_it():
    modules = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    places = {name: place(name) for name in modules}
    assert len(modules) > 10
    for name, path in modules.items():
        for imported in imports_of(path):
            assert places.get(imported, place(imported)) <= places[name], f"{name} imports {imported}"
            assert imported != name


def place(name: str) -> int:
    """Where a module stands; the parts of the digits (digits_data, ...) stand together."""
    return ORDER.index("digits" if name.startswith("digits") else name)


def imports_of(path: Path) -> set[str]:
    """The modules of melodyvae that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "melodyvae":
            found |= {alias.name for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("melodyvae."):
            found.add((node.module or "").split(".")[1])
    return found


def test_unknown_names_of_the_package_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'MelodyGAN'"):
        _ = melodyvae.MelodyGAN
