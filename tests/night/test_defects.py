"""Defective pixels of a night: found, written, applied; or those of files, or none."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import Flag
from tests.sensors import Sensor, write


@pytest.fixture(scope="module")
def sensor():
    return Sensor(shape=(96, 128), hot=0.01, telegraph=0.01, noisy=0.01, dead=0.003)


@pytest.fixture(scope="module")
def raw(sensor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    for frames in (
        sensor.biases(8),
        sensor.darks(8, exposure=60.0),
        sensor.flats(4, level=3e4),
        sensor.lights(3, exposure=60.0),
    ):
        write(frames, folder)
    return folder


def reduced(sensor, raw, out, **options):
    return aw.reduce(raw, out, camera=sensor.camera(saturation=60000.0), **options)


@pytest.fixture(scope="module")
def night(sensor, raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, reduced(sensor, raw, out)


def lights(out):
    return aw.open_zarr(out / "night.zarr", group="calibrated/V_60s").compute()


def test_another_read_noise_makes_other_defects_of_another_identity(sensor):
    frames = {"biases": sensor.biases(4), "darks": sensor.darks(4, exposure=60.0)}
    first, same, other = (
        aw.measure.defects(**frames, camera=sensor.camera(**facts))
        for facts in ({}, {}, {"read_noise": 50.0})
    )
    first, same, other = map(aw.provenance.identity, (first, same, other))
    assert first == same != other


def test_levels_that_another_camera_subtracts_are_part_of_the_identity(sensor):
    frames = {"biases": sensor.biases(4), "darks": sensor.darks(4, exposure=60.0)}
    first, other = (
        aw.measure.defects(**frames, camera=sensor.camera(bias_level=level)) for level in (0.0, 9.0)
    )
    assert aw.provenance.identity(first) != aw.provenance.identity(other)


def test_defects_that_are_there_are_not_searched_again(sensor, raw, tmp_path, monkeypatch):
    first = reduced(sensor, raw, tmp_path)
    monkeypatch.setattr("autowisp_xr.measure.defective_pixels.SearchedRows.at", None)
    again = reduced(sensor, raw, tmp_path)
    assert [one.notes for one in again.masks] == [one.notes for one in first.masks]


def test_what_a_night_shows_is_applied_and_written(sensor, night):
    out, summary = night
    ((path,),) = [made.files for made in summary.masks]
    assert path == str(out / "masters" / "defects.fits")
    found = aw.open_zarr(out / "night.zarr", group="masters/defects").compute()
    np.testing.assert_array_equal(fits.getdata(path, "MASK"), found["mask"].values[0])
    np.testing.assert_array_equal(fits.getdata(path), found["reason"].values[0])
    frames = lights(out)
    assert ((frames["mask"] & found["mask"]) == found["mask"]).all()
    wrong = sensor.error_ratio(exposure=60.0) > 6
    unusable = (frames["mask"].values[:, 0] & np.uint8(Flag.FAULT)) != 0
    assert unusable[:, wrong].mean() > 0.97
    assert unusable[:, sensor.kinds == ""].mean() < 1e-3
    hot = (sensor.kinds == "hot") & (sensor.rate() < 400)
    assert ((frames["mask"].values[:, 0, hot] & np.uint8(Flag.HOT)) != 0).all()
    assert not unusable[:, hot].any()


def test_the_summary_counts_them(night):
    text = str(night[1])
    assert "master defects: from 20 frames; masters/defects.fits" in text
    assert "are not usable (" in text
    assert " unstable" in text
    assert " hot, which are flagged and" in text
    table = night[1].table()
    biases = table["product"].values[table["image_type"].values == "bias"]
    assert set(biases.tolist()) == {"masters/bias"}


def test_none_are_looked_for_on_request(sensor, raw, tmp_path):
    summary = reduced(sensor, raw, tmp_path, defects="none")
    assert not (tmp_path / "masters" / "defects.fits").exists()
    assert "defects" not in str(summary)
    assert not (lights(tmp_path)["mask"].values & np.uint8(Flag.HOT)).any()


def test_a_mask_of_another_night_or_program_takes_their_place(sensor, raw, night, tmp_path):
    reduced(sensor, raw, tmp_path / "a", defects=night[0] / "masters" / "defects.fits")
    np.testing.assert_array_equal(lights(tmp_path / "a")["mask"], lights(night[0])["mask"])
    bad = np.zeros(sensor.shape, np.int16)
    bad[5, 6] = 3
    fits.writeto(tmp_path / "bpm.fits", bad)
    summary = reduced(sensor, raw, tmp_path / "b", defects=[tmp_path / "bpm.fits"])
    masks = lights(tmp_path / "b")["mask"].values
    assert (masks[:, 0, 5, 6] & np.uint8(Flag.FAULT)).all()
    assert not (masks & np.uint8(Flag.HOT)).any()
    assert summary.exit_status == 0


def test_a_mask_turned_round_or_of_another_size_is_reported(sensor, raw, tmp_path):
    fits.writeto(tmp_path / "good.fits", np.ones(sensor.shape, np.uint8))
    with pytest.raises(aw.BadImageError, match=r"good\.fits: 100 % of its pixels.*1 - pixels"):
        reduced(sensor, raw, tmp_path / "out", defects=tmp_path / "good.fits")
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError, match=r"nothing\.fits"):
        reduced(sensor, raw, tmp_path / "out", defects=tmp_path / "nothing.fits")
    fits.writeto(tmp_path / "small.fits", np.zeros((5, 6), np.uint8))
    summary = reduced(sensor, raw, tmp_path / "out", defects=tmp_path / "small.fits")
    assert "DOUBT: no mask of --defects has the size (1, 96, 128)" in str(summary)


def test_a_second_run_finds_all_done(sensor, raw, night):
    out, first = night
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*.fits")}
    again = reduced(sensor, raw, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.fits")} == files
    assert str(again).replace("; up to date", "") == str(first)
