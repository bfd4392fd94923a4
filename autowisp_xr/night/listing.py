"""The frames of a night as a table and as text: what each is, and what corrects it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr._compat import of_array
from autowisp_xr.filesystem.addresses import printable
from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import KINDS, MASTERS
from autowisp_xr.night.choosing import Choice
from autowisp_xr.night.plan import Plan
from autowisp_xr.night.sentences import by_key, by_reason, counted, sentence

_INFORMATIVE = ("image_type", "width", "height", "binning", "gain_setting", "filter", "exposure")
_ORDER = tuple(KINDS)

_FACTS = {
    **dict.fromkeys(("image_type", "binning", "filter", "object"), ""),
    **dict.fromkeys(("gain_setting", "exposure", "temperature"), np.nan),
    "time": np.datetime64("NaT", "ns"),
}
"""What the table has of the coordinates of a frame, and for what is not known."""

_UNITS = {"exposure": "s", "temperature": "degC"}

_Row = dict[str, Any]
"""One file in the table, by column."""


def table_of(plan: Plan, left_out: Mapping[str, str]) -> xr.Dataset:
    """Make a table with a row for each file, over ``file``.

    Parameters
    ----------
    plan
        Its files.
    left_out
        The reason for each that takes no part, by path.

    Returns
    -------
    ``path``, ``image_type``, ``width``, ``height`` [pixels], ``channels``, ``camera``, ``binning``,
    ``gain_setting``, ``filter``, ``exposure`` [s], ``object``, ``temperature``, ``time``;
    ``set`` (of which it is a member), ``bias``, ``dark``, ``flat`` (what was chosen for it, ""
    where nothing was), ``why_not`` ({kind: {candidate: reason}} as JSON), ``reason`` (why it is in
    no set), ``doubts`` (a line each). What is not known is "", NaN or NaT.
    """
    of_set = {record.path: one for one in plan.sets for record in one.records}
    choices = plan.choices
    # frames share what was chosen, and the reasons are long
    texts: dict[tuple[int, ...], str] = {}

    def row(record: FileRecord) -> dict[str, Any]:
        stated, one = record.coordinates, of_set.get(record.path)
        chosen = choices.get(record.path, {})
        height, width = record.shape or (0, 0)
        channels = one.traits.channels or () if one else ()
        key = tuple(map(id, chosen.values()))
        if key not in texts:
            why_not = {kind: one.why_not for kind, one in chosen.items() if one.why_not}
            texts[key] = json.dumps(why_not) if why_not else ""
        return {
            "path": record.path,
            "width": width,
            "height": height,
            "channels": " ".join(name for name, _ in channels),
            "camera": str(record.facts.get("camera") or ""),
            **{name: stated.get(name, missing) for name, missing in _FACTS.items()},
            "set": one.path if one else "",
            **{kind: _name_of(chosen.get(kind)) for kind in MASTERS},
            "why_not": texts[key],
            "reason": left_out.get(record.path, ""),
            "doubts": "\n".join((*record.guesses, *record.doubts)),
        }

    rows = [row(record) for record in plan.records]
    columns = {name: column([one[name] for one in rows]) for name in rows[0]}
    table = xr.Dataset({name: of_array("file", values) for name, values in columns.items()})
    for name, unit in _UNITS.items():
        table[name].attrs["units"] = unit
    return table


def _name_of(choice: Choice | None) -> str:
    """Return the name of the master that was chosen."""
    return choice.chosen.name if choice and choice.chosen else ""


def column(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Make an array of values of one kind; of texts of any length, as Zarr keeps them.

    Bytes of names that are no text are spelled out.
    """
    if not isinstance(values[0], str):
        return np.array(values)
    texts = [
        value if value.isascii() else value.encode(errors="backslashreplace").decode()
        for value in values
    ]
    return np.array(texts, dtype=np.dtypes.StringDType())


