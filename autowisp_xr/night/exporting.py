"""FITS files of products of a night: written by threads, by workers, or later, as units."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import xarray as xr

from autowisp_xr import provenance, store
from autowisp_xr.bridge.beside import Beside
from autowisp_xr.bridge.memory_limit import in_force
from autowisp_xr.filesystem.addresses import literal
from autowisp_xr.frames.atomic_write import remove_parts
from autowisp_xr.frames.write import Result
from autowisp_xr.night import engines
from autowisp_xr.night.plan import Product
from autowisp_xr.night.record import NOT_OURS, Record
from autowisp_xr.night.units import (
    Cfa,
    Export,
    Make,
    Written,
    as_written,
    doubts_of,
    names_of,
    parts,
)

if TYPE_CHECKING:
    from distributed import Client


class Exported(NamedTuple):
    """The files of a product."""

    files: list[str]
    """Those that are there, and are its."""
    why_kept: dict[str, str]
    """Those that are in the way and stay, with the reason."""


@dataclass
class Exporter:
    """Writes products, as they lie in the store of the night, to FITS files."""

    target: Path
    """Directory of the results."""
    record: Record
    """Knows what may be replaced."""
    cfa: Cfa = "split"
    """As for :func:`~autowisp_xr.reduce`."""
    digests: bool = True
    """Whether those of the files are noted."""
    client: "Client | None" = None
    """Whose workers write the files of frames; the threads of this process without."""
    making: Make | None = None
    """What this is done for, if others are to write the files of frames as units."""
    damaged: list[str] = field(default_factory=list)
    """Lines on files that were damaged, and make room."""
    _done: dict[str, str] = field(default_factory=dict)
    """Files that were written when their frames were stored, and the doubts in their headers."""

    def export(self, made: xr.Dataset, product: Product) -> Exported:
        """Write the files of a product that are not there, or whose doubts are not known there."""
        made = self._as_written(made, product)
        unit, paths, against = self._unit(made, product)
        if _by_path(doubts_of(made), list(paths)).items() <= self._done.items():
            # in the pass that has stored them
            return Exported(list(paths.values()), {})
        found: dict[str, bool] = {}
        try:
            for done in self._carried_out(unit, made, list(paths)):
                found |= done.found
        finally:
            self.record.end_files(found, digests=self.digests)
        # what is this very result is accepted, whoever has worked on it
        why_kept = {
            paths[one]: why
            for one, is_this in found.items()
            if (why := against[one] or ("" if is_this else NOT_OURS))
            and not (is_this and why == NOT_OURS)
        }
        ours = (path for one, path in paths.items() if found.get(one, True))
        return Exported([path for path in ours if os.path.exists(path)], why_kept)

    def export_beside(
        self, made: xr.Dataset, product: Product, through: Callable[[Beside | None], Result]
    ) -> Result:
        """Write the files of a product in the pass in which ``through`` stores it, if they can be.

        It is given None where workers or others write them, or later. For those that it does not
        come to, :meth:`export` is there.
        """
        of_frames = not product.is_master
        others = of_frames and (self.client is not None or self.making is not None)
        # a mosaic is not what is stored
        if others or self._as_written(made, product) is not made:
            return through(None)

        def note(written: Sequence[Mapping[str, Any]]) -> None:
            self._done.update({entry["path"]: doubts[entry["path"]] for entry in written})
            self.record.add(written)

        unit, paths, _ = self._unit(made, product)
        doubts = _by_path(doubts_of(made), list(paths))
        identities = _identities(made, list(paths))
        found = _found(unit, made, identities, whatever_doubts=True)
        self.record.begin_files({path: identities[path] for path in paths if path not in found})
        try:
            return unit.write_beside(made, through, note)
        finally:
            self.record.save()

    def _cfa(self, product: Product) -> Cfa:
        return "split" if product.is_master else self.cfa

    def _as_written(self, made: xr.Dataset, product: Product) -> xr.Dataset:
        return as_written(made, self._cfa(product))

    def _unit(
        self, made: xr.Dataset, product: Product
    ) -> tuple[Export, dict[str, str], dict[str, str | None]]:
        """Return the unit of a product, its paths, and what is against each, by absolute ones."""
        channel = "" if made.sizes["channel"] == 1 else "_{CLRCHNL}"
        path = self.target / product.group
        into, stem = (path.parent, path.name) if product.is_master else (path, "{frame}")
        # workers may be in other directories; and braces in a name are no fields of the template
        template, absolute = (
            f"{literal(str(folder))}/{stem}{channel}.fits"
            for folder in (into, os.path.abspath(into))
        )
        paths = {os.path.abspath(path): path for path in names_of(made, template)}
        self.damaged += filter(None, map(self.record.clear_damaged, paths.values()))
        against = {one: self.record.why_kept(path) for one, path in paths.items()}
        limit, place = in_force(), self.record.store
        unit = Export(
            store=os.path.abspath(place),
            group=product.group,
            identity=store.stated_identity(place, product.group) or "",
            template=absolute,
            cfa=self._cfa(product),
            doubts=doubts_of(made),
            replaces=tuple(one for one, why in against.items() if not why and os.path.exists(one)),
            digests=self.digests,
            memory_limit=limit.bytes if limit.is_stated else None,
        )
        return unit, paths, against

    def _carried_out(
        self, unit: Export, made: xr.Dataset, paths: Sequence[str]
    ) -> Iterator[Written]:
        """Yield what became of each part of a unit, and before that, of what is there and stays."""
        of_frames, channels = "frame" in made.dims, made.sizes["channel"]
        identities = _identities(made, paths)
        found = _found(unit, made, identities)
        yield Written(found=found)
        left = {path: identity for path, identity in identities.items() if path not in found}
        if of_frames and self.making is not None:
            self.record.begin_files(left)
            self.record.leave_set(unit.group, self.making.id, asdict(unit))
            return
        if not left:
            return
        self.record.begin_files(left)
        numbers = {number // channels for number, path in enumerate(paths) if path in left}
        if not of_frames or self.client is None:
            yield unit.write(made, report=self.record.add)
        else:
            units = parts(unit, made, paths, engines.at_once(self.client))
            units = [one for one in units if one.covers(numbers)]
            for done in engines.carry_out(self.client, units):
                self.record.add(done.files)
                yield done
            self.record.collect()
            remove_parts(Path(paths[0]).parent)


def _identities(made: xr.Dataset, paths: Sequence[str]) -> dict[str, str]:
    """Return the identities of what files are to hold, by their paths."""
    of_frames, channels = "frame" in made.dims, made.sizes["channel"]
    own = provenance.frame_identities(made) if of_frames else [provenance.identity(made)]
    return {path: own[number // channels] for number, path in enumerate(paths)}


def _by_path(doubts: Sequence[str], paths: Sequence[str]) -> dict[str, str]:
    """Return what is doubtful about what is in each file, in the order of frames, then channels."""
    channels = len(paths) // max(len(doubts), 1)
    return {path: doubts[i // channels] if doubts else "" for i, path in enumerate(paths)}


def _found(
    unit: Export,
    made: xr.Dataset,
    identities: Mapping[str, str],
    *,
    whatever_doubts: bool = False,
) -> dict[str, bool]:
    """Return the files that are there and stay, and whether each is what it is to be."""
    found: dict[str, bool] = {}
    keeps = unit.kept(made, found, whatever_doubts=whatever_doubts)
    for path, identity in identities.items():
        keeps(path, identity)
    return found
