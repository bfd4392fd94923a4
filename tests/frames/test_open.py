import json
import time

import numpy as np
import pytest
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import BadImageError, HeaderError, ImageMismatchError
from autowisp_xr.frames import open_records, scan
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.opening import AutowispBackend, open_fits


def options(ds):
    return provenance.history(ds)[-1]["options"]


def bayer(channel, y, x, raw_name="r1", **more):
    return {
        "RAWFNAME": raw_name,
        "CLRCHNL": channel,
        "CHNLYOFF": y,
        "CHNLYSTP": 2,
        "CHNLXOFF": x,
        "CHNLXSTP": 2,
        "IMAGAREA": "4 < x < 18, 2 < y < 12",
        **more,
    }


def test_raw_frames_open_as_a_frame_set(raw, ramp):
    paths = [
        raw("f10.fits", cards={"DATE-OBS": "2024-01-02T03:04:05", "FILTER": "V"}),
        raw("f9.fits.fz", cards={"RA": "01:00:00", "DEC": -30.5, "OBJECT": "M1", "GAIN": 80}),
    ]
    ds = open_fits(paths)
    schema.check(ds)
    assert schema.is_raw(ds)
    assert ds.image.dims == schema.DIMS
    assert ds.image.attrs["units"] == "adu"
    assert ds.image.chunks is None
    assert list(ds.frame.values) == ["f10", "f9"]
    assert list(ds.channel.values) == ["mono"]
    assert ds.time.values[0] == np.datetime64("2024-01-02T03:04:20")
    assert np.isnat(ds.time.values[1])
    np.testing.assert_array_equal(ds.exposure, [30, 30])
    np.testing.assert_array_equal(ds.ra, [np.nan, 15])
    np.testing.assert_array_equal(ds.gain_setting, [np.nan, 80])
    assert list(ds["filter"].values) == ["V", ""]
    assert list(ds.path.values) == [str(path) for path in paths]
    assert "OBJECT  = 'M1" in str(ds.header.values[1])
    assert isinstance(ds.header.dtype, np.dtypes.StringDType)
    assert Camera.from_json(ds.attrs["camera"]) == Camera()
    (step,) = provenance.history(ds)
    assert step["verb"] == "open_fits"
    assert [file["path"] for file in step["inputs"]] == [str(path) for path in paths]
    np.testing.assert_array_equal(ds.image[0, 0], ramp("uint16"))


def test_the_identity_of_a_set_is_that_of_its_files(raw):
    paths = [raw("a.fits"), raw("b.fits")]
    one, two = open_fits(paths), open_fits(paths)
    assert provenance.identity(one) == provenance.identity(two)
    assert provenance.identity(one) != provenance.identity(open_fits(paths[:1]))


def test_facts_of_the_header_complete_the_camera(raw):
    path = raw(cards={"EGAIN": 2.0, "RDNOISE": 5.0, "SATURATE": 60000.0, "TRIMSEC": "[2:7,1:5]"})
    camera = Camera.from_json(
        open_fits(path, camera=Camera(gain=3.0, bias_level=100)).attrs["camera"]
    )
    assert (camera.gain, camera.read_noise, camera.saturation) == (3.0, 5.0, 59900.0)
    assert camera.image_area.xmin == 1


@pytest.mark.parametrize(
    ("cards", "resolved"),
    [
        (({"EGAIN": 2.0}, {"EGAIN": 2.1}), Camera(gain=2.0)),
        (({"BAYERPAT": "RGGB"}, {"BAYERPAT": "BGGR"}), Camera(channels="RGGB")),
    ],
)
def test_headers_that_disagree_on_the_camera_are_an_error_unless_it_is_given(raw, cards, resolved):
    paths = [raw(f"{i}.fits", cards=entry) for i, entry in enumerate(cards)]
    with pytest.raises(
        HeaderError, match=r"disagree .*0\.fits gives .*1\.fits gives .* give a Camera"
    ):
        open_fits(paths)
    assert open_fits(paths, camera=resolved).sizes["frame"] == 2