def info(night: xr.DataTree | xr.Dataset) -> str:
    """Describe what a night holds.

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
        raise ValueError(sentence("no_table"))
    columns = {str(name): values.values for name, values in table.data_vars.items()}
    # long, and only looked at where nothing was chosen
    why_not = columns.pop("why_not")
    columns["number"] = np.arange(table.sizes["file"])
    values_of_rows = zip(*columns.values(), strict=True)
    rows: list[_Row] = [dict(zip(columns, row, strict=True)) for row in values_of_rows]
    sets = by_key((row for row in rows if row["set"]), lambda row: row["set"])
    without = (row for row in rows if row["image_type"] and not row["set"])
    others = by_key(without, lambda row: tuple(str(row[name]) for name in _INFORMATIVE))
    ordered = sorted(sets.items(), key=lambda item: _ORDER.index(item[1][0]["image_type"]))
    lines = [f"{table.attrs.get('night', 'night')}: {counted(len(rows), 'file')}"]
    # what is in no set is shown, too, but under no name
    shown = [*ordered, *(("-", of) for of in others.values())]
    if shown:
        lines += ["", *_aligned([_described(name, of) for name, of in shown])]
    notes = [line for line in str(table.attrs.get("notes", "")).split("\n") if line]
    if notes:
        lines += ["", *notes]
    corrected = [line for name, of in ordered for line in _corrections(name, of, why_not)]
    if corrected:
        lines += ["", "What corrects what:", *corrected]
    for title, column in (("Left out", "reason"), ("Doubts", "doubts")):
        reasons = {row["path"]: row[column] for row in rows if row[column]}
        if reasons:
            lines += ["", f"{title}: {len(reasons)}"]
        for reason, paths in by_reason(reasons).items():
            lines += [f"    {line}" for line in reason.split("\n")]
            lines += [f"        {printable(Path(path).name)}" for path in paths]
    return "\n".join(lines) + "\n"


def _described(name: str, rows: Sequence[_Row]) -> dict[str, str]:
    """Describe the frames of a set, by the headings of its columns."""
    first = rows[0]
    return {
        "set": name,
        "type": "?" if first["image_type"] == "other" else first["image_type"],
        "frames": str(len(rows)),
        "pixels": f"{first['width']} x {first['height']}",
        "channels": "" if first["channels"] in ("", "mono") else first["channels"],
        "binning": first["binning"],
        "gain": _span([row["gain_setting"] for row in rows], ""),
        "filter": first["filter"],
        "exposure": _span([row["exposure"] for row in rows], " s"),
        "temperature": _span([row["temperature"] for row in rows], " C", digits=1),
        "middle (UTC)": _times([row["time"] for row in rows]),
        "object": ", ".join(dict.fromkeys(row["object"] for row in rows if row["object"])),
    }


def _aligned(lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Set columns side by side, without those that have nothing below their heading."""
    kept = [name for name in lines[0] if any(line[name] for line in lines)]
    columns = [[name, *(line[name] for line in lines)] for name in kept]
    padded = [[text.ljust(max(map(len, column))) for text in column] for column in columns]
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]


def _span(values: Sequence[float], unit: str, digits: int | None = None) -> str:
    """Write the least and greatest of those values that are known."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return ""
    form = "g" if digits is None else f".{digits}f"
    return " to ".join(dict.fromkeys(f"{end:{form}}" for end in (min(known), max(known)))) + unit


def _times(values: Sequence[np.datetime64]) -> str:
    """Write the first and last of those times that are known."""
    known = [str(value.astype("datetime64[m]")) for value in values if not np.isnat(value)]
    if not known:
        return ""
    first, last = (text.replace("T", " ") for text in (min(known), max(known)))
    if first == last:
        return first
    return f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def _corrections(name: str, rows: Sequence[_Row], why_not: Any) -> list[str]:
    """List the frames of a set by the masters that they have, with reasons below each line."""
    needed = KINDS[rows[0]["image_type"]].needs
    if not needed:
        return []
    groups = by_key(rows, lambda row: tuple(row[kind] for kind in needed))
    lines = []
    for chosen, members in groups.items():
        frames = "" if len(groups) == 1 else f" ({len(members)} of {len(rows)} frames)"
        named = [master or f"no {kind}" for kind, master in zip(needed, chosen, strict=True)]
        lines.append(f"    {name}{frames}: {', '.join(named)}")
        against = json.loads(why_not[members[0]["number"]] or "{}")
        for kind, master in zip(needed, chosen, strict=True):
            # why others were not, where one was chosen, is in the table
            if not master:
                reasons = by_reason(against.get(kind, {}))
                lines += [f"        not {', '.join(of)}: {why}" for why, of in reasons.items()]
    return lines
