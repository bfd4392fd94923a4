"""Which overscan pixels tell which level, decided once for all frames of a shape.

Positions are raw-frame pixels. What a plan refuses is wrong for every frame; what is wrong with a
single frame (too few pixels left) is found when it is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autowisp_xr.amplifiers import Amplifier
from autowisp_xr.errors import CalibrationError
from autowisp_xr.options import Overscan
from autowisp_xr.overscan_fits.basis import basis, terms_of
from autowisp_xr.regions import Region

__all__ = ["Measurement", "Plan", "amplifier_of", "plan_passes", "within"]


@dataclass(frozen=True)
class Measurement:
    """One pass over the pixels of one amplifier."""

    method: Overscan
    amplifier: int
    place: str
    """Of the amplifier, for errors; empty where there is one only."""
    index: Any
    """(lines, places) int64: pixels of each line, in the list that was planned for; -1 for none."""
    lines: Any
    """(lines) int64: rows or columns, counted from the first of the frames."""
    here: Any
    """(lines, terms) float64: the model on these lines, or None."""
    everywhere: Any
    """(all rows or columns, terms) float64: the model on those of the frames, or None."""


@dataclass(frozen=True)
class Plan:
    """Passes over a list of overscan pixels."""

    passes: tuple[tuple[Measurement, ...], ...]
    y: Any
    """(pixels) int64: row of each, counted from the first of the frames."""
    x: Any
    shape: tuple[int, int]
    """Rows and columns of the frames."""
    amplifiers: int


def plan_passes(
    y: Any,
    x: Any,
    methods: Sequence[Overscan],
    areas: Sequence[Region],
    *,
    extent: Region,
    image: tuple[Any, Any],
    amplifiers: Sequence[Amplifier] = (),
) -> Plan:
    """Plan of passes one after another.

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
    _check_passes(methods)
    reader = amplifier_of(y, x, amplifiers)
    if amplifiers:
        _check_read(y, x, reader, methods, areas, amplifiers)
    rows, columns = image
    if amplifiers:
        readers = amplifier_of(rows[:, None], columns, amplifiers)
        stray = np.argwhere(readers == len(amplifiers))
        if len(stray):
            _refuse_stray("image", int(rows[stray[0][0]]), int(columns[stray[0][1]]), amplifiers)
    passes: list[list[Measurement]] = [[] for _ in methods]
    for number, one in enumerate(amplifiers or [Amplifier(region=extent)]):
        own_rows = rows[(rows >= one.region.ymin) & (rows < one.region.ymax)]
        own_columns = columns[(columns >= one.region.xmin) & (columns < one.region.xmax)]
        if not own_rows.size or not own_columns.size:
            continue  # the image has nothing of this amplifier
        chosen = [
            _in_any(y, x, method.areas or one.overscan or areas) & (reader == number)
            for method in methods
        ]
        for turn, method in enumerate(methods):
            later = np.any(chosen[turn + 1 :], axis=0) if turn + 1 < len(methods) else None
            where, first = (y, extent.ymin) if method.per == "row" else (x, extent.xmin)
            passes[turn].append(
                _measurement(
                    method,
                    number,
                    f"amplifier {one}" if amplifiers else "",
                    np.zeros_like(y) if method.per == "frame" else where - first,
                    chosen[turn],
                    own_rows - first if method.per == "row" else own_columns - first,
                    None if later is None else np.unique(where[later]) - first,
                    extent,
                )
            )
    shape = (extent.ymax - extent.ymin, extent.xmax - extent.xmin)
    measured = tuple(tuple(one) for one in passes)
    return Plan(measured, y - extent.ymin, x - extent.xmin, shape, len(amplifiers or [0]))


def amplifier_of(y: Any, x: Any, amplifiers: Sequence[Amplifier]) -> Any:
    """Number of the amplifier that reads each pixel; their number where none does."""
    if not amplifiers:
        return np.zeros(np.broadcast_shapes(np.shape(y), np.shape(x)), np.intp)
    reader = np.full(np.broadcast_shapes(np.shape(y), np.shape(x)), len(amplifiers), np.intp)
    for number, one in enumerate(amplifiers):
        for area in one.areas:
            reader[within(y, x, area)] = number
    return reader


def within(y: Any, x: Any, region: Region) -> Any:
    """Which pixels lie in a region, bool of the shape of ``y`` and ``x``."""
    rows = (y >= region.ymin) & (y < region.ymax)
    return rows & (x >= region.xmin) & (x < region.xmax)


