"""The record of what ``reduce`` has written into its output, so that it replaces nothing else.

Decision: the group ``products`` of the store of the night names every file by its place in the
output, with size, time of change and SHA-256; the output may be moved, renamed or linked. A file is
ours and unchanged if size and time are those, as for every tool that keeps track of files, and
else, after a copy, if the digest is: that is read only where the times differ. Checksums of FITS
would not do, for programs that change a file put them right. The record is saved while files are
written: a run that is killed leaves those of its last second to nobody, and they are kept, as all
else is of which nobody knows. A group of the store is ours if it holds what was to be written
there, and no array that came later.
"""

import hashlib
import json
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import zarr

from autowisp_xr import provenance, recipes, store
from autowisp_xr.errors import AutowispError
from autowisp_xr.fits.checksums import check_sum
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.frames.named_masters import identity_in
from autowisp_xr.frames.names import FITS_SUFFIX
from autowisp_xr.night.sentences import sentence
from autowisp_xr.store.group import Group, is_taken, leftovers_passed_over
from autowisp_xr.store.swap import METADATA

NOT_OURS = "reduce has not written it"

_GROUP = "products"

_BEGUN = "begun"
"""In what is known of a file: the identity of what it is to hold, until that is written."""

_RENEWALS = "renewals"

_SETS = "sets"
"""In the record: what units have made, by its group."""

_RECEIPT = "unit-"
"""How the groups in it begin that processes leave which carry out units."""

_PAUSE = 1.0  # seconds
"""The record of a thousand files takes as long to write as a small one of them."""


