"""``concat``: frames of several nights and sets in one, each with the noise that it shares."""

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge.pieces import Piece, join
from autowisp_xr.camera import Camera
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.matching import allowed
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.parts import Part, Run, is_common, is_one, joined_coordinates, named, runs_of
from autowisp_xr.steps.master_matching import check_alike
from autowisp_xr.steps.pedestals import level_of, stated_bias_of

_OF_ONE_STACK = ("rejected_low", "rejected_high")
"""Planes of a stack that do not describe it as a frame among others."""

_MAY_BE_UNKNOWN = ("gain", "read_noise", "saturation", "name")
"""What is known of a camera where one of the sets knows it."""

_SEVERAL = "several"
"""Stands in a history for the masters of which each set had its own."""


def concat(
    sets: xr.Dataset | Sequence[xr.Dataset],
    others: xr.Dataset | Sequence[xr.Dataset] = (),
    *,
    allow_mismatch: Collection[str] = (),
) -> xr.Dataset:
    """Concatenate the frames of several sets, such as two nights with masters of their own.

    Parameters
    ----------
    sets, others
        Frame sets, or stacks without ``frame``, each of which becomes a frame; raw ones, or
        calibrated ones, of the same pixels and unit. The masters may differ between sets, or be the
        same.
    allow_mismatch
        Traits in which the frames may differ that otherwise have to agree: "filter",
        "gain_setting", ...; what :func:`stack` needs besides is judged there.

    Returns
    -------
    All frames in the order of their times, and of their names where these are not known, whatever
    the order of the sets: a stack of them has the same bits. In memory where all sets are, else as
    lazy as they are. ``shared_variance`` and ``shared_relative_variance`` have the dim ``frame``
    where they differ between sets, and ``shared_variance_from`` and
    ``shared_relative_variance_from`` on ``frame`` name the frames that share their noise, by which
    :func:`stack` goes. What only some sets have becomes unknown in the others: no flags, a
    ``count`` of one, NaN, NaT and "". Frames of one name get the end of their paths, or the
    identity of their set. What is known of the camera is what all sets agree in. The history is
    that of one set, and a record that holds those of all.

    Raises
    ------
    ImageMismatchError
        Where pixels, units, or what was done to the frames differ, or a trait that has to agree,
        with both values; for a frame that is in two of the sets.
    ValueError
        For no set at all, or an unknown name in ``allow_mismatch``.

    Examples
    --------
    >>> from autowisp_xr import simulate
    >>> from autowisp_xr.stack import master_bias, stack
    >>> from autowisp_xr.steps import calibrate
    >>> nights = [simulate.Night(shape=(16, 16), seed=seed) for seed in (1, 2)]
    >>> frames = concat([calibrate(n.objects(2), bias=master_bias(n.bias(3))) for n in nights])
    >>> frames.sizes["frame"], len(set(frames["shared_variance_from"].values.tolist()))
    (4, 2)
    """
    overruled = allowed(allow_mismatch)
    given = [
        ds for some in (sets, others) for ds in ([some] if isinstance(some, xr.Dataset) else some)
    ]
    if not given:
        raise ValueError("there is no set of frames; give a list of them")
    for number, ds in enumerate(given):
        one = isinstance(ds, xr.Dataset) and "frame" not in ds.dims
        schema.check(ds, master=one, name=f"set number {number}")
    parts = sorted(map(Part, given), key=lambda part: part.key)
    _check_once(parts)
    check_pixels(parts)
    check_steps(parts)
    runs = runs_of(parts)
    variables = _variables(parts, runs)
    ours = {name: variables.pop(name) for name in schema.VARIABLES if name in variables}
    result = xr.Dataset(
        ours, joined_coordinates(parts, runs), _history([part.ds for part in parts])
    )
    result = schema.with_attributes(result, schema.units_of(parts[0].ds)).assign(variables)
    result.attrs["camera"] = _camera(parts).to_json()
    _check_traits(result, overruled)
    options: dict[str, Any] = {"allow_mismatch": sorted(overruled)}
    if not all(provenance.noise_known(part.ds) for part in parts):
        options["noise"] = provenance.UNKNOWN
    called = _new_names(parts, runs, schema.names(result, "frame"))
    histories = [part.history(names) for part, names in zip(parts, called, strict=True)]
    return provenance.record(
        result,
        "concat",
        options,
        source=xr.Dataset(attrs=result.attrs),
        contents={
            name: one
            for part, names in zip(parts, called, strict=True)
            for name, one in zip(names, part.identities, strict=True)
        },
        files=[file for steps in histories for step in steps for file in step.get("inputs", ())],
        sets=[
            {"frames": names, "history": [_without(step, *_OF_WHOLE) for step in steps]}
            for names, steps in zip(called, histories, strict=True)
        ],
    )


