"""``fill``: a value for pixels that have none, for pictures and for programs that need one."""

import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Bools, Cube, Integers
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.flags import Flag, as_flag, names_of
from autowisp_xr.stats.neighbours import estimates

_INTERPOLATED = np.uint8(Flag.INTERPOLATED)


def fill(
    ds: xr.Dataset, flags: str | int | Iterable[str | int] = "UNUSABLE", *, reach: int = 8
) -> xr.Dataset:
    """Give flagged pixels the value that their good neighbours in the same image suggest.

    For pictures, and for programs that cannot take NaN. Measurements want the pixels that were
    measured: nothing in this package fills a pixel by itself, and :func:`~autowisp_xr.stack` leaves
    out what was filled.

    Parameters
    ----------
    ds
        Calibrated frames (frame, channel, y, x), or a master or stack (channel, y, x).
    flags
        Pixels with any of these are filled, as :func:`autowisp_xr.flags.as_flag` takes them: by
        default FAULT, COSMIC, OUTER, SATURATED and INTERPOLATED, which is what a stack leaves out.
        These, and pixels that are not finite, are no good neighbours whatever is filled.
    reach
        How many pixels a good one may be away, along the row or the column.

    Returns
    -------
    The same with other values of ``image`` and ``variance`` in these pixels, flagged INTERPOLATED
    beside the flags that they had, which state why. Lazy where ``ds`` is, one frame a task. An
    OVERSATURATED pixel that reads more than its neighbours suggest keeps its value, which is the
    least that it can be. So does a pixel without a good one in reach: what was NaN there stays
    NaN and FAULT. What frames share of their variance is as it was.

    Raises
    ------
    CalibrationError
        For raw frames.
    ValueError
        For flags that there are not, or a reach below 1.

    Warns
    -----
    AutowispWarning
        Where pixels stay NaN, with their number; for lazy frames when they are computed.

    Notes
    -----
    The value is that of a plane through the good neighbours of the same frame and channel, which
    are weighted by a Gaussian as wide as the gap: across a bad column it is interpolated along the
    rows. The variance is that of its difference from what the pixel would have read, so that it is
    never below that of the neighbours: their scatter (at least their mean variance), and the
    variance of the plane; see :func:`autowisp_xr.stats.neighbours.estimates`. Simulated, pulls
    of this difference have a width of 0.94 for a pixel or a column, 0.96 for four columns beside
    each other, 0.97 for 5 x 5 pixels, and 0.93 at the edge of a frame, where the light slopes as
    well (there but for the edge, at which the mean of the neighbours is taken).

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> science = aw.calibrate(night.objects(1), bias=aw.master_bias(night.bias(5)))
    >>> science["mask"][0, 0, 20, 30] = aw.Flag.FAULT
    >>> filled = science.autowisp.fill("FAULT")
    >>> int(filled["mask"][0, 0, 20, 30]), int(filled.autowisp.flagged("INTERPOLATED").sum())
    (65, 1)
    """
    schema.check(ds, master="frame" not in ds.dims)
    wanted = as_flag(flags)
    if reach < 1:
        raise ValueError(f"reach is a number of pixels from 1 up, not {reach}")
    if schema.is_raw(ds):
        raise CalibrationError(
            "the frames are raw, and a pixel cannot be filled before its bias and response are "
            "known; calibrate them first, as by aw.calibrate(frames, bias=..., flat=...)"
        )
    ds = blocks.load_coordinates(ds).drop_encoding()
    if "mask" not in ds:
        return provenance.record(ds, "fill", _options(wanted, reach))
    names = schema.names(ds, "frame") if "frame" in ds.dims else [""]
    planes = [_frames(blocks.framewise(ds[name].variable)) for name in _PLANES]
    numbers = xr.Variable(("frame",), np.arange(len(names)))
    at_once = all(blocks.in_memory(plane) for plane in planes)
    kernel = partial(_filled, flags=wanted, reach=reach, names=None if at_once else tuple(names))
    found = blocks.apply(
        kernel, [numbers, *planes], schema.DIMS, [ds[name].dtype for name in _PLANES]
    )
    if at_once:
        image, _, mask = (variable.values for variable in found)
        _warn(_nothing_near(image, mask, wanted), names)
    filled = ds.assign(
        {
            name: ds[name].copy(data=(plane if "frame" in ds.dims else plane[0]).data)
            for name, plane in zip(_PLANES, found, strict=True)
        }
    )
    return provenance.record(filled, "fill", _options(wanted, reach))


_PLANES = ("image", "variance", "mask")


def _options(flags: Flag, reach: int) -> dict[str, Any]:
    return {"flags": names_of(flags), "reach": reach}


def _frames(plane: xr.Variable) -> xr.Variable:
    """Return a plane as that of one frame, where there are none."""
    return plane if "frame" in plane.dims else plane.set_dims({"frame": 1, **dict(plane.sizes)})


def _filled(
    numbers: Integers,
    image: Cube,
    variance: Cube,
    mask: Bits,
    *,
    flags: Flag,
    reach: int,
    names: Sequence[str] | None,
) -> list[Cube]:
    """Return the planes of frames; warn of what stays NaN where they have names."""
    image, variance, mask = image.copy(), variance.copy(), mask.copy()
    for plane in np.ndindex(image.shape[:2]):
        _fill(image[plane], variance[plane], mask[plane], flags, reach)
    if names is not None:
        _warn(_nothing_near(image, mask, flags), [names[number] for number in numbers])
    return [image, variance, mask]


def _fill(image: Any, variance: Any, mask: Bits, flags: Flag, reach: int) -> None:
    """Fill the pixels (y, x) of one channel of a frame, in place."""
    places = np.argwhere(mask & np.uint8(flags))
    if not places.size:
        return
    good = np.isfinite(image) & (mask & np.uint8(flags | Flag.UNUSABLE) == 0)
    value, spread = estimates(image, variance, good, places, reach)
    before = image[*places.T]
    least = (mask[*places.T] & np.uint8(Flag.OVERSATURATED) != 0) & (before >= value)
    shown = np.isfinite(value) & ~least
    where = tuple(places[shown].T)
    image[where], variance[where] = value[shown], spread[shown]
    mask[where] |= _INTERPOLATED


def _nothing_near(image: Cube, mask: Bits, flags: Flag) -> Bools:
    return ~np.isfinite(image) & (mask & np.uint8(flags) != 0)


def _warn(left: Bools, names: Sequence[str]) -> None:
    """Warn of pixels that stay NaN, by frame; ``left`` is (frame, channel, y, x)."""
    counts = left.sum(axis=(1, 2, 3)).tolist()
    stated = [
        f"{count} of {name}" if name else str(count)
        for count, name in zip(counts, names, strict=True)
        if count
    ]
    if stated:
        warnings.warn(
            f"pixels without a good one in reach stay NaN: {', '.join(stated)}; a larger reach= "
            "fills more of them",
            AutowispWarning,
            stacklevel=3,
        )