class Record:
    """The record of one output.

    Parameters
    ----------
    target
        Directory of the results.
    store
        The store in it, which holds the record.
    read
        Files that the run reads, which it never replaces.
    """

    def __init__(self, target: Path, store: Path, read: Collection[str] = ()) -> None:
        self.target = target
        self.store = store
        self._read = set(map(os.path.realpath, read))
        self._files: dict[str, dict[str, Any]] = {}
        self._groups: dict[str, list[str]] = {}
        self._seen: set[str] = set()
        self._receipts: list[str] = []
        self._sets: dict[str, Any] = {}
        self.renewals: dict[str, str] = {}
        """By the place of a setup, why its camera is another than that of results which are being
        made again: a run that is killed leaves that to the next."""
        self._saved = -_PAUSE
        if (store / _GROUP / METADATA).exists():
            kept: Any = Group.at(store, _GROUP).open("r").attrs.asdict()
            # that of a run that ended before its first word is empty
            self._files, self._groups = kept.get("files", {}), kept.get("groups", {})
            self._sets, self.renewals = kept.get(_SETS, {}), kept.get(_RENEWALS, {})
            self.collect()

    @property
    def groups(self) -> list[str]:
        """The groups of the store that hold what this has written there last."""
        return [
            group
            for group, made in self._groups.items()
            if store.identity_of(self.store, group) in made
        ]

    def others(self) -> Iterator[tuple[str, str, bool]]:
        """Yield what we have written, and this run neither writes nor keeps: with its place.

        Only FITS files are; and whether they are what we have left.
        """
        for place in sorted(self._files.keys() - self._seen):
            path = str(self.target / place)
            if FITS_SUFFIX.search(place) and os.path.exists(path):
                yield path, place, self.why_kept(path) is None

    def forget_file(self, path: str) -> None:
        """Drop a file that is no more."""
        self._files.pop(self._place(path), None)

    def forget_group(self, group: str) -> None:
        """Drop a group that is no more."""
        self._groups.pop(group, None)

    def why_kept(self, path: str) -> str | None:
        """State why a file must not be replaced; None where it may be, or there is none."""
        if not os.path.exists(path):
            return None
        self._seen.add(self._place(path))
        if os.path.realpath(path) in self._read:
            return "this run reads it"
        if not os.path.isfile(path):
            return NOT_OURS
        entry = self._files.get(self._place(path))
        if entry is not None and (
            _is_begun(path, entry) or _is_unchanged(path, entry) or _is_damaged(path, entry)
        ):
            return None
        return NOT_OURS if entry is None else "it was changed since reduce wrote it"

    def has_written(self, group: str) -> bool:
        """Whether a group of the store is one that this has written, for itself or for others."""
        return group in self._groups or group.startswith(f"{recipes.INPUTS}/")

    def clear_damaged(self, path: str) -> str:
        """Let a file that this has written make room if it is damaged; a line on it, or "".

        It is kept under another name if there is more of it than of a file that was cut off.
        """
        entry = self._files.get(self._place(path), {})
        if "size" not in entry or not os.path.isfile(path) or os.path.realpath(path) in self._read:
            return ""
        if _is_unchanged(path, entry):
            # of a copy: so that it is not read each time
            entry["changed"] = os.stat(path).st_mtime_ns
            return ""
        what, aside = _damage(path), ""
        if not what:
            return ""
        if _is_damaged(path, entry):
            os.remove(path)
        else:
            names = (f"{path}.damaged{n or ''}" for n in count())
            name = next(name for name in names if not os.path.lexists(name))
            os.rename(path, name)
            aside = sentence("set_aside", path=name)
        self.forget_file(path)
        return sentence("file_damaged", path=path, what=what, aside=aside)

    def leave_set(self, group: str, unit: str, facts: Mapping[str, Any]) -> None:
        """Leave word of what a unit has made, for those that others write its files by."""
        self._sets[group] = {"unit": unit, "facts": dict(facts)}
        self.save()

    def begin_files(self, identities: Mapping[str, str]) -> None:
        """Note which files are about to be written, and the identity of what they are to hold.

        One that is there when all else is over, with that identity, is ours: whoever has written
        it may have been killed before it left word.
        """
        for path, identity in identities.items():
            self._files.setdefault(self._place(path), {})[_BEGUN] = identity
        self.save()

    def end_files(self, paths: Iterable[str], *, digests: bool) -> None:
        """Note those files of which nobody has left word, and which are what they were to be."""
        noted = provenance.hashed_entry if digests else provenance.file_entry
        for path in paths:
            begun = _BEGUN in self._files.get(self._place(path), {})
            if begun and self.why_kept(path) is None:
                self.add([noted(path)])
        self.save()

    def add(self, written: Iterable[Mapping[str, Any]]) -> None:
        """Note which files have been written, by the ``provenance.hashed_entry`` of each.

        One without a digest is ours as long as its size and time are those.
        """
        for entry in written:
            self._files[self._place(entry["path"])] = _facts(entry)
        if time.monotonic() - self._saved > _PAUSE:
            self.save()

    def collect(self) -> None:
        """Note what other processes have written as units, whether or not they came back."""
        group = Group.at(self.store, _GROUP).open("r")
        # one that is being left at this moment is passed over
        with leftovers_passed_over():
            left = [(name, one) for name, one in group.groups() if name.startswith(_RECEIPT)]
        for name, one in left:
            entries: Any = one.attrs.get("files", {})
            self._files |= entries
            self._receipts.append(name)

    def begin_text(self, path: str, text: bytes) -> None:
        """Note that a text is about to be written: by its digest, which is known before."""
        before = self._files.get(self._place(path), {}).get("sha256")
        digests = {"sha256": hashlib.sha256(text).hexdigest(), "sha256_before": before}
        self._files[self._place(path)] = digests
        self.save()

    def owns_group(self, group: str, identity: str) -> bool:
        """Whether there may be a result of this identity in a group of the store.

        That is so if nothing is there, this result, or one that is ours.
        """
        found = store.identity_of(self.store, group)
        if found == "" and store.damage_of(self.store, group):
            # it states nothing any more
            return group in self._groups
        return found is None or found in (identity, *self._groups.get(group, ()))

    def begin_group(self, group: str, identity: str) -> None:
        """Note the identity of the result that is about to be written to a group of ours."""
        before = store.identity_of(self.store, group)
        self._groups[group] = [one for one in {before, identity} if one]
        self.save()

    def _place(self, path: str) -> str:
        """Return where a file lies in the output."""
        return Path(os.path.relpath(path, self.target)).as_posix()

    def save(self) -> None:
        """Put on the disk what has been noted."""
        group = zarr.open_group(self.store, mode="a", zarr_format=3).require_group(_GROUP)
        parts: dict[str, Any] = {"files": self._files, "groups": self._groups}
        parts |= {_SETS: self._sets} if self._sets else {}
        parts |= {_RENEWALS: self.renewals} if self.renewals else {}
        group.attrs.put(parts)
        for name in self._receipts:
            # somebody else may have carried out the same unit since
            with suppress(KeyError, FileNotFoundError):
                del group[name]
        self._receipts.clear()
        self._saved = time.monotonic()


