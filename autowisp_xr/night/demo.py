"""A small night whose truth is known, reduced like any other, and compared with the truth."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
import xarray as xr

from autowisp_xr import recipes, simulate
from autowisp_xr.errors import AutowispError
from autowisp_xr.flags import Flag
from autowisp_xr.frames import to_fits
from autowisp_xr.night.product_writing import STORE
from autowisp_xr.night.reduction import reduce
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stack import stack

_BRIGHT = 1000.0  # electrons


def demo(
    out: str | PathLike[str], *, report: Callable[[str], None] = lambda line: None
) -> dict[str, tuple[float, float]]:
    """Simulate a night, reduce it, and report how well the truth was recovered.

    Parameters
    ----------
    out
        Directory for the raw frames (``raw/``), their ``camera.toml``, and the results.
    report
        Called with a line of text for each step and result.

    Returns
    -------
    Mean and width of the pulls (x - truth) / sigma of a single frame and of the stack, on
    pixels above 1000 electrons; 0 and 1 for values and variances that are right.
    """
    target = Path(out).expanduser()
    # fine ADU: the median of overscan pixels, which are integers, is known to half of one only
    sky = simulate.Night(shape=(512, 512), seed=20, gain=0.6, read_noise=8.0, full_well=30_000)
    report("simulating a night: 12 biases, 2 x 12 darks, 12 flats, 10 science frames of 512 x 512")
    darks = sky.dark(12), sky.dark(12, exposure=5, start=13)
    for made in (sky.bias(12), *darks, sky.flat(12), sky.objects(10)):
        to_fits(made, target / "raw" / "{RAWFNAME}.fits")
    camera = target / "camera.toml"
    camera.write_text(sky.camera.to_toml(), encoding="utf-8")
    summary = reduce(target / "raw", target / "reduced", camera=sky.camera, report=report)
    if summary.failed:
        raise AutowispError(f"the simulated night could not be reduced:\n{summary}")
    science = recipes.open_zarr(target / "reduced" / STORE, group=summary.made[-1].group)
    deep = stack(science, "mean", reject=SigmaClip(5, scale="mad")).compute()
    to_fits(deep, target / "deep.fits")
    truth = sky.truth("object", 10)
    hit = (truth["mask"] != 0) | (truth["electrons"] < _BRIGHT)
    one = science.isel(frame=[0]).compute()
    results = {
        "single frame": pulls(one, truth["image"][:1], hit[:1]),
        # the stack has to find the cosmic rays by itself
        "stack of 10": pulls(deep, truth["image"][0], truth["electrons"][0] < _BRIGHT),
    }
    report("")
    report("recovered truth, pulls (x - truth) / sigma above 1000 electrons:")
    for name, (mean, width) in results.items():
        report(f"  {name:13s} mean {mean:+.4f} (0 +- 0.02)   width {width:.4f} (1 +- 0.02)")
    return results


def pulls(ds: xr.Dataset, truth: xr.DataArray, leave_out: xr.DataArray) -> tuple[float, float]:
    """Return mean and width of (x - truth) / sigma over good pixels that are not left out."""
    good = ((ds["mask"].values & np.uint8(Flag.UNUSABLE)) == 0) & ~leave_out.values
    pull = (ds["image"].values[good] - truth.values[good]) / np.sqrt(ds["variance"].values[good])
    return float(pull.mean()), float(pull.std())
