"""The selection of good flats by their pointings and central stamps, with reasons."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Bools, Cube, Image, Numbers
from autowisp_xr.bridge import blocks
from autowisp_xr.flags import Flag
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.flats.pointings import nearest_pointings
from autowisp_xr.flats.verdicts import Verdict, classify, fit_variance, flat_table
from autowisp_xr.kernels.clip_list import average_list
from autowisp_xr.options import Masked, upper_and_lower
from autowisp_xr.stats.averages import quantile_of
from autowisp_xr.stats.least_squares import rejections_at_most
from autowisp_xr.stats.sampling import good_only


def stamp_statistics(
    ds: xr.Dataset, selection: FlatSelection | None = None, *, masked: Masked = "leave out"
) -> xr.Dataset:
    """Measure level and noise of each flat, in a central stamp that is de-trended.

    Parameters
    ----------
    ds
        Calibrated frames (frame, channel, y, x).
    selection
        Its ``fraction``, ``smoother``, ``average``, ``outlier_threshold``, ``max_iter`` and
        ``max_saturated_fraction`` are used; None for ``FlatSelection()``.
    masked
        Whether pixels that bear flags are left out, or taken as the others are.

    Returns
    -------
    Dataset over (frame, channel), lazy where ``ds`` is:

    ``mean``
        Average of the pixels, outliers rejected, in ADU (float64). NaN where too many pixels are
        saturated, or none is left.
    ``variance``
        Mean squared distance of the survivors from that, ADU^2. Photon and read noise, and what the
        response of the pixels scatters by.
    ``number``
        How many survived.
    ``saturated_fraction``
        Of all pixels of the stamp, those with flags of saturation.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> flats = aw.calibrate(night.flat(3), camera=night.camera)
    >>> statistics = aw.stamp_statistics(flats)
    >>> statistics.sizes["frame"]
    3
    """
    schema.check(ds)
    selection = selection or FlatSelection()
    if masked not in get_args(Masked):
        raise ValueError(f"masked is 'leave out' or 'take', not {masked!r}")
    y, x = stamp_area((ds.sizes["y"], ds.sizes["x"]), selection.fraction)
    stamps = ds.isel(y=y, x=x)
    results = blocks.apply(
        partial(_statistics, selection=selection, take=masked == "take"),
        blocks.whole_frames(stamps, ("image", "mask")),
        ("frame", "channel"),
        list(_KINDS),
    )
    units = schema.units_of(ds)
    variables = {
        name: variable._replace(attrs={"units": unit})
        for name, variable, unit in zip(
            Stamp._fields, results, (units, f"{units}2", "1", "1"), strict=True
        )
    }
    return xr.Dataset(variables, schema.frame_and_channel(ds))


def select_flats(
    ds: xr.Dataset, selection: FlatSelection | None = None, *, masked: Masked = "leave out"
) -> xr.Dataset:
    """Classify each flat by its pointing and its stamp, with the reason in words.

    The frames are not yet held against the large-scale shape of a reference; that is for
    :func:`master_flat`, which goes on from here.

    Parameters
    ----------
    ds
        Calibrated frames (frame, channel, y, x). ``ra`` and ``dec``, where the frames have them,
        show which are colocated.
    selection
        Which flats are good; None for ``FlatSelection()``.
    masked
        As for :func:`stamp_statistics`.

    Returns
    -------
    Dataset, in memory; the stamps of ``ds`` are computed for it.

    ``class``, ``reason`` (frame)
        "high", "low", "medium", "colocated", "cloudy" or "saturated", and why. With
        ``together=False``, over (frame, channel).
    ``separation`` (frame)
        From the nearest other frame on the sky, in seconds of arc.
    ``mean``, ``variance``, ``number``, ``saturated_fraction`` (frame, channel)
        Of the stamps, see :func:`stamp_statistics`; NaN or 0 for colocated frames.
    ``predicted_variance`` (frame, channel)
        Of the fit, at the mean of the frame.
    ``deviation`` (frame, channel)
        NaN here; of :func:`master_flat`, the largest structure that is left after matching.
    ``fit_coefficients`` (channel, power), ``fit_residual`` (channel)
        Of the parabola of variance against mean.

    The attributes hold the limits that decided, and ``notes`` on tests that could not be made.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> flats = aw.calibrate(night.flat(12), camera=night.camera)
    >>> chosen = aw.select_flats(flats, aw.FlatSelection.dome())
    >>> sorted(set(chosen["class"].values.tolist()))
    ['high']
    """
    schema.check(ds)
    selection = selection or FlatSelection()
    check_channels(ds, selection)
    ds = blocks.load_coordinates(ds)
    notes: list[str] = []
    verdicts, separation = _pointings(ds, selection, notes)
    isolated = [i for i, verdict in enumerate(verdicts) if verdict is None]
    frames, channels = ds.sizes["frame"], schema.names(ds, "channel")
    found = {
        name: np.full((frames, len(channels)), np.nan if kind is np.float64 else 0, kind)
        for name, kind in zip(Stamp._fields, _KINDS, strict=True)
    }
    if isolated:
        stamps = stamp_statistics(ds.isel(frame=isolated), selection, masked=masked).compute()
        for name, values in found.items():
            values[isolated] = stamps[name].values
    fits, per_channel = [], []
    tested = (selection.cloudy_night_threshold, selection.cloudy_frame_threshold) != (None, None)
    for c, channel in enumerate(channels):
        mean, variance, number, saturated = (values[:, c] for values in found.values())
        fit = fit_variance(mean, variance, selection)
        fits.append(fit)
        per_channel.append(classify(mean, variance, saturated, fit, selection, channel, number))
        if tested and np.isnan(fit.residual):
            of = f" of {channel}" if len(channels) > 1 else ""
            notes.append(
                f"too few frames to fit variance to mean{of}: stamps not tested for clouds"
            )
    by_frame = [
        [verdict] * len(channels) if verdict is not None else [one[i] for one in per_channel]
        for i, verdict in enumerate(verdicts)
    ]
    return flat_table(ds, selection, found, separation, fits, by_frame, notes)


def check_channels(ds: xr.Dataset, selection: FlatSelection) -> None:
    """Raise ValueError for levels of channels that are not those of the frames."""
    channels = set(schema.names(ds, "channel"))
    for name in ("min_high_mean", "max_low_mean"):
        level = getattr(selection, name)
        if isinstance(level, Mapping) and set(level) != channels:
            raise ValueError(
                f"{name} is given for the channels {sorted(level)}, the frames have "
                f"{sorted(channels)}; name each of them"
            )


_KINDS = (np.float64, np.float64, np.int64, np.float64)
"""Types of the fields of a stamp."""


def _statistics(
    images: Cube, masks: Bits | None, *, selection: FlatSelection, take: bool
) -> list[Numbers]:
    results: list[Numbers] = [np.empty(images.shape[:2], kind) for kind in _KINDS]
    for place in np.ndindex(*images.shape[:2]):
        mask = np.zeros(images.shape[2:], np.uint8) if masks is None else masks[place]
        pixels = good_only(images[place], None if take else mask)
        stamp = statistics_of(pixels, (mask & np.uint8(Flag.SATURATED)) != 0, selection)
        for result, value in zip(results, stamp, strict=True):
            result[place] = value
    return results


def _pointings(
    ds: xr.Dataset, selection: FlatSelection, notes: list[str]
) -> tuple[list[Verdict | None], Any]:
    """Return the verdict on each frame that is colocated with another, and their distances."""
    number, limit = ds.sizes["frame"], selection.min_pointing_separation
    if limit is None:
        return [None] * number, np.full(number, np.nan)
    ra, dec = (schema.along_frames(ds, name) for name in ("ra", "dec"))
    separation, nearest = nearest_pointings(ra, dec)
    missing = int(np.count_nonzero(~(np.isfinite(ra) & np.isfinite(dec))))
    if missing:
        which = "all frames" if missing == number else f"{missing} of {number} frames"
        notes.append(f"no pointing (RA, DEC) in {which}: not tested for overlapping stars")
    names = schema.names(ds, "frame")
    if number > 1 and (separation < limit).all():
        notes.append(
            f"every frame points to within {limit:g} arcsec of another one: where there are no "
            "stars, as with a lamp, give min_pointing_separation=None, or FlatSelection.dome()"
        )
    verdicts: list[Verdict | None] = [None] * number
    for i in np.flatnonzero(separation < limit).tolist():
        reason = f"{separation[i]:.1f} arcsec from {names[nearest[i]]}, closer than {limit:g}"
        verdicts[i] = Verdict("colocated", reason)
    return verdicts, separation


class Stamp(NamedTuple):
    """The statistics of the stamp of one frame and channel."""

    mean: float
    """Average of the de-trended pixels, outliers rejected; NaN where there is no use of it."""
    variance: float
    """Mean squared distance of the survivors from that."""
    number: int
    """The number of pixels that survived."""
    saturated_fraction: float
    """The share of all pixels of the stamp."""


def stamp_area(shape: tuple[int, int], fraction: float) -> tuple[slice, slice]:
    """Return the rows and columns of the stamp; at least one pixel."""
    sizes = [max(1, int(fraction * size)) for size in shape]
    starts = [(size - part) // 2 for size, part in zip(shape, sizes, strict=True)]
    y, x = (slice(start, start + part) for start, part in zip(starts, sizes, strict=True))
    return y, x


def statistics_of(pixels: Image, saturated: Bools, selection: FlatSelection) -> Stamp:
    """Measure level and noise of one stamp.

    Parameters
    ----------
    pixels : (y, x) array
        NaN where a pixel is to be left out.
    saturated : (y, x) bool array
        Which pixels are.
    selection
        How.

    Returns
    -------
    NaN and 0 for mean, variance and number if too many pixels are saturated or none is left.
    """
    fraction = float(np.count_nonzero(saturated)) / pixels.size
    limit = selection.max_saturated_fraction
    if (limit is not None and fraction > limit) or not np.isfinite(pixels).any():
        return Stamp(np.nan, np.nan, 0, fraction)
    flat = pixels if selection.smoother is None else selection.smoother.detrend(pixels)
    upper, lower = upper_and_lower(selection.outlier_threshold)
    rounds = rejections_at_most(selection.max_iter)
    found = average_list(
        flat,
        quantile=quantile_of(selection.average),
        upper=upper,
        lower=lower,
        max_rounds=None if np.isinf(rounds) else int(rounds),
    )
    if found.number == 0:
        return Stamp(np.nan, np.nan, 0, fraction)
    return Stamp(found.average, found.squared_deviations / found.number, found.number, fraction)
