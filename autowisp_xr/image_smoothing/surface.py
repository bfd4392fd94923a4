r"""Surfaces of separable terms fitted to images, outliers rejected.

The model of a pixel is a sum of products of functions of y and of x,

.. math:: M_{yx} = \sum_{ij} c_{ij}\, Y_{yi}\, X_{xj}

A design matrix of all pixels times all terms would be 25 images large for 5 x 5 terms, and is never
made. For the weights w of the pixels, 0 or 1, the normal equations

.. math:: \sum_{kl} \Bigl[ \sum_y Y_{yi} Y_{yk} \sum_x w_{yx} X_{xj} X_{xl} \Bigr] c_{kl}
          = \sum_y Y_{yi} \sum_x w_{yx} I_{yx} X_{xj}

are products of small matrices with bands of rows of the image (A. Bjorck, *Numerical Methods for
Least Squares Problems*, SIAM 1996, sections 2.2 and 8.4). They square the condition of the problem;
therefore the functions are made orthonormal first, each weighted with the number of pixels that
count in its row or column. Without missing pixels, or where whole rows and columns are missing, the
normal matrix is then a unit matrix, and elsewhere it is close to one.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autowisp_xr.image_smoothing.image import bands
from autowisp_xr.kernels.surface import (
    add_moments,
    drop_outliers,
    square_distances,
    surface_rows,
)
from autowisp_xr.options import upper_and_lower
from autowisp_xr.stats.least_squares import rejections_at_most

__all__ = ["fit_surface"]

_EPSILON = float(np.finfo(np.float64).eps)
# of a distance from the fit, in units of the largest pixel
_ROUNDING = 64 * _EPSILON
# eigenvalues of the normal matrix, in units of the largest, that are nothing but rounding
_UNDETERMINED = 1e-13


def fit_surface(
    image: Any,
    y_terms: Any,
    x_terms: Any,
    outlier_threshold: float | Sequence[float] | None = None,
    max_iterations: float | None = None,
) -> Any:
    """Least-squares fit of a surface to the finite pixels of an image.

    Parameters
    ----------
    image
        Array [y, x] of real numbers.
    y_terms, x_terms
        Functions of y at the rows, (y, number), and of x at the columns, (x, number), float64. Only
        the space that they span matters; their products must span a constant.
    outlier_threshold, max_iterations
        As for :func:`autowisp_xr.stats.iterative_rejection_least_squares`.

    Returns
    -------
    The surface [y, x], float64, at all pixels; NaN if fewer pixels than terms are left. Where the
    pixels do not determine it, it tends to their mean.
    """
    limits = None if outlier_threshold is None else upper_and_lower(outlier_threshold)
    most = rejections_at_most(max_iterations)
    kept = np.isfinite(image, order="C")
    total = _moments(image, kept, 0.0, np.ones((image.shape[0], 1))).sum()
    level = float(total) / (int(np.count_nonzero(kept)) or 1)
    y_terms, x_terms = _orthonormal(y_terms), _orthonormal(x_terms)
    rejections = 0
    while True:
        if np.count_nonzero(kept) < y_terms.shape[1] * x_terms.shape[1]:
            return np.full(image.shape, np.nan)
        surface = (level, *_fit(image, level, kept, y_terms, x_terms))
        if limits is None or rejections == most:
            break
        if not _reject(image, kept, surface, limits):
            break
        rejections += 1
    result = np.empty(image.shape)
    surface_rows(surface, result)
    return result


def _fit(image: Any, level: float, kept: Any, y_terms: Any, x_terms: Any) -> tuple[Any, Any]:
    """Two matrices, (y, terms) and (terms, x), whose product is the surface above the level."""
    whole = bool(kept.all())
    if not whole:
        y_terms = _orthonormal_in(np.count_nonzero(kept, axis=1) / kept.shape[1], y_terms)
        x_terms = _orthonormal_in(np.count_nonzero(kept, axis=0) / kept.shape[0], x_terms)
    right = _moments(image, kept, level, y_terms) @ x_terms
    along = np.ascontiguousarray(x_terms.T)
    if whole:
        return y_terms @ right, along
    y_pairs, y_place = _pairs(y_terms)
    x_pairs, x_place = _pairs(x_terms)
    moments = _moments(kept, kept, 0.0, y_pairs) @ x_pairs
    normal = moments[y_place[:, None, :, None], x_place[None, :, None, :]]
    solution = np.linalg.lstsq(
        normal.reshape(right.size, right.size), right.ravel(), rcond=_UNDETERMINED
    )
    return y_terms @ solution[0].reshape(right.shape), along


def _moments(image: Any, kept: Any, level: float, terms: Any) -> Any:
    """Sums (term, x) of the kept pixels above the level, times functions of y."""
    terms = np.ascontiguousarray(terms)
    sums = np.zeros((terms.shape[1], image.shape[1]))
    for band in bands(image.shape):
        add_moments(_pixels(image[band]), kept[band], level, terms[band], sums)
    return sums


def _pixels(band: Any) -> Any:
    """Pixels as the kernels are compiled for."""
    return np.ascontiguousarray(band, dtype=np.float64)


def _orthonormal(terms: Any) -> Any:
    """Orthonormal columns that span the same; those that depend on the others are left out."""
    columns, size, _ = np.linalg.svd(terms, full_matrices=False)
    return columns[:, _found(size, terms)]


def _orthonormal_in(weight: Any, terms: Any) -> Any:
    """Combinations of orthonormal columns that are orthonormal in the weights, at most 1.

    Those that vanish at all weighted places are left out: nothing determines them.
    """
    if (weight == 1).all():
        return terms
    _, size, combinations = np.linalg.svd(np.sqrt(weight)[:, None] * terms, full_matrices=False)
    found = _found(size, terms)
    return terms @ (combinations[found].T / size[found])


def _found(size: Any, terms: Any) -> Any:
    """Which singular values are more than rounding."""
    return size > max(terms.shape) * _EPSILON * size[0]


def _pairs(terms: Any) -> tuple[Any, Any]:
    """Products of each two columns, each once, and in which column that of i and k stands."""
    first, second = np.triu_indices(terms.shape[1])
    place = np.empty((terms.shape[1],) * 2, np.intp)
    place[first, second] = place[second, first] = np.arange(first.size)
    return terms[:, first] * terms[:, second], place


def _reject(
    image: Any, kept: Any, surface: tuple[float, Any, Any], limits: tuple[float, float]
) -> bool:
    """Drop outliers from ``kept``, and say whether there were any."""
    level, down, along = surface
    squares, largest = 0.0, 0.0
    for band in bands(image.shape):
        more, size = square_distances(_pixels(image[band]), kept[band], (level, down[band], along))
        squares += more
        largest = max(largest, size)
    before = np.count_nonzero(kept)
    residual = math.sqrt(squares / before)
    # an exact fit must not reject its own rounding errors
    upper = max(limits[0] * residual, _ROUNDING * largest)
    lower = min(limits[1] * residual, -_ROUNDING * largest)
    for band in bands(image.shape):
        drop_outliers(_pixels(image[band]), kept[band], (level, down[band], along), lower, upper)
    return bool(np.count_nonzero(kept) < before)
