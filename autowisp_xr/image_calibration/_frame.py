"""One raw frame through the verbs of the package, as the classes define them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.image_calibration._masters import KINDS, as_dataset
from autowisp_xr.image_calibration._raw import RawFrame
from autowisp_xr.regions import ChannelSlice, Region
from autowisp_xr.transforms.calibration import calibrate

__all__ = ["calibrate_frame", "overscan_correction"]


def overscan_correction(frame: RawFrame, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Correction and variance, each (y, x) over the image area, of the overscan method.

    The method sees the raw frame with the bias level subtracted, NaN where nothing was read.
    """
    overscans = params["overscans"]
    if overscans is None:
        return None
    # of its own, so that a method may write into it
    raw = frame.image.copy()
    if params["bias_level_adu"]:
        raw = raw - np.float64(params["bias_level_adu"])
    if frame.unread is not None:
        raw = np.where(frame.unread, np.nan, raw)
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
    planes = {}
    for name in ("correction", "variance"):
        try:
            planes[name] = np.broadcast_to(np.asarray(found[name], np.float64), shape)
        except KeyError:
            raise CalibrationError(
                f"the overscan method {overscans['method']!r} gave no {name!r}, but {list(found)}"
            ) from None
        except ValueError:
            raise ImageMismatchError(
                f"the overscan method {overscans['method']!r} gave a {name} of the shape "
                f"{np.shape(found[name])}, the image area has {shape}"
            ) from None
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
        for kind in KINDS
    )
    level: Any = False
    if overscan is not None:
        level = xr.Dataset(
            {
                "image": (("y", "x"), overscan["correction"]),
                "variance": (("y", "x"), overscan["variance"]),
            },
            {"y": np.arange(area.ymin, area.ymax), "x": np.arange(area.xmin, area.xmax)},
        )
    calibrated = calibrate(
        raw,
        bias=bias,
        dark=dark,
        flat=flat,
        masks=None if params["masks"] is None else params["masks"]["image"],
        overscan=level,
        camera=camera,
        photons="absolute",
        dtype="float64",
    )
    chosen = {kind: params[kind]["filenames"] for kind in (*KINDS, "masks") if params[kind]}
    files = [file for names in chosen.values() for file in _flat(names.values())]
    options = {"overscan": repr(params["overscans"]), **chosen}
    return provenance.record(calibrated, "Calibrator", options, files=files)


def _flat(names: Iterable[str | list[str]]) -> Iterator[str]:
    for name in names:
        yield from [name] if isinstance(name, str) else name
