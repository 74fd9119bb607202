"""examples/quickstart.ipynb runs from its first cell to its last, and is committed as it ran: shown, and small.

python -m tests.test_notebook     run it and write it as it ran
"""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "examples" / "quickstart.ipynb"
MAX_BYTES = 1_000_000


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own dependencies
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_it_runs_and_shows_what_is_committed(committed):
    again = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(again, timeout=280, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    shown, kept = (
        [sorted(output.get("data", {"text": ""})) for cell in book.cells for output in cell.get("outputs", [])]
        for book in (again, committed)
    )
    assert shown == kept
    htmls = [
        output["data"]["text/html"]
        for cell in again.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert len(htmls) >= 4
    for html in htmls:
        assert "<svg" in html
        assert "<audio" in html
        assert "<script" not in html


def test_its_output_is_committed_and_small(committed):
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert len(code) >= 8
    assert sum(bool(cell.outputs) for cell in code) >= 8
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert NOTEBOOK.stat().st_size < MAX_BYTES
    assert not any("/work" in str(cell) or "/home" in str(cell) for cell in code)


def rewrite() -> None:
    """Run the notebook and write it with its output."""
    book = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # when it ran
    book.metadata["language_info"] = {"name": "python"}
    nbformat.write(book, NOTEBOOK)


if __name__ == "__main__":
    rewrite()
