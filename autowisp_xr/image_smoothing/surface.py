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

import itertools
import math
from collections.abc import Iterator

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Image, Integers, Numbers
from autowisp_xr.image_smoothing.image import bands
from autowisp_xr.kernels.surface import add_moments, drop_outliers, square_distances, surface_rows

_EPSILON = float(np.finfo(np.float64).eps)
# of a distance from the fit, in units of the largest pixel
_ROUNDING = 64 * _EPSILON
# eigenvalues of the normal matrix, in units of the largest, that are nothing but rounding
_UNDETERMINED = 1e-13


def fit_surface(
    image: Image, y_terms: Floats, x_terms: Floats, limits: tuple[float, float] | None, most: float
) -> Floats:
    """Fit a surface to the finite pixels of an image by least squares.

    Parameters
    ----------
    image
        Array [y, x] of real numbers.
    y_terms, x_terms
        Functions of y at the rows, (y, number), and of x at the columns, (x, number), float64. Only
        the space that they span matters; their products must span a constant.
    limits
        Distances from the fit, upper and lower, beyond which pixels are rejected, in units of the
        residual; None rejects nothing.
    most
        Rejections at most.

    Returns
    -------
    The surface [y, x], float64, at all pixels; NaN if fewer pixels than terms are left. Where the
    pixels do not determine it, it tends to their mean.
    """
    kept = np.isfinite(image, order="C")
    total = _moments(image, kept, 0.0, np.ones((image.shape[0], 1))).sum()
    level = float(total) / (int(np.count_nonzero(kept)) or 1)
    y_terms, x_terms = _orthonormal(y_terms), _orthonormal(x_terms)
    for rejections in itertools.count():
        if np.count_nonzero(kept) < y_terms.shape[1] * x_terms.shape[1]:
            return np.full(image.shape, np.nan)
        surface = (level, *_fit(image, level, kept, y_terms, x_terms))
        if limits is None or rejections == most or not _reject(image, kept, surface, limits):
            break
    result = np.empty(image.shape)
    surface_rows(surface, result)
    return result


def _fit(
    image: Image, level: float, kept: Bools, y_terms: Floats, x_terms: Floats
) -> tuple[Floats, Floats]:
    """Return matrices (y, terms) and (terms, x) whose product is the surface above the level."""
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


def _moments(image: Numbers | Bools, kept: Bools, level: float, terms: Floats) -> Floats:
    """Return sums (term, x) of the kept pixels above the level, times functions of y."""
    terms = np.ascontiguousarray(terms)
    sums = np.zeros((terms.shape[1], image.shape[1]))
    for band, pixels in _bands(image):
        add_moments(pixels, kept[band], level, terms[band], sums)
    return sums


def _bands(image: Numbers | Bools) -> Iterator[tuple[slice, Floats]]:
    """Yield bands of rows, and their pixels as the kernels are compiled for."""
    for band in bands(image.shape):
        yield band, np.ascontiguousarray(image[band], dtype=np.float64)


def _orthonormal(terms: Floats) -> Floats:
    """Return orthonormal columns that span the same, without those that depend on others."""
    columns, size, _ = np.linalg.svd(terms, full_matrices=False)
    return columns[:, _found(size, terms)]


def _orthonormal_in(weight: Floats, terms: Floats) -> Floats:
    """Combine orthonormal columns to some that are orthonormal in the weights, at most 1.

    Those that vanish at all weighted places are left out: nothing determines them.
    """
    if (weight == 1).all():
        return terms
    _, size, combinations = np.linalg.svd(np.sqrt(weight)[:, None] * terms, full_matrices=False)
    found = _found(size, terms)
    return terms @ (combinations[found].T / size[found])


def _found(size: Floats, terms: Floats) -> Bools:
    """Return which singular values are more than rounding."""
    return size > max(terms.shape) * _EPSILON * size[0]


def _pairs(terms: Floats) -> tuple[Floats, Integers]:
    """Return the products of each two columns once, and the column where that of i, k stands."""
    first, second = np.triu_indices(terms.shape[1])
    place = np.empty((terms.shape[1],) * 2, np.intp)
    place[first, second] = place[second, first] = np.arange(first.size)
    return terms[:, first] * terms[:, second], place


def _reject(
    image: Image, kept: Bools, surface: tuple[float, Floats, Floats], limits: tuple[float, float]
) -> bool:
    """Drop outliers from ``kept``, and return whether there were any."""
    level, down, along = surface
    found = [
        square_distances(pixels, kept[band], (level, down[band], along))
        for band, pixels in _bands(image)
    ]
    before = np.count_nonzero(kept)
    residual = math.sqrt(sum(squares for squares, _ in found) / before)
    # an exact fit must not reject its own rounding errors
    rounding = _ROUNDING * max(size for _, size in found)
    upper = max(limits[0] * residual, rounding)
    lower = min(limits[1] * residual, -rounding)
    for band, pixels in _bands(image):
        drop_outliers(pixels, kept[band], (level, down[band], along), lower, upper)
    return bool(np.count_nonzero(kept) < before)
