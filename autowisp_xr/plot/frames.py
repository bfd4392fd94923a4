"""The picture of one frame, of the pixels that are flagged in it, and of its uncertainties."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.flags import Flag, as_flag
from autowisp_xr.headers import cards
from autowisp_xr.plot.figures import ending, given_axes, shown_figure
from autowisp_xr.plot.image_panels import Limits, Panel, draw_panel, span
from autowisp_xr.plot.stretches import DEFAULT, StretchName
from autowisp_xr.plot.stretches import check as check_stretch

_SIZES = {1: 5.5, 2: 4.4, 3: 3.8}
_SMALLEST = 3.0
"""Inches of the longer side of a panel, by how many there are beside each other."""

_NARROWEST = 0.15
"""The shorter side of a panel over the longest of all, at least."""

_BESIDE, _BELOW, _LINE, _ABOVE = 1.5, 0.95, 0.2, 0.4
"""Inches for the colour bar of each panel, for what is written below it, for each line of its
legend, and for the heading."""

_LEGEND = 2.5
"""The width of a legend in inches."""

_IN_HEADING, _IN_TITLE = 48, 24
"""Characters of a name that fit above the picture, and above a panel."""


def frame(
    ds: xr.Dataset,
    frame: int | str = 0,
    channel: int | str | None = None,
    *,
    before: xr.Dataset | None = None,
    flags: str | int | Iterable[str | int] = ("BAD", "NONLINEAR"),
    error: bool = False,
    limits: Limits = None,
    stretch: StretchName = DEFAULT,
    size: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw one frame, or a master: its pixels, and in colour those that are flagged.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) or a master. Only the frame that is drawn is read.
    frame
        Its number, from 0 on, or its name. Of a master, the frame of ``before``.
    channel
        Number or name; None for all, side by side.
    before
        Frames or a master to be drawn at the left (above, if there are several channels), as they
        were before a step: the frame of the same name, each with black and white of its own.
    flags
        Which flags are marked, as :func:`autowisp_xr.flags.as_flag` takes them; () for none. Pixels
        that are no number are marked as FAULT. The legend counts pixels, each once for every
        flag that it bears; a pixel has the colour of one of them.
    error
        Whether the uncertainties, the square root of the variance, are drawn, too.
    limits
        Values of ``ds`` that are drawn black and white; None for those that suit what is drawn and
        bears no flag, the overscan left out.
    stretch
        "asinh": linear within the noise, logarithmic above, for sky and stars at once; "zscale":
        linear, for what is faint; "linear": linear, from dark to bright.
    size
        Inches of the longer side of each panel; None for what suits their number.
    ax
        Axes to draw on, as many as there are panels; None for those of a new figure of pyplot.

    Returns
    -------
    matplotlib.axes.Axes
        Of several panels an array of them. ``axes.figure.savefig("frame.png")`` keeps the picture.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no frames and no master.
    ValueError
        If there is no such frame or channel (the message lists the nearest names), if limits are
        not two rising numbers, for what is no flag or stretch, or for another number of axes.

    Notes
    -----
    Axes count pixels of the raw frame. Frames with more pixels than the screen are drawn in blocks:
    means of the pixels without a flag, under the colours of all flags that there are in a block, so
    that a single hot pixel stays to be seen. ``ds.isel(y=slice(100, 200), x=slice(50, 150))`` looks
    closer.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> raw = night.objects(2)
    >>> science = raw.autowisp.calibrate(bias=aw.master_bias(night.bias(5)))
    >>> axes = science.autowisp.plot.frame("object-0002", before=raw, error=True)
    >>> [one.get_title() for one in axes]
    ['before', 'after', 'error']
    """
    marked = as_flag(flags)
    _check(ds, before, frame, limits, size)
    check_stretch(stretch)
    planes = ("image", "mask", "variance") if error else ("image", "mask")
    one = read_one(ds, frame, channel, planes)
    rows = [frame_panels(one, "image", "" if before is None else "after", marked, limits, stretch)]
    if before is not None:
        earlier = _read_before(before, one, frame, channel)
        title = "before"
        if whole_name(earlier) != whole_name(one):
            title += f": {ending(whole_name(earlier), _IN_TITLE)}"
        rows.insert(0, frame_panels(earlier, "image", title, marked, None, stretch))
    if error:
        rows.append(frame_panels(one, "error", "error", marked, None, "linear"))
    if all(len(row) == 1 for row in rows):
        rows = [[row[0] for row in rows]]
    return draw_rows(rows, "\n".join(filter(None, (name_of(one, ds), description(one)))), size, ax)


def _check(
    ds: xr.Dataset, before: xr.Dataset | None, frame: int | str, limits: Limits, size: float | None
) -> None:
    schema.check(ds, master=_is_master(ds))
    if before is not None:
        schema.check(before, master=_is_master(before), name="before")
    alone = before is None or _is_master(before) or "frame" in ds.coords
    if _is_master(ds) and alone and frame != 0:
        raise ValueError(f"a single frame or a master has no frame {frame!r}; leave it out")
    rising = limits is None or (len(limits) == 2 and -np.inf < limits[0] < limits[1] < np.inf)
    if not rising:
        raise ValueError(f"limits are two finite numbers, the smaller one first, not {limits}")
    if size is not None and not 0 < size < np.inf:
        raise ValueError(f"size is a positive number of inches, not {size}")


def _is_master(ds: object) -> bool:
    return isinstance(ds, xr.Dataset) and "frame" not in ds.dims


