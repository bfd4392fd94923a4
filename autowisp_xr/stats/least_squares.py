"""Linear least squares, and polynomials, of plain arrays with outliers rejected."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats
from autowisp_xr.options import upper_and_lower
from autowisp_xr.stats.floats import as_floats

_EPSILON = float(np.finfo(np.float64).eps)


def iterative_rejection_least_squares(
    matrix: ArrayLike,
    rhs: ArrayLike,
    outlier_threshold: float | Sequence[float] | None = None,
    max_iterations: float | None = math.inf,
    return_predicted: bool = False,
) -> tuple[Any, ...]:
    r"""Coefficients of a linear fit, rejecting outliers until none is left.

    Parameters
    ----------
    matrix
        One row for each point, one column for each coefficient. Rows in which anything is not
        finite are left out.
    rhs
        The value of each point; what is not finite is left out.
    outlier_threshold
        In units of the residual: a number for both sides, or two of opposite signs in any order.
        A point strictly above or below the fit by more is an outlier. None rejects nothing.
    max_iterations
        Rejections at most: 0 for a plain fit, None or infinity for as many as it takes.
    return_predicted
        Whether the fitted values come out, too.

    Returns
    -------
    coefficients
        One for each column, float64. NaN where fewer points than coefficients are left. Where the
        points do not determine them (columns that depend on each other), the smallest that fit
        best, each measured in the norm of its column.
    residual
        Root of the mean square distance of the survivors from their fit. 0 for an exact fit, that
        is, where no point is off by more than rounding; NaN where the coefficients are.
    predicted
        Only with ``return_predicted``: the fit at all rows, those left out and rejected included.
        NaN in rows of the matrix that are not finite.

    Raises
    ------
    ValueError
        If the matrix is not two-dimensional, has no columns or not as many rows as there are
        values, or if a threshold or a number of iterations is impossible.

    Notes
    -----
    .. math:: \min_c \sum_i (b_i - \sum_j A_{ij} c_j)^2, \qquad
              r = \sqrt{\frac{1}{n} \sum_i (b_i - \sum_j A_{ij} c_j)^2}

    The residual is not corrected for the degrees of freedom. All rejections of a round are made at
    once, and what was rejected never returns. Distances within rounding are no outliers: otherwise
    an exact fit would reject its own rounding errors.

    References
    ----------
    A. Bjorck, *Numerical Methods for Least Squares Problems*, SIAM 1996, section 1.2.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.stack([np.ones(6), np.arange(6)], axis=1)
    >>> values = np.array([1.0, 3.0, 99.0, 7.0, 9.0, 11.0])
    >>> coefficients, residual = iterative_rejection_least_squares(line, values, 2.0)
    >>> coefficients.round(9).tolist(), residual
    ([1.0, 2.0], 0.0)
    """
    rows, wanted = as_floats(matrix), as_floats(rhs)
    if rows.ndim != 2 or rows.shape[1] == 0 or wanted.shape != rows.shape[:1]:
        raise ValueError(
            "a least squares fit needs a matrix (points, coefficients) with at least one column, "
            f"and one value for each point, not shapes {rows.shape} and {wanted.shape}"
        )
    limits = None if outlier_threshold is None else upper_and_lower(outlier_threshold)
    most = rejections_at_most(max_iterations)
    sound = np.isfinite(rows).all(axis=1)
    kept = sound & np.isfinite(wanted)
    rejections = 0
    while True:
        coefficients, residual, rounding = _fit(rows[kept], wanted[kept])
        if limits is None or math.isnan(residual) or rejections == most:
            break
        distance = np.zeros_like(wanted)
        distance[kept] = wanted[kept] - rows[kept] @ coefficients
        outliers = (distance > max(limits[0] * residual, rounding)) | (
            distance < min(limits[1] * residual, -rounding)
        )
        if not outliers.any():
            break
        kept &= ~outliers
        rejections += 1
    if not return_predicted:
        return coefficients, residual
    predicted = np.full(wanted.shape, np.nan)
    predicted[sound] = rows[sound] @ coefficients
    return coefficients, residual, predicted


def iterative_rejection_polynomial_fit(
    x: ArrayLike,
    y: ArrayLike,
    order: int,
    outlier_threshold: float | Sequence[float] | None = None,
    max_iterations: float | None = math.inf,
    return_predicted: bool = False,
) -> tuple[Any, ...]:
    """Coefficients of a polynomial fit, rejecting outliers until none is left.

    Parameters
    ----------
    x, y
        Of each point (one dimension); points of which either is not finite are left out.
    order
        The highest power, at least 0.
    outlier_threshold, max_iterations, return_predicted
        As for :func:`iterative_rejection_least_squares`.

    Returns
    -------
    coefficients
        Of 1, x, x^2 and so on: ``order + 1`` numbers, float64. NaN where no more than ``order``
        points are left. Where different x are fewer than coefficients, one of the polynomials
        that fit best.
    residual, predicted
        As for :func:`iterative_rejection_least_squares`.

    Raises
    ------
    ValueError
        If x and y are not two lists of one length, the order is negative, or a threshold or a
        number of iterations is impossible.

    Notes
    -----
    The powers that are fitted are those of x scaled to [-1, 1], so that large numbers which differ
    little (dates) lose no digits; only the coefficients that come out are those of x itself.

    Examples
    --------
    >>> coefficients, residual = iterative_rejection_polynomial_fit([1, 2, 3, 4], [3, 5, 7, 9], 1)
    >>> coefficients.round(9).tolist(), residual
    ([1.0, 2.0], 0.0)
    """
    places = as_floats(x)
    order = operator.index(order)
    if places.ndim != 1 or places.shape != np.shape(y):
        raise ValueError(
            f"x and y are two lists of one length, not shapes {places.shape} and {np.shape(y)}"
        )
    if order < 0:
        raise ValueError(f"the order of a polynomial is at least 0, not {order}")
    finite = places[np.isfinite(places)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (-1.0, 1.0)
    center, half = low / 2 + high / 2, (high / 2 - low / 2) or 1.0
    powers = ((places - center) / half)[:, None] ** np.arange(order + 1)
    powers[~np.isfinite(places)] = np.nan  # NaN to the power of 0 is 1
    scaled, *rest = iterative_rejection_least_squares(
        powers, y, outlier_threshold, max_iterations, return_predicted
    )
    if np.isnan(scaled).any():
        return scaled, *rest
    power = np.polynomial.Polynomial
    unscaled = power(scaled)(power([-center / half, 1 / half])).coef
    coefficients = np.zeros(order + 1)
    coefficients[: unscaled.size] = unscaled
    return coefficients, *rest


def rejections_at_most(max_iterations: float | None) -> float:
    """Largest number of rejections, infinite for None.

    Raises
    ------
    ValueError
        If it is negative or not a number.
    """
    if max_iterations is None:
        return math.inf
    if not max_iterations >= 0:
        raise ValueError(f"max_iterations is None or at least 0, not {max_iterations!r}")
    return max_iterations if math.isinf(max_iterations) else int(max_iterations)


def _fit(matrix: Floats, rhs: Floats) -> tuple[Floats, float, float]:
    """Coefficients, residual, and how large the rounding error of a distance may be."""
    points, number = matrix.shape
    if points < number:
        return np.full(number, np.nan), math.nan, math.nan
    # columns of one norm: x^3 beside 1 would else look as if 1 were nothing
    norm = np.sqrt(np.einsum("ij,ij->j", matrix, matrix))
    norm[norm == 0] = 1.0
    coefficients = np.linalg.lstsq(matrix / norm, rhs, rcond=None)[0] / norm
    distance = rhs - matrix @ coefficients
    size = np.abs(rhs) + np.abs(matrix) @ np.abs(coefficients)
    rounding = 4 * number * _EPSILON * float(size.max())
    residual = float(np.sqrt(np.mean(distance**2)))
    return coefficients, residual if residual > rounding else 0.0, rounding
