"""Averages of plain arrays with outliers rejected."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autowisp_xr.errors import ConvergenceError
from autowisp_xr.kernels.stack import MEAN, average_through_frames
from autowisp_xr.options import upper_and_lower

__all__ = ["iterative_rejection_average"]


def iterative_rejection_average(
    array: Any,
    outlier_threshold: float | Sequence[float],
    *,
    average_func: str | Callable[..., Any] = "median",
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
        Numbers of any shape; what is not finite is left out.
    outlier_threshold
        In units of the root mean square distance (divided by N) from the average: a number for
        both sides, or two of opposite signs.
    average_func
        "median" or "mean", or one of the NumPy functions of these names.
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
        As said for ``require_convergence``.

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
    given = np.asarray(array)
    values = np.moveaxis(given, axis, 0)
    number = values.shape[0]
    n = np.arange(number + 1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scatter = 1.0 / (n * (n - 1))
    scatter[:2] = np.nan
    ones = np.ones(number + 1)
    found = average_through_frames(
        values,
        None,
        quantile=_quantile(average_func),
        clipping=(upper, lower, False, rounds),
        weights=(scatter, ones, ones),
        kept=mangle_input,
        dtype=np.float64,
    )
    if require_convergence and found.rejecting.any():
        raise ConvergenceError(
            f"{int(found.rejecting.sum())} averages still reject values after {max_iter} rounds; "
            "raise max_iter or outlier_threshold"
        )
    if mangle_input:
        smallest, largest = found.kept
        np.moveaxis(given, axis, 0)[(values < smallest) | (values > largest)] = np.nan
    results = [found.image, np.sqrt(found.variance), found.count.astype(np.int64)]
    if keepdims:
        results = [np.expand_dims(result, axis) for result in results]
    average, stdev, count = (result[()] for result in results)
    return average, stdev, count


def _quantile(average_func: str | Callable[..., Any]) -> float:
    name = average_func if isinstance(average_func, str) else getattr(average_func, "__name__", "")
    known = {"median": 0.5, "nanmedian": 0.5, "mean": MEAN, "nanmean": MEAN}
    if name not in known:
        raise ValueError(f"average_func is 'median' or 'mean', not {average_func!r}")
    return known[name]
