"""Products of a night made and written, and what became of their frames."""

import math
import os
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any, Literal, TypeAlias

import dask.config
import dask.threaded
import numpy as np
import xarray as xr

from autowisp_xr import frames, provenance, recipes, store
from autowisp_xr.allocation import give_back
from autowisp_xr.bridge.beside import Beside, together
from autowisp_xr.bridge.memory_limit import in_force
from autowisp_xr.bridge.remembering import remembering
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, BadImageError, DamagedStoreError, NotWrittenError
from autowisp_xr.flags import Flag
from autowisp_xr.frames import FileRecord
from autowisp_xr.frames.atomic_write import write_whole
from autowisp_xr.frames.write import with_files
from autowisp_xr.night.checks_of_masters import against_last_good
from autowisp_xr.night.exporting import Exporter
from autowisp_xr.night.plan import Product
from autowisp_xr.night.record import Record
from autowisp_xr.night.renewal import why_again
from autowisp_xr.night.sentences import Doubts, by_reason, counted, sentence
from autowisp_xr.night.summary import Made, Summary
from autowisp_xr.option_words import in_options
from autowisp_xr.recipes import Kept

StoreForm: TypeAlias = Literal["recipe", "pixels"]
"""What the store of a night has of calibrated frames."""

RawPlace: TypeAlias = Literal["store", "link"]
"""Where a recipe has the pixels of raw frames."""

STORE = "night.zarr"
CAMERA = "camera.toml"

_UNUSABLE = np.uint8(Flag.UNUSABLE)


@dataclass(kw_only=True)
class Remarks:
    """Remarks that are made while a product is."""

    notes: list[str] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)
    """Frames that are not good enough for the master at hand, and why."""
    again: str = ""
    """Why it is made again."""
    there: bool = False
    """Whether an earlier run has made it."""
    look: Callable[[xr.Dataset], Doubts] | None = None
    """Finds what is doubtful about what was made."""
    describe: Callable[[xr.Dataset], str] | None = None
    """States in a line what was made, by its pixels."""
    see: Callable[..., None] | None = None
    """Looks at frames while they are in memory: numbers, image, variance and mask, for ``look``."""
    levels: Callable[[], Mapping[str, tuple[float, float]]] | None = None
    """Measures level and noise of the raw frames of a master, by the paths of their files."""
    kept: Kept | None = None
    """What it was made of, if that can be stored in place of its pixels."""


Recipe = Callable[[Sequence[FileRecord], Remarks], xr.Dataset]
"""What makes a product of the files of its frames."""


