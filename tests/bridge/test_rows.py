"""Rows of several frames, made together, for threads that take those of one frame each."""

import gc
import threading
import weakref

import numpy as np
import pytest
import xarray as xr

from autowisp_xr.bridge.rows import InStep, Rows, runs

IMAGE = xr.Variable(("frame", "channel", "y", "x"), np.arange(3 * 2 * 5 * 4).reshape(3, 2, 5, 4))
MASK = IMAGE % 7


def read(frame, planes_of):
    parts = [slice(0, 2), slice(2, 5), (slice(None, None, 3), slice(None, None, 2))]
    return [[plane[part] for plane in planes_of(1)] for part in parts]


def test_each_thread_takes_its_frame_of_what_is_made_once(monkeypatch):
    made, at = [], Rows.at
    monkeypatch.setattr(Rows, "at", lambda self, where: made.append(where) or at(self, where))
    found = InStep(Rows([IMAGE, MASK], 2)).each(read)
    assert len(made) == 3
    for frame, parts in enumerate(found):
        for plane, (top, rest, few) in zip((IMAGE, MASK), zip(*parts, strict=True), strict=True):
            own = plane.values[frame, 1]
            np.testing.assert_array_equal(np.concatenate([top, rest]), own)
            np.testing.assert_array_equal(few, own[::3, ::2])


def test_what_was_made_is_gone_when_all_have_taken_it(monkeypatch):
    made, at = [], Rows.at

    def noted(self, where):
        values = at(self, where)
        made.extend(map(weakref.ref, values))
        return values

    monkeypatch.setattr(Rows, "at", noted)
    image = IMAGE.chunk(frame=1)
    gc.disable()
    try:
        InStep(Rows([image, image % 7], 5)).each(lambda frame, planes_of: planes_of(0)[0][0, 0])
        assert [one() for one in made] == [None, None]
    finally:
        gc.enable()


def test_an_error_in_one_thread_ends_all():
    begun = threading.active_count()

    def work(frame, planes_of):
        plane, _ = planes_of(0)
        plane[0:1]
        if frame == 1:
            raise OSError("no room")
        return plane[1:2]

    with pytest.raises(OSError, match="no room"):
        InStep(Rows([IMAGE, MASK], 1)).each(work)
    assert threading.active_count() == begun


def test_an_error_of_what_is_made_is_raised(monkeypatch):
    def at(self, where):
        raise ValueError("damaged")

    monkeypatch.setattr(Rows, "at", at)
    with pytest.raises(ValueError, match="damaged"):
        InStep(Rows([IMAGE, MASK], 1)).each(read)


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([], []),
        ([0, 1, 2, 3, 4], [[0, 1, 2], [3, 4]]),
        ([0, 2, 3, 7], [[0], [2, 3], [7]]),
    ],
)
def test_runs_are_numbers_that_follow_each_other(numbers, found):
    assert list(runs(numbers, 3)) == found


def test_runs_are_of_one_kind():
    assert list(runs(range(5), 5, "aabba".__getitem__)) == [[0, 1], [2, 3], [4]]
