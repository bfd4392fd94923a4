"""The arithmetic of calibration, written once: every step and the fused pass run these lines.

For one pixel, in ADU, with master bias B, dark D times k, flat F, and what is not given left out:

    I = raw - level - overscan - B          V = V_raw + var(overscan) + V_masters
    V += photons(I) / gain + noise          I -= k D
    V = V / F^2 + var(F) I^2 / F^4          I = I / F

where photons(I) is max(I, 0), |I| or 0, and V_masters what bias and dark add (see
``transforms._shared``). The last line is the propagation of errors to first order. All of it
runs in double precision.

A level that is no light must not make photons. Where no bias is given and the dark holds it, the
dark comes in two parts whose sum it is: its pedestal in the place of B, its dark current in that of
D (see ``transforms._dark_current``), so that photons(I) are those of light and dark current.
"""

from typing import Any

import numpy as np

from autowisp_xr.flags import Flag
from autowisp_xr.kernels.jit import kernel

__all__ = ["PHOTONS", "calibrate_planes", "divide_variance", "transferred"]

PHOTONS = {"none": 0, "positive": 1, "absolute": 2}
"""How the photon signal is read off a pixel: not at all, max(I, 0), or |I|."""

_FAULT = np.uint8(Flag.FAULT)
_OVERSATURATED = np.uint8(Flag.OVERSATURATED)


@kernel
def photon_signal(signal: float, photons: int) -> float:
    """Photons of a pixel, in ADU, as far as they can be told from its value."""
    if photons == 0:
        return 0.0
    if photons == 1:
        return max(signal, 0.0)
    return abs(signal)


@kernel
def divided(image: float, variance: float, flat: float, relative: float) -> tuple[float, float]:
    """Image and variance after the flat, whose variance over its square is ``relative``."""
    if not flat > 0.0:
        return np.nan, np.nan
    image = image / flat
    return image, variance / (flat * flat) + relative * image * image


@kernel
def calibrated(
    signal: float,
    bits: int,
    limit: float,
    offset: float,
    bias: float,
    dark: float,
    variance: float,
    photons: int,
    inverse_gain: float,
    flat: float,
    relative: float,
    largest: float,
) -> tuple[Any, Any, Any]:
    """Image, variance and mask of a pixel; ``variance`` is all but the photons' and the flat's.

    What is beyond ``largest`` is not finite once it is stored.
    """
    if signal >= limit:
        bits |= _OVERSATURATED
    value = signal - offset - bias
    variance += photon_signal(value, photons) * inverse_gain
    value, variance = divided(value - dark, variance, flat, relative)
    if not abs(value) <= largest:
        return np.nan, np.nan, bits | _FAULT
    if not variance <= largest:
        bits |= _FAULT
    return value, variance, bits


@kernel
def overscan_row(
    overscan: tuple[Any, Any, Any, Any, Any, Any],
    reader: Any,
    frame: int,
    channel: int,
    y: int,
    offsets: Any,
    variances: Any,
) -> tuple[float, float]:
    """Level of a row and its variance; what differs along the row is left in the arrays.

    See :func:`calibrate_planes`. The arrays stay as they are, zero, where nothing does.
    """
    rows, rows_variance, columns, columns_variance, plane, plane_variance = overscan
    level, variance = 0.0, 0.0
    if rows.size and not reader.size:
        level, variance = rows[frame, 0, channel, y], rows_variance[frame, 0, channel, y]
    if columns.size and not reader.size:
        offsets[:] = columns[frame, 0, channel]
        variances[:] = columns_variance[frame, 0, channel]
    if rows.size and reader.size:
        for x in range(offsets.size):
            amplifier = reader[channel, y, x]
            if amplifier >= rows.shape[1]:
                offsets[x], variances[x] = np.nan, np.nan
                continue
            offsets[x] = rows[frame, amplifier, channel, y]
            variances[x] = rows_variance[frame, amplifier, channel, y]
            if columns.size:
                offsets[x] += columns[frame, amplifier, channel, x]
                variances[x] += columns_variance[frame, amplifier, channel, x]
    if plane.size:
        own = plane[frame % plane.shape[0], channel % plane.shape[1], y % plane.shape[2]]
        if own.size == 1:
            level += own[0]
        else:
            offsets[:] = own
            variances[:] = 0.0
    if plane_variance.size:
        noise = plane_variance[
            frame % plane_variance.shape[0],
            channel % plane_variance.shape[1],
            y % plane_variance.shape[2],
        ]
        if noise.size == 1:
            variance += noise[0]
        else:
            variances[:] = noise
    return level, variance


@kernel
def noise_row(
    reader: Any, inverse_gain: Any, noise: Any, channel: int, y: int, gains: Any, variances: Any
) -> None:
    """1 / gain of the amplifier of each pixel of a row; its read noise is added to ``variances``.

    See :func:`calibrate_planes`. What no amplifier reads has the last of the numbers.
    """
    last = inverse_gain.shape[1] - 1
    for x in range(gains.size):
        amplifier = min(reader[channel, y, x], last)
        gains[x] = inverse_gain[channel, amplifier]
        variances[x] += noise[channel, amplifier]


