"""The work on one setup of a night: its masters, as far as they can be made, and its science."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from autowisp_xr import io, schema, transforms
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning, BadImageError
from autowisp_xr.flags import Flag
from autowisp_xr.io import FileRecord
from autowisp_xr.night.group import Setup, names_for
from autowisp_xr.night.summary import Made, Summary

if TYPE_CHECKING:
    from autowisp_xr.flat_selection import FlatSelection

__all__ = ["STORE", "SetupWork"]

STORE = "night.zarr"

_Recipe = Callable[[xr.Dataset], tuple[xr.Dataset, list[str]]]
_NONE = "there is none of this size, channel layout and gain setting"


class SetupWork:
    """Makes masters in the order in which they need each other, then calibrates.

    Parameters
    ----------
    setup
        Frames that can correct each other.
    target, place
        Directory of the results, and the folder in it (and group in its store) for this setup.
    camera, select, overwrite, say
        As for :func:`~autowisp_xr.reduce`.
    summary
        Takes a note of what becomes of each frame.
    """

    def __init__(
        self,
        setup: Setup,
        target: Path,
        place: str,
        camera: Camera | None,
        select: "FlatSelection | None",
        overwrite: bool,
        summary: Summary,
        say: Callable[[str], None],
    ) -> None:
        self.setup = setup
        self.target = target
        self.place = place
        self.camera = camera
        self.select = select
        self.overwrite = overwrite
        self.summary = summary
        self.say = say
        self.bias: xr.Dataset | None = None
        self.darks: dict[float, xr.Dataset] = {}
        self.flats: dict[str, xr.Dataset] = {}
        # frames that were not good enough for the master at hand, and why
        self.unused: dict[str, str] = {}
        bands = [*setup.flat, *(band for band, _ in setup.science)]
        self.names = names_for(band for band in bands if band) | {"": ""}

    def run(self) -> None:
        """Make everything that the frames of this setup allow."""
        setup = self.setup
        if setup.bias:
            self.bias = self._attempt("master bias", setup.bias, "bias", self._make_bias)
        for exposure, records in setup.dark.items():
            what = f"master dark {exposure:g} s"
            if not self._stopped(records):
                made = self._attempt(what, records, f"dark_{exposure:g}s", self._make_dark)
                if made is not None:
                    self.darks[exposure] = made
        for band, records in setup.flat.items():
            what = f"master flat {band}".strip()
            if not self._stopped(records):
                name = "_".join(part for part in ("flat", self.names[band]) if part)
                made = self._attempt(what, records, name, self._make_flat)
                if made is not None:
                    self.flats[band] = made
        for (band, exposure), records in setup.science.items():
            if not self._stopped(records, band, exposure):
                self._calibrate(band, exposure, records)

    def _stopped(
        self, records: list[FileRecord], band: str | None = None, exposure: float | None = None
    ) -> bool:
        """Leave out frames that need a master which there could be, but is not."""
        reason = ""
        if self.setup.bias and self.bias is None:
            reason = "their master bias failed"
        elif exposure is not None and self.setup.dark and self._dark_for([exposure]) is None:
            of_exposure = any(schema.same_exposure(exposure, other) for other in self.setup.dark)
            reason = (
                f"their master dark of {exposure:g} s failed"
                if of_exposure
                else f"science frames exposed {exposure:g} s, {self._darks_there()}"
            )
        elif band is not None and band in self.setup.flat and band not in self.flats:
            reason = f"their master flat {band} failed".replace("  ", " ")
        self.summary.left_out.update({record.path: reason for record in records if reason})
        return bool(reason)

    def _make_bias(self, frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
        return transforms.master_bias(frames), []

    def _make_dark(self, frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
        return transforms.master_dark(frames, bias=self.bias), self._notes(bias=self.bias)

    def _make_flat(self, frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
        exposures = frames["exposure"].values.tolist()
        dark = self._dark_for(exposures)
        notes = self._notes(bias=self.bias)
        if dark is None:
            notes.append(
                f"no dark was applied: the flats were exposed {_span(exposures)}, "
                f"{self._darks_there()}"
            )
        with warnings.catch_warnings():
            # that there is no master is an error here, which says why
            warnings.filterwarnings("ignore", "no high master flat", AutowispWarning)
            flats = transforms.master_flat(frames, bias=self.bias, dark=dark, select=self.select)
        table = flats.frames
        columns = (frames["path"], table["class"], table["reason"])
        self.unused = {
            path: f"{kind}: {reason}"
            for path, kind, reason in zip(*(c.values.tolist() for c in columns), strict=True)
            if kind != "high"
        }
        if flats.high is None:
            raise AutowispError("; ".join(flats.notes))
        return flats.high, notes + flats.notes

    def _calibrate(self, band: str, exposure: float, records: list[FileRecord]) -> None:
        bias, dark, flat = self.bias, self._dark_for([exposure]), self.flats.get(band)

        def make(frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
            science = transforms.calibrate(frames, bias=bias, dark=dark, flat=flat)
            return science, self._notes(bias=bias, dark=dark, flat=flat)

        name = "_".join(part for part in (self.names[band], f"{exposure:g}s") if part)
        self._attempt(f"calibrated {name}", records, name, make, folder="calibrated")

    def _notes(self, **masters: xr.Dataset | None) -> list[str]:
        why = {"flat": f"{_NONE}, and this filter"}
        return [
            f"no {kind} was applied: {why.get(kind, _NONE)}"
            for kind, master in masters.items()
            if master is None
        ]

    def _attempt(
        self,
        what: str,
        records: list[FileRecord],
        name: str,
        make: _Recipe,
        folder: str = "masters",
    ) -> xr.Dataset | None:
        """Make one thing, write it, and note what became of its frames."""
        self.say(f"{what}: {len(records)} frames")
        try:
            return self._make(what, records, name, make, folder, self.overwrite)
        except BadImageError as error:
            good, reason = self._without_damaged(records), str(error)
        except (AutowispError, OSError, ValueError) as error:
            good, reason = records, str(error)
        if len(good) < len(records):
            records = good
            if good:
                try:
                    # what the damaged frames have left half-written in the store may go
                    return self._make(what, records, name, make, folder, True)
                except (AutowispError, OSError, ValueError) as error:
                    reason = str(error)
        for path in (record.path for record in records):
            self.summary.failed[path] = f"{what}: {reason}" + (
                f" ({self.unused[path]})" if path in self.unused else ""
            )
        self.say(f"  failed: {reason}")
        return None

    def _make(
        self,
        what: str,
        records: list[FileRecord],
        name: str,
        make: _Recipe,
        folder: str,
        overwrite: bool,
    ) -> xr.Dataset:
        paths = [record.path for record in records]
        group = "/".join(part for part in (self.place, folder, name) if part)
        self.unused = {}
        made, notes = make(io.open_fits(paths, camera=self.camera))
        try:
            made = io.to_zarr(made, self.target / STORE, group=group, overwrite=overwrite)
        except FileExistsError as error:
            raise FileExistsError(
                f"{self.target / STORE}/{group} holds what was made of other frames, with "
                "another camera or another choice of flats; choose another directory for the "
                "results, or overwrite it"
            ) from error
        notes += _doubts(made, folder)
        files = self._to_fits(made, folder, name)
        for path in (path for path in paths if path in self.unused):
            self.say(f"  left out: {path}: {self.unused[path]}")
        self.summary.left_out.update(self.unused)
        paths = [path for path in paths if path not in self.unused]
        self.summary.made.append(
            Made(
                what=what, inputs=tuple(paths), files=tuple(files), group=group, notes=tuple(notes)
            )
        )
        return made

    def _without_damaged(self, records: list[FileRecord]) -> list[FileRecord]:
        """Records whose pixels can be read; the others are left out with the reason."""
        good = []
        for record in records:
            error = io.damage(record)
            if error is None:
                good.append(record)
            else:
                self.summary.left_out[record.path] = str(error)
                self.say(f"  left out: {error}")
        return good

    def _to_fits(self, made: xr.Dataset, folder: str, name: str) -> list[str]:
        channel = "" if made.sizes["channel"] == 1 else "_{CLRCHNL}"
        if folder == "masters":
            into, stem = self.target / self.place / folder, name
        else:
            into, stem = self.target / self.place / folder / name, "{frame}"
        # braces in the name of a directory are no fields of the template
        template = str(into).replace("{", "{{").replace("}", "}}")
        # these are copies of what the store holds, which was or was not to be overwritten
        return io.to_fits(made, f"{template}/{stem}{channel}.fits", overwrite=True)

    def _dark_for(self, exposures: list[float]) -> xr.Dataset | None:
        for exposure, dark in self.darks.items():
            if all(schema.same_exposure(exposure, other) for other in exposures):
                return dark
        return None

    def _darks_there(self) -> str:
        if not self.setup.dark:
            return "there is no dark"
        return f"the darks {', '.join(f'{exposure:g} s' for exposure in sorted(self.setup.dark))}"


def _doubts(made: xr.Dataset, folder: str) -> list[str]:
    """Raise if no pixel of a master is good; name the science frames without any."""
    if folder == "masters":
        if not (made["mask"].values & np.uint8(Flag.BAD) == 0).any():
            raise AutowispError("no pixel of it is good: all are flagged or NaN in all frames")
        return []
    bad = [
        str(made["frame"].values[i])
        for i in range(made.sizes["frame"])
        if (made["mask"][i].values & np.uint8(Flag.BAD)).all()
    ]
    return [f"no pixel is good in {', '.join(bad)}"] if bad else []


def _span(exposures: list[float]) -> str:
    low, high = min(exposures), max(exposures)
    return f"{low:g} s" if low == high else f"{low:g} to {high:g} s"
