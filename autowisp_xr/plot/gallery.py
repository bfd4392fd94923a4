"""Rejected frames side by side, each binned to a thumbnail, with the map of its clouds."""

from collections.abc import Collection, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats, Image
from autowisp_xr.errors import SchemaError
from autowisp_xr.image_smoothing.binning import bin_image
from autowisp_xr.plot.figures import ending
from autowisp_xr.plot.table import LONGEST_NAME, FlatTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

_IN_ONE_COLUMN = 4
_WIDTH = 1.9
_LOWEST, _HIGHEST = 1.0, 2.0
_TITLE = 0.55
"""Inches of one thumbnail, and of what is written above it."""

_LINE = 22
"""Characters of a title that fit above one thumbnail."""

_STRETCH = (0.5, 99.5)
_DISTINCT = 99.5
"""Per cent of the pixels of a map, at least."""

_SIZE = 200
"""Pixels along the longer side of a thumbnail, up to twice as many."""


class Thumbnail(NamedTuple):
    """One frame, binned to means of blocks; NaN where no pixel of a block is a number."""

    name: str
    image: Floats
    clouds: Floats | None
    """Relative, binned likewise; None where there is no map."""


def thumbnails(
    images: xr.DataArray | None,
    maps: xr.DataArray | None,
    names: Sequence[str],
    channel: str,
    *,
    mapped: Collection[str] | None = None,
) -> Iterator[Thumbnail]:
    """Make thumbnails of these frames, as far as there are images of them.

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
    images_of = {} if images is None else _planes(images, "images", channel)
    maps_of = {} if maps is None else _planes(maps, "maps", channel)
    for name in filter(images_of.__contains__, names):
        planes = {"image": images_of[name]}
        if name in maps_of and (mapped is None or name in mapped):
            planes["clouds"] = maps_of[name]
        found = xr.Dataset(planes).compute()
        clouds = binned(found["clouds"].values) if "clouds" in found else None
        yield Thumbnail(name, binned(found["image"].values), clouds)


def binned(image: Image) -> Floats:
    """Return means of square blocks of finite pixels, without incomplete blocks at the end."""
    factor = max(1, max(image.shape) // _SIZE)
    y, x = (min(factor, size) for size in image.shape)
    height, width = (size // block * block for size, block in zip(image.shape, (y, x), strict=True))
    return bin_image(image[:height, :width], (y, x)) / (y * x)


def _planes(array: xr.DataArray, name: str, channel: str) -> dict[str, xr.Variable]:
    """Return the plane of each frame by its name, not yet read."""
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


def gallery_size(shown: Sequence[Thumbnail]) -> tuple[float, float]:
    """Return the width and height of the gallery, in inches."""
    if not shown:
        return 0.0, 0.0
    height, width = shown[0].image.shape
    each = min(max(_WIDTH * height / width, _LOWEST), _HIGHEST) + _TITLE
    # the heading is as wide as two of them, the colour bar as high as one title
    rows, columns, abreast = _grid(shown)
    return max(columns * abreast, 2) * _WIDTH, rows * each + 2 * _TITLE


def draw_gallery(figure: "SubFigure", table: FlatTable, shown: Sequence[Thumbnail]) -> None:
    """Draw each frame, what it is rejected for, and its map, all maps on one scale."""
    rows, columns, abreast = _grid(shown)
    axes = figure.subplots(rows, columns * abreast, squeeze=False)
    for one in axes.flat:
        one.set_axis_off()
        one.set_anchor("W")
    largest = _largest(table, shown)
    limit = table.limits.get("large_scale_deviation_threshold")
    colours = None
    for pair, thumbnail in zip(axes.reshape(-1, abreast), shown, strict=False):
        _draw_image(pair[0], thumbnail.image)
        reason = wrap(table.reason_in_short(thumbnail.name), _LINE * abreast)
        title = "\n".join([ending(thumbnail.name, LONGEST_NAME), *reason])
        pair[0].set_title(title, loc="left", fontsize="small", parse_math=False)
        if thumbnail.clouds is not None:
            colours = _draw_clouds(pair[1], thumbnail.clouds, largest, limit)
    figure.suptitle(_heading(table, shown), fontsize="medium")
    if colours is not None:
        bar = figure.colorbar(
            colours, ax=axes, location="bottom", shrink=0.7, aspect=40, extend="both"
        )
        lines = "" if limit is None else f", lines at ± {100 * limit:g} %"
        bar.set_label(f"left after matching to the reference [%]{lines}", fontsize="small")


def _heading(table: FlatTable, shown: Sequence[Thumbnail]) -> str:
    number = len(table.rejected())
    some = f"{len(shown)} of {number}" if len(shown) < number else f"{number}"
    return f"What do the rejected look like? ({some})"


def _draw_image(axes: "Axes", image: Floats) -> None:
    if not np.isfinite(image).any():
        axes.text(0.5, 0.5, "no pixel is a number", ha="center", transform=axes.transAxes)
        return
    low, high = np.nanpercentile(image, _STRETCH)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, origin="lower")


def _draw_clouds(axes: "Axes", clouds: Floats, largest: float, limit: float | None) -> Any:
    drawn = axes.imshow(
        100 * clouds, cmap="RdBu_r", vmin=-100 * largest, vmax=100 * largest, origin="lower"
    )
    levels = [] if limit is None or min(clouds.shape) < 2 else [-limit, limit]
    with np.errstate(invalid="ignore"):
        # matplotlib warns of lines that would be nowhere
        inside = [level for level in levels if (clouds < level).any() and (clouds > level).any()]
    if inside:
        axes.contour(clouds, inside, colors="black", linewidths=0.7, linestyles="solid")
    return drawn


def _largest(table: FlatTable, shown: Sequence[Thumbnail]) -> float:
    """Return the value at the end of the colours."""
    maps = [np.abs(one.clouds) for one in shown if one.clouds is not None]
    seen = [np.nanpercentile(one, _DISTINCT) for one in maps if np.isfinite(one).any()]
    return max([*seen, table.limits.get("large_scale_deviation_threshold", 0.0)]) or 1.0


def _grid(shown: Sequence[Thumbnail]) -> tuple[int, int, int]:
    """Return the rows and columns of frames, and the number of axes of each frame."""
    columns = 1 if len(shown) <= _IN_ONE_COLUMN else 2
    return -(-len(shown) // columns), columns, 1 + any(one.clouds is not None for one in shown)
