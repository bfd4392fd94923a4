"""Flats: stamps, classes, pointings, large-scale shape, and masters from files to files."""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.flats.large_scale import large_scale_match, matched
from autowisp_xr.flats.pointings import nearest_pointings
from autowisp_xr.flats.verdicts import classify as classes_of
from autowisp_xr.flats.verdicts import fit_variance
from autowisp_xr.image_calibration import MasterFlatMaker
from autowisp_xr.regions import ChannelSlice
from tests.oracle.case import Case
from tests.oracle.smoothing import smoother_from

__all__ = ["classify", "colocated", "largescale", "masterflat", "stamps"]

# a Julian date within a second, where the tolerance of pixels would allow minutes
_KEYWORD_RTOL = 1e-14
_FIT_RTOL = 1e-7
_LEVELS = (
    "var_mean_fit_threshold",
    "var_mean_fit_iterations",
    "cloudy_night_threshold",
    "cloudy_frame_threshold",
    "min_high_mean",
    "max_low_mean",
)


def stamps(case: Case) -> None:
    params, given = case.params, case.arrays("input.npz")
    statistics, limit = _statistics(params), params["max_saturated_fraction"]
    table = aw.stamp_statistics(
        _frames(given["images"], given["masks"]),
        aw.FlatSelection(**statistics, max_saturated_fraction=limit),
        masked="take",
    ).isel(channel=0)
    expected = case.arrays("expected.npz")
    saturated = table["saturated_fraction"].values > limit
    case.compare("saturated", saturated, expected.pop("saturated"))
    maker = MasterFlatMaker(
        stamp_statistics_config=statistics, stamp_select_config={"max_saturated_fraction": limit}
    )
    with _in_files(given["images"], given["masks"]) as files:
        found = maker._get_stamp_statistics(files)
    case.compare("columns", sorted(found.dtype.names), sorted(expected))
    for name, values in expected.items():
        ours = "number" if name == "num_averaged" else name
        case.compare(f"{name} of the frames", table[ours].values, values)
        case.compare(f"{name} of the files", found[name], values)


def classify(case: Case) -> None:
    given, expected = case.arrays("input.npz"), case.json("expected.json")
    limits = {name: case.params[name] for name in _LEVELS}
    selection = aw.FlatSelection(**limits, max_saturated_fraction=0.5)
    mean, variance = given["mean"], given["variance"]
    fit = fit_variance(mean, variance, selection)
    case.compare("coefficients", fit.coefficients, expected["fit_coefficients"], _FIT_RTOL)
    case.compare("residual", fit.residual, expected["fit_residual"], _FIT_RTOL)
    # what has no level is saturated, in these cases
    fraction = np.where(np.isnan(mean), 1.0, 0.0)
    verdicts = classes_of(mean, variance, fraction, fit, selection)
    case.compare("classes", [verdict.kind for verdict in verdicts], expected["classes"])
    case.compare("reasons", [bool(verdict.reason) for verdict in verdicts], [True] * len(verdicts))


def colocated(case: Case) -> None:
    given, expected = case.arrays("input.npz"), case.arrays("expected.npz")["colocated"]
    limit = case.params["min_pointing_separation"]
    hours, dec = given["ra_hours"], given["dec_deg"]
    if limit is not None:
        separation, _ = nearest_pointings(15 * hours, dec)
        case.compare("nearer than the limit", separation < limit, expected)
    images = np.random.default_rng(0).normal(1000, 10, (hours.size, 8, 8))
    frames = _frames(images).assign_coords(ra=("frame", 15 * hours), dec=("frame", dec))
    table = aw.select_flats(frames, aw.FlatSelection(min_pointing_separation=limit))
    case.compare("class", [kind == "colocated" for kind in table["class"].values], expected)
    maker = MasterFlatMaker(master_stack_config={"min_pointing_separation": limit})
    cards = [{"RA": ra, "DEC": angle} for ra, angle in zip(hours, dec, strict=True)]
    with _in_files(images, cards=cards) as files:
        isolated, found = maker._find_colocated(files)
    case.compare("files", [file in found for file in files], expected)
    case.compare("isolated", [file in isolated for file in files], ~expected)


