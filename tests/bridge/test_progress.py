"""How far work has come is shown where somebody looks on."""

import io
import sys

import dask.array as da
import pytest
from rich.console import Console

from autowisp_xr.bridge import progress


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=True, width=100, legacy_windows=False)


def compute():
    return da.ones(80, chunks=10).map_blocks(lambda block: block + 1).sum().compute()


def test_nothing_is_shown_where_nobody_looks(console):
    with progress.shown("calibrated", 8) as advance:
        advance(3)
        assert compute() == 160
    assert console.file.getvalue() == ""


def test_what_is_done_soon_has_no_bar(console):
    with progress.followed(console), progress.shown("calibrated", 8):
        compute()
    assert "calibrated" not in console.file.getvalue()


def test_tasks_of_dask_count_as_their_share_of_all_things(console, monkeypatch):
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    with progress.followed(console), progress.shown("calibrated", 8):
        compute()
    assert "calibrated" in console.file.getvalue()
    assert "8 of 8 frames" in console.file.getvalue()


def test_things_are_counted_without_dask(console, monkeypatch):
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    with progress.followed(console), progress.shown("read", 4, "headers") as advance:
        for _ in range(3):
            advance(1)
    assert "3 of 4 headers" in console.file.getvalue()


def test_a_bar_goes_when_work_fails(console, monkeypatch):
    monkeypatch.setattr(progress, "_DELAY", 0.0)

    def work():
        with progress.shown("written", 4) as advance:
            advance(1)
            raise OSError("the disk is full")

    with progress.followed(console):
        with pytest.raises(OSError, match="full"):
            work()
        with progress.shown("stored", 4) as advance:
            advance(4)
    assert "4 of 4 frames" in console.file.getvalue()


def test_work_inside_of_work_has_no_bar_of_its_own(console, monkeypatch):
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    with progress.followed(console), progress.shown("night", 2, "sets") as outer:
        with progress.shown("written", 4) as inner:
            inner(1)
        outer(1)
    assert "1 of 2 sets" in console.file.getvalue()
    assert "written" not in console.file.getvalue()


def test_a_notebook_looks_on(console, monkeypatch):
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setattr("rich.get_console", lambda: console)
    with progress.shown("written", 4) as advance:
        advance(4)
    assert "4 of 4 frames" in console.file.getvalue()
    monkeypatch.setitem(sys.modules, "rich", None)
    with progress.shown("written", 4) as advance:
        advance(4)
