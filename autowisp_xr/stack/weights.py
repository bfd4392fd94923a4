"""The weights of frames in a mean: by its exposure, its noise, or as the user chooses.

Decision: ``"variance"`` weighs whole frames and channels, not pixels. The variance of a pixel comes
from its own noisy value, small where that happens to be low, and weights made of it pull every mean
down (by 1 ADU at unit gain, however many frames there are). The median over a regular grid of
pixels does not know of any one of them.
"""

import hashlib
from functools import partial
from typing import Any

import bottleneck
import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Cube, Floats, Integers
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.kernels.clip import MAD_TO_SIGMA, MEAN
from autowisp_xr.options import Weights
from autowisp_xr.stack.levels import FrameLines, of_frames, on_grid

_NEIGHBOURS = 2
_DIMS = (("frame",), ("frame", "channel"), schema.DIMS)


def pixel_shares(weights: xr.Variable | None) -> Floats | None:
    """Return the shares of frames in an average, (frame, pixel of any weight), or as few as differ.

    None without weights, NaN where they are still to be computed.
    """
    if weights is None:
        return None
    number = weights.sizes["frame"]
    if not blocks.in_memory(weights):
        return np.full((number, 1), np.nan)
    of_pixels = weights.values.reshape(number, -1)
    total = of_pixels.sum(axis=0)
    return of_pixels[:, total > 0] / total[total > 0]


def weights_of(
    ds: xr.Dataset,
    weights: Weights,
    quantile: float,
    exclude: int,
    lines: FrameLines | None = None,
) -> xr.Variable | None:
    """Return weights over (frame), (frame, channel) or (frame, channel, y, x); None for none.

    Those of noise are of the frames as ``lines`` scale them.

    Raises
    ------
    ValueError
        For weights of anything but a mean, of another shape, or of impossible values.
    ImageMismatchError
        Where exposures or variances are not known, or labels are not those of the frames.
    """
    if weights is None:
        return None
    if quantile != MEAN:
        raise ValueError("only a mean has weights: choose average='mean', or weights=None")
    if not isinstance(weights, str):
        return _given(ds, weights)
    if weights == "exposure":
        return _exposures(ds)
    if weights in ("variance", "noise"):
        measured = weights == "noise" and "variance" not in ds
        found = _of_noise(ds, exclude) if measured else _inverse_variances(ds, exclude)
        return found if lines is None else found / lines.scale**2
    raise ValueError(
        f"weights are None, 'exposure', 'variance', 'noise' or an array, not {weights!r}"
    )


def echoed(weights: Weights, found: xr.Variable | None) -> Any:
    """Return weights for the history: their name, or the shape and a digest of an array."""
    if found is None or isinstance(weights, str):
        return weights
    values = found.data
    if blocks.in_memory(found):
        digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]
    else:
        digest = str(values.name)
    return {"dims": list(map(str, found.dims)), "shape": list(found.shape), "digest": digest}


def _exposures(ds: xr.Dataset) -> xr.Variable:
    if "exposure" not in ds.coords or ds["exposure"].dims not in ((), ("frame",)):
        raise ImageMismatchError("the frames have no coordinate 'exposure' to weigh them by")
    exposures = schema.along_frames(ds, "exposure").astype(np.float64)
    unknown = np.flatnonzero(~(np.isfinite(exposures) & (exposures > 0)))
    if unknown.size:
        first = unknown[0]
        raise ImageMismatchError(
            f"{schema.names(ds, 'frame')[first]} has the exposure {exposures[first]:g} s, so it "
            "cannot be weighed by it; leave it out, or give weights as an array"
        )
    return xr.Variable(("frame",), exposures)


def _given(ds: xr.Dataset, weights: Any) -> xr.Variable:
    if isinstance(weights, xr.DataArray):
        _check_labels(ds, weights)
        known = [dim for dim in schema.DIMS if dim in weights.dims]
        weights = weights.transpose(*known, ...).variable
    else:
        values = weights if hasattr(weights, "dask") else np.asarray(weights, np.float64)
        dims = next((dims for dims in _DIMS if len(dims) == values.ndim), ())
        weights = xr.Variable(dims or [f"dim_{i}" for i in range(values.ndim)], values)
    shapes = [tuple(ds.sizes[dim] for dim in dims) for dims in _DIMS]
    if weights.dims not in _DIMS or weights.shape not in shapes:
        raise ValueError(
            f"weights have the dims {weights.dims} and the shape {weights.shape}; expected "
            f"(frame), (frame, channel) or (frame, channel, y, x) of the frames: {shapes}"
        )
    names = tuple(schema.names(ds, "frame"))
    if weights.ndim < len(schema.DIMS):
        weights = weights.compute()
    if blocks.in_memory(weights):
        values = np.asarray(weights.values, np.float64)
        if not values.any():
            raise ValueError("all weights are 0")
        return xr.Variable(weights.dims, _checked(values, names=names))
    weights = blocks.stackwise(weights)
    data = weights.data.map_blocks(partial(_checked, names=names), dtype=np.float64)
    return xr.Variable(weights.dims, data)


