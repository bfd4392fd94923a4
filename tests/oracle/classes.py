"""The classes of the original, file in and file out, with their headers and their refusals."""

import contextlib
import functools
import math
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, MasterMaker, overscan_methods
from autowisp_xr.image_calibration.calibrated_frame import document_exposure
from tests.oracle.case import Case

# a Julian date within a second, where the tolerance of pixels would allow minutes
_KEYWORD_RTOL = 1e-14
# what we write beside the cards of the original
_OURS = {"BUNIT", "CLIBSHA", "CMSKSHA", "COVSSHA", "AXRVERS", "HISTORY"}
_OURS |= {"LTV1", "LTV2", "LTM1_1", "LTM2_2"}
_STRUCTURAL = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND", "PCOUNT"}
_STRUCTURAL |= {"GCOUNT", "CHECKSUM", "DATASUM"}


def calibrate(case: Case) -> None:
    params = case.params
    given = {name: params[name] for name in _TAKEN_AS_THEY_ARE}
    masters = {f"master_{kind}": files for kind, files in params["masters"].items()}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(case.path):
        calibrator = Calibrator(
            **given,
            **masters,
            masks=params["masks"] or None,
            split_channels=_slices(params["split_channels"]),
            overscans=_overscans(params["overscans"]),
            calibrated_fname=params["calibrated_fname"].replace("output", folder),
        )
        calibrator(params["raw"])
        written = sorted(Path(folder).iterdir())
        assert len(written) == len(params["split_channels"])
        headers = {}
        for path in written:
            with fits.open(path) as hdus:
                channel, headers[path.name] = _compare_planes(case, hdus)
    if (case.path / "expected_headers.json").exists():
        for channel, expected in case.json("expected_headers.json").items():
            _compare_cards(case, channel, headers[expected["file"]], expected["cards"])


_TAKEN_AS_THEY_ARE = (
    "raw_hdu",
    "saturation_threshold",
    "read_noise_electrons",
    "gain",
    "bias_level_adu",
    "image_area",
    "leak_directions",
    "fnum",
    "exposure_start_utc",
    "exposure_seconds",
    "project_home",
    "compress_calibrated",
    "extra_header",
)


def _slices(split: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[slice, slice]]:
    return {
        name: tuple(slice(start, None, step) for start, step in (axes["y"], axes["x"]))
        for name, axes in split.items()
    }


def _overscans(given: Mapping[str, Any]) -> dict[str, Any]:
    method = given["method"]
    return {
        "areas": given["areas"],
        "method": None if method is None else getattr(overscan_methods, method)(),
    }


def _compare_planes(case: Case, hdus: fits.HDUList) -> tuple[str, fits.Header]:
    image, error, mask = hdus[-3:]
    kinds = [hdu.header["IMAGETYP"] for hdu in (image, error, mask)]
    case.compare("IMAGETYP", kinds[1:], ["error", "mask"])
    channel = image.header["CLRCHNL"]
    expected = case.arrays(f"expected_{channel}.npz")
    case.compare(f"mask of channel {channel}", mask.data, expected["mask"])
    level = case.params["compress_calibrated"]
    for name, plane in (("image", image.data), ("error", error.data)):
        _compare_stored(case, f"{name} of channel {channel}", plane, expected[name], level)
    return channel, image.header


def _compare_stored(case: Case, what: str, plane: Any, expected: Any, level: float | None) -> None:
    """Compare a plane of a file: to a step of its quantisation where it was compressed."""
    if level is None:
        case.compare(what, plane, expected)
        return
    # a step is the noise of a row over the level; its scatter is no smaller than that
    step = np.std(np.diff(expected, axis=1), axis=1, keepdims=True) / level
    off = np.abs(plane - expected) > step
    case.compare(f"{what}, more than a step off", off.any(), np.False_)


def _compare_cards(case: Case, channel: str, header: fits.Header, expected: list[Any]) -> None:
    cards = [card for card in header.cards if card.keyword not in _STRUCTURAL | _OURS]
    case.compare(
        f"keywords of channel {channel}",
        np.array([card.keyword for card in cards]),
        np.array([keyword for keyword, _, _ in expected]),
    )
    for card, (keyword, value, comment) in zip(cards, expected, strict=True):
        case.compare(f"{keyword} of channel {channel}", card.value, value, rtol=_KEYWORD_RTOL)
        if comment:
            case.compare(f"comment of {keyword}", card.comment, comment)


