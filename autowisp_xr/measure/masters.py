"""``compare_masters``: whether a new master agrees with the last good one."""

import math
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import CalibrationError, MasterMismatchError, SchemaError
from autowisp_xr.measure.differences import Histogram, differences, sums_of_cells
from autowisp_xr.measure.disagreement import warn_of_disagreement
from autowisp_xr.measure.large_scale import LargeScale, large_scale

__all__ = ["compare_masters"]


def compare_masters(
    new: xr.Dataset,
    old: xr.Dataset,
    *,
    threshold: float = 5.0,
    most: float = 0.001,
    rescale: bool | None = None,
    most_large_scale: float | None = None,
) -> xr.Dataset:
    r"""How a new master differs from an old one, in units of their errors and on large scales.

    Parameters
    ----------
    new, old
        Masters (channel, y, x), or sets of one frame, with ``image``, ``variance`` and ``mask``
        (without it, no pixel is flagged), of the same pixels in the same unit.
    threshold
        Errors that a pixel may differ by.
    most
        Fraction of the pixels that may differ by more, over what does by chance.
    rescale
        Whether ``old`` is first scaled to the level of ``new``. None: flats are (dimensionless
        masters, whose normalisation is a matter of taste), others are not.
    most_large_scale
        What a cell of pixels may differ by, over its noise: relative for flats, else in the unit of
        the masters. None: 0.01 for flats; else the error of the difference of one pixel.

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
        Standard deviation of the differences in units of their errors, those beyond five of it left
        out: 1 where errors are right, less where both masters share noise.
    ``largest_large_scale``
        How far the cell of about 32 x 32 pixels differs that stands out most: for flats
        \|ratio - 1\|, else the mean difference, without its sign, in the unit of the masters. NaN
        without a cell of which at least half was compared.
    ``large_scale_y``, ``large_scale_x``
        Raw pixel at the middle of that cell.
    ``newly_flagged``, ``no_longer_flagged``
        Fractions of all pixels that are flagged (or not finite) in one master only.

    The attributes hold the options, what is ``expected_by_chance``, and the identities of both.
    A difference is never an error. Both masters are computed, in bands of rows that are not kept:
    twice where they are rescaled and still lazy, so that it pays to write or compute them first.
    Chunks change no bit. ``median_difference`` and ``scatter`` are right to 0.05 % of their value.

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
    variance: they then differ by less than that says. By chance, a fraction
    :math:`q = \operatorname{erfc}(t / \sqrt 2)` of normal differences is beyond t; what warns is
    more than :math:`\mathrm{most} + q + 3 \sqrt{q (1 - q) / n}`. A cell c warns at

    .. math::
        \left|\frac{\sum_c N}{s \sum_c O} - 1\right|
        > \mathrm{most\_large\_scale}
        + 5 \frac{\sqrt{\sum_c (v_N + s^2 v_O)}}{s \sum_c O}

    for flats, for others where the mean difference and its error do so likewise.

    Variances that were found from the scatter of few frames are themselves uncertain, and then more
    pixels are beyond 5 errors. Two masters (means) of n frames each, of the same truth (Monte
    Carlo):

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
    old = _in_place(new, old)
    is_flat = _units(new) == "1"
    rescaled = is_flat if rescale is None else rescale
    planes = sums_of_cells(new, old)
    if rescaled:
        planes = planes.compute()
    ratio = _ratio(new, planes) if rescaled else np.ones(new.sizes["channel"])
    found = planes.assign(differences=differences(new, old, ratio, threshold)).compute()
    sums = found.drop_vars("differences")
    shape = large_scale(sums, new.sizes["x"], ratio, relative=is_flat, most=most_large_scale)
    number = sums["number"].values.sum(axis=(1, 2))
    result = _summary(new, number, found["differences"].values, ratio, shape)
    chance = math.erfc(threshold / math.sqrt(2))
    warn_of_disagreement(new, old, result, shape, threshold=threshold, most=most, chance=chance)
    options = {"threshold": threshold, "most": most, "rescaled": int(rescaled)}
    if most_large_scale is not None:
        options["most_large_scale"] = most_large_scale
    return result.assign_attrs(
        **options,
        expected_by_chance=chance,
        new=provenance.identity(new),
        old=provenance.identity(old),
    )


def _check_options(threshold: Any, most: Any, rescale: Any, most_large_scale: Any) -> None:
    if not (isinstance(threshold, Real) and 0 < float(threshold) < math.inf):
        raise ValueError(f"threshold is a positive number, not {threshold!r}")
    if not (isinstance(most, Real) and 0 <= float(most) <= 1):
        raise ValueError(f"most is a fraction from 0 to 1, not {most!r}")
    if rescale not in (None, True, False):
        raise ValueError(f"rescale is None, True or False, not {rescale!r}")
    if most_large_scale is None:
        return
    if not (isinstance(most_large_scale, Real) and 0 <= float(most_large_scale) < math.inf):
        raise ValueError(
            f"most_large_scale is None or a number from 0 on, not {most_large_scale!r}"
        )


def _ready(master: xr.Dataset, which: str) -> xr.Dataset:
    master = schema.as_master(master, name=f"the {which} master")
    if "variance" not in master:
        raise SchemaError(
            f"the {which} master has no variance to hold a difference against; stack frames with "
            "aw.stack, or read a file that has an error plane"
        )
    return blocks.load_coordinates(master)


def _units(master: xr.Dataset) -> str:
    return str(master["image"].attrs.get("units", "adu"))


def _in_place(new: xr.Dataset, old: xr.Dataset) -> xr.Dataset:
    """The old master, its channels in the order of the new one, once it is sure that they agree."""
    if _units(new) != _units(old):
        raise MasterMismatchError(
            f"the new master is in units of {_units(new)!r}, the old one of {_units(old)!r}; "
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
    if not all(np.array_equal(new[dim].values, old[dim].values) for dim in ("y", "x")):
        raise MasterMismatchError(
            f"the new master covers {schema.extent(new)}, the old one {schema.extent(old)}; "
            "select the same area in both, or if they are the same pixels after all, say so with "
            "old.assign_coords(y=new.y, x=new.x)"
        )
    if schema.channel_slices(new) != schema.channel_slices(old):
        raise MasterMismatchError(
            f"the channels of the new master are {_layout(new)} of the raw frame, those of the old "
            f"one {_layout(old)}; make both with the same Camera"
        )
    return old


def _layout(ds: xr.Dataset) -> str:
    slices = zip(schema.names(ds, "channel"), schema.channel_slices(ds), strict=True)
    return ", ".join(
        f"{name}[{at.y_offset}::{at.y_step}, {at.x_offset}::{at.x_step}]" for name, at in slices
    )


def _ratio(new: xr.Dataset, sums: xr.Dataset) -> Any:
    """Level of the new master over that of the old one, of each channel; NaN without pixels."""
    levels = [sums[name].values.sum(axis=(1, 2)) for name in ("new", "old", "number")]
    for channel, *level, number in zip(schema.names(new, "channel"), *levels, strict=True):
        if number and not min(level) > 0:
            means = " and ".join(f"{total / number:.4g}" for total in level)
            raise CalibrationError(
                f"channel {channel!r}: the new and the old master have the means {means}, which "
                "have no ratio to rescale by; rescale=False compares them as they are"
            )
    with np.errstate(invalid="ignore"):
        return levels[0] / levels[1]


def _summary(
    new: xr.Dataset, number: Any, blocks: Any, ratio: Any, shape: LargeScale
) -> xr.Dataset:
    """The table: pixels compared, and what the blocks of each channel hold."""
    totals = np.zeros((len(number), 3), np.int64)
    middle, scatter = [], []
    for total, row in zip(totals, blocks, strict=True):
        pulls, values = Histogram(), Histogram()
        for block in filter(None, row):
            total += [block.only_new, block.only_old, block.beyond]
            pulls.add(*block.pulls)
            values.add(*block.values)
        middle.append(values.median())
        scatter.append(pulls.scatter())
    only_new, only_old, beyond = totals.T
    with np.errstate(invalid="ignore"):
        fraction = beyond / number
    units = {"units": _units(new)}
    area = new.sizes["y"] * new.sizes["x"]
    variables = {
        "number": (number, {"units": "1"}),
        "ratio": (ratio, {"units": "1"}),
        "fraction": (fraction, {"units": "1"}),
        "median_difference": (middle, units),
        "scatter": (scatter, {"units": "1"}),
        "largest_large_scale": (np.abs(shape.difference), units),
        "large_scale_y": (_pixels(new, "y", shape.y), {}),
        "large_scale_x": (_pixels(new, "x", shape.x), {}),
        "newly_flagged": (only_old / area, {"units": "1"}),
        "no_longer_flagged": (only_new / area, {"units": "1"}),
    }
    return xr.Dataset(
        {name: ("channel", *entry) for name, entry in variables.items()},
        {"channel": new["channel"].variable} if "channel" in new.coords else None,
    )


def _pixels(master: xr.Dataset, dim: str, indices: Any) -> Any:
    """Raw pixel numbers of indices, NaN where there is none."""
    known = np.isfinite(indices)
    numbers = master[dim].values[np.where(known, indices, 0).astype(int)]
    return np.where(known, numbers, np.nan)
