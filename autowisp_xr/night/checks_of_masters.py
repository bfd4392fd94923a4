"""Doubts about masters, how they differ from earlier ones, and what a missing dark costs.

A dark that is scaled adds noise; flats that no dark fits keep their dark current.
"""

import math
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import measure, schema
from autowisp_xr.arrays import Floats
from autowisp_xr.bridge.rows import pieces
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.flags import Flag
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import reason_against
from autowisp_xr.night.checks_of_calibrated import BELOW_ZERO, SURE
from autowisp_xr.night.checks_of_levels import noise_of_frames
from autowisp_xr.night.choosing import Candidate
from autowisp_xr.night.plan import Plan, Product
from autowisp_xr.night.sentences import Doubts, sentence, some_of
from autowisp_xr.stats.sampling import good_only, is_good

_SHAPE = 0.03
"""Range of the shapes of flats: those of a lamp agree to a few tenths of a per cent, those of
twilight to one."""

_CHANGE = 0.01
"""Of the light of flats, on a small scale, from all frames before to all after: moved dust."""

_SATURATED = 0.01
"""Of the pixels of a flat: more than bad columns and stars of twilight."""

_GLOW_SHARE = 0.5
"""Of the noise of a dark frame, as scaled, that glow amounts to."""

_LEAST_GLOWING = 32
"""Rows and columns of a dark in which glow is looked for."""

_SHOWN = 0.75
_LACKING = 0.5
"""Of the variance of reading, above which that of dark current shows; and the part of the latter
that may be missing."""

_EVERY = 3
"""Row and column of a master whose level is looked at."""


def doubts_on_dark(made: xr.Dataset, bias: str | None, raw: xr.Dataset) -> Doubts:
    """Report that a master dark lies below the bias that was subtracted, or too far above it.

    Decision: light that fell on all darks alike is not looked for. Its noise is that of dark
    current, and in two sets of good darks of CCDs the pattern of their pixels has -0.8 to 20
    times that of a flat, where it is 1 for light.

    Parameters
    ----------
    made
        The master.
    bias
        Name of the bias; None where none was subtracted.
    raw
        The frames.
    """
    doubts = Doubts()
    if bias is None:
        return doubts
    needed = [name for name in ("image", "variance", "mask", "count") if name in made]
    every = slice(None, None, _EVERY)
    some = made[needed].isel(y=every, x=every).compute()
    flags, variances = some["mask"].values, variance_of_frames(some)
    image = good_only(some["image"].values, flags)
    level = np.nanmedian(image, axis=(1, 2))
    if variances is None:
        # where no noise is known, the pixels scatter by it and by their pattern
        error = np.diff(np.nanpercentile(image, [15.865, 84.135], axis=(1, 2)), axis=0)[0] / 2
    else:
        error = np.sqrt(np.nanmedian(good_only(variances, flags), axis=(1, 2)))
    low = level < -BELOW_ZERO * error
    if low.any():
        place = int(np.argmin(np.where(low, level, 0.0)))
        doubts.add("dark_below_bias", bias=bias, level=-level[place], error=error[place])
    if variances is not None:
        _level_without_noise(level, raw, doubts, bias)
    return doubts


def _level_without_noise(level: Floats, raw: xr.Dataset, doubts: Doubts, bias: str | None) -> None:
    """Report darks above their bias by much more than their noise has of dark current."""
    camera, channels = schema.camera_of(raw), schema.names(raw, "channel")
    gain, reading = (
        np.array([camera.only_number(name, one) for one in channels], dtype=np.float64)
        for name in ("gain", "read_noise")
    )
    if raw.sizes["frame"] < 2 or schema.units_of(raw) != "adu":
        return
    read, photons = (reading / gain) ** 2, level / gain
    noise = noise_of_frames(raw)
    added = (photons > _SHOWN * read) & (noise**2 < read + _LACKING * photons)
    if added.any():
        place = int(np.argmax(np.where(added, level, -np.inf)))
        values = {"level": level[place], "noise": noise[place]}
        expected, light = np.sqrt(read + photons), np.maximum(noise**2 - read, 0.0) * gain
        values |= {"expected": expected[place], "light": light[place]}
        doubts.add("dark_above_bias", bias=bias, **values)


