"""The level of the overscan of one raw frame that is to be subtracted from its image.

It is measured in passes, one after another. A later pass measures what the earlier ones have left,
so it takes with its own level what they were off on average over its pixels: with r the level of
rows and c that of columns after it, r(y) + c(x) = r(y) - <r> + f(x), where <r> is the mean over the
pixels of the second pass and f what it would have measured by itself. Their noise is that of
r - <r> and of f, which have no pixel in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats, Numbers
from autowisp_xr.camera.amplifiers import parse_amplifiers
from autowisp_xr.errors import CalibrationError
from autowisp_xr.options import Overscan
from autowisp_xr.overscan_fits.level_fit import Fit, fit
from autowisp_xr.overscan_fits.plan import Measurement, Plan, amplifier_of, plan_passes
from autowisp_xr.regions import Region, parse_areas
from autowisp_xr.stats.floats import as_numbers


@dataclass(frozen=True)
class Level:
    """A record of how the level of one amplifier was found in one pass."""

    number: int
    """The number of the pass, from zero."""
    amplifier: int
    """Its number from zero, in the order of the amplifiers; 0 where there is one only."""
    pixels: int
    """The number of pixels that were left."""
    iterations: int
    """Rejections of pixels."""
    converged: bool
    """Whether the last iteration found nothing more to reject."""
    scatter: float
    """s^2, the variance of a pixel about the level, in ADU^2."""


@dataclass(frozen=True)
class OverscanCorrection:
    """The level to be subtracted from the image area of a frame, in ADU."""

    correction: Floats
    """float64, broadcastable to the image area (y, x): 0-d for one level, (y, 1) for a level a row,
    (1, x) for a level a column, (y, x) for both or for several amplifiers. NaN where no pixel gives
    a level."""
    variance: Floats
    """The variance of the correction, in ADU^2, of its shape."""
    mean_variance: Floats
    """s^2 / N of each amplifier, summed over passes, in ADU^2: what the original takes for the
    variance of its median. 0-d, or (y, x) for several amplifiers."""
    levels: tuple[Level, ...]
    """The levels of each pass and amplifier."""

    @property
    def pixels(self) -> int:
        """The number of pixels that were left, of all passes and amplifiers."""
        return sum(level.pixels for level in self.levels)

    @property
    def iterations(self) -> int:
        """The largest number of rejections."""
        return max(level.iterations for level in self.levels)

    @property
    def converged(self) -> bool:
        """Whether all levels converged."""
        return all(level.converged for level in self.levels)


def overscan_correction(
    raw: ArrayLike,
    areas: Any = (),
    method: Overscan | Sequence[Overscan] | None = None,
    *,
    image_area: Any = None,
    amplifiers: Any = (),
    name: str = "the frame",
) -> OverscanCorrection:
    r"""Measure the level of the overscan of a raw frame, over its image area, with its variance.

    Parameters
    ----------
    raw : (y, x) array
        A whole raw frame, in ADU; colours need not be separated. What is not finite, or masked,
        is left out.
    areas
        Regions of the raw frame, each pixel of their union once; for methods without areas of
        their own.
    method
        One :class:`~autowisp_xr.Overscan` or several, passes one after the other, each measured
        on pixels that the passes before have corrected. By default the median of the frame.
    image_area
        Region to correct; None for the whole frame.
    amplifiers
        What has a level of its own, found in its own overscan areas, or in the overscan pixels
        inside its region: each an :class:`~autowisp_xr.Amplifier` or a region.
    name
        The frame, for messages.

    Returns
    -------
    :class:`OverscanCorrection`

    Raises
    ------
    CalibrationError
        Where the areas do not determine the level of a line of the image, or amplifiers do not
        cover image and overscan.
    OutsideImageError
        For an area outside the frame.
    ConvergenceError
        Where too few pixels are left.

    Notes
    -----
    A pixel is rejected when it is off the level (of its line, by the model) by more than
    ``reject_threshold`` times s, with :math:`s^2 = \sum (x - level)^2 / (N - p)` for N remaining
    pixels and p levels or terms; all at once, at most ``max_reject_iterations`` times. The level
    is always that of the survivors.

    ==========================  ================================================================
    method                      variance of the level
    ==========================  ================================================================
    mean of a frame or line     :math:`s^2 / n`
    median of a frame or line   :math:`r(n)\, s^2 / n`, r(n) the variance of a median of n normal
                                values over that of their mean: 1.35 for 3, pi / 2 in the limit
    polynomial, spline          :math:`s^2\, b^T (B^T W B)^{-1} b` with :math:`W = n` or
                                :math:`n / r(n)` of each line, b the terms on the line
    ==========================  ================================================================

    Here s is that of all lines of the amplifier together, and for medians divides by the exact
    expectation of the sum of squared deviations (:mod:`autowisp_xr.overscan_fits.level_fit`). Where
    a later pass follows, it takes with its own level what the earlier one was off on average over
    its pixels, so that only the rest of that noise counts: of a frame's level nothing. Pixels that
    two passes share count as independent.

    Beyond their pixels polynomials and splines are extrapolated. Without a model, a line that has
    lost all its pixels (to NaN or rejection) is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.full((4, 60), 100.0)
    >>> raw[:, 50:] = [[9.0, 11.0] * 5] * 4
    >>> found = overscan_correction(
    ...     raw, "[51:60,1:4]", Overscan(min_pixels=40), image_area="[1:50,1:4]"
    ... )
    >>> float(found.correction), found.pixels, round(float(found.mean_variance), 4)
    (10.0, 40, 0.0256)
    """
    frame = as_numbers(raw)
    if frame.ndim != 2:
        raise CalibrationError(f"a raw frame is an array (y, x), not one of shape {frame.shape}")
    height, width = frame.shape
    extent = Region(ymin=0, ymax=height, xmin=0, xmax=width)
    given = parse_areas(areas, "areas")
    methods = (method,) if isinstance(method, Overscan) else tuple(method or (Overscan(),))
    readers = parse_amplifiers(amplifiers)
    own = [area for one in readers for area in one.overscan]
    if not (given or own) and any(one.areas is None for one in methods):
        raise CalibrationError("there are no overscan areas; give areas, or Overscan(areas=...)")
    image = extent if image_area is None else Region.parse(image_area)
    image.check_inside(height, width, "the image area")
    wanted = np.zeros(frame.shape, bool)
    for number, area in enumerate({a: None for m in methods for a in m.areas or (*given, *own)}):
        area.check_inside(height, width, f"overscan area {number}")
        wanted[area.ymin : area.ymax, area.xmin : area.xmax] = True
    rows, columns = np.arange(image.ymin, image.ymax), np.arange(image.xmin, image.xmax)
    y, x = np.nonzero(wanted)
    plan = plan_passes(
        y, x, methods, given, extent=extent, image=(rows, columns), amplifiers=readers
    )
    table, variances, levels = measure(frame[y, x], plan, name)
    mean = np.zeros(plan.amplifiers)
    for level in levels:
        mean[level.amplifier] += level.scatter / level.pixels
    per = {one.per for one in methods}
    # where nothing varies along an axis, one place stands for all
    y_index = rows[:, None] if readers or "row" in per else rows[:1, None]
    x_index = columns if readers or "column" in per else columns[:1]
    reader = amplifier_of(y_index, x_index, readers)
    correction, variance = (
        values[reader, y_index] + values[reader, height + x_index] for values in (table, variances)
    )
    mean = mean[reader] if readers else mean[0]
    if not readers and per == {"frame"}:
        correction, variance = correction[0, 0], variance[0, 0]
    return OverscanCorrection(correction, variance, mean, levels)


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
