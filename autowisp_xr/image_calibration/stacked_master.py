"""What the makers of masters ask of their frames, how they stack them, and what they write."""

import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Integral
from os import PathLike
from os.path import expanduser, realpath
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy.io import fits
from dask.array import store

from autowisp_xr import provenance, schema
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.fits.spool import Spool
from autowisp_xr.flags import Flag, as_flag
from autowisp_xr.frames.parallel import scheduler
from autowisp_xr.frames.planes import open_planes
from autowisp_xr.frames.product_hdus import plain_header
from autowisp_xr.frames.write import Product, quantize_level, write_products
from autowisp_xr.headers.cards import ascii_text, parse_header, set_cards, value_of
from autowisp_xr.headers.fate_rules import tell
from autowisp_xr.headers.fates import TABLE
from autowisp_xr.headers.product import raw_gain_told
from autowisp_xr.headers.values import to_degrees, to_number
from autowisp_xr.image_calibration.outputs import check_output, output_name
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stack.stacking import stack
from autowisp_xr.stats.averages import average_named, quantile_of
from autowisp_xr.stats.floats import as_floats

__all__ = [
    "as_sigma_clip",
    "check_flat_names",
    "check_options",
    "computed",
    "listed",
    "opened",
    "pointed",
    "prepared",
    "stacked",
    "write_master",
]


def as_sigma_clip(outlier_threshold: float | Sequence[float], max_iter: float | None) -> SigmaClip:
    """The rejection that ``outlier_threshold`` and ``max_iter`` ask for."""
    rounds = None if max_iter is None or max_iter == np.inf else int(max_iter)
    if rounds is not None and rounds != max_iter:
        raise ValueError(f"max_iter is a whole number or infinite, not {max_iter!r}")
    return SigmaClip(upper_and_lower(outlier_threshold), max_iter=rounds)


def listed(frame_list: Iterable[str | PathLike[str]]) -> list[str]:
    """Names of the files of a stack; a TypeError for the name of one."""
    if isinstance(frame_list, str | PathLike):
        raise TypeError(f"frame_list is a list of files, not {frame_list!r}")
    return [expanduser(file) for file in frame_list]


def check_options(options: Mapping[str, Any], compress: Any = None) -> None:
    """Raise ValueError for options of a stack that no frames could go with."""
    quantize_level(compress)
    as_sigma_clip(options["outlier_threshold"], options["max_iter"])
    quantile_of(average_named(options["average_func"]))
    as_flag(options["exclude_mask"] or ())
    for name in ("min_valid_frames", "min_valid_values"):
        if not isinstance(options[name], Integral):
            raise ValueError(f"{name} is a whole number, not {options[name]!r}")


def opened(
    files: Sequence[str],
    alike: Sequence[str] = ("IMAGETYP", "CLRCHNL"),
    dtype: npt.DTypeLike | None = np.float64,
) -> xr.Dataset:
    """Frames that agree in keywords, not yet read; files without a mask are clear.

    Their type is ``dtype``; None is for the smallest that holds the values of all files, which is
    less to read.

    Raises
    ------
    ValueError
        If a file is named more than once.
    ImageMismatchError
        For frames that differ in shape or such a keyword; it names two files.
    """
    repeated = [file for file, times in Counter(files).items() if times > 1]
    if repeated:
        raise ValueError(f"frame_list names {repeated[0]!r} more than once")
    frames = open_planes(files, dtype=dtype, exact=True).drop_vars("variance", errors="ignore")
    _check_alike(frames, alike)
    return frames


def _check_alike(frames: xr.Dataset, keywords: Sequence[str]) -> None:
    """Raise ImageMismatchError, naming two files, if values of a keyword differ."""
    headers = [parse_header(str(text)) for text in frames["header"].values]
    paths = frames["path"].values.tolist()
    for keyword in keywords:
        values = [value_of(header, keyword) for header in headers]
        for path, value in zip(paths, values, strict=True):
            if value != values[0]:
                raise ImageMismatchError(
                    f"{path} has {keyword} {value!r}, {paths[0]} has {values[0]!r}; frames of one "
                    "type, channel and filter make a master"
                )


def pointed(frames: xr.Dataset) -> xr.Dataset:
    """Frames with ``ra`` and ``dec`` in degrees, of RA in hours and DEC in degrees; NaN without."""
    headers = [parse_header(str(text)) for text in frames["header"].values]
    ra = [_angle(value_of(header, "RA"), 15.0) for header in headers]
    dec = [_angle(value_of(header, "DEC"), 1.0) for header in headers]
    return frames.assign_coords(ra=("frame", ra), dec=("frame", dec))


def _angle(value: Any, degrees_per_unit: float) -> float:
    number = to_number(value)
    return to_degrees(value, degrees_per_unit) if np.isnan(number) else number * degrees_per_unit


def check_flat_names(names: Mapping[str, str], overwrite: bool, inputs: Collection[str]) -> None:
    """Raise, before anything is read, for names of two masters that cannot both be written."""
    if len({realpath(name) for name in names.values()}) < len(names):
        raise ValueError(f"the high and the low master would both be {names['high']!r}")
    for name in names.values():
        if "{" not in name:
            check_output(name, overwrite=overwrite, inputs=inputs)


