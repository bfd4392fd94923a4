"""Rejected frames side by side, each with the map of its clouds."""

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.plot.choice import ending
from autowisp_xr.plot.table import LONGEST_NAME, FlatTable
from autowisp_xr.plot.thumbnails import Thumbnail

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


def gallery_size(shown: Sequence[Thumbnail]) -> tuple[float, float]:
    """How wide and how high it is, in inches."""
    if not shown:
        return 0.0, 0.0
    height, width = shown[0].image.shape
    each = min(max(_WIDTH * height / width, _LOWEST), _HIGHEST) + _TITLE
    # the heading is as wide as two of them, the colour bar as high as one title
    across = max(_columns(shown) * _abreast(shown), 2)
    return across * _WIDTH, _rows(shown) * each + 2 * _TITLE


def draw_gallery(figure: "SubFigure", table: FlatTable, shown: Sequence[Thumbnail]) -> None:
    """Draw each frame, what it is rejected for, and its map, all maps on one scale."""
    abreast = _abreast(shown)
    axes = figure.subplots(_rows(shown), _columns(shown) * abreast, squeeze=False)
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
    """End of the colours."""
    maps = [np.abs(one.clouds) for one in shown if one.clouds is not None]
    seen = [np.nanpercentile(one, _DISTINCT) for one in maps if np.isfinite(one).any()]
    return max([*seen, table.limits.get("large_scale_deviation_threshold", 0.0)]) or 1.0


def _columns(shown: Sequence[Thumbnail]) -> int:
    """Frames beside each other."""
    return 1 if len(shown) <= _IN_ONE_COLUMN else 2


def _rows(shown: Sequence[Thumbnail]) -> int:
    return -(-len(shown) // _columns(shown))


def _abreast(shown: Sequence[Thumbnail]) -> int:
    """Axes for each frame."""
    return 1 + any(one.clouds is not None for one in shown)
