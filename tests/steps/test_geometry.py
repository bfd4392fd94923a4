import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, schema
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import frame_set, master


def numbered(height, width, **options):
    """Each pixel states where it is: 100 y + x."""
    y, x = np.mgrid[:height, :width]
    return frame_set((100 * y + x).astype("i4"), **options)


def where_planes_state(ds):
    """100 y + x in raw pixels, from the coordinates of each pixel alone."""
    planes = [
        100 * (ds["y"].values[:, None] + channel.y_offset) + ds["x"].values + channel.x_offset
        for channel in schema.channel_slices(ds)
    ]
    return np.stack(planes)


BAYER = Camera(channels="RGGB")


def test_a_mosaic_is_split_into_its_colours():
    ds = aw.split_channels(numbered(4, 6, camera=BAYER))
    assert schema.names(ds, "channel") == ["R", "G1", "G2", "B"]
    assert ds["image"].sel(channel="R").values[0].tolist() == [[0, 2, 4], [200, 202, 204]]
    assert ds["image"].sel(channel="G1").values[0].tolist() == [[1, 3, 5], [201, 203, 205]]
    assert ds["image"].sel(channel="G2").values[0, 0].tolist() == [100, 102, 104]
    assert ds["image"].sel(channel="B").values[0, 0].tolist() == [101, 103, 105]
    assert ds["y"].values.tolist() == [0, 2]
    assert ds["x"].values.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(ds["image"][0], where_planes_state(ds))


