"""What several processes find in files is what one does."""

import os
import sys

import pytest

from autowisp_xr.frames import parallel_scanning, scan


@pytest.fixture
def files(raw, product, tmp_path, monkeypatch):
    """Files of several kinds, for which two processes are started."""
    monkeypatch.setattr(parallel_scanning, "FEWEST", 3)
    monkeypatch.setattr(parallel_scanning, "_BLOCK", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    names = [str(raw(f"f{i}.fits", cards={"FILTER": "RV"[i % 2]})) for i in range(4)]
    (tmp_path / "short.fits").write_bytes(b"SIMPLE")
    types = {"f1*": "flat"}
    return [*names, str(product()), str(tmp_path / "short.fits")], types


def described(records):
    return [repr(record) for record in records]


def test_processes_find_the_same_in_the_same_order(files):
    names, types = files
    expected = parallel_scanning.look_into(names, types=types)
    assert described(scan(names, types=types)) == described(expected)
    assert expected[1].type_rule == "f1*"
    with parallel_scanning._other_process({"types": types}) as look:
        assert described(look(names)) == described(expected)


@pytest.mark.parametrize("broken", ["/nowhere/python", "false"])
def test_what_a_broken_process_does_not_do_is_done(files, monkeypatch, broken):
    names, types = files
    monkeypatch.setattr(sys, "executable", broken)
    expected = parallel_scanning.look_into(names, types=types)
    assert described(scan(names, types=types)) == described(expected)
