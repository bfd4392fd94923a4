"""The single verbs of calibration are lists of one step; ``calibrate`` runs all in one pass."""

from collections.abc import Collection

import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.options import MIN_FLAT, OverscanChoice, Photons, ScaleDark, check_min_flat
from autowisp_xr.steps.bias import SubtractBias, SubtractBiasLevel
from autowisp_xr.steps.dark import SubtractDark
from autowisp_xr.steps.flat import DivideFlat
from autowisp_xr.steps.fused_pass import alone, one_pass
from autowisp_xr.steps.linearity import linearity_step, warn_of_response
from autowisp_xr.steps.master_matching import exposure_ratio, matched
from autowisp_xr.steps.noise import noise_of
from autowisp_xr.steps.order import check_order
from autowisp_xr.steps.overscan_choice import overscan_step
from autowisp_xr.steps.pedestals import check_goes_with_dark, check_levels, check_raw, level_of
from autowisp_xr.steps.prepared_masters import dark_parts


def subtract_bias_level(
    ds: xr.Dataset, *, camera: Camera | None = None, dtype: DTypeLike = "float32"
) -> xr.Dataset:
    """Subtract the constant ``bias_level`` of the camera, in ADU, from all frames.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x).
    camera
        By default the one that travels with ``ds``.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` is; pixels that are not finite are flagged FAULT.
    The saturation of the camera that travels on is given above the level that was subtracted.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> raw = night.bias(1)
    >>> level = aw.subtract_bias_level(raw, camera=aw.Camera(bias_level=1000.0))
    """
    schema.check(ds)
    own = schema.camera_of(ds)
    level = (camera or own).bias_level
    result = alone(ds, "subtract_bias_level", SubtractBiasLevel(level=level), dtype=dtype)
    if own.saturation is not None:
        result.attrs["camera"] = own.at_level(level).to_json()
    return result


def subtract_overscan(
    ds: xr.Dataset,
    overscan: OverscanChoice = None,
    *,
    camera: Camera | None = None,
    dtype: DTypeLike = "float32",
) -> xr.Dataset:
    """Subtract from each frame the level of its own overscan pixels.

    Parameters
    ----------
    ds
        Untrimmed frames (frame, channel, y, x), in ADU.
    overscan
        How the level is found. None: the median of the frame, with rejection at 5 standard
        deviations. An :class:`~autowisp_xr.Overscan`, or several: passes one after the other, each
        measured on pixels that the passes before have corrected, such as rows, then columns.
        A Dataset: a correction measured by other means (see below). False: none.
    camera
        Whose ``overscan`` areas are used, each pixel of their union once, all channels together,
        and whose ``amplifiers`` have a level each, of areas of their own where they have any; by
        default the one that travels with ``ds``.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` is: the level of each frame subtracted, its variance
    added. Pixels that are not finite are left out of the level, and flagged FAULT. A level is
    demanded for all pixels of the camera's ``image_area`` (all of the frame without one). Rows and
    columns outside have none where each has its own: they are NaN and flagged FAULT, as is a row
    or column that has lost all its overscan pixels.

    Raises
    ------
    CalibrationError
        If there are no overscan areas; where they cannot show the level of a part of the image.
    OutsideImageError
        If an area reaches outside the frames (they may have been trimmed already).
    MasterMismatchError
        Where a Dataset that was given does not belong to the frames.
    ConvergenceError
        If too few pixels are left; found when the frames are computed, and naming the frame.

    Notes
    -----
    What rejection does, and how large the variance is, :func:`~autowisp_xr.overscan_correction`
    states. The noise of a level is common to the pixels that it was subtracted from, and not kept
    apart in ``variance``: it does not average down over the pixels of a star, as it does over
    frames.

    A Dataset has ``image`` and ``variance`` (in ADU and its square) over some of frame, channel, y
    and x; what is not there or of size one does not vary. Without ``frame``, all frames share its
    noise, which goes into ``shared_variance``. It is subtracted as it is, beside any
    ``bias_level``; a mask in it takes no part.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> frames = aw.subtract_overscan(night.bias(3), camera=night.camera)
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    if overscan is None and not camera.overscan_areas:
        raise CalibrationError("the camera has no overscan areas; give Camera(overscan=...)")
    return alone(ds, "subtract_overscan", overscan_step(ds, ds, camera, overscan), dtype=dtype)


def subtract_bias(
    ds: xr.Dataset,
    bias: xr.Dataset,
    *,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
) -> xr.Dataset:
    """Subtract a master bias.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), trimmed to the area of the master, in its unit.
    bias
        Master (channel, y, x). Its variance is added to that of the frames and recorded in
        ``shared_variance``; its flags are added, saturation as FAULT.
    allow_mismatch
        What may differ between frames and master, as for :class:`~autowisp_xr.Matching`.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` or ``bias`` are. A pixel that is NaN in the master
    is NaN and flagged FAULT.

    Raises
    ------
    MasterMismatchError
        Where the master does not belong to the frames.
    CalibrationError
        Where cards or the history of the frames state that a bias was subtracted already, or what
        comes after it; where a level or an overscan was subtracted from one side only.
    """
    schema.check(ds)
    check_raw(ds, {"bias": bias})
    bias = matched(ds, bias, "bias", allow_mismatch)
    check_levels(level_of(ds), bias, "bias")
    return alone(ds, "subtract_bias", SubtractBias(master=bias), dtype=dtype)


def linearise(
    ds: xr.Dataset, *, camera: Camera | None = None, dtype: DTypeLike = "float32"
) -> xr.Dataset:
    """Make the signal of frames proportional to the light.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) free of bias, in ADU, before noise is added to them.
    camera
        Whose ``linearity`` is used; by default the one that travels with ``ds``.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` is, with I + c2 I^2 + c3 I^3 + ... as image, and the
    variance times the square of the slope. What the uncertainty of the coefficients adds to it goes
    into ``shared_variance``, too, which then has a plane a frame. Pixels above the range where the
    linearity holds are flagged NONLINEAR.

    Raises
    ------
    CalibrationError
        Without a known linearity; for frames that are linear, or have their noise, already.
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    if not camera.bends:
        raise CalibrationError(
            "the linearity of the camera is not known; give Camera(linearity=...)"
        )
    return alone(ds, "linearise", linearity_step(ds, camera), dtype=dtype)


