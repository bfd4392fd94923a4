import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, schema
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import TWO_CHANNELS, frame_set, master

SATURATED, LEAKED = int(Flag.OVERSATURATED), int(Flag.LEAKED)


def mask_of(ds):
    return ds["mask"].values.squeeze().tolist()


def test_a_pixel_at_the_threshold_or_above_is_oversaturated():
    raw = frame_set([99.0, 100.0, 100.5], camera=Camera(saturation=100.0))
    ds = aw.flag_saturated(raw)
    assert mask_of(ds) == [0, SATURATED, SATURATED]
    assert ds["image"].values.ravel().tolist() == [99.0, 100.0, 100.5]


@pytest.mark.parametrize(
    ("dtype", "ceiling"), [("u1", 255), ("u2", 65535), ("i2", 32767), ("i4", 2**31 - 1)]
)
def test_without_a_threshold_what_reaches_the_largest_integer_is_oversaturated(dtype, ceiling):
    raw = frame_set(np.array([ceiling - 1, ceiling, 0], dtype))
    assert mask_of(aw.flag_saturated(raw)) == [0, SATURATED, 0]
    camera = Camera(gain=1, read_noise=1, bias_level=77.0)
    assert mask_of(aw.calibrate(raw, camera=camera)) == [0, SATURATED, 0]
    leaking = Camera(gain=1, read_noise=1, bias_level=77.0, leak_directions=[(1, 0)])
    assert mask_of(aw.calibrate(raw, camera=leaking)) == [0, SATURATED, LEAKED]


@pytest.mark.parametrize("saturation", [65535.0, 70000.0])
@pytest.mark.parametrize("directions", [[], [(1, 0)]])
def test_no_threshold_lifts_the_ceiling_of_the_integers(saturation, directions):
    camera = Camera(gain=1, read_noise=1, saturation=saturation, leak_directions=directions)
    raw = frame_set(np.array([65534, 65535, 0, 7], "u2"), camera=camera)
    assert mask_of(aw.calibrate(raw)) == [0, SATURATED, LEAKED if directions else 0, 0]


@pytest.mark.parametrize("chunks", [None, {"frame": 1}, {"frame": 2, "x": 2}])
@pytest.mark.parametrize("directions", [[], [(1, 0)]])
def test_each_frame_has_the_ceiling_of_its_file(chunks, directions):
    camera = Camera(gain=1, read_noise=1, leak_directions=directions, bias_level=5.0)
    raw = frame_set(np.full((3, 1, 1, 3), [255.0, 0.0, 65535.0]), camera=camera)
    raw = raw.assign_coords(ceiling=("frame", [255.0, 65535.0, np.inf]))
    lazy = raw if chunks is None else raw.chunk(chunks)
    leaked = LEAKED if directions else 0
    found = mask_of(aw.calibrate(lazy))
    assert found == [[SATURATED, leaked, SATURATED], [0, 0, SATURATED], [0, 0, 0]]


def test_a_ceiling_moves_with_a_constant_level_and_ends_with_a_master():
    camera = Camera(bias_level=50.0, gain=1, read_noise=1)
    raw = frame_set([250.0, 255.0], camera=camera).assign_coords(ceiling=("frame", [255.0]))
    level = aw.subtract_bias_level(raw)
    assert level["ceiling"].values.tolist() == [205.0]
    assert mask_of(aw.flag_saturated(level)) == [0, SATURATED]
    assert "ceiling" not in aw.subtract_bias(level, master([1.0, 1.0])).coords
    assert "ceiling" not in aw.stack(level, "mean").coords


def test_floats_without_a_threshold_are_never_saturated():
    assert mask_of(aw.flag_saturated(frame_set([1.0, 3e38, 0.0]))) == [0, 0, 0]


def test_flags_are_added_to_those_that_were_there():
    raw = frame_set([5.0, 200.0], mask=[2, 2], camera=Camera(saturation=100.0))
    assert mask_of(aw.flag_saturated(raw)) == [2, 2 | SATURATED]


def test_each_channel_has_its_own_threshold():
    camera = Camera(channels=TWO_CHANNELS, saturation={"A": 10.0, "B": 30.0})
    raw = frame_set(np.array([[[5.0, 20.0]], [[20.0, 40.0]]]), camera=camera)
    assert mask_of(aw.flag_saturated(raw)) == [[0, SATURATED], [0, SATURATED]]
    assert mask_of(aw.flag_saturated(raw.isel(channel=[1]))) == [0, SATURATED]


def test_charge_leaks_in_the_given_directions_and_not_around_the_edge():
    image = np.zeros((4, 5))
    image[0, 4] = image[2, 1] = 200.0
    camera = Camera(saturation=100.0, leak_directions=[(0, 1), (1, 0), (-2, 1)])
    expected = np.zeros((4, 5), int)
    expected[0, 4] = expected[2, 1] = SATURATED
    expected[1, 4] = expected[1, 2] = LEAKED  # (0, 1) and (-2, 1) of the first
    expected[3, 1] = expected[2, 2] = LEAKED  # (0, 1) and (1, 0) of the second
    assert mask_of(aw.flag_saturated(frame_set(image, camera=camera))) == expected.tolist()


def test_a_saturated_neighbour_is_both():
    camera = Camera(saturation=100.0, leak_directions=[(1, 0)])
    ds = aw.flag_saturated(frame_set([200.0, 200.0, 0.0], camera=camera))
    assert mask_of(ds) == [SATURATED, SATURATED | LEAKED, LEAKED]


