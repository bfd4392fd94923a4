"""Write Datasets to FITS files: all names are checked first."""

import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from typing import Any, NamedTuple, TypeVar

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from autowisp_xr import provenance, schema
from autowisp_xr.bridge.beside import Beside
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.checked_numbers import is_positive
from autowisp_xr.filesystem.addresses import local_path
from autowisp_xr.first_names import first_of
from autowisp_xr.frames import ccddata
from autowisp_xr.frames.atomic_write import check_name, write_whole
from autowisp_xr.frames.names import fill_template
from autowisp_xr.frames.parallel_writing import Report, Target, Writing, beside, write_frames
from autowisp_xr.frames.product_hdus import content_of, history_of, output_headers
from autowisp_xr.headers.coordinates import is_master
from autowisp_xr.headers.fate_rules import set_facts
from autowisp_xr.headers.product import digest_facts

Result = TypeVar("Result")

_WRITTEN = (
    *("image", "variance", "mask", *schema.NUMBERS_OF_VALUES),
    *("rate", "scatter", "response"),
)
_DEFAULT_LEVEL = 16


def to_fits(
    ds: xr.Dataset,
    template: str | PathLike[str],
    *,
    overwrite: bool = False,
    compress: float | bool | None = None,
    hashes: bool = True,
    memory_limit: MemoryLimit = None,
) -> list[str]:
    """Write frames or a master to FITS files, one for each frame and channel.

    Parameters
    ----------
    ds
        A frame set or a master. What is lazy is computed a few frames (or dask chunks of frames)
        at a time, and masters that all of them need once.
    template
        Name of the files, with keywords of the header in braces: "{RAWFNAME}_{CLRCHNL}.fits".
        CLRCHNL is always known ("mono"), and so are ``frame`` and ``channel``. Names that end in
        .fz become tile-compressed files.
    overwrite
        Whether existing files may be replaced.
    compress
        For .fz names: None is lossless; a number rounds floats to the scatter of each row
        divided by it (True is 16, as the original AutoWISP does).
    hashes
        Whether the history that goes along names the SHA-256 of the files that were read.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`.

    Returns
    -------
    Paths of the files, in the order of frames, then channels.

    Raises
    ------
    FileExistsError
        If a file exists already and ``overwrite`` is not set, or is one of those that ``ds`` was
        read from; before anything is written.
    NotWrittenError
        Where the disk is full or read-only, naming file, room and remedy.
    HeaderError
        If the template asks for a keyword that the header does not have.
    ValueError
        If two outputs would have one name, or ``compress`` does not go with the names; for an
        address ("s3://...").

    Notes
    -----
    A file holds the image (its header, and the history of ``ds``), the error = sqrt(variance)
    and the mask, and that of a master ``count``, ``rejected_low`` and ``rejected_high``, too, where
    there are any; in that of defects ``reason`` is the image, and their numbers lie beside it; raw
    frames have the image only, in their own integer type. The error of a master is stored in
    float64, so that the variance that is read back has the same bits. The shared variances do not
    go along: Zarr keeps them, and ``autowisp_xr.open_fits`` makes them again of the masters, if
    their files are near. What becomes of each card of a raw frame,
    :data:`autowisp_xr.headers.fates.TABLE` lists.

    Each file is written under a temporary name, synced, and renamed, so that a name never stands
    for half a file; the channels of a frame appear together. After an error, no further frame is
    begun. With dask, its scheduler runs the writing, too: on a cluster, names have to mean the same
    files everywhere.

    Nothing is locked. Where two runs write the same names at once, each file is whole, and is that
    of one of them. Without ``overwrite``, the run that comes second to a name ends with a
    FileExistsError, and removes what it has written of that frame (on a file system without hard
    links, it may replace the file of the first). With ``overwrite``, the later file stays, and the
    channels of one frame may be of different runs.

    ``CCDData.read`` of astropy takes unit, errors and mask of a file without an argument where it
    was imported before something was written; elsewhere it needs ``hdu_uncertainty="ERROR"``.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> files = night.objects(2).autowisp.to_fits(f"{folder}/{{RAWFNAME}}.fits")
    >>> [path.rpartition("/")[2] for path in map(str, files)]
    ['object-0001.fits', 'object-0002.fits']
    """
    given: dict[str, Any] = {"overwrite": overwrite, "compress": compress, "hashes": hashes}
    with limited(memory_limit):
        return write_missing(ds, template, lambda path, identity: False, **given)