_OF_WHOLE = ("inputs", "time", "versions")
"""Parts of records of the sets that do not go into that of the whole, which has its own."""

_OF_FRAMES = ("inputs", "contents", "by_frame", "of_set")
"""Parts of records that stand in the history of each set."""


def _without(step: Mapping[str, Any], *parts: str) -> dict[str, Any]:
    return {name: part for name, part in step.items() if name not in parts}


def _new_names(parts: Sequence[Part], runs: Sequence[Run], names: Sequence[str]) -> list[list[str]]:
    """Return what the frames of each part are called in the whole."""
    left = iter(names)
    called = [[""] * part.number for part in parts]
    for number, cut in runs:
        for i in range(cut.start, cut.stop):
            called[number][i] = next(left)
    return called


def _check_once(parts: Sequence[Part]) -> None:
    """Raise ImageMismatchError for frames in two sets, or in a stack and beside it."""
    for one, other in combinations(parts, 2):
        frames = one.exposures
        both = {frames[key] for key in frames.keys() & other.exposures.keys()}
        if both:
            raise ImageMismatchError(
                f"{min(both)!r} is in two of the sets ({named(one)} and {named(other)}); give "
                "each frame once, as its noise is one"
            )


def check_pixels(parts: Sequence[Part]) -> None:
    """Raise ImageMismatchError for sets of other pixels, units or kinds than the first."""
    first = parts[0].ds
    for part in parts[1:]:
        ds = part.ds
        for what, of in (("unit", schema.units_of), ("kind", _state), ("channels", _channels)):
            if of(ds) != of(first):
                raise ImageMismatchError(
                    f"{named(parts[0])} has the {what} {of(first)}, {named(part)} {of(ds)}; "
                    "frames of one set have the same pixels and unit, all of them raw or calibrated"
                )
        same = all(
            ds.sizes[dim] == first.sizes[dim]
            and (
                dim not in ds.coords
                or dim not in first.coords
                or ds[dim].variable.equals(first[dim].variable)
            )
            for dim in ("y", "x")
        )
        if not same:
            raise ImageMismatchError(
                f"{named(parts[0])} covers {_extent(first)}, {named(part)} {_extent(ds)}; "
                "select the same area in both"
            )


def _state(ds: xr.Dataset) -> str:
    return "raw" if schema.is_raw(ds) else "calibrated"


def _channels(ds: xr.Dataset) -> list[Any]:
    names = schema.names(ds, "channel") if "channel" in ds.coords else []
    return [names, *map(str, schema.channel_slices(ds))]


def _extent(ds: xr.Dataset) -> str:
    if all(dim in ds.coords for dim in ("y", "x")):
        return schema.extent(ds)
    return f"{ds.sizes['y']} along 'y' and {ds.sizes['x']} along 'x'"


def check_steps(parts: Sequence[Part]) -> None:
    """Raise ImageMismatchError where the level without light is still in some of the frames."""
    free = {part: _is_free_of_level(part.ds) for part in parts}
    still = next((part for part in parts if free[part] is False), None)
    gone = next((part for part in parts if free[part]), None)
    if still is not None and gone is not None:
        raise ImageMismatchError(
            f"the level without light was subtracted from {named(gone)} (a bias, a dark or an "
            f"overscan), and not from {named(still)}; calibrate them alike"
        )


def _is_free_of_level(ds: xr.Dataset) -> bool | None:
    """Return whether the level of the bias was subtracted, in whatever way; None if not known."""
    if any("dark" in step.get("masters", {}) for step in provenance.history(ds)) or level_of(ds):
        return True
    stated = stated_bias_of(ds)
    return None if stated is None else stated.made


