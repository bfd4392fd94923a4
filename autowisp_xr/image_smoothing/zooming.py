r"""Images on a finer grid, such that the pixels made of one pixel still sum to it.

The cumulative sum of an image is known exactly at the corners of its pixels. A tensor product of
splines interpolates it between them, and its second mixed differences at the corners of the finer
pixels are what these hold:

.. math:: C(Y, X) = \sum_{y < Y} \sum_{x < X} I_{yx}, \qquad
          Z_{kl} = \Delta_k \Delta_l\, S(k / z_y,\, l / z_x), \qquad S \text{ interpolates } C

All of this is linear and separable: a banded system along each direction of the small image, then
products with two sparse matrices, order + 1 numbers in a row. Products are made row by row, when
they are asked for; until then the zoomed image is its coefficients, as many as small pixels.

Along one direction, the sum of pixels up to each of their edges is interpolated by a spline S. With
its B-splines :math:`B_j` and their coefficients :math:`c_j`, S sums to

.. math:: S(b) - S(a) = \sum_{j > 0} e_j\, [T_j(b) - T_j(a)], \qquad
          e_j = c_j - c_{j-1}, \qquad T_j = \sum_{i \ge j} B_i

between a and b, as :math:`T_0 = 1`. The differences e are found from these equations for all pixels
themselves: sums over hundreds of pixels, whose rounding errors are those of the whole image, are
never made. Few T are neither 0 nor 1 at any place, so the equations have a band of few diagonals.

(C. de Boor, *A Practical Guide to Splines*, rev. ed., Springer 2001, chapters IX, X and XVII:
splines of even degree have their knots midway between the samples, of odd degree at them, without
the second and the last but one.)
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Bools, Floats, Image, Integers
from autowisp_xr.image_smoothing.image import YX, Pair, SmoothModel, as_image, as_pair, filled
from autowisp_xr.kernels.banded import factorise, solve
from autowisp_xr.kernels.zoom import zoom_rows

HIGHEST_ORDER = 5
"""The highest degree of the splines."""


def zoom_image(image: ArrayLike, zoom: Pair, interp_order: Pair) -> Floats:
    """Make finer pixels that sum to those of the image, smoothly interpolated.

    Parameters
    ----------
    image
        Array [y, x] of real numbers.
    zoom
        By how much there are more pixels: one number, or a pair (y, x).
    interp_order
        Degree of the interpolating splines, 1 to 5: one number, or a pair (y, x). The image needs
        at least as many pixels in each direction.

    Returns
    -------
    Array [y, x], float64 and new, ``zoom`` times as large in each direction. Pixels that are not
    finite become blocks of NaN; their neighbours come out as if they had the value of the nearest
    finite pixel.

    Raises
    ------
    ValueError
        If a number is no positive whole number, an order is larger than 5, or the image is too
        small for it.

    Examples
    --------
    >>> zoom_image([[4.0, 8.0], [4.0, 8.0]], (1, 2), 2).round(9).tolist()
    [[1.5, 2.5, 3.5, 4.5], [1.5, 2.5, 3.5, 4.5]]
    """
    image = as_image(image)
    y, x = as_pair(zoom, "zoom")
    shape = image.shape[0] * y, image.shape[1] * x
    orders = as_pair(interp_order, "interp_order", HIGHEST_ORDER)
    return ZoomModel.of(image, (y, x), orders, (0, 0), shape).released()


@dataclass(frozen=True, eq=False, repr=False)
class ZoomModel(SmoothModel):
    """A part of a zoomed image, kept as coefficients of splines."""

    splines: Floats
    """Coefficients [y, x] of the whole image, see :func:`coefficients`."""
    gaps: Bools | None
    """Which pixels of the small image are not finite, or None."""
    factors: YX
    """The factors of the zoom, (y, x)."""
    orders: YX
    """Degrees of the splines, (y, x)."""
    origin: YX
    """First pixel of the part, (y, x)."""
    shape: YX
    """Size of the part."""

    def __post_init__(self) -> None:
        # shared by all who make rows; and kernels are compiled anew for arrays that can be written
        self.splines.setflags(write=False)

    @classmethod
    def of(cls, image: Image, factors: YX, orders: YX, origin: YX, shape: YX) -> "ZoomModel":
        """Make the model of a small image; a ValueError if it is too small for the order."""
        for size, order, name in zip(image.shape, orders, "yx", strict=True):
            if size < order:
                raise ValueError(
                    f"an image of {size} pixels along {name!r} cannot be zoomed with splines of "
                    f"order {order}; give an order of at most {size}, or bin it less"
                )
        gaps = ~np.isfinite(image)
        tables = map(direction, image.shape, factors, orders)
        splines = coefficients(filled(image), *tables)
        return cls(splines, gaps if gaps.any() else None, factors, orders, origin, shape)

    def _rows(self, start: int, stop: int) -> Floats:
        # not kept: all models of one size share the tables, and a pickle goes without
        down, along = map(direction, self.splines.shape, self.factors, self.orders)
        y = slice(self.origin[0] + start, self.origin[0] + stop)
        x = slice(self.origin[1], self.origin[1] + self.shape[1])
        rows = np.empty((stop - start, self.shape[1]))
        zoom_rows(
            self.splines, (down.first[y], down.weights[y]), (along.first[x], along.weights[x]), rows
        )
        if self.gaps is not None:
            places = (
                np.arange(part.start, part.stop) // factor
                for part, factor in zip((y, x), self.factors, strict=True)
            )
            rows[self.gaps[np.ix_(*places)]] = np.nan
        return rows

    def __reduce__(self) -> tuple[Any, ...]:
        # new tuples: in a pickle, equal ones differ from one that is there twice
        small = self.factors, self.orders, self.origin, self.shape
        return type(self), (self.splines, self.gaps, *(tuple(map(int, part)) for part in small))


class Direction(NamedTuple):
    """The tables to interpolate in one direction; arrays are shared, and never written to."""

    factors: Floats
    """The equations for the coefficients, see :func:`autowisp_xr.kernels.banded.factorise`."""
    lower: int
    """Number of their diagonals below the main one."""
    first: Integers
    """The first coefficient that each finer pixel is made of, (pixel)."""
    weights: Floats
    """Those of this and the next coefficients, (pixel, number)."""


@lru_cache(maxsize=16)
def direction(size: int, factor: int, order: int) -> Direction:
    """Return splines of degree ``order`` over ``size`` pixels, each of which becomes ``factor``."""
    from scipy.interpolate import make_interp_spline

    places = np.arange(size + 1.0)
    knots = make_interp_spline(places, places, k=order).t
    equations, lower = _band(*_weights(places, knots, order))
    factorise(equations, lower)
    first, weights = _weights(np.arange(size * factor + 1) / factor, knots, order)
    for array in (equations, first, weights):
        array.setflags(write=False)
    return Direction(equations, lower, first, weights)


def coefficients(image: Image, y: Direction, x: Direction) -> Floats:
    """Return coefficients of the product of splines that sums to the pixels of an image.

    ``image`` [y, x] is finite. Returns an array [y, x] of the same shape, float64 and new.
    """
    columns = np.array(image, dtype=np.float64, order="C")
    solve(y.factors, y.lower, columns)
    rows = np.ascontiguousarray(columns.T)
    solve(x.factors, x.lower, rows)
    return np.ascontiguousarray(rows.T)


def _weights(edges: Floats, knots: Floats, order: int) -> tuple[Integers, Floats]:
    """Return the first coefficient, and weights of it and the next, for pixels between edges."""
    from scipy.interpolate import BSpline

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
    """Return the same as a matrix with a band, and its number of diagonals below the main one."""
    row, place = np.nonzero(weights)
    offset = first[row] + place - row
    lower = int(-offset.min())
    band = np.zeros((first.size, lower + int(offset.max()) + 1))
    band[row, offset + lower] = weights[row, place]
    return band, lower
