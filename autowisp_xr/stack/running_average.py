"""The arrays of a running stack: frames go in one after the other, averages come out at any time.

Each frame is worked through in pieces, in threads; what comes out never depends on how it is cut.
Where frames share noise, the amplitude of each set of masters is summed for itself.
"""

from math import prod
from typing import Any

import numpy as np

from autowisp_xr.arrays import Bits, Floats, Integers
from autowisp_xr.bridge.threads import in_threads
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.lines import Lines, left_out, on_lines
from autowisp_xr.kernels.pixels import (
    Block,
    Digitisation,
    NoiseSums,
    empty_block,
    noise_sums,
)
from autowisp_xr.kernels.running_sums import (
    Judgement,
    RunningSums,
    add_amplitudes,
    empty_sums,
    take_in,
)
from autowisp_xr.outliers.base import Rejection
from autowisp_xr.stack.engine import (
    Averages,
    Common,
    FramePlanes,
    Rules,
    finished,
    in_shape,
    noise_of,
    pixels_of,
)
from autowisp_xr.stats.order_statistics import variance_factors
from autowisp_xr.steps.noise_sources import numbered

_PIECE = 2**16
"""Pixels that one thread works through at a time."""

Names = tuple[str, str]
"""The masters that lend a frame what it shares, and what it shares relative to its light."""