def test_odd_sized_mosaics_leave_out_incomplete_super_pixels_and_state_so(raw, ramp):
    ds = open_fits(raw(cards={"BAYERPAT": "GRBG"}))
    assert list(ds.channel.values) == ["G1", "R", "B", "G2"]
    assert dict(ds.sizes) == {"frame": 1, "channel": 4, "y": 2, "x": 3}
    assert options(ds)["left_out"] == {"rows": 1, "columns": 1}
    assert list(ds.y.values) == [0, 2]
    assert list(ds.x.values) == [0, 2, 4]
    assert list(ds.x_offset.values) == [0, 1, 0, 1]
    np.testing.assert_array_equal(ds.image.sel(channel="R")[0], ramp("uint16")[0:4:2, 1:6:2])


def test_a_frame_smaller_than_a_super_pixel_is_an_error(raw):
    with pytest.raises(ImageMismatchError, match="less than one super-pixel"):
        open_fits(raw(data=np.zeros((1, 7), "uint16")), camera=Camera(channels="RGGB"))


def test_a_channel_may_be_an_hdu(product):
    path = product(planes=("image", "x", "y"), cards={"OBJECT": "M1"})
    plain = open_fits(path, hdu={"red": 0, "blue": 2})
    assert list(plain.channel.values) == ["red", "blue"]
    assert list(plain.y_step.values) == [1, 1]
    assert options(plain)["hdu"] == {"red": 0, "blue": 2}
    camera = Camera(channels={"red": (slice(0, None, 2),) * 2, "blue": (slice(1, None, 2),) * 2})
    placed = open_fits(path, hdu={"red": 0, "blue": 2}, camera=camera)
    assert list(placed.y.values) == [0, 2, 4, 6, 8]
    assert list(placed.x_offset.values) == [0, 1]
    with pytest.raises(ImageMismatchError, match="names the channels green"):
        open_fits(path, hdu={"red": 0, "green": 1}, camera=camera)


@pytest.fixture
def product(product):
    def write(name="p.fits", planes=("image", "error", "mask"), **kwargs):
        known = {"x": "image", "y": "image"}
        return product(name, tuple(known.get(plane, plane) for plane in planes), **kwargs)

    return write


def test_products_open_with_variance_and_mask_where_they_lie(product):
    ds = open_fits(product(cards=bayer("R", 0, 1, CALBGAIN=2.5, EGAIN=1.0, BAYERPAT="GRBG")))
    schema.check(ds)
    assert ds.image.dtype == ds.variance.dtype == np.float32
    assert ds.mask.dtype == np.uint8
    assert ds.mask.attrs["standard_name"] == "status_flag"
    assert list(ds.channel.values) == ["R"]
    assert list(ds.y.values) == [2, 4, 6, 8, 10]
    assert list(ds.x.values) == [4, 6, 8, 10, 12, 14, 16]
    assert (int(ds.y_offset[0]), int(ds.x_offset[0])) == (0, 1)
    assert list(ds.frame.values) == ["r1"]
    camera = schema.camera_of(ds)
    assert camera.gain == 2.5
    assert list(camera.channels) == ["R"]


def test_files_of_one_raw_name_are_channels_of_one_frame(product):
    paths = [
        product(f"{name}_{channel}.fits", cards=bayer(channel, y, x, name, CALBGAIN=gain))
        for name in ("a", "b")
        for channel, y, x, gain in [("B", 1, 1, 2.0), ("G1", 0, 1, 2.0), ("R", 0, 0, 2.5)]
    ]
    ds = open_fits(paths)
    assert list(ds.frame.values) == ["a", "b"]
    assert list(ds.channel.values) == ["R", "G1", "B"]
    assert schema.camera_of(ds).gain == {"R": 2.5, "G1": 2.0, "B": 2.0}
    with pytest.raises(ImageMismatchError, match=r"b_B\.fits there is no file of the channel R"):
        open_fits(paths[:-1])