@dataclass
class Writer:
    """Makes products, one after the other, and notes what became of each frame."""

    target: Path
    """Directory of the results."""
    overwrite: bool
    summary: Summary
    """Takes the notes."""
    report: Callable[[str], None]
    """As for :func:`~autowisp_xr.reduce`, like ``overwrite``."""
    record: Record
    """Knows what may be replaced."""
    exporter: Exporter
    checks: bool = True
    fits: bool = True
    """As for :func:`~autowisp_xr.reduce`."""
    form: StoreForm = "recipe"
    """As ``store`` there."""
    link: bool = False
    """Whether ``raw`` is "link"."""
    attempted: set[str] = field(default_factory=set)
    """The groups of all that was to be made, whether or not it was."""
    kept: bool = False
    """Whether results of another run are in the way, and stay."""
    remake: Callable[[str], bool] = lambda group: False
    """Makes the product again that is in a group of the store; returns whether there is one."""
    _damaged: dict[str, str] = field(default_factory=dict)
    """What turned out to be damaged when it was read, by its group in the store."""

    def attempt(self, product: Product, recipe: Recipe) -> xr.Dataset | None:
        """Make one thing and write it; None, with the reason for its frames, if that fails.

        Where frames turn out to be damaged, or gone, it is made again of the others.
        """
        records: Sequence[FileRecord] = product.frames.records
        self.attempted.add(product.group)
        self.report(f"{product.what}: {counted(len(records), 'frame')}")
        give_back()
        good, overwrite, number = records, self.overwrite, 0
        while good and number != len(good):
            number, remarks = len(good), Remarks()
            try:
                # what lights share is made of the same masters before they are stored and after
                with nullcontext() if product.is_master else remembering({}):
                    made = recipe(good, remarks)
                    return self._write(product, good, made, remarks, overwrite)
            except NotWrittenError:
                # nothing else would find room either
                raise
            except (AutowispError, OSError, ValueError) as error:
                reason = in_options(str(error))
                lost = isinstance(error, BadImageError | FileNotFoundError)
                if isinstance(error, DamagedStoreError):
                    number = 0 if self._cleared(error, product) else number
                elif lost and good is records:
                    good = self._undamaged(records)
                    # what the damaged frames have left half-written in the store may go
                    overwrite |= product.group not in store.groups_of(self.target / STORE)
        if product.kind == "defects":
            # its frames are those of masters, too
            self.summary.notes.append(sentence("no_defects", reason=reason))
            good = []
        for path in (record.path for record in good):
            unused = f" ({remarks.unused[path]})" if path in remarks.unused else ""
            self.summary.failed[path] = f"{product.what}: {reason}{unused}"
        self.report(f"  failed: {reason}")
        return None

    def _cleared(self, error: DamagedStoreError, product: Product) -> bool:
        """Make room for what is damaged in the store; return whether it is worth another try."""
        place = os.path.relpath(error.place, os.path.abspath(self.target / STORE))
        group = Path(place).as_posix()
        if group in self._damaged or not self.record.has_written(group):
            return False
        self._damaged[group] = str(error)
        if group == product.group:
            return True
        store.remove(self.record.store, group)
        self.report(f"  {sentence('group_damaged', what=error)}")
        return self.remake(group)

    def write_camera(self, place: str, camera: Camera, note: str) -> None:
        """Write what was measured of a camera, in the form that ``reduce`` reads."""
        path = self.target / place / CAMERA
        lines = "".join(f"# {line}\n" for line in textwrap.wrap(note, 96))
        text = lines + camera.to_toml()
        there = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
        # that of another run goes with its results, which are not replaced either
        free = self.overwrite or there is None or place in self.record.renewals
        if there != text and not (free and self.write_text(path, text)):
            self.summary.notes.append(sentence("camera_kept", path=path))

    def earlier_camera(self, place: str) -> Camera | None:
        """Return the camera that an earlier run has measured; None where nobody else left it so."""
        path = self.target / place / CAMERA
        if not path.exists() or self.record.why_kept(str(path)):
            return None
        return Camera.from_toml(path)

    def write_text(self, path: Path, text: str) -> bool:
        """Write a text; return False, with a note in the summary, where another's is in the way."""
        content = text.encode("utf-8", errors="backslashreplace")
        why = self.record.why_kept(str(path))
        if why:
            self.summary.notes.append(sentence("kept", files=path, why=why))
            return False
        self.record.begin_text(str(path), content)
        try:
            write_whole([(str(path), methodcaller("write", content))], overwrite=True)
        except NotWrittenError as error:
            raise NotWrittenError(f"{error}\n\n{text}") from error
        except OSError as error:
            raise AutowispError(f"{path} could not be written: {error}\n\n{text}") from error
        return True

    def _write(
        self,
        product: Product,
        records: Sequence[FileRecord],
        made: xr.Dataset,
        remarks: Remarks,
        overwrite: bool,
    ) -> xr.Dataset:
        """Store a product, look at it, write its files, and note it in the summary."""
        lost = {one.path for one in product.frames.records} - {one.path for one in records}
        lost |= self.summary.left_out.keys() - set(self.summary.plan.copies)
        keeping = partial(self._stored, made, product, remarks, lost, overwrite)
        # what masters were looked at for is gone
        give_back()
        if self.fits or product.is_master:
            # those about which something is found out, which is rare, are written once more
            marked = Doubts().marked(made, remarks.notes)
            made = self.exporter.export_beside(marked, product, keeping)
        else:
            made = keeping(None)
        give_back()
        if remarks.there or remarks.again:
            self.report(f"  {'up to date' if remarks.there else f'made again: {remarks.again}'}")
        if remarks.describe:
            remarks.notes.append(remarks.describe(made))
        doubts = remarks.look(made) if remarks.look and self.checks else Doubts()
        # that a master has good pixels is no doubt: without, it must not be used
        if self.checks or product.is_master:
            remarks.notes += _without_good_pixels(made, product, doubts)
        self.summary.levels |= doubts.levels
        if remarks.levels and self.checks:
            self.summary.levels |= remarks.levels()
        if self.checks and product.is_master:
            remarks.notes += against_last_good(product, made, self.summary.plan)
        made = doubts.marked(made, remarks.notes)
        remarks.notes += doubts.notes
        files: list[str] = []
        if self.fits or product.is_master:
            files, why_kept = self.exporter.export(made, product)
            remarks.notes += [
                sentence("kept", files=", ".join(names), why=why)
                for why, names in by_reason(why_kept).items()
            ]
            remarks.notes += self.exporter.damaged
            self.exporter.damaged.clear()
        made = with_files(made, files)
        for path, reason in remarks.unused.items():
            self.report(f"  left out: {path}: {reason}")
        self.summary.left_out.update(remarks.unused)
        made_so_far = self.summary.masks if product.kind == "defects" else self.summary.made
        # one that was made again, as it was damaged, was noted as up to date before
        made_so_far[:] = [one for one in made_so_far if one.group != product.group]
        made_so_far.append(
            Made(
                **vars(product),
                inputs=tuple(one.path for one in records if one.path not in remarks.unused),
                files=tuple(files),
                noise_known=provenance.noise_known(made),
                again=remarks.again,
                there=remarks.there,
                notes=tuple(remarks.notes),
            )
        )
        return made

    def _stored(
        self,
        made: xr.Dataset,
        product: Product,
        remarks: Remarks,
        lost: Collection[str],
        overwrite: bool,
        beside: Beside | None,
    ) -> xr.Dataset:
        """Store what was made, and return it as it lies in the store of the night."""
        kept, identity = None, provenance.fingerprint(made, lazy=False)
        if remarks.kept is not None and self.form == "recipe":
            kept = replace(remarks.kept, link=self.link)
            identity = recipes.identity_of(made, link=self.link)
        place = self.target / STORE
        ours = self.record.owns_group(product.group, identity)
        if ours:
            found = self._damaged.get(product.group, "") or store.damage_of(place, product.group)
            earlier = self._earlier(product.group, identity, instead=overwrite or bool(found))
            if earlier is not None:
                renewed = self.record.renewals.get(product.frames.place, "")
                remarks.again = why_again(made, earlier, lost, renewed)
                # those with uncertainties take the place of those without
                overwrite |= provenance.noise_known(made) and not provenance.noise_known(earlier)
            if found:
                remarks.again, overwrite = sentence("group_damaged", what=found), True
            whole = store.stated_identity(place, product.group) == identity
            remarks.there = whole and not overwrite
            self.record.begin_group(product.group, identity)
        try:
            given: dict[str, Any] = {"group": product.group, "overwrite": overwrite and ours}
            # by frames that are there already, unless the user wants all of them anew
            given |= {"keep": bool(remarks.again) and not overwrite}
            given["beside"] = _seeing(made, remarks, beside)
            return recipes.store_product(made, kept, place, **given)
        except FileExistsError as error:
            self.kept = True
            group = f"{place}/{product.group}"
            camera = self.target / product.frames.place / CAMERA
            raise FileExistsError(
                sentence("group_of_other_run", path=group, camera=camera)
                if ours
                else sentence("group_of_others", path=group)
            ) from error

    def _earlier(self, group: str, identity: str, *, instead: bool) -> xr.Dataset | None:
        """Return what an earlier run has left in a group; None for nothing, or just this result.

        What cannot be read, as of a later version, is None where something else is stored instead.
        """
        place = self.target / STORE
        if store.identity_of(place, group) in (None, identity):
            return None
        try:
            return recipes.outline(place, group=group)
        except BadImageError:
            if not instead:
                raise
            return None

    def _undamaged(self, records: Sequence[FileRecord]) -> list[FileRecord]:
        """Select records whose pixels can be read; leave out the others with the reason."""
        good = []
        for record in records:
            error = frames.damage(record)
            if error is None:
                good.append(record)
            else:
                self.summary.left_out[record.path] = reason = in_options(str(error))
                self.report(f"  left out: {reason}")
        return good


