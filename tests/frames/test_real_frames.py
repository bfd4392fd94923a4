import dataclasses
import json
import warnings

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.errors import BadImageError
from autowisp_xr.frames import scan, to_fits, unused_rules
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.opening import open_fits
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
    assert set(ds.gain_setting.values) == {80.0}
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
    assert by_name["pole.fits"].coordinates["gain_setting"] == 100.0
    ds = open_fits(real / "panoptes_canon_bayer_crops" / "unsolved.fits")
    phases = [float(ds.image[0, 0, y::2, x::2].median()) for y in (0, 1) for x in (0, 1)]
    assert phases == [2233, 2180, 2140, 2234]


def test_broken_headers_are_read(real, tmp_path):
    ds = open_fits(real / "uw_st7_flat_ladder" / "Pencil*.FIT")
    assert ds.sizes["frame"] == 17
    assert schema.camera_of(ds).gain == 0.46
    by_name = dict(zip(ds.frame.values, range(17), strict=True))
    first = by_name["Pencil0.16.FLAT"]
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


# type, binning and camera by the beginnings of names: what each file of a set is taken for
RECOGNISED = {
    "arcsat_flarecam_xo1_2025": {
        "Bias_": ("bias", "1x1", "dcam-spare"),
        "Dark_": ("dark", "1x1", "dcam-spare"),
        "domeflat_": ("flat", "1x1", "dcam-spare"),
        "XO1-b_": ("object", "1x1", "dcam-spare"),
    },
    "autowisp_calibrated_reference": {"XO1_": ("object", "1x1", "ZWO ASI224MC")},
    "lco_floyds_fz": {
        "coj2m002-en12-20200321-0021-e00": ("object", "1x1", "en12 (14242-18-11)"),
        "coj2m002-en12-20200321-0022-a00": ("other", "1x1", "en12 (14242-18-11)"),
        "coj2m002-en12-20200321-0023-w00": ("flat", "1x1", "en12 (14242-18-11)"),
        "coj2m002-en12-20210126-0003-e00": ("object", "1x1", "en12 (14242-18-11)"),
        "coj2m002-en12-20210126-0004-w00": ("flat", "1x1", "en12 (14242-18-11)"),
        "coj2m002-en12-20210126-0005-a00": ("other", "1x1", "en12 (14242-18-11)"),
    },
    "msfc_esis_overscan": {"ESIS1_": ("other", "", "ESIS1 (6)")},
    "panoptes_canon_bayer_crops": {
        "noheader": ("other", "", None),
        "pole": ("other", "", "022071246706"),
        "rotation": ("other", "", "022071246706"),
        "": ("other", "", "XXXXXX (012070048413)"),
    },
    "saao_ste3_overscan": {"a8280271": ("object", "", "STE3 CCD")},
    "seestar_s50_bayer": {"Light_": ("object", "1x1", "Seestar S50")},
    "stonybrook_stl1001": {
        "bias": ("bias", "1x1", "SBIG STL-1001 3 CCD Camera"),
        "darks-": ("dark", "1x1", "SBIG STL-1001 3 CCD Camera"),
        "flat-": ("object", "1x1", "SBIG STL-1001 3 CCD Camera"),
    },
    "uw_st7_flat_ladder": {
        "Pencil": ("flat", "1x1", "SBIG ST-7/7E/7XE"),
        "slitview.0000035": ("bias", "1x1", "SBIG ST-7/7E/7XE"),
    },
}
FLATS_OF_UW = ("slitview.00000357", "slitview.00000358", "slitview.00000359")


@pytest.mark.parametrize("name", RECOGNISED)
def test_every_real_file_is_taken_for_what_it_is(real, name):
    records = scan(real / name, deep=True)
    assert records
    for record in records:
        file = record.path.rsplit("/", 1)[1]
        expected = next(what for start, what in RECOGNISED[name].items() if file.startswith(start))
        if file.startswith(FLATS_OF_UW):
            expected = ("flat", *expected[1:])
        coordinates = record.coordinates
        found = (coordinates["image_type"], coordinates["binning"], record.facts["camera"])
        assert found == expected, record.path
        assert not record.is_master
        assert bool(record.calibrated_because) == (name == "autowisp_calibrated_reference")
        assert record.guesses == ()


def test_what_is_doubtful_in_real_frames_is_reported(real):
    files = {}
    for record in scan(real, deep=True):
        for doubt in record.doubts:
            files.setdefault(doubt, set()).add(record.path.rsplit("/", 1)[1])
    flats = (
        "IMAGETYP = 'Light Frame' means object, but the name of its file means flat ('flat'); if "
        "the name is right, give a type rule such as 'flat-*' = flat"
    )
    crops = (
        "FILTER = 'RGGB' looks like a Bayer pattern, but there is no BAYERPAT, which would show "
        "it; if the camera has one, --channels with the colours of the first two rows as "
        "they are stored, which need not be these, chooses them"
    )
    assert set(files) == {flats, crops}
    assert {name.split("-")[0] for name in files[flats]} == {"flat"}
    assert files[crops] == {"solved.fits.fz", "tiny.fits", "unsolved.fits"}


def test_a_rule_makes_flats_of_lights(real):
    types = {"flat-*": "flat"}
    records = scan(real / "stonybrook_stl1001", types=types)
    kinds = {record.coordinates["image_type"] for record in records}
    assert kinds == {"bias", "dark", "flat"}
    assert unused_rules(records, types) == []
    assert all(record.doubts == () for record in records)


def test_names_state_what_the_headers_of_a_real_set_would(real):
    """Without the number by which CCDSoft states it, the names of this set state the same."""
    usual = KeywordAliases()
    wordless = dataclasses.replace(usual, cards={**usual.cards, "image_type_code": ()})
    for record in scan(real / "uw_st7_flat_ladder", aliases=wordless):
        word = record.path.rsplit(".", 2)[1]
        kind = word.lower()
        assert record.coordinates["image_type"] == kind
        assert record.guesses == (
            f"no card states a known type; by {word!r} in the name of its file it is a {kind}",
        )


def test_exposures_in_milliseconds_are_read(real):
    for record in scan(real / "msfc_esis_overscan" / "led"):
        assert record.coordinates["exposure"] == 1.999


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
