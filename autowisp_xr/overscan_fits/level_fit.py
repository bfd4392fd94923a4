r"""The fit of a level along the lines of a frame to pixels, with outliers rejected.

Lines are rows or columns, or the frame as a whole. Each has the average :math:`m_l` of its
:math:`n_l` pixels, whose variance is :math:`\sigma^2 r_l / n_l`: :math:`r = 1` for a mean and the
exact ratio r(n) of the variances of median and mean of n normal values for a median. A model
:math:`\sum_t \theta_t b_t(l)` is fitted to them with the inverse of that as weights, which for a
mean is the least-squares fit of all pixels. With :math:`w = n / r`,

.. math:: \mathrm{cov}(\theta) = \sigma^2 (B^T W B)^{-1}, \quad
   \mathrm{E} \sum (x - level)^2 = \sigma^2 \bigl(N - 2p + \sum_l n_l v_l\bigr)

with p terms and :math:`\sigma^2 v_l` the variance of the level of a line: any average that moves
with its values has the covariance :math:`\sigma^2 / n` with their mean. For a mean that is
:math:`\sigma^2 (N - p)`.
"""

import itertools
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.errors import ConvergenceError
from autowisp_xr.kernels.clip import farthest, rounding_of
from autowisp_xr.options import Overscan
from autowisp_xr.stats.order_statistics import quantile_moments

_MANY = 1000
_SINGULAR = 1e-9


class Fit(NamedTuple):
    """A level along lines and what is known of it."""

    level: Floats
    """float64 in ADU: of each line, NaN where no pixel is left, (lines); or, of a model, on all
    lines that were asked for, (all lines)."""
    noise: Floats
    """float64: :math:`v_l` of lines with noise of their own, (lines); or the noise of a model in
    independent parts of variance :math:`\\sigma^2`, (all lines, terms)."""
    squared_deviations: float
    """Sum over the remaining pixels, from the level."""
    freedom: float
    """Its expectation for a variance of one."""
    scatter: float
    """The sum over number of pixels less terms: what pixels were rejected by, in ADU^2."""
    kept: Bools
    """(lines, places) bool: the pixels that were left."""
    ratio: float
    """Mean r(n) of the lines."""
    iterations: int
    converged: bool


def fit(pixels: Floats, model: tuple[Floats, Floats] | None, method: Overscan, name: str) -> Fit:
    """Fit the level of lines to their pixels.

    Parameters
    ----------
    pixels : (lines, places) float64
        What is not finite is left out.
    model
        The terms on the lines of the pixels, and where it is wanted, (lines, terms) and
        (all lines, terms) float64; None for a level of its own for each line.
    method
        Average, rejection, and what must be left.
    name
        The frame and amplifier, for messages.

    Raises
    ------
    ConvergenceError
        As the method requires; for too few lines left to carry the terms.
    """
    kept = np.where(np.isfinite(pixels), pixels, np.nan)
    for iterations in itertools.count():
        found = np.isfinite(kept)
        count = found.sum(axis=1)
        number = int(count.sum())
        terms = int((count > 0).sum()) if model is None else model[0].shape[1]
        if number < max(method.min_pixels, terms + 1):
            raise ConvergenceError(
                f"{name}: {number} overscan pixels are left after {iterations} rejections for "
                f"{terms} levels or terms, min_pixels is {method.min_pixels}; give larger areas "
                "or a higher reject_threshold"
            )
        average, ratio = (_means if method.average == "mean" else _medians)(kept, count)
        level = average
        if model is not None:
            theta, inverse = _solved(average, count / ratio, model[0], name)
            level = model[0] @ theta
        square = np.where(found, (kept - level[:, None]) ** 2, 0.0)
        total = float(square.sum())
        scatter = total / (number - terms)
        size = float(np.abs(kept[found]).max())
        limit = farthest(method.reject_threshold, np.sqrt(scatter), size, rounding_of(kept.dtype))
        outliers = square > limit**2
        converged = not outliers.any()
        if converged or iterations == method.max_reject_iterations:
            break
        kept[outliers] = np.nan
    if method.require_convergence and not converged:
        raise ConvergenceError(
            f"{name}: the overscan level still rejects pixels after {iterations} iterations; "
            "raise max_reject_iterations or reject_threshold"
        )
    left = count > 0
    if model is None:
        noise = np.where(left, ratio / np.maximum(count, 1), np.nan)
        moved = float(ratio[left].sum())
    else:
        here, everywhere = model
        level, noise = everywhere @ theta, everywhere @ inverse
        moved = float((count * ((here @ inverse) ** 2).sum(axis=1)).sum())
    return Fit(
        level=level,
        noise=noise,
        squared_deviations=total,
        freedom=number - 2 * terms + moved,
        scatter=scatter,
        kept=found,
        ratio=float(ratio[left].mean()),
        iterations=iterations,
        converged=converged,
    )


def _solved(average: Floats, weight: Floats, design: Floats, name: str) -> tuple[Floats, Floats]:
    """Return coefficients, and R^-1 of W^1/2 B = Q R, whose square is their covariance."""
    seen = weight > 0
    root = np.sqrt(weight[seen])
    q, r = np.linalg.qr(design[seen] * root[:, None])
    diagonal = np.abs(np.diagonal(r))
    if len(diagonal) < design.shape[1] or diagonal.min() <= _SINGULAR * diagonal.max():
        raise ConvergenceError(
            f"{name}: the {int(seen.sum())} lines with overscan pixels left do not determine the "
            f"{design.shape[1]} terms of the level; give fewer terms, or larger areas"
        )
    inverse = np.linalg.inv(r)
    return inverse @ (q.T @ (root * average[seen])), inverse


def _means(pixels: Floats, count: Integers) -> tuple[Floats, Floats]:
    """Return the mean of the finite values of each line, NaN where there is none, and r = 1."""
    total = np.where(np.isfinite(pixels), pixels, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), np.ones(count.size)


def _medians(pixels: Floats, count: Integers) -> tuple[Floats, Floats]:
    """Return the median of the finite values of each line, NaN without any, and r(n)."""
    # NaN sorts to the end
    ordered = np.sort(pixels, axis=1)
    lines = np.arange(len(count))
    low = ordered[lines, np.maximum(count - 1, 0) // 2]
    high = ordered[lines, np.minimum(count // 2, ordered.shape[1] - 1)]
    numbers, which = np.unique(count, return_inverse=True)
    ratios = np.array([_ratio(int(n)) for n in numbers])
    return np.where(count > 0, (low + high) / 2, np.nan), ratios[which]


def _ratio(n: int) -> float:
    if n > _MANY:
        # to 1e-6, and better than the integrals beyond 100 000 values
        return float(np.pi / 2 * (1 - ((4 if n % 2 else 6) - np.pi) / (2 * n)))
    return n * quantile_moments(0.5, n)[1] if n else 1.0
