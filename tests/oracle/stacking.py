"""Masters of many frames.

The package keeps more than the original's class writes, and its error of a median is larger by what
a median is noisier than a mean; here its results are brought to the form of the original.
"""

import math
import re
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr.headers.cards import parse_header
from autowisp_xr.stats.order_statistics import variance_factors
from tests.oracle.case import Case

# a Julian date within a second, where the tolerance of pixels would allow minutes
_KEYWORD_RTOL = 1e-14
# cards of the original's class, which state what its arguments were
_OF_THE_CLASS = re.compile(r"IMAGETYP|OUTLTHRS|AVRGFUNC|MINAVGPX|MAXREJIT|XCLUDMSK|ORIGF\d+")


def stack(case: Case) -> None:
    params, expected = case.params, case.json("expected.json")
    frames = aw.open_fits([case.path / name for name in params["frames"]], dtype="float64")
    kept = _kept(frames, params["discard_frames_with_mean_above"])
    discarded = [name for name, keep in zip(params["frames"], kept, strict=True) if not keep]
    case.compare("discarded", discarded, expected["discarded"])
    frames = frames.isel(frame=np.flatnonzero(kept))
    if not expected["success"]:
        with pytest.raises(aw.ImageMismatchError, match="min_frames"):
            _stacked(frames, params)
        return
    master = _stacked(frames, params).isel(channel=0)
    number = master["count"].values.astype(np.int64)
    too_few = number < params["min_valid_values"]
    case.compare_all(
        {
            "values": master["image"].values,
            "stdev": _stdev(master, params["average_func"], len(discarded) + len(kept)),
            "mask": np.where(too_few, np.uint8(aw.Flag.BAD), np.uint8(0)),
            "num_averaged": number,
        }
    )
    fault = (master["mask"].values & np.uint8(aw.Flag.FAULT)) != 0
    case.compare("FAULT where there are too few values", fault[too_few], too_few[too_few])
    _compare_header(case, expected, str(master["header"].values))


def _kept(frames: xr.Dataset, limit: float | None) -> npt.NDArray[np.bool_]:
    if limit is None:
        return np.ones(frames.sizes["frame"], bool)
    return np.asarray(frames["image"].mean(["channel", "y", "x"]).values <= limit)


def _stacked(frames: xr.Dataset, params: dict[str, Any]) -> xr.Dataset:
    threshold, rounds = params["outlier_threshold"], params["max_iter"]
    reject = aw.SigmaClip(
        tuple(threshold) if isinstance(threshold, list) else threshold,
        max_iter=None if math.isinf(rounds) else rounds,
    )
    with warnings.catch_warnings():
        # that a threshold cannot reject anything is worth a word to a user; the original is silent
        warnings.filterwarnings("ignore", "no value among", aw.AutowispWarning)
        return aw.stack(
            frames,
            params["average_func"],
            reject=reject,
            exclude=params["exclude_mask"],
            min_frames=params["min_valid_frames"],
            min_values=params["min_valid_values"],
            error="scatter",
            average_keywords=params["add_averaged_keywords"],
            dtype="float64",
        )


def _stdev(master: xr.Dataset, average: str, frames: int) -> npt.NDArray[np.float64]:
    """The standard error of a mean, also where the average is a median; NaN for one value."""
    number = master["count"].values.astype(np.float64)
    variance = master["variance"].values
    if average == "median":
        scatter, _, _ = variance_factors(0.5, frames)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = variance / scatter[master["count"].values] / (number * (number - 1))
    return np.sqrt(variance)


def _compare_header(case: Case, expected: dict[str, Any], text: str) -> None:
    header = parse_header(text)
    custom = case.params["custom_header"] or {}
    for keyword, value in expected["header"].items():
        if keyword not in custom and not _OF_THE_CLASS.fullmatch(keyword):
            case.compare(f"keyword {keyword}", header.get(keyword), value, rtol=_KEYWORD_RTOL)
    present = [name for name in expected["keywords_that_must_be_absent"] if name in header]
    case.compare("keywords that must be absent", present, [])
