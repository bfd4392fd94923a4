"""Sums over values of unequal noise become those of equal ones whose quantile is as noisy.

Noise is rounded to steps of a logarithm, and what that leaves of its harmonic mean is a factor of
all. So pixels often have the same set of steps, whose result is remembered; it depends on the set
alone, so that it does not matter which pixels went before.
"""

import numpy as np

from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.noise_of_frames import own_variance
from autowisp_xr.kernels.order_moments import FARTHEST, STEPS, empty_room, worth
from autowisp_xr.kernels.pixels import part_of
from autowisp_xr.kernels.survivors import mark

_WIDTH = 256
_REMEMBERED = 4096


@kernel
def steps_of(noise, steps):
    """Write the steps of variances in falling order of noise, and return how many there are.

    Variances that are NaN are none. Also the variance that the largest step stands for, to which
    what rounding leaves of the harmonic mean is added.
    """
    most = 0.0
    for i in range(noise.size):
        most = noise[i] if noise[i] > most else most
    n, rounded, roots = 0, 0.0, 0.0
    top = np.rint(0.5 * STEPS * np.log2(most))
    for i in range(noise.size):
        if np.isnan(noise[i]):
            continue
        below = top - np.rint(0.5 * STEPS * np.log2(noise[i]))
        steps[n] = np.int64(below) if below < FARTHEST else FARTHEST
        if steps[n] < FARTHEST:
            roots += 1.0 / np.sqrt(noise[i])
            rounded += 2.0 ** (steps[n] / STEPS)
        n += 1
    steps[:n].sort()
    return n, (rounded / roots) ** 2


@kernel
def equalise(
    pixels, noise, block, ranks, tables, factors, dropped, sums, squared_deviations, among
):
    """Replace sums over values of unequal noise by those of equal ones with as noisy a quantile.

    Parameters
    ----------
    pixels, noise
        As :mod:`autowisp_xr.kernels.pixels` defines them.
    block
        Of the values among which ``ranks`` finds the quantile.
    factors
        As for :func:`autowisp_xr.kernels.survivors.variances`.
    dropped
        How many of the values do not survive, as extremes.
    sums
        A :class:`autowisp_xr.kernels.pixels.NoiseSums` of the survivors, or of no pixels; the first
        two are changed.
    squared_deviations : (pixel), changed, or of size 0
        Sum of squared distances from the quantile.
    among
        Sums of the values of ``block``, which show whether their noise is equal.
    """
    frames, number = pixels.values.shape
    scatter, ratio, _ = factors
    alive, own = np.empty(_WIDTH, np.bool_), np.empty((frames, _WIDTH))
    differs = np.empty(_WIDTH, np.bool_)
    steps = np.empty(frames, np.int64)
    room = empty_room(frames)
    plain = np.full((frames + 1, 2), np.nan)
    known, found = np.zeros(_REMEMBERED, np.uint64), np.empty((_REMEMBERED, 2))
    for start in range(0, number, _WIDTH):
        stop = min(number, start + _WIDTH)
        here, kept = part_of(block, start, stop), alive[: stop - start]
        arithmetic, roots = among.variance[start:stop], among.roots[start:stop]
        unequal = False
        for pixel in range(kept.size):
            n = here.number[pixel]
            mean, harmonic = arithmetic[pixel] / n, (n / roots[pixel]) ** 2
            differs[pixel] = (mean > ranks.alike * harmonic) & (mean < np.inf)
            unequal |= differs[pixel]
        if not unequal:
            continue
        for frame in range(frames):
            mark(pixels, here, frame, start, kept)
            row = own[frame, : kept.size]
            own_variance(pixels.values, noise, here.about, frame, start, row)
            for pixel in range(kept.size):
                row[pixel] = row[pixel] if kept[pixel] else np.nan
        for pixel in range(kept.size):
            survivors = here.number[pixel] - dropped
            if not differs[pixel] or survivors < 1:
                continue
            n, rest = steps_of(own[:, pixel], steps)
            key = np.uint64(0)
            for i in range(n):
                key += tables.marks[steps[i]]
            slot = np.int64(key % np.uint64(_REMEMBERED))
            if known[slot] != key:
                known[slot] = key
                found[slot, 0], found[slot, 1] = worth(steps[:n], n, ranks, tables, room, plain)
            if sums.variance.size:
                # of equal values of this variance, as many as survive
                equal = found[slot, 0] * rest * survivors / ratio[survivors]
                sums.variance[start + pixel] = survivors * equal
                sums.roots[start + pixel] = survivors / np.sqrt(equal)
            if squared_deviations.size:
                squared_deviations[start + pixel] *= found[slot, 1] / scatter[n]
