"""The noise of the values of a frame, and sums of it over what survives of many frames.

One loop goes over the values of a frame and adds to all sums. These are rows of one flat array, a
tile: so the compiler knows that they do not overlap, and takes several pixels at a time, where of
arrays of their own it would take one. A median of thirty frames with the noise of photons takes
2.4 ns a value so, where a loop for each sum took 6.4.
"""

import numpy as np

from autowisp_xr.kernels.jit import kernel

WIDTH = 1024
"""Pixels at a time, so that what is summed stays in a fast cache."""
_ROW = WIDTH + 16
"""Length of a row: those a power of two apart would come into one set of the cache."""
OWN, SQUARE, VARIANCE, ROOTS, SLOPE, ZERO, EXCESS, REST, REST_SQUARES, TILE = range(
    0, 10 * _ROW, _ROW
)
"""Where the rows of a tile begin, and how long it is: the variance of each value, the square of the
weight of each pixel, and the sums of a :class:`autowisp_xr.kernels.pixels.NoiseSums`."""


@kernel
def own_part(total, value, common, share, photons, light):
    """Return a variance less what is shared and its photons, with the light of the average."""
    # one below zero is none, as one that is NaN
    own = np.float64(total) if total >= 0.0 else np.nan
    own -= np.float64(common)
    # where there is none of it, an infinite square has none either
    own -= value * value * np.float64(share) if share != 0.0 else 0.0
    own -= photons
    # rounding of float32 planes can take it below
    return (0.0 if own < 0.0 else own) + light


@kernel
def row_of(plane, frame, start, stop, nothing):
    """Return neighbouring pixels of (1 or frame, pixel); as many of ``nothing`` of no plane."""
    if plane.size == 0:
        return nothing[: stop - start]
    return plane[frame % plane.shape[0], start:stop]


@kernel
def rows_of(noise, frame, start, stop, nothing):
    """Return the rows of all that is known of the noise of a frame beside its variance."""
    return (
        row_of(noise.shared, frame, start, stop, nothing),
        row_of(noise.relative, frame, start, stop, nothing),
        row_of(noise.slope, frame, start, stop, nothing),
        row_of(noise.zero, frame, start, stop, nothing),
        row_of(noise.photons, frame, start, stop, nothing),
    )


@kernel
def own_variance(values, noise, about, frame, start, own):
    """Write the variance of neighbouring values of a frame without what the frames share.

    Parameters
    ----------
    values : (frame, pixel) array
    noise
        A :class:`autowisp_xr.kernels.pixels.Noise` whose variance is known.
    about : (width) float64
        Average of each pixel, whose photons count in place of those of the value.
    frame, start
        Which frame, and where in it the neighbours begin.
    own : (width) float64, written
    """
    stop = start + own.size
    nothing = np.zeros(own.size, noise.variance.dtype)
    source, total = values[frame, start:stop], noise.variance[frame, start:stop]
    common, share, slope, zero, known = rows_of(noise, frame, start, stop, nothing)
    by_line = noise.photons.size == 0
    for pixel in range(own.size):
        x, s, z = np.float64(source[pixel]), np.float64(slope[pixel]), np.float64(zero[pixel])
        here, there = x - z, about[pixel] - z
        photons = s * (0.0 if here < 0.0 else here) if by_line else np.float64(known[pixel])
        light = s * (0.0 if there < 0.0 else there)
        own[pixel] = own_part(total[pixel], x, common[pixel], share[pixel], photons, light)


@kernel
def add_frame(values, noise, about, frame, start, alive, by_slope, harmonic, tile, nothing):
    """Add neighbouring values of a frame to the sums of a tile, and write their own variance to it.

    Parameters
    ----------
    values, noise, about, frame, start
        As for :func:`own_variance`.
    alive : (width) bool
        Which values survive.
    by_slope
        Whether what is not photons is over s^2, as frames differ in that.
    harmonic
        Whether the sum of 1 / sqrt(v) is wanted.
    tile
        Changed.
    nothing : (at least width)
        Of 0, of the type of the variance.
    """
    width, stop = alive.size, start + alive.size
    source, total = values[frame, start:stop], noise.variance[frame, start:stop]
    common, share, slope, zero, known = rows_of(noise, frame, start, stop, nothing)
    if noise.slope.size == 0 and noise.photons.size == 0:
        # of biases and flats: what is not known of photons is not summed
        for pixel in range(width):
            x, square = np.float64(source[pixel]), tile[SQUARE + pixel]
            own = own_part(total[pixel], x, common[pixel], share[pixel], 0.0, 0.0)
            tile[OWN + pixel] = own
            tile[VARIANCE + pixel] += square * own if alive[pixel] else 0.0
            if harmonic:
                tile[ROOTS + pixel] += 1.0 / np.sqrt(own) if alive[pixel] else 0.0
        return
    by_line = noise.photons.size == 0
    for pixel in range(width):
        x, s, z = np.float64(source[pixel]), np.float64(slope[pixel]), np.float64(zero[pixel])
        here, there = x - z, about[pixel] - z
        here, there = 0.0 if here < 0.0 else here, 0.0 if there < 0.0 else there
        photons = s * here if by_line else np.float64(known[pixel])
        own = own_part(total[pixel], x, common[pixel], share[pixel], photons, s * there)
        tile[OWN + pixel] = own
        square = tile[SQUARE + pixel]
        tile[VARIANCE + pixel] += square * own if alive[pixel] else 0.0
        if harmonic:
            tile[ROOTS + pixel] += 1.0 / np.sqrt(own) if alive[pixel] else 0.0
        weight, rest = square * s, own - s * there
        if by_slope:
            rest /= s * s
        tile[SLOPE + pixel] += weight if alive[pixel] else 0.0
        tile[ZERO + pixel] += weight * z if alive[pixel] else 0.0
        tile[EXCESS + pixel] += weight * (here - there) if alive[pixel] else 0.0
        tile[REST + pixel] += rest if alive[pixel] else 0.0
        tile[REST_SQUARES + pixel] += rest * rest if alive[pixel] else 0.0


@kernel
def add_tile(tile, start, width, by_line, sums):
    """Add the sums of a tile to those of some neighbouring pixels, as far as these have them.

    Parameters
    ----------
    tile, start, width
        Of so many pixels from ``start`` on.
    by_line
        Whether the noise of photons is that of a line; only then is known what differs from it.
    sums
        A :class:`autowisp_xr.kernels.pixels.NoiseSums`, changed.
    """
    _add_row(tile[VARIANCE:], start, width, sums.variance)
    _add_row(tile[ROOTS:], start, width, sums.roots)
    _add_row(tile[SLOPE:], start, width, sums.slope)
    _add_row(tile[ZERO:], start, width, sums.zero)
    if by_line:
        _add_row(tile[EXCESS:], start, width, sums.excess)
        _add_row(tile[REST:], start, width, sums.rest)
        _add_row(tile[REST_SQUARES:], start, width, sums.rest_squares)


@kernel
def _add_row(row, start, width, sums):
    if sums.size:
        into = sums[start : start + width]
        for pixel in range(width):
            into[pixel] += row[pixel]
