"""The arrays that go through the kernels of a stack: values of pixels, noise, weights.

Arrays are named, never counted: each tuple names what its arrays hold, and one of size 0 is one
that is not given. Here and in the other kernels of a stack a loop over the pixels of a block writes
one array: of more the compiler cannot know that they do not overlap, and would go pixel by pixel.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from autowisp_xr.kernels.jit import kernel

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
    """The noise of each value; arrays over pixels, of size 0 if not known."""

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
        """Return the noise with the photons of each value, whatever its average."""
        none = self.variance[:0]
        return self._replace(slope=none, zero=none, photons=none)


class Weights(NamedTuple):
    """The weights of values in a mean."""

    of_frames: Any
    """(frame, k) float64, a column for each k-th part of the pixels; of size 0 for equal ones."""
    total: Any
    """(pixel) float64: the sum over survivors."""


class NoiseSums(NamedTuple):
    """Sums over the survivors of each pixel, (pixel) float64, of size 0 where they are not needed.

    c is the weight of a value over their mean, v its own variance; the photons of a value x are
    s max(x - z, 0), those of the average m likewise. All but the first two are of frames that state
    what the photons make of v.
    """

    variance: Any
    """c^2 v"""
    roots: Any
    """1 / sqrt(v)"""
    slope: Any
    """c^2 s"""
    zero: Any
    """c^2 s z"""
    excess: Any
    """What the photons of the values are more than those of the average, with c^2."""
    rest: Any
    """What of v is not photons, over s^2 where frames differ in that."""
    rest_squares: Any
    """Its square."""
    unequal: Any
    """The first, before unequal noise was made equal."""


def noise_sums(pixels: int, *, photons: bool) -> NoiseSums:
    """Sums of nothing, for so many pixels."""
    number = len(NoiseSums._fields) if photons else 2
    sums = np.zeros((number, pixels))
    none = [np.empty(0)] * (len(NoiseSums._fields) - number)
    return NoiseSums(*sums, *none)


class Marks(NamedTuple):
    """Values that are left out one by one, and how many of them by a rejection."""

    dropped: Any
    """(frame, pixel) uint8: 1 for what is left out, which no longer counts; changed."""
    below: Any
    """(pixel) int32: how many were rejected below the others; changed."""
    above: Any
    """(pixel) int32, likewise."""


class Digitisation(NamedTuple):
    """The way in which the values of a set of frames are digitised."""

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


def largest_of(kind: np.dtype[Any]) -> Any:
    """Return the largest value of a type, which sorts values that are left out behind others."""
    return kind.type(np.inf if kind.kind == "f" else np.iinfo(kind).max)


def marked(pixels: Pixels) -> Any:
    """Return which values are left out, (frame, pixel) uint8: 1 for these, 0 for others."""
    unfit = ~np.isfinite(pixels.values)
    if pixels.mask.size:
        unfit |= pixels.mask & pixels.exclude != 0
    return unfit.view(np.uint8)


def of_some_weight(pixels: Pixels, weights: Any) -> Pixels:
    """Return pixels of which the values of no weight, (frame, k) as above, are left out as well."""
    none = weights == 0
    if not none.any():
        return pixels
    each = np.repeat(none, pixels.values.shape[1] // none.shape[1], axis=1)
    return pixels._replace(mask=marked(pixels) | each, exclude=ANY)


class Block(NamedTuple):
    """The averages of some pixels, and what survives of them: arrays (pixel)."""

    about: Any
    """Average of the survivors, float64; NaN without any."""
    squared_deviations: Any
    """Sum of their squared distances from it, float64."""
    smallest: Any
    """Of the survivors, float64; inf without any."""
    largest: Any
    """Of the survivors, float64; -inf without any."""
    number: Any
    """How many survive, int32."""
    below: Any
    """How many were rejected below, int32."""
    above: Any
    """How many were rejected above, int32."""
    rejecting: Any
    """Whether the last round still rejected, bool."""


def empty_block(pixels: int) -> Block:
    """Room for what is known about so many pixels."""
    floats, numbers = np.empty((4, pixels)), np.empty((3, pixels), np.int32)
    return Block._make([*floats, *numbers, np.empty(pixels, np.bool_)])


@kernel
def part_of(block, start, stop):
    """Some of the pixels of a block."""
    return Block(
        block.about[start:stop],
        block.squared_deviations[start:stop],
        block.smallest[start:stop],
        block.largest[start:stop],
        block.number[start:stop],
        block.below[start:stop],
        block.above[start:stop],
        block.rejecting[start:stop],
    )


def in_a_row(pixels: Pixels) -> tuple[Pixels, int]:
    """Return pixels with the values of all frames in a row, and how far apart these begin in it.

    A part of larger frames stays where it is: what is between two frames is then in the row, too.
    """
    values, size = pixels.values, pixels.values.dtype.itemsize
    between, step = values.strides
    if step != size or between < 0 or between % size:
        values = np.ascontiguousarray(values)
        between = values.strides[0]
    frames, number = values.shape
    length = (frames - 1) * between // size + number if values.size else 0
    return pixels._replace(values=as_strided(values, (length,), (size,))), between // size


@kernel
def gather(pixels, apart, start, blank, bits, rows, number):
    """Copy a block of pixels of all frames into ``rows``; what is left out becomes ``blank``.

    Parameters
    ----------
    pixels
        A :class:`Pixels` whose values are in a row, (value), as :func:`in_a_row` returns them.
    apart
        How far apart the frames begin in it.
    start
        First pixel of the block.
    bits : (2, at least width) uint8
        A row of 0, which stands for a mask that is not given, and room to work in.
    rows : (frame, at least width), written
    number : (width) int32, written
        How many values each pixel has left.
    """
    values, mask, exclude = pixels
    width = number.size
    number[:] = rows.shape[0]
    flags, bad = bits[0], bits[1]
    for frame in range(rows.shape[0]):
        first = frame * apart + start
        source = values[first : first + width]
        into = rows[frame]
        # most rows have nothing to leave out, and a quick look costs less than a careful one
        unfit = False
        for pixel in range(width):
            into[pixel] = source[pixel]
            unfit |= source[pixel] - source[pixel] != 0
        if mask.size:
            flags = mask[frame, start : start + width]
            union = np.uint8(0)
            for pixel in range(width):
                union |= flags[pixel]
            unfit |= (union & exclude) != 0
        if unfit:
            for pixel in range(width):
                bad[pixel] = flags[pixel] & exclude | (source[pixel] - source[pixel] != 0)
            for pixel in range(width):
                into[pixel] = blank if bad[pixel] else source[pixel]
            for pixel in range(width):
                number[pixel] -= np.int32(bad[pixel] != 0)
