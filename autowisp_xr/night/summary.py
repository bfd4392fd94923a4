"""What became of a night: a line for everything made, left out, or failed, and a verdict."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path

import xarray as xr

from autowisp_xr.frames import likely_type
from autowisp_xr.night.listing import column, table_of
from autowisp_xr.night.plan import Plan, Product
from autowisp_xr.night.summarised_lines import alike, by_reason, counted, named, shortened
from autowisp_xr.night.verdict import Tally

SUMMARY_GROUP = "summary"
"""Of the store of a night: the table of its frames."""

_DOUBT = re.compile(r"(?:\S+: )?(?:DOUBT|WARNING): ")
"""How a line begins, behind the folder of its setup, that says what may be wrong."""

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
    """Whether it has errors."""
    notes: tuple[str, ...] = ()
    """What may be wrong begins with "DOUBT: " or "WARNING: "."""


@dataclass(kw_only=True)
class Summary:
    """What became of each file of a night.

    As text it is short, for one screen: doubts first, then a line for each set that was made, what
    was left out or failed by its reason, and the verdict. What is said of each file, and all that
    is too long for the text, is in :meth:`table`.
    """

    plan: Plan
    """What was planned; of a master that could not be made, what was planned without it."""
    out: str = ""
    """Directory of the results."""
    made: list[Made] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Reason for each file that took no part."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason for each file whose group could not be worked on."""
    notes: list[str] = field(default_factory=list)
    """On the night as a whole: what was measured of the camera, for one. What may be wrong begins
    with "DOUBT: " or "WARNING: "."""

    def __str__(self) -> str:
        doubts = self._doubts()
        known = [shortened(note) for note in self.notes if not _DOUBT.match(note)]
        lines = [f"Night {self.plan.night}: {counted(len(self.plan.records), 'FITS file')}"]
        if self.out:
            lines[0] += f", each of them told by: autowisp-xr info {shlex.quote(self.out)}"
        lines += [*doubts, *known]
        if self.made:
            lines += ["", f"In {self.out}:" if self.out else "Made:"]
        lines += [self._line(made) for made in self.made]
        lines += [
            f"note on {named(group.names)}: {group.line}"
            for group in alike(self._reported(doubts=False), _MOST_NOTES)
        ]
        for title, reasons in (("Left out", self.left_out), ("Failed", self.failed)):
            if reasons:
                lines += ["", f"{title}: {len(reasons)}", *_with_files(reasons)]
        return "\n".join([*lines, "", self._verdict(len(doubts))]) + "\n"

    @property
    def verdict(self) -> str:
        """One line: how many lights of how many, what is missing, what is doubtful."""
        return self._verdict(len(self._doubts()))

    @property
    def exit_status(self) -> int:
        """That of the command; see :data:`~autowisp_xr.night.verdict.EXIT_STATUS`."""
        return self._tally(0).exit_status

    def _verdict(self, doubts: int) -> str:
        return f"Verdict: {self._tally(doubts)}"

    def _tally(self, doubts: int) -> Tally:
        kinds = {
            record.path: "other" if record.master_because else likely_type(record)
            for record in self.plan.records
            if record.path not in self.plan.copies
        }
        lights = {path for path, kind in kinds.items() if kind == "object"}
        science = [(made, path) for made in self.made for path in made.inputs if path in lights]
        return Tally(
            lights=len(lights),
            calibrated=[tuple(made.missing) for made, _ in science],
            without_errors=sum(not made.noise_known for made, _ in science),
            masters=sum(lights.isdisjoint(made.inputs) for made in self.made),
            left_out=Counter(kinds[path] for path in self.left_out if path in kinds),
            failed=Counter(kinds[path] for path in self.failed if path in kinds),
            doubts=doubts,
        )

    def _doubts(self) -> list[str]:
        """A line for each thing that may be wrong."""
        of_files = [
            (Path(record.path).name, doubt)
            for record in self.plan.records
            for doubt in (*record.guesses, *record.doubts)
        ]
        lines = [note for note in self.notes if _DOUBT.match(note)]
        for group in alike(self._reported(doubts=True), _MOST_DOUBTS):
            sort, _, text = group.line.partition(": ")
            lines.append(f"{sort}: {named(group.names)}: {text}")
        for group in alike(of_files, _MOST_DOUBTS):
            number = f"{len(group.names)} files, " if len(group.names) > 1 else ""
            lines.append(f"DOUBT: {number}{named(group.names)}: {group.line}")
        return [shortened(line) for line in dict.fromkeys(lines)]

    def _reported(self, doubts: bool) -> Iterator[tuple[str, str]]:
        """What is made, and each note on it: those that are doubts, or the others."""
        for made in self.made:
            for note in made.notes:
                if bool(_DOUBT.match(note)) == doubts:
                    yield made.what, note

    def _line(self, made: Made) -> str:
        parts = [f"from {counted(len(made.inputs), 'frame')}", self._where(made)]
        if made.masters:
            parts.append(f"corrected by: {', '.join(made.masters.values())}")
        for why, kinds in by_reason(made.missing).items():
            parts.append(f"no {', '.join(kinds)} ({why})")
        parts += [f"not by {line}" for line in made.against]
        return f"{made.what}: {'; '.join(parts)}"

    def _where(self, made: Made) -> str:
        """Its files, by one name, in the directory of the results."""
        if not made.files:
            return "no file of it was written"
        if len(made.files) == 1:
            path = Path(made.files[0])
            return f"{path.relative_to(self.out) if path.is_relative_to(self.out) else path}"
        folder = Path(self.out, made.group) == Path(made.files[0]).parent
        return f"{counted(len(made.files), 'file')} {made.group}{'/' if folder else '_*.fits'}"

    def table(self) -> xr.Dataset:
        """A row for each file, over ``file``: what it is, what corrects it, what became of it.

        The columns of :func:`~autowisp_xr.open_night`, and ``fate`` ("used", "left out", "failed"),
        ``reason`` and ``product`` (the group in the store that it went into).
        """
        fates = {path: ("used", "", made.group) for made in self.made for path in made.inputs}
        fates |= {path: ("failed", why, "") for path, why in self.failed.items()}
        fates |= {path: ("left out", why, "") for path, why in self.left_out.items()}
        table = table_of(self.plan, self.left_out)
        rows = [fates.get(path, ("used", "", "")) for path in table["path"].values.tolist()]
        columns = zip(("fate", "reason", "product"), zip(*rows, strict=True), strict=True)
        return table.assign({name: ("file", column(values)) for name, values in columns})

    def to_zarr(self, store: str | PathLike[str]) -> None:
        """Write the table into the store of the night, in place of an earlier one."""
        notes = [
            *self.notes,
            *(f"{made.what}: {note}" for made in self.made for note in made.notes),
        ]
        table = self.table().assign_attrs(
            night=self.plan.night, notes="\n".join(notes), verdict=self.verdict
        )
        table.to_zarr(
            fspath(store), group=SUMMARY_GROUP, mode="w", consolidated=False, zarr_format=3
        )


def _with_files(reasons: Mapping[str, str]) -> Iterator[str]:
    """Two lines for each reason: what it is, and which files."""
    # what a file says of itself begins with its name
    named_reasons = (
        (Path(path).name, why.removeprefix(path).removeprefix(":").lstrip())
        for path, why in reasons.items()
    )
    for group in alike(named_reasons, _MOST_REASONS):
        yield from (f"    {line}" for line in group.line.split("\n"))
        number = f"{len(group.names)} files: " if len(group.names) > 1 else ""
        yield f"        {number}{named(group.names)}"
