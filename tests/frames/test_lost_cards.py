"""What a master knows of its frames comes back from FITS, though their headers differed."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.headers.cards import value_of

NUMBERS = ("exposure", "temperature")
NAMES = ("EXPTIME", "CCD-TEMP", "FILTER", "DATE-AVG")


@pytest.fixture
def frames(tmp_path):
    """Writer of raw frames, with cards whose values are lists: one for each."""

    def write(number=3, **cards):
        paths = []
        for i in range(number):
            described = {
                name: value[i] if isinstance(value, list) else value
                for name, value in {"IMAGETYP": "dark", **cards}.items()
            }
            paths.append(tmp_path / f"dark{i}.fits")
            image = np.arange(i, i + 12, dtype="u2").reshape(3, 4)
            fits.PrimaryHDU(image, fits.Header(described)).writeto(paths[-1], overwrite=True)
        return aw.open_fits(paths)

    return write


def through(master, tmp_path, name="master.fits"):
    """A master that was written and read, and the header of its file."""
    (path,) = aw.to_fits(master, tmp_path / name, overwrite=True)
    return schema.as_master(aw.open_fits(path)), fits.getheader(path)


def test_what_differed_a_little_comes_back_as_its_mean(frames, tmp_path):
    dark = aw.stack(
        frames(
            EXPTIME=[60.0, 60.25, 60.5],
            FILTER=["V", " V", "V "],
            **{"CCD-TEMP": [-20.25, -20.0, -19.75], "SET-TEMP": -21.0},
            **{"DATE-OBS": [f"2024-03-01T21:0{i}:00.123456789" for i in range(3)]},
        ),
        "mean",
    )
    back, header = through(dark, tmp_path)
    assert (header["EXPTIME"], header["CCD-TEMP"], header["SET-TEMP"]) == (60.25, -20.0, -21.0)
    assert header["DATE-AVG"] == "2024-03-01T21:01:30.248456789"
    assert header.comments["EXPTIME"] == "[s] mean of the frames"
    for name in (*NUMBERS, "time", "filter"):
        assert back[name].values == dark[name].values, name


def test_nothing_is_stated_twice(frames, tmp_path):
    described = {"EXPOSURE": 30.0, "CAMTEMP": -10.0, "FILT": "R", "DATE-OBS": "2024-03-01T21:00:00"}
    dark = aw.stack(frames(**described), "mean")
    back, header = through(dark, tmp_path)
    assert set(NAMES) & set(header) == {"DATE-AVG"}
    for name in (*NUMBERS, "time", "filter"):
        assert back[name].values == dark[name].values, name


def test_what_is_not_known_is_not_stated(frames, tmp_path):
    dark = aw.stack(frames(FILTER=["V", "R", "B"]), "mean")
    back, header = through(dark, tmp_path)
    assert not set(NAMES) & set(header)
    assert np.isnan(back["exposure"])
    assert np.isnat(back["time"])
    assert str(back["filter"].values) == ""


def test_a_measured_temperature_goes_before_the_one_that_was_set(frames, tmp_path):
    dark = aw.stack(frames(**{"CCD-TEMP": [-9.0, -10.0, -10.7], "CAMTEMP": -10.0}), "mean")
    back, header = through(dark, tmp_path)
    assert header["CAMTEMP"] == -10.0
    assert back["temperature"].values == dark["temperature"].values == header["CCD-TEMP"]


def test_a_card_that_all_frames_bear_is_not_replaced(frames, tmp_path):
    dark = aw.stack(frames(FILTER="V", EXPTIME=30.0, **{"CCD-TEMP": -20.0}), "mean")
    other = dark.assign_coords(filter="R", exposure=60.0, temperature=5.0)
    _, header = through(other, tmp_path)
    assert (header["FILTER"], header["EXPTIME"], header["CCD-TEMP"]) == ("V", 30.0, -20.0)


@pytest.mark.parametrize("scale", ["TAI", "TT", "UTC"])
def test_dates_are_in_the_scale_that_the_header_names(frames, tmp_path, scale):
    dates = [f"2024-03-01T21:0{i}:00" for i in range(3)]
    dark = aw.stack(frames(TIMESYS=scale, EXPTIME=10.0, **{"DATE-OBS": dates}), "mean")
    back, header = through(dark, tmp_path)
    assert header["DATE-AVG"].startswith("2024-03-01T21:01:05")
    assert abs(back["time"].values - dark["time"].values) < np.timedelta64(10, "ns")


def test_exposures_that_only_the_user_could_give_apart_are_left_alone(tmp_path):
    paths = []
    for i in range(2):
        header = fits.Header({"IMAGETYP": "dark", "EXPOSURE": 1.0, "ITIME": 60.0})
        header["CCD-TEMP"] = -20.0 - i
        paths.append(tmp_path / f"{i}.fits")
        fits.PrimaryHDU(np.ones((3, 4), "u2"), header).writeto(paths[-1])
    mine = aw.KeywordAliases().extended(exposure="ITIME")
    dark = aw.stack(aw.open_fits(paths, aliases=mine), "mean")
    (path,) = aw.to_fits(dark, tmp_path / "master.fits")
    header = fits.getheader(path)
    assert (header["EXPOSURE"], header["ITIME"], header["CCD-TEMP"]) == (1.0, 60.0, -20.5)
    assert "EXPTIME" not in header
    assert aw.open_fits(path, aliases=mine)["exposure"].values == 60.0


def test_frames_do_not_know_what_masters_are(frames, tmp_path):
    ds = frames().assign_coords(exposure=("frame", [1.0, 2.0, 3.0]))
    for path in aw.to_fits(ds, tmp_path / "out" / "{frame}.fits"):
        assert value_of(fits.getheader(path), "EXPTIME") is None


def test_a_master_without_a_header_gives_what_it_knows(tmp_path):
    night = aw.simulate.Night(shape=(16, 20), seed=3)
    dark = aw.stack(night.dark(3), "mean").drop_vars("header")
    back, header = through(dark, tmp_path)
    assert header["EXPTIME"] == float(dark["exposure"])
    assert back["time"].values == dark["time"].values


def test_a_simulated_master_comes_back_as_it_was(tmp_path):
    night = aw.simulate.Night(shape=(16, 20), seed=3, channels="RGGB")
    flat = aw.master_flat(night.flat(3), bias=aw.master_bias(night.bias(3))).high
    paths = aw.to_fits(flat, tmp_path / "flat_{CLRCHNL}.fits")
    back = schema.as_master(aw.open_fits(paths))
    for name in ("exposure", "time", "filter", "temperature", "image_type"):
        np.testing.assert_array_equal(back[name].values, flat[name].values, err_msg=name)
    np.testing.assert_array_equal(back["image"].values, flat["image"].values)


def test_the_setting_of_the_camera_goes_through_stores_masters_and_files(frames, tmp_path):
    ds = frames(
        INSTRUME="cam",
        OFFSET=[30, "30", 30.0],
        GAIN=["120", 120, 120],
        READOUTM="fast",
        ROWORDER="TOP-DOWN",
        XORGSUBF=500,
        YORGSUBF=300,
        FILTER1="open",
        FILTER2="R",
    )
    known = {
        **{"camera": "cam", "readout_mode": "fast", "orientation": "TOP-DOWN", "filter": "R"},
        **{"window": "[501:504,301:303]", "offset": 30.0, "gain_setting": 120.0},
    }
    stored = ds.autowisp.to_zarr(tmp_path / "a.zarr")
    master = aw.stack(stored, "mean")
    back, header = through(master, tmp_path)
    assert (header["OFFSET"], header["GAINSET"]) == (30.0, 120.0)
    for name, value in known.items():
        assert set(stored[name].values.tolist()) == {value}, name
        assert master[name].item() == back[name].item() == value, name
    assert np.isnan(master["coadds"])
    assert np.isnan(master["egain"])