def stack(case: Case) -> None:
    params, expected = case.params, case.json("expected.json")
    maker_class = _discarding(params["discard_frames_with_mean_above"])
    maker = maker_class(
        outlier_threshold=params["outlier_threshold"],
        average_func=getattr(np, f"nan{params['average_func']}"),
        min_valid_frames=params["min_valid_frames"],
        min_valid_values=params["min_valid_values"],
        max_iter=params["max_iter"],
        exclude_mask=params["exclude_mask"],
        add_averaged_keywords=params["add_averaged_keywords"],
        compress=params.get("compress"),
    )
    custom, level = params.get("custom_header"), params.get("compress")
    arrays = case.arrays("expected.npz") if expected["success"] else {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(case.path), _quiet():
        path = Path(folder, "master.fits")
        success, discarded = maker(params["frames"], path, custom_header=custom)
        case.compare("success", success, expected["success"])
        case.compare("discarded", discarded, expected["discarded"])
        case.compare("file written", path.exists(), expected["success"])
        if not success:
            return
        options = maker.stacking_options
        found = maker.stack(params["frames"], custom_header=custom, **options)
        for name, plane in zip(("values", "stdev", "mask"), found[:3], strict=True):
            case.compare(f"{name} returned", plane, arrays[name])
        with fits.open(path) as hdus:
            values, stdev, mask = (hdu.data for hdu in hdus[-3:])
            header = hdus[-3].header
            _compare_stored(case, "values in the file", values, arrays["values"], level)
            _compare_stored(case, "stdev in the file", stdev, arrays["stdev"], level)
            case.compare("mask in the file", mask, arrays["mask"])
            for keyword, value in expected["header"].items():
                value = "inf" if keyword == "MAXREJIT" and value == math.inf else value
                case.compare(keyword, header.get(keyword), value, rtol=_KEYWORD_RTOL)
        absent = [key for key in expected["keywords_that_must_be_absent"] if key in header]
        case.compare("keywords that must be absent", absent, [])


def _discarding(limit: float | None) -> type[MasterMaker]:
    if limit is None:
        return MasterMaker

    class Discarding(MasterMaker):
        def prepare_for_stacking(self, image: Any) -> Any:
            return None if image.mean() > limit else image

    return Discarding


@contextlib.contextmanager
def _quiet() -> Any:
    with warnings.catch_warnings():
        # that a threshold cannot reject anything is worth a word to a user; the original is silent
        warnings.filterwarnings("ignore", "no value among", aw.AutowispWarning)
        yield


def timing(case: Case) -> None:
    defaults = {
        "exposure_start_utc": None,
        "exposure_start_jd": None,
        "exposure_seconds": case.params["default_exposure_seconds"],
        "fnum": case.params["default_fnum"],
        "project_home": "PROJ",
    }
    for entry in case.json("expected.json"):
        header = fits.Header(case.params["header"].items())
        with warnings.catch_warnings():
            # so is that a date is no time
            warnings.filterwarnings("ignore", ".*without a time of day", aw.AutowispWarning)
            document_exposure(header, defaults | entry["parameters"])
        for keyword in ("JD-OBS", "FNUM", "EXPTIME", "PROJHOME"):
            what = f"{keyword} of {entry['parameters']}"
            case.compare(what, header[keyword], entry[keyword], rtol=_KEYWORD_RTOL)


_ERRORS: dict[str, type[Exception]] = {
    "calibration": aw.CalibrationError,
    "outside image": aw.OutsideImageError,
    "image mismatch": aw.ImageMismatchError,
    "KeyError-like / calibration": ValueError,
    "file exists, immediately and without retrying": FileExistsError,
}
_INSTEAD = {
    "not finite": "NaN in memory and in the file, flagged FAULT",
    "TypeError (required argument)": "the ceiling of the integer type is the threshold",
}
"""Where the original fails and ours does something instead; each has a test of its own below."""


def errors(case: Case) -> None:
    for entry in case.json("expected.json"):
        with tempfile.TemporaryDirectory() as folder:
            run = functools.partial(_calibrate_one, Path(folder), entry)
            if entry["error"] in _INSTEAD:
                _succeeds_instead(case, entry["case"], run)
                continue
            with pytest.raises(_ERRORS[entry["error"]]):
                run()
            case.compare(f"files after {entry['case']}", _outputs(Path(folder)), [])


def _calibrate_one(folder: Path, entry: Mapping[str, Any]) -> fits.HDUList:
    raw = np.full((48, 64), 1000.0 if entry["case"] == "NaN in raw" else 1000)
    given: dict[str, Any] = {"saturation_threshold": 5e4}
    parameters = entry["parameters"]
    if entry["case"] == "gain not finite":
        given["gain"] = math.nan
    elif entry["case"] == "NaN in raw":
        raw[3, 5] = np.nan
    elif entry["case"] == "no saturation threshold":
        del given["saturation_threshold"]
        raw = raw.astype(np.uint16)
        raw[3, 5] = 65535
    elif entry["case"] == "master of another shape":
        master = folder / "master.fits"
        fits.PrimaryHDU(np.ones(parameters["master_bias_shape"])).writeto(master)
        given["master_bias"] = str(master)
    elif entry["case"].startswith("output exists"):
        (folder / "out.fits").write_text("here already")
    if isinstance(parameters, Mapping) and "master_bias_shape" not in parameters:
        given |= parameters
    if "overscans" in given:
        given["overscans"] = _overscans(given["overscans"])
    fits.PrimaryHDU(raw).writeto(folder / "raw.fits")
    out = given.pop("calibrated_fname", "out.fits")
    Calibrator(**given, compress_calibrated=None)(folder / "raw.fits", calibrated=folder / out)
    return fits.open(folder / "out.fits")


def _succeeds_instead(case: Case, name: str, run: Callable[[], fits.HDUList]) -> None:
    with run() as hdus:
        image, error, mask = (hdu.data for hdu in hdus)
    expected = np.zeros(mask.shape, np.uint8)
    expected[3, 5] = aw.Flag.FAULT if name == "NaN in raw" else aw.Flag.OVERSATURATED
    case.compare(f"mask of {name}", mask, expected)
    case.compare(f"what is finite of {name}", np.isnan(image), (expected & 1) != 0)
    case.compare(f"errors of {name}", np.isnan(error), (expected & 1) != 0)


def _outputs(folder: Path) -> list[str]:
    kept = {"raw.fits", "master.fits"}
    return [
        path.name
        for path in folder.iterdir()
        if path.name not in kept and path.read_bytes() != b"here already"
    ]
