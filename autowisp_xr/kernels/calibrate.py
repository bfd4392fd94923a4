"""The arithmetic of calibration, written once: every step and the fused pass run these lines.

For one pixel, in ADU, with master bias B, dark D times k, flat F, and what is not given left out:

    I = raw - level - overscan - B          V = V_raw + var(overscan) + V_masters
    V += photons(I) / gain + noise          I -= k D
    V = V / F^2 + var(F) I^2 / F^4          I = I / F

where photons(I) is max(I, 0), |I| or 0, and V_masters what bias and dark add (see
``transforms._pass``). The last line is the propagation of errors to first order. All of it
runs in double precision.
"""

from typing import Any

import numpy as np

from autowisp_xr.flags import Flag
from autowisp_xr.kernels._jit import kernel

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
def calibrate_planes(
    raw: Any,
    raw_variance: Any,
    raw_mask: Any,
    overscan: Any,
    overscan_variance: Any,
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
    overscan, overscan_variance : (frame, channel) float64
    scale : (frame) float64
        Factor of the dark.
    level
        Constant subtracted first.
    limits : (channel) float64 arrays
        Saturation threshold, compared with ``raw - level``; 1 / gain; read noise variance.
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
    frames, channels, height, width = raw.shape
    # what is not given is a row of its neutral value, which stays in the cache
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
                offset = overscan[frame, channel]
                constant = overscan_variance[frame, channel] + noise[channel]
                k = scale[frame]
                limit = saturation[channel]
                image_row = image_out[frame, channel, y]
                variance_row = variance_out[frame, channel, y]
                mask_row = mask_out[frame, channel, y]
                for x in range(width):
                    value: Any = np.float64(source[x]) - level
                    bits = m_in[x] | m[x]
                    if value > limit:
                        bits |= _OVERSATURATED
                    value = value - offset - b[x]
                    variance = np.float64(v_in[x]) + constant + s[x]
                    variance += photon_signal(value, photons) * inverse_gain[channel]
                    value -= k * d[x]
                    value, variance = divided(value, variance, np.float64(f[x]), np.float64(r[x]))
                    if not np.isfinite(value):
                        value, variance = np.nan, np.nan
                        bits |= _FAULT
                    image_row[x] = value
                    variance_row[x] = variance
                    mask_row[x] = bits


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
