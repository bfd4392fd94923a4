"""The steps of a night: masters in the order in which they need each other, then the science."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import flats, schema, steps
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.frames import FileRecord
from autowisp_xr.matching import Matching
from autowisp_xr.night.camera_words import told
from autowisp_xr.night.choosing import FITS_TOO, Candidate, Choice, match, stop_reason
from autowisp_xr.night.dark_notes import KnownDark, current_left, price_of_scaling
from autowisp_xr.night.doubts import of_calibrated, of_dark, of_flats, of_glow
from autowisp_xr.night.foresight import (
    by_setup,
    camera_with_colours,
    candidate_of,
    choices_of_frames,
    doubts_of_choices,
)
from autowisp_xr.night.grouped import in_few_words
from autowisp_xr.night.noise import know_camera
from autowisp_xr.night.products import Plan, Writer
from autowisp_xr.night.sets import FrameSet, with_own_names
from autowisp_xr.night.traits import traits_of_set
from autowisp_xr.stack import master_bias, master_dark
from autowisp_xr.traits import Traits

if TYPE_CHECKING:
    from autowisp_xr.flats import FlatSelection

__all__ = ["Steps"]


class Steps:
    """Works through the sets of a night.

    Parameters
    ----------
    sets
        All frames that can be used.
    others
        Masters of other nights.
    writer
        Makes and writes.
    camera, matching, select, min_flat
        As for :func:`~autowisp_xr.reduce`.
    """

    def __init__(
        self,
        sets: Sequence[FrameSet],
        others: Sequence[Candidate],
        writer: Writer,
        *,
        camera: Camera | None,
        matching: Matching,
        select: "FlatSelection | None",
        min_flat: float,
    ) -> None:
        self.sets = sets
        self.candidates = list(others)
        self.writer = writer
        self.matching = matching
        self.select = select
        self.min_flat = min_flat
        self.cameras = self._know_cameras(camera)

    def run(self) -> None:
        """Make everything that the frames allow."""
        recipes = {"bias": self._bias, "dark": self._dark, "flat": self._flat}
        for kind, recipe in recipes.items():
            for one in self._of(kind):
                self._make_master(one, recipe)
        for one in self._of("object"):
            self._calibrate(one)
        self.writer.summary.notes += doubts_of_choices(self.writer.summary.choices)

    def _of(self, kind: str) -> list[FrameSet]:
        return [one for one in self.sets if one.traits.kind == kind]

    def _know_cameras(self, camera: Camera | None) -> dict[str, Camera | None]:
        """Camera of each setup, by its place."""
        cameras: dict[str, Camera | None] = {}
        for place, of_place in by_setup(self.sets).items():
            known = know_camera(of_place, camera_with_colours(of_place, camera))
            cameras[place] = known.camera
            for note in (*known.notes, told(of_place, known.camera, known.seen)):
                if note:
                    line = f"{place}: {note}" if place else note
                    self.writer.say(line)
                    self.writer.summary.notes.append(line)
            if known.found and known.camera is not None:
                self.writer.write_camera(place, known.camera, " ".join(known.found))
        return cameras

    def _make_master(self, one: FrameSet, recipe: Any) -> None:
        choices = match(one.traits, self.candidates, self.matching)
        self.writer.summary.choices.update((record.path, choices) for record in one.records)
        candidate = candidate_of(one, choices)
        self.candidates.append(candidate)
        plan = self._plan(f"master {one.path}", "masters", one, choices)
        if self._stopped(one.records, one.traits.kind, choices):
            candidate.failure = "a master that it needs failed"
            return
        made = self.writer.attempt(plan, partial(recipe, plan, choices))
        if made is None:
            candidate.failure = "the summary says why, under Failed"
        else:
            candidate.open = lambda: made

    def _plan(self, what: str, folder: str, one: FrameSet, choices: Mapping[str, Choice]) -> Plan:
        return Plan(
            what=what,
            place=one.place,
            folder=folder,
            name=one.name,
            records=one.records,
            camera=self.cameras[one.place],
            masters={kind: choice.chosen.name for kind, choice in choices.items() if choice.chosen},
            why_not={
                name: reason
                for choice in choices.values()
                for name, reason in choice.why_not.items()
            },
            missing=_missing(choices),
            against=_against(choices),
        )

    def _stopped(
        self, records: Sequence[FileRecord], kind: str, choices: Mapping[str, Choice]
    ) -> bool:
        """Leave out frames that need a master which there could be, but is not."""
        reason = stop_reason(kind, choices, self.matching)
        self.writer.summary.left_out.update({r.path: reason for r in records if reason})
        return bool(reason)

    def _bias(self, plan: Plan, choices: Mapping[str, Choice], frames: xr.Dataset) -> xr.Dataset:
        return master_bias(frames, noise="if known", allow_mismatch=self.matching.judged)

    def _dark(self, plan: Plan, choices: Mapping[str, Choice], frames: xr.Dataset) -> xr.Dataset:
        plan.look = partial(of_dark, bias=plan.masters.get("bias"))
        with _noted(plan):
            return master_dark(
                frames,
                bias=_opened(choices["bias"]),
                noise="if known",
                allow_mismatch=self.matching.judged,
            )

    def _flat(self, plan: Plan, choices: Mapping[str, Choice], frames: xr.Dataset) -> xr.Dataset:
        plan.notes += _price(choices, frames) + _pedestal(frames, choices)
        with _noted(plan):
            # that there is no master is an error here, which says why
            warnings.filterwarnings("ignore", "no high master flat", AutowispWarning)
            found = flats.master_flat(
                frames,
                bias=_opened(choices["bias"]),
                dark=_opened(choices["dark"]),
                select=self.select,
                scale_dark=self._scale(choices),
                noise="if known",
                min_flat=self.min_flat,
                allow_mismatch=self.matching.judged,
            )
        table = found.frames
        columns = (frames["path"], table["class"], table["reason"])
        plan.unused = {
            path: f"{kind}: {reason}"
            for path, kind, reason in zip(*(c.values.tolist() for c in columns), strict=True)
            if kind != "high"
        }
        if found.high is None:
            raise AutowispError("; ".join(found.notes))
        plan.notes += found.notes + _dark_current(frames, found.frames["mean"], choices)
        high = np.flatnonzero(table["class"].values == "high")
        plan.notes += of_flats(frames.isel(frame=high), _opened(choices["bias"]))
        return found.high

    def _calibrate(self, one: FrameSet) -> None:
        """Calibrate the frames of a set, those together that have the same masters."""
        groups: dict[tuple[object, ...], list[FileRecord]] = {}
        choices_of: dict[tuple[object, ...], dict[str, Choice]] = {}
        for record, choices in choices_of_frames(one, self.candidates, self.matching):
            self.writer.summary.choices[record.path] = choices
            key = tuple((c.chosen.name if c.chosen else "", c.scaled) for c in choices.values())
            groups.setdefault(key, []).append(record)
            choices_of.setdefault(key, choices)
        parts = [
            replace(
                one,
                records=tuple(records),
                traits=replace(
                    one.traits,
                    temperature=traits_of_set(
                        "object", [Traits.of(record.coordinates) for record in records]
                    ).temperature,
                ),
            )
            for records in groups.values()
        ]
        for part, choices in zip(with_own_names(parts), choices_of.values(), strict=True):
            if self._stopped(part.records, "object", choices):
                continue
            plan = self._plan(f"calibrated {part.path}", "calibrated", part, choices)
            self.writer.attempt(plan, partial(self._science, plan, choices))

    def _science(self, plan: Plan, choices: Mapping[str, Choice], frames: xr.Dataset) -> xr.Dataset:
        pedestal = _pedestal(frames, choices)
        plan.notes += _price(choices, frames) + pedestal
        bias, dark = _opened(choices["bias"]), _opened(choices["dark"])
        plan.look = partial(
            of_calibrated,
            masters=plan.masters,
            dark=dark if _as_subtracted(choices) else None,
            level_known=not pedestal,
        )
        with _noted(plan):
            return steps.calibrate(
                frames,
                bias=bias,
                dark=dark,
                flat=_opened(choices["flat"]),
                scale_dark=self._scale(choices),
                noise="if known",
                min_flat=self.min_flat,
                allow_mismatch=self.matching.judged,
            )

    def _scale(self, choices: Mapping[str, Choice]) -> Any:
        return self.matching.scale_dark if choices["dark"].scaled else False


@contextmanager
def _noted(plan: Plan) -> Iterator[None]:
    """Make notes of the warnings of this package; others stay what they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AutowispWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, AutowispWarning):
            plan.notes.append(f"WARNING: {warning.message}")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def _opened(choice: Choice) -> xr.Dataset | None:
    """A master in memory: what is made with it is known by its pixels, wherever they lie."""
    if choice.chosen is None or choice.chosen.open is None:
        return None
    return choice.chosen.open().compute()


