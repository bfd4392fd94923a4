"""The panels that show what decided about each flat: its variance, level and structure."""

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.plot.figures import BLUE, GREEN, GREY, PURPLE, SKY, VERMILLION, ending
from autowisp_xr.plot.table import LONGEST_NAME, FlatTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


Draw = Callable[["Axes", FlatTable], None]

_LOOKS = {
    "high": (BLUE, "^"),
    "low": (SKY, "v"),
    "medium": (GREY, "s"),
    "cloudy": (VERMILLION, "X"),
    "saturated": (PURPLE, "D"),
    "colocated": (GREEN, "*"),
}
"""Colour and marker of each class; the colours of Okabe and Ito, which everyone can distinguish."""

_MEAN = "mean of the stamp [ADU]"
_UNKNOWN = ("black", ".")
_FITTED: dict[str, Any] = {"color": "0.25", "linewidth": 1}
_BAND: dict[str, Any] = {"color": "0.85", "linewidth": 0}
_LIMIT: dict[str, Any] = {"color": "0.25", "linewidth": 1, "linestyle": "--"}

_SPAN = 30.0
"""Values of which the largest is so many times the smallest are drawn on a log scale."""

_HIDES = 3.0
"""So also variances of which the largest is so many times the largest of the fit."""

_NO_STRUCTURE = 1e-3
"""Per cent; what is less is drawn as this."""

_WORD = 0.12
"""Width of a name, relative to that of the axes."""

_FEW = 6
"""The number of names that are still readable."""


def panels(table: FlatTable) -> list[tuple[Draw, float]]:
    """Return the panels to draw, from top to bottom along the same means, with relative heights."""
    if not np.isfinite(table.mean).any():
        return [(_nothing, 1)]
    if not np.isfinite(table.variance).any():
        return [(_levels, 1)]
    found: list[tuple[Draw, float]] = [(_variance, 3)]
    if np.isfinite(table.distance).any():
        found.append((_distance, 1.5))
    if np.isfinite(table.deviation).any():
        found.append((_deviation, 1.5))
    return found


def add_legend(figure: "Figure | SubFigure", table: FlatTable) -> None:
    """Draw the numbers of frames of each class below the panels, where they hide nothing."""
    axes = figure.axes[0]
    for kind in _kinds(table):
        chosen = table.of_kind(kind)
        unseen = np.count_nonzero(chosen & ~np.isfinite(table.mean))
        colour, marker = _LOOKS.get(kind, _UNKNOWN)
        number = np.count_nonzero(chosen)
        missing = f" ({'' if unseen == number else f'{unseen} '}not drawn)" if unseen else ""
        label = f"{number} {kind}{missing}"
        axes.plot([], [], color=colour, marker=marker, linestyle="", label=label)
    figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)


def _nothing(axes: "Axes", table: FlatTable) -> None:
    axes.text(0.5, 0.5, "no frame has a level to draw", ha="center", transform=axes.transAxes)
    axes.set_axis_off()


def _levels(axes: "Axes", table: FlatTable) -> None:
    from matplotlib.ticker import MaxNLocator

    order = np.arange(1.0, len(table.names) + 1)
    _draw_flats(axes, table, order, table.mean, ("", "night", "distance", "deviation"))
    axes.set(xlabel="frame, in the order given", ylabel="mean [ADU]")
    axes.set_xlim(0.5, len(order) + 0.5)
    axes.margins(y=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if _spans(table.mean):
        axes.set_yscale("log")
    _write_out(axes)


def _variance(axes: "Axes", table: FlatTable) -> None:
    if _spans(table.mean):
        axes.set_xscale("log")
    if _spans(table.variance) and (_spans(table.mean) or _hidden_by_others(table)):
        axes.set_yscale("log")
    tests = ("", "night") if np.isfinite(table.distance).any() else ("", "night", "distance")
    _draw_flats(axes, table, table.mean, table.variance, tests)
    _draw_fit(axes, table)
    axes.set(xlabel=_MEAN, ylabel="variance [ADU$^2$]")
    axes.set_title("Is the noise of each flat that of its light?", fontsize="medium", pad=18)
    _draw_levels(axes, table, named=True)
    _write_out(axes)


def _distance(axes: "Axes", table: FlatTable) -> None:
    limit = table.limits.get("cloudy_frame_threshold")
    largest = float(np.nanmax(np.abs(table.distance)))
    if limit and not table.cloudy_night:
        axes.axhspan(-limit, limit, **_BAND)
        if largest > 4 * limit:
            _compress(axes, limit, largest)
    axes.axhline(0, **_FITTED)
    _draw_below(axes, table, table.distance, "distance", "distance from\nthe fit [residuals]")


def _deviation(axes: "Axes", table: FlatTable) -> None:
    # a frame may be the reference itself, and rounding is no structure
    per_cent = np.maximum(100 * table.deviation, _NO_STRUCTURE)
    limit = table.limits.get("large_scale_deviation_threshold")
    if limit is not None:
        axes.axhspan(0, 100 * limit, **_BAND)
    if _spans(per_cent):
        axes.set_yscale("log")
    _draw_below(axes, table, per_cent, "deviation", "structure left after\nmatching [%]")
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)