def _seeing(made: xr.Dataset, remarks: Remarks, beside: Beside | None) -> Beside | None:
    """Return what looks at frames in the pass that stores them, beside what is done there."""
    here = dask.config.get("scheduler", None) is dask.threaded.get
    # planes that are in memory for this alone count in a limit
    if remarks.see is None or not here or (beside is None and in_force().is_stated):
        return beside
    numbers = xr.Variable("frame", np.arange(made.sizes["frame"]))
    planes = (made[name].variable for name in ("image", "variance", "mask"))
    return together(beside, Beside([numbers, *planes], remarks.see, lambda given, rows: None))


def _without_good_pixels(made: xr.Dataset, product: Product, doubts: Doubts) -> list[str]:
    """Report what is wrong with a product as a whole; refuse a master without a good pixel."""
    masks, middle = made["mask"], made.sizes["y"] // 2
    if not product.is_master:
        # a level is that of good pixels
        unknown = (math.nan, math.nan)
        levels = [doubts.levels.get(path, unknown)[0] for path in made["path"].values.tolist()]
        masks = masks.isel(frame=np.flatnonzero(np.isnan(levels)))
        if not masks.size:
            return []
    # a row shows of nearly all frames that they are good
    in_row = {"y": slice(middle, middle + 1)}
    row = masks.isel(in_row).values & _UNUSABLE
    if product.is_master:
        if (row != 0).all() and (masks.values & _UNUSABLE != 0).all():
            raise AutowispError("it has no good pixel: all are flagged or NaN in all frames")
        without = "variance" in made and np.isnan(made["variance"].isel(in_row).values).all()
        if without and np.isnan(made["variance"].values).all():
            return [sentence("no_uncertainties")]
        return []
    doubtful = np.flatnonzero((row != 0).all(axis=(1, 2, 3))).tolist()
    lost = [number for number in doubtful if (masks[number].values & _UNUSABLE).all()]
    bad = [str(name) for name in masks["frame"].values[lost].tolist()]
    return [sentence("no_good_pixel", frames=", ".join(bad))] if bad else []
