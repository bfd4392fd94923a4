"""Datasets as FITS files: all names first, then one frame at a time, each file at once or not."""

import contextlib
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from typing import Any

import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance, schema
from autowisp_xr.io.hdus import image_hdus, output_header, product_hdus
from autowisp_xr.io.names import fill_template

__all__ = ["check_name", "to_fits", "write_product"]

_WRITTEN = ("image", "variance", "mask")
_DEFAULT_LEVEL = 16


@dataclass(frozen=True)
class _Target:
    path: str
    frame: int | None
    channel: int
    header: fits.Header


def to_fits(
    ds: xr.Dataset,
    template: str | PathLike[str],
    *,
    overwrite: bool = False,
    compress: float | bool | None = None,
    hashes: bool = True,
) -> list[str]:
    """Write frames or a master to FITS files, one for each frame and channel.

    Parameters
    ----------
    ds
        A frame set or a master. What is lazy is computed one frame (or dask chunk of frames) at
        a time.
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

    Returns
    -------
    Paths of the files, in the order of frames, then channels.

    Raises
    ------
    FileExistsError
        If a file exists already and ``overwrite`` is not set; before anything is written.
    HeaderError
        If the template asks for a keyword that the header does not have.
    ValueError
        If two outputs would have one name, or ``compress`` does not go with the names.

    Notes
    -----
    A file holds the image (its header, and the history of ``ds``), the error = sqrt(variance)
    and the mask; raw frames have the image only, in their own integer type. The error of a master
    is stored in float64, so that the variance that is read back has the same bits. Each file is
    written under a temporary name, synced, and renamed, so that a name never stands for half a
    file. ``count`` and the shared variances do not go along; Zarr keeps them.
    """
    schema.check(ds, master="frame" not in ds.dims)
    level = _level(compress)
    with warnings.catch_warnings():
        # astropy puts ill-formed cards of other people in order, and says so
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        targets = _targets(ds, template)
        _check(targets, overwrite=overwrite, level=level)
        if hashes:
            ds = provenance.with_hashes(ds)
        for folder in dict.fromkeys(os.path.dirname(target.path) for target in targets):
            if folder:
                os.makedirs(folder, exist_ok=True)
        pending = iter(targets)
        for part in _parts(ds[[name for name in _WRITTEN if name in ds]]):
            for channel in range(ds.sizes["channel"]):
                target = next(pending)
                hdus = image_hdus(
                    part,
                    channel,
                    target.header,
                    tiles=target.path.endswith(".fz"),
                    quantize=level,
                )
                _write(hdus, target.path, overwrite=overwrite)
    return [target.path for target in targets]


def write_product(
    path: str,
    header: fits.Header,
    records: Sequence[Mapping[str, Any]],
    image: Any,
    error: Any,
    mask: Any,
    *,
    overwrite: bool = False,
    compress: float | bool | None = None,
) -> None:
    """Write one calibrated image or master, given as planes (y, x), to a file of its own.

    Parameters
    ----------
    path
        Name of the file; its directory is made where there is none.
    header, records, image, error, mask
        As for :func:`autowisp_xr.io.hdus.product_hdus`.
    overwrite
        Whether an existing file may be replaced.
    compress
        As for :func:`to_fits`, but under any name; without it, names that end in .fz are
        compressed losslessly and all others not at all.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is not set.
    """
    level = _level(compress)
    tiles = level is not None or path.endswith(".fz")
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        hdus = product_hdus(header, records, image, error, mask, tiles=tiles, quantize=level)
        _write(hdus, path, overwrite=overwrite)


def check_name(path: str) -> None:
    """Raise an error unless a file of this name can be written, whether there is one or not.

    Raises
    ------
    IsADirectoryError
        For the name of a directory.
    ValueError
        For a name that ends in .gz, or none at all.
    """
    if not os.path.basename(path) or os.path.isdir(path):
        raise IsADirectoryError(f"{path!r} is a directory, or no name at all; name a file")
    if path.lower().endswith(".gz"):
        raise ValueError(
            f"{path!r}: files inside gzip are read but not written; a name that ends in .fz gives "
            "lossless compression"
        )


def _level(compress: float | bool | None) -> float | None:
    if compress is True:
        return _DEFAULT_LEVEL
    if not compress:
        return None
    if not isinstance(compress, Real) or not compress > 0:
        raise ValueError(f"compress is None, True or a positive number, not {compress!r}")
    return float(compress)


def _targets(ds: xr.Dataset, template: str | PathLike[str]) -> list[_Target]:
    # whether there is a variance tells calibrated frames from raw ones
    heads = ds.drop_vars(list(set(map(str, ds.data_vars)) - {"image", "variance"}))
    frames = range(ds.sizes["frame"]) if "frame" in ds.dims else [None]
    targets = []
    for frame in frames:
        head = heads if frame is None else _named(heads).isel(frame=frame)
        for channel in range(ds.sizes["channel"]):
            header = output_header(head, channel)
            extra = (
                {"channel": str(ds["channel"].values[channel])} if "channel" in ds.coords else {}
            )
            if "frame" in head.coords:
                extra["frame"] = str(head["frame"].values.item())
            path = fill_template(template, header, extra)
            targets.append(_Target(path, frame, channel, header))
    return targets


def _named(ds: xr.Dataset) -> xr.Dataset:
    """With names of frames, so that one frame that is selected is still known to be a frame."""
    if "frame" in ds.coords:
        return ds
    return ds.assign_coords(frame=[str(i) for i in range(ds.sizes["frame"])])


def _check(targets: list[_Target], *, overwrite: bool, level: float | None) -> None:
    taken: dict[str, _Target] = {}
    for target in targets:
        other = taken.setdefault(os.path.abspath(target.path), target)
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
        check_name(target.path)
    existing = [target.path for target in targets if os.path.lexists(target.path)]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise FileExistsError(
            f"{existing[0]!r}{more} exists already; choose another name, or overwrite=True"
        )


def _parts(ds: xr.Dataset) -> Iterator[xr.Dataset]:
    """Frames in memory, one at a time; a dask chunk of frames is computed once, not for each."""
    if "frame" not in ds.dims:
        yield ds.compute()
        return
    ds = _named(ds)
    try:
        sizes = ds.chunks.get("frame", ())
    except ValueError:  # variables in chunks of different sizes
        sizes = ()
    start = 0
    for size in sizes or (1,) * ds.sizes["frame"]:
        block = ds.isel(frame=slice(start, start + size)).compute()
        for i in range(size):
            yield block.isel(frame=i)
        start += size


def _write(hdus: fits.HDUList, path: str, *, overwrite: bool) -> None:
    folder, name = os.path.split(path)
    # hidden, and no FITS suffix: nobody takes it for a result while it grows
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "wb") as file:
            hdus.writeto(file, output_verify="silentfix+ignore", checksum=True)
            file.flush()
            os.fsync(file.fileno())
        if not overwrite and os.path.lexists(path):
            raise FileExistsError(f"{path!r} has come to exist while it was written")
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        if type(error) is OSError:
            # a full disk does not say which file it was
            raise OSError(error.errno, f"{path!r} could not be written: {error}") from error
        error.add_note(f"while {path!r} was written")
        raise
