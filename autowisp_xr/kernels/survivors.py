"""The flags, weights and noise of an average, of the values that survive rejection.

With n survivors of weights w (all 1 where none are given), c = n w / sum(w), average m, and v the
variance of a value without what the frames share:

    propagate:  ratio(n) / n (share(n) A + (1 - share(n)) H),  A = sum(c^2 v) / n,
                                                                H = (n / sum(v^(-1/2)))^2
    scatter:    scatter(n) sum(c^2 (x - m)^2 (n - 1) / (n - c))

The tables in n are those of ``stats.order_statistics``; equal weights leave the plain sums.
What the frames share is added to both: as :mod:`autowisp_xr.kernels.sharing` finds it, and m^2
times the relative variance. Where it is known what of v is the noise of photons, those of m are
taken in place of those of each value (see :mod:`autowisp_xr.kernels.photons`).

A value survives where it is not left out and lies between the smallest and the largest survivor of
its pixel.
"""

import numpy as np

from autowisp_xr.flags import Flag
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.noise_of_frames import (
    OWN,
    SQUARE,
    TILE,
    VARIANCE,
    WIDTH,
    add_frame,
    add_tile,
)
from autowisp_xr.kernels.photons import fit_the_line, photon_noise
from autowisp_xr.kernels.pixels import part_of

_MOST = 1e15
"""One over the noise of a value without any, which would count for ever."""
_SATURATED = np.uint8(Flag.SATURATED)


@kernel
def mark(pixels, block, frame, start, alive):
    """Mark the values of a frame that survive, of the pixels that begin at ``start``."""
    stop = start + alive.size
    source = pixels.values[frame, start:stop]
    for pixel in range(alive.size):
        value = np.float64(source[pixel])
        alive[pixel] = (value >= block.smallest[pixel]) & (value <= block.largest[pixel])
    if pixels.mask.size:
        flags = pixels.mask[frame, start:stop]
        for pixel in range(alive.size):
            alive[pixel] &= flags[pixel] & pixels.exclude == 0


@kernel
def mark_good(pixels, frame, start, alive):
    """Mark the values of a frame that no flag leaves out."""
    flags = pixels.mask[frame, start : start + alive.size]
    for pixel in range(alive.size):
        alive[pixel] = flags[pixel] & pixels.exclude == 0


@kernel
def good_survive(pixels, block, start):
    """Return whether the survivors of some pixels are all values that no flag leaves out.

    Where nothing was rejected they are, and flags are read in a quarter of the time of values.
    """
    if pixels.mask.size == 0:
        return False
    good = np.zeros(block.number.size, np.int32)
    for frame in range(pixels.mask.shape[0]):
        flags = pixels.mask[frame, start : start + good.size]
        for pixel in range(good.size):
            good[pixel] += flags[pixel] & pixels.exclude == 0
    differ = 0
    for pixel in range(good.size):
        differ += good[pixel] != block.number[pixel]
    return differ == 0


@kernel
def inherit_flags(pixels, flags, block, reach, out):
    """Write the flags of the survivors of each pixel, and saturation of what was left out.

    Parameters
    ----------
    pixels
        A :class:`autowisp_xr.kernels.pixels.Pixels`.
    flags : (frame, pixel) uint8
        What is inherited; of all values where none survives.
    block
        What survives of them.
    reach
        A value that is left out hands down its flags of saturation unless it is more than so many
        times the average; inf for any value, 0 for none.
    out : (pixel) uint8, written
    """
    alive, absent = np.empty(WIDTH, np.bool_), np.empty(WIDTH, np.bool_)
    out[:] = 0
    for start in range(0, out.size, WIDTH):
        stop = min(out.size, start + WIDTH)
        here = part_of(block, start, stop)
        union, none, kept = out[start:stop], absent[: stop - start], alive[: stop - start]
        for pixel in range(none.size):
            none[pixel] = here.number[pixel] == 0
        looked, by_flags = False, False
        for frame in range(flags.shape[0]):
            row = flags[frame, start:stop]
            any_bits = np.uint8(0)
            for pixel in range(row.size):
                any_bits |= row[pixel]
            if any_bits == 0:
                continue
            if not looked:
                looked, by_flags = True, good_survive(pixels, here, start)
            if by_flags:
                mark_good(pixels, frame, start, kept)
            else:
                mark(pixels, here, frame, start, kept)
            for pixel in range(row.size):
                union[pixel] |= row[pixel] if kept[pixel] | none[pixel] else np.uint8(0)
            if any_bits & _SATURATED == 0 or reach == 0.0:
                continue
            source = pixels.values[frame, start:stop]
            for pixel in range(row.size):
                beyond = np.float64(source[pixel]) > reach * here.about[pixel]
                if reach == np.inf or not beyond:
                    union[pixel] |= row[pixel] & _SATURATED


