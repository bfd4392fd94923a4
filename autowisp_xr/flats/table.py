"""The table of flats: class and reason of each frame, and what decided."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.flats.classes import VarianceFit, Verdict
from autowisp_xr.flats.options import FlatSelection

__all__ = ["flat_table", "mark", "members", "recorded", "unselected"]

_DECIDING = (
    "min_pointing_separation",
    "max_saturated_fraction",
    "cloudy_night_threshold",
    "cloudy_frame_threshold",
    "cloudy_frame_significance",
    "min_high_mean",
    "max_low_mean",
    "large_scale_deviation_threshold",
    "min_high_frames",
    "min_low_frames",
)


def flat_table(
    ds: xr.Dataset,
    selection: FlatSelection,
    found: dict[str, Any],
    separation: Any,
    fits: Sequence[VarianceFit],
    by_frame: Sequence[Sequence[Verdict]],
    notes: list[str],
) -> xr.Dataset:
    """Table of verdicts by frame and channel, and of the numbers that they rest on."""
    channels = schema.names(ds, "channel")
    units = ds["image"].attrs.get("units", "adu")
    both = ("frame", "channel")
    dims: tuple[str, ...] = both
    kinds: list[Any] = [[verdict.kind for verdict in verdicts] for verdicts in by_frame]
    reasons: list[Any] = [[verdict.reason for verdict in verdicts] for verdicts in by_frame]
    if selection.together:
        of_frames = [_together(verdicts, channels) for verdicts in by_frame]
        dims = ("frame",)
        kinds = [verdict.kind for verdict in of_frames]
        reasons = [verdict.reason for verdict in of_frames]
    variables: dict[str, Any] = {
        "class": (dims, _text(kinds)),
        "reason": (dims, _text(reasons)),
        "separation": ("frame", separation, {"units": "arcsec"}),
        "mean": (both, found["mean"], {"units": units}),
        "variance": (both, found["variance"], {"units": f"{units}2"}),
        "predicted_variance": (
            both,
            np.stack([fit.predicted for fit in fits], axis=1),
            {"units": f"{units}2"},
        ),
        "number": (both, found["number"], {"units": "1"}),
        "saturated_fraction": (both, found["saturated_fraction"], {"units": "1"}),
        "deviation": (both, np.full(found["mean"].shape, np.nan), {"units": "1"}),
        "fit_coefficients": (("channel", "power"), np.stack([fit.coefficients for fit in fits])),
        "fit_residual": (
            "channel",
            np.array([fit.residual for fit in fits]),
            {"units": f"{units}2"},
        ),
    }
    coords = schema.frame_and_channel(ds)
    return xr.Dataset(
        variables, {**coords, "power": [0, 1, 2]}, {**_thresholds(selection), "notes": notes}
    )


def mark(table: xr.Dataset, where: Any, kind: str, reason: str) -> xr.Dataset:
    """The table with a class and a reason for frames (a bool each)."""
    kinds, reasons = (table[name].values.copy() for name in ("class", "reason"))
    kinds[where], reasons[where] = kind, reason
    return table.assign(
        {"class": table["class"].copy(data=kinds), "reason": table["reason"].copy(data=reasons)}
    )


def unselected(
    ds: xr.Dataset, mean: xr.DataArray, verdicts: Sequence[Verdict | None]
) -> xr.Dataset:
    """Table of frames that are taken as they are, but for those with a verdict; their levels."""
    taken = Verdict("high", "no selection was asked for")
    found = [verdict or taken for verdict in verdicts]
    return xr.Dataset(
        {
            "class": ("frame", _text([verdict.kind for verdict in found])),
            "reason": ("frame", _text([verdict.reason for verdict in found])),
            "mean": mean.assign_attrs(units=ds["image"].attrs.get("units", "adu")),
        }
    )


def recorded(
    chosen: xr.Dataset, table: xr.Dataset, kind: str, selection: FlatSelection
) -> xr.Dataset:
    """Frames of a class, with the selection and why others were left out in their history."""
    left_out = {
        name: f"{other}: {reason}"
        for name, other, reason in zip(
            schema.names(table, "frame"),
            table["class"].values.tolist(),
            table["reason"].values.tolist(),
            strict=True,
        )
        if other != kind
    }
    options = {"class": kind, "selection": selection, "left_out": left_out}
    return provenance.record(chosen, "select_flats", options)


def members(table: xr.Dataset, kind: str) -> Any:
    """Which frames of a table are of a class."""
    return np.flatnonzero([name == kind for name in table["class"].values.tolist()])


def _together(verdicts: Sequence[Verdict], channels: Sequence[str]) -> Verdict:
    """What becomes of a frame whose channels share its fate."""
    if len(set(verdicts)) == 1:
        return verdicts[0]
    kinds = [verdict.kind for verdict in verdicts]
    if set(kinds) <= {"high", "medium", "low"}:
        kind = kinds[0] if len(set(kinds)) == 1 else "medium"
        told = list(zip(channels, verdicts, strict=True))
    else:
        kind = next(kind for kind in ("colocated", "saturated", "cloudy") if kind in kinds)
        told = [(c, v) for c, v in zip(channels, verdicts, strict=True) if v.kind == kind]
    return Verdict(kind, "; ".join(f"{channel}: {verdict.reason}" for channel, verdict in told))


def _thresholds(selection: FlatSelection) -> dict[str, Any]:
    """What decided, as attributes: numbers, or JSON text of a number for each channel."""
    values = {name: getattr(selection, name) for name in _DECIDING}
    return {
        name: json.dumps(dict(value)) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }


def _text(values: Sequence[Any]) -> Any:
    return np.array(values, dtype=np.dtypes.StringDType())
