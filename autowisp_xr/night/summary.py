"""What became of a night: a line for everything made, left out, or failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path

import xarray as xr

from autowisp_xr.io import FileRecord
from autowisp_xr.night.choosing import Choice
from autowisp_xr.night.sets import FrameSet
from autowisp_xr.night.table import table_of, text_column

__all__ = ["SUMMARY_GROUP", "Made", "Summary", "against", "listed"]

SUMMARY_GROUP = "summary"
"""Of the store of a night: the table of its frames."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One master, or one set of calibrated frames."""

    what: str
    inputs: tuple[str, ...]
    files: tuple[str, ...]
    group: str
    """In the Zarr store of the night."""
    masters: Mapping[str, str] = field(default_factory=dict)
    """Name of the master of each kind that was applied."""
    why_not: Mapping[str, str] = field(default_factory=dict)
    """The reason against each other candidate."""
    notes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Summary:
    """What became of each file of a night."""

    night: str
    made: list[Made] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Reason for each file that took no part."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason for each file whose group could not be worked on."""
    notes: list[str] = field(default_factory=list)
    """On the night as a whole: what was measured of the camera, for one."""
    records: Sequence[FileRecord] = field(default=(), repr=False)
    sets: Sequence[FrameSet] = field(default=(), repr=False)
    choices: dict[str, Mapping[str, Choice]] = field(default_factory=dict, repr=False)
    """For each frame the masters that were chosen, and why others were not."""

    def __str__(self) -> str:
        lines = [f"Night {self.night}", *self.notes, ""]
        for made in self.made:
            frames, files = _counted(made.inputs, "frame"), _counted(made.files, "file")
            lines.append(f"{made.what}: from {frames}, {files}")
            lines += [f"    {path}" for path in made.files]
            if made.masters:
                lines.append(f"    corrected by: {', '.join(made.masters.values())}")
            lines += [f"    not by {line}" for line in against(made.why_not)]
            lines += [f"    note: {note}" for note in made.notes]
        if not self.made:
            lines.append("Nothing could be made.")
        doubts = {
            record.path: text for record in self.records for text in (_doubts(record),) if text
        }
        lines += listed("Left out", self.left_out) + listed("Failed", self.failed)
        if doubts:
            lines += listed("Doubts", doubts)
        return "\n".join(lines) + "\n"

    def table(self) -> xr.Dataset:
        """A row for each file, over ``file``: what it is, what corrects it, what became of it.

        The columns of :func:`~autowisp_xr.open_night`, and ``fate`` ("used", "left out", "failed"),
        ``reason`` and ``product`` (the group in the store that it went into).
        """
        product = {path: made.group for made in self.made for path in made.inputs}
        table = table_of(self.records, self.sets, self.left_out, self.choices)
        rows = [
            ("left out", self.left_out[path], "")
            if path in self.left_out
            else ("failed", self.failed[path], "")
            if path in self.failed
            else ("used", "", product.get(path, ""))
            for path in table["path"].values.tolist()
        ]
        fates = zip(*rows, strict=True) if rows else ((), (), ())
        return table.assign(
            {
                name: ("file", text_column(values))
                for name, values in zip(("fate", "reason", "product"), fates, strict=True)
            }
        )

    def to_zarr(self, store: str | PathLike[str]) -> None:
        """Write the table into the store of the night, in place of an earlier one."""
        table = self.table().assign_attrs(night=self.night, notes="\n".join(self.notes))
        table.to_zarr(
            fspath(store), group=SUMMARY_GROUP, mode="w", consolidated=False, zarr_format=3
        )


def against(why_not: Mapping[str, str]) -> list[str]:
    """Lines that say each reason once, after the names of the masters that it keeps away."""
    names: dict[str, list[str]] = {}
    for name, reason in why_not.items():
        names.setdefault(reason, []).append(name)
    return [f"{', '.join(members)}: {reason}" for reason, members in names.items()]


def listed(title: str, reasons: Mapping[str, str]) -> list[str]:
    """Lines that say each reason once, with the names of the files below it."""
    lines = ["", f"{title}: {len(reasons) or 'none'}"]
    for reason in dict.fromkeys(reasons.values()):
        lines += [f"    {line}" for line in reason.split("\n")]
        lines += [f"        {Path(p).name}" for p, r in reasons.items() if r == reason]
    return lines


def _doubts(record: FileRecord) -> str:
    return "\n".join((*record.guesses, *record.doubts))


def _counted(things: tuple[str, ...], name: str) -> str:
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")
