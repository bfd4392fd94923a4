"""Calibrated frames in a store, as raw integers and a recipe; opened, they are computed.

A calibrated pixel has nine bytes that two, the masters and a recipe determine to the bit, and the
fused pass makes it faster than a disk reads nine bytes. So a group holds the raw frames, lossless,
and in one attribute how they are calibrated, by which masters of the same store, what came of it
(camera, history), and the number of the arithmetic. What does not follow from a pixel, its masters
and its row (the flags of cold pixels and cosmic rays, the scale of fringes) lies beside the raw
frames. For other programs such a group is what it holds:
raw frames, and an attribute that states so.
"""

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import frames, provenance, schema, store
from autowisp_xr.arrays import Bits
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.beside import Beside
from autowisp_xr.errors import AutowispWarning, BadImageError, CalibrationError
from autowisp_xr.filesystem.addresses import file_of
from autowisp_xr.flags import Flag
from autowisp_xr.provenance.file_digests import file_entry, hashed_entry
from autowisp_xr.recipes.masters import INPUTS, loaded, opened, reference, referred
from autowisp_xr.recipes.recipe import ARITHMETIC, Known, Recipe
from autowisp_xr.schema import DIMS
from autowisp_xr.steps.fringe import Scale
from autowisp_xr.store import StoreLike, store_at
from autowisp_xr.store.group import Group

RECIPE = "autowisp_xr_recipe"
"""Attribute of a group that holds raw frames: the recipe of what they are opened as."""

_NOTE = """\
The image holds raw integers. autowisp_xr.open_zarr opens this group as calibrated frames, which \
are computed by the recipe when they are looked at."""

_NOTE_OF_LINKS = """\
The pixels are in the FITS files that are listed here. autowisp_xr.open_zarr opens this group as \
calibrated frames, which are computed by the recipe when they are looked at."""

_FLAGS = "flags"
_OF_SURROUNDINGS = np.uint8(Flag.FAULT | Flag.COSMIC)
"""What cold pixels and cosmic rays bear, others among them. Such planes take hardly any room."""

