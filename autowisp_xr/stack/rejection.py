"""What a stack does about outliers: options as the kernel takes them, and what they cannot do."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.kernels.averages import MEAN, Rejection
from autowisp_xr.kernels.order_moments import Ranks, Tables
from autowisp_xr.options import (
    ErrorSource,
    MinMax,
    NoiseClip,
    Percentile,
    RejectChoice,
    SigmaClip,
    upper_and_lower,
)
from autowisp_xr.stats.quantisation import Digitisation
from autowisp_xr.stats.unequal_noise import noise_tables, ranks

__all__ = [
    "check_rejection",
    "dropped_by",
    "needs_digits",
    "rejection_of",
    "rejection_of_keywords",
    "unequal_noise",
    "warn_of_unequal_exposures",
]

_A_STEP = 1.01
"""As far as a step may be, which is known to a part of a per cent."""

_UNEQUAL = 2.0
"""Exposures that differ by it make noise that makes a median from the scatter 1.1 of the truth."""


def rejection_of(reject: RejectChoice, digits: Digitisation | None = None) -> Rejection | None:
    """What the kernel is told to reject from values that are digitised so."""
    match reject:
        case None:
            return None
        case SigmaClip():
            thresholds, about_median = upper_and_lower(reject.threshold), reject.about == "median"
            how = (*thresholds, reject.max_iter, about_median, _floor(reject, digits))
            return Rejection(reject.scale, *how, noise_too=reject.floor == "noise")
        case NoiseClip():
            thresholds, least = upper_and_lower(reject.threshold), _A_STEP * _step(digits)
            return Rejection("noise", *thresholds, reject.max_iter, floor=least)
        case MinMax():
            return Rejection("minmax", reject.high, reject.low, 1)
        case Percentile():
            return Rejection("percentile", reject.high, -reject.low, 1)
    raise ValueError(f"reject is None, SigmaClip, MinMax, Percentile or NoiseClip, not {reject!r}")


def rejection_of_keywords(reject: RejectChoice) -> Rejection | None:
    """What is rejected from header keywords, which have no noise to be judged by."""
    by_noise = isinstance(reject, NoiseClip) or (
        isinstance(reject, SigmaClip) and reject.floor == "noise"
    )
    return None if by_noise else rejection_of(reject)


def _step(digits: Digitisation | None) -> float:
    return 0.0 if digits is None else digits.step


def _floor(reject: SigmaClip, digits: Digitisation | None) -> float:
    noise = 0.0 if digits is None or reject.floor != "noise" else digits.noise
    return max(_step(digits), noise)


def needs_digits(reject: RejectChoice) -> bool:
    """Whether how values are digitised changes what is rejected."""
    return isinstance(reject, NoiseClip) or (
        isinstance(reject, SigmaClip) and reject.scale == "mad"
    )


def dropped_by(reject: RejectChoice) -> tuple[int, int]:
    """How many of the smallest and largest values go whatever they are."""
    return (reject.low, reject.high) if isinstance(reject, MinMax) else (0, 0)


def unequal_noise(
    ds: xr.Dataset, reject: RejectChoice, quantile: float, error: ErrorSource
) -> Callable[[], tuple[Ranks, Tables]] | None:
    """What a quantile needs where the noise of frames differs; None where nothing says how.

    It is made where it is needed: tables have no place in the graph of lazy frames.
    """
    known = "variance" in ds and (error == "propagate" or provenance.noise_known(ds))
    dropped, frames = dropped_by(reject), ds.sizes["frame"]
    if frames - sum(dropped) == 1:
        # a mean of one is any quantile of it
        quantile = max(quantile, 0.0)
    if quantile == MEAN or error == "standard_error" or not known:
        return None
    return partial(_ranks_and_tables, quantile, frames, *dropped, scatter=error == "scatter")


def _ranks_and_tables(*which: Any, scatter: bool) -> tuple[Ranks, Tables]:
    return ranks(*which, scatter=scatter), noise_tables()


def warn_of_unequal_exposures(ds: xr.Dataset) -> None:
    """Warn of frames whose noise must differ, where a quantile from the scatter takes it for equal.

    Flats are exposed until they have the same light.
    """
    if "exposure" not in ds.coords or ds["exposure"].dims != ("frame",):
        return
    exposures = ds["exposure"].values.astype(np.float64)
    known = exposures[exposures > 0]
    kinds = np.atleast_1d(ds["image_type"].values).tolist() if "image_type" in ds.coords else []
    if not known.size or "flat" in kinds or known.max() < _UNEQUAL * known.min():
        return
    names = schema.names(ds, "frame")
    least, most = (names[list(exposures).index(end)] for end in (known.min(), known.max()))
    warnings.warn(
        f"exposures go from {known.min():g} s ({least}) to {known.max():g} s ({most}), so the "
        "noise of the frames is not equal, for which the scatter of a median takes it: its "
        "variance may be several times too large. Calibrate with a camera whose gain and read "
        "noise are known, or choose average='mean'",
        AutowispWarning,
        stacklevel=4,
    )


def check_rejection(ds: xr.Dataset, reject: RejectChoice, quantile: float) -> None:
    """Raise ImageMismatchError for frames that cannot go through a rejection; warn if none can be.

    Not even a lone outlier among equal values may be beyond the threshold: it lies sqrt(n) rms from
    their median, and sqrt(n - 1) from their mean.
    """
    number = ds.sizes["frame"]
    if isinstance(reject, MinMax) and number <= reject.low + reject.high:
        raise ImageMismatchError(
            f"MinMax(low={reject.low}, high={reject.high}) leaves nothing of {number} frames; "
            f"stack at least {reject.low + reject.high + 1}, or reject fewer values"
        )
    if isinstance(reject, NoiseClip) and "variance" not in ds:
        raise ImageMismatchError(
            "NoiseClip needs the variance of the frames, which these do not have; calibrate them "
            "with a camera whose gain and read noise are known, or reject by SigmaClip"
        )
    if not isinstance(reject, SigmaClip) or reject.scale != "rms" or number < 2:
        return
    about_mean = quantile == MEAN and reject.about == "average"
    reach = np.sqrt(number - 1 if about_mean else number)
    lowest = min(abs(threshold) for threshold in upper_and_lower(reject.threshold))
    if reject.max_iter != 0 and lowest >= reach:
        warnings.warn(
            f"no value among {number} can lie {lowest:g} rms or more from the average, so nothing "
            f"will be rejected; a threshold below {reach:.2f} can, or SigmaClip(scale='mad')",
            AutowispWarning,
            stacklevel=4,
        )
