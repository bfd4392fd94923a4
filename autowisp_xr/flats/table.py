"""The table of flats: the class and reason of each frame, and what decided."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.flats.options import DECIDING, FlatSelection
from autowisp_xr.flats.verdicts import VarianceFit, Verdict

NO_HIGH = "no high master flat"


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
    units = ds["image"].attrs.get("units", "adu")
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
    level = mean.assign_attrs(units=ds["image"].attrs.get("units", "adu"))
    return xr.Dataset({**_classes([verdict or taken for verdict in verdicts]), "mean": level})


def recorded(
    chosen: xr.Dataset, table: xr.Dataset, kind: str, selection: FlatSelection
) -> xr.Dataset:
    """Record in the history of frames of a class the selection, and why others were left out."""
    found = zip(*(table[name].values.tolist() for name in ("class", "reason")), strict=True)
    left_out = {
        name: f"{other}: {reason}"
        for name, (other, reason) in zip(schema.names(table, "frame"), found, strict=True)
        if other != kind
    }
    options = {"class": kind, "selection": selection, "left_out": left_out}
    return provenance.record(chosen, "select_flats", options)


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
