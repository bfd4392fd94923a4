"""What the README shows works when it is pasted."""

import re
from pathlib import Path

import numpy as np

import autowisp_xr as aw
from autowisp_xr.night.demo import pulls

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_example_for_a_notebook_runs_and_is_right(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
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
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "camera.toml").write_text(text, encoding="utf-8")
    assert aw.Camera.from_toml(tmp_path / "camera.toml").gain == 1.38
    # the lines that are commented out are right, too
    lines = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()]
    lines = [line.split("  ")[0] if line.split("  ")[0].count("=") else line for line in lines]
    (tmp_path / "all.toml").write_text("\n".join(lines), encoding="utf-8")
    camera = aw.Camera.from_toml(tmp_path / "all.toml")
    assert camera.image_area.xmin == 16
    assert camera.leak_directions == ((0, 1), (0, -1))
