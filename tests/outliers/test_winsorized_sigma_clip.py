"""Winsorized sigma clipping against a slow version, by hand, and beside its neighbours."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import SigmaClip, WinsorizedSigmaClip
from tests.steps.frames import frame_set


def stacked(values, reject, average="mean"):
    frames = frame_set(np.asarray(values)[:, None, None])
    return aw.stack(frames, average, reject=reject, rejected=True, dtype="float64").isel(
        channel=0, y=0
    )


def test_values_are_moved_until_the_scatter_settles():
    # about 11, the scatter goes from 34 down to 2.8, with 100 moved to 15
    values = np.array([8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 100.0])[:, None]
    found = stacked(values, WinsorizedSigmaClip(5))
    assert (int(found["count"][0]), int(found["rejected_high"][0])) == (6, 1)
    assert float(found["image"][0]) == 10.5
    # it hides in the rms, of which it lies 2.446 away
    assert int(stacked(values, SigmaClip(2.448))["count"][0]) == 7


def test_values_a_step_apart_are_neighbours(rng):
    values = (100 + (rng.random((9, 400)) < 0.1)).astype("u2")
    values[5, ::2] = 200
    found = stacked(values, WinsorizedSigmaClip(4))
    assert found["count"].values.tolist() == [8, 9] * 200
    # of floats that are no multiples of anything, a lone other one is far off
    values = np.full((9, 1), 100.0)
    values[4] = 100.25
    assert int(stacked(values, WinsorizedSigmaClip(4))["count"][0]) == 8


def test_of_two_values_and_of_equal_ones_none_is_rejected():
    for values in ([5.0] * 4, [1.0]):
        column = np.reshape(values, (-1, 1, 1, 1))
        frames = frame_set(column, variance=np.ones_like(column))
        assert aw.stack(frames, reject=WinsorizedSigmaClip(1))["count"].item() == len(values)
    with pytest.warns(
        aw.AutowispWarning, match=r"none of two values, so nothing .*; NoiseClip can"
    ):
        assert stacked([[1.0], [100.0]], WinsorizedSigmaClip(1))["count"].item() == 2


def test_options_check_themselves():
    assert WinsorizedSigmaClip() == WinsorizedSigmaClip(5.0, None)
    with pytest.raises(ValueError, match="a rejection threshold is a finite number"):
        WinsorizedSigmaClip(0)
    with pytest.raises(ValueError, match="max_iter is None or at least 0, not -1"):
        WinsorizedSigmaClip(3, max_iter=-1)
