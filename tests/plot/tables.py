"""Tables of flats by hand, as ``select_flats`` makes them."""

import json
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["COEFFICIENTS", "NAMES", "RESIDUAL", "parabola", "planes", "table"]

NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]
COEFFICIENTS = [100.0, 0.5, 1e-5]
RESIDUAL = 40.0

_KINDS = ["high", "high", "medium", "low", "cloudy", "cloudy", "saturated", "colocated"]
_MEANS = [30e3, 28e3, 20e3, 10e3, 25e3, 29e3, np.nan, np.nan]
_OFF = [1.0, -1.0, 0.5, 0.0, 20.0, 2.0, np.nan, np.nan]
_DEVIATIONS = [0.002, 0.003, np.nan, 0.004, np.nan, 0.08, np.nan, np.nan]
_LIMITS = {
    "min_high_mean": 22e3,
    "max_low_mean": 15e3,
    "max_saturated_fraction": 1e-4,
    "cloudy_night_threshold": 5e3,
    "cloudy_frame_threshold": 5.0,
    "large_scale_deviation_threshold": 0.05,
}


def parabola(mean: Any) -> Any:
    c0, c1, c2 = COEFFICIENTS
    return c0 + c1 * np.asarray(mean) + c2 * np.asarray(mean) ** 2


def table(
    *,
    kinds: Any = None,
    mean: Any = None,
    off: Any = None,
    deviation: Any = None,
    channels: tuple[str, ...] = ("mono",),
    residual: float = RESIDUAL,
    **limits: Any,
) -> xr.Dataset:
    """One frame of each trouble: e lies off the fit, f has structure, g is saturated.

    ``off`` is the distance from the fit in residuals; all channels are alike.
    """
    kinds = _KINDS if kinds is None else kinds
    number = len(kinds)

    def column(values: Any, default: Any) -> Any:
        chosen = default[:number] if values is None else values
        return np.repeat(np.asarray(chosen, float)[:, None], len(channels), axis=1)

    mean = column(mean, _MEANS)
    predicted = parabola(mean)
    both = ("frame", "channel")
    kinds = np.array(kinds, np.dtypes.StringDType())
    saturated = np.where(np.isfinite(mean), 0.0, 0.25)
    limits = {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in {**_LIMITS, **limits}.items()
        if value is not None
    }
    return xr.Dataset(
        {
            "class": ("frame", kinds),
            "reason": (
                "frame",
                np.array(["because, " + "and so " * 20] * number, np.dtypes.StringDType()),
            ),
            "mean": (both, mean),
            "variance": (both, predicted + RESIDUAL * column(off, _OFF)),
            "predicted_variance": (both, predicted),
            "saturated_fraction": (both, saturated),
            "deviation": (both, column(deviation, _DEVIATIONS)),
            "fit_coefficients": (("channel", "power"), np.tile(COEFFICIENTS, (len(channels), 1))),
            "fit_residual": ("channel", np.full(len(channels), residual)),
        },
        {
            "frame": np.array(
                NAMES if number == len(NAMES) else [f"n{i}" for i in range(number)],
                np.dtypes.StringDType(),
            ),
            "channel": np.array(channels, np.dtypes.StringDType()),
        },
        limits,
    )


def planes(values: Any, names: Any = NAMES, channels: tuple[str, ...] = ("mono",)) -> xr.DataArray:
    """Planes of 6 x 8 pixels, each of one value but for a corner."""
    image = np.empty((len(names), len(channels), 6, 8))
    image[:] = np.asarray(values, float).reshape(-1, 1, 1, 1)
    image[..., 0, 0] = 0
    return xr.DataArray(
        image,
        {
            "frame": np.array(list(names), np.dtypes.StringDType()),
            "channel": np.array(channels, np.dtypes.StringDType()),
        },
        ("frame", "channel", "y", "x"),
    )
