"""``reduce``: a directory of raw frames becomes masters and calibrated frames."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import xarray as xr

from autowisp_xr import io, transforms
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError
from autowisp_xr.io import FileRecord
from autowisp_xr.night.group import Setup, fit_for_names, same_exposure, sort_frames
from autowisp_xr.night.summary import Made, Summary

__all__ = ["reduce"]

STORE = "night.zarr"


def reduce(
    night: str | PathLike[str],
    out: str | PathLike[str],
    *,
    camera: Camera | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Masters and calibrated frames of all raw frames in a directory.

    Frames are sorted by type, and grouped by size, channel layout, gain setting, filter and
    exposure. Each group of biases, darks and flats becomes a master; science frames are calibrated
    with the masters that match. A group that fails does not stop the others.

    Parameters
    ----------
    night
        Directory of FITS files; they are only read.
    out
        Directory for the results: ``masters/`` and ``calibrated/`` as FITS, ``night.zarr`` with
        everything, ``summary.txt``. A run that was interrupted is taken up where it stopped.
    camera
        What is known about the camera; the headers complete it.
    overwrite
        Whether results of other frames in ``out`` may be replaced.
    say
        Called with a line of text for each step.

    Returns
    -------
    What was made of what, and the reason for each frame that was left out.

    Raises
    ------
    FileNotFoundError
        If there is no FITS file in the directory.
    FileExistsError
        If ``out`` holds something that is no earlier run of this.

    Notes
    -----
    A dark serves frames of its own exposure (within 1 %) only. Flats without one are calibrated
    without; science frames are left out if there are darks, but none of their exposure.
    """
    target = Path(out)
    if (
        target.exists()
        and not overwrite
        and any(target.iterdir())
        and not (target / STORE).exists()
    ):
        raise FileExistsError(
            f"{target} exists and was not made by an earlier run; choose another directory, or "
            "overwrite=True"
        )
    records = io.scan(night)
    setups, left_out = sort_frames(records)
    summary = Summary(night=str(night), left_out=left_out)
    for setup in setups:
        # one setup needs no name of its own in the results
        place = "" if len(setups) == 1 else fit_for_names(setup.name)
        _Reduction(setup, target, place, camera, overwrite, summary, say).run()
    target.mkdir(parents=True, exist_ok=True)
    (target / "summary.txt").write_text(str(summary), encoding="utf-8")
    return summary


class _Reduction:
    """The work on one setup: masters as they are made, and where results go."""

    def __init__(
        self,
        setup: Setup,
        target: Path,
        place: str,
        camera: Camera | None,
        overwrite: bool,
        summary: Summary,
        say: Callable[[str], None],
    ) -> None:
        self.setup = setup
        self.target = target
        self.place = place
        self.camera = camera
        self.overwrite = overwrite
        self.summary = summary
        self.say = say
        self.bias: xr.Dataset | None = None
        self.darks: dict[float, xr.Dataset] = {}
        self.flats: dict[str, xr.Dataset] = {}

    def run(self) -> None:
        """Make everything that the frames of this setup allow."""
        setup = self.setup
        if setup.bias:
            self.bias = self._attempt("master bias", setup.bias, "bias", self._make_bias)
        for exposure, records in setup.dark.items():
            made = self._attempt(
                f"master dark {exposure:g} s", records, f"dark_{exposure:g}s", self._make_dark
            )
            if made is not None:
                self.darks[exposure] = made
        for band, records in setup.flat.items():
            name = f"flat_{fit_for_names(band)}" if band else "flat"
            made = self._attempt(f"master flat {band}".strip(), records, name, self._make_flat)
            if made is not None:
                self.flats[band] = made
        for (band, exposure), records in setup.science.items():
            self._calibrate(band, exposure, records)

    def _make_bias(self, frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
        return transforms.master_bias(frames), []

    def _make_dark(self, frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
        notes = [] if self.bias is not None else ["no bias was subtracted: there is none"]
        return transforms.master_dark(frames, bias=self.bias), notes

    def _make_flat(self, frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
        exposures = frames["exposure"].values.tolist()
        dark = self._dark_for(exposures)
        notes = [] if self.bias is not None else ["no bias was subtracted: there is none"]
        if dark is None:
            notes.append(
                f"no dark was subtracted: the flats were exposed {_span(exposures)}, "
                f"{self._darks_there()}"
            )
        flats = transforms.master_flat(frames, bias=self.bias, dark=dark)
        if flats.high is None:
            raise AutowispError("no flat frame was good enough for a master")
        return flats.high, notes

    def _calibrate(self, band: str, exposure: float, records: list[FileRecord]) -> None:
        name = "_".join(
            part for part in (fit_for_names(band) if band else "", f"{exposure:g}s") if part
        )
        dark = self._dark_for([exposure])
        if dark is None and self.setup.dark:
            reason = f"exposed {exposure:g} s, {self._darks_there()}"
            self.summary.left_out.update({record.path: reason for record in records})
            return
        flat = self.flats.get(band)

        def make(frames: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
            notes = [
                f"no {kind} was applied: {why}"
                for kind, master, why in (
                    ("bias", self.bias, "there is none"),
                    ("dark", dark, "there is none"),
                    ("flat", flat, f"there is none of filter {band!r}"),
                )
                if master is None
            ]
            frames = transforms.calibrate(frames, bias=self.bias, dark=dark, flat=flat)
            return frames, notes

        self._attempt(f"calibrated {name}", records, name, make, folder="calibrated")

    def _attempt(
        self,
        what: str,
        records: list[FileRecord],
        name: str,
        make: Callable[[xr.Dataset], tuple[xr.Dataset, list[str]]],
        folder: str = "masters",
    ) -> xr.Dataset | None:
        """Make one thing, write it, and note what became of its frames."""
        paths = [record.path for record in records]
        self.say(f"{what}: {len(paths)} frames")
        group = "/".join(part for part in (self.place, folder, name) if part)
        try:
            made, notes = make(io.open_fits(paths, camera=self.camera))
            made = io.to_zarr(made, self.target / STORE, group=group, overwrite=self.overwrite)
            files = self._to_fits(made, folder, name)
        except (AutowispError, OSError) as error:
            self.summary.failed.update(dict.fromkeys(paths, f"{what}: {error}"))
            self.say(f"  failed: {error}")
            return None
        self.summary.made.append(
            Made(
                what=what, inputs=tuple(paths), files=tuple(files), group=group, notes=tuple(notes)
            )
        )
        return made

    def _to_fits(self, made: xr.Dataset, folder: str, name: str) -> list[str]:
        stem = name if folder == "masters" else "{RAWFNAME}"
        channel = "" if made.sizes["channel"] == 1 else "_{CLRCHNL}"
        template = self.target / self.place / folder / f"{stem}{channel}.fits"
        # they are copies of what the store holds, which has just refused to be overwritten or not
        return io.to_fits(made, template, overwrite=True)

    def _dark_for(self, exposures: list[float]) -> xr.Dataset | None:
        for exposure, dark in self.darks.items():
            if all(same_exposure(exposure, other) for other in exposures):
                return dark
        return None

    def _darks_there(self) -> str:
        if not self.setup.dark:
            return "there is no dark"
        return f"the darks {', '.join(f'{exposure:g} s' for exposure in sorted(self.setup.dark))}"


def _span(exposures: list[float]) -> str:
    low, high = min(exposures), max(exposures)
    return f"{low:g} s" if low == high else f"{low:g} to {high:g} s"
