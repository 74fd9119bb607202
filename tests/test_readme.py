"""Run all commands and examples of README, docs/ and examples/."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from melodyvae.datasets.windows import open_dataset
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody
from melodyvae.network.checkpoint import shipped_names
from tests.cli.test_cli import run
from tests.conftest import tune

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES = {"README.md": README, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), **DOCS}
SHELL_LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]
TABLE_COMMANDS = [
    command for text in (README, *DOCS.values()) for command in re.findall(r"\| `(melodyvae [^`]+)` \|$", text, re.M)
]
DOC_LINES = [
    line
    for text in DOCS.values()
    for block in re.findall(r"```sh\n(.*?)```", text, re.S)
    for line in block.splitlines()
]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    """A folder with the files that README speaks of."""
    monkeypatch.chdir(tmp_path)
    tune(1, bars=12).write(tmp_path / "a.mid")
    Melody(tune(2).notes, 128, name="lead").write(tmp_path / "b.mid")
    for seed, name in enumerate("cd", start=3):
        tune(seed, bars=4).write(tmp_path / f"{name}.mid")
    (tmp_path / "midi").mkdir()
    for seed in range(12):
        tune(seed).write(tmp_path / "midi" / f"{seed}.mid")
        tune(seed, bars=6, meter=(3, 4)).write(tmp_path / "midi" / f"{seed}-waltz.mid")
    return tmp_path


MELODY_COMMANDS = {
    "interpolate",
    "vary",
    "morph",
    "grid",
    "arithmetic",
    "complete",
    "continue",
    "sample",
    "reconstruct",
}


def type_command(arguments: list[str], folder: Path) -> None:
    """Run a command in ``folder``; whatever it is for must be there afterwards."""
    command, pictures = arguments[0], set(folder.rglob("*.png"))
    output = run(*arguments)
    place = re.search(r"^Wrote .* to (.+?)/?$", output, re.M)
    if command in MELODY_COMMANDS:
        assert place, output
        files = [path for path in sorted(Path(place[1]).glob("*.mid")) if path.name != "all.mid"]
        count = int(arguments[arguments.index("-n") + 1]) if "-n" in arguments else 1
        assert len(files) >= count
        assert all(Melody.from_midi(path).notes for path in files)
    elif command == "prep":
        dataset = open_dataset(re.search(r"^Wrote (.+?)\. ", output, re.M)[1])
        assert len(dataset.splits["train"]) > 0
    elif command == "train":
        trained = MelodyModel.from_pretrained(re.search(r"sample --model (\S+)", output)[1])
        assert trained.provenance["updates"] > 0
    elif command == "evaluate":
        assert 0 <= float(re.search(r"^note_f1 +(\S+)", output, re.M)[1]) <= 1
    elif command == "score":
        assert re.search(r"from bar +1: more unusual than +\d+ of 100", output)
    elif command == "digits":
        assert set(folder.rglob("*.png")) > pictures
    else:
        assert command == "inspect", command
        assert re.search("<- the melody|note_f1", output), output


def test_readme_has_commands_to_test():
    assert len(TABLE_COMMANDS) >= 6
    assert len(SHELL_LINES) >= 6


@pytest.mark.parametrize("command", TABLE_COMMANDS)
def test_the_commands_of_the_table_work(command, user_folder):
    type_command(shlex.split(command)[1:], user_folder)


def test_the_way_to_a_model_of_ones_own_works(user_folder):
    commands = [line for line in SHELL_LINES if re.match("melodyvae (?!digits)", line)]
    assert [shlex.split(command)[1] for command in commands] == ["prep", "train", "evaluate", "sample"]
    for command in commands:
        arguments = shlex.split(command)[1:]
        if "--minutes" in arguments:
            place = arguments.index("--minutes")
            arguments[place : place + 2] = ["--steps", "1"]
        if "evaluate" in arguments:
            arguments += ["--samples", "40", "--pairs", "20"]
        type_command(arguments, user_folder)


@pytest.mark.parametrize("command", [line for line in DOC_LINES if line.startswith("melodyvae ")])
def test_the_commands_of_the_docs_work(command, user_folder):
    type_command(shlex.split(command, comments=True)[1:], user_folder)


def test_the_main_job_writes_eight_tunes_whose_ends_are_the_two_tunes(tmp_path, monkeypatch):
    (line,) = [line for line in SHELL_LINES if "melodyvae interpolate" in line]
    arguments = shlex.split(line.split("&&")[-1])[1:]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    output = run(*arguments)
    assert "A reconstructed: exact" in output
    assert "B reconstructed: exact" in output
    melodies = [Melody.from_midi(path) for path in sorted((tmp_path / "twinkle-to-ode-to-joy").glob("0*.mid"))]
    assert len(melodies) == 8
    for melody, name in ((melodies[0], "twinkle"), (melodies[-1], "ode-to-joy")):
        tune_written = Melody.from_midi(ROOT / "examples" / "tunes" / f"{name}.mid").window(0, 2)
        assert melody.notes == tune_written.notes
    assert len({melody.notes for melody in melodies}) >= 5


def test_the_python_of_readme_runs(user_folder):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(compile(block, "README.md", "exec"), {})
    assert len(list(user_folder.glob("between-*.mid"))) == 8


@pytest.mark.parametrize("page", [name for name, text in DOCS.items() if "```python" in text])
def test_the_python_of_the_docs_runs(page, user_folder, monkeypatch):
    names: dict[str, object] = {}
    monkeypatch.syspath_prepend(user_folder)
    for file, block in re.findall(r"```python(?: file=(\S+))?\n(.*?)```", DOCS[page], re.S):
        if file:  # a module of the reader's own
            (user_folder / file).write_text(block)
        else:
            exec(compile(block, page, "exec"), names)
    assert names


def test_a_model_of_ones_own_is_found_by_its_entry_point(user_folder, monkeypatch):
    """In fresh processes, as an installed package; without it the commands say what is missing."""
    blocks = re.findall(r"```python(?: file=(\S+))?\n(.*?)```", DOCS["extending.md"], re.S)
    monkeypatch.syspath_prepend(user_folder)
    for file, block in blocks[:3]:
        (user_folder / file).write_text(block) if file else exec(compile(block, "extending.md", "exec"), {})
    (entry,) = re.findall(r"```toml\n(.*?)```", DOCS["extending.md"], re.S)
    site = user_folder / "site"
    (site / "gru-1.dist-info").mkdir(parents=True)
    (site / "gru-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: gru\nVersion: 1\n")
    sections = tomllib.loads(entry)["project"]["entry-points"]
    text = "".join(f"[{group}]\n{name} = {value}\n" for group, of in sections.items() for name, value in of.items())
    (site / "gru-1.dist-info" / "entry_points.txt").write_text(text)
    shutil.move(user_folder / "gru.py", site / "gru.py")
    for path, status, told in ((f"{site}", 0, ""), ("", 1, "architecture 'gru', which is not part of melodyvae")):
        for command in (["sample", "-n", "1", "-o", f"out{status}"], ["evaluate", "my-dataset", "--metrics", "bound"]):
            done = subprocess.run(
                [sys.executable, "-m", "melodyvae", *command, "--model", "runs/gru"],
                env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{path}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == status, done.stderr
            assert told in done.stdout + done.stderr


def test_every_benchmark_that_the_docs_name_is_there():
    named = {name for text in PAGES.values() for name in re.findall(r"-m\s+tests\.benchmarks\.(\w+)", text)}
    assert len(named) >= 8
    assert [name for name in named if not (ROOT / "tests" / "benchmarks" / f"{name}.py").is_file()] == []


def test_readme_is_short():
    assert len(README.splitlines()) <= 120


def test_the_test_command_is_what_the_check_runs():
    (line,) = [line for line in SHELL_LINES if "&& pytest" in line]
    assert line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    folder = ROOT / "docs" if page in DOCS else ROOT
    text = re.sub(r"```.*?```", "", PAGES[page], flags=re.S)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (folder / link).exists()] == []
    assert page not in ("README.md", "model.md") or len(links) >= 6


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("tunes.py", "digits.py")])
def test_examples_run(name, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_example_tunes_are_what_their_script_writes(tmp_path):
    script = runpy.run_path(str(ROOT / "examples" / "tunes.py"))
    assert len(script["TUNES"]) >= 4
    for name in script["TUNES"]:
        script["melody_of"](name).write(tmp_path / "again.mid")
        shipped = ROOT / "examples" / "tunes" / f"{name}.mid"
        assert (tmp_path / "again.mid").read_bytes() == shipped.read_bytes()


def test_every_shipped_model_has_a_card():
    assert "melody-2bar" in shipped_names()
    for name in shipped_names():
        assert (ROOT / "melodyvae" / "checkpoints" / f"{name}.md").is_file()
