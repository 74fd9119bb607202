"""Plain words: docstrings begin with a noun phrase or an imperative, and no sentence begins with a fronted "Of"."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for package in ("melodyvae", "data_prep") for path in (ROOT / package).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

SUBJECTLESS = re.compile(r"(What|Which|How|Where|Of)\b")
"""First words that leave a docstring without its subject: "How many bars there are" for "Number of bars"."""

FRONTED_OF = re.compile(r"(?:^|[.:;!?][*`)\"]*\s+|\n\s*\n\s*(?:[-*] )?|\| )Of (?!course\b)[^.]*")


def docstrings(path):
    """The docstrings of a module, of its classes and functions, and those below attributes and constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value


def fronted(text):
    """The sentences of a text that begin with "Of"."""
    return [" ".join(match.split()) for match in FRONTED_OF.findall(text.strip())]


def test_there_is_enough_to_read():
    assert len(MODULES) >= 150
    assert len(PAGES) >= 10
    assert sum(len(list(docstrings(path))) for path in MODULES) >= 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Of several the first counts.", 1),
        ("A note.\n\n    Of two notes the higher stays.", 1),
        ("It is read: Of each, the first.", 1),
        ("The first of several counts. One of them stays. Of course.", 0),
    ],
)
def test_a_fronted_of_is_recognised(text, expected):
    assert len(fronted(text)) == expected


def test_docstrings_begin_with_their_subject():
    assert [
        f"{path.relative_to(ROOT)}:{line}: {text.strip().splitlines()[0]}"
        for path in MODULES
        for line, text in docstrings(path)
        if SUBJECTLESS.match(text.strip())
    ] == []


def test_no_sentence_of_the_code_begins_with_of():
    """Docstrings, messages and help alike."""
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}: {sentence}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for sentence in fronted(node.value)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_sentence_of_the_docs_begins_with_of(page):
    assert fronted(page.read_text(encoding="utf-8")) == []
