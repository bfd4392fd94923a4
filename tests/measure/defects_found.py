"""What ``defects`` finds, by the factor of the uncertainty, on sensors that are not its own idea.

``python -m tests.measure.defects_found`` prints the table; ``--plot FILE`` draws it.
"""

import argparse
import sys
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from autowisp_xr import Flag
from autowisp_xr.measure import defects
from tests.sensors import Sensor

FACTORS = {10: 4.0, 30: 2.2, 100: 1.5}
"""By the number of darks and of biases, the factor from which on 99 % are to be found."""

_EXPOSURE = 60.0

_RAYS = 2.5e-7
"""Tracks per pixel and second."""


class Found(NamedTuple):
    """Pixels of a sensor, (pixel)."""

    factor: Any
    """Scatter of a dark by what gain and read noise make of it."""
    flagged: Any
    good: Any
    """Whether a pixel has no fault at all."""


def look(number: int, *, seed: int = 1, shape: tuple[int, int] = (400, 500)) -> Found:
    """Look for defects in so many darks and biases of a sensor with unstable and noisy pixels."""
    rays = _RAYS * shape[0] * shape[1]
    faults = {"telegraph": 0.02, "noisy": 0.03, "hot": 0.01}
    sensor = Sensor(shape=shape, seed=seed, cosmic_rays=rays, **faults)
    darks, biases = sensor.darks(number, exposure=_EXPOSURE), sensor.biases(number)
    found = defects(darks=darks, biases=biases, camera=sensor.camera())
    flagged = found["mask"].values[0] & np.uint8(Flag.FAULT) != 0
    factor = sensor.error_ratio(exposure=_EXPOSURE)
    # what no frame has seen, nobody finds
    factor[~jumped(sensor, darks) & (sensor.kinds == "telegraph")] = 1.0
    return Found(factor.ravel(), flagged.ravel(), np.isin(sensor.kinds, ("", "hot")).ravel())


def jumped(sensor: Sensor, darks: Any) -> Any:
    """Return which telegraph pixels were in several states, (y, x)."""
    rngs = (sensor._random(name) for name in darks["frame"].values.tolist())
    states = np.stack([sensor._levels("telegraph", rng) for rng in rngs])
    return np.ptp(states, axis=0) > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    edges = np.array([1.05, 1.2, 1.35, 1.5, 1.8, 2.2, 3.0, 4.0, 6.0, 10.0, 30.0])
    curves = {}
    sys.stdout.write("frames  wanted  found of these  good ones flagged   found by factor\n")
    for number, wanted in FACTORS.items():
        parts = [look(number, seed=seed) for seed in (1, 2)]
        factor, flagged, good = (np.concatenate(part) for part in zip(*parts, strict=True))
        within = [(factor >= a) & (factor < b) for a, b in pairwise(edges)]
        curves[number] = [float(flagged[part].mean()) for part in within]
        listed = "  ".join(
            f"{a:g}: {share:.3f}" for a, share in zip(edges, curves[number], strict=False)
        )
        sys.stdout.write(
            f"{number:6d}  {wanted:6g}  {flagged[factor >= wanted].mean():14.4f}  "
            f"{flagged[good].mean():17.5f}   {listed}\n"
        )
    if options.plot:
        import matplotlib.pyplot as plt

        for number, shares in curves.items():
            plt.plot(np.sqrt(edges[1:] * edges[:-1]), shares, "o-", label=f"{number} frames")
        plt.xscale("log")
        plt.xlabel("scatter of a pixel, by what gain and read noise make of it")
        plt.ylabel("share found")
        plt.legend()
        plt.savefig(options.plot)


if __name__ == "__main__":
    main()
