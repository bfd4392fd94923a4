"""Whether a product is what its record states: it is made again of its inputs, and compared.

What is repeated are the steps of a history: files are opened, calibrated with the masters of the
identities that it names, stacked or made a master. A step of any other kind, or something that is
gone, is refused: what cannot be repeated is neither the same nor different.
"""

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import flats, frames, provenance, schema, steps
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.first_names import first_of
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.frames.named_masters import NamedMasters
from autowisp_xr.headers.fates import ROWS
from autowisp_xr.headers.sensor_grid import area_of
from autowisp_xr.night.compared_files import differences
from autowisp_xr.night.sentences import sentence
from autowisp_xr.opening import open_fits
from autowisp_xr.options import Overscan
from autowisp_xr.outliers.generalized_esd import GeneralizedESD
from autowisp_xr.outliers.linear_fit_clip import LinearFitClip
from autowisp_xr.outliers.min_max import MinMax
from autowisp_xr.outliers.noise_clip import NoiseClip
from autowisp_xr.outliers.percentile import Percentile
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.outliers.winsorized_sigma_clip import WinsorizedSigmaClip
from autowisp_xr.provenance import UNKNOWN
from autowisp_xr.provenance.file_digests import hashed_entry
from autowisp_xr.stack import master_bias, master_dark, stack
from autowisp_xr.steps.saturation import ceilings

Steps = Sequence[Mapping[str, Any]]

_NOT_REPEATED = ("amplifiers", "crosstalk", "linearity")
"""Options of ``calibrate`` of which a record has no more than a summary."""

_OF_STACK = (
    *("average", "reject", "exclude", "weights", "min_values", "error", "average_keywords"),
    *("allow_mismatch", "rejected", "dtype"),
)


_TYPES: Mapping[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        *(Overscan, SigmaClip, MinMax, Percentile, NoiseClip),
        *(WinsorizedSigmaClip, LinearFitClip, GeneralizedESD),
    )
}
"""What options are that a record has as fields, by their names."""


_KINDS_NOT_REPEATED = {
    "defects": sentence("mask_not_repeated"),
    "open_planes": sentence("class_not_repeated"),
    "Calibrator": sentence("class_not_repeated"),
}
"""Why products of other steps are not made again, by the step that only they have."""


class CannotVerifyError(AutowispError, ValueError):
    """What a product was made of is gone, or what was done to it cannot be repeated."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A product that was made again of its record."""

    path: str
    verbs: tuple[str, ...]
    """The steps that were repeated."""
    differences: tuple[str, ...]
    """How the product differs from what was made, a line each; none where it is the same."""

    def __str__(self) -> str:
        done = ", ".join(self.verbs)
        if not self.differences:
            return f"{self.path}: made again ({done}): the same pixels and cards"
        lines = "".join(f"\n  {line}" for line in self.differences)
        return f"{self.path}: made again ({done}), and it differs:{lines}"


def verify(path: str) -> Verified:
    """Make a product again of its record, and compare pixels and cards.

    Parameters
    ----------
    path
        FITS file of a calibrated frame, a stack, or a master of bias, dark or flat. Its history
        names the files that it was made of, and the masters by identity; these are looked for where
        they were, and near the file.

    Returns
    -------
    How it differs. Times and versions in the history may, and so may comments.

    Raises
    ------
    CannotVerifyError
        For a file without such a record; where an input or a master is gone, or is not what it was,
        naming it; and for steps, or options, that are not repeated.
    BadImageError, FileNotFoundError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> for frames in (night.bias(3), night.objects(2)):
    ...     files = frames.autowisp.to_fits(f"{folder}/raw/{{RAWFNAME}}.fits")
    >>> summary = aw.reduce(f"{folder}/raw", f"{folder}/reduced", camera=night.camera)
    >>> aw.night.verify(f"{folder}/reduced/masters/bias.fits").differences
    ()
    """
    record = provenance.steps_of(read_layout(path).history)
    if not record:
        raise CannotVerifyError(_refusal(path, sentence("unrecorded")))
    with warnings.catch_warnings():
        # the user was warned when the product was made
        warnings.simplefilter("ignore", AutowispWarning)
        try:
            made = _made_again(path, record)
        except CannotVerifyError as error:
            raise CannotVerifyError(_refusal(path, str(error))) from None
        with tempfile.TemporaryDirectory() as folder:
            channel = read_channel(path)
            files = frames.to_fits(made, Path(folder) / "{CLRCHNL}.fits")
            again = next((file for file in files if Path(file).stem == channel), files[0])
            found = differences(path, again)
    ids = record[-1].get("id"), provenance.history(made)[-1].get("id")
    if ids[0] != ids[1]:
        found = [sentence("other_identity", stated=ids[0], made=ids[1]), *found]
    verbs = tuple(str(step["verb"]) for step in record)
    return Verified(path=path, verbs=verbs, differences=tuple(found))


