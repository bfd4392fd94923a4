"""Rejections of one pixel, slow and obvious: a function each, named as the module of its class."""

from typing import Any

import numpy as np

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