def prepared(frames: xr.Dataset, prepare: Callable[[Any], Any]) -> tuple[xr.Dataset, list[str]]:
    """Frames as a hook returns them, and the files for which it returned None.

    They wait in a temporary file, so that memory holds one at a time.
    """
    paths = [str(path) for path in frames["path"].values]
    shape = (frames.sizes["y"], frames.sizes["x"])
    kept = []
    spool = Spool(shape)
    for number, path in enumerate(paths):
        image = prepare(frames["image"][number, 0].values)
        if image is None:
            continue
        image = as_floats(image)
        if image.shape != shape:
            raise ImageMismatchError(
                f"prepare_for_stacking made of {path}, of the shape {shape} (rows, columns), an "
                f"array of the shape {image.shape}"
            )
        spool.append(image)
        kept.append(number)
    discarded = [path for number, path in enumerate(paths) if number not in kept]
    chosen = frames.isel(frame=kept)
    if kept:
        chosen = schema.with_attributes(chosen.assign(image=spool.variable()), "adu")
    by = getattr(prepare, "__qualname__", type(prepare).__qualname__)
    return provenance.record(chosen, "prepare_for_stacking", {"by": by}, source=frames), discarded


def stacked(
    frames: xr.Dataset, options: Mapping[str, Any], custom_header: Mapping[str, Any] | None = None
) -> tuple[xr.Dataset, fits.Header]:
    """The master of frames, not yet computed, and its header."""
    _warn_of_few(frames.sizes["frame"], options)
    master = stack(
        frames,
        average_named(options["average_func"]),
        reject=as_sigma_clip(options["outlier_threshold"], options["max_iter"]),
        exclude=options["exclude_mask"] or (),
        min_values=options["min_valid_values"],
        error="standard_error",
        average_keywords=options["add_averaged_keywords"],
        dtype="float64",
    )
    header = plain_header(str(master["header"].values))
    _drop_noise(header)
    _document(header, frames["path"].values.tolist(), options, master["image"].attrs["units"])
    set_cards(header, custom_header)
    return master, header


def computed(master: xr.Dataset, min_valid_values: int) -> tuple[Any, Any, Any]:
    """Values, standard error and mask of a master."""
    planes = [master[name].isel(channel=0) for name in ("image", "variance", "count")]
    if all(plane.chunks for plane in planes):
        # straight to where they belong: put together from bands, each would be there twice
        done = [np.empty(plane.shape, plane.dtype) for plane in planes]
        store([plane.data for plane in planes], done, lock=False, **scheduler())
    else:
        done = [plane.values for plane in planes]
    image, variance, count = done
    # the error of a single value is not known
    few = count < max(min_valid_values, 2)
    mask = np.where(few, np.uint8(Flag.BAD), np.uint8(0))
    return image, np.sqrt(variance), mask


def write_master(
    master: xr.Dataset,
    header: fits.Header,
    name: str | PathLike[str],
    options: Mapping[str, Any],
    inputs: Collection[str],
    *,
    overwrite: bool,
    compress: float | bool | None,
) -> None:
    """Compute a master and write it to the file of a name that the header fills in."""
    path = output_name(name, header)
    check_output(path, overwrite=overwrite, inputs=inputs)
    write_products(
        [Product(path, header, *computed(master, options["min_valid_values"]))],
        provenance.history(provenance.with_hashes(master)),
        overwrite=overwrite,
        compress=compress,
    )


def _warn_of_few(number: int, options: Mapping[str, Any]) -> None:
    """Warn if no pixel of a stack of so many frames can have enough values."""
    # a single value has no error
    least = max(options["min_valid_values"], 2)
    if number < least:
        warnings.warn(
            f"a pixel needs {least} values (min_valid_values, and 2 at least), there are {number} "
            "frames: every pixel of the master is flagged BAD",
            AutowispWarning,
            stacklevel=5,
        )


def _drop_noise(header: fits.Header) -> None:
    """Drop gain and read noise, which are those of one frame; GAIN stays, as in the original."""
    tell(header, raw_gain_told(header))
    for row in TABLE:
        if row.name in _OF_ONE_FRAME:
            for card in row.among(header):
                if card != "GAIN":
                    header.remove(card, remove_all=True)


_OF_ONE_FRAME = ("gain", "of_amplifiers", "read_noise", "effective")
"""Rows of the table of fates; what a master has instead hangs on more than this class knows."""


def _document(
    header: fits.Header, files: Sequence[Any], options: Mapping[str, Any], units: str
) -> None:
    """Add the files and the options of a stack to the header of its master."""
    # keywords have eight characters: the 1001st frame takes one from the name
    stem, digits = ("ORIGF", 3) if len(files) <= 1000 else ("ORIG", 4)
    for number, file in enumerate(files):
        header[f"{stem}{number:0{digits}d}"] = (ascii_text(str(file)), "File combined")
    thresholds = np.atleast_1d(np.asarray(options["outlier_threshold"], np.float64)).tolist()
    threshold = thresholds[0] if len(thresholds) == 1 else tuple(thresholds)
    header["OUTLTHRS"] = (repr(threshold), "Rejection threshold [RMS]")
    average = average_named(options["average_func"])
    label = f"nanquantile({average:g})" if isinstance(average, float) else f"nan{average}"
    header["AVRGFUNC"] = (label, "How values are averaged")
    header["MINAVGPX"] = (int(options["min_valid_values"]), "Fewest values of a good pixel")
    rounds = options["max_iter"]
    endless = rounds is None or rounds == np.inf
    header["MAXREJIT"] = ("inf" if endless else int(rounds), "Rejections at most")
    excluded = options["exclude_mask"] or ()
    names = [excluded] if isinstance(excluded, str) else list(map(str, excluded))
    header["XCLUDMSK"] = (",".join(names), "Flags that exclude a pixel")
    kind = str(value_of(header, "IMAGETYP") or "")
    # a master of masters is one
    header["IMAGETYP"] = (f"master{kind.removeprefix('master')}", "Type of image")
    header["BUNIT"] = header.get("BUNIT", "adu") if units == "adu" else units
