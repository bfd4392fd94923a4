"""How a running stack rejects, beside ``stack``, which sees all frames at once.

``python -m tests.stack.running_table`` prints the tables of ``autowisp_xr.RunningStack``: the share
of outliers that are rejected, and of good values; and the mean of the variance that is reported
over the true one (an error of 0.005). Frames are of plain NumPy random numbers; one value in a
hundred is an outlier.
"""

import sys
import warnings
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import RunningStack, SigmaClip
from tests.steps.frames import frame_set

__all__ = ["clip", "found", "night", "ran", "rejection", "variances"]

PIXELS = (1, 300, 400)
LEVEL, NOISE, SHARE = 1000.0, 10.0, 0.01
FRAMES = (10, 30, 100)


def clip(threshold: float) -> SigmaClip:
    """The rejection of both: what masters take by default."""
    return SigmaClip(threshold, scale="mad", about="median", floor="noise")


def night(
    frames: int, height: float = 0.0, *, known: bool = True, pixels: Any = PIXELS, seed: int = 0
) -> tuple[xr.Dataset, Any]:
    """Frames of one noise, with their variance if it is known, and which values are outliers."""
    rng = np.random.default_rng([seed, frames])
    image = LEVEL + NOISE * rng.standard_normal((frames, *pixels))
    hit = (rng.random(image.shape) < SHARE) & (height != 0.0)
    image[hit] += height * NOISE
    planes = {"variance": np.full(image.shape, NOISE**2, "f4")} if known else {}
    return frame_set(image.astype("f4"), **planes), hit


def ran(ds: xr.Dataset, **options: Any) -> xr.Dataset:
    """The result of a running stack of frames that come one after the other."""
    running = RunningStack(rejected=True, dtype="float64", **options)
    running.update(ds)
    return running.result()


def found(ds: xr.Dataset, hit: Any, result: xr.Dataset) -> tuple[float, float]:
    """The shares of outliers and of good values that were rejected.

    A value is counted by its pixel: what is rejected above where there is an outlier is it, or one
    as far off.
    """
    high, low = (result[name].values.astype(int) for name in ("rejected_high", "rejected_low"))
    outliers = hit.sum(axis=0)
    right = np.minimum(high, outliers).sum()
    return right / max(outliers.sum(), 1), (high.sum() + low.sum() - right) / (~hit).sum()


def rejection() -> Iterator[tuple[Any, ...]]:
    """Rows of noise, frames, height, and of both: completeness, false rejections."""
    for known, frames, height in product((True, False), FRAMES, (6.0, 8.0, 12.0, 30.0)):
        ds, hit = night(frames, height, known=known)
        whole = aw.stack(ds, "mean", reject=clip(5), rejected=True)
        both = [found(ds, hit, each) for each in (ran(ds, reject=clip(5)), whole)]
        yield ("known" if known else "scatter", frames, height, *both[0], *both[1])


def variances() -> Iterator[tuple[Any, ...]]:
    """Rows of frames, threshold, and the variance from the scatter and propagated, of both."""
    for frames, threshold in product(FRAMES, (2.0, 3.0, 4.0, 5.0)):
        ds, _ = night(frames)
        row: list[float] = []
        for error in ("scatter", "propagate"):
            options: dict[str, Any] = {"reject": clip(threshold), "error": error}
            both = ran(ds, **options), aw.stack(ds, "mean", dtype="float64", **options)
            row += [float(each["variance"].mean() / each["image"].var()) for each in both]
        yield (frames, threshold, *row)


if __name__ == "__main__":
    warnings.simplefilter("ignore", aw.AutowispWarning)
    for of_noise, number, sigmas, *shares in rejection():
        complete, false, complete_whole, false_whole = shares
        sys.stdout.write(
            f"{of_noise:8} {number:4d} {sigmas:5.0f} {complete:8.4f} {false:9.1e} "
            f"{complete_whole:8.4f} {false_whole:9.1e}\n"
        )
    for number, limit, *ratios in variances():
        sys.stdout.write(f"{number:4d} {limit:4.1f} " + " ".join(f"{r:6.3f}" for r in ratios))
        sys.stdout.write("\n")