def test_channels_of_a_master_belong_together_by_their_names(product):
    paths = [
        product(f"flat_{channel}_night1.fits", cards={"CLRCHNL": channel, "IMAGETYP": "masterflat"})
        for channel in ("R", "B")
    ]
    ds = open_fits(paths)
    assert dict(ds.sizes)["channel"] == 2
    assert list(ds.frame.values) == ["flat_night1"]
    assert ds.image.attrs["units"] == "1"
    for file in provenance.history(ds)[0]["inputs"]:
        assert any("dimensionless" in guess for guess in file["guesses"])


def test_frames_of_one_name_in_two_directories_stay_two(product, raw):
    paths = [product(f"{night}/r1_R.fits", cards=bayer("R", 0, 0)) for night in ("mon", "tue")]
    assert list(open_fits(paths).frame.values) == ["mon/r1", "tue/r1"]
    assert list(open_fits([raw("mon/a.fits"), raw("tue/a.fits")]).frame.values) == [
        "mon/a",
        "tue/a",
    ]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (bayer("R", 0, 0, "r2", IMAGAREA="5 < x < 19, 2 < y < 12"), "row 2, column 5"),
        (bayer("R", 0, 1, "r2"), "the channel R lies at different places"),
        (bayer("R", 0, 0, "r2", BUNIT="electron"), "differ in units"),
    ],
)
def test_products_that_do_not_go_together_are_refused(product, second, message):
    paths = [product("a.fits", cards=bayer("R", 0, 0)), product("b.fits", cards=second)]
    with pytest.raises(ImageMismatchError, match=message):
        open_fits(paths)


def test_raw_and_calibrated_files_are_not_mixed(product, raw):
    with pytest.raises(ImageMismatchError, match=r"do not go together; raw are .*a\.fits"):
        open_fits([raw("a.fits"), product()])


def test_planes_that_only_some_files_have_are_an_error(product):
    paths = [product("a.fits"), product("b.fits", planes=("image", "mask"))]
    with pytest.raises(
        ImageMismatchError, match=r"a\.fits has a plane of 'error', but .*b\.fits not"
    ):
        open_fits(paths)


def test_files_of_other_shapes_are_named(raw):
    paths = [raw("a.fits"), raw("b.fits"), raw("c.fits", np.zeros((7, 5), "uint16"))]
    with pytest.raises(
        ImageMismatchError, match=r"5 x 7: .*a\.fits, .*b\.fits\n.*7 x 5: .*c\.fits"
    ):
        open_fits(paths)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("ADU", "adu"), ("counts", "adu"), ("electrons", "electron"), ("1", "1"), ("Jy", "Jy")],
)
def test_units_come_from_bunit(raw, unit, expected):
    assert open_fits(raw(cards={"BUNIT": unit})).image.attrs["units"] == expected


def test_bad_files_raise_or_are_left_out_with_their_reasons(raw, tmp_path):
    raw("a.fits")
    raw("b.fits", cards={"EXPOSURE": 99.0})
    (tmp_path / "c.fits").write_bytes(b"")
    with pytest.raises(HeaderError, match=r"b\.fits: EXPTIME gives"):
        open_fits(tmp_path)
    ds = open_fits(tmp_path, on_error="skip")
    assert list(ds.frame.values) == ["a"]
    skipped = provenance.history(ds)[0]["of_set"]["skipped"]
    assert skipped[str(tmp_path / "b.fits")].endswith('(or "EXPOSURE")')
    assert "is empty" in skipped[str(tmp_path / "c.fits")]
    with pytest.raises(
        BadImageError, match=r"none of the 1 files can be opened:\n.*c\.fits is empty"
    ):
        open_fits(tmp_path / "c.fits", on_error="skip")
    preferring = KeywordAliases().extended(exposure="EXPOSURE")
    assert open_fits(tmp_path / "b.fits", aliases=preferring).exposure == 99.0


