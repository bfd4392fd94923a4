"""Variance of a median or quantile of values of unequal noise, summed over nodes of integrals.

See :mod:`autowisp_xr.stats.unequal_noise` for the formulas. Up to ``FEW`` values they are taken as
they are; of more, how many lie beyond x is taken for normal with its mean, variance and skewness,
and what comes out is held against what comes out of equal noise.

Noise is given in whole steps of a logarithm below the largest.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.kernels.jit import kernel

NODES, GAPS = 32, 8
"""Of integrals over one value, and over each of two."""
STEPS = 64
"""Of noise, to a factor of two."""
FARTHEST = 512
"""Steps to the least noise that is distinguished from less: a factor of 256."""
FEW = 12

_TINY = 1e-300
_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)


class Ranks(NamedTuple):
    """The sorted values, of n, that a quantile lies between; arrays by n."""

    first: Any
    """The lower one, counted from 1."""
    share: Any
    """How far it lies from there to the next."""
    reach: Any
    """(n, 4): how many steps beyond the noise of the j-th noisiest value the nodes end, for j =
    n - first + 1, first, n - first and first + 1."""
    equal: Any
    """Its variance for values of noise 1."""
    alike: float
    """Noise is equal where its mean square over the square of its harmonic mean is no larger."""


class Tables(NamedTuple):
    """Nodes of the integrals, and the normal distribution at them."""

    places: Any
    """(node), as parts of the last one."""
    weights: Any
    """(node): of an integral from 0 to the last."""
    chances: Any
    """(step, node) of values to lie beyond a node, where ``FARTHEST`` twice is the step at which
    the last node is at 1 sigma."""
    densities: Any
    """(step, node), likewise."""
    across: Any
    """(node, node) weights of integrals over two values beyond the mean, of fewer nodes."""
    onwards: Any
    """(node, node), likewise, where the second is beyond the first."""
    gap_chances: Any
    """(step, node) of values to lie beyond one of these nodes."""
    marks: Any
    """(step) uint64, random: their sum distinguishes sets of steps."""


class Room(NamedTuple):
    """Room to make sums in."""

    chances: Any
    """(value, node) to lie beyond a node."""
    slopes: Any
    """(value, node): variance times density, over the last node squared."""
    counts: Any
    """(number, node): chance of so many values beyond a node."""
    change: Any
    """(number, node): its change with that of the slopes."""
    gap_chances: Any
    """(value, node), of fewer nodes."""
    gap_counts: Any
    """(number, pair of nodes, twice)."""
    sums: Any
    """(4, node)"""


@kernel
def count_tails(chances, slopes, n, counts, change):
    """Find the chance of each number of n values beyond each node, (number, node), and its change.

    ``chances`` (value, node) may change by ``slopes``.
    """
    counts[: n + 1] = 0.0
    change[: n + 1] = 0.0
    counts[0] = 1.0
    for i in range(n):
        p, slope = chances[i], slopes[i]
        for j in range(i + 1, 0, -1):
            change[j] += p * (change[j - 1] - change[j])
            change[j] += slope * (counts[j - 1] - counts[j])
            counts[j] += p * (counts[j - 1] - counts[j])
        change[0] -= p * change[0] + slope * counts[0]
        counts[0] -= p * counts[0]


@kernel
def one_rank(k, n, tables, counts, change):
    """Mean and square of the k-th of n sorted values, and what it has in common with its value.

    The last is the sum over all values of their variance times the chance that it is this one; the
    unit is the last node.
    """
    mean, square, along = 0.0, 0.0, 0.0
    for side in range(2):
        for j in range(k if side else n - k + 1, n + 1):
            for node in range(NODES):
                part = tables.weights[node] * counts[j, node]
                mean += -part if side else part
                square += 2.0 * tables.places[node] * part
                along += tables.weights[node] * change[j, node]
    return mean, square, along


@kernel
def gap_square(k, n, tables, chances, counts):
    """Square of what lies between the k-th and the next of n sorted values.

    ``chances`` (value, node) are those of the nodes of ``tables.gaps``.
    """
    low, high = np.empty(2 * GAPS * GAPS), np.empty(2 * GAPS * GAPS)
    most = max(k, n - k)
    for j in range(most + 1):
        counts[j, :] = 0.0
    counts[0, :] = 1.0
    for i in range(n):
        # one below and one above the mean, and both above it
        for a in range(GAPS):
            for b in range(GAPS):
                low[a * GAPS + b] = chances[i, a]
                high[a * GAPS + b] = chances[i, b]
        low[GAPS * GAPS :] = 1.0 - low[: GAPS * GAPS]
        high[GAPS * GAPS :] = high[: GAPS * GAPS]
        for j in range(min(i + 1, most), 0, -1):
            counts[j] = counts[j] * high + counts[j - 1] * low
        counts[0] *= high
    total = 0.0
    for a in range(GAPS):
        for b in range(GAPS):
            place = a * GAPS + b
            total += tables.across[a, b] * counts[k, place]
            place += GAPS * GAPS
            # both above it, and both below
            total += tables.onwards[a, b] * (counts[k, place] + counts[n - k, place])
    return 2.0 * total


@kernel
def few_moments(k, share, n, tables, room):
    """Mean and square of a quantile of few values, and what it has in common with them."""
    count_tails(room.chances, room.slopes, n, room.counts, room.change)
    mean, square, along = one_rank(k, n, tables, room.counts, room.change)
    if share > 0.0:
        other_mean, other, other_along = one_rank(k + 1, n, tables, room.counts, room.change)
        gap = gap_square(k, n, tables, room.gap_chances, room.gap_counts)
        mean += share * (other_mean - mean)
        along += share * (other_along - along)
        square += share * (other - square) - share * (1.0 - share) * gap
    return mean, square, along


@kernel
def normal_chance(z):
    """Return the chance of a normal value below z."""
    return 0.5 * math.erfc(-z * _ROOT_HALF)


@kernel
def many_moments(k, share, n, tables, room):
    """Return as :func:`few_moments`, of so many values that their number beyond x is normal."""
    room.sums[:] = 0.0
    expected, spread, skewed, slopes = room.sums[0], room.sums[1], room.sums[2], room.sums[3]
    for i in range(n):
        p = room.chances[i]
        expected += p
        spread += p * (1.0 - p)
        skewed += p * (1.0 - p) * (1.0 - 2.0 * p)
        slopes += room.slopes[i]
    mean, square, along = 0.0, 0.0, 0.0
    for node in range(NODES):
        if spread[node] < _TINY:
            continue
        sigma = np.sqrt(spread[node])
        skew = skewed[node] / (spread[node] * sigma)
        # half a value less than as many as there have to be
        for side in range(2):
            wanted = n - k - share + 0.5 if side == 0 else k + share - 0.5
            z = (expected[node] - wanted) / sigma
            density = np.exp(-0.5 * z * z) * _DENSITY
            tail = normal_chance(z) - skew * (1.0 - z * z) * density / 6.0
            tail = min(max(tail, 0.0), 1.0)
            weight = tables.weights[node]
            mean += weight * tail if side == 0 else -weight * tail
            square += weight * 2.0 * tables.places[node] * tail
            along += weight * slopes[node] * density / sigma
    return mean, square, along


@kernel
def moments_of(steps, n, ranks, tables, room):
    """Variance of the quantile, its mean, and what it has in common with its values.

    ``steps`` (n) are those of the noise below the largest, in falling order of noise; all is in
    units of the largest.
    """
    k, share = ranks.first[n], ranks.share[n]
    end = -2 * FARTHEST
    for side in range(4 if share > 0.0 else 2):
        needed = (n - k + 1, k, n - k, k + 1)[side]
        if 1 <= needed <= n:
            end = max(end, ranks.reach[n, side] - steps[needed - 1])
    last = 2.0 ** (end / STEPS)
    for i in range(n):
        row = min(max(2 * FARTHEST + end + steps[i], 0), 4 * FARTHEST)
        sigma = 2.0 ** (-steps[i] / STEPS) / last
        room.chances[i] = tables.chances[row]
        room.slopes[i] = sigma * tables.densities[row]
        if share > 0.0 and n <= FEW:
            room.gap_chances[i] = tables.gap_chances[row]
    if n <= FEW:
        mean, square, along = few_moments(k, share, n, tables, room)
    else:
        mean, square, along = many_moments(k, share, n, tables, room)
    return (square - mean * mean) * last * last, mean * last, along * last * last


@kernel
def worth(steps, n, ranks, tables, room, plain):
    """Variance of the quantile, and what it is of the sum of squared distances from it.

    ``plain`` (n, 2) remembers the first and the last of :func:`moments_of` for equal noise.
    """
    variance, mean, along = moments_of(steps, n, ranks, tables, room)
    if n > FEW:
        if np.isnan(plain[n, 0]):
            plain[n, 0], _, plain[n, 1] = moments_of(np.zeros_like(steps), n, ranks, tables, room)
        variance *= ranks.equal[n] / plain[n, 0]
        along /= plain[n, 1]
    squares = n * (variance + mean * mean) - 2.0 * along
    for i in range(n):
        squares += 2.0 ** (-2.0 * steps[i] / STEPS)
    return variance, variance / squares


@kernel
def empty_room(frames):
    """Room for so many values."""
    few = min(frames, FEW)
    return Room(
        np.empty((frames, NODES)),
        np.empty((frames, NODES)),
        np.empty((few + 1, NODES)),
        np.empty((few + 1, NODES)),
        np.empty((few, GAPS)),
        np.empty((few + 1, 2 * GAPS * GAPS)),
        np.empty((4, NODES)),
    )
