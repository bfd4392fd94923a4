"""``camera`` as it is called from a terminal, on a sensor whose truth is known and on real sets."""

import shutil
import tomllib

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import Camera
from autowisp_xr.cli import main
from tests.sensors import Sensor, write


@pytest.fixture(scope="module")
def sensor():
    return Sensor(shape=(96, 128), dark_rate=2.0, hot=0.002)


@pytest.fixture(scope="module")
def folder(sensor, tmp_path_factory):
    """Flats, biases, and darks of two exposures at two temperatures."""
    raw = tmp_path_factory.mktemp("camera") / "raw"
    write(sensor.flats(4, level=40_000.0), raw)
    for number, degrees in enumerate((-10.0, -16.0)):
        write(sensor.biases(3, first=10 * number, temperature=degrees), raw)
        for exposure in (60, 200):
            first = 10 * number + exposure
            write(sensor.darks(2, exposure=exposure, first=first, temperature=degrees), raw)
    return raw


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(capsys, *arguments, status=3):
    """Call the command; return what it prints, and the numbers of each quantity."""
    assert main(["camera", *map(str, arguments)]) == status
    text = capsys.readouterr().out
    lines = dict(line.split(": ", 1) for line in text.splitlines() if " +- " in line)
    return text, {name: float(line.split(" +- ")[0].split()[-1]) for name, line in lines.items()}


def test_everything_that_a_folder_shows_is_measured(sensor, folder, out, capsys):
    text, numbers = measured(capsys, folder)
    assert numbers["gain"] == pytest.approx(sensor.gain, rel=0.03)
    assert numbers["read noise"] == pytest.approx(sensor.camera().read_noise, rel=0.03)
    assert numbers["dark current"] == pytest.approx(sensor.dark_rate / 2, rel=0.03)
    assert numbers["doubling temperature"] == pytest.approx(sensor.doubling, abs=0.2)
    assert "e/s at -16.0 C; " in text
    assert "e/s at -10.0 C, from 8 darks and 3 biases" in text
    assert "from 4 flats and 3 biases" in text
    assert "not measured: saturation: no frame stops at a value" in text
    assert "    for the saturation, take a flat so bright" in text
    assert "not measured: linearity, full well: the flats show no linearity" in text
    hot = int((sensor.kinds == "hot").sum())
    # some are hardly warmer than good pixels, and rays may look alike
    assert hot - 5 <= int(text.split(" are hot")[0].split()[-1]) <= hot + 5
    found = Camera.from_toml("camera.toml")
    assert found.gain == pytest.approx(numbers["gain"], rel=1e-3)
    assert found.dark_doubling == pytest.approx(numbers["doubling temperature"], abs=0.01)
    assert found.saturation is None
    names = {path.name for path in (out / "camera-pictures").iterdir()}
    assert names == {"photon-transfer.png", "dark-current.png", "defects.png"}
    assert int((aw.open_fits("camera-defects.fits")["mask"] == aw.Flag.HOT).sum()) >= hot - 5
    assert found == Camera.from_mapping(tomllib.loads((out / "camera.toml").read_text()))
    assert "# gain: " in (out / "camera.toml").read_text()


def test_reduce_takes_what_was_measured(sensor, folder, out, capsys):
    measured(capsys, folder, "--pictures", "none")
    assert not (out / "camera-pictures").exists()
    shutil.copytree(folder, "night")
    write(sensor.lights(1), out / "night")
    known = ["--camera", "camera.toml", "--defects", "camera-defects.fits"]
    assert main(["reduce", "night", "-o", "out", *known]) == 0
    light = aw.open_zarr("out/night.zarr", group="calibrated/V_60s")
    assert light.autowisp.camera.gain == Camera.from_toml("camera.toml").gain


def test_a_ladder_of_flats_shows_the_bend_and_the_full_well(out, capsys):
    sensor = Sensor(shape=(96, 128), bend=0.05)
    seconds = np.array([1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48])
    seconds = np.insert(seconds, [3, 6, 9], 8)
    write(sensor.flats(len(seconds), level=2500.0 * seconds, exposure=seconds), out / "raw")
    write(sensor.biases(4), out / "raw")
    # of another lamp, an hour before
    other = sensor.flats(2, level=3e4, exposure=8.0, first=100)
    write(other.assign_coords(time=other["time"] - np.timedelta64(8, "h")), out / "raw")
    text, numbers = measured(capsys, "raw", "--pictures", "none")
    assert numbers["linearity"] == pytest.approx(5.0, abs=0.5)
    assert "from 15 flats" in text
    assert numbers["gain"] == pytest.approx(sensor.gain, rel=0.03)
    found = Camera.from_toml("camera.toml")
    # c = e - bend e^2 / full well, in ADU
    assert found.linearity.coefficients[0] == pytest.approx(0.05 * 2 / 8e4, rel=0.1)
    assert found.linearity.covariance
    assert found.saturation == pytest.approx(8e4 / 2 + 600, rel=0.01)


