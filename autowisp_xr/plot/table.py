"""One channel of the table of flats, as plain arrays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.errors import SchemaError
from autowisp_xr.flats.options import DECIDING

REJECTED = ("cloudy", "saturated")
"""Classes of frames that are worth a look, the most instructive first."""

LONGEST_NAME = 24
"""Characters of the name of a frame that are drawn."""

_LONGEST_REASON = 60
_REMEDY = "pass a MasterFlats or its .frames, or what select_flats returns"

_TESTS = (
    ("saturated", "saturated_fraction", "max_saturated_fraction", "{:.3g} % of its stamp"),
    ("cloudy", "distance", "cloudy_frame_threshold", "{:.3g} residuals from the fit"),
    ("cloudy", "deviation", "large_scale_deviation_threshold", "{:.2g} % left after matching"),
)
"""Class of the frames that a test rejects, the variable that decides, the option that this exceeds
on either side of zero, and what is written of it."""


@dataclass(frozen=True, kw_only=True)
class FlatTable:
    """One channel of the table of flats; NaN for what is not in it."""

    channel: str
    names: list[str]
    kinds: list[str]
    reasons: list[str]
    mean: Floats
    variance: Floats
    predicted: Floats
    deviation: Floats
    saturated_fraction: Floats
    coefficients: Floats
    """The coefficients of the fit of variance to mean, by power."""
    residual: float
    """Root mean square distance from that fit."""
    limits: Mapping[str, float]
    """The limits that decided, by the name of the option; without those that were None."""
    others: Sequence["FlatTable"] = ()
    """The other channels, if all channels of a frame share its fate."""

    @classmethod
    def of(cls, frames: xr.Dataset, channel: str | None = None) -> "FlatTable":
        """Take the table of one channel; None for the first.

        Raises
        ------
        SchemaError
            If this is no such table.
        ValueError
            If it has no such channel.
        """
        _check(frames)
        channels = schema.names(frames, "channel")
        place = 0 if channel is None else schema.number_of(channel, channels, "channel")
        tables = [cls._one(frames, number) for number in range(len(channels))]
        chosen = tables.pop(place)
        return chosen if "channel" in frames["class"].dims else replace(chosen, others=tables)

    @classmethod
    def _one(cls, frames: xr.Dataset, number: int) -> "FlatTable":
        one, channel = frames.isel(channel=number), schema.names(frames, "channel")[number]
        nothing = np.full(frames.sizes["frame"], np.nan)

        def column(name: str) -> Floats:
            return one[name].values.astype(float) if name in one else nothing

        fitted = "fit_residual" in one and "fit_coefficients" in one
        return cls(
            channel=channel,
            names=schema.names(frames, "frame"),
            kinds=[str(kind) for kind in one["class"].values.tolist()],
            reasons=[str(reason) for reason in one["reason"].values.tolist()],
            mean=column("mean"),
            variance=column("variance"),
            predicted=column("predicted_variance"),
            deviation=column("deviation"),
            saturated_fraction=column("saturated_fraction"),
            coefficients=one["fit_coefficients"].values if fitted else np.full(3, np.nan),
            residual=float(one["fit_residual"]) if fitted else np.nan,
            limits=_limits(frames.attrs, channel),
        )

    @property
    def distance(self) -> Floats:
        """The distance of each variance from the fit, in units of the residual; NaN without one."""
        if not self.residual > 0:
            return np.full(len(self.names), np.nan)
        return (self.variance - self.predicted) / self.residual

    @property
    def cloudy_night(self) -> bool:
        """Whether the fit is so poor that no frame was looked at for itself."""
        return self.residual > self.limits.get("cloudy_night_threshold", np.inf)

    def of_kind(self, kind: str) -> Bools:
        """Return which frames are of a class, a bool each."""
        return np.array(self.kinds) == kind

    def rejected(self) -> list[str]:
        """Return the names of the cloudy frames, then of the saturated ones."""
        return [name for kind in REJECTED for name in self.names_of(kind)]

    def names_of(self, kind: str) -> list[str]:
        """Return the names of the frames of a class."""
        return [name for name, other in zip(self.names, self.kinds, strict=True) if other == kind]

    def decided_by(self, name: str) -> str:
        """Return the variable by which this channel rejects a frame, or "night"; "" if none."""
        place = self.names.index(name)
        if self.kinds[place] == "cloudy" and self.cloudy_night:
            return "night"
        for kind, variable, limit, _ in _TESTS:
            size = abs(getattr(self, variable)[place])
            if kind == self.kinds[place] and size > self.limits.get(limit, np.inf):
                return variable
        return ""

    def reason_in_short(self, name: str) -> str:
        """Return why a frame was rejected, in a few words."""
        place = self.names.index(name)
        kind = self.kinds[place]
        words = {variable: text for _, variable, _, text in _TESTS} | {"night": "all night"}
        for table in (self, *self.others):
            decided = table.decided_by(name)
            if decided:
                where = "" if table is self else f" in {table.channel}"
                size = 0.0 if decided == "night" else abs(getattr(table, decided)[place])
                text = words[decided]
                return f"{kind}{where}: {text.format(100 * size if '%' in text else size)}"
        return shorten(f"{kind}: {self.reasons[place]}", _LONGEST_REASON, placeholder=" …")


def _check(frames: object) -> None:
    if not isinstance(frames, xr.Dataset):
        raise SchemaError(
            f"a table of flats was expected, not a {type(frames).__name__}: {_REMEDY}"
        )
    missing = [name for name in ("class", "reason", "mean") if name not in frames]
    if missing or "frame" not in frames.dims or "channel" not in frames.dims:
        raise SchemaError(
            f"no table of flats: class and reason of each frame and a mean over (frame, channel) "
            f"were expected, the variables are {sorted(map(str, frames.data_vars))} over "
            f"{tuple(map(str, frames.dims))}; {_REMEDY}"
        )


def _limits(attrs: Mapping[Any, Any], channel: str) -> dict[str, float]:
    values = {name: attrs.get(name) for name in DECIDING}
    of_channel = {
        name: json.loads(value).get(channel) if isinstance(value, str) else value
        for name, value in values.items()
    }
    return {name: float(value) for name, value in of_channel.items() if value is not None}
