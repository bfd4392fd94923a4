"""What it costs to bring frames to one level before they are stacked.

    python -m tests.benchmarks.matching [--frames N] [--rows N] [--width N] [--rounds N]

Frames in memory: uint16, float32, and calibrated ones (float32 with variance, mask and what they
share; then also with what photons make of the variance), values beyond five times the root mean
square distance rejected. Ways take turns in one process; printed are medians in milliseconds, and
the median ratio to the same stack as frames are. ``measured`` has the pass that measures.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

import autowisp_xr as aw
from tests.steps.frames import frame_set

__all__ = ["main"]

PLANE = ("channel", "y", "x")


def sets_of(shape: tuple[int, int, int]) -> dict[str, xr.Dataset]:
    """Frames of all kinds, by name."""
    frames, rows, width = shape
    image = np.random.default_rng(1).normal(1000, 20, (frames, 1, rows, width)).astype("f4")
    flags = np.zeros(image.shape, np.uint8)
    calibrated = frame_set(image, variance=np.full_like(image, 400), mask=flags)

    def plane(number: float) -> tuple[tuple[str, ...], np.ndarray]:
        return PLANE, np.full(image.shape[1:], number, "f4")

    calibrated = calibrated.assign(shared_variance=plane(3), shared_relative_variance=plane(1e-6))
    return {
        "uint16": frame_set(np.rint(image).astype("u2")),
        "float32": frame_set(image),
        "calibrated": calibrated,
        "with photons": calibrated.assign(photon_slope=plane(0.3), photon_zero=plane(0)),
    }


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, in turns; a round before that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for counted in range(-1, rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if counted >= 0:
                found[name].append(time.perf_counter() - start)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all kinds of frames."""
    parser = argparse.ArgumentParser(description="The cost of matching frames in a stack.")
    for name, default in (("frames", 30), ("rows", 512), ("width", 1024), ("rounds", 11)):
        parser.add_argument(f"--{name}", type=int, default=default, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    scale, sky = np.linspace(0.9, 1.1, given.frames), np.linspace(0, 100, given.frames)
    options = {
        "as they are": {},
        "scale": {"scale": scale},
        "scale and sky": {"scale": scale, "sky": sky},
        "to reject alone": {"scale": (scale, None)},
        "measured": {"scale": "median", "sky": "median"},
    }
    reject = aw.SigmaClip(min(5.0, 0.9 * (given.frames - 1) ** 0.5))
    for kind, ds in sets_of((given.frames, given.rows, given.width)).items():
        for average in ("median", "mean"):
            ways = {
                name: lambda ds=ds, average=average, more=more: aw.stack(
                    ds, average, reject=reject, **more
                )
                for name, more in options.items()
            }
            seconds = timed(ways, given.rounds)
            plain = seconds["as they are"]
            for name, each in seconds.items():
                ratio = statistics.median(a / b for a, b in zip(each, plain, strict=True))
                line = f"{kind:13} {average:7} {name:16} {1e3 * statistics.median(each):7.1f} ms"
                sys.stdout.write(f"{line} {ratio:6.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
