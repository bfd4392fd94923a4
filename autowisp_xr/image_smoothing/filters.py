"""Smoothers made of filters such as those of scipy.ndimage, whose rank filters are compiled."""

import inspect
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, SupportsIndex

import numpy as np
from scipy.ndimage import median_filter, percentile_filter, rank_filter

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.image_smoothing.image import as_pair, filled
from autowisp_xr.image_smoothing.smoother import ImageSmoother
from autowisp_xr.kernels.window_rank import windowed_rank

# how numpy.pad calls what scipy does at the edges
_PADDING = {
    "reflect": "symmetric",
    "nearest": "edge",
    "mirror": "reflect",
    "wrap": "wrap",
    "constant": "constant",
}


class WrapFilterAsSmoother(ImageSmoother):
    """A filter, such as one of ``scipy.ndimage``, as a smoother.

    Parameters
    ----------
    filter
        Called as ``filter(image, **config)`` with an array [y, x], float64; gives one of the same
        shape.
    bin_factor, zoom_interp_order, padding_mode
        See :class:`ImageSmoother`. What the filter does at the edges of the (binned) image is its
        own matter: its option ``mode``.
    config
        Options of the filter. A name that it does not have is refused where its signature can be
        read.

    Notes
    -----
    Pixels that are not finite are given the value of the nearest finite pixel before the filter
    sees them, as ``mode="nearest"`` of scipy.ndimage continues an image past its edges, and the
    result has values everywhere. Leaving them out with weights would be right for linear filters
    only; a rank filter has no such form, and its NaN would spread over the window or land at an
    end of the ranks. A filter that knows NaN itself will therefore not meet any, unless no pixel is
    finite: then the result is NaN, and the filter is not called.

    ``median_filter``, ``rank_filter`` and ``percentile_filter`` of scipy.ndimage are made twenty
    times as fast by a kernel of this package where they have no options but ``size``, ``mode`` and
    ``cval``, and with the same result.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import median_filter
    >>> smoother = WrapFilterAsSmoother(median_filter, size=3)
    >>> smoother
    WrapFilterAsSmoother(median_filter, size=3)
    >>> smoother.smooth([[1, 1, 1], [1, 99, 1], [1, 1, np.nan]]).max()
    np.float64(1.0)
    """

    def __init__(self, filter: Callable[..., Any], **config: Any) -> None:
        if not callable(filter):
            raise TypeError(f"a filter is called with an image, {filter!r} cannot be")
        self.filter = filter
        super().__init__(**config)

    def _smooth(self, image: Image, **options: Any) -> Floats:
        # an array of its own, so that a filter may write into it
        image = filled(np.array(image, dtype=np.float64))
        if not np.isfinite(image[0, 0]):
            return np.full(image.shape, np.nan)
        # a median of 512 x 512 pixels, size 12: 18 ms, where scipy takes 430; and without the GIL
        smooth = ranked(self.filter, image, options)
        return self.filter(image, **options) if smooth is None else smooth

    def _named(self, options: dict[str, Any]) -> dict[str, Any]:
        return options

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            signature = inspect.signature(self.filter)
            signature.bind_partial(None, **options)
        except ValueError:
            pass  # without a signature, they are its own matter
        except TypeError as error:
            name = getattr(self.filter, "__name__", repr(self.filter))
            raise TypeError(f"the filter is {name}{signature}: {error}") from None
        return options

    def _parts(self) -> tuple[Any, ...]:
        return (self.filter,)


def ranked(filter: Callable[..., Any], image: Image, options: Mapping[str, Any]) -> Floats | None:
    """Apply a filter of scipy.ndimage to an image, if it is one that is compiled here.

    Parameters
    ----------
    filter, options
        Anything that can be called, and its keyword arguments. Compiled are ``median_filter``,
        ``rank_filter`` and ``percentile_filter`` with a ``size``, and with or without a ``mode``
        and ``cval``.
    image
        Array [y, x], float64 and finite.

    Returns
    -------
    An array of the values that the filter gives. None where only the filter itself knows: with
    any other option, an impossible one (it refuses in its own words), or an image smaller than the
    window; and for the smallest and largest value, which scipy finds faster.

    Notes
    -----
    A window of n pixels reaches ``n // 2`` pixels before its own, and ``(n - 1) // 2`` beyond. Of
    its N values the median is number ``N // 2`` from 0 on, and the percentile p number
    ``floor(N p / 100)``.
    """
    rank_of = next((rank_of for known, rank_of in _RANKS if filter is known), None)
    if rank_of is None:
        return None
    others = dict(options)
    try:
        size = as_pair(others.pop("size", None), "size")
        padding: dict[str, Any] = {"mode": _PADDING[others.pop("mode", "reflect")]}
        outside = float(others.pop("cval", 0.0))
        # takes what is left, and nothing else
        rank = rank_of(math.prod(size), **others)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return None
    fits = all(part <= whole for part, whole in zip(size, image.shape, strict=True))
    if not (fits and math.isfinite(outside) and 0 < rank < math.prod(size) - 1):
        return None
    if padding["mode"] == "constant":
        padding["constant_values"] = outside
    margins = [(part // 2, (part - 1) // 2) for part in size]
    return windowed_rank(np.pad(image, margins, **padding), size, rank)


def _median(number: int) -> int:
    return number // 2


def _rank(number: int, rank: SupportsIndex) -> int:
    rank = operator.index(rank)
    return rank if rank >= 0 else rank + number


def _percentile(number: int, percentile: float) -> int:
    return int(number * (percentile if percentile >= 0 else percentile + 100) / 100)


_RANKS: tuple[tuple[Callable[..., Any], Callable[..., int]], ...] = (
    (median_filter, _median),
    (rank_filter, _rank),
    (percentile_filter, _percentile),
)
