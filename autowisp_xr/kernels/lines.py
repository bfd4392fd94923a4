"""Values of frames brought to one level by a line each, and their noise with them.

A value x becomes y = a (x - s), with the scale a and the sky s of its frame. So its own variance
becomes a^2 v, the noise of its photons a p (y - a (z - s)) where it was p (x - z), and of a noise
that frames share each has a times its amplitude. What they share relative to their light is
relative to a x = y + a s, as it was before the sky went: of a mean m with the weights p, it is
(m + sum p a s)^2.
"""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.noise_of_frames import WIDTH
from autowisp_xr.kernels.pixels import Block, Noise, Pixels, Weights, part_of
from autowisp_xr.kernels.sharing import shared_noise
from autowisp_xr.kernels.survivors import add_numbers, mark


class Lines(NamedTuple):
    """The line of each frame; a column for each k-th part of the pixels."""

    scale: Any
    """(frame, k) float64"""
    sky: Any
    """(frame, k) float64; None where nothing is taken off."""

    @property
    def shift(self) -> Floats:
        """What a sky takes off scaled values, (frame, k)."""
        return np.zeros_like(self.scale) if self.sky is None else self.scale * self.sky


def on_lines(pixels: Pixels, noise: Noise, lines: Lines, kind: Any) -> tuple[Pixels, Noise]:
    """Return scaled values of a type, and their noise without what the frames share."""
    given = pixels.values
    values = np.empty(given.shape, np.result_type(given.dtype, kind))
    sky = np.zeros_like(lines.scale) if lines.sky is None else lines.sky
    scale_values(given, lines.scale, sky, values)
    of_noise = noise
    if noise.variance.size:
        variance = np.empty_like(noise.variance)
        scale_variance(given, noise, lines.scale, variance)
        none = noise.variance[:0]
        of_noise = noise._replace(variance=variance, shared=none, relative=none)
    if noise.variance.size and noise.slope.size:
        none = np.zeros_like(sky)
        slope = _on_rows(noise.slope, lines.scale, none, frames=len(given))
        zero = _on_rows(noise.zero, lines.scale, sky, frames=len(given))
        of_noise = of_noise._replace(slope=slope, zero=zero)
        if noise.photons.size:
            photons = _on_rows(noise.photons, lines.scale**2, none, frames=len(given))
            of_noise = of_noise._replace(photons=photons)
    return pixels._replace(values=values), of_noise


def _on_rows(plane: Floats, scale: Floats, sky: Floats, *, frames: int) -> Floats:
    """Return scaled values of (1 or frame, pixel) for all frames, of their type."""
    out = np.empty((frames, plane.shape[1]), plane.dtype)
    scale_values(plane, scale, sky, out)
    return out


def left_out(pixels: Pixels, block: Block) -> Any:
    """Return which values do not survive, (frame, pixel) uint8: 1 for these, 0 for others."""
    dropped = np.empty(pixels.values.shape, np.uint8)
    mark_dropped(pixels, block, dropped)
    return dropped


def numbers_of(noise: Noise, lines: Lines | None) -> Floats:
    """Return scale and shift of frames, as far as what they share needs them, (m, frame, k)."""
    if lines is None:
        return np.empty((0, 0, 0))
    wanted = [lines.scale] if len(noise.shared) == 1 else []
    wanted += [lines.shift] if len(noise.relative) == 1 and lines.sky is not None else []
    return np.stack(wanted) if wanted else np.empty((0, *lines.scale.shape))


