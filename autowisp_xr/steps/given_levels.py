"""A correction for overscan that was measured by other means, in the place of the frames."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import CalibrationError, MasterMismatchError

_PLANE = schema.DIMS[1:]


def given_levels(
    ds: xr.Dataset, correction: xr.Dataset
) -> tuple[dict[str, xr.Variable], xr.Variable | None]:
    """Operands of the step that subtracts a correction, and the variance that all frames share.

    Parameters
    ----------
    ds
        Frames that it is to be subtracted from.
    correction
        ``image`` and ``variance`` over some of (frame, channel, y, x). An axis that is not there,
        or of size one, does not vary; the others must be those of the frames.

    Raises
    ------
    CalibrationError
        For a Dataset without both, or over other axes.
    MasterMismatchError
        Where units, frames, channels or place differ from those of the frames, with both.
    """
    missing = [name for name in ("image", "variance") if name not in correction]
    if missing:
        raise CalibrationError(
            f"an overscan correction has an image and a variance; {' and '.join(missing)} is "
            f"missing among {sorted(map(str, correction.data_vars))}"
        )
    expected = ds["image"].attrs.get("units", "adu")
    units = correction["image"].attrs.get("units", expected)
    if units != expected:
        raise MasterMismatchError(
            f"the overscan correction is in units of {units!r}, {expected!r} was expected"
        )
    correction = blocks.load_coordinates(correction)
    image, variance = (_placed(ds, correction, name) for name in ("image", "variance"))
    if "frame" in image.dims or "frame" in variance.dims:
        return {"plane": image, "plane_variance": variance}, None
    varying = variance.squeeze([dim for dim in _PLANE if variance.sizes[dim] == 1])
    full = varying.set_dims({dim: ds.sizes[dim] for dim in _PLANE})
    return {"plane": image}, blocks.pixelwise(full.transpose(*_PLANE))


def _placed(ds: xr.Dataset, correction: xr.Dataset, name: str) -> xr.Variable:
    """A plane with all of (channel, y, x), and frame where it varies with it."""
    plane = correction[name]
    strange = [str(dim) for dim in plane.dims if dim not in schema.DIMS]
    if strange:
        raise CalibrationError(
            f"the {name} of the overscan correction is over {', '.join(map(str, plane.dims))}; it "
            "can vary along frame, channel, y and x"
        )
    for dim in schema.DIMS:
        if dim not in plane.dims:
            continue
        named = dim in ("frame", "channel") and dim in plane.coords
        if plane.sizes[dim] == 1 and not named and (ds.sizes[dim] > 1 or dim in ("y", "x")):
            plane = plane.isel({dim: 0}, drop=True)
        elif dim in ("frame", "channel"):
            plane = _in_order(ds, plane, dim)
        else:
            _check_place(ds, plane, dim)
    variable = plane.variable
    absent = {dim: 1 for dim in _PLANE if dim not in variable.dims}
    variable = variable.set_dims({**absent, **dict(variable.sizes)})
    return blocks.pixelwise(variable.transpose(*(d for d in schema.DIMS if d in variable.dims)))


def _in_order(ds: xr.Dataset, plane: xr.DataArray, dim: str) -> xr.DataArray:
    """The plane with the frames or channels of the frames, by name, in their order."""
    wanted = schema.names(ds, dim)
    if dim not in plane.coords:
        if plane.sizes[dim] == len(wanted):
            return plane
        available = [f"{plane.sizes[dim]} without names"]
    else:
        available = [str(given) for given in plane[dim].values.tolist()]
        if set(wanted) <= set(available):
            return plane.isel({dim: [available.index(one) for one in wanted]})
    raise MasterMismatchError(
        f"the overscan correction has the {dim}s {available}, the frames have {wanted}"
    )


def _check_place(ds: xr.Dataset, plane: xr.DataArray, dim: str) -> None:
    own: Any = plane[dim].values if dim in plane.coords else None
    frames: Any = ds[dim].values if dim in ds.coords else None
    unknown = own is None or frames is None
    same_size = plane.sizes[dim] == ds.sizes[dim]
    if same_size and (unknown or np.array_equal(own, frames)):
        return
    extent = "" if own is None else f" (raw pixels {own[0]} to {own[-1]})"
    raise MasterMismatchError(
        f"the overscan correction covers {plane.sizes[dim]} along {dim!r}{extent}, the frames "
        f"cover {ds.sizes[dim]} (raw pixels {ds[dim].values[0]} to {ds[dim].values[-1]}); "
        "select the same area in both"
    )
