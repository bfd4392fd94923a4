"""Ways to reject outliers, beside sigma clipping and beside their formulas in plain NumPy.

    python -m tests.benchmarks.rejections [--frames N ...] [--rows N] [--rounds N]

Means of float32 frames of normal noise, two values in a thousand of which are outliers, in memory
and in one thread. The formulas take all pixels at once, and reject in one round; so does none of
ours. Printed are medians of nanoseconds a pixel, and how many times that of ``SigmaClip`` it is.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import autowisp_xr as aw
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.outliers.base import average_columns
from autowisp_xr.outliers.generalized_esd import critical_values

__all__ = ["main"]

WIDTH = 1024
REJECTIONS = (
    aw.SigmaClip(5),
    aw.SigmaClip(5, scale="mad"),
    aw.WinsorizedSigmaClip(5),
    aw.LinearFitClip(5),
    aw.GeneralizedESD(),
)


def sigma_clipped(values: Any) -> Any:
    """Mean of what lies within five standard deviations."""
    distance = np.abs(values - values.mean(axis=0))
    return np.mean(values, axis=0, where=distance <= 5 * values.std(axis=0))


def off_a_line(values: Any) -> Any:
    """Mean of what lies within five mean deviations of a line of least squares."""
    ordered = np.sort(values, axis=0)
    place = np.arange(len(ordered)) - (len(ordered) - 1) / 2
    slope = np.tensordot(place, ordered, 1) / (place**2).sum()
    distance = np.abs(ordered - ordered.mean(axis=0) - place[:, None] * slope)
    return np.mean(ordered, axis=0, where=distance <= 5 * distance.mean(axis=0))


def esd(values: Any) -> Any:
    """Mean of what the generalised ESD test keeps, with at most three in ten rejected."""
    left, most = values.astype(np.float64), int(0.3 * len(values))
    critical = critical_values(0.05, len(values))
    order = np.empty((most, values.shape[1]), int)
    number = np.zeros(values.shape[1], int)
    for i in range(most):
        distance = np.abs(left - np.nanmean(left, axis=0))
        order[i] = np.nanargmax(distance, axis=0)
        farthest = np.take_along_axis(distance, order[i : i + 1], axis=0)[0]
        beyond = farthest > critical[len(values) - i] * np.nanstd(left, axis=0, ddof=1)
        number[beyond] = i + 1
        np.put_along_axis(left, order[i : i + 1], np.nan, axis=0)
    kept = np.ones(values.shape, bool)
    np.put_along_axis(kept, order, np.arange(most)[:, None] >= number, axis=0)
    return np.mean(values, axis=0, where=kept)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each number of frames."""
    parser = argparse.ArgumentParser(description="Ways to reject outliers, side by side.")
    add = parser.add_argument
    add("--frames", type=int, nargs="+", default=[10, 30, 100], help="(default: %(default)s)")
    add("--rows", type=int, default=512, help=f"of {WIDTH} pixels (default: %(default)s)")
    add("--rounds", type=int, default=3, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(1)
    jobs: dict[str, Callable[[Any], Any]] = {
        str(reject): lambda values, reject=reject: average_columns(values, MEAN, reject)
        for reject in REJECTIONS
    }
    jobs |= {f"NumPy: {each.__name__}": each for each in (sigma_clipped, off_a_line, esd)}
    for frames in given.frames:
        values = rng.normal(1000, 10, (frames, given.rows * WIDTH)).astype(np.float32)
        values[rng.random(values.shape) < 0.002] += 500
        times: dict[str, list[float]] = {name: [] for name in jobs}
        for turn in range(given.rounds + 1):
            for name, job in jobs.items():
                start = time.perf_counter()
                # the first turn compiles, and reads what is compiled
                job(values if turn else values[:, :WIDTH])
                if turn:
                    times[name].append(1e9 * (time.perf_counter() - start) / values.shape[1])
        medians = {name: statistics.median(each) for name, each in times.items()}
        first = next(iter(medians.values()))
        sys.stdout.write(f"{frames} frames\n")
        for name, each in medians.items():
            sys.stdout.write(f"  {name:75} {each:9.0f} ns/pixel {each / first:8.1f}\n")


if __name__ == "__main__":
    main()
