"""The steps that apply masters, which are made ready for the frames that they correct."""

import warnings
from collections.abc import Collection, Mapping

import xarray as xr

from autowisp_xr import provenance
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.kinds import MASTERS
from autowisp_xr.options import ScaleDark
from autowisp_xr.steps.base import Step
from autowisp_xr.steps.bias import SubtractBias
from autowisp_xr.steps.dark import SubtractDark
from autowisp_xr.steps.dark_current import pedestal_and_current
from autowisp_xr.steps.flat import DivideFlat
from autowisp_xr.steps.fused_pass import one_pass
from autowisp_xr.steps.master_matching import exposure_ratio
from autowisp_xr.steps.noise import AddNoise
from autowisp_xr.steps.pedestals import named, stated_bias_of, warn_if_unstated


def free_of_bias(
    dark: xr.Dataset, bias: xr.Dataset | None, *, level_known: bool = False, doubt: bool = True
) -> xr.Dataset:
    """Return a dark that goes with frames from which this bias is subtracted, or none.

    Parameters
    ----------
    dark
        Master (channel, y, x); a bias that it holds is subtracted.
    bias
        Master in the same place, or None.
    level_known
        Whether a level or an overscan is subtracted from the frames, too.
    doubt
        Whether to warn of a dark that does not state whether it holds the bias.

    Raises
    ------
    CalibrationError
        For a dark that is free of bias, where the frames are not.
    """
    stated = stated_bias_of(dark)
    if stated is None:
        if doubt:
            warn_if_unstated(dark)
    elif bias is not None and not stated.made:
        kind = dark["image"].dtype
        planes = dark[[name for name in ("image", "variance", "mask") if name in dark]]
        free = one_pass(planes.expand_dims("frame"), [SubtractBias(master=bias)], dtype=kind)
        free = provenance.record(free, "subtract_bias", source=planes, masters={"bias": bias})
        return free.isel(frame=0)
    elif bias is None and stated.made and not level_known:
        raise CalibrationError(
            f"the bias was subtracted from {named(dark)} ({stated.by}), and there is none for the "
            "frames: it would be left in; give bias=..., or the overscan or bias_level of the "
            "camera"
        )
    return dark


def dark_parts(dark: xr.Dataset, noise: AddNoise | None) -> tuple[xr.Dataset | None, xr.Dataset]:
    """Return what takes the places of bias and dark where no bias is subtracted.

    A dark that holds the bias is taken apart, where photons are counted; where that cannot be,
    nothing of it counts as dark current, and a warning reports it.
    """
    stated = stated_bias_of(dark)
    if noise is None or noise.photons != "positive" or stated is None or stated.made:
        return None, dark
    parts = pedestal_and_current(dark, noise)
    if parts is not None:
        return parts
    warnings.warn(
        f"{named(dark)} holds the bias ({stated.by}), and how its frames scatter is not known, so "
        "that the noise of its dark current is not either, and is left out of the uncertainties; "
        "make it of its frames by master_dark, or give a bias",
        AutowispWarning,
        stacklevel=4,
    )
    nothing = dark.assign(image=xr.zeros_like(dark["image"]))
    return dark[["image"]], nothing


def master_steps(
    ds: xr.Dataset,
    masters: Mapping[str, xr.Dataset | None],
    *,
    noise: AddNoise | None,
    level_known: bool,
    scale_dark: ScaleDark,
    min_flat: float | None,
    allow_mismatch: Collection[str],
    doubt: bool,
) -> list[Step]:
    """Return bias, noise, dark and flat as steps of a calibration, in this order.

    Parameters
    ----------
    ds
        Frames, with their exposures.
    masters
        "bias", "dark" and "flat" that fit the frames; None for one that is not given.
    noise
        The step that adds noise; None where none is wanted.
    level_known, doubt
        As for :func:`free_of_bias`.
    scale_dark, min_flat, allow_mismatch
        As for :func:`~autowisp_xr.calibrate`.
    """
    bias, dark, flat = (masters.get(kind) for kind in MASTERS)
    pedestal, steps = bias, list[Step]([noise] if noise else [])
    if dark is not None:
        dark = free_of_bias(dark, bias, level_known=level_known, doubt=doubt)
        factor = exposure_ratio(ds, dark, scale_dark, allow_mismatch)
        # a dark made with this very bias shares its noise
        same = bias is not None and provenance.identity(bias) in provenance.identities(dark)
        shared = blocks.plane(bias, "variance") if same else None
        if bias is None and not level_known:
            pedestal, dark = dark_parts(dark, noise)
        steps += [SubtractDark(master=dark, factor=factor, bias=shared)]
    if flat is not None:
        steps += [DivideFlat(master=flat, min_flat=min_flat)]
    return steps if pedestal is None else [SubtractBias(master=pedestal), *steps]
