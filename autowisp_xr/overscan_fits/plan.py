"""The plan which overscan pixels belong to which level, for all frames of a shape.

Positions are raw-frame pixels. What a plan refuses is wrong for every frame; what is wrong with a
single frame (too few pixels left) is found when it is measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.camera.amplifiers import Amplifier
from autowisp_xr.errors import CalibrationError
from autowisp_xr.options import Overscan
from autowisp_xr.regions import Region


@dataclass(frozen=True)
class Measurement:
    """One pass over the pixels of one amplifier."""

    method: Overscan
    place: str
    """The amplifier, for messages; empty where there is one only."""
    index: Integers
    """(lines, places) int64: pixels of each line, in the list that was planned for; -1 for none."""
    lines: Integers
    """(lines) int64: rows or columns, counted from the first of the frames."""
    model: tuple[Floats, Floats] | None
    """(lines, terms) and (all rows or columns, terms) float64: the terms of the model on these
    lines, and on those of the frames; None for a level of its own for each line."""


@dataclass(frozen=True)
class Plan:
    """The passes over a list of overscan pixels."""

    passes: tuple[tuple[Measurement, ...], ...]
    """The passes of each amplifier, in order; none where the image has nothing of it."""
    y: Integers
    """(pixels) int64: row of each, counted from the first of the frames."""
    x: Integers
    shape: tuple[int, int]
    """Rows and columns of the frames."""

    @property
    def amplifiers(self) -> int:
        """The number of amplifiers."""
        return len(self.passes)


def plan_passes(
    y: Integers,
    x: Integers,
    methods: Sequence[Overscan],
    areas: Sequence[Region],
    *,
    extent: Region,
    image: tuple[Integers, Integers],
    amplifiers: Sequence[Amplifier] = (),
) -> Plan:
    """Plan the passes over overscan pixels, one after another.

    Parameters
    ----------
    y, x : (pixels) int64
        Where the pixels lie, each once; those outside the areas of a pass take no part in it.
    methods
        The passes.
    areas
        Of the methods that have none of their own.
    extent
        What the frames cover.
    image
        Rows and columns that must have a level.
    amplifiers
        What has a level of its own, from areas of its own where it has any.

    Raises
    ------
    CalibrationError
        For two passes along the same lines; for pixels in no amplifier, an amplifier without
        overscan pixels, lines without a level, fewer lines than terms.
    """
    for axis in ("row", "column"):
        if sum(method.per == axis for method in methods) > 1:
            raise CalibrationError(
                f"two passes per {axis}: the second would measure what the first has left of the "
                f"same {axis}s; give one pass with the areas of both"
            )
    rows, columns = image
    reader = amplifier_of(y, x, amplifiers)
    # areas that amplifiers share, as those have that lack their own
    shared = areas if any(not one.overscan for one in amplifiers) else ()
    for method in methods:
        used = _in_any(y, x, method.areas or shared)
        _check_read("overscan", y[used], x[used], amplifiers)
    y_image, x_image = np.broadcast_arrays(rows[:, None], columns)
    _check_read("image", y_image, x_image, amplifiers)
    passes: list[tuple[Measurement, ...]] = []
    for number, one in enumerate(amplifiers or [Amplifier(region=extent)]):
        own_rows = rows[(rows >= one.region.ymin) & (rows < one.region.ymax)]
        own_columns = columns[(columns >= one.region.xmin) & (columns < one.region.xmax)]
        if not own_rows.size or not own_columns.size:
            passes.append(())
            continue
        chosen = [
            _in_any(y, x, method.areas or one.overscan or areas) & (reader == number)
            for method in methods
        ]
        place = f"amplifier {one}" if amplifiers else ""
        steps = []
        for turn, method in enumerate(methods):
            by_row = method.per == "row"
            where, own = (y, own_rows) if by_row else (x, own_columns)
            first, end = (extent.ymin, extent.ymax) if by_row else (extent.xmin, extent.xmax)
            wanted = {f"the image{_of(place)}": own}
            if turn + 1 < len(methods):
                later = np.unique(where[np.any(chosen[turn + 1 :], axis=0)])
                wanted[f"the overscan{_of(place)} of later passes"] = later
            steps.append(_measurement(method, place, where, chosen[turn], wanted, first, end))
        passes.append(tuple(steps))
    shape = (extent.ymax - extent.ymin, extent.xmax - extent.xmin)
    return Plan(tuple(passes), y - extent.ymin, x - extent.xmin, shape)


def amplifier_of(y: Integers, x: Integers, amplifiers: Sequence[Amplifier]) -> Integers:
    """Return the number of the amplifier that reads each pixel; beyond the last where none does."""
    reader = np.full(np.broadcast_shapes(np.shape(y), np.shape(x)), len(amplifiers), np.intp)
    for number, one in enumerate(amplifiers):
        for area in one.areas:
            reader[within(y, x, area)] = number
    return reader


def within(y: Integers, x: Integers, region: Region) -> Bools:
    """Return which pixels lie in a region, bool of the shape of ``y`` and ``x``."""
    rows = (y >= region.ymin) & (y < region.ymax)
    return rows & (x >= region.xmin) & (x < region.xmax)


def _of(place: str) -> str:
    return f" of {place}" if place else ""


def _measurement(
    method: Overscan,
    place: str,
    where: Integers,
    chosen: Bools,
    wanted: Mapping[str, Integers],
    first: int,
    end: int,
) -> Measurement:
    """Plan one pass over one amplifier.

    Parameters
    ----------
    method, place
        As the measurement has them.
    where
        (pixels): row or column that each lies on.
    chosen
        (pixels): whether it takes part.
    wanted
        Lines that must have a level, by what they are of.
    first, end
        Of the lines of the frames.
    """
    at = _of(place)
    if not chosen.any():
        raise CalibrationError(
            f"no overscan pixel{at} lies in the overscan areas; every amplifier with a part of "
            "the image needs some"
        )
    terms = terms_of(method)
    if terms is None and method.per != "frame":
        for what, lines in wanted.items():
            _check_covered(method, lines, where[chosen], what)
        # a line that nobody asks for would only lend its noise to what rejects pixels
        chosen = chosen & np.isin(where, np.concatenate(list(wanted.values())))
    pixels = np.flatnonzero(chosen)
    line = np.zeros_like(pixels) if method.per == "frame" else where[pixels] - first
    lines, which, count = np.unique(line, return_inverse=True, return_counts=True)
    if terms is not None and len(lines) < terms:
        raise CalibrationError(
            f"{terms} terms cannot be fitted to {len(lines)} overscan {method.per}s{at}; give "
            "fewer terms, or larger areas"
        )
    if method.per != "frame" and len(pixels) <= (terms or len(lines)):
        raise CalibrationError(
            f"{len(pixels)} overscan pixels{at} for {terms or len(lines)} levels do not "
            "determine the noise; give larger areas, or a model (polynomial_terms, spline_nodes)"
        )
    order = np.argsort(which, kind="stable")
    place_in_line = np.arange(len(pixels)) - np.repeat(np.cumsum(count) - count, count)
    index = np.full((len(lines), int(count.max())), -1, np.int64)
    index[which[order], place_in_line] = pixels[order]
    model = None
    if terms is not None:
        ends = float(lines[0]), float(lines[-1])
        model = basis(method, lines, *ends), basis(method, np.arange(end - first), *ends)
    return Measurement(method, place, index, lines, model)


def _check_covered(method: Overscan, wanted: Integers, present: Integers, what: str) -> None:
    missing = np.setdiff1d(wanted, present)
    if not missing.size:
        return
    runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
    texts = [f"{run[0]} to {run[-1]}" if run.size > 1 else f"{run[0]}" for run in runs]
    more = f" and {len(texts) - 3} more ranges" if len(texts) > 3 else ""
    raise CalibrationError(
        f"per={method.per!r}: {what} has {method.per}s without overscan pixels, "
        f"{', '.join(texts[:3])}{more}; give areas that cover them, or a model along the "
        f"{method.per}s (polynomial_terms, spline_nodes)"
    )


def _in_any(y: Integers, x: Integers, areas: Sequence[Region]) -> Bools:
    return np.any([np.zeros(np.shape(y), bool), *(within(y, x, area) for area in areas)], axis=0)


def _check_read(kind: str, y: Integers, x: Integers, amplifiers: Sequence[Amplifier]) -> None:
    """Refuse pixels that no amplifier reads, where there are any amplifiers."""
    if not amplifiers:
        return
    lost = amplifier_of(y, x, amplifiers) == len(amplifiers)
    if lost.any():
        raise CalibrationError(
            f"the {kind} pixel at x = {x[lost][0]}, y = {y[lost][0]} lies in no amplifier; the "
            f"amplifiers are {'; '.join(map(str, amplifiers))}; let them cover image and overscan"
        )


def terms_of(method: Overscan) -> int | None:
    """Return the number of terms along the lines; None where each line has its own level."""
    return method.polynomial_terms or method.spline_nodes


def basis(method: Overscan, lines: Integers, first: float, last: float) -> Floats:
    """Evaluate the terms of the model of a method on lines.

    Parameters
    ----------
    method
        With a polynomial or a spline.
    lines : (n,) array
        Numbers of rows or columns.
    first, last
        The lines between which the model is scaled. Beyond them it is extrapolated, by the
        polynomial or by the outermost pieces of the spline.

    Returns
    -------
    (n, terms) float64. Legendre polynomials are orthogonal on even lines, so that many terms do
    not lose digits; B-splines of degree min(3, terms - 1) have uniform knots between the ends.
    """
    half = max((last - first) / 2, 0.5)
    scaled = (np.asarray(lines, dtype=np.float64) - (first + last) / 2) / half
    if method.spline_nodes is None:
        return np.polynomial.legendre.legvander(scaled, (terms_of(method) or 1) - 1)
    # takes a quarter of a second to import, and few overscans are splines
    from scipy.interpolate import BSpline

    degree = min(3, method.spline_nodes - 1)
    inner = np.linspace(-1.0, 1.0, method.spline_nodes - degree + 1)
    knots = np.r_[[-1.0] * degree, inner, [1.0] * degree]
    splines = BSpline(knots, np.eye(method.spline_nodes), degree, extrapolate=True)
    return np.asarray(splines(scaled))