def add_noise(
    ds: xr.Dataset,
    *,
    camera: Camera | None = None,
    photons: Photons = "positive",
    dark: xr.Dataset | None = None,
    dtype: DTypeLike = "float32",
) -> xr.Dataset:
    """Add photon and read noise to the variance of the frames.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) free of bias, in ADU (or electrons); or such as hold it, with
        their ``dark``.
    camera
        Whose gain and read noise are used, of the amplifier that reads each pixel where they
        differ; by default the one that travels with ``ds``.
    photons
        The signal whose photon noise counts: max(image, 0), its absolute value as in
        the classes of the original, or none at all, as in a bias frame.
    dark
        Master that holds the bias and is subtracted afterwards: the image less its pedestal is
        then the signal.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames with max(image, 0) / gain + (read_noise / gain)^2 added to ``variance``, in ADU^2, lazy
    where ``ds`` is. ``photon_slope`` and ``photon_zero`` state what of it is the noise of photons
    max(image, 0), for stacks.

    Raises
    ------
    CalibrationError
        Where gain or read noise is not known; for frames in a unit that counts nothing (adu/s);
        for frames that have this noise, or from which a dark was subtracted.

    Notes
    -----
    The photons of a pixel are known from its own noisy value alone. Widths of the pulls of single
    frames, and mean of the variance over the true one, by read noise and light in electrons
    (``python -m tests.kernels.photon_noise``):

    ========== ========= ========= ========= ========= =========
    read noise 0 e       1 e       5 e       20 e      50 e
    ========== ========= ========= ========= ========= =========
    0.7        0.80 1.57 1.16 1.08 1.34 1.00 1.05 1.00 1.02 1.00
    1.2        0.85 1.33 1.00 1.09 1.21 1.00 1.05 1.00 1.02 1.00
    3          0.91 1.13 0.94 1.08 1.03 1.01 1.04 1.00 1.02 1.00
    8          0.96 1.05 0.96 1.04 0.98 1.02 1.01 1.00 1.01 1.00
    ========== ========= ========= ========= ========= =========

    A stack knows better; see :func:`~autowisp_xr.stack`.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> frames = aw.subtract_overscan(night.objects(1), camera=night.camera)
    >>> noisy = aw.add_noise(frames, camera=aw.Camera(gain=2.0, read_noise=6.0))
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    noise = noise_of(ds, camera, photons)
    check_order(ds, "add_noise", noise.line, {})
    pedestal = None
    if dark is not None:
        pedestal, _ = dark_parts(matched(ds, dark, "dark", camera=camera), noise)
    bias = [] if pedestal is None else [SubtractBias(master=pedestal)]
    result = one_pass(ds, [*bias, noise], dtype=dtype)
    if pedestal is not None:
        result["image"] = result["image"].copy(data=ds["image"].astype(dtype).data)
        if "photon_slope" in result:
            zero = pedestal["image"].astype(dtype).variable
            result["photon_zero"] = zero.copy(deep=False)
            result = schema.with_attributes(result, result["image"].attrs["units"])
    options = {**noise.line, "pedestal": pedestal is not None}
    return provenance.record(result, "add_noise", options, source=ds)


def subtract_dark(
    ds: xr.Dataset,
    dark: xr.Dataset,
    *,
    scale_dark: ScaleDark = False,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
) -> xr.Dataset:
    """Subtract a master dark.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), free of bias if the dark is.
    dark
        Master (channel, y, x). Its variance times k^2 is added and recorded in
        ``shared_variance``; where it was made with the bias that was subtracted from ``ds``, the
        noise of that bias cancels in part, and is taken out.
    scale_dark
        False: exposures must agree within 1 %, which makes k one. "down": where they do not, k is
        their ratio, at most one; "any": also upward. Scaling needs a dark that is free of bias.
    allow_mismatch
        What may differ between frames and master, as for :class:`~autowisp_xr.Matching`.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` or ``dark`` are; flags are added as for a bias.

    Raises
    ------
    MasterMismatchError, CalibrationError
        Where the master does not belong to the frames, or must not be scaled; where the bias
        would be subtracted twice, or left in.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> bias = aw.master_bias(night.bias(5))
    >>> dark = aw.master_dark(night.dark(5), bias=bias)
    >>> lights = aw.calibrate(night.objects(2), bias=bias, camera=night.camera)
    >>> left = aw.subtract_dark(lights, dark)
    """
    schema.check(ds)
    check_raw(ds, {"dark": dark})
    dark = matched(ds, dark, "dark", allow_mismatch)
    check_goes_with_dark(ds, dark)
    scale = exposure_ratio(ds, dark, scale_dark, allow_mismatch)
    bias_ids = {step.get("masters", {}).get("bias") for step in provenance.history(ds)}
    shared = provenance.identities(dark) & bias_ids
    bias = blocks.plane(ds, "shared_variance") if shared else None
    step = SubtractDark(master=dark, factor=scale, bias=bias, scale_dark=scale_dark)
    return alone(ds, "subtract_dark", step, dtype=dtype)


def divide_flat(
    ds: xr.Dataset,
    flat: xr.Dataset,
    *,
    min_flat: float = MIN_FLAT,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
) -> xr.Dataset:
    r"""Divide frames by a master flat.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), free of bias and dark.
    flat
        Master (channel, y, x), dimensionless, with a mean of one.
    min_flat
        Share of that mean below which a pixel of the flat counts as not lit, as it does below three
        times its own uncertainty: unlit corners are noise about zero. 0: all that is positive is
        lit.
    allow_mismatch
        What may differ between frames and master, as for :class:`~autowisp_xr.Matching`.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape in the unit of ``ds``, lazy where ``ds`` or ``flat`` are. Where the
    flat is not lit or not finite, a pixel is NaN and flagged FAULT. ``shared_relative_variance``
    keeps what the flat adds to all frames alike.

    Notes
    -----
    To first order in the noise of both, with i the image before:

    .. math:: V \leftarrow V / F^2 + \sigma_F^2 i^2 / F^4

    The covariance of a flat with the bias and dark that it was made with is left out.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> flat = aw.master_flat(night.flat(5), bias=aw.master_bias(night.bias(5))).high
    >>> lights = aw.calibrate(night.objects(2), camera=night.camera)
    >>> divided = aw.divide_flat(lights, flat)
    """
    schema.check(ds)
    check_min_flat(min_flat)
    flat = matched(ds, flat, "flat", allow_mismatch)
    warn_of_response(flat, ds)
    return alone(ds, "divide_flat", DivideFlat(master=flat, min_flat=min_flat), dtype=dtype)
