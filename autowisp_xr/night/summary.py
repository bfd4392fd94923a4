"""The summary of a night: a line for all that was made, left out, or failed, and a verdict."""

import json
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance
from autowisp_xr.filesystem.addresses import printable
from autowisp_xr.frames import likely_type
from autowisp_xr.html_pieces import folded, paragraph, table
from autowisp_xr.night.listing import column, table_of
from autowisp_xr.night.plan import Plan, Product
from autowisp_xr.night.sentences import alike, by_reason, counted, named, shortened
from autowisp_xr.night.verdict import Tally
from autowisp_xr.store import write_table

SUMMARY_GROUP = "summary"
"""The group of the table of frames in the store of a night."""

RECORD, CURVE = "record", "photon_transfer_"
"""The attribute of that group with all else that is known, and how groups of curves in it begin."""

FORM = 1
"""Of that record, to be raised with every change of it."""

PROGRAM = "autowisp-xr"

_DOUBT = re.compile(r"(?:\S+: )?(?:DOUBT|WARNING): ")
"""How a line on what may be wrong begins, behind the folder of its setup."""

_MOST_DOUBTS = 10
_MOST_NOTES = 6
_MOST_REASONS = 6
"""Lines of each kind, beyond which those that differ in names and numbers only are one."""


@dataclass(frozen=True, kw_only=True)
class Made(Product):
    """A product that was made: one master, or one set of calibrated frames."""

    inputs: tuple[str, ...]
    """Files of the frames that it was made of."""
    files: tuple[str, ...]
    noise_known: bool = True
    """Whether it has uncertainties."""
    again: str = ""
    """Why it was made again in place of what an earlier run had left; "" where it was not."""
    there: bool = False
    """Whether an earlier run had made it, and it is left as it was."""
    notes: tuple[str, ...] = ()
    """What may be wrong begins with "DOUBT: " or "WARNING: "."""


