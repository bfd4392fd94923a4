"""The steps one after another, with files and classes as they are."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.cli import main

GAIN, READ_NOISE = 1.5, 8.0

OPTIONS = f"""
[calibrate]
exposure-start-utc = "DATE_OBS"
gain = {GAIN}
read-noise-electrons = {READ_NOISE}
image-area = "0,32,0,24"
overscans = "median:32,64,0,24"
leak-directions = ["0,1", "0,-1"]
verbose = "warning"

[stack]
outlier-threshold = 2.5
min-valid-frames = 4
add-averaged-keywords = []
"""


@pytest.fixture
def night(tmp_path, monkeypatch):
    """Raw biases and objects of a mono camera, and a file with options."""
    monkeypatch.chdir(tmp_path)
    sky = simulate.Night(shape=(24, 32), seed=1, gain=GAIN)
    for frames in (sky.bias(9), sky.objects(9)):
        aw.to_fits(frames, "raw/{RAWFNAME}.fits")
    (tmp_path / "options.toml").write_text(OPTIONS, encoding="utf-8")
    return sky


def test_biases_become_a_master_that_calibrates_objects(night, tmp_path, capsys):
    step = ("calibrate", "raw", "-c", "options.toml")
    assert main([*step, "--calibrate-only-if", "RAWFNAME.startswith('bias')"]) == 0
    assert "calibrated 9 of 18 frames\nleft out:\n" in capsys.readouterr().out
    calibrated = sorted(path.name for path in (tmp_path / "CAL").iterdir())
    assert calibrated == [f"bias-000{n}_mono.fits.fz" for n in range(1, 10)]

    name = "{PROJECT_HOME}/MASTERS/bias_{CLRCHNL}_{MIN_VALID_FRAMES}.fits"
    assert main(["stack", "CAL", "-c", "options.toml", "--stacked-master-fname", name]) == 0
    master = tmp_path / "MASTERS" / "bias_mono_4.fits"
    assert f"{master}: median of 9 frames\nstacked:\n  CAL/bias-0001" in capsys.readouterr().out
    with fits.open(master) as file:
        assert file[0].header["NUMFCOMB"] == 9
        assert abs(np.median(file[0].data)) < 3 * READ_NOISE / GAIN

    status = main(
        [
            *(*step, "--calibrate-only-if", "RAWFNAME.startswith('object')"),
            *("--master-bias", str(master), "--calibrated-fname", "SCI/{RAWFNAME}.fits"),
        ]
    )
    assert status == 0
    with fits.open(tmp_path / "SCI" / "object-0001.fits") as file:
        header = file[0].header
        assert header["CALBGAIN"] == GAIN
        assert "PROJHOME" not in header
        assert header["MBIASFNM"].endswith("bias_mono_4.fits")
        assert header["JD-OBS"] > 2.46e6
        assert file[0].data.shape == (24, 32)


def test_a_frame_that_is_damaged_is_listed_and_the_others_are_done(night, tmp_path, capsys):
    whole = (tmp_path / "raw" / "bias-0002.fits").read_bytes()
    (tmp_path / "raw" / "bias-0002.fits").write_bytes(whole[:3000])
    assert main(["calibrate", "raw/bias*", "-c", "options.toml"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("calibrated 8 of 9 frames\nfailed:\n  raw/bias-0002.fits: ")
    assert len(list((tmp_path / "CAL").iterdir())) == 8


def test_what_exists_is_not_replaced_unless_allowed(night, capsys):
    step = ["calibrate", "raw/bias-0001.fits", "-c", "options.toml"]
    assert main(step) == 0
    assert main(step) == 1
    assert "exists already" in capsys.readouterr().out
    assert main([*step, "--allow-overwrite"]) == 0


def test_a_master_that_is_not_there_stops_before_the_first_frame(night, tmp_path, capsys):
    assert main(["calibrate", "raw", "-c", "options.toml", "--master-dark", "no.fits"]) == 1
    assert "no.fits" in capsys.readouterr().err
    assert not (tmp_path / "CAL").exists()


def test_channels_become_files_of_their_own(night, tmp_path):
    split = ["--split-channels", "R(0;0)", "G(1;0)", "--raw-hdu", "R:0", "G:0"]
    assert main(["calibrate", "raw/object-0001.fits", "-c", "options.toml", *split]) == 0
    shapes = {
        path.name: fits.getdata(path, 1).shape for path in sorted((tmp_path / "CAL").iterdir())
    }
    assert shapes == {
        "object-0001_G.fits.fz": (12, 16),
        "object-0001_R.fits.fz": (12, 16),
    }


@pytest.mark.parametrize("average", ["mean", "min", "quantile:0.7"])
def test_every_average_makes_a_master(night, tmp_path, average):
    assert main(["calibrate", "raw/bias*", "-c", "options.toml"]) == 0
    stated = ["-c", "options.toml", "--average-func", average, "--stacked-master-fname", "m.fits"]
    assert main(["stack", "CAL", *stated]) == 0
    assert np.isfinite(fits.getdata(tmp_path / "m.fits")).all()


def test_what_reduce_left_is_stacked_by_the_command(night, tmp_path):
    aw.reduce("raw", "out", camera=aw.Camera(gain=GAIN, read_noise=READ_NOISE))
    name = str(tmp_path / "deep.fits")
    files = [str(path) for path in (tmp_path / "out" / "calibrated").rglob("*.fits")]
    step = ["stack", *files, "--min-valid-frames", "3", "--outlier-threshold", "2"]
    step += ["--stacked-master-fname", name]
    assert main(step) == 0
    middles = [aw.open_fits(file)["time"].values[0].astype("i8") for file in files]
    found = (fits.getheader(name)["JD-OBS"] - 2_440_587.5) * 86_400e9
    assert abs(found - np.median(middles)) < 1e6  # nanoseconds, of a Julian date in float64
