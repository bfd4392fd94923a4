r"""Images on a finer grid, such that the pixels made of one pixel still sum to it.

The cumulative sum of an image is known exactly at the corners of its pixels. A tensor product of
splines interpolates it between them, and its second mixed differences at the corners of the finer
pixels are what these hold:

.. math:: C(Y, X) = \sum_{y < Y} \sum_{x < X} I_{yx}, \qquad
          Z_{kl} = \Delta_k \Delta_l\, S(k / z_y,\, l / z_x), \qquad S \text{ interpolates } C

All of this is linear and separable: a banded system along each direction of the small image, then
products with two sparse matrices, order + 1 numbers in a row. Products are made row by row, when
they are asked for; until then the zoomed image is its coefficients, as many as small pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Bools, Floats, Image
from autowisp_xr.image_smoothing.image import YX, Pair, as_image, as_pair, filled
from autowisp_xr.image_smoothing.interpolation import coefficients, direction
from autowisp_xr.image_smoothing.model import SmoothModel
from autowisp_xr.kernels.zoom import zoom_rows

HIGHEST_ORDER = 5
"""Of the splines."""


def zoom_image(image: ArrayLike, zoom: Pair, interp_order: Pair) -> Floats:
    """Finer pixels that sum to those of the image, smoothly interpolated.

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
    """Part of a zoomed image, kept as coefficients of splines."""

    splines: Floats
    """Coefficients [y, x] of the whole image, see :mod:`interpolation`."""
    gaps: Bools | None
    """Which pixels of the small image are not finite, or None."""
    factors: YX
    """Of the zoom, (y, x)."""
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
        """The model of a small image; a ValueError if it is too small for the order."""
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
            self.splines,
            (down.first[y], down.weights[y]),
            (along.first[x], along.weights[x]),
            rows,
        )
        if self.gaps is not None:
            places = (
                np.arange(part.start, part.stop) // factor
                for part, factor in zip((y, x), self.factors, strict=True)
            )
            rows[self.gaps[np.ix_(*places)]] = np.nan
        return rows

    def __reduce__(self) -> tuple[Any, ...]:
        # new tuples: a pickle tells equal ones from one that is there twice
        small = self.factors, self.orders, self.origin, self.shape
        return type(self), (self.splines, self.gaps, *(tuple(map(int, part)) for part in small))
