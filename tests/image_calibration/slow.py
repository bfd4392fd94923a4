"""The calibration of the classes as formulas in the order of the documentation, one line each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.image_calibration.files import Planes


def inherited(mask: Any) -> Any:
    """What a frame inherits of a master's mask: saturation becomes a fault."""
    saturated = (mask & 48) != 0
    return ((mask & ~np.uint8(48)) | np.where(saturated, 1, 0)).astype(np.uint8)


def calibrated(
    raw: Any,
    *,
    gain: float = 1.0,
    read_noise: float = 0.0,
    threshold: float = np.inf,
    bias_level: float = 0.0,
    area: Mapping[str, int] | None = None,
    leaks: Sequence[tuple[int, int]] = (),
    overscan: tuple[Any, Any] = (0.0, 0.0),
    bias: Planes | None = None,
    dark: Planes | None = None,
    flat: Planes | None = None,
    masks: Sequence[Any] = (),
) -> Planes:
    """Image, error and mask of a frame whose masters have the shape of the area."""
    image = np.array(raw, np.float64)
    if area is not None:
        image = image[area["ymin"] : area["ymax"], area["xmin"] : area["xmax"]]
    image = image - bias_level
    variance = np.zeros(image.shape)
    mask = np.zeros(image.shape, np.uint8)
    height, width = image.shape
    for y, x in np.argwhere(image > threshold):
        mask[y, x] |= 16
        for dx, dy in leaks:
            if 0 <= y + dy < height and 0 <= x + dx < width:
                mask[y + dy, x + dx] |= 32
    image = image - overscan[0]
    variance = variance + overscan[1]
    if bias is not None:
        image = image - bias.image
        variance = variance + bias.error**2
        mask |= inherited(bias.mask)
    variance = variance + np.abs(image) / gain + (read_noise / gain) ** 2
    if dark is not None:
        image = image - dark.image
        variance = variance + dark.error**2
        mask |= inherited(dark.mask)
    if flat is not None:
        positive = np.where(flat.image > 0, flat.image, np.nan)
        variance = variance / positive**2 + flat.error**2 * image**2 / positive**4
        image = image / positive
        mask |= inherited(flat.mask)
    for separate in masks:
        mask |= separate
    faulty = ~np.isfinite(image)
    mask[faulty] |= 1
    return Planes(
        np.where(faulty, np.nan, image), np.where(faulty, np.nan, np.sqrt(variance)), mask
    )


def assert_planes_equal(found: Planes, expected: Planes, rtol: float = 1e-13) -> None:
    """Masks alike; numbers alike up to the order of additions."""
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.mask.dtype == np.uint8
    for ours, theirs in zip(found[:2], expected[:2], strict=True):
        assert ours.shape == theirs.shape
        scale = np.nanmax(np.abs(theirs)) if np.isfinite(theirs).any() else 1.0
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale)
