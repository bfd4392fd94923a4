"""The linearity of a camera, measured from flats at several levels of light."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats
from autowisp_xr.camera import Camera
from autowisp_xr.camera.response import Linearity
from autowisp_xr.errors import CalibrationError
from autowisp_xr.measure import linearity_checks as checks
from autowisp_xr.measure.frame_pairs import Frames, preparation
from autowisp_xr.measure.lamps import Lamp, exposures_of, model_of, times_of
from autowisp_xr.measure.level_ladder import Levels, read, zones_of
from autowisp_xr.measure.response_fit import Model
from autowisp_xr.measure.response_range import Curve, curve_of
from autowisp_xr.measure.tile_scatter import LEAST_TILE, Tiles
from autowisp_xr.measure.transfer_curve import over_channel
from autowisp_xr.options import OverscanChoice, whole_number
from autowisp_xr.schema import MONO
from autowisp_xr.steps.geometry import trim

_FULL = 0.97
_MORE_LIGHT = 1.2
"""Flats reach this share of the highest values while their light differs by so much: no more light
makes more signal."""


def linearity(
    flats: xr.Dataset,
    *,
    bias: xr.Dataset | None = None,
    camera: Camera | None = None,
    overscan: OverscanChoice = None,
    lamp: Lamp | None = None,
    degree: int = 3,
    tolerance: float = 0.003,
    tile: int = 32,
) -> xr.Dataset:
    r"""Measure how the signal of each channel grows with the light, and up to where.

    Parameters
    ----------
    flats
        Raw frames (frame, channel, y, x) in ADU of one lamp and filter, at several levels from
        faint to saturated: a ladder of exposures, in which one exposure comes again and again
        between the others, is best.
    bias
        Master bias, or raw biases, that are subtracted; not needed where an overscan or the
        ``bias_level`` of the camera is.
    camera
        Its areas, bias level and saturation; by default the one that travels with ``flats``. A
        linearity that it states takes no part. All amplifiers are taken for one: give
        ``camera.of_amplifier(0)``, ... for the curve of each.
    overscan
        As for :func:`~autowisp_xr.calibrate`.
    lamp
        What is known of the light. "steady": the exposure, from which the shutter may be off by a
        constant time. "bracketed": it drifts between the flats of the exposure that is repeated
        most. "pairs": it is one for each two neighbours in time, of two exposures. "unknown":
        nothing, and flats that are lit unevenly show by themselves that bright and dim zones have
        one ratio at all levels. None: the first of "bracketed", "steady" and "unknown" that the
        flats agree with.
    degree
        Of the polynomial: 3 makes two coefficients.
    tolerance
        By how much a level may be off the curve, relative, where it holds.
    tile
        Pixels a side of the squares whose means are the levels; smaller in small frames.

    Returns
    -------
    Dataset over ``channel``, in memory:

    ``coefficients`` (channel, term), ``covariance`` (channel, term, other_term)
        Of I\ :sup:`2`, I\ :sup:`3`, ..., as :class:`~autowisp_xr.Linearity` has them.
    ``limit``
        The highest level where the curve holds, in ADU above the bias.
    ``bend``, ``bend_error``
        By how much the curve is off a straight line there, relative.
    ``full_well``
        The signal that more light does not raise, in ADU above the bias; NaN where no two flats
        show it.
    ``exposure_offset``, ``exposure_offset_error``
        By how much longer exposures are than stated, in seconds; 0 where that takes no part.
    ``flicker``
        Relative scatter of the lamp from flat to flat that was found.

    and over ``channel`` and ``point``, which are the flats in zones of equal brightness, from dim
    to bright: ``signal`` in ADU above the bias, ``light`` (what the linear signal should be),
    ``residual`` and ``residual_error``, relative, of the signal made linear, and ``used``, whether
    a point is one of those that the curve was fitted to. ``flat`` names the flat, and ``reason``
    states why none of its points was used. NaN where tiles of a zone are saturated.

    Each flat is read once, one at a time, also where it is lazy or cut in chunks, which change no
    bit. Pixels with a flag, and those beyond five standard deviations, take no part.

    Raises
    ------
    SchemaError, CalibrationError
        For what are no frames, or no raw ones in ADU; without a known level of the bias; where
        flats are too few or too much alike, or do not agree on any curve, with the reason for each
        kind of lamp.
    ImageMismatchError
        For flats of several filters, gain settings, ...
    MasterMismatchError
        For a bias of another place or setting.

    Warns
    -----
    AutowispWarning
        Where a flat was left out that all others contradict; where no exposure is repeated, and
        zones show nothing, so that nobody knows whether the lamp drifted.

    See Also
    --------
    with_linearity : the same as a :class:`~autowisp_xr.Camera`.
    autowisp_xr.plot.linearity : a picture of it.

    Notes
    -----
    The levels I, in ADU above the bias, of zones k in flats j of exposure t are made to agree with

    .. math:: I + c_2 I^2 + c_3 I^3 = \rho_k (t_j + \delta) L_j

    by least squares of the logarithms, with a lamp L that is 1, a line from one flat of the
    repeated exposure to the next [1]_ [2]_, one number a pair, or one a flat. That the curve begins
    with a slope of 1 is a convention: the gain of the camera is then that of faint signals. What
    flats, and zones, scatter beyond the errors of their means is added to these, so that
    chi\ :sup:`2` is its expectation [3]_.

    A level below a hundredth of the highest takes no part, because there the level of the bias
    counts. The limit is the highest level up to which no point is off by more than the tolerance
    or four times its error.

    A dark current counts as light. A lamp that gets brighter or fainter in step with the exposures
    bends the curve, unless an exposure is repeated, or the flats are lit unevenly: their zones then
    count more than their exposures.

    References
    ----------
    .. [1] Gilliland, R. L., et al., 1993, AJ 106, 2441.
    .. [2] Baldry, I. K., 1999, PhD thesis, University of Sydney.
    .. [3] Paule, R. C., and Mandel, J., 1982, J. Res. Natl. Bur. Stand. 87, 377.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1, bend=0.02)
    >>> seconds = [4, 1, 8, 4, 12, 2, 4, 16, 20, 4]
    >>> flats = night.flat(10, level=[2000 * second for second in seconds], exposure=seconds)
    >>> measured = aw.measure.linearity(flats, camera=night.camera, lamp="steady")
    >>> round(float(measured.bend[0]), 3)
    0.015
    """
    degree = whole_number("degree", degree, 2)
    tile = whole_number("tile", tile, LEAST_TILE)
    if not tolerance > 0:
        raise ValueError(f"tolerance is a relative error above 0, not {tolerance!r}")
    if lamp is not None and lamp not in get_args(Lamp):
        raise ValueError(f"lamp is one of {', '.join(get_args(Lamp))}, not {lamp!r}")
    flats = checks.ready(flats)
    camera = camera or schema.camera_of(flats)
    bias, floor = checks.bias_of(bias, camera, overscan)
    one = trim(flats.isel(frame=[0]), camera=camera)
    size = min(tile, max(LEAST_TILE, min(one.sizes["y"], one.sizes["x"]) // checks.ACROSS))
    tiles = Tiles.over((one.sizes["y"], one.sizes["x"]), size)
    channels = schema.names(one, "channel")
    frames = Frames(flats, camera, overscan, tiles, channels, master=bias, linear=False)
    levels, reasons = read(frames)
    light = _Light(exposures_of(flats), times_of(flats), floor, degree, tolerance)
    curves, chosen = _chosen(levels, light, lamp, checks.named(flats, reasons))
    checks.warn_of_bad(curves, schema.names(flats, "frame"))
    if chosen == "steady" and isinstance(_model(levels[0], light, "unknown"), str):
        checks.warn_of_lamp(light.exposures)
    result = _dataset(one["channel"], levels, curves, light, schema.names(flats, "frame"), reasons)
    options = {
        **preparation(camera, overscan),
        "lamp": chosen,
        "degree": degree,
        "tolerance": tolerance,
        "tile": size,
    }
    masters = {} if bias is None else {"bias": bias}
    return provenance.record(result, "linearity", options, source=flats, masters=masters)


class _Light(NamedTuple):
    """What is known of the light of flats, and asked of a curve."""

    exposures: Floats
    times: Floats
    floor: float
    degree: int
    tolerance: float


def _chosen(
    levels: Sequence[Levels], light: _Light, lamp: Lamp | None, flats: Sequence[str]
) -> tuple[list[Curve], Lamp]:
    """Return the curves of all channels, by a lamp that all flats agree with."""
    why: dict[str, str] = {}
    tried: tuple[Lamp, ...] = ("bracketed", "steady", "unknown") if lamp is None else (lamp,)
    for one in tried:
        curves = []
        for of in levels:
            found = _curve(of, light, one)
            if isinstance(found, str):
                why[one] = found
                break
            curves.append(found)
        else:
            return curves, one
    raise checks.no_curve(why, light.exposures, flats, light.degree)


def _curve(levels: Levels, light: _Light, lamp: Lamp) -> Curve | str:
    """Return the curve of one channel, or why there is none."""
    model = _model(levels, light, lamp)
    if isinstance(model, str):
        return model
    curve = curve_of(model, light.tolerance)
    if curve is None:
        return "no curve agrees with them"
    return checks.reason_against(curve, light.degree) or curve


def _model(levels: Levels, light: _Light, lamp: Lamp) -> Model | str:
    zones = zones_of(levels.tiles, light.degree)
    few = checks.too_few(zones, light.degree)
    return few or model_of(lamp, light.exposures, light.times, zones, light.floor)


def _dataset(
    channel: xr.DataArray,
    levels: Sequence[Levels],
    curves: Sequence[Curve],
    light: _Light,
    names: Sequence[str],
    reasons: Sequence[str],
) -> xr.Dataset:
    most = max(curve.used.shape[1] for curve in curves)
    points = [_points(curve, most, of) for curve, of in zip(curves, levels, strict=True)]
    bends = [curve.fit.bend(curve.limit) for curve in curves]
    terms = ("channel", "term")
    wells = [
        _full_well(of, curve, light.exposures) for of, curve in zip(levels, curves, strict=True)
    ]
    columns: dict[str, Any] = {
        "coefficients": (terms, [curve.fit.coefficients for curve in curves]),
        "covariance": ((*terms, "other_term"), [curve.fit.covariance for curve in curves]),
    }
    columns |= over_channel(
        limit=([curve.limit for curve in curves], "adu"),
        bend=([bend for bend, _ in bends], "1"),
        bend_error=([error for _, error in bends], "1"),
        full_well=(wells, "adu"),
        exposure_offset=([curve.fit.offset for curve in curves], "s"),
        exposure_offset_error=([curve.fit.offset_error for curve in curves], "s"),
        flicker=([curve.fit.flicker for curve in curves], "1"),
    )
    columns |= {
        name: (("channel", "point"), [of[name] for of in points], {"units": units})
        for name, units in (
            *(("signal", "adu"), ("light", "adu"), ("residual", "1"), ("residual_error", "1")),
            ("used", "1"),
        )
    }
    text: Any = np.dtypes.StringDType()
    used = np.any([curve.used.any(axis=1) for curve in curves], axis=0).tolist()
    why = [
        "" if one else reason or "not on the curve"
        for one, reason in zip(used, reasons, strict=True)
    ]
    coords = {
        "channel": channel.variable,
        "flat": ("point", np.repeat(np.array(names, text), most)),
        "exposure": ("point", np.repeat(light.exposures, most), {"units": "s"}),
        "reason": ("point", np.repeat(np.array(why, text), most)),
    }
    return xr.Dataset(columns, coords)


def _points(curve: Curve, most: int, levels: Levels) -> dict[str, Floats]:
    """Return what is over ``point``: all zones of all flats, NaN where a channel has fewer."""
    light, level = curve.fit.light, curve.level
    with np.errstate(invalid="ignore"):
        residual = curve.linearity.linear(level) / light - 1
    planes = {
        "signal": level,
        "light": light,
        "residual": residual,
        "residual_error": np.hypot(curve.error, curve.fit.scatter),
        "used": curve.used,
    }
    filled = {}
    for name, plane in planes.items():
        fill = False if plane.dtype == bool else np.nan
        more = np.full((len(plane), most - plane.shape[1]), fill)
        filled[name] = np.hstack([plane, more]).ravel()
    return filled


def _full_well(levels: Levels, curve: Curve, exposures: Floats) -> float:
    """Return the signal at which the brightest pixels stop; NaN where none is seen to."""
    light = np.where(np.isfinite(exposures), exposures, curve.fit.light[:, 0])
    reached = levels.brightest >= _FULL * np.nanmax(levels.brightest)
    known = light[reached & np.isfinite(light)]
    if not known.size or known.max() < _MORE_LIGHT * known.min():
        return np.nan
    return float(np.median(levels.brightest[reached]))


def with_linearity(camera: Camera, measured: xr.Dataset | Sequence[xr.Dataset]) -> Camera:
    """Return the same camera, with the linearity that was measured in place of its own.

    Parameters
    ----------
    camera
        Any.
    measured
        What :func:`linearity` returns; or several of these, one for each amplifier, as measured
        with :meth:`~autowisp_xr.Camera.of_amplifier`.

    Raises
    ------
    CalibrationError
        Where the camera has other channels, or another number of amplifiers, than were measured;
        for several channels of amplifiers.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1, bend=0.02)
    >>> seconds = [4, 1, 8, 4, 12, 2, 4, 16, 20, 4]
    >>> flats = night.flat(10, level=[2000 * second for second in seconds], exposure=seconds)
    >>> measured = aw.measure.linearity(flats, camera=night.camera, lamp="steady")
    >>> camera = aw.measure.with_linearity(night.camera, measured)
    >>> len(camera.linearity.coefficients)
    2
    """
    if isinstance(measured, xr.Dataset):
        curves = curves_of(measured)
        return replace(camera, linearity=curves[MONO] if list(curves) == [MONO] else curves)
    found = [list(curves_of(one).values()) for one in measured]
    if len(found) != len(camera.amplifiers) or any(len(own) != 1 for own in found):
        raise CalibrationError(
            f"the camera has {len(camera.amplifiers)} amplifiers, and {len(found)} were measured, "
            f"in {', '.join(str(len(own)) for own in found)} channels; give one for each, of one "
            "channel"
        )
    amplifiers = [
        replace(one, linearity=own) for one, (own,) in zip(camera.amplifiers, found, strict=True)
    ]
    return replace(camera, amplifiers=amplifiers, linearity=())


def curves_of(measured: xr.Dataset) -> dict[str, Linearity]:
    """Return the curve of each channel of what :func:`linearity` returns."""
    names = ("coefficients", "covariance", "limit")
    columns = [measured[name].values.tolist() for name in names]
    return {
        channel: Linearity(coefficients=coefficients, covariance=covariance, limit=limit)
        for channel, coefficients, covariance, limit in zip(
            schema.names(measured, "channel"), *columns, strict=True
        )
    }
