"""Calibrate one raw frame by the verbs of the package, as the classes define it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Image
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.image_calibration.parameters import INPUTS
from autowisp_xr.image_calibration.raw_frame import RawFrame
from autowisp_xr.kinds import KINDS, MASTERS
from autowisp_xr.regions import ChannelSlice, Region
from autowisp_xr.stats.floats import as_floats
from autowisp_xr.steps.calibration import calibrated


def camera_of(params: Mapping[str, Any]) -> Camera:
    """Return the camera that parameters describe; those that are not given have their defaults."""
    return Camera(
        gain=params.get("gain", 1.0),
        read_noise=params.get("read_noise_electrons"),
        saturation=params.get("saturation_threshold"),
        bias_level=params.get("bias_level_adu", 0.0),
        image_area=params.get("image_area"),
        overscan=(params.get("overscans") or {}).get("areas") or (),
        leak_directions=params.get("leak_directions"),
    )


def measured_overscan(frame: RawFrame, params: Mapping[str, Any]) -> xr.Dataset | None:
    """Return level and variance by the overscan method, over (frame, y, x) or broadcast to these.

    The method sees the raw frame with the bias level subtracted, NaN where nothing was read.
    """
    overscans = params["overscans"]
    if overscans is None:
        return None
    # a copy in floats: methods of users subtract and square, and may write into it
    raw = frame.image.astype(np.float64) - params["bias_level_adu"]
    if frame.unread is not None:
        raw[frame.unread] = np.nan
    area: Region = params["image_area"]
    more = {name: value for name, value in overscans.items() if name not in ("areas", "method")}
    found = overscans["method"](
        raw_image=raw,
        overscans=overscans["areas"],
        image_area=asdict(area),
        gain=params["gain"],
        split_channels=params["split_channels"],
        **more,
    )
    method = f"the overscan method {_named(overscans['method'])}"
    planes = []
    for name in ("correction", "variance"):
        if not isinstance(found, Mapping) or name not in found:
            raise CalibrationError(
                f"{method} gave {found!r}, not a mapping of 'correction' and 'variance'"
            )
        try:
            planes.append(np.atleast_2d(as_floats(found[name])))
            np.broadcast_to(planes[-1], area.shape)
        except ValueError:
            raise ImageMismatchError(
                f"{method} gave a {name} of the shape {np.shape(found[name])}, the image area has "
                f"{area.shape}"
            ) from None
    level, variance = np.broadcast_arrays(*planes)
    if not ((np.isfinite(variance) & (variance >= 0)) | ~np.isfinite(level)).all():
        raise CalibrationError(f"{method} gave a variance that is negative or not finite")
    # with the dim frame: the level belongs to this frame, and is not shared with others
    dims = ("frame", "y", "x")
    return xr.Dataset({"image": (dims, level[None]), "variance": (dims, variance[None])})


def calibrate_frame(
    frame: RawFrame, params: Mapping[str, Any], overscan: xr.Dataset | None
) -> xr.Dataset:
    """Calibrate the image area of a frame, as one monochrome frame."""
    camera = camera_of(params)
    raw = _opened({"image": frame.image}, "adu", [frame.path])
    raw = raw.expand_dims(frame=[frame.path])
    masks = params["masks"]
    result = calibrated(
        raw,
        noise="required",
        masters={kind: _master(params, kind) for kind in MASTERS},
        masks=None if masks is None else masks["image"],
        overscan=False if overscan is None else overscan,
        camera=camera,
        photons="absolute",
        # FITS files do not hold it
        shared=False,
        above=True,
        dtype=params["dtype"],
    )
    chosen = {kind: params[kind] for kind in INPUTS if params[kind]}
    how = params["overscans"] and {
        **params["overscans"],
        "method": _named(params["overscans"]["method"]),
    }
    options = {"overscan": how, **{kind: one["filenames"] for kind, one in chosen.items()}}
    files = [entry for one in chosen.values() for entry in one["files"]]
    return provenance.record(result, "Calibrator", options, files=files)


def _master(params: Mapping[str, Any], kind: str) -> xr.Dataset | None:
    """Return an assembled master as a verb takes it; None where there is none."""
    master = params[kind]
    if master is None:
        return None
    names = {"image": "correction", "variance": "variance", "mask": "mask"}
    planes = {name: master[key] for name, key in names.items()}
    return _opened(planes, KINDS[kind].master_unit, master["files"], params["image_area"])


def _opened(
    planes: Mapping[str, Image],
    units: str,
    files: Sequence[str | dict[str, Any]],
    area: Region | None = None,
) -> xr.Dataset:
    """Return planes as a verb takes them, (channel, y, x), in an area of the raw frame.

    Their history is their files alone. The classes add the variance of every master in full, as the
    original does; the verbs would take out what a dark shares with the bias that it was made with.
    """
    height, width = planes["image"].shape
    y, x = (0, 0) if area is None else (area.ymin, area.xmin)
    coords = schema.place({schema.MONO: ChannelSlice()}, height, width, y, x)
    ds = xr.Dataset({n: (schema.DIMS[1:], plane[None]) for n, plane in planes.items()}, coords)
    ds = schema.with_attributes(ds, units)
    return provenance.record(ds, "open_planes", source=xr.Dataset(), files=files)


def _named(method: object) -> str:
    """Return the name of an overscan method, without the address of an object."""
    if hasattr(method, "__qualname__"):
        return str(method.__qualname__)
    plain = repr(method) == object.__repr__(method)
    return type(method).__qualname__ if plain else repr(method)
