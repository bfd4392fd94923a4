"""What ``MasterMaker`` asks of its frames, and says in the header of a master."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr.cards import ascii_text, parse_header, value_of
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.flags import as_flag
from autowisp_xr.options import SigmaClip, upper_and_lower
from autowisp_xr.schema import DIMS
from autowisp_xr.stats.averages import average_named, quantile_of

__all__ = ["as_sigma_clip", "check_alike", "check_options", "document_stack", "prepared"]


def as_sigma_clip(outlier_threshold: float | Sequence[float], max_iter: float | None) -> SigmaClip:
    """The rejection that ``outlier_threshold`` and ``max_iter`` ask for."""
    rounds = None if max_iter is None or max_iter == np.inf else int(max_iter)
    if rounds is not None and rounds != max_iter:
        raise ValueError(f"max_iter is a whole number or infinite, not {max_iter!r}")
    return SigmaClip(upper_and_lower(outlier_threshold), max_iter=rounds)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ValueError for options of a stack that no frames could go with."""
    as_sigma_clip(options["outlier_threshold"], options["max_iter"])
    quantile_of(average_named(options["average_func"]))
    as_flag(options["exclude_mask"] or ())
    for name in ("min_valid_frames", "min_valid_values"):
        if not isinstance(options[name], Real):
            raise ValueError(f"{name} is a number, not {options[name]!r}")


def check_alike(frames: xr.Dataset) -> None:
    """Raise ImageMismatchError, naming two files, if types or colour channels differ."""
    headers = [parse_header(str(text)) for text in frames["header"].values]
    paths = frames["path"].values.tolist()
    for keyword in ("IMAGETYP", "CLRCHNL"):
        values = [value_of(header, keyword) for header in headers]
        for path, value in zip(paths, values, strict=True):
            if value != values[0]:
                raise ImageMismatchError(
                    f"{path} has {keyword} {value!r}, {paths[0]} has {values[0]!r}; frames of one "
                    "type and channel make a master"
                )


def prepared(frames: xr.Dataset, prepare: Callable[[Any], Any]) -> tuple[xr.Dataset, list[str]]:
    """Frames as a hook returns them, and the files for which it returned None.

    They rest in a temporary file, so that memory holds one at a time.
    """
    paths = [str(path) for path in frames["path"].values]
    shape = (frames.sizes["y"], frames.sizes["x"])
    kept = []
    with tempfile.TemporaryFile() as spool:
        for number, path in enumerate(paths):
            image = prepare(frames["image"][number, 0].values)
            if image is None:
                continue
            image = np.ascontiguousarray(image, np.float64)
            if image.shape != shape:
                raise ImageMismatchError(
                    f"prepare_for_stacking made of {path}, of the shape {shape} (rows, columns), "
                    f"an array of the shape {image.shape}"
                )
            spool.write(image.data)
            kept.append(number)
        spool.flush()
        discarded = [path for number, path in enumerate(paths) if number not in kept]
        images = frames["image"].isel(frame=kept)
        if kept:
            stored = np.memmap(spool, np.float64, mode="r", shape=(len(kept), 1, *shape))
            images = images.copy(data=stored)
    return frames.isel(frame=kept).assign(image=images.variable.transpose(*DIMS)), discarded


def document_stack(header: fits.Header, files: Sequence[Any], options: Mapping[str, Any]) -> None:
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
    kind = value_of(header, "IMAGETYP")
    header["IMAGETYP"] = (f"master{kind or ''}", "Type of image")
    header["BUNIT"] = header.get("BUNIT", "adu")
