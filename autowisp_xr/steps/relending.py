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
from autowisp_xr.bridge.joined import Piece, is_same, join
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.schema import SHARED
from autowisp_xr.steps.agreement import exposure_ratio
from autowisp_xr.steps.lenders import lent
from autowisp_xr.steps.lit_pixels import lit_only
from autowisp_xr.steps.noise_model import Noise, noise_of
from autowisp_xr.steps.photon_planes import photon_planes
from autowisp_xr.steps.prepared_masters import bias_and_dark, fitting, shares_bias
from autowisp_xr.steps.readers import readers
from autowisp_xr.steps.shared_noise import flat_variance, masters_variance, shared_planes

__all__ = ["Find", "with_shared_noise"]

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
        return _lost(ds, steps)


class _LostError(Exception):
    """A master is not to be found, or nobody knows what became of its noise."""


def _lost(ds: xr.Dataset, steps: _Steps) -> xr.Dataset:
    columns = {
        name: ("frame", np.array([text] * ds.sizes["frame"], dtype=np.dtypes.StringDType()))
        for name, text in schema.lost_lenders(steps).items()
    }
    return ds.assign_coords(columns)


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
                ds = ds.assign(_photons(ds, step.get("options", {})))
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
    bias, dark, flat = (masters.get(kind) for kind in _KINDS)
    scale: Any = 1.0
    pedestal, shares = bias, False
    allow = options.get("allow_mismatch", ())
    if dark is not None and "not_applied" in options:
        level = bool(options.get("bias_level") or options.get("overscan_areas"))
        pedestal, dark, scale = bias_and_dark(
            ds,
            bias,
            dark,
            level_known=level,
            noise=_noise(ds, options),
            reader=readers(ds, _camera(ds, options)),
            scale_dark=options.get("scale_dark", False),
            allow_mismatch=allow,
            doubt=False,
        )
        shares = shares_bias(dark, bias)
    elif dark is not None:
        # the step does not say whether another exposure was allowed; it was made
        scale = exposure_ratio(ds, dark, options.get("scale_dark", False), ("exposure",))
        shares = bool(provenance.identities(dark) & biases)
    if flat is not None and options.get("min_flat") is not None:
        flat = lit_only(flat, options["min_flat"])
    kind = ds["variance"].dtype
    added = masters_variance(ds, pedestal, dark, scale, shares, kind)
    planes = shared_planes(ds, added, flat_variance(flat, kind), flat, kind)
    names = lent(ds, [pedestal], dark, scale, shares, flat)
    # a level that goes after the noise is none of the steps of calibration
    late = bias is not None and "photon_slope" in ds
    light = {} if late else _photons(ds, options, dark, scale, flat)
    ds = ds.drop_vars(schema.PHOTON_PLANES, errors="ignore")
    return ds.assign(planes | light).assign_coords(names)


def _photons(
    ds: xr.Dataset,
    options: Mapping[str, Any],
    dark: xr.Dataset | None = None,
    scale: Any = 1.0,
    flat: xr.Dataset | None = None,
) -> dict[str, xr.Variable]:
    """Planes of the noise of photons after a step; none where the camera is not known any more."""
    camera = _camera(ds, options)
    if options.get("pedestal") or len(options.get("amplifiers", ())) != len(camera.amplifiers):
        return {}
    noise = _noise(ds, options)
    kind = ds["variance"].dtype
    return photon_planes(ds, noise, readers(ds, camera), dark, scale, flat, kind)


def _camera(ds: xr.Dataset, options: Mapping[str, Any]) -> Camera:
    """The camera with which a step was made, as far as its record says it."""
    own = schema.camera_of(ds)
    said = {name: options[name] for name in ("gain", "read_noise") if name in options}
    return replace(own, **said) if said else own


def _noise(ds: xr.Dataset, options: Mapping[str, Any]) -> Noise | None:
    photons = options.get("photons")
    return None if photons is None else noise_of(ds, _camera(ds, options), photons)


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
            column = np.array(texts, dtype=np.dtypes.StringDType())
            ds = ds.assign_coords({name: ("frame", column)})
        there = [part[plane].variable for _, part in parts if plane in part]
        if not there:
            continue
        if len(there) == len(parts) and all(
            "frame" not in one.dims and is_same(there[0], one) for one in there
        ):
            ds = ds.assign({plane: there[0]})
            continue
        of_frame: dict[int, Piece] = {}
        for members, part in parts:
            for i, number in enumerate(members):
                if plane not in part:
                    of_frame[number] = (0, 1)
                elif "frame" in part[plane].dims:
                    of_frame[number] = (part[plane].variable[i : i + 1], 1)
                else:
                    of_frame[number] = (part[plane].variable, 1)
        pieces = [of_frame[number] for number in range(ds.sizes["frame"])]
        ds = ds.assign({plane: join(pieces, shape, there[0].dtype)})
    return schema.with_attributes(ds, str(ds["image"].attrs.get("units", "adu")))
