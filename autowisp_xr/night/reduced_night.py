"""What a run of ``reduce`` has recorded, read again from its results."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from autowisp_xr.errors import AutowispError
from autowisp_xr.night.product_writing import STORE
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.summary import CURVE, FORM, RECORD, SUMMARY_GROUP
from autowisp_xr.store import open_table
from autowisp_xr.store.group import Group


@dataclass(frozen=True, kw_only=True)
class RecordedProduct:
    """A master, or calibrated frames, that was made; as :class:`~autowisp_xr.night.Made`."""

    kind: str
    name: str
    """By which others name it: "dark_60s"."""
    group: str
    """In the store of the night, and its place among the results."""
    is_master: bool
    inputs: int
    """Frames that it was made of."""
    masters: Mapping[str, str]
    missing: Mapping[str, str]
    files: tuple[str, ...]
    """In the directory of the results."""
    again: str
    notes: tuple[str, ...]
    line: str
    """That of the summary."""


@dataclass(frozen=True, kw_only=True)
class ReducedNight:
    """A night that was reduced."""

    out: Path
    """Directory of the results."""
    night: str
    verdict: str
    exit_status: int
    lights: int
    """All that there are, copies left aside."""
    calibrated: int
    masters: int
    doubts: tuple[str, ...]
    """A line each, as in the summary; so are the notes."""
    notes: tuple[str, ...]
    made: tuple[RecordedProduct, ...]
    command: str
    """That of the run; "" where it was Python."""
    began: str
    ended: str
    versions: Mapping[str, str]
    table: xr.Dataset = field(repr=False)
    """A row for each file; see :meth:`autowisp_xr.night.Summary.table`."""
    curves: Mapping[str, xr.Dataset] = field(repr=False)
    """The photon transfer curve of each setup, by its place."""

    @property
    def store(self) -> Path:
        """The store with all pixels."""
        return self.out / STORE

    @classmethod
    def of(cls, out: str | PathLike[str]) -> "ReducedNight":
        """Read what was recorded.

        Parameters
        ----------
        out
            Directory of the results.

        Raises
        ------
        FileNotFoundError
            If it is none.
        AutowispError
            If an earlier version has made them.
        """
        place = Path(out).expanduser()
        store = place / STORE
        if not (store / SUMMARY_GROUP / "zarr.json").exists():
            raise FileNotFoundError(sentence("no_results", path=out))
        table = open_table(store, group=SUMMARY_GROUP)
        if RECORD not in table.attrs:
            raise AutowispError(sentence("no_record", path=out))
        record: dict[str, Any] = json.loads(table.attrs.pop(RECORD))
        if record.pop("form") != FORM:
            raise AutowispError(sentence("no_record", path=out))
        made = tuple(
            RecordedProduct(**one | {name: tuple(one[name]) for name in ("files", "notes")})
            for one in record.pop("made")
        )
        lines: dict[str, Any] = {name: tuple(record.pop(name)) for name in ("doubts", "notes")}
        group = Group.at(store, SUMMARY_GROUP).open("r")
        names = sorted(name for name, _ in group.groups() if name.startswith(CURVE))
        curves = [open_table(store, group=f"{SUMMARY_GROUP}/{name}") for name in names]
        return cls(
            out=place,
            night=table.attrs["night"],
            made=made,
            table=table,
            curves={str(curve.attrs["place"]): curve for curve in curves},
            **lines,
            **record,
        )