@dataclass(kw_only=True, repr=False)
class Summary:
    """The fate of each file of a night.

    As text it is short, for one screen: doubts first, then a line for each set that was made, what
    was left out or failed by its reason, and the verdict. What is known of each file, and all that
    is too long for the text, is in :meth:`table`.
    """

    plan: Plan
    """What was planned; of a master that could not be made, what was planned without it."""
    out: str = ""
    """Directory of the results."""
    made: list[Made] = field(default_factory=list)
    masks: list[Made] = field(default_factory=list)
    """The defects of each setup, found in frames that masters are made of as well."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Reason for each file that took no part."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason for each file whose group could not be worked on."""
    leftovers: tuple[str, ...] = ()
    """Results of earlier runs, ours and unchanged, of frames that are gone or of other sets: files,
    then groups of the store; those that ``prune`` has removed."""
    notes: list[str] = field(default_factory=list)
    """On the night as a whole: what was measured of the camera, for one. What may be wrong begins
    with "DOUBT: " or "WARNING: "."""
    levels: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Level and noise of a pixel of each file that was looked at, in ADU: of calibrated frames the
    sky, of others as they are read."""
    curves: dict[str, xr.Dataset] = field(default_factory=dict)
    """The photon transfer curve of each setup, by its place, where it was measured."""
    left: str = ""
    """Where all is left to units that others carry out, which."""
    began: str = field(default_factory=provenance.now)

    def __str__(self) -> str:
        doubts = self._doubts()
        known = [shortened(note) for note in self.notes if not _DOUBT.match(note)]
        lines = [f"Night {self.plan.night}: {counted(len(self.plan.records), 'file')}"]
        if self.out:
            lines[0] += f"; what became of each: {PROGRAM} report {shlex.quote(self.out)}"
        lines += [*doubts, *known]
        if self.made:
            lines += ["", f"In {self.out}:" if self.out else "Made:"]
        lines += [self._line(made) for made in self._written]
        notes = alike(self._reported(doubts=False), _MOST_NOTES)
        lines += [f"note on {named(group.names)}: {group.line}" for group in notes]
        for title, reasons in (("Left out", self.left_out), ("Failed", self.failed)):
            if reasons:
                lines += ["", f"{title}: {len(reasons)}", *_with_files(reasons)]
        return "\n".join([*lines, "", self._verdict(len(doubts))]) + "\n"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        doubts = self._doubts()
        rows = [
            (made.what, len(made.inputs), self._where(made), ", ".join(made.masters.values()))
            for made in self._written
        ]
        aside = [
            folded(f"{title}: {len(reasons)}", table(reasons.items(), ("file", "reason")))
            for title, reasons in (("Left out", self.left_out), ("Failed", self.failed))
        ]
        return (
            paragraph(f"Night {self.plan.night}. {self._verdict(len(doubts))}", bold=True)
            + "".join(map(paragraph, doubts))
            + table(rows, ("made", "frames", f"in {self.out}", "corrected by"))
            + "".join(aside)
        )

    @property
    def _written(self) -> tuple[Made, ...]:
        """All that was made, in the order in which it is listed."""
        return (*self.masks, *self.made)

    @property
    def verdict(self) -> str:
        """One line: how many lights of how many, what is missing, what is doubtful."""
        return self._verdict(len(self._doubts()))

    @property
    def exit_status(self) -> int:
        """The exit status of the command; see :data:`~autowisp_xr.night.verdict.EXIT_STATUS`."""
        return 0 if self.left else self._tally(0).exit_status

    def _verdict(self, doubts: int) -> str:
        return f"Verdict: {self.left or self._tally(doubts)}"

    def _tally(self, doubts: int) -> Tally:
        kinds = {
            record.path: "other" if record.master_because else likely_type(record)
            for record in self.plan.records
            if record.path not in self.plan.copies
        }
        lights = {path for path, kind in kinds.items() if kind == "object"}
        science = [
            (made, path)
            for made in self.made
            for path in made.inputs
            if path in lights and not made.is_master
        ]
        return Tally(
            lights=len(lights),
            calibrated=[tuple(made.missing) for made, _ in science],
            without_errors=sum(not made.noise_known for made, _ in science),
            masters=sum(made.is_master or lights.isdisjoint(made.inputs) for made in self.made),
            left_out=Counter(kinds[path] for path in self.left_out if path in kinds),
            failed=Counter(kinds[path] for path in self.failed if path in kinds),
            doubts=doubts,
        )

    def _doubts(self) -> list[str]:
        """List what may be wrong, a line each."""
        records = self.plan.records
        of_files = [(Path(r.path).name, doubt) for r in records for doubt in r.guesses + r.doubts]
        lines = [note for note in self.notes if _DOUBT.match(note)]
        for group in alike(self._reported(doubts=True), _MOST_DOUBTS):
            sort, _, text = group.line.partition(": ")
            lines.append(f"{sort}: {named(group.names)}: {text}")
        for group in alike(of_files, _MOST_DOUBTS):
            number = f"{len(group.names)} files, " if len(group.names) > 1 else ""
            lines.append(f"DOUBT: {number}{named(group.names)}: {group.line}")
        return [shortened(line) for line in dict.fromkeys(lines)]

    def _reported(self, doubts: bool) -> Iterator[tuple[str, str]]:
        """Pair what is made with each note on it: with those that are doubts, or the others."""
        pairs = ((made.what, note) for made in self._written for note in made.notes)
        return (pair for pair in pairs if bool(_DOUBT.match(pair[1])) == doubts)

    def _line(self, made: Made) -> str:
        """Describe a product in a line."""
        parts = [f"from {counted(len(made.inputs), 'frame')}", self._where(made)]
        if made.masters:
            parts.append(f"corrected by: {', '.join(made.masters.values())}")
        if made.again:
            parts.append(f"made again: {made.again}")
        elif made.there:
            parts.append("up to date")
        for why, kinds in by_reason(made.missing).items():
            parts.append(f"no {', '.join(kinds)} ({why})")
        parts += [f"not by {line}" for line in made.against]
        return f"{made.what}: {'; '.join(parts)}"

    def _where(self, made: Made) -> str:
        """Name the files of a product by one name, in the directory of the results."""
        if not made.files:
            return f"{made.group} of the store, without files"
        if len(made.files) == 1:
            path = Path(made.files[0])
            return f"{path.relative_to(self.out) if path.is_relative_to(self.out) else path}"
        folder = Path(self.out, made.group) == Path(made.files[0]).parent
        return f"{counted(len(made.files), 'file')} {made.group}{'/' if folder else '_*.fits'}"

    def table(self) -> xr.Dataset:
        """Make a row for each file, over ``file``: what it is, what corrects it, what became of it.

        The columns of :func:`~autowisp_xr.open_night`, and ``fate`` ("used", "left out", "failed"),
        ``reason`` and ``product`` (the group in the store that it went into); ``level`` and
        ``noise`` of a pixel [ADU] (of calibrated frames of the sky), NaN where it was not measured.
        """
        fates = {path: ("used", "", made.group) for made in self.made for path in made.inputs}
        fates |= {path: ("failed", why, "") for path, why in self.failed.items()}
        fates |= {path: ("left out", why, "") for path, why in self.left_out.items()}
        table = table_of(self.plan, self.left_out)
        rows = [fates.get(path, ("used", "", "")) for path in table["path"].values.tolist()]
        columns = zip(("fate", "reason", "product"), zip(*rows, strict=True), strict=True)
        table = table.assign({name: ("file", column(values)) for name, values in columns})
        known = [self.levels.get(path, (np.nan, np.nan)) for path in table["path"].values.tolist()]
        for name, values in zip(("level", "noise"), zip(*known, strict=True), strict=True):
            table[name] = ("file", np.array(values), {"units": "adu"})
        return table

    def to_zarr(self, store: str | PathLike[str]) -> None:
        """Write the table into the store of the night, in place of an earlier one."""
        of_products = (f"{made.what}: {note}" for made in self._written for note in made.notes)
        notes = "\n".join([*self.notes, *of_products])
        table = self.table().assign_attrs(night=self.plan.night, notes=notes, verdict=self.verdict)
        table.attrs[RECORD] = json.dumps(self.record())
        write_table(table, store, group=SUMMARY_GROUP)
        for number, (place, curve) in enumerate(self.curves.items()):
            of_place = curve.drop_attrs().assign_attrs(place=place)
            write_table(of_place, store, group=f"{SUMMARY_GROUP}/{CURVE}{number}")

    def record(self) -> dict[str, Any]:
        """Return what :class:`~autowisp_xr.night.ReducedNight` gives back, as JSON has it."""
        tally = self._tally(len(self._doubts()))
        return {
            "form": FORM,
            "verdict": str(tally),
            "lights": tally.lights,
            "calibrated": len(tally.calibrated),
            "masters": tally.masters,
            "exit_status": self.exit_status,
            "doubts": self._doubts(),
            "notes": [note for note in self.notes if not _DOUBT.match(note)],
            "made": [self._recorded(made) for made in self._written],
            "command": _command(),
            "began": self.began,
            "ended": provenance.now(),
            "versions": provenance.versions(),
        }

    def _recorded(self, made: Made) -> dict[str, Any]:
        """Return what is recorded of a product."""
        out = Path(self.out).expanduser()
        files = [Path(os.path.relpath(path, out)).as_posix() for path in made.files]
        return {
            "kind": made.kind,
            "name": made.frames.path,
            "group": made.group,
            "is_master": made.is_master,
            "inputs": len(made.inputs),
            "masters": made.masters,
            "missing": made.missing,
            "files": files,
            "again": made.again,
            "notes": list(made.notes),
            "line": self._line(made),
        }


def _command() -> str:
    """Return the command line of this process, if it is that of the program."""
    program, *arguments = sys.argv or [""]
    name = Path(program).name
    return shlex.join([name, *arguments]) if name.startswith(PROGRAM) else ""


def _with_files(reasons: Mapping[str, str]) -> Iterator[str]:
    """Give two lines for each reason: what it is, and which files."""
    # the reason of a file may begin with its name
    reason_of = {path: why.removeprefix(path).removeprefix(":") for path, why in reasons.items()}
    pairs = ((printable(Path(path).name), why.lstrip()) for path, why in reason_of.items())
    for group in alike(pairs, _MOST_REASONS):
        yield from (f"    {line}" for line in group.line.split("\n"))
        number = f"{len(group.names)} files: " if len(group.names) > 1 else ""
        yield f"        {number}{named(group.names)}"