def write_missing(
    ds: xr.Dataset,
    template: str | PathLike[str],
    keeps: Callable[[str, str], bool],
    *,
    overwrite: bool = False,
    compress: float | bool | None = None,
    hashes: bool = True,
    report: Report | None = None,
) -> list[str]:
    """Write those of the files of :func:`to_fits` that are not to be kept as they are.

    Parameters
    ----------
    ds, template, overwrite, compress, hashes
        As for :func:`to_fits`.
    keeps
        Called with the path of each file before any is written, and the identity of what it is to
        hold; whether it stays as it is.
    report
        Called with the files of a frame soon after they are written: entries as
        :func:`autowisp_xr.provenance.hashed_entry` makes them, or without ``hashes``,
        :func:`autowisp_xr.provenance.file_entry`.

    Returns
    -------
    Paths of all files, those that were kept among them.
    """
    digest = hashes and report is not None
    given: dict[str, Any] = {"overwrite": overwrite, "compress": compress, "hashes": hashes}
    with _planned(ds, template, keeps, digest=digest, **given) as plan:
        if any(plan.files):
            for of_frame in write_frames(plan.ds, plan.write, plan.files):
                if report is not None:
                    report(of_frame)
        return plan.paths


def write_beside(
    ds: xr.Dataset,
    template: str | PathLike[str],
    keeps: Callable[[str, str], bool],
    through: Callable[[Beside], Result],
    *,
    report: Report,
    hashes: bool = True,
) -> Result:
    """Write files of frames, or a master, in the pass in which something else is made of them.

    Parameters
    ----------
    ds, template, keeps, hashes, report
        As for :func:`write_missing`; files are replaced that are not kept.
    through
        Makes it, given what writes the files; what it returns is returned.
    """
    given: dict[str, Any] = {"overwrite": True, "compress": None, "hashes": hashes}
    with (
        _planned(ds, template, keeps, digest=hashes, **given) as plan,
        beside(plan.ds, plan.write, plan.files, report) as writing,
    ):
        return through(writing)


class _Planned(NamedTuple):
    """What is to be written, and where."""

    ds: xr.Dataset
    paths: list[str]
    """Of all files."""
    files: Sequence[Target | None]
    """Those that are to be written."""
    write: Writing


@contextmanager
def _planned(
    ds: xr.Dataset,
    template: str | PathLike[str],
    keeps: Callable[[str, str], bool],
    *,
    overwrite: bool,
    compress: float | bool | None,
    hashes: bool,
    digest: bool,
) -> Iterator[_Planned]:
    """Plan the files of frames or a master, which are to be written within the context."""
    schema.check(ds, master="frame" not in ds.dims)
    template = local_path(
        template,
        "FITS files are written to directories; write them there and copy them, or keep the frames "
        f"in a store, as aw.to_zarr(ds, {os.fspath(template)!r})",
    )
    if "image" not in ds:
        # the image of a file of defects is what is wrong with its pixels
        ds = ds.rename(reason="image")
    level = quantize_level(compress)
    ds = provenance.with_lines(ds)
    ccddata.register()
    with warnings.catch_warnings():
        # astropy puts ill-formed cards of other people in order, and warns
        warnings.simplefilter("ignore", AstropyWarning)
        targets = _targets(ds, template, provenance.history(ds))
        inputs = {file["path"] for file in provenance.files_of(ds)}
        _check_names(targets, level)
        paths = [target.path for target in targets]
        made = provenance.frame_identities(ds) if "frame" in ds.dims else [provenance.identity(ds)]
        files = [
            None if keeps(target.path, made[target.frame or 0]) else target for target in targets
        ]
        wanted = [target for target in files if target is not None]
        _check_places(wanted, inputs, overwrite=overwrite)
        # numbers that are one for all frames are those of none
        dims = ds["image"].dims
        names = [name for name in _WRITTEN if name in ds and ds[name].dims == dims]
        if wanted:
            files = _with_histories(files, provenance.with_hashes(ds) if hashes else ds)
        yield _Planned(ds, paths, files, Writing(names, overwrite, level, digest=digest))


def with_files(master: xr.Dataset, files: Sequence[str]) -> xr.Dataset:
    """Return a master that names the files it was written to, one a channel; frames as they are."""
    if "frame" in master.dims or len(files) != master.sizes["channel"]:
        return master
    paths = np.array(files, dtype=np.dtypes.StringDType())
    if len(files) == 1:
        return master.assign_coords(path=((), paths[0]))
    return master.assign_coords(channel_path=("channel", paths))