def _measurement(
    method: Overscan,
    amplifier: int,
    place: str,
    line: Any,
    chosen: Any,
    image_lines: Any,
    later_lines: Any,
    extent: Region,
) -> Measurement:
    """One pass over one amplifier, of the pixels in ``chosen`` by the line that each lies on."""
    at = f" of {place}" if place else ""
    if not chosen.any():
        raise CalibrationError(
            f"no overscan pixel{at} lies in the overscan areas; every amplifier with a part of "
            "the image needs some"
        )
    terms = terms_of(method)
    if terms is None and method.per != "frame":
        # a line that nobody asks for would only lend its noise to what rejects pixels
        wanted = image_lines if later_lines is None else np.union1d(image_lines, later_lines)
        present = np.unique(line[chosen])
        start = extent.ymin if method.per == "row" else extent.xmin
        _check_covered(method, image_lines, present, start, f"the image{at}")
        if later_lines is not None:
            _check_covered(method, later_lines, present, start, f"the overscan{at} of later passes")
        chosen = chosen & np.isin(line, wanted)
    pixels = np.flatnonzero(chosen)
    lines, which, count = np.unique(line[pixels], return_inverse=True, return_counts=True)
    if terms is not None and len(lines) < terms:
        raise CalibrationError(
            f"{terms} terms cannot be fitted to {len(lines)} overscan {method.per}s{at}; give "
            "fewer terms, or larger areas"
        )
    if method.per != "frame" and len(pixels) <= (terms or len(lines)):
        raise CalibrationError(
            f"{len(pixels)} overscan pixels{at} for {terms or len(lines)} levels tell no noise; "
            "give larger areas, or a model (polynomial_terms, spline_nodes)"
        )
    order = np.argsort(which, kind="stable")
    place_in_line = np.arange(len(pixels)) - np.repeat(np.cumsum(count) - count, count)
    index = np.full((len(lines), int(count.max())), -1, np.int64)
    index[which[order], place_in_line] = pixels[order]
    here = everywhere = None
    if terms is not None:
        first, last = float(lines[0]), float(lines[-1])
        rows = method.per != "column"
        total = extent.ymax - extent.ymin if rows else extent.xmax - extent.xmin
        here = basis(method, lines, first, last)
        everywhere = basis(method, np.arange(total), first, last)
    return Measurement(method, amplifier, place, index, lines, here, everywhere)


def _check_passes(methods: Sequence[Overscan]) -> None:
    for axis in ("row", "column"):
        if sum(method.per == axis for method in methods) > 1:
            raise CalibrationError(
                f"two passes per {axis}: the second would measure what the first has left of the "
                f"same {axis}s; give one pass with the areas of both"
            )


def _check_covered(method: Overscan, wanted: Any, present: Any, start: int, what: str) -> None:
    missing = np.setdiff1d(wanted, present) + start
    if missing.size:
        raise CalibrationError(
            f"per={method.per!r}: {what} has {method.per}s without overscan pixels, "
            f"{_runs(missing)}; give areas that cover them, or a model along the {method.per}s "
            "(polynomial_terms, spline_nodes)"
        )


def _runs(numbers: Any) -> str:
    """Sorted numbers as ranges, "0 to 3, 7", the first few."""
    ends = np.flatnonzero(np.diff(numbers) > 1)
    first, last = np.r_[numbers[:1], numbers[ends + 1]], np.r_[numbers[ends], numbers[-1:]]
    texts = [f"{a} to {b}" if b > a else f"{a}" for a, b in zip(first, last, strict=True)]
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more ranges" if len(texts) > 3 else "")


def _in_any(y: Any, x: Any, areas: Sequence[Region]) -> Any:
    if not areas:
        return np.zeros(np.shape(y), bool)
    return np.any([within(y, x, area) for area in areas], axis=0)


def _check_read(
    y: Any,
    x: Any,
    reader: Any,
    methods: Sequence[Overscan],
    areas: Sequence[Region],
    amplifiers: Sequence[Amplifier],
) -> None:
    """Refuse pixels of the areas that all amplifiers share if none reads them."""
    shared = any(not one.overscan for one in amplifiers)
    for method in methods:
        common = method.areas or (areas if shared else ())
        lost = (reader == len(amplifiers)) & _in_any(y, x, common)
        if lost.any():
            _refuse_stray("overscan", int(y[lost][0]), int(x[lost][0]), amplifiers)


def _refuse_stray(kind: str, y: int, x: int, amplifiers: Sequence[Amplifier]) -> None:
    listed = "; ".join(map(str, amplifiers))
    raise CalibrationError(
        f"the {kind} pixel at x = {x}, y = {y} lies in no amplifier; the amplifiers are {listed}; "
        "let them cover image and overscan"
    )