@pytest.mark.parametrize("wrong", [{"on_error": "ignore"}, {"dtype": "int16"}])
def test_misspelt_options_are_refused(raw, wrong):
    with pytest.raises(ValueError, match="not"):
        open_fits(raw(), **wrong)


def test_mixed_types_become_one_that_holds_both(raw, ramp):
    ds = open_fits([raw("a.fits"), raw("b.fits", ramp("int16"))])
    assert ds.image.dtype == np.int32
    np.testing.assert_array_equal(ds.image[1, 0], ramp("int16"))
    assert open_fits(raw("c.fits"), dtype="float32").image.dtype == np.float32


def test_an_unknown_exposure_is_recorded_as_a_guess(raw):
    path = raw(cards={"EXPTIME": "", "DATE-OBS": "2024-01-02T03:04:05"})
    ds = open_fits(path)
    assert ds.time.values[0] == np.datetime64("2024-01-02T03:04:05")
    (file,) = provenance.history(ds)[0]["inputs"]
    assert file["guesses"] == ["the exposure is not known; a start counts as the middle"]


def test_scan_gives_what_is_there(raw, product, tmp_path):
    raw("a.fits")
    product("b.fits", cards={"IMAGETYP": "masterdark"})
    (tmp_path / "c.fits").write_bytes(b"no")
    a, b, c = scan(tmp_path)
    assert (a.shape, list(a.layout.planes)) == ((5, 7), ["image"])
    assert (a.is_master, a.error) == (False, None)
    assert (list(b.layout.planes), b.is_master) == (["image", "error", "mask"], True)
    assert b.coordinates["image_type"] == "dark"
    assert isinstance(c.error, BadImageError)
    assert (c.layout.planes, c.shape) == ({}, None)


def test_records_open_as_their_files_do_with_the_same_history(raw, product, tmp_path):
    (tmp_path / "c.fits").write_bytes(b"")
    mosaics = [
        raw("a.fits", cards={"BAYERPAT": "RGGB"}),
        raw("x.BIAS.fits", cards={"IMAGETYP": ""}),
    ]
    colours = product("p.fits", planes=("image", "x", "y"), cards={"OBJECT": "M1"})
    mine = KeywordAliases().extended(exposure="EXPTIME")
    for paths, looked, opened in (
        (mosaics, {}, {}),
        (mosaics, {"types": {"a*": "flat"}, "aliases": mine}, {}),
        (mosaics, {}, {"camera": Camera(channels="BGGR"), "dtype": "float32"}),
        ([*mosaics, tmp_path / "c.fits"], {}, {"on_error": "skip"}),
        (colours, {"hdu": {"red": 0, "blue": 2}}, {}),
        (colours, {"hdu": 1}, {}),
    ):
        expected = open_fits(paths, **looked, **opened)
        records = scan(paths, **looked)
        for found in (open_records(records, **opened), open_records(tuple(records), **opened)):
            xr.testing.assert_identical(
                found.drop_attrs(deep=False), expected.drop_attrs(deep=False)
            )
            assert list(options(found).items()) == list(options(expected).items())
            assert provenance.identity(found) == provenance.identity(expected)
            assert found.attrs["camera"] == expected.attrs["camera"]
    assert options(open_records(records[:1], hdu=1)) == options(expected)


def test_records_are_not_looked_into_again(raw, monkeypatch):
    records = scan([raw("a.fits"), raw("b.fits")], types={"*": "flat"})
    monkeypatch.setattr("autowisp_xr.frames.scanning.read_layout", None)
    ds = open_records(records[1:])
    assert (list(ds.frame.values), list(ds.image_type.values)) == (["b"], ["flat"])
    assert options(ds)["types"] == {"*": "flat"}


