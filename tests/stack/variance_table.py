"""How true the variances of a stack are where they are not quite: tight thresholds, faint light.

``python -m tests.stack.variance_table`` prints tables of (mean variance reported) /
(true variance of the stack), from 400 000 pixels each (an error of 0.003); they stand in the
documentation of ``autowisp_xr.stack``. The frames come from plain NumPy random numbers.
"""

import sys
import warnings
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import (
    Camera,
    GeneralizedESD,
    LinearFitClip,
    MinMax,
    NoiseClip,
    Percentile,
    SigmaClip,
    WinsorizedSigmaClip,
)
from autowisp_xr.options import Weights
from autowisp_xr.outliers.of_user import RejectChoice
from tests.steps.frames import frame_set

__all__ = [
    "clipping",
    "faint",
    "few_photons",
    "gaussian",
    "ratio",
    "thresholds",
    "unequal",
    "weighted",
]

PIXELS = (1, 500, 800)
AVERAGES = ("mean", "median")
THRESHOLDS = (2, 2.5, 3, 3.5, 4, 5)
OFF_A_LINE = (3, 5, 8, 12)
LEVELS = (5, 10, 20, 50, 100)
FEW = (0, 1, 5, 50)
SIGNIFICANCES = (0.05, 0.01, 0.001)
FRAMES = {
    "rms": (10, 30),
    "mad": (3, 5, 10, 30),
    "winsor": (3, 5, 10, 30, 100),
    "line": (10, 30, 100),
    "esd": (3, 5, 10, 30, 100),
    "noise": (3, 10, 30),
    "percentile": (3, 6),
}
LEVEL, NOISE = 1000.0, 10.0


def ratio(
    ds: xr.Dataset,
    average: str,
    error: str,
    reject: RejectChoice = None,
    weights: Weights = None,
) -> float:
    """Mean of the variance that a stack reports over the variance that it has."""
    options: dict[str, Any] = {"error": error, "reject": reject, "weights": weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", aw.AutowispWarning)
        stack = aw.stack(ds, average, **options, dtype="float64")  # type: ignore[arg-type]
    return float(stack["variance"].mean() / stack["image"].var())


def gaussian(sigma: Any, pixels: tuple[int, ...] = PIXELS, seed: int = 0) -> xr.Dataset:
    """Frames of one level and of a noise each, which their variance states."""
    sigma = np.asarray(sigma, np.float64)[:, None, None, None]
    rng = np.random.default_rng([len(sigma), seed])
    image = LEVEL + sigma * rng.standard_normal((len(sigma), *pixels))
    variance = np.broadcast_to(sigma**2, image.shape)
    return frame_set(image.astype("f4"), variance=variance.astype("f4"))


def clipping(scale: str, threshold: float) -> RejectChoice:
    """Rejection of what lies so many times the noise (or its estimate) from the average.

    Of the ESD test the threshold is its significance.
    """
    if scale == "noise":
        return NoiseClip(threshold)
    if scale == "percentile":
        return Percentile(threshold * NOISE / LEVEL, threshold * NOISE / LEVEL)
    by_name = {"winsor": WinsorizedSigmaClip, "line": LinearFitClip, "esd": GeneralizedESD}
    if scale in by_name:
        return by_name[scale](threshold)
    return SigmaClip(threshold, scale=scale)  # type: ignore[arg-type]


def thresholds(pixels: tuple[int, ...] = PIXELS) -> Iterator[tuple[Any, ...]]:
    """Rows of scale, frames, threshold, and scatter and propagate of mean and of median."""
    of_scale = {"line": OFF_A_LINE, "esd": SIGNIFICANCES}
    for scale, numbers in FRAMES.items():
        for number in numbers:
            ds = gaussian(np.full(number, NOISE), pixels)
            for threshold in of_scale.get(scale, THRESHOLDS):
                found = [
                    ratio(ds, average, error, clipping(scale, threshold))
                    for error in ("scatter", "propagate")
                    for average in AVERAGES
                ]
                yield (scale, number, threshold, *found)


def weighted(pixels: tuple[int, ...] = PIXELS) -> Iterator[tuple[Any, ...]]:
    """Rows of rejection, frames, how their noise and weights go, scatter and propagate."""
    for number in (5, 10):
        equal, unequal = np.ones(number), np.linspace(1, 3, number)
        for name, reject in (("none", None), ("MinMax()", MinMax()), ("noise 5", NoiseClip(5))):
            cases = {
                "1, 1": (equal, equal),
                "1, 1:n": (equal, np.arange(1.0, number + 1)),
                "1:3, 1": (unequal, equal),
                "1:3, best": (unequal, 1 / unequal**2),
            }
            for case, (sigma, weights) in cases.items():
                ds = gaussian(NOISE * sigma, pixels)
                found = [
                    ratio(ds, "mean", error, reject, weights) for error in ("scatter", "propagate")
                ]
                yield (name, number, case, *found)


def unequal(pixels: tuple[int, ...] = PIXELS) -> Iterator[tuple[Any, ...]]:
    """Rows as of :func:`thresholds` for frames of noise 1, 2 and 3 in turn, with best weights."""
    cases = [("mad", 5), ("winsor", 5), ("line", 5), ("esd", 0.05), ("noise", 5), ("minmax", 1)]
    for (scale, threshold), number in product(cases, (3, 5, 10, 30, 100)):
        if scale != "line" or number > 5:
            sigma = np.resize((1.0, 2.0, 3.0), number)
            ds = gaussian(NOISE * sigma, pixels)
            reject = MinMax() if scale == "minmax" else clipping(scale, threshold)
            found = [
                ratio(ds, average, error, reject, weights)
                for error in ("scatter", "propagate")
                for average, weights in (("mean", None), ("mean", 1 / sigma**2), ("median", None))
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


def few_photons(pixels: tuple[int, ...] = PIXELS) -> Iterator[tuple[Any, ...]]:
    """Rows of average, read noise, frames, and widths of pulls at 0, 1, 5, 50 electrons."""
    for average, read_noise, number in product(AVERAGES, (0.7, 1.2, 3.0), (3, 5, 10, 30)):
        widths = []
        for level in FEW:
            rng = np.random.default_rng([int(10 * read_noise), number, level])
            image = rng.poisson(level, (number, *pixels))
            image = image + rng.normal(0, read_noise, (number, *pixels))
            camera = Camera(gain=1.0, read_noise=read_noise)
            ds = aw.add_noise(frame_set(image.astype("f4"), camera=camera))
            stack = aw.stack(ds, average)  # type: ignore[arg-type]
            pulls = (stack["image"] - level) / np.sqrt(stack["variance"])
            widths.append(float(pulls.std()))
        yield (average, read_noise, number, *widths)


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
    sys.stdout.write("Noise 1, 2, 3: scatter and propagate of mean, best mean, median\n")
    for scale, number, threshold, *ratios in unequal():
        numbers = " ".join(f"{each:.3f}" for each in ratios)
        sys.stdout.write(f"{scale:10} {number:<6} {threshold:<9} {numbers}\n")
    sys.stdout.write(first + "\n" + second + "\nNoise and weights: scatter, propagate\n")
    for name, number, case, scatter, propagate in weighted():
        sys.stdout.write(f"{name:10}{number:4} {case:10} {scatter:.3f} {propagate:.3f}\n")
    sys.stdout.write("\nWidths of pulls at 0, 1, 5, 50 electrons\n")
    for average, read_noise, frames, *widths in few_photons():
        cells = " ".join(f"{each:.3f}" for each in widths)
        sys.stdout.write(f"{average:7}{read_noise:4} {frames:3} {cells}\n")
