"""Pixels that lie: found in biases, darks and flats, with the reason and the numbers.

Decision: what is looked for is not what looks odd, but what makes the value or the uncertainty of
a calibrated pixel wrong. A hot pixel whose dark is stable is right, and is flagged HOT for those
who want to know; one that scatters by more than its noise explains is FAULT. Means and medians of
masters do not show that, so that the frames themselves are read, once.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Bools, Floats, Integers
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.flags import Flag
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, TEMPERATURE_TOLERANCE
from autowisp_xr.measure.frame_moments import (
    FrameMoments,
    exposure_of,
    frame_moments,
    levels,
    prepared,
)
from autowisp_xr.measure.pixel_neighbours import (
    in_bad_lines,
    scatter_around,
    surrounded,
    surroundings,
)
from autowisp_xr.measure.pixel_response import is_nonlinear, responses
from autowisp_xr.measure.pixel_scatter import (
    expected_variance,
    found_factor,
    limits,
    scatter_ratio,
)
from autowisp_xr.options import MIN_FLAT, OverscanChoice
from autowisp_xr.steps.master_matching import check_alike

FrameSets: TypeAlias = xr.Dataset | Sequence[xr.Dataset] | None

CHANCE = 3e-4
"""The share of good pixels whose scatter is beyond the limit by chance. With it, 99 % are found of
those whose uncertainty is wrong by a factor of 4 with 10 frames, 2.2 with 30, and 1.5 with 100."""

HOT = 10.0
"""Noise of the dark by which a hot pixel is above its surroundings."""

_SIDE = 16
"""Pixels a side of the surroundings of a pixel."""


class Defect(IntFlag):
    """Bits of ``reason``: what is wrong with a pixel."""

    HOT = 1
    """It has much dark current; with a stable dark, it is usable."""
    UNSTABLE = 2
    """Its dark current scatters by more than its noise: it jumps between levels."""
    NOISY = 4
    """Its biases scatter by more than the read noise."""
    DEAD = 8
    """Its response to light is below the floor."""
    SATURATED = 16
    """It has no usable value without light."""
    NONLINEAR = 32
    """Its response changes with the level."""
    LINE = 64
    """It is in a run of a column or row that is mostly bad."""
    CLUSTER = 128
    """Most pixels around it are bad."""


_WRONG = 255 & ~int(Defect.HOT)
"""Bits of a pixel that is not to be used."""

_BITS = {
    "flag_masks": np.array([int(bit) for bit in Defect], np.uint8),
    "flag_meanings": " ".join(str(bit.name).lower() for bit in Defect),
}
"""Attributes of ``reason``."""

_NUMBERS = ("rate", "scatter", "response")
"""The planes beside the bits, as :func:`defects` describes them."""


def defects(
    *,
    darks: FrameSets = None,
    biases: FrameSets = None,
    flats: FrameSets = None,
    camera: Camera | None = None,
    overscan: OverscanChoice = None,
    hot: float = HOT,
    hot_rate: float | None = None,
    floor: float = MIN_FLAT,
    allow_mismatch: Collection[str] = (),
) -> xr.Dataset:
    r"""Find defective pixels in frames of a camera, each with the reason and its numbers.

    Parameters
    ----------
    darks, biases, flats
        Raw frames (frame, channel, y, x), or several such sets, of one camera and area; those that
        there are. Darks of several exposures or temperatures are looked at apart. Two frames of a
        kind are the least that show a scatter, ten are a good number.
    camera
        Gain, read noise, areas; by default the one that travels with the frames. Where it does not
        know the noise, that of most pixels of the same level takes its place.
    overscan
        As for :func:`~autowisp_xr.calibrate`.
    hot
        Noise, or scatter of the surroundings, whichever is larger, by which the dark of a hot pixel
        is above its surroundings of 16 x 16 pixels.
    hot_rate
        ADU per second above which a pixel is hot as well.
    floor
        Response, as a share of that of the surroundings, below which a pixel is dead; as for
        :func:`~autowisp_xr.divide_flat`.
    allow_mismatch
        Traits in which the frames of a set may differ, such as "temperature".

    Returns
    -------
    Dataset over (channel, y, x), in memory; ``calibrate(..., masks=found)`` applies it:

    ``mask``
        HOT; FAULT where ``reason`` has any other bit.
    ``reason``
        The sum of bits of :class:`~autowisp_xr.measure.Defect`, 0 for a good pixel.
    ``rate``
        Dark current in ADU per second, of the darks of the longest exposure: above the bias, or,
        without biases, above the median of all pixels. NaN without darks of a known exposure.
    ``scatter``
        Scatter through biases or darks by the expected one, the largest of all sets. NaN without.
    ``response``
        To light, by that of the surroundings. NaN without flats.

    The attribute ``found_from`` names the sets, and, for each, by which factor the uncertainty of a
    pixel has to be too small for 99 % of such pixels to be found.

    Raises
    ------
    CalibrationError
        Without any frames.
    ImageMismatchError
        Where frames of a set are of several settings, or sets of several places.

    Notes
    -----
    The variance of n frames, by the expected one, is :math:`\chi^2_{n-1} / (n-1)`; a pixel is
    unstable or noisy where that is larger than for a share of 3e-4 of good pixels (all sets
    together). Where most pixels of a region of 64 x 64 scatter by more than camera and level
    explain, they are the measure. Values that a cosmic ray made large, with a pixel beside them in
    the same frame, are left out. What did not jump while these frames were taken is not found.

    A pixel is nonlinear whose response changes by more than 5 %, and six uncertainties of that,
    between flats of two levels. A pixel is bad as well in a run of 17 pixels of a column or row of
    which most are, and where six of the eight around it are.

    Examples
    --------
    >>> from autowisp_xr import calibrate, simulate
    >>> night = simulate.Night(shape=(32, 32), seed=1, hot_pixels=3)
    >>> found = defects(darks=night.darks(10), biases=night.biases(10), camera=night.camera)
    >>> science = calibrate(night.objects(1), masks=found, camera=night.camera)
    """
    given = [
        (kind, one)
        for kind, sets in (("bias", biases), ("dark", darks), ("flat", flats))
        for one in _sets(sets, kind, allow_mismatch)
    ]
    if not given:
        raise CalibrationError("there are no frames; give darks, biases, flats, or several of them")
    search = _Search(
        camera=camera or schema.camera_of(given[0][1]),
        chance=CHANCE / max(sum(kind != "flat" for kind, _ in given), 1),
        hot=hot,
        hot_rate=hot_rate,
        floor=floor,
    )
    for kind, one in given:
        search.look_at(prepared(one, search.camera, overscan), kind)
    options: dict[str, Any] = {"hot": hot, "hot_rate": hot_rate, "floor": floor}
    options |= {"allow_mismatch": sorted(allow_mismatch)}
    others = {f"set {number}": one for number, (_, one) in enumerate(given[1:], 2)}
    source = given[0][1]
    return provenance.record(search.result(), "defects", options, source=source, masters=others)


@dataclass(kw_only=True)
class _Search:
    """What is known of the pixels after some sets of frames were looked at."""

    camera: Camera
    chance: float
    """Share of good pixels that a set may flag for their scatter."""
    hot: float
    hot_rate: float | None
    floor: float
    """As for :func:`defects`."""
    place: xr.Dataset | None = None
    """Coordinates of the pixels."""
    bias: FrameMoments | None = None
    numbers: dict[str, Floats] = field(default_factory=dict)
    """Planes of the result, beside the bits."""
    exposure: float = 0.0
    """Of the darks that the rate is from."""
    found_from: list[str] = field(default_factory=list)

    def look_at(self, frames: xr.Dataset, kind: str) -> None:
        """Look at a set of frames: biases first, flats last."""
        self._take_place(frames, kind)
        if kind == "flat":
            self._look_at_flats(frames)
        else:
            self._look_at_scatter(frames, kind)

    def result(self) -> xr.Dataset:
        """Return what was found."""
        bad = (self.reason & _WRONG) != 0
        self._add(Defect.LINE, in_bad_lines(bad) & ~bad)
        self._add(Defect.CLUSTER, surrounded(bad) & ~bad)
        mask = np.where(self.reason & Defect.HOT, np.uint8(Flag.HOT), np.uint8(0))
        mask[(self.reason & _WRONG) != 0] |= np.uint8(Flag.FAULT)
        unknown = np.full(mask.shape, np.nan)
        numbers = {name: self.numbers.get(name, unknown) for name in _NUMBERS}
        planes = {"mask": mask, "reason": self.reason} | {
            name: plane.astype(np.float32) for name, plane in numbers.items()
        }
        variables = {
            name: (schema.DIMS[1:], plane, schema.variable_attributes(name))
            for name, plane in planes.items()
        }
        variables["reason"][2].update(_BITS)
        coords = None if self.place is None else self.place.coords
        attrs = {"camera": self.camera.to_json(), "found_from": "; ".join(self.found_from)}
        kind = ((), np.array("defects", np.dtypes.StringDType()))
        return xr.Dataset(variables, coords, attrs).assign_coords(image_type=kind)

    def _take_place(self, frames: xr.Dataset, kind: str) -> None:
        """Take the place of the first set, and raise ImageMismatchError for another one."""
        own = {n: c for n, c in frames.coords.items() if c.dims and "frame" not in c.dims}
        place = xr.Dataset(coords=own)
        if self.place is None:
            self.place = place
            self.reason: Bits = np.zeros([frames.sizes[dim] for dim in schema.DIMS[1:]], np.uint8)
        elif not place.equals(self.place):
            raise ImageMismatchError(
                f"the {kind} frames are of {schema.extent(frames)}, the others of "
                f"{schema.extent(self.place)}; give frames of one area and binning"
            )

    def _add(self, which: Defect, where: Bools) -> None:
        self.reason[where] |= np.uint8(which)

    def _keep_largest(self, name: str, values: Floats) -> None:
        self.numbers[name] = np.fmax(self.numbers.get(name, values), values)

    def _look_at_scatter(self, frames: xr.Dataset, kind: str) -> None:
        """Look at frames without light: at their scatter, and at the dark current."""
        moments = frame_moments(frames, levels(frames, lit=False), lit=False)
        # what is no hit counts for the level as well
        moments = moments.without_hits(self._expected(frames, kind, moments))
        expected = self._expected(frames, kind, moments)
        number = frames.sizes["frame"]
        self.found_from.append(f"{number} {kind}{'es' if kind == 'bias' else 's'}")
        if number > 1:
            ratio = scatter_ratio(moments, expected)
            far = ratio > limits(number + 1, self.chance)[moments.number]
            self._add(Defect.NOISY if kind == "bias" else Defect.UNSTABLE, far)
            self._add(Defect.SATURATED, moments.number < 2)
            self._keep_largest("scatter", np.sqrt(ratio))
            self.found_from[-1] += f" (99 % of factor {found_factor(number, self.chance):.3g})"
        if kind == "dark":
            self._look_at_dark_current(frames, moments, expected)
        elif self.bias is None:
            self.bias = moments

    def _expected(self, frames: xr.Dataset, kind: str, moments: FrameMoments) -> Floats:
        """Return the variance of a value of each pixel, of which dark current is a part."""
        signal = np.zeros_like(moments.mean)
        if kind == "dark" and self.bias is not None:
            signal = np.nan_to_num(moments.mean - self.bias.mean)
        elif kind == "dark":
            signal = np.nan_to_num(moments.mean - surroundings(moments.mean, _SIDE))
        return expected_variance(frames, self.camera, moments, signal)

    def _look_at_dark_current(
        self, frames: xr.Dataset, moments: FrameMoments, expected: Floats
    ) -> None:
        signal, variance = moments.mean, expected / np.maximum(moments.number, 1)
        zero = np.nanmedian(signal, axis=(1, 2), keepdims=True)
        if self.bias is not None:
            zero = self.bias.mean
            variance = variance + self.bias.variance / np.maximum(self.bias.number, 1)
        signal = signal - zero
        middle = surroundings(signal, _SIDE)
        noise = np.fmax(np.sqrt(variance), scatter_around(signal, middle, _SIDE))
        is_hot = signal - middle > self.hot * noise
        exposure = exposure_of(frames)
        if exposure > 0:
            rate = signal / exposure
            is_hot |= rate > (np.inf if self.hot_rate is None else self.hot_rate)
            if exposure > self.exposure:
                self.exposure, self.numbers["rate"] = exposure, rate
        self._add(Defect.HOT, is_hot)

    def _look_at_flats(self, frames: xr.Dataset) -> None:
        if self.bias is None and not (self.camera.bias_level or self.camera.overscan):
            raise CalibrationError(
                "the flats hold the bias, so that the response of their pixels is not known; give "
                "biases as well, or a camera with overscan or bias_level"
            )
        self.found_from.append(f"{frames.sizes['frame']} flats")
        dark = np.zeros(self.reason.shape) if self.bias is None else self.bias.mean
        if "rate" in self.numbers:
            dark = dark + np.nan_to_num(self.numbers["rate"]) * exposure_of(frames)
        pedestal = xr.Variable(schema.DIMS[1:], np.nan_to_num(dark))
        found = responses(frames.assign(image=frames["image"] - pedestal))
        for bright in found[-1:]:
            self._add(Defect.DEAD, bright.value < self.floor)
            self._keep_largest("response", bright.value)
        if len(found) > 1:
            self._add(Defect.NONLINEAR, is_nonlinear(*found, dark_known="rate" in self.numbers))


def _sets(given: FrameSets, kind: str, allow_mismatch: Collection[str]) -> Iterator[xr.Dataset]:
    """Yield the frames of one exposure, temperature and filter, of all that are given."""
    for ds in [given] if isinstance(given, xr.Dataset) else given or ():
        schema.check(ds)
        parts: list[Integers] = [np.arange(ds.sizes["frame"])]
        for name, split in _APART[kind].items():
            if name in ds.coords and ds[name].dims == ("frame",):
                values = ds[name].values
                parts = [one for part in parts for one in split(part, values)]
        for part in parts:
            one = ds.isel(frame=np.sort(part))
            check_alike(one, "one set", allow_mismatch, kind=kind)
            yield one


def _by_gap(part: Integers, values: Any, *, share: float = 0.0, most: float = 0.0) -> list[Any]:
    """Split numbers of frames where their sorted values have a gap."""
    order = part[np.argsort(values[part], kind="stable")]
    known = values[order].astype(np.float64)
    return np.split(order, np.flatnonzero(np.diff(known) > most + share * np.abs(known[:-1])) + 1)


def _by_name(part: Integers, values: ArrayLike) -> list[Any]:
    names = np.asarray(values)[part]
    return [part[names == name] for name in sorted(set(names.tolist()))]


_BY_TEMPERATURE = partial(_by_gap, most=TEMPERATURE_TOLERANCE)

_APART: dict[str, dict[str, Callable[[Integers, Any], list[Any]]]] = {
    "bias": {"temperature": _BY_TEMPERATURE},
    "dark": {
        "exposure": partial(_by_gap, share=EXPOSURE_TOLERANCE),
        "temperature": _BY_TEMPERATURE,
    },
    "flat": {"filter": _by_name},
}
"""What separates frames of a kind, with what splits them by it."""
