"""The levels of frames, measured or given, and the line that brings each frame to that of all.

With the scale a and the sky s of a frame, its values x become a (x - s).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats, Integers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.sampled_rows import grid_of
from autowisp_xr.errors import HeaderError, ImageMismatchError, OutsideImageError
from autowisp_xr.headers.cards import parse_header, value_of
from autowisp_xr.headers.values import to_number
from autowisp_xr.regions import Region
from autowisp_xr.stack.options import STATISTICS, Match, StackOptions
from autowisp_xr.stats.levels import brightness, level_of

_DIMS = ("frame", "channel")
_PIXELS = ("image", "mask")


class FrameLines(NamedTuple):
    """The lines of frames, (frame, channel) float64; lazy where lazy frames are measured."""

    scale: xr.Variable
    sky: xr.Variable | None


def matched_lines(
    ds: xr.Dataset, options: StackOptions
) -> tuple[FrameLines | None, FrameLines | None]:
    """Return the lines by which frames are averaged, and those by which outliers are found.

    The second are None where they are the first.
    """
    exclude, scales, skies = int(options.excluded), options.scales, options.skies
    lines = lines_of(ds, scales.to_average, skies.to_average, exclude)
    if not options.apart or options.reject is None:
        return lines, None
    return lines, lines_of(ds, scales.to_reject, skies.to_reject, exclude)


def applied(lines: FrameLines | None, to_reject: FrameLines | None) -> dict[str, Any]:
    """Return the numbers of lines for the history, by frame (and channel), but for lazy ones."""
    found = {}
    for name, each in (("applied", lines), ("applied_to_reject", to_reject)):
        if each is not None and all(part is None or blocks.in_memory(part) for part in each):
            known = {
                part: numbers for part, numbers in each._asdict().items() if numbers is not None
            }
            found[name] = {
                part: provenance.numbers_by_frame(numbers.values) for part, numbers in known.items()
            }
    return found


def table_of(ds: xr.Dataset, lines: FrameLines | None) -> dict[str, xr.Variable]:
    """Return lines as coordinates of a stack, ``frame_scale`` and ``frame_sky`` by ``stacked``."""
    if lines is None:
        return {}
    table = {"stacked": xr.Variable(("stacked",), ds["frame"].values)}
    for name, numbers in lines._asdict().items():
        if numbers is not None:
            table[f"frame_{name}"] = xr.Variable(("stacked", "channel"), numbers.data)
    return table


def lines_of(ds: xr.Dataset, scale: Any, sky: Any, exclude: int) -> FrameLines | None:
    """Return the lines of frames; None where nothing is matched.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x).
    scale, sky
        One of :class:`autowisp_xr.stack.options.Matched` each.
    exclude
        Pixels with any of these flags are not looked at.

    Raises
    ------
    ValueError
        For numbers that are not one a frame, or not possible.
    HeaderError
        For a frame without the keyword; OutsideImageError for a region that is not in the frames.
    ImageMismatchError
        For frames whose level cannot be measured; of lazy ones when they are computed.
    """
    if scale is None and sky is None:
        return None
    factors = _scales(ds, scale, exclude, with_sky=sky is not None)
    return FrameLines(factors, None if sky is None else _skies(ds, sky, factors, exclude))


def _scales(ds: xr.Dataset, scale: Any, exclude: int, *, with_sky: bool) -> xr.Variable:
    shape = ds.sizes["frame"], ds.sizes["channel"]
    if scale is None:
        return xr.Variable(_DIMS, np.ones(shape))
    names = tuple(schema.names(ds, "frame"))
    if not isinstance(scale, Match):
        return _numbers(ds, scale, "scale", positive=True)
    if not scale.measured and scale.by != "exposure":
        return _numbers(ds, _of_headers(ds, scale.by), f"the scale {scale.by!r}", positive=True)
    reference = _reference(ds, scale)
    if scale.by == "exposure":
        levels = _numbers(ds, _of_headers(ds, "exposure"), "the exposure", positive=True)
    elif scale.by in STATISTICS:
        levels = measured_levels(ds, scale, exclude)
    else:
        options = {"exclude": exclude, "from_zero": not with_sky}
        levels = _fitted(ds, scale, _brightness, (), **options)
    kernel = partial(_factors, by=scale.by, reference=reference, names=names)
    return _through_all(kernel, levels)


def _skies(ds: xr.Dataset, sky: Any, scale: xr.Variable, exclude: int) -> xr.Variable:
    if not isinstance(sky, Match):
        return _numbers(ds, sky, "sky")
    if not sky.measured:
        return _numbers(ds, _of_headers(ds, sky.by), f"the sky {sky.by!r}")
    if sky.by in STATISTICS:
        levels = measured_levels(ds, sky, exclude) * scale
    else:
        levels = _fitted(ds, sky, _distance, (scale,), exclude=exclude)
    kernel = partial(_taken_off, reference=_reference(ds, sky))
    return _through_all(kernel, levels, scale)


def _through_all(kernel: Any, *operands: xr.Variable) -> xr.Variable:
    """Call a kernel on the numbers of all frames at once, lazily where they are lazy."""
    if all(map(blocks.in_memory, operands)):
        return xr.Variable(_DIMS, *kernel(*(each.values for each in operands)))
    return blocks.apply(kernel, list(map(_whole, operands)), _DIMS, [np.float64])[0]


def _numbers(ds: xr.Dataset, given: Any, name: str, *, positive: bool = False) -> xr.Variable:
    """Return numbers over (frame, channel) that were given for (frame) or both."""
    if isinstance(given, xr.DataArray):
        for dim in set(given.dims) & set(given.coords):
            ours, theirs = (
                schema.names(each, str(dim)) for each in (ds, given.to_dataset(name="_"))
            )
            if ours != theirs:
                raise ImageMismatchError(
                    f"{name} is for other labels along {dim!r}: {theirs[:3]}..., the frames have "
                    f"{ours[:3]}...; select or order them alike"
                )
        given = given.transpose(*(dim for dim in _DIMS if dim in given.dims), ...).values
    values: Any = np.asarray(given, np.float64)
    shape = ds.sizes["frame"], ds.sizes["channel"]
    if values.shape not in (shape[:1], shape):
        raise ValueError(
            f"{name} has the shape {values.shape}; expected a number for each of the {shape[0]} "
            f"frames, (frame), or (frame, channel) of {shape}"
        )
    values = np.broadcast_to(values[:, None] if values.ndim == 1 else values, shape).copy()
    wrong = ~np.isfinite(values) | ((values <= 0) & positive)
    if wrong.any():
        frame, channel = np.argwhere(wrong)[0].tolist()
        kind = "finite and above 0" if positive else "finite"
        raise ValueError(
            f"{name} of {schema.names(ds, 'frame')[frame]} is {values[frame, channel]:g}, and has "
            f"to be {kind}; leave the frame out, or give its number"
        )
    return xr.Variable(_DIMS, values)


def _of_headers(ds: xr.Dataset, name: str) -> Floats:
    """Return the numbers of a coordinate or keyword, (frame); HeaderError where there is none."""
    if name in ds.coords and ds[name].dims in ((), ("frame",)) and ds[name].dtype.kind in "uif":
        found = schema.along_frames(ds, name).astype(np.float64)
    elif "header" in ds.coords:
        texts = schema.along_frames(ds, "header").tolist()
        found = np.array([to_number(value_of(parse_header(str(text)), name)) for text in texts])
    else:
        found = np.full(ds.sizes["frame"], np.nan)
    missing = np.flatnonzero(~np.isfinite(found))
    if missing.size:
        first = missing[0]
        path = schema.along_frames(ds, "path")[first] if "path" in ds.coords else ""
        label = path or schema.names(ds, "frame")[first]
        raise HeaderError(
            f"{label} has no number in {name!r}, by which the frames are to be matched (as have "
            f"{missing.size - 1} others not); name another keyword, a measure such as 'median', or "
            "give numbers"
        )
    return found


def _reference(ds: xr.Dataset, match: Match) -> int | None:
    if match.reference is None:
        return None
    return schema.number_of(match.reference, schema.names(ds, "frame"), "frame")


def _in_region(ds: xr.Dataset, region: Region | None) -> xr.Dataset:
    """Return the part of frames in a region of raw-frame pixels."""
    if region is None:
        return ds
    cut = {}
    for dim, low, high in (
        ("y", region.ymin, region.ymax),
        ("x", region.xmin, region.xmax),
    ):
        places = ds[dim].values if dim in ds.coords else np.arange(ds.sizes[dim])
        step = int(places[1] - places[0]) if places.size > 1 else 1
        inside = np.flatnonzero((places >= low) & (places < high))
        if low < places[0] or high > places[-1] + step or not inside.size:
            raise OutsideImageError(
                f"the region {region}, in which frames are to be matched, reaches outside of them: "
                f"they have {schema.extent(ds)}"
            )
        cut[dim] = slice(int(inside[0]), int(inside[-1]) + 1)
    return ds.isel(cut)


def on_grid(ds: xr.Dataset, names: Sequence[str] = _PIXELS) -> list[xr.Variable | None]:
    """Return planes of frames on the grid that is looked at; None for one that there is not."""
    return blocks.whole_frames(grid_of(ds, names), names)


def of_frames(
    ds: xr.Dataset, kernel: Any, planes: Sequence[xr.Variable | None], **options: Any
) -> xr.Variable:
    """Return what a kernel finds of each frame and channel, (frame, channel) float64.

    It is given the numbers of frames, so that it can name them, and blocks of the planes.
    """
    kernel = partial(kernel, names=tuple(schema.names(ds, "frame")), **options)
    numbers = xr.Variable(("frame",), np.arange(ds.sizes["frame"]))
    return _whole(blocks.apply(kernel, [numbers, *planes], _DIMS, [np.float64])[0])


def _whole(levels: xr.Variable) -> xr.Variable:
    # pieces of a frame each would cut the planes that they scale into such pieces
    return levels if blocks.in_memory(levels) else levels.chunk({"frame": -1})


def measured_levels(ds: xr.Dataset, match: Match, exclude: int) -> xr.Variable:
    """Return the levels of frames, (frame, channel), by a statistic of their good pixels."""
    planes = on_grid(_in_region(ds, match.region))
    return of_frames(ds, _levels, planes, by=match.by, exclude=exclude)


def _fitted(
    ds: xr.Dataset, match: Match, kernel: Any, scale: Sequence[xr.Variable], **options: Any
) -> xr.Variable:
    """Return what a kernel finds between each frame, with its ``scale`` if any, and another."""
    own = [*on_grid(_in_region(ds, match.region)), *scale]
    other = {"frame": _reference(ds, match) or 0}
    theirs = [None if each is None else each.isel(other) for each in own]
    return of_frames(ds, kernel, [*own, *theirs], **options)


# ------------------------------------------------------------------ of blocks


def _good(image: Any, mask: Bits | None, exclude: int) -> Any:
    values = image.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    if mask is not None:
        values[mask & np.uint8(exclude) != 0] = np.nan
    return values.reshape(*image.shape[:-2], -1)


def _refuse(name: str, why: str) -> None:
    raise ImageMismatchError(
        f"{name} {why}; leave the frame out, choose another region or measure, or give numbers"
    )


def _levels(
    numbers: Integers, image: Cube, mask: Bits | None, *, by: str, exclude: int, names: Any
) -> list[Floats]:
    pixels = _good(image, mask, exclude)
    found = np.empty(pixels.shape[:2])
    for place in np.ndindex(*found.shape):
        values = pixels[place]
        values = values[np.isfinite(values)]
        if not values.size:
            _refuse(names[numbers[place[0]]], f"has no good pixel of which the {by} could be taken")
        found[place] = level_of(values, by)
    return [found]


def _brightness(
    numbers: Integers,
    image: Cube,
    mask: Bits | None,
    other: Planes,
    other_mask: Bits | None,
    *,
    exclude: int,
    names: Any,
    from_zero: bool,
) -> list[Floats]:
    pixels, others = _good(image, mask, exclude), _good(other, other_mask, exclude)
    found = np.empty(pixels.shape[:2])
    for frame, channel in np.ndindex(*found.shape):
        v, u = pixels[frame, channel], others[channel]
        both = np.isfinite(v) & np.isfinite(u)
        slope = brightness(v[both], u[both], from_zero=from_zero)
        if not slope > 0:
            _refuse(
                names[numbers[frame]],
                "shows too little above its noise for a fit of the scale (or no good pixel)",
            )
        found[frame, channel] = slope
    return [found]


def _distance(
    numbers: Integers,
    image: Cube,
    mask: Bits | None,
    scale: Floats,
    other: Planes,
    other_mask: Bits | None,
    other_scale: Floats,
    *,
    exclude: int,
    names: Any,
) -> list[Floats]:
    """Median distance of scaled pixels from those of another frame."""
    pixels = _good(image, mask, exclude) * scale[..., None]
    apart = pixels - _good(other, other_mask, exclude) * other_scale[..., None]
    found = np.empty(apart.shape[:2])
    for place in np.ndindex(*found.shape):
        values = apart[place]
        values = values[np.isfinite(values)]
        if not values.size:
            _refuse(names[numbers[place[0]]], "has no good pixel to fit a sky to")
        found[place] = level_of(values, "median")
    return [found]


def _factors(levels: Floats, *, by: str, reference: int | None, names: Any) -> list[Floats]:
    """(frame, channel): what brings each level to that of the reference, or of all."""
    for frame, channel in np.argwhere(~(levels > 0))[:1]:
        _refuse(names[frame], f"has the {by} {levels[frame, channel]:g}, which cannot be scaled")
    target = levels.mean(axis=0) if reference is None else levels[reference]
    return [target / levels]


def _taken_off(levels: Floats, scale: Floats, *, reference: int | None) -> list[Floats]:
    """(frame, channel): the sky of frames, of whose scaled levels that of all is kept."""
    kept = levels.mean(axis=0) if reference is None else levels[reference]
    return [(levels - kept) / scale]