def _refusal(path: str, reason: str) -> str:
    return sentence("cannot_verify", path=path, reason=reason)


def read_channel(path: str) -> str:
    """Return the channel that a file holds; "mono" of one without."""
    return str(_cards(path).get("CLRCHNL", schema.MONO))


def _cards(path: str) -> fits.Header:
    return fits.Header.fromstring(read_layout(path).header, sep="\n")


def _made_again(path: str, record: Steps) -> xr.Dataset:
    opening = [number for number, step in enumerate(record) if step.get("verb") == "open_fits"]
    for step in record[opening[-1] if opening else 0 :]:
        if step.get("verb") in _KINDS_NOT_REPEATED:
            raise CannotVerifyError(_KINDS_NOT_REPEATED[step["verb"]])
    if not opening:
        raise CannotVerifyError(sentence("not_repeated", verb=record[0].get("verb")))
    # what is before, the files that were opened have in their own histories
    first, *others = record[opening[-1] :]
    inputs = first.get("inputs", ())
    _check_inputs(inputs)
    named = NamedMasters([path])
    scanned = frames.scan(
        list(dict.fromkeys(entry["path"] for entry in inputs)),
        hdu=first["options"].get("hdu"),
        types=first["options"].get("types"),
    )
    verbs = [str(step["verb"]) for step in others]
    calibrating = next((step for step in others if step["verb"] == "calibrate"), None)
    ds = frames.open_records(scanned)
    if calibrating is not None:
        ds = frames.open_records(scanned, camera=_camera(calibrating["options"], ds, path))
    kind = str(ds["image_type"].values[0])
    if verbs in (["calibrate", "stack"], ["calibrate", "normalise", "stack"]):
        maker = {"bias": master_bias, "dark": master_dark, "flat": _master_flat}.get(kind)
        if maker is not None and calibrating is not None:
            return _master(ds, maker, calibrating, others[-1], named)
    for verb in verbs:
        if verb not in _REPEATED:
            raise CannotVerifyError(sentence("not_repeated", verb=verb))
    for verb, step in zip(verbs, others, strict=True):
        ds = _REPEATED[verb](ds, step, named)
    return ds