_AREA = (*DIMS[:2], "y_of_flags", "x_of_flags")
_SCALE = ("fringe_scale", "fringe_scale_uncertainty")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A recipe with what it is applied to: raw frames, and masters by their groups in the store."""

    recipe: Recipe
    raw: xr.Dataset
    masters: Mapping[str, str | xr.Dataset]
    """Each master, by its kind: as a group of the store, or to be stored, too."""
    masks: Sequence[xr.Dataset] = ()
    link: bool = False
    """Whether pixels of raw frames stay in the files that they were read from."""


def store_set(
    made: xr.Dataset,
    kept: Kept,
    place: StoreLike,
    *,
    group: str,
    overwrite: bool = False,
    keep: bool = False,
    beside: Beside | None = None,
) -> xr.Dataset:
    """Store calibrated frames as what they were made of, and open what was stored.

    Parameters
    ----------
    made
        The frames, as the recipe has made them; lazy. They are computed once, for their flags.
    kept
        What they were made of and how.
    place, group, overwrite
        As for :func:`~autowisp_xr.to_zarr`.
    keep, beside
        As for :func:`~autowisp_xr.store.write_group`.

    Returns
    -------
    The frames as :func:`open_zarr` gives them. A group that has all of them already, in pixels or
    as a recipe, stays as it is.
    """
    if not overwrite and _is_whole(place, group, made):
        return _open_set(place, group)
    # as a kernel, for one pass to make flags, and files beside them
    (flags,) = blocks.apply(_flags_of, [made["mask"].variable], DIMS, [np.uint8], free=DIMS)
    flags = _over(flags, _AREA)
    raw = kept.raw[["image"]].assign({_FLAGS: flags}).drop_vars("image" if kept.link else [])
    raw = raw.assign_coords({name: made[name] for name in _SCALE if name in made.coords})
    before = len(provenance.history(kept.raw))
    own = xr.Dataset(attrs={"history": json.dumps(provenance.history(made)[before:])})
    written = {
        "about": _NOTE_OF_LINKS if kept.link else _NOTE,
        "arithmetic": ARITHMETIC,
        "recipe": kept.recipe.to_json(),
        "masters": {kind: reference(place, one) for kind, one in kept.masters.items()},
        "masks": [reference(place, one) for one in kept.masks],
        "attrs": {name: value for name, value in made.attrs.items() if name != "history"},
        "steps": provenance.history(provenance.with_hashes(own)),
    }
    if kept.link:
        written["files"] = linked(kept.raw)
    raw.attrs[RECIPE] = json.dumps(written)
    given: dict[str, Any] = {"group": group, "identity": identity_of(made, link=kept.link)}
    # raw frames are the same whatever calibrates them, flags are not
    given |= {"overwrite": overwrite, "keep": keep, "frames": provenance.frame_identities(made)}
    given["beside"] = beside
    store.write_group(raw, place, **given)
    return _open_set(place, group)


def identity_of(made: xr.Dataset, *, link: bool = False) -> str:
    """Return the identity of a group that has calibrated frames as a recipe.

    Half of a group is never completed in another form, so they have different ones.
    """
    return f"{provenance.fingerprint(made, lazy=False)}-{'link' if link else 'recipe'}"


def store_product(
    made: xr.Dataset,
    kept: Kept | None,
    place: StoreLike,
    *,
    group: str,
    overwrite: bool = False,
    keep: bool = False,
    beside: Beside | None = None,
) -> xr.Dataset:
    """Store a master, or frames as their pixels or, where ``kept`` is given, as their recipe.

    Parameters and what is returned are as for :func:`store_set`. A frame that is there already, and
    has the same identity, is taken to be what its history states.
    """
    given: dict[str, Any] = {"group": group, "overwrite": overwrite, "keep": keep}
    given["beside"] = beside
    if kept is not None:
        return store_set(made, kept, place, **given)
    identity = provenance.fingerprint(made, lazy=False)
    if "frame" in made.dims:
        given["frames"] = provenance.frame_identities(made)
        store.write_group(made, place, identity=identity, **given)
        return store.open_zarr(place, group=group)
    # made once, for the store, for its files, and for what it corrects
    planes = store.write_group(made, place, identity=identity, **given)
    return opened(place, group, identity, planes)


def outline(place: StoreLike, *, group: str) -> xr.Dataset:
    """Return what a group holds, as far as it is written, with the history that it is opened with.

    Its planes are those that are stored, raw or calibrated.
    """
    ds = _open_group(place, group=group, unfinished=True)
    text = ds.attrs.get(RECIPE)
    if text is None:
        return ds
    return provenance.with_history(ds, [*provenance.history(ds), *json.loads(text)["steps"]])


def remove_unused_inputs(place: StoreLike) -> None:
    """Remove masters of other nights, and masks, that no group of a store refers to any more."""
    unused = {f"{INPUTS}/{name}" for name in store.groups_of(place, INPUTS)}
    for group in store.groups_of(place) if unused else ():
        text = Group.at(place, group).open("r").attrs.get(RECIPE)
        if text is not None:
            written = json.loads(str(text))
            named = (*written["masters"].values(), *written["masks"])
            unused -= {one["group"] for one in named}
    for group in unused:
        store.remove(place, group)


def _is_whole(place: StoreLike, group: str, made: xr.Dataset) -> bool:
    """Return whether a group has frames already, in whatever form."""
    found = store.stated_identity(place, group)
    same = (found or "").partition("-")[0] == provenance.fingerprint(made, lazy=False)
    return same and not store.damage_of(place, group)


def _flags_of(mask: Bits) -> tuple[Bits]:
    """Return the flags that surroundings have given."""
    return (mask & _OF_SURROUNDINGS,)


def _over(plane: xr.Variable, dims: tuple[str, ...]) -> xr.Variable:
    plane = plane.copy(deep=False)
    plane.dims = dims
    return plane


def open_zarr(
    store: StoreLike,
    *,
    group: str | None = None,
    unfinished: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open frames or a master that :func:`to_zarr` or :func:`reduce` wrote.

    Parameters
    ----------
    store, group
        As they were written.
    unfinished
        Whether a store whose writing was interrupted gives the frames that it has, instead of
        an error.
    storage_options
        Of an address, for fsspec, as ``{"anon": True}``.

    Returns
    -------
    The Dataset, coordinates in memory, planes lazily indexed; or, where the group holds raw
    integers and a recipe, as dask arrays that are computed when they are looked at, to the bits of
    ``calibrate``. Pixels are read each time that they are asked for, and never those of what has
    replaced the group since it was opened: that is a BadImageError.

    Raises
    ------
    FileNotFoundError
        If there is no such group.
    BadImageError
        If the group is unfinished, was not written by :func:`to_zarr`, or a master of its recipe
        or a linked raw frame is not what it was.
    CalibrationError
        If the recipe is of another arithmetic than this version has.
    InUseError
        If the group is being replaced at this moment.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> lights = aw.calibrate(night.objects(2), camera=night.camera)
    >>> stored = lights.autowisp.to_zarr(f"{folder}/night.zarr", group="calibrated/V")
    >>> dict(aw.open_zarr(f"{folder}/night.zarr", group="calibrated/V").sizes)
    {'frame': 2, 'channel': 1, 'y': 16, 'x': 24}
    """
    store = store_at(store, storage_options)
    ds = _open_group(store, group=group, unfinished=unfinished)
    text = ds.attrs.pop(RECIPE, None)
    return ds if text is None else _calibrated(ds, json.loads(text), store, group)


