"""Restore what calibrated frames share of their variance, from the masters that they name.

A file of a frame has its image, error and mask; what it has in common with other frames stands in
the masters. Their steps are gone through once more for these planes alone: no pixel of a frame is
looked at, and a master when the planes are.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Cube, Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.pieces import Piece, is_same, join
from autowisp_xr.camera import Camera
from autowisp_xr.camera.response import Linearity
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.kinds import MASTERS
from autowisp_xr.matching import TYPE, allowed
from autowisp_xr.schema import SHARED
from autowisp_xr.steps.base import Step, Term, over_frames
from autowisp_xr.steps.dark import SubtractDark
from autowisp_xr.steps.flat import DivideFlat
from autowisp_xr.steps.fringe import Scale, SubtractFringe
from autowisp_xr.steps.master_matching import matched
from autowisp_xr.steps.master_noise import master_noise_of, with_common_planes
from autowisp_xr.steps.noise import noise_of
from autowisp_xr.steps.prepared_masters import master_steps

Find = Callable[[str, Mapping[str, Any]], xr.Dataset | None]
"""Gives the master of an identity, of which the record of a step may name the files by channel."""

_VERBS = ("calibrate", "subtract_bias", "subtract_dark", "divide_flat", "subtract_fringe")
_KINDS = {*MASTERS, "fringe"}

_Steps = Sequence[Mapping[str, Any]]


def with_shared_noise(ds: xr.Dataset, histories: Sequence[_Steps], find: Find) -> xr.Dataset:
    """Return frames from files with what they share of their variance, as before writing.

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
    steps are not those of a set of frames, no plane, and names that record it.
    """
    ds = ds.drop_vars(SHARED.values(), errors="ignore")
    groups: dict[Any, list[int]] = {}
    for number, steps in enumerate(histories):
        groups.setdefault(_signature(steps), []).append(number)
    parts = []
    for members in groups.values():
        some = ds[["image", "variance"]].isel(frame=members)
        parts.append((members, _restored(some, [histories[i] for i in members], find)))
    return _assembled(ds, parts)


def _signature(steps: _Steps) -> tuple[Any, ...]:
    return tuple(
        (step.get("verb"), tuple(sorted(step.get("masters", {}).items())), step.get("id"))
        for step in steps
        if step.get("masters") or step.get("verb") == "add_noise"
    )


def _restored(ds: xr.Dataset, histories: Sequence[_Steps], find: Find) -> xr.Dataset:
    """Return frames of like histories with their planes, or with names of masters that are lost."""
    try:
        with warnings.catch_warnings():
            # the user was warned of the masters when the frames were calibrated
            warnings.simplefilter("ignore", AutowispWarning)
            return _again(ds, histories, find)
    except (_LostError, AutowispError, OSError, ValueError, KeyError):
        lost = schema.lost_noise_sources(histories[0]).items()
        number = ds.sizes["frame"]
        return ds.assign_coords({name: _column(number, text) for name, text in lost})


class _LostError(Exception):
    """A master is not to be found, or nobody knows what became of its noise."""


def _again(ds: xr.Dataset, histories: Sequence[_Steps], find: Find) -> xr.Dataset:
    """Go through the steps for the planes that frames share."""
    biases: set[str] = set()
    stacked = False
    for step in histories[0]:
        verb, named, options = step.get("verb"), step.get("masters", {}), step.get("options", {})
        stacked |= verb == "stack"
        if verb in ("concat", "normalise"):
            raise _LostError
        if stacked:
            # nobody states which those of an average are
            ds = ds.drop_vars(schema.PHOTON_PLANES, errors="ignore")
        if named and (verb not in _VERBS or set(named) - _KINDS or stacked):
            raise _LostError
        if not named and verb not in ("calibrate", "add_noise"):
            continue
        masters = {}
        for kind, made in named.items():
            master = find(made, step.get("files", {}).get(kind, {}))
            if master is None:
                raise _LostError
            # whatever its type, it was applied
            allow = allowed(options.get("allow_mismatch", ())) | {TYPE}
            camera = _camera(ds, options)
            masters[kind] = matched(ds, _cut(ds, master), kind, allow, camera=camera)
        fringe = masters.pop("fringe", None)
        again = _steps_of(ds, masters, options, biases) if fringe is None else []
        again += [] if fringe is None else [_fringe_step(ds, fringe, histories)]
        ds = _after(ds, again, options)
        biases |= {made for kind, made in named.items() if kind == "bias"}
    return ds


def _steps_of(
    ds: xr.Dataset,
    masters: Mapping[str, xr.Dataset],
    options: Mapping[str, Any],
    biases: set[str],
) -> list[Step]:
    """Return the steps of a verb with these masters; the ``biases`` were subtracted before."""
    together = "not_applied" in options
    level = options.get("bias_level") or options.get("overscan_areas")
    photons = options.get("photons")
    steps = master_steps(
        ds,
        masters,
        noise=None if photons is None else noise_of(ds, _camera(ds, options), photons),
        level_known=bool(level or not together),
        scale_dark=options.get("scale_dark", False),
        min_flat=options.get("min_flat"),
        # not every verb records whether another exposure was allowed; it was made
        allow_mismatch=("exposure",),
        doubt=False,
    )
    if not together and "dark" in masters and provenance.identities(masters["dark"]) & biases:
        bias = blocks.plane(ds, "shared_variance")
        return [replace(one, bias=bias) for one in steps if isinstance(one, SubtractDark)]
    if any("linearity" in one for one in options.get("amplifiers", ()) if not isinstance(one, str)):
        raise _LostError
    if options.get("linearity"):
        steps.append(_RestoredCurve.of(ds, options["linearity"], masters.get("bias"), steps))
    return steps


def _fringe_step(ds: xr.Dataset, fringe: xr.Dataset, histories: Sequence[_Steps]) -> SubtractFringe:
    """Return the step that subtracted a fringe frame, by what is recorded of each frame."""
    channels = schema.names(ds, "channel")
    done = [step["by_frame"] for steps in histories for step in steps if "by_frame" in step]
    # of a stack, the mean of its frames
    scales = [
        np.mean([[frame[channel] for channel in channels] for frame in one.values()], axis=0)
        for one in done
    ]
    value, uncertainty = np.moveaxis(np.array(scales, np.float64), -1, 0)
    factor = np.ones(ds.sizes["frame"])
    return SubtractFringe(master=fringe, factor=factor, scale=Scale(value, uncertainty))


def _after(ds: xr.Dataset, steps: Sequence[Step], options: Mapping[str, Any]) -> xr.Dataset:
    """Return frames with the planes, and the names of masters, that steps leave."""
    kind = ds["variance"].dtype
    known = len(options.get("amplifiers", ())) == len(schema.camera_of(ds).amplifiers)
    photons = known and not options.get("pedestal")
    after = ds.drop_vars(schema.PHOTON_PLANES, errors="ignore")
    master_noise = master_noise_of(ds, steps, kind)
    return with_common_planes(after, ds, steps, master_noise, kind, photons=photons)


def _camera(ds: xr.Dataset, options: Mapping[str, Any]) -> Camera:
    """Return the camera with which a step was made, as far as its record has it."""
    own = schema.camera_of(ds)
    stated = {name: options[name] for name in ("gain", "read_noise") if name in options}
    return replace(own, **stated) if stated else own


def _cut(ds: xr.Dataset, master: xr.Dataset) -> xr.Dataset:
    """Return a master where the frames are, if they are a part of what it covers."""
    for dim in ("y", "x"):
        known = dim in ds.coords and dim in master.coords
        if known and master.sizes[dim] > ds.sizes[dim]:
            inside = np.flatnonzero(np.isin(master[dim].values, ds[dim].values))
            master = master.isel({dim: inside})
    return master


def _assembled(ds: xr.Dataset, parts: Sequence[tuple[list[int], xr.Dataset]]) -> xr.Dataset:
    """Return the frames with the planes and names of all their groups."""
    number, *shape = (ds.sizes[dim] for dim in schema.DIMS)
    known = all("photon_slope" in part for _, part in parts)
    light = dict.fromkeys(schema.PHOTON_PLANES[:2] if known else (), "")
    for plane, name in (SHARED | light).items():
        texts = _column(number, "")
        for members, part in parts:
            texts[members] = part[name].values if name in part.coords else ""
        if any(texts.values):
            ds = ds.assign_coords({name: texts})
        there = [part[plane].variable for _, part in parts if plane in part]
        if not there:
            continue
        if len(there) == len(parts) and all(
            "frame" not in one.dims and is_same(there[0], one) for one in there
        ):
            ds = ds.assign({plane: there[0]})
            continue
        pieces: list[Piece] = [(0, 1)] * number
        for members, part in parts:
            for i, frame in enumerate(members if plane in part else []):
                one = part[plane].variable
                pieces[frame] = (one[i : i + 1] if "frame" in one.dims else one, 1)
        ds = ds.assign({plane: join(pieces, tuple(shape), there[0].dtype)})
    return schema.with_attributes(ds, schema.units_of(ds))


def _column(number: int, text: str) -> xr.Variable:
    return xr.Variable(("frame",), np.full(number, text, np.dtypes.StringDType()))


@dataclass(frozen=True, kw_only=True)
class _RestoredCurve(Step):
    """Adds nothing to the pixels; shares what a curve had added to the variance of all frames.

    The signal before the flat and the dark shows where on the curve a pixel was; its slope and its
    uncertainty there are those that the step of :mod:`autowisp_xr.steps.linearity` had.
    """

    curves: Sequence[Linearity]
    """Of each channel."""
    bias: xr.Dataset | None = None
    """What was subtracted before the frames were made linear."""
    dark: SubtractDark | None = None
    flat: DivideFlat | None = None
    """What was done after."""

    @classmethod
    def of(
        cls, ds: xr.Dataset, recorded: Any, bias: xr.Dataset | None, steps: Sequence[Step]
    ) -> Self:
        """Return the step of what the history records of a linearity.

        Parameters
        ----------
        ds
            The frames.
        recorded
            What :meth:`~autowisp_xr.Linearity.record` gave, perhaps by channel.
        bias
            Master that was subtracted, if any.
        steps
            The steps of the same verb.
        """
        channels = schema.names(ds, "channel")
        own = isinstance(recorded, Mapping) and set(channels) <= set(recorded)
        given = [recorded[channel] if own else recorded for channel in channels]
        return cls(
            curves=[Linearity.parse(one) for one in given],
            bias=bias,
            dark=next((step for step in steps if isinstance(step, SubtractDark)), None),
            flat=next((step for step in steps if isinstance(step, DivideFlat)), None),
        )

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """Return a plane a frame."""
        dark = flat = factor = None
        if self.dark is not None:
            dark, factor = blocks.plane(self.dark.master, "image"), self.dark.factors(ds)
        if self.flat is not None:
            flat = blocks.plane(self.flat.lit, "image")
        operands = [ds["image"].variable, flat, dark, factor, blocks.plane(self.bias, "variance")]
        kernel = partial(_shared, curves=self.curves)
        free = ("frame", "y", "x")
        (plane,) = blocks.apply(kernel, operands, schema.DIMS, [ds["variance"].dtype], free=free)
        return [Term(plane)]

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name the curves."""
        named = {one.identity for one in self.curves if one.covariance}
        for names in subtracted:
            names |= named


def _shared(
    image: Cube,
    flat: Planes | None,
    dark: Planes | None,
    factor: Floats | None,
    of_bias: Planes | None,
    *,
    curves: Sequence[Linearity],
) -> tuple[Floats]:
    light: Any = image.astype(np.float64)
    if flat is not None:
        light = light * flat
    if dark is not None and factor is not None:
        light = light + over_frames(factor) * dark
    shared = np.empty_like(light)
    for channel, curve in enumerate(curves):
        signal = curve.signal(light[:, channel])
        shared[:, channel] = curve.error(signal) ** 2
        if of_bias is not None:
            shared[:, channel] += (curve.slope(signal) ** 2 - 1) * of_bias[channel]
    return (shared,)
