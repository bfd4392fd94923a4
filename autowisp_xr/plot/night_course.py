"""The picture of how level, noise, temperature and pointing change in the course of a night."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.errors import SchemaError
from autowisp_xr.plot.figures import given_axes, series, shown_figure
from autowisp_xr.plot.neighbours import differences, good_values, scatter, some_rows
from autowisp_xr.readable_attributes import unit_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOLLOW = "declination"
"""What is drawn by hollow markers, beside right ascension."""

_ELSEWHERE = {"bias", "dark", "flat"}
"""Types of frames for which it means nothing where the telescope points."""

QUANTITIES = ("level", "noise", "temperature", "pointing")

_WIDTH, _HEIGHT = 7.0, 1.7
"""Inches, the height of each panel."""

_SPAN = 8.0
"""Levels of which the largest is so many times the smallest are drawn on a log scale."""


def night(
    ds: xr.Dataset | xr.DataTree,
    quantities: str | Sequence[str] | None = None,
    channel: int | str | None = None,
    *,
    ax: Any = None,
) -> Any:
    """Draw level, noise, temperature and pointing of frames against time.

    A sky that grows bright, a cloud, a cooler that gave up and a mount that slipped are each seen
    at once.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), or a night as :func:`autowisp_xr.open_night` opens it, whose
        sets are drawn in colours. Of each frame at most 128 rows, evenly spread, are read, and none
        where neither level nor noise is drawn.
    quantities
        One or several of "level" (the median), "noise" (by how much neighbouring pixels differ),
        "temperature" and "pointing" (from the median right ascension and declination); None for all
        that are known.
    channel
        Number or name; None for the first.
    ax
        Axes to draw on, as many as there are quantities; None for those of a new figure of pyplot.

    Returns
    -------
    matplotlib.axes.Axes
        Of several quantities an array of them. Pixels that bear a flag of BAD are left out. Frames
        without a time are drawn in their order.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no frames, or if there are none in the night.
    ValueError
        If there is no such quantity or channel, if none of them is known, or for another number of
        axes.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> axes = night.objects(5).autowisp.plot.night(["level", "noise"])
    >>> [one.get_ylabel() for one in axes]
    ['level [ADU]', 'noise [ADU]']
    """
    sets = _sets(ds)
    wanted = [quantities] if isinstance(quantities, str) else list(quantities or QUANTITIES)
    unknown = [name for name in wanted if name not in QUANTITIES]
    if unknown:
        raise ValueError(f"there is no {', '.join(unknown)}, only {', '.join(QUANTITIES)}")
    drawn = [name for name in wanted if any(_known(one, name) for one in sets.values())]
    if not drawn:
        raise ValueError(f"{', '.join(wanted)}: not known of any frame")
    if ax is None:
        figure = shown_figure()
        figure.set_size_inches(_WIDTH, _HEIGHT * len(drawn) + 0.6)
        axes = list(figure.subplots(len(drawn), sharex=True, squeeze=False)[:, 0])
    else:
        axes = given_axes(ax, len(drawn))
    timed = all("time" in one.coords for one in sets.values())
    for number, (name, one) in enumerate(sets.items()):
        columns = _columns(one, drawn, channel)
        along = one["time"].values if timed else np.arange(1, one.sizes["frame"] + 1)
        for place, quantity in zip(axes, drawn, strict=True):
            _draw(place, along, columns[quantity], number, name if len(sets) > 1 else "")
    _finish(axes, drawn, next(iter(sets.values())), timed)
    if ax is not None:
        return ax
    return axes[0] if len(axes) == 1 else np.array(axes, dtype=object)


def _sets(ds: xr.Dataset | xr.DataTree) -> Mapping[str, xr.Dataset]:
    """Return the sets of a night, or the frames of each type, by their names."""
    if isinstance(ds, xr.Dataset):
        schema.check(ds)
        kinds = np.array(_types(ds))
        return {
            str(kind): ds.isel(frame=np.flatnonzero(kinds == kind)) for kind in dict.fromkeys(kinds)
        }
    found = {
        node.path.strip("/"): node.to_dataset()
        for node in ds.subtree
        if "image" in node.data_vars and node.sizes.get("frame")
    }
    if not found:
        raise SchemaError("there are no frames in this tree; give what open_night returns")
    # all of them are /raw of a folder, for one
    whole = len({name.partition("/")[0] for name in found}) > 1
    return {name if whole else name.partition("/")[2]: one for name, one in found.items()}


def _types(ds: xr.Dataset) -> list[str]:
    """Return the type of each frame, "" where it is not known."""
    if "image_type" not in ds.coords:
        return [""] * ds.sizes["frame"]
    return [str(kind) for kind in ds["image_type"].values.tolist()]


def _known(ds: xr.Dataset, quantity: str) -> bool:
    needed = {"temperature": ("temperature",), "pointing": ("ra", "dec")}.get(quantity, ())
    if quantity == "pointing" and set(_types(ds)) <= _ELSEWHERE:
        return False
    return all(
        name in ds.coords and bool(np.isfinite(ds[name].values.astype(float)).any())
        for name in needed
    )


def _columns(
    ds: xr.Dataset, quantities: Sequence[str], channel: int | str | None
) -> dict[str, dict[str, Floats]]:
    """Return what is drawn of each quantity, by the label of the series."""
    found: dict[str, dict[str, Floats]] = {name: {} for name in quantities}
    if {"level", "noise"} & set(quantities):
        names = schema.names(ds, "channel")
        place = 0 if channel is None else schema.number_of(channel, names, "channel")
        levels = np.array(list(_levels(ds.isel(channel=place)))).reshape(-1, 2)
        measured = {"level": levels[:, 0], "noise": levels[:, 1]}
        found |= {name: {"": measured[name]} for name in measured if name in found}
    if "temperature" in found and _known(ds, "temperature"):
        found["temperature"] = {"": ds["temperature"].values.astype(float)}
    if "pointing" in found and _known(ds, "pointing"):
        ra, dec = (ds[name].values.astype(float) for name in ("ra", "dec"))
        middle = float(np.nanmedian(dec))
        apart = (ra - _middle(ra) + 180) % 360 - 180
        found["pointing"] = {
            "right ascension": 60 * apart * np.cos(np.deg2rad(middle)),
            "declination": 60 * (dec - middle),
        }
    return found


def _middle(degrees: Floats) -> float:
    """Return the median of angles that may lie on both sides of 0."""
    first = degrees[np.isfinite(degrees)][0]
    return float(first + np.nanmedian((degrees - first + 180) % 360 - 180))


def _levels(plane: xr.Dataset) -> Iterator[tuple[float, float]]:
    """Yield the median and the noise of each frame, reading one frame at a time."""
    rows = some_rows(plane[[name for name in ("image", "mask") if name in plane]])
    for number in range(plane.sizes["frame"]):
        values = good_values(rows.isel(frame=number).compute())
        known = values[np.isfinite(values)]
        yield (float(np.median(known)) if known.size else np.nan), scatter(differences(values))


def _draw(axes: "Axes", along: Any, columns: Mapping[str, Floats], number: int, name: str) -> None:
    colour, marker = series(number)
    for label, values in columns.items():
        looks: dict[str, Any] = {"color": colour, "markersize": 4}
        if label == _HOLLOW:
            looks |= {"fillstyle": "none", "markersize": 7}
        axes.plot(along, values, marker, **looks, label=label or name or "_")


def _finish(axes: "list[Axes]", drawn: Sequence[str], first: xr.Dataset, timed: bool) -> None:
    unit = unit_in_words(schema.units_of(first))
    units = {"level": unit, "noise": unit, "temperature": "°C", "pointing": "arcmin"}
    for place, quantity in zip(axes, drawn, strict=True):
        place.set_ylabel(f"{quantity} [{units[quantity]}]")
        values = np.concatenate([line.get_ydata() for line in place.get_lines()])
        known = values[np.isfinite(values)]
        positive = bool(known.size and known.min() > 0) and quantity in ("level", "noise")
        if positive and known.max() > _SPAN * known.min():
            place.set_yscale("log")
        else:
            place.ticklabel_format(axis="y", useOffset=False)
        handles, labels = place.get_legend_handles_labels()
        if labels and (place is axes[0] or quantity == "pointing"):
            once = dict(zip(reversed(labels), reversed(handles), strict=True))
            names = list(dict.fromkeys(labels))
            place.legend(
                [once[name] for name in names],
                names,
                fontsize="small",
                frameon=False,
                loc="upper left",
                bbox_to_anchor=(1, 1),
            )
    if timed:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator()
        axes[-1].xaxis.set_major_locator(locator)
        axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes[-1].set_xlabel("time [UTC]" if timed else "frame, in the order given")