@kernel
def calibrate_planes(
    raw: Any,
    raw_variance: Any,
    raw_mask: Any,
    overscan: tuple[Any, Any, Any, Any, Any, Any],
    reader: Any,
    scale: Any,
    level: float,
    limits: tuple[Any, Any, Any],
    photons: int,
    masters: tuple[Any, Any, Any, Any, Any, Any],
    out: tuple[Any, Any, Any],
) -> None:
    """Calibrate frames in one pass.

    Parameters
    ----------
    raw, raw_variance, raw_mask : (frame, channel, y, x) arrays
        The latter two of size 0 where there are none.
    overscan : arrays, or of size 0
        Level and its variance by row, (frame, amplifier, channel, y), and by column, (frame,
        amplifier, channel, x), float64, whose sums count; a further level and its variance,
        (frame, channel, y, x) with any axis of size one.
    reader : (channel, y, x) uint8, or of size 0
        Number of the amplifier that reads each pixel, where there are several; the level of a
        number beyond is NaN.
    scale : (frame) float64
        Factor of the dark.
    level
        Constant subtracted first.
    limits : float64 arrays
        (frame, channel), at or above which ``raw - level`` is saturated, or NaN; 1 / gain and read
        noise variance, (channel, amplifier), the last of them for what none reads, or (channel, 1)
        where all have the same.
    photons
        A value of ``PHOTONS``.
    masters : (channel, y, x) arrays, or of size 0
        Bias, dark, flat; variance that bias and dark add, with a leading axis of 1 or frame;
        relative variance of the flat; mask.
    out : (frame, channel, y, x) arrays
        Image, variance, mask.
    """
    saturation, inverse_gain, noise = limits
    bias, dark, flat, added, relative, mask = masters
    image_out, variance_out, mask_out = out
    largest = np.float64(np.finfo(image_out.dtype).max)
    frames, channels, height, width = raw.shape
    varied = overscan[2].size + reader.size > 0
    varied = varied or overscan[4].shape[3] > 1 or overscan[5].shape[3] > 1
    several = inverse_gain.shape[1] > 1
    # what is not given is a row of its neutral value, which stays in the cache
    offsets = np.zeros(width, np.float64)
    offsets_variance = np.zeros(width, np.float64)
    gains = np.zeros(width, np.float64)
    zeros = np.zeros(width, bias.dtype)
    ones = np.ones(width, bias.dtype)
    no_flags = np.zeros(width, np.uint8)
    for frame in range(frames):
        for channel in range(channels):
            for y in range(height):
                source = raw[frame, channel, y]
                v_in = raw_variance[frame, channel, y] if raw_variance.size else zeros
                m_in = raw_mask[frame, channel, y] if raw_mask.size else no_flags
                b = bias[channel, y] if bias.size else zeros
                d = dark[channel, y] if dark.size else zeros
                f = flat[channel, y] if flat.size else ones
                s = added[frame % added.shape[0], channel, y] if added.size else zeros
                r = relative[channel, y] if relative.size else zeros
                m = mask[channel, y] if mask.size else no_flags
                if several:
                    offsets_variance[:] = 0.0
                offset, constant = overscan_row(
                    overscan, reader, frame, channel, y, offsets, offsets_variance
                )
                if several:
                    noise_row(reader, inverse_gain, noise, channel, y, gains, offsets_variance)
                else:
                    constant += noise[channel, 0]
                    gains[:] = inverse_gain[channel, 0]
                k = scale[frame]
                limit = saturation[frame, channel]
                image_row = image_out[frame, channel, y]
                variance_row = variance_out[frame, channel, y]
                mask_row = mask_out[frame, channel, y]
                # two loops, because a level that varies along the row costs a fifth of the time
                if varied:
                    for x in range(width):
                        image_row[x], variance_row[x], mask_row[x] = calibrated(
                            np.float64(source[x]) - level, m_in[x] | m[x], limit,
                            offset + offsets[x], b[x], k * d[x],
                            np.float64(v_in[x]) + (constant + offsets_variance[x]) + s[x],
                            photons, gains[x], np.float64(f[x]), np.float64(r[x]),
                            largest,
                        )  # fmt: skip
                else:
                    for x in range(width):
                        image_row[x], variance_row[x], mask_row[x] = calibrated(
                            np.float64(source[x]) - level, m_in[x] | m[x], limit,
                            offset, b[x], k * d[x],
                            np.float64(v_in[x]) + constant + s[x],
                            photons, inverse_gain[channel, 0], np.float64(f[x]), np.float64(r[x]),
                            largest,
                        )  # fmt: skip


def transferred(mask: Any) -> Any:
    """Mask that a frame inherits from a master: saturation of the master is a fault there."""
    saturated = np.uint8(Flag.SATURATED)
    fault = np.where(mask & saturated, np.uint8(Flag.FAULT), np.uint8(0))
    return (mask & ~saturated) | fault


def divide_variance(variance: Any, flat: Any) -> Any:
    """Variance after division by a flat; NaN where the flat is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = np.asarray(flat, dtype=np.float64)
        return np.where(flat > 0, variance / (flat * flat), np.nan)