_open_group = store.open_zarr


def _open_set(place: StoreLike, group: str) -> xr.Dataset:
    """Open a group that was just stored: what its masters lend to all frames is made once, here."""
    ds = _open_group(place, group=group)
    text = ds.attrs.pop(RECIPE, None)
    return ds if text is None else _calibrated(ds, json.loads(text), place, group, at_hand=True)


def _calibrated(
    raw: xr.Dataset,
    written: Mapping[str, Any],
    place: StoreLike,
    group: str | None,
    *,
    at_hand: bool = False,
) -> xr.Dataset:
    """Return what a recipe makes of the raw frames of a group; its masters ``at_hand`` or not."""
    if written["arithmetic"] != ARITHMETIC:
        version = written["steps"][-1]["versions"]["autowisp-xr"]
        raise CalibrationError(
            f"{place}/{group}: its frames were calibrated by the arithmetic number "
            f"{written['arithmetic']}, and this version has {ARITHMETIC}, which gives other bits; "
            f"open it with autowisp-xr {version}, or make it again by reduce(..., overwrite=True); "
            "the raw frames are in xarray.open_zarr"
        )
    masters = {kind: referred(place, one) for kind, one in written["masters"].items()}
    masks = [referred(place, one) for one in written["masks"]]
    if at_hand:
        masters = {kind: loaded(one) for kind, one in masters.items()}
        masks = [loaded(one) for one in masks]
    scale = Scale(*(raw[name].values for name in _SCALE)) if _SCALE[0] in raw.coords else None
    if "files" in written:
        raw = _with_linked(raw, written["files"])
    known = Known(flags=_over(raw[_FLAGS].variable, DIMS), fringe_scale=scale)
    frames = raw.drop_vars([_FLAGS, *_SCALE], errors="ignore")
    with warnings.catch_warnings():
        # those that made the frames were given these, and noted them
        warnings.simplefilter("ignore", AutowispWarning)
        made = Recipe.from_json(written["recipe"]).apply(frames, masters, masks, known)
    history = json.dumps([*provenance.history(raw), *written["steps"]])
    made.attrs = {**written["attrs"], "history": history}
    return made


def linked(raw: xr.Dataset) -> list[dict[str, Any]]:
    """Return what files of frames are known by: path, size, time and, where wanted, SHA-256."""
    files = [file_entry(path) for path in raw["path"].values.tolist()]
    provenance.add_hashes(files)
    return files


def _with_linked(raw: xr.Dataset, files: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """Return frames with the pixels of their files, lazily indexed.

    Parameters
    ----------
    raw
        The frames without pixels.
    files
        As :func:`linked` gave them.

    Raises
    ------
    BadImageError
        If a file is gone or is not what it was.
    """
    known, paths = {file["path"]: file for file in files}, raw["path"].values.tolist()
    for path in paths:
        _check(path, known[path])
    hdu = provenance.history(raw)[0]["options"].get("hdu")
    records = frames.scan(paths, hdu=hdu)
    opened = frames.open_records(records, camera=schema.camera_of(raw), hdu=hdu)
    found = opened["path"].values.tolist()
    order = [found.index(path) for path in paths]
    image = opened["image"].variable
    return raw.assign(image=image if order == sorted(order) else image[np.array(order)])


def _check(path: str, known: Mapping[str, Any]) -> None:
    try:
        status = os.stat(file_of(path))
        same = status.st_size == known["size"]
        if same and status.st_mtime_ns != known["changed"]:
            same = hashed_entry(path)["sha256"] == known.get("sha256")
    except OSError as error:
        raise BadImageError(
            f"{path}, whose pixels a store has linked, cannot be read ({error.strerror}); put it "
            "back, or reduce the night again from where it is now"
        ) from error
    if not same:
        raise BadImageError(
            f"{path} was changed since the night was reduced (it had {known['size']} bytes, and "
            f"has {status.st_size}), and its pixels are linked; put it back as it was, or reduce "
            "the night again with overwrite=True"
        )
