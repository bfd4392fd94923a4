"""Small sets that hold every trouble: 3 frames, 2 channels, 5 rows, 7 columns, NaN and flags."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, Flag
from tests.steps.frames import TWO_CHANNELS, frame_set, master

__all__ = ["camera", "frames", "masters", "raw", "rng"]

SHAPE = (3, 2, 5, 7)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def camera():
    return Camera(
        channels=TWO_CHANNELS,
        gain={"A": 2.0, "B": 1.25},
        read_noise={"A": 6.0, "B": 4.0},
        saturation=900.0,
        bias_level=30.0,
        image_area={"xmin": 2, "xmax": 12, "ymin": 1, "ymax": 5},
        overscan={"xmin": 0, "xmax": 2, "ymin": 0, "ymax": 5},
        leak_directions=[(1, 0), (0, -1)],
    )


@pytest.fixture
def raw(camera, rng):
    """Raw uint16 frames, lit beside their overscan, three of whose pixels are saturated."""
    image = rng.integers(400, 900, SHAPE).astype(np.uint16)
    image[..., 0] -= 300
    image[0, 0, 2, 3] = image[1, 1, 4, 6] = image[2, 0, 1, 2] = 1000
    return frame_set(image, camera=camera, exposure=[60.0, 30.0, 90.0])


@pytest.fixture
def frames(camera, rng):
    """Frames with variance and mask; a pixel is NaN in one frame, another is bad in all."""
    image = rng.normal(500, 20, SHAPE).astype(np.float32)
    mask = np.zeros(SHAPE, np.uint8)
    mask[0, 1, 2, 2] = Flag.HOT
    mask[2, 0, 3, 1] = Flag.LEAKED
    mask[:, 1, 4, 5] = [Flag.OUTER, Flag.COSMIC, Flag.OVERSATURATED]
    image[1, 0, 0, 3], mask[1, 0, 0, 3] = np.nan, Flag.FAULT
    variance = np.where(np.isnan(image), np.nan, rng.uniform(300, 500, SHAPE)).astype(np.float32)
    return frame_set(
        image, camera=camera, variance=variance, mask=mask, exposure=[60.0, 30.0, 90.0]
    )


@pytest.fixture
def masters(camera, rng):
    """Bias, dark (made with that bias, states its history) and flat, each with a bad pixel."""
    shape = SHAPE[1:]
    camera = Camera(channels=camera.channels)
    mask = np.zeros(shape, np.uint8)
    mask[0, 1, 1] = Flag.HOT
    saturated = np.zeros(shape, np.uint8)
    saturated[1, 3, 4] = Flag.OVERSATURATED
    bias_image, bias_variance = rng.normal(50, 3, shape), rng.uniform(1, 2, shape)
    bias = master(bias_image.astype("f4"), bias_variance.astype("f4"), mask, camera=camera)
    darks = frame_set(
        rng.normal(20, 2, (4, *shape)).astype("f4"),
        camera=camera,
        variance=rng.uniform(4, 8, (4, *shape)).astype("f4"),
        mask=np.broadcast_to(saturated, (4, *shape)),
        kind="dark",
    )
    dark = aw.stack(aw.subtract_bias(darks, bias), "mean", exclude="FAULT")
    flat_image = rng.normal(1, 0.05, shape).astype("f4")
    flat_image[0, 2, 5], flat_image[1, 2, 5] = 0.0, np.nan
    flat = master(flat_image, np.full(shape, 1e-4, "f4"), 0 * mask, camera=camera, units="1")
    return {"bias": bias, "dark": dark, "flat": flat}
