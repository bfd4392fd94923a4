"""``measure_camera``: what the frames of a folder show of a camera, as a file that reduce takes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from os import PathLike
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import xarray as xr

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.filesystem.addresses import literal
from autowisp_xr.fits.hdu_choice import HduName
from autowisp_xr.frames import to_fits
from autowisp_xr.frames.atomic_write import Content, write_whole
from autowisp_xr.frames.names import Paths
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.night.camera_findings import Finding, SetupFrames, measured
from autowisp_xr.night.camera_measurements import MEASUREMENTS
from autowisp_xr.night.frame_sets import records_of
from autowisp_xr.night.night_tree import manifest_for
from autowisp_xr.night.plan import by_setup, camera_with_colours, plan_night
from autowisp_xr.night.sentences import alike, by_key, named, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _DPI = 96, 120

_MOST_REASONS = 6


@dataclass(kw_only=True)
class MeasuredCamera:
    """What was measured of one setup of a camera."""

    place: str
    """Its name among several setups; "" of a single one."""
    camera: Camera
    """What was stated, completed by what was measured."""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What measuring warned of."""
    pictures: dict[str, Callable[[], "Figure"]] = field(default_factory=dict)
    """What draws each, by name."""
    masks: dict[str, xr.Dataset] = field(default_factory=dict)
    """Masks that were found, such as that of the defects, by name."""
    files: list[str] = field(default_factory=list)
    """Those that were written."""

    @property
    def missing(self) -> list[Finding]:
        """What was not measured."""
        return [one for one in self.findings if not one.value]

    @property
    def exit_status(self) -> int:
        """0 where all was measured, 3 where some was not, 1 where nothing was."""
        number = len(self.missing)
        return 0 if not number else 1 if number == len(self.findings) else 3

    def __str__(self) -> str:
        lines = [f"{self.place}:"] if self.place else []
        lines += [str(one) for one in self.findings if one.value]
        lines += [f"note: {note}" for note in self.notes]
        for why, of in by_key(self.missing, lambda one: one.why_not).items():
            lines.append(f"not measured: {', '.join(one.quantity for one in of)}: {why}")
            lines += [f"    for the {one.quantity}, take {one.remedy}" for one in of]
        lines += [f"wrote {', '.join(self.files)}"] if self.files else []
        return "\n".join(lines) + "\n"

    def to_toml(self) -> str:
        """Return the camera as the text of a file, with a comment on each quantity."""
        texts = [str(one) for one in self.findings if one.value]
        texts += [f"note: {note}" for note in self.notes]
        lines = [fill(one, _WIDTH, initial_indent="# ", subsequent_indent="#   ") for one in texts]
        return "\n".join([*lines, self.camera.to_toml()])

    def write(
        self,
        path: str | PathLike[str],
        pictures: str | PathLike[str] | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Write the camera as TOML, its masks as FITS beside, and its pictures as PNG.

        Parameters
        ----------
        path
            Of the camera; the mask of defects of camera.toml is camera-defects.fits.
        pictures
            Folder for them; None for none. Without matplotlib there are none, and a note on that.
        overwrite
            Whether files may be replaced.

        Raises
        ------
        FileExistsError
            For a file that exists, unless ``overwrite``; before anything is written.
        """
        path = Path(path)
        drawn = self._drawn() if pictures is not None else {}
        into = {str(Path(pictures or "") / f"{name}.png"): one for name, one in drawn.items()}
        masks = dict(_by_channel(path, self.masks))
        there = [name for name in (str(path), *into, *masks) if Path(name).exists()]
        if there and not overwrite:
            raise FileExistsError(sentence("camera_exists", path=", ".join(there)))
        outputs: list[tuple[str, Content]] = [
            (str(path), methodcaller("write", self.to_toml().encode()))
        ]
        outputs += [(n, partial(one.savefig, format="png", dpi=_DPI)) for n, one in into.items()]
        write_whole(outputs, overwrite=overwrite)
        for name, mask in masks.items():
            to_fits(mask, literal(name), overwrite=overwrite)
        self.files = [*(name for name, _ in outputs), *masks]

    def _drawn(self) -> dict[str, "Figure"]:
        try:
            return {name: draw() for name, draw in self.pictures.items()}
        except ImportError as error:
            self.notes.append(f"no pictures: {error}")
            return {}


def _by_channel(path: Path, masks: Mapping[str, xr.Dataset]) -> Iterator[tuple[str, xr.Dataset]]:
    """Return the file of each channel of masks that lie beside a camera, and what it holds."""
    for name, mask in masks.items():
        channels = schema.names(mask, "channel")
        for number, channel in enumerate(channels):
            behind = f"_{channel}" if len(channels) > 1 else ""
            file = path.with_name(f"{path.stem}-{name}{behind}.fits")
            yield str(file), mask.isel(channel=[number])


def measure_camera(
    folder: Paths,
    *,
    camera: Camera | None = None,
    types: Mapping[str, str] | None = None,
    aliases: KeywordAliases | None = None,
    hdu: HduName | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[MeasuredCamera]:
    """Measure all that the frames of a folder show of their camera.

    Parameters
    ----------
    folder
        Directories, which are searched into their subdirectories, files or glob patterns; the
        files are only read.
    camera
        What is known of it, which stays as it is: areas, channels, amplifiers, ...
    types, aliases, hdu, report
        As for :func:`~autowisp_xr.reduce`.

    Returns
    -------
    For each setup of the camera what was found: as text a line for each quantity, with its
    uncertainty and the frames that it is from, then what could not be measured, why, and which
    frames would show it. ``write`` makes a file of it that ``reduce`` takes as its camera.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no FITS file in it.
    CalibrationError
        If no file is a raw frame of a known type.
    """
    reading: dict[str, Any] = {"types": types, "aliases": aliases, "hdu": hdu}
    reading["manifest"] = manifest_for(folder)
    plan = plan_night(folder, camera=camera, look=True, report=report, **reading)
    for note in plan.notes:
        report(note)
    for group in alike(((Path(p).name, why) for p, why in plan.left_out.items()), _MOST_REASONS):
        report(f"left out: {named(group.names)}: {group.line}")
    if not plan.sets:
        raise CalibrationError(sentence("no_frames_of_camera", number=len(plan.records)))
    results = []
    for place, sets in by_setup(plan.sets).items():
        stated = camera_with_colours(sets, camera) or Camera()
        frames = SetupFrames(sets, stated)
        one = MeasuredCamera(place=place, camera=stated)
        numbers = {kind: len(records_of(sets, kind)) for kind in ("bias", "dark", "flat")}
        report(sentence("measuring_camera", place=f"{place}: " if place else "", **numbers))
        for row in MEASUREMENTS:
            result = measured(row, frames)
            one.findings += result.findings
            one.notes += result.notes
            one.pictures |= result.found.pictures
            one.masks |= result.found.masks
        one.camera = frames.camera
        results.append(one)
    return results
