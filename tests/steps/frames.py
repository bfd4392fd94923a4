"""Frame sets and masters of given numbers; nothing of ``autowisp_xr.simulate`` is in them."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import Camera, schema
from autowisp_xr.regions import ChannelSlice

__all__ = ["TWO_CHANNELS", "frame_set", "master", "text"]

TWO_CHANNELS = {
    "A": (slice(0, None), slice(0, None, 2)),
    "B": (slice(0, None), slice(1, None, 2)),
}
"""Columns of two colours, side by side: planes of 5 x 7 in raw frames of 5 x 14."""


def text(*values: str) -> Any:
    return np.array(values, dtype=np.dtypes.StringDType())


def frame_set(
    image: Any,
    *,
    camera: Camera | None = None,
    kind: str = "object",
    exposure: Any = 60.0,
    filter: str = "V",
    units: str = "adu",
    corner: tuple[int, int] = (0, 0),
    **planes: Any,
) -> xr.Dataset:
    """A frame set of an image; with fewer than four axes, the first ones are of size one."""
    image = np.asarray(image)
    image = image.reshape((1,) * (4 - image.ndim) + image.shape)
    number = len(image)
    camera = camera or Camera()
    ds = xr.Dataset(
        {"image": (schema.DIMS, image)},
        {
            **_place(camera, image.shape, corner),
            "frame": ("frame", text(*(f"{kind}-{i}" for i in range(number)))),
            "image_type": ("frame", text(*[kind] * number)),
            "exposure": ("frame", np.broadcast_to(np.float64(exposure), (number,)).copy()),
            "filter": ("frame", text(*[filter] * number)),
        },
        {"camera": camera.to_json()},
    )
    return _with_planes(ds, planes, units)


def master(
    image: Any,
    variance: Any = None,
    mask: Any = None,
    *,
    camera: Camera | None = None,
    exposure: float = 60.0,
    filter: str = "V",
    units: str = "adu",
    corner: tuple[int, int] = (0, 0),
) -> xr.Dataset:
    """A master of an image; with fewer than three axes, the first ones are of size one."""
    image = np.asarray(image)
    image = image.reshape((1,) * (3 - image.ndim) + image.shape)
    camera = camera or Camera()
    ds = xr.Dataset(
        {"image": (schema.DIMS[1:], image)},
        {
            **_place(camera, image.shape, corner),
            "exposure": exposure,
            "filter": ((), np.array(filter, dtype=np.dtypes.StringDType())),
        },
        {"camera": camera.to_json()},
    )
    planes = {"variance": variance, "mask": mask}
    return _with_planes(ds, {k: v for k, v in planes.items() if v is not None}, units)


def _place(camera: Camera, shape: tuple[int, ...], corner: tuple[int, int]) -> dict[str, Any]:
    channels = camera.channels or {}
    if len(channels) != shape[-3]:
        channels = {schema.MONO: ChannelSlice()}  # a mosaic that was not split
    return schema.place(channels, shape[-2], shape[-1], *corner)


def _with_planes(ds: xr.Dataset, planes: dict[str, Any], units: str) -> xr.Dataset:
    image = ds["image"]
    for name, given in planes.items():
        plane = np.asarray(given, dtype=np.uint8 if name == "mask" else None)
        of_all_frames = name.startswith("shared") and plane.ndim < 4
        dims = schema.DIMS[1:] if of_all_frames else image.dims
        shape = tuple(image.sizes[dim] for dim in dims)
        ds[name] = dims, np.broadcast_to(plane, shape).copy()
    return schema.with_attributes(ds, units)
