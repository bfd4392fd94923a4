"""Verdicts on flats by their stamps and what is left after matching, and the table of them."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.flats.options import DECIDING, FlatSelection, level_of
from autowisp_xr.stats.least_squares import iterative_rejection_polynomial_fit

CLASSES = ("high", "low", "medium", "colocated", "cloudy", "saturated")
NO_HIGH = "no high master flat"

# of a distance from the fit, in units of the largest variance: nothing but rounding
_ROUNDING = 1e-9


class VarianceFit(NamedTuple):
    """The parabola of variance against mean."""

    coefficients: Floats
    """Those of 1, mean and its square: read noise in ADU^2, ADU per electron, response squared."""
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
    largest = float(np.asarray(deviation).max())
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


def flat_table(
    ds: xr.Dataset,
    selection: FlatSelection,
    found: dict[str, Any],
    separation: Floats,
    fits: Sequence[VarianceFit],
    by_frame: Sequence[Sequence[Verdict]],
    notes: list[str],
) -> xr.Dataset:
    """Make the table of verdicts by frame and channel, and of the numbers that they rest on."""
    units = schema.units_of(ds)
    both, squared = ("frame", "channel"), {"units": f"{units}2"}
    verdicts: Sequence[Any] = by_frame
    if selection.together:
        channels = schema.names(ds, "channel")
        verdicts = [_together(of_frame, channels) for of_frame in by_frame]
    predicted = np.stack([fit.predicted for fit in fits], axis=1)
    variables: dict[str, Any] = {
        **_classes(verdicts),
        "separation": ("frame", separation, {"units": "arcsec"}),
        "mean": (both, found["mean"], {"units": units}),
        "variance": (both, found["variance"], squared),
        "predicted_variance": (both, predicted, squared),
        "number": (both, found["number"], {"units": "1"}),
        "saturated_fraction": (both, found["saturated_fraction"], {"units": "1"}),
        "deviation": (both, np.full(predicted.shape, np.nan), {"units": "1"}),
        "fit_coefficients": (("channel", "power"), np.stack([fit.coefficients for fit in fits])),
        "fit_residual": ("channel", np.array([fit.residual for fit in fits]), squared),
    }
    coords = {**schema.frame_and_channel(ds), "power": [0, 1, 2]}
    return xr.Dataset(variables, coords, {**_thresholds(selection), "notes": notes})


def _classes(verdicts: Sequence[Any]) -> dict[str, xr.Variable]:
    """Return class and reason of each frame, or of each frame and channel, of verdicts."""
    text = np.array(verdicts, dtype=np.dtypes.StringDType())
    dims = ("frame", "channel")[: text.ndim - 1]
    return {name: xr.Variable(dims, text[..., i]) for i, name in enumerate(("class", "reason"))}


def mark(table: xr.Dataset, where: int | Integers, kind: str, reason: str) -> xr.Dataset:
    """Return the table with another class and reason for some frames."""
    kinds, reasons = (table[name].values.copy() for name in ("class", "reason"))
    kinds[where], reasons[where] = kind, reason
    return table.assign(
        {"class": table["class"].copy(data=kinds), "reason": table["reason"].copy(data=reasons)}
    )


def unselected(
    ds: xr.Dataset, mean: xr.DataArray, verdicts: Sequence[Verdict | None]
) -> xr.Dataset:
    """Make the table of frames that are all taken, but for those with a verdict."""
    taken = Verdict("high", "no selection was asked for")
    level = mean.assign_attrs(units=schema.units_of(ds))
    table = xr.Dataset({**_classes([verdict or taken for verdict in verdicts]), "mean": level})
    if all(verdicts):
        name, reason = schema.names(ds, "frame")[0], table["reason"].values[0]
        table.attrs["notes"] = [f"{NO_HIGH}: none of the frames takes part ({name}: {reason})"]
    return table


def recorded(
    chosen: xr.Dataset,
    frames: xr.Dataset,
    table: xr.Dataset,
    kind: str,
    selection: FlatSelection,
) -> xr.Dataset:
    """Record in the history of frames of a class the selection, and why others were left out."""
    found = zip(*(table[name].values.tolist() for name in ("class", "reason")), strict=True)
    left_out = {
        name: f"{other}: {reason}"
        for name, (other, reason) in zip(schema.names(table, "frame"), found, strict=True)
        if other != kind
    }
    # which are good, and their common shape, depends on all
    options = {"class": kind, "selection": selection, "from": provenance.identity(frames)}
    return provenance.record(chosen, "select_flats", options, of_set={"left_out": left_out})


def members(table: xr.Dataset, kind: str) -> Integers:
    """Return the numbers of the frames of a table that are of a class."""
    return np.flatnonzero(table["class"].values == kind)


def missing_masters(
    masters: Mapping[str, Any], table: xr.Dataset, selection: FlatSelection
) -> list[str]:
    """Return why masters could not be made, a sentence each."""
    reasons = []
    for kind, fewest in selection.fewest.items():
        number = members(table, kind).size
        if masters[kind] is not None or (kind == "low" and number == 0):
            continue
        why = f"{number} of {table.sizes['frame']} frames are {kind}, at least {fewest} are needed"
        limit = selection.large_scale_deviation_threshold
        unlike = 0 if limit is None else int((table["deviation"] > limit).any("channel").sum())
        if kind == "high" and unlike > table.sizes["frame"] / 2:
            why += (
                f"; structure is left in {unlike}: is there an edge without light (image_area, "
                "overscan)?"
            )
        if number >= fewest:
            why = "its large-scale shape would be that of the high frames, which are too few"
        reasons.append(f"{NO_HIGH if kind == 'high' else 'no low master flat'}: {why}")
    return reasons


def _together(verdicts: Sequence[Verdict], channels: Sequence[str]) -> Verdict:
    """Return the verdict on a frame whose channels share its fate."""
    if len(set(verdicts)) == 1:
        return verdicts[0]
    kinds = {verdict.kind for verdict in verdicts}
    against = [kind for kind in ("colocated", "saturated", "cloudy") if kind in kinds]
    kind = against[0] if against else "medium" if len(kinds) > 1 else kinds.pop()
    reasons = [
        f"{channel}: {verdict.reason}"
        for channel, verdict in zip(channels, verdicts, strict=True)
        if verdict.kind == kind or not against
    ]
    return Verdict(kind, "; ".join(reasons))


def _thresholds(selection: FlatSelection) -> dict[str, Any]:
    """Return the limits as attributes: numbers, or JSON text of a number for each channel."""
    values = {name: getattr(selection, name) for name in DECIDING}
    return {
        name: json.dumps(dict(value)) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }
