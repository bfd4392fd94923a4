"""Frames as CCDData of astropy, and back."""

import astropy.units as u
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance, StdDevUncertainty

import autowisp_xr as aw
from autowisp_xr.errors import ImageMismatchError
from tests.solved import SKIES

CAMERA = aw.Camera(gain=2.0, read_noise=5.0)


@pytest.fixture
def done(raw):
    """A calibrated, solved frame with flags and a NaN, cut on one side."""
    image = np.arange(35, dtype=np.uint16).reshape(5, 7) + 1000
    frames = aw.open_fits(raw("a.fits", image, SKIES["CD"] | {"EXPTIME": 30.0}), camera=CAMERA)
    ds = aw.trim(aw.calibrate(frames), aw.Region(xmin=1, xmax=7, ymin=0, ymax=5)).compute()
    for value, place in ((1, (1, 2)), (2, (2, 2)), (16, (3, 4))):
        ds["mask"][0, 0, *place] = value
    ds["image"][0, 0, 1, 2] = np.nan
    return ds


def planes(ds):
    return [ds[name].values.squeeze() for name in ("image", "variance", "mask")]


def test_a_frame_as_ccddata_has_all_that_it_has(done):
    ccd = done.autowisp.to_ccddata()
    image, variance, flags = planes(done)
    np.testing.assert_array_equal(ccd.data, image)
    assert ccd.data.dtype == np.float32
    assert (ccd.unit, ccd.uncertainty.uncertainty_type) == (u.adu, "var")
    np.testing.assert_array_equal(ccd.uncertainty.array, variance)
    # a hot pixel is as good as its dark
    np.testing.assert_array_equal(ccd.mask, (flags == 1) | (flags == 16))
    np.testing.assert_array_equal(done.autowisp.to_ccddata(mask="BAD").mask, flags != 0)
    np.testing.assert_array_equal(ccd.flags, flags)
    assert (ccd.meta["EGAIN"], ccd.meta["EXPTIME"]) == (2.0, 30.0)
    here, there = ccd.wcs.pixel_to_world(2, 3), done.autowisp.wcs().pixel_to_world(2, 3)
    assert here.separation(there).arcsec < 1e-6


def test_there_and_back_nothing_is_lost(done, tmp_path):
    ccd = aw.to_ccddata(done)
    back = aw.from_ccddata(ccd)
    for mine, theirs in zip(planes(back), planes(done), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    assert back.autowisp.history() == done.autowisp.history()
    # it is what a file is
    by_file = aw.open_fits(done.autowisp.to_fits(tmp_path / "b.fits", hashes=False)).compute()
    # but for the error of a file, which is rounded
    others = ["path", "header", "variance"]
    xr.testing.assert_identical(
        back.drop_vars(others[1:]).drop_attrs(), by_file.drop_vars(others).drop_attrs()
    )
    again = aw.to_ccddata(back)
    assert again.meta.tostring() == ccd.meta.tostring()
    np.testing.assert_array_equal(again.mask, ccd.mask)


def test_what_others_made_is_understood(done):
    image = np.full((4, 6), 100.0)
    image[0, 1] = np.nan
    mask = np.zeros((4, 6), bool)
    mask[2, 3] = True
    meta = {"exposure": 20.0, "IMAGETYP": "DARK", "DATE-OBS": "2024-05-06T07:08:09"}
    for errors in (StdDevUncertainty(image / 50), InverseVariance(2500 / image**2)):
        ccd = CCDData(image, unit="electron", uncertainty=errors, mask=mask, meta=meta)
        ds = aw.from_ccddata(ccd, camera=CAMERA)
        assert ds["image"].attrs["units"] == "electron"
        np.testing.assert_allclose(ds["variance"].values[0, 0, 1], 4.0)
        flags = ds["mask"].values[0, 0]
        assert (flags[2, 3], flags[0, 1], flags.sum()) == (1, 1, 2)
        assert (ds["exposure"].item(), ds["image_type"].item()) == (20.0, "dark")
        assert [step["verb"] for step in ds.autowisp.history()] == ["from_ccddata"]
    # CCDData.read takes the cards of the sky out of the header
    theirs = aw.to_ccddata(done)
    of_sky = ("CRPIX", "CD", "CRVAL", "CTYPE")
    for card in [name for name in theirs.meta if name.startswith(of_sky)]:
        del theirs.meta[card]
    sky = aw.from_ccddata(theirs).autowisp.wcs().pixel_to_world(1, 1)
    assert sky.separation(done.autowisp.wcs().pixel_to_world(1, 1)).arcsec < 1e-6


@pytest.mark.parametrize(("errors", "unknown"), [(StdDevUncertainty, -1), (InverseVariance, 0)])
def test_an_error_that_is_not_known_is_nan(errors, unknown):
    image = np.full((4, 6), 100.0)
    stated = np.ones_like(image)
    stated[1, 2] = unknown
    ds = aw.from_ccddata(CCDData(image, unit="adu", uncertainty=errors(stated)), camera=CAMERA)
    assert np.flatnonzero(np.isnan(ds["variance"])).tolist() == [8]
    assert (ds["variance"].values[0, 0, 0] == 1).all()


def test_raw_frames_of_a_color_camera_are_split(tmp_path):
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)
    ccd = CCDData(pixels, unit="adu", mask=pixels == 9, meta=fits.Header({"BAYERPAT": "RGGB"}))
    ds = aw.from_ccddata(ccd, camera=CAMERA)
    assert ds["image"].dtype == np.uint16
    merged = ds.autowisp.merge_channels()
    np.testing.assert_array_equal(merged["image"].values.squeeze(), pixels)
    np.testing.assert_array_equal(merged["mask"].values.squeeze(), pixels == 9)


def test_several_frames_and_cubes_are_refused(done):
    with pytest.raises(ValueError, match="there are 2 frames and 1 channels; choose"):
        aw.to_ccddata(done.isel(frame=[0, 0]).assign_coords(frame=["a", "b"]))
    with pytest.raises(ImageMismatchError, match="the CCDData has 3; give its planes one by one"):
        aw.from_ccddata(CCDData(np.ones((2, 3, 4)), unit="adu"))
