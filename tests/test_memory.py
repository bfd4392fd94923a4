"""Sets that do not fit: what is worked on stays within the memory limit, however many frames."""

import json
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw

LIMIT = 100
"""MB, of which the planes of 90 calibrated frames of 512 x 512 take twice as many."""
SIDE = 512
LEVELS = {"bias": 300.0, "dark": 320.0, "flat": 20e3, "object": 1300.0}
CAMERA = {"gain": 1.5, "read_noise": 8.0, "saturation": 6e4}

# the peak of a process is what counts, so it is read by the process itself, after each verb; what
# the interpreter, packages and kernels take is there before: a small set goes through all first
WORK = f"""
import ctypes, gc, json, sys
import autowisp_xr as aw
import dask

dask.config.set(num_workers=2)
camera, given = aw.Camera(**{CAMERA!r}), {{"memory_limit": "{LIMIT}MB"}}

def kilobytes(name):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])

def verbs(folder, out):
    lights, flats = (aw.open_fits(folder + name, camera=camera) for name in ("/o*", "/f*"))
    frames = aw.calibrate(lights, **given)
    deep = frames.autowisp.stack("median", reject=aw.SigmaClip(5, scale="mad"), **given)
    yield "stack", deep.load()
    yield "to_fits", frames.autowisp.to_fits(out + "/fits/{{frame}}.fits", **given)
    stored = frames.autowisp.to_zarr(out + "/n.zarr", **given)
    yield "to_zarr", stored
    yield "stack from Zarr", stored.autowisp.stack("median", **given).load()
    yield "to_fits from Zarr", stored.autowisp.to_fits(out + "/again/{{frame}}.fits", **given)
    chosen = aw.master_flat(flats, select=aw.FlatSelection(min_high_mean=1e4), **given)
    yield "flats", chosen.high.load()
    yield "defects", aw.measure.defects(darks=lights, flats=flats, **given)

def night(folder, out):
    yield "reduce", aw.reduce(folder, out + "/night", camera=camera, **given)

work, small, large, out = sys.argv[1:]
for _ in globals()[work](small, out + "/small"):
    pass
peaks, made = {{}}, globals()[work](large, out + "/large")
while True:
    # what earlier verbs have left to the allocator is not this one's
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = kilobytes("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    verb = next(made, (None,))[0]
    if verb is None:
        break
    peaks[verb] = (kilobytes("VmHWM") - before) / 1000
print(json.dumps(peaks))
"""

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak memory is read from /proc"
)


def frames_of(folder, side, numbers):
    """Raw frames of kinds, whose noise is that of one plane, moved."""
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 1, (side, side))
    for kind, number in numbers.items():
        level = LEVELS[kind]
        scatter = np.sqrt(level / CAMERA["gain"] + 30)
        for i in range(number):
            values = level * (1 + 0.02 * i * (kind == "flat")) + scatter * np.roll(noise, 977 * i)
            cards = {"IMAGETYP": kind, "EXPTIME": {"bias": 0.0, "flat": 1.0}.get(kind, 60.0)}
            cards |= {"RA": 10.0 * i, "DEC": 20.0, "FILTER": "V"}
            cards["DATE-OBS"] = f"2024-03-01T{i // 60:02d}:{i % 60:02d}:03"
            fits.writeto(
                folder / f"{kind}{i:03d}.fits", values.astype(np.uint16), fits.Header(cards)
            )
    return str(folder)


def peaks_of(work, small, large, out):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WORK, work, small, large, str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_verbs_on_90_frames_stay_within_a_limit_that_the_set_would_break(tmp_path):
    numbers = {"object": 90, "flat": 30}
    large = frames_of(tmp_path / "large", SIDE, numbers)
    small = frames_of(tmp_path / "small", 64, {"object": 5, "flat": 30})
    peaks = peaks_of("verbs", small, large, tmp_path)
    assert peaks.keys() >= {"stack", "to_fits", "to_zarr", "flats", "defects"}
    assert {verb: peak for verb, peak in peaks.items() if peak > LIMIT} == {}


def test_a_night_is_reduced_within_a_limit_that_its_frames_would_break(tmp_path):
    large = frames_of(tmp_path / "large", SIDE, {"bias": 5, "dark": 5, "flat": 5, "object": 60})
    small = frames_of(tmp_path / "small", 64, {"bias": 3, "dark": 3, "flat": 3, "object": 3})
    peaks = peaks_of("night", small, large, tmp_path)
    # what one step leaves to the allocator is there in the next
    assert peaks["reduce"] <= 1.3 * LIMIT


def test_a_cube_that_is_stacked_in_bands_has_the_bits_of_one_in_memory(tmp_path):
    folder = frames_of(tmp_path / "raw", 256, {"object": 20})
    raw = aw.open_fits(folder, camera=aw.Camera(**CAMERA))
    bands = aw.calibrate(raw).autowisp.stack("median", reject=aw.SigmaClip(3), memory_limit="8MB")
    whole = aw.calibrate(raw.load()).autowisp.stack("median", reject=aw.SigmaClip(3))
    assert len(bands["image"].chunksizes["y"]) > 1
    for name in whole.data_vars:
        np.testing.assert_array_equal(bands[name].values, whole[name].values, err_msg=name)
