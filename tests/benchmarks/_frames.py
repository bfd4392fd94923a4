"""Frames for the benchmarks, of stars, noise and cosmic rays, and masters for them."""

import gzip
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from tests.benchmarks._common import GAIN, READ_NOISE

__all__ = [
    "arrays",
    "calibrated",
    "compressed",
    "differing",
    "gzipped",
    "light_frames",
    "masters",
    "night",
]

EXPOSURE = 60.0
BIAS = 300.0
DARK = 20.0

_PLANES = 5
"""Planes of noise; each frame takes one of them, shifted, so that its pixels are independent."""


def scene(shape: tuple[int, int], rng: np.random.Generator) -> Any:
    """Level in ADU: bias, dark, a sky with a gradient, and stars."""
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    level = (1000 + 200 * x + 100 * y + BIAS + DARK).astype(np.float32)
    box = np.exp(-0.5 * np.hypot(*np.mgrid[-8:9, -8:9]) ** 2 / 2**2).astype(np.float32)
    if min(shape) > 2 * len(box):
        for _ in range(level.size // 20_000):
            top, left = (int(rng.integers(0, size - len(box))) for size in shape)
            peak = min(100 * rng.pareto(1.2), 30_000)
            level[top : top + len(box), left : left + len(box)] += peak * box
    return level


def cube(number: int, shape: tuple[int, int], seed: int = 1) -> Iterator[Any]:
    """Raw frames, uint16, one after the other."""
    rng = np.random.default_rng(seed)
    yield from _exposed(scene(shape, rng) - BIAS, number, rng)


def _exposed(light: Any, number: int, rng: np.random.Generator) -> Iterator[Any]:
    """Frames of a level in ADU, free of bias, with noise and cosmic rays."""
    sigma = np.sqrt(np.maximum(light, 0) / GAIN + (READ_NOISE / GAIN) ** 2)
    planes = [rng.standard_normal(light.shape, np.float32) for _ in range(min(_PLANES, number))]
    for frame in range(number):
        values = np.roll(planes[frame % len(planes)], 7919 * frame)
        values *= sigma
        values += light
        values += BIAS
        hits = rng.integers(0, values.size, max(1, values.size // 5000))
        values.ravel()[hits] += rng.exponential(5000, hits.size).astype(np.float32)
        yield np.clip(np.rint(values, out=values), 0, 65535, out=values).astype(np.uint16)


def header(number: int, kind: str = "object") -> fits.Header:
    """Cards as a camera writes them."""
    start = f"2024-03-01T{number // 60:02d}:{number % 60:02d}:03"
    cards = {"IMAGETYP": kind, "EXPTIME": EXPOSURE, "DATE-OBS": start, "FILTER": "V"}
    return fits.Header({**cards, "EGAIN": GAIN, "RDNOISE": READ_NOISE, "INSTRUME": "bench"})


def arrays(
    directory: str, number: int, shape: Sequence[int], dtypes: Sequence[str]
) -> dict[str, str]:
    """The pixels of frames as arrays (frame, y, x), for each type of numbers."""
    raw = np.stack(list(cube(number, tuple(shape))))
    made = {}
    for dtype in dtypes:
        made[dtype] = str(Path(directory) / f"{number}-{dtype}.npy")
        np.save(made[dtype], raw.astype(dtype))
    return made


def differing(saved: Mapping[str, str], reference: str) -> dict[str, float]:
    """For each saved average the part of its pixels that are not within 1e-6 of the reference."""
    expected, parts = np.load(reference), {}
    for name, file in saved.items():
        found = np.load(file)
        far = np.abs(found - expected[: len(found)]) > 1e-6 * np.abs(found)
        parts[name] = float(far.mean())
    return parts


def light_frames(directory: str, number: int, shape: Sequence[int]) -> list[str]:
    """``light_00001.fits`` and so on, made unless they are there."""
    files = _named(directory, [f"light_{i:05d}.fits" for i in range(1, number + 1)])
    found = fits.getdata(files[0]).shape if files[0].exists() else tuple(shape)
    if found != tuple(shape):
        raise SystemExit(
            f"{files[0]} is of {found} pixels, not of {tuple(shape)}; name another --directory"
        )
    if not all(file.exists() for file in files):
        for i, (file, frame) in enumerate(zip(files, cube(number, tuple(shape)), strict=True)):
            fits.writeto(file, frame, header(i), overwrite=True)
    return [str(file) for file in files]


def night(directory: str, numbers: Mapping[str, int], shape: Sequence[int]) -> dict[str, list[str]]:
    """Raw frames of a night by their kinds, ``bias_00001.fits`` and so on, unless they are there.

    All have the bias, darks the current of their exposure, flats half a full well and a gradient.
    """
    rng = np.random.default_rng(3)
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    response = 1 + 0.01 * rng.standard_normal(tuple(shape), dtype=np.float32)
    response *= (1 - 0.1 * (x**2 + y**2)).astype(np.float32)
    current = DARK * (1 + 0.3 * rng.standard_normal(tuple(shape), dtype=np.float32))
    hot = rng.integers(0, current.size, max(1, current.size // 10_000))
    current.ravel()[hot] += rng.exponential(2000, hot.size).astype(np.float32)
    lights = (scene(tuple(shape), rng) - BIAS - DARK) * response + current
    levels = {"bias": 0 * current, "dark": current, "flat": 25_000 * response, "light": lights}
    made = {}
    for kind, number in numbers.items():
        names = _named(directory, [f"{kind}_{i:05d}.fits" for i in range(1, number + 1)])
        made[kind] = [str(name) for name in names]
        if all(name.exists() for name in names):
            continue
        for i, frame in enumerate(_exposed(levels[kind], number, rng)):
            cards = header(i, "object" if kind == "light" else kind)
            cards["EXPTIME"] = {"bias": 0.0, "flat": 1.0}.get(kind, EXPOSURE)
            cards["SET-TEMP"] = cards["CCD-TEMP"] = -10.0
            cards["GAIN"] = 100
            fits.writeto(names[i], frame, cards, overwrite=True)
    return made


def compressed(files: Sequence[str], directory: str) -> list[str]:
    """The same frames with RICE tiles of a row."""
    made = _named(directory, [f"{Path(file).name}.fz" for file in files])
    for file, target in zip(files, made, strict=True):
        if not target.exists():
            hdu = fits.CompImageHDU(fits.getdata(file), fits.getheader(file), "COMPRESSED_IMAGE")
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(target)
    return [str(file) for file in made]


def gzipped(files: Sequence[str], directory: str) -> list[str]:
    """The same files as gzip leaves them."""
    made = _named(directory, [f"{Path(file).name}.gz" for file in files])
    for file, target in zip(files, made, strict=True):
        if not target.exists():
            with Path(file).open("rb") as source, gzip.open(target, "wb", 6) as out:
                shutil.copyfileobj(source, out, 2**20)
    return [str(file) for file in made]


def calibrated(files: Sequence[str], directory: str) -> list[str]:
    """The same pixels as calibrated frames: image and error in float32, mask."""
    made = _named(directory, [Path(file).name for file in files])
    for file, target in zip(files, made, strict=True):
        if not target.exists():
            image = fits.getdata(file).astype(np.float32)
            error = np.sqrt(image / GAIN + (READ_NOISE / GAIN) ** 2)
            _write_planes(target, image, error, fits.getheader(file))
    return [str(file) for file in made]


def masters(directory: str, shape: Sequence[int]) -> dict[str, str]:
    """Bias, dark and flat, as both AutoWISP and this package have them."""
    rng = np.random.default_rng(2)
    levels = {"bias": (BIAS, 1.0), "dark": (DARK, 1.5), "flat": (1.0, 0.002)}
    made = dict(zip(levels, _named(directory, [f"{kind}.fits" for kind in levels]), strict=True))
    for kind, (level, noise) in levels.items():
        if not made[kind].exists():
            error = np.full(tuple(shape), noise, np.float32)
            image = level + error * rng.standard_normal(error.shape, dtype=np.float32)
            cards = header(0, kind)
            cards["BUNIT"] = "1" if kind == "flat" else "adu"
            cards["EXPTIME"] = 0.0 if kind == "bias" else EXPOSURE
            _write_planes(made[kind], image, error, cards)
    return {kind: str(file) for kind, file in made.items()}


def _named(directory: str, names: Sequence[str]) -> list[Path]:
    Path(directory).mkdir(parents=True, exist_ok=True)
    return [Path(directory) / name for name in names]


def _write_planes(target: Path, image: Any, error: Any, cards: fits.Header) -> None:
    mask = np.zeros(image.shape, np.uint8)
    hdus = [
        fits.PrimaryHDU(image, cards),
        fits.ImageHDU(error, fits.Header({"IMAGETYP": "error"})),
        fits.ImageHDU(mask, fits.Header({"IMAGETYP": "mask"})),
    ]
    fits.HDUList(hdus).writeto(target)
