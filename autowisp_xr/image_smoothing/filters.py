"""Smoothers made of filters such as those of scipy.ndimage."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.image_smoothing.image import filled
from autowisp_xr.image_smoothing.rank_filters import ranked
from autowisp_xr.image_smoothing.smoother import ImageSmoother


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