def largescale(case: Case) -> None:
    params, given = case.params, case.arrays("input.npz")
    image, reference = given["image"], given["reference"]
    expected, described = case.arrays("expected.npz"), case.json("expected.json")
    smoothers = _smoothers(params)
    limit = params["large_scale_deviation_threshold"]
    selection = aw.FlatSelection(**smoothers, large_scale_deviation_threshold=limit)
    match = large_scale_match(image, reference, selection)
    case.compare("corrected", matched(image, match.shape), expected["corrected"])
    case.compare("deviation", match.deviation, described["max_abs_deviation"])
    # just below and just above what is left, beside the limit of the case
    for factor in (None, 1 - 1e-6, 1 + 1e-6):
        threshold = limit if factor is None else factor * described["max_abs_deviation"]
        maker = MasterFlatMaker(
            **smoothers,
            master_stack_config={"large_scale_deviation_threshold": threshold},
        )
        maker._master_large_scale = {"values": reference}
        result = maker.prepare_for_stacking(image)
        discarded = described["discarded"] if factor is None else factor < 1
        case.compare(f"discarded beyond {threshold}", result is None, discarded)
        if result is not None:
            case.compare("result", result, expected["result"])


def masterflat(case: Case) -> None:
    params, expected = case.params, case.json("expected.json")
    maker = MasterFlatMaker(
        stamp_statistics_config=_statistics(params["stamp_statistics"]),
        stamp_select_config=params["stamp_select"],
        **_smoothers(params),
        master_stack_config=_stack_config(params),
    )
    with _files_of(case) as files, tempfile.TemporaryDirectory() as folder, _quiet():
        masters = {kind: Path(folder, f"{kind}.fits") for kind in ("high", "low")}
        result = maker(files, masters["high"], masters["low"], compress=None)
        success, classes = result
        case.compare("success", list(success.items()), list(expected["success"].items()))
        case.compare(
            "files written", {k: p.exists() for k, p in masters.items()}, expected["success"]
        )
        for kind, names in expected["classes"].items():
            case.compare(f"{kind} frames", sorted(classes[kind]), sorted(names))
        case.compare("classes", sorted(classes), sorted(expected["classes"]))
        assert result.frames is not None
        case.compare("fit", result.frames["fit_residual"].values[0], expected["fit_residual"])
        arrays: dict[str, Any] = {}
        if maker._master_large_scale:
            arrays["large_scale"] = maker._master_large_scale["values"]
        for kind, path in masters.items():
            if not success[kind]:
                continue
            with fits.open(path) as hdus:
                found = dict(
                    zip(("values", "stdev", "mask"), (hdu.data for hdu in hdus), strict=True)
                )
                _compare_cards(case, kind, hdus[0].header)
            average, _, found["num"] = _averaged(maker, classes[kind], params["master_stack"])
            # what was stacked frame by frame is what the hook makes of each
            case.compare(f"{kind}, by the hook", found["values"], average, 1e-13)
            arrays |= {
                f"{kind}_{name}": _if_prescribed(plane, name, found["num"])
                for name, plane in found.items()
            }
        case.compare_all(arrays)


def _if_prescribed(plane: Any, name: str, number: Any) -> Any:
    """A plane without what a single value, or none, leaves in a file."""
    return plane if name in ("mask", "num") else np.where(number < 2, np.nan, plane)


def _averaged(maker: MasterFlatMaker, files: Sequence[str], stack: Mapping[str, Any]) -> Any:
    """Average, error and number of values of what the documented hook makes of files."""
    prepared = []
    for file in files:
        with fits.open(file) as hdus:
            image = maker.prepare_for_stacking(hdus[0].data.astype(np.float64))
            prepared.append(np.where(hdus[2].data & np.uint8(aw.Flag.BAD), np.nan, image))
    return aw.iterative_rejection_average(
        np.stack(prepared),
        stack["outlier_threshold"],
        average_func=stack["average"],
        max_iter=stack["max_iter"],
    )


