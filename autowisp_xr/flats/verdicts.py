"""Verdicts on flats, by their stamps and what is left after matching: cloudy, high, low."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.flats.options import FlatSelection, level_of
from autowisp_xr.stats.least_squares import iterative_rejection_polynomial_fit

CLASSES = ("high", "low", "medium", "colocated", "cloudy", "saturated")

# of a distance from the fit, in units of the largest variance: nothing but rounding
_ROUNDING = 1e-9


class VarianceFit(NamedTuple):
    """The parabola of variance against mean."""

    coefficients: Floats
    """Of 1, mean and its square: read noise in ADU^2, ADU per electron, response squared."""
    residual: float
    """Root mean square distance of the frames that shaped it, ADU^2; NaN if too few did."""
    predicted: Floats
    """Variance at the mean of each frame."""


class Verdict(NamedTuple):
    """The class of a frame, and why, in words."""

    kind: str
    reason: str


def fit_variance(mean: Floats, variance: Floats, selection: FlatSelection) -> VarianceFit:
    """Fit a parabola to the frames of one channel, outliers rejected; NaN takes no part."""
    coefficients, residual, predicted = iterative_rejection_polynomial_fit(
        mean,
        variance,
        2,
        selection.var_mean_fit_threshold,
        selection.var_mean_fit_iterations,
        return_predicted=True,
    )
    return VarianceFit(coefficients, float(residual), predicted)


def classify(
    mean: Floats,
    variance: Floats,
    saturated_fraction: Floats,
    fit: VarianceFit,
    selection: FlatSelection,
    channel: str | None = None,
    number: Integers | None = None,
) -> list[Verdict]:
    """Classify each frame in one channel.

    Parameters
    ----------
    mean, variance, saturated_fraction : (n,) arrays
        Of the stamps.
    fit
        Of :func:`fit_variance`.
    selection, channel
        What limits there are; the name of the channel chooses among levels that differ.
    number : (n,) array
        Of pixels in the stamps; None where it is not known.
    """
    night, limit = selection.cloudy_night_threshold, selection.cloudy_frame_threshold
    distance = np.abs(variance - fit.predicted)
    least = np.full(len(mean), _ROUNDING * float(np.nanmax(np.abs(variance), initial=0.0)))
    if number is not None and selection.cloudy_frame_significance is not None:
        sampling = fit.predicted * np.sqrt(2 / np.maximum(number, 1))
        least = np.fmax(least, selection.cloudy_frame_significance * sampling)
    verdicts = []
    for i, level in enumerate(mean):
        if not math.isfinite(level):
            verdict = _useless(float(saturated_fraction[i]), selection)
        elif night is not None and fit.residual > night:
            reason = (
                f"variances lie {fit.residual:.4g} ADU^2 from their fit, more than {night:g} on a "
                "clear night"
            )
            verdict = Verdict("cloudy", reason)
        elif limit is not None and distance[i] > np.maximum(limit * fit.residual, least[i]):
            reason = (
                f"its variance {variance[i]:.5g} ADU^2 lies {distance[i]:.4g} from the fit, more "
                f"than {limit:g} x {fit.residual:.4g}"
            )
            verdict = Verdict("cloudy", reason)
        else:
            verdict = _by_level(float(level), selection, channel)
        verdicts.append(verdict)
    return verdicts


def by_deviation(mean: ArrayLike, deviation: ArrayLike, selection: FlatSelection) -> Verdict | None:
    """Return the verdict on a frame matched to the reference; None if nothing is wrong.

    Parameters
    ----------
    mean, deviation : (channel,) arrays
        Of the matched frame; see :class:`~autowisp_xr.flats.large_scale.Match`.
    """
    if np.isnan(mean).any():
        return Verdict("cloudy", "no pixel of it can be matched to the reference")
    limit = selection.large_scale_deviation_threshold
    if limit is None or selection.cloud_check_smoother is None:
        return None
    if np.isnan(deviation).any():
        return Verdict("cloudy", "what it differs from the reference by is not a number")
    largest = float(np.max(deviation))
    if largest <= limit:
        return None
    return Verdict(
        "cloudy",
        f"structure of {100 * largest:.3g} % is left after matching, more than {100 * limit:g} %",
    )


def _useless(saturated_fraction: float, selection: FlatSelection) -> Verdict:
    limit = selection.max_saturated_fraction
    if limit is not None and saturated_fraction > limit:
        return Verdict(
            "saturated",
            f"{100 * saturated_fraction:.3g} % of its stamp is saturated, more than "
            f"{100 * limit:g} %",
        )
    return Verdict("medium", "its stamp cannot be measured: pixels are flagged, zero or not finite")


def _by_level(mean: float, selection: FlatSelection, channel: str | None) -> Verdict:
    high = level_of(selection.min_high_mean, channel)
    low = level_of(selection.max_low_mean, channel)
    if low is not None and mean < low:
        return Verdict("low", f"mean {mean:.5g} ADU below {low:g}")
    if high is None or mean > high:
        limit = "" if high is None else f" above {high:g}"
        return Verdict("high", f"mean {mean:.5g} ADU{limit}")
    limits = f"not above {high:g}" if low is None else f"between {low:g} and {high:g}"
    return Verdict("medium", f"mean {mean:.5g} ADU, {limits}")