def mend(place: Path) -> list[str]:
    """Clear away metadata of the store of a night that are damaged, and made again by its run.

    Returns
    -------
    Lines on what was damaged.

    Raises
    ------
    FileExistsError
        If the directory is no store.
    """
    notes: list[str] = []
    if not place.exists() or not is_taken(place):
        return notes
    record = place / _GROUP
    for path in (record, place):
        metadata = path / METADATA
        fault = _fault_of(metadata) if path.is_dir() else ""
        if not fault or (path == record and not _has_groups(place)):
            continue
        if path == place and not record.is_dir():
            raise FileExistsError(sentence("no_store", path=place))
        metadata.unlink(missing_ok=True)
        words = {"path": metadata, "what": fault}
        notes.append(sentence("record_damaged" if path == record else "store_damaged", **words))
    zarr.open_group(place, mode="a", zarr_format=3)
    return notes


def _has_groups(place: Path) -> bool:
    """Return whether a run has come further in a store than to empty folders."""
    return any(metadata.parent != place for metadata in place.rglob(METADATA))


def _fault_of(metadata: Path) -> str:
    """State what is wrong with the metadata of a group; "" for nothing."""
    try:
        found = json.loads(metadata.read_text("utf-8"))
    except FileNotFoundError:
        return "it is lost"
    except ValueError as error:
        return str(error)
    return "" if isinstance(found, dict) and found.get("node_type") == "group" else "it is no group"


def set_left_by(place: Path, group: str, unit: str) -> dict[str, Any] | None:
    """Return what a unit has left word of in the store of a night; None if it has not (yet)."""
    try:
        kept: Any = Group.at(place, _GROUP).open("r").attrs.get(_SETS, {})
    except FileNotFoundError:
        return None
    left = kept.get(group, {})
    return left.get("facts") if left.get("unit") == unit else None


def leave_receipt(place: Path, unit: str, written: Iterable[Mapping[str, Any]]) -> None:
    """Leave word in the store of a night of the files that a process has written as a unit.

    The run that planned the unit need not be there any more: the next one takes it up.
    """
    files = {
        Path(os.path.relpath(entry["path"], place.parent)).as_posix(): _facts(entry)
        for entry in written
    }
    group = zarr.open_group(place, path=f"{_GROUP}/{_RECEIPT}{unit}", mode="a", zarr_format=3)
    attributes: dict[str, Any] = {"files": files}
    group.attrs.put(attributes)


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("size", "changed", "sha256") if name in entry}


def _is_begun(path: str, entry: Mapping[str, Any]) -> bool:
    """Whether a file holds what was about to be written there when its run ended."""
    return _BEGUN in entry and identity_in(path) == entry[_BEGUN]


def _is_unchanged(path: str, entry: Mapping[str, Any]) -> bool:
    """Whether a file is as it was written, by its size and time, else its digest."""
    status = os.stat(path)
    if (status.st_size, status.st_mtime_ns) == (entry.get("size"), entry.get("changed")):
        return True
    known = {entry.get("sha256"), entry.get("sha256_before")} - {None}
    return bool(known) and provenance.hashed_entry(path)["sha256"] in known


def _damage(path: str) -> str:
    """State what is damaged of a FITS file that this package has written; "" for nothing.

    A program that changes a file on purpose leaves all of its planes, and sums that hold or, as it
    has changed the header as well, hold for nothing.
    """
    try:
        planes = read_layout(path).planes
        for plane in planes.values():
            for hdu in plane.hdus:
                check_sum(hdu)
    except AutowispError as error:
        return str(error).removeprefix(f"{path}: ").partition(";")[0]
    except OSError:
        return ""
    return "" if "mask" in planes else "its mask is lost"


def _is_damaged(path: str, entry: Mapping[str, Any]) -> bool:
    """Whether a file is a part of what was written, and of no use to anybody."""
    if os.path.getsize(path) >= entry.get("size", 0):
        return False
    try:
        read_layout(path)
    except (AutowispError, OSError):
        return True
    return False
