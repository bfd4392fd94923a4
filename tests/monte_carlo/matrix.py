"""Whether the error plane of a stack is true, for whatever is averaged in whatever way.

    python -m tests.monte_carlo.matrix [--pixels N] [--failing]

A scene is raw frames of integers: so much light, read noise, and so many frames, of equal noise or
under unequal skies, which are known and taken off again; calibrated with masters of five frames
each, whose noise all frames share, or with what the simulation knows. Each is stacked in all ways.
What is told of a cell is the width of the pulls of propagated variances, and of those from the
scatter (whose pulls are Student t) their mean over the true variance. Right is 1, or, of either,
the ratio of variances that the tables in the docstring of ``autowisp_xr.stack`` tell. A cell fails
beyond 2 % plus four standard errors.
"""

import argparse
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import (
    GeneralizedESD,
    LinearFitClip,
    MinMax,
    NoiseClip,
    SigmaClip,
    WinsorizedSigmaClip,
)
from autowisp_xr.outliers.of_user import RejectChoice
from tests.monte_carlo.night import GAIN, Sensor
from tests.steps.frames import frame_set

__all__ = ["Cell", "Found", "Scene", "cells", "expected", "main", "measured", "scenes"]

PIXELS, WIDTH = 40_000, 200
TOLERANCE, STANDARD_ERRORS = 0.02, 4

FRAMES = (3, 5, 10, 30)
READ_NOISES = (0.7, 1.5, 5.0)
SIGNALS = (0, 5, 50, 5000)
OF_A_MASTER = 5
FLAT_LIGHT = 20_000.0

REJECTIONS: dict[str, RejectChoice] = {
    "none": None,
    "rms 5": SigmaClip(5),
    "mad 5": SigmaClip(5, scale="mad"),
    "winsor 5": WinsorizedSigmaClip(5),
    "line 5": LinearFitClip(5),
    "esd 0.05": GeneralizedESD(0.05),
    "minmax 1": MinMax(),
    "noise 5": NoiseClip(5),
}
"""By the names of their rows in the docstring: a scale and a threshold."""

UNEQUAL = (1.0, 2.0, 3.0)
"""How the noise of frames of unequal noise goes."""


class Scene(NamedTuple):
    """What is seen."""

    noise: str
    shared: bool
    read_noise: float
    """ADU, one step of the digitisation each."""
    signal: float
    """Electrons."""
    frames: int


class Cell(NamedTuple):
    """How a scene is stacked."""

    scene: Scene
    average: str | float
    reject: str
    error: str
    weights: str | None


class Found(NamedTuple):
    """What is true of a cell, and what was found."""

    cell: Cell
    expected: float
    found: float
    standard_error: float

    @property
    def fails(self) -> bool:
        """Whether it is too far off."""
        allowed = TOLERANCE * self.expected + STANDARD_ERRORS * self.standard_error
        low, high = sorted((1.0, self.expected))
        # a known bias is the largest: it is less where digits or a few electrons spread values
        return not low - allowed <= self.found <= high + allowed


def scenes() -> Iterator[Scene]:
    """All that is looked at."""
    for values in product(("equal", "unequal"), (False, True), READ_NOISES, SIGNALS, FRAMES):
        yield Scene(*values)


def cells(scene: Scene) -> Iterator[Cell]:
    """All ways in which a scene is stacked."""
    weighted = ("exposure", "variance") if scene.noise == "unequal" else ()
    averages: list[tuple[str | float, str | None]] = [
        ("mean", None),
        ("median", None),
        (0.3, None),
        *(("mean", weights) for weights in weighted),
    ]
    for (average, weights), reject, error in product(
        averages, REJECTIONS, ("propagate", "scatter")
    ):
        # one value is left, which has no scatter
        needless = reject == "minmax 1" and scene.frames == 3 and error == "scatter"
        # the docstring has columns for means and medians alone
        needless |= average == 0.3 and reject != "none"
        if not needless:
            yield Cell(scene, average, reject, error, weights)


