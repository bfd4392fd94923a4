"""Ghosts of amplifiers in each other, by hand; nothing of ``autowisp_xr.simulate`` is in them."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Amplifier, CalibrationError, Camera, Flag
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.steps.frames import TWO_CHANNELS, frame_set, master

F8 = {"dtype": "float64"}


def two(first="xmin ymin", second="xmax ymin", **more):
    """Two amplifiers of 3 x 1 pixels, side by side."""
    amplifiers = [
        Amplifier(region={"xmin": 0, "xmax": 3, "ymin": 0, "ymax": 1}, corner=first),
        Amplifier(region={"xmin": 3, "xmax": 6, "ymin": 0, "ymax": 1}, corner=second),
    ]
    return Camera(amplifiers=amplifiers, crosstalk=[[0, 0.01], [0.1, 0]], **more)


def values(ds, name="image"):
    return ds[name].values.ravel().tolist()


@pytest.mark.parametrize(
    ("corner", "first", "second"),
    [
        # read from the left, as the first is: the fourth pixel is read with the first
        ("xmin ymin", [-1.0, 0.0, -4.0], [-10.0, 0.0, -3.0]),
        # read from the right: the last pixel is read with the first
        ("xmax ymin", [-4.0, 0.0, -1.0], [-3.0, 0.0, -10.0]),
    ],
)
def test_what_is_read_together_is_taken_off(corner, first, second):
    camera = two(second=corner)
    lit = [100.0, 0.0, 400.0]
    ds = aw.correct_crosstalk(frame_set([0.0, 0.0, 0.0, *lit]), camera=camera, **F8)
    assert values(ds) == [*first, *lit]
    lit = [100.0, 0.0, 30.0]
    ds = aw.correct_crosstalk(frame_set([*lit, 0.0, 0.0, 0.0]), camera=camera, **F8)
    assert values(ds) == [*lit, *second]


def test_four_amplifiers_each_begin_at_their_own_corner():
    """Quarters of 2 x 3 pixels: the pixel in each corner of the frame is read first."""
    areas = {
        "xmin ymin": (0, 3, 0, 2), "xmax ymin": (3, 6, 0, 2),
        "xmin ymax": (0, 3, 2, 4), "xmax ymax": (3, 6, 2, 4),
    }  # fmt: skip
    amplifiers = [
        Amplifier(region=dict(zip(("xmin", "xmax", "ymin", "ymax"), area, strict=True)), corner=at)
        for at, area in areas.items()
    ]
    matrix = np.array([[0, 1, 2, 3], [4, 0, 5, 6], [7, 8, 0, 9], [10, 11, 12, 0]]) / 1000
    camera = Camera(amplifiers=amplifiers, crosstalk=matrix.tolist())
    image = np.zeros((4, 6))
    # second from its corner along the row, and in its second row, of the last amplifier
    image[2, 4] = 1000.0
    ds = aw.correct_crosstalk(frame_set(image), camera=camera, **F8)
    expected = image.copy()
    expected[1, 1], expected[1, 4], expected[2, 1] = -3.0, -6.0, -9.0
    np.testing.assert_allclose(ds["image"].values[0, 0], expected)


def test_crosstalk_that_was_put_in_is_gone_to_first_order(rng):
    """Of a mosaic of two colours, whose amplifiers see another colour at the same time."""
    height, half = 6, 7
    amplifiers = [
        Amplifier(region={"xmin": 0, "xmax": half, "ymin": 0, "ymax": height}, corner="xmin ymin"),
        Amplifier(
            region={"xmin": half, "xmax": 2 * half, "ymin": 0, "ymax": height}, corner="xmax ymin"
        ),
    ]
    camera = Camera(channels=TWO_CHANNELS, amplifiers=amplifiers, crosstalk=[[0, 2e-3], [-1e-3, 0]])
    true = rng.uniform(0, 5e4, (2, height, 2 * half))
    seen = true.copy()
    seen[:, :, :half] += 2e-3 * true[:, :, half:][:, :, ::-1]
    seen[:, :, half:] += -1e-3 * true[:, :, :half][:, :, ::-1]
    planes = np.stack([seen[:, :, 0::2], seen[:, :, 1::2]], axis=1)
    ds = aw.correct_crosstalk(frame_set(planes, camera=camera), **F8)
    expected = np.stack([true[:, :, 0::2], true[:, :, 1::2]], axis=1)
    np.testing.assert_allclose(ds["image"].values, expected, atol=2e-6 * 5e4 * 1.01)


def test_the_variance_has_what_reading_the_aggressor_adds():
    camera = two(gain=2.0, read_noise=8.0)
    frames = frame_set(np.zeros(6), variance=[0.0, 0, 0, 0, 0, 9.0])
    ds = aw.correct_crosstalk(frames, camera=camera, **F8)
    first, _, third, fourth, _, last = values(ds, "variance")
    assert first == pytest.approx(1e-4 * (9 + 16))
    assert third == pytest.approx(1e-4 * 16)
    assert (fourth, last) == pytest.approx((1e-2 * 16, 9 + 1e-2 * 16))


def test_ghosts_of_saturated_pixels_are_flagged_where_they_are_more_than_noise():
    full = np.uint8(Flag.OVERSATURATED)
    frames = frame_set([0.0, 0.0, 0.0, 300.0, 0.0, 900.0], mask=[0, 0, 0, full, 0, full])
    ds = aw.correct_crosstalk(frames, camera=two(gain=2.0, read_noise=8.0), **F8)
    assert values(ds, "mask") == [Flag.LEAKED, 0, 0, full, 0, full]
    ds = aw.correct_crosstalk(frames, camera=two(), **F8)
    assert values(ds, "mask") == [Flag.LEAKED, 0, Flag.LEAKED, full, 0, full]


def test_pixels_that_are_not_there_or_not_finite_leave_nothing():
    frames = frame_set([5.0, 5.0, 100.0, np.nan], corner=(0, 2))
    area = frames.isel(x=slice(0, 4))
    ds = aw.correct_crosstalk(area, camera=two(), **F8)
    # the third pixel of the first amplifier, and the first three of the second
    assert values(ds)[:1] == [5.0 - 0.01 * 5.0]
    assert np.isnan(values(ds)[3])


def test_calibrate_takes_it_off_after_the_bias_and_before_the_response_is_made_linear(rng):
    camera = two(gain=2.0, read_noise=8.0, saturation=50_000, linearity=[1e-6])
    raw = frame_set(rng.integers(1000, 40_000, (2, 1, 1, 6)).astype("u2"), camera=camera)
    bias = master(rng.normal(900, 3, (1, 1, 6)), np.full((1, 1, 6), 0.5))
    dark = master(np.full((1, 1, 6), 3.0), np.full((1, 1, 6), 0.25))
    flat = master(np.array([1.1, 0.9, 1, 1, 0.8, 1.2]), np.full(6, 1e-6), units="1")
    once = aw.calibrate(raw, bias=bias, dark=dark, flat=flat, **F8)
    steps = aw.subtract_bias(aw.flag_saturated(raw, **F8), bias, **F8)
    steps = aw.linearise(aw.correct_crosstalk(steps, **F8), **F8)
    steps = aw.divide_flat(aw.subtract_dark(aw.add_noise(steps, **F8), dark, **F8), flat, **F8)
    for name in ("image", "variance", "mask"):
        np.testing.assert_allclose(once[name].values, steps[name].values)
    assert once.autowisp.history()[-1]["options"]["crosstalk"] == [[0, 0.01], [0.1, 0]]
    signal = raw["image"].values[0, 0, 0] - bias["image"].values[0, 0]
    signal[:3] -= 0.01 * (raw["image"].values[0, 0, 0] - bias["image"].values[0, 0])[:2:-1]
    linear = signal + 1e-6 * signal**2
    first = (linear[0] - 3.0) / 1.1
    assert once["image"].values[0, 0, 0, 0] == pytest.approx(first)


def test_the_variance_is_that_of_many_frames(rng):
    """Bright in one half, dark in the other, whose crosstalk is large enough to count."""
    gain, read, light, share = 2.0, 12.0, 9000.0, 0.1
    number, width = 2000, 40
    amplifiers = [
        Amplifier(region={"xmin": 0, "xmax": width, "ymin": 0, "ymax": 1}, corner="xmin ymin"),
        Amplifier(
            region={"xmin": width, "xmax": 2 * width, "ymin": 0, "ymax": 1}, corner="xmax ymin"
        ),
    ]
    camera = Camera(
        amplifiers=amplifiers, crosstalk=[[0, share], [0, 0]], gain=gain, read_noise=read,
        bias_level=100.0,
    )  # fmt: skip
    electrons = rng.poisson([200.0] * width + [light] * width, (number, 2 * width)) / gain
    seen = electrons.copy()
    seen[:, :width] += share * electrons[:, width:][:, ::-1]
    raw = 100.0 + seen + rng.normal(0, read / gain, seen.shape)
    ds = aw.calibrate(frame_set(raw[:, None, None], camera=camera), **F8)
    dark_half = ds.isel(x=slice(0, width))
    assert float(dark_half["image"].mean()) == pytest.approx(100.0, abs=0.2)
    ratio = dark_half["variance"].mean() / dark_half["image"].var("frame").mean()
    assert float(ratio) == pytest.approx(1.0, abs=0.02)


def test_biases_and_darks_that_hold_the_bias_are_left_alone(rng):
    camera = two(gain=2.0, read_noise=8.0)
    frames = rng.integers(900, 1000, (5, 1, 1, 6)).astype("u2")
    for make, kind in ((aw.master_bias, "bias"), (aw.master_dark, "dark")):
        found = make(frame_set(frames, camera=camera, kind=kind), noise="if known")
        np.testing.assert_allclose(found["image"].values[0], frames.mean(axis=(0, 1)), rtol=0.02)
    with pytest.raises(CalibrationError, match="the crosstalk of the camera is that of the signal"):
        aw.calibrate(frame_set(frames, camera=camera))


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"x": 2}, {"frame": 2, "x": 4}])
def test_chunks_change_nothing_and_nothing_is_computed(rng, chunks):
    frames = frame_set(rng.uniform(0, 1e4, (3, 1, 1, 6)), variance=2.0, mask=0, camera=two())
    before = frames.copy(deep=True)
    expected = aw.correct_crosstalk(frames)
    with no_compute():
        lazy = aw.correct_crosstalk(frames.chunk(chunks).assign_coords(frames.coords))
    assert_frames_equal(lazy.compute(), expected)
    assert frames.identical(before)


def test_what_cannot_be_is_refused():
    frames = frame_set(np.zeros(6), camera=two(gain=1.0, read_noise=1.0, linearity=[1e-6]))
    with pytest.raises(CalibrationError, match="crosstalk of the camera is not known"):
        aw.correct_crosstalk(frames, camera=Camera())
    with pytest.raises(CalibrationError, match="correct_crosstalk was done to the frames already"):
        aw.correct_crosstalk(aw.correct_crosstalk(frames))
    with pytest.raises(CalibrationError, match="linearise was done to the frames already"):
        aw.correct_crosstalk(aw.linearise(frames))