def _draw_below(axes: "Axes", table: FlatTable, values: Floats, test: str, label: str) -> None:
    """Draw values of a test against the means, below the panel of variances."""
    _draw_flats(axes, table, table.mean, values, (test,))
    axes.set(xlabel=_MEAN, ylabel=label)
    axes.margins(y=0.25)
    _draw_levels(axes, table)


def _compress(axes: "Axes", limit: float, largest: float) -> None:
    """Make a scale linear in the band and logarithmic outside, with ticks far enough apart."""
    decades = limit * 10.0 ** np.arange(np.ceil(np.log10(largest / limit)) + 1)
    axes.set_yscale("symlog", linthresh=limit, linscale=1.0)
    axes.set_yticks([*-decades, 0, *decades], minor=False)
    axes.set_yticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:g}")


def _draw_fit(axes: "Axes", table: FlatTable) -> None:
    if not np.isfinite(table.coefficients).all():
        return
    first, last = np.nanmin(table.mean), np.nanmax(table.mean)
    logarithmic = axes.get_xscale() == "log"
    mean = (np.geomspace if logarithmic else np.linspace)(first, last, 200)
    fit = np.polynomial.Polynomial(table.coefficients)(mean)
    poor = f", too poor: residual {table.residual:.3g} ADU$^2$" if table.cloudy_night else ""
    axes.plot(mean, fit, **_FITTED, label=f"fit: a parabola{poor}")
    limit = table.limits.get("cloudy_frame_threshold")
    if limit is None or table.cloudy_night or not table.residual > 0:
        return
    half = limit * table.residual
    label = f"± {limit:g} residuals of {table.residual:.3g} ADU$^2$"
    # a wide band must not make the points small
    seen = axes.get_ylim()
    axes.fill_between(mean, fit - half, fit + half, **_BAND, label=label)
    axes.set_ylim(seen)


def _write_out(axes: "Axes") -> None:
    """Write numbers on the linear axes as they are, without a power or an offset in a corner."""
    for name in ("x", "y"):
        if getattr(axes, f"get_{name}scale")() == "linear":
            axes.ticklabel_format(axis=name, style="plain", useOffset=False)


def _draw_levels(axes: "Axes", table: FlatTable, *, named: bool = False) -> None:
    for option, words, side in (
        ("max_low_mean", "low < {:g}", "right"),
        ("min_high_mean", "high > {:g}", "left"),
    ):
        if option not in table.limits:
            continue
        level = table.limits[option]
        axes.axvline(level, **_LIMIT)
        if named:
            above = axes.get_xaxis_transform()
            axes.text(level, 1.02, words.format(level), ha=side, fontsize="small", transform=above)


def _draw_flats(
    axes: "Axes", table: FlatTable, x: Floats, y: Floats, tests: tuple[str, ...]
) -> None:
    """Draw a point for each frame, and the names of those that these tests rejected, if few."""
    known = np.isfinite(x) & np.isfinite(y)
    for kind in _kinds(table):
        colour, marker = _LOOKS.get(kind, _UNKNOWN)
        chosen = table.of_kind(kind) & known
        axes.scatter(x[chosen], y[chosen], 36, color=colour, marker=marker, zorder=3, linewidths=0)
    named = [name for name in table.rejected() if table.decided_by(name) in tests]
    if len(named) > _FEW:
        return
    along = np.log(x) if axes.get_xscale() == "log" else x
    places = [table.names.index(name) for name in named]
    seen = sorted((place for place in places if known[place]), key=lambda place: x[place])
    sides = _roomier_sides(along[seen], float(np.nanmin(along)), float(np.nanmax(along)))
    for number, (place, side) in enumerate(zip(seen, sides, strict=True)):
        axes.annotate(
            ending(table.names[place], LONGEST_NAME),
            (x[place], y[place]),
            # neighbours in turn above and below, or one name covers the next frame
            xytext=(4 * side, -7 if number % 2 else 7),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize="x-small",
            parse_math=False,
        )


def _roomier_sides(along: Floats, first: float, last: float) -> list[int]:
    """Return the side of each place, in order, on which a word has more room."""
    gaps = np.diff([first, *along, last])
    # a word that does not fit between a place and the edge would leave the axes
    gaps[[0, -1]] *= gaps[[0, -1]] > _WORD * (last - first)
    return [1 if after >= before else -1 for before, after in pairwise(gaps)]


def _kinds(table: FlatTable) -> list[str]:
    """Return the classes that there are."""
    return [kind for kind in dict.fromkeys([*_LOOKS, *table.kinds]) if kind in table.kinds]


def _hidden_by_others(table: FlatTable) -> bool:
    """Return whether variances far above the fit would make it a flat line."""
    fitted = table.predicted[np.isfinite(table.predicted)]
    return bool(fitted.size and np.nanmax(table.variance) > _HIDES * fitted.max())


def _spans(values: Floats) -> bool:
    """Return whether a log scale is possible, and needed."""
    seen = values[np.isfinite(values)]
    return bool((seen > 0).all() and seen.max() > _SPAN * seen.min())
