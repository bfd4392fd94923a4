"""A name that begins with "~" means the home, wherever a name is given."""

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.cli import main
from autowisp_xr.image_calibration import Calibrator, MasterMaker


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home, beside the directory that the process is in, which stays empty."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert os.listdir(tmp_path / "work") == []


@pytest.fixture
def sky():
    return aw.simulate.Night(shape=(20, 24), seed=7, overscan=8)


def test_of_a_store(home, sky):
    back = aw.to_zarr(sky.objects(2), Path("~/n.zarr"), group="g")
    assert (home / "n.zarr" / "g" / "image").is_dir()
    np.testing.assert_array_equal(back["image"].values, sky.objects(2)["image"].values)
    assert aw.open_zarr("~/n.zarr", group="g").sizes["frame"] == 2


def test_of_files_but_not_in_a_value_of_a_header(home, sky):
    frames = sky.objects(1)
    assert aw.to_fits(frames, "~/f/{RAWFNAME}.fits") == [str(home / "f" / "object-0001.fits")]
    frames = frames.assign_coords(frame=np.array(["~"], np.dtypes.StringDType()))
    (path,) = aw.to_fits(frames, str(home / "g") + "/{frame}")
    assert path == str(home / "g" / "~")


def test_of_a_night_its_results_and_its_camera(home, sky):
    for frames in (sky.bias(2), sky.objects(1)):
        aw.to_fits(frames, "~/raw/{RAWFNAME}.fits")
    (home / "camera.toml").write_text(sky.camera.to_toml())
    assert main(["reduce", "~/raw", "-o", "~/out", "--camera", "~/camera.toml"]) == 0
    assert (home / "out" / "masters" / "bias.fits").exists()
    assert "masters" in aw.open_night("~/out")
    more = {"camera": aw.Camera.from_toml("~/camera.toml"), "masters": "~/out/masters"}
    assert len(aw.reduce("~/raw", "~/more", **more).made) == 2
    with pytest.raises(ValueError, match="masters of other nights"):
        aw.reduce("~/raw", home / "more", masters="~/more")


def test_of_what_the_classes_read_and_write(home, sky):
    for frames in (sky.bias(3), sky.objects(1)):
        aw.to_fits(frames, "~/raw/{RAWFNAME}.fits")
    raw = [f"~/raw/bias-000{number}.fits" for number in (1, 2, 3)]
    make = MasterMaker(min_valid_frames=3, min_valid_values=1, outlier_threshold=1.4)
    assert make(raw, "~/made/bias.fits")[0]
    with pytest.raises(FileExistsError, match="exists already"):
        make(raw, "~/made/bias.fits")
    calibrate = Calibrator(
        saturation_threshold=6e4, calibrated_fname="~/made/{RAWFNAME}.fits", gain=1.0,
        bias="~/made/bias.fits",
    )  # fmt: skip
    calibrate("~/raw/object-0001.fits")
    with fits.open(home / "made" / "object-0001.fits") as hdus:
        assert [hdu.name for hdu in hdus][-2:] == ["ERROR", "MASK"]
