"""``reduce --watch``: a night that is reduced, and stacked, while it is observed."""

import shutil

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import night


class Camera:
    """What writes files between two looks at a folder, and ends the watch after the last."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def __call__(self, seconds):
        if not self.steps:
            raise KeyboardInterrupt
        self.steps.pop(0)()


@pytest.fixture
def shots(tmp_path, sky):
    for frames in (sky.bias(3), sky.dark(3), sky.flat(3), sky.objects(6)):
        aw.to_fits(frames, tmp_path / "camera" / "{RAWFNAME}.fits")
    return {path.name: path for path in sorted((tmp_path / "camera").iterdir())}


def test_a_night_is_reduced_while_the_camera_writes(tmp_path, shots, sky):
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()

    def write(*names):
        return lambda: [shutil.copy(shots[name], raw / name) for name in names]

    def begin(name):
        whole = shots[name].read_bytes()
        return lambda: (raw / name).write_bytes(whole[: len(whole) // 2])

    def nothing():
        pass

    lights = [name for name in shots if name.startswith("object")]
    others = [name for name in shots if name not in lights]
    lines = []
    options = {"camera": sky.camera, "report": lines.append, "defects": "none"}
    first = Camera(write(*others, *lights[:2]), begin(lights[2]), nothing, nothing)
    summary = night.watch(raw, out, every=1, pause=first, **options)
    assert len(summary.made[-1].inputs) == 2, "of a file that is still written nothing is read"
    deep = next((out / "deep").glob("*.fits"))
    assert fits.getval(deep, "NUMFCOMB") == 2

    second = Camera(write(lights[2]), nothing, write(*lights[3:]), nothing, nothing)
    summary = night.watch(raw, out, every=1, pause=second, **options)
    assert len(summary.made[-1].inputs) == 6
    found = aw.open_fits(deep)
    assert fits.getval(deep, "NUMFCOMB") == 6
    science = aw.open_zarr(out / "night.zarr", group=summary.made[-1].group)
    robust = aw.SigmaClip(5, scale="mad", about="median", floor="noise")
    whole = aw.stack(science, "mean", reject=robust, sky=("median", None))
    np.testing.assert_allclose(found["image"].values[0], whole["image"].values, rtol=1e-5)
    assert sum("interrupted" in line for line in lines) == 2


def test_a_look_every_so_many_seconds_takes_some(tmp_path):
    with pytest.raises(ValueError, match="above 0, not 0"):
        night.watch(tmp_path, tmp_path / "out", every=0)
    assert night.watch(tmp_path / "none", tmp_path / "out", pause=Camera()) is None