def _check_inputs(inputs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse inputs that are gone, or have changed."""
    gone, changed = [], []
    for entry in inputs:
        try:
            now = hashed_entry(entry["path"])
        except OSError:
            gone.append(entry["path"])
            continue
        if now["sha256"] != entry.get("sha256", now["sha256"]) or now["size"] != entry["size"]:
            changed.append(entry["path"])
    if gone:
        raise CannotVerifyError(sentence("inputs_gone", files=first_of(gone)))
    if changed:
        raise CannotVerifyError(sentence("inputs_changed", files=first_of(changed)))


def _camera(options: Mapping[str, Any], opened: xr.Dataset, path: str) -> Camera:
    """Return the camera with which frames were calibrated, by its record."""
    unknown = [name for name in _NOT_REPEATED if options.get(name)]
    if unknown:
        raise CannotVerifyError(sentence("not_repeated", verb=f"calibrate with {unknown[0]}"))
    return Camera(
        channels=schema.camera_of(opened).channels,
        gain=options.get("gain"),
        read_noise=options.get("read_noise"),
        saturation=_saturation(options, opened, path),
        bias_level=options.get("bias_level") or 0.0,
        image_area=_area(options.get("image_area")),
        overscan=[_area(text) for text in options.get("overscan_areas") or ()],
        leak_directions=options.get("leak_directions") or (),
    )


def _saturation(options: Mapping[str, Any], opened: xr.Dataset, path: str) -> Any:
    """Return the saturation of the camera, by the levels at which pixels were flagged.

    Where nobody states one, these are the largest integers of the files, and the product has none.
    """
    channels = schema.names(opened, "channel")
    flagged = np.array(options.get("saturation") or np.nan, np.float64)
    flagged = np.broadcast_to(flagged, (opened.sizes["frame"], len(channels)))
    largest = ceilings(opened)[:, None] - (options.get("bias_level") or 0.0)
    unstated = schema.camera_of(opened).saturation is None and not ROWS["saturation"].among(
        _cards(path)
    )
    if unstated and np.array_equal(flagged, largest + 0 * flagged, equal_nan=True):
        return None
    # the largest integer of a frame may be below what the camera states
    levels = np.fmax.reduce(flagged, axis=0).tolist()
    known = {
        name: level for name, level in zip(channels, levels, strict=True) if np.isfinite(level)
    }
    return levels[0] if len(known) == len(levels) and len(set(levels)) == 1 else known or None


def _area(text: str | None) -> Any:
    return None if text is None else area_of(fits.Header({"IMAGAREA": text}))


def _calibrating(ds: xr.Dataset, step: Mapping[str, Any], named: NamedMasters) -> dict[str, Any]:
    """Return the options of ``calibrate`` by a record, and its masters."""
    options = step["options"]
    given: dict[str, Any] = {
        "overscan": _value(options.get("overscan")),
        "scale_dark": options.get("scale_dark", False),
        "noise": "if known" if options.get("noise") == UNKNOWN else "required",
        "allow_mismatch": options.get("allow_mismatch", ()),
        "dtype": options.get("dtype", "float32"),
    }
    if not options.get("overscan_areas"):
        given["overscan"] = False
    if "min_flat" in options:
        given["min_flat"] = options["min_flat"]
    for kind, identity in step.get("masters", {}).items():
        given[kind] = _master_of(named, identity, step.get("files", {}).get(kind, {}), kind)
    given["masks"] = [_master_of(named, one, {}, "mask") for one in options.get("masks", ())]
    return given


def _master_of(
    named: NamedMasters, identity: str, files: Mapping[str, Any], kind: str
) -> xr.Dataset:
    found = named.find(identity, files)
    if found is None:
        paths = ", ".join(str(entry["path"]) for entry in files.values())
        where = f" ({paths})" if paths else ""
        reason = sentence("master_gone", kind=kind, identity=identity, paths=where)
        raise CannotVerifyError(reason)
    place = "channel_path" if "channel_path" in found.coords else "path"
    files_of = [str(path) for path in found[place].values.reshape(-1).tolist()]
    # with what it shares of its variance with others
    master = schema.as_master(open_fits(files_of)).compute()
    if not files:
        # it was in memory: the product names no file of it
        master = master.drop_vars(place)
    if provenance.identity(master) == identity:
        return master
    # that a mask was opened is a step as well
    return provenance.with_history(master, provenance.history(master)[:-1])


def _calibrate(ds: xr.Dataset, step: Mapping[str, Any], named: NamedMasters) -> xr.Dataset:
    photons = step["options"].get("photons")
    if photons not in (None, "positive", "none"):
        raise CannotVerifyError(sentence("not_repeated", verb="calibrate of AutoWISP's classes"))
    return steps.calibrate(ds, **_calibrating(ds, step, named), photons=photons or "positive")


def _master(
    ds: xr.Dataset,
    maker: Callable[..., xr.Dataset],
    calibrating: Mapping[str, Any],
    stacking: Mapping[str, Any],
    named: NamedMasters,
) -> xr.Dataset:
    given = _calibrating(ds, calibrating, named)
    if given.pop("masks"):
        raise CannotVerifyError(sentence("not_repeated", verb="master with masks"))
    if maker is not _master_flat:
        given.pop("scale_dark")
        given.pop("min_flat", None)
    return maker(ds, **given, **{k: v for k, v in _stacking(stacking).items() if k not in given})


def _master_flat(ds: xr.Dataset, **options: Any) -> xr.Dataset:
    made = flats.master_flat(ds, **options).high
    if made is None:
        raise CannotVerifyError(sentence("not_repeated", verb="flats of which none is good now"))
    return made


def _stacking(step: Mapping[str, Any]) -> dict[str, Any]:
    options = step["options"]
    if "applied" in options or not isinstance(options.get("weights"), str | None):
        raise CannotVerifyError(sentence("not_repeated", verb="stack of matched frames"))
    return {name: _value(options[name]) for name in _OF_STACK if name in options}


def _value(option: Any) -> Any:
    """Return what a record has as its fields."""
    if isinstance(option, list):
        return [_value(one) for one in option]
    if isinstance(option, Mapping) and "type" in option:
        if option["type"] not in _TYPES:
            raise CannotVerifyError(sentence("not_repeated", verb=option["type"]))
        fields = {name: value for name, value in option.items() if name != "type"}
        return _TYPES[option["type"]](**fields)
    return option


_REPEATED: Mapping[str, Callable[[xr.Dataset, Mapping[str, Any], NamedMasters], xr.Dataset]] = {
    "calibrate": _calibrate,
    "merge_channels": lambda ds, step, named: steps.merge_channels(ds),
    "flag_cosmic_rays": lambda ds, step, named: steps.flag_cosmic_rays(ds, **step["options"]),
    "flag_cold_pixels": lambda ds, step, named: steps.flag_cold_pixels(ds, **step["options"]),
    "stack": lambda ds, step, named: stack(ds, **_stacking(step)),
}
"""The steps that are repeated, by their verbs."""
