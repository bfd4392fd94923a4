"""The search for defects in a band of rows: in all frames of biases, then darks, then flats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from autowisp_xr.arrays import Bits, Bools, Floats, Integers, Numbers, Planes
from autowisp_xr.camera import Camera
from autowisp_xr.flags import Defect as Defect
from autowisp_xr.flags import Flag
from autowisp_xr.measure.frame_moments import (
    FrameMoments,
    LeveledFrames,
    frame_moments,
    of_pixels,
    variance_of,
)
from autowisp_xr.measure.pixel_neighbours import (
    in_bad_company,
    scatter_around,
    surroundings,
)
from autowisp_xr.measure.pixel_scatter import (
    REGION,
    expected_variance,
    limits,
    median_ratio,
    scatter_ratio,
)

_LEVELS = 1.5
"""Ratio of the levels of flats between which a change of the response is looked for."""

_LIT = 10.0
"""Noise of a value above which there is light that a pixel responds to."""

_NONLINEAR, _SURE = 0.05, 6.0
"""What the response of a pixel changes by, and how many of its uncertainties that is as well: less
is in its flat."""

_SIDE = 16
"""Pixels a side of the surroundings of a pixel."""

_TWO = (np.float64, np.float64)

_WRONG = 255 & ~int(Defect.HOT)
"""Bits of a pixel that is not to be used."""

BITS = {
    "flag_masks": np.array([int(bit) for bit in Defect], np.uint8),
    "flag_meanings": " ".join(str(bit.name).lower() for bit in Defect),
}
"""Attributes of ``reason``."""

PLANES = dict.fromkeys(("mask", "reason"), np.uint8) | dict.fromkeys(
    ("rate", "scatter", "response"), np.float32
)
"""Types of the planes that are found, as :func:`defects` describes them."""


@dataclass(frozen=True)
class Response:
    """The response of pixels in flats of about one level, (channel, y, x)."""

    value: Floats
    """By that of the surroundings; NaN where there is hardly any light."""
    error: Floats
    """Its uncertainty."""
    exposure: float
    """Of the frames, in seconds; 0 where it is not known."""


def responses(flats: LeveledFrames) -> list[Response]:
    """Return the response in flats free of bias: in the faint ones and in the bright ones.

    Where the levels of all are alike, there is one; none where no frame is lit.
    """
    return [_response(flats.some(which)) for which in _by_brightness(flats.level)]


def _is_nonlinear(faint: Response, bright: Response, *, dark_known: bool) -> Bools:
    """Return which pixels respond otherwise to much light than to little."""
    change = bright.value - faint.value
    far = np.abs(change) > np.maximum(_NONLINEAR, _SURE * np.hypot(faint.error, bright.error))
    if not dark_known:
        # dark current makes a pixel brighter where the exposure is longer
        far &= change * (bright.exposure - faint.exposure) <= 0
    return np.asarray(far)


def _response(flats: LeveledFrames) -> Response:
    moments = frame_moments(flats)
    # of each number once: a plane of them would take longer than the frames
    usual = median_ratio(np.arange(moments.usable.max() + 1))
    around = surroundings(moments.normal_variance(usual), REGION)
    # where nothing is known of the noise, nothing is a hit
    moments = moments.without_hits(around)
    middle = surroundings(moments.mean, _SIDE)
    planes = [moments.number, moments.mean, moments.squares, around, middle]
    value, error = of_pixels(_by_surroundings, planes, [np.float64] * 2)
    return Response(value, error, flats.exposure)


def _by_surroundings(
    number: Integers, mean: Floats, squares: Floats, around: Floats, middle: Floats
) -> list[Floats]:
    level = np.where(middle > _LIT * np.sqrt(around), middle, np.nan)
    own = np.fmax(variance_of(number, squares), around) / np.maximum(number, 1)
    return [mean / level, np.sqrt(own) / level]


def _by_brightness(level: Floats) -> list[Bools]:
    """Return which frames (frame) are faint and which are bright, or all that are lit."""
    means = level.mean(axis=1)
    lit: Bools = np.all(level > 0, axis=1)
    if not lit.any():
        return []
    least, most = means[lit].min(), means[lit].max()
    middle = np.sqrt(least * most)
    parts = [lit & (means < middle), lit & (means >= middle)]
    apart = most > _LEVELS * least and min(int(part.sum()) for part in parts) > 1
    return parts if apart else [lit]


@dataclass(kw_only=True)
class DefectSearch:
    """What is known of the pixels of a band after some sets of frames were looked at."""

    camera: Camera
    chance: float
    """Share of good pixels that a set may flag for their scatter."""
    hot: float
    hot_rate: float
    floor: float
    """As for :func:`autowisp_xr.measure.defects`."""
    reason: Bits
    """(channel, y, x)."""
    bias: tuple[Floats, Floats] | None = None
    """Mean of biases, and its variance."""
    numbers: dict[str, Floats] = field(default_factory=dict)
    """Planes of the result, beside the bits."""
    exposure: float = 0.0
    """Of the darks that the rate is from."""

    def look_at(self, one: LeveledFrames) -> None:
        """Look at a set of frames: biases first, flats last."""
        if one.kind == "flat":
            self._look_at_flats(one)
            return
        signal, variance = self._look_at_scatter(one)
        if one.kind == "dark":
            self._look_at_dark_current(one, signal, variance)
        elif self.bias is None:
            self.bias = signal, variance

    def planes(self) -> Mapping[str, Planes]:
        """Return what was found, by name."""
        bad = (self.reason & _WRONG) != 0
        in_line, among = in_bad_company(bad)
        self._add(Defect.LINE, in_line & ~bad)
        self._add(Defect.CLUSTER, among & ~bad)
        mask = np.where(self.reason & Defect.HOT, np.uint8(Flag.HOT), np.uint8(0))
        mask[(self.reason & _WRONG) != 0] |= np.uint8(Flag.FAULT)
        unknown = np.broadcast_to(np.float32(np.nan), mask.shape)
        found = {"mask": mask, "reason": self.reason, **self.numbers}
        return {name: found.get(name, unknown) for name in PLANES}

    def _add(self, which: Defect, where: Bools) -> None:
        self.reason |= where * np.uint8(which)

    def _keep_largest(self, name: str, values: Floats) -> None:
        values = values.astype(np.float32)
        self.numbers[name] = np.fmax(self.numbers.get(name, values), values)

    def _look_at_scatter(self, one: LeveledFrames) -> list[Floats]:
        """Look at the scatter of frames without light.

        Returns
        -------
        Their mean, of darks above the bias, and its variance.
        """
        moments = frame_moments(one)
        expected = self._expected(one, moments)
        moments = moments.without_hits(expected)
        if one.kind == "dark" or self.camera.unknown_noise:
            # what is no hit counts for the level as well
            expected = self._expected(one, moments)
        number = one.frames.sizes["frame"]
        if number > 1:
            ratio = scatter_ratio(moments, expected)
            judged = partial(_judged, limit=limits(number + 1, self.chance))
            far, scatter = of_pixels(judged, [moments.number, ratio], [np.bool_, np.float32])
            self._add(Defect.NOISY if one.kind == "bias" else Defect.UNSTABLE, far)
            self._add(Defect.SATURATED, moments.usable < 2)
            self._keep_largest("scatter", scatter)
        if one.kind == "bias":
            return of_pixels(_mean, [moments.number, moments.mean, moments.squares], _TWO)
        planes = [moments.number, moments.mean, expected, *(self.bias or ())]
        return of_pixels(partial(_signal, zero=one.zero), planes, _TWO)

    def _expected(self, one: LeveledFrames, moments: FrameMoments) -> Floats:
        """Return the variance of a value of each pixel, of which dark current is a part."""
        if one.kind != "dark":
            signal = np.zeros_like(moments.mean)
        elif self.bias is not None:
            signal = moments.mean - self.bias[0]
        else:
            signal = moments.mean - surroundings(moments.mean, _SIDE)
        return expected_variance(one.frames, self.camera, moments, signal)

    def _look_at_dark_current(self, one: LeveledFrames, signal: Floats, variance: Floats) -> None:
        middle = surroundings(signal, _SIDE)
        around = scatter_around(signal, middle, _SIDE)
        planes = [signal, variance, middle, around]
        (is_hot,) = of_pixels(partial(_is_hot, hot=self.hot), planes, [np.bool_])
        if one.exposure > 0:
            rate = np.divide(signal, one.exposure, out=signal)
            is_hot |= rate > self.hot_rate
            if one.exposure > self.exposure:
                self.exposure, self.numbers["rate"] = one.exposure, rate
        self._add(Defect.HOT, is_hot)

    def _look_at_flats(self, one: LeveledFrames) -> None:
        bias = np.zeros(self.reason.shape) if self.bias is None else self.bias[0]
        rate = self.numbers.get("rate", np.zeros(self.reason.shape))
        found = responses(one.without(bias, rate))
        for bright in found[-1:]:
            self._add(Defect.DEAD, bright.value < self.floor)
            self._keep_largest("response", bright.value)
        if len(found) > 1:
            self._add(Defect.NONLINEAR, _is_nonlinear(*found, dark_known="rate" in self.numbers))


def _judged(number: Integers, ratio: Floats, *, limit: Floats) -> list[Numbers]:
    """Return which pixels scatter beyond the limit for their number of values, and how much."""
    return [ratio > limit[number], np.sqrt(ratio)]


def _mean(number: Integers, mean: Floats, squares: Floats) -> list[Floats]:
    """Return the mean of values, and its variance."""
    return [mean, variance_of(number, squares) / np.maximum(number, 1)]


def _signal(
    number: Integers, mean: Floats, expected: Floats, *bias: Floats, zero: Floats
) -> list[Floats]:
    """Return the mean of darks above the bias, and its variance."""
    level, variance = bias or (zero, np.float64(0.0))
    return [mean - level, expected / np.maximum(number, 1) + variance]


def _is_hot(
    signal: Floats, variance: Floats, middle: Floats, around: Floats, *, hot: float
) -> list[Bools]:
    return [signal - middle > hot * np.fmax(np.sqrt(variance), around)]
