"""A cube that does not fit: what is stacked from disk is never in memory as a whole."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw

FRAMES, SIDE = 60, 2048
LIMIT = 350  # MB over what the imports take

# the peak of the process is what counts, so it is read by the process itself, at its end
STACK = """
import sys
import numpy as np
import autowisp_xr as aw
from autowisp_xr.transforms import stacking
import astropy.io.fits, dask.array, dask.diagnostics

def kilobytes(name):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])

before = kilobytes("VmRSS")
frames = aw.open_fits(sys.argv[1])
deep = frames.autowisp.stack("median", reject=aw.SigmaClip(5)).compute()
print(kilobytes("VmHWM") - before)
np.savez(sys.argv[2], **{name: deep[name].values for name in deep.data_vars})
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak memory is read from /proc"
)
def test_stacking_a_gigabyte_from_disk_takes_a_third_of_it_and_gives_the_same_bits(tmp_path):
    rng = np.random.default_rng(0)
    base = rng.normal(1000, 20, (SIDE, SIDE)).astype(np.float32)
    for number in range(FRAMES):
        frame = np.roll(base, 977 * number) + rng.normal(0, 5, SIDE).astype(np.float32)
        fits.writeto(tmp_path / f"f{number:02d}.fits", frame)
    result = tmp_path / "deep.npz"
    done = subprocess.run(
        [sys.executable, "-c", STACK, str(tmp_path / "f*.fits"), str(result)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) / 1000 < LIMIT
    # a part of it in memory at once: bands and blocks lie elsewhere there
    part = aw.open_fits(tmp_path / "f*.fits").isel(y=slice(700, 1013)).load()
    expected = part.autowisp.stack("median", reject=aw.SigmaClip(5))
    with np.load(result) as found:
        for name in expected.data_vars:
            np.testing.assert_array_equal(found[name][:, 700:1013], expected[name].values)