def _compare_cards(case: Case, kind: str, header: fits.Header) -> None:
    expected = case.json("expected.json")
    cards = dict((expected["headers"] or {}).get(kind, {}))
    for keyword, where in (("JD-OBS", "averaged_JD"), ("NUMFCOMB", "num_combined")):
        if where in expected:
            cards[keyword] = expected[where][kind]
    for keyword, value in cards.items():
        case.compare(f"{keyword} of {kind}", header.get(keyword), value, _KEYWORD_RTOL)


def _statistics(given: Mapping[str, Any]) -> dict[str, Any]:
    names = ("fraction", "average", "outlier_threshold", "max_iter")
    return {**{name: given[name] for name in names}, "smoother": smoother_from(given["smoother"])}


def _smoothers(params: Mapping[str, Any]) -> dict[str, Any]:
    names = ("large_scale_smoother", "cloud_check_smoother")
    return {name: smoother_from(params[name]) for name in names}


def _stack_config(params: Mapping[str, Any]) -> dict[str, Any]:
    names = ("min_pointing_separation", "large_scale_deviation_threshold")
    names += ("min_high_combine", "min_low_combine")
    stacks = {name: dict(params[name]) for name in ("large_scale_stack", "master_stack")}
    for stack in stacks.values():
        stack["average_func"] = stack.pop("average")
    return {
        **{name: params[name] for name in names},
        **{f"{name}_options": stack for name, stack in stacks.items()},
    }


def _frames(images: Any, masks: Any = None) -> xr.Dataset:
    """Frame set of one channel, of arrays (frame, y, x)."""
    planes = {"image": (schema.DIMS, np.asarray(images)[:, None])}
    if masks is not None:
        planes["mask"] = (schema.DIMS, np.asarray(masks)[:, None])
    place = schema.place({schema.MONO: ChannelSlice()}, *images.shape[1:])
    names = [f"flat{number:02d}" for number in range(len(images))]
    return schema.with_attributes(xr.Dataset(planes, {**place, "frame": names}), "adu")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # that a threshold cannot reject anything is worth a word to a user; the original is silent
        warnings.filterwarnings("ignore", "no value among", aw.AutowispWarning)
        yield


@contextlib.contextmanager
def _files_of(case: Case) -> Iterator[list[str]]:
    """The files of a case in the current directory, written first if they came as arrays."""
    if not (case.path / "input.npz").exists():
        with contextlib.chdir(case.path):
            yield case.params["frames"]
        return
    given, described = case.arrays("input.npz"), case.json("input_headers.json")
    with _in_files(
        given["images"], given["masks"], described["headers"], described["files"]
    ) as files:
        yield files


@contextlib.contextmanager
def _in_files(
    images: Any, masks: Any = None, cards: Any = None, names: Any = None
) -> Iterator[list[str]]:
    """Products of arrays (frame, y, x) in a temporary directory, which is then the current one."""
    names = names or [f"flat{number:02d}.fits" for number in range(len(images))]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, name in enumerate(names):
            header = fits.Header({"IMAGETYP": "flat", **(cards[number] if cards else {})})
            hdus = fits.HDUList([fits.PrimaryHDU(images[number], header)])
            mask = np.zeros(images[number].shape, np.uint8) if masks is None else masks[number]
            # errors of the frames do not matter, but a product has them
            for kind, plane in (("error", np.ones_like(images[number])), ("mask", mask)):
                hdus.append(fits.ImageHDU(plane, fits.Header({"IMAGETYP": kind})))
            Path(name).parent.mkdir(exist_ok=True)
            hdus.writeto(name)
        yield list(names)
