"""What goes through the kernels of a stack: values of pixels, their noise, their weights.

Arrays are named, never counted: each tuple says what its arrays hold, and one of size 0 is one that
is not given.
"""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.kernels.jit import kernel

__all__ = [
    "ANY",
    "UNKNOWN",
    "Digitisation",
    "Noise",
    "Pixels",
    "Weights",
    "equal_weights",
    "marked",
]

ANY = np.uint8(255)
"""Any bit at all."""


class Pixels(NamedTuple):
    """Some pixels through all frames, and which of their values are left out."""

    values: Any
    """(frame, pixel) integers or floats; what is not finite is left out."""
    mask: Any
    """(frame, pixel) uint8, or of size 0."""
    exclude: Any
    """uint8: values with any of these bits in the mask are left out."""


class Noise(NamedTuple):
    """What is known of the noise of each value; arrays over pixels, of size 0 if not known."""

    variance: Any
    """(frame, pixel)"""
    shared: Any
    """(1 or frame, pixel): what of the variance the frames share."""
    relative: Any
    """(1 or frame, pixel): what they share, relative to the square of the value."""
    slope: Any
    """(1 or frame, pixel), of the line whose positive part is the noise of the photons of a value,
    max(slope (value - zero), 0)."""
    zero: Any
    """(1 or frame, pixel): where that line is 0."""
    photons: Any
    """(frame, pixel): the noise of photons where it is another, as of averages."""

    def without_photons(self) -> "Noise":
        """The same, the photons those of each value, whatever its average."""
        none = self.variance[:0]
        return self._replace(slope=none, zero=none, photons=none)


class Weights(NamedTuple):
    """How much values count in a mean."""

    of_frames: Any
    """(frame, k) float64, a column for each k-th part of the pixels; of size 0 for equal ones."""
    total: Any
    """(pixel) float64: the sum over survivors."""


class Digitisation(NamedTuple):
    """How the values of a set of frames are digitised."""

    step: float
    """Between neighbouring values; 0 where there is none, or it is not known."""
    noise: float
    """Standard deviation of a value as most pixels have it; 0 where it is not known."""
    smooth: float
    """The same before the values were digitised, in steps; infinite where it is not known."""


UNKNOWN = Digitisation(0.0, 0.0, np.inf)


def equal_weights() -> Weights:
    """Weights that are all the same."""
    return Weights(np.empty((0, 0)), np.empty(0))


def marked(pixels: Pixels) -> Any:
    """Which values are left out, (frame, pixel) uint8: 1 for what is, 0 for all others."""
    dropped = np.empty(pixels.values.shape, np.uint8)
    mark_unfit(pixels, dropped)
    return dropped


@kernel
def mark_unfit(pixels, dropped):
    """Mark what is not finite or bears an excluded flag, and nothing else."""
    for frame in range(dropped.shape[0]):
        source, marks = pixels.values[frame], dropped[frame]
        for pixel in range(marks.size):
            marks[pixel] = np.uint8(source[pixel] - source[pixel] != 0)
        if pixels.mask.size:
            flags = pixels.mask[frame]
            for pixel in range(marks.size):
                marks[pixel] |= np.uint8(flags[pixel] & pixels.exclude != 0)
