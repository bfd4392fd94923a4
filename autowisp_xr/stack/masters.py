"""Master frames: ``master_bias`` and ``master_dark``, without light, and ``master_fringe``."""

import warnings
from collections.abc import Collection
from typing import Any

import bottleneck
import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats, Numbers
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.options import NoiseWanted, OverscanChoice, Photons
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stack.averaging import stacked
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.scaling import scaled
from autowisp_xr.stats.digits import counted, floor_of
from autowisp_xr.stats.sampling import good_only
from autowisp_xr.steps.calibration import calibrated
from autowisp_xr.steps.master_matching import check_alike, check_type, with_type

ROBUST = SigmaClip(5, scale="mad", about="median", floor="noise")
"""What masters reject by default."""

_MANY = 10

_REACH = 2.0
"""A hot pixel that saturates in some frames is about as bright in the others; the light of a cosmic
ray, which saturates in one, is not what makes the others low."""

_STARS = SigmaClip(4, scale="mad", about="median", floor="noise")
"""What is no sky: stars, which lie elsewhere in each frame of a field that was dithered."""

FEWEST_OF_FRINGE = 3
"""Frames, of which the median of two that have no star is left where one has."""


def master_bias(
    ds: xr.Dataset,
    *,
    overscan: OverscanChoice = None,
    camera: Camera | None = None,
    noise: NoiseWanted = "required",
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
    memory_limit: MemoryLimit = None,
    **stack_options: Any,
) -> xr.Dataset:
    """Make the master bias of bias frames.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x), which are trimmed, their bias level and overscan
        subtracted; or calibrated ones, which are taken as they are.
    overscan, camera
        As for :func:`~autowisp_xr.calibrate`.
    noise
        "required": a value whose error nobody knows is flagged FAULT. "if known": not where no
        value has one, because neither the camera nor the scatter of several frames gives it.
    allow_mismatch
        Traits in which frames may differ, such as "temperature" or "gain_setting".
    dtype
        Type of ``image`` and ``variance``.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`.
    stack_options
        As for :func:`~autowisp_xr.stack`. By default a mean, with ``SigmaClip(5, scale="mad",
        about="median", floor="noise")``: the median of whole numbers is a whole or half number,
        and noisier than their mean. Another ``average`` keeps that rejection from 10 frames on.

    Returns
    -------
    Master (channel, y, x) in ADU, lazy where ``ds`` is. Its variance comes from the read noise,
    where the camera knows it, else from the scatter of the frames.

    Raises
    ------
    ImageMismatchError
        For frames of several types, gain settings, offsets, temperatures, ...

    Warns
    -----
    AutowispWarning
        Where many pixels of frames in memory are cut off at their lowest value; lazy ones are not
        read for that.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> bias = aw.master_bias(night.bias(5))
    >>> bias.image.dims, int(bias["count"].max())
    (('channel', 'y', 'x'), 5)
    """
    options = {"dtype": dtype, "allow_mismatch": allow_mismatch, "noise": noise, **stack_options}
    with limited(memory_limit):
        return _master(ds, "bias", None, overscan, camera, options)


def master_dark(
    ds: xr.Dataset,
    *,
    bias: xr.Dataset | None = None,
    overscan: OverscanChoice = None,
    camera: Camera | None = None,
    noise: NoiseWanted = "required",
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
    memory_limit: MemoryLimit = None,
    **stack_options: Any,
) -> xr.Dataset:
    """Make the master dark of dark frames of one exposure.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x), which are trimmed, their bias level, overscan and bias
        subtracted; or calibrated ones, which are taken as they are.
    bias
        Master bias. Only a dark without bias can be scaled to other exposures.
    overscan, camera, noise, allow_mismatch, dtype, memory_limit, stack_options
        As for :func:`master_bias`; what may differ goes for frames and bias, too.

    Returns
    -------
    Master (channel, y, x) in ADU, lazy where ``ds`` is. Its variance comes from photon (dark
    current) and read noise where the camera knows them and a bias was subtracted, else from the
    scatter; the noise of the bias is recorded in ``shared_variance``.

    Raises
    ------
    ImageMismatchError
        For frames of several types, exposures, gain settings, temperatures, ...
    MasterMismatchError
        Where the bias does not belong to the frames.

    Warns
    -----
    AutowispWarning
        As :func:`master_bias` does.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> bias = aw.master_bias(night.bias(5))
    >>> dark = aw.master_dark(night.dark(5), bias=bias)
    >>> abs(float(dark.image.median()) * night.camera.gain / 60 - night.dark_current) < 0.1
    True
    """
    options = {"dtype": dtype, "allow_mismatch": allow_mismatch, "noise": noise, **stack_options}
    with limited(memory_limit):
        return _master(ds, "dark", bias, overscan, camera, options)


def _warn_of_floor(ds: xr.Dataset, kind: str) -> None:
    """Warn of frames in memory whose values are cut off, so that their level is too high."""
    image = ds["image"].variable
    if not (schema.is_raw(ds) and blocks.in_memory(image)):
        return
    found = filter(None, (counted(plane) for frame in image.values for plane in frame))
    seen = (floor_of(counts, noise_alone=kind == "bias") for counts in found)
    floors = [floor for floor in seen if floor]
    if floors:
        worst = max(floors, key=lambda floor: floor.share)
        warnings.warn(
            f"pixels of the {kind} frames are cut off at {worst.value:g} ADU (up to "
            f"{100 * worst.share:.3g} % of them), so that their level is too high; raise the "
            "offset of the camera",
            AutowispWarning,
            stacklevel=4,
        )


