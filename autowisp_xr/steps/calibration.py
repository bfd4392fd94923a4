"""The verb ``calibrate``: all steps as one recipe, and one pass over the pixels."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.kinds import MASTERS
from autowisp_xr.matching import allowed
from autowisp_xr.options import (
    MIN_FLAT,
    CosmicRaysChoice,
    NoiseWanted,
    OverscanChoice,
    Photons,
    ScaleDark,
    check_min_flat,
)
from autowisp_xr.steps.base import Step, on_scale
from autowisp_xr.steps.bias import SubtractBias, SubtractBiasLevel
from autowisp_xr.steps.cosmic_rays import NOISE_NEEDED, as_cosmic_rays, with_cosmic_rays
from autowisp_xr.steps.crosstalk import without_crosstalk
from autowisp_xr.steps.flagging import ApplyMasks, as_masks, mask_identities
from autowisp_xr.steps.fringe import subtract_fringe
from autowisp_xr.steps.fused_pass import one_pass
from autowisp_xr.steps.geometry import trim
from autowisp_xr.steps.linearity import linearity_step, warn_of_response
from autowisp_xr.steps.master_matching import matched
from autowisp_xr.steps.noise import check_counted, noise_of
from autowisp_xr.steps.overscan import SubtractOverscan
from autowisp_xr.steps.overscan_choice import overscan_step
from autowisp_xr.steps.pedestals import (
    Level,
    check_levels,
    check_raw,
    holds_bias,
    level_of,
    warn_if_level_is_left,
    warn_of_high_level,
)
from autowisp_xr.steps.prepared_masters import master_steps
from autowisp_xr.steps.saturation import FlagSaturated, saturation_step


def calibrate(
    ds: xr.Dataset,
    *,
    bias: xr.Dataset | None = None,
    dark: xr.Dataset | None = None,
    flat: xr.Dataset | None = None,
    fringe: xr.Dataset | None = None,
    masks: Any = None,
    overscan: OverscanChoice = None,
    camera: Camera | None = None,
    scale_dark: ScaleDark = False,
    photons: Photons = "positive",
    noise: NoiseWanted = "required",
    min_flat: float = MIN_FLAT,
    cosmic_rays: CosmicRaysChoice = None,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
    memory_limit: MemoryLimit = None,
) -> xr.Dataset:
    r"""Calibrate raw frames, and carry variance and mask through every step.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x) in ADU, untrimmed.
    bias, dark, flat
        Masters (channel, y, x) over the image area. One that is not given is not applied, and the
        history records it. Where a bias is given and the dark still holds it, it is subtracted from
        the dark, too, which may then be scaled.
    fringe
        Master fringe frame, which is scaled to each frame and subtracted in the end; see
        :func:`~autowisp_xr.subtract_fringe`. Lazy frames are read once for its scale.
    masks
        Further masks of the image area, as :func:`~autowisp_xr.apply_masks` takes them.
    overscan
        How the overscan level of each frame is found, as for
        :func:`~autowisp_xr.subtract_overscan`: one or several :class:`~autowisp_xr.Overscan`, or
        a Dataset over the image area. None: by the median of the frame, if the camera has overscan
        areas; False: not at all.
    camera
        Gain, read noise (of its amplifiers where they differ), saturation, areas; by default the
        one that travels with ``ds``.
    scale_dark
        False, "down" or "any"; see :func:`~autowisp_xr.subtract_dark`.
    photons
        Signal whose photon noise counts; see :func:`~autowisp_xr.add_noise`.
    noise
        "required": gain and read noise have to be known. "if known": where they are not, the
        variance is NaN, which flags no pixel; a stack then takes its error from the scatter.
    min_flat
        Share of the mean of the flat from which on a pixel of it counts as lit; see
        :func:`~autowisp_xr.divide_flat`.
    cosmic_rays
        True, or a :class:`~autowisp_xr.CosmicRays`: flag them COSMIC, as
        :func:`~autowisp_xr.flag_cosmic_rays` does, in the frames that come out; these are in chunks
        of whole frames then. None: not looked for.
    allow_mismatch
        What may differ between frames and masters, as for :class:`~autowisp_xr.Matching`.
    dtype
        Type of the planes that come out; all arithmetic is float64.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`.

    Returns
    -------
    Frames over the image area: ``image`` in ADU, ``variance`` in ADU\ :sup:`2`, ``mask``, and what
    all frames share of the variance (``shared_variance``, ``shared_relative_variance``) or owe to
    photons (``photon_slope``, ``photon_zero``). What they share has a plane a frame where they are
    made linear.
    Lazy where ``ds`` or a master is, computed at once where all are in memory; the same bits.

    Raises
    ------
    CalibrationError
        Without a known gain or read noise; for frames that are calibrated already, or in a unit
        that counts nothing (adu/s); for a dark that is free of bias, where none is subtracted from
        the frames; where a level or an overscan was subtracted from a master and not from the
        frames, or from them alone.
    MasterMismatchError
        Where a master does not belong to the frames.
    OutsideImageError
        Where an area of the camera reaches outside the frames.
    MissingPackageError
        Where cosmic rays are to be flagged, without astroscrappy.

    Warns
    -----
    AutowispWarning
        Where a dark from a file does not state whether its bias was subtracted; where the noise of
        the dark current of one that holds it is not known; where a master of another program was
        brought to the scale of the frames (a flat to a mean of one, a pedestal, electrons); where a
        flat is given, and neither a bias, nor a dark, nor a level is subtracted from whole numbers;
        where the bias level of the camera is above nearly all pixels of frames in memory; where the
        frames are made linear, and those of the flat were not, or reverse.

    Notes
    -----
    Trim to the image area and subtract the bias level; flag saturation and leaks; subtract
    overscan and bias; take off crosstalk and make linear, where the camera states how (NONLINEAR
    where it does not hold); add photon noise max(I, 0) / gain and read noise (read_noise /
    gain)\ :sup:`2`; subtract the dark; divide by the flat; subtract fringes. A bias level is no
    light: where the dark D holds it (and neither bias, overscan nor bias level is subtracted),
    I - D + d makes the photon noise, with the dark
    current d in D that the scatter of its frames shows. A pixel that is not finite, or whose flat
    is not lit, is NaN and flagged FAULT; none is interpolated. The variance of a pixel is estimated
    from its own value, which correlates the two: at few electrons, averages weighted by it are
    biased, and it is not quite true (:func:`~autowisp_xr.add_noise` has a table). So do darks of
    few frames, as :func:`~autowisp_xr.stack` states.

    The single verbs are lists of one of these steps, and do the same one after the other. Between
    them there is room for steps of your own: functions of frames that give frames.

    Examples
    --------
    >>> from autowisp_xr import simulate
    >>> night = simulate.Night(shape=(16, 16), seed=1)
    >>> science = calibrate(night.objects(2), camera=night.camera)
    >>> sorted(science.data_vars)
    ['image', 'mask', 'photon_slope', 'variance']

    The same step by step, with one that takes the sky off:

    >>> from autowisp_xr import add_noise, subtract_overscan, trim
    >>> def without_sky(frames):
    ...     sky = frames["image"].median(("y", "x"))
    ...     return frames.assign(image=(frames["image"] - sky).assign_attrs(frames["image"].attrs))
    >>> level = subtract_overscan(night.objects(2), camera=night.camera)
    >>> own = add_noise(trim(level)).pipe(without_sky)
    >>> float(abs(own["image"].median())) < 1
    True
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    if noise not in get_args(NoiseWanted):
        raise ValueError(f"noise is one of {', '.join(get_args(NoiseWanted))}, not {noise!r}")
    check_min_flat(min_flat)
    rays = as_cosmic_rays(cosmic_rays)
    if rays and camera.unknown_noise:
        raise CalibrationError(NOISE_NEEDED)
    with limited(memory_limit):
        result = calibrated(
            ds,
            noise=noise,
            camera=camera,
            masters={"bias": bias, "dark": dark, "flat": flat},
            masks=masks,
            overscan=overscan,
            scale_dark=scale_dark,
            photons=photons,
            min_flat=min_flat,
            allow_mismatch=allow_mismatch,
            dtype=dtype,
        )
        if flat is not None:
            warn_if_level_is_left(ds, result, "what the flat makes of it")
        if fringe is not None:
            result = subtract_fringe(result, fringe, allow_mismatch=allow_mismatch, dtype=dtype)
        return with_cosmic_rays(result, rays) if rays else result


def calibrated(
    ds: xr.Dataset,
    *,
    noise: NoiseWanted | None,
    camera: Camera,
    masters: Mapping[str, xr.Dataset | None] = MappingProxyType({}),
    masks: Any = None,
    overscan: OverscanChoice = None,
    scale_dark: ScaleDark = False,
    photons: str = "none",
    min_flat: float | None = None,
    allow_mismatch: Collection[str] = (),
    shared: bool = True,
    above: bool = False,
    linear: bool = True,
    dtype: DTypeLike = "float32",
) -> xr.Dataset:
    """Return calibrated frames; see :func:`calibrate`.

    Frames are made ``linear`` where the camera states how. Where ``noise`` is None, they come out
    without a variance, and where ``shared`` is not set, without what they share of it. ``above`` is
    for :func:`~autowisp_xr.steps.saturation.saturation_threshold`. A ``min_flat`` of None takes the
    flat as it is, infinite pixels included.
    """
    if not schema.is_raw(ds):
        raise CalibrationError(
            "the frames have a variance already, so they have been calibrated; the single verbs "
            "(subtract_dark, divide_flat, ...) add a further step"
        )
    check_counted(ds)
    unknown = noise == "if known" and bool(camera.unknown_noise)
    noisy = noise is not None and not unknown
    allow_mismatch = allowed(allow_mismatch)
    raw, ds = ds, trim(ds, camera=camera)
    added = noise_of(ds, camera, photons) if noisy else None
    check_raw(ds, masters)
    # both levels come from raw pixels: the constant must not be subtracted twice
    of_overscan = overscan_step(raw, ds, camera, overscan, level=camera.bias_level)
    masters = {
        kind: master if master is None else matched(ds, master, kind, allow_mismatch, camera=camera)
        for kind, master in ((kind, masters.get(kind)) for kind in MASTERS)
    }
    level = Level(camera.bias_level, bool(of_overscan))
    # the classes of the original take masters as they are
    strict = photons == "positive"
    if strict:
        _check_levels(level, masters["bias"], masters["dark"])
        warn_of_high_level(ds, 0.0 if of_overscan else camera.bias_level)
    corrections = master_steps(
        ds,
        masters,
        noise=added,
        level_known=bool(level),
        scale_dark=scale_dark,
        min_flat=min_flat,
        allow_mismatch=allow_mismatch,
        doubt=strict,
    )
    level_known = bool(level) or any(isinstance(step, SubtractBias) for step in corrections)
    responds = linear and _has_signal(camera, level_known, refused=noise is not None)
    crosstalk = bool(camera.crosstalk) and responds
    bent = camera.bends and responds
    if strict and masters["flat"] is not None:
        warn_of_response(masters["flat"], ds, linear=bent)
    if bent:
        corrections = _with_linearity(ds, camera, corrections, own_pass=crosstalk)
    flags = saturation_step(ds, camera, camera.bias_level, above=above)
    given = as_masks(ds, masks)
    steps: list[Step] = [
        SubtractBiasLevel(level=camera.bias_level),
        flags,
        of_overscan,
        *corrections,
        ApplyMasks(given=given),
    ]
    given_pass: dict[str, Any] = {"dtype": dtype, "shared": shared}
    if crosstalk:
        # pixels of the whole frame go together there
        first = [isinstance(step, _BEFORE_CROSSTALK) for step in steps].index(False)
        signal = one_pass(ds, steps[:first], **given_pass)
        free = without_crosstalk(signal, camera, dtype)
        result = one_pass(free, steps[first:], **given_pass, errors=noisy)
    else:
        result = one_pass(ds, steps, **given_pass, errors=noisy)
    if noise is None:
        result = result.drop_vars("variance")
    # a file of the classes has what the raw frame had
    camera_after = on_scale(camera, ds, steps) if strict else camera
    result.attrs["camera"] = camera_after.to_json()
    options = {
        "image_area": str(camera.image_area) if camera.image_area else None,
        "bias_level": camera.bias_level,
        **flags.line,
        "overscan": of_overscan.line["overscan"],
        "overscan_areas": of_overscan.line["areas"],
        "amplifiers": of_overscan.line["amplifiers"],
        "gain": camera.gain,
        "read_noise": camera.read_noise,
        "scale_dark": scale_dark,
        "photons": photons if noisy else None,
        "not_applied": [name for name, master in masters.items() if master is None],
        "allow_mismatch": sorted(allow_mismatch),
        "masks": mask_identities(masks, given),
        "dtype": str(np.dtype(dtype)),
    }
    if crosstalk:
        options["crosstalk"] = camera.crosstalk
    for step in steps:
        options |= step.line if step.operand == "linearity" else {}
    if unknown:
        options["noise"] = provenance.UNKNOWN
    if masters["flat"] is not None and min_flat is not None:
        options["min_flat"] = min_flat
    masters |= of_overscan.masters
    return provenance.record(result, "calibrate", options, source=raw, masters=masters)


_BEFORE_CROSSTALK = (SubtractBiasLevel, FlagSaturated, SubtractOverscan, SubtractBias)


def _has_signal(camera: Camera, level_known: bool, *, refused: bool) -> bool:
    """Return whether the level without light is subtracted, above which pixels respond to light.

    Frames that hold it are ``refused`` where the camera has a response that is corrected, unless a
    dark is made of them that keeps it.
    """
    responses = {"linearity": camera.bends, "crosstalk": bool(camera.crosstalk)}
    known = [name for name, there in responses.items() if there]
    if known and refused and not level_known:
        raise CalibrationError(
            f"the {known[0]} of the camera is that of the signal above the bias, which is left in; "
            f"give bias=..., an overscan, or the bias_level of the camera, or Camera({known[0]}=())"
        )
    return level_known


def _with_linearity(
    ds: xr.Dataset, camera: Camera, steps: list[Step], *, own_pass: bool
) -> list[Step]:
    """Return the steps with that of linearity after any bias, and before the noise.

    In a pass of its own, the variance of the frames holds that of the bias.
    """
    bias = [step for step in steps if isinstance(step, SubtractBias)]
    step = linearity_step(ds, camera, bias[0].master if bias and not own_pass else None)
    return [*bias, step, *steps[len(bias) :]]


def _check_levels(frames: Level, bias: xr.Dataset | None, dark: xr.Dataset | None) -> None:
    """Raise CalibrationError where levels would be subtracted twice, or left in."""
    if bias is not None:
        check_levels(frames, bias, "bias")
    # from a dark that is free of bias, they went with it
    if dark is None or not holds_bias(dark):
        return
    if bias is None:
        check_levels(frames, dark, "dark")
    else:
        check_levels(level_of(bias), dark, "dark", of="bias")
