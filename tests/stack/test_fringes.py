"""Fringes of frames whose pattern, sky and stars are known."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.testing import assert_frames_equal, no_compute

SHAPE = (24, 30)
SKY = (400.0, 900.0, 1600.0, 500.0, 1200.0)


def pattern():
    y, x = np.indices(SHAPE)
    waves = 0.03 * np.sin(x / 2.0 + y / 5.0)
    return waves - np.median(waves)


def dithered(channels=1):
    """Calibrated frames of other skies, each with a star in another place, and a bad pixel."""
    rng = np.random.default_rng(5)
    image = np.stack([sky * (1 + pattern()) for sky in SKY])[:, None].repeat(channels, 1)
    image += rng.normal(0, 1.0, image.shape)
    for number in range(len(SKY)):
        image[number, :, 4 * number + 2 : 4 * number + 5, 3 + 5 * number] += 20_000
    mask = np.zeros(image.shape, np.uint8)
    mask[1, :, 0, 0], image[1, :, 0, 0] = aw.Flag.COSMIC, 1e6
    names = [f"object-{number}" for number in range(len(SKY))]
    ds = xr.Dataset(
        {
            "image": (schema.DIMS, image.astype(np.float32)),
            "variance": (schema.DIMS, np.ones(image.shape, np.float32)),
            "mask": (schema.DIMS, mask),
        },
        {
            "frame": np.array(names, np.dtypes.StringDType()),
            "channel": np.array(["mono", "other"][:channels], np.dtypes.StringDType()),
            "image_type": ("frame", np.array(["object"] * len(SKY), np.dtypes.StringDType())),
            "y": np.arange(SHAPE[0]),
            "x": np.arange(SHAPE[1]),
        },
    )
    return schema.with_attributes(ds, "adu")


def test_the_pattern_is_found_in_units_of_the_sky_without_stars():
    master = aw.master_fringe(dithered(channels=2))
    assert (master["image"].dims, str(master["image_type"].values)) == (schema.DIMS[1:], "fringe")
    assert (master["image"].attrs["units"], master["variance"].attrs["units"]) == ("1", "1")
    off = master["image"].values - pattern()
    assert np.abs(off).max() < 0.01
    assert np.std(off / np.sqrt(master["variance"].values)) == pytest.approx(1, abs=0.1)
    assert not master["mask"].any()


def test_chunks_change_nothing_and_nothing_is_computed():
    ds = dithered()
    chunked = ds.chunk(frame=1, y=7).assign_coords(image_type=ds["image_type"])
    with no_compute():
        lazy = aw.master_fringe(chunked)
    assert_frames_equal(lazy.compute(), aw.master_fringe(ds))


def test_raw_frames_few_frames_and_several_filters_are_refused():
    ds = dithered()
    with pytest.raises(aw.CalibrationError, match="calibrated frames, and these are raw"):
        aw.master_fringe(ds.drop_vars("variance"))
    with pytest.raises(aw.ImageMismatchError, match="there are 2 frames to stack, min_frames is 3"):
        aw.master_fringe(ds.isel(frame=slice(2)))
    bands = np.array(["I", "z", "z", "z", "z"], np.dtypes.StringDType())
    with pytest.raises(aw.ImageMismatchError, match="frames of several filters cannot make"):
        aw.master_fringe(ds.assign_coords(filter=("frame", bands)))


def test_a_frame_without_sky_takes_no_part():
    ds = dithered()
    dark = ds["image"].copy()
    dark[2] = -1.0
    found = aw.master_fringe(ds.assign(image=dark))["image"].values
    assert np.abs(found - pattern()).max() < 0.01


def test_a_master_that_was_written_is_read_as_one(tmp_path):
    master = aw.master_fringe(dithered())
    (path,) = aw.to_fits(master, tmp_path / "fringe.fits")
    again = aw.open_fits(path)
    assert again["image_type"].values.tolist() == ["fringe"]
    np.testing.assert_array_equal(again["image"].values[0], master["image"].values)
