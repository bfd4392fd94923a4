"""The stack of one pixel, slow and obvious, in NumPy."""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Column", "average_of", "slow_stack"]


class Column(NamedTuple):
    average: float
    squared_deviations: float
    """Sum of the squared distances from the average."""
    kept: Any
    """Which values survive: bool."""
    rejecting: bool


def average_of(values: Any, average: str | float) -> float:
    if average == "mean":
        return float(np.mean(values))
    return float(np.quantile(values, 0.5 if average == "median" else average))


def slow_stack(
    values: Any,
    average: str | float,
    *,
    plus: float = 5.0,
    minus: float = 5.0,
    mad: bool = False,
    max_iter: int | None = 0,
    excluded: Any = False,
) -> Column:
    """Values beyond ``plus`` above or ``minus`` below the average are rejected, round by round."""
    values = np.asarray(values, dtype=np.float64)
    kept = np.isfinite(values) & ~np.asarray(excluded)
    rejecting, rounds = False, 0
    while kept.any() and (max_iter is None or rounds < max_iter):
        distance = values - average_of(values[kept], average)
        scale = 1.4826 * np.median(np.abs(distance[kept])) if mad else 0.0
        if scale == 0.0:
            scale = np.sqrt(np.mean(distance[kept] ** 2))
        inside = kept & ~(distance > plus * scale) & ~(distance < -minus * scale)
        rejecting = bool((inside != kept).any())
        if not rejecting:
            break
        kept = inside
        rounds += 1
    if not kept.any():
        return Column(np.nan, 0.0, kept, rejecting)
    about = average_of(values[kept], average)
    return Column(about, float(np.sum((values[kept] - about) ** 2)), kept, rejecting)