def _missing(choices: Mapping[str, Choice]) -> dict[str, str]:
    """Why there is no master, for each kind of which one would do something."""
    dark = choices["dark"].chosen if "dark" in choices else None
    whole = dark is not None and dark.traits.holds_bias is True
    missing = {}
    for kind, choice in choices.items():
        if choice.chosen is None and not (kind == "bias" and whole):
            missing[kind] = "none fits" if choice.why_not else "there is none"
            if choice.but_for_camera:
                missing[kind] += "; if it is one camera under two names, --allow-mismatch camera"
    return missing


def _against(choices: Mapping[str, Choice]) -> tuple[str, ...]:
    """What keeps masters away that do not fit, in a few words."""
    return tuple(
        line
        for kind, choice in choices.items()
        for line in in_few_words(
            {n: why for n, why in choice.why_not.items() if not why.startswith(FITS_TOO)},
            choice.traits,
            kind,
        )
    )


def _price(choices: Mapping[str, Choice], frames: xr.Dataset) -> list[str]:
    """Notes on a dark that has to be scaled."""
    choice = choices["dark"]
    if choice.chosen is None or not choice.scaled or choice.chosen.open is None:
        return []
    name, dark = choice.chosen.name, choice.chosen.open()
    seconds = frames["exposure"].values
    span = (float(seconds.min()), float(seconds.max()))
    glow = of_glow(dark, name, span[1] / float(dark["exposure"]))
    return [price_of_scaling(name, dark, span), *glow]


