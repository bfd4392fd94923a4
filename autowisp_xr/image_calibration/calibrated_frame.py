"""One raw frame through the verbs of the package, as the classes define them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.image_calibration.loaded_masters import as_dataset
from autowisp_xr.image_calibration.raw_frame import RawFrame
from autowisp_xr.kinds import MASTERS
from autowisp_xr.regions import ChannelSlice, Region
from autowisp_xr.stats.floats import as_floats
from autowisp_xr.steps.calibration import calibrated

__all__ = ["calibrate_frame", "measured_overscan"]


def measured_overscan(frame: RawFrame, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Correction and variance of the overscan method, (y, x), of the image area or of size one.

    The method sees the raw frame with the bias level subtracted, NaN where nothing was read.
    """
    overscans = params["overscans"]
    if overscans is None:
        return None
    # floats, and of its own: methods of users subtract and square, and may write into it
    raw = frame.image.astype(np.float64) - params["bias_level_adu"]
    if frame.unread is not None:
        raw[frame.unread] = np.nan
    area: Region = params["image_area"]
    more = {name: value for name, value in overscans.items() if name not in ("areas", "method")}
    found = overscans["method"](
        raw_image=raw,
        overscans=overscans["areas"],
        image_area={name: getattr(area, name) for name in ("xmin", "xmax", "ymin", "ymax")},
        gain=params["gain"],
        split_channels=params["split_channels"],
        **more,
    )
    shape = (area.ymax - area.ymin, area.xmax - area.xmin)
    method = f"the overscan method {_named(overscans['method'])}"
    planes = {}
    for name in ("correction", "variance"):
        if not isinstance(found, Mapping) or name not in found:
            raise CalibrationError(
                f"{method} gave {found!r}, not a mapping of 'correction' and 'variance'"
            )
        try:
            planes[name] = np.atleast_2d(as_floats(found[name]))
            np.broadcast_to(planes[name], shape)
        except ValueError:
            raise ImageMismatchError(
                f"{method} gave a {name} of the shape {np.shape(found[name])}, the image area has "
                f"{shape}"
            ) from None
    unknown = ~np.isfinite(planes["correction"])
    sound = np.isfinite(planes["variance"]) & (planes["variance"] >= 0)
    if not (sound | unknown).all():
        raise CalibrationError(f"{method} gave a variance that is negative or not finite")
    return planes


def calibrate_frame(
    frame: RawFrame, params: Mapping[str, Any], overscan: Mapping[str, Any] | None
) -> xr.Dataset:
    """The calibrated image area as one monochrome frame, in float64."""
    area: Region = params["image_area"]
    camera = Camera(
        gain=params["gain"],
        read_noise=params["read_noise_electrons"],
        saturation=params["saturation_threshold"],
        bias_level=params["bias_level_adu"],
        image_area=area,
        leak_directions=params["leak_directions"],
    )
    coords = schema.place({schema.MONO: ChannelSlice()}, *frame.image.shape)
    raw = xr.Dataset({"image": (schema.DIMS, frame.image[None, None])}, coords)
    raw = schema.with_attributes(raw.assign_coords(frame=[frame.path]), "adu")
    raw = provenance.record(raw, "open_planes", source=xr.Dataset(), files=[frame.path])
    bias, dark, flat = (
        None if params[kind] is None else as_dataset(params[kind], kind, area.ymin, area.xmin)
        for kind in MASTERS
    )
    level: Any = False
    if overscan is not None:
        # the frame's own, not shared with others; what is of size one does not vary
        correction, variance = np.broadcast_arrays(overscan["correction"], overscan["variance"])
        dims = ("frame", "y", "x")
        level = xr.Dataset(
            {"image": (dims, correction[None]), "variance": (dims, variance[None])},
            {
                dim: first + np.arange(size)
                for dim, first, size in zip(
                    "yx", (area.ymin, area.xmin), correction.shape, strict=True
                )
                if size > 1
            },
        )
    result = calibrated(
        raw,
        noise="required",
        bias=bias,
        dark=dark,
        flat=flat,
        masks=None if params["masks"] is None else params["masks"]["image"],
        overscan=level,
        camera=camera,
        photons="absolute",
        # a file has no place for it
        shared=False,
        above=True,
        dtype="float64",
    )
    chosen = {kind: params[kind]["filenames"] for kind in (*MASTERS, "masks") if params[kind]}
    files = [file for kind in chosen for file in params[kind]["files"]]
    overscans = params["overscans"]
    how = overscans and {**overscans, "method": _named(overscans["method"])}
    options = {"overscan": how, **chosen}
    return provenance.record(result, "Calibrator", options, files=files)


def _named(method: Any) -> str:
    """What an overscan method is called, without the address of an object."""
    if hasattr(method, "__qualname__"):
        return str(method.__qualname__)
    plain = repr(method) == object.__repr__(method)
    return type(method).__qualname__ if plain else repr(method)
