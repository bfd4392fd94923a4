"""The light of the sky: stars, a nebula, clouds. Arrays only, in raw-frame pixels (y, x)."""

import numpy as np

from autowisp_xr.arrays import Floats

_RADIUS = 24
"""Stars end this many pixels from their center; the truth ends there too."""

_BETA = 3.0
_BRIGHTEST = 100_000.0
_SLOPE = 1.2


def stars(shape: tuple[int, int], n: int, fwhm: float, rng: np.random.Generator) -> Floats:
    """Draw the light of ``n`` stars, in electrons per second and pixel.

    Moffat profiles (beta 3) of ``fwhm`` pixels at random places. The k-th brightest sends
    100000 / k^1.2 electrons per second, so that three or so saturate in a minute, however small
    the field, and most are faint.
    """
    height, width = shape
    field = np.zeros(shape)
    if n == 0:
        return field
    flux = _BRIGHTEST * np.arange(1.0, n + 1) ** -_SLOPE
    center = rng.random((n, 2)) * (height - 1, width - 1)
    corner = np.rint(center).astype(np.intp)
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    y = corner[:, :1] + offsets
    x = corner[:, 1:] + offsets
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / _BETA) - 1)
    distance2 = ((y - center[:, :1]) ** 2)[:, :, None] + ((x - center[:, 1:]) ** 2)[:, None, :]
    profile = (_BETA - 1) / (np.pi * alpha2) * (1 + distance2 / alpha2) ** -_BETA
    profile *= flux[:, None, None]
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    pixel = (y[:, :, None] * width + x[:, None, :])[inside]
    np.add.at(field.reshape(-1), pixel, profile[inside])
    return field


def nebula(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Draw smooth light with a maximum of one: five round clouds of 0.1 to 0.33 of the field."""
    y, x = np.arange(shape[0]), np.arange(shape[1])
    field = np.zeros(shape)
    for weight in rng.uniform(0.3, 1, 5):
        y0, x0 = rng.random(2) * shape
        size = rng.uniform(0.1, 0.33) * max(shape)
        profiles = (np.exp(-0.5 * (off / size) ** 2) for off in (y - y0, x - x0))
        field += weight * np.outer(*profiles)
    return field / field.max()


def clouds(shape: tuple[int, int], depth: float, rng: np.random.Generator) -> Floats:
    """Draw the transmission of clouds, from ``1 - depth`` to 1, smooth over half the field."""
    axes = [np.arange(number) / number for number in shape]
    field = np.zeros(shape)
    for _ in range(4):
        waves, phases = rng.uniform(0.5, 2, 2), rng.uniform(0, 2 * np.pi, 2)
        both = zip(waves, axes, phases, strict=True)
        field += np.outer(*(np.cos(2 * np.pi * wave * axis + phase) for wave, axis, phase in both))
    spread = np.ptp(field)
    return 1 - depth * (field - field.min()) / (spread if spread > 0 else 1)


def gradient(shape: tuple[int, int], relative: float) -> Floats:
    """Return light of twilight, of mean one, that rises by ``relative`` from first to last row."""
    rise = np.linspace(-0.5, 0.5, shape[0]) if shape[0] > 1 else np.zeros(1)
    return np.broadcast_to(1 + relative * rise[:, None], shape)
