"""Small versions of frames and of the maps of their clouds, read one frame at a time."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats, Image
from autowisp_xr.errors import SchemaError
from autowisp_xr.image_smoothing.binning import bin_image

_SIZE = 200
"""Pixels along the longer side of a thumbnail, up to twice as many."""


class Thumbnail(NamedTuple):
    """One frame, binned to means of blocks; NaN where no pixel of a block is a number."""

    name: str
    image: Floats
    clouds: Floats | None
    """Relative, binned likewise; None where there is no map."""


def thumbnails(
    images: xr.DataArray,
    maps: xr.DataArray | None,
    names: Sequence[str],
    channel: str,
    *,
    mapped: Collection[str] | None = None,
) -> Iterator[Thumbnail]:
    """Thumbnails of these frames, as far as there are images of them.

    Parameters
    ----------
    images, maps
        (frame, channel, y, x), lazy or not. What a frame's image and map have in common is
        computed once.
    names, channel
        Which planes.
    mapped
        Of which of these frames the maps are wanted; None for all.

    Raises
    ------
    SchemaError
        For arrays of other dims, or without the channel.
    """
    images_of = _planes(images, "images", channel)
    maps_of = {} if maps is None else _planes(maps, "maps", channel)
    for name in names:
        if name in images_of:
            planes = {"image": images_of[name]}
            if name in maps_of and (mapped is None or name in mapped):
                planes["clouds"] = maps_of[name]
            found = xr.Dataset(planes).compute()
            clouds = binned(found["clouds"].values) if "clouds" in found else None
            yield Thumbnail(name, binned(found["image"].values), clouds)


def binned(image: Image) -> Floats:
    """Means of square blocks of finite pixels; what does not fill a block at the end is cut off."""
    factor = max(1, max(image.shape) // _SIZE)
    y, x = (min(factor, size) for size in image.shape)
    height, width = (size // block * block for size, block in zip(image.shape, (y, x), strict=True))
    return bin_image(image[:height, :width], (y, x)) / (y * x)


def _planes(array: xr.DataArray, name: str, channel: str) -> dict[str, xr.Variable]:
    """The plane of each frame by its name, not yet read."""
    if array.dims != schema.DIMS:
        raise SchemaError(f"{name} has the dims {array.dims}, expected {schema.DIMS}")
    whole = array.to_dataset(name="plane")
    channels = schema.names(whole, "channel")
    if channel not in channels:
        raise SchemaError(f"there is no channel {channel!r} in {name}, only {', '.join(channels)}")
    one = array.isel(channel=channels.index(channel))
    return {
        frame: one.isel(frame=place).variable
        for place, frame in enumerate(schema.names(whole, "frame"))
    }
