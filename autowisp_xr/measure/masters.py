"""The comparison of a new master with the last good one."""

import math
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.checked_numbers import is_positive
from autowisp_xr.errors import CalibrationError, MasterMismatchError, SchemaError
from autowisp_xr.measure.master_differences import (
    Cell,
    Pair,
    PixelDifferences,
    compared,
    warn_of_disagreement,
)

_PLANES = ("image", "variance", "mask")


def compare_masters(
    new: xr.Dataset,
    old: xr.Dataset,
    *,
    threshold: float = 5.0,
    most: float = 0.001,
    rescale: bool | None = None,
    most_large_scale: float | None = None,
) -> xr.Dataset:
    r"""Compare a new master with an old one, in units of their uncertainties and on large scales.

    Parameters
    ----------
    new, old
        Masters (channel, y, x), or sets of one frame, with ``image``, ``variance`` and ``mask``
        (without it, no pixel is flagged), of the same pixels in the same unit.
    threshold
        Uncertainties that a pixel may differ by.
    most
        Fraction of the pixels that may differ by more, over what does by chance.
    rescale
        Whether ``old`` is first scaled to the level of ``new``. None: flats are (dimensionless
        masters, whose normalisation is a matter of taste), others are not.
    most_large_scale
        What a cell of pixels may differ by, over its noise: relative for flats, else in the unit of
        the masters. None: 0.01 for flats; else the uncertainty of the difference of one pixel.

    Returns
    -------
    Dataset over ``channel``, in memory:

    ``number``
        Pixels compared: without a flag, and finite, in both.
    ``ratio``
        s, by which ``old`` was multiplied; 1 where it is not rescaled.
    ``fraction``
        Of these pixels, those that differ by more than ``threshold``.
    ``median_difference``
        Median of new - s old, in the unit of the masters.
    ``scatter``
        Standard deviation of the differences in units of their uncertainties, those beyond five
        left out: 1 where uncertainties are right, less where both masters share noise.
    ``largest_large_scale``
        How far the cell of about 32 x 32 pixels differs that stands out most: for flats
        \|ratio - 1\|, else the mean difference, without its sign, in the unit of the masters. NaN
        without a cell of which at least half was compared.
    ``large_scale_y``, ``large_scale_x``
        Raw pixel at the middle of that cell.
    ``newly_flagged``, ``no_longer_flagged``
        Fractions of all pixels that are flagged (or not finite) in one master only.

    The attributes hold the options, what is ``expected_by_chance``, and the identities of both.
    A difference is never an error. Masters that are lazy (dask) are computed, once, into memory;
    others are read in bands of rows, flats twice. For each pixel of the channel that is looked at,
    16 bytes come on top. Chunks change no bit.

    Raises
    ------
    SchemaError
        For what is no master, or has no variance.
    MasterMismatchError
        For masters of other pixels, channels or units.
    CalibrationError
        If masters are to be rescaled whose means are not positive.

    Warns
    -----
    AutowispWarning
        One line a channel where too many pixels differ, a cell does too much, or nothing could be
        compared.

    Notes
    -----
    With images N, O, their variances v, and sums over the pixels compared,

    .. math::
        s = \frac{\sum N}{\sum O}, \qquad
        p = \frac{N - s O}{\sqrt{v_N + s^2 v_O}}, \qquad
        \mathrm{fraction} = \frac{\#(|p| > t)}{n}

    What both masters share (the same bias, common frames) is not known here and not taken off the
    variance: they then differ by less than that predicts. By chance, a fraction
    :math:`q = \operatorname{erfc}(t / \sqrt 2)` of normal differences is beyond t; what warns is
    more than :math:`\mathrm{most} + q + 3 \sqrt{q (1 - q) / n}`. A cell c warns at

    .. math::
        \left|\frac{\sum_c N}{s \sum_c O} - 1\right|
        > \mathrm{most\_large\_scale}
        + 5 \frac{\sqrt{\sum_c (v_N + s^2 v_O)}}{s \sum_c O}

    for flats, for others where the mean difference and its uncertainty do so likewise.

    Variances that were found from the scatter of few frames are themselves uncertain, and then more
    pixels are beyond 5 uncertainties. Two masters (means) of n frames each, of the same truth
    (Monte Carlo):

    ======== ======= ======= ======= ======= =======
    n        3       4       5       7       10
    ======== ======= ======= ======= ======= =======
    fraction 0.76 %  0.25 %  0.11 %  0.03 %  0.01 %
    scatter  1.33    1.20    1.15    1.09    1.06
    ======== ======= ======= ======= ======= =======

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 96), seed=1)
    >>> frames = night.bias(20)
    >>> new, old = (aw.master_bias(frames.isel(frame=part)) for part in (slice(10), slice(10, 20)))
    >>> agreement = aw.measure.compare_masters(new, old)
    >>> float(agreement.fraction[0]), round(float(agreement.scatter[0]), 1)
    (0.0, 1.0)
    """
    _check_options(threshold, most, rescale, most_large_scale)
    new, old = _ready(new, "new"), _ready(old, "old")
    identities = {"new": provenance.identity(new), "old": provenance.identity(old)}
    old = _in_place(new, old)
    new, old = (_at_rest(ds[[name for name in _PLANES if name in ds]]) for ds in (new, old))
    is_flat = schema.units_of(new) == "1"
    rescaled = is_flat if rescale is None else rescale
    pixels: list[PixelDifferences] = []
    cells: list[Cell] = []
    for channel, name in enumerate(schema.names(new, "channel")):
        pair = Pair(new.isel(channel=channel), old.isel(channel=channel))
        ratio = _ratio(pair, name) if rescaled else 1.0
        limits: dict[str, Any] = {"relative": is_flat, "most": most_large_scale}
        of_pixels, cell = compared(pair, ratio, threshold, **limits)
        pixels.append(of_pixels)
        cells.append(cell)
    result = _table(new, pixels, cells)
    chance = math.erfc(threshold / math.sqrt(2))
    warn_of_disagreement(new, old, result, cells, threshold=threshold, most=most, chance=chance)
    options = {"threshold": threshold, "most": most, "rescaled": int(rescaled)}
    if most_large_scale is not None:
        options["most_large_scale"] = most_large_scale
    return result.assign_attrs(**options, expected_by_chance=chance, **identities)


