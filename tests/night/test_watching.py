"""``reduce --watch``: a night that is reduced, and stacked, while it is observed."""

import os
import shutil
import signal
import time

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import night
from autowisp_xr.night.watching import DeepStacks


class Camera:
    """What writes files between two looks at a folder, and ends the watch after the last."""

    def __init__(self, *steps, end=signal.SIGINT):
        self.steps, self.end = list(steps), end

    def __call__(self, seconds):
        if not self.steps:
            os.kill(os.getpid(), self.end)
            # until the signal is there
            time.sleep(10)
        self.steps.pop(0)()


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C interrupts, also where the tests were started in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def shots(tmp_path, sky):
    for frames in (sky.bias(2), sky.objects(5)):
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
    deep = out / "deep" / "V_60s.fits"
    assert fits.getval(deep, "NUMFCOMB") == 2

    ended = signal.getsignal(signal.SIGTERM)
    second = Camera(write(*lights[2:]), nothing, nothing, end=signal.SIGTERM)
    summary = night.watch(raw, out, every=1, pause=second, **options)
    assert signal.getsignal(signal.SIGTERM) == ended
    assert len(summary.made[-1].inputs) == 5
    assert summary.leftovers == ()
    found = aw.open_fits(deep)
    assert fits.getval(deep, "NUMFCOMB") == 5
    science = aw.open_zarr(out / "night.zarr", group=summary.made[-1].group)
    robust = aw.SigmaClip(5, scale="mad", about="median", floor="noise")
    whole = aw.stack(science, "mean", reject=robust, sky=("median", None))
    np.testing.assert_allclose(found["image"].values[0], whole["image"].values, rtol=1e-5)
    assert sum("interrupted" in line for line in lines) == 2

    fits.setval(deep, "OBSERVER", value="me")
    shutil.rmtree(out / "deep.zarr")
    DeepStacks(out, lines.append).follow(summary)
    assert "it was changed since reduce wrote it" in lines[-1]
    assert fits.getval(deep, "OBSERVER") == "me"


def test_a_look_every_so_many_seconds_takes_some(tmp_path):
    with pytest.raises(ValueError, match="above 0, not 0"):
        night.watch(tmp_path, tmp_path / "out", every=0)
    assert night.watch(tmp_path / "none", tmp_path / "out", pause=Camera()) is None
