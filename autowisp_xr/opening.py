"""Open FITS files as a frame set, with the noise that calibrated frames share.

A product names the masters that made it; they are looked for beside it, so that a stack of files
knows which of its noise averages down. Stacking reports what is not found.
"""

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

# xarray imports it with the first array that is not read yet; here the collector waits meanwhile
import dask.array  # noqa: F401
import xarray as xr
from numpy.typing import DTypeLike
from xarray.backends import BackendEntrypoint

from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.filesystem.addresses import is_address
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.units import MAGIC
from autowisp_xr.fits.unpacking import is_packed
from autowisp_xr.formats.pictures import format_of
from autowisp_xr.frames import checked, doubts_of_files, open_records, scan, unused_rules
from autowisp_xr.frames.named_masters import NamedMasters
from autowisp_xr.frames.names import FITS_SUFFIX, Paths
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.provenance import steps_of

_OF_OTHERS = ("tiff",)
"""Formats that other backends of xarray open as well."""


def open_fits(
    paths: Paths,
    *,
    camera: Camera | None = None,
    hdu: HduChoice = None,
    aliases: KeywordAliases | None = None,
    types: Mapping[str, str] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    dtype: DTypeLike | None = None,
    checksum: bool = False,
) -> xr.Dataset:
    """Open files as a frame set; headers are read now, pixels when they are used.

    Files are FITS or, by their endings, raw files of cameras (DNG, CR2, NEF ...; the extra
    ``raw``), SER videos, TIFF (extra ``tiff``) and XISF (extra ``xisf``), whose
    exposure, ISO, time, pattern and levels take the places of cards.

    Parameters
    ----------
    paths
        A path, a glob pattern, a directory, or several of these; in natural order. Of a directory,
        FITS files; where there are none, those of the first other format that it has any of.
    camera
        What is known about the camera. What it leaves open comes from the headers: EGAIN,
        RDNOISE, SATURATE, BAYERPAT, TRIMSEC, BIASSEC and their like; never from GAIN.
    hdu
        Which HDU is the image: None for the first that holds one, a number, a name (EXTNAME, or
        "EXTNAME,EXTVER" where several have it), or {channel: number or name} where each channel is
        an HDU of its own.
    aliases
        The aliases of each quantity, where the usual ones do not do.
    types
        {pattern: type}, such as ``{"flat-*": "flat", "zeros/*": "bias"}``: what frames are whose
        headers do not give it, or a wrong one. A pattern with "=" looks at a card
        ("IMAGETYP=Light Frame", "OBJECT=dome*"), any other at the name of the file or, with "/" in
        it, at the end of its path; letter case does not matter. A type is bias, dark, darkflat,
        flat, object or other. The first rule that a file fits decides, over all cards and names.
    on_error
        What to do with a file that cannot be read or whose header contradicts itself: "raise",
        or "skip", which records the reason in the history.
    dtype
        float32 or float64 for ``image`` and ``variance``; None for the types as stored.
    checksum
        Whether to compare all pixels with DATASUM, where headers have it, now.

    Returns
    -------
    ``image`` and, where the files have error and mask planes, ``variance`` (error squared) and
    ``mask`` (and of stacks ``count``), over (frame, channel, y, x), lazily indexed and without
    dask; coordinates in memory, ``camera`` and ``history`` in the attributes. Raw frames of a
    colour camera are split into its channels; incomplete super-pixels at the far edge of an
    odd-sized frame are left out, and recorded. ``ceiling`` on ``frame`` is the largest value that
    the integers of a file can have, at which a pixel is saturated whatever it is read as.
    Calibrated files come as they are: those that share RAWFNAME and differ in CLRCHNL are channels
    of one frame, and a history that this package wrote into them is taken up again.
    Where neither a rule nor a card gives the type of a frame, its name does ("BIAS" in x.BIAS.FIT,
    or "darks" of its folder); that is recorded in the history.

    Calibrated frames have what they share of their variance again, made of the masters that their
    history names: by the identity in the files of these, or by SHA-256, wherever they were when the
    frames were calibrated, in the directory of the frames and the one above, and in ``masters/``
    beside the frames, one or two above. Where one is not found, :func:`~autowisp_xr.stack` warns.

    Warns
    -----
    AutowispWarning
        If no file fits one of the ``types``; or files hold further images, or planes that are not
        understood, which are not read.

    Raises
    ------
    FileNotFoundError
        If there is nothing by one of the names.
    BadImageError
        For a file that is not FITS, truncated, garbled, or without a two-dimensional image.
    HeaderError
        If cards, or the headers of two files, contradict each other.
    ImageMismatchError
        If the files differ in shape, place, channels, planes or units.
    ValueError
        For a type rule that means nothing.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> files = night.objects(3).autowisp.to_fits(f"{folder}/{{RAWFNAME}}.fits")
    >>> raw = aw.open_fits(folder, camera=night.camera)
    >>> dict(raw.sizes), raw.image.dtype.name
    ({'frame': 3, 'channel': 1, 'y': 16, 'x': 56}, 'uint16')
    """
    records = scan(paths, hdu=hdu, aliases=aliases, types=types)
    records = checked(records) if checksum else records
    unused = (
        f"no file fits the type rule {rule!r}; it changes nothing"
        for rule in unused_rules(records, types)
    )
    for remark in (*unused, *doubts_of_files(records)):
        warnings.warn(remark, AutowispWarning, stacklevel=2)
    ds = open_records(records, camera=camera, hdu=hdu, dtype=dtype, on_error=on_error)
    if "variance" not in ds:
        return ds
    written = {record.path: record.layout.history for record in records}
    files = ds["path"].values.tolist()
    histories = [steps_of(written[path]) for path in files]
    if not any(step.get("masters") for steps in histories for step in steps):
        return ds
    # numba is loaded only where frames are calibrated
    from autowisp_xr.steps.restored_noise import with_shared_noise

    return with_shared_noise(ds, histories, NamedMasters(files).find)


