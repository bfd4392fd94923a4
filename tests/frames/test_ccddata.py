"""CCDData of astropy reads what we write."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

import autowisp_xr as aw


@pytest.fixture
def written(tmp_path):
    """A calibrated frame, and the file that holds it."""
    image = np.full((5, 7), 1000, "u2")
    header = fits.Header([("IMAGETYP", "object"), ("EXPTIME", 10.0)])
    fits.PrimaryHDU(image, header).writeto(tmp_path / "raw.fits")
    raw = aw.open_fits(tmp_path / "raw.fits", camera=aw.Camera(gain=2.0, read_noise=5.0))
    done = aw.calibrate(raw).compute()
    done["mask"][0, 0, 1, 2] = 1
    (path,) = aw.to_fits(done, tmp_path / "out.fits")
    return done, path


def test_errors_mask_and_unit_come_without_an_argument(written):
    ds, path = written
    found = CCDData.read(path)
    assert found.unit == "adu"
    assert isinstance(found.uncertainty, StdDevUncertainty)
    np.testing.assert_allclose(found.uncertainty.array**2, ds["variance"][0, 0], rtol=1e-6)
    np.testing.assert_array_equal(found.mask, ds["mask"][0, 0] != 0)
    assert found.header["EGAIN"] == 2.0


def test_a_program_without_this_package_names_the_errors(written):
    _, path = written
    code = (
        "import sys; from astropy.nddata import CCDData\n"
        f"found = CCDData.read({path!r}, hdu_uncertainty='ERROR')\n"
        "assert 'autowisp_xr' not in sys.modules\n"
        "assert found.uncertainty.uncertainty_type == 'std' and found.mask.sum() == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_others_are_read_as_before(tmp_path):
    mask = np.zeros((5, 7), bool)
    CCDData(np.ones((5, 7)), unit="adu", mask=mask).write(tmp_path / "theirs.fits")
    assert CCDData.read(tmp_path / "theirs.fits").uncertainty is None
    fits.PrimaryHDU(np.ones((5, 7))).writeto(tmp_path / "plain.fits")
    assert CCDData.read(tmp_path / "plain.fits", unit="adu").uncertainty is None