def with_defaults(frames: xr.Dataset, options: dict[str, Any], *, few: str) -> StackOptions:
    """Return options with the defaults of masters; of few frames the average named ``few``.

    The floor of the noise lets few frames reject what is far off, and nothing else. A median of few
    frames needs no rejection, and cannot spare any value.
    """
    many = frames.sizes["frame"] >= _MANY
    chosen = {"average": "mean" if many else few, **options}
    if many or chosen["average"] == "mean":
        chosen = {"reject": ROBUST, **chosen}
    if chosen["average"] == "sum":
        raise ValueError("a master is an average of frames: 'median', 'mean' or a quantile, no sum")
    return StackOptions(**chosen)


def _master(
    ds: xr.Dataset,
    kind: str,
    bias: xr.Dataset | None,
    overscan: OverscanChoice,
    camera: Camera | None,
    options: dict[str, Any],
) -> xr.Dataset:
    """Stack frames of one kind, which are calibrated first where they are raw."""
    schema.check(ds)
    check_type(ds, kind, options["allow_mismatch"])
    check_alike(ds, "one master", options["allow_mismatch"], kind=kind)
    _warn_of_floor(ds, kind)
    if schema.is_raw(ds):
        camera = camera or schema.camera_of(ds)
        # a pedestal is no light: its photon noise would be made up, and its response too
        photons: Photons = "none" if kind == "bias" else "positive"
        has_noise = not camera.unknown_noise and (kind == "bias" or bias is not None)
        ds = calibrated(
            ds,
            noise="required" if has_noise else None,
            camera=camera,
            masters={"bias": bias},
            overscan=overscan,
            photons=photons,
            linear=kind != "bias",
            allow_mismatch=options["allow_mismatch"],
            dtype=options["dtype"],
        )
    master = stacked(ds, with_defaults(ds, {"reach": _REACH, **options}, few="mean"))
    return with_type(master, kind)


def master_fringe(
    ds: xr.Dataset,
    *,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
    **stack_options: Any,
) -> xr.Dataset:
    r"""Master fringe frame of calibrated science frames.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) of one filter, calibrated with a flat, and pointed elsewhere
        from one to the next by more than the size of stars.
    allow_mismatch
        Traits in which frames may differ, such as "gain_setting".
    dtype
        Type of ``image`` and ``variance``.
    stack_options
        As for :func:`~autowisp_xr.stack`. By default the median of at least 3 frames, with
        ``SigmaClip(4, scale="mad", about="median", floor="noise")`` against stars.

    Returns
    -------
    Master (channel, y, x) of the ``image_type`` "fringe", dimensionless: the pattern in units of
    the sky, whose median is zero. Lazy where ``ds`` is; frames are read once more for their sky.
    Flagged pixels take no part, and a frame whose sky is not positive takes none. ``variance`` is
    that of the average, which holds what frames have in common of their masters.

    Raises
    ------
    CalibrationError
        For raw frames.
    ImageMismatchError
        For frames of several filters, gain settings, ..., or fewer than ``min_frames``.

    Notes
    -----
    With the sky :math:`s_k`, the median of the good pixels of the frame :math:`I_k` in a channel,

    .. math:: F = \operatorname{median}_k (I_k / s_k) - \operatorname{median}_{xy}(\ldots)

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1)
    >>> bias = aw.master_bias(night.bias(5))
    >>> flat = aw.master_flat(night.flat(5), bias=bias).high
    >>> lights = night.objects(4).autowisp.calibrate(bias=bias, flat=flat)
    >>> fringe = aw.master_fringe(lights)
    >>> dict(fringe.sizes), fringe.image.attrs["units"]
    ({'channel': 1, 'y': 64, 'x': 64}, '1')
    """
    schema.check(ds)
    if schema.is_raw(ds):
        raise CalibrationError(
            "fringes are found in calibrated frames, and these are raw; calibrate them, with a "
            "flat, as by aw.calibrate(frames, bias=..., dark=..., flat=...)"
        )
    check_alike(ds, "one master", allow_mismatch, kind="fringe")
    sky = xr.DataArray(_level(ds), coords=schema.frame_and_channel(ds))
    frames = scaled(ds, sky.where(sky > 0), to="median of the good pixels")
    chosen: dict[str, Any] = {"average": "median", "reject": _STARS, "min_frames": FEWEST_OF_FRINGE}
    chosen |= {"allow_mismatch": allow_mismatch, "dtype": dtype} | stack_options
    # the variance has what frames share of their masters, which is no share of a pattern about zero
    master = stacked(frames, StackOptions(**chosen)).drop_vars(
        (*schema.SHARED, *schema.SHARED.values()), errors="ignore"
    )
    master = master.assign(image=master["image"] - _level(master).astype(master["image"].dtype))
    master = master.assign_coords(image_type=((), np.array("fringe", np.dtypes.StringDType())))
    return provenance.record(
        schema.with_attributes(master, "1"), "subtract_sky", {"of": "median of the good pixels"}
    )


def _level(ds: xr.Dataset) -> xr.Variable:
    """Median of the good pixels of each channel, of each frame where there are frames; float64."""
    planes = blocks.whole_frames(ds, ("image", "mask"))
    dims = tuple(dim for dim in schema.DIMS[:2] if dim in ds.dims)
    (level,) = blocks.apply(_medians, planes, dims, [np.float64])
    return level


def _medians(image: Cube, mask: Bits) -> tuple[Floats]:
    pixels: Numbers = good_only(image, mask).astype(np.float64)
    return (bottleneck.nanmedian(pixels.reshape(*image.shape[:-2], -1), axis=-1),)
