"""A stack that was written and read is a frame of a further stack, with what went into it."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw


@pytest.mark.parametrize("scale", ["UTC", "TT"])
def test_a_stack_of_stacks_from_files_gives_its_ends_and_its_total_exposure(tmp_path, scale):
    for i in range(6):
        header = fits.Header([("IMAGETYP", "object"), ("EXPTIME", 30.0), ("TIMESYS", scale)])
        header["DATE-OBS"] = f"2024-01-01T00:0{i}:00"
        image = np.full((5, 7), 1000 + i, "u2")
        fits.PrimaryHDU(image, header).writeto(tmp_path / f"raw{i}.fits")
    raw = aw.open_fits(tmp_path / "raw*.fits", camera=aw.Camera(gain=2.0, read_noise=5.0))
    done = aw.calibrate(raw)
    whole = aw.stack(done, "mean")
    for i, part in enumerate((slice(0, 2), slice(2, 6))):
        aw.to_fits(aw.stack(done.isel(frame=part), "mean"), tmp_path / f"part{i}.fits")
    parts = aw.open_fits(tmp_path / "part*.fits")
    deep = aw.stack(parts, "mean", weights=[2.0, 4.0])
    for name in ("time_start", "time_end", "time", "total_exposure", "combined", "exposure"):
        found, expected = deep[name].values, whole[name].values
        if found.dtype.kind == "M":
            assert abs(found - expected) < np.timedelta64(1, "us"), name
        else:
            assert found == pytest.approx(expected), name
    (path,) = aw.to_fits(deep, tmp_path / "deep.fits")
    header = fits.getheader(path)
    assert (header["NCOMBINE"], header["LIVETIME"], header["EGAIN"]) == (6, 180.0, 12.0)
    assert header["DATE-BEG"] == "2024-01-01T00:00:00"
    assert header["DATE-END"] == "2024-01-01T00:05:30"
