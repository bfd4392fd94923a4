"""Panels of images, pixels in grey and flags in colour, at their place on the sensor."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.flags import Flag
from autowisp_xr.plot.block_means import Blocks, factors_for, is_elongated, reduced
from autowisp_xr.plot.figures import FLAGS, SHADES
from autowisp_xr.plot.stretches import Stretch, StretchName
from autowisp_xr.readable_attributes import unit_in_words
from autowisp_xr.regions import Region

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


Limits: TypeAlias = tuple[float, float] | None
"""Values that are drawn black and white; None for those that suit the image."""


_LEGEND = -0.42
"""Inches of the legend below its axes, for the numbers and the label in between."""

_LEAST = 1e-3
"""The per cent that are written out."""

_PALE = 0.35
"""How much of its darkness remains to an image under flags."""

_EXTREMES = {"count": np.minimum, "number": np.maximum}
"""Which of the numbers in a block is drawn, so that a lone one stays to be seen."""


class Panel(NamedTuple):
    """One plane of one frame, and how it is to be drawn."""

    kind: str
    """"image", "flags" (over a pale negative), "error", "count" or "number"."""

    title: str
    plane: xr.Dataset
    """``image``, and ``mask`` or ``variance`` if there are any, over (y, x), in memory."""

    area: Region | None
    """Where the sensor sees the sky, if that is known: there black and white are chosen."""

    flags: Flag
    limits: Limits
    stretch: StretchName = "linear"


def draw_panel(
    figure: "Figure | SubFigure", axes: "Axes", panel: Panel, inches: float, abreast: int
) -> int:
    """Draw a plane, its colour bar, and a legend that counts what is marked.

    Parameters
    ----------
    figure, axes, panel
        What is drawn, and where.
    inches
        Of the longer side of the plane, as far as the screen can show single pixels.
    abreast
        Columns of the legend.

    Returns
    -------
    How many lines the legend has, and the title beyond one.
    """
    from matplotlib.ticker import MaxNLocator

    axes.set_axis_on()
    axes.set_title(panel.title, fontsize="medium", parse_math=False)
    if panel.kind == "error" and "variance" not in panel.plane:
        axes.text(0.5, 0.5, "no error is known", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return 0
    factors = factors_for(panel.plane["image"].shape, inches * figure.dpi)
    blocks = blocks_of(panel, factors)
    where = place_of(panel.plane, blocks, factors)
    chosen = chosen_of(panel, blocks, factors)
    stretch = Stretch.of(blocks.values, chosen, panel.stretch, limits=panel.limits)
    if stretch is None:
        axes.text(0.5, 0.5, "no pixel is a number", ha="center", transform=axes.transAxes, zorder=4)
    elif panel.kind == "flags":
        axes.imshow(blocks.values, "gray_r", norm=stretch.norm(), alpha=_PALE, **where)
    else:
        drawn = axes.imshow(blocks.values, SHADES[panel.kind], norm=stretch.norm(), **where)
        beside = axes.inset_axes((1.03, 0.0, 0.04, 1.0))
        beyond = _beyond(blocks.values, stretch.low, stretch.high)
        bar = figure.colorbar(drawn, cax=beside, extend=beyond, ticks=stretch.ticks())
        bar.set_label(_unit(panel))
        if panel.kind in _EXTREMES:
            bar.locator = MaxNLocator(integer=True)
        beside.ticklabel_format(axis="y", useOffset=False)
    lines = panel.title.count("\n")
    if panel.kind == "flags" or (panel.kind == "image" and blocks.marked):
        _mark(axes, blocks, where)
        lines += _explain(figure, axes, blocks, factors, abreast)
    axes.set(xlim=span(panel.plane, "x"), ylim=span(panel.plane, "y"))
    axes.set(xlabel="x [pixel]", ylabel="y [pixel]", anchor="N")
    return lines


def span(plane: xr.Dataset, dim: str) -> tuple[float, float]:
    """Return the outer edges of the first and the last pixel, in pixels of the raw frame.

    A super-pixel of a colour camera reaches from its first pixel to the next one's.
    """
    places = plane[dim].values.astype(np.float64)
    step = float(plane.coords.get(f"{dim}_step", 1))
    if places.size > 1:
        step = (places[-1] - places[0]) / (places.size - 1)
    first = places[0] - 0.5 + max(-step, 0.0)
    return first, first + step * places.size


def chosen_of(panel: Panel, blocks: Blocks, factors: tuple[int, int]) -> Bools:
    """Return which blocks decide what is black and white: good ones, without the overscan."""
    if panel.area is None:
        return blocks.good
    y, x = (
        panel.plane[dim].values[::factor] for dim, factor in zip(("y", "x"), factors, strict=True)
    )
    rows = (y >= panel.area.ymin) & (y < panel.area.ymax)
    columns = (x >= panel.area.xmin) & (x < panel.area.xmax)
    return blocks.good & rows[:, None] & columns


def blocks_of(panel: Panel, factors: tuple[int, int]) -> Blocks:
    """Return the blocks of a panel, as they are drawn."""
    mask = panel.plane["mask"].values if "mask" in panel.plane else None
    image = panel.plane["image"].values
    if panel.kind != "error":
        blocks = Blocks.of(image, mask, panel.flags, factors)
        extreme = _EXTREMES.get(panel.kind)
        return replace(blocks, values=reduced(extreme, image, factors)) if extreme else blocks
    variances = Blocks.of(panel.plane["variance"].values, mask, Flag(0), factors)
    with np.errstate(invalid="ignore"):
        return replace(variances, values=np.sqrt(variances.values))


def _mark(axes: "Axes", blocks: Blocks, where: dict[str, Any]) -> None:
    from matplotlib.colors import to_rgba

    overlay = np.zeros((*blocks.flags.shape, 4))
    # the first of them is painted last
    for flag, (_, colour) in reversed(FLAGS.items()):
        overlay[(blocks.flags & np.uint8(flag)) != 0] = to_rgba(colour)
    # a block is never smaller than a pixel of the screen; what smooths would make a single one pale
    axes.imshow(overlay, interpolation="nearest", **where)


def _explain(
    figure: "Figure | SubFigure",
    axes: "Axes",
    blocks: Blocks,
    factors: tuple[int, int],
    abreast: int,
) -> int:
    """Draw the legend of what is marked, below the axes, and return the number of its lines."""
    from matplotlib.patches import Patch
    from matplotlib.transforms import ScaledTranslation

    handles = []
    for flag, (name, colour) in FLAGS.items():
        number = blocks.counts.get(flag, 0)
        if number:
            label = f"{number} {name} ({_per_cent(number, blocks.pixels)})"
            handles.append(Patch(facecolor=colour, edgecolor="0.5", linewidth=0.5, label=label))
    pixels = "1 pixel is" if blocks.marked == 1 else f"{blocks.marked} pixels are"
    title = f"{pixels} marked ({_per_cent(blocks.marked, blocks.pixels)})"
    if factors != (1, 1):
        title += f", in blocks of {factors[0]} x {factors[1]}"
    axes.legend(
        handles=handles,
        title=title,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axes.transAxes + ScaledTranslation(0, _LEGEND, figure.dpi_scale_trans),
        borderaxespad=0.0,
        ncols=abreast,
        fontsize="small",
        title_fontsize="small",
        frameon=False,
    )
    return 1 - (-len(handles) // abreast)


def _per_cent(number: int, of: int) -> str:
    share = 100 * number / of
    return f"{share:.2g} %" if share >= _LEAST or not number else f"< {_LEAST:g} %"


def _unit(panel: Panel) -> str:
    if panel.kind in _EXTREMES:
        return "values of a pixel"
    unit = unit_in_words(str(panel.plane["image"].attrs.get("units", "")))
    return f"error [{unit}]" if panel.kind == "error" else unit


def _beyond(values: Floats, low: float, high: float) -> str:
    """Return which ends of a colour bar stand for more than themselves."""
    below, above = bool((values < low).any()), bool((values > high).any())
    return ("neither", "min", "max", "both")[below + 2 * above]


def place_of(plane: xr.Dataset, blocks: Blocks, factors: tuple[int, int]) -> dict[str, Any]:
    """Return where blocks lie on the sensor, the last ones as wide as all others."""
    sides = []
    for dim, number, factor in zip(("y", "x"), blocks.values.shape, factors, strict=True):
        first, last = span(plane, dim)
        sides.append((first, first + (last - first) * number * factor / plane.sizes[dim]))
    aspect = "auto" if is_elongated(*plane["image"].shape) else "equal"
    return {"extent": (*sides[1], *sides[0]), "origin": "lower", "aspect": aspect}
