"""How wide the pulls of averages of few photons are, by the formula of ``kernels.photons``.

``python -m tests.kernels.photon_noise`` prints widths, and the mean of the variance over the true
one, for the electrons that the read noise stands for (its square times the number of frames, r in
the formula) and for photons in all frames; then those of single frames, by their read noise. They
are exact: sums over the Poisson distribution, of integrals over the normal one.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.stats import poisson

from autowisp_xr.kernels.photons import photon_noise

__all__ = ["variance_of_frame", "variance_of_sum", "width"]

RESTS = (0.49, 1.44, 2.88, 4.32, 7.2, 14.4, 28.8, 60.0, 180.0)
PHOTONS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
READ_NOISES = (0.7, 1.2, 3.0, 8.0)
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(100)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_NEVER = 1e-12


def variance_of_sum(electrons: Any, rest: float, other: float = 0.0) -> Any:
    """Variance that is claimed for such sums of electrons, photons and read noise."""
    total = rest + np.maximum(electrons, 0.0)
    pairs = zip(np.ravel(total), np.ravel(electrons), strict=True)
    claimed = [photon_noise(v, other, e, 1.0, False)[0] + other for v, e in pairs]
    return np.reshape(claimed, np.shape(electrons))


def variance_of_frame(electrons: Any, rest: float) -> Any:
    """Variance that a frame claims for such electrons."""
    return rest + np.maximum(electrons, 0.0)


def width(
    rest: float, photons: float, claims: Callable[..., Any] = variance_of_sum
) -> tuple[float, float]:
    """Standard deviation of the pulls, and mean of the variance over the true one."""
    first, last = poisson.ppf([_NEVER, 1 - _NEVER], photons)
    counts = np.arange(max(first, 0.0), last + 1)[:, None]
    noise = np.sqrt(rest) * _NODES
    share = poisson.pmf(counts, photons) * _WEIGHTS
    share[share < _NEVER] = 0.0
    claimed = claims(counts + noise, rest)
    pulls = (counts - photons + noise) / np.sqrt(claimed)
    mean = np.sum(share * pulls)
    return (
        float(np.sqrt(np.sum(share * pulls**2) - mean**2)),
        float(np.sum(share * claimed) / (rest + photons)),
    )


def table(rests: Iterable[float], claims: Callable[..., Any]) -> str:
    """A line for each rest."""
    lines = ["   rest" + "".join(f"{photons:12g}" for photons in PHOTONS)]
    for rest in rests:
        cells = (width(rest, photons, claims) for photons in PHOTONS)
        lines.append(f"{rest:7.2f}" + "".join(f"{w:7.3f}/{mean:.2f}" for w, mean in cells))
    return "\n".join([*lines, "", ""])


if __name__ == "__main__":
    sys.stdout.write("Averages\n" + table(RESTS, variance_of_sum))
    squares = (noise**2 for noise in READ_NOISES)
    sys.stdout.write("Frames\n" + table(squares, variance_of_frame))