def _check_traits(ds: xr.Dataset, overruled: Collection[str]) -> None:
    types = [""] * ds.sizes["frame"]
    if "image_type" in ds.coords:
        types = [str(kind) for kind in ds["image_type"].values.tolist()]
    # a calibrated frame is free of the level that the offset sets
    level = [] if schema.is_raw(ds) else ["offset"]
    for kind in dict.fromkeys(types):
        some = ds[["image"]].isel(frame=[i for i, one in enumerate(types) if one == kind])
        check_alike(some, "one set", overruled, leave_out=["exposure", *level])


def _variables(parts: Sequence[Part], runs: Sequence[Run]) -> dict[str, xr.Variable]:
    names = dict.fromkeys(str(name) for part in parts for name in part.ds.data_vars)
    left_out = {*_OF_ONE_STACK, *_photons_unknown(parts)}
    return {name: _variable(parts, runs, name) for name in names if name not in left_out}


def _photons_unknown(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the planes of photon noise unless all sets state it alike, of frames or of stacks."""
    whole = all("photon_slope" in part.ds for part in parts)
    alike = len({"photon_variance" in part.ds for part in parts}) == 1
    return () if whole and alike else schema.PHOTON_PLANES


def _variable(parts: Sequence[Part], runs: Sequence[Run], name: str) -> xr.Variable:
    given = [part.ds[name].variable if name in part.ds else None for part in parts]
    there = [variable for variable in given if variable is not None]
    if name in SHARED and is_one(parts, given, name):
        return there[0]
    if name in schema.PHOTON_PLANES and is_common(given):
        return there[0]
    fill = 1 if name == "count" else 0
    missing = next((i for i, variable in enumerate(given) if variable is None), None)
    if missing is not None and name not in ("mask", "count", "photon_zero", *SHARED):
        raise ImageMismatchError(
            f"{named(parts[missing])} has no variable {name!r}, other sets have; drop it there, "
            f"or let all have it"
        )
    pieces: list[Piece] = []
    for number, cut in runs:
        variable = given[number]
        if variable is not None and "frame" in variable.dims:
            variable = variable[cut]
        pieces.append((fill if variable is None else variable, cut.stop - cut.start))
    shape = tuple(there[0].sizes[dim] for dim in schema.DIMS[1:])
    return join(pieces, shape, np.result_type(*(variable.dtype for variable in there)))


def _camera(parts: Sequence[Part]) -> Camera:
    """Return the camera as all sets agree on it; raw frames have to agree on all of it."""
    cameras = [json.loads(schema.camera_of(part.ds).to_json()) for part in parts]
    common = json.loads(Camera().to_json())
    for name, unknown in common.items():
        stated = {json.dumps(c[name]): part for c, part in zip(cameras, parts, strict=True)}
        if name in _MAY_BE_UNKNOWN and len(stated) > 1:
            stated.pop(json.dumps(unknown), None)
        if len(stated) == 1:
            common[name] = json.loads(next(iter(stated)))
        elif schema.is_raw(parts[0].ds):
            (one, first), (other, second) = list(stated.items())[:2]
            raise ImageMismatchError(
                f"the camera of {named(first)} has {name} = {one}, that of {named(second)} "
                f"{other}; calibrate each set on its own, and join what comes out"
            )
    return Camera.from_mapping(common)


def _history(sets: Sequence[xr.Dataset]) -> dict[str, str]:
    """Return the steps of the first set, which all share; masters of single sets are "several"."""
    common = set.intersection(*(provenance.identities(ds) for ds in sets))
    records = [
        _without(step, *_OF_FRAMES)
        | {
            "masters": {
                kind: made if made in common else _SEVERAL
                for kind, made in step.get("masters", {}).items()
            },
            "files": {
                kind: files
                for kind, files in step.get("files", {}).items()
                if step.get("masters", {}).get(kind) in common
            },
        }
        for step in provenance.history(sets[0])
    ]
    return {"history": json.dumps(records)} if records else {}
