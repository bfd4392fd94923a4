"""Rejections of one pixel, slow and obvious: a function each, named as the module of its class."""

from typing import Any

import numpy as np
from scipy import stats

from autowisp_xr.options import upper_and_lower

__all__ = ["survivors"]


def survivors(reject: Any, values: Any, kept: Any, variance: Any, average: Any) -> Any:
    """Which values survive of those that are not left out, and how many go below and above.

    Parameters
    ----------
    reject
        The way to find outliers; what it is called tells which of these functions is its own.
    values, kept, variance
        (frame): the values, which of them are not left out, and their variances.
    average
        Function of what survives.
    """
    name = type(reject).__module__.rpartition(".")[2]
    return globals()[name](reject, values, kept.copy(), variance, average)


def sigma_clip(reject, values, kept, variance, average):
    center = np.median if reject.about == "median" else average

    def limits(good):
        about = center(good)
        scale = 0.0
        if reject.scale == "mad":
            scale = 1.4826 * np.median(np.abs(good - about))
        return about, scale or np.sqrt(np.mean((good - about) ** 2))

    return _by_rounds(reject, values, kept, limits, reject.max_iter)


def noise_clip(reject, values, kept, variance, average):
    sigma = np.sqrt(variance)
    return _by_rounds(reject, values, kept, lambda good: (np.median(good), sigma), reject.max_iter)


def winsorized_sigma_clip(reject, values, kept, variance, average):
    def limits(good):
        about = np.median(good)
        if good.size < 3:
            return about, np.inf
        scatter, before = np.std(good, ddof=1), 0.0
        while abs(scatter - before) > 5e-4 * before:
            before = scatter
            moved = np.clip(good, about - 1.5 * scatter, about + 1.5 * scatter)
            scatter = 1.134 * np.std(moved, ddof=1)
        return about, scatter

    return _by_rounds(reject, values, kept, limits, reject.max_iter)


def linear_fit_clip(reject, values, kept, variance, average):
    order = [i for i in np.argsort(values, kind="stable") if kept[i]]
    rounds, gone = reject.max_iter, [0, 0]
    while len(order) >= 6 and rounds != 0:
        good, place = values[order], np.arange(len(order))
        half = -(-len(order) // 2)
        slope = np.median(good[half:] - good[: len(order) - half]) / half
        distance = good - slope * place
        distance -= np.median(distance)
        plus, minus = np.array(upper_and_lower(reject.threshold)) * np.abs(distance).mean()
        # from either end up to the first that stays
        first, last = 0, len(order)
        while last > 0 and distance[last - 1] > plus:
            last -= 1
        while first < last and distance[first] < minus:
            first += 1
        if (first, last) == (0, len(order)):
            break
        gone = [gone[0] + first, gone[1] + len(order) - last]
        order = order[first:last]
        rounds = None if rounds is None else rounds - 1
    kept[:] = False
    kept[order] = True
    return kept, *gone


def generalized_esd(reject, values, kept, variance, average):
    most = reject.outliers
    if isinstance(most, float):
        most = max(int(most * kept.sum() + 1e-9), 1)
    most = min(most, kept.sum() // 2, kept.sum() - 2)
    left, gone, sides, found = kept.copy(), [], [], 0
    for _ in range(max(most, 0)):
        good = values[left]
        n, distance = good.size, np.where(left, values - good.mean(), 0.0)
        t = stats.t.ppf(1 - reject.significance / (2 * n), n - 2)
        farthest = np.abs(distance).max()
        beyond = farthest > (n - 1) * t / np.sqrt((n - 2 + t**2) * n) * np.std(good, ddof=1)
        extreme = distance.max() if distance.max() >= -distance.min() else distance.min()
        gone.append(int(np.argmax(left & (distance == extreme))))
        sides.append(extreme >= 0)
        left[gone[-1]] = False
        found = len(gone) if beyond else found
    kept[gone[:found]] = False
    high = int(np.sum(sides[:found]))
    return kept, found - high, high


def percentile(reject, values, kept, variance, average):
    middle = np.median(values[kept]) if kept.any() else 0.0
    if middle <= 0:
        return kept, 0, 0
    above = kept & (values - middle > reject.high * middle)
    below = kept & (values - middle < -reject.low * middle)
    return kept & ~above & ~below, int(below.sum()), int(above.sum())


def min_max(reject, values, kept, variance, average):
    order = [i for i in np.argsort(values, kind="stable") if kept[i]]
    kept[order[: reject.low]] = False
    kept[order[max(len(order) - reject.high, 0) :]] = False
    low = min(reject.low, len(order))
    return kept, low, min(reject.high, len(order) - low)


def _by_rounds(reject, values, kept, limits, rounds):
    plus, minus = upper_and_lower(reject.threshold)
    low = high = 0
    while kept.any() and rounds != 0:
        about, scale = limits(values[kept])
        above = kept & (values - about > plus * scale)
        below = kept & (values - about < minus * scale)
        if not (above | below).any():
            break
        kept = kept & ~above & ~below
        low, high = low + int(below.sum()), high + int(above.sum())
        rounds = None if rounds is None else rounds - 1
    return kept, low, high