def _as_subtracted(choices: Mapping[str, Choice]) -> bool:
    """Whether the dark is taken off the frames as it is, and no bias off it first."""
    dark, bias = (choices[kind].chosen for kind in ("dark", "bias"))
    return dark is not None and not (bias is not None and dark.traits.holds_bias)


def _dark_current(
    frames: xr.Dataset, mean: xr.DataArray, choices: Mapping[str, Choice]
) -> list[str]:
    """How much dark current is in flats that no dark fits, by darks of another exposure."""
    bias = _opened(choices["bias"])
    if choices["dark"].chosen is not None or not choices["dark"].of_other_exposure:
        return []
    if bias is None and not _level_is_known(schema.camera_of(frames)):
        return []
    darks = [
        KnownDark.of(
            dark.name, dark.open(), holds_bias=dark.traits.holds_bias is not False, bias=bias
        )
        for dark in choices["dark"].of_other_exposure
        if dark.open is not None
    ]
    # of one frame: flats are of about one level, and each would have to be read for it
    level = float(mean.isel(frame=0).mean())
    longest = float(frames["exposure"].values.max())
    told = current_left(longest, level, [dark for dark in darks if dark is not None])
    return [told] if told else []


def _level_is_known(camera: Camera) -> bool:
    """Whether a level without light is subtracted that is no master's."""
    return bool(camera.bias_level or camera.overscan)


def _pedestal(frames: xr.Dataset, choices: Mapping[str, Choice]) -> list[str]:
    """A warning where nobody says which level the camera adds to the light."""
    chosen = any(choices[kind].chosen for kind in ("bias", "dark"))
    if chosen or _level_is_known(schema.camera_of(frames)):
        return []
    return [
        "WARNING: the level without light is not known and is taken for light: there is no bias "
        "or dark, and the camera has no overscan or bias_level; values and errors are wrong by it"
    ]