class AutowispBackend(BackendEntrypoint):
    """The door of xarray, ``xr.open_dataset(path, engine="autowisp")``.

    It leads to :func:`open_fits` and, for the directory of a Zarr store or a store as an object, to
    :func:`autowisp_xr.open_zarr`.
    """

    description = "Frames of CCD, CMOS and DSLR cameras in FITS files, and nights in Zarr stores"

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        camera: Camera | None = None,
        hdu: HduChoice = None,
        aliases: KeywordAliases | None = None,
        types: Mapping[str, str] | None = None,
        group: str | None = None,
    ) -> xr.Dataset:
        """Open a path, a glob pattern, a directory or a list of these; or a group of a store."""
        if _is_store(filename_or_obj):
            from autowisp_xr.recipes import open_zarr

            ds = open_zarr(filename_or_obj, group=group)
        else:
            ds = open_fits(filename_or_obj, camera=camera, hdu=hdu, aliases=aliases, types=types)
        names = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        return ds.drop_vars(names, errors="ignore")

    def guess_can_open(self, filename_or_obj: object) -> bool:
        """Whether a path has one of our suffixes, and FITS begins like it, or what packs it."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = os.fspath(filename_or_obj)
        if not isinstance(path, str):
            return False
        if format_of(path):
            return format_of(path) not in _OF_OTHERS and os.path.isfile(path)
        if FITS_SUFFIX.search(path) is None:
            return False
        try:
            with open(path, "rb") as file:
                start = file.read(len(MAGIC))
        except OSError:
            return False
        return start == MAGIC or is_packed(start)


def _is_store(given: Any) -> bool:
    if isinstance(given, str | os.PathLike):
        if is_address(given) and os.fspath(given).rstrip("/").endswith(".zarr"):
            return True
        return (Path(given).expanduser() / "zarr.json").is_file()
    from zarr.abc.store import Store

    return isinstance(given, Store)
