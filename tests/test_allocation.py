"""Memory of planes is kept for the next ones, unless the environment chooses otherwise."""

import pytest

from autowisp_xr import allocation


@pytest.mark.parametrize(
    ("chosen", "calls"),
    [({}, 3), (allocation.OF_NANNY, 3), ({"MALLOC_ARENA_MAX": "4"}, 0)],
    ids=["nobody", "dask", "somebody"],
)
def test_what_the_environment_chooses_stays(chosen, calls, monkeypatch):
    made = []
    monkeypatch.setattr(allocation, "_call", lambda *given: made.append(given))
    for name in allocation._chosen():
        monkeypatch.delenv(name)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    allocation.keep_planes.__wrapped__()
    assert len(made) == calls


def test_a_library_without_these_options_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda name: object())
    allocation.keep_planes.__wrapped__()
    allocation.give_back()