class RunningAverage:
    """Sums through frames of one shape.

    Parameters
    ----------
    shape
        (channel, y, x)
    first
        A frame, which shows what is known of all: their noise, and that of their photons.
    exclude
        Values with any of these flags are left out.
    weighed
        Whether frames have weights, or are averaged otherwise than they are judged.
    """

    dtype = np.dtype(np.float64)
    """Of values on a line."""

    def __init__(
        self, shape: tuple[int, ...], first: FramePlanes, exclude: int, *, weighed: bool
    ) -> None:
        self.shape, self.exclude = shape, exclude
        self.of_averages = first.photons is not None
        self.sums = empty_sums(
            prod(shape),
            weights=weighed,
            noise=first.variance is not None,
            photons=first.slope is not None,
        )
        self.shared: tuple[dict[str, Floats], dict[str, Floats]] = ({}, {})
        """By the names of masters: amplitudes (1, pixel); relative ones, and products, (2, pixel).
        """
        self.total: Integers | None = None
        """(pixel) int32: the number of values of stacks that were taken in."""
        self.frames = 0

    def take_in(
        self,
        frame: FramePlanes,
        names: Names,
        weights: Floats,
        judgement: Judgement,
        dropped: Bits | None = None,
        line: Lines | None = None,
    ) -> int:
        """Take in a frame.

        Parameters
        ----------
        frame
            Planes (1, channel, y, x), or (channel, y, x) where all frames have one.
        names
            The masters whose noise it shares.
        weights : (channel)
            Its weights; 1 where frames have none.
        judgement
            How its values are judged.
        dropped : (pixel) uint8
            1 for what has been rejected before.
        line : (1, channel)
            By which it is brought to the level of the others where outliers are found.

        Returns
        -------
        How many values were rejected.
        """
        pixels, noise = pixels_of(frame, self.exclude), noise_of(frame, np.dtype(np.float32))
        gone = np.empty(0, np.uint8) if dropped is None else dropped
        if frame.counts is not None and self.total is None:
            # those of before were no stacks
            self.total = self.sums.number.copy()
        amplitudes = [
            (plane, sums.setdefault(masters, np.zeros((rows, pixels.values.size))))
            for sums, plane, masters, rows in zip(
                self.shared, ("shared", "relative"), names, (1, 2), strict=True
            )
            if getattr(noise, plane).size
        ]

        def piece(where: tuple[int, slice]) -> int:
            channel, cut = where
            weight = float(weights[channel])
            kept = np.empty(cut.stop - cut.start, np.bool_)
            # of one type, so that there is one kernel to compile
            own = _as_floats(_cut(pixels, cut)), _as_floats(_cut(noise, cut))
            sums, values = _cut(self.sums, cut), own[0].values[0]
            judged = own if line is None else on_lines(*own, _of_channel(line, channel), self.dtype)
            rejected = take_in(*judged, *own, weight, gone[cut], judgement, sums, kept)
            for name, rows in amplitudes:
                plane = getattr(own[1], name)
                for row, factors in zip(rows, (values[:0], values), strict=False):
                    add_amplitudes(plane[0], factors, weight, kept, row[cut])
            if self.total is not None:
                counts = 1 if frame.counts is None else frame.counts.reshape(-1)[cut]
                self.total[cut] += np.where(kept, counts, 0).astype(np.int32)
            return int(rejected)

        self.frames += 1
        return sum(in_threads(piece, self._pieces()))

    def outliers(
        self, frames: FramePlanes, reject: Rejection, digits: Digitisation, lines: Lines | None
    ) -> Bits:
        """Return which values of several frames are outliers among them, (frame, pixel) uint8.

        How many there are of each pixel, below and above, is added to the sums.
        """
        pixels = pixels_of(frames, self.exclude)
        noise = noise_of(frames, np.dtype(np.float32))
        dropped = np.empty(pixels.values.shape, np.uint8)

        def piece(where: tuple[int, slice]) -> None:
            channel, cut = where
            judged = _cut(pixels, cut), _cut(noise, cut)
            if lines is not None:
                judged = on_lines(*judged, _of_channel(lines, channel), self.dtype)
            block, rest = reject.average(*judged, MEAN, digits)
            dropped[:, cut] = left_out(rest, block)
            self.sums.below[cut] += block.below
            self.sums.above[cut] += block.above

        in_threads(piece, self._pieces())
        return dropped

    def parts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return all planes, (pixel), by name, and the rest, which JSON can hold."""
        planes = {name: plane for name, plane in self.sums._asdict().items() if plane.size}
        masters = [list(sums) for sums in self.shared]
        for kind, sums in enumerate(self.shared):
            for number, rows in enumerate(sums.values()):
                planes |= {f"shared_{kind}_{number}_{i}": row for i, row in enumerate(rows)}
        if self.total is not None:
            planes["total_count"] = self.total
        names = ("exclude", "of_averages", "frames")
        return planes, {"masters": masters} | {name: getattr(self, name) for name in names}

    @classmethod
    def of_parts(
        cls, shape: tuple[int, ...], planes: dict[str, Any], rest: dict[str, Any]
    ) -> "RunningAverage":
        """Return what :meth:`parts` described."""
        average = cls.__new__(cls)
        average.shape = shape
        for name in ("exclude", "of_averages", "frames"):
            setattr(average, name, rest[name])
        none = empty_sums(0, weights=False, noise=False, photons=False)._asdict()
        average.sums = RunningSums(*(planes.get(name, plane) for name, plane in none.items()))
        average.total = planes.get("total_count")
        of_shared, of_relative = (
            {
                name: np.stack([planes[f"shared_{kind}_{number}_{i}"] for i in range(kind + 1)])
                for number, name in enumerate(names)
            }
            for kind, names in enumerate(rest["masters"])
        )
        average.shared = of_shared, of_relative
        return average

    def averages(self, rules: Rules) -> Averages:
        """Return the average of what was taken in, (channel, y, x)."""
        sums, number = self.sums, self.sums.number
        block = empty_block(number.size)
        block.number[:], block.below[:], block.above[:] = number, sums.below, sums.above
        n = number.astype(np.float64)
        total, about, squares = n, sums.mean, sums.squares
        with np.errstate(invalid="ignore", divide="ignore"):
            if sums.total.size:
                total, about = sums.total, sums.weighed
                share = sums.w2 / total**2
                # what has all the weight has no scatter
                spread = sums.w2_square / total**2 / np.where(share < 1.0, 1.0 - share, np.nan)
                squares = spread * n * (n - 1.0)
            block.about[:] = np.where(total > 0.0, about, np.nan)
            block.squared_deviations[:] = squares
            noise = self._noise_sums(block, (n / total) ** 2, propagate=rules.propagate)
            shared = self._common(total)
        mask = np.where(number > 0, sums.flags, sums.all_flags)
        mask |= sums.all_flags & np.uint8(Flag.SATURATED)
        mask |= (number < max(rules.min_values, 1)) * np.uint8(Flag.FAULT)
        factors = variance_factors(MEAN, self.frames)
        single = not self.of_averages
        flat = finished(block, noise, factors, shared, mask, rules, single=single)
        if self.total is not None:
            flat = flat._replace(total=self.total.copy())
        return in_shape(flat, self.shape)

    def _noise_sums(self, block: Block, scale: Floats, *, propagate: bool) -> NoiseSums:
        """Return sums in terms of weights over their mean, whose photons are those of the mean."""
        own, photons = self.sums, self.sums.slope.size > 0
        sums = noise_sums(block.number.size if propagate else 0, photons=photons)
        if not propagate:
            return sums
        sums.variance[:] = own.variance * scale
        if photons:
            dark = np.where(own.slope > 0.0, own.zero / own.slope, 0.0)
            of_mean = own.slope * np.maximum(block.about - dark, 0.0)
            sums.variance[:] += of_mean * scale
            sums.slope[:], sums.zero[:] = own.slope * scale, own.zero * scale
            sums.excess[:] = (own.light - of_mean) * scale
            sums.rest[:], sums.rest_squares[:] = own.rest, own.rest_squares
        sums.unequal[:] = sums.variance[: sums.unequal.size]
        return sums

    def _common(self, total: Floats) -> Common:
        of_shared, of_relative = self.shared
        none = np.empty(0)
        common = _united(of_shared, total)[0] if of_shared else none
        share, added = _united(of_relative, total) if of_relative else (none, none)
        if common.size and added.size:
            added = added + common
        return Common(common, share, added if added.size else common, none)

    def _pieces(self) -> list[tuple[int, slice]]:
        channels, size = self.shape[0], prod(self.shape[1:])
        return [
            (channel, slice(channel * size + start, channel * size + min(start + _PIECE, size)))
            for channel in range(channels)
            for start in range(0, size, _PIECE)
        ]


def _united(sums: dict[str, Floats], total: Floats) -> Floats:
    """Return the variances of sums of amplitudes, of masters that have nothing in common."""
    groups = numbered(list(sums))
    united: dict[int, Any] = {}
    for name, amplitudes in sums.items():
        united[groups[name]] = united.get(groups[name], 0.0) + amplitudes
    return sum((amplitudes / total) ** 2 for amplitudes in united.values())


def _of_channel(lines: Lines, channel: int) -> Lines:
    scale, sky = (np.ascontiguousarray(each[:, channel : channel + 1]) for each in lines)
    return Lines(scale, sky)


def _as_floats(arrays: Any) -> Any:
    """Return a named tuple of arrays with all but flags in double precision."""
    return type(arrays)(
        *(
            each.astype(np.float64)
            if isinstance(each, np.ndarray) and each.dtype != np.uint8
            else each
            for each in arrays
        )
    )


def _cut(arrays: Any, where: slice) -> Any:
    """Return some pixels of a named tuple of arrays."""
    return type(arrays)(
        *(
            np.ascontiguousarray(each[..., where]) if isinstance(each, np.ndarray) else each
            for each in arrays
        )
    )
