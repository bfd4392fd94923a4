import json
import warnings

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.errors import BadImageError
from autowisp_xr.io import open_fits, scan, to_fits
from autowisp_xr.regions import Region

pytestmark = pytest.mark.real


def as_astropy(path, hdu=0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path) as hdus:
            return hdus[hdu].data.copy()


def test_seestar_frames_are_four_channels(real):
    ds = open_fits(real / "seestar_s50_bayer")
    assert list(ds.channel.values) == ["G1", "R", "B", "G2"]
    medians = ds.image.isel(frame=0).median(("y", "x"))
    np.testing.assert_array_equal(medians, [996, 842, 794, 993])
    assert set(ds.image_type.values) == {"object"}
    assert set(ds.gain.values) == {80.0}
    assert schema.camera_of(ds).gain is None


def test_compressed_spectra_are_those_of_astropy(real):
    ds = open_fits(real / "lco_floyds_fz")
    assert ds.image.dtype == np.uint16
    for i, path in enumerate(ds.path.values):
        np.testing.assert_array_equal(ds.image[i, 0], as_astropy(path, 1))
    band = ds.image.isel(y=slice(100, 110))
    np.testing.assert_array_equal(band, ds.image.values[:, :, 100:110])
    assert list(ds.image_type.values[:3]) == ["object", "other", "flat"]
    camera = schema.camera_of(ds)
    assert (camera.read_noise, camera.saturation, camera.gain) == (3.5, 38400.0, None)
    assert camera.image_area is None
    assert camera.overscan == ()


def test_a_frame_of_the_original_is_read_with_its_place(real):
    ds = open_fits(real / "autowisp_calibrated_reference")
    schema.check(ds)
    assert dict(ds.sizes) == {"frame": 1, "channel": 1, "y": 488, "x": 652}
    assert list(ds.channel.values) == ["R"]
    assert (int(ds.y[0]), int(ds.y[-1]), int(ds.x[-1])) == (0, 974, 1302)
    assert float(ds.image.median()) == 400.0
    np.testing.assert_allclose(np.sqrt(ds.variance.median()), 30, atol=1)
    assert not ds.mask.any()
    assert list(ds.frame.values) == ["XO-1 b_2024-06-20_02-16-19__17.20_10.00s_2247"]
    assert abs(ds.time.values[0] - np.datetime64("2024-06-20T09:16:24.6")) < np.timedelta64(1, "s")
    assert schema.camera_of(ds).gain == pytest.approx(0.4688, rel=1e-6)


def test_sparse_headers_of_a_dslr_are_read(real):
    by_name = {
        record.path.rsplit("/", 1)[1]: record
        for record in scan(real / "panoptes_canon_bayer_crops")
    }
    assert all(record.error is None for record in by_name.values())
    assert np.isnat(by_name["noheader.fits"].coordinates["time"])
    assert by_name["pole.fits"].coordinates["exposure"] == 30.1
    assert by_name["pole.fits"].coordinates["gain"] == 100.0
    ds = open_fits(real / "panoptes_canon_bayer_crops" / "unsolved.fits")
    phases = [float(ds.image[0, 0, y::2, x::2].median()) for y in (0, 1) for x in (0, 1)]
    assert phases == [2233, 2180, 2140, 2234]


def test_broken_headers_are_read(real, tmp_path):
    ds = open_fits(real / "uw_st7_flat_ladder" / "Pencil*.FIT")
    assert ds.sizes["frame"] == 17
    assert schema.camera_of(ds).gain == 0.46
    by_name = dict(zip(ds.frame.values, range(17), strict=True))
    first = by_name["Pencil0.16.FLAT.FIT"]
    assert float(ds.exposure[first]) == 0.16
    assert float(ds.image[first].median()) == 186
    assert ds.time.values[first] == np.datetime64("2019-04-30T00:37:54.08")
    np.testing.assert_array_equal(ds.image[3, 0], as_astropy(ds.path.values[3]))
    back = open_fits(to_fits(ds.isel(frame=[3]), tmp_path / "{RAWFNAME}.fits"))
    np.testing.assert_array_equal(back.image, ds.image[3:4])


def test_gzipped_frames_are_read(real):
    ds = open_fits(real / "msfc_esis_overscan" / "led")
    assert ds.sizes["frame"] == 4
    assert float(ds.image[0].median()) == 21041
    np.testing.assert_array_equal(ds.image[1, 0, 500:540], as_astropy(ds.path.values[1])[500:540])


def test_sections_with_blanks_are_areas(real):
    ds = open_fits(real / "saao_ste3_overscan")
    camera = schema.camera_of(ds)
    assert camera.image_area == Region(xmin=16, xmax=528, ymin=0, ymax=520)
    assert camera.overscan == (Region(xmin=3, xmax=13, ymin=0, ymax=520),)
    assert ds.time.values[0] == np.datetime64("2013-07-13T00:58:48.02")
    assert float(ds.ra[0]) == pytest.approx(331.0333, abs=1e-4)


def test_types_of_a_night_are_read(real):
    ds = open_fits(real / "arcsat_flarecam_xo1_2025")
    kinds, counts = np.unique(ds.image_type.values.tolist(), return_counts=True)
    assert dict(zip(kinds, counts, strict=True)) == {"bias": 5, "dark": 5, "flat": 5, "object": 3}


@pytest.mark.parametrize("case", ["standard", "mask_first", "no_error", "mask_int16", "compressed"])
def test_golden_products_are_read(shared, case):
    folder = shared / "oracle" / f"product_{case}"
    if not folder.is_dir():
        pytest.skip(f"no golden case {folder}")
    expected = json.loads((folder / "expected.json").read_text())
    if expected["error"]:
        with pytest.raises(BadImageError):
            open_fits(folder / "input.fits")
        return
    ds = open_fits(folder / "input.fits")
    arrays = np.load(folder / "expected.npz")
    assert ("variance" in ds) == ("error" in arrays)
    np.testing.assert_array_equal(ds.image[0, 0], arrays["image"])
    np.testing.assert_array_equal(ds.mask[0, 0], arrays["mask"])
    if "error" in arrays:
        np.testing.assert_allclose(np.sqrt(ds.variance[0, 0]), arrays["error"], rtol=1e-6)
