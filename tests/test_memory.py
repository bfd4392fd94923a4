"""A cube that does not fit: what is stacked from disk is never in memory as a whole."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw

FRAMES, SIDE = 100, 1024
LIMIT = 400  # MB over what the imports take: the limit, and what kernels take
SIDE_OF_FLATS = 2048

# the peak of the process is what counts, so it is read by the process itself, at its end
STACK = """
import sys
import numpy as np
import autowisp_xr as aw
from autowisp_xr.stack import stacking
import astropy.io.fits, dask.array, dask.diagnostics

def kilobytes(name):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])

before = kilobytes("VmRSS")
raw = aw.open_fits(sys.argv[1], camera=aw.Camera(gain=1.5, read_noise=8.0, saturation=6e4))
frames = aw.calibrate(raw, memory_limit="100MB")
deep = frames.autowisp.stack("median", reject=aw.SigmaClip(5), memory_limit="100MB").compute()
print(kilobytes("VmHWM") - before)
np.savez(sys.argv[2], **{name: deep[name].values for name in deep.data_vars})
"""

FLAT_FRAMES = 30
FLAT_LIMIT = 1000  # MB of the whole process; the calibrated frames alone would be 1130

FLATS = """
import sys
import autowisp_xr as aw
import dask

dask.config.set(num_workers=2)  # each thread holds a frame

def kilobytes(name):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])

raw = aw.open_fits(sys.argv[1], camera=aw.Camera(gain=1.5, read_noise=8.0, saturation=6e4))
flats = aw.master_flat(raw, select=aw.FlatSelection(min_high_mean=1e4))
flats.high.load(), flats.low.load()
print(kilobytes("VmHWM"), *flats.frames["class"].values.tolist())
"""

STORED = 60  # frames of 9 MB, with their variances and masks
STORED_LIMIT = 150  # MB over what the imports take

STORE = """
import sys
import dask.array as da
import numpy as np
import xarray as xr
import autowisp_xr as aw

shape, chunks = (int(sys.argv[2]), 1, 1024, 1024), (1, 1, 1024, 1024)
planes = {name: da.ones(shape, dtype=kind, chunks=chunks) for name, kind in
          [("image", "f4"), ("variance", "f4"), ("mask", "u1")]}
from autowisp_xr import schema

ds = xr.Dataset({name: (schema.DIMS, plane) for name, plane in planes.items()})
aw.to_zarr(schema.with_attributes(ds, "adu"), sys.argv[1])
"""

FILES = """
import sys
import xarray as xr
import autowisp_xr as aw
import astropy.io.fits, dask.array, zarr

def kilobytes(name):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])

given = {"ours": lambda: aw.open_zarr(sys.argv[1]),
         "xarray's": lambda: xr.open_zarr(sys.argv[1], chunks=None, mask_and_scale=False)}
ds = given[sys.argv[3]]()
before = kilobytes("VmRSS")
aw.to_fits(ds, sys.argv[2] + "/{frame}.fits")
print(kilobytes("VmHWM") - before)
"""

on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak memory is read from /proc"
)


@on_linux
def test_frames_of_a_gigabyte_are_calibrated_and_stacked_in_a_third_of_it_to_the_same_bits(
    tmp_path,
):
    rng = np.random.default_rng(0)
    base = rng.normal(1000, 20, (SIDE, SIDE))
    for number in range(FRAMES):
        frame = np.roll(base, 977 * number) + rng.normal(0, 5, SIDE)
        fits.writeto(tmp_path / f"f{number:02d}.fits", frame.astype(np.uint16))
    result = tmp_path / "deep.npz"
    done = subprocess.run(
        [sys.executable, "-c", STACK, str(tmp_path / "f*.fits"), str(result)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) / 1000 < LIMIT
    # a part of it in memory at once: bands and blocks lie elsewhere there
    camera = aw.Camera(gain=1.5, read_noise=8.0, saturation=6e4)
    raw = aw.open_fits(tmp_path / "f*.fits", camera=camera)
    part = aw.calibrate(raw.isel(y=slice(300, 513)).load())
    expected = part.autowisp.stack("median", reject=aw.SigmaClip(5))
    with np.load(result) as found:
        for name in expected.data_vars:
            # how values are digitised is read off the middle rows of what is stacked
            off = 1e-5 if name == "variance" else 0.0
            whole = found[name][:, 300:513]
            np.testing.assert_allclose(whole, expected[name].values, rtol=off, err_msg=name)


@on_linux
def test_choosing_among_flats_from_disk_never_has_all_of_them_in_memory(tmp_path):
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (SIDE_OF_FLATS, SIDE_OF_FLATS)).astype(np.float32)
    levels = [*np.linspace(12e3, 3e4, 20), *np.linspace(1.5e3, 2.5e3, 10)]
    for number, level in enumerate(levels):
        frame = level + np.sqrt(level / 1.5) * np.roll(noise, 977 * number)
        header = fits.Header({"RA": 10.0 * number, "DEC": 20.0})
        fits.writeto(tmp_path / f"f{number:02d}.fits", np.rint(frame).astype(np.uint16), header)
    done = subprocess.run(
        [sys.executable, "-c", FLATS, str(tmp_path / "f*.fits")],
        capture_output=True,
        text=True,
        check=True,
    )
    peak, *kinds = done.stdout.split()
    assert kinds == ["high"] * 20 + ["low"] * 10
    assert int(peak) / 1000 < FLAT_LIMIT


@on_linux
@pytest.mark.parametrize("opened", ["ours", "xarray's"])
def test_writing_files_from_a_store_has_a_few_frames_in_memory(opened, tmp_path):
    store = str(tmp_path / "n.zarr")
    subprocess.run([sys.executable, "-c", STORE, store, str(STORED)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", FILES, store, str(tmp_path / "f"), opened],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(list((tmp_path / "f").iterdir())) == STORED
    assert int(done.stdout) / 1000 < STORED_LIMIT
