r"""Images on a finer grid, such that the pixels made of one pixel still sum to it.

The cumulative sum of an image is known exactly at the corners of its pixels. A tensor product of
splines interpolates it between them, and its second mixed differences at the corners of the finer
pixels are what these hold:

.. math:: C(Y, X) = \sum_{y < Y} \sum_{x < X} I_{yx}, \qquad
          Z_{kl} = \Delta_k \Delta_l\, S(k / z_y,\, l / z_x), \qquad S \text{ interpolates } C

(C. de Boor, *A Practical Guide to Splines*, rev. ed., Springer 2001, chapters IX and XVII: splines
of even degree have their knots midway between the samples, of odd degree at them, without the
second and the last but one.)

All of this is linear and separable: a banded solution along each direction of the small image, then
products with two sparse matrices that hold differences of B-splines, order + 1 or so in a row.
"""

from typing import Any

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

from autowisp_xr.image_smoothing.image import as_image, as_pair, bands, filled

__all__ = ["as_orders", "zoom_image", "zoomed_part"]

_HIGHEST_ORDER = 5


def zoom_image(image: Any, zoom: int | tuple[int, int], interp_order: int | tuple[int, int]) -> Any:
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
    factors = as_pair(zoom, "zoom")
    wanted = tuple(
        slice(0, size * factor) for size, factor in zip(image.shape, factors, strict=True)
    )
    return zoomed_part(image, factors, as_orders(interp_order, "interp_order"), wanted)


def as_orders(value: Any, name: str) -> tuple[int, int]:
    """Degrees (y, x) of splines, of one number or a pair; a ValueError beyond 5."""
    orders = as_pair(value, name)
    if max(orders) > _HIGHEST_ORDER:
        raise ValueError(f"{name} is at most {_HIGHEST_ORDER}, not {value!r}")
    return orders


def zoomed_part(
    image: Any, factors: tuple[int, int], orders: tuple[int, int], wanted: tuple[slice, ...]
) -> Any:
    """The slices [y, x] ``wanted`` of a zoomed image; the rest is never made."""
    for size, order, direction in zip(image.shape, orders, "yx", strict=True):
        if size < order:
            raise ValueError(
                f"an image of {size} pixels along {direction!r} cannot be zoomed with splines of "
                f"order {order}; give an order of at most {size}, or bin it less"
            )
    gaps = ~np.isfinite(image)
    splines = np.asarray(filled(image), dtype=np.float64)
    splines, rows = _along_first(splines, factors[0], orders[0], wanted[0])
    splines, columns = _along_first(splines.T, factors[1], orders[1], wanted[1])
    by_row = rows @ splines.T
    zoomed = np.empty((rows.shape[0], columns.shape[0]))
    for band in bands(zoomed.shape):
        zoomed[band] = (columns @ by_row[band].T).T
    if gaps.any():
        y, x = (
            np.arange(part.start, part.stop) // factor
            for part, factor in zip(wanted, factors, strict=True)
        )
        zoomed[gaps[np.ix_(y, x)]] = np.nan
    return zoomed


def _along_first(values: Any, factor: int, order: int, wanted: slice) -> tuple[Any, Any]:
    """Spline coefficients of the cumulative sums down the first axis, and the matrix for them.

    Their product is the finer pixels ``wanted``.
    """
    size = values.shape[0]
    sums = np.zeros((size + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[1:])
    spline = make_interp_spline(np.arange(size + 1.0), sums, k=order, check_finite=False)
    corners = np.arange(wanted.start, wanted.stop + 1) / factor
    at_corners = BSpline.design_matrix(corners, spline.t, order)
    return spline.c, (at_corners[1:] - at_corners[:-1]).tocsr()
