"""Charts as SVG that is a part of the page, in its colours, be they light or dark."""

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.plot import figures
from autowisp_xr.plot.figures import new_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_THEME = {
    "#000000": "currentColor",
    "#404040": "currentColor",
    figures.BLUE: "var(--blue)",
    figures.VERMILLION: "var(--vermillion)",
    figures.GREEN: "var(--green)",
    figures.PURPLE: "var(--purple)",
    figures.ORANGE: "var(--orange)",
    figures.SKY: "var(--sky)",
    figures.GREY: "var(--grey)",
}
"""What becomes of the colours of matplotlib: variables of the style sheet."""

_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]+)')

_LARGE, _SMALL = (4.8, 3.7), (2.7, 2.1)
"""Inches of charts of the course of a night, and of histograms."""

_AGREE, _NOISE_AGREES = 2e-3, 0.05
"""Relative differences of levels and noise that look as small as they are."""

_BINS = 120
_ENDS = (1e-3, 1 - 1e-3)
"""Quantiles beyond which values count in the outermost bins."""
_ROOM = 0.15
"""Of their distance, that is shown beyond."""

_TICKS = 5
_STEPS = (
    *((step, "%H:%M:%S") for step in (1, 2, 5, 10, 15, 30)),
    *((60 * step, "%H:%M") for step in (1, 2, 5, 10, 15, 30, 60, 120, 180)),
    *((3600 * step, "%d %b %H:%M") for step in (6, 12)),
    *((86400 * step, "%d %b %Y") for step in (1, 2, 5, 10, 30, 90, 365, 3650, 36500)),
)
"""Seconds between times that are written, and how they are; the first that makes few enough."""

_SPAN = 30.0
"""Values of which the largest is so many times the smallest are drawn on a log scale."""


class Chart(NamedTuple):
    """A chart in a page."""

    svg: str
    alt: str


class Series(NamedTuple):
    """Frames of one set."""

    name: str
    time: Any
    """datetime64, NaT where it is not known."""
    level: Floats
    noise: Floats


def as_svg(figure: "Figure", name: str) -> str:
    """Return a figure as an SVG element, whose definitions have a ``name`` of their own."""
    from matplotlib import rc_context

    text = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify": True}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, variable in _THEME.items():
        svg = svg.replace(colour.lower(), variable)
    used = set(_REFERENCE.findall(svg))
    svg = _ID.sub(lambda match: f'id="{name}-{match[1]}"' if match[1] in used else "", svg)
    svg = re.sub(r'((?:href="#|url\(#))', rf"\g<1>{name}-", svg)
    # the size is that of the page, and readers of screens read the description
    svg = re.sub(r'<svg [^>]*viewBox="([^"]+)"[^>]*>', _opening, svg, count=1)
    return re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)


def _opening(match: "re.Match[str]") -> str:
    return f'<svg viewBox="{match[1]}" aria-hidden="true" focusable="false">'


def histogram(values: Floats, unit: str, name: str) -> str:
    """Draw how many pixels have which value, with a line at their median."""
    figure = new_picture(*_SMALL)
    axes = figure.subplots()
    _plain(axes)
    low, high = np.quantile(values, _ENDS).tolist()
    room = _ROOM * (high - low) or max(abs(high), 1.0) * 1e-3
    edges = np.linspace(low - room, high + room, _BINS + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    axes.stairs(counts, edges, fill=True, color=figures.BLUE, alpha=0.35, linewidth=0)
    axes.stairs(counts, edges, color=figures.BLUE, linewidth=1)
    axes.axvline(float(np.median(values)), color="0.25", linewidth=0.8, linestyle="--")
    axes.locator_params(axis="x", nbins=5)
    axes.set(yscale="log", xlabel=unit, ylabel="pixels", xlim=(edges[0], edges[-1]))
    axes.set_ylim(bottom=0.7)
    return as_svg(figure, name)


def course(sets: Sequence[Series], name: str, what: str) -> str:
    """Draw level and noise of frames against time, one above the other."""
    figure = new_picture(*_LARGE)
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    timed = not any(np.isnat(one.time).any() for one in sets)
    first = 1
    for number, one in enumerate(sets):
        colour, marker = figures.series(number)
        along: Any = one.time if timed else np.arange(first, first + len(one.level))
        first += len(one.level)
        looks: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4}
        looks |= {"linestyle": "-", "linewidth": 0.6, "label": one.name}
        above.plot(along, one.level, **looks)
        below.plot(along, one.noise, **looks)
    rows = (above, f"{what} [ADU]", _AGREE), (below, "noise [ADU]", _NOISE_AGREES)
    for axes, label, agree in rows:
        _plain(axes)
        axes.set_ylabel(label)
        axes.margins(x=0.04, y=0.15)
        _scale(axes, np.concatenate([line.get_ydata() for line in axes.get_lines()]), agree)
    if len(sets) > 1:
        legend = figure.legend(*above.get_legend_handles_labels(), **_legend(len(sets)))
        for text in legend.get_texts():
            # names of filters are no formulas
            text.set_parse_math(False)
    if timed:
        _mark_times(below, np.concatenate([one.time for one in sets]))
    below.set_xlabel("time [UTC]" if timed else "frame, in the order of names")
    figure.align_ylabels()
    return as_svg(figure, name)


def _mark_times(axes: "Axes", times: Any) -> None:
    """Write some round times along an axis: in seconds, minutes or days, as their span suits."""
    from matplotlib.dates import DateFormatter

    seconds = (times - np.datetime64(0, "s")) / np.timedelta64(1, "s")
    first, last = float(seconds.min()), float(seconds.max())
    step, form = next(one for one in _STEPS if last - first <= _TICKS * one[0])
    ticks = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
    if not ticks.size:
        ticks = np.array([first])
    axes.set_xticks(ticks.astype("datetime64[s]"))
    axes.xaxis.set_major_formatter(cast(Any, DateFormatter)(form))


def _legend(number: int) -> dict[str, Any]:
    return {"loc": "outside lower center", "ncols": min(number, 3), "frameon": False}


def _scale(axes: "Axes", values: Floats, agree: float) -> None:
    known = values[np.isfinite(values)]
    if known.size and known.min() > 0 and known.max() > _SPAN * known.min():
        axes.set_yscale("log")
        return
    axes.ticklabel_format(axis="y", useOffset=False)
    middle, apart = (known.max() + known.min()) / 2, np.ptp(known) if known.size else 0.0
    least = agree * abs(middle)
    if apart < least:
        axes.set_ylim(float(middle - least), float(middle + least))


def _plain(axes: "Axes") -> None:
    """Take away what does not inform."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=figures.GREY, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)


def described(sets: Sequence[Series], what: str) -> str:
    """Describe a course in words, for those who do not see it."""
    lines = []
    for one in sets:
        spans: Mapping[str, Floats] = {what: one.level, "noise": one.noise}
        words = [
            f"{label} {np.nanmin(values):.5g} to {np.nanmax(values):.5g} ADU"
            for label, values in spans.items()
            if np.isfinite(values).any()
        ]
        lines.append(f"{one.name}, {len(one.level)} frames: {', '.join(words)}")
    return "; ".join(lines)