class OutputFile(NamedTuple):
    """A calibrated image or a master, and the file that is to hold it."""

    path: str
    header: fits.Header
    """Without structural cards."""
    planes: Mapping[str, np.ndarray[Any, Any]]
    """``image``, ``variance`` and ``mask``: (y, x), in memory."""


def write_products(
    products: Sequence[OutputFile],
    records: Sequence[Mapping[str, Any]],
    *,
    overwrite: bool,
    compress: float | bool | None,
) -> None:
    """Write images that belong together, each to a file of its own: all of them or none.

    Parameters
    ----------
    products
        What to write, and where; directories are made where there are none.
    records
        Their history, as :func:`autowisp_xr.provenance.history` gives it.
    overwrite
        Whether existing files may be replaced.
    compress
        As for :func:`to_fits`, but under any name; without it, names that end in .fz are
        compressed losslessly and all others not at all.

    Raises
    ------
    FileExistsError
        If a file exists and ``overwrite`` is not set.
    """
    level = quantize_level(compress)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        history = history_of(records)
        outputs = []
        for path, header, planes in products:
            tiles = level is not None or path.endswith(".fz")
            content = content_of(planes, header, history, exact=True, tiles=tiles, quantize=level)
            outputs.append((path, content))
        write_whole(outputs, overwrite=overwrite)


def quantize_level(compress: float | bool | None) -> float | None:
    """Return the level of quantisation that ``compress`` asks for; None for none.

    Raises
    ------
    ValueError
        If it is neither None, True nor a positive number.
    """
    if compress is True:
        return _DEFAULT_LEVEL
    if not compress:
        return None
    if not is_positive(compress):
        raise ValueError(f"compress is None, True or a positive number, not {compress!r}")
    return float(compress)


def _with_histories(targets: Sequence[Target | None], ds: xr.Dataset) -> list[Target | None]:
    """Give each file the history of its frame, and the digests of the masters of its channel."""
    channels = schema.names(ds, "channel") if "channel" in ds.coords else [schema.MONO]
    if "frame" in ds.dims:
        histories = list(provenance.own_histories(ds))
    else:
        histories = [provenance.history(ds)]
    done = []
    for target in targets:
        if target is not None:
            records, header = histories[target.frame or 0], target.header.copy()
            set_facts(header, digest_facts(records, channels[target.channel]))
            target = replace(target, header=header, history=history_of(records))
        done.append(target)
    return done


def _targets(
    ds: xr.Dataset, template: str | PathLike[str], records: Sequence[Mapping[str, Any]]
) -> list[Target]:
    # calibrated frames differ from raw ones in that they have a variance
    heads = ds.drop_vars(list(set(map(str, ds.data_vars)) - {"image", "variance"}))
    if "frame" in ds.dims and "frame" not in ds.coords:
        # one frame that is selected is still to be known as a frame
        heads = heads.assign_coords(frame=[str(i) for i in range(ds.sizes["frame"])])
    targets = []
    for frame in range(ds.sizes["frame"]) if "frame" in ds.dims else [None]:
        head = heads if frame is None else heads.isel(frame=frame)
        for channel, header in enumerate(output_headers(head, records)):
            names = {}
            if "channel" in ds.coords:
                names["channel"] = str(ds["channel"].values[channel])
            if "frame" in head.coords:
                names["frame"] = str(head["frame"].values.item())
            path = fill_template(template, header, names)
            exact = "frame" not in names or is_master(header)
            targets.append(Target(path, frame, channel, header, (), exact))
    return targets


def _check_names(targets: list[Target], level: float | None) -> None:
    taken: dict[str, Target] = {}
    for target in targets:
        other = taken.setdefault(os.path.realpath(target.path), target)
        if other is not target:
            raise ValueError(
                f"two outputs would have the name {target.path!r} (frames number {other.frame} and "
                f"{target.frame}, channels number {other.channel} and {target.channel}); put "
                "{frame}, {RAWFNAME} or {CLRCHNL} into the template"
            )
        if level is not None and not target.path.endswith(".fz"):
            raise ValueError(
                f"compress={level:g} makes tile-compressed files, whose names end in .fz, not "
                f"{target.path!r}"
            )


def _check_places(targets: list[Target], inputs: Collection[str], *, overwrite: bool) -> None:
    read = set(map(os.path.realpath, inputs))
    for target in targets:
        check_name(target.path, read)
    existing = [target.path for target in targets if os.path.lexists(target.path)]
    if existing and not overwrite:
        raise FileExistsError(
            f"{first_of([*map(repr, existing)])} exists already; choose another name, or "
            "overwrite=True"
        )
