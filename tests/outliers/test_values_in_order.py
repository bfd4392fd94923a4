"""Rejections that take values off the ends of the sorted ones: what holds for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import autowisp_xr as aw
from autowisp_xr import Flag, GeneralizedESD, LinearFitClip, WinsorizedSigmaClip
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.outliers.base import average_columns
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.outliers.slow import survivors
from tests.steps.frames import frame_set
from tests.steps.test_contracts import lazy

REJECTIONS = [
    WinsorizedSigmaClip(2),
    WinsorizedSigmaClip((3, -1.7), 1),
    LinearFitClip(2.617),
    LinearFitClip((5, -1.3), 2),
    GeneralizedESD(),
    GeneralizedESD(0.2, outliers=0.5),
    GeneralizedESD(0.4, outliers=2),
]
FRAMES = 9


@pytest.fixture
def frames(rng):
    values = rng.normal(100, 10, (FRAMES, 1, 5, 7)).astype("f4")
    values[rng.random(values.shape) < 0.1] *= 2
    mask = rng.choice([0, 0, 0, 0, int(Flag.COSMIC)], values.shape).astype("u1")
    return frame_set(values, mask=mask, variance=np.full_like(values, 100.0))


@pytest.mark.parametrize("number", [3, 4, 7, 12, 31])
@pytest.mark.parametrize("reject", REJECTIONS)
@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_the_kernel_agrees_with_the_slow_version(number, reject, dtype, rng):
    values = rng.normal(100, 10 if dtype != "u2" else 3, (number, 600)).astype(dtype)
    values[rng.random(values.shape) < 0.1] += 200
    if dtype != "u2":
        values[rng.random(values.shape) < 0.05] = np.nan
        values[rng.random(values.shape) < 0.01] = np.inf
    found = average_columns(values, MEAN, reject)
    for pixel in [*range(0, 600, 3), 511, 512]:
        column = values[:, pixel].astype(float)
        kept, low, high = survivors(reject, column, np.isfinite(column), None, np.mean)
        assert (found.number[pixel], found.below[pixel], found.above[pixel]) == (
            kept.sum(),
            low,
            high,
        )
        if kept.any():
            np.testing.assert_allclose(found.about[pixel], column[kept].mean(), rtol=1e-14)


@pytest.mark.parametrize("reject", REJECTIONS)
@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 2, "x": 3}])
@pytest.mark.parametrize("average", ["mean", "median"])
def test_chunks_change_no_bit(frames, reject, chunks, average):
    with no_compute():
        found = aw.stack(lazy(frames, **chunks), average, reject=reject, rejected=True)
    assert_frames_equal(found.compute(), aw.stack(frames, average, reject=reject, rejected=True))


@pytest.mark.parametrize("reject", REJECTIONS)
def test_flagged_values_are_none_and_the_input_stays_as_it_is(frames, reject):
    before = frames.copy(deep=True)
    found = aw.stack(frames, reject=reject, rejected=True)
    assert_frames_equal(frames, before)
    good = (frames["mask"] == 0).sum("frame")
    gone = found["rejected_low"] + found["rejected_high"]
    assert (found["count"] + gone == good).all()
    assert int(gone.sum()) > 0
    image = frames["image"].where(frames["mask"] == 0)
    without = aw.stack(frames.assign(image=image.astype("f4").fillna(9e9)), reject=reject)
    np.testing.assert_array_equal(without["image"], found["image"])


@given(
    values=arrays("f8", (8, 5), elements=st.integers(-40, 40).map(lambda x: x / 8)),
    turn=st.permutations(range(8)),
    which=st.sampled_from(REJECTIONS),
)
def test_the_order_of_frames_and_the_unit_change_nothing(values, turn, which):
    found = average_columns(values, MEAN, which)
    other = average_columns(values[turn] * 4.0 + 32.0, MEAN, which)
    for name in ("number", "below", "above"):
        np.testing.assert_array_equal(getattr(found, name), getattr(other, name))


@pytest.mark.parametrize("reject", REJECTIONS)
def test_of_equal_values_and_of_two_none_is_rejected(reject):
    for number in (1, 2, 3, 8):
        assert average_columns(np.full((number, 1), 7.0), MEAN, reject).number[0] == number
    assert average_columns(np.array([[1.0], [9.0]]), MEAN, reject).number[0] == 2
    assert np.isnan(average_columns(np.full((8, 1), np.nan), MEAN, reject).about[0])


@pytest.mark.parametrize("reject", REJECTIONS)
def test_the_most_different_numbers_go_through(reject):
    values = np.array([1e38, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "f4")[:, None]
    found = average_columns(values, MEAN, reject)
    assert found.above[0] >= 1
    assert found.about[0] < 9
