r"""Splines that sum to given values in pixels, along one direction, and to what in finer ones.

The sum of pixels up to each of their edges is interpolated by a spline S. With its B-splines
:math:`B_j` and their coefficients :math:`c_j`, S sums to

.. math:: S(b) - S(a) = \sum_{j > 0} e_j\, [T_j(b) - T_j(a)], \qquad
          e_j = c_j - c_{j-1}, \qquad T_j = \sum_{i \ge j} B_i

between a and b, as :math:`T_0 = 1`. The differences e are found from these equations for all pixels
themselves: sums over hundreds of pixels, whose rounding errors are those of the whole image, are
never made. Few T are neither 0 nor 1 at any place, so the equations have a band of few diagonals.

(C. de Boor, *A Practical Guide to Splines*, rev. ed., Springer 2001, chapters IX, X and XVII:
splines of even degree have their knots midway between the samples, of odd degree at them, without
the second and the last but one.)
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

from autowisp_xr.arrays import Floats, Image, Integers
from autowisp_xr.kernels.banded import factorise, solve


class Direction(NamedTuple):
    """What interpolating in one direction takes; arrays that are shared, and never written to."""

    factors: Floats
    """Of the equations for the coefficients, see :func:`autowisp_xr.kernels.banded.factorise`."""
    lower: int
    """Number of their diagonals below the main one."""
    first: Integers
    """The first coefficient that each finer pixel is made of, (pixel)."""
    weights: Floats
    """Those of this and the next coefficients, (pixel, number)."""


@lru_cache(maxsize=16)
def direction(size: int, factor: int, order: int) -> Direction:
    """Splines of degree ``order`` over ``size`` pixels, each of which becomes ``factor``."""
    places = np.arange(size + 1.0)
    knots = make_interp_spline(places, places, k=order).t
    equations, lower = _band(*_weights(places, knots, order))
    factorise(equations, lower)
    first, weights = _weights(np.arange(size * factor + 1) / factor, knots, order)
    for array in (equations, first, weights):
        array.setflags(write=False)
    return Direction(equations, lower, first, weights)


def coefficients(image: Image, y: Direction, x: Direction) -> Floats:
    """Coefficients of the tensor product of splines that sums to the pixels of an image.

    ``image`` [y, x] is finite. Returns an array [y, x] of the same shape, float64 and new.
    """
    columns = np.array(image, dtype=np.float64, order="C")
    solve(y.factors, y.lower, columns)
    rows = np.ascontiguousarray(columns.T)
    solve(x.factors, x.lower, rows)
    return np.ascontiguousarray(rows.T)


def _weights(edges: Floats, knots: Floats, order: int) -> tuple[Integers, Floats]:
    """First coefficient, and weights of it and the next ones, for pixels between edges."""
    values = BSpline.design_matrix(edges, knots, order)
    first = values.indices.reshape(-1, order + 1)[:, 0].astype(np.intp)
    # T_j from the first B-spline on that is not zero: one, then less and less, then zero
    tails = np.zeros((edges.size, order + 2))
    tails[:, :-1] = values.data.reshape(-1, order + 1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    tails[:, 0] = 1.0
    number = knots.size - order - 2
    width = min(order + 1, number)
    start = np.minimum(first[:-1], number - width)
    wanted = start[:, None] + 1 + np.arange(width)
    left, right = (
        np.take_along_axis(part, np.clip(wanted - here[:, None], 0, order + 1), axis=1)
        for part, here in ((tails[:-1], first[:-1]), (tails[1:], first[1:]))
    )
    return start, right - left


def _band(first: Integers, weights: Floats) -> tuple[Floats, int]:
    """The same as a matrix with a band, and the number of its diagonals below the main one."""
    row, place = np.nonzero(weights)
    offset = first[row] + place - row
    lower = int(-offset.min())
    band = np.zeros((first.size, lower + int(offset.max()) + 1))
    band[row, offset + lower] = weights[row, place]
    return band, lower
