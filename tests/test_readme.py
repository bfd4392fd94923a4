"""What the README and the manual show works when it is pasted."""

import re
import shlex
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import image_calibration, image_smoothing
from autowisp_xr.cli import main
from autowisp_xr.night.demo import pulls

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NIGHT = (ROOT / "notebooks" / "night.md").read_text(encoding="utf-8")
COMING_FROM = (ROOT / "notebooks" / "how-to" / "coming-from.md").read_text(encoding="utf-8")


def test_the_example_for_a_notebook_runs_and_is_right(tmp_path, monkeypatch):
    code, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    sky = aw.simulate.Night(shape=(60, 80), seed=2, gain=0.6, full_well=30_000, cosmic_rays=0.5)
    for frames in (sky.bias(5), sky.dark(5), sky.flat(5), sky.objects(10)):
        aw.to_fits(frames, tmp_path / "night" / "{RAWFNAME}.fits.fz")
    (tmp_path / "camera.toml").write_text(
        f"gain = {sky.camera.gain}\nread_noise = {sky.camera.read_noise}\n"
        f'overscan = ["[81:112,1:60]"]\nimage_area = "[1:80,1:60]"\n'
    )
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "camera.toml",
        "deep.fits",
        "night",
        "night.zarr",
    ]
    truth = sky.truth("object", 10)
    _, width = pulls(names["deep"].compute(), truth["image"][0], truth["mask"].any("frame"))
    assert abs(width - 1) < 0.05
    back = aw.open_fits("deep.fits")
    np.testing.assert_array_equal(back["image"].values[0], names["deep"]["image"].values)


def test_the_camera_file_it_shows_is_one(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", NIGHT, re.DOTALL)
    (tmp_path / "camera.toml").write_text(text, encoding="utf-8")
    assert aw.Camera.from_toml(tmp_path / "camera.toml").gain == 1.38
    # the lines that are commented out are right, too
    lines = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()]
    lines = [line.split("  ")[0] if line.split("  ")[0].count("=") else line for line in lines]
    (tmp_path / "all.toml").write_text("\n".join(lines), encoding="utf-8")
    camera = aw.Camera.from_toml(tmp_path / "all.toml")
    assert camera.image_area.xmin == 16
    assert camera.leak_directions == ((0, 1), (0, -1))


@pytest.fixture
def small_night(tmp_path, monkeypatch):
    """Five bias frames and one of the sky, 64 wide and 48 high, with 8 rows of overscan."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    for name, light in [*((f"zero{i}", 0) for i in range(5)), ("object1", 500)]:
        pixels = rng.normal(1000, 3, (48, 64))
        pixels[8:] += rng.poisson(light * 1.7, (40, 64)) / 1.7
        header = fits.Header({"IMAGETYP": name.rstrip("0123456789"), "EXPTIME": 30.0})
        header["DATE-OBS"], header["TIME-OBS"] = "2024-03-01", "01:02:03.5"
        fits.PrimaryHDU(pixels.astype("u2"), header).writeto(f"{name}.fits")


def test_the_example_for_users_of_autowisp_runs_and_is_right(small_night):
    _, code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    with fits.open("CAL/object1.fits") as hdus:
        image, error, mask = (hdu.data for hdu in hdus[-3:])
        assert hdus[-3].header["MBIASFNM"] == "masterbias.fits"
    assert image.shape == (40, 64)
    assert abs(image.mean() - 500) < 3
    assert abs(np.std(image) / error.mean() - 1) < 0.1
    assert not mask.any()


def test_its_command_lines_run(small_night, capsys):
    commands = re.search(r"or, without Python.*?```\n(.*?)```", README, re.DOTALL)[1]
    for line in commands.replace("\\\n", " ").splitlines():
        program, *words = shlex.split(line)
        assert program == "autowisp-xr"
        # patterns are left to the program, as a shell that quotes them would
        assert main(words) == 0, capsys.readouterr().err
    assert fits.getheader("masterbias.fits")["NUMFCOMB"] == 5


def test_every_name_in_its_table_for_users_of_autowisp_is_there():
    table = re.search(r"\| documented in AutoWISP.*?\n\n", COMING_FROM, re.DOTALL)[0]
    rows = [line.split("|")[1:3] for line in table.strip().splitlines()[2:]]
    houses = {
        "image_calibration.Calibrator": image_calibration.Calibrator(),
        "image_calibration.MasterMaker": image_calibration.MasterMaker(),
        "image_calibration.MasterFlatMaker": image_calibration.MasterFlatMaker(),
        "image_calibration.overscan_methods": image_calibration.overscan_methods,
        "image_calibration.mask_utilities": image_calibration.mask_utilities,
        "image_smoothing": image_smoothing,
    }
    checked = 0
    for original, here in rows:
        names = re.findall(r"`([\w.]+)`", original)
        house = next((h for h in houses if names and names[0].startswith(h)), None)
        if house is not None and "not yet" not in here:
            for name in [names[0].removeprefix(house).strip("."), *names[1:]]:
                assert not name or hasattr(houses[house], name), (house, name)
                checked += 1
        for name in re.findall(r"`aw\.(\w+)`", here):
            assert hasattr(aw, name), name
            checked += 1
    assert checked >= 55
    parameters = re.findall(r"`(\w+)`", " ".join(rows[1]))
    known = {*image_calibration.Calibrator.default_configuration, "bias", "dark", "flat"}
    assert set(parameters) <= known | {"overscan", "calibrated"}
    (row,) = (original for original, _ in rows if "`fraction`" in original)
    maker = image_calibration.MasterFlatMaker
    configured = {
        *signature(maker.configure_stamp_statistics).parameters,
        *signature(maker.configure_stamp_selection).parameters,
    }
    others = set(re.findall(r"`(\w+)`", row)) - configured
    assert len(others) == 6
    maker(master_stack_config={name: 5 if "combine" in name else None for name in others})


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([\w/.-]+)\)", README)
    assert len(links) > 8
    for link in links:
        assert (ROOT / link).exists(), link
