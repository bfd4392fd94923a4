"""How true the variances of a stack are where they are not quite: tight thresholds, faint light.

``python -m tests.transforms.variance_table`` prints two tables of (mean variance reported) /
(true variance of the stack), from 400 000 pixels each (an error of 0.003); they stand in the
documentation of ``autowisp_xr.stack``. The frames come from plain NumPy random numbers.
"""

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Camera, SigmaClip
from tests.transforms.frames import frame_set

__all__ = ["faint", "ratio", "thresholds"]

PIXELS = (1, 500, 800)
AVERAGES = ("mean", "median")
THRESHOLDS = (2, 2.5, 3, 3.5, 4, 5)
LEVELS = (5, 10, 20, 50, 100)


def ratio(ds: xr.Dataset, average: str, error: str, reject: SigmaClip | None = None) -> float:
    """Mean of the variance that a stack reports over the variance that it has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", aw.AutowispWarning)
        stack = aw.stack(ds, average, reject=reject, error=error, dtype="float64")  # type: ignore[arg-type]
    return float(stack["variance"].mean() / stack["image"].var())


def thresholds(pixels: tuple[int, ...] = PIXELS) -> Iterator[tuple[Any, ...]]:
    """Rows of scale, frames, threshold, and scatter and propagate of mean and of median."""
    for number in (10, 30):
        rng = np.random.default_rng(number)
        image = rng.normal(1000, 10, (number, *pixels)).astype("f4")
        ds = frame_set(image, variance=np.full((1, 1, 1, 1), 100.0, "f4"))
        for scale in ("rms", "mad"):
            for threshold in THRESHOLDS:
                clip = SigmaClip(threshold, scale=scale)  # type: ignore[arg-type]
                found = [
                    ratio(ds, average, error, clip)
                    for error in ("scatter", "propagate")
                    for average in AVERAGES
                ]
                yield (scale, number, threshold, *found)


def faint(pixels: tuple[int, ...] = PIXELS) -> Iterator[tuple[Any, ...]]:
    """Rows of read noise, frames, electrons, and scatter and propagate of mean and of median."""
    for read_noise in (0, 8):
        for level in LEVELS:
            rng = np.random.default_rng([read_noise, level])
            image = rng.poisson(level, (10, *pixels)) + rng.normal(0, read_noise, (10, *pixels))
            camera = Camera(gain=1.0, read_noise=read_noise)
            ds = aw.add_noise(frame_set(image.astype("f4"), camera=camera))
            found = [
                ratio(ds, average, error)
                for error in ("scatter", "propagate")
                for average in AVERAGES
            ]
            yield (read_noise, 10, level, *found)


def printed(title: str, names: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> str:
    """A table in reStructuredText."""
    width = (10, 6, 9, 6, 6, 6, 6)
    rule = " ".join("=" * w for w in width)

    def line(*cells: str) -> str:
        return " ".join(f"{c:<{w}}" for c, w in zip(cells, width, strict=True)).rstrip()

    spans = (sum(width[:3]) + 2, sum(width[3:5]) + 1, sum(width[5:]) + 1)
    over = " ".join(f"{c:<{w}}" for c, w in zip(("", "scatter", "propagate"), spans, strict=True))
    under = " ".join("-" * w for w in spans)
    table = [title, "", rule, over.rstrip(), under, line(*names, *AVERAGES, *AVERAGES), rule]
    table += [line(*map(str, row[:3]), *(f"{value:.3f}" for value in row[3:])) for row in rows]
    return "\n".join([*table, rule, ""])


if __name__ == "__main__":
    first = printed("Rejection", ("scale", "frames", "threshold"), thresholds())
    second = printed("Faint light", ("read noise", "frames", "electrons"), faint())
    sys.stdout.write(first + "\n" + second)