def test_nan_does_not_leak():
    camera = Camera(saturation=100.0, leak_directions=[(1, 0)])
    assert mask_of(aw.flag_saturated(frame_set([np.nan, 0.0], camera=camera))) == [1, 0]


def slow_leaks(mosaic, threshold, directions):
    """Flags in the raw frame, pixel by pixel."""
    height, width = mosaic.shape
    mask = np.where(mosaic >= threshold, SATURATED, 0)
    for y, x in np.argwhere(mosaic >= threshold):
        for dx, dy in directions:
            if 0 <= y + dy < height and 0 <= x + dx < width:
                mask[y + dy, x + dx] |= LEAKED
    return mask


@pytest.mark.parametrize("directions", [[(1, 0)], [(0, 1), (0, -1)], [(3, -2), (-1, 5)], [(0, 9)]])
@pytest.mark.parametrize("rows", [None, 1, 2, (3, 1, 2)])
def test_bayer_charge_leaks_into_the_neighbouring_colour_across_chunks(directions, rows, rng):
    mosaic = rng.integers(0, 120, (12, 14)).astype("u2")
    camera = Camera(channels="RGGB", saturation=100.0, leak_directions=directions)
    mono = frame_set(np.stack([mosaic, mosaic[::-1]])[:, None], camera=camera)
    split = aw.split_channels(mono)
    expected = np.stack([slow_leaks(plane, 100, directions) for plane in (mosaic, mosaic[::-1])])
    if rows is not None:
        split = split.chunk(y=rows, x=3, channel=1)
    ds = aw.merge_channels(aw.flag_saturated(split))
    np.testing.assert_array_equal(ds["mask"].values[:, 0], expected)


def test_calibrate_flags_leaks_of_the_trimmed_frame_only():
    image = np.zeros((3, 6))
    image[1, 1] = 200.0
    camera = Camera(
        saturation=100.0,
        leak_directions=[(1, 0)],
        gain=1,
        read_noise=1,
        image_area={"xmin": 2, "xmax": 6, "ymin": 0, "ymax": 3},
    )
    raw = frame_set(image, camera=camera)
    assert aw.calibrate(raw)["mask"].values.sum() == 0
    assert aw.trim(aw.flag_saturated(raw))["mask"].values.sum() == LEAKED


def test_the_threshold_is_compared_after_the_bias_level():
    camera = Camera(gain=1, read_noise=1, bias_level=50.0, saturation=100.0)
    assert mask_of(aw.calibrate(frame_set([149.5, 150.0], camera=camera))) == [0, SATURATED]
    level = aw.subtract_bias_level(frame_set([149.5, 150.0], camera=camera))
    assert mask_of(aw.flag_saturated(level)) == [0, SATURATED]


# ---------------------------------------------------------------------- apply_masks


def test_masks_are_united_in_every_form_they_come_in():
    frames = frame_set(np.zeros((2, 1, 1, 3)), mask=[1, 0, 0])
    plane = np.array([[0, 2, 0]], "u1")
    forms = [
        plane,
        plane[None],
        xr.DataArray(plane, dims=("y", "x")),
        master([0.0] * 3, mask=plane),
        frame_set([0.0] * 3, mask=plane),
        master(plane).drop_vars("y"),
    ]
    for form in forms:
        assert mask_of(aw.apply_masks(frames, form)) == [[1, 2, 0], [1, 2, 0]]
        both = aw.apply_masks(frames, [form, np.array([[4, 4, 0]], "u1")])
        assert mask_of(both) == [[5, 6, 0], [5, 6, 0]]


def test_a_mask_names_its_dims():
    frames = frame_set(np.zeros((3, 3)))
    plane = xr.DataArray(np.array([[0, 2, 0], [0, 0, 0], [0, 0, 0]], "u1"), dims=("y", "x"))
    assert_frames_equal(
        aw.apply_masks(frames, plane.transpose("x", "y")), aw.apply_masks(frames, plane)
    )


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (np.zeros((2, 3), "u1"), r"mask 0 has the shape \(1, 2, 3\), the frames have \(1, 1, 3\)"),
        (np.zeros((1, 3), "f4"), "mask 0 has the type float32, expected uint8"),
        ([np.zeros((1, 3), "u1"), np.zeros((1, 2), "u1")], "mask 1 has the shape"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, text):
    with pytest.raises(aw.MasterMismatchError, match=text):
        aw.apply_masks(frame_set([0.0] * 3), mask)


def test_masks_keep_the_variance_and_give_one_of_zero_to_raw_frames():
    ds = aw.apply_masks(frame_set([1.0, 2.0], variance=[3.0, 4.0]), np.array([[0, 1]], "u1"))
    assert ds["variance"].values.ravel().tolist() == [3.0, 4.0]
    assert ds["image"].values.ravel().tolist() == [1.0, 2.0]
    schema.check(ds)


def test_the_level_of_a_header_moves_with_a_constant_level():
    camera = Camera(saturation=250.0, gain=1, read_noise=1)
    raw = frame_set([249.0, 250.0], camera=camera)
    level = aw.subtract_bias_level(raw, camera=Camera(bias_level=50.0))
    assert mask_of(aw.flag_saturated(level)) == [0, SATURATED]


def test_the_saturation_of_each_channel_moves_with_the_level():
    camera = Camera(channels="RGGB", saturation={"R": 100, "G1": 90, "G2": 80, "B": 70})
    moved = camera.at_level(10.0)
    assert moved.saturation == {"R": 90.0, "G1": 80.0, "G2": 70.0, "B": 60.0}
    assert moved.bias_level == 10.0