def photographed(scene: Scene, pixels: int) -> xr.Dataset:
    """Calibrated frames of a scene, under unequal skies those of the darkest exposed longest."""
    seed = list(scenes()).index(scene)
    sensor = Sensor(seed, (pixels // WIDTH, WIDTH), scene.read_noise * GAIN)
    # the noise that a flat makes of a sky goes unseen once that is taken off
    flat = scene.shared and scene.noise == "equal"
    if not flat:
        sensor.response[:] = 1.0
    noise = np.resize(UNEQUAL if scene.noise == "unequal" else 1.0, scene.frames)
    darkest = scene.signal + sensor.camera.read_noise**2
    sky = darkest * (noise**2 - 1)
    image = [sensor.frames(1, light=scene.signal + each)["image"].values[0] for each in sky]
    if scene.shared:
        ds = aw.calibrate(frame_set(image, camera=sensor.camera), **masters_of(sensor, flat))
    else:
        ds = aw.add_noise(frame_set((image - sensor.bias).astype("f4"), camera=sensor.camera))
    level = xr.DataArray((sky / GAIN).astype("f4"), dims="frame")
    ds = ds.assign(image=ds["image"] - level)
    if "photon_slope" in ds:
        # the value without any light went down with the others
        ds = ds.assign(photon_zero=_zero_of(ds) - level)
    return ds.assign_coords(exposure=("frame", 60.0 / noise**2))


def _zero_of(ds: xr.Dataset) -> xr.DataArray:
    zero = ds["photon_zero"] if "photon_zero" in ds else xr.zeros_like(ds["image"][0])
    return zero.broadcast_like(ds["image"])


def masters_of(sensor: Sensor, flat: bool) -> dict[str, xr.Dataset]:
    """Bias, dark and flat of few frames, so that their noise matters, as they come by default."""
    bias = aw.master_bias(sensor.frames(OF_A_MASTER, kind="bias"))
    dark = aw.master_dark(sensor.frames(OF_A_MASTER, kind="dark"), bias=bias)
    if not flat:
        return {"bias": bias, "dark": dark}
    flats = sensor.frames(OF_A_MASTER, light=FLAT_LIGHT, kind="flat")
    return {"bias": bias, "dark": dark, "flat": aw.master_flat(flats, bias=bias).high}


def measured(scene: Scene, pixels: int = PIXELS) -> Iterator[Found]:
    """All cells of a scene."""
    ds = photographed(scene, pixels)
    for cell in cells(scene):
        with warnings.catch_warnings():
            # a threshold out of reach rejects nothing, which is what its cells show
            warnings.simplefilter("ignore", aw.AutowispWarning)
            stack = aw.stack(
                ds,
                cell.average,
                reject=REJECTIONS[cell.reject],
                error=cell.error,
                weights=cell.weights,
                allow_mismatch=("exposure",),
                dtype="float64",
            )
        yield compared(cell, stack)


def compared(cell: Cell, stack: xr.Dataset) -> Found:
    """The width of pulls, or where that is not right to 1, claimed over true variance."""
    planes = ("image", "variance", "shared_variance", "shared_relative_variance")
    image, variance, shared, relative = (
        stack[name].values.ravel() if name in stack else np.zeros(1) for name in planes
    )
    # a scatter of one survivor is none, and flagged
    known = np.isfinite(variance) & np.isfinite(image)
    own = 1 - float(np.nanmean(shared + image**2 * relative) / variance[known].mean())
    right = expected(cell, own)
    image, variance = image[known] - image[known].mean(), variance[known]
    if cell.error == "propagate" and not (variance > 0).all():
        return Found(cell, right, float("nan"), 0.0)
    if cell.error == "propagate" and right == 1.0:
        pulls = (image / np.sqrt(variance)) ** 2
        width = np.sqrt(pulls.mean())
        return Found(cell, right, float(width), float(pulls.std() / (2 * width * image.size**0.5)))
    squares = image**2
    ratio = variance.mean() / squares.mean()
    spread = np.hypot(squares.std() / squares.mean(), variance.std() / variance.mean())
    return Found(cell, right, float(ratio), float(ratio * spread / image.size**0.5))


@cache
def known_biases() -> dict[tuple[str, ...], float]:
    """Ratios of the docstring, by noise, rejection, frames, error and average."""
    columns = {
        # of frames of equal noise, and of unequal ones
        7: ("equal", ("mean", "median")),
        9: ("unequal", ("mean", "best", "median")),
    }
    known = {}
    for line in (aw.stack.__doc__ or "").splitlines():
        words = line.split()
        if len(words) in columns and words[1].isdigit():
            noise, averages = columns[len(words)]
            scale, frames, threshold, *ratios = words
            places = product(("scatter", "propagate"), averages)
            for (error, average), ratio in zip(places, ratios, strict=True):
                if ratio != "none":
                    known[noise, f"{scale} {threshold}", frames, error, average] = float(ratio)
    return known


def expected(cell: Cell, own: float = 1.0) -> float:
    """Claimed over true variance as documented: 1, or a bias of what no other frames share."""
    average = "median" if cell.average != "mean" else "best" if cell.weights else "mean"
    place = (cell.scene.noise, cell.reject, str(cell.scene.frames), cell.error, average)
    return 1 + own * (known_biases().get(place, 1.0) - 1)


def table(found: Iterable[Found]) -> Iterator[str]:
    """Lines of cells, those of all numbers of frames side by side; an asterisk where one fails."""
    rows: dict[tuple[Any, ...], dict[int, Found]] = {}
    for each in found:
        scene = each.cell.scene
        rows.setdefault((scene[:-1], each.cell[1:]), {})[scene.frames] = each
    yield "noise   shared  read light average reject   error     weights  " + "".join(
        f"{number:>8}" for number in FRAMES
    )
    for (scene, how), numbers in rows.items():
        noise, shared, read_noise, signal = scene
        average, reject, error, weights = how
        row = f"{noise:8}{'yes' if shared else 'no':6}{read_noise:6.1f}{signal:6g} "
        row += f"{average!s:8}{reject:9}{error:10}{weights or 'none':9}"
        for number in FRAMES:
            each = numbers.get(number)
            row += f"{each.found:7.3f}{'*' if each.fails else ' '}" if each else " " * 8
        yield row.rstrip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the matrix, and how many of its cells fail."""
    parser = argparse.ArgumentParser(description="The error plane of stacks: pulls and ratios.")
    add = parser.add_argument
    add("--pixels", type=int, default=PIXELS, help="of each frame (default: %(default)s)")
    add("--failing", action="store_true", help="print the rows with cells that fail alone")
    given = parser.parse_args(arguments)
    found = [each for scene in scenes() for each in measured(scene, given.pixels)]
    for line in table(found):
        if not given.failing or "*" in line or line.startswith("noise "):
            sys.stdout.write(line + "\n")
    failing = sum(each.fails for each in found)
    sys.stdout.write(f"{failing} of {len(found)} cells fail\n")


if __name__ == "__main__":
    main()
