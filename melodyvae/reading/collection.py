"""The collections of scores that music21 installs: inputs such as ``music21:essenFolksong``, with no download."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from melodyvae.reading.score import is_score
from melodyvae.system.errors import UserError

PREFIX = "music21:"
LICENCE_FILE = "license.txt"


class NoSuchCollectionError(UserError, ValueError):
    """music21 installs no collection of this name; the message lists those it does."""


def collection_of(entry: str | Path) -> str | None:
    """The collection that an input names; None if it is a path."""
    text = str(entry)
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) else None


def collection_files(name: str) -> list[tuple[Path, str]]:
    """Each score file of a collection, and its name in it, such as ``essenFolksong/irl.abc``, by name.

    Raises:
        NoSuchCollectionError: if there is no such collection.
    """
    root, files = _root_and_files()
    scores = [path for path in files if path.relative_to(root).parts[0] == name]
    if not scores:
        names = ", ".join(_names(root, files)) or "none: it is installed without its corpus"
        raise NoSuchCollectionError(f"music21 has no collection {name!r}; it has {names}")
    return sorted(((path, path.relative_to(root).as_posix()) for path in scores), key=lambda pair: pair[1])


def licence_words(name: str) -> str:
    """Text of music21 on a collection's provenance and licence, from the nearest such file, without its banner."""
    from music21.common import getCorpusFilePath

    root = Path(getCorpusFilePath())
    file = next((path for path in (root / name / LICENCE_FILE, root / LICENCE_FILE) if path.is_file()), None)
    if file is None:
        return f"music21 says nothing of the licence of {name}."
    lines = file.read_text(encoding="utf-8").splitlines()
    words = "\n".join(line.rstrip() for line in lines if not line.startswith("#")).strip()
    return f"{file.relative_to(root.parent).as_posix()} of music21 says:\n\n{words}"


def _root_and_files() -> tuple[Path, list[Path]]:
    from music21.common import getCorpusFilePath
    from music21.corpus.corpora import CoreCorpus

    return Path(getCorpusFilePath()), [path for path in map(Path, CoreCorpus().getPaths()) if is_score(path)]


def _names(root: Path, files: Iterable[Path]) -> list[str]:
    parts = (path.relative_to(root).parts for path in files)
    return sorted({folder for folder, *below in parts if below}, key=str.casefold)
