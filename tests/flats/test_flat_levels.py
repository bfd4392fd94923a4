"""Whether each channel of a flat has a mean of one, or all of a frame have it in common."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, FlatSelection
from autowisp_xr.steps.flat import _mean_of_pieces, mean_of_lit
from tests.steps.frames import TWO_CHANNELS, frame_set

WHOLE = (slice(None), slice(None))


def halves(names=("left", "right"), channels=None):
    """Three flats, the first half a tenth more sensitive, and brighter from frame to frame."""
    image = np.multiply.outer([1.0, 2.0, 4.0], [[[1100.0] * 7] * 5, [[1000.0] * 7] * 5])
    camera = Camera(channels=channels or dict.fromkeys(names, WHOLE))
    ds = frame_set(image, kind="flat", variance=image / 2, camera=camera)
    return ds.assign(mask=(ds["image"].dims, np.zeros(image.shape, np.uint8)))


def means(master):
    return master["image"].mean(("y", "x")).values.tolist()


@pytest.mark.parametrize("level", [None, "common"])
def test_halves_of_one_detector_keep_their_ratio(level):
    master = aw.master_flat(halves(), level=level).high
    assert means(master) == pytest.approx([1.1 / 1.05, 1 / 1.05])
    assert (master["variance"] > 0).all()


def test_a_half_without_a_good_pixel_leaves_the_other_at_one():
    flats = halves()
    flats["mask"][:, 0] = 1
    master = aw.master_flat(flats).high
    assert means(master)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("names", [("R", "G"), ("blue", "red"), ("B", "left")])
def test_colours_have_a_mean_of_one_each(names):
    assert means(aw.master_flat(halves(names)).high) == pytest.approx([1.0, 1.0])


def test_channels_of_a_filter_array_have_a_mean_of_one_each():
    flats = halves(channels=TWO_CHANNELS)
    assert means(aw.master_flat(flats).high) == pytest.approx([1.0, 1.0])
    assert means(aw.master_flat(flats, level="common").high)[0] == pytest.approx(1.1 / 1.05)


def test_each_channel_for_itself_can_be_asked_for():
    assert means(aw.master_flat(halves(), level="channel").high) == pytest.approx([1.0, 1.0])


def test_chunks_change_nothing():
    lazy = aw.master_flat(halves().chunk(frame=1)).high
    assert lazy["image"].chunks is not None
    np.testing.assert_array_equal(lazy["image"].values, aw.master_flat(halves()).high["image"])


def test_a_level_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="level is 'channel' or 'common', not 'frame'"):
        aw.master_flat(halves(), level="frame")
    with pytest.raises(ValueError, match=r"in common takes FlatSelection\(together=True\)"):
        aw.master_flat(halves(), level="common", select=FlatSelection(together=False))


@pytest.mark.parametrize("number", [0, 1, 8191, 8192, 8193, 100_000])
def test_the_level_of_bands_is_that_of_the_whole_to_the_bit(number):
    values = np.random.default_rng(number).normal(1, 0.1, number).astype(np.float32)
    bands = np.split(values, [number // 5, number // 3, number // 2])
    level = _mean_of_pieces(bands, 0.5)
    np.testing.assert_equal(level, mean_of_lit(values, 0.5))
