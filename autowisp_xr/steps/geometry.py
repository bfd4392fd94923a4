"""The geometry of frames: areas cut out, mosaics split and joined, the amplifier of a pixel."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Integers
from autowisp_xr.bridge.blocks import in_memory, load_coordinates
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, ImageMismatchError, OutsideImageError
from autowisp_xr.overscan_fits.plan import amplifier_of
from autowisp_xr.regions import ChannelSlice, Region


def covered(ds: xr.Dataset) -> Region:
    """Return the raw-frame pixels that the planes of a Dataset cover together."""
    step = schema.channel_slices(ds)[0]
    y, x = ds["y"].values, ds["x"].values
    return Region(
        ymin=int(y[0]),
        ymax=int(y[-1]) + step.y_step,
        xmin=int(x[0]),
        xmax=int(x[-1]) + step.x_step,
    )


def unbroken(ds: xr.Dataset) -> Region:
    """Return the raw-frame pixels that the planes cover, of which they have all.

    Raises
    ------
    ImageMismatchError
        Where rows or columns between others have been left out, or turned round.
    """
    step = schema.channel_slices(ds)[0]
    for dim, each in (("y", step.y_step), ("x", step.x_step)):
        lines = ds[dim].values
        broken = np.flatnonzero(np.diff(lines) != each)
        if broken.size:
            before, after = lines[broken[0] : broken[0] + 2]
            raise ImageMismatchError(
                f"{dim!r} goes from raw pixel {before} to {after}, by {each} is expected: rows and "
                "columns of the sensor go together here; choose them by plain slices"
            )
    return covered(ds)


def raw_lines(ds: xr.Dataset, dim: str) -> Integers:
    """Return raw-frame rows or columns of the planes, (channel, y) or (channel, x) int64."""
    offsets = [getattr(where, f"{dim}_offset") for where in schema.channel_slices(ds)]
    return np.asarray(ds[dim].values, dtype=np.int64) + np.array(offsets, np.int64)[:, None]


def amplifier_map(ds: xr.Dataset, camera: Camera) -> xr.Variable | None:
    """Return the number of the amplifier that reads each pixel, (channel, y, x) uint8, or None.

    What no amplifier reads has the number behind the last.
    """
    if not camera.amplifiers:
        return None
    numbers = [
        amplifier_of(y[:, None], x, camera.amplifiers)
        for y, x in zip(raw_lines(ds, "y"), raw_lines(ds, "x"), strict=True)
    ]
    return xr.Variable(schema.DIMS[1:], np.stack(numbers).astype(np.uint8))


def trim(ds: xr.Dataset, area: Any = None, *, camera: Camera | None = None) -> xr.Dataset:
    """Cut frames to an area of the raw frame.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) or a master.
    area
        A :class:`~autowisp_xr.regions.Region`, a mapping, or a FITS section, in raw-frame pixels;
        by default the ``image_area`` of the camera, and all of the frame without one.
    camera
        By default the one that travels with ``ds``.

    Returns
    -------
    The frames inside, as lazy as before. ``y`` and ``x`` go on counting raw-frame pixels. Where
    an area starts inside a super-pixel, super-pixels are counted from its corner and the
    offsets of the channels change; no colour is swapped. Incomplete ones at the far edge are left
    out.

    Raises
    ------
    OutsideImageError
        Where the area reaches outside the frames.
    ImageMismatchError
        Where rows or columns between others are missing.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> raw = night.bias(1)
    >>> raw.sizes["x"], aw.trim(raw, camera=night.camera).sizes["x"]
    (56, 24)
    """
    schema.check(ds, master="frame" not in ds.dims)
    given = area if area is not None else (camera or schema.camera_of(ds)).image_area
    if given is None:
        return ds
    region = Region.parse(given)
    inside = unbroken(ds)
    if region == inside:
        return ds
    check_covers(inside, region, "the area to keep")
    slices = schema.channel_slices(ds)
    y, x = region.ymin - inside.ymin, region.xmin - inside.xmin
    moved, starts = [], []
    for where in slices:
        rows, y_offset = divmod(where.y_offset - y, where.y_step)
        columns, x_offset = divmod(where.x_offset - x, where.x_step)
        moved.append(replace(where, y_offset=y_offset, x_offset=x_offset))
        starts.append((-rows, -columns))
    height = (region.ymax - region.ymin) // slices[0].y_step
    width = (region.xmax - region.xmin) // slices[0].x_step
    names = dict(zip(schema.names(ds, "channel"), moved, strict=True))

    def cut(plane: xr.Variable) -> xr.Variable:
        return _cut(plane, starts, height, width)

    result = _changed(ds, cut, names, region, ("y", "x"))
    return provenance.record(result, "trim", {"area": str(region)}, source=ds)


def split_channels(ds: xr.Dataset, channels: Any = None) -> xr.Dataset:
    """Split monochrome frames of a colour camera into its channels.

    Parameters
    ----------
    ds
        Frames (frame, 1, y, x) of the whole mosaic.
    channels
        As for :class:`~autowisp_xr.camera.Camera`: "RGGB" or {name: (y slice, x slice)}, in
        raw-frame pixels; by default those of the camera that travels with ``ds``.

    Returns
    -------
    Frames (frame, channel, y, x), as lazy as before; incomplete super-pixels at the far edges are
    left out.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> mosaic = aw.merge_channels(aw.simulate.Night(shape=(16, 24), channels="RGGB").objects(1))
    >>> split = aw.split_channels(mosaic, "RGGB")
    >>> split["channel"].values.tolist()
    ['R', 'G1', 'G2', 'B']
    """
    schema.check(ds, master="frame" not in ds.dims)
    camera = schema.camera_of(ds) if channels is None else Camera(channels=channels)
    if camera.channels is None:
        raise CalibrationError(
            "there are no channels to split into; give channels='RGGB' or the like"
        )
    if ds.sizes["channel"] != 1:
        raise ImageMismatchError(
            f"the frames have the channels {schema.names(ds, 'channel')} already"
        )
    inside = unbroken(ds)
    first = next(iter(camera.channels.values()))
    height = ds.sizes["y"] // first.y_step
    width = ds.sizes["x"] // first.x_step
    moved, cuts = {}, []
    for name, where in camera.channels.items():
        y = (where.y_offset - inside.ymin) % where.y_step
        x = (where.x_offset - inside.xmin) % where.x_step
        moved[name] = replace(where, y_offset=y, x_offset=x)
        rows = slice(y, y + height * where.y_step, where.y_step)
        cuts.append({"y": rows, "x": slice(x, x + width * where.x_step, where.x_step)})

    def split(plane: xr.Variable) -> xr.Variable:
        return _concatenated([plane.isel(cut) for cut in cuts], "channel")

    result = _changed(ds, split, moved, inside)
    return provenance.record(result, "split_channels", {"channels": list(moved)}, source=ds)


def merge_channels(ds: xr.Dataset) -> xr.Dataset:
    """Put the channels of a mosaic together again.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) whose channels fill every place of their super-pixels.

    Returns
    -------
    Frames (frame, 1, y, x) with the one channel "mono", as lazy as before.

    Raises
    ------
    ImageMismatchError
        Where a place of the super-pixel has no channel, or rows or columns are missing.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> planes = aw.simulate.Night(shape=(16, 24), channels="RGGB", overscan=0).objects(1)
    >>> aw.merge_channels(planes).image.shape
    (1, 1, 16, 24)
    """
    schema.check(ds, master="frame" not in ds.dims)
    ds = load_coordinates(ds)
    slices = schema.channel_slices(ds)
    inside = unbroken(ds)
    y_step, x_step = slices[0].y_step, slices[0].x_step
    taken = {(where.y_offset, where.x_offset): index for index, where in enumerate(slices)}
    if len(taken) != y_step * x_step:
        raise ImageMismatchError(
            f"{len(taken)} channels do not fill super-pixels of {y_step} x {x_step}; all channels "
            "of the mosaic are needed"
        )

    def woven(variable: xr.Variable) -> xr.Variable:
        rows = [
            _interleaved([variable.isel(channel=[taken[y, x]]) for x in range(x_step)], "x", x_step)
            for y in range(y_step)
        ]
        return _interleaved(rows, "y", y_step)

    result = _changed(ds, woven, {schema.MONO: ChannelSlice()}, inside)
    return provenance.record(result, "merge_channels", source=ds)


def check_covers(inside: Region, region: Region, name: str) -> None:
    """Raise OutsideImageError, naming both, unless ``region`` lies ``inside``."""
    if inside.common(region) != region:
        raise OutsideImageError(
            f"{name}, {region}, reaches outside the frames, which cover {inside} (raw-frame pixels)"
        )


def _cut(
    variable: xr.Variable, starts: list[tuple[int, int]], height: int, width: int
) -> xr.Variable:
    if len(set(starts)) == 1:
        y, x = starts[0]
        return variable.isel(y=slice(y, y + height), x=slice(x, x + width))
    parts = [
        variable.isel(
            channel=slice(channel, channel + 1), y=slice(y, y + height), x=slice(x, x + width)
        )
        for channel, (y, x) in enumerate(starts)
    ]
    return _concatenated(parts, "channel")


def _concatenated(parts: list[xr.Variable], dim: str) -> xr.Variable:
    lazy = [part if in_memory(part) or part.chunks else part.chunk({"frame": 1}) for part in parts]
    return xr.Variable.concat(lazy, dim=dim)


def _interleaved(parts: list[xr.Variable], dim: str, step: int) -> xr.Variable:
    size = parts[0].sizes[dim]
    order: Mapping[Any, Any] = {dim: np.arange(size * step).reshape(step, size).T.ravel()}
    return _concatenated(parts, dim).isel(order)


def _changed(
    ds: xr.Dataset,
    change: Callable[[xr.Variable], xr.Variable],
    channels: Mapping[str, ChannelSlice],
    area: Region,
    without: tuple[str, ...] = schema.DIMS[1:],
) -> xr.Dataset:
    """Return what a change makes of planes, from the corner of an area.

    What is no plane is kept, ``without`` what lies along a dim that has changed.
    """
    planes = {
        name: change(variable.variable)
        for name, variable in ds.data_vars.items()
        if set(schema.DIMS[1:]) <= set(variable.dims)
    }
    sizes = next(iter(planes.values())).sizes
    place = schema.place(channels, sizes["y"], sizes["x"], area.ymin, area.xmin)
    beside, kept = (
        {name: one.variable for name, one in some.items() if not set(without) & set(one.dims)}
        for some in (ds.data_vars, ds.coords)
    )
    return xr.Dataset({**planes, **beside}, {**kept, **place}, ds.attrs)