def doubts_on_glow(dark: xr.Dataset, name: str, factor: float) -> list[str]:
    """Report that a dark to be scaled glows, which does not grow evenly with the exposure."""
    small = min(dark.sizes["y"], dark.sizes["x"]) < _LEAST_GLOWING
    variances = None if small else variance_of_frames(dark)
    if variances is None:
        return []
    error = np.sqrt(np.nanmedian(variances, axis=(1, 2)))
    del variances
    found = measure.glow(dark)
    glow, current = found["glow"].values, np.maximum(found["current"].values, 0.0)
    shows = (glow > np.maximum(current, 5 * found["glow_error"].values)) & (
        factor * glow > _GLOW_SHARE * error
    )
    if not shows.any():
        return []
    place = int(np.argmax(np.where(shows, glow, 0.0)))
    values = {"y": int(found["glow_y"][place]), "x": int(found["glow_x"][place])}
    levels = {"glow": glow[place], "current": current[place]}
    return [sentence("dark_glows", name=name, **values, **levels)]


def doubts_on_flat(made: xr.Dataset) -> Doubts:
    """Report that much of a master flat is saturated."""
    doubts = Doubts()
    every = slice(None, None, _EVERY)
    flags = made["mask"].isel(y=every, x=every).values
    share = np.mean(flags & np.uint8(Flag.SATURATED) != 0, axis=(1, 2)).max()
    if share > _SATURATED:
        doubts.add("flat_saturated", share=100 * share)
    return doubts


def doubts_on_flats(frames: xr.Dataset, bias: xr.Dataset | None) -> list[str]:
    """Report that flats of one set are of unlike shape.

    Parameters
    ----------
    frames
        Raw flats.
    bias
        What they contain.
    """
    if frames.sizes["frame"] < 2:
        return []
    found = measure.flat_shapes(frames, bias=bias)
    deviation = found["deviation"].values
    unlike = deviation > _SHAPE + SURE * found["deviation_error"].values
    lines = []
    if unlike.any():
        names = found["frame"].values[unlike.any(axis=1)].tolist()
        most = 100 * deviation[unlike].max()
        lines.append(sentence("flats_unlike", frames=some_of(names, len(deviation)), most=most))
    if "change" in found:
        sure = found["change"].values - SURE * found["change_error"].values
        place = int(np.argmax(sure))
        if sure[place] > _CHANGE:
            one = found.isel(channel=place)
            where = {"y": int(one["change_y"]), "x": int(one["change_x"])}
            values = {"frame": str(one["change_frame"].values), "most": 100 * float(one["change"])}
            lines.append(sentence("flats_changed", **where, **values))
    return lines


def variance_of_frames(master: xr.Dataset) -> Floats | None:
    """Return the variance of one frame of a master (channel, y, x); None where it is not known."""
    if "variance" not in master:
        return None
    planes = [master[name].variable for name in ("variance", "count") if name in master]
    found = np.empty(planes[0].shape, np.result_type(*(plane.dtype for plane in planes)))
    for rows, parts in pieces(planes):
        found[:, rows] = math.prod(parts)
    return found if np.isfinite(found).any() else None


class KnownDark(NamedTuple):
    """A dark that is there, though it may not fit."""

    name: str
    seconds: float
    level: float
    """Median of its good pixels, free of bias, in ADU."""
    temperature: float = math.nan

    @classmethod
    def of(
        cls,
        name: str,
        dark: xr.Dataset,
        *,
        holds_bias: bool,
        bias: xr.Dataset | None,
        temperature: float = math.nan,
    ) -> "KnownDark | None":
        """Look at a master dark; None where it holds a bias that is not at hand."""
        seconds = float(dark["exposure"]) if "exposure" in dark.coords else math.nan
        if (holds_bias and bias is None) or not seconds > 0:
            return None
        level = _median(dark, "image")
        if bias is not None and holds_bias:
            level -= _median(bias, "image")
        return cls(name=name, seconds=seconds, level=level, temperature=temperature)


