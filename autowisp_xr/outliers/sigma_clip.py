"""``SigmaClip``: what lies too far from the average, in units of the scatter."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from autowisp_xr.kernels.clip import MAD, MEDIAN, RMS, Clipping, rounding_of
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.noise_of_frames import WIDTH, own_variance
from autowisp_xr.kernels.pixels import Block, Digitisation, Noise, Pixels
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.base import Rejection, check_rounds, rounds_of, warn_of_no_rejection

_NAMES = {"scale": ("rms", "mad"), "about": ("average", "median"), "floor": ("step", "noise")}


@dataclass(frozen=True)
class SigmaClip(Rejection):
    """Reject what lies too far from the average, in units of the scatter, round after round.

    Each round takes the average of what is left and the scatter about it, and rejects what lies
    strictly beyond the threshold, until nothing does or ``max_iter`` rounds have rejected. The
    average that counts is that of the survivors.

    A value at the threshold stays, also where rounding takes it some units in the last place
    beyond.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> deep = lights.autowisp.stack("mean", reject=aw.SigmaClip((5, -3), scale="mad"))
    """

    threshold: float | tuple[float, float] = 5.0
    """A number for both sides, or (plus, minus) of opposite signs."""

    scale: Literal["rms", "mad"] = "rms"
    """``rms``: root of the mean square distance, divided by N. ``mad``: 1.4826 times the median
    distance, which outliers do not inflate. Of digitised frames it is at least the step of the
    digitisation: values one step apart are neighbours, however many are equal. Where it is 0, the
    rms."""

    max_iter: int | None = None
    """Largest number of rounds that reject; None for as many as it takes."""

    about: Literal["average", "median"] = "average"
    """What distances are from: the average itself, or the median also where that is a mean, which
    one far outlier draws away from all the others."""

    floor: Literal["step", "noise"] = "step"
    """What the ``mad`` is at least: a step of the digitisation, or also the noise that most pixels
    have, as the differences of frames show it, and where the variance is known, that of the
    noisiest value. With the noise few frames are enough, whose own MAD is often small by chance,
    so that good values would lie beyond it; and noisy frames among others keep theirs."""

    def __post_init__(self) -> None:
        upper_and_lower(self.threshold)
        for name, known in _NAMES.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is {' or '.join(map(repr, known))}, not {getattr(self, name)!r}"
                )
        if self.floor == "noise" and self.scale != "mad":
            raise ValueError("floor='noise' is of scale='mad'; the rms has no floor")
        check_rounds(self.max_iter)

    @property
    def by_noise(self) -> bool:
        """Whether the noise is the floor of the scale."""
        return self.floor == "noise"

    @property
    def by_step(self) -> bool:
        """Whether the step is the floor of the scale."""
        return self.scale == "mad"

    in_place = True

    def check(self, frames: int, *, of_mean: bool, has_variance: bool) -> None:
        """Warn if no value can be rejected.

        Not even a lone outlier among equal values may be beyond the threshold: it lies sqrt(n) rms
        from their median, and sqrt(n - 1) from their mean.
        """
        if self.scale != "rms" or frames < 2:
            return
        about_mean = of_mean and self.about == "average"
        reach = np.sqrt(frames - 1 if about_mean else frames)
        lowest = min(map(abs, upper_and_lower(self.threshold)))
        if self.max_iter != 0 and lowest >= reach:
            warn_of_no_rejection(
                f"no value among {frames} can lie {lowest:g} rms or more from the average",
                f"a threshold below {reach:.2f} can, or SigmaClip(scale='mad')",
            )

    def average(
        self, pixels: Pixels, noise: Noise, quantile: float, digits: Digitisation
    ) -> tuple[Block, Pixels]:
        """As :meth:`Rejection.average`, by the ends of the sorted values."""
        floor = None
        if self.scale == "mad":
            least = max(digits.step, digits.noise if self.by_noise else 0.0)
            floor = np.full(pixels.values.shape[1], least)
            if self.by_noise and noise.variance.size:
                raise_to_noise(pixels, noise.without_photons(), floor)
        upper, lower = upper_and_lower(self.threshold)
        clipping = Clipping(
            measure=MAD if self.scale == "mad" else RMS,
            upper=upper,
            lower=lower,
            rounds=rounds_of(self.max_iter),
            origin=MEDIAN if self.about == "median" else quantile,
            rounding=rounding_of(pixels.values.dtype),
        )
        return average_pixels(pixels, quantile, clipping, floor), pixels


@kernel
def raise_to_noise(pixels, noise, floor):
    """Raise what is given for each pixel to the noise of its noisiest value.

    Before there is an average, the photons are those of each value. ``floor`` (pixel) float64 is
    changed.
    """
    own, least = np.empty(WIDTH), np.empty(WIDTH)
    for start in range(0, floor.size, WIDTH):
        here = floor[start : start + WIDTH]
        largest, mine = least[: here.size], own[: here.size]
        for pixel in range(here.size):
            largest[pixel] = here[pixel] * here[pixel]
        for frame in range(pixels.values.shape[0]):
            own_variance(pixels.values, noise, here, frame, start, mine)
            if pixels.mask.size:
                flags = pixels.mask[frame, start : start + here.size]
                for pixel in range(here.size):
                    mine[pixel] = 0.0 if flags[pixel] & pixels.exclude else mine[pixel]
            for pixel in range(here.size):
                more = mine[pixel] > largest[pixel]
                largest[pixel] = mine[pixel] if more else largest[pixel]
        for pixel in range(here.size):
            here[pixel] = np.sqrt(largest[pixel])
