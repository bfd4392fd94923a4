"""The table of what was measured: gain, read noise, counts, and points of the curve."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.measure.transfer_curve import Points, Sample
from autowisp_xr.measure.variance_slope import Slope


def over_channel(columns: Mapping[str, tuple[ArrayLike, str]]) -> dict[str, Any]:
    """Variables over channel of values, and the units of each."""
    return {
        name: ("channel", values, {"units": units}) for name, (values, units) in columns.items()
    }


def read_noise_columns(noises: Sequence[Slope]) -> dict[str, tuple[ArrayLike, str]]:
    """Read noise in ADU, of variances in ADU^2."""
    variance, error = np.array([(noise.value, noise.error) for noise in noises]).T
    adu = np.sqrt(variance)
    adu_error = error / (2 * np.where(adu > 0, adu, 1.0))
    return {"read_noise_adu": (adu, "adu"), "read_noise_adu_error": (adu_error, "adu")}


def gain_columns(gains: Sequence[Slope], noises: Sequence[Slope]) -> dict[str, Any]:
    """Gain and read noise, of ADU per electron and variances in ADU^2."""
    inverse, inverse_error = np.array([(gain.value, gain.error) for gain in gains]).T
    gain, gain_error = 1 / inverse, inverse_error / inverse**2
    in_adu = read_noise_columns(noises)
    (adu, _), (adu_error, _) = in_adu.values()
    return {
        "gain": (gain, "electron / adu"),
        "gain_error": (gain_error, "electron / adu"),
        "read_noise": (gain * adu, "electron"),
        "read_noise_error": (np.hypot(gain * adu_error, adu * gain_error), "electron"),
        **in_adu,
    }


def counts(
    kind: str, found: Sequence[Sample], slopes: Sequence[Slope]
) -> dict[str, tuple[ArrayLike, str]]:
    """Tiles that have a weight, and pairs that these are of."""
    kept = [sample.pair[slope.weights > 0] for sample, slope in zip(found, slopes, strict=True)]
    return {
        f"{kind}_pairs": ([np.unique(pair).size for pair in kept], "1"),
        f"{kind}_tiles": ([pair.size for pair in kept], "1"),
    }


def over_points(
    points: Sequence[Points], pairs: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables over (channel, point), and coordinates.

    Parameters
    ----------
    points
        Of each channel.
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
