"""Each notebook runs from top to bottom in an empty directory, and is kept without outputs."""

import json
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def _code(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # frames that are fetched have a simulated twin
    monkeypatch.setenv("AUTOWISP_XR_OFFLINE", "1")
    mpl.use("agg")
    names = {}
    for number, cell in enumerate(_code(path)):
        exec(compile("".join(cell["source"]), f"{path.name} cell {number}", "exec"), names)
    plt.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    for cell in _code(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