def read_one(
    ds: xr.Dataset, frame: int | str, channel: int | str | None, planes: tuple[str, ...]
) -> xr.Dataset:
    """Read one frame, or a master, of one channel or of all (channel, y, x)."""
    one = ds[[name for name in planes if name in ds]]
    if not _is_master(ds):
        names = schema.names(ds, "frame")
        place = schema.number_of(frame, names, "frame")
        one = one.isel(frame=place).assign_coords(frame=names[place])
    if channel is not None:
        one = one.isel(channel=[schema.number_of(channel, schema.names(ds, "channel"), "channel")])
    return one.compute()


def _read_before(
    before: xr.Dataset, one: xr.Dataset, frame: int | str, channel: int | str | None
) -> xr.Dataset:
    """Read the frame of the same name; of what has no name, the one that was asked for."""
    if "frame" in one.coords:
        frame = str(one["frame"].values)
    if channel is not None:
        # a mosaic that was not yet split is shown whole
        channel = schema.names(one, "channel")[0] if before.sizes["channel"] > 1 else 0
    try:
        return read_one(before, frame, channel, ("image", "mask"))
    except ValueError as error:
        raise ValueError(f"before: {error}") from error


def frame_panels(
    one: xr.Dataset, kind: str, title: str, flags: Flag, limits: Limits, stretch: StretchName
) -> list[Panel]:
    """Return a panel for each channel."""
    channels = schema.names(one, "channel")
    area = schema.camera_of(one).image_area
    titles = [": ".join(filter(None, (title, name))) for name in channels]
    if len(channels) == 1:
        titles = [title]
    return [
        Panel(kind, title, one.isel(channel=number), area, flags, limits, stretch)
        for number, title in enumerate(titles)
    ]


def draw_rows(rows: list[list[Panel]], heading: str, size: float | None, ax: Any) -> Any:
    """Draw rows of panels below a heading, and return their axes as :func:`frame` does."""
    if ax is not None:
        return _draw_on(ax, rows, heading)
    across = max(len(row) for row in rows)
    inches = _SIZES.get(across, _SMALLEST) if size is None else size
    heights, widths = _sides(rows, inches)
    # a narrow strip, too, needs room for its legend
    room = [max(width + _BESIDE, _LEGEND) for width in widths]
    abreast = 2 if min(room) > 2 * _LEGEND else 1
    figure = shown_figure()
    axes = figure.subplots(
        len(rows), across, squeeze=False, height_ratios=heights, width_ratios=widths
    )
    for one in axes.flat:
        one.set_axis_off()
    height = _ABOVE
    for row, places, side in zip(rows, axes, heights, strict=True):
        lines = [
            draw_panel(figure, place, panel, inches, abreast)
            for panel, place in zip(row, places, strict=False)
        ]
        height += side + _BELOW + max(lines) * _LINE
        for place in places[1:]:
            place.set_ylabel("")
    figure.suptitle(heading, fontsize="large", parse_math=False)
    figure.set_size_inches(sum(room), height)
    if len(rows) > 1:
        return axes
    return axes[0] if across > 1 else axes[0, 0]


def _draw_on(ax: Any, rows: list[list[Panel]], heading: str) -> Any:
    """Draw panels on axes of others, each as large as these are."""
    panels = [panel for row in rows for panel in row]
    for one, panel in zip(given_axes(ax, len(panels)), panels, strict=True):
        title = panel.title or heading.partition("\n")[0]
        inches = max(one.get_window_extent().size) / one.figure.dpi
        draw_panel(one.figure, one, panel._replace(title=title), inches, 1)
    return ax


def _sides(rows: list[list[Panel]], inches: float) -> tuple[list[float], list[float]]:
    """Return the heights of rows and widths of columns on one scale, the longest ``inches``."""
    tall, wide = (
        [[abs(float(np.subtract(*span(panel.plane, dim)))) for panel in row] for row in rows]
        for dim in ("y", "x")
    )
    sides = [max(row) for row in tall], [max(some) for some in zip_longest(*wide, fillvalue=0.0)]
    longest = max(*sides[0], *sides[1])
    heights, widths = (
        [inches * max(side / longest, _NARROWEST) for side in along] for along in sides
    )
    return heights, widths


def name_of(one: xr.Dataset, of: xr.Dataset) -> str:
    """Return the end of the name of a single frame, with the channel if it is one of several."""
    name = ending(whole_name(one), _IN_HEADING)
    if one.sizes["channel"] == 1 < of.sizes["channel"]:
        name += f", channel {schema.names(one, 'channel')[0]}"
    return name


def whole_name(one: xr.Dataset) -> str:
    """Return the name of a single frame; of a master, how many frames it was made of."""
    if "frame" in one.coords:
        return str(one["frame"].values)
    number = None
    if "header" in one.coords and one["header"].ndim == 0:
        number = cards.value_of(cards.parse_header(str(one["header"].values)), "NUMFCOMB")
    return "stack" if number is None else f"stack of {number}"


def description(one: xr.Dataset) -> str:
    """Return type, filter, exposure and date of a frame or master, as far as they are known."""
    kind, name = schema.text(one, "image_type"), schema.text(one, "object")
    words = [f"{kind} {name}".strip(), schema.text(one, "filter")]
    exposure = schema.scalar(one, "exposure")
    if exposure is not None and np.isfinite(float(exposure)):
        words.append(f"{float(exposure):g} s")
    time = schema.scalar(one, "time")
    if time is not None and not np.isnat(time):
        words.append(f"{np.datetime_as_string(time, unit='s').replace('T', ' ')} UTC")
    return ", ".join(word for word in map(str.strip, words) if word)


def label(axes: Any, one: xr.Dataset) -> None:
    """Write above a curve of a frame or master what it is of, and into it what lines stand for."""
    title = ", ".join(filter(None, (whole_name(one), description(one).split(",")[0])))
    axes.set_title(title, fontsize="medium", parse_math=False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
