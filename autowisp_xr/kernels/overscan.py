"""The level of a frame from pixels that see no light."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from autowisp_xr.errors import ConvergenceError

__all__ = ["Level", "median_level"]


@dataclass(frozen=True)
class Level:
    """A level in ADU, its variance in ADU^2, and how it was found."""

    value: float
    variance: float
    iterations: int
    pixels: int
    converged: bool


def median_level(
    pixels: Any,
    *,
    reject_threshold: float = 5.0,
    max_reject_iterations: int = 10,
    min_pixels: int = 100,
    require_convergence: bool = False,
    name: str = "the frame",
) -> Level:
    """Median of the pixels with outliers rejected.

    Parameters
    ----------
    pixels : array of any shape
        What is not finite is left out.
    reject_threshold
        In sample standard deviations (N - 1) about the median.
    max_reject_iterations
        Rejections at most; the level is always that of the survivors.
    min_pixels, require_convergence, name
        Fewer survivors, or (if required) a last iteration that still rejected, is an error
        that names the frame.

    Raises
    ------
    ConvergenceError
        As said above.

    Notes
    -----
    The variance is s^2 / N, that of a mean.
    """
    kept = np.asarray(pixels, dtype=np.float64).ravel()
    kept = kept[np.isfinite(kept)]
    iterations = 0
    converged = False
    while True:
        if kept.size < max(min_pixels, 2):
            raise ConvergenceError(
                f"{name}: {kept.size} overscan pixels are left after {iterations} rejections, "
                f"min_pixels is {min_pixels}; give larger areas or a higher reject_threshold"
            )
        value = float(np.median(kept))
        square = (kept - value) ** 2
        variance = float(square.sum() / (kept.size - 1))
        outliers = square > reject_threshold**2 * variance
        converged = not outliers.any()
        if converged or iterations == max_reject_iterations:
            break
        kept = kept[~outliers]
        iterations += 1
    if require_convergence and not converged:
        raise ConvergenceError(
            f"{name}: the overscan level still rejects pixels after {iterations} iterations; "
            "raise max_reject_iterations or reject_threshold"
        )
    return Level(value, variance / kept.size, iterations, kept.size, converged)
