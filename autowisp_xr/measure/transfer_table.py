"""The table of what was measured: gain, read noise, counts, and points of the curve."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from autowisp_xr.measure.slopes import Slope
from autowisp_xr.measure.transfer_curve import Sample

__all__ = ["counts", "curve", "numbers"]


def numbers(gains: Sequence[Slope], noises: Sequence[Slope]) -> dict[str, Any]:
    """Variables over channel: gain and read noise, of ADU per electron and variances in ADU^2."""
    inverse, inverse_error = _columns(gains)
    variance, variance_error = _columns(noises)
    gain, gain_error = 1 / inverse, inverse_error / inverse**2
    adu = np.sqrt(variance)
    adu_error = variance_error / (2 * np.where(adu > 0, adu, 1.0))
    found = {
        "gain": (gain, "electron / adu"),
        "gain_error": (gain_error, "electron / adu"),
        "read_noise": (gain * adu, "electron"),
        "read_noise_error": (np.hypot(gain * adu_error, adu * gain_error), "electron"),
        "read_noise_adu": (adu, "adu"),
        "read_noise_adu_error": (adu_error, "adu"),
    }
    return {name: ("channel", values, {"units": units}) for name, (values, units) in found.items()}


def _columns(slopes: Sequence[Slope]) -> Any:
    return np.array([(slope.value, slope.error) for slope in slopes]).T


def counts(kind: str, found: Sequence[Sample], slopes: Sequence[Slope]) -> dict[str, Any]:
    """Variables over channel: tiles that have a weight, and pairs that these are of."""
    kept = [sample.pair[slope.weights > 0] for sample, slope in zip(found, slopes, strict=True)]
    return {
        f"{kind}_pairs": ("channel", [np.unique(pair).size for pair in kept], {"units": "1"}),
        f"{kind}_tiles": ("channel", [pair.size for pair in kept], {"units": "1"}),
    }


def curve(
    points: Sequence[Sequence[Sequence[tuple[float, float, float]]]], pairs: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables over (channel, point), and coordinates.

    Parameters
    ----------
    points
        Of each channel, for each pair: signal, variance of one frame, its error.
    pairs
        What to call each pair.
    """
    sizes = [max(map(len, of_pair)) for of_pair in zip(*points, strict=True)]
    starts = np.cumsum([0, *sizes[:-1]])
    table = np.full((3, len(points), sum(sizes)), np.nan)
    for channel, of_channel in enumerate(points):
        for start, of_pair in zip(starts, of_channel, strict=True):
            for number, point in enumerate(of_pair, start):
                table[:, channel, number] = point
    names = {"signal": "adu", "signal_variance": "adu2", "signal_variance_error": "adu2"}
    variables = {
        name: (("channel", "point"), values, {"units": units})
        for (name, units), values in zip(names.items(), table, strict=True)
    }
    text: Any = np.dtypes.StringDType()
    return variables, {"pair": ("point", np.repeat(np.array(pairs, dtype=text), sizes))}