def test_nothing_is_replaced_unless_asked(folder, out, capsys):
    (out / "camera.toml").write_text("gain = 1\n")
    assert main(["camera", str(folder)]) == 1
    assert "camera.toml exists and is not replaced; choose another" in capsys.readouterr().err
    assert (out / "camera.toml").read_text() == "gain = 1\n"
    (out / "own-pictures").mkdir()
    (out / "own-pictures" / "dark-current.png").write_bytes(b"mine")
    (out / "own-defects.fits").write_bytes(b"mine")
    assert main(["camera", str(folder), "-o", "own.toml"]) == 1
    assert "own-pictures/dark-current.png, own-defects.fits exists" in capsys.readouterr().err
    assert not (out / "own.toml").exists()
    measured(capsys, folder, "-o", "own.toml", "--overwrite")
    assert (out / "own-pictures" / "dark-current.png").read_bytes() != b"mine"


def test_what_is_stated_stays_and_makes_the_read_noise(sensor, folder, out, capsys):
    (out / "known.toml").write_text("gain = 4.0\nsaturation = 5e4\n")
    measured(capsys, folder, "--camera", "known.toml", "--pictures", "none")
    found = Camera.from_toml("camera.toml")
    assert (found.gain, found.saturation) == (4.0, 5e4)
    assert found.read_noise == pytest.approx(2 * sensor.camera().read_noise, rel=0.03)


def test_without_frames_it_is_stated_what_to_take(sensor, out, capsys):
    write(sensor.biases(3), out / "raw")
    text, numbers = measured(capsys, "raw", "--pictures", "none")
    assert list(numbers) == ["read noise"]
    assert numbers["read noise"] == pytest.approx(3.01, rel=0.05)
    assert "ADU, from 3 biases" in text
    assert "not measured: gain: there are not two flats" in text
    assert "    for the gain, take two flats of one filter and the same exposure" in text
    assert "not measured: dark current, doubling temperature: there are no darks" in text
    write(sensor.lights(1), out / "lights")
    text, numbers = measured(capsys, "lights", "-o", "none.toml", status=1)
    assert not numbers
    assert not (out / "none.toml").exists()


def test_frames_of_several_setups_make_a_camera_each(sensor, folder, out, capsys):
    shutil.copytree(folder, "raw")
    other = Sensor(shape=(64, 64), gain=1.0)
    for path in [*write(other.flats(2, level=9e3), out / "w"), *write(other.biases(2), out / "w")]:
        path.rename(out / "raw" / f"other-{path.name}")
    measured(capsys, "raw", "--pictures", "none")
    gains = {path.name: Camera.from_toml(path).gain for path in out.glob("*.toml")}
    assert gains == {
        "camera-128x96.toml": pytest.approx(2.0, rel=0.03),
        "camera-64x64.toml": pytest.approx(1.0, rel=0.1),
    }


def test_channels_have_numbers_of_their_own(out, capsys):
    night = aw.simulate.Night(shape=(128, 128), seed=2, channels="RGGB")
    for ds in (night.flat(4, split=False), night.bias(4, split=False)):
        aw.to_fits(ds, out / "raw" / "{RAWFNAME}.fits")
    (out / "rggb.toml").write_text(
        Camera(channels="RGGB", image_area=night.camera.image_area).to_toml()
    )
    text, _ = measured(capsys, "raw", "--camera", "rggb.toml")
    found = Camera.from_toml("camera.toml")
    assert list(found.gain) == ["R", "G1", "G2", "B"]
    assert found.gain["G1"] == pytest.approx(1.5, rel=0.05)
    assert " (R), " in text


def test_files_that_are_left_out_are_named_with_the_reason(sensor, out, capsys):
    (path,) = write(sensor.biases(1), out / "raw")
    fits.setval(path, "IMAGETYP", value="secret")
    path.rename(path.with_name("a.fits"))
    assert main(["camera", "raw"]) == 1
    printed = capsys.readouterr()
    assert "left out: a.fits: of no known type: IMAGETYP = 'secret'" in printed.out
    assert "error: none of 1 files is a raw frame whose type is known" in printed.err


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "options", "gain", "noise"),
    [
        ("stonybrook_stl1001", ["--type", "flat-*=flat"], 1.93, 6.7),
        ("arcsat_flarecam_xo1_2025", [], 1.35, 12.2),
    ],
)
def test_real_frames_agree_with_their_description(name, options, gain, noise, real, out, capsys):
    """Gain in e/ADU and noise of a pair of biases in ADU, as SOURCE.txt has them."""
    (out / "raw").mkdir()
    for kind in ("*[bB]ias*", "*flat*"):
        for path in sorted((real / name).glob(kind))[:4]:
            (out / "raw" / path.name).symlink_to(path)
    text, numbers = measured(capsys, "raw", *options, "--pictures", "none")
    assert numbers["gain"] == pytest.approx(gain, rel=0.02)
    adu = text.split("read noise: ")[1].splitlines()[0].split(", ")[1]
    assert float(adu.split(" +- ")[0]) == pytest.approx(noise, rel=0.02)
