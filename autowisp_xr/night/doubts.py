"""What numbers of a product make doubtful: a line for each doubt, with its likely cause.

Nothing is left out for a doubt. Each limit stands here, with its reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import measure
from autowisp_xr.flags import Flag
from autowisp_xr.night.grouped import named

__all__ = [
    "DOUBT",
    "LEAVE_OUT",
    "Doubts",
    "of_calibrated",
    "of_dark",
    "of_flats",
    "of_glow",
    "some_of",
]

DOUBT = "DOUBT: "

LEAVE_OUT = "--type 'NAME*=other'"

_BELOW = 0.005
"""Of the pixels may be far below zero: hot ones that flicker are, in a camera without cooling."""

_LEVEL = 0.5
"""Errors of a pixel that the median of a frame may be below zero, however dark the sky."""

_SKY = 2.0
"""By which factor, and by an error of a pixel at least, the sky of a frame may differ from its set:
a night from dusk to moonrise stays within."""

_NOISE = 1.15
_SURE = 3.0
"""Noise by what errors say, and how many of its own errors it has to be beyond that as well."""

_PATTERN = 1.05
_SURE_OF_PATTERN = 5.0
"""Noise with the pattern of a dark by that without: as soon as the cause is known, less matters."""

_RESPONSE = 0.01
"""Of the sky: what pixels, and rows of them, differ by in their response. Without a flat that is in
the image, no error knows of it, and that there is no flat is told anyway."""

_SIDE = 8
"""Of a block, in pixels; the error of its mean is by so much smaller."""

_FAINT = 2.0
"""Errors above zero, below which errors are too large in the mean: a pixel that noise makes
brighter is given more photon noise, and one that it makes darker no less than none."""

_SHAPE = 0.03
"""Range of the shapes of flats: those of a lamp agree to a few tenths of a per cent, those of
twilight to one."""

_GLOW_SHARE = 0.5
"""Of the noise of a dark frame, as scaled, that glow amounts to."""

_EVERY = 3
"""Row and column of a master whose level is looked at."""

_WIDTH = 40
"""Characters, of names."""


class Doubts:
    """Lines on a product, and on each of its frames.

    Parameters
    ----------
    frames
        Their names; none for a master.
    """

    def __init__(self, frames: Sequence[str] = ()) -> None:
        self.notes: list[str] = []
        self._names = list(frames)
        self._of_frames: list[list[str]] = [[] for _ in frames]

    def add(self, before: str, after: str, frames: Any = None) -> None:
        """A doubt about some frames, which are named between two texts; None: about all."""
        which = range(len(self._names)) if frames is None else np.flatnonzero(frames).tolist()
        names = some_of([self._names[i] for i in which], len(self._names))
        self._tell(f"{DOUBT}{before}{names}{after}", which)

    def tell(self, line: str) -> None:
        """A doubt about all, as it is."""
        self._tell(line, range(len(self._names)))

    def _tell(self, line: str, which: Iterable[int]) -> None:
        self.notes.append(line)
        for i in which:
            self._of_frames[i].append(line)

    def marked(self, made: xr.Dataset) -> xr.Dataset:
        """The product with its doubts as the coordinate ``doubts``, which goes to its header."""
        if not self.notes:
            return made
        texts: Any = "\n".join(self.notes)
        if self._names:
            texts = ["\n".join(lines) for lines in self._of_frames]
        dims = ("frame",) if self._names else ()
        return made.assign_coords(doubts=(dims, np.array(texts, dtype=np.dtypes.StringDType())))


def some_of(names: Sequence[str], of: int) -> str:
    """How many frames, and the names of a few: "2 of 9 frames (a, b)"."""
    if len(names) == of:
        return f"all {of} frames" if of > 1 else names[0]
    return f"{len(names)} of {of} frames ({named(names, _WIDTH)})"


def of_calibrated(
    made: xr.Dataset, masters: Mapping[str, str], dark: xr.Dataset | None, *, level_known: bool
) -> Doubts:
    """Doubts about calibrated frames.

    Parameters
    ----------
    made
        The frames.
    masters
        Name of each master that was applied, by its kind.
    dark
        As it was subtracted; None where none was, or its pattern is not what was taken off.
    level_known
        Whether a level without light was subtracted; else errors are wrong by it anyway.
    """
    found = measure.check_calibrated(made, dark=dark)
    doubts = Doubts([str(name) for name in made["frame"].values.tolist()])
    low = _below_zero(found, doubts, masters)
    _sky(found, doubts)
    if level_known and not low:
        # below zero, errors lack the photon noise of what is there
        _noise(found, doubts, masters)
    return doubts


def _below_zero(found: xr.Dataset, doubts: Doubts, masters: Mapping[str, str]) -> bool:
    """Whether frames as a whole are."""
    share, middle, error = (found[name].values for name in ("below_zero", "middle", "error"))
    low = middle < -_LEVEL * error
    far = (share > _BELOW) & ~low
    dark = masters.get("dark")
    names = [masters[kind] for kind in ("bias", "dark") if kind in masters]
    if low.any():
        place = np.unravel_index(np.argmin(np.where(low, middle / error, 0.0)), low.shape)
        subject = f"{' and '.join(names) or 'the level that was subtracted'} lie"
        cause = f"{subject}{'' if len(names) > 1 else 's'} higher than the light, as if of another "
        cause += "offset or sensor state"
        cause += ", or lit by a leak" if dark else ""
        doubts.add(
            "the median is below zero in ",
            f", down to {middle[place]:.4g} ADU where an error is {error[place]:.3g} ADU, and "
            f"{100 * share[place]:.3g} % of the pixels by more than 5 errors: {cause}; {LEAVE_OUT} "
            "leaves out what does not belong",
            low.any(axis=1),
        )
    if far.any():
        cause = "errors are too small, or a master that was applied does not belong"
        if dark:
            cause = f"the dark {dark} takes off too much of them, as if it was warmer or longer"
        doubts.add(
            "pixels are more than 5 errors below zero in ",
            f", up to {100 * share[far].max():.3g} % of them: {cause}",
            far.any(axis=1),
        )
    return bool(low.any())


def _sky(found: xr.Dataset, doubts: Doubts) -> None:
    sky, error = found["sky"].values, np.nan_to_num(found["error"].values)
    if len(sky) < 2:
        return
    usual = np.nanquantile(sky, 0.5, axis=0, method="lower")
    apart = np.abs(sky - usual) > error
    high = apart & (sky > _SKY * np.maximum(usual, 0.0))
    low = apart & (usual > _SKY * np.maximum(sky, 0.0))
    for which, cause in (
        (high, "twilight, the moon, clouds or a lamp"),
        (low, "clouds, or a dome or cap that was closed"),
    ):
        if which.any():
            place = np.unravel_index(np.argmax(np.where(which, np.abs(sky - usual), -1)), sky.shape)
            doubts.add(
                "the sky of ",
                f" is {sky[place]:.4g} ADU, where that of the set is {usual[place[1]]:.4g} ADU: "
                f"{cause}; {LEAVE_OUT} leaves out what is of no use",
                which.any(axis=1),
            )


def _noise(found: xr.Dataset, doubts: Doubts, masters: Mapping[str, str]) -> None:
    """Of the frames that were looked at as a whole, in the channel that is furthest off."""
    typical = {
        str(name): _typical(str(name), values.values)
        for name, values in found.data_vars.items()
        if np.isfinite(values.values).any()
    }
    if "noise" not in typical:
        return
    number = int(np.isfinite(found["noise"].values).any(axis=1).sum())
    looked = f" ({number} looked at)"
    noise, own, error = (typical[name] for name in ("noise", "noise_error", "error"))
    allowed = _RESPONSE * np.maximum(typical["sky"], 0.0) if "flat" not in masters else 0.0
    much = (noise > _NOISE + _SURE * own) & (_excess(noise) * error > allowed)
    little = (noise < 1 / _NOISE - _SURE * own) & (typical["sky"] > _FAINT * error)
    moved = _moved(typical, error, allowed)
    pattern = _pattern(typical, masters)
    if much.any():
        cause = pattern or _cause(moved, masters)
        doubts.add(
            "blank parts of ",
            f" have {noise[much].max():.3g} times the noise that errors say{looked}: {cause}",
        )
    elif pattern:
        doubts.add(f"{pattern}; seen in ", looked)
    if little.any():
        doubts.add(
            "blank parts of ",
            f" have {noise[little].min():.3g} times the noise that errors say{looked}: they were "
            "smoothed or resampled before, or gain or read noise of the camera are others (--gain, "
            "--read-noise)",
        )
    for lines, ratio in moved.items():
        doubts.add(
            f"{lines} move together in ",
            f", so that blocks of 8 x 8 pixels have {ratio:.3g} times the noise that errors say"
            f"{looked}: noise of the electronics, which an overscan by {lines} takes off where the "
            "camera has one (overscan in a camera file)",
        )


def _cause(moved: Mapping[str, float], masters: Mapping[str, str]) -> str:
    """What may make more noise than errors say."""
    if moved:
        return f"{' and '.join(moved)} move together"
    cause = "gain or read noise of the camera are others (--gain, --read-noise)"
    if "dark" not in masters:
        return f"no dark takes off the unlike dark current of the pixels, or {cause}"
    return f"{cause}, or a master does not belong"


def _moved(typical: Mapping[str, Any], error: Any, allowed: Any) -> dict[str, float]:
    """Whether rows or columns move together, and the noise of blocks that this makes."""
    found = {}
    for lines in ("rows", "columns"):
        if lines not in typical:
            continue
        ratio, by_chance = typical[lines], typical[f"{lines}_error"]
        moved = (ratio > _NOISE + _SURE * by_chance) & (_excess(ratio) * error / _SIDE > allowed)
        if moved.any():
            found[lines] = float(ratio[moved].max())
    return found


def _typical(name: str, values: Any) -> Any:
    """Of the frames that were looked at, (channel)."""
    if name in ("rows", "columns"):
        # few lines tell little in each, and all of them together more than the median does
        return np.sqrt(np.nanmean(values**2, axis=0))
    number = np.isfinite(values).sum(axis=0) if name.endswith("_error") else 1
    return np.nanmedian(values, axis=0) / np.sqrt(number)


def _pattern(typical: dict[str, Any], masters: Mapping[str, str]) -> str:
    """That the dark leaves its pattern, or takes off too much of it; "" where it fits."""
    if "noise_of_dark" not in typical or "dark" not in masters:
        return ""
    left, own, noise = (typical[n] for n in ("dark_left", "dark_left_error", "noise_of_dark"))
    off = (np.abs(left) > _SURE_OF_PATTERN * own) & (noise > _PATTERN)
    if not off.any():
        return ""
    place = int(np.argmax(np.where(off, noise, 0.0)))
    what = "is left" if left[place] > 0 else "is taken off too much"
    return (
        f"the dark {masters['dark']} does not fit: {abs(left[place]):.2g} times its pattern {what}"
        f", which adds {100 * (noise[place] - 1):.2g} % to the noise that no error knows of: it "
        "was of another temperature or exposure, or the pattern has changed since"
    )


def _has_errors(master: xr.Dataset) -> bool:
    """Whether the errors of a master are known: of one frame, or of others, they are not."""
    return "variance" in master and bool(np.isfinite(master["variance"].values).any())


def of_dark(made: xr.Dataset, bias: str | None) -> Doubts:
    """That a master dark lies below the bias that was subtracted."""
    doubts = Doubts()
    if bias is None or not _has_errors(made):
        return doubts
    some = made.isel(y=slice(None, None, _EVERY), x=slice(None, None, _EVERY)).compute()
    good = some["mask"].values & np.uint8(Flag.BAD) == 0
    frames = some["count"].values if "count" in some else 1
    level, variance = (
        np.nanmedian(np.where(good, plane, np.nan), axis=(1, 2))
        for plane in (some["image"].values, some["variance"].values * frames)
    )
    error = np.sqrt(variance)
    low = level < -_LEVEL * error
    if low.any():
        place = int(np.argmin(np.where(low, level, 0.0)))
        doubts.tell(
            f"{DOUBT}the darks lie {-level[place]:.4g} ADU below the bias {bias}, where the error "
            f"of a frame is {error[place]:.3g} ADU: they are of another offset or readout than the "
            f"biases; {LEAVE_OUT} leaves out what does not belong"
        )
    return doubts


def of_glow(dark: xr.Dataset, name: str, factor: float) -> list[str]:
    """That a dark that is to be scaled glows, which does not grow evenly with the exposure."""
    if min(dark.sizes["y"], dark.sizes["x"]) < 32 or not _has_errors(dark):
        return []
    found = measure.glow(dark)
    frames = dark["count"].values if "count" in dark else 1
    error = np.sqrt(np.nanmedian(dark["variance"].values * frames, axis=(1, 2)))
    glow, current = found["glow"].values, np.maximum(found["current"].values, 0.0)
    shows = (glow > np.maximum(current, 5 * found["glow_error"].values)) & (
        factor * glow > _GLOW_SHARE * error
    )
    if not shows.any():
        return []
    place = int(np.argmax(np.where(shows, glow, 0.0)))
    where = f"({int(found['glow_y'][place])}, {int(found['glow_x'][place])})"
    return [
        f"{DOUBT}the dark {name} glows: {glow[place]:.4g} ADU about the pixel (y, x) {where} above "
        f"{current[place]:.3g} ADU elsewhere, and is scaled; light of an amplifier does not grow "
        "evenly with the exposure, so that some of it stays, or too much is taken off. Darks of "
        "the exposure of these frames do better (--scale-dark no leaves out what has none)"
    ]


def of_flats(frames: xr.Dataset, bias: xr.Dataset | None) -> list[str]:
    """That flats of one set are of unlike shape; ``frames`` are raw, ``bias`` what they contain."""
    if frames.sizes["frame"] < 2:
        return []
    found = measure.flat_shapes(frames, bias=bias)
    deviation = found["deviation"].values
    unlike = deviation > _SHAPE + _SURE * found["deviation_error"].values
    if not unlike.any():
        return []
    which = np.flatnonzero(unlike.any(axis=1)).tolist()
    names = [str(found["frame"].values[i]) for i in which]
    return [
        f"{DOUBT}{some_of(names, len(deviation))} are of another shape than the rest of the flats, "
        f"by up to {100 * deviation[unlike].max():.2g} % from one part to another: clouds, another "
        "light or focus, saturation, or a thing in the way; --select-flats leaves out what differs "
        f"by clouds, {LEAVE_OUT} others"
    ]


def _excess(ratio: Any) -> Any:
    return np.sqrt(np.maximum(ratio**2 - 1.0, 0.0))
