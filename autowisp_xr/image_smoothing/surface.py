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
    kept = np.empty(image.shape, bool)
    level = 0.0
    for band in bands(image.shape):
        np.isfinite(image[band], out=kept[band])
        level += float(np.sum(image[band], where=kept[band], dtype=np.float64))
    level /= int(np.count_nonzero(kept)) or 1
    y_terms, x_terms = _orthonormal(y_terms), _orthonormal(x_terms)
    rejections = 0
    while True:
        if np.count_nonzero(kept) < y_terms.shape[1] * x_terms.shape[1]:
            return np.full(image.shape, np.nan)
        down, along = _fit(image, level, kept, y_terms, x_terms)
        if limits is None or rejections == most:
            break
        if not _reject(image, level, kept, down, along, limits):
            break
        rejections += 1
    surface = down @ along
    surface += level
    return surface


def _fit(image: Any, level: float, kept: Any, y_terms: Any, x_terms: Any) -> tuple[Any, Any]:
    """Two matrices, (y, terms) and (terms, x), whose product is the surface above the level."""
    y_terms = _orthonormal_in(np.count_nonzero(kept, axis=1) / kept.shape[1], y_terms)
    x_terms = _orthonormal_in(np.count_nonzero(kept, axis=0) / kept.shape[0], x_terms)
    number = y_terms.shape[1], x_terms.shape[1]
    whole = bool(kept.all())
    y_pairs, y_place = _pairs(y_terms)
    x_pairs, x_place = _pairs(x_terms)
    right = np.zeros(number)
    moments = np.zeros((y_pairs.shape[1], x_pairs.shape[1]))
    for band in bands(image.shape):
        pixels = np.subtract(image[band], level, dtype=np.float64)
        if not whole:
            pixels[~kept[band]] = 0.0
            moments += y_pairs[band].T @ (kept[band].astype(np.float64) @ x_pairs)
        right += y_terms[band].T @ (pixels @ x_terms)
    if whole:
        return y_terms @ right, x_terms.T
    normal = moments[y_place[:, None, :, None], x_place[None, :, None, :]]
    terms = math.prod(number)
    solution = np.linalg.lstsq(normal.reshape(terms, terms), right.ravel(), rcond=_UNDETERMINED)
    return y_terms @ solution[0].reshape(number), x_terms.T


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
    image: Any, level: float, kept: Any, down: Any, along: Any, limits: tuple[float, float]
) -> bool:
    """Drop outliers from ``kept``, and say whether there were any."""
    squares, largest = 0.0, 0.0
    for band in bands(image.shape):
        pixels = image[band][kept[band]].astype(np.float64)
        distance = pixels - (down[band] @ along + level)[kept[band]]
        squares += float(distance @ distance)
        largest = max(largest, float(np.abs(pixels, out=pixels).max(initial=0.0)))
    residual = math.sqrt(squares / np.count_nonzero(kept))
    # an exact fit must not reject its own rounding errors
    upper = max(limits[0] * residual, _ROUNDING * largest)
    lower = min(limits[1] * residual, -_ROUNDING * largest)
    before = np.count_nonzero(kept)
    for band in bands(image.shape):
        distance = image[band] - (down[band] @ along + level)
        kept[band] &= (distance <= upper) & (distance >= lower)
    return bool(np.count_nonzero(kept) < before)
