"""Whether the error plane of a stack is true, for whatever is averaged in whatever way.

    python -m tests.monte_carlo.matrix [--pixels N] [--failing]

A scene is raw frames of integers: so much light, read noise, and so many frames, of equal noise or
under unequal skies, which are known and taken off again; calibrated with masters of five frames
each, whose noise all frames share, or with what the simulation knows. Each is stacked in all ways.
What is told of a cell is the width of the pulls of propagated variances, and the mean of scatter
variances over the true variance (their pulls are Student t); right is 1, or what the table in the
docstring of ``autowisp_xr.stack`` says. A cell fails beyond 2 % plus four standard errors.
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
from autowisp_xr import MinMax, NoiseClip, SigmaClip
from autowisp_xr.options import RejectChoice
from tests.monte_carlo.night import GAIN, Sensor
from tests.transforms.frames import frame_set

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
    "minmax": MinMax(),
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
        return not abs(self.found - self.expected) <= allowed


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
        needless = reject == "minmax" and scene.frames == 3 and error == "scatter"
        # the docstring has a column each for mean and median
        needless |= average == 0.3 and reject not in ("none", "minmax")
        if not needless:
            yield Cell(scene, average, reject, error, weights)


def photographed(scene: Scene, pixels: int) -> xr.Dataset:
    """Calibrated frames of a scene, under unequal skies those of the darkest exposed longest."""
    seed = list(scenes()).index(scene)
    sensor = Sensor(seed, (pixels // WIDTH, WIDTH), scene.read_noise * GAIN)
    if not scene.shared:
        sensor.response[:] = 1.0
    noise = np.resize(UNEQUAL if scene.noise == "unequal" else 1.0, scene.frames)
    darkest = scene.signal + (GAIN * sensor.camera.read_noise) ** 2
    sky = darkest * (noise**2 - 1)
    image = [sensor.frames(1, light=scene.signal + each)["image"].values[0] for each in sky]
    if scene.shared:
        ds = aw.calibrate(frame_set(image, camera=sensor.camera), **masters_of(sensor))
    else:
        ds = aw.add_noise(frame_set((image - sensor.bias).astype("f4"), camera=sensor.camera))
    level = xr.DataArray((sky / GAIN).astype("f4"), dims="frame")
    exposure = 60.0 / noise**2
    return ds.assign(image=ds["image"] - level).assign_coords(exposure=("frame", exposure))


def masters_of(sensor: Sensor) -> dict[str, xr.Dataset]:
    """Bias, dark and flat of few frames, so that their noise matters, as they come by default."""
    bias = aw.master_bias(sensor.frames(OF_A_MASTER, kind="bias"))
    dark = aw.master_dark(sensor.frames(OF_A_MASTER, kind="dark"), bias=bias)
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
        planes = ("image", "variance", "shared_variance", "shared_relative_variance")
        image, variance, shared, relative = (
            stack[name].values.ravel() if name in stack else np.zeros(1) for name in planes
        )
        own = 1 - float((shared + image**2 * relative).mean() / variance.mean())
        image = image - image.mean()
        if cell.error == "propagate":
            image, variance = image / np.sqrt(variance), np.ones(1)
        # of pulls the true variance over the one claimed, of scatter the other way round
        squares = image**2
        true, claimed = squares.mean(), variance.mean()
        relative = np.hypot(squares.std() / true, variance.std() / claimed) / np.sqrt(image.size)
        found = np.sqrt(true) if cell.error == "propagate" else claimed / true
        power = 0.5 if cell.error == "propagate" else 1.0
        yield Found(cell, expected(cell, own), float(found), float(power * relative * found))


@cache
def known_biases() -> dict[tuple[str, int, str, str], float]:
    """Claimed over true variance by rejection, frames, error and average, of the docstring."""
    errors = product(("scatter", "propagate"), ("mean", "median"))
    columns = tuple(errors)
    known = {}
    for line in (aw.stack.__doc__ or "").splitlines():
        words = line.split()
        if len(words) == 7 and words[1].isdigit():
            scale, frames, threshold, *ratios = words
            for (error, average), ratio in zip(columns, ratios, strict=True):
                known[f"{scale} {threshold}", int(frames), error, average] = float(ratio)
    return known


def expected(cell: Cell, own: float = 1.0) -> float:
    """What is documented of a cell: 1, or a known bias of what is its own of the variance."""
    average = "mean" if cell.average == "mean" else "median"
    bias = known_biases().get((cell.reject, cell.scene.frames, cell.error, average), 1.0)
    ratio = 1 + own * (bias - 1)
    return float(ratio**-0.5) if cell.error == "propagate" else ratio


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
