"""Smooth images in the form that takes least memory, made in bands of rows when they are needed."""

import operator
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from autowisp_xr.arrays import Floats


class SmoothModel(ABC):
    """A smooth image [y, x] of which any rows can be made, at any time; see ImageSmoother.model.

    It never changes, and can be pickled: models of equal images made in equal ways have equal
    bytes.
    """

    shape: tuple[int, int]
    """Of the image."""

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
