"""Small sets of calibrated flats as FITS files, whose classes are known."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io import fits
from scipy.ndimage import median_filter

from autowisp_xr.image_calibration import MasterFlatMaker
from autowisp_xr.image_smoothing import (
    ChainSmoother,
    PolynomialImageSmoother,
    SplineImageSmoother,
    WrapFilterAsSmoother,
)
from tests.image_calibration.files import header_of, read_planes, write_planes

__all__ = [
    "CLASSES",
    "FLAT_SET",
    "FOUND_AS",
    "SHAPE",
    "STACK",
    "expected_kinds",
    "flat",
    "is_compressed",
    "kinds_of",
    "maker",
    "options",
    "outcome",
    "response",
    "run",
    "write_flat_set",
    "write_flats",
]

CLASSES = ("high", "low", "medium", "colocated", "cloudy", "saturated")
FOUND_AS = {"noisy": "cloudy"}
"""Class of a kind of frames, where it bears another name."""

SHAPE = (48, 64)
FLAT_SET = (
    *("high", "low", "high", "high", "medium", "low", "high", "high", "saturated", "high"),
    *("low", "noisy", "high", "colocated", "high", "low", "high", "cloudy", "colocated", "high"),
    *("low", "high", "high", "low", "medium", "high"),
)
"""The frames of a set: 13 high and 6 low ones, and others; "noisy" is cloudy by its
stamp, "cloudy" by a blob at its edge."""

_LEVELS = {"low": (2000.0, 2800.0), "medium": (3500.0, 5500.0)}
# near to each other: the reference is a median of frames as they are, and jumps between their
# levels where a cloud changes their order
_HIGH = (13000.0, 15000.0)
_GAIN = 1.6


def response(shape: tuple[int, int] = SHAPE) -> Any:
    """What all pixels make of the same light: smooth, with a scatter of one percent."""
    y, x = _place(shape)
    scatter = np.random.default_rng(7).normal(1, 0.01, shape)
    return scatter * (1 - 0.1 * (x**2 + y**2))


def flat(
    kind: str, seed: int, shape: tuple[int, int] = SHAPE, levels: Mapping[str, Any] | None = None
) -> Any:
    """One frame of a kind (y, x), with noise and a gradient of its own."""
    rng = np.random.default_rng(seed)
    y, x = _place(shape)
    level = rng.uniform(*{**_LEVELS, **(levels or {})}.get(kind, (levels or {}).get("high", _HIGH)))
    slope = rng.uniform(-0.04, 0.04, 2)
    light = level * response(shape) * (1 + slope[0] * x + slope[1] * y)
    image = rng.normal(light, np.sqrt(light / _GAIN + 9))
    if kind == "cloudy":
        image *= 1 - 0.5 * np.exp(-((x - 0.9) ** 2 + (y - 0.8) ** 2) / 0.04)
    elif kind == "noisy":
        image *= rng.normal(1, 0.04, shape)
    return image


def write_flats(
    images: Sequence[Any],
    masks: Any = None,
    cards: Sequence[Mapping[str, Any]] | None = None,
    name: str = "flat{:02d}.fits",
) -> list[str]:
    """A file for each image; they point half a degree from each other unless cards place them.

    A card of None is left out.
    """
    files = []
    for number, image in enumerate(images):
        mask = np.zeros(np.shape(image), np.uint8) if masks is None else masks[number]
        header = {
            "IMAGETYP": "flat",
            "CLRCHNL": "R",
            "CAMSN": "A7",
            "EXPTIME": 4.0,
            "RA": 4.0 + number / 30,
            "DEC": 20.0,
            "JD-OBS": 2460370.9 + number / 1000,
            **(cards[number] if cards else {}),
        }
        header = {keyword: value for keyword, value in header.items() if value is not None}
        # errors of the frames do not matter
        planes = (image, np.full(np.shape(image), 1.0 + number, np.float32), mask)
        files.append(write_planes(name.format(number), *planes, header))
    return files


def write_flat_set(
    kinds: Sequence[str] = FLAT_SET, *, seed: int = 0, dtype: Any = np.float32, **given: Any
) -> dict[str, str]:
    """Files of frames of these kinds: {name: kind}."""
    images = [flat(kind, 100 * seed + number).astype(dtype) for number, kind in enumerate(kinds)]
    masks = np.zeros((len(kinds), *SHAPE), np.uint8)
    cards: list[dict[str, Any]] = [{} for _ in kinds]
    for number, kind in enumerate(kinds):
        # a hot pixel of its own in each
        masks[number].flat[37 * number + 5] = 2
        if kind == "saturated":
            masks[number, 20:30, 20:40] = 16
        elif kind == "colocated":
            cards[number] = {"RA": 3.0 + number / 1e5}
    files = write_flats(images, masks, cards, **given)
    return dict(zip(files, kinds, strict=True))


def options() -> dict[str, Any]:
    """Arguments of ``MasterFlatMaker`` for such sets."""
    stacks = {"average_func": np.nanmedian, "min_valid_values": 3, "exclude_mask": ("BAD",)}
    return {
        "stamp_statistics_config": {
            "fraction": 0.5,
            "smoother": PolynomialImageSmoother(
                num_x_terms=3, num_y_terms=3, outlier_threshold=3.0, max_iterations=1
            ),
            "outlier_threshold": 3.0,
            "max_iter": 3,
            "average": "mean",
        },
        "stamp_select_config": {
            "max_saturated_fraction": 1e-4,
            "var_mean_fit_threshold": 2.0,
            "var_mean_fit_iterations": 2,
            "cloudy_night_threshold": 1e4,
            "cloudy_frame_threshold": 50.0,
            "min_high_mean": 6e3,
            "max_low_mean": 3e3,
        },
        "large_scale_smoother": ChainSmoother(
            WrapFilterAsSmoother(median_filter, size=4),
            SplineImageSmoother(
                num_x_nodes=4, num_y_nodes=4, outlier_threshold=5.0, max_iterations=1
            ),
            bin_factor=4,
            zoom_interp_order=3,
        ),
        "cloud_check_smoother": WrapFilterAsSmoother(
            median_filter, size=4, bin_factor=4, zoom_interp_order=3
        ),
        "master_stack_config": {
            "min_pointing_separation": 150.0,
            "large_scale_deviation_threshold": 0.06,
            "min_high_combine": 10,
            "min_low_combine": 5,
            "large_scale_stack_options": {**stacks, "outlier_threshold": 4.0, "max_iter": 0},
            "master_stack_options": {
                **stacks,
                "outlier_threshold": (2.0, -2.1),
                "max_iter": 2,
                "compress": None,
            },
        },
    }


STACK: dict[str, Any] = options()["master_stack_config"]["master_stack_options"]
"""How masters are stacked; a group of options within a group is given whole."""


def maker(kind: type[MasterFlatMaker] = MasterFlatMaker, **changes: Any) -> MasterFlatMaker:
    """A maker with :func:`options`; what is changed of a group is added to it."""
    given = options()
    for name, value in changes.items():
        given[name] = {**given[name], **value} if isinstance(value, Mapping) else value
    return kind(**given)


def run(make: MasterFlatMaker, files: Iterable[str], **call: Any) -> Any:
    """Make both masters anew."""
    return make(list(files), "high.fits", "low.fits", **{"allow_overwrite": True, **call})


def kinds_of(result: Any) -> dict[str, str]:
    """{file: class} of a result, in which each file is once."""
    pairs = [(file, kind) for kind, files in result.classes.items() for file in files]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def expected_kinds(flat_set: Mapping[str, str], **changed: str) -> dict[str, str]:
    """{file: class} of a set; of some kinds another class."""
    return {file: changed.get(kind, FOUND_AS.get(kind, kind)) for file, kind in flat_set.items()}


def outcome(result: Any) -> tuple[Any, ...]:
    """All that a call makes, but for the time and hashes of files."""
    planes: dict[str, Any] = {}
    for kind, made in result.success.items():
        if made:
            cards = header_of(f"{kind}.fits").cards
            left_out = ("HISTORY", "CHECKSUM", "DATASUM")
            planes[kind] = [plane.tobytes() for plane in read_planes(f"{kind}.fits")]
            planes[f"{kind} cards"] = [str(c) for c in cards if c.keyword not in left_out]
    return result.success, result.classes, planes


def is_compressed(name: str) -> bool:
    """Whether the planes of a file are compressed."""
    with fits.open(name, disable_image_compression=True) as hdus:
        return "ZIMAGE" in hdus[-1].header


def _place(shape: tuple[int, int]) -> tuple[Any, Any]:
    y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    return y, x
