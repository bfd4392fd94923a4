"""Passes of overscan measurement, one after another, over the pixels of one frame.

A later pass measures what the earlier ones have left, so it takes with its own level what they were
off on average over its pixels: with r the level of rows and c that of columns after it,
r(y) + c(x) = r(y) - <r> + f(x), where <r> is the mean over the pixels of the second pass and f
what it would have measured by itself. Their noise is that of r - <r> and of f, which have no pixel
in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats, Numbers
from autowisp_xr.overscan_fits.level_fit import Fit, fit
from autowisp_xr.overscan_fits.plan import Measurement, Plan


@dataclass(frozen=True)
class Level:
    """A record of how the level of one amplifier was found in one pass."""

    number: int
    """Of the pass, from zero."""
    amplifier: int
    """From zero, in the order of the amplifiers; 0 where there is one only."""
    pixels: int
    """That were left."""
    iterations: int
    """Rejections of pixels."""
    converged: bool
    """Whether the last iteration found nothing more to reject."""
    scatter: float
    """s^2, the variance of a pixel about the level, in ADU^2."""


def measure(values: Numbers, plan: Plan, name: str) -> tuple[Floats, Floats, tuple[Level, ...]]:
    """Run the passes of a plan on the overscan pixels of a frame.

    Parameters
    ----------
    values : (pixels) array
        In the order of the plan.
    plan
        See :func:`~autowisp_xr.overscan_fits.plan.plan_passes`.
    name
        The frame, for messages.

    Returns
    -------
    level, variance
        (amplifier, rows + columns) float64: the level of a pixel is the sum of those of its row
        and its column, and so is the variance. NaN where it is not known.
    levels
        How each was found.
    """
    level = np.full((plan.amplifiers, sum(plan.shape)), np.nan)
    variance = level.copy()
    parts = slice(0, plan.shape[0]), slice(plan.shape[0], None)
    levels = []
    for amplifier, steps in enumerate(plan.passes):
        if not steps:
            continue
        level[amplifier] = variance[amplifier] = 0.0
        corrected = np.asarray(values, dtype=np.float64)
        noises: list[_Noise] = []
        for number, step in enumerate(steps):
            fitted, lines = _measured(corrected, step, noises, plan, name)
            noises.append(lines)
            level[amplifier, parts[lines.column]] += lines.level
            corrected = corrected - lines.level[plan.x if lines.column else plan.y]
            pixels = int(fitted.kept.sum())
            how = fitted.iterations, fitted.converged, fitted.scatter
            levels.append(Level(number, amplifier, pixels, *how))
        for lines in noises:
            # what an earlier pass was off on average, the last one has taken
            weights = None if lines is noises[-1] else noises[-1].seen[lines.column]
            variance[amplifier, parts[lines.column]] += lines.variance(weights)
    return level, variance, tuple(levels)


class _Noise(NamedTuple):
    """The level of all rows (or columns) of a frame from one pass, and its noise."""

    column: bool
    seen: tuple[Floats, Floats]
    """Share of the pixels of this pass on each row, and on each column."""
    level: Floats
    noise: Floats
    """(lines): variance of lines with noise of their own; or (lines, terms): independent parts of
    the noise of a model."""

    def variance(self, weights: Floats | None) -> Floats:
        """Return the variance of the level of each line, less its weighted mean where wanted."""
        if self.noise.ndim == 2:
            noise = self.noise if weights is None else self.noise - weights @ self.noise
            return (noise**2).sum(axis=1)
        if weights is None:
            return self.noise
        mean = np.where(weights > 0, weights**2 * self.noise, 0.0).sum()
        return self.noise * (1 - 2 * weights) + mean


def _measured(
    values: Floats, step: Measurement, noises: Sequence[_Noise], plan: Plan, name: str
) -> tuple[Fit, _Noise]:
    pixels = np.where(step.index < 0, np.nan, values[step.index])
    where = f"{name}, {step.place}" if step.place else name
    fitted = fit(pixels, step.model, step.method, where)
    kept = step.index[fitted.kept]
    rows, columns = (
        np.bincount(place[kept], minlength=size) / kept.size
        for place, size in zip((plan.y, plan.x), plan.shape, strict=True)
    )
    seen = rows, columns
    # the passes before have left noise of their own in these pixels; it counts as theirs, but that
    # a median averages it less well than the mean that is taken of it
    deviations = fitted.squared_deviations
    for earlier in noises:
        weights = seen[earlier.column]
        own = np.where(weights > 0, earlier.variance(weights), 0.0)
        deviations -= kept.size * float((weights * own).sum()) / fitted.ratio
    sigma2 = max(deviations / fitted.freedom, 0.0)
    column = step.method.per == "column"
    size = plan.shape[column]
    level, noise = fitted.level, fitted.noise
    if step.model is not None:
        noise = noise * np.sqrt(sigma2)
    elif step.method.per == "frame":
        level = np.full(size, level[0])
        noise = np.full((size, 1), np.sqrt(noise[0] * sigma2))
    else:
        level, noise = np.full((2, size), np.nan)
        level[step.lines], noise[step.lines] = fitted.level, fitted.noise * sigma2
    return fitted, _Noise(column, seen, level, noise)
