"""What calibrated frames share of their variance, made again of the masters that they name.

A file of a frame has its image, error and mask; what it has in common with other frames stands in
the masters. Their steps are gone through once more for these planes alone: no pixel of a frame is
looked at, and a master when the planes are.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.pieces import Piece, is_same, join
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.schema import SHARED
from autowisp_xr.steps.base import Step
from autowisp_xr.steps.bias import SubtractBias
from autowisp_xr.steps.dark import SubtractDark
from autowisp_xr.steps.flat import DivideFlat
from autowisp_xr.steps.master_fit import exposure_ratio
from autowisp_xr.steps.noise import AddNoise, noise_of
from autowisp_xr.steps.photon_planes import photon_planes
from autowisp_xr.steps.prepared_masters import fitting, master_steps
from autowisp_xr.steps.readers import readers
from autowisp_xr.steps.shared_noise import lender_names, lent_by, with_what_was_shared

Find = Callable[[str, Mapping[str, Any]], xr.Dataset | None]
"""Gives the master of an identity, of which the record of a step may name the files by channel."""

_KINDS = ("bias", "dark", "flat")
_VERBS = ("calibrate", "subtract_bias", "subtract_dark", "divide_flat")

_Steps = Sequence[Mapping[str, Any]]


def with_shared_noise(ds: xr.Dataset, histories: Sequence[_Steps], find: Find) -> xr.Dataset:
    """Frames from files with what they share of their variance, as before they were written.

    Parameters
    ----------
    ds
        Calibrated frames, or stacks, of size 1 or more along ``frame``.
    histories
        The steps of each frame.
    find
        Gives masters.

    Returns
    -------
    The same frames with ``shared_variance`` and ``shared_relative_variance`` (and what of the
    variance is the noise of photons, where it is known of all frames), lazy where the
    masters are, and the coordinates that name the masters. Where a master is not found, or the
    steps are not those of a set of frames, no plane, and names that say so.
    """
    ds = ds.drop_vars(SHARED.values(), errors="ignore")
    groups: dict[Any, list[int]] = {}
    for number, steps in enumerate(histories):
        groups.setdefault(_signature(steps), []).append(number)
    parts = []
    for members in groups.values():
        some = ds[["image", "variance"]].isel(frame=members)
        parts.append((members, _relent(some, histories[members[0]], find)))
    return _assembled(ds, parts)


def _signature(steps: _Steps) -> tuple[Any, ...]:
    return tuple(
        (step.get("verb"), tuple(sorted(step.get("masters", {}).items())), step.get("id"))
        for step in steps
        if step.get("masters") or step.get("verb") == "add_noise"
    )


def _relent(ds: xr.Dataset, steps: _Steps, find: Find) -> xr.Dataset:
    """Frames of one history with their planes, or with names of masters that are lost."""
    try:
        with warnings.catch_warnings():
            # what is to be said of the masters was when the frames were calibrated
            warnings.simplefilter("ignore", AutowispWarning)
            return _again(ds, steps, find)
    except (_LostError, AutowispError, OSError, ValueError, KeyError):
        lost = schema.lost_lenders(steps).items()
        return ds.assign_coords({name: _column([text] * ds.sizes["frame"]) for name, text in lost})


class _LostError(Exception):
    """A master is not to be found, or nobody knows what became of its noise."""


def _again(ds: xr.Dataset, steps: _Steps, find: Find) -> xr.Dataset:
    """Go through the steps for the planes that frames share."""
    biases: set[str] = set()
    stacked = False
    for step in steps:
        named = step.get("masters", {})
        stacked |= step.get("verb") == "stack"
        if step.get("verb") in ("concat", "normalise"):
            raise _LostError
        if stacked:
            # those of an average are not told
            ds = ds.drop_vars(schema.PHOTON_PLANES, errors="ignore")
        if not named:
            if step.get("verb") in ("calibrate", "add_noise"):
                options = step.get("options", {})
                noise = _noise(ds, options)
                ds = ds.assign(_photons(ds, [noise] if noise else [], options))
            continue
        if step.get("verb") not in _VERBS or set(named) - set(_KINDS) or stacked:
            raise _LostError
        options = step.get("options", {})
        masters = {}
        for kind, made in named.items():
            master = find(made, step.get("files", {}).get(kind, {}))
            if master is None:
                raise _LostError
            allow = options.get("allow_mismatch", ())
            masters[kind] = fitting(ds, _cut(ds, master), kind, allow, camera=_camera(ds, options))
        ds = _one_step(ds, masters, options, biases)
        biases |= {made for kind, made in named.items() if kind == "bias"}
    return ds


def _one_step(
    ds: xr.Dataset,
    masters: Mapping[str, xr.Dataset],
    options: Mapping[str, Any],
    biases: set[str],
) -> xr.Dataset:
    allow = options.get("allow_mismatch", ())
    steps: list[Step]
    if "not_applied" in options:
        steps = master_steps(
            ds,
            masters,
            noise=_noise(ds, options),
            level_known=bool(options.get("bias_level") or options.get("overscan_areas")),
            scale_dark=options.get("scale_dark", False),
            min_flat=options.get("min_flat"),
            allow_mismatch=allow,
            doubt=False,
        )
    elif "bias" in masters:
        steps = [SubtractBias(master=masters["bias"])]
    elif "dark" in masters:
        dark = masters["dark"]
        # the step does not say whether another exposure was allowed; it was made
        factor = exposure_ratio(ds, dark, options.get("scale_dark", False), ("exposure",))
        shared = provenance.identities(dark) & biases
        plane = blocks.plane(ds, "shared_variance") if shared else None
        steps = [SubtractDark(master=dark, factor=factor, bias=plane)]
    else:
        steps = [DivideFlat(master=masters["flat"], min_flat=options.get("min_flat"))]
    kind = ds["variance"].dtype
    planes = with_what_was_shared(ds, lent_by(ds, steps, kind), kind)
    light = _photons(ds, steps, options)
    ds = ds.drop_vars(schema.PHOTON_PLANES, errors="ignore")
    return ds.assign(planes | light).assign_coords(lender_names(ds, steps))


def _photons(
    ds: xr.Dataset, steps: Sequence[Step], options: Mapping[str, Any]
) -> dict[str, xr.Variable]:
    """Planes of the noise of photons after steps; none where the camera is not known any more."""
    camera = _camera(ds, options)
    if options.get("pedestal") or len(options.get("amplifiers", ())) != len(camera.amplifiers):
        return {}
    return photon_planes(ds, steps, ds["variance"].dtype)


def _camera(ds: xr.Dataset, options: Mapping[str, Any]) -> Camera:
    """The camera with which a step was made, as far as its record says it."""
    own = schema.camera_of(ds)
    stated = {name: options[name] for name in ("gain", "read_noise") if name in options}
    return replace(own, **stated) if stated else own


def _noise(ds: xr.Dataset, options: Mapping[str, Any]) -> AddNoise | None:
    """The noise that a step has added; None of one that added none."""
    photons = options.get("photons")
    if photons is None:
        return None
    camera = _camera(ds, options)
    return replace(noise_of(ds, camera, photons), reader=readers(ds, camera))


def _cut(ds: xr.Dataset, master: xr.Dataset) -> xr.Dataset:
    """A master where the frames are, if they are a part of what it covers."""
    for dim in ("y", "x"):
        if dim not in ds.coords or dim not in master.coords:
            continue
        if master.sizes[dim] > ds.sizes[dim]:
            inside = np.flatnonzero(np.isin(master[dim].values, ds[dim].values))
            master = master.isel({dim: inside})
    return master


def _assembled(ds: xr.Dataset, parts: Sequence[tuple[list[int], xr.Dataset]]) -> xr.Dataset:
    """The frames with the planes and names of all their groups."""
    shape = tuple(ds.sizes[dim] for dim in schema.DIMS[1:])
    known = all("photon_slope" in part for _, part in parts)
    light = dict.fromkeys(schema.PHOTON_PLANES[:2] if known else (), "")
    for plane, name in (SHARED | light).items():
        texts = [""] * ds.sizes["frame"]
        for members, part in parts:
            if name in part.coords:
                for number, text in zip(members, part[name].values.tolist(), strict=True):
                    texts[number] = text
        if any(texts):
            ds = ds.assign_coords({name: _column(texts)})
        there = [part[plane].variable for _, part in parts if plane in part]
        if not there:
            continue
        if len(there) == len(parts) and all(
            "frame" not in one.dims and is_same(there[0], one) for one in there
        ):
            ds = ds.assign({plane: there[0]})
            continue
        pieces: list[Piece] = [(0, 1)] * ds.sizes["frame"]
        for members, part in parts:
            for i, number in enumerate(members if plane in part else []):
                one = part[plane].variable
                pieces[number] = (one[i : i + 1] if "frame" in one.dims else one, 1)
        ds = ds.assign({plane: join(pieces, shape, there[0].dtype)})
    return schema.with_attributes(ds, str(ds["image"].attrs.get("units", "adu")))


def _column(texts: list[str]) -> tuple[str, Any]:
    return "frame", np.array(texts, dtype=np.dtypes.StringDType())