def test_records_that_cannot_be_opened_state_why(raw, tmp_path):
    with pytest.raises(ValueError, match="no record to open"):
        open_records([])
    (tmp_path / "c.fits").write_bytes(b"")
    records = scan([raw("a.fits"), tmp_path / "c.fits"])
    with pytest.raises(BadImageError, match=r"c\.fits is empty"):
        open_records(records)
    with pytest.raises(ValueError, match="on_error is 'raise' or 'skip'"):
        open_records(records, on_error="pass")
    with pytest.raises(ValueError, match="dtype is 'float32' or 'float64'"):
        open_records(records, dtype="int16")
    assert open_records(records, on_error="skip").sizes["frame"] == 1


def test_binning_goes_along_with_frames_masters_and_stores(raw, tmp_path):
    import autowisp_xr as aw

    two = {"XBINNING": 2, "YBINNING": 2, "EGAIN": 1.0, "RDNOISE": 3.0, "IMAGETYP": "bias"}
    paths = [raw(f"{i}.fits", np.full((5, 7), i, "uint16"), cards=two) for i in range(3)]
    paths.append(raw("one.fits", np.full((5, 7), 3, "uint16"), two | {"CCDSUM": "1 1"}))
    mixed = raw("none.fits", np.full((5, 7), 9, "uint16"), cards={"XBINNING": 2})
    ds = open_fits([*paths, mixed])
    assert list(ds.binning.values) == ["2x2"] * 4 + [""]
    assert isinstance(ds.binning.dtype, np.dtypes.StringDType)
    master = aw.master_bias(ds.isel(frame=slice(4)))
    assert master.binning.item() == "2x2"
    stored = aw.to_zarr(master, tmp_path / "s.zarr")
    assert stored.binning.item() == "2x2"
    (written,) = aw.to_fits(master, tmp_path / "bias.fits")
    assert open_fits(written).binning.values.tolist() == ["2x2"]
    stacked = aw.stack(ds.assign_coords(image_type=("frame", ["object"] * 5)), min_frames=1)
    assert stacked.binning.item() == ""


def test_a_hundred_files_open_in_a_moment(raw):
    paths = [raw(f"{i}.fits", cards={f"KEY{j}": j for j in range(50)}) for i in range(100)]
    start = time.perf_counter()
    open_fits(paths)
    assert time.perf_counter() - start < 1.0


def test_xarray_opens_the_same(raw, product):
    paths = [str(raw("a.fits")), str(raw("b.fits"))]
    camera = Camera(channels="RGGB")
    ds = xr.open_dataset(paths[0], engine="autowisp", camera=camera)
    xr.testing.assert_equal(ds, open_fits(paths[0], camera=camera))
    assert xr.open_dataset(paths, engine="autowisp").sizes["frame"] == 2
    xr.testing.assert_equal(xr.open_dataset(paths[1]), open_fits(paths[1]))
    assert "mask" not in xr.open_dataset(product(), engine="autowisp", drop_variables="mask")
    chunked = xr.open_dataset(paths[0], engine="autowisp", chunks={})
    xr.testing.assert_equal(chunked.compute(), open_fits(paths[0]))


def test_the_backend_guesses_by_suffix_and_content(raw, tmp_path):
    guess = AutowispBackend().guess_can_open
    assert guess(raw("a.fits"))
    assert guess(str(raw("b.FIT")))
    assert guess(raw("c.fits.gz"))
    (tmp_path / "d.fits").write_bytes(b"no")
    raw("e.fits").rename(tmp_path / "e.dat")
    for wrong in (tmp_path / "d.fits", tmp_path / "e.dat", tmp_path / "none.fits", [], 3):
        assert not guess(wrong)


def test_attributes_are_json(raw):
    ds = open_fits(raw())
    assert ds.attrs["schema_version"] == schema.SCHEMA_VERSION
    assert isinstance(json.loads(ds.attrs["history"]), list)
