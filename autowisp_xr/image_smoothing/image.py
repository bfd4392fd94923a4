"""Images as they are taken: arrays of real numbers, with an option for each direction."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import distance_transform_edt

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.stats.floats import as_floats, native

YX: TypeAlias = tuple[int, int]
"""A whole number for each direction."""

Pair: TypeAlias = int | YX
"""One whole number for both directions, or (y, x)."""

_BAND = 2**18


def as_image(image: ArrayLike) -> Image:
    """Return an array [y, x] of real numbers; masked pixels become NaN.

    Raises
    ------
    ValueError
        If it has not two dimensions, no pixels, or pixels that are no real numbers.
    """
    if isinstance(image, np.ma.MaskedArray):
        image = as_floats(image)
    image = np.asarray(image)
    if image.ndim != 2 or image.size == 0 or image.dtype.kind not in "buif":
        raise ValueError(
            "an image is an array [y, x] of real numbers with at least one pixel, not one of "
            f"shape {image.shape} and type {image.dtype}"
        )
    return native(image)


def as_pair(value: Any, name: str, most: int | None = None) -> YX:
    """Return positive whole numbers (y, x) of one number for both, or of a pair (y, x).

    Raises
    ------
    ValueError
        If it is neither, or a number is smaller than one, or larger than ``most``.
    """
    try:
        y, x = value if np.ndim(value) else (value, value)
        pair = operator.index(y), operator.index(x)
    except (TypeError, ValueError):
        pair = (0, 0)
    if min(pair) < 1:
        raise ValueError(
            f"{name} is a whole number, at least 1, for both directions or a pair (y, x) of them, "
            f"not {value!r}"
        )
    if most is not None and max(pair) > most:
        raise ValueError(f"{name} is at most {most}, not {value!r}")
    return pair


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield rows of an image, so many at a time that what is made of them stays in the cache."""
    rows = max(1, _BAND // shape[1])
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def filled(image: Image) -> Image:
    """Return the image, with the value of the nearest finite pixel where one is not finite.

    An image without any finite pixel, or with nothing else, comes back as it is.
    """
    gaps = ~np.isfinite(image)
    if gaps.all() or not gaps.any():
        return image
    nearest = distance_transform_edt(gaps, return_distances=False, return_indices=True)
    return image[tuple(nearest)]


class SmoothModel(ABC):
    """A smooth image [y, x] of which any rows can be made, at any time; see ImageSmoother.model.

    It never changes, and can be pickled: models of equal images made in equal ways have equal
    bytes.
    """

    shape: tuple[int, int]
    """The size of the image."""

    def rows(self, start: int, stop: int) -> Floats:
        """Return rows ``start`` to ``stop``, without the last.

        Returns
        -------
        Array [y, x], float64 and new. A row is the same to the last bit, whichever others are made
        with it.

        Raises
        ------
        ValueError
            If the image has not all of these rows.
        """
        first, last = operator.index(start), operator.index(stop)
        if not 0 <= first <= last <= self.shape[0]:
            raise ValueError(
                f"rows {first} to {last} are not among the {self.shape[0]} rows of the image"
            )
        return self._rows(first, last)

    def released(self) -> Floats:
        """Return the whole image, float64, to write to: the model gives away what it holds."""
        return self._rows(0, self.shape[0])

    @abstractmethod
    def _rows(self, start: int, stop: int) -> Floats:
        """Return rows that there are."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.shape[0]} x {self.shape[1]} pixels>"


class PixelModel(SmoothModel):
    """A smooth image that is kept as it is; ``pixels`` is float64, and the model's from now on."""

    def __init__(self, pixels: Floats) -> None:
        self.shape = pixels.shape
        self._pixels = pixels

    def released(self) -> Floats:
        """Return the image itself."""
        return self._pixels

    def _rows(self, start: int, stop: int) -> Floats:
        return self._pixels[start:stop].copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (np.ascontiguousarray(self._pixels),)
