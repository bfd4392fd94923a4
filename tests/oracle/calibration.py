"""Calibration of single frames, and the overscan level that goes into it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import autowisp_xr as aw
from autowisp_xr.headers.cards import parse_header, value_of
from autowisp_xr.overscan_fits import overscan_correction
from tests.oracle.case import Case
from tests.oracle.frames import one_frame


def overscan(case: Case) -> None:
    params, expected = case.params, case.json("expected.json")
    raw = case.arrays("input.npz")["raw"]
    names = ("reject_threshold", "max_reject_iterations", "min_pixels")
    options = {name: params[name] for name in names}
    method = aw.Overscan(**options)
    found = overscan_correction(raw, params["areas"], method)
    (level,) = found.levels
    scalars = {
        "value": found.correction,
        # the original's variance is that of a mean; ours, of a median, is larger
        "variance": found.mean_variance,
        "rejection_iterations": level.iterations,
        "num_pixels": level.pixels,
        "converged": level.converged,
    }
    assert set(scalars) == set(expected)
    for name, value in expected.items():
        case.compare(name, scalars[name], value)
    ratio = found.variance / found.mean_variance
    assert 1.55 < ratio < np.pi / 2

    camera = aw.Camera(overscan=params["areas"])
    ds = aw.subtract_overscan(one_frame(raw), method, camera=camera, dtype="float64")
    case.compare("image of the verb", ds["image"].values[0, 0], raw - expected["value"])
    variance = np.full(raw.shape, expected["variance"] * ratio)
    case.compare("variance of the verb", ds["variance"].values[0, 0], variance)


def calibrate(case: Case) -> None:
    params = case.params
    camera = _camera(params)
    raw = aw.open_fits(case.path / params["raw"], camera=camera, hdu=params["raw_hdu"])
    if params["gain"] is None:
        # the classes of the original read e/ADU from GAIN, which open_fits takes for a setting
        gain = value_of(parse_header(str(raw["header"].values[0])), "GAIN")
        camera = dataclasses.replace(camera, gain=float(gain))
    masters = {
        kind: aw.open_fits([case.path / file for file in files.values()], dtype="float64")
        for kind, files in params["masters"].items()
    }
    ds = aw.calibrate(
        raw,
        **masters,
        masks=_masks(case),
        overscan=aw.Overscan() if camera.overscan else False,
        camera=camera,
        photons="absolute",
        dtype="float64",
    )
    assert ds.sizes["frame"] == 1
    assert ds["channel"].values.tolist() == list(params["split_channels"])
    for channel in params["split_channels"]:
        plane = ds.isel(frame=0, channel=ds["channel"].values.tolist().index(channel))
        found = {
            "image": plane["image"].values,
            "error": np.sqrt(plane["variance"].values),
            "mask": plane["mask"].values,
        }
        if camera.overscan:
            # the verb knows that a median is noisier than the mean that the original takes it for
            expected = case.arrays(f"expected_{channel}.npz")["error"]
            assert (found["error"] > expected).all()
            found["error"] = expected
        case.compare_all(found, f"expected_{channel}.npz", where=f" of channel {channel}")


def _camera(params: Mapping[str, Any]) -> aw.Camera:
    overscans = params["overscans"]
    assert overscans["method"] in (None, "Median")
    active = overscans["method"] is not None and overscans["areas"] is not None
    return aw.Camera(
        channels={
            name: (slice(y[0], None, y[1]), slice(x[0], None, x[1]))
            for name, (y, x) in _by_axis(params["split_channels"]).items()
        },
        gain=params["gain"],
        read_noise=params["read_noise_electrons"],
        # a pixel at it is not saturated for the original
        saturation=np.nextafter(params["saturation_threshold"], np.inf),
        bias_level=params["bias_level_adu"],
        image_area=params["image_area"],
        overscan=overscans["areas"] if active else (),
        leak_directions=params["leak_directions"],
    )


def _by_axis(split: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Any, Any]]:
    return {name: (axes["y"], axes["x"]) for name, axes in split.items()}


def _masks(case: Case) -> list[Any]:
    """Separate masks, each over (channel, y, x)."""
    files = case.params["masks"]
    channels = case.params["split_channels"]

    def plane(file: str) -> xr.DataArray:
        return aw.open_fits(case.path / file)["mask"].isel(frame=0, channel=0)

    together = zip(*(files[name] for name in channels), strict=True) if files else ()
    return [np.stack([plane(file).values for file in row]) for row in together]