def _checked(values: Floats, names: tuple[str, ...]) -> Any:
    """Return the weights; raise ValueError that names the first frame with an impossible one."""
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(
            f"a weight of {names[place[0]]} is {values[place]:g}; weights are finite and not "
            "negative (0 for what shall not count)"
        )
    return np.asarray(values, np.float64)


def _check_labels(ds: xr.Dataset, weights: xr.DataArray) -> None:
    for dim in weights.dims:
        if dim not in weights.coords or dim not in ds.coords:
            continue
        theirs, ours = weights[dim].values.tolist(), ds[dim].values.tolist()
        if dim in ("frame", "channel"):
            theirs, ours = list(map(str, theirs)), list(map(str, ours))
        if theirs != ours:
            raise ImageMismatchError(
                f"the weights are for other labels along {dim!r}: {theirs[:3]}..., the frames have "
                f"{ours[:3]}...; select or order them alike"
            )


def _inverse_variances(ds: xr.Dataset, exclude: int) -> xr.Variable:
    """Return one over the median of a frame's own variances, for each frame and channel."""
    if "variance" not in ds:
        raise ImageMismatchError(
            "weights='variance' needs the variance of the frames, which these do not have; "
            "calibrate them, choose weights='noise', which is measured then, or give an array"
        )
    planes = on_grid(ds, ("variance", "image", "mask", *schema.SHARED))
    return of_frames(ds, _inverse_medians, planes, exclude=exclude)


def _of_noise(ds: xr.Dataset, exclude: int) -> xr.Variable:
    """Return one over the square of the noise that neighbours in a frame show, (frame, channel)."""
    if ds.sizes["x"] < _NEIGHBOURS:
        raise ImageMismatchError(
            "frames of one column have no neighbours that would show their noise; give weights as "
            "an array"
        )
    left, right = (on_grid(ds.isel(x=half)) for half in (slice(None, -1), slice(1, None)))
    return of_frames(ds, _inverse_spreads, [*left, *right], exclude=exclude)


def _inverse_spreads(
    numbers: Integers,
    image: Cube,
    mask: Bits | None,
    other: Cube,
    other_mask: Bits | None,
    *,
    exclude: int,
    names: tuple[str, ...],
) -> list[Floats]:
    """(frame, channel), of the median difference of neighbours; 0 where all are left out."""
    apart = image.astype(np.float64) - other
    for flags in (mask, other_mask):
        if flags is not None:
            apart[flags & np.uint8(exclude) != 0] = np.nan
    apart[~np.isfinite(apart)] = np.nan
    spread = bottleneck.nanmedian(np.abs(apart).reshape(*apart.shape[:2], -1), axis=2)
    for frame in numbers[(spread <= 0).any(axis=1)]:
        raise ImageMismatchError(
            f"half the pixels of {names[frame]} are equal to their neighbours, so its noise cannot "
            "be measured; give weights as an array"
        )
    variance = (MAD_TO_SIGMA * spread) ** 2 / 2
    return [np.where(np.isnan(variance), 0.0, 1 / variance)]


def _inverse_medians(
    numbers: Integers,
    variance: Floats,
    image: Cube,
    mask: Bits | None,
    shared: Floats | None,
    relative: Floats | None,
    *,
    exclude: int,
    names: tuple[str, ...],
) -> list[Floats]:
    """(frame, channel); 0 where all pixels that were looked at are left out."""
    own = variance.astype(np.float64)
    if shared is not None:
        own -= shared
    if relative is not None:
        own -= image.astype(np.float64) ** 2 * relative
    own[~np.isfinite(own + image)] = np.nan
    if mask is not None:
        own[mask & exclude != 0] = np.nan
    medians = bottleneck.nanmedian(own.reshape(*own.shape[:2], -1), axis=2)
    for frame in numbers[(medians <= 0).any(axis=1)]:
        raise ImageMismatchError(
            f"half the pixels of {names[frame]} have no variance but what all frames share, so no "
            "weight can be made of it; give weights as an array"
        )
    return [np.where(np.isnan(medians), 0.0, 1 / medians)]
