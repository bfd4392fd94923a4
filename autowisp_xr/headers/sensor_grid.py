"""The raw-frame pixels that an image holds, and the cards of a header that count its pixels.

Decision: the cards of a header are always converted from the grid that this very header names to
another one. Whatever was cut, split, written and read in between, in whatever order, nothing is
moved twice, and the header in memory stays as it was read.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.checked_numbers import is_number, is_whole_number
from autowisp_xr.errors import AutowispError, ImageMismatchError
from autowisp_xr.headers.cards import AnyHeader, value_of, without_remarks
from autowisp_xr.regions import LARGEST, ChannelSlice, Region

_AREA = re.compile(r"\s*(\d+)\s*<\s*x\s*<\s*(\d+)\s*,\s*(\d+)\s*<\s*y\s*<\s*(\d+)\s*")

_OF_AXIS = ("OFF", "STP")
_CARDS = ("IMAGAREA", *(f"CHNL{axis}{what}" for axis in "YX" for what in _OF_AXIS))
"""By which a header names its grid."""

_CRPIX = re.compile(r"CRPIX([12])[A-Z]?")
_CDELT = re.compile(r"CDELT([12])[A-Z]?")
_CD = re.compile(r"CD\d_([12])[A-Z]?")
# PC001002 is what PC1_2 was called before it was standard
_PC = re.compile(r"PC(?:00)?(\d)(?:_|00)([12])([A-Z]?)")
_SIP = re.compile(r"([AB])P?_(?:(\d)_(\d)|DMAX)")

_PHYSICAL = {
    "LTV1": "stored x = LTM1_1 * raw x + LTV1, from 1",
    "LTV2": "stored y = LTM2_2 * raw y + LTV2, from 1",
    "LTM1_1": "stored columns to a raw one",
    "LTM2_2": "stored rows to a raw one",
    "LTM1_2": "",
    "LTM2_1": "",
}
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class PixelGrid:
    """The raw-frame pixels of an image, counted from zero; by default, those of the raw frame."""

    x: int = 0
    """Column of the first stored pixel."""
    y: int = 0
    x_step: int = 1
    """Raw columns from one stored pixel to the next."""
    y_step: int = 1

    @classmethod
    def of(cls, cut: ChannelSlice, area: Region) -> Self:
        """Return the grid of a channel inside an area of the raw frame."""
        return cls(
            x=area.xmin + cut.x_offset,
            y=area.ymin + cut.y_offset,
            x_step=cut.x_step,
            y_step=cut.y_step,
        )


_RAW = PixelGrid()


def area_of(header: AnyHeader) -> Region | None:
    """Return the area of the raw frame that IMAGAREA names; None where it names none."""
    match = _AREA.fullmatch(str(value_of(header, "IMAGAREA") or ""))
    if match is None:
        return None
    x1, x2, y1, y2 = (int(number) for number in match.groups())
    try:
        return Region(xmin=x1, xmax=x2, ymin=y1, ymax=y2)
    except AutowispError:
        return None


def grid_of(header: AnyHeader) -> PixelGrid:
    """Return the grid whose pixels the cards of a header count.

    It is that of IMAGAREA, CHNLXOFF, CHNLXSTP, CHNLYOFF and CHNLYSTP (offsets count from the corner
    of the area); that of the raw frame where there are none, or impossible ones.
    """
    # most headers are those of raw frames
    if not any(card in header for card in _CARDS):
        return _RAW
    area = area_of(header)
    y, x = (0, 0) if area is None else (area.ymin, area.xmin)
    rows, columns = (_offset_and_step(header, axis) for axis in "YX")
    if rows is None or columns is None:
        # offsets without the steps that they go with state nothing
        return PixelGrid(x=x, y=y)
    return PixelGrid(x=x + columns[0], y=y + rows[0], x_step=columns[1], y_step=rows[1])


def grid_of_plane(ds: xr.Dataset, channel: int) -> PixelGrid:
    """Return the grid of a plane of a Dataset, given the number of its channel.

    Raises
    ------
    ImageMismatchError
        Where ``y`` or ``x`` do not go up in equal steps of whole pixels.
    """
    cut = schema.channel_slices(ds)[channel]
    (y, y_step), (x, x_step) = (
        _start_and_step(ds, dim, step) for dim, step in (("y", cut.y_step), ("x", cut.x_step))
    )
    return PixelGrid(x=x + cut.x_offset, y=y + cut.y_offset, x_step=x_step, y_step=y_step)


def moved(header: fits.Header, old: PixelGrid, new: PixelGrid) -> fits.Header:
    r"""Return a copy of a header whose cards count the pixels of another grid.

    Parameters
    ----------
    header
        A header whose cards count the pixels of ``old``, as a rule its :func:`grid_of`.
    old, new
        Grids of the same raw frame.

    Returns
    -------
    The header with the coordinate systems of ``new``, the main one and alternative ones: CRPIXj,
    CDi_j, PCi_j, CDELTj, and the coefficients of SIP. LTV1, LTV2, LTM1_1 and LTM2_2 relate its
    pixels to the physical ones (those of the raw frame, unless its own LTV and LTM differ); the raw
    frame itself does without. Cards that are no finite numbers, and those that count something else
    (IMAGAREA and its like, TRIMSEC), stay as they are.

    Notes
    -----
    With s the pixels of ``old`` from one pixel of ``new`` to the next, and u the distance from
    CRPIX,

    .. math::
        u'_j = u_j / s_j, \quad CD'_{ij} = CD_{ij} s_j, \quad
        A'_{pq} = A_{pq} s_1^p s_2^q / s_1, \quad B'_{pq} = B_{pq} s_1^p s_2^q / s_2 .

    CDELT takes its share of the scale and PC what is left, :math:`s_j / s_i`. Coefficients of TPV
    and TNX are in degrees, and stay. The forms are those of [1]_ and [2]_; LTV and LTM,
    ``stored = LTM * physical + LTV`` counted from one, are those of IRAF.

    References
    ----------
    .. [1] Greisen and Calabretta 2002, A&A 395, 1061
    .. [2] Shupe et al. 2005, ASP Conf. Ser. 347, 491
    """
    scale = {"1": new.x_step / old.x_step, "2": new.y_step / old.y_step}
    shift = {
        "1": 1 + (old.x - new.x - old.x_step) / new.x_step,
        "2": 1 + (old.y - new.y - old.y_step) / new.y_step,
    }
    result = header.copy()
    with without_remarks():
        for position, card in enumerate(header.cards if old != new else ()):
            center = _CRPIX.fullmatch(card.keyword)
            factor = 1 / scale[center[1]] if center else _factor(card.keyword, header, scale)
            offset = shift[center[1]] if center else 0.0
            value = None if factor == 1 and offset == 0 else _number(card)
            if value is not None and math.isfinite(value * factor + offset):
                result[position] = value * factor + offset
        _place(result, old, new, scale, shift)
    return result


def _offset_and_step(header: AnyHeader, axis: str) -> tuple[int, int] | None:
    """Return the offset and step that a header states along an axis, None for impossible ones."""
    stated = [value_of(header, f"CHNL{axis}{what}") for what in _OF_AXIS]
    offset, step = (value if is_whole_number(value) else None for value in stated)
    first, each = offset or 0, 1 if step is None else step
    if not (0 <= first < LARGEST and 1 <= each < LARGEST) or (step is None and first > 0):
        return None
    return first, each


def _start_and_step(ds: xr.Dataset, dim: str, step: int) -> tuple[int, int]:
    """Return the first raw pixel along a dim and the step to the next; ``step`` if it is alone."""
    if dim not in ds.coords:
        return 0, step
    values = np.asarray(ds[dim].values)
    steps = np.diff(values)
    even = (steps == steps[0]).all() and steps[0] > 0 if steps.size else True
    if not even or (values % 1 != 0).any():
        listed = ", ".join(str(value) for value in values[:5].tolist())
        raise ImageMismatchError(
            f"{dim!r} holds the raw-frame pixels {listed}{', ...' if values.size > 5 else ''}, "
            "which do not go up in equal steps of whole pixels; choose a plain slice of the frame"
        )
    return int(values[0]), int(steps[0]) if steps.size else step


def _number(card: fits.Card) -> float | None:
    """Return the finite number of a card, else None."""
    try:
        value: Any = card.value
    except (fits.VerifyError, ValueError):
        return None
    return value if is_number(value) and math.isfinite(value) else None


def _factor(keyword: str, header: fits.Header, scale: Mapping[str, float]) -> float:
    """Return the factor by which a card is multiplied; 1 for one that does not count pixels."""
    if match := _CD.fullmatch(keyword) or _CDELT.fullmatch(keyword):
        return scale[match[1]]
    if match := _PC.fullmatch(keyword):
        row, column, system = match.groups()
        # without CDELT, PC has the scale of its row, too
        beside = f"CDELT{row}{system}" in header
        return scale[column] / (scale.get(row, 1.0) if beside else 1.0)
    if match := _SIP.fullmatch(keyword):
        letter, x_power, y_power = match.groups()
        powers: float = scale["1"] ** int(x_power or 0) * scale["2"] ** int(y_power or 0)
        return powers / scale["1" if letter == "A" else "2"]
    return 1.0


def _place(
    header: fits.Header,
    old: PixelGrid,
    new: PixelGrid,
    scale: Mapping[str, float],
    shift: Mapping[str, float],
) -> None:
    """Change LTV and LTM of a header from those of the old grid to those of the new one."""
    cards = {name: header.cards[name] for name in _PHYSICAL if name in header}
    known = {name: _number(card) for name, card in cards.items()}
    if None in known.values() or (old == new and known):
        return
    numbers: dict[str, Any] = known or {
        "LTV1": 1 - (old.x + 1) / old.x_step,
        "LTV2": 1 - (old.y + 1) / old.y_step,
        "LTM1_1": 1 / old.x_step,
        "LTM2_2": 1 / old.y_step,
    }
    for axis in "12":
        numbers[f"LTV{axis}"] = numbers.get(f"LTV{axis}", 0.0) / scale[axis] + shift[axis]
        numbers[f"LTM{axis}_{axis}"] = numbers.get(f"LTM{axis}_{axis}", 1.0) / scale[axis]
    for axis, other in ("12", "21"):
        if f"LTM{axis}_{other}" in numbers:
            numbers[f"LTM{axis}_{other}"] /= scale[axis]
    unity = all(
        abs(value - (name in ("LTM1_1", "LTM2_2"))) < _ROUNDING for name, value in numbers.items()
    )
    if new == PixelGrid() and unity:
        for name in numbers:
            header.remove(name, ignore_missing=True, remove_all=True)
        return
    for name in _PHYSICAL:
        if name in cards:
            header[name] = numbers[name]
        elif name in numbers:
            header[name] = (numbers[name], _PHYSICAL[name])