def price_of_scaling(name: str, dark: xr.Dataset, seconds: tuple[float, float]) -> str:
    """Report that a dark is scaled to the shortest and longest exposure of frames, and the cost."""
    own = float(dark["exposure"])
    low, high = (float(f"{one / own:.3g}") for one in seconds)
    factor = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    noise = math.sqrt(_median(dark, "variance")) if "variance" in dark else math.nan
    added = "" if math.isnan(noise) else f", which adds {high * noise:.2g} ADU to their noise"
    shown = f"{seconds[0]:g}" if low == high else f"{seconds[0]:g} to {seconds[1]:g}"
    return sentence("dark_scaled", name=name, own=own, factor=factor, seconds=shown, added=added)


def current_left(seconds: float, level: float, darks: Iterable[KnownDark]) -> str:
    """Report how much dark current flats hold that no dark fits; "" where no dark shows it.

    Parameters
    ----------
    seconds
        Exposure of the flats; the longest, if they differ.
    level
        Their mean level in ADU, free of bias.
    darks
        Those that there are; the one nearest in exposure counts.
    """
    known = [dark for dark in darks if math.isfinite(dark.level)]
    if not (known and seconds > 0 and level > 0):
        return ""
    near = min(known, key=lambda dark: abs(math.log(dark.seconds / seconds)))
    current = max(near.level, 0.0) * seconds / near.seconds
    values = {"seconds": seconds, "current": current, "share": current / level}
    return sentence("dark_current", name=near.name, own=near.seconds, **values)


def _median(master: xr.Dataset, name: str) -> float:
    """Return the median of the good pixels of a variable; NaN where none is good."""
    values = master[name].values
    good = is_good(values, master["mask"].values if "mask" in master else None)
    # planes are large: what is known of one takes no more room than it
    values = values[good]
    return float(np.median(values, overwrite_input=True)) if values.size else math.nan


def against_last_good(product: Product, made: xr.Dataset, plan: Plan) -> list[str]:
    """Compare a master with the one of another night that is nearest in time; no line without one.

    Parameters
    ----------
    product
        What was planned.
    made
        The master.
    plan
        Has the masters of other nights.
    """
    last = _last(product, plan)
    if last is None or last.open is None or "variance" not in made:
        return []
    try:
        with warnings.catch_warnings():
            # the numbers are reported, whether or not they agree
            warnings.simplefilter("ignore", AutowispWarning)
            found = measure.compare_masters(made, last.open())
    except AutowispError:
        return []
    worst = found.isel(channel=int(np.argmax(found["fraction"].values)))
    numbers = {str(name): float(values) for name, values in worst.data_vars.items()}
    time = last.traits.time
    date = "" if np.isnat(time) else f" of {np.datetime_as_string(time, unit='D')}"
    values: dict[str, Any] = {"name": last.name, "date": date, **numbers}
    values |= {"share": 100 * numbers["fraction"], "flagged": 100 * numbers["newly_flagged"]}
    if KINDS[product.kind].sees_light:
        large = 100 * numbers["largest_large_scale"]
        return [sentence("shape_by_last_good", **values, large=large)]
    return [sentence("level_by_last_good", **values)]


def _last(product: Product, plan: Plan) -> Candidate | None:
    """Return the master of another night that is most like one of this, if there is any."""
    traits = product.frames.traits
    alike = [
        one
        for one in plan.others
        if one.traits.kind == product.kind
        and not reason_against(traits, one.traits, plan.matching, KINDS[product.kind].alike)
    ]
    return min(alike, key=lambda one: _apart(one, traits.time), default=None)


def _apart(one: Candidate, time: np.datetime64) -> float:
    """Return by how much a master is apart in time; infinite where that is not known."""
    apart = abs((one.traits.time - time) / np.timedelta64(1, "s"))
    return float(apart) if np.isfinite(apart) else np.inf
