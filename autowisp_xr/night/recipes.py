"""Recipes: each kind of product from its raw frames, with the masters that were made before."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import flats, schema, steps
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.frames import FileRecord, open_records
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import Matching
from autowisp_xr.measure.calibrated_checks import Look
from autowisp_xr.night import checks_of_masters
from autowisp_xr.night.checks_of_calibrated import doubts_on_calibrated
from autowisp_xr.night.checks_of_levels import levels_of
from autowisp_xr.night.checks_of_masters import KnownDark
from autowisp_xr.night.choosing import Candidate, Choices
from autowisp_xr.night.dark_temperatures import (
    LEAST_APART,
    doubles_by,
    doubt_on_temperature,
    price_of_allowing,
)
from autowisp_xr.night.defect_masks import DefectMasks
from autowisp_xr.night.plan import Product
from autowisp_xr.night.product_writing import Remarks
from autowisp_xr.night.sentences import sentence
from autowisp_xr.option_words import in_options
from autowisp_xr.options import CosmicRays
from autowisp_xr.recipes import Kept, Recipe, loaded
from autowisp_xr.stack import master_bias, master_dark, master_fringe
from autowisp_xr.steps.master_matching import ONE_SIDE_ADDS_UP
from autowisp_xr.steps.pedestals import LEVEL_IS_LEFT

_SHORT = 0.1
"""Seconds: what is exposed no longer holds no dark current that matters."""

_LEAST_DITHER = 5.0
"""Arcseconds; stars that move by less are on the same pixels in all frames."""


@dataclass
class Recipes:
    """Makes the products of a night."""

    cameras: Mapping[str, Camera | None]
    """Of each setup, by its place."""
    matching: Matching
    select: "flats.FlatSelection | None"
    min_flat: float
    cosmic_rays: CosmicRays | None
    checks: bool
    """As for :func:`~autowisp_xr.reduce`."""
    masks: DefectMasks
    nominal: Mapping[str, str] = field(default_factory=dict)
    """Of each setup, what is known only of the model of its camera."""
    made: dict[str, xr.Dataset] = field(default_factory=dict)
    """Masters of this night, by their names."""
    groups: dict[str, str] = field(default_factory=dict)
    """In the store of the night, by the same names."""

    def make(self, product: Product, records: Sequence[FileRecord], remarks: Remarks) -> xr.Dataset:
        """Make the product of frames, and note what there is to report of it.

        Parameters
        ----------
        product
            What is planned.
        records
            Its frames, as far as they can be read.
        remarks
            Takes what there is to report.
        """
        raw = open_records(records, camera=self.cameras[product.frames.place])
        choices = product.choices
        if KINDS[product.kind].master_unit and not KINDS[product.kind].made_of:
            remarks.levels = partial(levels_of, raw)
        given: dict[str, Any] = {kind: self._master(choices, kind) for kind in choices}
        given |= {"noise": "if known", "allow_mismatch": self.matching.judged}
        with _noted(remarks):
            if product.kind == "bias":
                return master_bias(raw, **given)
            if KINDS[product.kind].place == "dark":
                bias = product.masters.get("bias")
                remarks.look = partial(checks_of_masters.doubts_on_dark, bias=bias, raw=raw)
                return master_dark(raw, **given)
            given |= {"scale_dark": False, "min_flat": self.min_flat}
            if choices["dark"].scaled:
                given["scale_dark"] = self.matching.scale_dark
                remarks.notes += self._price(product.masters["dark"], given["dark"], raw)
            # that no level is known is reported here, with the darks that would do
            warnings.filterwarnings("ignore", LEVEL_IS_LEFT, AutowispWarning)
            if not _level_is_known(choices, raw):
                remarks.notes.append(sentence("no_level", remedy=_as_good_as_biases(choices)))
            recipe = {"flat": self._flat, "fringe": self._fringe}.get(product.kind, self._science)
            return recipe(product, raw, remarks, given)

    def _flat(
        self, product: Product, raw: xr.Dataset, remarks: Remarks, given: Mapping[str, Any]
    ) -> xr.Dataset:
        """Make a master flat."""
        bias: xr.Dataset | None = given["bias"]
        # that there is no master is an error here, which states why
        warnings.filterwarnings("ignore", "no high master flat", AutowispWarning)
        found = flats.master_flat(raw, select=self.select, **given)
        if found.compute_levels is not None:
            found = found.compute_levels()
        columns = (raw["path"], found.frames["class"], found.frames["reason"])
        rows = list(zip(*(column.values.tolist() for column in columns), strict=True))
        remarks.unused = {
            path: f"{kind}: {reason}" if self.select else reason
            for path, kind, reason in rows
            if kind != "high"
        }
        high = [number for number, (_, kind, _) in enumerate(rows) if kind == "high"]
        used = raw.isel(frame=high) if high else raw
        if self.select is None and 0 < len(high) < len(rows):
            # none of the others is an input of it
            found = flats.master_flat(used, **given)
        if found.high is None:
            raise AutowispError("; ".join(found.notes))
        remarks.notes += map(in_options, found.notes)
        remarks.notes += self._dark_current(product.choices, used, found.frames["mean"], bias)
        if self.checks:
            remarks.notes += checks_of_masters.doubts_on_flats(used, bias)
            remarks.look = checks_of_masters.doubts_on_flat
        return found.high

    def _price(self, name: str, dark: xr.Dataset, frames: xr.Dataset) -> list[str]:
        """Report what it means that a dark has to be scaled."""
        seconds = frames["exposure"].values
        span = (float(seconds.min()), float(seconds.max()))
        lines = [checks_of_masters.price_of_scaling(name, dark, span)]
        if self.checks:
            factor = span[1] / float(dark["exposure"])
            lines += checks_of_masters.doubts_on_glow(dark, name, factor)
        return lines

    def _fringe(
        self, product: Product, raw: xr.Dataset, remarks: Remarks, given: Mapping[str, Any]
    ) -> xr.Dataset:
        """Make a master fringe frame of science frames."""
        moved = _moved(raw)
        if moved < _LEAST_DITHER:
            raise AutowispError(sentence("not_dithered", moved=moved, least=_LEAST_DITHER))
        masks = self._masks(product, raw)
        return master_fringe(steps.calibrate(raw, masks=masks, **given))

    def _masks(self, product: Product, raw: xr.Dataset) -> Any:
        """Return the masks of defects for frames."""
        return self.masks.of(product.frames.place, steps.trim(raw)["image"].shape[1:])

    def _science(
        self, product: Product, raw: xr.Dataset, remarks: Remarks, given: Mapping[str, Any]
    ) -> xr.Dataset:
        """Calibrate science frames."""
        rays = self.cosmic_rays
        if rays and schema.camera_of(raw).unknown_noise:
            remarks.notes.append(sentence("no_cosmic_rays"))
            rays = None
        remarks.notes += self._other_temperature(product.choices, raw, given)
        remarks.notes += filter(None, [self.nominal.get(product.frames.place, "")])
        masters = {kind: given[kind] for kind in product.choices}
        options = {name: value for name, value in given.items() if name not in masters}
        options["allow_mismatch"] = sorted(options["allow_mismatch"])
        masks = self._masks(product, raw)
        recipe = Recipe(options=options, cosmic_rays=rays)
        stored: dict[str, Any] = {kind: one for kind, one in masters.items() if one is not None}
        for kind in stored:
            chosen = product.choices[kind].chosen
            stored[kind] = self.groups.get(chosen.name, stored[kind]) if chosen else stored[kind]
        remarks.kept = Kept(recipe=recipe, raw=raw, masters=stored, masks=masks)
        made = recipe.apply(raw, masters, masks)
        if self.checks:
            # its pattern is not what was taken off
            dark = None if _loses_bias_first(product.choices) else given["dark"]
            look = Look(made, dark=dark)
            remarks.see = look.see
            remarks.look = partial(
                doubts_on_calibrated,
                cosmic_rays=bool(rays),
                masters=product.masters,
                look=look,
                level_known=_level_is_known(product.choices, raw),
            )
        return made

    def _master(self, choices: Choices, kind: str) -> xr.Dataset | None:
        chosen = choices[kind].chosen
        master = None if chosen is None else self._opened(chosen)
        return None if master is None else loaded(master)

    def _opened(self, master: Candidate) -> xr.Dataset | None:
        """Return a master that was made before, or open one of another night."""
        return self.made.get(master.name) if master.open is None else master.open()

    def _dark_current(
        self, choices: Choices, frames: xr.Dataset, mean: xr.DataArray, bias: xr.Dataset | None
    ) -> list[str]:
        """Report the dark current in flats that no dark fits, by darks of another exposure."""
        if choices["dark"].chosen is not None or not _level_is_known(choices, frames):
            return []
        others = choices["dark"].refused.values()
        darks = self._known([one.candidate for one in others if one.trait == "exposure"], bias)
        if not darks:
            return []
        # of one frame: flats are of about one level, and each would have to be read for it
        level = float(mean.isel(frame=0).mean())
        left = checks_of_masters.current_left(float(frames["exposure"].values.max()), level, darks)
        return [left] if left else []

    def _other_temperature(
        self, choices: Choices, frames: xr.Dataset, given: Mapping[str, Any]
    ) -> list[str]:
        """Report by how much a dark is off that is of another temperature than the frames."""
        chosen = choices["dark"].chosen
        if chosen is None or "temperature" not in frames.coords:
            return []
        degrees = frames["temperature"].values
        if not (np.abs(degrees - chosen.traits.temperature) > LEAST_APART).any():
            return []
        near = (one for one in choices["dark"].refused.values() if one.near)
        candidates = [chosen, *(one.candidate for one in near)]
        darks = self._known(candidates, given["bias"], unless_level=True)
        if not darks or darks[0].name != chosen.name:
            return []
        dark, seconds = darks[0], float(np.median(frames["exposure"].values))
        variances = checks_of_masters.variance_of_frames(given["dark"])
        noise = math.nan if variances is None else float(np.sqrt(np.nanmedian(variances)))
        doubles = doubles_by(schema.camera_of(frames), darks)
        doubt = doubt_on_temperature(dark, degrees, seconds, noise, doubles)
        return [doubt] if doubt else []

    def why_stopped(self, product: Product) -> str:
        """Return why frames are left out, and by how much a dark of another temperature is off."""
        choice, wanted = product.choices.get("dark"), product.frames.traits
        if not product.stopped or choice is None or choice.chosen is not None:
            return product.stopped
        darks = self._known(
            [one.candidate for one in choice.refused.values() if one.near],
            self._master(product.choices, "bias"),
            unless_level=True,
        )
        refused = {name for name, one in choice.refused.items() if one.trait == "temperature"}
        cold = [dark for dark in darks if dark.name in refused and math.isfinite(dark.temperature)]
        if not cold or not math.isfinite(wanted.temperature):
            return product.stopped
        nearest = min(cold, key=lambda dark: abs(dark.temperature - wanted.temperature))
        doubles = doubles_by(self.cameras[product.frames.place], darks)
        off = price_of_allowing(nearest, wanted.temperature, wanted.exposure[1], doubles)
        return product.stopped + off

    def _known(
        self, candidates: Sequence[Candidate], bias: xr.Dataset | None, unless_level: bool = False
    ) -> list[KnownDark]:
        """Return those darks that can be opened and whose level is known, or need not be."""
        found = []
        for one in candidates:
            dark = self._opened(one)
            if dark is None:
                continue
            holds_bias, degrees = one.traits.holds_bias is not False, one.traits.temperature
            given: dict[str, Any] = {"holds_bias": holds_bias, "bias": bias, "temperature": degrees}
            known = KnownDark.of(one.name, dark, **given)
            if known is None and unless_level and "exposure" in dark.coords:
                known = KnownDark(one.name, float(dark["exposure"]), math.nan, degrees)
            found += [known] if known else []
        return found


def _moved(raw: xr.Dataset) -> float:
    """Return by how many arcseconds pointings differ at most; infinite where unknown."""
    if not {"ra", "dec"} <= set(raw.coords):
        return np.inf
    ra, dec = (np.atleast_1d(raw[name].values).astype(float) for name in ("ra", "dec"))
    if not np.isfinite(ra + dec).all():
        return np.inf
    east = (ra - ra[0] + 180) % 360 - 180
    spans = np.ptp(east) * np.cos(np.radians(dec[0])), np.ptp(dec)
    return 3600 * float(np.hypot(*spans))


@contextmanager
def _noted(remarks: Remarks) -> Iterator[None]:
    """Make remarks of the warnings of this package; others stay what they are."""
    with warnings.catch_warnings(record=True, action="always", category=AutowispWarning) as caught:
        # the plan has a doubt about it
        warnings.filterwarnings("ignore", ONE_SIDE_ADDS_UP, AutowispWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, AutowispWarning):
            remarks.notes.append(f"WARNING: {in_options(str(warning.message))}")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def _loses_bias_first(choices: Choices) -> bool:
    """Whether a bias is taken off the dark before it is subtracted."""
    dark, bias = (choices[kind].chosen for kind in ("dark", "bias"))
    return dark is not None and bias is not None and bool(dark.traits.holds_bias)


def _level_is_known(choices: Choices, frames: xr.Dataset) -> bool:
    """Whether the level that the camera adds to the light is known."""
    camera = schema.camera_of(frames)
    masters = any(choices[kind].chosen for kind in ("bias", "dark"))
    return bool(masters or camera.bias_level or camera.overscan)


def _as_good_as_biases(choices: Choices) -> str:
    """Name darks so short that they are biases, as some programs write them; "" for none."""
    darks = [refusal.candidate for refusal in choices["dark"].refused.values()]
    short = [dark for dark in darks if dark.own and dark.traits.exposure[1] <= _SHORT]
    if not short:
        return ""
    dark = min(short, key=lambda one: one.traits.exposure)
    return sentence("short_darks", name=dark.name, seconds=dark.traits.exposure[1])