def _check_options(threshold: Any, most: Any, rescale: Any, most_large_scale: Any) -> None:
    if not is_positive(threshold):
        raise ValueError(f"threshold is a positive number, not {threshold!r}")
    if not (isinstance(most, Real) and 0 <= float(most) <= 1):
        raise ValueError(f"most is a fraction from 0 to 1, not {most!r}")
    if rescale not in (None, True, False):
        raise ValueError(f"rescale is None, True or False, not {rescale!r}")
    least = 0.0 if most_large_scale is None else most_large_scale
    if not (isinstance(least, Real) and 0 <= float(least) < math.inf):
        raise ValueError(f"most_large_scale is None or a number from 0 on, not {least!r}")


def _ready(master: xr.Dataset, which: str) -> xr.Dataset:
    master = schema.as_master(master, name=f"the {which} master")
    if "variance" not in master:
        raise SchemaError(
            f"the {which} master has no variance to hold a difference against; stack frames with "
            "aw.stack, or read a file that has an error plane"
        )
    return master


def _in_place(new: xr.Dataset, old: xr.Dataset) -> xr.Dataset:
    """Return the old master in the channel order of the new one, or raise where they differ."""
    units, other = schema.units_of(new), schema.units_of(old)
    if units != other:
        raise MasterMismatchError(
            f"the new master is in units of {units!r}, the old one of {other!r}; "
            "convert one of them"
        )
    channels, others = schema.names(new, "channel"), schema.names(old, "channel")
    if set(channels) != set(others):
        raise MasterMismatchError(
            f"the new master has the channels {channels}, the old one has {others}; select the "
            "same channels in both"
        )
    if channels != others:
        old = old.isel(channel=[others.index(channel) for channel in channels])
    if not schema.on_same_pixels(new, old):
        raise MasterMismatchError(
            f"the new master covers {schema.extent(new)}, the old one {schema.extent(old)}; "
            "select the same area in both, or if they are the same pixels after all, state that by "
            "old.assign_coords(y=new.y, x=new.x)"
        )
    if schema.channel_slices(new) != schema.channel_slices(old):
        raise MasterMismatchError(
            f"the channels of the new master are {_layout(new)} of the raw frame, those of the old "
            f"one {_layout(old)}; make both with the same Camera"
        )
    return old


def _at_rest(master: xr.Dataset) -> xr.Dataset:
    """Return a master whose rows can be read by themselves: computed, where it is lazy."""
    return master.compute() if any(plane.chunks for plane in master.values()) else master


def _layout(ds: xr.Dataset) -> str:
    slices = zip(schema.names(ds, "channel"), schema.channel_slices(ds), strict=True)
    return ", ".join(
        f"{name}[{at.y_offset}::{at.y_step}, {at.x_offset}::{at.x_step}]" for name, at in slices
    )


def _ratio(pair: Pair, channel: str) -> float:
    """Return the level of the new master over that of the old one; NaN without pixels."""
    number, *levels = pair.levels()
    if not number:
        return np.nan
    if not min(levels) > 0:
        means = " and ".join(f"{total / number:.4g}" for total in levels)
        raise CalibrationError(
            f"channel {channel!r}: the new and the old master have the means {means}, which "
            "have no ratio to rescale by; rescale=False compares them as they are"
        )
    return levels[0] / levels[1]


def _table(new: xr.Dataset, pixels: list[PixelDifferences], cells: list[Cell]) -> xr.Dataset:
    rows = [
        {
            **found._asdict(),
            "largest_large_scale": abs(cell.difference),
            "large_scale_y": _raw_pixel(new, "y", cell.y),
            "large_scale_x": _raw_pixel(new, "x", cell.x),
        }
        for found, cell in zip(pixels, cells, strict=True)
    ]
    channels = {"channel": new["channel"].variable} if "channel" in new.coords else None
    table = xr.Dataset(
        {name: ("channel", [row[name] for row in rows]) for name in rows[0]}, channels
    )
    for name in table.data_vars.keys() - {"large_scale_y", "large_scale_x"}:
        table[name].attrs["units"] = "1"
    for name in ("median_difference", "largest_large_scale"):
        table[name].attrs["units"] = schema.units_of(new)
    return table


def _raw_pixel(master: xr.Dataset, dim: str, index: float) -> float:
    return float(master[dim].values[int(index)]) if np.isfinite(index) else np.nan
