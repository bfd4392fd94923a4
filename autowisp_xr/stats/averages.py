"""Averages of plain arrays with outliers rejected."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Columns
from autowisp_xr.checked_numbers import is_number
from autowisp_xr.errors import ConvergenceError
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.clip_list import average_list
from autowisp_xr.options import Average, upper_and_lower
from autowisp_xr.outliers.base import average_columns
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stats.floats import as_floats, as_numbers, kernel_type
from autowisp_xr.stats.order_statistics import variance_factors

_AVERAGES: tuple[Average, Average] = ("median", "mean")
_LONG = 1000
"""More values than this are averaged without sorting them."""

_QUANTILES = {"quantile": 1.0, "nanquantile": 1.0, "percentile": 0.01, "nanpercentile": 0.01}


def iterative_rejection_average(
    array: ArrayLike,
    outlier_threshold: float | Sequence[float],
    *,
    average_func: str | float | Callable[..., Any] = "median",
    max_iter: float = np.inf,
    axis: int = 0,
    require_convergence: bool = False,
    mangle_input: bool = False,
    keepdims: bool = False,
) -> tuple[Any, Any, Any]:
    """Average along one axis, rejecting outliers until none is left.

    Parameters
    ----------
    array
        Numbers of any shape; what is not finite, or masked, is left out.
    outlier_threshold
        In units of the root mean square distance (divided by N) from the average: a number for
        both sides, or two of opposite signs.
    average_func
        As :func:`average_named` takes it: "median", "mean", the NumPy functions of these names, or
        a quantile.
    max_iter
        Rejections at most; 0 for a plain average.
    axis
        The axis to average over.
    require_convergence
        Whether still rejecting after ``max_iter`` rounds is an error.
    mangle_input
        Whether rejected entries of ``array`` (floats) become NaN in place.
    keepdims
        Whether the axis stays, with size one.

    Returns
    -------
    average
        Of the survivors, also where ``max_iter`` ended the rejection; NaN where there are none.
    stdev
        Standard error of the mean of the survivors, sqrt(sum (x - average)^2 / (n (n - 1))); the
        same formula for the median, whose true error is larger by up to sqrt(pi / 2). NaN for n =
        1.
    count
        Number of survivors (int64).

    Raises
    ------
    ConvergenceError
        Where ``require_convergence`` asks for it.

    Examples
    --------
    >>> import numpy as np
    >>> average, stdev, count = iterative_rejection_average(
    ...     np.array([1, 2, 3, 4, 100]), 1.5, average_func="mean", max_iter=1
    ... )
    >>> float(average), round(float(stdev), 4), int(count)
    (2.5, 0.6455, 4)
    """
    upper, lower = upper_and_lower(outlier_threshold)
    if not max_iter >= 0:
        raise ValueError(f"max_iter is at least 0, not {max_iter}")
    rounds = None if np.isinf(max_iter) else int(max_iter)
    if mangle_input and not (isinstance(array, np.ndarray) and array.dtype.kind == "f"):
        raise ValueError("mangle_input needs a NumPy array of floats, in which to write NaN")
    given = as_floats(array) if isinstance(array, np.ma.MaskedArray) else np.asarray(array)
    values = np.moveaxis(as_numbers(given), axis, 0)
    quantile = quantile_of(average_named(average_func))
    # of none, too
    columns = values.reshape(len(values), prod(values.shape[1:]))
    averages = _through_lists if len(values) > _LONG and values.size else _through_columns
    parts = averages(columns, quantile, (upper, lower), rounds)
    image, variance, count, rejecting, smallest, largest = (
        part.reshape(values.shape[1:]) for part in parts
    )
    if require_convergence and rejecting.any():
        raise ConvergenceError(
            f"{int(rejecting.sum())} averages still reject values after {max_iter} rounds; "
            "raise max_iter or outlier_threshold"
        )
    if mangle_input:
        np.moveaxis(given, axis, 0)[(values < smallest) | (values > largest)] = np.nan
    results = [image, np.sqrt(variance), count.astype(np.int64)]
    if keepdims:
        results = [np.expand_dims(result, axis) for result in results]
    average, stdev, count = (result[()] for result in results)
    return average, stdev, count


def _through_columns(
    columns: Columns, quantile: float, limits: tuple[float, float], rounds: int | None
) -> tuple[Any, ...]:
    """Return averages, their variances, numbers, who still rejects, and ranges of survivors."""
    columns = columns.astype(kernel_type(columns.dtype), copy=False)
    block = average_columns(columns, quantile, SigmaClip(limits, max_iter=rounds))
    # the error of a mean, whatever the average
    variance = block.squared_deviations * variance_factors(MEAN, len(columns))[0][block.number]
    return block.about, variance, block.number, block.rejecting, block.smallest, block.largest


def _through_lists(
    columns: Columns, quantile: float, limits: tuple[float, float], rounds: int | None
) -> tuple[Any, ...]:
    """Return the same, list after list: a network that sorts a million values has no end."""
    upper, lower = limits
    found = [
        average_list(column, quantile=quantile, upper=upper, lower=lower, max_rounds=rounds)
        for column in columns.T
    ]
    average, squared_deviations, count, ends, rejecting = map(np.array, zip(*found, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = squared_deviations / (count * (count - 1.0))
    return average, variance, count, rejecting, *ends.T


def average_named(average_func: str | float | Callable[..., Any]) -> Average:
    """Return the average that a name, number or function means: "median", "mean", or a quantile.

    Parameters
    ----------
    average_func
        "median", "mean", "nanmedian", "nanmean", a quantile from 0 to 1, "quantile:0.7" or
        "percentile:70"; the NumPy functions of the first four names, or a ``functools.partial`` of
        those for quantiles and percentiles.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> import functools, numpy
    >>> average_named(numpy.nanmean), average_named("quantile:0.7")
    ('mean', 0.7)
    >>> average_named(functools.partial(numpy.nanpercentile, q=25))
    0.25
    """
    if isinstance(average_func, Real):
        return float(average_func)
    name, _, number = str(average_func).partition(":")
    if isinstance(average_func, partial):
        name = getattr(average_func.func, "__name__", "")
        number = str(average_func.keywords.get("q", ""))
    elif callable(average_func):
        name, number = getattr(average_func, "__name__", ""), ""
    for average in _AVERAGES:
        if name in (average, f"nan{average}") and not number:
            return average
    try:
        return float(number) * _QUANTILES[name]
    except (KeyError, ValueError):
        raise ValueError(
            "average_func is 'median', 'mean', a quantile ('quantile:0.7'), or the NumPy function "
            f"of that, not {average_func!r}"
        ) from None


def quantile_of(average: Average) -> float:
    """Return the quantile that an average is, or MEAN."""
    if average == "median":
        return 0.5
    if average == "mean":
        return MEAN
    # True is a number, and no quantile
    if is_number(average) and 0 <= average <= 1:
        return float(average)
    raise ValueError(f"average is 'median', 'mean' or a quantile from 0 to 1, not {average!r}")
