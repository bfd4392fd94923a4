"""A process needs few open files, however many frames it works on."""

import subprocess
import sys

from autowisp_xr import simulate
from autowisp_xr.frames import to_fits

WORK = """
import resource, sys
import autowisp_xr as aw
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
folder = sys.argv[1]
raw = aw.open_fits(f"{folder}/raw", camera=aw.Camera(gain=1.5, read_noise=8.0))
stored = raw.autowisp.calibrate(overscan=False).autowisp.to_zarr(f"{folder}/cube.zarr")
stored.autowisp.stack("median").autowisp.to_fits(f"{folder}/deep.fits")
stored.autowisp.to_fits(f"{folder}/calibrated/{{RAWFNAME}}.fits")
print(raw.sizes["frame"])
"""


def test_hundreds_of_frames_need_no_more_than_64_open_files(tmp_path):
    sky = simulate.Night(shape=(12, 16), seed=1, overscan=0)
    to_fits(sky.objects(150), tmp_path / "raw" / "{RAWFNAME}.fits")
    done = subprocess.run(
        [sys.executable, "-c", WORK, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.stdout == "150\n", done.stderr
    assert len(list(tmp_path.glob("calibrated/*.fits"))) == 150
    assert (tmp_path / "deep.fits").exists()