@kernel
def weigh(pixels, weights, block):
    """Find the weighted mean of the survivors of each pixel, and the sum of their scatter.

    The sums of a :class:`autowisp_xr.kernels.pixels.Weights` are written, and those of the block.
    """
    of_frames, frames = weights.of_frames, pixels.values.shape[0]
    run = weights.total.size // of_frames.shape[1]
    kept, weight = np.empty(WIDTH, np.bool_), np.empty(WIDTH)
    for start in range(0, weights.total.size, WIDTH):
        stop = min(weights.total.size, start + WIDTH)
        here, alive = part_of(block, start, stop), kept[: stop - start]
        about, squared_deviations, n = here.about, here.squared_deviations, here.number
        sums = weights.total[start:stop]
        about[:] = 0.0
        squared_deviations[:] = 0.0
        sums[:] = 0.0
        for again in range(2):
            for frame in range(frames):
                source = pixels.values[frame, start:stop]
                mark(pixels, here, frame, start, alive)
                for pixel in range(n.size):
                    own = of_frames[frame, (start + pixel) // run]
                    weight[pixel] = own if alive[pixel] else 0.0
                if not again:
                    for pixel in range(n.size):
                        sums[pixel] += weight[pixel]
                    for pixel in range(n.size):
                        part = weight[pixel] * np.float64(source[pixel])
                        about[pixel] += part if alive[pixel] else 0.0
                    continue
                for pixel in range(n.size):
                    c = weight[pixel] * n[pixel] / sums[pixel]
                    distance = c * (np.float64(source[pixel]) - about[pixel])
                    part = distance * distance * (n[pixel] - 1.0) / (n[pixel] - c)
                    # all the weight on one value leaves its noise unknown
                    part = np.nan if weight[pixel] == sums[pixel] else part
                    squared_deviations[pixel] += part if alive[pixel] else 0.0
            if not again:
                for pixel in range(n.size):
                    about[pixel] /= sums[pixel]


@kernel
def sum_noise(pixels, noise, weights, block, harmonic, sums, numbers, averages):
    """Add the survivors of each pixel to sums.

    Parameters
    ----------
    pixels, noise, weights
        As :mod:`autowisp_xr.kernels.pixels` defines them; the photons are those of the average.
    harmonic
        Whether the sum of 1 / sqrt(v) is wanted.
    sums
        A :class:`autowisp_xr.kernels.pixels.NoiseSums` of nothing, changed.
    numbers : (m, frame, k) float64
        Numbers of frames, a column for each k-th part of the pixels.
    averages : (m, pixel) float64, written
        Their averages, weighed as the values are: in a quantile, which moves with each value as
        often as that is near, by 1 / sqrt(v).
    """
    frames, differ = pixels.values.shape[0], noise.slope.shape[0] > 1
    kept, c, tile = np.empty(WIDTH, np.bool_), np.ones(WIDTH), np.zeros(TILE)
    nothing = np.zeros(WIDTH, noise.variance.dtype)
    run = weights.total.size // max(weights.of_frames.shape[1], 1)
    of_part = max(block.number.size // max(numbers.shape[2], 1), 1)
    shares, all_shares = np.ones(WIDTH), np.empty(WIDTH)
    for start in range(0, block.number.size, WIDTH):
        stop = min(block.number.size, start + WIDTH)
        here, alive = part_of(block, start, stop), kept[: stop - start]
        lacking = here.number.min() < frames
        by_flags = lacking and good_survive(pixels, here, start)
        alive[:] = True
        tile[VARIANCE:] = 0.0
        norm = all_shares[: stop - start]
        norm[:] = 0.0
        averages[:, start:stop] = 0.0
        for frame in range(frames):
            if by_flags:
                mark_good(pixels, frame, start, alive)
            elif lacking:
                mark(pixels, here, frame, start, alive)
            if weights.of_frames.size:
                for pixel in range(alive.size):
                    weight = weights.of_frames[frame, (start + pixel) // run]
                    c[pixel] = weight * here.number[pixel] / weights.total[start + pixel]
            if weights.of_frames.size or frame == 0:
                for pixel in range(alive.size):
                    tile[SQUARE + pixel] = c[pixel] * c[pixel]
            about = here.about
            add_frame(
                pixels.values, noise, about, frame, start, alive, differ, harmonic, tile, nothing
            )
            if averages.shape[0] == 0:
                continue
            for pixel in range(alive.size):
                part = min(1.0 / np.sqrt(tile[OWN + pixel]), _MOST) if harmonic else c[pixel]
                shares[pixel] = part if alive[pixel] else 0.0
            for pixel in range(alive.size):
                norm[pixel] += shares[pixel]
            for i in range(averages.shape[0]):
                add_numbers(numbers[i, frame], start, of_part, shares, averages[i, start:stop])
        add_tile(tile, start, alive.size, noise.photons.size == 0, sums)
        for i in range(averages.shape[0]):
            average = averages[i, start:stop]
            for pixel in range(average.size):
                average[pixel] /= norm[pixel]


@kernel
def add_numbers(numbers, start, run, weight, sums):
    """Add the number of each pixel times its weight to sums; a number holds for ``run`` pixels."""
    first = start // run
    if (start + sums.size - 1) // run == first:
        number = numbers[first]
        for pixel in range(sums.size):
            sums[pixel] += weight[pixel] * number
    else:
        for pixel in range(sums.size):
            sums[pixel] += weight[pixel] * numbers[(start + pixel) // run]


@kernel
def variances(propagate, block, sums, factors, shared, relative, variance, light, single):
    """Write the variance of the average of each pixel, with what of it the frames share.

    Parameters
    ----------
    propagate
        Whether it comes from the variances of the values, or from their scatter.
    sums
        As :func:`sum_noise` leaves them; not needed of a scatter.
    factors
        As :func:`autowisp_xr.stats.order_statistics.variance_factors` gives them.
    shared, relative : (pixel) float64, or of size 0
        What is added, and what is added times the square of the average.
    variance : (pixel), written
    light : (3, pixel) float64, or of size 0, written
        Slope, zero and photon noise of the average.
    single
        Whether the values were single frames, no averages.
    """
    scatter, ratio, arithmetic_share = factors
    slopes, zeros, photon_noises = light
    about, number, squared_deviations = block.about, block.number, block.squared_deviations
    for pixel in range(number.size):
        n = number[pixel]
        total = squared_deviations[pixel] * scatter[n]
        if propagate:
            share = arithmetic_share[n]
            total = share * sums.variance[pixel] / n
            if share != 1.0:
                total += (1.0 - share) * (n / sums.roots[pixel]) ** 2
            total *= ratio[n] / n
        if slopes.size:
            other = shared[pixel] if shared.size else 0.0
            if relative.size:
                other += about[pixel] * about[pixel] * relative[pixel]
            # of values of unequal noise, those of more photons count less in a quantile
            each = total / sums.unequal[pixel] if sums.unequal[pixel] > 0.0 else 0.0
            slope = each * sums.slope[pixel]
            zero = sums.zero[pixel] / sums.slope[pixel] if slope > 0.0 else 0.0
            if single and not fit_the_line(n, sums.rest[pixel], sums.rest_squares[pixel]):
                total += each * sums.excess[pixel]
                slope = 0.0
            alone = single & (n == 1)
            total, photons = photon_noise(total, other, about[pixel] - zero, slope, alone)
            slopes[pixel], zeros[pixel], photon_noises[pixel] = slope, zero, photons
        variance[pixel] = np.nan if n == 0 else total
    if relative.size:
        for pixel in range(number.size):
            variance[pixel] += about[pixel] * about[pixel] * relative[pixel]
    if shared.size:
        for pixel in range(number.size):
            variance[pixel] += shared[pixel]


@kernel
def add_by_number(values, number, table, out):
    """Write the sum of each value, (pixel), and of what a table has for its number."""
    for pixel in range(number.size):
        out[pixel] = np.float64(values[pixel]) + table[number[pixel]]
