r"""Surfaces that are sums of products of a function of y and one of x, and pixels about them.

A surface is a level and two matrices, ``down`` (y, terms) and ``along`` (terms, x):

.. math:: S_{yx} = \ell + \sum_i d_{yi}\, a_{ix}

Everything is done for a row of pixels at a time, sums for each column apart, which become vector
instructions. The same products of thin matrices by BLAS take as long on a free machine, and many
times as long where its threads and those of the caller are more than there are processors.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.banded import add_row
from autowisp_xr.kernels.jit import kernel


@kernel
def add_moments(pixels: Any, kept: Any, level: float, terms: Any, sums: Any) -> None:
    r"""Add the kept pixels of each column, times each of the functions of y.

    Parameters
    ----------
    pixels : (y, x) float64
    kept : (y, x) bool
        The others count as zero.
    level
        Subtracted from each pixel.
    terms : (y, term) float64
    sums : (term, x) float64, added to

    Notes
    -----
    .. math:: S_{ix} = S_{ix} + \sum_{y\,\mathrm{kept}} Y_{yi} (I_{yx} - \ell)
    """
    line = np.empty(pixels.shape[1])
    for y in range(pixels.shape[0]):
        for x in range(line.size):
            line[x] = pixels[y, x] - level if kept[y, x] else 0.0
        for term in range(terms.shape[1]):
            add_row(sums[term], terms[y, term], line)


@kernel
def square_distances(
    pixels: Any, kept: Any, surface: tuple[float, Any, Any]
) -> tuple[float, float]:
    """Sum of the squared distances of the kept pixels from a surface, and the largest of them.

    The largest is that of the absolute values of the pixels themselves.
    """
    line = np.empty(pixels.shape[1])
    squares = np.zeros(line.size)
    sizes = np.zeros(line.size)
    for y in range(pixels.shape[0]):
        _row(surface, y, line)
        for x in range(line.size):
            distance = pixels[y, x] - line[x] if kept[y, x] else 0.0
            squares[x] += distance * distance
        # a loop of its own: the compiler makes no vector instructions of both together
        for x in range(line.size):
            sizes[x] = max(sizes[x], abs(pixels[y, x]) if kept[y, x] else 0.0)
    return squares.sum(), sizes.max()


@kernel
def drop_outliers(
    pixels: Any, kept: Any, surface: tuple[float, Any, Any], lower: float, upper: float
) -> None:
    """Keep only pixels whose distance from a surface is not below ``lower`` or above ``upper``."""
    line = np.empty(pixels.shape[1])
    for y in range(pixels.shape[0]):
        _row(surface, y, line)
        for x in range(line.size):
            distance = pixels[y, x] - line[x]
            kept[y, x] &= (distance >= lower) & (distance <= upper)


@kernel
def surface_rows(surface: tuple[float, Any, Any], out: Any) -> None:
    """Write the rows of a surface to ``out`` (y, x)."""
    for y in range(out.shape[0]):
        _row(surface, y, out[y])


@kernel
def _row(surface: tuple[float, Any, Any], y: int, line: Any) -> None:
    level, down, along = surface
    line[:] = level
    for term in range(down.shape[1]):
        add_row(line, down[y, term], along[term])