@pytest.mark.parametrize("pattern", ["RGGB", "GRBG", "BGGR", "GBRG"])
def test_patterns_are_read_row_by_row(pattern):
    ds = aw.split_channels(numbered(2, 2), pattern)
    letters = [[pattern[0], pattern[1]], [pattern[2], pattern[3]]]
    for name, value in zip(schema.names(ds, "channel"), ds["image"].values.ravel(), strict=True):
        assert letters[value // 100][value % 100] == name[0]


@pytest.mark.parametrize(("height", "width"), [(5, 7), (4, 7), (5, 6)])
def test_incomplete_super_pixels_at_the_far_edge_are_left_out(height, width):
    ds = aw.split_channels(numbered(height, width, camera=BAYER))
    assert ds["image"].shape == (1, 4, 2, 3)
    np.testing.assert_array_equal(ds["image"][0], where_planes_state(ds))


def test_merging_undoes_splitting():
    mono = numbered(4, 6, camera=BAYER)
    mono = mono.assign(mask=mono["image"].astype("u1"), variance=mono["image"] * 0.5)
    mono = schema.with_attributes(mono, "adu")
    back = aw.merge_channels(aw.split_channels(mono))
    assert_frames_equal(back, mono)
    shuffled = aw.split_channels(mono).isel(channel=[2, 0, 3, 1])
    assert_frames_equal(aw.merge_channels(shuffled), mono)


def test_a_master_can_be_split_and_merged_too():
    mono = master(np.arange(24.0).reshape(4, 6), camera=BAYER)
    split = aw.split_channels(mono)
    assert split["image"].dims == ("channel", "y", "x")
    assert_frames_equal(aw.merge_channels(split), mono)


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1), (3, 2)])
def test_an_area_that_starts_at_an_odd_pixel_swaps_no_colours(corner):
    y, x = corner
    area = {"ymin": y, "ymax": y + 4, "xmin": x, "xmax": x + 6}
    mono = numbered(9, 11, camera=BAYER)
    by_colour = {}
    whole = aw.split_channels(mono)
    for name in schema.names(whole, "channel"):
        by_colour[name] = set(whole["image"].sel(channel=name).values.ravel().tolist())

    trimmed_last = aw.trim(whole, area) if y + 4 <= 8 and x + 6 <= 10 else None
    trimmed_first = aw.split_channels(aw.trim(mono, area))
    for ds in filter(None, (trimmed_first, trimmed_last)):
        assert ds["image"].shape == (1, 4, 2, 3)
        np.testing.assert_array_equal(ds["image"][0], where_planes_state(ds))
        for name in schema.names(ds, "channel"):
            values = set(ds["image"].sel(channel=name).values.ravel().tolist())
            assert values <= by_colour[name]
            assert all(y <= v // 100 < y + 4 and x <= v % 100 < x + 6 for v in values)
    if trimmed_last is not None:
        assert_frames_equal(trimmed_last, trimmed_first)
        again = aw.merge_channels(trimmed_last)
        assert_frames_equal(again, aw.trim(mono, area))


def test_trimming_keeps_raw_pixel_numbers_and_cuts_all_planes():
    ds = numbered(5, 7).assign(mask=(schema.DIMS, np.arange(35, dtype="u1").reshape(1, 1, 5, 7)))
    cut = aw.trim(ds, "[3:6,2:4]")
    assert cut["image"].values[0, 0].tolist() == [[102, 103, 104, 105], [202, 203, 204, 205],
                                                  [302, 303, 304, 305]]  # fmt: skip
    assert cut["mask"].values[0, 0, 0].tolist() == [9, 10, 11, 12]
    assert cut["y"].values.tolist() == [1, 2, 3]
    assert cut["x"].values.tolist() == [2, 3, 4, 5]
    assert cut.autowisp.history()[-1]["options"] == {"area": "2 < x < 6, 1 < y < 4"}
    assert_frames_equal(aw.trim(cut, "[4:5,3:3]"), aw.trim(ds, "[4:5,3:3]"))


def test_without_an_area_or_with_all_of_the_frame_nothing_is_cut_or_recorded():
    ds = numbered(5, 7)
    assert_frames_equal(aw.trim(ds), ds)
    whole = aw.trim(ds, "[1:7,1:5]")
    assert_frames_equal(whole, ds)
    assert whole.autowisp.history() == []


def test_trimming_twice_to_the_image_area_is_trimming_once():
    ds = numbered(5, 7, camera=Camera(image_area="[2:6,2:4]"))
    once = aw.trim(ds)
    assert once["image"].shape == (1, 1, 3, 5)
    assert_frames_equal(aw.trim(once), once)


@pytest.mark.parametrize("area", ["[1:8,1:5]", "[1:7,2:6]"])
def test_an_area_outside_is_refused_with_both(area):
    with pytest.raises(aw.OutsideImageError, match=r"the area to keep, .*cover 0 < x < 7, 0 < y <"):
        aw.trim(numbered(5, 7), area)
    cut = aw.trim(numbered(5, 7), "[3:6,2:4]")
    with pytest.raises(aw.OutsideImageError, match="cover 2 < x < 6, 1 < y < 4"):
        aw.trim(cut, "[2:4,2:4]")


@pytest.mark.parametrize(
    ("area", "error", "text"),
    [
        ("[5:3,1:5]", aw.CalibrationError, "empty or inverted"),
        ("[0:3,1:5]", aw.OutsideImageError, "starts before the first pixel"),
        ("3:5,1:5", aw.CalibrationError, "not a FITS section"),
    ],
)
def test_an_impossible_area_is_refused(area, error, text):
    with pytest.raises(error, match=text):
        aw.trim(numbered(5, 7), area)


@pytest.mark.parametrize("left", [slice(None, None, 2), [0, 1, 3, 4, 5, 6], slice(None, None, -1)])
def test_where_lines_are_left_out_what_goes_by_their_numbers_is_refused(left):
    mosaic = numbered(7, 7)
    leaky = Camera(saturation=600, leak_directions=[(1, 0)])
    for part in (mosaic.isel(x=left), mosaic.isel(y=left)):
        for verb in (
            lambda ds: aw.trim(ds, "[1:2,1:2]"),
            lambda ds: aw.split_channels(ds, "RGGB"),
            aw.merge_channels,
            lambda ds: aw.flag_saturated(ds, camera=leaky),
        ):
            with pytest.raises(aw.ImageMismatchError, match="by 1 is expected"):
                verb(part)
        assert_frames_equal(aw.trim(part), part)


def test_what_is_no_plane_goes_with_the_frames():
    mosaic = numbered(4, 6, camera=BAYER)
    ds = mosaic.assign(seeing=("frame", [2.5]), rows=("y", np.arange(4)), bands=("band", [1, 2]))
    for verb in (aw.split_channels, aw.merge_channels, lambda ds: aw.trim(ds, "[1:2,1:2]")):
        changed = verb(ds)
        assert_frames_equal(changed[["image"]], verb(mosaic))
        assert set(changed.data_vars) == {"image", "seeing", "bands"}


def test_frames_are_split_once_only():
    split = aw.split_channels(numbered(4, 6, camera=BAYER))
    with pytest.raises(aw.ImageMismatchError, match=r"channels \['R', 'G1', 'G2', 'B'\] already"):
        aw.split_channels(split)
    with pytest.raises(aw.CalibrationError, match="no channels to split into; give channels="):
        aw.split_channels(numbered(4, 6))


def test_a_mosaic_with_a_hole_cannot_be_merged():
    split = aw.split_channels(numbered(4, 6, camera=BAYER))
    with pytest.raises(aw.ImageMismatchError, match="3 channels do not fill super-pixels of 2 x 2"):
        aw.merge_channels(split.isel(channel=slice(3)))


def test_two_channels_of_one_place_do_not_fill_a_mosaic():
    split = aw.split_channels(numbered(4, 6, camera=BAYER))
    double = split.assign_coords(x_offset=("channel", [0, 0, 0, 1]))
    with pytest.raises(aw.ImageMismatchError, match="do not fill"):
        aw.merge_channels(double)