def shared_on_lines(
    pixels: Pixels,
    noise: Noise,
    groups: tuple[Integers | None, Integers | None],
    weights: Weights,
    block: Block,
    lines: Lines,
    averages: Floats,
    *,
    of_mean: bool,
) -> Floats:
    """Return what survivors share in the variance of their average, (pixel) float64.

    What is relative to their light is in it where the lines take a sky off.

    Parameters
    ----------
    pixels, weights, block
        The scaled values, and what survives of them.
    noise
        That of the frames before.
    groups
        As :class:`autowisp_xr.stack.engine.Rules` has them.
    lines
        By which they were scaled.
    averages : (m, pixel) float64
        Of :func:`numbers_of`.
    of_mean
        Whether the average is a mean.
    """

    def in_groups(plane: Any, of_frames: Integers | None) -> Floats:
        of_frames = np.zeros(len(plane), np.int64) if of_frames is None else of_frames
        return shared_noise(pixels, plane, of_frames, weights, block)

    total = np.zeros(block.number.size if noise.shared.size or noise.relative.size else 0)
    if len(noise.shared) == 1:
        total += noise.shared[0] * averages[0] ** 2
    elif noise.shared.size:
        none, frames = np.zeros_like(lines.scale), len(lines.scale)
        square = _on_rows(noise.shared, lines.scale**2, none, frames=frames)
        total += in_groups(square, groups[0])
    if lines.sky is not None and len(noise.relative) == 1:
        total += noise.relative[0] * (block.about + averages[-1]) ** 2
    elif lines.sky is not None and noise.relative.size:
        # frames of other exposures have other values, and no average stands for them all
        light = pixels.values if of_mean else np.broadcast_to(block.about, pixels.values.shape)
        light = light + np.repeat(lines.shift, light.shape[1] // lines.shift.shape[1], axis=1)
        total += in_groups(noise.relative * light**2, groups[1])
    return total


@kernel
def mark_dropped(pixels, block, out):
    """Write 1 for what does not survive, else 0; (frame, pixel) uint8."""
    kept = np.empty(WIDTH, np.bool_)
    for start in range(0, block.number.size, WIDTH):
        stop = min(block.number.size, start + WIDTH)
        here, alive = part_of(block, start, stop), kept[: stop - start]
        for frame in range(out.shape[0]):
            mark(pixels, here, frame, start, alive)
            row = out[frame, start:stop]
            for pixel in range(alive.size):
                row[pixel] = np.uint8(0) if alive[pixel] else np.uint8(1)


@kernel
def scale_values(values, scale, sky, out):
    """Write a (x - s) of each value, (frame, pixel), of (1 or frame, pixel)."""
    run = values.shape[1] // scale.shape[1]
    for frame in range(out.shape[0]):
        for part in range(scale.shape[1]):
            a, s = scale[frame, part], sky[frame, part]
            source = values[frame % values.shape[0], part * run : (part + 1) * run]
            into = out[frame, part * run : (part + 1) * run]
            for pixel in range(run):
                into[pixel] = a * (np.float64(source[pixel]) - s)


@kernel
def scale_variance(values, noise, scale, out):
    """Write the square of a times the variance without what the frames share, (frame, pixel)."""
    run = values.shape[1] // scale.shape[1]
    for frame in range(values.shape[0]):
        for part in range(scale.shape[1]):
            square = scale[frame, part] * scale[frame, part]
            start, stop = part * run, (part + 1) * run
            into, total = out[frame, start:stop], noise.variance[frame, start:stop]
            source = values[frame, start:stop]
            if noise.shared.size and noise.relative.size:
                common = noise.shared[frame % noise.shared.shape[0], start:stop]
                share = noise.relative[frame % noise.relative.shape[0], start:stop]
                for pixel in range(run):
                    x = np.float64(source[pixel])
                    own = np.float64(total[pixel]) - np.float64(common[pixel])
                    into[pixel] = square * (own - x * x * np.float64(share[pixel]))
            elif noise.shared.size:
                common = noise.shared[frame % noise.shared.shape[0], start:stop]
                for pixel in range(run):
                    own = np.float64(total[pixel]) - np.float64(common[pixel])
                    into[pixel] = square * own
            elif noise.relative.size:
                share = noise.relative[frame % noise.relative.shape[0], start:stop]
                for pixel in range(run):
                    x = np.float64(source[pixel])
                    own = np.float64(total[pixel]) - x * x * np.float64(share[pixel])
                    into[pixel] = square * own
            else:
                for pixel in range(run):
                    into[pixel] = square * np.float64(total[pixel])


@kernel
def average_numbers(pixels, weights, block, numbers, averages):
    """Write averages over survivors as :func:`autowisp_xr.kernels.survivors.sum_noise` does.

    There the noise of values is known; here it is not, and counts in no quantile.
    """
    kept, weight, all_weights = np.empty(WIDTH, np.bool_), np.ones(WIDTH), np.empty(WIDTH)
    of_frames, number = weights.of_frames, block.number
    run = max(number.size // numbers.shape[2], 1)
    weight_run = number.size // max(of_frames.shape[1], 1)
    for start in range(0, number.size, WIDTH):
        stop = min(number.size, start + WIDTH)
        here, alive, norm = (
            part_of(block, start, stop),
            kept[: stop - start],
            all_weights[: stop - start],
        )
        norm[:] = 0.0
        averages[:, start:stop] = 0.0
        for frame in range(pixels.values.shape[0]):
            mark(pixels, here, frame, start, alive)
            for pixel in range(alive.size):
                weight[pixel] = 1.0 if alive[pixel] else 0.0
            if of_frames.size:
                for pixel in range(alive.size):
                    weight[pixel] *= of_frames[frame, (start + pixel) // weight_run]
            for pixel in range(alive.size):
                norm[pixel] += weight[pixel]
            for i in range(numbers.shape[0]):
                add_numbers(numbers[i, frame], start, run, weight, averages[i, start:stop])
        for i in range(numbers.shape[0]):
            average = averages[i, start:stop]
            for pixel in range(average.size):
                average[pixel] /= norm[pixel]
