"""The table of a night as text: what there is, what corrects what, what is in doubt."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.kinds import KINDS
from autowisp_xr.night.summary import against, listed

__all__ = ["info"]

_TELLING = ("image_type", "width", "height", "binning", "gain_setting", "filter", "exposure")
_ORDER = tuple(KINDS)


def info(night: xr.DataTree | xr.Dataset) -> str:
    """What a night holds, in words.

    Parameters
    ----------
    night
        As :func:`~autowisp_xr.open_night` gives it, or the table at its root.

    Returns
    -------
    A line for each set of frames, what corrects each and why nothing does, files that would be left
    out with the reason, and doubts. Why each other master was not chosen is in the table.

    Raises
    ------
    ValueError
        For a tree without the table.
    """
    table = night.to_dataset() if isinstance(night, xr.DataTree) else night
    if "set" not in table or "path" not in table:
        raise ValueError(
            "there is no table of frames at the root, as open_night makes it; if these are "
            "results, the run that makes them did not end: run reduce again"
        )
    columns = {str(name): table[name].values.tolist() for name in table.data_vars}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    times = table["time"].values
    for row, time in zip(rows, times, strict=True):
        row["time"] = time
    sets: dict[str, list[dict[str, Any]]] = {}
    others: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if row["set"]:
            sets.setdefault(row["set"], []).append(row)
        elif row["image_type"]:
            others.setdefault(tuple(str(row[name]) for name in _TELLING), []).append(row)
    ordered = sorted(sets.items(), key=lambda item: _ORDER.index(item[1][0]["image_type"]))
    title = (
        f"{table.attrs.get('night', 'night')}: {len(rows)} FITS file{'' if len(rows) == 1 else 's'}"
    )
    lines = [title]
    # what is in no set is shown, too, but under no name
    shown = [*ordered, *(("-", of) for of in others.values())]
    if shown:
        lines += ["", *_aligned([_heading(), *(_set_line(name, of) for name, of in shown)])]
    notes = [line for line in str(table.attrs.get("notes", "")).split("\n") if line]
    if notes:
        lines += ["", *notes]
    corrected = [line for name, of in ordered for line in _corrections(name, of)]
    if corrected:
        lines += ["", "What corrects what:", *corrected]
    for title, column in (("Left out", "reason"), ("Doubts", "doubts")):
        reasons = {row["path"]: row[column] for row in rows if row[column]}
        if reasons:
            lines += listed(title, reasons)
    return "\n".join(lines) + "\n"


def _heading() -> list[str]:
    return [
        *("set", "type", "frames", "pixels", "channels", "binning", "gain", "filter"),
        *("exposure", "temperature", "middle (UTC)", "object"),
    ]


def _set_line(name: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    first = rows[0]
    return [
        name,
        "?" if first["image_type"] == "other" else first["image_type"],
        str(len(rows)),
        f"{first['width']} x {first['height']}",
        "" if first["channels"] in ("", "mono") else first["channels"],
        first["binning"],
        _span([row["gain_setting"] for row in rows], ""),
        first["filter"],
        _span([row["exposure"] for row in rows], " s"),
        _span([row["temperature"] for row in rows], " C", digits=1),
        _times([row["time"] for row in rows]),
        ", ".join(dict.fromkeys(row["object"] for row in rows if row["object"])),
    ]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side, without those that have nothing below their heading."""
    kept = [column for column in zip(*lines, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in kept]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*kept, strict=True)
    ]


def _span(values: Sequence[float], unit: str, digits: int | None = None) -> str:
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return ""
    texts = [
        f"{value:g}" if digits is None else f"{value:.{digits}f}"
        for value in (min(known), max(known))
    ]
    return " to ".join(dict.fromkeys(texts)) + unit


def _times(values: Sequence[np.datetime64]) -> str:
    known = sorted(value for value in values if not np.isnat(value))
    if not known:
        return ""
    first, last = (
        str(value.astype("datetime64[m]")).replace("T", " ") for value in (known[0], known[-1])
    )
    if first == last:
        return first
    return f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def _corrections(name: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for the frames of a set that have the same masters, and the reasons below it."""
    needed = KINDS[rows[0]["image_type"]].needs
    if not needed:
        return []
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[kind] for kind in needed), []).append(row)
    lines = []
    for chosen, members in groups.items():
        frames = "" if len(groups) == 1 else f" ({len(members)} of {len(rows)} frames)"
        named = [master or f"no {kind}" for kind, master in zip(needed, chosen, strict=True)]
        lines.append(f"    {name}{frames}: {', '.join(named)}")
        why_not = json.loads(members[0]["why_not"] or "{}")
        for kind, master in zip(needed, chosen, strict=True):
            # why others were not, where one was chosen, is in the table
            if not master:
                lines += [f"        not {line}" for line in against(why_not.get(kind, {}))]
    return lines
