"""Passes of overscan measurement, one after another, over the pixels of one frame.

A later pass measures what the earlier ones have left, so it takes with its own level what they were
off on average over its pixels: with r the level of rows and c that of columns after it,
r(y) + c(x) = r(y) - <r> + f(x), where <r> is the mean over the pixels of the second pass and f
what it would have measured by itself. Their noise is that of r - <r> and of f, which have no pixel
in common.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from autowisp_xr.overscan_fits.fit import Fit, fit
from autowisp_xr.overscan_fits.plan import Measurement, Plan

__all__ = ["Level", "measure"]


@dataclass(frozen=True)
class Level:
    """How the level of one amplifier was found in one pass."""

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


def measure(values: Any, plan: Plan, name: str) -> tuple[Any, Any, tuple[Level, ...]]:
    """Run the passes of a plan on the overscan pixels of a frame.

    Parameters
    ----------
    values : (pixels) array
        In the order of the plan.
    plan
        See :func:`~autowisp_xr.overscan_fits.plan.plan_passes`.
    name
        Of the frame, for errors.

    Returns
    -------
    level, variance
        (amplifier, rows + columns) float64: the level of a pixel is the sum of those of its row
        and its column, and so is the variance. NaN where nothing tells it.
    levels
        How each was found.
    """
    height, width = plan.shape
    table = np.full((2, plan.amplifiers, height + width), np.nan)
    levels = []
    for amplifier in range(plan.amplifiers):
        steps = [one for turn in plan.passes for one in turn if one.amplifier == amplifier]
        if not steps:
            continue
        corrected = np.asarray(values, dtype=np.float64)
        noises: list[_Noise] = []
        table[:, amplifier] = 0.0
        for number, step in enumerate(steps):
            fitted, lines = _measured(corrected, step, noises, plan, name)
            noises.append(lines)
            column = lines.column
            part = slice(height, None) if column else slice(0, height)
            table[0, amplifier, part] += lines.level
            corrected = corrected - lines.level[plan.x if column else plan.y]
            levels.append(
                Level(
                    number,
                    amplifier,
                    int(fitted.kept.sum()),
                    fitted.iterations,
                    fitted.converged,
                    fitted.scatter,
                )
            )
        last = noises[-1]
        for lines in noises:
            part = slice(height, None) if lines.column else slice(0, height)
            weights = None if lines is last else last.seen[lines.column]
            table[1, amplifier, part] += lines.variance(weights)
    return table[0], table[1], tuple(levels)


@dataclass(frozen=True)
class _Noise:
    """Level of all rows (or columns) of a frame from one pass, and the noise of it."""

    column: bool
    level: Any
    independent: Any
    """Variance of lines that err each for itself, or None."""
    spread: Any
    """(lines, terms): independent parts of the noise of a model, or None."""
    seen: tuple[Any, Any]
    """Share of the pixels of this pass on each row, and on each column."""

    def variance(self, weights: Any) -> Any:
        """Variance of the level of each line, less its mean under weights where they are given."""
        if self.spread is not None:
            spread = self.spread if weights is None else self.spread - weights @ self.spread
            return (spread**2).sum(axis=1)
        if weights is None:
            return self.independent
        mean = np.where(weights > 0, weights**2 * self.independent, 0.0).sum()
        return self.independent * (1 - 2 * weights) + mean


def _measured(
    values: Any, step: Measurement, noises: list[_Noise], plan: Plan, name: str
) -> tuple[Fit, _Noise]:
    pixels = np.where(step.index < 0, np.nan, values[step.index])
    where = f"{name}, {step.place}" if step.place else name
    fitted = fit(pixels, step.here, step.everywhere, step.method, where)
    kept = step.index[fitted.kept]
    seen = tuple(
        np.bincount(place[kept], minlength=size) / kept.size
        for place, size in zip((plan.y, plan.x), plan.shape, strict=True)
    )
    # the passes before have left noise of their own in these pixels; it counts as theirs, but that
    # a median averages it less well than the mean that is taken of it
    squares = fitted.squares
    for noise in noises:
        weights = seen[noise.column]
        own = np.where(weights > 0, noise.variance(weights), 0.0)
        squares -= kept.size * float((weights * own).sum()) / fitted.ratio
    sigma2 = max(squares / fitted.freedom, 0.0)
    column = step.method.per == "column"
    size = plan.shape[column]
    if step.method.per == "frame":
        level = np.full(size, fitted.level[0])
        spread = np.full((size, 1), np.sqrt(fitted.independent[0] * sigma2))
        return fitted, _Noise(column, level, None, spread, (seen[0], seen[1]))
    if fitted.spread is not None:
        spread = fitted.spread * np.sqrt(sigma2)
        return fitted, _Noise(column, fitted.extrapolated, None, spread, (seen[0], seen[1]))
    level, independent = np.full(size, np.nan), np.full(size, np.nan)
    level[step.lines] = fitted.level
    independent[step.lines] = fitted.independent * sigma2
    return fitted, _Noise(column, level, independent, None, (seen[0], seen[1]))
